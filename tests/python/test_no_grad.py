"""no_grad inside functions: what it computes is constant to the transforms around it."""

from collections.abc import Callable
from typing import Any

import pytest
from support import close

import lucid
import lucid.nn.functional as F
from lucid.func import checkpoint, compile, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

Function = Callable[[lucid.Tensor], lucid.Tensor]

X = lucid.tensor([1.5, 2.5])
ONES = lucid.ones(2)

TRANSFORMS: dict[str, Callable[[Function], Callable[..., Any]]] = {
    "grad": grad,
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "hessian": hessian,
    "vjp": lambda f: lambda x: vjp(f, x)[1]()[0],
    "jvp": lambda f: lambda x: jvp(f, (x,), (ONES,))[1],
    "linearize": lambda f: lambda x: linearize(f, x)[1](ONES),
    "grad of grad": lambda f: grad(lambda x: grad(f)(x).sum()),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(lucid.stack([x, 2 * x])),
    "grad of vmap": lambda f: grad(lambda x: vmap(f)(lucid.stack([x, 2 * x])).sum()),
    "grad of compile": lambda f: grad(compile(f)),
    "jacfwd of compile": lambda f: jacfwd(compile(f)),
    "compile of grad": lambda f: compile(grad(f)),
    "grad of checkpoint": lambda f: grad(checkpoint(f)),
}

STEPS = 1.1 * lucid.ones(3, 2)


def without(f: Callable[..., Any], *xs: lucid.Tensor) -> Any:
    with lucid.no_grad():
        return f(*xs)


def stopped(f: Callable[..., Any], *xs: lucid.Tensor) -> Any:
    return lucid.stop_gradient(f(*xs))


def product(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return (x * how(lambda a: a * a.sin(), x)).sum()


def scan(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    def step(c: lucid.Tensor, t: lucid.Tensor) -> tuple[lucid.Tensor, lucid.Tensor]:
        u = how(lambda a, b: a * b, c, t)
        return c * u, c + u

    c, ys = lucid.scan(step, x, STEPS)
    return c.sum() + ys.sum()


def fori(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return lucid.fori_loop(0, 3, lambda i, c: c * x + how(lambda a: a.sin(), c), x).sum()


def while_loop(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return lucid.while_loop(
        lambda c: c.sum() < 40, lambda c: c * x + how(lambda a: 1.5 * a, c), x, max_steps=9
    ).sum()


def cond(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    y = lucid.cond(x.sum() > 0, lambda a: a * how(lambda b: b.sin(), a), lambda a: a.cos(), x)
    return (y * x).sum()


def loop_outside(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    c = how(lambda a: lucid.scan(lambda c, t: (c * t, c), a, STEPS)[0], x)
    return (c * x).sum()


def grad_inside(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return (how(lambda a: grad(lambda b: (b**3).sum())(a), x) * x).sum()


def grad_outside(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return (grad(lambda b: (b * how(lambda a: a * a, b) * x).sum())(x) * x).sum()


def captured(how: Any, x: lucid.Tensor) -> lucid.Tensor:
    return vmap(lambda t: (x * how(lambda a, b: a * b, x, t)).sum())(STEPS).sum()


FUNCTIONS = [
    product,
    scan,
    fori,
    while_loop,
    cond,
    loop_outside,
    grad_inside,
    grad_outside,
    captured,
]


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_grad_is_stop_gradient_to_the_transforms_around_it(name: str, f: Any) -> None:
    transform = TRANSFORMS[name]
    close(transform(lambda x: f(without, x))(X), transform(lambda x: f(stopped, x))(X))


def test_as_a_decorator() -> None:
    @lucid.no_grad()
    def square(x: lucid.Tensor) -> lucid.Tensor:
        return x * x

    close(grad(lambda x: (x * square(x)).sum())(X), X * X)
    close(grad(lambda x: (x * lucid.no_grad(lambda a: a * a)(x)).sum())(X), X * X)
    close(grad(lucid.no_grad()(lambda x: (x**2).sum()))(X), [0.0, 0.0])


def test_a_transform_inside_no_grad_differentiates() -> None:
    w = lucid.tensor([1.5, 2.5], requires_grad=True)
    with lucid.no_grad():
        g = grad(lambda x: (x**3).sum())(w)
        close(g, 3 * X**2)
        close(jacfwd(lambda x: x * x)(X), lucid.diag(2 * X))
        close(compile(grad(lambda x: (x * x).sum()))(X), 2 * X)
    assert not g.requires_grad


def test_a_function_compiled_under_no_grad_can_be_differentiated_later() -> None:
    f = compile(lambda x: (x**2).sum())
    with lucid.no_grad():
        close(f(X), 8.5)
    close(grad(f)(X), 2 * X)


def test_derivatives_of_compiled_functions_end_where_recorded() -> None:
    w = lucid.tensor([1.5, 2.5], requires_grad=True)
    compile(lambda x: product(without, x))(w).backward()
    close(w.grad, X * X.sin())


def test_inner_levels_only() -> None:
    """The inner grad starts inside the block, so it alone goes through it."""

    def f(x: lucid.Tensor) -> lucid.Tensor:
        with lucid.no_grad():
            inner = grad(lambda y: (x * y * y).sum())(x)
        return (inner * x).sum()

    close(grad(f)(X), 2 * X * X)


UNCHANGED: dict[str, Callable[[lucid.Tensor], lucid.Tensor]] = {
    "reshape": lambda x: x.reshape(2),
    "flatten": lambda x: x.flatten(),
    "[:]": lambda x: x[:],
    "[...]": lambda x: x[...],
    "clone": lambda x: x.clone(),
    "T": lambda x: x.T,
    "permute": lambda x: x.permute(0),
    "expand": lambda x: x.expand(2),
    "roll": lambda x: lucid.roll(x, 0),
    "concatenate": lambda x: lucid.concatenate([x]),
    "atleast_1d": lambda x: lucid.atleast_1d(x),
    "pow": lambda x: x**1,
    "dropout": lambda x: F.dropout(x, 0.0),
}


@pytest.mark.parametrize("name", UNCHANGED)
def test_operations_that_change_nothing_are_operations(name: str) -> None:
    f = UNCHANGED[name]
    close(grad(lambda x: (x * without(f, x)).sum())(X), X)
    close(grad(compile(lambda x: (x * without(f, x)).sum()))(X), X)
    w = lucid.tensor([1.5, 2.5], requires_grad=True)
    assert not without(f, w).requires_grad
    assert f(w).requires_grad


def test_an_error_inside_leaves_nothing_behind() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        with lucid.no_grad():
            return x @ lucid.ones(3)

    with pytest.raises(ValueError, match="matmul"):
        grad(f)(X)
    close(grad(lambda x: (x**2).sum())(X), 2 * X)
