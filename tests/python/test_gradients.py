"""grad and its companions: values, structures, conventions."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import Array, close, numbers

import lucid
import lucid.nn.functional as F
from lucid.func import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)

x64 = lucid.tensor(numbers(4).astype(np.float64))
A = numbers(3, 4, seed=1).astype(np.float64)


def smooth(x: lucid.Tensor) -> lucid.Tensor:
    return (lucid.tanh(A @ x) * x[:3].exp()).sum() + lucid.log1p(x**2).prod()


def vector(x: lucid.Tensor) -> lucid.Tensor:
    return lucid.sin(A @ x) * x[:3]


def numeric(f: Callable[[lucid.Tensor], lucid.Tensor], x: Array, h: float = 1e-5) -> Array:
    """Central differences: f(x).shape + x.shape."""
    columns = []
    for i in range(x.size):
        step = np.zeros(x.shape)
        step.flat[i] = h
        up, down = f(lucid.tensor(x + step)).numpy(), f(lucid.tensor(x - step)).numpy()
        columns.append((up - down) / (2 * h))
    return np.stack(columns, -1).reshape(*np.shape(columns[0]), *x.shape)


def test_against_differences() -> None:
    x = x64.numpy()
    close(grad(smooth)(x64), numeric(smooth, x), rtol=1e-6)
    close(jacrev(vector)(x64), numeric(vector, x), rtol=1e-6)
    close(jacfwd(vector)(x64), numeric(vector, x), rtol=1e-6)
    close(hessian(smooth)(x64), numeric(grad(smooth), x), rtol=1e-5)


def test_modes_agree() -> None:
    y, vjp_fn = vjp(vector, x64)
    close(y, vector(x64))
    c, t = lucid.tensor(numbers(3).astype(np.float64)), lucid.tensor(numbers(4).astype(np.float64))
    _, dy = jvp(vector, (x64,), (t,))
    (dx,) = vjp_fn(c)
    close((dy * c).sum(), (dx * t).sum())
    y2, linear_fn = linearize(vector, x64)
    close(y2, y)
    close(linear_fn(t), dy)
    close(linear_fn(2 * t), 2 * dy)
    rows = vmap(lambda e: vjp_fn(e)[0])(lucid.eye(3, dtype=lucid.float64))
    close(rows, jacrev(vector)(x64))
    close(jacrev(vector, chunk_size=2)(x64), rows)
    close(jacfwd(vector, chunk_size=1)(x64), rows)


def test_higher_derivatives() -> None:
    f: Callable[..., Any] = lucid.sin
    x = lucid.tensor(0.7, dtype=lucid.float64)
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)):
        f = grad(f)
        close(f(x), expected)
    close(jacfwd(jacrev(vector))(x64), jacrev(jacfwd(vector))(x64))
    close(vmap(hessian(smooth))(x64[None]), hessian(smooth)(x64)[None])


# -- conventions -----------------------------------------------------------------------------------


def test_argnums() -> None:
    def f(a: Any, b: Any, c: Any = 1.0) -> Any:
        return (a * b**2).sum() * c

    a, b = lucid.tensor(numbers(3)), lucid.tensor(numbers(3, seed=1))
    close(grad(f)(a, b), b**2)
    close(grad(f, 1)(a, b), 2 * a * b)
    close(grad(f, argnums=-1)(a, b), 2 * a * b)
    both = grad(f, argnums=(1, 0))(a, b)
    assert isinstance(both, tuple)
    close(both[0], 2 * a * b)
    close(both[1], b**2)
    assert len(grad(f, argnums=(0,))(a, b)) == 1
    close(grad(f)(a, b, c=2.0), 2 * b**2)
    close(grad(f)(a, b, 3.0), 3 * b**2)


class Layer(NamedTuple):
    w: Any
    b: Any


def test_an_argument_is_named_once() -> None:
    f = lambda *xs: sum((x**2).sum() for x in xs)  # noqa: E731
    many = [x64] * 80
    for argnums in ((1, 1), (1, -79), (70, 70), (70, -10)):
        with pytest.raises(ValueError, match=r"argument \d+ twice"):
            grad(f, argnums=argnums)(*many)
    close(grad(f, argnums=(70, 71))(*many)[1], 2 * x64)


def test_structures_of_arguments() -> None:
    p = {"layers": [Layer(lucid.ones(2, 3), lucid.zeros(3)), None], "scale": 2.0}

    def loss(p: Any, x: Any) -> Any:
        layer = p["layers"][0]
        return ((x @ layer.w + layer.b) * p["scale"]).sum()

    x = lucid.tensor([1.0, 2.0])
    g = grad(loss)(p, x)
    assert isinstance(g["layers"][0], Layer)
    assert g["layers"][1] is None
    close(g["layers"][0].w, [[2.0] * 3, [4.0] * 3])
    close(g["layers"][0].b, [2.0] * 3)
    close(g["scale"], 9.0)
    per_sample = vmap(grad(loss), (None, 0))(p, lucid.ones(5, 2))
    assert per_sample["layers"][0].w.shape == (5, 2, 3)
    assert per_sample["layers"][1] is None


def test_aux_and_values() -> None:
    x = lucid.tensor([1.0, 2.0])
    f = lambda x: ((x**2).sum(), {"twice": 2 * x, "name": "f", "n": 3})  # noqa: E731
    g, aux = grad(f, has_aux=True)(x)
    close(g, 2 * x)
    close(aux["twice"], 2 * x)
    assert (aux["name"], aux["n"]) == ("f", 3)
    g, value = grad_and_value(lambda x: (x**2).sum())(x)
    close(g, 2 * x)
    close(value, 5.0)
    g, (value, aux) = grad_and_value(f, has_aux=True)(x)
    close(value, 5.0)
    close(aux["twice"], 2 * x)
    j, aux = jacrev(lambda x: (x**2, x.sum()), has_aux=True)(x)
    close(j, np.diag([2.0, 4.0]))
    close(aux, 3.0)
    j, aux = jacfwd(lambda x: (x**2, "text"), has_aux=True)(x)
    close(j, np.diag([2.0, 4.0]))
    assert aux == "text"


def test_aux_under_vmap() -> None:
    X = lucid.tensor(numbers(5, 3))
    g, aux = vmap(grad(lambda x: ((x**2).sum(), x.max()), has_aux=True))(X)
    close(g, 2 * X)
    close(aux, X.max(1).values)


def test_independent_arguments_get_zeros() -> None:
    x, y = lucid.ones(3), lucid.ones(2, dtype=lucid.float64)
    gx, gy = grad(lambda x, y: (x**2).sum(), argnums=(0, 1))(x, y)
    close(gx, 2 * x)
    assert (gy.shape, gy.dtype, gy.tolist()) == ((2,), lucid.float64, [0.0, 0.0])
    close(grad(lambda x: 3.0)(x), np.zeros(3))
    close(jacrev(lambda x: lucid.ones(2))(x), np.zeros((2, 3)))


def test_numbers_as_arguments() -> None:
    g = grad(lambda x: x**3)(2.0)
    assert isinstance(g, lucid.Tensor)
    close(g, 12.0)
    close(vmap(grad(lambda x, k: k * x**2), (0, None))(lucid.arange(3.0), 2.0), [0.0, 4.0, 8.0])


def test_jacobian_structures() -> None:
    a, b = lucid.tensor(numbers(2)), lucid.tensor(numbers(3, seed=1))

    def f(a: Any, b: Any) -> Any:
        return {"outer": lucid.outer(a, b), "sums": (a.sum(), b)}

    for jacobian in (jacrev, jacfwd):
        j = jacobian(f, argnums=(0, 1))(a, b)
        assert j["outer"][0].shape == (2, 3, 2)
        assert j["outer"][1].shape == (2, 3, 3)
        close(j["outer"][0], np.einsum("j,ik->ijk", b.numpy(), np.eye(2)))
        close(j["sums"][0][0], np.ones(2))
        close(j["sums"][0][1], np.zeros(3))
        close(j["sums"][1][1], np.eye(3))
    only = jacrev(f, argnums=1)(a, b)
    close(only["sums"][1], np.eye(3))
    d = jacrev(lambda p: p["a"] * p["b"][0])({"a": a, "b": [a]})
    close(d["b"][0], np.diag(a.numpy()))


def test_hessian_structures() -> None:
    a, b = lucid.tensor(numbers(2)), lucid.tensor(numbers(2, seed=1))
    h = hessian(lambda a, b: (a**2 * b).sum(), argnums=(0, 1))(a, b)
    close(h[0][0], np.diag(2 * b.numpy()))
    close(h[0][1], np.diag(2 * a.numpy()))
    close(h[1][0], np.diag(2 * a.numpy()))
    close(h[1][1], np.zeros((2, 2)))
    p = hessian(lambda p: (p["a"] ** 2 * p["b"]).sum())({"a": a, "b": b})
    close(p["a"]["b"], np.diag(2 * a.numpy()))


def test_vjp_conventions() -> None:
    x = lucid.tensor([1.0, 2.0])
    y, fn = vjp(lambda x: x.sin(), x)
    close(fn()[0], np.cos([1.0, 2.0]))
    assert isinstance(fn(), tuple)
    (y, aux), fn = vjp(lambda x: (x * 2, {"aux": x}), x, has_aux=True)
    close(aux["aux"], x)
    close(fn(lucid.ones(2))[0], [2.0, 2.0])
    out, fn = vjp(lambda a, b: (a * b, a.sum()), x, x)
    one, zero = lucid.ones(2), lucid.tensor(0.0)
    for given in ((one, zero), ((one, zero),), (one, None), ([one, 0.0],)):
        da, db = fn(*given)
        close(da, x)
        close(db, x)
    da, db = fn()
    close(da, x + 1)
    (g,) = vjp(lambda p: p["a"] * 2, {"a": x, "k": None})[1]()
    assert g["k"] is None
    close(g["a"], [2.0, 2.0])


def test_vjp_is_reusable_inside_transforms() -> None:
    X = lucid.tensor(numbers(3, 3))
    _, fn = vjp(lambda x: x**2, X[0])
    basis = lucid.eye(3)
    close(vmap(fn)(basis)[0], lucid.diag(2 * X[0]))
    close(grad(lambda c: (fn(c)[0] ** 2).sum())(basis[0]), 2 * (2 * X[0]) ** 2 * basis[0])


def test_jvp_conventions() -> None:
    x, t = lucid.tensor([1.0, 2.0]), lucid.tensor([1.0, 0.0])
    ys, dys = jvp(lambda x: {"y": x**2, "z": x.sum()}, (x,), (t,))
    close(ys["y"], [1.0, 4.0])
    close(dys["y"], [2.0, 0.0])
    close(dys["z"], 1.0)
    _, dy, aux = jvp(lambda x: (x * 2, "aux"), (x,), (t,), has_aux=True)
    assert aux == "aux"
    close(dy, 2 * t)
    _, dy = jvp(lambda a, b: a * b, (x, x), (t, None))
    close(dy, t * x)
    _, dy = jvp(lambda x: lucid.ones(3), (x,), (t,))
    close(dy, np.zeros(3))
    with pytest.raises(RuntimeError, match="does not depend"):
        jvp(lambda x: lucid.ones(3), (x,), (t,), strict=True)
    p, dp = jvp(lambda p: p["a"] * 2, ({"a": x},), ({"a": t},))
    close(dp, 2 * t)


def test_linearize_does_not_run_again() -> None:
    runs: list[int] = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        runs.append(1)
        return x.exp()

    _, fn = linearize(f, lucid.zeros(2))
    fn(lucid.ones(2))
    fn(lucid.zeros(2))
    close(vmap(fn)(lucid.eye(2)), np.eye(2))
    assert len(runs) == 1


def test_detached_values_are_constant() -> None:
    x = lucid.tensor([1.0, 2.0])
    close(grad(lambda x: (x.detach() * x).sum())(x), x)
    close(vmap(grad(lambda x: x.detach() * x))(x), x)


def test_losses_of_a_small_net() -> None:
    rng = np.random.default_rng(0)
    w = lucid.tensor(rng.standard_normal((4, 3)).astype(np.float32))
    X = lucid.tensor(rng.standard_normal((8, 3)).astype(np.float32))
    labels = lucid.tensor(rng.integers(0, 4, 8))

    def loss(w: lucid.Tensor, x: lucid.Tensor, label: lucid.Tensor) -> lucid.Tensor:
        return F.cross_entropy(F.linear(x, w), label)

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))(w, X, labels)
    assert per_sample.shape == (8, 4, 3)
    close(per_sample.mean(0), grad(loss)(w, X, labels), rtol=1e-5)
    for b in range(8):
        close(per_sample[b], grad(loss)(w, X[b], labels[b]), rtol=1e-5)
