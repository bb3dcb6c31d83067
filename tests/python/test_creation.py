"""Functions that make tensors."""

from typing import Any

import numpy as np
import pytest
from support import close, same

import lucid


def test_fills() -> None:
    same(lucid.zeros(2, 3), np.zeros((2, 3), np.float32))
    same(lucid.zeros((2, 3), dtype=lucid.int64), np.zeros((2, 3), np.int64))
    same(lucid.zeros([2]), np.zeros(2, np.float32))
    same(lucid.zeros(()), np.zeros((), np.float32))
    same(lucid.zeros(), np.zeros((), np.float32))
    same(lucid.zeros(size=(1, 2)), np.zeros((1, 2), np.float32))
    same(lucid.ones(2, dtype=lucid.bool), np.ones(2, bool))
    same(lucid.full((2, 2), 7), np.full((2, 2), 7))
    same(lucid.full((2,), 1.5), np.full(2, 1.5, np.float32))
    same(lucid.full((2,), True), np.full(2, True))
    same(lucid.full((), 3, dtype=lucid.float64), np.full((), 3.0))
    assert lucid.empty(3, 0).shape == (3, 0)


def test_like() -> None:
    x = lucid.tensor([[1, 2], [3, 4]])
    same(lucid.zeros_like(x), np.zeros((2, 2), np.int64))
    same(lucid.ones_like(x, dtype=lucid.float32), np.ones((2, 2), np.float32))
    same(lucid.full_like(x, 9), np.full((2, 2), 9))
    same(x.new_zeros(3), np.zeros(3, np.int64))
    same(x.new_ones((1, 2)), np.ones((1, 2), np.int64))
    same(x.new_full((2,), 5), np.full(2, 5))
    same(x.new_tensor([1.7, 2.2]), np.array([1, 2]))
    same(x.new_zeros(2, dtype=lucid.float64), np.zeros(2))
    assert lucid.empty_like(x).shape == x.new_empty(2, 2).shape == (2, 2)


@pytest.mark.parametrize(
    "args", [(5,), (2, 7), (1, 10, 3), (5, 0, -2), (0.0, 1.0, 0.25), (3.5,), (2, 2), (1, 0)]
)
def test_arange(args: Any) -> None:
    expected = np.arange(*args)
    if expected.dtype == np.float64:
        expected = expected.astype(np.float32)
    same(lucid.arange(*args), expected)


def test_ranges() -> None:
    same(lucid.arange(3, dtype=lucid.float64), np.arange(3.0))
    same(lucid.arange(end=4, start=1), np.arange(1, 4))
    close(lucid.linspace(0, 1, 7), np.linspace(0, 1, 7))
    close(lucid.linspace(-1, 2, 9, dtype=lucid.float64), np.linspace(-1, 2, 9), rtol=1e-14)
    assert lucid.linspace(3, 4, 1).tolist() == [3.0]
    same(lucid.eye(3), np.eye(3, dtype=np.float32))
    same(lucid.eye(2, 3, dtype=lucid.int64), np.eye(2, 3, dtype=np.int64))
    same(lucid.tril(lucid.ones(3, 3)), np.tril(np.ones((3, 3), np.float32)))
    with pytest.raises(ValueError, match="step"):
        lucid.arange(0, 5, 0)


def test_recorded_from_the_start() -> None:
    for x in (
        lucid.zeros(2, requires_grad=True),
        lucid.tensor([1.0], requires_grad=True),
        lucid.full((2,), 1.0, requires_grad=True),
        lucid.eye(2, requires_grad=True),
    ):
        assert x.requires_grad
        assert x.is_leaf


def test_constants() -> None:
    assert lucid.pi == np.pi
    assert lucid.inf == np.inf
    assert np.isnan(lucid.nan)
    assert lucid.__version__.count(".") == 2


def test_tensor_of_a_tensor() -> None:
    x = lucid.tensor([1.0, 2.0])
    assert lucid.tensor(x).tolist() == x.tolist()
    assert lucid.tensor(x, dtype=lucid.int64).dtype == lucid.int64
    assert lucid.Tensor([[1, 2]]).shape == (1, 2)
    assert lucid.Tensor([1], dtype="float64").dtype == lucid.float64
    assert lucid.as_tensor(x, dtype=lucid.float64).dtype == lucid.float64
