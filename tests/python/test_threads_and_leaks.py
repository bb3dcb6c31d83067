"""Nothing is left behind by repeated calls, and threads do not disturb each other."""

import copy
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import close, numbers

import lucid
from lucid.func import (
    axis_index,
    checkpoint,
    compile,
    custom_jvp,
    custom_vjp,
    custom_vmap,
    grad,
    hessian,
    jacrev,
    jvp,
    linearize,
    psum,
    vjp,
    vmap,
)

X = lucid.tensor(numbers(8, 3))
RAW = numbers(100)


def square_sum(x: lucid.Tensor) -> lucid.Tensor:
    return (x**2).sum()


def fails(x: lucid.Tensor) -> lucid.Tensor:
    raise ValueError("from inside")


def failing_call() -> None:
    with pytest.raises(ValueError, match="from inside"):
        vmap(grad(fails))(X)


square_jvp = custom_jvp(square_sum)
square_jvp.defjvp(lambda p, t: (square_jvp(*p), (2 * p[0] * t[0]).sum()))
square_vjp = custom_vjp(square_sum)
square_vjp.defvjp(lambda x: (square_vjp(x), {"x": x}), lambda res, ct: 2 * res["x"] * ct)
square_vmap = custom_vmap(square_sum)
square_vmap.def_vmap(lambda size, in_batched, x: ((x**2).sum(1), True))
failing_rule = custom_vjp(square_sum)
failing_rule.defvjp(lambda x: (square_sum(x), x), lambda res, ct: fails(ct))


def custom_rules() -> None:
    for f in (square_jvp, square_vjp, square_vmap):
        vmap(grad(f))(X).tolist()
        grad(lambda x, f=f: vmap(f)(x).sum())(X).tolist()
        jvp(vmap(f), (X,), (X,))


def failing_rule_call() -> None:
    with pytest.raises(ValueError, match="from inside"):
        grad(lambda x: vmap(failing_rule)(x).sum())(X)


def recorded_rule() -> None:
    w = lucid.tensor([1.0, 2.0], requires_grad=True)
    loss = square_vjp(w)
    loss.backward()


def backward() -> None:
    w = lucid.tensor([1.0, 2.0], requires_grad=True)
    (w**2).sum().backward()
    assert w.grad is not None
    w.grad.zero_()


def in_place() -> None:
    x = lucid.zeros(4)
    x += 1
    x[1] = 5
    x[x > 2] = 0
    x.tolist()


COMPILED = compile(lambda x, n, flag: {"y": x.sin() * n})

CALLS: dict[str, Callable[[], Any]] = {
    "eager": lambda: ((X @ X.T).softmax().sum(0) * 2).tolist(),
    "vmap of grad": lambda: lucid.eval(vmap(grad(square_sum))(X)),
    "unevaluated": lambda: vmap(grad(square_sum))(X),
    "isolated": lambda: vmap(square_sum, strategy="isolated")(X).tolist(),
    "diverging": lambda: vmap(lambda x: x.sum() if x[0] > 1 else x[1])(X).tolist(),
    "chunks": lambda: vmap(square_sum, chunk_size=3)(X).tolist(),
    "collectives": lambda: vmap(
        lambda x: psum({"x": x}, "b")["x"] + axis_index("b"), axis_name="b"
    )(X),
    "custom rules": custom_rules,
    "checkpoint": lambda: vmap(grad(lambda x: checkpoint(square_sum)(x)))(X).tolist(),
    "compile": lambda: compile(vmap(grad(square_sum)))(X).tolist(),
    "compiled": lambda: COMPILED(X, 1, flag="x")["y"].tolist(),
    "error in a rule": failing_rule_call,
    "recorded rule": recorded_rule,
    "structures": lambda: vmap(lambda d: {"a": (d["x"], [1.0, None])})({"x": X}),
    "jacrev": lambda: vmap(jacrev(lambda x: x**2))(X).tolist(),
    "hessian": lambda: hessian(square_sum)(X[0]).tolist(),
    "vjp": lambda: vjp(square_sum, X)[1](),
    "linearize": lambda: linearize(square_sum, X)[1](X),
    "jvp": lambda: jvp(square_sum, (X,), (X,)),
    "error inside": failing_call,
    "backward": backward,
    "in place": in_place,
    "numpy in": lambda: lucid.sin(RAW).sum().item(),
    "numpy shared": lambda: lucid.from_numpy(RAW).sum().item(),
    "numpy out": lambda: np.asarray(X.T).sum(),
    "dlpack": lambda: lucid.from_dlpack(np.from_dlpack(X + 1)).sum().item(),
    "indexing": lambda: X[[0, 2], :, None][..., ::-1].tolist(),
    "text": lambda: repr(X),
    "random": lambda: lucid.randn(10, generator=lucid.Generator(1)).tolist(),
}


def references() -> list[int]:
    """Counts of objects that many calls touch."""
    objects: list[Any] = [lucid.float32, square_sum, X, RAW, lucid.Tensor]
    if sys.version_info < (3, 12):  # later their counts mean nothing: they never die
        objects += [None, True, (), 0]
    return [sys.getrefcount(o) for o in objects]


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_left(name: str) -> None:
    call = CALLS[name]
    for _ in range(20):
        call()
    gc.collect()
    live, counts, blocks = lucid.stats()["bytes_live"], references(), sys.getallocatedblocks()
    for _ in range(200):
        call()
    gc.collect()
    assert lucid.stats()["bytes_live"] == live
    assert max(abs(a - b) for a, b in zip(references(), counts, strict=True)) < 50
    assert sys.getallocatedblocks() - blocks < 150


def test_functions_in_cycles_are_collected() -> None:
    class Model:
        def __init__(self) -> None:
            self.mapped = vmap(self.forward)
            self.tape = vjp(lambda x: {"y": x * 2, "model": None}, X)[1]

        def forward(self, x: lucid.Tensor) -> lucid.Tensor:
            return x * 2

    model = Model()
    close(model.mapped(X), 2 * X)
    alive = weakref.ref(model)
    del model
    gc.collect()
    assert alive() is None


class Exporter(np.ndarray[Any, Any]):
    """An array that can hold what is made of it."""

    made: Any


def test_cycles_are_collected() -> None:
    """Through what vjp gives, what was recorded, structures, records, and the memory of others."""

    class Model:
        made: Any

        def square_sum(self, x: lucid.Tensor) -> lucid.Tensor:
            return (x**2).sum()

        def recorded(self) -> lucid.Tensor:
            w = lucid.tensor([1.0, 2.0], requires_grad=True)
            loss = self.square_sum(w)
            loss.backward()
            return lucid.stack([loss, w.grad.sum()])  # type: ignore[union-attr]

    def array() -> Exporter:
        return np.ones(3).view(Exporter)

    makers: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
        "vjp": (Model, lambda m: vjp(m.square_sum, X)),
        "vjp of a structure": (Model, lambda m: vjp(lambda s: s["x"] * 2, {"x": X, "m": m})),
        "linearize": (Model, lambda m: linearize(m.square_sum, X)),
        "transformed": (Model, lambda m: vmap(grad(m.square_sum))),
        "copied": (Model, lambda m: copy.copy(vmap(m.square_sum))),
        "compiled": (Model, lambda m: called(compile(m.square_sum))),
        "custom": (Model, lambda m: custom_jvp(m.square_sum)),
        "backward": (Model, Model.recorded),
        "a dict of one's own": (Model, lambda m: called(compile(lambda d: d["x"]), Own(m))),
        "from_numpy": (array, lucid.from_numpy),
        "as_tensor": (array, lambda a: [lucid.as_tensor(a), lucid.as_tensor(a)[1:]]),
        "a written one": (array, lambda a: lucid.from_numpy(a).add_(1)),
        "pending": (array, lambda a: lucid.from_numpy(a) * 2),
        "an argument": (array, lambda a: vmap(lambda x: x + 1)(a)),
        "a read-only argument": (array, lambda a: lucid.sin(np.broadcast_to(a, (2, 3)))),
    }
    for name, (make, of) in makers.items():
        o = make()
        o.made = of(o)
        alive = weakref.ref(o)
        del o
        gc.collect()
        assert alive() is None, name


class Own(dict[str, Any]):
    def __init__(self, owner: Any) -> None:
        super().__init__(x=X)
        self.owner = owner


def called(f: Any, *args: Any) -> Any:
    f(*(args or (X,)))
    return f


def test_tensors_can_be_referred_to_weakly() -> None:
    x = lucid.ones(2)
    alive = weakref.ref(x)
    assert alive() is x
    del x
    assert alive() is None
    f = vmap(square_sum)
    assert weakref.ref(f)() is f


def run_all(work: Callable[[int], None], count: int = 8) -> None:
    errors: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]


def test_threads_compute() -> None:
    def work(i: int) -> None:
        x = lucid.tensor(numbers(40, 5, seed=i))
        for _ in range(30):
            close(vmap(grad(square_sum))(x), 2 * x.numpy())
            close((x @ x.T).sum(), (x.numpy() @ x.numpy().T).sum(), rtol=1e-4)

    run_all(work)


def test_threads_share_tensors() -> None:
    shared = [lucid.tensor(numbers(50, 50, seed=i)) @ lucid.eye(50) + 1 for i in range(10)]

    def work(i: int) -> None:
        for x in shared:
            assert x.sum().item() > 0
            close(vmap(lambda r: r.sum())(x), x.numpy().sum(1), rtol=1e-4)

    run_all(work)


def test_transforms_of_threads_are_separate() -> None:
    barrier = threading.Barrier(4)

    def work(i: int) -> None:
        def f(x: lucid.Tensor) -> lucid.Tensor:
            barrier.wait(timeout=20)
            return (x * (i + 1)).sum()

        for _ in range(5):
            close(vmap(grad(f))(X), np.full((8, 3), i + 1.0))

    run_all(work, 4)


def test_a_tensor_of_another_threads_transform_is_an_error() -> None:
    found: list[str] = []

    def f(x: lucid.Tensor) -> lucid.Tensor:
        def use() -> None:
            with pytest.raises(RuntimeError, match="thread"):
                x + 1
            found.append("error")

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        return x

    vmap(f)(X)
    assert found == ["error"]


def test_buffers_are_released_whatever_thread_lets_go() -> None:
    def work(i: int) -> None:
        for _ in range(50):
            a = np.full(1000, float(i))
            assert lucid.from_numpy(a).sum().item() == 1000.0 * i

    run_all(work)
    before = lucid.stats()["bytes_live"]
    run_all(work)
    assert lucid.stats()["bytes_live"] == before


def test_deep_graphs_and_structures() -> None:
    x = lucid.zeros(())
    for _ in range(20_000):
        x = x + 1
    assert x.item() == 20_000
    w = lucid.tensor(1.0, requires_grad=True)
    y = w * 1
    for _ in range(5_000):
        y = y * 1.0
    y.backward()
    close(w.grad, 1.0)
    deep: Any = X
    for _ in range(200):
        deep = [deep]
    assert isinstance(vmap(lambda d: d)(deep), list)
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        vmap(lambda d: d)(deep)
    while isinstance(deep, list):  # the recursion of deallocation is Python's own matter
        deep = deep[0]


def tell(program: str, **environment: str) -> str:
    """What a process of its own prints."""
    known = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS", "GOMP", "OMP"))}
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=known | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.strip()


SETTINGS = """
import os
import signal
before = dict(os.environ)
import lucid
assert dict(os.environ) == before
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux does")
def test_an_import_starts_no_threads() -> None:
    assert tell(SETTINGS) == "1"
    if len(os.sched_getaffinity(0)) > 1:
        assert tell(SETTINGS, OPENBLAS_NUM_THREADS="2") == "2"  # whoever wants them


# -- Ctrl-C ----------------------------------------------------------------------------------------


def endless_lanes() -> lucid.Tensor:
    return vmap(lambda v: lucid.while_loop(lambda c: c[0] < 2, lambda c: c.cos(), v))(
        lucid.zeros(64, 3)
    )


def endless_steps() -> lucid.Tensor:
    return lucid.while_loop(
        lambda c: (c < 2).all(), lambda c: c.sort().values * 0.5, lucid.zeros(9)
    )


def products() -> lucid.Tensor:
    x = lucid.ones(3000, 3000)
    for _ in range(40):
        x = x @ lucid.ones(3000, 3000) / 3000
    return x


def isolated() -> lucid.Tensor:
    return vmap(lucid.sin, strategy="isolated")(lucid.zeros(100_000_000))


def divergence() -> lucid.Tensor:
    def leaves_one_by_one(x: lucid.Tensor) -> lucid.Tensor:
        while x < 1e9:
            x = x + 1
        return x

    return vmap(leaves_one_by_one, max_paths=10**9)(lucid.arange(1e6))


ENDLESS: dict[str, Callable[[], Any]] = {
    "loop over lanes": lambda: lucid.eval(endless_lanes()),
    "loop step by step": lambda: endless_steps().tolist(),
    "scan": lambda: lucid.scan(lambda c, _: (c.cos(), None), lucid.zeros(4), None, length=10**12)[
        0
    ].tolist(),
    "compiled": lambda: compile(endless_lanes)(),
    "products": lambda: products().sum().item(),
    "isolated": isolated,
    "divergence": divergence,
}


def interrupted(call: Callable[[], Any], after: float = 0.2) -> float:
    """Seconds from the signal to KeyboardInterrupt."""
    sent = 0.0

    def send() -> None:
        nonlocal sent
        sent = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(after, send)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            call()
        return time.perf_counter() - sent
    finally:
        timer.join()


# Far more than the tenth of a second it takes: machines that test are busy.
SOON = 2.0


@pytest.mark.parametrize("name", ENDLESS)
def test_interrupts(name: str) -> None:
    bytes_live = lucid.stats()["bytes_live"]
    assert interrupted(ENDLESS[name]) < SOON
    assert (lucid.ones(3) + 1).tolist() == [2, 2, 2]
    gc.collect()
    assert lucid.stats()["bytes_live"] <= bytes_live + 1000


def test_interrupted_values_stay_pending() -> None:
    x = lucid.rand(1000, 1000, dtype=lucid.float64)
    y = x
    for _ in range(60):
        y = lucid.lgamma(y + 1)
    again = y + 0
    assert interrupted(lambda: lucid.eval(y)) < SOON
    assert x.sum().item() > 0
    close(y[:2].numpy(), again[:2].numpy())


def test_other_threads_are_not_interrupted_and_do_not_hold_the_main_one() -> None:
    results = []
    begun = threading.Event()

    def other() -> None:
        x = lucid.ones(1000, 1000, dtype=lucid.float64)
        for _ in range(120):
            x = lucid.lgamma(x + 1)
        begun.set()
        results.append(x.sum().item())

    thread = threading.Thread(target=other)
    thread.start()
    begun.wait()
    assert interrupted(lambda: [(lucid.ones(3) + 1).tolist() for _ in range(10**9)]) < SOON
    thread.join()
    assert len(results) == 1


def test_handlers_may_compute() -> None:
    seen = []

    def handler(number: int, frame: Any) -> None:
        seen.append(grad(square_sum)(lucid.ones(3)).tolist())

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert interrupted(ENDLESS["loop over lanes"], after=0.6) < SOON
        assert seen == [[2, 2, 2]]
    finally:
        signal.signal(signal.SIGUSR1, before)
