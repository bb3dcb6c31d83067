"""checkpoint: the same derivatives from less memory; stop_gradient."""

from collections.abc import Callable
from typing import Any

import pytest
from support import close, numbers

import lucid
from lucid.func import (
    checkpoint,
    custom_vjp,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    psum,
    vjp,
    vmap,
)

X = lucid.tensor(numbers(3, 4), dtype=lucid.float64)
W = lucid.tensor(numbers(4, 4, seed=1), dtype=lucid.float64)


def network(wrap: Callable[[Any], Any]) -> Callable[..., lucid.Tensor]:
    """Captures w, looks at its values, nests, and has structures for arguments and results."""

    def f(x: lucid.Tensor, w: lucid.Tensor = W) -> lucid.Tensor:
        @wrap
        def inner(x: lucid.Tensor) -> lucid.Tensor:
            return (w @ x).tanh() * x.exp()

        @wrap
        def layer(state: dict[str, Any], *, gain: float) -> Any:
            h = inner(state["x"]) * gain
            if h.sum() > 2:
                h = h.sin()
            return {"x": h * state["total"], "total": h.sum()}, None

        state: Any = {"x": x, "total": x.sum()}
        for _ in range(3):
            state, nothing = layer(state, gain=0.5)
            assert nothing is None
        return state["x"].sum() + state["total"]

    return f


WAYS: dict[str, Callable[[Any], Any]] = {
    "value": lambda f: f(X[0]),
    "grad": lambda f: grad(f)(X[0]),
    "of a capture": lambda f: grad(lambda w: f(X[0], w))(W),
    "vmap(grad)": lambda f: vmap(grad(f))(X),
    "grad(vmap)": lambda f: grad(lambda x: vmap(f)(x).sin().sum())(X),
    "vmap(grad) of a capture": lambda f: vmap(lambda x: grad(lambda w: f(x, w))(W))(X),
    "jvp": lambda f: jvp(f, (X[0],), (X[1],))[1],
    "jvp(vmap)": lambda f: jvp(vmap(f), (X,), (X.cos(),))[1],
    "vjp twice": lambda f: (lambda pull: pull(X[0, 0])[0] + pull(X[1, 1])[0])(vjp(f, X[0])[1]),
    "linearize": lambda f: linearize(f, X[0])[1](X[1]),
    "jacrev(grad)": lambda f: jacrev(grad(f))(X[0]),
    "hessian": lambda f: hessian(f)(X[0]),
    "vmap(hessian)": lambda f: vmap(hessian(f))(X),
    "grad(grad)": lambda f: grad(lambda x: grad(f)(x).sin().sum())(X[0]),
    "jacfwd(vmap)": lambda f: jacfwd(vmap(f))(X),
    "isolated": lambda f: vmap(grad(f), strategy="isolated")(X),
    "chunks": lambda f: vmap(grad(f), chunk_size=2)(X),
}


@pytest.mark.parametrize("way", WAYS)
def test_derivatives(way: str) -> None:
    close(WAYS[way](network(checkpoint)), WAYS[way](network(lambda f: f)), rtol=1e-12)


def test_backward() -> None:
    x, w = X[0].requires_grad_(), W.clone().requires_grad_()
    f = network(checkpoint)
    f(x, w).backward()
    close(x.grad, grad(f)(X[0].detach()))
    close(w.grad, grad(lambda w: f(X[0].detach(), w))(W))


def test_random_numbers_are_drawn_once() -> None:
    def f(x: lucid.Tensor) -> lucid.Tensor:
        mask = lucid.bernoulli(lucid.full((4,), 0.5))
        return (x * mask).sin().sum()

    def run(f: Any) -> Any:
        lucid.manual_seed(3)
        g = vmap(grad(lambda x: f(f(x) * x)), randomness="different")(X)
        return g, lucid.get_rng_state()

    (a, state), (b, other) = run(checkpoint(f)), run(f)
    close(a, b)
    assert state == other


def test_the_function_runs_once() -> None:
    runs = []

    @checkpoint
    def f(x: lucid.Tensor) -> lucid.Tensor:
        runs.append(x)
        return x.sin()

    pull = vjp(lambda x: f(f(x)), X)[1]
    pull(X)
    pull(X)
    assert len(runs) == 2


def test_rules_and_collectives_inside() -> None:
    @custom_vjp
    def scaled(x: lucid.Tensor) -> lucid.Tensor:
        return x.sin()

    scaled.defvjp(lambda x: (x.sin(), (x.exp(), x)), lambda r, ct: (ct * r[0] * r[1].cos(),))
    f = lambda x: psum(scaled(x * x).exp(), "b").sum()  # noqa: E731
    g = checkpoint(f)
    close(vmap(grad(g), axis_name="b")(X), vmap(grad(f), axis_name="b")(X), rtol=1e-12)
    total = lambda f: lambda x: vmap(f, axis_name="b")(x).sum()  # noqa: E731
    close(grad(total(g))(X), grad(total(f))(X), rtol=1e-12)
    inside = lambda f: lambda x: scaled(f(x)).sum()  # noqa: E731
    h = checkpoint(lambda x: x.tanh() * x)
    close(grad(inside(h))(X[0]), grad(inside(lambda x: x.tanh() * x))(X[0]), rtol=1e-12)


def test_errors() -> None:
    @checkpoint
    def fails(x: Any) -> Any:
        raise KeyError("from inside")

    with pytest.raises(KeyError, match="from inside"):
        grad(checkpoint(fails))(X[0])
    with pytest.raises(
        TypeError, match=r"checkpoint\(\): argument 'func' must be callable, not int"
    ):
        checkpoint(3)  # type: ignore[arg-type]
    close(grad(lambda x: x.sum())(X[0]), lucid.ones(4, dtype=lucid.float64))


def test_names() -> None:
    def layer() -> None:
        """Of layers."""

    assert checkpoint(layer).__name__ == "layer"
    assert checkpoint(layer).__doc__ == "Of layers."


# -- stop_gradient ------------------------------------------------------------------------------


def test_stop_gradient() -> None:
    stop = lucid.stop_gradient
    x = X[0]
    close(grad(lambda x: (x * stop(x)).sum())(x), x)
    close(jvp(lambda x: x * stop(x), (x,), (x,))[1], x * x)
    close(vmap(grad(lambda x: (x * stop(x)).sum()))(X), X)
    close(grad(lambda x: vmap(lambda r: (r * stop(r)).sum())(x).sum())(X), X)
    assert hessian(lambda x: (stop(x) ** 2).sum())(x).abs().sum().item() == 0
    y = stop({"x": x, "rest": (1, None, "text", [x])})
    close(y["x"], x)
    assert y["rest"][:3] == (1, None, "text")
    close(y["rest"][3][0], x)
    w = x.clone().requires_grad_()
    assert not stop(w).requires_grad
