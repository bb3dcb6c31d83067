"""compile: a function recorded once and replayed."""

import functools
import gc
import threading
import weakref
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import close, numbers

import lucid
from lucid.func import (
    checkpoint,
    compile,
    custom_vmap,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    psum,
    vjp,
    vmap,
)

X = lucid.tensor(numbers(3, 4), dtype=lucid.float64)
W = lucid.tensor(numbers(4, seed=1), dtype=lucid.float64)

Pair = namedtuple("Pair", "first second")


class Counted:
    """A function that counts how often it is called."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self.func = func
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return self.func(*args, **kwargs)


def wave(x: lucid.Tensor) -> lucid.Tensor:
    return ((x * 3).sin() * lucid.stop_gradient(x.exp()) + W).sum()


# -- calls -----------------------------------------------------------------------------------------


def test_func_is_called_once_for_each_kind() -> None:
    f = Counted(lambda x: x * 2 + W)
    g = compile(f)
    for _ in range(3):
        close(g(X[0]), X[0] * 2 + W)
        close(g(X), X * 2 + W)
        close(g(X.T[:, 0]), X[0] * 2 + W)  # other strides are the same kind
    assert f.calls == 2
    g(X[0].to(lucid.float32))
    assert f.calls == 3


def test_structures() -> None:
    f = Counted(
        lambda d, *rest, scale: {
            "pair": Pair(d["x"] * scale["s"], None),
            "rest": [*rest, 2, "text", 1.5],
            "same": d["x"],
        }
    )
    g = compile(f)
    for k in range(2):
        out = g({"x": X + k}, (X, None), scale={"s": W})
        assert isinstance(out["pair"], Pair)
        close(out["pair"].first, (X + k) * W)
        assert out["pair"].second is None
        assert out["rest"][1:] == [2, "text", 1.5]
        assert type(out["rest"][1]) is int
        close(out["same"], X + k)
        close(out["rest"][0][0], X)
    assert f.calls == 1
    g({"x": X}, [X, None], scale={"s": W})  # a list is another structure
    assert f.calls == 2


def test_what_is_no_tensor_makes_another_kind() -> None:
    f = Counted(lambda x, n, mode="a": x.sum(0) * n if mode == "a" else x * n)
    g = compile(f)
    for _ in range(2):
        close(g(X, 2), X.sum(0) * 2)
        close(g(X, 3), X.sum(0) * 3)
        close(g(X, 2.0), X.sum(0) * 2)
        close(g(X, True), X.sum(0))
        close(g(X, 2, mode="b"), X * 2)
        close(g(X, n=2, mode="b"), X * 2)
    assert f.calls == 6


def test_arrays_are_tensors() -> None:
    f = Counted(lambda x: x * 2)
    g = compile(f)
    a = np.arange(4.0)
    close(g(a), a * 2)
    close(g(a + 1), (a + 1) * 2)
    assert f.calls == 1


def test_many_kinds_forget_the_oldest() -> None:
    f = Counted(lambda x, n: x * n)
    g = compile(f)
    for n in range(70):
        close(g(W, n), W * n)
    assert f.calls == 70
    g(W, 69)
    assert f.calls == 70
    g(W, 0)
    assert f.calls == 71


def test_it_is_a_function_like_func() -> None:
    def named(x: lucid.Tensor) -> lucid.Tensor:
        """Doubles."""
        return x * 2

    g = compile(named)
    assert g.__name__ == "named"
    assert g.__doc__ == "Doubles."
    assert g.__wrapped__ is named  # type: ignore[attr-defined]

    class Model:
        def __init__(self) -> None:
            self.runs = 0

        @compile
        def step(self, x: lucid.Tensor) -> lucid.Tensor:
            self.runs += 1
            return x * 3

    m = Model()
    close(m.step(X), X * 3)
    close(m.step(X + 1), (X + 1) * 3)
    assert m.runs == 1
    partial = compile(functools.partial(named))
    close(partial(X), X * 2)


def test_closures_belong_to_the_record() -> None:
    scale = lucid.tensor(2.0)

    def f(x: lucid.Tensor) -> lucid.Tensor:
        return x * scale

    g = compile(f)
    close(g(W), W * 2)
    scale = lucid.tensor(3.0)
    close(g(W), W * 2)


def test_no_tensor_among_the_arguments() -> None:
    f = Counted(lambda n: (lucid.arange(n) ** 2).sum())
    g = compile(f)
    for _ in range(2):
        assert g(4).item() == 14
    assert f.calls == 1
    assert compile(lambda: None)() is None


def test_sizes_of_zero() -> None:
    g = compile(lambda x: (x * 2, x.sum()))
    for _ in range(2):
        y, total = g(lucid.zeros(0, 3))
        assert y.shape == (0, 3)
        assert total.item() == 0


def test_explain_sees_the_plan() -> None:
    g = compile(lambda x: (x.sin() * 2).sum())
    assert lucid.explain(g)(X).dispatches == 1
    g(X)
    assert lucid.explain(g)(X).dispatches == 1


# -- transforms ------------------------------------------------------------------------------------

TRANSFORMS: dict[str, Callable[[Any], Any]] = {
    "grad": grad,
    "jacrev": jacrev,
    "jacfwd": jacfwd,
    "hessian": hessian,
    "vmap": lambda f: lambda x: vmap(f)(X + x),
    "vmap of grad": lambda f: lambda x: vmap(grad(f))(X + x),
    "isolated": lambda f: lambda x: vmap(f, strategy="isolated")(X + x),
    "chunks": lambda f: lambda x: vmap(f, chunk_size=2)(X + x),
    "jvp": lambda f: lambda x: jvp(f, (x,), (W,)),
    "vjp": lambda f: lambda x: vjp(f, x)[1](lucid.tensor(2.0, dtype=lucid.float64)),
    "checkpoint": lambda f: grad(checkpoint(f)),
    "compile": lambda f: compile(compile(f)),
    "loop": lambda f: lambda x: lucid.fori_loop(0, 3, lambda i, c: c + f(x), x.sum() * 0),
    "branch": lambda f: lambda x: lucid.cond(x.sum() > 0, f, lambda x: x.sum(), x),
    "divergence": lambda f: lambda x: vmap(lambda z: f(z) if z.sum() > 0 else z[0])(X + x),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_enter(name: str) -> None:
    transform = TRANSFORMS[name]
    f = Counted(wave)
    g = compile(f)
    g(W)
    close(transform(g)(W), transform(wave)(W), 1e-9)
    assert f.calls == 1
    compiled = compile(transform(g))  # and they are compiled with it
    if name != "divergence":
        for k in range(2):
            close(compiled(W + k), transform(wave)(W + k), 1e-9)
        assert f.calls == 1


@pytest.mark.parametrize("name", [n for n in TRANSFORMS if n != "divergence"])
def test_recorded_under_a_transform(name: str) -> None:
    transform = TRANSFORMS[name]
    f = Counted(wave)
    g = compile(f)
    for k in range(2):
        close(transform(g)(W + k), transform(wave)(W + k), 1e-9)
    assert f.calls == 1


def test_closing_over_a_traced_value() -> None:
    def outer(x: lucid.Tensor) -> lucid.Tensor:
        g = compile(lambda y: (y * x).sum())
        return g(W) + g(W * 2)

    close(grad(outer)(W), 3 * W)
    close(vmap(outer)(X), 3 * (X * W).sum(1))

    kept: list[Any] = []

    def closes(x: lucid.Tensor) -> lucid.Tensor:
        @compile
        def g(y: lucid.Tensor) -> lucid.Tensor:
            return (y * x).sum()

        kept.append(g)
        return g(W)

    close(vmap(closes)(X), (X * W).sum(1))
    with pytest.raises(RuntimeError, match="escaped"):  # nothing was kept of it
        kept[0](W)


def test_requires_grad() -> None:
    w = lucid.tensor(numbers(4), dtype=lucid.float64, requires_grad=True)
    g = compile(lambda x: (x * w).sin().sum())
    x = lucid.tensor(numbers(4, seed=3), dtype=lucid.float64, requires_grad=True)
    g(x).backward()
    close(w.grad, (x * w).cos().detach() * x.detach())
    close(x.grad, (x * w).cos().detach() * w.detach())
    close(g(W), (W * w.detach()).sin().sum())


def test_control_flow_inside() -> None:
    def newton(a: lucid.Tensor) -> lucid.Tensor:
        return lucid.while_loop(lambda x: (x * x - a).abs() > 1e-9, lambda x: (x + a / x) / 2, a)

    g = compile(newton)
    for value in (2.0, 9.0):
        a = lucid.tensor(value, dtype=lucid.float64)
        close(g(a), a.sqrt(), 1e-9)
        close(grad(g)(a), 0.5 / a.sqrt(), 1e-9)
    A = lucid.tensor([2.0, 3.0, 400.0], dtype=lucid.float64)
    close(compile(vmap(newton))(A), A.sqrt(), 1e-9)


# -- random numbers --------------------------------------------------------------------------------


def noise(x: lucid.Tensor) -> lucid.Tensor:
    return x + lucid.randn(4) + vmap(lambda y: y * lucid.rand(()), randomness="different")(x)


@pytest.mark.parametrize("mode", ["plain", "different", "same"])
@pytest.mark.parametrize("strategy", ["auto", "isolated"])
def test_random_numbers_are_those_of_func(mode: Any, strategy: Any) -> None:
    f = Counted(noise)
    g = compile(f)
    before = lucid.get_rng_state()
    g(W)
    after = lucid.get_rng_state()
    lucid.set_rng_state(before)
    noise(W)
    assert np.array_equal(np.asarray(after), np.asarray(lucid.get_rng_state()))

    def run(h: Callable[..., Any]) -> list[Any]:
        lucid.manual_seed(5)
        if mode == "plain":
            return [h(W), h(W)]
        mapped = vmap(h, randomness=mode, strategy=strategy)
        return [mapped(X), mapped(X)]

    for got, want in zip(run(g), run(noise), strict=True):
        assert got.tolist() == want.tolist()
    assert f.calls == 1


def test_random_loops_draw_what_func_draws() -> None:
    def walk(x: lucid.Tensor) -> lucid.Tensor:
        return lucid.fori_loop(0, 5, lambda i, c: c + lucid.randn(()), x) + lucid.randn(())

    g = compile(walk)
    for _ in range(2):
        lucid.manual_seed(3)
        want = [walk(lucid.tensor(0.0)).item() for _ in range(3)]
        lucid.manual_seed(3)
        assert [g(lucid.tensor(0.0)).item() for _ in range(3)] == want


# -- what goes wrong -------------------------------------------------------------------------------


def seeds(x: lucid.Tensor) -> lucid.Tensor:
    lucid.manual_seed(1)
    return x * lucid.rand(())


ERRORS: dict[str, tuple[Any, type[Exception], str]] = {
    "if": (lambda x: x if x.sum() > 0 else -x, RuntimeError, "has no value yet"),
    "int": (lambda x: lucid.zeros(int(x.sum())), RuntimeError, "has no value yet"),
    "mask": (lambda x: x[x > 0], RuntimeError, "has no value yet"),
    "explain": (
        lambda x: x * lucid.explain(lambda y: y * 2)(x).dispatches,
        RuntimeError,
        "^explain: .* has no value yet; ask for it outside",
    ),
    "seed": (seeds, RuntimeError, "call manual_seed outside"),
    "generator": (
        lambda x: x * lucid.rand((), generator=lucid.Generator(1)),
        RuntimeError,
        "draw from another one outside",
    ),
    "rule": (custom_vmap(lambda x: x * 2), RuntimeError, "compiled function"),
    "own": (lambda x: 1 / 0, ZeroDivisionError, "division"),
    "axis": (lambda x: psum(x, "nowhere"), ValueError, "nowhere"),
}
ERRORS["rule"][0].def_vmap(lambda size, in_batched, x: (x * 2, 0))


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name: str) -> None:
    func, error, phrase = ERRORS[name]
    g = compile(func)
    for _ in range(2):
        with pytest.raises(error, match=phrase):
            g(X)
    with pytest.raises(error, match=phrase):
        vmap(g)(X)
    close(compile(wave)(W), wave(W))  # nothing is left behind


def test_func_must_be_callable() -> None:
    with pytest.raises(TypeError, match="argument 'func' must be callable"):
        compile(3)  # type: ignore[arg-type]


def test_arguments_compared_by_python_may_fail() -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise ValueError("cannot say")

        __hash__ = None  # type: ignore[assignment]

    f = Counted(lambda x, o: x * 2)
    g = compile(f)
    close(g(W, Odd()), W * 2)
    close(g(W, Odd()), W * 2)
    assert f.calls == 2


def test_recursion_and_reentry() -> None:
    calls = []

    @compile
    def f(x: lucid.Tensor, n: int) -> lucid.Tensor:
        calls.append(n)
        return x if n == 0 else x * 2 + f(x, n - 1)

    close(f(W, 3), W * 7)
    assert calls == [3, 2, 1, 0]
    close(f(W + 1, 3), (W + 1) * 7)
    close(f(W, 2), W * 5)
    assert calls == [3, 2, 1, 0]


# -- threads and memory ----------------------------------------------------------------------------


def test_threads() -> None:
    g = compile(lambda x: (x.sin() * 2).sum())
    results: list[list[float]] = [[] for _ in range(4)]

    def work(k: int) -> None:
        for i in range(50):
            results[k].append(g(lucid.full((i % 3 + 1,), float(k))).item())

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(4):
        want = [(i % 3 + 1) * 2 * float(np.sin(np.float32(k))) for i in range(50)]
        assert np.allclose(results[k], want)


def test_cycles_are_collected() -> None:
    class Owner:
        pass

    owner = Owner()
    owner.step = compile(lambda x, o: x * 2)  # type: ignore[attr-defined]
    owner.step(W, owner)  # type: ignore[attr-defined]
    seen = weakref.ref(owner)
    del owner
    gc.collect()
    assert seen() is None
