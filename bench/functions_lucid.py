"""The workloads in lucid's words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import lucid
from lucid.func import grad, grad_and_value, hessian, jacfwd, jacrev, vmap
from lucid.nn import functional as F

Function = Callable[..., Any]


def chain(x):
    return (x.tanh() * (-x * x).exp() + x.abs().log1p()).sum()


def normal_cdf(x):
    return 0.5 * (1 + (x * math.sqrt(0.5)).erf())


def call_price(spot, strike, years, rate, volatility):
    spread = volatility * years.sqrt()
    d1 = ((spot / strike).log() + (rate + 0.5 * volatility * volatility) * years) / spread
    return spot * normal_cdf(d1) - strike * (-rate * years).exp() * normal_cdf(d1 - spread)


def mlp_loss(w1, b1, w2, b2, x, y):
    return F.cross_entropy(F.linear(F.linear(x, w1, b1).tanh(), w2, b2), y)


def two_layers(w1, w2, x):
    return w2 @ (w1 @ x).tanh()


def escape_count(re, im):
    def inside(state):
        x, y, n = state
        return (n < 1000) & (x * x + y * y <= 4)

    def step(state):
        x, y, n = state
        return x * x - y * y + re, 2 * x * y + im, n + 1

    zero = lucid.zeros_like(re)
    return lucid.while_loop(inside, step, (zero, zero, lucid.zeros((), dtype=lucid.int32)))[2]


def lorenz_step(s, h=0.005):
    def slope(s):
        x, y, z = s[0], s[1], s[2]
        return lucid.stack([10 * (y - x), x * (28 - z) - y, x * y - (8 / 3) * z])

    k1 = slope(s)
    k2 = slope(s + (h / 2) * k1)
    k3 = slope(s + (h / 2) * k2)
    k4 = slope(s + h * k3)
    return s + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4)


def lorenz(s):
    return lucid.fori_loop(0, 1000, lambda i, s: lorenz_step(s), s)


def lorenz_scan(s):
    return lucid.scan(lambda s, _: (lorenz_step(s), None), s, None, length=1000)[0]


def path(start):
    noise = lucid.randn(252, dtype=start.dtype)
    return start * (0.2 / math.sqrt(252) * noise.sum()).exp()


KINDS: dict[str, Callable[[tuple[int | None, ...]], Function]] = {
    "square_sum": lambda dims: vmap(grad(lambda x: (x**2).sum()), dims),
    "chain": lambda dims: vmap(grad(chain), dims),
    "black_scholes": lambda dims: vmap(grad_and_value(call_price, (0, 1, 2, 3, 4)), dims),
    "mlp": lambda dims: vmap(grad(mlp_loss, (0, 1, 2, 3)), dims),
    "jacobian": lambda dims: vmap(jacrev(two_layers, 2), dims),
    "jacobian_forward": lambda dims: vmap(jacfwd(two_layers, 2), dims),
    "hessian": lambda dims: vmap(hessian(two_layers, 2), dims),
    "solve": lambda dims: vmap(lucid.linalg.solve, dims),
    "inv": lambda dims: vmap(lucid.linalg.inv, dims),
    "cholesky": lambda dims: vmap(lucid.linalg.cholesky, dims),
    "matmul": lambda dims: vmap(lucid.matmul, dims),
    "mandelbrot": lambda dims: vmap(escape_count, dims),
    "lorenz": lambda dims: vmap(lorenz, dims),
    "lorenz_scan": lambda dims: vmap(lorenz_scan, dims),
    "paths": lambda dims: vmap(path, dims, randomness="different"),
    "sort": lambda dims: vmap(lambda x: lucid.sort(x)[0], dims),
    "argsort": lambda dims: vmap(lucid.argsort, dims),
}


def make(
    kind: str, in_dims: tuple[int | None, ...], inputs: Sequence[np.ndarray], compiled: bool = False
) -> Callable[[], Any]:
    x = [lucid.tensor(a) for a in inputs]
    lucid.eval(*x)
    f = KINDS[kind](in_dims)
    if compiled:
        f = lucid.func.compile(f)

    def call() -> Any:
        y = f(*x)
        lucid.eval(y)
        return y

    return call


def dispatches() -> int:
    """How many the process has made."""
    return lucid.stats()["steps"]
