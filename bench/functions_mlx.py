"""The workloads in MLX's words, under compile; loops that depend on values have none there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import numpy as np

Function = Callable[..., Any]


def chain(x):
    return mx.sum(mx.tanh(x) * mx.exp(-x * x) + mx.log1p(mx.abs(x)))


def normal_cdf(x):
    return 0.5 * (1 + mx.erf(x * math.sqrt(0.5)))


def call_price(spot, strike, years, rate, volatility):
    spread = volatility * mx.sqrt(years)
    d1 = (mx.log(spot / strike) + (rate + 0.5 * volatility * volatility) * years) / spread
    return spot * normal_cdf(d1) - strike * mx.exp(-rate * years) * normal_cdf(d1 - spread)


def price_and_gradients(*x):
    value, grads = mx.value_and_grad(call_price, (0, 1, 2, 3, 4))(*x)
    return grads, value


def mlp_loss(w1, b1, w2, b2, x, y):
    logits = w2 @ mx.tanh(w1 @ x + b1) + b2
    return mx.logsumexp(logits) - logits[y]


def two_layers(w1, w2, x):
    return w2 @ mx.tanh(w1 @ x)


def jacobian(w1, w2, x):
    basis = mx.eye(w2.shape[0], dtype=x.dtype)
    return mx.vmap(lambda row: mx.vjp(lambda x: two_layers(w1, w2, x), [x], [row])[1][0])(basis)


def jacobian_forward(w1, w2, x):
    basis = mx.eye(x.shape[0], dtype=x.dtype)
    column = mx.vmap(lambda d: mx.jvp(lambda x: two_layers(w1, w2, x), [x], [d])[1][0], out_axes=1)
    return column(basis)


def hessian(w1, w2, x):
    slope = mx.grad(lambda x: two_layers(w1, w2, x))
    return mx.vmap(lambda d: mx.jvp(slope, [x], [d])[1][0])(mx.eye(x.shape[0], dtype=x.dtype))


def paths(dims):
    def path(key, start):
        noise = mx.random.normal((252,), start.dtype, key=key)
        return start * mx.exp(0.2 / math.sqrt(252) * mx.sum(noise))

    def run(start):
        keys = mx.random.split(mx.random.key(0), start.shape[dims[0]])
        return mx.vmap(path, (0, *dims))(keys, start)

    return run


KINDS: dict[str, Callable[[tuple[int | None, ...]], Function]] = {
    "square_sum": lambda dims: mx.vmap(mx.grad(lambda x: mx.sum(x**2)), dims),
    "chain": lambda dims: mx.vmap(mx.grad(chain), dims),
    "black_scholes": lambda dims: mx.vmap(price_and_gradients, dims),
    "mlp": lambda dims: mx.vmap(mx.grad(mlp_loss, (0, 1, 2, 3)), dims),
    "jacobian": lambda dims: mx.vmap(jacobian, dims),
    "jacobian_forward": lambda dims: mx.vmap(jacobian_forward, dims),
    "hessian": lambda dims: mx.vmap(hessian, dims),
    "solve": lambda dims: mx.vmap(mx.linalg.solve, dims),
    "inv": lambda dims: mx.vmap(mx.linalg.inv, dims),
    "cholesky": lambda dims: mx.vmap(mx.linalg.cholesky, dims),
    "matmul": lambda dims: mx.vmap(mx.matmul, dims),
    "paths": paths,
    "sort": lambda dims: mx.vmap(mx.sort, dims),
    "argsort": lambda dims: mx.vmap(mx.argsort, dims),
}


def make(
    kind: str, in_dims: tuple[int | None, ...], inputs: Sequence[np.ndarray]
) -> Callable[[], Any]:
    if any(a.dtype == np.float64 for a in inputs):
        raise ValueError("exp and its like are no better than float32 in its float64")
    mx.set_default_device(mx.cpu)
    x = [mx.array(a) for a in inputs]
    mx.eval(x)
    f = mx.compile(KINDS[kind](in_dims))

    def call() -> Any:
        y = f(*x)
        mx.eval(y)
        return y

    return call
