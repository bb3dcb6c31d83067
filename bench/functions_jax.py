"""The workloads in JAX's words, under jit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Function = Callable[..., Any]


def chain(x):
    return jnp.sum(jnp.tanh(x) * jnp.exp(-x * x) + jnp.log1p(jnp.abs(x)))


def normal_cdf(x):
    return 0.5 * (1 + lax.erf(x * math.sqrt(0.5)))


def call_price(spot, strike, years, rate, volatility):
    spread = volatility * jnp.sqrt(years)
    d1 = (jnp.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / spread
    return spot * normal_cdf(d1) - strike * jnp.exp(-rate * years) * normal_cdf(d1 - spread)


def price_and_gradients(*x):
    value, grads = jax.value_and_grad(call_price, (0, 1, 2, 3, 4))(*x)
    return grads, value


def mlp_loss(w1, b1, w2, b2, x, y):
    return -jax.nn.log_softmax(w2 @ jnp.tanh(w1 @ x + b1) + b2)[y]


def two_layers(w1, w2, x):
    return w2 @ jnp.tanh(w1 @ x)


def escape_count(re, im):
    def inside(state):
        x, y, n = state
        return (n < 1000) & (x * x + y * y <= 4)

    def step(state):
        x, y, n = state
        return x * x - y * y + re, 2 * x * y + im, n + 1

    zero = jnp.zeros_like(re)
    return lax.while_loop(inside, step, (zero, zero, jnp.int32(0)))[2]


def lorenz_step(s, h=0.005):
    def slope(s):
        x, y, z = s
        return jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - (8 / 3) * z])

    k1 = slope(s)
    k2 = slope(s + (h / 2) * k1)
    k3 = slope(s + (h / 2) * k2)
    k4 = slope(s + h * k3)
    return s + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4)


def lorenz(s):
    return lax.fori_loop(0, 1000, lambda i, s: lorenz_step(s), s)


def lorenz_scan(s):
    return lax.scan(lambda s, _: (lorenz_step(s), None), s, None, length=1000)[0]


def paths(dims):
    def path(key, start):
        noise = jax.random.normal(key, (252,), start.dtype)
        return start * jnp.exp(0.2 / math.sqrt(252) * jnp.sum(noise))

    def run(start):
        keys = jax.random.split(jax.random.key(0), start.shape[dims[0]])
        return jax.vmap(path, (0, *dims))(keys, start)

    return run


KINDS: dict[str, Callable[[tuple[int | None, ...]], Function]] = {
    "square_sum": lambda dims: jax.vmap(jax.grad(lambda x: jnp.sum(x**2)), dims),
    "chain": lambda dims: jax.vmap(jax.grad(chain), dims),
    "black_scholes": lambda dims: jax.vmap(price_and_gradients, dims),
    "mlp": lambda dims: jax.vmap(jax.grad(mlp_loss, (0, 1, 2, 3)), dims),
    "jacobian": lambda dims: jax.vmap(jax.jacrev(two_layers, 2), dims),
    "jacobian_forward": lambda dims: jax.vmap(jax.jacfwd(two_layers, 2), dims),
    "hessian": lambda dims: jax.vmap(jax.hessian(two_layers, 2), dims),
    "solve": lambda dims: jax.vmap(jnp.linalg.solve, dims),
    "inv": lambda dims: jax.vmap(jnp.linalg.inv, dims),
    "cholesky": lambda dims: jax.vmap(jnp.linalg.cholesky, dims),
    "matmul": lambda dims: jax.vmap(jnp.matmul, dims),
    "mandelbrot": lambda dims: jax.vmap(escape_count, dims),
    "lorenz": lambda dims: jax.vmap(lorenz, dims),
    "lorenz_scan": lambda dims: jax.vmap(lorenz_scan, dims),
    "paths": paths,
    "sort": lambda dims: jax.vmap(jnp.sort, dims),
    "argsort": lambda dims: jax.vmap(jnp.argsort, dims),
}


def make(
    kind: str, in_dims: tuple[int | None, ...], inputs: Sequence[np.ndarray]
) -> Callable[[], Any]:
    jax.config.update("jax_enable_x64", any(a.dtype.itemsize == 8 for a in inputs))
    x = [jnp.asarray(a) for a in inputs]
    jax.block_until_ready(x)
    f = jax.jit(KINDS[kind](in_dims))
    return lambda: jax.block_until_ready(f(*x))
