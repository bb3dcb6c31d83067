"""lucid and JAX side by side: the same inputs, the same transforms, results that must agree.

JAX runs in 64 bits on the CPU. A case is a pair of functions, one per library, and inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lucid
from lucid import func

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

Array = np.ndarray
Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    name: str
    lucid: Function
    jax: Function
    inputs: tuple[Array, ...]
    differentiable: bool = True
    family: str = ""

    def __str__(self) -> str:
        return self.name


def family(name: str, cases: Sequence[Case]) -> list[Case]:
    """The cases, as members of a family of the report."""
    return [replace(case, family=name) for case in cases]


@dataclass(frozen=True)
class Library:
    """What the transforms of a library are called, and how numbers get in."""

    name: str
    tensor: Callable[[Array], Any]
    vmap: Function
    grad: Function
    jacrev: Function
    jacfwd: Function
    hessian: Function
    jvp: Function
    vjp: Function
    math: Any  # the module with sin, tanh, sum, ...

    def pull(self, f: Function, cotangent: Array) -> Function:
        """Cotangents of the arguments of f, from one of its result."""
        return lambda *x: self.vjp(f, *x)[1](self.tensor(cotangent))

    def push(self, f: Function, tangents: Sequence[Array]) -> Function:
        return lambda *x: self.jvp(f, x, tuple(map(self.tensor, tangents)))[1]


LUCID = Library(
    "lucid",
    lucid.tensor,
    func.vmap,
    func.grad,
    func.jacrev,
    func.jacfwd,
    func.hessian,
    func.jvp,
    func.vjp,
    lucid,
)
JAX = Library(
    "jax",
    jnp.asarray,
    lambda f, in_dims=0, out_dims=0: jax.vmap(f, in_dims, out_dims),
    jax.grad,
    jax.jacrev,
    jax.jacfwd,
    jax.hessian,
    jax.jvp,
    jax.vjp,
    jnp,
)


def random(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> Array:
    return np.random.default_rng(seed + 97 * len(shape)).uniform(low, high, shape)


def integers(*shape: int, low: int = -5, high: int = 6, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(low, high, shape)


def agree(a: Any, b: Any, tolerance: float = 1e-9) -> None:
    """Same structure, shapes, dtypes and, nearly, elements. `a` comes from lucid."""
    if isinstance(a, tuple | list) or isinstance(b, tuple | list):
        assert isinstance(a, tuple | list)
        assert isinstance(b, tuple | list)
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            agree(x, y, tolerance)
        return
    x, y = np.asarray(a), np.asarray(b)
    assert x.shape == y.shape, f"lucid {x.shape}, JAX {y.shape}"
    assert x.dtype == y.dtype, f"lucid {x.dtype}, JAX {y.dtype}"
    if np.issubdtype(y.dtype, np.floating):
        scale = np.max(np.abs(y), initial=0.0, where=np.isfinite(y))
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1.0, scale))
    else:
        np.testing.assert_array_equal(x, y)


def both(case: Case, run: Callable[[Library, Function], Any], tolerance: float = 1e-9) -> None:
    agree(run(LUCID, case.lucid), run(JAX, case.jax), tolerance)
