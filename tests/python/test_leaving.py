"""Values that leave as numbers or arrays: where a derivative would be lost, an error says so."""

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import close

import lucid
import lucid.nn.functional as F
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

X = lucid.tensor([0.5, 1.5])

NUMPY: dict[str, Callable[[Any], Any]] = {
    "lucid.sin": lambda x: np.sin(x).sum(),
    "lucid.exp": lambda x: np.exp(x).sum(),
    "lucid.add": lambda x: np.add(x, x).sum(),
    "lucid.mul": lambda x: np.multiply(x, 2.0).sum(),
    "lucid.abs": lambda x: np.absolute(x).sum(),
    "lucid.maximum": lambda x: np.maximum(x, 0.0).sum(),
    "lucid.sum": lambda x: np.sum(x),
    "lucid.stack": lambda x: np.stack([x, x]).sum(),
    "lucid.cat": lambda x: np.concatenate([x, x]).sum(),
    "lucid.linalg.norm": lambda x: np.linalg.norm(x),
    "lucid.where": lambda x: np.where(x > 0, x, 0.0).sum(),
    "add.reduce": lambda x: np.add.reduce(x),
}

WAYS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda x: x.numpy().sum(),
    "asarray": lambda x: np.asarray(x).sum(),
    "array": lambda x: np.array(x).sum(),
    "array of a list": lambda x: np.array([x[0], x[1]]).sum(),
    "memoryview": lambda x: memoryview(x)[0],
    "from_dlpack": lambda x: np.from_dlpack(x).sum(),
    "tolist": lambda x: x.tolist()[0],
    "item": lambda x: x[0].item(),
    "float": lambda x: float(x[0]),
    "complex": lambda x: complex(x[0]).real,
    "math.sin": lambda x: math.sin(x[0]),
    "numbers by iteration": lambda x: sum(float(e) for e in x),
    "a parameter that is a number": lambda x: lucid.allclose(x, x, rtol=x[0]) * 1.0,
    "pickle": lambda x: pickle.loads(pickle.dumps(x)).sum(),
    "in place of an array": lambda x: np.zeros(2).__setitem__(slice(None), x) or 0.0,
}

TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "grad": lambda f: grad(f)(X),
    "vmap of grad": lambda f: vmap(grad(f))(X[None]),
    "grad of vmap": lambda f: grad(lambda x: vmap(f)(x[None]).sum())(X),
    "grad of grad": lambda f: grad(lambda x: grad(f)(x).sum())(X),
    "hessian": lambda f: hessian(f)(X),
    "jvp": lambda f: jvp(f, (X,), (X,)),
    "vjp": lambda f: vjp(f, X),
    "jacrev": lambda f: jacrev(f)(X),
    "jacfwd": lambda f: jacfwd(f)(X),
    "linearize": lambda f: linearize(f, X),
}


@pytest.mark.parametrize("name", NUMPY)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_numpy_functions_name_those_of_lucid(name: str, transform: str) -> None:
    with pytest.raises(RuntimeError, match=f"{name}.*detach"):
        TRANSFORMS[transform](lambda x: lucid.as_tensor(NUMPY[name](x)) * x.sum())


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_no_way_out_loses_a_derivative(name: str, transform: str) -> None:
    with pytest.raises((RuntimeError, BufferError), match="detach"):
        TRANSFORMS[transform](lambda x: WAYS[name](x) * x.sum())


@pytest.mark.parametrize("name", WAYS)
def test_what_was_detached_leaves(name: str) -> None:
    close(grad(lambda x: float(WAYS[name](x.detach())) * x.sum())(X), [float(WAYS[name](X))] * 2)


def test_answers_without_a_derivative_leave() -> None:
    """Comparisons, whole parts and positions steer the control flow under any derivative."""

    def f(x: Any) -> Any:
        if x[0] > 0 and bool(x[0]) and (x > 0).tolist() == [True, True]:
            x = x * int(x[1] * 2) * x.argmax().item()
        while x.sum() > 1:
            x = x / 2
        assert x[0].round().item() == 0
        assert x.shape == (2,)
        assert f"{x[0]:.1f}" == "0.2"
        assert repr(x)
        return x.sum()

    close(grad(f)(X), [0.375] * 2)
    close(vmap(grad(f))(X[None]), [[0.375] * 2])
    assert 0.5 in X


def test_operators_between_arrays_and_tensors_are_those_of_tensors() -> None:
    a = np.array([2.0, 3.0], np.float32)
    close(grad(lambda x: (a * x + a @ x - np.float32(2) / x + (a > x)).sum())(X),
          3 * a + 2 / X.numpy() ** 2)  # fmt: skip


def test_numpy_under_vmap_gives_each_example_its_own() -> None:
    x = lucid.tensor([[0.5, 1.0], [2.0, 3.0]])
    close(vmap(lambda r: lucid.as_tensor(np.sin(r)) + r)(x), np.sin(x) + x.numpy())
    close(vmap(lambda r: lucid.tensor(r.numpy().sum()))(x), x.sum(1))
    with pytest.raises(RuntimeError, match="vectorized"):
        vmap(lambda r: lucid.as_tensor(np.sin(r)), strategy="vectorized")(x)


def test_tensors_that_require_grad_leave_when_asked_by_name() -> None:
    w = lucid.tensor([1.0, 2.0], requires_grad=True)
    loss = (w * w).sum()
    for f in (np.sin, np.sum, np.asarray, np.array, np.from_dlpack, memoryview):
        with pytest.raises((RuntimeError, BufferError), match="requires grad.*detach"):
            f(loss)  # type: ignore[operator]
    assert loss.item() == float(loss) == loss.numpy() == 5.0
    assert w.tolist() == [1.0, 2.0]
    assert pickle.loads(pickle.dumps(w)).requires_grad
    close(w.detach(), np.asarray(w.detach()))


def test_numpy_functions_take_tensors_and_give_arrays() -> None:
    t = lucid.tensor([[1.0, 4.0], [9.0, 16.0]])
    assert isinstance(np.sqrt(t), np.ndarray)
    np.testing.assert_array_equal(np.sqrt(t), [[1, 2], [3, 4]])
    np.testing.assert_array_equal(np.sum(t, axis=0), [10, 20])
    np.testing.assert_array_equal(np.add.reduce(t), [10, 20])
    np.testing.assert_array_equal(np.concatenate([t, np.zeros((1, 2))])[2], [0, 0])
    np.testing.assert_allclose(np.linalg.norm(t), np.linalg.norm(t.numpy()))
    assert np.linalg.solve(a=t, b=t).shape == (2, 2)
    out = np.zeros((2, 2))
    assert np.add(t, 1, out=out) is out
    out += t
    np.testing.assert_array_equal(out, 2 * t.numpy() + 1)
    with pytest.raises(TypeError, match="read-only"):
        np.add(out, 1, out=t)


V, M = lucid.tensor([-1.5, 0.5, 2.0]), lucid.tensor([[1.0, 2.0], [3.0, 5.0]])

NUMBERS: dict[str, Callable[[Any], Any]] = {
    "leaky_relu.*negative_slope": lambda a: F.leaky_relu(V, a),
    "elu.*alpha": lambda a: F.elu(V, a),
    "layer_norm.*eps": lambda a: F.layer_norm(V, (3,), eps=a),
    "normalize.*'p'": lambda a: F.normalize(M, a),
    "normalize.*eps": lambda a: F.normalize(M, eps=a),
    "cosine_similarity.*eps": lambda a: lucid.cosine_similarity(M, M + 1, eps=a),
    "dropout.*'p'": lambda a: F.dropout(V, a),
    "arange.*start": lambda a: lucid.arange(a, 2.0),
    "arange.*end": lambda a: lucid.arange(0.0, a + 2),
    "arange.*step": lambda a: lucid.arange(0.0, 2.0, a),
    "linspace.*start": lambda a: lucid.linspace(a, 2.0, 5),
    "linspace.*end": lambda a: lucid.linspace(0.0, a, 5),
    "isclose.*rtol": lambda a: lucid.isclose(V, V, rtol=a),
    "isclose.*atol": lambda a: lucid.isclose(V, V, atol=a),
    "std.*correction": lambda a: lucid.std(V, correction=a),
    "var.*correction": lambda a: lucid.var(V, correction=a),
    "norm.*'p'": lambda a: lucid.norm(V, a),
    "vector_norm.*ord": lambda a: lucid.linalg.vector_norm(V, a),
    "matrix_norm.*ord": lambda a: lucid.linalg.matrix_norm(M, a),
    "cond.*'p'": lambda a: lucid.linalg.cond(M, a),
    "pinv.*rtol": lambda a: lucid.linalg.pinv(M, rtol=a),
    "matrix_rank.*rtol": lambda a: lucid.linalg.matrix_rank(M, rtol=a),
    "uniform.*low": lambda a: lucid.ones(3).uniform_(a, 2.0),
    "normal.*std": lambda a: lucid.ones(3).normal_(0.0, a),
    "exponential.*lambd": lambda a: lucid.ones(3).exponential_(a),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_parameters_that_are_numbers_refuse_what_is_differentiated(
    name: str, transform: str
) -> None:
    with pytest.raises(RuntimeError, match=f"{name}.*is being differentiated.*detach"):
        TRANSFORMS[transform](lambda x: NUMBERS[name](x[0]).sum() * x.sum())


@pytest.mark.parametrize("name", NUMBERS)
def test_parameters_that_are_numbers_refuse_what_requires_grad(name: str) -> None:
    leaf = lucid.tensor(0.5, requires_grad=True)
    for a in (leaf, leaf * 1.0):
        with pytest.raises(RuntimeError, match=f"{name}.*requires grad.*detach"):
            NUMBERS[name](a)


def test_parameters_that_are_numbers_take_tensors_without_a_derivative() -> None:
    a = lucid.tensor(0.5, requires_grad=True)
    close(F.elu(V, a.detach()), F.elu(V, 0.5))
    close(F.elu(V, lucid.tensor(0.5)), F.elu(V, 0.5))
    with lucid.no_grad():
        close(F.elu(V, a), F.elu(V, 0.5))
    close(vmap(lambda b: F.elu(V, b))(lucid.tensor([0.5, 1.0]))[1], F.elu(V, 1.0))


@pytest.mark.parametrize("dtype", [lucid.float32, lucid.float64])
def test_parameters_with_a_derivative_have_it(dtype: lucid.dtype) -> None:
    a, x = lucid.tensor(0.5, dtype=dtype), V.to(dtype)
    odd = lucid.tensor([lucid.nan, lucid.inf, -lucid.inf, 1.0])
    close(jacfwd(lambda a: lucid.nan_to_num(odd, a, 2 * a, 3 * a))(a), [1.0, 2.0, 3.0, 0.0])
    assert lucid.nan_to_num(odd, a).dtype == lucid.float32
    soft = lambda a: F.softplus(x, a).sum()  # noqa: E731
    step = 1e-3
    by_differences = (soft(a.double() + step) - soft(a.double() - step)) / (2 * step)
    close(grad(soft)(a), by_differences, 1e-2)
    assert F.softplus(x, a).dtype == dtype
