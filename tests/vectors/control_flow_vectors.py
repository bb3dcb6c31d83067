"""cond, switch, while_loop, fori_loop, scan and map, with what is differentiated and mapped around.

The model runs the same functions as Python loops, in float64. Derivatives are those of complex
steps: the imaginary part of f(x + ih) / h, which has no rounding to speak of; second derivatives
are differences of those.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from random_model import Model, loop_stride
from vector_file import EVERY_WAY, File, floats

Function = Callable[..., Any]
TINY = 1e-30


# -- derivatives of the model ----------------------------------------------------------------------


def jvp(f: Function, x: list[Any], dx: list[Any]) -> Any:
    moved = [a + 1j * TINY * d if np.any(d) else a for a, d in zip(x, dx, strict=True)]
    return np.imag(f(*moved)) / TINY


def jacobian(f: Function, x: list[Any]) -> Any:
    """By the first argument."""
    columns = []
    for i in range(x[0].size):
        dx = [np.zeros_like(a) for a in x]
        dx[0].flat[i] = 1
        columns.append(jvp(f, x, dx))
    columns = np.stack(columns, -1)
    return columns.reshape(columns.shape[:-1] + x[0].shape)


def hessian(f: Function, x: list[Any]) -> Any:
    rows, step = [], 1e-5
    for i in range(x[0].size):
        d = np.zeros_like(x[0])
        d.flat[i] = step
        more, less = (jacobian(f, [x[0] + by, *x[1:]]) for by in (d, -d))
        rows.append((more - less) / (2 * step))
    return np.stack(rows).reshape(x[0].shape + x[0].shape)


# -- functions of one example ----------------------------------------------------------------------


def branch(x: Any) -> Any:
    return np.sqrt(x) if x.real > 0 else -2 * x


def branch_of_vectors(x: Any, w: Any) -> Any:
    return (x * w).sum() if x.sum().real > 0 else (x**2).sum()


def branches_inside(x: Any) -> Any:
    if x.real > 1:
        return np.exp(-x)
    return np.sin(x) if x.real > 0 else x**3


def choice(x: Any, k: Any) -> Any:
    return [np.sin(x), x**2, 3 * x][min(max(int(k), 0), 2)]


def newton(a: Any) -> Any:
    r = 1 + 0 * a
    while abs((r * r - a).real) > 1e-3:
        r = 0.5 * (a / r + r)
    return r


def shrink(x: Any, w: Any) -> Any:
    """As many steps as x needs, each by a vector."""
    while (x * x).sum().real > 0.5:
        x = np.sin(x) * w
    return (x * w).sum()


def counted(x: Any) -> Any:
    for i in range(5):
        x = np.sin(x) / (i + 1) + x
    return x


def counted_by(x: Any, n: Any) -> Any:
    for i in range(int(n)):
        x = np.sin(x) * (i + 1)
    return x


def filtered(c: Any, xs: Any) -> tuple[Any, Any]:
    ys = []
    for x in xs:
        c = 0.5 * c + np.sin(x)
        ys.append(c * x)
    return c, np.stack(ys)


def filtered_back(c: Any, xs: Any) -> tuple[Any, Any]:
    c, ys = filtered(c, xs[::-1])
    return c, ys[::-1]


def filtered_sum(xs: Any, c: Any) -> Any:
    c, ys = filtered(c, xs)
    return c + ys.sum()


def two_carries(xs: Any, w: Any) -> Any:
    a = b = 0
    for x in xs:
        a, b = b + x * w, np.tanh(a)
    return a * b


def mapped(rows: Any) -> Any:
    return np.stack([np.sin(row) * (row * row).sum() for row in rows])


def loop_of_branches(xs: Any, c: Any) -> Any:
    for x in xs:
        c = c * np.cos(x) if (c * x).real > 0 else c + x * x
    return c


def loop_of_loops(x: Any) -> Any:
    for i in range(3):
        while abs(x.real) > 0.5:
            x = 0.7 * np.sin(x)
        x = x + 0.4 * (i + 1)
    return x


def map_of_loops(xs: Any) -> Any:
    return np.stack([newton(1 + x * x) for x in xs])


@dataclass
class Program:
    name: str
    words: str
    f: Function
    args: list[Any]  # of all lanes
    scalar: bool = True  # one number comes out


def exact(*shape: int, seed: int, low: float = -2, high: float = 2) -> Any:
    return floats(*shape, seed=seed, low=low, high=high).astype(np.float64)


NEWTON = (
    "[ ->a ->r r square a sub abs 0.001 gt ] [ ->a ->r 0.5 a r div r add mul a ] loop:2{} ->a ->r"
)


def programs() -> list[Program]:
    x, v, w = exact(5, seed=11), exact(5, 4, seed=12), exact(5, 4, seed=13, low=0.25, high=0.875)
    a, rows = exact(5, seed=14, low=0.5, high=40), exact(5, 2, 3, seed=15)
    k, n = np.array([0, 2, 1, -3, 9], np.int64), np.array([3, 0, 4, 1, 2], np.int64)
    step = "[ ->x ->c c 0.5 mul x sin add ->n n n x mul ]"
    return [
        Program("cond", "x0 0.0 gt x0 [ sqrt ] [ -2.0 mul ] cond:1", branch, [x]),
        Program(
            "cond-captures",
            "x0 sum 0.0 gt x0 [ x1 mul sum ] [ square sum ] cond:1",
            branch_of_vectors,
            [v, w],
        ),
        Program(
            "cond-in-cond",
            "x0 1.0 gt x0 [ neg exp ] [ ->y y 0.0 gt y [ sin ] [ 3 pow ] cond:1 ] cond:1",
            branches_inside,
            [x],
        ),
        Program("switch", "x1 x0 [ sin ] [ square ] [ 3.0 mul ] switch:1,3", choice, [x, k]),
        Program("while", f"1.0 float64 x0 {NEWTON.format('')} r", newton, [a]),
        Program("while-bounded", f"1.0 float64 x0 {NEWTON.format(',40')} r", newton, [a]),
        Program("while-checkpoints", f"1.0 float64 x0 {NEWTON.format(',0,3')} r", newton, [a]),
        Program(
            "while-of-a-vector",
            "x0 [ square sum 0.5 gt ] [ sin x1 mul ] loop:1 x1 mul sum",
            shrink,
            [v, w],
        ),
        Program("fori", "0 5 x0 [ ->y ->i y sin i 1 add div y add ] fori:1", counted, [x]),
        Program(
            "fori-of-the-lane", "0 x1 x0 [ ->y ->i y sin i 1 add mul ] fori:1", counted_by, [x, n]
        ),
        Program("scan", f"x0 x1 {step} scan:1,1", filtered, [x, v], scalar=False),
        Program("scan-back", f"x0 x1 {step} scan:1,1,1", filtered_back, [x, v], scalar=False),
        Program("scan-sum", f"x1 x0 {step} scan:1,1 sum add", filtered_sum, [v, x]),
        Program(
            "scan-two-carries",
            "0.0 float64 0.0 float64 x0 [ ->x ->b ->a b x x1 mul add a tanh ] scan:2,1 mul",
            two_carries,
            [v, x],
        ),
        Program("map", "x0 [ ->r r sin r square sum mul ] map:1", mapped, [rows], scalar=False),
        Program(
            "scan-of-conds",
            "x1 x0 [ ->x ->c c x mul 0.0 gt c [ x cos mul ] [ x square add ] cond:1 ] scan:1,1",
            loop_of_branches,
            [v, x],
        ),
        Program(
            "fori-of-whiles",
            "0 3 x0 [ ->y ->i y [ abs 0.5 gt ] [ sin 0.7 mul ] loop:1,40"
            " i 1 add float64 0.4 mul add ] fori:1",
            loop_of_loops,
            [x],
        ),
        Program(
            "map-of-whiles",
            f"x0 [ ->x 1.0 float64 x square 1.0 add {NEWTON.format(',40')} r ] map:1",
            map_of_loops,
            [v],
            scalar=False,
        ),
    ]


# -- what is applied -------------------------------------------------------------------------------


def stacked(results: list[Any]) -> list[Any]:
    """The results of the lanes, one array for each result."""
    if isinstance(results[0], tuple):
        return [np.stack(list(parts)) for parts in zip(*results, strict=True)]
    return [np.stack(results)]


def lanes(p: Program) -> Iterator[list[Any]]:
    for b in range(len(p.args[0])):
        yield [x[b] for x in p.args]


def differentiated(f: File, p: Program) -> None:
    every = list(lanes(p))
    direction = [np.zeros_like(x) if x.dtype.kind == "i" else np.cos(x) for x in p.args]
    if all(x.dtype.kind == "f" for x in p.args):
        f.case(
            f"{p.name}-jvp",
            p.words,
            "jvp",
            "vmap",
            inputs=p.args + direction,
            outputs=[
                np.stack([jvp(p.f, x, [d[b] for d in direction]) for b, x in enumerate(every)])
            ],
            tolerance=1e-9,
            **EVERY_WAY,
        )
    slopes = np.stack([jacobian(p.f, x) for x in every])
    in_dims = ",".join("0" * len(p.args))
    for transform in ["jacrev", "jacfwd"] + ["grad"] * p.scalar:
        f.case(
            f"{p.name}-{transform}",
            p.words,
            transform,
            f"vmap in_dims={in_dims}",
            inputs=p.args,
            outputs=[slopes],
            tolerance=1e-9,
            **EVERY_WAY,
        )
    if p.scalar:
        f.case(
            f"{p.name}-hessian",
            p.words,
            "hessian",
            "vmap",
            inputs=p.args,
            outputs=[np.stack([hessian(p.f, x) for x in every])],
            tolerance=1e-6,
            **EVERY_WAY,
        )


def mapped_ways(f: File, p: Program) -> None:
    every = [p.f(*x) for x in lanes(p)]
    first = p.f(*(x[0] for x in p.args))
    f.case(
        p.name,
        p.words,
        inputs=[x[0] for x in p.args],
        outputs=list(first) if isinstance(first, tuple) else [first],
        tolerance=1e-12,
    )
    # Lanes along the last dim.
    f.case(
        f"{p.name}-vmap",
        p.words,
        "vmap in_dims=" + ",".join("-1" for _ in p.args),
        inputs=[np.moveaxis(x, 0, -1).copy() for x in p.args],
        outputs=stacked(every),
        tolerance=1e-12,
        **EVERY_WAY,
    )
    if len(p.args) == 1:
        return
    # One argument is the same for all, and outside of that the other one.
    f.case(
        f"{p.name}-vmap-none",
        p.words,
        "vmap in_dims=0,none",
        inputs=[p.args[0], p.args[1][2]],
        outputs=stacked([p.f(x, p.args[1][2]) for x in p.args[0]]),
        tolerance=1e-12,
        **EVERY_WAY,
    )
    table = [stacked([p.f(x, y) for y in p.args[1]]) for x in p.args[0]]
    f.case(
        f"{p.name}-vmap-nested",
        p.words,
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=p.args,
        outputs=[np.stack(list(rows)) for rows in zip(*table, strict=True)],
        tolerance=1e-12,
        **EVERY_WAY,
    )


# -- random numbers --------------------------------------------------------------------------------

SEED = 9


def random_programs() -> dict[str, tuple[str, Callable[[Model, Any], Any]]]:
    def by_sign(m: Model, x: Any) -> Any:
        a, b = m.rand(), m.rand()  # one for each branch, the one for false first
        return x * b if x > 0 else x + a

    def sum_of_steps(m: Model, x: Any) -> Any:
        c, first = x, m.draws
        for t in range(4):
            m.draws = first + t * loop_stride(first)
            c = c + m.rand()
        m.draws = first + 1
        return c + m.rand()

    def of_each(m: Model, x: Any) -> Any:
        y, first = [], m.draws
        for t in range(3):
            m.draws = first + t * loop_stride(first)
            a = m.rand(2)
            y.append(a * m.rand(2) + x)
        return np.stack(y)

    def until_large(m: Model, x: Any) -> Any:
        c, t, first = x, 0, m.draws
        while c < 2:
            m.draws = first + t * loop_stride(first)
            c, t = c + m.rand(), t + 1
        return c

    return {
        "cond-draws": ("x0 0.0 gt x0 [ rand mul ] [ rand add ] cond:1", by_sign),
        "scan-draws": ("x0 x1 [ ->x rand add ] scan:1,1 rand add", sum_of_steps),
        "fori-draws": ("0 4 x0 [ ->c ->i c rand add ] fori:1 rand add", sum_of_steps),
        "map-draws": ("x0 ->y x1 [ ->x rand:2 rand:2 mul y add ] map:1", of_each),
        "while-draws": ("x0 [ 2.0 lt ] [ rand add ] loop:1", until_large),
    }


def draws(f: File) -> None:
    x = floats(5, seed=16)
    for name, (words, draw) in random_programs().items():
        steps = {"scan-draws": [np.zeros(4, np.float32)], "map-draws": [np.zeros(3, np.float32)]}
        more = steps.get(name, [])
        for mode in ("different", "same"):
            y = [draw(Model(SEED, b if mode == "different" else 0), v) for b, v in enumerate(x)]
            f.case(
                f"{name}-{mode}",
                words,
                f"vmap in_dims=0{',none' * len(more)} randomness={mode}",
                inputs=[x, *more],
                outputs=[np.stack(y).astype(np.float32)],
                tolerance=1e-6,
                seed=SEED,
                **EVERY_WAY,
            )
        f.case(
            f"{name}-error",
            words,
            f"vmap in_dims=0{',none' * len(more)}",
            inputs=[x, *more],
            error="RuntimeError rand: random op",
        )


# -- wrong calls -----------------------------------------------------------------------------------


def wrong_calls(f: File) -> None:
    x, v = np.float32(1), floats(3, seed=17)
    rows = [
        (
            "cond-shapes",
            "x0 0.0 gt x1 [ ] [ sum ] cond:1",
            [x, v],
            "ValueError branches must agree",
        ),
        ("cond-dtypes", "x0 0.0 gt x0 [ ] [ int64 ] cond:1", [x], "TypeError branches must agree"),
        ("cond-of-many", "x0 0.0 gt x0 [ ] [ ] cond:1", [v], "ValueError must be one element"),
        ("switch-by-a-float", "x0 x0 [ ] [ ] switch:1,2", [x], "TypeError must be an integer"),
        (
            "while-not-a-bool",
            "x0 [ ] [ ] loop:1",
            [x],
            "TypeError the condition must give one bool",
        ),
        (
            "while-carry",
            "x0 [ sum 0.0 gt ] [ sum ] loop:1",
            [v],
            "ValueError a carry keeps its shape and dtype",
        ),
        ("scan-of-a-number", "x0 x0 [ add ] scan:1,1", [x], "ValueError it needs a first dim"),
        ("scan-lengths", "x0 x1 [ mul ] map:2", [v, v[:2]], "ValueError 3 steps"),
        ("fori-by-a-float", "0 x0 x0 [ ->c ->i c ] fori:1", [x], "TypeError must be an integer"),
    ]
    for name, words, inputs, error in rows:
        f.case(f"wrong-{name}", words, inputs=inputs, error=error)


def control_flow() -> File:
    f = File("control_flow", "Control flow as operations, mapped and differentiated.")
    for p in programs():
        mapped_ways(f, p)
        if not isinstance(p.f(*(x[0] for x in p.args)), tuple):
            differentiated(f, p)
    draws(f)
    wrong_calls(f)
    return f
