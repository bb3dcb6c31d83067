"""The workloads: their inputs, and for each library the function that one call runs.

A workload is a function of one example and a batch. bench/c/workloads.c says the same in C. Each
library is imported where it is used, because a worker process has only one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = list[np.ndarray]
Call = Callable[[], Sequence[Any]]


@dataclass(frozen=True)
class Workload:
    """One line of the table. `shapes` name the inputs; int64 ones hold classes below 10."""

    name: str
    text: str
    shapes: tuple[tuple[int, ...], ...]
    classes: tuple[int, ...] = ()  # which inputs are classes
    scale: float = 1.0
    tolerance: float = 1e-5  # of the largest magnitude in the result

    def inputs(self) -> Arrays:
        rng = np.random.default_rng(7)
        return [
            rng.integers(0, 10, shape)
            if i in self.classes
            else (self.scale * rng.standard_normal(shape)).astype(np.float32)
            for i, shape in enumerate(self.shapes)
        ]


MLP = ((128, 784), (128,), (10, 128), (10,), (256, 784), (256,))

WORKLOADS = (
    Workload("W1", "vmap(grad(sum(x**2))), X (32, 4)", ((32, 4),)),
    Workload("W1b", "the same, X (1e6, 4)", ((1_000_000, 4),)),
    Workload(
        "W2", "vmap(grad(sum(tanh(x)*exp(-x*x)+log1p(abs(x))))), X (1e5, 64)", ((100_000, 64),)
    ),
    Workload(
        "W4",
        "per-sample gradients, MLP 784-128-10 tanh + cross entropy, 256 samples",
        MLP,
        classes=(5,),
        scale=0.1,
    ),
)


def find(name: str) -> Workload:
    return next(w for w in WORKLOADS if w.name == name)


# --- lucid ---------------------------------------------------------------------------------------


def lucid_function(name: str) -> Callable[..., Any]:
    from lucid.func import grad, vmap
    from lucid.nn import functional as F

    if name in ("W1", "W1b"):
        return vmap(grad(lambda x: (x**2).sum()))
    if name == "W2":
        return vmap(grad(lambda x: (x.tanh() * (-x * x).exp() + x.abs().log1p()).sum()))

    def loss(w1, b1, w2, b2, x, y):
        return F.cross_entropy(F.linear(F.linear(x, w1, b1).tanh(), w2, b2), y)

    return vmap(grad(loss, argnums=(0, 1, 2, 3)), in_dims=(None, None, None, None, 0, 0))


def lucid_call(name: str, inputs: Arrays) -> Call:
    import lucid

    x = [lucid.tensor(a) for a in inputs]
    f = lucid_function(name)

    def call() -> Sequence[Any]:
        y = f(*x)
        results = y if isinstance(y, tuple) else (y,)
        lucid.eval(*results)
        return results

    return call


# --- JAX -----------------------------------------------------------------------------------------


def jax_function(name: str) -> Callable[..., Any]:
    import jax
    import jax.numpy as jnp

    if name in ("W1", "W1b"):
        return jax.jit(jax.vmap(jax.grad(lambda x: jnp.sum(x**2))))
    if name == "W2":

        def chain(x):
            return jnp.sum(jnp.tanh(x) * jnp.exp(-x * x) + jnp.log1p(jnp.abs(x)))

        return jax.jit(jax.vmap(jax.grad(chain)))

    def loss(w1, b1, w2, b2, x, y):
        logits = w2 @ jnp.tanh(w1 @ x + b1) + b2
        return -jax.nn.log_softmax(logits)[y]

    per_sample = jax.vmap(jax.grad(loss, argnums=(0, 1, 2, 3)), (None, None, None, None, 0, 0))
    return jax.jit(per_sample)


def jax_call(name: str, inputs: Arrays) -> Call:
    import jax

    x = [jax.numpy.asarray(a) for a in inputs]
    jax.block_until_ready(x)
    f = jax_function(name)

    def call() -> Sequence[Any]:
        y = f(*x)
        jax.block_until_ready(y)
        return y if isinstance(y, tuple) else (y,)

    return call


# --- torch ---------------------------------------------------------------------------------------


def torch_function(name: str) -> Callable[..., Any]:
    import torch
    from torch.func import grad, vmap
    from torch.nn import functional as F

    if name in ("W1", "W1b"):
        return vmap(grad(lambda x: (x**2).sum()))
    if name == "W2":
        return vmap(grad(lambda x: (x.tanh() * torch.exp(-x * x) + x.abs().log1p()).sum()))

    def loss(w1, b1, w2, b2, x, y):
        return F.cross_entropy(F.linear(F.linear(x, w1, b1).tanh(), w2, b2), y)

    return vmap(grad(loss, argnums=(0, 1, 2, 3)), in_dims=(None, None, None, None, 0, 0))


def torch_call(name: str, inputs: Arrays) -> Call:
    import torch

    x = [torch.from_numpy(a) for a in inputs]
    f = torch_function(name)

    def call() -> Sequence[Any]:
        y = f(*x)
        return y if isinstance(y, tuple) else (y,)

    return call


CALLS = {"lucid": lucid_call, "jax": jax_call, "torch": torch_call}
