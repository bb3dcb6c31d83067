"""What several tests use."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import lucid

Array = npt.NDArray[Any]

# float32 results of the library against float64 references, element by element.
RTOL = {lucid.float32: 2e-5, lucid.float64: 1e-10}


def array(x: Any) -> Array:
    return np.asarray(x.numpy() if isinstance(x, lucid.Tensor) else x)


def close(actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None) -> None:
    """The same shape and nearly the same elements."""
    a, b = array(actual), array(expected)
    assert a.shape == b.shape, f"shape {a.shape}, expected {b.shape}"
    if rtol is None:
        rtol = RTOL.get(actual.dtype, 0) if isinstance(actual, lucid.Tensor) else 2e-5
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol if atol is None else atol)


def same(actual: lucid.Tensor, expected: Array) -> None:
    """The same shape, dtype and elements."""
    a = array(actual)
    assert a.shape == expected.shape, f"shape {a.shape}, expected {expected.shape}"
    assert a.dtype == expected.dtype, f"dtype {a.dtype}, expected {expected.dtype}"
    np.testing.assert_array_equal(a, expected)


def loop(
    f: Callable[..., Any], args: Sequence[Any], in_dims: Sequence[int | None], out_dim: int = 0
) -> lucid.Tensor:
    """What vmap promises: f on every example, one after the other."""
    size = next(a.shape[d] for a, d in zip(args, in_dims, strict=True) if d is not None)
    results = []
    for b in range(size):
        examples = [
            a if d is None else a.select(d % a.ndim, b) for a, d in zip(args, in_dims, strict=True)
        ]
        results.append(f(*examples))
    return lucid.stack(results, out_dim)


def numbers(*shape: int, seed: int = 0) -> Array:
    """float32 numbers in [0.2, 1.8]: inside the domain of every elementwise operation but a few."""
    return np.random.default_rng(seed).uniform(0.2, 1.8, shape).astype(np.float32)
