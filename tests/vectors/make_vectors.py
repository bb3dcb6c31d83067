"""Writes the test vectors from NumPy.

usage: .venv/bin/python tests/vectors/make_vectors.py
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from random_model import Model

HERE = Path(__file__).resolve().parent
EVERY_WAY = {"strategies": ["auto", "vectorized", "isolated"], "chunk_sizes": [0, 1, 3]}
SPLITTING = {"strategies": ["auto", "isolated"], "chunk_sizes": [0, 1, 3]}


# -- writing ---------------------------------------------------------------------------------------


def tensor_text(x: Any, tolerance: float | None) -> str:
    x = np.asarray(x)
    sizes = "x".join(map(str, x.shape)) or "-"
    words = [str(x.dtype), sizes] + ([] if tolerance is None else [str(tolerance or "exact")])
    # The shortest decimals that read back as the same bits.
    words += [str(value if x.dtype.kind == "f" else int(value)) for value in x.ravel()]
    return " ".join(words)


def wrap(line: str) -> str:
    """Long lines go on, indented."""
    lines, current = [], ""
    for word in line.split(" "):
        if len(current) + len(word) > 98 and current:
            lines.append(current)
            current = "    " + word
        else:
            current = f"{current} {word}" if current else word
    return "\n".join([*lines, current])


class File:
    def __init__(self, name: str, about: str) -> None:
        self.path = HERE / f"{name}.txt"
        self.lines = [wrap(f"# {about}"), "# Written by make_vectors.py.", ""]

    def case(
        self,
        name: str,
        program: str,
        *applied: str,
        inputs: Any = (),
        outputs: Any = (),
        tolerance: float = 0,
        error: str = "",
        **options: Any,
    ) -> None:
        lines = [f"case {name}", f"program {program}"]
        lines += [f"apply {a}" for a in applied]
        for key, value in options.items():
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{key} {text}")
        lines += [f"input {tensor_text(x, None)}" for x in inputs]
        lines += [f"output {tensor_text(y, tolerance)}" for y in outputs]
        lines += [f"error {error}"] * bool(error)
        self.lines += [*map(wrap, lines), "end", ""]

    def text(self) -> str:
        return "\n".join(self.lines[:-1]) + "\n"


def floats(*shape: int, seed: int = 0, low: float = -2, high: float = 2) -> Any:
    """A few short binary fractions, so that files stay readable and sums exact."""
    drawn = np.random.default_rng(seed).integers(int(low * 16), int(high * 16), shape)
    return (drawn / 16).astype(np.float32)


# -- random numbers --------------------------------------------------------------------------------

LANES, SEED = 5, 7
Draw = Callable[[Model, Any], Any]

# name: program, the same in the model, tolerance (0: to the last bit; machines may differ in
# logarithms and cosines)
DRAWS: dict[str, tuple[str, Draw, float]] = {
    "rand": ("rand:5", lambda m, x: m.rand(5), 0),
    "rand-2d": ("rand:2,3", lambda m, x: m.rand(2, 3), 0),
    "rand-float64": ("rand64:3", lambda m, x: m.rand64(3), 0),
    "randn": ("randn:5", lambda m, x: m.randn(5), 2e-6),
    "randn-float64": ("randn64:3", lambda m, x: m.randn64(3), 1e-14),
    "randint": ("randint:-5,20,4", lambda m, x: m.randint(-5, 20, 4), 0),
    "randint-wide": ("randint:0,1099511627776,3", lambda m, x: m.randint(0, 2**40, 3), 0),
    "randperm": ("randperm:6", lambda m, x: m.randperm(6), 0),
    "bernoulli": ("x0 bernoulli", lambda m, x: m.bernoulli(x), 0),
    "dropout": ("x0 dropout:0.25", lambda m, x: m.dropout(x, 0.25), 0),
    "normal": ("x0 2.0 normal", lambda m, x: m.normal(x, 2), 3e-6),
    "uniform": ("x0 3.0 uniform", lambda m, x: m.uniform(x, np.float32(3)), 0),
    "exponential": ("x0 exponential", lambda m, x: m.exponential(x), 2e-6),
    "poisson": ("x0 6.0 mul poisson", lambda m, x: m.poisson(x * np.float32(6)), 0),
    "poisson-large": ("x0 300.0 mul poisson", lambda m, x: m.poisson(x * np.float32(300)), 0),
    "multinomial": ("x0 multinomial:3,0", lambda m, x: m.multinomial(x, 3, 0), 0),
    "multinomial-repeated": ("x0 multinomial:7,1", lambda m, x: m.multinomial(x, 7, 1), 0),
    "two-draws": ("rand:3 rand:3 sub", lambda m, x: m.rand(3) - m.rand(3), 0),
}


def random_numbers() -> File:
    f = File("random", "Random numbers: one lane, every mode of vmap, nested vmaps, generators.")
    # Above 0 and below 1, for probabilities and rates.
    x = floats(LANES, 4, low=0.0625, high=1)
    for name, (program, draw, tolerance) in DRAWS.items():
        how = {"tolerance": tolerance, "seed": SEED}
        m = Model(SEED)
        y = draw(m, x[0])
        f.case(name, program, inputs=x[:1].reshape(1, 4), outputs=[y], draws=m.draws, **how)
        f.case(
            f"{name}-error",
            program,
            "vmap",
            inputs=[x],
            error=f"RuntimeError {name.split('-')[0].replace('two', 'rand')}: random op",
        )
        lanes = [draw(Model(SEED, b), x[b]) for b in range(LANES)]
        mapped = {"inputs": [x], "draws": m.draws, **how, **EVERY_WAY}
        f.case(
            f"{name}-different",
            program,
            "vmap randomness=different",
            outputs=[np.stack(lanes)],
            **mapped,
        )
        lanes = [draw(Model(SEED), x[b]) for b in range(LANES)]
        f.case(f"{name}-same", program, "vmap randomness=same", outputs=[np.stack(lanes)], **mapped)
    nested_random(f)
    other_random(f)
    return f


def nested_random(f: File) -> None:
    """The lanes of an inner draw are those of all the vmaps whose mode is "different"."""
    x = floats(3, 4)
    for outer in ("different", "same", "error"):
        for inner in ("different", "same"):
            y = np.empty((3, 4, 2), np.float32)
            for a in range(3):
                for b in range(4):
                    lane = a if outer != "same" else 0
                    if inner != "same":
                        lane = lane * 4 + b
                    y[a, b] = Model(SEED, lane).rand(2) + x[a, b]
            f.case(
                f"nested-{outer}-{inner}",
                "x0 rand:2 add",
                f"vmap randomness={inner}",
                f"vmap randomness={outer}",
                inputs=[x],
                outputs=[y],
                seed=SEED,
                draws=1,
                **EVERY_WAY,
            )


def other_random(f: File) -> None:
    x = floats(LANES)
    # Gradients through noise: d/dx sum(x * noise) = sum(noise).
    noise = np.array([Model(SEED, b).rand(3).astype(np.float64).sum() for b in range(LANES)])
    f.case(
        "gradient-of-noise",
        "x0 rand:3 mul sum",
        "grad",
        "vmap randomness=different",
        inputs=[x],
        outputs=[noise.astype(np.float32)],
        tolerance=1e-6,
        seed=SEED,
        **EVERY_WAY,
    )
    # A generator of the function's own: its draws, and those of the process, each by itself.
    for mode in ("different", "same"):
        y = []
        for b in range(LANES):
            lane = b if mode == "different" else 0
            mine, own = Model(SEED, lane), Model(11, lane)
            y.append([mine.rand(), own.rand(), own.rand(), mine.rand()])
        f.case(
            f"own-generator-{mode}",
            "rand [ rand rand ] own:11 rand stack:4",
            f"vmap randomness={mode}",
            inputs=[x],
            outputs=[np.array(y, np.float32)],
            seed=SEED,
            draws=2,
            **EVERY_WAY,
        )
    f.case(
        "own-generator-error",
        "[ rand ] own:11",
        "vmap",
        inputs=[x],
        error="RuntimeError rand: random op",
    )
    # Lanes that draw unevenly: as many numbers as the argument says.
    n = np.array([2, 0, 5, 1, 2], np.int64)
    y = []
    for b in range(LANES):
        m, total = Model(SEED, b), np.float32(0)
        for _ in range(n[b]):
            total = total + m.rand()
        y.append(total)
    f.case(
        "uneven-draws",
        "0.0 ->t x0 [ t rand add ->t ] times t float32",
        "vmap randomness=different",
        inputs=[n],
        outputs=[np.array(y, np.float32)],
        seed=SEED,
        draws=5,
        **SPLITTING,
    )
    # Draws after the ways parted and met again.
    y = []
    for b in range(LANES):
        m = Model(SEED, b)
        a = m.rand()
        y.append(m.rand() + m.rand() if a > 0.5 else m.rand() - a)
    f.case(
        "draws-after-a-fork",
        "rand ->a a 0.5 gt [ rand rand add ] [ rand a sub ] if",
        "vmap randomness=different",
        inputs=[x],
        outputs=[np.array(y, np.float32)],
        seed=SEED,
        **SPLITTING,
    )


# -- the contract of vmap --------------------------------------------------------------------------


def contract() -> File:
    f = File(
        "contract",
        "What vmap promises: where the batch is, sizes, results that do not depend on it.",
    )
    a, b = floats(3, 4, seed=1), floats(3, 4, seed=2)
    row_sums = (a * b).sum(1)
    f.case("dims-default", "x0 x1 mul sum", "vmap", inputs=[a, b], outputs=[row_sums], **EVERY_WAY)
    f.case(
        "dims-each",
        "x0 x1 mul sum",
        "vmap in_dims=1,0",
        inputs=[a.T.copy(), b],
        outputs=[row_sums],
        **EVERY_WAY,
    )
    f.case(
        "dims-negative",
        "x0 x1 mul sum",
        "vmap in_dims=-1,-2",
        inputs=[a.T.copy(), b],
        outputs=[row_sums],
        **EVERY_WAY,
    )
    f.case(
        "dims-none",
        "x0 x1 mul sum",
        "vmap in_dims=0,none",
        inputs=[a, b[0]],
        outputs=[(a * b[0]).sum(1)],
        **EVERY_WAY,
    )
    f.case(
        "out-dims",
        "x0 x1 outer",
        "vmap out_dims=2",
        inputs=[a, b],
        outputs=[np.einsum("bi,bj->ijb", a, b)],
        **EVERY_WAY,
    )
    f.case(
        "out-dims-negative",
        "x0 x1 outer x0",
        "vmap out_dims=-2,-1",
        inputs=[a, b],
        outputs=[np.einsum("bi,bj->ibj", a, b), a.T],
        **EVERY_WAY,
    )
    f.case(
        "unbatched-result",
        "x0 sum x1 2.0 mul",
        "vmap in_dims=0,none",
        inputs=[a, b[0]],
        outputs=[a.sum(1), np.stack([b[0] * 2] * 3)],
        **EVERY_WAY,
    )
    f.case(
        "unbatched-result-last",
        "x1 2.0 mul",
        "vmap in_dims=0,none out_dims=1",
        inputs=[a, b[0]],
        outputs=[np.stack([b[0] * 2] * 3, 1)],
        **EVERY_WAY,
    )
    f.case(
        "out-dims-none",
        "x0 sum x1 2.0 mul",
        "vmap in_dims=0,none out_dims=0,none",
        inputs=[a, b[0]],
        outputs=[a.sum(1), b[0] * 2],
        **EVERY_WAY,
    )
    f.case(
        "one-lane",
        "x0 softmax:0 sum",
        "vmap",
        inputs=[a[:1]],
        outputs=[np.ones(1, np.float32)],
        tolerance=1e-6,
    )
    f.case(
        "no-lanes",
        "x0 sum x0 x0 outer",
        "vmap",
        inputs=[a[:0]],
        outputs=[np.zeros(0, np.float32), np.zeros((0, 4, 4), np.float32)],
        **EVERY_WAY,
    )
    f.case(
        "no-lanes-last",
        "x0 2.0 mul",
        "vmap in_dims=1 out_dims=1",
        inputs=[np.zeros((4, 0), np.float32)],
        outputs=[np.zeros((4, 0), np.float32)],
        **EVERY_WAY,
    )
    f.case(
        "dim-of-the-example",
        "x0 cumsum:0 x0 sum:0 x0 transpose:0,1",
        "vmap in_dims=1",
        inputs=[a.reshape(2, 3, 2)],
        outputs=[
            np.stack([np.cumsum(a.reshape(2, 3, 2)[:, i], 0) for i in range(3)]),
            np.stack([a.reshape(2, 3, 2)[:, i].sum(0) for i in range(3)]),
            np.stack([a.reshape(2, 3, 2)[:, i].T for i in range(3)]),
        ],
        **EVERY_WAY,
    )
    f.case(
        "vectors-matmul",
        "x0 x1 matmul",
        "vmap",
        inputs=[a, b],
        outputs=[row_sums],
        **EVERY_WAY,
    )
    index = np.array([3, -1, 0], np.int64)
    f.case(
        "index",
        "x0 x1 index",
        "vmap",
        inputs=[a, index],
        outputs=[a[np.arange(3), index]],
        **EVERY_WAY,
    )
    put = a.copy()
    put[np.arange(3), index] = 9
    f.case("write", "x0 x1 9.0 index_put", "vmap", inputs=[a, index], outputs=[put], **EVERY_WAY)
    put = np.zeros((3, 4), np.float32)
    put[np.arange(3), 1] = a[:, 0]
    f.case(
        "write-a-batched-value-into-a-fresh-tensor",
        "0.0 float32 expand:4 1 x0 select:0,0 index_put",
        "vmap",
        inputs=[a],
        outputs=[put],
        **EVERY_WAY,
    )
    f.case(
        "nested-dims",
        "x0 x1 mul",
        "vmap in_dims=1,none out_dims=1",
        "vmap in_dims=0,0 out_dims=0",
        inputs=[a.reshape(3, 2, 2), b[:, :2]],
        outputs=[
            np.stack(
                [
                    np.stack([a.reshape(3, 2, 2)[i, :, j] * b[i, :2] for j in range(2)], 1)
                    for i in range(3)
                ]
            )
        ],
        **EVERY_WAY,
    )
    f.case(
        "gradient-per-example",
        "x0 x1 mul sum square",
        "grad",
        "vmap in_dims=0,none",
        inputs=[a, b[0]],
        outputs=[2 * (a @ b[0])[:, None] * b[0]],
        **EVERY_WAY,
    )
    f.case(
        "hessian-per-example",
        "x0 x0 mul x0 mul sum",
        "hessian",
        "vmap",
        inputs=[a],
        outputs=[np.stack([np.diag(6 * row) for row in a])],
        **EVERY_WAY,
    )
    f.case(
        "gradient-of-a-mapped-sum",
        "x0 x1 mul square",
        "vmap in_dims=0,none",
        inputs=[a[:, 0], b[0, 0]],
        outputs=[(a[:, 0] * b[0, 0]) ** 2],
        **EVERY_WAY,
    )
    f.case(
        "pullback-per-example",
        "x0 square",
        "vjp",
        "vmap",
        inputs=[a, b],
        outputs=[2 * a * b],
        **EVERY_WAY,
    )
    f.case(
        "tangent-per-example",
        "x0 square sum",
        "jvp",
        "vmap",
        inputs=[a, b],
        outputs=[(2 * a * b).sum(1)],
        **EVERY_WAY,
    )
    return f


# -- lanes that part -------------------------------------------------------------------------------


def newton(x: float) -> tuple[np.float32, np.float32]:
    """Newton's square root in float32, and its derivative by the same steps."""
    one = np.float32
    r, dr = one(1), one(0)
    while abs(r * r - one(x)) > one(1e-3):
        dr = one(0.5) * (dr + (one(1) * r - one(x) * dr) / (r * r))
        r = one(0.5) * (r + one(x) / r)
    return r, dr


def divergence() -> File:
    f = File("divergence", "Functions whose control flow depends on the values of the batch.")
    a = floats(6, 3, seed=3)
    sums = a.sum(1)
    f.case(
        "if",
        "x0 sum 0.0 gt [ x0 10.0 mul ] [ x0 neg ] if",
        "vmap",
        inputs=[a],
        outputs=[np.where(sums[:, None] > 0, a * 10, -a)],
        **SPLITTING,
    )
    f.case(
        "if-gradient-inside",
        "x0 sum 0.0 gt [ x0 square sum ] [ x0 3.0 mul sum ] if",
        "grad",
        "vmap",
        inputs=[a],
        outputs=[np.where(sums[:, None] > 0, 2 * a, np.float32(3))],
        **SPLITTING,
    )
    f.case(
        "if-three-ways",
        "x0 sum ->t t 1.0 gt [ t ] [ t -1.0 lt [ t neg ] [ t square ] if ] if",
        "vmap",
        inputs=[a],
        outputs=[np.where(sums > 1, sums, np.where(sums < -1, -sums, sums**2))],
        **SPLITTING,
    )
    f.case(
        "if-unbatched-answer",
        "x1 0.0 gt [ x0 sum ] [ x0 neg sum ] if",
        "vmap in_dims=0,none",
        inputs=[a, np.float32(-1)],
        outputs=[-sums],
        strategies=["auto", "vectorized", "isolated"],
    )
    f.case(
        "if-different-lanes-different-results",
        "x0 sum 0.0 gt [ 1.0 float32 x0 sum ] [ x0 sum 2.0 float32 ] if",
        "vmap",
        inputs=[a],
        outputs=[np.where(sums > 0, np.float32(1), sums), np.where(sums > 0, sums, np.float32(2))],
        **SPLITTING,
    )
    x = np.array([0.5, 9, 2, 30.25, 1, 100, 2], np.float32)
    steps = [newton(v) for v in x]
    f.case(
        "while",
        "1.0 ->r [ r square x0 sub abs 0.001 gt ] [ 0.5 x0 r div r add mul ->r ] while r float32",
        "vmap",
        inputs=[x],
        outputs=[np.array([r for r, _ in steps])],
        tolerance=1e-6,
        **SPLITTING,
    )
    f.case(
        "while-gradient",
        "1.0 float32 ->r [ r square x0 sub abs 0.001 gt ] [ 0.5 x0 r div r add mul ->r ] while r",
        "grad",
        "vmap",
        inputs=[x],
        outputs=[np.array([dr for _, dr in steps])],
        tolerance=1e-5,
        **SPLITTING,
    )
    n = np.array([3, 0, 1, 3, 5, 2], np.int64)
    powers = [a[i] * np.float32(2.0 ** n[i]) for i in range(6)]
    f.case(
        "times",
        "x0 ->y x1 [ y 2.0 mul ->y ] times y",
        "vmap",
        inputs=[a, n],
        outputs=[np.stack(powers)],
        **SPLITTING,
    )
    f.case(
        "table",
        "x0 x1 2 remainder 0 eq [ 2.0 ] [ x1 3 eq [ 7.0 ] [ 5.0 ] if ] if mul",
        "vmap",
        inputs=[a, n],
        outputs=[
            np.stack(
                [
                    a[i] * np.float32(2 if k % 2 == 0 else 7 if k == 3 else 5)
                    for i, k in enumerate(n)
                ]
            )
        ],
        **SPLITTING,
    )
    f.case(
        "mask",
        "x0 x0 0.0 gt masked_select sum",
        "vmap",
        inputs=[a],
        outputs=[np.array([row[row > 0].sum() for row in a], np.float32)],
        **SPLITTING,
    )
    f.case(
        "nested",
        "x0 x1 mul 0.0 gt [ x0 ] [ x1 2.0 mul ] if",
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=[a[:, 0], a[:4, 1]],
        outputs=[
            np.array([[p if p * q > 0 else 2 * q for q in a[:4, 1]] for p in a[:, 0]], np.float32)
        ],
        paths=2,
        **SPLITTING,
    )
    f.case(
        "nested-question-of-the-outer",
        "x0 0.0 gt [ x0 x1 mul ] [ x1 ] if",
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=[a[:, 0], a[:4, 1]],
        outputs=[
            np.array([[p * q if p > 0 else q for q in a[:4, 1]] for p in a[:, 0]], np.float32)
        ],
        **SPLITTING,
    )
    f.case(
        "nested-gradient-between",
        "x0 x1 mul 0.0 gt [ x0 square ] [ x0 x1 mul ] if",
        "grad",
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=[a[:, 0], a[:4, 1]],
        outputs=[
            np.array([[2 * p if p * q > 0 else q for q in a[:4, 1]] for p in a[:, 0]], np.float32)
        ],
        paths=2,
        **SPLITTING,
    )
    nested_divergence(f, a)
    return f


def nested_divergence(f: File, a: Any) -> None:
    """Lanes of several vmaps part as tuples: as many runs as there are paths."""
    p, q = a[:, 0], a[:4, 1]
    r = floats(5, 6, 4, seed=4)
    f.case(
        "nested-three-ways",
        "x0 x1 mul ->t t 1.0 gt [ x0 ] [ t 0.0 lt [ x1 neg ] [ t ] if ] if",
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=[p, q],
        outputs=[
            np.array(
                [[x if x * y > 1 else -y if x * y < 0 else x * y for y in q] for x in p],
                np.float32,
            )
        ],
        paths=3,
        **SPLITTING,
    )
    f.case(
        "nested-twice",
        "x0 1.0 gt [ x0 square ] [ x0 -1.0 lt [ x0 neg ] [ 0.5 x0 mul ] if ] if",
        "vmap",
        "vmap in_dims=1 out_dims=-1",
        "vmap in_dims=2",
        inputs=[r],
        outputs=[
            np.where(r > 1, r * r, np.where(r < -1, -r, r / 2))
            .astype(np.float32)
            .transpose(2, 0, 1)
        ],
        paths=3,
        **SPLITTING,
    )
    f.case(
        "nested-mask",
        "x0 x0 x1 gt masked_select sum",
        "vmap in_dims=0,none",
        "vmap",
        inputs=[r, p[:5]],
        outputs=[
            np.array(
                [[row[row > x].sum() for row in m] for m, x in zip(r, p, strict=False)], np.float32
            )
        ],
        **SPLITTING,
    )
    n = np.array([3, 0, 1, 3, 5, 2], np.int64)
    f.case(
        "nested-times",
        "x0 float32 ->y x1 [ y 2.0 mul ->y ] times y",
        "vmap in_dims=none,0",
        "vmap in_dims=0,none",
        inputs=[p, n],
        outputs=[np.outer(p, 2.0**n).astype(np.float32)],
        paths=5,
        **SPLITTING,
    )
    f.case(
        "nested-derivatives-outside",
        "x0 x1 mul 0.0 gt [ x0 square x1 mul ] [ x0 ] if",
        "vmap in_dims=none,0",
        "jvp",
        "vmap in_dims=0,none,0,none",
        inputs=[p, q, np.ones_like(p), np.zeros_like(q)],
        outputs=[np.array([[2 * x * y if x * y > 0 else 1 for y in q] for x in p], np.float32)],
        paths=2,
        **SPLITTING,
    )
    # By what the outer lanes share, and the inner ones do too: to each lane its own derivative.
    f.case(
        "nested-derivative-by-what-is-shared",
        "x0 x1 mul 0.0 gt [ x0 square x1 mul ] [ x0 ] if",
        "vmap in_dims=none,0",
        "jacrev",
        "vmap in_dims=none,0",
        inputs=[p[0], r[:, :, 0]],
        outputs=[np.where(p[0] * r[:, :, 0] > 0, 2 * p[0] * r[:, :, 0], 1).astype(np.float32)],
        paths=2,
        **SPLITTING,
    )
    f.case(
        "more-paths-than-allowed",
        "x0 x1 [ 2.0 mul ] times",
        "vmap max_paths=2",
        inputs=[a, n],
        outputs=[np.stack([a[i] * np.float32(2.0 ** n[i]) for i in range(6)])],
        paths=5,
        **SPLITTING,
    )
    empty = np.zeros((0, 3), np.float32)
    f.case(
        "nobody-to-ask",
        "x0 sum 0.0 gt [ x0 10.0 mul 7 ] [ x0 neg 2 ] if",
        "vmap",
        inputs=[empty],
        outputs=[empty, np.zeros(0, np.int64)],
        strategies=["auto", "isolated"],
    )


# -- wrong calls -----------------------------------------------------------------------------------


def errors() -> File:
    f = File("errors", "Wrong calls of vmap and its companions: what is raised, and what it says.")
    a, b = floats(3, 4, seed=1), floats(3, 4, seed=2)
    i = np.array([0, 1, 2], np.int64)
    ask = "x0 sum 0.0 gt [ x0 ] [ x0 neg ] if"
    rows: list[tuple[str, str, list[str], list[Any], str]] = [
        # the batch
        (
            "sizes",
            "x0 x1 add sum",
            ["vmap"],
            [a, b[:2]],
            "ValueError inconsistent batch sizes 3 vs 2",
        ),
        (
            "sizes-say-shapes",
            "x0",
            ["vmap in_dims=0,1"],
            [a, b],
            "ValueError has shape (3, 4) and in_dim 1",
        ),
        (
            "in-dim",
            "x0 sum",
            ["vmap in_dims=2"],
            [a],
            "ValueError in_dim 2 is out of range for a 2-D tensor",
        ),
        (
            "in-dim-negative",
            "x0",
            ["vmap in_dims=-3"],
            [a],
            "ValueError in_dim -3 is out of range for a 2-D tensor",
        ),
        (
            "in-dim-says-shape",
            "x0",
            ["vmap in_dims=2"],
            [a],
            "ValueError has shape (3, 4); its in_dim must be from -2 to 1, or None",
        ),
        (
            "in-dim-of-a-number",
            "x0",
            ["vmap"],
            [np.float32(1)],
            "ValueError in_dim 0 is out of range for a 0-D tensor",
        ),
        (
            "in-dims-count",
            "x0",
            ["vmap in_dims=0,0"],
            [a],
            "ValueError in_dims has 2 entries for a function called with 1 arguments",
        ),
        (
            "inner-in-dim",
            "x0 sum",
            ["vmap in_dims=1", "vmap"],
            [a],
            "ValueError in_dim 1 is out of range for a 1-D tensor",
        ),
        (
            "out-dim",
            "x0",
            ["vmap out_dims=2"],
            [a],
            "ValueError out_dim 2 is out of range for a 2-D tensor",
        ),
        (
            "out-dim-negative",
            "x0 sum",
            ["vmap out_dims=-2"],
            [a],
            "ValueError out_dim -2 is out of range for a 1-D tensor",
        ),
        (
            "out-dim-says-shape",
            "x0",
            ["vmap out_dims=2"],
            [a],
            "ValueError has shape (4,) per example and one dim more with its batch",
        ),
        (
            "out-dims-none",
            "x0 sum",
            ["vmap out_dims=none"],
            [a],
            "ValueError depends on the batch, but its out_dim is None",
        ),
        (
            "out-dims-none-second",
            "x1 x0",
            ["vmap in_dims=0,none out_dims=none,none"],
            [a, b[0]],
            "ValueError (shape (4,) per example) depends on the batch",
        ),
        ("chunk-size", "x0", ["vmap chunk_size=-1"], [a], "ValueError vmap: chunk_size must be"),
        ("max-paths", "x0", ["vmap max_paths=-1"], [a], "ValueError vmap: max_paths must be"),
        (
            "random",
            "rand:2",
            ["vmap"],
            [a],
            "RuntimeError rand: random op inside vmap with randomness",
        ),
        (
            "random-innermost",
            "rand:2",
            ["vmap", "vmap randomness=different"],
            [a],
            "RuntimeError rand: random op",
        ),
        ("index", "x0 x1 index", ["vmap"], [a, np.array([0, 4, 0], np.int64)], "IndexError 4"),
        # asking
        (
            "question-vectorized",
            ask,
            ["vmap strategy=vectorized"],
            [a],
            'DivergenceError strategy="vectorized"; use where(), a mask',
        ),
        (
            "question-vectorized-outside",
            ask,
            ["vmap", "vmap strategy=vectorized"],
            [floats(2, 3, 2)],
            'DivergenceError strategy="vectorized"',
        ),
        (
            "question-vectorized-inside",
            ask,
            ["vmap strategy=vectorized", "vmap"],
            [floats(2, 3, 2)],
            'DivergenceError strategy="vectorized"',
        ),
        (
            "question-of-nobody",
            ask,
            ["vmap strategy=vectorized"],
            [a[:0]],
            "DivergenceError the batch is empty, so there is no answer",
        ),
        (
            "endless-for-nobody",
            "x0 ->y [ y 0.0 gt ] [ y 1.0 add ->y ] while y",
            ["vmap"],
            [np.zeros(0, np.float32)],
            "RuntimeError the batch is empty, and the example of ones",
        ),
        (
            "question-of-many",
            "x0 0.0 gt [ x0 ] [ x0 ] if",
            ["vmap"],
            [a],
            "ValueError bool: the tensor must have one element, its shape is (4,)",
        ),
        (
            "shapes-of-paths",
            "x0 sum 0.0 gt [ x0 ] [ x0 sum ] if",
            ["vmap"],
            [a],
            "ValueError has shape () on some lanes and (4,) on others",
        ),
        # derivatives
        (
            "not-a-scalar",
            "x0 square",
            ["grad", "vmap"],
            [a],
            "ValueError grad: the function must return a scalar, it returned shape (4,)",
        ),
        (
            "not-a-float",
            "x0 sum int64",
            ["grad"],
            [a],
            "TypeError grad: the function must return a float",
        ),
        (
            "by-integers",
            "x0 sum",
            ["grad"],
            [i],
            "TypeError is int64; only floats can be differentiated",
        ),
        (
            "jacobian-by-integers",
            "x0",
            ["jacfwd"],
            [i],
            "TypeError only floats can be differentiated",
        ),
        ("argnum", "x0 sum", ["grad argnums=1"], [a], "ValueError 1 is out of range for a"),
        (
            "argnum-negative",
            "x0 sum",
            ["jacrev argnums=-2"],
            [a],
            "ValueError -2 is out of range for a",
        ),
        (
            "jacobian-chunk-size",
            "x0",
            ["jacrev chunk_size=-1"],
            [a],
            "ValueError jacrev: chunk_size must be",
        ),
        (
            "hessian-chunk-size",
            "x0 sum",
            ["hessian chunk_size=-1"],
            [a],
            "ValueError chunk_size must be",
        ),
        ("hessian-of-a-vector", "x0", ["hessian"], [a[0]], "ValueError must return a scalar"),
        ("tangent", "x0", ["jvp"], [a[0], a[0, :2]], "ValueError has shape (2,), expected (4,)"),
        ("cotangent", "x0 sum", ["vjp"], [a[0], a[0]], "ValueError has shape (4,), expected ()"),
    ]
    for name, program, applied, inputs, error in rows:
        f.case(name, program, *applied, inputs=inputs, error=error)
    return f


FILES = [random_numbers, contract, divergence, errors]


if __name__ == "__main__":
    for make in FILES:
        f = make()
        f.path.write_text(f.text())
