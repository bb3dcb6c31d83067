"""Activations, losses and layers against formulas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import Array, close, numbers

import lucid
import lucid.nn.functional as F
from lucid.func import grad, vmap

rng = np.random.default_rng(0)
X = (rng.standard_normal((4, 5)) * 2).astype(np.float64)


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def softmax(x: Array, dim: int = -1) -> Array:
    e = np.exp(x - x.max(dim, keepdims=True))
    return np.asarray(e / e.sum(dim, keepdims=True))


ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[[Array], Any]]] = {
    "relu": (F.relu, lambda x: np.maximum(x, 0)),
    "relu6": (F.relu6, lambda x: np.clip(x, 0, 6)),
    "leaky_relu": (F.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu slope": (lambda x: F.leaky_relu(x, 0.3), lambda x: np.where(x > 0, x, 0.3 * x)),
    "elu": (F.elu, lambda x: np.where(x > 0, x, np.expm1(x))),
    "elu alpha": (lambda x: F.elu(x, alpha=2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x))),
    "sigmoid": (F.sigmoid, sigmoid),
    "tanh": (F.tanh, np.tanh),
    "logsigmoid": (F.logsigmoid, lambda x: np.log(sigmoid(x))),
    "silu": (F.silu, lambda x: x * sigmoid(x)),
    "softplus": (F.softplus, lambda x: np.log1p(np.exp(x))),
    "softplus beta": (
        lambda x: F.softplus(x, beta=2, threshold=1),
        lambda x: np.where(2 * x > 1, x, np.log1p(np.exp(2 * x)) / 2),
    ),
    "hardtanh": (F.hardtanh, lambda x: np.clip(x, -1, 1)),
    "softsign": (F.softsign, lambda x: x / (1 + np.abs(x))),
    "mish": (F.mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "gelu": (
        F.gelu,
        lambda x: x * 0.5 * (1 + lucid.erf(x / np.sqrt(2)).numpy()),
    ),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "softmax": (F.softmax, softmax),
    "softmax dim": (lambda x: F.softmax(x, dim=0), lambda x: softmax(x, 0)),
    "log_softmax": (F.log_softmax, lambda x: np.log(softmax(x))),
    "softmax method": (lambda x: x.softmax(-1), softmax),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    ours, theirs = ACTIVATIONS[name]
    close(ours(lucid.tensor(X)), theirs(X))
    batch = np.stack([X, -X, X + 1])
    close(vmap(ours)(batch), np.stack([theirs(x) for x in batch]))


def test_large_inputs_are_finite() -> None:
    x = lucid.tensor([-1000.0, 0.0, 1000.0])
    for f in (F.sigmoid, F.silu, F.softplus, F.gelu, F.elu, F.softmax, F.mish):
        assert lucid.isfinite(f(x)).all()
        assert lucid.isfinite(grad(lambda v, f=f: f(v).sum())(x)).all()


REDUCTIONS: list[tuple[Any, Callable[[Any], Any]]] = [
    ("mean", np.mean),
    ("sum", np.sum),
    ("none", lambda x: x),
]


@pytest.mark.parametrize(("reduction", "reduce"), REDUCTIONS)
def test_losses(reduction: Any, reduce: Callable[[Any], Any]) -> None:
    target = rng.standard_normal((4, 5))
    close(F.mse_loss(X, target, reduction=reduction), reduce((X - target) ** 2))
    close(F.l1_loss(X, target, reduction=reduction), reduce(np.abs(X - target)))
    labels = np.array([0, 4, 2, 2])
    picked = -np.log(softmax(X))[np.arange(4), labels]
    close(F.cross_entropy(X, labels, reduction=reduction), reduce(picked))
    close(F.nll_loss(np.log(softmax(X)), labels, reduction=reduction), reduce(picked))
    p = softmax(target)
    close(
        F.cross_entropy(X, p, reduction=reduction),
        reduce(-(p * np.log(softmax(X))).sum(-1)),
    )
    q, t = sigmoid(X), (target > 0).astype(np.float64)
    entropy = -(t * np.log(q) + (1 - t) * np.log(1 - q))
    close(F.binary_cross_entropy(q, t, reduction=reduction), reduce(entropy))
    close(F.binary_cross_entropy_with_logits(X, t, reduction=reduction), reduce(entropy))


def test_losses_of_one_example() -> None:
    close(F.cross_entropy(X[0], np.array(3)), -np.log(softmax(X[0]))[3])
    close(F.nll_loss(X[0], lucid.tensor(3)), -X[0, 3])
    labels = lucid.tensor([0, 4, 2, 2])
    each = vmap(F.cross_entropy)(lucid.tensor(X), labels)
    close(each, F.cross_entropy(X, labels, reduction="none"))


def test_layers() -> None:
    w, b = rng.standard_normal((3, 5)), rng.standard_normal(3)
    close(F.linear(X, w, b), X @ w.T + b)
    close(F.linear(X, w), X @ w.T)
    mean, var = X.mean(-1, keepdims=True), X.var(-1, keepdims=True)
    normal = (X - mean) / np.sqrt(var + 1e-5)
    close(F.layer_norm(X, (5,)), normal)
    g, s = rng.standard_normal(5), rng.standard_normal(5)
    close(F.layer_norm(X, [5], g, s, eps=1e-5), normal * g + s)
    table, index = rng.standard_normal((7, 2)), np.array([[0, 6], [3, 3]])
    close(F.embedding(index, table), table[index])
    with pytest.raises(ValueError, match="normalized_shape"):
        F.layer_norm(X, (4,))


def test_geometry() -> None:
    y = rng.standard_normal((4, 5))
    close(F.normalize(X), X / np.linalg.norm(X, axis=1, keepdims=True))
    close(F.normalize(X, p=1, dim=0), X / np.abs(X).sum(0))
    cosine = (X * y).sum(1) / np.linalg.norm(X, axis=1) / np.linalg.norm(y, axis=1)
    close(F.cosine_similarity(X, y), cosine)
    assert F.normalize(lucid.zeros(1, 3)).tolist() == [[0.0] * 3]


def test_one_hot() -> None:
    assert F.one_hot(lucid.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert F.one_hot(lucid.tensor(1), 4).tolist() == [0, 1, 0, 0]
    assert F.one_hot(lucid.tensor([1]), num_classes=3).dtype == lucid.int64
    rows = vmap(lambda i: F.one_hot(i, 3))(lucid.tensor([2, 0]))
    assert rows.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_dtypes() -> None:
    x = numbers(3)
    assert F.softmax(x).dtype == lucid.float32
    assert F.softmax(x, dtype=lucid.float64).dtype == lucid.float64
    assert F.sigmoid(lucid.arange(3)).dtype == lucid.float32
