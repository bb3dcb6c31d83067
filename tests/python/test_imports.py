"""Imports again, reloads, sub-interpreters, embedding."""

import importlib.util
import subprocess
import sys

import pytest


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


AGAIN = """
import sys, gc
import lucid
from lucid.func import vmap, grad, custom_jvp
a, Tensor, old = lucid.ones(3), lucid.Tensor, vmap(lambda x: x * 2)
for i in range(3):
    for name in [m for m in sys.modules if m.partition(".")[0] == "lucid"]:
        del sys.modules[name]
    import lucid
    import lucid.linalg, lucid.nn.functional, lucid.return_types
    from lucid.func import vmap, grad
    gc.collect()
    assert lucid.Tensor is Tensor
    assert isinstance(a, lucid.Tensor) and (lucid.sin(a) * a + a).shape == (3,)
    assert vmap(grad(lambda x: (x**2).sum()))(lucid.ones(2, 2)).tolist() == [[2.0] * 2] * 2
    assert old(a).tolist() == [2.0] * 3
    assert lucid.manual_seed(0) is lucid.default_generator
print("done")
"""

RELOAD = """
import importlib
import lucid, lucid.func, lucid.linalg, lucid._lucid, lucid._numpy, lucid.nn.functional
a, Tensor = lucid.ones(3), lucid.Tensor
for module in (lucid._lucid, lucid._numpy, lucid, lucid.func, lucid.linalg, lucid.nn.functional):
    importlib.reload(module)
    assert lucid.Tensor is Tensor
    assert (lucid.sin(a) * a).shape == (3,)
    assert lucid.func.vmap(lambda x: x * 2)(a).tolist() == [2.0] * 3
print("done")
"""

SUB_INTERPRETER = """
import {interpreters} as interpreters
{before}
for i in range(2):
    sub = interpreters.create()
    interpreters.run_string(sub, '''
for i in range(2):
    try:
        import lucid
    except ImportError as e:
        print(e)
''')
    interpreters.destroy(sub)
import lucid
from lucid.func import vmap
assert vmap(lambda x: x * 2)(lucid.ones(2)).tolist() == [2.0] * 2
"""


def test_an_import_after_sys_modules_was_emptied_finds_what_was_there() -> None:
    assert run(AGAIN) == "done\n"


def test_reloads() -> None:
    assert run(RELOAD) == "done\n"


@pytest.mark.parametrize("before", ["", "import lucid"])
def test_sub_interpreters_are_refused(before: str) -> None:
    names = [n for n in ("_interpreters", "_xxsubinterpreters") if importlib.util.find_spec(n)]
    if not names:
        pytest.skip("this interpreter has no module for others")
    said = run(SUB_INTERPRETER.format(interpreters=names[0], before=before)).splitlines()
    assert len(said) == 4
    assert all("sub-interpreter" in line or "subinterpreter" in line for line in said)
