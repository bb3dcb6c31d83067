"""Random numbers come from the same distributions: two samples, compared by Kolmogorov-Smirnov."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lucid
from lucid.func import vmap
from lucid.nn import functional as F

FAMILY = "random numbers"
COUNT = 20_000

Sampler = Callable[[Any], Any]
RATES = np.array([0.5, 3.0, 12.0, 700.0])
WEIGHTS = np.array([1.0, 0.0, 2.0, 5.0, 0.5])


def code(digits: Any) -> Any:
    """Rows of small integers as one number each."""
    digits = np.asarray(digits)
    return digits @ (10.0 ** np.arange(digits.shape[-1]))


def without_replacement(key: Any) -> Any:
    return jax.random.choice(key, 5, (2,), replace=False, p=jnp.asarray(WEIGHTS) / WEIGHTS.sum())


# name: a draw of lucid, one of JAX from a key, both of one number or a few; how rows become numbers
SAMPLERS: dict[str, tuple[Callable[[], Any], Sampler, Callable[[Any], Any] | None]] = {
    "uniform": (lambda: lucid.rand(()), lambda k: jax.random.uniform(k), None),
    "uniform between": (
        lambda: lucid.uniform(lucid.tensor(-3.0), 5.0),
        lambda k: jax.random.uniform(k, minval=-3, maxval=5),
        None,
    ),
    "normal": (lambda: lucid.randn(()), lambda k: jax.random.normal(k), None),
    "normal, mean and std": (
        lambda: lucid.normal(lucid.tensor(2.0), 0.5),
        lambda k: 2 + 0.5 * jax.random.normal(k),
        None,
    ),
    "exponential": (
        lambda: lucid.exponential(lucid.tensor(2.0)),
        lambda k: jax.random.exponential(k) / 2,
        None,
    ),
    "randint": (
        lambda: lucid.randint(-7, 50, ()),
        lambda k: jax.random.randint(k, (), -7, 50),
        None,
    ),
    "bernoulli": (
        lambda: lucid.bernoulli(lucid.tensor(0.3)),
        lambda k: jax.random.bernoulli(k, 0.3).astype(float),
        None,
    ),
    "dropout": (
        lambda: F.dropout(lucid.ones(3), 0.4) > 1.6,
        lambda k: jax.random.bernoulli(k, 0.6, (3,)),
        code,
    ),
    "randperm": (lambda: lucid.randperm(4), lambda k: jax.random.permutation(k, 4), code),
    "multinomial": (
        lambda: lucid.multinomial(lucid.tensor(WEIGHTS), 1, True)[0],
        lambda k: jax.random.categorical(k, jnp.log(WEIGHTS)),
        None,
    ),
    "multinomial, all different": (
        lambda: lucid.multinomial(lucid.tensor(WEIGHTS), 2),
        without_replacement,
        code,
    ),
    **{
        f"poisson {rate:g}": (
            lambda rate=rate: lucid.poisson(lucid.tensor(rate)),
            lambda k, rate=rate: jax.random.poisson(k, rate).astype(float),
            None,
        )
        for rate in RATES
    },
}


def distance(a: Any, b: Any) -> float:
    """The Kolmogorov-Smirnov distance, scaled: above 1.95 for one pair of samples in a thousand."""
    a, b = np.sort(np.asarray(a, float)), np.sort(np.asarray(b, float))
    at = np.concatenate([a, b])
    shares = [np.searchsorted(x, at, "right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max() * np.sqrt(len(a) * len(b) / (len(a) + len(b))))


def of_jax(name: str) -> Any:
    keys = jax.random.split(jax.random.key(1), COUNT)
    return jax.vmap(SAMPLERS[name][1])(keys)


@pytest.mark.parametrize("chunk_size", [None, 999])
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_draw_per_lane(name: str, chunk_size: int | None) -> None:
    draw, _, to_numbers = SAMPLERS[name]
    lucid.manual_seed(2)
    lanes = vmap(lambda _: draw(), randomness="different", chunk_size=chunk_size)
    ours, theirs = lanes(lucid.zeros(COUNT)).numpy(), np.asarray(of_jax(name))
    if to_numbers:
        ours, theirs = to_numbers(ours), to_numbers(theirs)
    assert distance(ours, theirs) < 1.95


@pytest.mark.parametrize("name", SAMPLERS)
def test_successive_draws(name: str) -> None:
    draw, _, to_numbers = SAMPLERS[name]
    lucid.manual_seed(3)
    ours = np.stack([draw().numpy() for _ in range(2000)])
    theirs = np.asarray(of_jax(name))
    if to_numbers:
        ours, theirs = to_numbers(ours), to_numbers(theirs)
    assert distance(ours, theirs) < 1.95
