"""The neural tangent kernel of a net, three ways, and a regression with it.

python examples/tangent_kernel.py

Between two inputs it is the product of the Jacobians of the net by its parameters (Jacot, Gabriel,
Hongler 2018); a wide net trained by gradient descent fits as kernel regression with it does.
"""

import lucid
from lucid.func import jacrev, jvp, vjp, vmap

WIDTH, OUTPUTS = 64, 2


def new_net(inputs):
    return {
        "weight0": lucid.randn(WIDTH, inputs) / inputs**0.5,
        "bias0": 0.5 * lucid.randn(WIDTH),
        "weight1": lucid.randn(OUTPUTS, WIDTH) / WIDTH**0.5,
    }


def predict(net, x):
    """ONE input x (inputs) to (outputs)."""
    return net["weight1"] @ (net["weight0"] @ x + net["bias0"]).tanh()


def kernel_by_jacobians(net, x1, x2):
    """Both Jacobians for whole batches, then a contraction per parameter: (n1, n2, o, o)."""
    jacobian = vmap(jacrev(predict), in_dims=(None, 0))
    j1, j2 = jacobian(net, x1), jacobian(net, x2)
    pieces = [lucid.einsum("aoi,bpi->abop", j1[k].flatten(2), j2[k].flatten(2)) for k in net]
    return lucid.stack(pieces).sum(0)


def kernel_by_products(net, x1, x2):
    """J1 (J2^T v) for every unit vector v, pair by pair of inputs: no Jacobian is kept."""

    def pair(a, b):
        _, pull = vjp(lambda p: predict(p, b), net)

        def column(unit):
            return jvp(lambda p: predict(p, a), (net,), (pull(unit)[0],))[1]

        return vmap(column, out_dims=1)(lucid.eye(OUTPUTS))

    return vmap(vmap(pair, in_dims=(None, 0)), in_dims=(0, None))(x1, x2)


def kernel_by_loop(net, x1, x2):
    """The definition, pair by pair."""

    def flat(x):
        jacobian = jacrev(predict)(net, x)
        return lucid.cat([j.flatten(1) for j in jacobian.values()], 1)

    rows = [lucid.stack([flat(a) @ flat(b).T for b in x2]) for a in x1]
    return lucid.stack(rows)


def same_kernels():
    net = new_net(3)
    x1, x2 = lucid.randn(4, 3), lucid.randn(5, 3)
    kernels = [f(net, x1, x2) for f in (kernel_by_jacobians, kernel_by_products, kernel_by_loop)]
    for kernel in kernels:
        assert kernel.shape == (4, 5, OUTPUTS, OUTPUTS)
        assert (kernel - kernels[0]).abs().max() < 1e-3
    print(f"kernel      {tuple(kernels[0].shape)}: Jacobians, products and the loop agree")


def regression():
    """Where training would take the net, by one linear system."""

    def target(x):
        return lucid.stack([(2 * x[0]).sin(), x[0] ** 2 / 2])

    net = new_net(1)
    x, grid = 4 * lucid.rand(24, 1) - 2, lucid.linspace(-1.5, 1.5, 9)[:, None]
    start = vmap(predict, in_dims=(None, 0))
    n = x.shape[0] * OUTPUTS

    def matrix(kernel):
        a, b = kernel.shape[:2]
        return kernel.permute(0, 2, 1, 3).reshape(a * OUTPUTS, b * OUTPUTS)

    system = matrix(kernel_by_products(net, x, x)) + 1e-3 * lucid.eye(n)
    residual = (vmap(target)(x) - start(net, x)).flatten()
    weights = lucid.linalg.solve(system, residual)
    change = matrix(kernel_by_products(net, grid, x)) @ weights
    error = (start(net, grid) + change.reshape(-1, OUTPUTS) - vmap(target)(grid)).abs().max()
    before = (start(net, grid) - vmap(target)(grid)).abs().max()
    print(f"regression  largest error {before:.2f} before, {error:.3f} after")
    assert error < 0.15 * before


if __name__ == "__main__":
    lucid.manual_seed(0)
    same_kernels()
    regression()
