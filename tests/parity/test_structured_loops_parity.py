"""cond, switch, while_loop, fori_loop, scan and map beside those of jax.lax: under vmap over every
axis, and under all nestings of grad, jvp and vmap to a depth of three."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from oracle import LUCID, Case, Function, Library, both, random

import lucid

FAMILY = "control flow as operations"


# -- functions of a vector x and of weights w, written once ----------------------------------------
#
# `flow` has cond, switch, ... by one signature; `m` has sin, tanh, ...


class Lucid:
    cond, switch, scan = staticmethod(lucid.cond), staticmethod(lucid.switch), lucid.scan
    while_loop, fori_loop, map = lucid.while_loop, lucid.fori_loop, lucid.map


class Jax:
    cond, switch, scan = staticmethod(lax.cond), staticmethod(lax.switch), lax.scan
    while_loop, fori_loop = lax.while_loop, lax.fori_loop

    @staticmethod
    def map(f: Function, xs: Any) -> Any:
        return lax.map(f, xs)


Body = Callable[[Any, Any, Any, Any], Any]


def branch(flow: Any, m: Any, x: Any, w: Any) -> Any:
    return flow.cond((x * w).sum() > 0, lambda x: m.sin(x) * w, lambda x: x * x - w, x)


def branch_in_branch(flow: Any, m: Any, x: Any, w: Any) -> Any:
    inner = lambda x: flow.cond(x[0] > x[1], lambda x: x * w, m.cos, x)  # noqa: E731
    return flow.cond(x.sum() > 0.5, m.tanh, inner, x)


def table(flow: Any, m: Any, x: Any, w: Any) -> Any:
    k = m.floor(2 + 3 * m.sin(x.sum()))
    k = k.int() if m is lucid else k.astype(int)  # below 0 and above 2, too
    return flow.switch(k, [m.sin, lambda x: x * w, lambda x: 3 - x * x], x)


def until_small(flow: Any, m: Any, x: Any, w: Any) -> Any:
    return flow.while_loop(lambda v: (v * v).sum() > 0.3, lambda v: 0.7 * m.sin(v) + 0.01 * w, x)


def counted_to_value(flow: Any, m: Any, x: Any, w: Any) -> Any:
    n = m.floor(4 * m.sin(x.sum()) ** 2)
    n = n.int() if m is lucid else n.astype(int)
    return flow.fori_loop(0, n, lambda i, v: m.sin(v + 1) * w + i, x)


def counted(flow: Any, m: Any, x: Any, w: Any) -> Any:
    return flow.fori_loop(1, 5, lambda i, v: m.sin(v) * w + v / i, x)


def recurrence(flow: Any, m: Any, x: Any, w: Any) -> Any:
    def step(c: Any, t: Any) -> Any:
        c = m.tanh(c * w[0] + t)
        return c, c * t

    c, ys = flow.scan(step, 0 * x[0], x)
    return ys + c


def two_carries_back(flow: Any, m: Any, x: Any, w: Any) -> Any:
    def step(carry: Any, xs: Any) -> Any:
        (a, n), (t, u) = carry, xs
        return (a * u + m.sin(t), n + t), (a, m.cos(n))

    (a, n), (p, q) = flow.scan(step, (0 * x[0], 0 * x[0]), (x, w), reverse=True)
    return p * q + a + n


def mapped(flow: Any, m: Any, x: Any, w: Any) -> Any:
    return flow.map(lambda t: m.sin(t * w).sum() * t, x)


def scan_of_branches(flow: Any, m: Any, x: Any, w: Any) -> Any:
    def step(c: Any, t: Any) -> Any:
        c = flow.cond(c * t > 0, lambda c: c + m.cos(t), lambda c: c * w[1] - t, c)
        return c, m.sin(c)

    c, ys = flow.scan(step, x[2], x)
    return ys * c


def loop_of_loops(flow: Any, m: Any, x: Any, w: Any) -> Any:
    inner = lambda i, v: flow.fori_loop(0, 3, lambda j, v: m.sin(v) * w + 0.1 * v, v) + i  # noqa: E731
    return flow.fori_loop(0, 2, inner, x)


def map_of_scans(flow: Any, m: Any, x: Any, w: Any) -> Any:
    def of_one(t: Any) -> Any:
        return flow.scan(lambda c, u: (m.tanh(c + u * t), c), t, w)[0]

    return flow.map(of_one, x)


FUNCTIONS = [
    branch,
    branch_in_branch,
    table,
    until_small,
    counted_to_value,
    counted,
    recurrence,
    two_carries_back,
    mapped,
    scan_of_branches,
    loop_of_loops,
    map_of_scans,
]
# JAX has no reverse mode through these.
ONLY_FORWARD = {"until_small", "counted_to_value"}

X, W = random(3, seed=5), random(3, seed=6, low=0.3, high=0.9)
CASES = [
    Case(f.__name__.replace("_", " "), partial(f, Lucid, lucid), partial(f, Jax, jnp), (X, W))
    for f in FUNCTIONS
]


# -- nestings --------------------------------------------------------------------------------------


def with_grad(lib: Library, f: Function, reverse: bool) -> Function:
    def scalar(x: Any, w: Any) -> Any:
        y = f(x, w)
        return (y * y).sum() / 2

    return (lib.grad if reverse else lib.jacfwd)(scalar)


def with_jvp(lib: Library, f: Function, reverse: bool) -> Function:
    return lambda x, w: lib.jvp(lambda x: f(x, w), (x,), (lib.math.cos(x),))[1]


def with_vmap(lib: Library, f: Function, reverse: bool) -> Function:
    return lib.vmap(f, (0, None))


TRANSFORMS = {"grad": with_grad, "jvp": with_jvp, "vmap": with_vmap}
NESTINGS = [names for depth in (1, 2, 3) for names in product(TRANSFORMS, repeat=depth)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("nesting", NESTINGS, ids="-of-".join)
def test_nesting(case: Case, nesting: tuple[str, ...]) -> None:
    x = random(*(2,) * nesting.count("vmap"), 3, seed=7)

    def run(lib: Library, f: Function) -> Any:
        reverse = lib is LUCID or case.name.replace(" ", "_") not in ONLY_FORWARD
        for name in reversed(nesting):
            f = TRANSFORMS[name](lib, f, reverse)
        return f(lib.tensor(x), lib.tensor(W))

    both(case, run, 1e-8)


# -- axes ------------------------------------------------------------------------------------------

AXES = [(0, 0), (0, 1), (1, 0), (-1, None), (None, 0), (None, -1)]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("axes", AXES, ids=str)
@pytest.mark.parametrize("out", [0, 1])
def test_axes(case: Case, axes: tuple[int | None, int | None], out: int) -> None:
    x, w = random(5, 3, seed=8), random(5, 3, seed=9, low=0.3, high=0.9)
    inputs = [
        a[0] if axis is None else np.moveaxis(a, 0, axis).copy()
        for a, axis in zip((x, w), axes, strict=True)
    ]
    both(case, lambda lib, f: lib.vmap(f, axes, out)(*map(lib.tensor, inputs)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_lanes_of_both(case: Case) -> None:
    """Each of two vmaps maps one of the arguments."""
    x, w = random(4, 3, seed=10), random(5, 3, seed=11, low=0.3, high=0.9)

    def run(lib: Library, f: Function) -> Any:
        return lib.vmap(lib.vmap(f, (None, 1)), (0, None), 2)(lib.tensor(x), lib.tensor(w.T.copy()))

    both(case, run)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_hessian(case: Case) -> None:
    def run(lib: Library, f: Function) -> Any:
        scalar = lambda x, w: (f(x, w) ** 2).sum()  # noqa: E731
        reverse = lib is LUCID or case.name.replace(" ", "_") not in ONLY_FORWARD
        twice = lib.hessian if reverse else lambda f: jax.jacfwd(jax.jacfwd(f))
        return lib.vmap(twice(scalar), (0, None))(lib.tensor(random(4, 3, seed=12)), lib.tensor(W))

    both(case, run, 1e-8)
