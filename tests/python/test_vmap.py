"""The contract of vmap, point by point."""

import collections
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import close, loop, numbers

import lucid
import lucid.nn.functional as F
from lucid.func import grad, vmap

X = numbers(5, 3)
STRATEGIES = ["auto", "vectorized", "isolated"]


# -- what func sees --------------------------------------------------------------------------------

ONE_EXAMPLE: dict[str, Callable[[lucid.Tensor], Any]] = {
    "sum": lambda x: x.sum(),
    "dim": lambda x: x.sum(dim=0),
    "first": lambda x: x[0],
    "transpose": lambda x: x.T,
    "vector product": lambda x: x @ x,
    "softmax": lambda x: F.softmax(x),
    "shape": lambda x: lucid.ones(*x.shape) * x,
    "flatten": lambda x: x.flatten(),
    "len": lambda x: x * len(x),
    "unpack": lambda x: sum(x),
    "max": lambda x: x.max(0).values,
    "sort": lambda x: x.sort().indices,
    "constant": lambda x: lucid.ones(2),
}


@pytest.mark.parametrize("name", ONE_EXAMPLE)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_batch_is_invisible(name: str, strategy: Any) -> None:
    f = ONE_EXAMPLE[name]
    X_tensor = lucid.tensor(X)
    close(vmap(f, strategy=strategy)(X_tensor), loop(f, [X_tensor], [0]))
    close(vmap(f, in_dims=1, strategy=strategy)(X_tensor), loop(f, [X_tensor], [1]))


def test_func_sees_shapes_of_one_example() -> None:
    seen: list[Any] = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        seen.append((x.shape, x.ndim, x.dtype, len(x), x.numel(), x.size(0)))
        return x

    vmap(f)(X)
    assert seen == [((3,), 1, lucid.float32, 3, 3, 3)]


# -- in_dims ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_dims", [0, 1, -1, -2])
def test_int_in_dims(in_dims: int) -> None:
    square = lucid.tensor(numbers(4, 4))
    close(
        vmap(lambda x, y: x - 2 * y, in_dims)(square, square.T),
        loop(lambda x, y: x - 2 * y, [square, square.T], [in_dims, in_dims]),
    )


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 1), (-1, 0), [0, None]])
def test_tuple_in_dims(in_dims: Any) -> None:
    x, y = lucid.tensor(numbers(4, 4)), lucid.tensor(numbers(4, 4, seed=1))
    close(vmap(lambda x, y: x @ y, in_dims)(x, y), loop(lambda x, y: x @ y, [x, y], in_dims))


def test_nested_in_dims() -> None:
    def f(p: Any, x: lucid.Tensor) -> Any:
        return x @ p["w"] + p["b"][0] * p["b"][1]

    p: Any = {"w": lucid.tensor(numbers(3, 5)), "b": (lucid.tensor(numbers(5)), 2.0)}
    x = lucid.tensor(numbers(5, 3, seed=1))
    expected = lucid.stack([x[i] @ p["w"][:, i] + p["b"][0][i] * 2.0 for i in range(5)])
    close(vmap(f, in_dims=({"w": 1, "b": (0, None)}, 0))(p, x), expected)
    shared = lucid.stack([f(p, x[i]) for i in range(5)])
    close(vmap(f, in_dims=(None, 0))(p, x), shared)


def test_prefix_in_dims() -> None:
    pair = (lucid.tensor(X), lucid.tensor(X) + 1)
    close(vmap(lambda p: p[0] * p[1], in_dims=0)(pair), pair[0] * pair[1])
    close(vmap(lambda p: p[0] * p[1], in_dims=(1,), out_dims=1)(pair), pair[0] * pair[1])


def test_in_dims_by_name() -> None:
    def f(x: Any, w: Any, scale: Any = 1.0) -> Any:
        return (x @ w) * scale

    x, w = lucid.tensor(numbers(5, 3)), lucid.tensor(numbers(3, 3))
    s = lucid.tensor(numbers(5, seed=3))
    expected = lucid.stack([x[i] @ w for i in range(5)])
    close(vmap(f, in_dims={"x": 0})(x, w), expected)
    close(vmap(f, in_dims={"x": 0, "w": None})(x, w=w), expected)
    close(vmap(f, in_dims={"x": 0, "scale": 0})(x, w, scale=s), expected * s[:, None])
    close(vmap(f, in_dims={"w": 1})(x[0], w), lucid.stack([x[0] @ w[:, i] for i in range(3)]))


def test_keywords_are_not_mapped() -> None:
    close(vmap(lambda x, *, k: x.sum() * k)(X, k=3.0), X.sum(1) * 3)
    w = lucid.ones(3)
    close(vmap(lambda x, w: x @ w)(X, w=w), X.sum(1))
    close(vmap(lambda x, w: x * w.sum(dim=0))(X, w=np.ones(3)), 3 * X)
    close(grad(lambda x, w: (x * w.sum(dim=0)).sum())(lucid.ones(2), w=np.ones(3)), [3.0, 3.0])


# -- arguments and results -------------------------------------------------------------------------


class Pair(NamedTuple):
    left: Any
    right: Any


def test_structures_come_back() -> None:
    result = vmap(lambda x: {"a": (x, [x.sum(), None]), "b": Pair(x, 2), "c": True})(X)
    assert list(result) == ["a", "b", "c"]
    assert isinstance(result["a"], tuple)
    assert isinstance(result["a"][1], list)
    assert isinstance(result["b"], Pair)
    close(result["a"][0], X)
    close(result["a"][1][0], X.sum(1))
    assert result["a"][1][1] is None
    assert result["b"].right.tolist() == [2] * 5
    assert result["c"].dtype == lucid.bool


def test_structures_go_in() -> None:
    point = Pair(lucid.tensor(X), [lucid.tensor(X)])
    seen: list[Any] = []

    def f(p: Any) -> Any:
        seen.append((type(p), type(p.right)))
        return p.left + p.right[0]

    close(vmap(f)(point), 2 * X)
    assert seen == [(Pair, list)]
    ordered = collections.OrderedDict(a=lucid.tensor(X))
    close(vmap(lambda d: d["a"])(ordered), X)


def test_numbers_and_none() -> None:
    assert vmap(lambda x: 2)(X).tolist() == [2] * 5
    assert vmap(lambda x: 2.5)(X).dtype == lucid.float32
    assert vmap(lambda x: None)(X) is None
    close(vmap(lambda x, k, n: x * k, in_dims=(0, None, None))(X, 2.0, None), X * 2)
    unchanged = object()
    assert vmap(lambda x, o: x * (o is unchanged), (0, None))(X, unchanged).sum().item() > 0


def test_arrays_are_tensors() -> None:
    kinds: list[type] = []

    def f(x: Any, w: Any) -> Any:
        kinds.extend([type(x), type(w)])
        return x @ w

    close(vmap(f, in_dims=(0, None))(X, np.ones(3, dtype=np.float32)), X.sum(1))
    assert kinds == [lucid.Tensor, lucid.Tensor]
    close(vmap(lambda x: np.float32(2) * x)(X), 2 * X)


# -- out_dims --------------------------------------------------------------------------------------


@pytest.mark.parametrize("out_dim", [0, 1, -1, -2])
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_out_dims(out_dim: int, strategy: Any, chunk_size: Any) -> None:
    mapped = vmap(lambda x: x * 2, 0, out_dim, "error", chunk_size, strategy)
    close(mapped(X), np.moveaxis(2 * X, 0, out_dim))


def test_out_dims_of_structures() -> None:
    a, b = vmap(lambda x: (x, x.sum()), out_dims=(1, 0))(X)
    close(a, X.T)
    close(b, X.sum(1))
    d = vmap(lambda x: {"a": x, "b": [x, x]}, out_dims={"a": 1, "b": [0, -1]})(X)
    close(d["a"], X.T)
    close(d["b"][1], X.T)
    close(vmap(lambda x: x, out_dims=(1,))(X), X.T)


def test_results_without_a_batch() -> None:
    w = lucid.ones(2)
    assert vmap(lambda x: w)(X).shape == (5, 2)
    a, b = vmap(lambda x: (w, x), out_dims=(None, 0))(X)
    assert a.shape == (2,)
    assert b.shape == (5, 3)
    with pytest.raises(ValueError, match="depends on the batch"):
        vmap(lambda x: x, out_dims=None)(X)


# -- the rest of the table -------------------------------------------------------------------------


def test_nothing_mapped() -> None:
    calls: list[Any] = []

    def f(x: Any) -> str:
        calls.append(x)
        return "as it is"

    x = lucid.tensor(X)
    assert vmap(f, in_dims=None)(x) == "as it is"
    assert vmap(f, in_dims=(None,))(x) == "as it is"
    assert calls == [x, x] or all(c is x for c in calls)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("chunk_size", [None, 3, "auto"])
def test_no_examples(strategy: Any, chunk_size: Any) -> None:
    e = lucid.zeros(0, 3, dtype=lucid.float64)
    y, s = vmap(lambda x: (x * 2, x.sum()), strategy=strategy, chunk_size=chunk_size)(e)
    assert (y.shape, y.dtype) == ((0, 3), lucid.float64)
    assert (s.shape, s.dtype) == ((0,), lucid.float64)
    assert vmap(grad(lambda x: (x**2).sum()), strategy=strategy)(e).shape == (0, 3)


@pytest.mark.parametrize("chunk_size", [1, 2, 5, 100, None, "auto"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_chunks_change_nothing(chunk_size: Any, strategy: Any) -> None:
    def f(x: Any, y: Any) -> Any:
        return x @ y, (x - y).T, 3.0

    x, y = lucid.tensor(numbers(5, 3, 3)), lucid.tensor(numbers(3, 5, 3, seed=1))
    plain = vmap(f, (0, 1), (0, 1, 0))(x, y)
    parts = vmap(f, (0, 1), (0, 1, 0), chunk_size=chunk_size, strategy=strategy)(x, y)
    for a, b in zip(parts, plain, strict=True):
        close(a, b)


def test_strategies_run_func_so_often() -> None:
    cases: list[Any] = [("vectorized", 1), ("auto", 1), ("isolated", 5)]
    for strategy, expected in cases:
        runs: list[Any] = []
        vmap(runs.append, strategy=strategy)(X)
        assert len(runs) == expected


def branch(x: lucid.Tensor) -> lucid.Tensor:
    return x * 2 if x.sum() > X.sum() / 5 else -x


def test_control_flow() -> None:
    expected = np.stack([branch(lucid.tensor(x)).numpy() for x in X])
    close(vmap(branch)(X), expected)
    close(vmap(branch, strategy="isolated")(X), expected)
    close(vmap(grad(lambda x: branch(x).sum()))(X), np.where(expected > 0, 2.0, -1.0))
    with pytest.raises(RuntimeError, match="where"):
        vmap(branch, strategy="vectorized")(X)


def collatz(n: lucid.Tensor) -> int:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


def test_loops_on_values() -> None:
    assert vmap(collatz)(lucid.arange(1, 11)).tolist() == [0, 1, 7, 2, 5, 8, 16, 3, 19, 6]


@pytest.mark.parametrize("ask", [lambda x: x.item(), float, int, bool, lambda x: x.tolist()])
def test_concrete_answers(ask: Callable[[lucid.Tensor], Any]) -> None:
    x = lucid.tensor([1.0, 2.0, 0.0])
    assert vmap(ask)(x).tolist() == [ask(v) for v in x]
    with pytest.raises(RuntimeError, match="lane"):
        vmap(ask, strategy="vectorized")(x)


def test_nesting() -> None:
    x = lucid.tensor(numbers(2, 3, 4, 5))
    summed = vmap(vmap(vmap(lambda v: (v**2).sum())))(x)
    close(summed, (x.numpy() ** 2).sum(-1))
    product = vmap(vmap(lambda a, b: a @ b, (None, 1)), (0, None))
    a, b = lucid.tensor(numbers(3, 4)), lucid.tensor(numbers(4, 2))
    close(product(a, b), a.numpy() @ b.numpy())


def test_closures_over_outer_levels() -> None:
    x, y = lucid.tensor(numbers(3)), lucid.tensor(numbers(4, seed=1))
    table = vmap(lambda a: vmap(lambda b: a * b + a)(y))(x)
    close(table, np.outer(x.numpy(), y.numpy()) + x.numpy()[:, None])
    slopes = vmap(lambda a: grad(lambda b: (a * b**2).sum())(a))(x)
    close(slopes, 2 * x.numpy() ** 2)


def test_methods_and_names() -> None:
    class Model:
        scale = 2.0

        @vmap
        def rows(self: Any) -> Any:
            return self

        def __init__(self) -> None:
            self.mapped = vmap(self.forward)

        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            """Scales."""
            return x * self.scale

    model = Model()
    close(model.mapped(lucid.tensor(X)), 2 * X)
    assert model.mapped.__name__ == "forward"
    assert model.mapped.__doc__ == "Scales."
    assert model.mapped.__wrapped__ == model.forward  # type: ignore[attr-defined]
    assert "vmap" in repr(model.mapped)


def test_an_instance_becomes_the_first_argument() -> None:
    class Scaler:
        factor = 3.0

        def one(self, x: lucid.Tensor) -> lucid.Tensor:
            return x * self.factor

        many = vmap(one, in_dims=(None, 0))

    close(Scaler().many(lucid.tensor(X)), 3 * X)


def test_partial_application() -> None:
    mapped = vmap(in_dims=(0, None), func=lambda x, y: x + y)
    close(mapped(X, 1.0), X + 1)
