"""In-place methods, augmented assignment and x[i] = v, everywhere alike."""

from typing import Any

import numpy as np
import pytest
from support import close, numbers, same

import lucid
from lucid.func import grad, jvp, vmap

X = numbers(4, 3)


def test_methods_return_the_tensor() -> None:
    x = lucid.tensor([1.0, -2.0, 3.0])
    y = x.add_(1).mul_(2).clamp_(min=0).neg_()
    assert y is x
    assert x.tolist() == [-4.0, 0.0, -8.0]
    assert x.abs_().sqrt_().dtype == lucid.float32
    assert x.zero_().tolist() == [0.0] * 3
    assert x.fill_(2).tolist() == [2.0] * 3
    assert x.copy_(lucid.arange(3)).tolist() == [0.0, 1.0, 2.0]
    assert x.masked_fill_(x > 1, 9).tolist() == [0.0, 1.0, 9.0]
    assert x.index_fill_(0, [0], 5).tolist() == [5.0, 1.0, 9.0]
    assert x.scatter_(0, [1], 3.0).tolist() == [5.0, 3.0, 9.0]
    assert x.sub_(1, alpha=2).tolist() == [3.0, 1.0, 7.0]
    assert x.relu_().sigmoid_().shape == (3,)


def test_every_elementwise_method_has_the_form() -> None:
    for name in ("exp", "sin", "tanh", "maximum", "pow", "floor_divide", "logical_not", "round"):
        assert hasattr(lucid.Tensor, name + "_")


def test_augmented_assignment() -> None:
    x, y = lucid.tensor(X), X.copy()
    alias = x
    x += 1
    x *= lucid.tensor(X)
    x -= X
    x /= 2
    x **= 2
    y = (((y + 1) * X - X) / 2) ** 2
    close(x, y)
    assert alias is x
    i = lucid.arange(4)
    i //= 2
    i <<= 2
    i |= 1
    i &= 5
    i ^= 2
    i %= 5
    expected = ((((np.arange(4) // 2) << 2) | 1) & 5 ^ 2) % 5
    same(i, expected)
    m = lucid.eye(2)
    m @= lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert m.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_results_keep_their_values_and_views_follow() -> None:
    x = lucid.tensor([1.0, 2.0])
    before, view, copied = x + 0, x[0], x[[0]]
    x += 5
    x[1] = 0
    assert before.tolist() == [1.0, 2.0]
    assert copied.tolist() == [1.0]
    assert view.item() == 6.0


def test_dtypes_stay() -> None:
    i = lucid.arange(3, dtype=lucid.int32)
    i += 1
    assert i.dtype == lucid.int32
    i[0] = 7.9
    assert i.tolist() == [7, 2, 3]
    f = lucid.zeros(2, dtype=lucid.float64)
    f += lucid.ones(2)
    assert f.dtype == lucid.float64
    b = lucid.tensor([True, False])
    b &= True
    assert b.dtype == lucid.bool
    with pytest.raises(TypeError, match="does not fit"):
        i /= 2


def prefix_sums(x: lucid.Tensor) -> lucid.Tensor:
    y = lucid.zeros(3)
    for i in range(3):
        y[i] = x[i] if i == 0 else y[i - 1] + x[i]
    y *= 2
    return y


@pytest.mark.parametrize("strategy", ["auto", "isolated"])
def test_under_vmap(strategy: Any) -> None:
    close(vmap(prefix_sums, strategy=strategy)(X), 2 * X.cumsum(1))


def test_under_grad() -> None:
    g = grad(lambda x: (prefix_sums(x) * lucid.tensor([1.0, 10.0, 100.0])).sum())
    expected = [222.0, 220.0, 200.0]
    close(g(X[0]), expected)
    close(vmap(g)(X), np.tile(expected, (4, 1)))
    _, t = jvp(prefix_sums, (lucid.tensor(X[0]),), (lucid.ones(3),))
    close(t, [2.0, 4.0, 6.0])


def test_masks_under_vmap() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        y = x.clone()
        y[x > 1] = 0
        return y

    close(vmap(f, strategy="vectorized")(X), np.where(X > 1, 0, X))
    close(vmap(grad(lambda x: (f(x) * x).sum()))(X), np.where(X > 1, 0, 2 * X))


def test_a_fresh_tensor_becomes_batched() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        total = lucid.tensor(0.0)
        for i in range(3):
            total += x[i]
        return total

    close(vmap(f)(X), X.sum(1))


def test_arguments_are_not_changed() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        x += 1
        x[0] = 0
        return x

    t = lucid.tensor(X)
    vmap(f)(t)
    grad(lambda x: f(x).sum())(t)
    same(t, X)


def test_tensors_of_outer_levels_cannot_be_written() -> None:
    def outer(x: lucid.Tensor) -> lucid.Tensor:
        kept = x * 2

        def inner(y: lucid.Tensor) -> lucid.Tensor:
            kept.add_(y)
            return y

        with pytest.raises(RuntimeError, match="captured from outside"):
            vmap(inner)(x)
        kept += 1
        return kept

    close(vmap(outer)(X), 2 * X + 1)
