"""Rules that are linear in tangents or cotangents: through loops, branches, linear systems."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import close

import lucid
from lucid.func import (
    compile,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)

Function = Callable[[lucid.Tensor], lucid.Tensor]

X = lucid.tensor([1.5, 2.5])
COS = np.cos([1.5, 2.5])
TWO = 2 * lucid.eye(2)

# -- custom_jvp: rules of sin, which do something to cos(x) dx -------------------------------------


def scale(x: lucid.Tensor) -> lucid.Tensor:
    return x.cos()


JVP_RULES: dict[str, Callable[[lucid.Tensor, lucid.Tensor], lucid.Tensor]] = {
    "fori": lambda x, d: lucid.fori_loop(0, 4, lambda i, w: w * 1.0, d) * scale(x),
    "fori from zeros": lambda x, d: (
        lucid.fori_loop(0, 4, lambda i, w: w + i * d, lucid.zeros_like(d)) * scale(x) / 6
    ),
    "scan": lambda x, d: (
        lucid.scan(lambda w, t: (w + t * d * x.cos(), w), lucid.zeros_like(d), lucid.ones(4))[0] / 4
    ),
    "scan, its ys": lambda x, d: (
        lucid.scan(lambda w, t: (w, w * t), d, lucid.ones(4))[1].mean(0) * scale(x)
    ),
    "scan, over tangents": lambda x, d: (
        lucid.scan(lambda w, t: (w + t, t), lucid.zeros_like(d[0]), d)[1] * scale(x)
    ),
    "cond": lambda x, d: lucid.cond(
        x.sum() > 0, lambda a, b: a * scale(b), lambda a, b: a * 0.0, d, x
    ),
    "switch": lambda x, d: lucid.switch(
        lucid.tensor(1), [lambda a: a * 0.0, lambda a: a * scale(x), lucid.zeros_like], d
    ),
    "while": lambda x, d: (
        lucid.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * 1.0), (0, d), max_steps=5)[
            1
        ]
        * scale(x)
    ),
    "map": lambda x, d: lucid.map(lambda a: a[0] * scale(a[1]), (d, x)),
    "nested": lambda x, d: (
        lucid.fori_loop(
            0,
            2,
            lambda i, w: lucid.fori_loop(0, 2, lambda j, u: u + d, w),
            lucid.zeros_like(d),
        )
        * scale(x)
        / 4
    ),
    "solve": lambda x, d: 2 * lucid.linalg.solve(TWO, d) * scale(x),
    "solve in a loop": lambda x, d: (
        4 * lucid.fori_loop(0, 2, lambda i, w: lucid.linalg.solve(TWO, w), d) * scale(x)
    ),
    "where in a loop": lambda x, d: (
        lucid.fori_loop(0, 3, lambda i, w: lucid.where(i < 3, w, 0.0), d) * scale(x)
    ),
    "a loop over primals": lambda x, d: (
        lucid.fori_loop(0, 3, lambda i, w: w * scale(x), lucid.ones(2)) * d / scale(x) ** 2
    ),
}


def by_jvp(name: str) -> Function:
    f = custom_jvp(lambda x: x.sin())
    rule = JVP_RULES[name]
    f.defjvp(lambda primals, tangents: (primals[0].sin(), rule(primals[0], tangents[0])))
    return f


def total(f: Function) -> Function:
    return lambda x: f(x).sum()


def in_scan(f: Function) -> Function:
    return lambda x: lucid.scan(lambda c, t: (f(x) * 1.0, c), x, lucid.zeros(2))[0].sum()


def in_cond(f: Function) -> Function:
    return lambda x: lucid.cond(x.sum() > 0, f, lambda a: a, x).sum()


TRANSFORMS: dict[str, tuple[Callable[[Function], Callable[..., Any]], Any]] = {
    "grad": (lambda f: grad(total(f)), COS),
    "grad of compile": (lambda f: grad(compile(total(f))), COS),
    "compile of grad": (lambda f: compile(grad(total(f))), COS),
    "grad in scan": (lambda f: grad(in_scan(f)), COS),
    "grad in cond": (lambda f: grad(in_cond(f)), COS),
    "vmap of grad": (lambda f: lambda x: vmap(grad(total(f)))(x[None])[0], COS),
    "grad of vmap": (lambda f: grad(lambda x: vmap(f)(x[None]).sum()), COS),
    "linearize": (lambda f: lambda x: linearize(f, x)[1](lucid.ones(2)), COS),
    "vjp": (lambda f: lambda x: vjp(f, x)[1]()[0], COS),
    "jacrev": (jacrev, np.diag(COS)),
    "jacfwd": (jacfwd, np.diag(COS)),
    "hessian": (lambda f: hessian(total(f)), -np.diag(np.sin([1.5, 2.5]))),
    "grad of grad": (lambda f: grad(lambda x: grad(total(f))(x).sum()), -np.sin([1.5, 2.5])),
}


@pytest.mark.parametrize("name", JVP_RULES)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_control_flow_on_tangents(name: str, transform: str) -> None:
    derive, expected = TRANSFORMS[transform]
    close(derive(by_jvp(name))(X), expected, rtol=1e-4)


NOT_LINEAR: dict[str, Callable[[lucid.Tensor, lucid.Tensor], lucid.Tensor]] = {
    "a product": lambda x, d: lucid.fori_loop(0, 2, lambda i, w: w * d, d),
    "a condition": lambda x, d: lucid.while_loop(
        lambda w: w.sum() < 10, lambda w: w * 2, d, max_steps=9
    ),
    "a branch": lambda x, d: lucid.cond(d.sum() > 0, lambda a: a, lambda a: a * 2, d),
    "a number added": lambda x, d: d + 1.0,
    "a value added": lambda x, d: d + x,
    "a value added in a loop": lambda x, d: lucid.fori_loop(0, 2, lambda i, w: w + x, d),
    "one branch constant": lambda x, d: lucid.cond(x.sum() > 0, lambda a: a, lambda a: x, d),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_rules_that_are_not_linear_are_refused(name: str) -> None:
    f = custom_jvp(lambda x: x.sin())
    f.defjvp(
        lambda primals, tangents: (primals[0].sin(), NOT_LINEAR[name](primals[0], tangents[0]))
    )
    for g in (total(f), compile(total(f)), lambda x: vmap(f)(x[None]).sum()):
        with pytest.raises(RuntimeError, match="on a tangent, in which it is not linear"):
            grad(g)(X)


# -- custom_vjp: y = A y + x, whose derivative solves w = A^T w + ct ------------------------------

A = lucid.tensor([[0.2, 0.1], [0.3, -0.2]])
J = np.linalg.inv(np.eye(2) - A.numpy())

LINEAR_BWDS: dict[str, Callable[[lucid.Tensor], lucid.Tensor | None]] = {
    "fori": lambda ct: lucid.fori_loop(0, 40, lambda i, w: A.T @ w + ct, ct),
    "fori from zeros": lambda ct: lucid.fori_loop(
        0, 40, lambda i, w: A.T @ w + ct, lucid.zeros_like(ct)
    ),
    "while, counted": lambda ct: lucid.while_loop(
        lambda s: s[0] < 40, lambda s: (s[0] + 1, A.T @ s[1] + ct), (0, ct), max_steps=40
    )[1],
    "scan": lambda ct: lucid.scan(lambda w, t: (A.T @ w + ct, w), ct, lucid.zeros(40))[0],
    "solve": lambda ct: lucid.linalg.solve((lucid.eye(2) - A).T, ct),
    "cond": lambda ct: lucid.cond(
        A.sum() > 0,
        lambda c: lucid.linalg.solve((lucid.eye(2) - A).T, c),
        lambda c: c,
        ct,
    ),
    "inverse": lambda ct: lucid.linalg.inv(lucid.eye(2) - A).T @ ct,
    "indices": lambda ct: lucid.stack([ct[0], ct[1]]).flip(0).flip(0) @ lucid.tensor(J),
}


def fixed_point(bwd: Callable[[lucid.Tensor], Any]) -> Function:
    f = custom_vjp(lambda x: lucid.tensor(J, dtype=lucid.float32) @ x)
    f.defvjp(lambda x: (lucid.tensor(J, dtype=lucid.float32) @ x, None), lambda res, ct: (bwd(ct),))
    return f


FORWARD: dict[str, Callable[[Function], Callable[..., Any]]] = {
    "jacfwd": jacfwd,
    "jacfwd of compile": lambda f: jacfwd(compile(f)),
    "compile of jacfwd": lambda f: compile(jacfwd(f)),
    "vmap of jacfwd": lambda f: lambda x: vmap(jacfwd(f))(x[None])[0],
    "jacfwd of vmap": lambda f: jacfwd(lambda x: vmap(f)(x[None])[0]),
    "jacfwd in scan": lambda f: jacfwd(
        lambda x: lucid.scan(lambda c, t: (f(c) * 1.0, c), x, lucid.zeros(1))[0]
    ),
    "jvp": lambda f: lambda x: lucid.stack(
        [jvp(f, (x,), (lucid.eye(2)[i],))[1] for i in range(2)], -1
    ),
    "jacrev": jacrev,
}


@pytest.mark.parametrize("name", LINEAR_BWDS)
@pytest.mark.parametrize("transform", FORWARD)
def test_forward_mode_transposes_a_linear_bwd(name: str, transform: str) -> None:
    close(FORWARD[transform](fixed_point(LINEAR_BWDS[name]))(X), J, rtol=1e-4)


def converging(ct: lucid.Tensor) -> lucid.Tensor:
    """Stops when w does, which for a cotangent of zero is at once."""
    return lucid.while_loop(
        lambda s: (s[0] - s[1]).abs().max() > 1e-6, lambda s: (A.T @ s[0] + ct, s[0]), (ct, ct * 2)
    )[0]


def asking(ct: lucid.Tensor) -> lucid.Tensor:
    return ct if ct.sum() == 0 else 2 * ct


NONLINEAR_BWDS: dict[str, Callable[[lucid.Tensor], Any]] = {
    "until convergence": converging,
    "asks for a value": asking,
    "item": lambda ct: ct * ct.sum().item(),
    "clips": lambda ct: ct.clamp(-1.0, 1.0),
    "square": lambda ct: ct * ct,
    "adds": lambda ct: ct + 1.0,
    "adds in a loop": lambda ct: lucid.fori_loop(0, 3, lambda i, w: w + 1.0, ct),
    "constant": lambda ct: lucid.ones(2),
    "branch": lambda ct: lucid.cond(ct.sum() > 0, lambda c: 2 * c, lambda c: c, ct),
}


@pytest.mark.parametrize("name", NONLINEAR_BWDS)
def test_forward_mode_refuses_a_bwd_that_it_cannot_see_to_be_linear(name: str) -> None:
    f = fixed_point(NONLINEAR_BWDS[name])
    for transform, make in FORWARD.items():
        if transform == "jacrev" or ("compile of" not in transform and name in RECORDED_ASKS):
            continue
        with pytest.raises(RuntimeError, match="custom_jvp"):
            make(f)(X)
    if name == "until convergence":
        close(jacrev(f)(X), J, rtol=1e-4)


RECORDED_ASKS = ("asks for a value", "item")


@pytest.mark.parametrize("name", RECORDED_ASKS)
def test_forward_mode_refuses_a_bwd_that_asks(name: str) -> None:
    f = fixed_point(NONLINEAR_BWDS[name])
    for transform in ("jacfwd", "vmap of jacfwd", "jacfwd of vmap", "jvp"):
        with pytest.raises(RuntimeError, match="custom_jvp"):
            FORWARD[transform](f)(X)


def test_a_bwd_of_none_is_zeros_forwards() -> None:
    close(jacfwd(fixed_point(lambda ct: None))(X), np.zeros((2, 2)))


@pytest.mark.parametrize("transform", ["grad", "grad of compile", "grad in scan", "jacfwd"])
def test_no_grad_in_a_rule_is_about_derivatives_of_the_rule(transform: str) -> None:
    f = custom_jvp(lambda x: x.sin())

    def rule(primals: Any, tangents: Any) -> Any:
        with lucid.no_grad():
            return primals[0].sin(), primals[0].cos() * tangents[0]

    f.defjvp(rule)
    derive, expected = TRANSFORMS[transform]
    close(derive(f)(X), expected)
    close(hessian(total(f))(X), np.zeros((2, 2)))


# -- reverse mode through loops: bwd gets the cotangents of its step -------------------------------


def clipped(x: lucid.Tensor) -> lucid.Tensor:
    f = custom_vjp(lambda x: x * 1)
    f.defvjp(lambda x: (x * 1, None), lambda _, ct: (ct.clamp(-1.0, 1.0),))
    return 1.5 * f(x)


def converged(x: lucid.Tensor) -> lucid.Tensor:
    def bwd(_: None, ct: lucid.Tensor) -> tuple[lucid.Tensor]:
        return (
            lucid.while_loop(
                lambda s: (s[0] - s[1]).abs().max() > 1e-6,
                lambda s: (A.T @ s[0] + ct, s[0]),
                (ct, ct * 2),
                max_steps=50,
            )[0],
        )

    f = custom_vjp(lambda x: lucid.linalg.solve(lucid.eye(2) - A, x))
    f.defvjp(lambda x: (lucid.linalg.solve(lucid.eye(2) - A, x), None), bwd)
    return 1.5 * f(x)


LOOPS: dict[str, Callable[[Function, lucid.Tensor], lucid.Tensor]] = {
    "scan": lambda f, x: lucid.scan(lambda c, t: (f(c), c), x, lucid.zeros(2))[0],
    "fori": lambda f, x: lucid.fori_loop(0, 2, lambda i, c: f(c), x),
    "while": lambda f, x: lucid.while_loop(
        lambda s: s[0] < 2, lambda s: (s[0] + 1, f(s[1])), (0, x), max_steps=4
    )[1],
    "cond": lambda f, x: lucid.cond(x.sum() > 0, lambda a: f(f(a)), lambda a: a, x),
    "nested": lambda f, x: lucid.fori_loop(
        0, 1, lambda i, c: lucid.fori_loop(0, 2, lambda j, d: f(d), c), x
    ),
    "map": lambda f, x: lucid.map(lambda y: f(f(y)), x[None])[0],
}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("f", [clipped, converged])
def test_bwd_gets_the_cotangents_of_its_step(f: Function, loop: str) -> None:
    def looped(x: lucid.Tensor) -> lucid.Tensor:
        return LOOPS[loop](f, x).sum()

    def unrolled(x: lucid.Tensor) -> lucid.Tensor:
        return f(f(x)).sum()

    several: list[Callable[[Function], Callable[..., Any]]] = [
        grad,
        lambda g: lambda x: vmap(grad(g))(lucid.stack([x, 2 * x])),
        lambda g: grad(lambda x: vmap(g)(lucid.stack([x, 2 * x])).sum()),
        lambda g: compile(grad(g)),
        lambda g: grad(compile(g)),
    ]
    for derive in several:
        close(derive(looped)(X), derive(unrolled)(X), rtol=1e-4)
