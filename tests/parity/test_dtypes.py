"""Promotion, where the conventions of torch, which lucid keeps, and of JAX agree."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from oracle import JAX, LUCID, agree

import lucid

FAMILY = "dtypes"
DTYPES = ("bool", "int32", "int64", "float32", "float64")
PAIRS = list(itertools.product(DTYPES, DTYPES))
ARITHMETIC = "add:add mul:multiply maximum:maximum".split()
COMPARISON = "eq:equal lt:less ge:greater_equal".split()


def values(dtype: str, shape: tuple[int, ...] = (3,)) -> np.ndarray:
    return (np.arange(1, 1 + np.prod(shape)).reshape(shape) % 4).astype(dtype)


def pair(text: str):
    ours, theirs = text.split(":")
    return getattr(lucid, ours), getattr(jnp, theirs)


@pytest.mark.parametrize("name", ARITHMETIC + COMPARISON)
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_two_tensors(name: str, a: str, b: str) -> None:
    f, g = pair(name)
    x, y = values(a), values(b)[::-1].copy()
    agree(f(LUCID.tensor(x), LUCID.tensor(y)), g(JAX.tensor(x), JAX.tensor(y)))


# A float number makes an integer tensor float32 here, and the default float of 64-bit JAX there.
NUMBERS = [
    (name, dtype, number)
    for name in ARITHMETIC + COMPARISON
    for dtype in DTYPES
    for number in (True, 2, 1.5)
    if name in COMPARISON or "float" in dtype or not isinstance(number, float)
]


@pytest.mark.parametrize(("name", "dtype", "number"), NUMBERS)
def test_a_tensor_and_a_number(name: str, dtype: str, number: float) -> None:
    f, g = pair(name)
    x = values(dtype)
    agree(f(LUCID.tensor(x), number), g(JAX.tensor(x), number))


@pytest.mark.parametrize("name", ["sum:sum", "prod:prod", "amax:max", "amin:min"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_reductions(name: str, dtype: str) -> None:
    f, g = pair(name)
    x = values(dtype, (2, 3))
    agree(f(LUCID.tensor(x), dim=1), g(JAX.tensor(x), axis=1))


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_casts(a: str, b: str) -> None:
    x = values(a)
    agree(LUCID.tensor(x).to(getattr(lucid, b)), JAX.tensor(x).astype(b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["sin:sin", "exp:exp", "sqrt:sqrt", "tanh:tanh"])
def test_functions_keep_floats(name: str, dtype: str) -> None:
    f, g = pair(name)
    x = values(dtype)
    agree(f(LUCID.tensor(x)), g(JAX.tensor(x)), tolerance=1e-6 if dtype == "float32" else 1e-12)
