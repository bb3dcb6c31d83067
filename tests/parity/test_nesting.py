"""Every word of up to three transforms, applied to functions of any rank."""

from __future__ import annotations

import itertools

import pytest
from oracle import JAX, LUCID, Library, agree, random

FAMILY = "nested transforms"
WRAP = {
    "vmap": lambda lib, f: lib.vmap(f),
    "vmap -1": lambda lib, f: lib.vmap(f, -1, -1),
    "grad": lambda lib, f: lib.grad(lambda x: f(x).sum()),
    "jvp": lambda lib, f: lambda x: lib.jvp(f, (x,), (lib.math.cos(x),))[1],
    "vjp": lambda lib, f: lambda x: (lambda y, pull: pull(lib.math.sin(y))[0])(*lib.vjp(f, x)),
    "jacrev": lambda lib, f: lib.jacrev(f),
    "jacfwd": lambda lib, f: lib.jacfwd(f),
}
GROWING = {"jacrev", "jacfwd"}

FUNCTIONS = {
    "tanh(x) sum(x x) + x": lambda lib: lambda x: lib.math.tanh(x) * (x * x).sum() + x,
    "sin(exp(x / 2)) x": lambda lib: lambda x: lib.math.sin(lib.math.exp(x * 0.5)) * x,
    "x / (1 + sum(abs x))": lambda lib: lambda x: x / (1 + lib.math.abs(x).sum()),
}

WORDS = [
    word
    for length in (1, 2, 3)
    for word in itertools.product(WRAP, repeat=length)
    if sum(name in GROWING for name in word) < 3
]


def apply(lib: Library, word: tuple[str, ...], f):
    for name in reversed(word):
        f = WRAP[name](lib, f)
    return f


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("word", WORDS, ids=" of ".join)
def test_word(word: tuple[str, ...], function: str) -> None:
    x = random(2, 3, 2) if len(word) == 3 else random(3, 2)
    results = [apply(lib, word, FUNCTIONS[function](lib))(lib.tensor(x)) for lib in (LUCID, JAX)]
    agree(*results, tolerance=1e-8)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_hessian(function: str) -> None:
    x = random(2, 3)
    results = []
    for lib in (LUCID, JAX):
        scalar = lambda v, lib=lib: FUNCTIONS[function](lib)(v).sum()  # noqa: E731
        results.append(lib.hessian(scalar)(lib.tensor(x)))
    agree(*results)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_per_example_hessian(function: str) -> None:
    x = random(4, 3)
    results = []
    for lib in (LUCID, JAX):
        scalar = lambda v, lib=lib: FUNCTIONS[function](lib)(v).sum()  # noqa: E731
        results.append(lib.vmap(lib.hessian(scalar))(lib.tensor(x)))
    agree(*results)


@pytest.mark.parametrize("inner", [0, 1, None])
@pytest.mark.parametrize("outer", [0, 1, 2, None])
def test_pairs_of_in_dims(outer: int | None, inner: int | None) -> None:
    x, y = random(3, 3, 3), random(3, 3, 3, seed=1)

    def f(lib: Library):
        g = lambda a, b: lib.math.sin(a) * b.sum()  # noqa: E731
        return lib.vmap(lib.vmap(g, (0, inner)), (1, outer))

    agree(*[f(lib)(lib.tensor(x), lib.tensor(y)) for lib in (LUCID, JAX)])


def test_gradient_of_a_closure() -> None:
    x, y = random(3), random(4, 3)

    def f(lib: Library):
        u, v = lib.tensor(x), lib.tensor(y)
        inner = lambda w: lib.vmap(lambda r: lib.math.tanh(r * w).sum())(v).sum()  # noqa: E731
        return lib.grad(inner)(u)

    agree(f(LUCID), f(JAX))


def test_per_sample_gradients_of_a_network() -> None:
    w1, w2, x, y = random(5, 4), random(2, 5), random(6, 4), random(6, 2)

    def f(lib: Library):
        def loss(a, b, v, t):
            return ((b @ lib.math.tanh(a @ v) - t) ** 2).sum()

        per_sample = lib.vmap(lib.grad(loss, argnums=(0, 1)), (None, None, 0, 0))
        return per_sample(*map(lib.tensor, (w1, w2, x, y)))

    agree(f(LUCID), f(JAX))
