"""Random numbers: one lane, every mode of vmap, nested vmaps, generators."""

from collections.abc import Callable
from typing import Any

import numpy as np
from random_model import Model
from vector_file import EVERY_WAY, SPLITTING, File, floats

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
