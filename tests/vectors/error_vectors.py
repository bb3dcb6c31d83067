"""Wrong calls of vmap and its companions: what is raised, and what it says."""

from typing import Any

import numpy as np
from vector_file import File, floats


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
            "ValueError has shape (3, 4); its in_dim must be from -2 to 1, or",
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
            "ValueError depends on the batch, but its out_dim is",
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
