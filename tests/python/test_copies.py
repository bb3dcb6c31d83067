"""copy, deepcopy, pickle and other processes: functions, generators, and what holds them."""

import copy
import functools
import multiprocessing
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import close

import lucid
from lucid.func import (
    checkpoint,
    compile,
    custom_jvp,
    custom_vjp,
    custom_vmap,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    linearize,
    vjp,
    vmap,
)

X = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])


def cube(x: Any, scale: float = 1.0) -> Any:
    return (x**3).sum() * scale


def plain(x: Any) -> Any:
    return x * 2


def jvp_rule(primals: Any, tangents: Any) -> Any:
    return plain(primals[0]), 5 * tangents[0]


def forward(x: Any) -> Any:
    return plain(x), x


def backward(residuals: Any, ct: Any) -> Any:
    return (7 * ct,)


@vmap
def decorated(x: Any) -> Any:
    return x.sum()


@custom_jvp
def clipped(x: Any) -> Any:
    return x * 1


@clipped.defjvp
def clipped_rule(primals: Any, tangents: Any) -> Any:
    return clipped(primals[0]), 3 * tangents[0]


class Holder:
    def __init__(self) -> None:
        self.w = lucid.tensor([1.0, 2.0])
        self.f = vmap(self.times)
        self.partial = functools.partial(vmap(cube, in_dims=(0,)), scale=2.0)
        self.generator = lucid.Generator(3)

    def times(self, x: Any) -> Any:
        return x * self.w

    @vmap
    def method(self, x: Any) -> Any:
        return x * 3


def with_jvp() -> Any:
    f = custom_jvp(plain)
    f.defjvp(jvp_rule)
    return f


def with_vjp() -> Any:
    f = custom_vjp(plain)
    f.defvjp(forward, backward)
    return f


def batch_rule(size: int, in_batched: Any, x: Any) -> Any:
    return 2 * x, True


def with_vmap() -> Any:
    f = custom_vmap(plain)
    f.def_vmap(batch_rule)
    return f


FUNCTIONS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "vmap": (lambda: vmap(cube), lambda f: f(X)),
    "vmap with options": (
        lambda: vmap(
            plain, 1, -1, "same", chunk_size=1, strategy="isolated", axis_name="b", max_paths=3
        ),
        lambda f: f(X),
    ),
    "vmap by name": (lambda: vmap(cube, in_dims={"x": 1}), lambda f: f(x=X)),
    "grad": (lambda: grad(cube), lambda f: f(X)),
    "grad with options": (lambda: grad(cube, argnums=(0, 1)), lambda f: f(X, lucid.tensor(1.0))[1]),
    "grad_and_value": (lambda: grad_and_value(cube), lambda f: f(X)[1]),
    "jacrev": (lambda: jacrev(plain, chunk_size=2), lambda f: f(X[0])),
    "jacfwd": (lambda: jacfwd(plain), lambda f: f(X[0])),
    "hessian": (lambda: hessian(cube), lambda f: f(X[0])),
    "nested": (lambda: vmap(grad(cube)), lambda f: f(X)),
    "compile": (lambda: compile(plain), lambda f: f(X)),
    "compiled already": (lambda: compiled_already(), lambda f: f(X)),
    "checkpoint": (lambda: checkpoint(cube), lambda f: grad(f)(X)),
    "no_grad": (lambda: lucid.no_grad()(plain), lambda f: f(X)),
    "custom_jvp": (with_jvp, lambda f: grad(lambda x: f(x).sum())(X)),
    "custom_vjp": (with_vjp, lambda f: grad(lambda x: f(x).sum())(X)),
    "custom_vmap": (with_vmap, lambda f: vmap(f)(X)),
    "of a custom function": (lambda: vmap(with_vjp()), lambda f: f(X)),
    "partial": (lambda: functools.partial(grad(cube), scale=3.0), lambda f: f(X)),
    "decorated": (lambda: decorated, lambda f: f(X)),
    "decorated with a rule": (lambda: clipped, lambda f: grad(lambda x: f(x).sum())(X)),
    "operation": (lambda: lucid.sin, lambda f: f(X)),
    "operation of a namespace": (lambda: lucid.linalg.norm, lambda f: f(X)),
    "method of Tensor": (lambda: lucid.Tensor.cos, lambda f: f(X)),
    "transform": (lambda: vmap, lambda f: f(cube)(X)),
}


def compiled_already() -> Any:
    f = compile(plain)
    f(X)
    return f


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {p}": lambda o, p=p: pickle.loads(pickle.dumps(o, p))
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, way: str) -> None:
    make, use = FUNCTIONS[name]
    f = make()
    again = WAYS[way](f)
    assert type(again) is type(f)
    close(use(again), use(f))
    close(use(WAYS[way](again)), use(f))
    if not isinstance(f, functools.partial):
        assert again.__name__ == f.__name__


@pytest.mark.parametrize("way", WAYS)
def test_what_holds_them(way: str) -> None:
    h = Holder()
    h.f.note = ["kept"]
    again = WAYS[way](h)
    close(again.f(X), h.f(X))
    close(again.partial(X), h.partial(X))
    assert again.f.note == ["kept"]
    assert again.generator.get_state() == h.generator.get_state()
    if way != "copy":
        again.w *= 2  # its own, and what its function multiplies by
        close(again.f(X), 2 * h.f(X).numpy())
        lucid.rand(1, generator=again.generator)
        assert again.generator.get_state() != h.generator.get_state()
    d = {"f": vmap(cube), "t": [X, X]}
    e = WAYS[way](d)
    assert e["t"][0] is e["t"][1]
    close(e["f"](e["t"][0]), d["f"](X))  # type: ignore[operator]
    bound = WAYS[way](h.times)
    close(bound(X), h.times(X))


@pytest.mark.parametrize("way", WAYS)
def test_generators(way: str) -> None:
    g = lucid.Generator(5)
    lucid.rand(3, generator=g)
    again = WAYS[way](g)
    assert again is not g
    close(lucid.rand(4, generator=again), lucid.rand(4, generator=g))
    assert WAYS[way](lucid.default_generator) is lucid.default_generator


def test_leaves() -> None:
    w = lucid.tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    for way in WAYS.values():
        v = way(w)
        assert v.requires_grad
        assert v.is_leaf
        (v * 3).sum().backward()
    v = copy.deepcopy(w)  # with its gradient, as in torch
    close(v.grad, w.grad)
    (v * 3).sum().backward()
    close(v.grad, [5, 7])
    close(w.grad, [2, 4])


def test_what_cannot_be_pickled_says_so() -> None:
    for f in (vjp(cube, X)[1], linearize(cube, X)[1]):
        assert copy.copy(f) is f
        assert copy.deepcopy([f])[0] is f
        with pytest.raises(TypeError, match="record of the run.*cannot be pickled"):
            pickle.dumps(f)
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(vmap(lambda x: x))
    assert copy.deepcopy(vmap(lambda x: x * 2))(X).shape == (2, 2)


def in_the_child(payload: Any) -> Any:
    f, x, g, dtype = payload
    return f(x), lucid.rand(2, generator=g), dtype, vmap(grad(cube))


def test_a_round_trip_through_a_spawned_process() -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        y, r, dtype, f = pool.apply(
            in_the_child, ((vmap(grad(cube)), X, lucid.Generator(1), lucid.int32),)
        )
    close(y, 3 * X.numpy() ** 2)
    close(r, lucid.rand(2, generator=lucid.Generator(1)))
    assert dtype is lucid.int32
    close(f(X), 3 * X.numpy() ** 2)


SCRIPT = """
import pickle, sys
import lucid
from lucid.func import vmap, custom_vjp

@vmap
def f(x):
    return x * 2

@custom_vjp
def g(x):
    return x * 2

assert pickle.loads(pickle.dumps(f)) is f
assert pickle.loads(pickle.dumps(g)) is g
print(f(lucid.ones(2)).tolist())
"""


def test_functions_of_the_main_module(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert out.stdout == "[2.0, 2.0]\n"
