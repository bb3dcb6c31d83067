"""The workloads in torch.func's words; loops that depend on values have none under its vmap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.func import grad, grad_and_value, hessian, jacfwd, jacrev, vmap
from torch.nn import functional as F

Function = Callable[..., Any]


def chain(x):
    return (x.tanh() * torch.exp(-x * x) + x.abs().log1p()).sum()


def normal_cdf(x):
    return 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))


def call_price(spot, strike, years, rate, volatility):
    spread = volatility * years.sqrt()
    d1 = ((spot / strike).log() + (rate + 0.5 * volatility * volatility) * years) / spread
    return spot * normal_cdf(d1) - strike * torch.exp(-rate * years) * normal_cdf(d1 - spread)


def mlp_loss(w1, b1, w2, b2, x, y):
    return F.cross_entropy(F.linear(F.linear(x, w1, b1).tanh(), w2, b2), y)


def two_layers(w1, w2, x):
    return w2 @ (w1 @ x).tanh()


def path(start):
    noise = torch.randn(252, dtype=start.dtype)
    return start * torch.exp(0.2 / math.sqrt(252) * noise.sum())


KINDS: dict[str, Callable[[tuple[int | None, ...]], Function]] = {
    "square_sum": lambda dims: vmap(grad(lambda x: (x**2).sum()), dims),
    "chain": lambda dims: vmap(grad(chain), dims),
    "black_scholes": lambda dims: vmap(grad_and_value(call_price, (0, 1, 2, 3, 4)), dims),
    "mlp": lambda dims: vmap(grad(mlp_loss, (0, 1, 2, 3)), dims),
    "jacobian": lambda dims: vmap(jacrev(two_layers, 2), dims),
    "jacobian_forward": lambda dims: vmap(jacfwd(two_layers, 2), dims),
    "hessian": lambda dims: vmap(hessian(two_layers, 2), dims),
    "solve": lambda dims: vmap(torch.linalg.solve, dims),
    "inv": lambda dims: vmap(torch.linalg.inv, dims),
    "cholesky": lambda dims: vmap(torch.linalg.cholesky, dims),
    "matmul": lambda dims: vmap(torch.matmul, dims),
    "paths": lambda dims: vmap(path, dims, randomness="different"),
    "sort": lambda dims: vmap(lambda x: torch.sort(x)[0], dims),
    "argsort": lambda dims: vmap(lambda x: torch.argsort(x, stable=True), dims),
}


def make(
    kind: str, in_dims: tuple[int | None, ...], inputs: Sequence[np.ndarray]
) -> Callable[[], Any]:
    x = [torch.from_numpy(a) for a in inputs]
    f = KINDS[kind](in_dims)
    return lambda: f(*x)
