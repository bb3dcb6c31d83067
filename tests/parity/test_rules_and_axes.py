"""Custom rules, checkpoints, stop_gradient and collectives, beside JAX."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import jax
import pytest
from oracle import JAX, LUCID, Library, agree, random

import lucid
from lucid import func

Function = Callable[..., Any]
FAMILY = "rules and axes"

CUSTOM_JVP = {"lucid": func.custom_jvp, "jax": jax.custom_jvp}
CUSTOM_VJP = {"lucid": func.custom_vjp, "jax": jax.custom_vjp}
CHECKPOINT = {"lucid": func.checkpoint, "jax": jax.checkpoint}
STOP_GRADIENT = {"lucid": lucid.stop_gradient, "jax": jax.lax.stop_gradient}


def both(run: Callable[[Library], Any], tolerance: float = 1e-8) -> None:
    agree(run(LUCID), run(JAX), tolerance)


# -- functions of any rank, with rules that are wrong on purpose -----------------------------------


def by_jvp(lib: Library) -> Function:
    @CUSTOM_JVP[lib.name]
    def f(x: Any) -> Any:
        return lib.math.tanh(x) * (x * x).sum()

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (t,) = primals, tangents
        return f(x), 3 * lib.math.cos(x) * t + 2 * (t * x).sum()

    return f


def by_vjp(lib: Library) -> Function:
    @CUSTOM_VJP[lib.name]
    def f(x: Any) -> Any:
        return lib.math.tanh(x) * (x * x).sum()

    def fwd(x: Any) -> Any:
        return f(x), (x, {"s": lib.math.sin(x)})

    def bwd(residuals: Any, ct: Any) -> Any:
        x, rest = residuals
        return (3 * rest["s"] * ct + (x * ct).sum(),)

    f.defvjp(fwd, bwd)
    return f


def of_checkpoints(lib: Library) -> Function:
    block = CHECKPOINT[lib.name](lambda x: lib.math.sin(x) * lib.math.exp(0.1 * x).sum())
    return CHECKPOINT[lib.name](lambda x: block(block(x)) + lib.math.tanh(x))


def with_stops(lib: Library) -> Function:
    return lambda x: x * STOP_GRADIENT[lib.name](lib.math.sin(x)) + lib.math.cos(x).sum()


RULES = {
    "custom_jvp": by_jvp,
    "custom_vjp": by_vjp,
    "checkpoint": of_checkpoints,
    "stop_gradient": with_stops,
}
WRAP: dict[str, Callable[[Library, Function], Function]] = {
    "vmap": lambda lib, f: lib.vmap(f),
    "vmap -1": lambda lib, f: lib.vmap(f, -1, -1),
    "grad": lambda lib, f: lib.grad(lambda x: f(x).sum()),
    "jvp": lambda lib, f: lambda x: lib.jvp(f, (x,), (lib.math.cos(x),))[1],
    "vjp": lambda lib, f: lambda x: (lambda y, pull: pull(lib.math.sin(y))[0])(*lib.vjp(f, x)),
    "jacrev": lambda lib, f: lib.jacrev(f),
}
WORDS = [
    *((name,) for name in WRAP),
    *itertools.product(WRAP, repeat=2),
    *itertools.product(("vmap", "grad", "jvp"), repeat=3),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("word", WORDS, ids=" of ".join)
def test_word(word: tuple[str, ...], rule: str) -> None:
    if rule == "custom_vjp" and "jvp" in word:
        pytest.skip("JAX has no forward mode of custom_vjp")
    x = random(2, 3, 2, 2) if word.count("vmap") == 3 else random(2, 3, 2)

    def run(lib: Library) -> Any:
        f = RULES[rule](lib)
        for name in reversed(word):
            f = WRAP[name](lib, f)
        return f(lib.tensor(x))

    both(run)


# -- collectives ----------------------------------------------------------------------------------


def collectives(lib: Library) -> Any:
    return func if lib is LUCID else jax.lax


def named(lib: Library, f: Function, name: str, in_dims: Any = 0, out_dims: Any = 0) -> Function:
    vmap = func.vmap if lib is LUCID else jax.vmap
    return vmap(f, in_dims, out_dims, axis_name=name)


def index_gathered(lib: Library, x: Any) -> Any:
    rows = collectives(lib).all_gather(x, "b")
    return rows[collectives(lib).axis_index("b") // 2] * x


COLLECTIVES: dict[str, Callable[[Library, Any], Any]] = {
    "psum": lambda lib, x: collectives(lib).psum(lib.math.sin(x) * x, "b") * x,
    "pmean": lambda lib, x: x - collectives(lib).pmean(x * x, "b"),
    "all_gather": lambda lib, x: (collectives(lib).all_gather(x, "b") * x).sum(0),
    "psum of psum": lambda lib, x: collectives(lib).psum(x * collectives(lib).psum(x, "b"), "b"),
    "axis_index": index_gathered,
    "psum of a number": lambda lib, x: x / collectives(lib).psum(1.0, "b"),
}
AROUND: dict[str, Callable[[Library, Function], Function]] = {
    "value": lambda lib, f: f,
    "grad": lambda lib, f: lib.grad(lambda x: lib.math.sin(f(x)).sum()),
    "jvp": lambda lib, f: lambda x: lib.jvp(f, (x,), (lib.math.cos(x),))[1],
    "jacrev": lambda lib, f: lib.jacrev(f),
    "jacfwd": lambda lib, f: lib.jacfwd(f),
    "jvp of grad": lambda lib, f: AROUND["jvp"](lib, AROUND["grad"](lib, f)),
}


@pytest.mark.parametrize("name", COLLECTIVES)
@pytest.mark.parametrize("outside", AROUND)
@pytest.mark.parametrize("inside", ["value", "jvp"])
def test_collectives(inside: str, outside: str, name: str) -> None:
    x = random(4, 3)

    def run(lib: Library) -> Any:
        f = AROUND[inside](lib, lambda v: COLLECTIVES[name](lib, v))
        return AROUND[outside](lib, named(lib, f, "b"))(lib.tensor(x))

    both(run)


@pytest.mark.parametrize("name", COLLECTIVES)
@pytest.mark.parametrize("outside", ["value", "grad", "jvp"])
def test_gradients_inside(outside: str, name: str) -> None:
    x = random(4, 3)

    def run(lib: Library) -> Any:
        f = AROUND["grad"](lib, lambda v: COLLECTIVES[name](lib, v))
        return AROUND[outside](lib, named(lib, f, "b"))(lib.tensor(x))

    both(run)


@pytest.mark.parametrize("name", ["pmax", "pmin"])
def test_extremes(name: str) -> None:
    x = random(4, 3)
    both(
        lambda lib: named(lib, lambda v: v - getattr(collectives(lib), name)(v, "b"), "b")(
            lib.tensor(x)
        )
    )


@pytest.mark.parametrize("axes", ["a", "b", ("a", "b")])
@pytest.mark.parametrize("outside", AROUND)
def test_two_axes(outside: str, axes: Any) -> None:
    x = random(2, 3, 2)

    def run(lib: Library) -> Any:
        f = lambda v: collectives(lib).psum(lib.math.sin(v), axes) * v  # noqa: E731
        return AROUND[outside](lib, named(lib, named(lib, f, "b"), "a"))(lib.tensor(x))

    both(run)


# -- batching rules ------------------------------------------------------------------------------


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0), (1, 0)])
def test_custom_vmap(in_dims: Any) -> None:
    x, w = random(3, 3), random(3, 3, seed=1)

    def run(lib: Library) -> Any:
        make = func.custom_vmap if lib is LUCID else jax.custom_batching.custom_vmap

        @make
        def f(v: Any, u: Any) -> Any:
            return v * u.sum()

        @f.def_vmap
        def rule(size: int, in_batched: Any, v: Any, u: Any) -> Any:
            vb, ub = in_batched
            total = u.sum(-1)[:, None] if ub else u.sum()
            return 5 * v * total, vb or ub

        mapped = lib.vmap(f, in_dims)(lib.tensor(x), lib.tensor(w))
        return mapped, lib.jvp(
            lambda v: lib.vmap(f, in_dims)(v, lib.tensor(w)), (lib.tensor(x),), (lib.tensor(w),)
        )[1]

    both(run)
