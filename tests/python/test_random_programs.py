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

# One step: which operation, and which two of the values so far.
Step = tuple[int, int, int]
Program = list[Step]

programs = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 9), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)


def run(program: Program, x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
    values = [x, y]
    for op, i, j in program:
        values.append(STEPS[op](values[i % len(values)], values[j % len(values)]).clamp(-5, 5))
    return values[-1]


def data(seed: int, dims: int) -> lucid.Tensor:
    rng = np.random.default_rng(seed)
    return lucid.tensor(rng.standard_normal((3, 4, 3) if dims else (4, 3, 3)))


@settings(max_examples=300, deadline=None)
@given(
    programs,
    st.sampled_from([(0, 0), (0, None), (None, 0), (1, 0), (0, -2)]),
    st.sampled_from([None, 1, 3, "auto"]),
    st.sampled_from(["auto", "vectorized", "isolated"]),
    st.sampled_from([0, 1, -1]),
)
def test_against_the_loop(
    program: Program, in_dims: Any, chunk_size: Any, strategy: Any, out_dim: int
) -> None:
    args = [
        data(i, d not in (0, None))[(slice(None),) if d is not None else 0]
        for i, d in enumerate(in_dims)
    ]

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return run(program, x, y)

    mapped = vmap(f, in_dims, out_dim, chunk_size=chunk_size, strategy=strategy)
    close(mapped(*args), loop(f, args, in_dims, out_dim), rtol=1e-9)


@settings(max_examples=200, deadline=None)
@given(programs, st.sampled_from([None, 3]))
def test_derivatives_against_the_loop(program: Program, chunk_size: Any) -> None:
    x, y = data(0, 0), data(1, 0)

    def f(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return (run(program, x, y) * lucid.arange(3)).sum()

    def g(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
        return lucid.cat(grad(f, argnums=(0, 1))(x, y))

    close(vmap(g, chunk_size=chunk_size)(x, y), loop(g, [x, y], [0, 0]), rtol=1e-8)
    total = grad(lambda x, y: vmap(f)(x, y).sum(), argnums=(0, 1))(x, y)
    close(lucid.cat(total, 1), vmap(g)(x, y), rtol=1e-8)
