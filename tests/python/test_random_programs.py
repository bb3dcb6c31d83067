"""Random programs: vmap of a program equals the loop, whatever the in_dims, chunks and strategy;
and its derivatives equal those of the loop."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support import close, loop

import lucid
import lucid.nn.functional as F
from lucid.func import grad, vmap

Op = Callable[[lucid.Tensor, lucid.Tensor], lucid.Tensor]


def same_shape(f: Callable[[lucid.Tensor], lucid.Tensor]) -> Op:
    return lambda x, y: f(x)


def newton(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    """x over the square root of 1 + sum y^2, in as many steps as the lane needs."""
    a = 1 + (y * y).sum()
    root = a
    while abs(root * root - a) > 1e-3:
        root = (root + a / root) / 2
    return x / root


def by_table(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    table = (lambda: x.sin(), lambda: x * 0.5 - y, lambda: y.cos())
    return table[int((x.sum() * 7).floor()) % 3]()


def early(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    if x[0, 0] > y[0, 0]:
        return x - 1
    if y.sum() > 0:
        y = y.clone()
        y[1] = x[2]
        return y
    return x * y


def positive_part(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    return y + x[x > 0.5].sin().sum()


def repeat(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    for _ in range(int(y.abs().sum() % 4)):
        x = (x + 0.5).sin()
    return x


def write_at_largest(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    z = lucid.zeros(3, 3, dtype=x.dtype)
    z[x.sum(1).argmax()] = y[0]
    z[:, 1] += x[:, 0]
    return z


def write(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    z = x.clone()
    z[0] = y[-1]
    z[1:] *= 0.5
    return z


# Steps on matrices (3, 3): each keeps the shape and tames what it makes.
STEPS: list[Op] = [
    lambda x, y: x + y,
    lambda x, y: x - 2 * y,
    lambda x, y: x * y,
    lambda x, y: x / (y.abs() + 1),
    lambda x, y: (x @ y).tanh(),
    lambda x, y: lucid.maximum(x, y),
    lambda x, y: lucid.where(x > y, x, 0.5 * y),
    lambda x, y: lucid.stack([x[0], y[1], x[2]]),
    lambda x, y: lucid.cat([x[:1], y[1:]]),
    lambda x, y: x.index_add(0, lucid.tensor([0, 2]), y[:2]),
    lambda x, y: lucid.einsum("ij,kj->ik", x, y).sin(),
    lambda x, y: x[[2, 0, 1]] - y[:, [1, 1, 0]],
    write,
    write_at_largest,
    same_shape(lambda x: x.T),
    same_shape(lambda x: x.sin() + x.cos()),
    same_shape(lambda x: (x**2 + 1).sqrt()),
    same_shape(lambda x: (-x.abs()).exp()),
    same_shape(lambda x: F.softmax(x, dim=0)),
    same_shape(lambda x: F.gelu(x)),
    same_shape(lambda x: x - x.mean(0, keepdim=True)),
    same_shape(lambda x: x.sum(1, keepdim=True) * x[0]),
    same_shape(lambda x: x.cumsum(1)),
    same_shape(lambda x: x.flip(0)),
    same_shape(lambda x: x.roll(1, 1)),
    same_shape(lambda x: x.reshape(9)[::2].sum() + x),
    same_shape(lambda x: x.tril() + x.amax(0)),
    same_shape(lambda x: x.sort(1).values),
    same_shape(lambda x: F.layer_norm(x, (3,))),
    same_shape(lambda x: lucid.linalg.solve(x * 0.1 + 3 * lucid.eye(3), x)),
    same_shape(lambda x: vmap(lambda r: r * r.sum())(x)),
    same_shape(lambda x: grad(lambda v: (v**3).sum())(x)),
]

# What makes lanes part.
ASKING: list[Op] = [newton, by_table, early, positive_part, repeat]

# What draws. Probabilities and rates come from values of the lane.
DRAWING: list[Op] = [
    same_shape(lambda x: x + lucid.randn(3, 3, dtype=x.dtype)),
    same_shape(lambda x: x * lucid.rand(3)),
    same_shape(lambda x: F.dropout(x, 0.3)),
    same_shape(lambda x: x[lucid.randperm(3)]),
    same_shape(lambda x: lucid.bernoulli(x.sigmoid()) - x),
    same_shape(lambda x: lucid.normal(x, 0.5)),
    same_shape(lambda x: lucid.poisson(4 * x.sigmoid())),
    same_shape(lambda x: x + lucid.multinomial(x.sigmoid(), 3)),
    same_shape(lambda x: x + lucid.multinomial(x.sigmoid(), 3, replacement=True)),
    lambda x, y: lucid.uniform(x.minimum(y), x.maximum(y) + 1),
    lambda x, y: x + lucid.exponential(1 + y.abs()),
    same_shape(lambda x: vmap(lambda r: r * lucid.rand(()), randomness="different")(x)),
    same_shape(lambda x: vmap(lambda r: r + lucid.randint(0, 9, ()), randomness="same")(x)),
    same_shape(lambda x: x.clone().uniform_(-1, 1)),
    lambda x, y: x - lucid.rand(()) if y.sum() > 0 else x * lucid.rand(()) * lucid.rand(()),
]

# One step: which operation, and which two of the values so far.
Step = tuple[int, int, int]
Program = list[Step]

ALL = STEPS + 3 * ASKING + 2 * DRAWING


def programs(*, asking: bool = False, drawing: bool = False) -> st.SearchStrategy[Program]:
    count = len(STEPS) + 3 * len(ASKING) * asking + 2 * len(DRAWING) * drawing
    step = st.tuples(st.integers(0, count - 1), st.integers(0, 9), st.integers(0, 9))
    return st.lists(step, min_size=1, max_size=8)


def run(program: Program, x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    values = [x, y]
    for op, i, j in program:
        values.append(ALL[op](values[i % len(values)], values[j % len(values)]).clamp(-5, 5))
    return values[-1]


def data(seed: int, dims: int) -> lucid.Tensor:
    rng = np.random.default_rng(seed)
    return lucid.tensor(rng.standard_normal((3, 4, 3) if dims else (4, 3, 3)))


IN_DIMS = st.sampled_from([(0, 0), (0, None), (None, 0), (1, 0), (0, -2)])
CHUNKS = st.sampled_from([None, 1, 3, "auto"])


def arguments(in_dims: Any) -> list[lucid.Tensor]:
    return [
        data(i, d not in (0, None))[(slice(None),) if d is not None else 0]
        for i, d in enumerate(in_dims)
    ]


@settings(max_examples=150, deadline=None)
@given(
    programs(),
    IN_DIMS,
    CHUNKS,
    st.sampled_from(["auto", "vectorized", "isolated"]),
    st.sampled_from([0, 1, -1]),
)
def test_against_the_loop(
    program: Program, in_dims: Any, chunk_size: Any, strategy: Any, out_dim: int
) -> None:
    args = arguments(in_dims)

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return run(program, x, y)

    mapped = vmap(f, in_dims, out_dim, chunk_size=chunk_size, strategy=strategy)
    close(mapped(*args), loop(f, args, in_dims, out_dim), rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(programs(asking=True), IN_DIMS, CHUNKS, st.sampled_from([0, 1, -1]))
def test_lanes_that_part(program: Program, in_dims: Any, chunk_size: Any, out_dim: int) -> None:
    args = arguments(in_dims)

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return run(program, x, y)

    mapped = vmap(f, in_dims, out_dim, chunk_size=chunk_size)
    close(mapped(*args), loop(f, args, in_dims, out_dim), rtol=1e-9)


@settings(max_examples=60, deadline=None)
@given(programs(asking=True), CHUNKS)
def test_nested_lanes_that_part(program: Program, chunk_size: Any) -> None:
    x, y = data(0, 0), data(1, 0)[:3]

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return run(program, x, y)

    table = vmap(vmap(f, (None, 0), chunk_size=chunk_size), (0, None))(x, y)
    expected = lucid.stack([lucid.stack([f(a, b) for b in y]) for a in x])
    close(table, expected, rtol=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    programs(asking=True, drawing=True),
    IN_DIMS,
    CHUNKS,
    st.sampled_from(["different", "same"]),
    st.booleans(),
)
def test_draws(
    program: Program, in_dims: Any, chunk_size: Any, randomness: Any, nested: bool
) -> None:
    """The same numbers as lane by lane, and as many draws."""
    args = arguments(in_dims)

    def drawn(**how: Any) -> tuple[lucid.Tensor, tuple[int, int]]:
        lucid.manual_seed(3)
        f = vmap(lambda x, y: run(program, x, y), in_dims, randomness=randomness, **how)
        if nested:
            y = vmap(lambda k: f(args[0] * k, args[1]), randomness="different", **how)(
                lucid.tensor([1.0, 0.5], dtype=lucid.float64)
            )
        else:
            y = f(*args)
        return y, lucid.get_rng_state()

    (y, state), (expected, state_after) = drawn(chunk_size=chunk_size), drawn(strategy="isolated")
    close(y, expected, rtol=1e-9)
    assert state == state_after


@settings(max_examples=90, deadline=None)
@given(programs(asking=True), st.sampled_from([None, 3]))
def test_derivatives_against_the_loop(program: Program, chunk_size: Any) -> None:
    x, y = data(0, 0), data(1, 0)

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return (run(program, x, y) * lucid.arange(3)).sum()

    def g(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return lucid.cat(grad(f, argnums=(0, 1))(x, y))

    close(vmap(g, chunk_size=chunk_size)(x, y), loop(g, [x, y], [0, 0]), rtol=1e-8)
    total = grad(lambda x, y: vmap(f)(x, y).sum(), argnums=(0, 1))(x, y)
    close(lucid.cat(total, 1), vmap(g)(x, y), rtol=1e-8)
