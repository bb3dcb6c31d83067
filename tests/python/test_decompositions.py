"""QR, eigenvalues, singular values and what is made of them, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from support import close

import lucid
from lucid import linalg
from lucid.func import grad, hessian, jacfwd, jacrev, vmap

rng = np.random.default_rng(3)
SHAPES = [(3, 3), (4, 2), (2, 5), (1, 1), (8, 8), (20, 32), (40, 40), (50, 33)]
BATCHES: list[tuple[int, ...]] = [(), (7,), (2, 3)]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_qr_is_numpys(shape: tuple[int, int], batch: tuple[int, ...], dtype: type) -> None:
    a = rng.normal(size=(*batch, *shape)).astype(dtype)
    tolerance = 1e-3 if dtype is np.float32 else 1e-11
    q, r = linalg.qr(a)
    expected = np.linalg.qr(a)
    close(q, expected[0], rtol=tolerance, atol=tolerance)
    close(r, expected[1], rtol=tolerance, atol=tolerance)
    close(linalg.qr(a, mode="r").R, r.numpy())
    whole = linalg.qr(a, mode="complete")
    assert whole.Q.shape == (*batch, shape[0], shape[0])
    assert whole.R.shape == (*batch, shape[0], shape[1])
    close(whole.Q @ whole.R, a, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
def test_svd_is_numpys(shape: tuple[int, int], batch: tuple[int, ...]) -> None:
    a = rng.normal(size=(*batch, *shape))
    for full in (True, False):
        u, s, vh = linalg.svd(a, full_matrices=full)
        expected = np.linalg.svd(a, full_matrices=full)
        assert (u.shape, s.shape, vh.shape) == tuple(x.shape for x in expected)
        close(s, expected[1], rtol=1e-9)
        k = min(shape)
        close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a, rtol=1e-9, atol=1e-11)
        # columns are NumPy's up to the sign, which is that of u's largest element
        top = np.abs(u.numpy()).argmax(-2)
        assert (np.take_along_axis(u.numpy(), top[..., None, :], -2)[..., :k] > 0).all()
        signs = np.sign((u.numpy() * expected[0]).sum(-2))[..., :k]
        close(u[..., :k], expected[0][..., :k] * signs[..., None, :], rtol=1e-7, atol=1e-9)
        close(vh[..., :k, :], expected[2][..., :k, :] * signs[..., :, None], rtol=1e-7, atol=1e-9)
    close(linalg.svdvals(a), expected[1], rtol=1e-9)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("n", [1, 2, 3, 6, 17, 32, 33, 60])
def test_eigh_is_numpys(n: int, batch: tuple[int, ...]) -> None:
    a = rng.normal(size=(*batch, n, n))
    a = a + np.swapaxes(a, -1, -2)
    values, vectors = linalg.eigh(a)
    expected = np.linalg.eigh(a)
    close(values, expected[0], rtol=1e-9, atol=1e-11)
    signs = np.sign((vectors.numpy() * expected[1]).sum(-2))
    close(vectors, expected[1] * signs[..., None, :], rtol=1e-6, atol=1e-8)
    noise = np.triu(np.full((n, n), np.nan), 1)
    close(linalg.eigvalsh(a + noise), values.numpy(), rtol=1e-9, atol=1e-11)
    close(linalg.eigvalsh(a + noise.T, UPLO="U"), values.numpy(), rtol=1e-9, atol=1e-11)


def test_least_squares_are_numpys() -> None:
    a, b = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    got, expected = linalg.lstsq(a, b), np.linalg.lstsq(a, b, rcond=None)
    for x, y in zip(got, expected, strict=True):
        close(x, y, rtol=1e-9)
    vector = linalg.lstsq(a, b[:, 0])
    close(vector.solution, expected[0][:, 0], rtol=1e-9)
    close(vector.residuals, expected[1][0], rtol=1e-9)
    low = rng.normal(size=(4, 2)) @ rng.normal(size=(2, 5))
    close(linalg.lstsq(low, b[:4]).solution, np.linalg.lstsq(low, b[:4], rcond=None)[0], rtol=1e-7)
    assert linalg.matrix_rank(low).item() == 2
    assert linalg.matrix_rank(np.diag([1.0, 0.1, 0.01]), rtol=0.05).item() == 2
    close(linalg.pinv(low, rtol=1e-10), np.linalg.pinv(low, rcond=1e-10), rtol=1e-7, atol=1e-10)
    close(lucid.pinverse(a), np.linalg.pinv(a), rtol=1e-9)


@pytest.mark.parametrize("p", [None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms_and_condition_numbers(p: object) -> None:
    a = rng.normal(size=(3, 4, 4))
    close(linalg.cond(a, p), np.linalg.cond(a, p), rtol=1e-9)
    if p is None:
        return
    x = rng.normal(size=(3, 4, 5))
    close(linalg.matrix_norm(x, p), np.linalg.norm(x, p, axis=(-2, -1)), rtol=1e-9)
    for axis in ((0, 1), (2, 0), (1, 0), (-1, -3)):
        expected = np.linalg.norm(x, p, axis=axis, keepdims=True)
        close(linalg.norm(x, p, dim=axis, keepdim=True), expected, rtol=1e-9)
        close(linalg.norm(x, p, dim=axis), np.linalg.norm(x, p, axis=axis), rtol=1e-9)


def test_powers() -> None:
    a = rng.normal(size=(2, 3, 3))
    for n in (-3, -1, 0, 1, 2, 7):
        close(linalg.matrix_power(a, n), np.linalg.matrix_power(a, n), rtol=1e-7, atol=1e-10)
    values, vectors = np.linalg.eigh(a + np.swapaxes(a, -1, -2))
    expected = (vectors * np.exp(values)[:, None]) @ np.swapaxes(vectors, -1, -2)
    close(linalg.matrix_exp(a + np.swapaxes(a, -1, -2)), expected, rtol=1e-9, atol=1e-9)


def test_derivatives_under_vmap() -> None:
    a = lucid.tensor(rng.normal(size=(5, 3, 3)))
    sym = a @ a.mT + lucid.eye(3)
    # d log det = inverse, by way of eigenvalues
    g = vmap(grad(lambda x: linalg.eigvalsh(x).log().sum()))(sym)
    close(g, np.linalg.inv(sym.numpy()), rtol=1e-9, atol=1e-12)
    # d |x|_nuc = U V'
    u, _, vh = linalg.svd(a)
    close(vmap(grad(lambda x: linalg.norm(x, "nuc")))(a), (u @ vh).numpy(), rtol=1e-9, atol=1e-12)

    # of second order: the inverse by way of eigenvectors
    def by_vectors(x: lucid.Tensor) -> lucid.Tensor:
        values, vectors = linalg.eigh(x)
        return ((vectors / values) @ vectors.mT).sum()

    by_inverse = lambda x: linalg.inv((x + x.mT) / 2).sum()  # noqa: E731
    close(
        vmap(hessian(by_vectors))(sym), vmap(hessian(by_inverse))(sym).numpy(), rtol=1e-6, atol=1e-8
    )
    # a pseudo-inverse whose singular values are all equal
    close(jacrev(linalg.pinv)(lucid.eye(3)), jacrev(linalg.inv)(lucid.eye(3)).numpy(), atol=1e-6)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"eigh: the matrix has shape \(2, 3\)"):
        linalg.eigh(lucid.ones(2, 3))
    with pytest.raises(ValueError, match="mode"):
        linalg.qr(lucid.ones(2, 2), mode="full")
    with pytest.raises(ValueError, match="UPLO"):
        linalg.eigvalsh(lucid.ones(2, 2), UPLO="X")
    with pytest.raises(ValueError, match="tolerance"):
        linalg.pinv(lucid.ones(2, 2), rtol=-1.0)
    with pytest.raises(ValueError, match="ord"):
        linalg.norm(lucid.ones(2, 2), 3, dim=(0, 1))
    with pytest.raises(ValueError, match="appears twice"):
        linalg.norm(lucid.ones(2, 2), 2, dim=(0, 0))


def exponential_entry(a: lucid.Tensor) -> lucid.Tensor:
    w, v = linalg.eigh(a)
    return ((v * w.exp()) @ v.T)[0, 1]


@pytest.mark.parametrize("dtype", [lucid.float64, lucid.float32])
def test_derivatives_at_equal_eigenvalues_are_right_where_they_exist(dtype: lucid.dtype) -> None:
    def squares(x: lucid.Tensor) -> lucid.Tensor:
        two = lucid.full_like(x, 2)
        rows = [lucid.stack([two, x]), lucid.stack([x, two])]
        return (linalg.eigvalsh(lucid.stack(rows)) ** 2).sum()

    zero, one = lucid.tensor(0.0, dtype=dtype), lucid.eye(3, dtype=dtype)
    half = 1e-7 if dtype == lucid.float64 else 1e-3
    for second in (hessian, lambda f: grad(grad(f)), lambda f: jacfwd(jacfwd(f))):
        close(second(squares)(zero), 4.0, rtol=half)
    want = np.zeros((3, 3))
    want[0, 1] = want[1, 0] = np.e / 2
    close(grad(exponential_entry)(one), want, rtol=half, atol=half)
    close(jacfwd(exponential_entry)(one), want, rtol=half, atol=half)
    close(
        vmap(grad(exponential_entry))(lucid.stack([one, one])),
        np.stack([want, want]),
        rtol=half,
        atol=half,
    )


def test_what_does_not_exist_at_equal_eigenvalues_is_nan() -> None:
    one = lucid.eye(2, dtype=lucid.float64)
    for f in (
        lambda a: linalg.eigvalsh(a)[0],
        lambda a: linalg.eigh(a).eigenvalues[1],
        lambda a: linalg.eigh(a).eigenvectors[0, 0],
        lambda a: linalg.svd(a).U[0, 1],
        lambda a: linalg.svdvals(a)[0],
    ):
        assert np.isnan(grad(f)(one).numpy()).all()
