"""Every operation: its value, its derivatives, and both under vmap over every axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cases import CASES
from oracle import JAX, Case, Library, both

BATCH = 3


def in_dims(case: Case) -> Iterator[tuple[int | None, ...]]:
    """Each input alone at each axis, and all together at the first, the last, and a mix."""
    n = len(case.inputs)
    ndims = [x.ndim for x in case.inputs]
    for i, ndim in enumerate(ndims):
        for axis in range(ndim + 1):
            yield tuple(axis if k == i else None for k in range(n))
    if n > 1:
        yield (0,) * n
        yield (-1,) * n
        yield tuple(ndim if k % 2 else 0 for k, ndim in enumerate(ndims))


def batched(case: Case, dims: tuple[int | None, ...]) -> list[np.ndarray]:
    """Inputs with a batch: the case's own, a little different in each lane."""
    inputs = []
    for x, dim in zip(case.inputs, dims, strict=True):
        floats = np.issubdtype(x.dtype, np.floating)
        lanes = [x * (1 + 0.1 * b) if floats else np.roll(x, b) for b in range(BATCH)]
        inputs.append(x if dim is None else np.stack(lanes, dim if dim >= 0 else x.ndim))
    return inputs


UNDER_VMAP = [
    pytest.param(case, dims, id=f"{case}-{dims}") for case in CASES for dims in in_dims(case)
]
SMOOTH = [case for case in CASES if case.differentiable]


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(11).uniform(0.5, 1.5, shape)


def floats(case: Case) -> list[int]:
    return [i for i, x in enumerate(case.inputs) if np.issubdtype(x.dtype, np.floating)]


def gradients(case: Case, lib: Library, f):
    """The derivative of a weighted sum of the result by every float input."""
    shape = np.asarray(case.jax(*map(JAX.tensor, case.inputs))).shape
    w = weights(shape)
    scalar = lambda *x: (f(*x) * lib.tensor(w)).sum()  # noqa: E731
    return lib.grad(scalar, argnums=tuple(floats(case)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_value(case: Case) -> None:
    both(case, lambda lib, f: f(*map(lib.tensor, case.inputs)))


@pytest.mark.parametrize(("case", "dims"), UNDER_VMAP)
def test_vmap(case: Case, dims: tuple[int | None, ...]) -> None:
    inputs = batched(case, dims)
    both(case, lambda lib, f: lib.vmap(f, dims)(*map(lib.tensor, inputs)))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_grad(case: Case) -> None:
    both(case, lambda lib, f: gradients(case, lib, f)(*map(lib.tensor, case.inputs)))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_vmap_of_grad(case: Case) -> None:
    dims = (0,) * len(case.inputs)
    inputs = batched(case, dims)
    both(case, lambda lib, f: lib.vmap(gradients(case, lib, f), dims)(*map(lib.tensor, inputs)))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_jvp(case: Case) -> None:
    at = floats(case)
    tangents = [np.cos(case.inputs[i] + 0.3) for i in at]

    def run(lib: Library, f):
        x = list(map(lib.tensor, case.inputs))

        def of_floats(*y):
            full = list(x)
            for i, v in zip(at, y, strict=True):
                full[i] = v
            return f(*full)

        return lib.push(of_floats, tangents)(*[x[i] for i in at])

    both(case, run)
