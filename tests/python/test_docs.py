"""Every example in a docstring runs and prints what it says."""

import doctest
import types
from collections.abc import Iterator

import pytest

import lucid
import lucid.func
import lucid.linalg
import lucid.nn.functional

MODULES = [lucid, lucid.func, lucid.linalg, lucid.nn.functional]


def documented() -> Iterator[tuple[str, str]]:
    for module in MODULES:
        yield module.__name__, module.__doc__ or ""
        for name, value in sorted(vars(module).items()):
            if not name.startswith("_") and not isinstance(value, types.ModuleType):
                yield f"{module.__name__}.{name}", getattr(value, "__doc__", None) or ""
    for name, value in sorted(vars(lucid.Tensor).items()):
        yield f"lucid.Tensor.{name}", getattr(value, "__doc__", None) or ""


WITH_EXAMPLES = [(name, doc) for name, doc in documented() if ">>>" in doc]


@pytest.mark.parametrize(("name", "doc"), WITH_EXAMPLES, ids=[name for name, _ in WITH_EXAMPLES])
def test_examples(name: str, doc: str) -> None:
    test = doctest.DocTestParser().get_doctest(doc, {}, name, None, None)
    report: list[str] = []
    doctest.DocTestRunner().run(test, out=report.append)
    assert not report, "".join(report)


def test_transforms_have_examples() -> None:
    names = {name for name, _ in WITH_EXAMPLES}
    for name in lucid.func.__all__:
        assert f"lucid.func.{name}" in names


def test_everything_is_documented() -> None:
    plain = (int, float, str, lucid.dtype)
    for module in MODULES:
        for name, value in vars(module).items():
            if not name.startswith("_") and not isinstance(value, plain):
                assert getattr(value, "__doc__", None), f"{module.__name__}.{name}"
