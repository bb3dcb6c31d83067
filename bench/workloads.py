"""What is measured: each workload is a kind of function, and inputs for it.

A kind is a function of one example, mapped over a batch; functions_*.py and c/workloads.c say it
in the words of each library. The first list is the table that `make bench` shows; the second has
neighbours of each in shape, dtype and axis, because a library is only as fast as it is beside the
shapes it was tuned on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Input:
    """An array: `fill` is "normal SCALE", "uniform LOW HIGH", "classes N", "integers"; of matrices
    "regular" or "spd".
    """

    shape: tuple[int, ...]
    fill: str = "normal"
    dtype: str = "float32"
    mapped: bool = True  # has the batch as its first dim

    def make(self, rng: np.random.Generator) -> np.ndarray:
        name, *numbers = self.fill.split()
        if name == "uniform":
            x = rng.uniform(float(numbers[0]), float(numbers[1]), self.shape)
        elif name == "classes":
            return rng.integers(0, int(numbers[0]), self.shape)
        elif name == "integers":
            return rng.integers(-(2**31), 2**31, self.shape).astype(self.dtype)
        elif name in ("regular", "spd"):
            n = self.shape[-1]  # the diagonal outweighs its row: far from singular, all of them
            x = rng.uniform(-1, 1, self.shape)
            if name == "spd":
                x = x @ x.swapaxes(-1, -2)
            x += (n + 1) * np.eye(n)
        else:
            x = float(numbers[0] if numbers else 1) * rng.standard_normal(self.shape)
        return x.astype(self.dtype)


@dataclass(frozen=True)
class Workload:
    """One line of a table."""

    name: str
    kind: str
    text: str
    given: tuple[Input, ...]
    in_dim: int = 0  # where the mapped inputs carry the batch
    tolerance: float = 1e-5  # of the largest magnitude in a result
    outliers: float = 0.0  # share of elements that may differ by more
    random: bool = False  # results are compared by their distribution
    aim: float | None = None  # lucid's time over the best peer's, at most

    def in_dims(self) -> tuple[int | None, ...]:
        return tuple(min(self.in_dim, len(x.shape) - 1) if x.mapped else None for x in self.given)

    def inputs(self) -> Arrays:
        rng = np.random.default_rng(7)
        arrays = [x.make(rng) for x in self.given]
        return [
            a if dim is None else np.ascontiguousarray(np.moveaxis(a, 0, dim))
            for a, dim in zip(arrays, self.in_dims(), strict=True)
        ]

    def neighbour(self, what: str, **changes: object) -> Workload:
        return replace(self, name=f"{self.name} {what}", text=what, aim=None, **changes)

    def double(self) -> Workload:
        """The same in float64."""
        given = tuple(replace(x, dtype="float64") for x in self.given)
        return self.neighbour("float64", given=given, tolerance=1e-6 * self.tolerance)


def rows(*shape: int, fill: str = "normal", dtype: str = "float32") -> tuple[Input, ...]:
    return (Input(shape, fill, dtype),)


def options(n: int) -> tuple[Input, ...]:
    """Spot, strike, years, rate, volatility."""
    ranges = ("50 150", "50 150", "0.1 2", "0 0.1", "0.1 0.5")
    return tuple(Input((n,), f"uniform {r}") for r in ranges)


def network(samples: int, width: int, hidden: int, classes: int) -> tuple[Input, ...]:
    """Weights and biases of two layers, samples, their classes."""
    weights = [(hidden, width), (hidden,), (classes, hidden), (classes,)]
    return (
        *(Input(shape, "normal 0.1", mapped=False) for shape in weights),
        Input((samples, width)),
        Input((samples,), f"classes {classes}"),
    )


def layers(points: int, width: int, hidden: int, out: int | None) -> tuple[Input, ...]:
    """Weights of two layers (the second a vector: one output) and points."""
    second = (hidden,) if out is None else (out, hidden)
    return (
        Input((hidden, width), "normal 0.3", mapped=False),
        Input(second, "normal 0.3", mapped=False),
        Input((points, width)),
    )


def plane(side: int) -> tuple[Input, ...]:
    """Real and imaginary parts of points of the complex plane."""
    return (Input((side * side,), "uniform -2 0.6"), Input((side * side,), "uniform -1.2 1.2"))


WORKLOADS = (
    Workload("W1", "square_sum", "vmap(grad(sum(x**2))), X (32, 4)", rows(32, 4), aim=0.8),
    Workload("W1b", "square_sum", "the same, X (1e6, 4)", rows(1_000_000, 4), aim=1.0),
    Workload(
        "W2",
        "chain",
        "vmap(grad(sum(tanh(x)*exp(-x*x) + log1p(abs(x))))), X (1e5, 64)",
        rows(100_000, 64),
        aim=0.8,
    ),
    Workload(
        "W3",
        "black_scholes",
        "Black-Scholes call price and its 5 partial derivatives, 1e6 options",
        options(1_000_000),
        tolerance=1e-4,
        aim=0.5,
    ),
    Workload(
        "W4",
        "mlp",
        "per-sample gradients, MLP 784-128-10 tanh + cross entropy, 256 samples",
        network(256, 784, 128, 10),
        aim=0.6,
    ),
    Workload(
        "W5",
        "jacobian",
        "vmap(jacrev(g)), g: 16 -> 32 tanh -> 16, 1024 points",
        layers(1024, 16, 32, 16),
        aim=0.5,
    ),
    Workload(
        "W6",
        "hessian",
        "vmap(hessian(h)), h: 8 -> 32 tanh -> 1, 1024 points",
        layers(1024, 8, 32, None),
        aim=0.5,
    ),
    Workload(
        "W7a",
        "solve",
        "solve, 1e5 systems 4 x 4",
        (Input((100_000, 4, 4), "regular"), Input((100_000, 4))),
        tolerance=1e-4,
        aim=0.15,
    ),
    Workload(
        "W7b",
        "inv",
        "inverse, 1e5 of 4 x 4",
        rows(100_000, 4, 4, fill="regular"),
        tolerance=1e-4,
        aim=0.15,
    ),
    Workload(
        "W7c", "cholesky", "Cholesky, 1e5 of 4 x 4", rows(100_000, 4, 4, fill="spd"), aim=0.15
    ),
    Workload("W7d", "matmul", "4 x 4 @ 4 x 4, 1e5", 2 * rows(100_000, 4, 4), aim=0.15),
    Workload(
        "W8",
        "mandelbrot",
        "Mandelbrot escape count as while_loop, 512 x 512 points, at most 1000 steps",
        plane(512),
        tolerance=1e-6,
        outliers=0.01,
        aim=0.05,
    ),
    Workload(
        "W9",
        "lorenz",
        "Lorenz system, 1000 steps of RK4 as fori_loop, 1e4 initial states",
        rows(10_000, 3),
        tolerance=1e-3,
        outliers=0.01,
        aim=0.25,
    ),
    Workload(
        "W11",
        "paths",
        'exp of the scaled sum of 252 standard normals, 1e5 paths, randomness="different"',
        rows(100_000, fill="uniform 50 150"),
        random=True,
        aim=0.2,
    ),
    Workload("W16", "sort", "sort rows, (1e4, 256)", rows(10_000, 256), aim=0.2),
)


def around(name: str) -> Iterator[Workload]:
    """The neighbours of one workload."""
    w = find(name)
    yield w.double()
    if name == "W1":
        yield w.neighbour("X (33, 5)", given=rows(33, 5))
        yield w.neighbour("X (1000, 100)", given=rows(1000, 100))
        yield w.neighbour("X (4, 32), in_dims=1", in_dim=1)
    elif name == "W1b":
        yield w.neighbour("X (1e5, 37)", given=rows(100_000, 37))
        yield w.neighbour("X (4, 1e6), in_dims=1", in_dim=1)
        yield w.neighbour("X (4e6, 1)", given=rows(4_000_000, 1))
    elif name == "W2":
        yield w.neighbour("X (1e5, 63)", given=rows(100_000, 63))
        yield w.neighbour("X (1e6, 6)", given=rows(1_000_000, 6))
        yield w.neighbour("X (64, 1e5), in_dims=1", in_dim=1)
    elif name == "W3":
        yield w.neighbour("1000 options", given=options(1000))
        yield w.neighbour("123457 options", given=options(123_457))
    elif name == "W4":
        yield w.neighbour("100 samples, 100-50-7", given=network(100, 100, 50, 7))
        yield w.neighbour("1024 samples, 64-32-10", given=network(1024, 64, 32, 10))
        yield w.neighbour("samples in columns, in_dims=1", in_dim=1)
    elif name == "W5":
        yield w.neighbour("jacfwd", kind="jacobian_forward")
        yield w.neighbour("1000 points, 5 -> 20 -> 3", given=layers(1000, 5, 20, 3))
        yield w.neighbour("100 points, 64 -> 64 -> 64", given=layers(100, 64, 64, 64))
    elif name == "W6":
        yield w.neighbour("1000 points, 5 -> 20 -> 1", given=layers(1000, 5, 20, None))
        yield w.neighbour("64 points, 32 -> 64 -> 1", given=layers(64, 32, 64, None))
    elif name in ("W7a", "W7b", "W7c", "W7d"):
        for n, count in ((2, 100_000), (3, 100_000), (7, 20_000), (16, 4000), (33, 500)):
            given = tuple(replace(x, shape=(count, *(n for _ in x.shape[1:]))) for x in w.given)
            yield w.neighbour(f"{count} of {n} x {n}", given=given)
    elif name == "W8":
        yield w.neighbour("100 x 100 points", given=plane(100))
    elif name == "W9":
        yield w.neighbour("333 states", given=rows(333, 3))
        yield w.neighbour("as scan", kind="lorenz_scan")
        yield w.neighbour("(3, 1e4), in_dims=1", in_dim=1)
    elif name == "W11":
        yield w.neighbour("1e3 paths", given=rows(1000, fill="uniform 50 150"))
    elif name == "W16":
        yield w.neighbour("(1e4, 255)", given=rows(10_000, 255))
        yield w.neighbour("(100, 1e4)", given=rows(100, 10_000))
        yield w.neighbour("(1e5, 9)", given=rows(100_000, 9))
        yield w.neighbour("(256, 1e4), in_dims=1", in_dim=1)
        yield w.neighbour("int32", given=rows(10_000, 256, fill="integers", dtype="int32"))
        yield w.neighbour("argsort", kind="argsort")


def find(name: str) -> Workload:
    return next(w for w in WORKLOADS if w.name == name)
