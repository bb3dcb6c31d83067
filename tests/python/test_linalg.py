"""Products and linear algebra against NumPy, batches included."""

from typing import Any

import numpy as np
import pytest
from support import Array, close

import lucid
from lucid.func import grad, vmap

rng = np.random.default_rng(0)


def matrix(*shape: int) -> Array:
    return rng.standard_normal(shape)


SHAPES: list[Any] = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((4, 1, 2, 3), (5, 3, 2)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
]


@pytest.mark.parametrize(("a", "b"), SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matmul(a: Any, b: Any, dtype: Any) -> None:
    x, y = matrix(*a).astype(dtype), matrix(*b).astype(dtype)
    expected = x @ y
    close(lucid.tensor(x) @ lucid.tensor(y), expected)
    close(lucid.matmul(x, y), expected)
    close(x @ lucid.tensor(y), expected)
    close(lucid.linalg.matmul(x, y), expected)


def test_products() -> None:
    a, b, v, w = matrix(2, 3), matrix(3, 4), matrix(3), matrix(4)
    close(lucid.mm(a, b), a @ b)
    close(lucid.mv(a, v), a @ v)
    close(lucid.dot(v, v), v @ v)
    close(lucid.outer(v, w), np.outer(v, w))
    close(lucid.inner(a, b.T), np.inner(a, b.T))
    close(lucid.bmm(a[None], b[None]), (a @ b)[None])
    close(lucid.addmm(w, a, b, beta=2, alpha=0.5), 2 * w + 0.5 * (a @ b))
    close(lucid.linalg.vecdot(a, a), (a * a).sum(-1))
    close(lucid.cross(matrix(2, 3) * 0 + a, a + 1), np.cross(a, a + 1))
    close(lucid.trace(a), np.trace(a))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("ij->ji", [(2, 3)]),
        ("i,j,k->kji", [(2,), (3,), (4,)]),
        ("...ij,...j->...i", [(5, 2, 3), (5, 3)]),
        ("ij->", [(2, 3)]),
        ("bi,bj,ijk->bk", [(5, 2), (5, 3), (2, 3, 4)]),
    ],
)
def test_einsum(equation: str, shapes: Any) -> None:
    operands = [matrix(*s) for s in shapes]
    close(lucid.einsum(equation, *operands), np.einsum(equation, *operands))
    close(lucid.einsum(equation, operands), np.einsum(equation, *operands))


def test_tensordot() -> None:
    a, b = matrix(2, 3, 4), matrix(3, 4, 5)
    close(lucid.tensordot(a, b), np.tensordot(a, b))
    close(lucid.tensordot(a, b, 0), np.tensordot(a, b, 0))
    close(lucid.tensordot(a, b, ([1, 2], [0, 1])), np.tensordot(a, b, ([1, 2], [0, 1])))
    close(lucid.tensordot(a, a, dims=([0, 2], [0, 2])), np.tensordot(a, a, ([0, 2], [0, 2])))


@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_factorisations(batch: tuple[int, ...]) -> None:
    a = matrix(*batch, 4, 4) + 4 * np.eye(4)
    spd = a @ np.swapaxes(a, -1, -2)
    b = matrix(*batch, 4, 2)
    close(lucid.linalg.cholesky(spd), np.linalg.cholesky(spd), rtol=1e-9)
    close(lucid.linalg.solve(a, b), np.linalg.solve(a, b), rtol=1e-9)
    close(lucid.linalg.inv(a), np.linalg.inv(a), rtol=1e-9)
    close(lucid.inverse(a), np.linalg.inv(a), rtol=1e-9)
    close(lucid.linalg.det(a), np.linalg.det(a), rtol=1e-9)
    sign, log = lucid.linalg.slogdet(-a)
    expected = np.linalg.slogdet(-a)
    close(sign, expected[0])
    close(log, expected[1], rtol=1e-9)
    close(lucid.slogdet(a).logabsdet, np.linalg.slogdet(a)[1], rtol=1e-9)


def test_solves_with_vectors_and_triangles() -> None:
    a, v, b = matrix(3, 3) + 3 * np.eye(3), matrix(3), matrix(3, 2)
    close(lucid.linalg.solve(a, v), np.linalg.solve(a, v))
    lower, upper = np.tril(a), np.triu(a)
    solve = lucid.linalg.solve_triangular
    close(solve(lower, b, upper=False), np.linalg.solve(lower, b))
    close(solve(upper, b, upper=True), np.linalg.solve(upper, b))
    close(solve(upper, b.T, upper=True, left=False), np.linalg.solve(upper.T, b).T)
    unit = np.tril(a, -1) + np.eye(3)
    close(solve(a, b, upper=False, unitriangular=True), np.linalg.solve(unit, b))


def test_under_transforms() -> None:
    A = lucid.tensor(matrix(6, 3, 3) + 3 * np.eye(3))
    b = lucid.tensor(matrix(6, 3))
    solved = vmap(lucid.linalg.solve)(A, b)
    close(solved, np.linalg.solve(A.numpy(), b.numpy()[..., None])[..., 0], rtol=1e-9)
    g = vmap(grad(lambda a: lucid.linalg.slogdet(a).logabsdet))(A)
    close(g, np.swapaxes(np.linalg.inv(A.numpy()), -1, -2), rtol=1e-9)


def test_singular_matrices() -> None:
    x = lucid.linalg.inv(lucid.zeros(2, 2))
    assert not np.isfinite(x.numpy()).any()
    assert np.isnan(lucid.linalg.cholesky(-lucid.eye(2)).numpy()).any()
