"""Functions with rules of their own, under every word of up to three transforms. Most rules are not
what the function itself would give, so that it shows where they were used."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import pytest
from oracle import JAX, LUCID, Library, agree, random
from test_nesting import WRAP, apply

from lucid import func

FAMILY = "custom rules"
RULES = {"lucid": func, "jax": jax}


def odd_derivative(lib: Library) -> Any:
    """sin, with the derivative 3 x."""

    @RULES[lib.name].custom_jvp
    def f(x: Any) -> Any:
        return lib.math.sin(x)

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        return f(primals[0]), 3 * primals[0] * tangents[0]

    return f


def stable(lib: Library) -> Any:
    """log(1 + exp(x)), with the derivative written so that it cannot overflow."""

    @RULES[lib.name].custom_jvp
    def f(x: Any) -> Any:
        return lib.math.log(1 + lib.math.exp(x))

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (dx,) = primals, tangents
        return f(x), (1 - 1 / (1 + lib.math.exp(x))) * dx

    return f


def product(lib: Library) -> Any:
    """x y summed, with a rule that weighs its two tangents."""

    @RULES[lib.name].custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * y

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, y), (dx, dy) = primals, tangents
        return f(x, y), 2 * y * dx + 5 * x * dy

    return lambda x: f(x, lib.math.cos(x)) + x.sum()


def clipped(lib: Library) -> Any:
    """The identity, whose cotangents are clipped."""

    @RULES[lib.name].custom_vjp
    def f(x: Any) -> Any:
        return x * 1

    f.defvjp(
        lambda x: (x * 1, x),
        lambda x, ct: (lib.math.minimum(lib.math.maximum(ct, -0.5 + 0 * ct), 0.5 + 0 * ct),),
    )
    return lambda x: f(x) * lib.math.sin(x)


def straight_through(lib: Library) -> Any:
    """round, which passes cotangents on as they are."""

    @RULES[lib.name].custom_vjp
    def f(x: Any) -> Any:
        return lib.math.round(3 * x) / 3

    f.defvjp(lambda x: (f(x), None), lambda _, ct: (ct,))
    return lambda x: f(x) * x


def residuals(lib: Library) -> Any:
    """Residuals of several shapes, and a cotangent that depends on all elements."""

    @RULES[lib.name].custom_vjp
    def f(x: Any) -> Any:
        return lib.math.tanh(x) * (x * x).sum()

    def bwd(kept: Any, ct: Any) -> Any:
        x, total = kept
        return (ct * total + (ct * x).sum() * lib.math.cos(x),)

    f.defvjp(lambda x: (lib.math.tanh(x) * (x * x).sum(), (x, (x * x).sum())), bwd)
    return f


BY_JVP = {"odd derivative": odd_derivative, "stable": stable, "two arguments": product}
BY_VJP = {"clipped": clipped, "straight through": straight_through, "residuals": residuals}
REVERSE = {"vmap", "vmap -1", "grad", "vjp", "jacrev"}  # JAX has no forward mode of custom_vjp

WORDS = [word for n in (1, 2, 3) for word in itertools.product(WRAP, repeat=n)]
WORDS = [word for word in WORDS if sum(name.startswith("jac") for name in word) < 2]
CASES = [(name, word) for name in BY_JVP for word in WORDS if len(word) < 3 or "vmap" in word]
CASES += [
    (name, word)
    for name in BY_VJP
    for word in WORDS
    if REVERSE.issuperset(word) and sum(not name.startswith("vmap") for name in word) < 2
]


@pytest.mark.parametrize(("name", "word"), CASES)
def test_word(name: str, word: tuple[str, ...]) -> None:
    x = random(2, 3, 2) if len(word) == 3 else random(3, 2)
    make = {**BY_JVP, **BY_VJP}[name]
    agree(*[apply(lib, word, make(lib))(lib.tensor(x)) for lib in (LUCID, JAX)], tolerance=1e-8)


def test_arguments_that_are_not_differentiated() -> None:
    x = random(4, 3)

    def run(lib: Library) -> Any:
        custom = RULES[lib.name].custom_jvp
        f = custom(lambda g, x: g(x) * 2, nondiff_argnums=(0,))
        f.defjvp(lambda g, primals, tangents: (f(g, primals[0]), tangents[0] * 7))
        return lib.vmap(lib.grad(lambda v: f(lib.math.sin, v).sum()))(lib.tensor(x))

    agree(run(LUCID), run(JAX))
