"""custom_jvp, custom_vjp, custom_vmap: their rules are what counts, in every nesting."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from support import close, numbers

import lucid
from lucid.func import (
    custom_jvp,
    custom_vjp,
    custom_vmap,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    pmean,
    psum,
    vjp,
    vmap,
)

X = lucid.tensor(numbers(2, 3, 4), dtype=lucid.float64)

# -- words of transforms --------------------------------------------------------------------------
# The rules give three times the derivative. The oracle has the same derivatives of every order
# without rules.


def plain(x: lucid.Tensor) -> lucid.Tensor:
    return x.tanh() * (x * x).sum() + x


def oracle(x: lucid.Tensor) -> lucid.Tensor:
    return 3 * plain(x) - 2 * plain(x.detach())


@custom_jvp
def by_jvp(x: lucid.Tensor) -> lucid.Tensor:
    return plain(x)


@by_jvp.defjvp
def by_jvp_rule(primals: Any, tangents: Any) -> Any:
    return by_jvp(*primals), 3 * jvp(plain, primals, tangents)[1]


@custom_vjp
def by_vjp(x: lucid.Tensor) -> lucid.Tensor:
    return plain(x)


by_vjp.defvjp(lambda x: (by_vjp(x), {"x": x}), lambda res, ct: vjp(plain, res["x"])[1](3 * ct))

rule_runs = 0


@custom_vmap
def by_vmap(x: lucid.Tensor) -> lucid.Tensor:
    return plain(x)


@by_vmap.def_vmap
def by_vmap_rule(size: int, in_batched: tuple[bool], x: lucid.Tensor) -> Any:
    global rule_runs
    rule_runs += 1
    assert in_batched == (True,)
    assert x.shape[0] == size
    squares = (x * x).reshape(size, -1).sum(1).reshape(size, *[1] * (x.ndim - 1))
    return x.tanh() * squares + x, True


WRAP: dict[str, Callable[[Any], Any]] = {
    "vmap": lambda f: vmap(f),
    "vmap -1": lambda f: vmap(f, -1, -1),
    "grad": lambda f: grad(lambda x: f(x).sum()),
    "jvp": lambda f: lambda x: jvp(f, (x,), (x.cos(),))[1],
    "vjp": lambda f: lambda x: (lambda y, pull: pull(y.sin())[0])(*vjp(f, x)),
    "linearize": lambda f: lambda x: linearize(f, x)[1](x.cos()),
    "jacrev": lambda f: jacrev(f),
    "jacfwd": lambda f: jacfwd(f),
}
GROWING = {"jacrev", "jacfwd"}
WORDS = [
    word
    for length in (1, 2, 3)
    for word in itertools.product(WRAP, repeat=length)
    if sum(name in GROWING for name in word) < 2 and sum("vmap" in name for name in word) < 3
]


def apply(word: tuple[str, ...], f: Any) -> Any:
    for name in reversed(word):
        f = WRAP[name](f)
    return f


@pytest.mark.parametrize("word", WORDS, ids=" of ".join)
def test_word(word: tuple[str, ...]) -> None:
    want = apply(word, oracle)(X)
    close(apply(word, by_jvp)(X), want, rtol=1e-7)
    close(apply(word, by_vjp)(X), want, rtol=1e-7)
    before = rule_runs
    close(apply(word, by_vmap)(X), apply(word, plain)(X), rtol=1e-7)
    assert rule_runs > before or not any("vmap" in name for name in word)


# -- arguments and results ------------------------------------------------------------------------


class Pair(NamedTuple):
    first: Any
    second: Any


def test_structures() -> None:
    @custom_vjp
    def f(p: dict[str, Any], q: Pair) -> Any:
        return {"sum": p["a"] + q.first, "products": [p["a"] * q.second, None]}

    def fwd(p: dict[str, Any], q: Pair) -> Any:
        return f(p, q), (p["a"], {"second": q.second, "name": "kept"})

    def bwd(res: Any, ct: Any) -> Any:
        a, rest = res
        assert rest["name"] == "kept"
        assert ct["products"][1] is None
        by_product = ct["products"][0]
        return {"a": 2 * ct["sum"] + by_product * rest["second"]}, Pair(None, by_product * a)

    f.defvjp(fwd, bwd)
    x, y = X[0, 0], X[1, 0]

    def loss(p: Any, q: Any) -> lucid.Tensor:
        out = f(p, q)
        return (out["sum"] * 3 + out["products"][0]).sum()

    g, h = grad(loss, argnums=(0, 1))({"a": x}, Pair(y, y))
    close(g["a"], 6 + y)
    assert isinstance(h, Pair)
    close(h.first, 0 * y)
    close(h.second, x)
    gs, hs = vmap(grad(loss, argnums=(0, 1)))({"a": X[0]}, Pair(X[1], X[1]))
    close(gs["a"], 6 + X[1])
    close(hs.second, X[0])


def test_structures_forward() -> None:
    @custom_jvp
    def f(x: Any) -> Any:
        return {"y": x[0] * x[1], "n": x[1].sum()}

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        ((a, b),), ((da, db),) = primals, tangents
        return f([a, b]), {"y": a * db + b * da, "n": None}

    a, b = X[0, 0], X[1, 0]
    out, dout = jvp(lambda a, b: f([a, b]), (a, b), (b, a))
    close(out["y"], a * b)
    close(dout["y"], a * a + b * b)
    assert dout["n"].item() == 0
    close(grad(lambda a: f([a, b])["y"].sum() + f([a, b])["n"])(a), b)


def test_integers_have_zero_tangents() -> None:
    @custom_jvp
    def f(x: lucid.Tensor, n: lucid.Tensor) -> Any:
        return x * n, n + 1

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, n), (dx, dn) = primals, tangents
        assert dn.dtype == lucid.int64
        return f(x, n), (dx * n + x * dn, None)

    x, n = X[0, 0], lucid.tensor([1, 2, 3, 4])
    close(grad(lambda x: f(x, n)[0].sum())(x), n.to(lucid.float64))
    assert f(x, n)[1].dtype == lucid.int64


def test_nondiff_argnums() -> None:
    @custom_jvp
    def power(x: lucid.Tensor, n: int, name: str = "p") -> lucid.Tensor:
        return x**n

    power = custom_jvp(power.__wrapped__, nondiff_argnums=(1, 2))
    seen = []

    @power.defjvp
    def rule(n: int, name: str, primals: Any, tangents: Any) -> Any:
        seen.append((n, name))
        (x,), (dx,) = primals, tangents
        return power(x, n, name), 10 * n * x ** (n - 1) * dx

    x = X[0, 0]
    close(grad(lambda x: power(x, 3, name="q").sum())(x), 30 * x**2)
    close(vmap(grad(lambda x: power(x, n=2)))(x), 20 * x)
    assert seen == [(3, "q"), (2, "p")]

    scale = custom_vjp(lambda f, x: f(x), nondiff_argnums=0)
    scale.defvjp(lambda f, x: (f(x), x), lambda f, x, ct: (10 * vjp(f, x)[1](ct)[0],))
    close(grad(lambda x: scale(lucid.sin, x).sum())(x), 10 * x.cos())


def test_methods_and_names() -> None:
    class Layer:
        def __init__(self, slope: float) -> None:
            self.slope = slope

        @custom_jvp
        def scaled(self, x: lucid.Tensor) -> lucid.Tensor:
            """Scaled."""
            return self.slope * x

    Layer.scaled._fixed = frozenset({0})

    @Layer.scaled.defjvp
    def rule(self: Layer, primals: Any, tangents: Any) -> Any:
        return self.scaled(*primals), 10 * self.slope * tangents[0]

    assert Layer.scaled.__name__ == "scaled"
    assert Layer.scaled.__doc__ == "Scaled."
    assert grad(Layer(3.0).scaled)(lucid.tensor(1.0)).item() == 30


# -- uses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside", ["value", "grad", "jvp"])
@pytest.mark.parametrize("rule", ["jvp", "vjp", "vmap"])
def test_examples_that_part_over_two_vmaps(rule: str, outside: str) -> None:
    f = {"jvp": by_jvp, "vjp": by_vjp, "vmap": by_vmap}[rule]
    g = plain if rule == "vmap" else oracle

    def mapped(f: Any, **options: Any) -> Any:
        def one(x: lucid.Tensor, y: lucid.Tensor) -> lucid.Tensor:
            before = f(x)
            if (x * y).sum() > 2.5:
                return f(x * y).sum() + before.sum()
            return (f(y) * x).sum() * 2 if y[0] > 0.8 else f(x).sum() - f(y).sum()

        return vmap(vmap(one, (None, 0), **options), (0, None), **options)

    x, y = X[0], X[1]
    ways: dict[str, Any] = {
        "value": lambda h: h(x, y),
        "grad": lambda h: grad(lambda x, y: h(x, y).sin().sum(), argnums=(0, 1))(x, y)[1],
        "jvp": lambda h: jvp(h, (x, y), (y, x))[1],
    }
    close(ways[outside](mapped(f)), ways[outside](mapped(g, strategy="isolated")), rtol=1e-9)


def test_clipped_cotangents() -> None:
    @custom_vjp
    def clip(x: lucid.Tensor) -> lucid.Tensor:
        return x * 1

    clip.defvjp(lambda x: (x * 1, None), lambda _, ct: (ct.clamp(-1, 1),))
    slope = lucid.tensor([0.5, 7.0, -3.0])
    f = lambda x: (clip(x) * slope).sum()  # noqa: E731
    assert grad(f)(lucid.zeros(3)).tolist() == [0.5, 1, -1]
    w = lucid.zeros(2, 3, requires_grad=True)
    vmap(f)(w).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [[0.5, 1, -1]] * 2


def test_implicit_differentiation() -> None:
    """The square root by Newton's method: a loop whose length depends on the values."""

    @custom_vjp
    def root(a: lucid.Tensor) -> lucid.Tensor:
        x = lucid.ones_like(a)
        while bool((x * x - a).abs() > 1e-12):
            x = 0.5 * (x + a / x)
        return x

    root.defvjp(lambda a: (lambda x: (x, x))(root(a)), lambda x, ct: (ct / (2 * x),))
    a = X[0, 0] * 50
    close(vmap(root)(a), a.sqrt())
    close(vmap(grad(root))(a), 0.5 / a.sqrt())
    close(vmap(grad(grad(root)))(a), -0.25 / a**1.5)
    close(vmap(grad(root), strategy="isolated")(a), 0.5 / a.sqrt())


def test_collectives_in_rules() -> None:
    @custom_vjp
    def normalised(x: lucid.Tensor) -> lucid.Tensor:
        return x - pmean(x, "b")

    normalised.defvjp(lambda x: (normalised(x), None), lambda _, ct: (10 * (ct - pmean(ct, "b")),))
    one = lambda x: (normalised(x) * x.sin()).sum()  # noqa: E731
    whole = lambda x: (10 * x - 9 * x.detach() - x.detach().mean(0)) * x.sin()  # noqa: E731
    x = X[0]
    got = grad(lambda x: vmap(one, axis_name="b")(x).sum())(x)
    want = 10 * (x.sin() - x.sin().mean(0)) + (x - x.mean(0)) * x.cos()
    close(got, want)
    close(vmap(grad(one), axis_name="b")(x), want)
    assert whole(x).shape == x.shape


def test_a_shared_argument_gets_the_sum() -> None:
    @custom_vjp
    def product(x: lucid.Tensor, w: lucid.Tensor) -> lucid.Tensor:
        return (x * w).sum()

    product.defvjp(
        lambda x, w: (product(x, w), (x, w)), lambda r, ct: (10 * r[1] * ct, 10 * r[0] * ct)
    )
    x, w = X[0], X[1, 0]
    f = lambda w: (vmap(product, (0, None))(x, w) * lucid.tensor([1.0, 2.0, 3.0])).sum()  # noqa: E731
    close(grad(f)(w), 10 * (x[0] + 2 * x[1] + 3 * x[2]))
    f = lambda w: vmap(product, (1, None))(x.T, w).sum()  # noqa: E731
    close(grad(f)(w), 10 * x.sum(0))
    close(jvp(f, (w,), (w,))[1], 10 * (x.sum(0) * w).sum())
    close(hessian(f)(w), lucid.zeros(4, 4, dtype=lucid.float64))


def test_vmap_rule_of_several_arguments() -> None:
    @custom_vmap
    def f(x: lucid.Tensor, w: dict[str, lucid.Tensor]) -> Any:
        return x @ w["w"], w["w"].sum()

    seen = []

    @f.def_vmap
    def rule(size: int, in_batched: Any, x: lucid.Tensor, w: Any) -> Any:
        seen.append(in_batched)
        xb, wb = in_batched[0], in_batched[1]["w"]
        xs = x if xb else x.expand(size, *x.shape)
        ws = w["w"] if wb else w["w"].expand(size, *w["w"].shape)
        return (lucid.einsum("bi,bi->b", xs, ws), w["w"].sum(-1)), (True, wb)

    x, w = X[0], X[1]
    a, b = vmap(f, (0, None))(x, {"w": w[0]})
    close(a, x @ w[0])
    close(b, w[0].sum().expand(3))
    a, b = vmap(f, (None, {"w": 1}), out_dims=0)(x[0], {"w": w.T})
    close(a, w @ x[0])
    close(b, w.sum(1))
    assert seen == [(True, {"w": False}), (False, {"w": True})]
    g = vmap(grad(lambda x, w: f(x, w)[0] * f(x, w)[1], argnums=(0, 1)))(x, {"w": w})
    close(g[0], w * w.sum(1, keepdim=True))
    close(g[1]["w"], x * w.sum(1, keepdim=True) + (x * w).sum(1, keepdim=True))
    out = vmap(lambda x: f(x, {"w": w[0]})[1], out_dims=None)(x)
    close(out, w[0].sum())


def test_random_numbers_in_a_vmap_rule() -> None:
    @custom_vmap
    def noisy(x: lucid.Tensor) -> lucid.Tensor:
        return x + lucid.randn(4)

    noisy.def_vmap(lambda size, b, x: (x + lucid.randn(4), True))
    y = vmap(noisy)(lucid.zeros(3, 4))  # the rule is not inside this vmap: one draw
    close(y[0], y[2])


# -- errors ---------------------------------------------------------------------------------------


def with_jvp(rule: Any) -> Any:
    f = custom_jvp(lambda x: x * 2)
    f.defjvp(rule)
    return f


def with_vjp(fwd: Any, bwd: Any) -> Any:
    f = custom_vjp(lambda x: x * 2)
    f.defvjp(fwd, bwd)
    return f


def with_vmap(rule: Any) -> Any:
    f = custom_vmap(lambda x: x * 2)
    f.def_vmap(rule)
    return f


def fails(*args: Any) -> Any:
    raise KeyError("from the rule")


BAD: list[tuple[Any, type[Exception], str]] = [
    (with_jvp(lambda p, t: p[0]), TypeError, r"the rule must return a pair \(out, tangent_out\)"),
    (
        with_jvp(lambda p, t: (p[0], (t[0], t[0]))),
        ValueError,
        r"the rule's tangent has the structure \('\*', '\*'\), but its result has '\*'",
    ),
    (
        with_jvp(lambda p, t: (p[0], t[0].sum())),
        ValueError,
        r"the rule's tangent 0 has shape \(\), but result 0 has shape \(4,\)",
    ),
    (with_jvp(lambda p, t: (p[0], "x")), ValueError, "the rule's tangent has the structure 'x'"),
    (with_jvp(lambda p, t: ("x", t[0])), TypeError, "custom_jvp: the rule returned"),
    (with_jvp(lambda p, t: (t[0], t[0])), RuntimeError, "depends on the tangents"),
    (with_jvp(lambda p, t: (p[0], t[0] * t[0])), RuntimeError, "in which it is not linear"),
    (with_jvp(fails), KeyError, "from the rule"),
    (
        with_vjp(lambda x: x, None.__class__),
        TypeError,
        r"fwd must return a pair \(out, residuals\)",
    ),
    (
        with_vjp(lambda x: (x, x), lambda r, ct: (ct, ct)),
        ValueError,
        r"the result of bwd has the structure \('\*', '\*'\), but the tuple of arguments has",
    ),
    (
        with_vjp(lambda x: (x, x), lambda r, ct: (ct.sum(),)),
        ValueError,
        r"result of bwd 0 has shape \(\), but argument 0 has shape \(4,\)",
    ),
    (
        with_vjp(lambda x: (x, x), lambda r, ct: (ct > 0,)),
        TypeError,
        "result of bwd 0 is bool, but argument 0 is float64",
    ),
    (with_vjp(fails, fails), KeyError, "from the rule"),
    (with_vjp(lambda x: (x, x), fails), KeyError, "from the rule"),
    (with_vmap(lambda n, b, x: x), TypeError, r"must return a pair \(out, out_batched\)"),
    (with_vmap(lambda n, b, x: (x, 1)), TypeError, "out_batched must be a bool"),
    (with_vmap(lambda n, b, x: (x[1:], True)), ValueError, "should have the 3 lanes at dim 0"),
    (with_vmap(fails), KeyError, "from the rule"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_errors(case: int) -> None:
    f, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        vmap(grad(lambda x: f(x).sum()))(X[0])
    close(vmap(grad(lambda x: x.sum()))(X[0]), lucid.ones(3, 4, dtype=lucid.float64))


def test_missing_rules() -> None:
    for make, how in (
        (custom_jvp, r"f\.defjvp\(rule\)"),
        (custom_vjp, r"f\.defvjp\(fwd, bwd\)"),
        (custom_vmap, r"f\.def_vmap\(rule\)"),
    ):

        @make
        def f(x: Any) -> Any:
            return x

        with pytest.raises(RuntimeError, match=f"f has no rule; give it one with {how}"):
            f(X)
        with pytest.raises(TypeError, match="argument 'fun' must be callable, not int"):
            make(3)
    with pytest.raises(TypeError, match="a rule must be callable, not int"):
        custom_jvp(lambda x: x).defjvp(3)
    with pytest.raises(TypeError, match="nondiff_argnums must be an int >= 0"):
        custom_jvp(lambda x: x, nondiff_argnums=-1)
    g = custom_jvp(lambda x: x, nondiff_argnums=2)
    g.defjvp(lambda p, t: (p, t))
    with pytest.raises(ValueError, match="out of range for a call with 1 arguments"):
        g(X)


def test_captured_values() -> None:
    def outer(w: lucid.Tensor) -> lucid.Tensor:
        f = custom_vjp(lambda x: (x * w).sum())
        f.defvjp(lambda x: ((x * w).sum(), None), lambda _, ct: (ct * w,))
        return grad(f)(X[0, 0]).sum() + f(X[0, 0] * w)

    with pytest.raises(RuntimeError, match="captured a value that a transform around it"):
        grad(outer)(X[1, 0])

    # What no transform differentiates may be captured, also when it is mapped outside.
    def inner(w: lucid.Tensor) -> lucid.Tensor:
        f = custom_vjp(lambda x: (x * w).sum())
        f.defvjp(lambda x: ((x * w).sum(), None), lambda _, ct: (10 * ct * w,))
        return grad(f)(X[0, 0])

    close(vmap(inner)(X[1]), 10 * X[1])


def test_psum_as_a_plain_oracle() -> None:
    """A custom rule under a named axis, forward and back."""
    f = custom_jvp(lambda x: psum(x * x, "b"))
    f.defjvp(lambda p, t: (f(*p), psum(2 * p[0] * t[0], "b")))
    x = X[0]
    total = lambda x: ((x * x).sum(0).sin() * 3).sum()  # noqa: E731
    one = lambda x: f(x).sin().sum()  # noqa: E731
    close(grad(lambda x: vmap(one, axis_name="b")(x).sum())(x), grad(total)(x))
    close(vmap(grad(one), axis_name="b")(x), grad(total)(x))


@pytest.mark.parametrize("all_batched", [True, False])
def test_results_of_custom_vmap_can_be_asked_where_the_arguments_are_not_mapped(
    all_batched: bool,
) -> None:
    @custom_vmap
    def double(x: lucid.Tensor) -> lucid.Tensor:
        return 2 * x

    @double.def_vmap
    def rule(size: int, in_batched: Any, x: lucid.Tensor) -> Any:
        if all_batched and not in_batched[0]:
            return lucid.stack([2 * x] * size), True
        return 2 * x, in_batched[0]

    def f(x: lucid.Tensor) -> lucid.Tensor:
        return double(x) * int(double(x).sum()) if double(x)[0] > 0 else x

    x = lucid.tensor([1.5, 2.5])
    eye = lucid.eye(2)
    close(jacfwd(f)(x), 16 * eye)
    close(jacrev(f)(x), 16 * eye)
    close(hessian(lambda x: (f(x) * x).sum())(x), 32 * eye)
    close(vmap(jacfwd(f))(lucid.stack([x, -x])), lucid.stack([16 * eye, eye]))
    close(vmap(lambda t: jvp(f, (x,), (t,))[1])(eye), 16 * eye)
    close(vmap(lambda t: jvp(f, (x,), (t,))[1], strategy="vectorized")(eye), 16 * eye)


def test_asking_under_vectorized_never_says_that_lanes_differ() -> None:
    with pytest.raises(RuntimeError, match="runs once for all of them") as caught:
        vmap(lambda x: x if x > 0 else -x, strategy="vectorized")(lucid.ones(3))
    assert "differ" not in str(caught.value)
    f = custom_jvp(lambda x: x * 1)
    f.defjvp(lambda p, t: (p[0] * 1, t[0] if t[0].sum() > 0 else t[0]))
    with pytest.raises(RuntimeError, match="depends on the direction of the derivative"):
        jacfwd(f)(lucid.ones(2))
