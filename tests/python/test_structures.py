"""Structures keep their types and the order of their keys through every transform."""

import dataclasses
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from support import close

import lucid
from lucid.func import (
    checkpoint,
    compile,
    custom_jvp,
    custom_vjp,
    custom_vmap,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    vjp,
    vmap,
)


class Params(dict[str, Any]):
    """With an attribute and no __init__ that takes a dict alone."""

    def __init__(self, scale: float, **items: Any) -> None:
        super().__init__(**items)
        self.scale = scale


class Rows(list[Any]):
    pass


class Point(NamedTuple):
    b: Any
    a: Any


Loose = namedtuple("Loose", ["b", "a"])


def ordered(b: Any, a: Any) -> Any:
    """Whose order is not that of its insertions."""
    d = OrderedDict(a=a, b=b)
    d.move_to_end("a")
    return d


MAKERS: dict[str, Callable[[Any, Any], Any]] = {
    "dict": lambda b, a: {"b": b, "a": a},
    "OrderedDict": ordered,
    "defaultdict": lambda b, a: defaultdict(lambda: 7, b=b, a=a),
    "Counter": lambda b, a: Counter({"b": b, "a": a}),
    "a dict of one's own": lambda b, a: Params(2.0, b=b, a=a),
    "a list of one's own": lambda b, a: Rows([b, a]),
    "NamedTuple": Point,
    "namedtuple": Loose,
}


def parts(o: Any) -> Any:
    return list(o.values()) if isinstance(o, dict) else list(o)


def check(o: Any, like: Any) -> None:
    assert type(o) is type(like)
    if isinstance(o, dict):
        assert list(o) == ["b", "a"]
    if isinstance(o, defaultdict):
        assert o["new"] == 7
        del o["new"]
    if isinstance(o, Params):
        assert o.scale == 2.0


B, A = lucid.tensor([1.0, 2.0]), lucid.tensor([[3.0, 4.0], [5.0, 6.0]])


@pytest.mark.parametrize("name", MAKERS)
def test_types_are_kept(name: str) -> None:
    make = MAKERS[name]
    x = make(B, A)

    def double(p: Any) -> Any:
        check(p, x)
        return make(*(2 * v for v in parts(p)))

    def loss(p: Any) -> Any:
        check(p, x)
        return sum((v * v).sum() for v in parts(p))

    same: list[Any] = [
        vmap(double)(x),
        vmap(lambda p, e: p, in_dims=(None, 0), out_dims=None)(x, B),
        vmap(double, strategy="isolated")(x),
        vmap(vmap(double))(make(A, A)),
        vmap(lambda p: double(p) if parts(p)[0].sum() > 1.5 else p)(x),
        grad(loss)(x),
        vmap(grad(loss))(x),
        grad_and_value(loss)(x)[0],
        grad(lambda p: (loss(p), double(p)), has_aux=True)(x)[1],
        vjp(double, x)[0],
        vjp(double, x)[1](x)[0],
        *jvp(double, (x,), (x,)),
        linearize(double, x)[0],
        linearize(double, x)[1](x),
        jacrev(loss)(x),
        jacfwd(loss)(x),
        hessian(loss)(x),
        parts(hessian(loss)(x))[0],
        jacrev(double)(make(B, B)),
        compile(double)(x),
        compile(compile(double))(x),
        checkpoint(double)(x),
        lucid.cond(lucid.tensor(True), double, lambda p: p, x),
        lucid.fori_loop(0, 2, lambda i, p: double(p), x),
        lucid.while_loop(lambda p: parts(p)[0].sum() < 9, double, x),
        lucid.scan(lambda c, e: (double(c), e), x, B)[0],
        lucid.scan(lambda c, e: (c, double(e)), B, x)[1],
        lucid.map(double, x),
    ]
    for y in same:
        check(y, x)
    f = compile(double)
    for _ in range(3):
        check(f(x), x)
    close(parts(grad(loss)(x))[1], 2 * A.numpy())


@pytest.mark.parametrize("name", MAKERS)
def test_functions_with_rules(name: str) -> None:
    make = MAKERS[name]
    x = make(B, A)

    @custom_jvp
    def f(p: Any) -> Any:
        check(p, x)
        return make(*(2 * v for v in parts(p)))

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        check(tangents[0], x)
        return f(primals[0]), make(*(3 * v for v in parts(tangents[0])))

    @custom_vjp
    def g(p: Any) -> Any:
        return make(*(2 * v for v in parts(p)))

    def bwd(residuals: Any, ct: Any) -> Any:
        check(residuals, x)
        check(ct, x)
        return (make(*(3 * v for v in parts(ct))),)

    g.defvjp(lambda p: (g(p), p), bwd)

    @custom_vmap
    def h(p: Any) -> Any:
        return make(*(2 * v for v in parts(p)))

    @h.def_vmap
    def batch(size: int, in_batched: Any, p: Any) -> Any:
        check(p, x)
        return make(*(2 * v for v in parts(p))), True

    for fun in (f, g, h):
        y: Any = fun
        check(y(x), x)
        check(vmap(y)(x), x)
        check(grad(lambda p, y=y: sum(v.sum() for v in parts(y(p))))(x), x)
    close(parts(grad(lambda p: sum(v.sum() for v in parts(g(p))))(x))[0], [3.0, 3.0])


def test_what_compiled_functions_recorded_depends_on_types_and_attributes() -> None:
    f = compile(lambda p: p.scale * p["b"] if isinstance(p, Params) else p["b"])
    close(f(Params(2.0, b=B)), 2 * B.numpy())
    close(f(Params(3.0, b=B)), 3 * B.numpy())
    close(f({"b": B}), B.numpy())
    close(f(Params(2.0, b=B)), 2 * B.numpy())
    g = compile(lambda p: p["new"] * p["b"])
    close(g(defaultdict(lambda: 2, b=B)), 2 * B.numpy())
    close(g(defaultdict(lambda: 3, b=B)), 3 * B.numpy())


@dataclasses.dataclass
class State:
    w: Any
    name: str = "state"


@pytest.mark.parametrize("wrapped", [False, True])
def test_dataclasses_are_refused_with_advice(wrapped: bool) -> None:
    s: Any = [State(B)] if wrapped else State(B)
    loss = lambda s: (s[0] if wrapped else s).w.sum()  # noqa: E731
    calls: list[Callable[[], Any]] = [
        lambda: grad(loss)(s),
        lambda: vmap(loss)(s),
        lambda: vjp(loss, s),
        lambda: jvp(loss, (s,), (s,)),
        lambda: linearize(loss, s),
        lambda: jacrev(loss)(s),
        lambda: jacfwd(loss)(s),
        lambda: hessian(loss)(s),
        lambda: compile(loss)(s),
        lambda: grad(loss)((s, B)),
        lambda: vmap(lambda x: s)(B),
        lambda: grad(lambda x: (x.sum(), State(x)), has_aux=True)(B),
        lambda: lucid.eval(s),
        lambda: lucid.cond(lucid.tensor(True), lambda v: v, lambda v: v, s),
        lambda: lucid.fori_loop(0, 1, lambda i, v: v, s),
        lambda: lucid.scan(lambda c, x: (c, x), s, B),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=r"dataclass is no structure.*vars\(x\)"):
            call()


def test_dataclasses_that_are_not_mapped_or_hold_no_tensor_pass() -> None:
    s = State(lucid.tensor(2.0))
    close(vmap(lambda x, s: x * s.w, in_dims=(0, None))(B, s), 2 * B.numpy())
    close(grad(lambda x, s: (x * s.w).sum())(B, s), [2.0, 2.0])
    config = State(3.0)
    close(compile(lambda x, c: x * c.w)(B, config), 3 * B.numpy())
    close(compile(lambda x, c: x * c.w)(B, c=config), 3 * B.numpy())
