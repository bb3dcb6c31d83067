"""Control flow that depends on values: plain Python under vmap here, jax.lax there."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from oracle import Case, Library, both, random

import lucid

FAMILY = "control flow"
X = random(9, 3)
COUNTS = np.array([3, 0, 1, 5, 3, 2, 0, 4, 1])


def halves(x: Any) -> Any:
    return x.tanh() * 2 if x.sum() > 0 else x * x - 1


def early(x: Any) -> Any:
    if x[0] > 1:
        return x.sum()
    if x[1] > 0:
        return (x * x).sum()
    return x[2] - x[0]


def early_jax(x: Any) -> Any:
    last = lambda x: lax.cond(x[1] > 0, lambda x: (x * x).sum(), lambda x: x[2] - x[0], x)  # noqa: E731
    return lax.cond(x[0] > 1, lambda x: x.sum(), last, x)


BRANCHES = (lambda x: x, lambda x: x * x, lambda x: 3 - x, lambda x: x * x * x)


def table(x: Any, n: Any) -> Any:
    return BRANCHES[min(int(n), 3)](x)


def root(x: Any) -> Any:
    """Newton's square root of 1 + sum x^2, to 1e-6."""
    a = 1 + (x * x).sum()
    r = a
    while abs(r * r - a) > 1e-6:
        r = (r + a / r) / 2
    return r


def root_jax(x: Any) -> Any:
    a = 1 + (x * x).sum()
    return lax.while_loop(lambda r: jnp.abs(r * r - a) > 1e-6, lambda r: (r + a / r) / 2, a)


def repeat(x: Any, n: Any) -> Any:
    for _ in range(int(n)):
        x = (x + 1).sin()
    return x


def repeat_jax(x: Any, n: Any) -> Any:
    return lax.fori_loop(0, n, lambda _, v: jnp.sin(v + 1), x)


def recur(x: Any) -> Any:
    state, seen = 0 * x[0], []
    for i in range(3):
        state = (state + x[i]).tanh()
        seen.append(state * state)
    return lucid.stack(seen) + state


def recur_jax(x: Any) -> Any:
    def step(state: Any, v: Any) -> Any:
        state = jnp.tanh(state + v)
        return state, state * state

    state, seen = lax.scan(step, 0 * x[0], x)
    return seen + state


def collatz(n: Any) -> Any:
    steps = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return lucid.tensor(steps)


def collatz_jax(n: Any) -> Any:
    def step(state: Any) -> Any:
        n, steps = state
        return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), steps + 1

    return lax.while_loop(lambda state: state[0] > 1, step, (n, jnp.array(0)))[1]


def bisect(x: Any) -> Any:
    """Where v^3 + v = sum x, by halving an interval that depends on it."""
    target = x.sum()
    low, high = -1 - abs(target), 1 + abs(target)
    while high - low > 1e-7:
        middle = (low + high) / 2
        if middle**3 + middle > target:
            high = middle
        else:
            low = middle
    return low


def bisect_jax(x: Any) -> Any:
    target = x.sum()

    def step(ends: Any) -> Any:
        low, high = ends
        middle = (low + high) / 2
        above = middle**3 + middle > target
        return jnp.where(above, low, middle), jnp.where(above, middle, high)

    ends = (-1 - jnp.abs(target), 1 + jnp.abs(target))
    return lax.while_loop(lambda ends: ends[1] - ends[0] > 1e-7, step, ends)[0]


CASES = [
    Case(
        "if",
        halves,
        lambda x: lax.cond(x.sum() > 0, lambda x: jnp.tanh(x) * 2, lambda x: x * x - 1, x),
        (X,),
    ),
    Case("early return", early, early_jax, (X,)),
    Case(
        "table of functions",
        table,
        lambda x, n: lax.switch(jnp.minimum(n, 3), BRANCHES, x),
        (X, COUNTS),
    ),
    Case("while", root, root_jax, (X,)),
    Case("range of a value", repeat, repeat_jax, (X, COUNTS)),
    Case("recurrence", recur, recur_jax, (X,)),
    Case("while of integers", collatz, collatz_jax, (COUNTS + 1,), False),
    Case("if in while", bisect, bisect_jax, (X,), False),
]
SMOOTH = [case for case in CASES if case.differentiable]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_example(case: Case) -> None:
    both(case, lambda lib, f: f(*(lib.tensor(x[0]) for x in case.inputs)))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_vmap(case: Case) -> None:
    both(case, lambda lib, f: lib.vmap(f)(*map(lib.tensor, case.inputs)))


@pytest.mark.parametrize("case", [case for case in CASES if case.inputs[0].ndim == 2], ids=str)
def test_vmap_of_another_axis(case: Case) -> None:
    dims = tuple(1 if x.ndim == 2 else 0 for x in case.inputs)
    inputs = [x.T.copy() if x.ndim == 2 else x for x in case.inputs]
    both(case, lambda lib, f: lib.vmap(f, dims, -1)(*map(lib.tensor, inputs)))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_vmap_of_jacfwd(case: Case) -> None:
    both(case, lambda lib, f: lib.vmap(lib.jacfwd(f))(*map(lib.tensor, case.inputs)))


@pytest.mark.parametrize("case", [case for case in SMOOTH if len(case.inputs) == 1], ids=str)
def test_jacobian_of_vmap(case: Case) -> None:
    def run(lib: Library, f: Any) -> Any:
        return lib.jacfwd(lib.vmap(f))(lib.tensor(case.inputs[0]))

    both(case, run)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_vmap_of_vmap(case: Case) -> None:
    inputs = [np.stack([x, np.roll(x, 4, 0)]) for x in case.inputs]
    both(case, lambda lib, f: lib.vmap(lib.vmap(f))(*map(lib.tensor, inputs)))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_vmap_of_jacfwd_of_vmap(case: Case) -> None:
    inputs = [np.stack([x[:4], x[4:8]]) for x in case.inputs]
    both(case, lambda lib, f: lib.vmap(lib.jacfwd(lib.vmap(f)))(*map(lib.tensor, inputs)))


# JAX has no reverse mode through a while_loop.
REVERSE = [case for case in SMOOTH if case.name not in ("while", "range of a value")]


@pytest.mark.parametrize("case", REVERSE, ids=str)
def test_vmap_of_grad(case: Case) -> None:
    def run(lib: Library, f: Any) -> Any:
        scalar = lambda *x: (f(*x) * f(*x)).sum()  # noqa: E731
        return lib.vmap(lib.grad(scalar))(*map(lib.tensor, case.inputs))

    both(case, run)


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_reverse_mode_agrees_with_forward(case: Case) -> None:
    """Reverse mode here, forward mode there."""

    def run(lib: Library, f: Any) -> Any:
        jacobian = lib.jacrev if lib.name == "lucid" else jax.jacfwd
        return lib.vmap(jacobian(f))(*map(lib.tensor, case.inputs))

    both(case, run)
