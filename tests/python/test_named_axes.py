"""Collectives over named axes: what the function of the whole batch would compute."""

from typing import Any

import numpy as np
import pytest
from support import close, numbers

import lucid
from lucid.func import (
    all_gather,
    axis_index,
    axis_size,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    pmax,
    pmean,
    pmin,
    psum,
    vmap,
)

X = lucid.tensor(numbers(4, 3), dtype=lucid.float64)


def named(f: Any, **options: Any) -> Any:
    return vmap(f, axis_name="b", **options)


# -- values and derivatives -----------------------------------------------------------------------


def whitened(x: lucid.Tensor) -> lucid.Tensor:
    """Batch normalisation, of one example."""
    mean = pmean(x, "b")
    return (x - mean) / (pmean((x - mean) ** 2, "b") + 1e-3).sqrt() * pmax(x, "b") + pmin(x, "b")


def whole(x: lucid.Tensor) -> lucid.Tensor:
    mean = x.mean(0)
    scaled = (x - mean) / (((x - mean) ** 2).mean(0) + 1e-3).sqrt()
    return scaled * x.amax(0) + x.amin(0)


def test_values() -> None:
    close(named(whitened)(X), whole(X))
    close(named(whitened, in_dims=1, out_dims=-1)(X.T), whole(X).T)


def test_derivatives() -> None:
    t = lucid.cos(X)
    total = grad(lambda x: whole(x).sin().sum())
    close(grad(lambda x: named(whitened)(x).sin().sum())(X), total(X))
    close(named(grad(lambda x: whitened(x).sin().sum()))(X), total(X))
    close(jvp(named(whitened), (X,), (t,))[1], jvp(whole, (X,), (t,))[1])
    close(named(lambda x, d: jvp(whitened, (x,), (d,))[1])(X, t), jvp(whole, (X,), (t,))[1])
    close(jacrev(named(whitened))(X), jacrev(whole)(X))
    close(jacfwd(named(whitened))(X), jacfwd(whole)(X))
    scalar = lambda x: named(whitened)(x).sin().sum()  # noqa: E731
    close(hessian(scalar)(X), hessian(lambda x: whole(x).sin().sum())(X), rtol=1e-8)


def test_per_example_derivatives_join_all_examples() -> None:
    """What example b gets is the derivative of the sum over all examples."""
    total = lambda x: whole(x).sin().sum()  # noqa: E731
    one = lambda x: whitened(x).sin().sum()  # noqa: E731
    v = lucid.cos(X)
    close(
        named(lambda x, d: jvp(grad(one), (x,), (d,))[1])(X, v),
        jvp(grad(total), (X,), (v,))[1],
        rtol=1e-8,
    )
    close(
        grad(lambda x: named(grad(one))(x).sin().sum())(X),
        grad(lambda x: grad(total)(x).sin().sum())(X),
        rtol=1e-8,
    )


def test_all_gather() -> None:
    for dim, want in ((0, X), (1, X.T), (-1, X.T)):
        close(named(lambda x, dim=dim: all_gather(x, "b", dim), out_dims=None)(X), want)
    ranks = named(lambda x: (all_gather(x, "b") < x).sum())(X[:, 0])
    np.testing.assert_array_equal(np.asarray(ranks), np.argsort(np.argsort(np.asarray(X[:, 0]))))


def test_index_and_size() -> None:
    for strategy in ("auto", "vectorized", "isolated"):
        for chunk_size in (None, 1, 3):
            f = named(lambda x: axis_index("b") * 10, strategy=strategy, chunk_size=chunk_size)
            assert f(X).tolist() == [0, 10, 20, 30]
    assert named(lambda x: axis_size("b"), out_dims=None)(X).item() == 4
    assert named(lambda x: x[axis_index("b") % 3])(X).tolist() == [
        float(X[b, b % 3].item()) for b in range(4)
    ]


def test_structures_and_numbers() -> None:
    def f(x: lucid.Tensor) -> Any:
        return psum({"x": x, "n": 1, "none": None, "pair": (x.sum(), [2.0])}, "b")

    y = named(f, out_dims=None)(X)
    close(y["x"], X.sum(0))
    assert y["n"].item() == 4
    assert y["none"] is None
    close(y["pair"][0], X.sum())
    assert y["pair"][1][0].item() == 8


def test_two_axes() -> None:
    f = lambda x: psum(x, ("a", "b")) + psum(x * x, "a") * pmean(x, "b")  # noqa: E731
    y = vmap(vmap(f, axis_name="b"), axis_name="a")(X)
    close(y, X.sum() + (X * X).sum(0, keepdim=True) * X.mean(1, keepdim=True))


def test_a_collective_of_captured_values() -> None:
    """Batched by the outer axis only, joined inside another vmap."""

    def outer(x: lucid.Tensor) -> lucid.Tensor:
        return vmap(lambda e: e + psum(x, "b").sum())(x)

    close(named(outer)(X), X + X.sum())


def test_sharded_mean_of_gradients() -> None:
    """Data parallel training: the mean of per-shard gradients is the gradient of the mean."""
    w = lucid.tensor(numbers(3), dtype=lucid.float64)
    shards = X.reshape(2, 2, 3)
    loss = lambda w, x: ((x @ w).tanh() ** 2).mean()  # noqa: E731
    step = lambda w, x: pmean(grad(loss)(w, x), "data")  # noqa: E731
    got = vmap(step, in_dims=(None, 0), out_dims=None, axis_name="data")(w, shards)
    close(got, grad(loss)(w, X))


# -- lanes that part ------------------------------------------------------------------------------


def test_examples_may_part_afterwards() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        total = psum(x, "b")
        if x.sum() > pmean(x, "b").sum():
            return x / total
        return x * total if x[0] > 1 else -total

    x, total, mean = X, X.sum(0), X.mean(0).sum()
    want = [
        x[b] / total if x[b].sum() > mean else x[b] * total if x[b, 0] > 1 else -total
        for b in range(4)
    ]
    close(named(f)(X), lucid.stack(want))


# -- errors ---------------------------------------------------------------------------------------

BAD: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (lambda x: psum(x, "c"), {}, ValueError, r'no axis "c" is in scope here \(in scope: "b"\)'),
    (lambda x: axis_size("c"), {}, ValueError, 'axis_size: no axis "c"'),
    (lambda x: psum(x, "b"), {"chunk_size": 2}, RuntimeError, "needs all 4 lanes, but chunk_size"),
    (lambda x: pmax(x, "b"), {"strategy": "isolated"}, RuntimeError, "runs them one by one"),
    (lambda x: psum(x, "b") if x[0] > 1 else x, {}, RuntimeError, "needs all lanes, but they have"),
    (lambda x: psum(x, 3), {}, TypeError, r"psum\(\): axis_name must be a str or a tuple of them"),
    (
        lambda x: all_gather(x, ("b",)),
        {},
        TypeError,
        r"all_gather\(\): axis_name must be a str, not",
    ),
    (lambda x: all_gather(x, "b", 5), {}, ValueError, "dim 5 is out of range"),
    (lambda x: psum(x, ("b", "b")), {}, ValueError, r"psum\(\): axis_name names 'b' twice"),
    (lambda x: pmean(x, ("b", "b")), {}, ValueError, r"pmean\(\): axis_name names 'b' twice"),
    (lambda x: pmax(x, ("b", "c", "b")), {}, ValueError, r"pmax\(\): axis_name names 'b' twice"),
    (lambda x: pmin(x, ("b", "b")), {}, ValueError, r"pmin\(\): axis_name names 'b' twice"),
    (lambda x: psum("x", "b"), {}, TypeError, "a collective was given 'str'"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors(case: int) -> None:
    f, options, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        named(f, **options)(X)
    close(named(lambda x: psum(x, "b"), out_dims=None)(X), X.sum(0))  # nothing is left behind


def test_outside() -> None:
    with pytest.raises(ValueError, match=r'no axis "b" is in scope here \(in scope: none\)'):
        psum(X, "b")


@pytest.mark.parametrize("name", [3, "", b"b", "a\0b"])
def test_bad_names(name: Any) -> None:
    with pytest.raises(
        (TypeError, ValueError), match="axis_name must be a str that names the axis"
    ):
        vmap(lambda x: x, axis_name=name)
