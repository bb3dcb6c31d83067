"""What may be differentiated, and what tangents and cotangents must be like."""

import re
from typing import Any

import numpy as np
import pytest
from support import close

import lucid
from lucid.func import compile, grad, hessian, jacfwd, jacrev, jvp, linearize, vjp, vmap

INTEGERS = lucid.tensor([1, 2])
BOOLS = lucid.tensor([True, False])


@pytest.mark.parametrize("n", [INTEGERS, BOOLS, lucid.tensor(3), INTEGERS.to(lucid.int32)])
@pytest.mark.parametrize("where", [(0,), (1,)])
def test_integers_and_bools_cannot_be_differentiated(n: lucid.Tensor, where: tuple[int]) -> None:
    x = lucid.ones(2)
    args = (n, x) if where == (0,) else (x, n)
    ones = tuple(lucid.ones(*a.shape) for a in args)
    kind = str(n.dtype).removeprefix("lucid.")

    def f(a: Any, b: Any) -> lucid.Tensor:
        return (a * b * 1.0).sum()

    for name, run in {
        "grad": lambda: grad(f, argnums=where)(*args),
        "jacrev": lambda: jacrev(f, argnums=where)(*args),
        "jacfwd": lambda: jacfwd(f, argnums=where)(*args),
        "hessian": lambda: hessian(f, argnums=where)(*args),
        "vjp": lambda: vjp(f, *args),
        "jvp": lambda: jvp(f, args, ones),
        "linearize": lambda: linearize(f, *args),
    }.items():
        place = f"{'args' if name[0] in 'gh' or 'jac' in name else 'primals'}[{where[0]}]"
        with pytest.raises(TypeError, match=re.escape(f"{place} is {kind}; only floats")):
            run()


def test_an_integer_inside_an_argument_is_named() -> None:
    p = {"w": lucid.ones(2), "n": (INTEGERS,)}

    def f(p: Any) -> lucid.Tensor:
        return (p["w"] * p["n"][0]).sum()

    for run in (
        lambda: grad(f)(p),
        lambda: jacfwd(f)(p),
        lambda: vjp(f, p),
        lambda: jvp(f, (p,), (p,)),
        lambda: linearize(f, p),
    ):
        with pytest.raises(TypeError, match=re.escape("[0]['n'][0] is int64; only floats")):
            run()
    _, dy = jvp(f, (p,), ({"w": lucid.ones(2), "n": (None,)},))
    close(dy, 3.0)


def test_a_primal_without_a_tangent_may_be_an_integer() -> None:
    x = lucid.tensor([1.5, 2.5])
    y, dy = jvp(lambda a, n: a[n] * n, (x, lucid.tensor(1)), (lucid.ones(2), None))
    close(y, 2.5)
    close(dy, 1.0)


def test_tangents_must_be_floats() -> None:
    x = lucid.tensor([1.5, 2.5])
    _, linear_fn = linearize(lambda x: x * x, x)
    for t in (INTEGERS, BOOLS, INTEGERS.to(lucid.int32)):
        with pytest.raises(TypeError, match=r"tangent of primals\[0\] is .*, expected a float"):
            jvp(lambda x: x * x, (x,), (t,))
        with pytest.raises(TypeError, match=r"tangent of primals\[0\] is .*, expected a float"):
            linear_fn(t)
    for t in (lucid.ones(2, dtype=lucid.float64), np.ones(2)):
        assert linear_fn(t).dtype == jvp(lambda x: x * x, (x,), (t,))[1].dtype == lucid.float32
    two = lucid.tensor(2.0)  # a number of Python means the float it stands for
    close(jvp(lambda x: x * x, (two,), (1,))[1], 4.0)
    close(linearize(lambda x: x * x, two)[1](1), 4.0)
    close(vjp(lambda x: x * x, two)[1](1)[0], 4.0)


def independent(x: lucid.Tensor) -> tuple[lucid.Tensor, ...]:
    return x * 2, lucid.ones(3), x > 2, x.argmax(), lucid.floor(x)


@pytest.mark.parametrize("k", range(5))
@pytest.mark.parametrize("wrong", [(5,), (), (1, 2), (0,)])
def test_cotangents_have_the_shapes_of_all_results(k: int, wrong: tuple[int, ...]) -> None:
    x = lucid.tensor([1.5, 2.5])
    y, vjp_fn = vjp(independent, x)
    if wrong == tuple(y[k].shape):
        return
    given = [lucid.ones(*a.shape) for a in y]
    close(vjp_fn(*given)[0], [2.0, 2.0])
    given[k] = lucid.ones(*wrong)
    with pytest.raises(ValueError, match=rf"cotangent of result\[{k}\] has shape"):
        vjp_fn(*given)
    with pytest.raises(ValueError, match="structure"):
        vjp_fn(*given[:4])


def test_tangents_have_the_shapes_of_primals_that_are_not_used() -> None:
    x = lucid.tensor([1.5, 2.5])
    for run in (
        lambda: linearize(lambda a, b: a * 2, x, x)[1](x, lucid.ones(3)),
        lambda: jvp(lambda a, b: a * 2, (x, x), (x, lucid.ones(3))),
    ):
        with pytest.raises(ValueError, match=r"tangent of primals\[1\] has shape \(3,\)"):
            run()


@pytest.mark.parametrize("dtype", [lucid.float32, lucid.float64])
def test_jacobians_of_integers_and_bools_are_zeros_of_the_argument(dtype: lucid.dtype) -> None:
    x = lucid.tensor([1.5, 2.5], dtype=dtype)
    for f in (lambda x: x > 2, lambda x: x.argmax(), lambda x: x.to(lucid.int32), lambda x: 3):
        for transform in (jacrev, jacfwd):
            for j in (transform(f)(x), compile(transform(f))(x), vmap(transform(f))(x[None])[0]):
                assert j.dtype == dtype
                close(j, np.zeros((*np.shape(f(x)), 2)))
        a, b = jacfwd(lambda x, y: f(x), argnums=(0, 1))(x, lucid.ones(3))  # noqa: B023
        assert (a.dtype, b.dtype) == (dtype, lucid.float32)
