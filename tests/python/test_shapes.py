"""Shapes, views and joining against NumPy."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import Array, same

import lucid
import lucid.nn.functional as F

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "reshape varargs": (lambda x: x.reshape(4, 6), lambda x: x.reshape(4, 6)),
    "reshape tuple": (lambda x: x.reshape((4, -1)), lambda x: x.reshape(4, 6)),
    "reshape function": (lambda x: lucid.reshape(x, (6, 4)), lambda x: x.reshape(6, 4)),
    "view": (lambda x: x.view(-1), lambda x: x.reshape(-1)),
    "reshape_as": (lambda x: x.reshape_as(lucid.zeros(8, 3)), lambda x: x.reshape(8, 3)),
    "permute": (lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1)),
    "permute tuple": (lambda x: x.permute((-1, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    "transpose": (lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1)),
    "swapaxes": (lambda x: x.swapaxes(0, 1), lambda x: x.swapaxes(0, 1)),
    "T": (lambda x: x.T, lambda x: x.T),
    "mT": (lambda x: x.mT, lambda x: x.swapaxes(-1, -2)),
    "t": (lambda x: x[0].t(), lambda x: x[0].T),
    "movedim": (lambda x: x.movedim(0, 2), lambda x: np.moveaxis(x, 0, 2)),
    "movedims": (
        lambda x: lucid.movedim(x, (0, 1), (-1, 0)),
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
    ),
    "expand": (lambda x: x[:, :1].expand(2, 3, 4), lambda x: x[:, :1].repeat(3, 1)),
    "expand -1": (lambda x: x[:, :1].expand(-1, 3, -1), lambda x: x[:, :1].repeat(3, 1)),
    "broadcast_to": (
        lambda x: lucid.broadcast_to(x, (5, 2, 3, 4)),
        lambda x: np.broadcast_to(x, (5, 2, 3, 4)),
    ),
    "squeeze": (lambda x: x[:1, :, :1].squeeze(), lambda x: x[:1, :, :1].squeeze()),
    "squeeze dim": (lambda x: x[:1, :, :1].squeeze(0), lambda x: x[:1, :, :1].squeeze(0)),
    "squeeze other": (lambda x: x.squeeze(1), lambda x: x),
    "unsqueeze": (lambda x: x.unsqueeze(-1), lambda x: x[..., None]),
    "flatten": (lambda x: x.flatten(), lambda x: x.reshape(-1)),
    "flatten dims": (lambda x: x.flatten(1), lambda x: x.reshape(2, 12)),
    "unflatten": (lambda x: x.unflatten(2, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
    "ravel": (lambda x: x.ravel(), lambda x: x.ravel()),
    "narrow": (lambda x: x.narrow(2, 1, 2), lambda x: x[:, :, 1:3]),
    "select": (lambda x: x.select(1, -1), lambda x: x[:, -1]),
    "flip": (lambda x: x.flip(0, 2), lambda x: x[::-1, :, ::-1]),
    "flip tuple": (lambda x: x.flip((1,)), lambda x: x[:, ::-1]),
    "roll": (lambda x: x.roll(1, 2), lambda x: np.roll(x, 1, 2)),
    "roll flat": (lambda x: x.roll(5), lambda x: np.roll(x, 5)),
    "roll dims": (lambda x: x.roll((1, -1), (0, 2)), lambda x: np.roll(x, (1, -1), (0, 2))),
    "tile": (lambda x: x.tile(2, 1), lambda x: np.tile(x, (2, 1))),
    "repeat": (lambda x: x.repeat(2, 1, 1, 2), lambda x: np.tile(x, (2, 1, 1, 2))),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, 1), lambda x: x.repeat(2, 1)),
    "repeat_interleave flat": (lambda x: x.repeat_interleave(3), lambda x: x.repeat(3)),
    "tril": (lambda x: x.tril(), lambda x: np.tril(x)),
    "triu": (lambda x: x.triu(1), lambda x: np.triu(x, 1)),
    "diagonal": (lambda x: x.diagonal(1, 1, 2), lambda x: x.diagonal(1, 1, 2)),
    "diag": (lambda x: lucid.diag(x[0]), lambda x: np.diag(x[0])),
    "diag of vector": (lambda x: lucid.diag(x[0, 0], 1), lambda x: np.diag(x[0, 0], 1)),
    "cat": (lambda x: lucid.cat([x, x], -1), lambda x: np.concatenate([x, x], -1)),
    "stack": (lambda x: lucid.stack((x, x), 1), lambda x: np.stack([x, x], 1)),
    "stack of a tensor": (lambda x: lucid.stack(x, 1), lambda x: np.stack(list(x), 1)),
    "hstack": (lambda x: lucid.hstack([x, x]), lambda x: np.hstack([x, x])),
    "vstack": (lambda x: lucid.vstack([x[0, 0], x[0, 1]]), lambda x: x[0, :2]),
    "pad": (lambda x: F.pad(x, (1, 2)), lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2)))),
    "pad cuts": (
        lambda x: F.pad(x, (-1, 0, 2, -1), value=5),
        lambda x: np.pad(x[:, :-1, 1:], ((0, 0), (2, 0), (0, 0)), constant_values=5),
    ),
    "cumsum": (lambda x: x.cumsum(1), lambda x: x.cumsum(1)),
    "diff": (lambda x: x.diff(), lambda x: np.diff(x)),
    "diff twice": (lambda x: x.diff(2, 2), lambda x: np.diff(x, 2)),
    "atleast_2d": (lambda x: lucid.atleast_2d(x[0, 0]), lambda x: x[0, :1]),
    "clone": (lambda x: x.clone(), lambda x: x),
    "contiguous": (lambda x: x.T.contiguous(), lambda x: x.T),
}


@pytest.mark.parametrize("name", CASES)
def test_against_numpy(name: str) -> None:
    ours, theirs = CASES[name]
    same(ours(lucid.tensor(X)), theirs(X))


def test_pieces() -> None:
    t = lucid.tensor(X)
    for ours, theirs in [
        (t.split(3, 2), [X[:, :, :3], X[:, :, 3:]]),
        (t.split([1, 3], dim=-1), [X[:, :, :1], X[:, :, 1:]]),
        (t.chunk(2, 1), [X[:, :2], X[:, 2:]]),
        (t.unbind(1), list(X.swapaxes(0, 1))),
        (tuple(t), list(X)),
    ]:
        assert isinstance(ours, tuple)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)


def test_grids_and_broadcasting() -> None:
    a, b = np.arange(3), np.arange(2)
    for indexing in ("ij", "xy"):
        grids = lucid.meshgrid(a, b, indexing=indexing)  # type: ignore[arg-type]
        for x, y in zip(grids, np.meshgrid(a, b, indexing=indexing), strict=True):  # type: ignore[call-overload]
            same(x, y)
    x, y = lucid.broadcast_tensors(lucid.ones(3, 1), lucid.ones(2))
    assert x.shape == y.shape == (3, 2)


def test_shape_queries() -> None:
    t = lucid.tensor(X)
    assert t.shape == t.size() == (2, 3, 4)
    assert t.size(-1) == 4
    assert t.ndim == t.dim() == 3
    assert t.numel() == 24
    assert len(t) == 2
    assert t.nbytes == 96
    assert t.itemsize == t.element_size() == 4
    assert t.is_floating_point()
    assert lucid.is_tensor(t)
    assert not lucid.is_tensor(X)


def test_zero_sizes() -> None:
    e = lucid.zeros(0, 3)
    assert (e + 1).shape == (0, 3)
    assert e.sum(0).tolist() == [0.0, 0.0, 0.0]
    assert e.sum(1).shape == (0,)
    assert lucid.cat([e, lucid.ones(2, 3)]).shape == (2, 3)
    assert e.T.tolist() == [[], [], []]
    assert (e @ lucid.ones(3, 2)).shape == (0, 2)
    assert (lucid.ones(2, 0) @ lucid.ones(0, 2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_casts() -> None:
    x = lucid.tensor([1.7, -1.7, 0.0])
    assert x.int().dtype == lucid.int32
    assert x.long().tolist() == [1, -1, 0]
    assert x.bool().tolist() == [True, True, False]
    assert x.double().dtype == lucid.float64
    assert x.to(lucid.float64).float().dtype == lucid.float32
    assert x.to(lucid.zeros(1, dtype=lucid.int64)).dtype == lucid.int64
    assert x.to(np.float64).dtype == x.to("float64").dtype == lucid.float64
    assert x.type_as(lucid.ones(1, dtype=lucid.int32)).dtype == lucid.int32
    assert x.to(lucid.float32) is x
