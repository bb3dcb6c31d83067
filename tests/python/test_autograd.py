"""requires_grad_, backward, grad, detach, no_grad."""

import copy
import pickle

import numpy as np
import pytest
from support import close, numbers

import lucid
import lucid.nn.functional as F
from lucid.func import compile, grad, vmap


def leaf(*values: float) -> lucid.Tensor:
    return lucid.tensor(values, requires_grad=True)


def test_backward() -> None:
    w = leaf(1.0, 2.0)
    assert w.requires_grad
    assert w.is_leaf
    assert w.grad is None
    y = w * w
    assert y.requires_grad
    assert not y.is_leaf
    y.sum().backward()
    close(w.grad, [2.0, 4.0])
    y.sum().backward()
    close(w.grad, [4.0, 8.0])
    (w * w).backward(lucid.tensor([1.0, 0.0]))
    close(w.grad, [6.0, 8.0])
    assert y.grad is None


def test_grad_is_one_object() -> None:
    w = leaf(1.0, 2.0)
    (w**2).sum().backward()
    g = w.grad
    assert g is w.grad
    assert g is not None
    g.zero_()
    close(w.grad, [0.0, 0.0])
    (w**2).sum().backward()
    close(w.grad, [2.0, 4.0])
    w.grad = None
    assert w.grad is None
    w.grad = lucid.ones(2)
    (w**2).sum().backward()
    close(w.grad, [3.0, 5.0])
    with pytest.raises(ValueError, match="shape"):
        w.grad = lucid.ones(3)


def test_a_gradient_outlives_its_leaf() -> None:
    w = leaf(1.0)
    (w * 3).sum().backward()
    g = w.grad
    del w
    assert g is not None
    g += 1
    close(g, [4.0])


def test_training_loop() -> None:
    rng = np.random.default_rng(0)
    X = lucid.tensor(rng.standard_normal((64, 3)).astype(np.float32))
    target = X @ lucid.tensor([1.0, -2.0, 0.5]) + 3
    w, b = lucid.zeros(3, requires_grad=True), lucid.zeros((), requires_grad=True)
    for _ in range(200):
        loss = F.mse_loss(X @ w + b, target)
        loss.backward()
        with lucid.no_grad():
            for p in (w, b):
                assert p.grad is not None
                p -= 0.1 * p.grad
                p.grad.zero_()
    close(w, [1.0, -2.0, 0.5], atol=1e-3)
    close(b, 3.0, atol=1e-3)
    assert w.requires_grad
    assert w.is_leaf


def test_no_grad() -> None:
    w = leaf(1.0)
    with lucid.no_grad():
        assert not (w * 2).requires_grad
        with lucid.no_grad():
            assert not (w * 2).requires_grad
        assert not (w * 2).requires_grad
    assert (w * 2).requires_grad

    @lucid.no_grad()
    def f(x: lucid.Tensor) -> bool:
        return (x * 2).requires_grad

    @lucid.no_grad
    def g(x: lucid.Tensor) -> bool:
        return (x * 2).requires_grad

    assert f(w) is g(w) is False
    assert f.__name__ == "f"
    with pytest.raises(ZeroDivisionError), lucid.no_grad():
        1 / 0  # noqa: B018
    assert (w * 2).requires_grad


def test_writing_leaves() -> None:
    w = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="no_grad"):
        w += 1
    with pytest.raises(RuntimeError, match="no_grad"):
        w[0] = 1.0
    (w**2).sum().backward()
    with lucid.no_grad():
        w[0] = 5.0
    close(w, [5.0, 2.0])
    close(w.grad, [2.0, 4.0])
    w.grad = None
    (w**2).sum().backward()
    close(w.grad, [10.0, 4.0])


def test_intermediate_tensors_can_be_written() -> None:
    w = leaf(1.0, 2.0)
    y = w * 1
    y[0] = 3 * w[1]
    y *= 2
    y.sum().backward()
    close(w.grad, [0.0, 8.0])


def test_switching() -> None:
    x = lucid.ones(2)
    assert x.requires_grad_() is x
    assert x.requires_grad_().is_leaf
    x.requires_grad_(False)
    assert not x.requires_grad
    x.requires_grad = True
    assert (x * 2).requires_grad
    assert not (x * 2).detach().requires_grad
    assert not x.data.requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        (x * 2).requires_grad_(False)


def test_across_transforms() -> None:
    w = leaf(1.0, 2.0)
    X = lucid.tensor(numbers(5, 2))
    losses = vmap(lambda x: (x * w).sum() ** 2)(X)
    losses.sum().backward()
    scores = X.numpy() @ w.detach().numpy()
    close(w.grad, (2 * scores[:, None] * X.numpy()).sum(0))
    w.grad = None
    vmap(grad(lambda x: (x**2 * w).sum()))(X).sum().backward()
    close(w.grad, 2 * X.numpy().sum(0))
    g = grad(lambda v: (v * w).sum())(lucid.ones(2))
    assert g.requires_grad
    g.sum().backward()
    assert w.grad is not None
    close(w.grad - 1, 2 * X.numpy().sum(0))


def test_copies_and_pickles() -> None:
    w = leaf(1.0, 2.0)
    for other in (copy.copy(w), copy.deepcopy(w), pickle.loads(pickle.dumps(w))):
        assert other is not w
        assert other.is_leaf
        assert other.requires_grad
        (other * 2).sum().backward()
        close(other.grad, [2.0, 2.0])
    assert w.grad is None
    y = pickle.loads(pickle.dumps(w * 2))
    assert not y.requires_grad


@pytest.mark.parametrize("dtype", [lucid.float32, lucid.float64])
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3)])
@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "sign"])
def test_piecewise_constant_functions_give_zeros_as_grad_does(
    name: str, shape: tuple[int, ...], dtype: lucid.dtype
) -> None:
    f = getattr(lucid, name)
    w = (1.7 * lucid.ones(*shape, dtype=dtype)).requires_grad_()
    y = f(w)
    assert y.requires_grad
    y.sum().backward()
    assert w.grad is not None
    assert w.grad.dtype == dtype
    close(w.grad, np.zeros(shape))
    close(w.grad, grad(lambda x: f(x).sum())(w.detach()))
    (f(w) * w + compile(f)(w)).sum().backward()
    close(w.grad, f(w).detach())


def test_gradients_through_piecewise_constant_functions_are_zero_beside_infinity() -> None:
    w, v = leaf(1.5), leaf(2.0)
    (lucid.floor(w) * lucid.tensor([float("inf")])).sum().backward()
    close(w.grad, [0.0])
    lucid.floor_divide(w, v).sum().backward()
    close(w.grad, [0.0])
    close(v.grad, [0.0])
    with pytest.raises(RuntimeError, match="does not come from one that requires grad"):
        (w > 0).to(
            lucid.float32
        ).sum().backward()  # integers and bools are not recorded, as in torch
