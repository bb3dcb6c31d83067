"""What is nested without end raises RecursionError, on stacks of any size."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import lucid
from lucid.func import checkpoint, compile, custom_jvp, grad, linearize, vmap

Wrap = Callable[[Callable[..., Any], lucid.Tensor], Any]


def with_rule(f: Callable[..., Any], x: lucid.Tensor) -> Any:
    g = custom_jvp(f)
    g.defjvp(lambda primals, tangents: (f(*primals), f(*tangents)))
    return g(x)


AROUND: dict[str, Wrap] = {
    "isolated vmap": lambda f, x: vmap(f, strategy="isolated")(lucid.stack([x]))[0],
    "vmap of none": lambda f, x: vmap(f, in_dims=(None, 0))(x, lucid.zeros(2)),
    "grad": lambda f, x: grad(f)(x),
    "linearize": lambda f, x: linearize(f, x)[0],
    "compile": lambda f, x: compile(f)(x),
    "checkpoint": lambda f, x: checkpoint(f)(x),
    "custom_jvp": with_rule,
    "cond": lambda f, x: lucid.cond(x < 1, f, f, x),
    "scan": lambda f, x: lucid.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
    "while_loop": lambda f, x: lucid.while_loop(lambda c: c < 1, f, x),
}


def on_small_stack(call: Callable[[], Any], size: int = 512 << 10) -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as e:
            raised.append(e)

    before = threading.stack_size(size)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if raised:
        raise raised[0]


@pytest.fixture
def no_limit() -> Any:
    """Python's own limit would come first."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(10**6)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("name", AROUND)
@pytest.mark.usefixtures("no_limit")
def test_functions_around_themselves(name: str) -> None:
    def again(x: lucid.Tensor, *unused: Any) -> Any:
        return AROUND[name](again, x)

    def call() -> None:
        with pytest.raises(RecursionError):
            again(lucid.tensor(0.5))
        assert (lucid.ones(2) + 1).tolist() == [2, 2]

    on_small_stack(call)


def test_towers_of_functions() -> None:
    def build(floors: int) -> Callable[..., Any]:
        f: Callable[..., Any] = lambda x: x * 2  # noqa: E731
        for _ in range(floors):
            f = checkpoint(f)
        return f

    def call() -> None:
        tower = build(100_000)
        with pytest.raises(RecursionError):
            tower(lucid.ones(2))
        with pytest.raises(RecursionError):
            tower.__name__  # noqa: B018
        del tower

    assert build(20)(lucid.ones(2)).tolist() == [2, 2]
    on_small_stack(call)
    call()


@pytest.mark.usefixtures("no_limit")
def test_structures() -> None:
    def call() -> None:
        for wrap in (lambda x: [x], lambda x: (x,), lambda x: {"a": x}):
            deep: Any = lucid.ones(2)
            for _ in range(100_000):
                deep = wrap(deep)
            for use in (
                lambda deep=deep: vmap(lambda t: t)(deep),
                lambda deep=deep: lucid.eval(deep),
                lambda deep=deep: vmap(lambda x: deep)(lucid.ones(2)),
                lambda deep=deep: vmap(lambda x: x, in_dims=(deep,))(lucid.ones(2)),
                lambda deep=deep: compile(lambda t: t)(deep),
            ):
                with pytest.raises((RecursionError, ValueError, TypeError)):
                    use()

    on_small_stack(call)
