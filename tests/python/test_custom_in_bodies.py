"""Derivative rules inside loops, branches and compiled functions are kept.

The rules say something else than the derivative of the function does (3 times it), so that it
shows which of the two was used.
"""

from collections.abc import Callable
from typing import Any

import pytest
from support import close, numbers

import lucid
from lucid.func import (
    compile,
    custom_jvp,
    custom_vjp,
    custom_vmap,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    vmap,
)

X = lucid.tensor(numbers(3, 4), dtype=lucid.float64)
W = lucid.tensor(numbers(4, seed=1), dtype=lucid.float64)


@custom_jvp
def by_jvp(x: lucid.Tensor) -> lucid.Tensor:
    return x.sin()


@by_jvp.defjvp
def _(primals: Any, tangents: Any) -> Any:
    return by_jvp(primals[0]), 3 * primals[0].cos() * tangents[0]


@custom_vjp
def by_vjp(x: lucid.Tensor) -> lucid.Tensor:
    return x.sin()


def fwd(x: lucid.Tensor) -> Any:
    return by_vjp(x), (x, {"c": x.cos()})


def bwd(residuals: Any, ct: lucid.Tensor) -> Any:
    return (3 * residuals[1]["c"] * ct,)


by_vjp.defvjp(fwd, bwd)

FUNCTIONS = {"jvp": by_jvp, "vjp": by_vjp}

# What a function f of a vector of 4 to a number becomes, with f inside something that is recorded.
PLACES: dict[str, Callable[[Any], Callable[[lucid.Tensor], Any]]] = {
    "compile": lambda f: compile(lambda x: f(x).sum()),
    "compile of vmap": lambda f: compile(lambda x: vmap(f)(x).sum()),
    "compile of two vmaps": lambda f: compile(lambda x: vmap(vmap(f))(x.reshape(2, 2)).sum()),
    "vmap of another argument": lambda f: compile(
        lambda x: vmap(lambda z, y: f(y * z), in_dims=(None, 0))(x[0], x).sum()
    ),
    "fori": lambda f: lambda x: lucid.fori_loop(0, 3, lambda i, c: f(c) + x, x).sum(),
    "scan": lambda f: lambda x: lucid.scan(lambda c, z: (c * f(z), f(c)), x[0], x)[1].sum(),
    "while": lambda f: lambda x: lucid.while_loop(
        lambda c: c[0] < 3, lambda c: (c[0] + 1, f(c[1]) * x), (0, x), max_steps=5
    )[1].sum(),
    "cond": lambda f: lambda x: lucid.cond(x.sum() > 0, lambda x: f(x), lambda x: x, x).sum(),
    "loop in a loop": lambda f: lambda x: lucid.fori_loop(
        0, 2, lambda i, c: lucid.fori_loop(0, 2, lambda j, d: f(d), c), x
    ).sum(),
    "compile of a loop": lambda f: compile(
        lambda x: lucid.fori_loop(0, 2, lambda i, c: f(c), x).sum()
    ),
}

TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "value": lambda f: f,
    "grad": grad,
    "vmap": lambda f: lambda x: vmap(f)(X + x),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(X + x),
    "grad of vmap": lambda f: grad(lambda x: vmap(f)(X * x).sum()),
    "compile of grad": lambda f: compile(grad(f)),
}
BOTH_WAYS = {
    "jacfwd": jacfwd,
    "hessian": hessian,
    "jvp of grad": lambda f: lambda x: jvp(grad(f), (x,), (W,)),
    "jacrev of grad": lambda f: jacrev(grad(f)),
}


def written_out(rule: str) -> Callable[[lucid.Tensor], lucid.Tensor]:
    """The same value and derivative without a rule: the first derivative of f tripled."""
    del rule

    def f(x: lucid.Tensor) -> lucid.Tensor:
        return 3 * x.sin() - 2 * lucid.stop_gradient(x.sin())

    return f


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule", FUNCTIONS)
def test_rules_are_kept(rule: str, place: str, transform: str) -> None:
    f, plain = FUNCTIONS[rule], written_out(rule)
    got = TRANSFORMS[transform](PLACES[place](f))(W)
    want = TRANSFORMS[transform](PLACES[place](plain))(W)
    close(got, want, 1e-9)


@pytest.mark.parametrize("transform", BOTH_WAYS)
@pytest.mark.parametrize("place", ["compile", "fori", "scan", "cond"])
def test_second_derivatives_are_those_of_the_same_outside(place: str, transform: str) -> None:
    """Outside: the loop written in Python."""
    outside: dict[str, Callable[[lucid.Tensor], Any]] = {
        "compile": lambda x: by_jvp(x).sum(),
        "fori": lambda x: (by_jvp(by_jvp(by_jvp(x) + x) + x) + x).sum(),
        "cond": lambda x: by_jvp(x).sum(),
        "scan": scanned,
    }
    got = BOTH_WAYS[transform](PLACES[place](by_jvp))(W)
    want = BOTH_WAYS[transform](outside[place])(W)
    for a, b in zip(*([v] if isinstance(v, lucid.Tensor) else v for v in (got, want)), strict=True):
        close(a, b, 1e-9)


def scanned(x: lucid.Tensor) -> lucid.Tensor:
    c, total = x[0], 0 * x[0]
    for t in range(4):
        total = total + by_jvp(c)
        c = c * by_jvp(x[t])
    return total


def test_orders_that_were_not_recorded() -> None:
    f: Any = compile(lambda x: by_jvp(x))
    x = lucid.tensor(0.5, dtype=lucid.float64)
    for _ in range(4):
        f = grad(f)
        f(x)
    with pytest.raises(RuntimeError, match="differentiated more than 4 times"):
        grad(f)(x)


def test_structures_and_captures() -> None:
    scale = lucid.tensor(2.0, dtype=lucid.float64)

    @custom_vjp
    def f(d: Any, n: Any) -> Any:
        return {"y": d["a"] * scale + d["b"][0], "n": n}

    def f_fwd(d: Any, n: Any) -> Any:
        return f(d, n), d["a"]

    def f_bwd(residual: lucid.Tensor, ct: Any) -> Any:
        return {"a": 10 * ct["y"] * scale, "b": [ct["y"] * residual]}, 0 * ct["n"]

    f.defvjp(f_fwd, f_bwd)

    def loss(x: lucid.Tensor) -> lucid.Tensor:
        out = f({"a": x, "b": [x * x]}, x)
        return out["y"].sum() + out["n"].sum()

    close(grad(compile(loss))(W), grad(loss)(W))
    close(vmap(grad(compile(loss)))(X), vmap(grad(loss))(X))


def test_a_batching_rule_cannot_be_kept() -> None:
    f = custom_vmap(lambda x: x * 2)
    f.def_vmap(lambda size, in_batched, x: (x * 2, 0))
    with pytest.raises(RuntimeError, match="a function with a batching rule of its own"):
        compile(f)(X)
