"""Collectives over a named axis of a vmap."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from oracle import JAX, LUCID, Library, agree, random

from lucid import func

FAMILY = "named axes"

# name: the function of one example of shape (3), with the collectives of `c`
CASES = {
    "psum": lambda c, m: lambda x: x * c.psum(x, "i"),
    "pmean": lambda c, m: lambda x: x - c.pmean(x, "i"),
    "pmax": lambda c, m: lambda x: m.exp(x - c.pmax(x, "i")),
    "pmin": lambda c, m: lambda x: x - c.pmin(x, "i"),
    "softmax over the axis": lambda c, m: lambda x: m.exp(x) / c.psum(m.exp(x), "i"),
    "all_gather": lambda c, m: lambda x: c.all_gather(x, "i") * x,
    "axis_index": lambda c, m: lambda x: x * (c.axis_index("i") + 1),
    "normalised": lambda c, m: lambda x: (x - c.pmean(x, "i"))
    / m.sqrt(c.pmean(m.square(x - c.pmean(x, "i")), "i") + 1e-3),
}
COLLECTIVES = {"lucid": func, "jax": jax.lax}


def named(lib: Library, f: Any, axis: str = "i", dim: int = 0) -> Any:
    if lib.name == "jax":
        return jax.vmap(f, dim, dim, axis_name=axis)
    return func.vmap(f, dim, dim, axis_name=axis)


def function(lib: Library, name: str) -> Any:
    return CASES[name](COLLECTIVES[lib.name], lib.math)


# The result of all_gather has the axis of the batch as well.
DIMS = [(name, dim) for name in CASES for dim in (0, 1, -1) if name != "all_gather" or dim == 0]
# JAX has no derivatives of the others.
SMOOTH = [name for name in CASES if name not in ("pmax", "pmin")]


@pytest.mark.parametrize(("name", "dim"), DIMS)
def test_value(name: str, dim: int) -> None:
    x = random(3, 3)
    agree(*[named(lib, function(lib, name), dim=dim)(lib.tensor(x)) for lib in (LUCID, JAX)])


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient(name: str) -> None:
    x = random(4, 3)

    def run(lib: Library) -> Any:
        scalar = lambda v: lib.math.sin(named(lib, function(lib, name))(v)).sum()  # noqa: E731
        return lib.grad(scalar)(lib.tensor(x))

    agree(run(LUCID), run(JAX))


@pytest.mark.parametrize("name", SMOOTH)
def test_jacfwd(name: str) -> None:
    x = random(4, 3)
    agree(*[lib.jacfwd(named(lib, function(lib, name)))(lib.tensor(x)) for lib in (LUCID, JAX)])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("outside", [True, False])
def test_nested(name: str, outside: bool) -> None:
    """The named axis around another vmap, or inside of one."""
    x = random(2, 4, 3)

    def run(lib: Library) -> Any:
        f = function(lib, name)
        f = named(lib, lib.vmap(f)) if outside else lib.vmap(named(lib, f))
        return f(lib.tensor(x))

    agree(run(LUCID), run(JAX))


def test_two_axes() -> None:
    x = random(3, 4)

    def run(lib: Library) -> Any:
        c = COLLECTIVES[lib.name]
        f = lambda v: v * c.psum(v, "i") - c.pmean(v, "j") + c.axis_index("i")  # noqa: E731
        return named(lib, named(lib, f, "j"), "i")(lib.tensor(x))

    agree(run(LUCID), run(JAX))
