"""The rows of vmap's contract that have many cases of their own: in_dims by name and by prefix,
metadata, options checked when vmap() is called, chunks from a byte budget, and the options of the
jacobians."""

import functools
import inspect
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import close, numbers

import lucid
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, vmap

X = numbers(5, 3)


class Pair(NamedTuple):
    left: Any
    right: Any


# -- in_dims and out_dims --------------------------------------------------------------------------


def test_prefixes_of_named_tuples_and_lists() -> None:
    point = Pair(lucid.tensor(X), [2.0, {"w": lucid.tensor(X)}])

    def f(p: Any) -> Any:
        return p.left * p.right[0] + p.right[1]["w"]

    expected = 3 * X
    close(vmap(f, in_dims=(Pair(0, [None, {"w": 0}]),))(point), expected)
    close(vmap(f, in_dims=((0, (None, {"w": 0})),))(point), expected)
    close(vmap(f, in_dims=(Pair(1, [None, 1]),), out_dims=-1)(point), expected)
    out = vmap(lambda x: Pair(x, [x.sum(), x]), out_dims=Pair(1, [0, -1]))(X)
    close(out.left, X.T)
    close(out.right[1], X.T)


def test_in_dims_may_be_integers_of_numpy() -> None:
    close(vmap(lambda x: x * 2, in_dims=(np.int64(1),), out_dims=np.int32(1))(X), 2 * X)


def test_in_dims_by_name_reach_the_rest_of_the_arguments() -> None:
    def f(a: Any, *rest: Any, scale: Any = 1.0, **others: Any) -> Any:
        return (a + rest[0] * rest[1]) * scale + others["b"]

    x = lucid.tensor(X)
    expected = (X + X * 2.0) * X + X
    named: Any = {"a": 0, "rest": (0, None), "scale": 0, "b": 0}
    close(vmap(f, in_dims=named)(x, x, 2.0, scale=x, b=x), expected)
    named = {"a": 0, "rest": (0, None), "scale": 0, "others": {"b": 0}}
    close(vmap(f, in_dims=named)(x, x, 2.0, scale=x, b=x), expected)
    close(vmap(lambda *xs: xs[0] + xs[1], in_dims={"xs": 1})(x, x), 2 * X.T)
    nested = vmap(lambda p, q: p["w"] * q, in_dims={"p": {"w": 1}, "q": None}, out_dims=1)
    close(nested({"w": x}, 2.0), 2 * X)
    close(vmap(lambda x, k: x * k, in_dims={"k": 0})(2.0, k=x), 2 * X)


@pytest.mark.parametrize("strategy", ["auto", "vectorized", "isolated"])
def test_out_dim_none_needs_results_without_a_batch(strategy: Any) -> None:
    w = lucid.ones(2)
    fixed = vmap(
        lambda x: {"a": [x, w], "n": 3}, out_dims={"a": (0, None), "n": None}, strategy=strategy
    )
    out = fixed(X)
    assert out["a"][0].shape == (5, 3)
    assert out["a"][1].shape == (2,)
    assert out["n"].shape == ()
    with pytest.raises(ValueError, match=r"result\['a'\]\[0\] .*depends on the batch"):
        vmap(lambda x: {"a": [x]}, out_dims={"a": None})(X)


# -- what comes in and out -------------------------------------------------------------------------


def test_functions_that_return_nothing() -> None:
    seen: list[Any] = []
    assert vmap(lambda x: seen.append(x.shape))(X) is None
    assert seen == [(3,)]


def test_objects_as_results_are_refused_and_leave_nothing_behind() -> None:
    for result in (object(), {1, 2}, "text", 1j):
        with pytest.raises(TypeError, match="func returned .* at result"):
            vmap(lambda x, r=result: r)(X)
        assert vmap(lambda x: x.sum())(X).shape == (5,)


@pytest.mark.parametrize("strategy", ["auto", "vectorized", "isolated"])
def test_no_lanes_give_shapes_and_dtypes(strategy: Any) -> None:
    def f(x: Any, k: Any) -> Any:
        return {"sum": x.sum(), "row": x[None].to(lucid.float64), "n": 3, "no": None, "k": k + 1}

    out = vmap(f, in_dims=(1, None), strategy=strategy)(lucid.zeros(3, 0), lucid.arange(2))
    assert (out["sum"].shape, out["row"].shape) == ((0,), (0, 1, 3))
    assert (out["row"].dtype, out["n"].dtype) == (lucid.float64, lucid.int64)
    assert (out["no"], out["k"].shape) == (None, (0, 2))
    assert vmap(vmap(f, (0, None)), (0, None))(lucid.zeros(2, 0, 3), 1)["row"].shape == (2, 0, 1, 3)


# -- functions of every kind -----------------------------------------------------------------------


def test_metadata_is_that_of_the_function() -> None:
    def scaled(x: int, *, k: float = 2.0) -> int:
        """Scales."""
        return x

    scaled.note = "kept"  # type: ignore[attr-defined]
    for wrapped in (vmap(scaled), grad(scaled), vmap(jacrev(scaled))):
        assert wrapped.__name__ == "scaled"
        assert wrapped.__qualname__.endswith("scaled")
        assert wrapped.__doc__ == "Scales."
        assert wrapped.__module__ == __name__
        assert wrapped.__annotations__ == scaled.__annotations__
        assert wrapped.note == "kept"  # type: ignore[attr-defined]
        assert inspect.signature(wrapped) == inspect.signature(scaled)
        assert inspect.unwrap(wrapped) is scaled
    copy = functools.wraps(vmap(scaled))(lambda x: x)
    assert (copy.__name__, copy.note) == ("scaled", "kept")  # type: ignore[attr-defined]


def test_anything_callable_can_be_mapped() -> None:
    class Layer:
        def __init__(self, k: float) -> None:
            self.k = k

        def __call__(self, x: Any) -> Any:
            return x * self.k

        def method(self, x: Any) -> Any:
            return x * self.k

        @classmethod
        def of_class(cls, x: Any) -> Any:
            return x * 2

        @staticmethod
        def of_none(x: Any) -> Any:
            return x * 2

    layer = Layer(2.0)
    functions: list[Any] = [
        layer, layer.method, Layer.of_class, layer.of_none, lambda x: x * 2,
        functools.partial(lambda k, x: x * k, 2.0), functools.partial(layer.method),
        vmap(layer), grad(lambda x: (x * x).sum()), lambda x: jvp(layer, (x,), (x,))[1],
        functools.partial(lucid.mul, 2.0),
    ]  # fmt: skip
    for f in functions:
        close(vmap(f)(lucid.tensor(X)), 2 * X)
    assert vmap(jacfwd(jacrev(lambda x: x * x)))(lucid.tensor(X)).shape == (5, 3, 3, 3)


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [{"strategy": "fast"}, {"randomness": "no"}, {"chunk_size": 0}, {"chunk_size": "all"},
     {"in_dims": "0"}, {"out_dims": 0.5}, {"strategy": None}, {"chunk_size": True}],
)  # fmt: skip
def test_bad_options_fail_when_vmap_is_called(option: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=next(iter(option))):
        vmap(lambda x: x, **option)


def test_jacobians_take_chunks_tuples_and_structures() -> None:
    def f(p: Any, q: Any) -> Any:
        return {"a": p["w"] * q, "b": (p["w"] ** 2 * q).sum()}

    p, q = {"w": lucid.tensor(X[0]), "n": 2}, lucid.tensor(X[1])
    for jacobian in (jacrev, jacfwd):
        plain = jacobian(f, argnums=(0, 1))({"w": p["w"]}, q)
        assert plain["a"][0]["w"].shape == (3, 3)
        for chunk_size in (1, 2, "auto"):
            parts = jacobian(f, argnums=(0, 1), chunk_size=chunk_size)({"w": p["w"]}, q)
            close(parts["a"][0]["w"], plain["a"][0]["w"])
            close(parts["b"][1], plain["b"][1])

    def g(p: Any, q: Any) -> Any:
        return (p["w"] ** 2 * q).sum(), {"aux": p["w"]}

    h, aux = hessian(g, argnums=(0, 1), has_aux=True)({"w": p["w"]}, q)
    close(h[0]["w"][0]["w"], np.diag(2 * X[1]))
    close(h[0]["w"][1], np.diag(2 * X[0]))
    close(h[1][0]["w"], np.diag(2 * X[0]))
    close(aux["aux"], X[0])
    chunked = hessian(lambda p, q: g(p, q)[0], (0, 1), chunk_size=1)({"w": p["w"]}, q)
    close(chunked[0]["w"][0]["w"], h[0]["w"][0]["w"])


# -- chunks from a byte budget ---------------------------------------------------------------------


@pytest.fixture
def budget() -> Iterator[None]:
    yield
    lucid.set_memory_budget(None)


@pytest.mark.usefixtures("budget")
def test_the_budget_is_a_quarter_of_the_memory_or_what_was_set() -> None:
    default = lucid.get_memory_budget()
    assert 64 << 20 <= default < 1 << 50
    lucid.set_memory_budget(12345)
    assert lucid.get_memory_budget() == 12345
    lucid.set_memory_budget(None)
    assert lucid.get_memory_budget() == default
    with pytest.raises(ValueError, match="bytes must be an int >= 1 or None, not 0"):
        lucid.set_memory_budget(0)


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("wide", [False, True])
def test_automatic_chunks_fit_the_budget(wide: bool) -> None:
    """Each example needs two 32 x 32 matrices at a time (8 kB); `wide`: 64 kB shared by all."""
    shared = lucid.tensor(numbers(128, 128))
    runs: list[int] = []

    def f(x: Any) -> Any:
        runs.append(1)
        y = (x[:, None] * x[None]).cumsum(0).cumsum(1).sum()
        return y + (shared.cumsum(0).sum() if wide else 0)

    x = lucid.tensor(numbers(300, 32))
    expected = vmap(f)(x).numpy()
    for budget_, fewest, most in ((1 << 30, 2, 2), (400_000, 8, 24), (1, 301, 301)):
        lucid.set_memory_budget(budget_)
        runs.clear()
        close(vmap(f, chunk_size="auto")(x), expected)
        assert fewest <= len(runs) <= most


@pytest.mark.usefixtures("budget")
def test_automatic_chunks_change_no_number() -> None:
    def f(x: Any) -> Any:
        r = lucid.randn(3)
        return (x * r).cumsum(0) if x.sum() > 0 else r.sort().values

    x = lucid.tensor(numbers(40, 3))
    lucid.manual_seed(3)
    expected = vmap(f, randomness="different")(x).numpy()
    lucid.set_memory_budget(100)
    lucid.manual_seed(3)
    y = vmap(f, randomness="different", chunk_size="auto")(x)
    assert np.array_equal(y.numpy(), expected)
    inner = vmap(lambda r: vmap(lambda v: v * 2, chunk_size="auto")(r), chunk_size="auto")
    close(inner(x), 2 * x)
    close(grad(lambda v: vmap(lambda r: (r**3).sum(), chunk_size="auto")(v).sum())(x), 3 * x**2)


def test_a_call_that_maps_nothing_because_all_came_by_keyword_warns() -> None:
    x = lucid.ones(3, 2)
    f = vmap(lambda x=None, y=None, n=1: (x if y is None else y).sum())
    for call in (lambda: f(x=x), lambda: f(y=x.numpy(), n=2), lambda: vmap(f)(x=x)):
        with pytest.warns(UserWarning, match=r"keyword.*in_dims=\{'x': 0\}"):
            assert call().item() == 6.0  # as it is
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f(x).shape == (3,)
        assert f(x, y=lucid.ones(2)).shape == (3,)
        assert vmap(lambda x: x.sum(), in_dims={"x": 0})(x=x).shape == (3,)
        assert vmap(lambda x: x.sum(), in_dims={"x": None})(x=x).shape == ()
        assert vmap(lambda n=1: n)(n=2) == 2
        with pytest.raises(UserWarning):
            f(x=x)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(3):
            f(x=x)
    assert len(seen) == 1  # once per place
