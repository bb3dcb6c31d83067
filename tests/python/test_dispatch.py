"""How many dispatches things take: any elementwise or reducing function under vmap is one."""

import pytest

import lucid
from lucid.func import grad, grad_and_value, hessian, vmap

F = lucid.nn.functional


def chain(x):
    return lucid.tanh(x) * lucid.exp(-x * x) + lucid.log1p(lucid.abs(x))


FUNCTIONS = {
    "sum of squares": lambda x: (x**2).sum(),
    "chain": chain,
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "layer_norm": lambda x: F.layer_norm(x, (x.shape[-1],)),
    "var": lambda x: x.var(),
    "std": lambda x: x.std(-1),
    "normalise": lambda x: x / x.norm(),
    "min-max": lambda x: (x - x.amin()) / (x.amax() - x.amin()),
    "where": lambda x: lucid.where(x > x.mean(), x, 0.0),
    "elements": lambda x: x[..., 0] * x[..., 1] - x[..., -1],
    "gelu": F.gelu,
}


def dispatches(f, *args):
    for x in args:
        lucid.eval(x)
    return int(lucid.explain(f)(*args).split()[0])


@pytest.mark.parametrize("shape", [(8, 32), (3, 500), (5, 4, 6)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_and_its_gradient_under_vmap_are_one_dispatch(name, shape):
    f = FUNCTIONS[name]
    x = lucid.rand(*shape)
    assert dispatches(vmap(f), x) == 1
    assert dispatches(vmap(grad(lambda x: (f(x) ** 2).sum())), x) == 1
    assert dispatches(vmap(grad_and_value(lambda x: f(x).sum())), x) == 1


def test_what_is_shared_by_the_lanes_is_computed_inside():
    x, scale, bias = lucid.rand(100, 16), lucid.rand(16), lucid.rand(16)
    f = vmap(lambda x, w, b: F.softmax(x * lucid.exp(w) + b, -1), in_dims=(0, None, None))
    assert dispatches(f, x, scale, bias) == 1


def test_derivatives_by_the_elements_of_an_example():
    def price(p):
        return p[0] * lucid.exp(-p[1] * p[2]) / lucid.sqrt(p[3])

    x = lucid.rand(50, 4) + 0.5
    assert dispatches(vmap(grad_and_value(price)), x) == 1


def test_a_hessian_of_a_function_of_the_elements_needs_no_product():
    x = lucid.rand(20, 3)
    text = lucid.explain(vmap(hessian(lambda x: (x**3).sum())))(x)
    assert "contract" not in text
