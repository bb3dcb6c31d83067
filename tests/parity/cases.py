"""The operations, family by family, as they are written in each library."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from oracle import Case, family, integers, random

import lucid
from lucid.nn import functional as F

POSITIVE = random(3, 4, low=0.2, high=2.0)
UNIT = random(3, 4, low=-0.9, high=0.9)
ANY = random(3, 4)
ABOVE = random(3, 4, low=1.1, high=3.0)

# name, name in JAX, input
UNARY = [
    *[
        (n, n, ANY)
        for n in ("neg:negative abs square sin cos tanh exp exp2 expm1 sinh cosh".split())
    ],
    *[(n, n, POSITIVE) for n in "sqrt log log2 log10 log1p cbrt reciprocal".split()],
    *[(n, n, UNIT) for n in "asin:arcsin acos:arccos atan:arctan tan atanh:arctanh".split()],
    *[(n, n, ABOVE) for n in "acosh:arccosh asinh:arcsinh".split()],
]
FLAT = "sign floor ceil round trunc isnan isinf isfinite logical_not".split()

BINARY = "add sub:subtract mul:multiply div:divide maximum minimum atan2:arctan2".split()
FLAT_BINARY = "eq:equal ne:not_equal lt:less le:less_equal gt:greater ge:greater_equal".split()
LOGIC = "logical_and logical_or logical_xor".split()
BITS = "bitwise_and bitwise_or bitwise_xor".split()


def names(text: str) -> tuple[str, str]:
    ours, _, theirs = text.partition(":")
    return ours, theirs or ours


def elementwise() -> list[Case]:
    cases = []
    for text, _, x in UNARY:
        ours, theirs = names(text)
        cases.append(Case(ours, getattr(lucid, ours), getattr(jnp, theirs), (x,)))
    cases += [
        Case("rsqrt", lucid.rsqrt, jax.lax.rsqrt, (POSITIVE,)),
        Case("erf", lucid.erf, jax.scipy.special.erf, (ANY,)),
        Case("erfc", lucid.erfc, jax.scipy.special.erfc, (ANY,)),
        Case(
            "ndtri",
            lucid.ndtri,
            jax.scipy.special.ndtri,
            (random(3, 4, low=0.1, high=0.9, seed=4),),
        ),
        Case("erfinv", lucid.erfinv, jax.scipy.special.erfinv, (UNIT,)),
        Case("lgamma", lucid.lgamma, jax.scipy.special.gammaln, (POSITIVE,)),
        Case("digamma", lucid.digamma, jax.scipy.special.digamma, (POSITIVE,)),
        Case(
            "polygamma 1",
            lambda x: lucid.polygamma(1, x),
            lambda x: jax.scipy.special.polygamma(1, x),
            (POSITIVE,),
        ),
        Case("pow 3", lambda x: x**3, lambda x: x**3, (ANY,)),
        Case("pow -2", lambda x: x**-2, lambda x: x**-2, (ABOVE,)),
        Case("pow 2.5", lambda x: x**2.5, lambda x: x**2.5, (POSITIVE,)),
        Case("pow", lucid.pow, jnp.power, (POSITIVE, ANY)),
        Case("clamp", lambda x: lucid.clamp(x, -1, 1), lambda x: jnp.clip(x, -1, 1), (ANY,)),
        Case(
            "where",
            lambda c, x, y: lucid.where(c > 0, x, y),
            lambda c, x, y: jnp.where(c > 0, x, y),
            (ANY, random(3, 4, seed=1), random(3, 4, seed=2)),
        ),
        Case("relu", F.relu, jax.nn.relu, (ANY,)),
        Case("sigmoid", F.sigmoid, jax.nn.sigmoid, (ANY,)),
        Case("silu", F.silu, jax.nn.silu, (ANY,)),
        Case("softplus", F.softplus, jax.nn.softplus, (ANY,)),
        Case("gelu", F.gelu, lambda x: jax.nn.gelu(x, approximate=False), (ANY,)),
        Case("elu", F.elu, jax.nn.elu, (ANY,)),
        Case("leaky_relu", F.leaky_relu, jax.nn.leaky_relu, (ANY,)),
    ]
    other = random(3, 4, low=0.3, high=1.7, seed=5)
    for text in BINARY:
        ours, theirs = names(text)
        cases.append(Case(ours, getattr(lucid, ours), getattr(jnp, theirs), (ANY, other)))
    cases.append(Case("add, broadcast", lucid.add, jnp.add, (ANY, random(4, seed=3))))
    cases.append(Case("mul, broadcast", lucid.mul, jnp.multiply, (ANY, random(3, 1, seed=3))))
    whole = integers(3, 4), integers(3, 4, seed=1)
    for text in FLAT:
        cases.append(Case(text, getattr(lucid, text), getattr(jnp, text), (ANY,), False))
    for text in FLAT_BINARY:
        ours, theirs = names(text)
        cases.append(Case(ours, getattr(lucid, ours), getattr(jnp, theirs), whole, False))
    for text in LOGIC:
        inputs = (whole[0] > 0, whole[1] > 0)
        cases.append(Case(text, getattr(lucid, text), getattr(jnp, text), inputs, False))
    for text in BITS:
        cases.append(Case(text, getattr(lucid, text), getattr(jnp, text), whole, False))
    divisor = np.where(whole[1] == 0, 3, whole[1])
    cases += [
        Case("floor_divide", lucid.floor_divide, jnp.floor_divide, (whole[0], divisor), False),
        Case("remainder", lucid.remainder, jnp.remainder, (whole[0], divisor), False),
        Case("fmod", lucid.fmod, jnp.fmod, (whole[0], divisor), False),
    ]
    return cases


def shapes() -> list[Case]:
    x = random(2, 3, 4)
    y = random(2, 3, 4, seed=1)
    return [
        Case("reshape", lambda x: x.reshape(4, 6), lambda x: x.reshape(4, 6), (x,)),
        Case("permute", lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1), (x,)),
        Case("swapaxes", lambda x: x.transpose(0, -1), lambda x: jnp.swapaxes(x, 0, -1), (x,)),
        Case("movedim", lambda x: lucid.movedim(x, 0, 2), lambda x: jnp.moveaxis(x, 0, 2), (x,)),
        Case(
            "expand",
            lambda x: x.unsqueeze(1).expand(2, 5, 3, 4),
            lambda x: jnp.broadcast_to(x[:, None], (2, 5, 3, 4)),
            (x,),
        ),
        Case("slice", lambda x: x[:, 1:, ::2], lambda x: x[:, 1:, ::2], (x,)),
        Case("select", lambda x: x[-1, :, 2], lambda x: x[-1, :, 2], (x,)),
        Case("flip", lambda x: lucid.flip(x, (0, 2)), lambda x: jnp.flip(x, (0, 2)), (x,)),
        Case("roll", lambda x: lucid.roll(x, 2, 1), lambda x: jnp.roll(x, 2, 1), (x,)),
        Case(
            "cat",
            lambda x, y: lucid.cat((x, y), 1),
            lambda x, y: jnp.concatenate((x, y), 1),
            (x, y),
        ),
        Case(
            "stack",
            lambda x, y: lucid.stack((x, y), -1),
            lambda x, y: jnp.stack((x, y), -1),
            (x, y),
        ),
        Case("tile", lambda x: lucid.tile(x, (2, 1, 3)), lambda x: jnp.tile(x, (2, 1, 3)), (x,)),
        Case(
            "pad",
            lambda x: F.pad(x, (1, 2, 0, 1)),
            lambda x: jnp.pad(x, ((0, 0), (0, 1), (1, 2))),
            (x,),
        ),
        Case("tril", lucid.tril, jnp.tril, (ANY,)),
        Case("triu", lambda x: lucid.triu(x, 1), lambda x: jnp.triu(x, 1), (ANY,)),
        Case("diagonal", lambda x: lucid.diagonal(x, 1), lambda x: jnp.diagonal(x, 1), (ANY,)),
        Case("diag", lucid.diag, jnp.diag, (random(4),)),
        Case("split", lambda x: lucid.split(x, 2, -1)[1], lambda x: jnp.split(x, 2, -1)[1], (x,)),
    ]


def reductions() -> list[Case]:
    x = random(2, 3, 4)
    cases = []
    for ours, theirs in map(names, "sum prod mean amax:max amin:min".split()):
        a, b = getattr(lucid, ours), getattr(jnp, theirs)
        cases += [
            Case(ours, lambda x, a=a: a(x), lambda x, b=b: b(x), (x,)),
            Case(f"{ours} dim", lambda x, a=a: a(x, dim=1), lambda x, b=b: b(x, axis=1), (x,)),
            Case(
                f"{ours} keepdim",
                lambda x, a=a: a(x, dim=-1, keepdim=True),
                lambda x, b=b: b(x, axis=-1, keepdims=True),
                (x,),
            ),
        ]
    for ours in ("any", "all"):
        a, b = getattr(lucid, ours), getattr(jnp, ours)
        cases.append(
            Case(ours, lambda x, a=a: a(x > 0, dim=0), lambda x, b=b: b(x > 0, axis=0), (x,), False)
        )
    for ours in ("argmax", "argmin"):
        a, b = getattr(lucid, ours), getattr(jnp, ours)
        cases.append(
            Case(ours, lambda x, a=a: a(x, dim=1), lambda x, b=b: b(x, axis=1), (x,), False)
        )
    return [
        *cases,
        Case("var", lambda x: lucid.var(x, dim=1), lambda x: jnp.var(x, axis=1, ddof=1), (x,)),
        Case("std", lambda x: lucid.std(x, dim=1), lambda x: jnp.std(x, axis=1, ddof=1), (x,)),
        Case(
            "logsumexp",
            lambda x: lucid.logsumexp(x, dim=-1),
            lambda x: jax.scipy.special.logsumexp(x, axis=-1),
            (x,),
        ),
        Case(
            "softmax", lambda x: lucid.softmax(x, dim=1), lambda x: jax.nn.softmax(x, axis=1), (x,)
        ),
        Case(
            "log_softmax",
            lambda x: lucid.log_softmax(x, dim=-1),
            lambda x: jax.nn.log_softmax(x, axis=-1),
            (x,),
        ),
        Case(
            "norm",
            lambda x: lucid.linalg.vector_norm(x, dim=1),
            lambda x: jnp.linalg.norm(x, axis=1),
            (x,),
        ),
        Case("cumsum", lambda x: lucid.cumsum(x, 1), lambda x: jnp.cumsum(x, 1), (x,)),
        Case("cumprod", lambda x: lucid.cumprod(x, 1), lambda x: jnp.cumprod(x, 1), (x,)),
    ]


def indexing() -> list[Case]:
    x = random(4, 5)
    rows = np.array([2, 0, -1, 2])
    along = integers(4, 3, low=0, high=5)
    return [
        Case("x[rows]", lambda x, i: x[i], lambda x, i: x[i], (x, rows)),
        Case("x[:, columns]", lambda x, i: x[:, i], lambda x, i: x[:, i], (x, rows)),
        Case("x[rows, columns]", lambda x, i: x[i, i], lambda x, i: x[i, i], (x, rows)),
        Case(
            "take_along_dim",
            lambda x, i: lucid.take_along_dim(x, i, 1),
            lambda x, i: jnp.take_along_axis(x, i, 1),
            (x, along),
        ),
        Case(
            "index_add",
            lambda x, i, v: lucid.index_add(x, 0, i, v),
            lambda x, i, v: x.at[i].add(v),
            (x, rows, random(4, 5, seed=1)),
        ),
        Case("sort", lambda x: lucid.sort(x, dim=0)[0], lambda x: jnp.sort(x, 0), (x,)),
        Case(
            "argsort", lambda x: lucid.argsort(x, dim=1), lambda x: jnp.argsort(x, 1), (x,), False
        ),
        Case(
            "one_hot",
            lambda i: F.one_hot(i, 5),
            lambda i: jax.nn.one_hot(i, 5, dtype=jnp.int64),
            (np.array([2, 0, 1]),),
            False,
        ),
    ]


def positive_definite(x: np.ndarray) -> np.ndarray:
    return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(x.shape[-1])


def linear_algebra() -> list[Case]:
    a, b = random(3, 4), random(4, 2)
    square = random(3, 3) + 3 * np.eye(3)
    tall = random(4, 3, seed=7)
    spd = positive_definite(random(3, 3))
    batch = random(2, 3, 3) + 3 * np.eye(3)
    cases = [
        Case("matmul", lambda x, y: x @ y, lambda x, y: x @ y, (a, b)),
        Case("matmul vector", lambda x, y: x @ y, lambda x, y: x @ y, (a, random(4))),
        Case("vector matmul", lambda x, y: x @ y, lambda x, y: x @ y, (random(3), a)),
        Case("dot", lambda x, y: x @ y, lambda x, y: x @ y, (random(4), random(4, seed=1))),
        Case("matmul batched", lambda x, y: x @ y, lambda x, y: x @ y, (random(2, 3, 4), b)),
        Case("outer", lucid.outer, jnp.outer, (random(3), random(4))),
        Case("trace", lucid.trace, jnp.trace, (square,)),
        Case(
            "tensordot",
            lambda x, y: lucid.tensordot(x, y, 1),
            lambda x, y: jnp.tensordot(x, y, 1),
            (a, b),
        ),
        Case("solve", lucid.linalg.solve, jnp.linalg.solve, (square, random(3, 2))),
        Case("solve vector", lucid.linalg.solve, jnp.linalg.solve, (square, random(3))),
        Case("solve batched", lucid.linalg.solve, jnp.linalg.solve, (batch, random(2, 3, 2))),
        Case("inv", lucid.linalg.inv, jnp.linalg.inv, (square,)),
        Case("det", lucid.linalg.det, jnp.linalg.det, (square,)),
        Case(
            "slogdet",
            lambda x: lucid.linalg.slogdet(x)[1],
            lambda x: jnp.linalg.slogdet(x)[1],
            (square,),
        ),
        Case(
            "cholesky",
            lambda x: lucid.linalg.cholesky((x + x.T) / 2),
            lambda x: jnp.linalg.cholesky((x + x.T) / 2),
            (spd,),
        ),
        Case("qr Q", lambda x: lucid.linalg.qr(x).Q, lambda x: jnp.linalg.qr(x)[0], (tall,)),
        Case("qr R", lambda x: lucid.linalg.qr(x).R, lambda x: jnp.linalg.qr(x)[1], (tall,)),
        Case("qr wide", lambda x: lucid.linalg.qr(x).R, lambda x: jnp.linalg.qr(x)[1], (a,)),
        Case(
            "eigvalsh",
            lambda x: lucid.linalg.eigvalsh((x + x.T) / 2),
            lambda x: jnp.linalg.eigvalsh((x + x.T) / 2),
            (square,),
        ),
        Case(  # squares: signs are a matter of taste
            "eigenvectors",
            lambda x: lucid.linalg.eigh((x + x.T) / 2)[1] ** 2,
            lambda x: jnp.linalg.eigh((x + x.T) / 2)[1] ** 2,
            (square,),
        ),
        Case("svdvals", lucid.linalg.svdvals, lambda x: jnp.linalg.svd(x, compute_uv=False), (a,)),
        Case(
            "svd U",
            lambda x: lucid.linalg.svd(x, full_matrices=False).U ** 2,
            lambda x: jnp.linalg.svd(x, full_matrices=False)[0] ** 2,
            (tall,),
        ),
        Case(
            "svd V",
            lambda x: lucid.linalg.svd(x, full_matrices=False).Vh ** 2,
            lambda x: jnp.linalg.svd(x, full_matrices=False)[2] ** 2,
            (a,),
        ),
        Case("pinv", lucid.linalg.pinv, jnp.linalg.pinv, (tall,)),
        Case(
            "lstsq",
            lambda x, y: lucid.linalg.lstsq(x, y).solution,
            lambda x, y: jnp.linalg.lstsq(x, y)[0],
            (tall, random(4, 2, seed=5)),
        ),
        Case(
            "nuclear norm",
            lambda x: lucid.linalg.norm(x, "nuc"),
            lambda x: jnp.linalg.norm(x, "nuc"),
            (a,),
        ),
        Case("cond", lucid.linalg.cond, jnp.linalg.cond, (square,)),
        Case(
            "matrix_power",
            lambda x: lucid.linalg.matrix_power(x, 5),
            lambda x: jnp.linalg.matrix_power(x, 5),
            (square,),
        ),
        Case("matrix_exp", lucid.linalg.matrix_exp, jax.scipy.linalg.expm, (square,)),
        Case("linear", F.linear, lambda x, w, c: x @ w.T + c, (a, random(2, 4, seed=1), random(2))),
        Case(
            "layer_norm",
            lambda x, w, c: F.layer_norm(x, (4,), w, c),
            lambda x, w, c: (x - x.mean(-1, keepdims=True))
            / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
            * w
            + c,
            (a, random(4, seed=1), random(4, seed=2)),
        ),
        Case("mse_loss", F.mse_loss, lambda x, y: ((x - y) ** 2).mean(), (a, random(3, 4, seed=1))),
        Case(
            "cross_entropy",
            F.cross_entropy,
            lambda x, y: -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean(),
            (a, np.array([1, 0, 3])),
        ),
    ]
    for upper in (False, True):
        triangle = np.triu(square) if upper else np.tril(square)
        cases.append(
            Case(
                f"solve_triangular {'upper' if upper else 'lower'}",
                lambda x, y, u=upper: lucid.linalg.solve_triangular(x, y, upper=u),
                lambda x, y, u=upper: jax.scipy.linalg.solve_triangular(x, y, lower=not u),
                (triangle, random(3, 2)),
            )
        )
    for equation, *sizes in (
        ("ij,jk->ik", (3, 4), (4, 2)),
        ("ij,kj->ki", (3, 4), (2, 4)),
        ("ii->i", (3, 3)),
        ("ij->", (3, 4)),
        ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
        ("i,j->ij", (3,), (4,)),
        ("...ij,...jk->...ik", (2, 3, 4), (4, 2)),
        ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
    ):
        inputs = tuple(random(*size, seed=k) for k, size in enumerate(sizes))
        cases.append(
            Case(
                f"einsum {equation}",
                lambda *x, e=equation: lucid.einsum(e, *x),
                lambda *x, e=equation: jnp.einsum(e, *x),
                inputs,
            )
        )
    return cases


CASES = [
    *family("elementwise", elementwise()),
    *family("shapes", shapes()),
    *family("reductions", reductions()),
    *family("indexing and sorting", indexing()),
    *family("linear algebra and nets", linear_algebra()),
]
