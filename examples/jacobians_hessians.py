"""Jacobians and Hessians: what jacrev and jacfwd are made of, and what they cost.

python examples/jacobians_hessians.py
"""

import time

import lucid
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

INPUTS, OUTPUTS, BATCH = 24, 16, 32


def layer(weight, bias, x):
    """ONE layer of a net: x (inputs) to (outputs)."""
    return (weight @ x + bias).tanh()


def energy(x):
    """A scalar of x (n), neither convex nor separable."""
    return (x**4).sum() / 4 - (x[1:] * x[:-1]).sum()


def same(a, b, tolerance=1e-4):
    assert a.shape == b.shape, (a.shape, b.shape)
    assert (a - b).abs().max() < tolerance


def milliseconds(f):
    """The best of a few runs, evaluated."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        lucid.eval(f())
        best = min(best, time.perf_counter() - start)
    return 1000 * best


def jacobian_by_rows(f, x):
    """One pullback per output: rows of the Jacobian, one after the other."""
    y, pull = vjp(f, x)
    return lucid.stack([pull(unit)[0] for unit in lucid.eye(y.shape[0])])


def jacobian_at_once(f, x):
    """The same pullback for all outputs together: this is jacrev."""
    y, pull = vjp(f, x)
    (rows,) = vmap(pull)(lucid.eye(y.shape[0]))
    return rows


def jacobian_by_columns(f, x):
    """A derivative in the direction of each input, all together: this is jacfwd."""
    return vmap(lambda unit: jvp(f, (x,), (unit,))[1], out_dims=1)(lucid.eye(x.shape[0]))


def jacobians():
    weight, bias, x = lucid.randn(OUTPUTS, INPUTS) / 4, lucid.randn(OUTPUTS), lucid.randn(INPUTS)

    def f(v):
        return layer(weight, bias, v)

    # d tanh(z) / dz = 1 - tanh(z)^2, and z = weight x + bias.
    exact = (1 - f(x) ** 2)[:, None] * weight
    ways = {
        "row by row": lambda: jacobian_by_rows(f, x),
        "vmap of vjp": lambda: jacobian_at_once(f, x),
        "vmap of jvp": lambda: jacobian_by_columns(f, x),
        "jacrev": lambda: jacrev(f)(x),
        "jacfwd": lambda: jacfwd(f)(x),
    }
    for name, way in ways.items():
        same(way(), exact)
        print(f"{name:12} {OUTPUTS} x {INPUTS}   {milliseconds(way):6.2f} ms")

    # Several arguments at once, and one Jacobian per example of a batch.
    by_weight, by_bias = jacrev(layer, argnums=(0, 1))(weight, bias, x)
    assert by_weight.shape == (OUTPUTS, OUTPUTS, INPUTS)
    same(by_bias, lucid.diag(1 - f(x) ** 2))
    xs = lucid.randn(BATCH, INPUTS)
    same(vmap(jacrev(f))(xs), lucid.stack([jacfwd(f)(v) for v in xs]))


def hessians():
    x = lucid.randn(INPUTS)
    exact = lucid.diag(3 * x**2)
    exact = exact - lucid.diag(lucid.ones(INPUTS - 1), 1) - lucid.diag(lucid.ones(INPUTS - 1), -1)
    for outer in (jacrev, jacfwd):
        for inner in (jacrev, jacfwd):
            same(outer(inner(energy))(x), exact)
    same(hessian(energy)(x), exact)

    # The Hessian times a vector needs no Hessian: the derivative of the gradient in that direction.
    v = lucid.randn(INPUTS)
    same(jvp(grad(energy), (x,), (v,))[1], exact @ v)
    same(grad(lambda p: grad(energy)(p) @ v)(x), exact @ v)

    xs = lucid.randn(BATCH, INPUTS)
    batch = vmap(hessian(energy))(xs)
    same(batch, lucid.stack([hessian(energy)(p) for p in xs]))
    print(f"hessian      {INPUTS} x {INPUTS} at {BATCH} points: {tuple(batch.shape)}")


def newton():
    """Minima of the energy from many starts: a linear solve with the Hessian under vmap."""

    def step(x):
        # A multiple of the identity keeps the matrix positive definite.
        shifted = hessian(energy)(x) + 2 * lucid.eye(x.shape[0])
        return x - lucid.linalg.solve(shifted, grad(energy)(x))

    xs = lucid.randn(BATCH, 6)
    for _ in range(60):
        xs = vmap(step)(xs)
    slope = vmap(grad(energy))(xs).norm(dim=1)
    assert slope.max() < 1e-3
    print(f"newton       {BATCH} starts, energies down to {vmap(energy)(xs).min():.3f}")


if __name__ == "__main__":
    lucid.manual_seed(0)
    jacobians()
    hessians()
    newton()
