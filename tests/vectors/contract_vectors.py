"""What vmap promises: where the batch is, sizes, results that do not depend on it."""

import numpy as np
from vector_file import EVERY_WAY, File, floats


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
