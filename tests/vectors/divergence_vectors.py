"""Functions whose control flow depends on the values of the batch."""

from typing import Any

import numpy as np
from vector_file import SPLITTING, File, floats


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
