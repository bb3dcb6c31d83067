"""A model of lucid's random numbers in NumPy, which shares no code with the library.

Philox4x32-10 (Salmon et al. 2011) with the seed as its key; word e of a draw for a lane is word
e % 4 of the block with counter (e // 4, lane, draw, lane >> 32 ^ draw >> 32).
"""

import math
from statistics import NormalDist
from typing import Any

import numpy as np

MASK = 0xFFFFFFFF


def philox(counter: list[int], key: list[int]) -> list[int]:
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & MASK, a >> 32 ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def loop_stride(first: int, depth: int = 1) -> int:
    """What a step of a loop adds to the numbers of its draws: splitmix64's mixing (Steele et al.
    2014) of the number of the first draw and of how deep in loops it is."""
    z = first * 256 + depth
    for factor, shift in (
        (0x9E3779B97F4A7C15, 30),
        (0xBF58476D1CE4E5B9, 27),
        (0x94D049BB133111EB, 31),
    ):
        z = z * factor & (1 << 64) - 1
        z ^= z >> shift
    return z | 1


class Model:
    """The draws of one lane."""

    def __init__(self, seed: int, lane: int = 0) -> None:
        self.seed, self.lane, self.draws = seed, lane, 0

    def words(self, count: int, n: int) -> Any:
        lane, draw = self.lane, self.draws & (1 << 64) - 1
        self.draws += 1
        words: list[int] = []
        for block in range((count * n + 3) // 4):
            counter = [block, lane & MASK, draw & MASK, lane >> 32 ^ draw >> 32]
            words += philox(counter, [self.seed & MASK, self.seed >> 32])
        return np.array(words[: count * n], dtype=np.uint32).reshape(count, n)

    def rand(self, *shape: int) -> Any:
        (w,) = self.words(1, math.prod(shape))
        return ((w >> 8).astype(np.float32) * np.float32(2**-24)).reshape(shape)

    @staticmethod
    def bits_53(high: Any, low: Any) -> Any:
        return (high >> 5).astype(np.float64) * 2.0**26 + (low >> 6).astype(np.float64)

    def rand64(self, *shape: int) -> Any:
        high, low = self.words(2, math.prod(shape))
        return (self.bits_53(high, low) * 2.0**-53).reshape(shape)

    def randn(self, *shape: int) -> Any:
        (w,) = self.words(1, math.prod(shape))
        return self.normals(w.astype(np.int32) + 0.5, 2.0**-32, shape).astype(np.float32)

    def randn64(self, *shape: int) -> Any:
        high, low = self.words(2, math.prod(shape))
        k = high.astype(np.int32) * 2.0**21 + (low >> 11).astype(np.float64)
        return self.normals(k + 0.5, 2.0**-53, shape)

    @staticmethod
    def normals(k: Any, scale: float, shape: tuple[int, ...]) -> Any:
        below = [NormalDist().inv_cdf(abs(x) * scale) for x in k]
        return (np.sign(k) * below).reshape(shape)

    def randint(self, low: int, high: int, *shape: int) -> Any:
        span, n = high - low, math.prod(shape)
        k = 2 if span < 2**32 else 3
        words = self.words(k, n)
        found = []
        for i in range(n):
            y = 0
            for j in range(k):
                y = (int(words[j, i]) * span + y) >> 32
            found.append(low + y)
        return np.array(found, dtype=np.int64).reshape(shape)

    def random_64(self, n: int) -> Any:
        high, low = self.words(2, n).astype(np.uint64)
        return high << np.uint64(32) | low

    def randperm(self, n: int) -> Any:
        return np.argsort(self.random_64(n).astype(np.int64), kind="stable")

    def bernoulli(self, p: Any) -> Any:
        return (self.rand(*p.shape) < p).astype(np.float32)

    def dropout(self, x: Any, p: float) -> Any:
        scaled = x * np.float32(1 / (1 - p))
        return np.where(self.rand(*x.shape) >= np.float32(p), scaled, np.float32(0))

    def normal(self, mean: Any, std: Any) -> Any:
        return self.randn(*mean.shape) * std + mean

    def uniform(self, low: Any, high: Any) -> Any:
        x = low + self.rand(*low.shape) * (high - low)
        return np.where(x < high, x, low)

    def standard_exponential(self, *shape: int) -> Any:
        (w,) = self.words(1, math.prod(shape))
        v = ((w & 0x7FFFFFFF).astype(np.float64) + 0.5) * 2.0**-32
        return -np.where(w >> 31, np.log1p(-v), np.log(v)).reshape(shape)

    def exponential(self, rate: Any) -> Any:
        return (self.standard_exponential(*rate.shape) / rate).astype(np.float32)

    def poisson(self, rate: Any) -> Any:
        bits = self.random_64(rate.size)
        drawn = [poisson(float(r), int(b)) for r, b in zip(rate.ravel(), bits, strict=True)]
        return np.array(drawn, dtype=rate.dtype).reshape(rate.shape)

    def multinomial(self, p: Any, count: int, again: int) -> Any:
        if not again:
            with np.errstate(divide="ignore"):
                arrival = self.standard_exponential(len(p)) / p
            return np.argsort(arrival, kind="stable")[:count]
        sums = np.cumsum(p.astype(np.float64))
        return np.searchsorted(sums, (1 - self.rand64(count)) * sums[-1])


def poisson(rate: float, bits: int) -> int:
    """Adding up below 10; from there on the rejection of Hormann 1993 (PTRS)."""

    def uniforms(block: int) -> list[float]:
        w = philox([block, 0, 0, 0], [bits & MASK, bits >> 32])
        return [((w[i] << 32 | w[i + 1]) // 2048 + 0.5) * 2.0**-53 for i in (0, 2)]

    if rate < 10:
        u, k, p = uniforms(0)[0], 0, math.exp(-rate)
        while u > p:
            u, k = u - p, k + 1
            p *= rate / k
        return k
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    for block in range(1000):
        u, v = uniforms(block)
        u -= 0.5
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= 0.9277 - 3.6224 / (b - 2):
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        hat = math.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / us**2 + b))
        if hat <= k * math.log(rate) - rate - math.lgamma(k + 1):
            return k
    raise AssertionError("no acceptance")
