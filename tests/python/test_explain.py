"""lucid.explain: what a call would make the engine do."""

import pytest

import lucid
from lucid.func import grad, vmap


def test_an_elementwise_function_under_vmap_is_one_dispatch():
    x = lucid.rand(32, 4)
    text = lucid.explain(vmap(grad(lambda x: (x.sin() * x).sum())))(x)
    assert text.startswith("1 dispatch:")
    assert "sin" in text
    assert "cos" in text


def test_nothing_is_computed_and_nothing_pending_is_nothing_to_do():
    x = lucid.rand(3)
    lucid.eval(x)
    steps = lucid.stats()["steps"]
    assert lucid.explain(lambda x: {"a": x + 1, "b": [x * 2]})(x).startswith("1 dispatch:")
    assert lucid.explain(lambda x: x)(x).startswith("0 dispatches:")
    assert lucid.stats()["steps"] == steps


def test_bad_use():
    with pytest.raises(TypeError, match="must be callable, not int"):
        lucid.explain(3)
    with pytest.raises(ZeroDivisionError):
        lucid.explain(lambda x: 1 / 0)(lucid.ones(2))
