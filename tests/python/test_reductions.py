"""Reductions, sorting and searching against NumPy."""

from typing import Any

import numpy as np
import pytest
from support import close, numbers, same

import lucid

DIMS: list[Any] = [None, 0, -1, (0, 2), (1,)]


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "amax", "amin", "any", "all"])
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("keepdim", [False, True])
def test_against_numpy(name: str, dim: Any, keepdim: bool) -> None:
    x = numbers(2, 3, 4)
    expected = getattr(np, name)(x, axis=dim, keepdims=keepdim)
    t = lucid.tensor(x)
    close(getattr(lucid, name)(t, dim, keepdim), expected)
    close(getattr(t, name)(dim=dim, keepdim=keepdim), expected)
    close(getattr(t, name)(axis=dim, keepdims=keepdim), expected)


@pytest.mark.parametrize("dim", DIMS)
def test_spread(dim: Any) -> None:
    x = numbers(3, 4, 5).astype(np.float64)
    t = lucid.tensor(x)
    close(t.var(dim), x.var(dim, ddof=1))
    close(t.var(dim, unbiased=False), x.var(dim))
    close(t.std(dim, correction=0, keepdim=True), x.std(dim, keepdims=True))
    close(lucid.logsumexp(t, dim), np.log(np.exp(x).sum(dim)))
    close(t.norm(dim=dim), np.sqrt((x**2).sum(dim)))
    close(t.count_nonzero(dim), np.count_nonzero(x, dim))


def test_spread_by_flag() -> None:
    x = numbers(6)
    close(lucid.tensor(x).var(False), x.var())
    close(lucid.tensor(x).std(True), x.std(ddof=1))


def test_dtypes() -> None:
    assert lucid.ones(3, dtype=lucid.int32).sum().dtype == lucid.int64
    assert lucid.ones(3, dtype=lucid.bool).sum().item() == 3
    assert lucid.ones(3, dtype=lucid.int64).sum(dtype=lucid.float64).dtype == lucid.float64
    assert lucid.ones(3).argmax().dtype == lucid.int64
    assert lucid.ones(3).any().dtype == lucid.bool


def test_extremes() -> None:
    x = np.random.default_rng(0).permutation(24).reshape(2, 3, 4).astype(np.float32)
    t = lucid.tensor(x)
    assert t.max().item() == 23
    assert t.min().item() == 0
    for dim in (0, 1, -1):
        for keepdim in (False, True):
            most = t.max(dim, keepdim)
            same(most.values, x.max(dim, keepdims=keepdim))
            same(most.indices, x.argmax(dim, keepdims=keepdim))
            values, indices = t.min(dim=dim, keepdim=keepdim)
            same(values, x.min(dim, keepdims=keepdim))
            same(indices, x.argmin(dim, keepdims=keepdim))
        same(t.argmax(dim), x.argmax(dim))
        same(t.argmin(dim, keepdim=True), x.argmin(dim, keepdims=True))
    assert t.argmax().item() == x.argmax()
    same(lucid.max(t, 24 - t), np.maximum(x, 24 - x))
    same(lucid.min(t, 24 - t), np.minimum(x, 24 - x))


def test_norms() -> None:
    x = numbers(3, 4) - 1
    t = lucid.tensor(x)
    for order in (0, 1, 2, 3, np.inf, -np.inf):
        close(t.norm(order, 1), np.linalg.norm(x, order, 1))
        close(lucid.linalg.vector_norm(t, order), np.linalg.norm(x.reshape(-1), order))
        close(lucid.linalg.norm(t, order, dim=0), np.linalg.norm(x, order, 0))
    close(lucid.linalg.norm(t), np.linalg.norm(x))
    close(lucid.linalg.norm(t, "fro"), np.linalg.norm(x, "fro"))
    for matrix_order in (1, -1, np.inf, -np.inf):
        expected = np.linalg.norm(x, matrix_order)
        close(lucid.linalg.norm(t, matrix_order), expected)
        close(lucid.linalg.matrix_norm(t, matrix_order, keepdim=True), expected.reshape(1, 1))


def test_cumulative() -> None:
    x = numbers(3, 4)
    close(lucid.cumsum(x, 1), x.cumsum(1))
    close(lucid.tensor(x).cumprod(0), x.cumprod(0))
    close(lucid.tensor(x).cumsum(0, dtype=lucid.float64), x.astype(np.float64).cumsum(0))


def test_sorting() -> None:
    x = np.random.default_rng(1).integers(0, 5, (4, 6)).astype(np.float32)
    t = lucid.tensor(x)
    for dim in (0, 1):
        values, indices = t.sort(dim)
        same(values, np.sort(x, dim))
        same(indices, np.argsort(x, dim, kind="stable"))
        same(t.argsort(dim), np.argsort(x, dim, kind="stable"))
        down = t.sort(dim, descending=True)
        same(down.values, -np.sort(-x, dim))
        same(down.indices, np.argsort(-x, dim, kind="stable"))
    top = t.topk(2)
    same(top.values, -np.sort(-x, 1)[:, :2])
    same(t.gather(1, top.indices), -np.sort(-x, 1)[:, :2])
    same(t.topk(2, largest=False).values, np.sort(x, 1)[:, :2])


def test_nan_is_contagious() -> None:
    t = lucid.tensor([1.0, lucid.nan, 3.0])
    assert np.isnan(t.max().item())
    assert t.argmax().item() == 1
    assert t.sort().indices.tolist() == [0, 2, 1]


def test_empty() -> None:
    e = lucid.zeros(0, 3)
    assert e.sum().item() == 0
    assert e.prod().item() == 1
    assert e.amax(1).shape == (0,)
    with pytest.raises(ValueError, match="max"):
        e.amax(0)
