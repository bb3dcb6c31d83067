"""Losses and activations where they saturate, at their corners and at infinity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import Array, close

import lucid
import lucid.nn.functional as F
from lucid.func import grad, hessian, jacfwd, jacrev, jvp, vmap

inf, nan = float("inf"), float("nan")
DTYPES = [lucid.float32, lucid.float64]
EXTREMES = [-inf, -3e38, -1e20, -1e4, -200.0, -104.0, -90.0, -50.0, -20.0, -9.0, -1.5, -1e-3,
            -1e-40, -0.0, 0.0, 1e-40, 1e-3, 0.3, 1.0, 1.5, 9.0, 20.0, 50.0, 90.0,
            104.0, 200.0, 1e4, 1e20, 3e38, inf]  # fmt: skip


def sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x.astype(np.longdouble))))


def relative(ours: Any, right: Array, ulps: float = 8, least: float = 0.0) -> None:
    """Within so many units in the last place, or within `least`."""
    got = ours.numpy().astype(np.longdouble)
    info = np.finfo(ours.numpy().dtype)
    bound = np.abs(right) * ulps * info.eps + ulps * info.smallest_subnormal + least
    bad = ~((np.abs(got - right) <= bound) | (got == right))
    assert not bad.any(), (got[bad], np.asarray(right)[bad])


def everywhere(f: Callable[[Any], Any], x: Any) -> list[Any]:
    """The derivative of an elementwise function in each mode."""
    one = lucid.ones_like(x)
    return [
        grad(lambda v: f(v).sum())(x),
        jvp(f, (x,), (one,))[1],
        vmap(grad(lambda v: f(v)))(x),
        vmap(lambda v: jvp(f, (v,), (lucid.ones_like(v),))[1])(x),
        lucid.func.compile(grad(lambda v: f(v).sum()))(x),
    ]


def second(f: Callable[[Any], Any], x: Any) -> list[Any]:
    def slope(v: Any) -> Any:
        return grad(lambda w: f(w).sum())(v)

    return [grad(lambda v: slope(v).sum())(x), jvp(slope, (x,), (lucid.ones_like(x),))[1]]


# -- binary cross entropy ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_binary_cross_entropy_with_logits_keeps_its_digits(
    dtype: lucid.dtype, target: float
) -> None:
    x = lucid.tensor([e for e in EXTREMES if target in (0.0, 1.0) or abs(e) < inf], dtype=dtype)
    z = x.numpy().astype(np.longdouble)
    w = np.where(z >= 0, 1 - target, -target)
    e = np.exp(-np.abs(z))
    t = lucid.full_like(x, target)

    def f(x: Any) -> Any:
        return F.binary_cross_entropy_with_logits(x, lucid.tensor(target), reduction="none")

    with np.errstate(invalid="ignore"):
        relative(f(x), np.where(w == 0, 0, w * z) + np.log1p(e))
    for slope in everywhere(f, x):
        relative(slope, w + np.where(z >= 0, -1, 1) * e / (1 + e))
    for curve in second(f, x):
        relative(curve, e / (1 + e) ** 2)
    finite = [i for i in range(len(z)) if abs(z[i]) < inf]
    of_target = grad(lambda t: F.binary_cross_entropy_with_logits(x, t, reduction="sum"))(t)
    close(of_target[finite], -x[finite])


def test_binary_cross_entropy_with_logits_at_a_saturated_example() -> None:
    slope = grad(lambda z: F.binary_cross_entropy_with_logits(z, lucid.tensor(1.0)))
    assert slope(lucid.tensor(20.0)).item() == pytest.approx(-2.0611536e-9, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
def test_one_saturated_example_spoils_no_batch(dtype: lucid.dtype, target: float) -> None:
    """Where sigmoid(z) is 0 or 1, or so near to 0 that 1 / p overflows, the slope may be 0."""
    z = lucid.tensor(EXTREMES, dtype=dtype)

    def f(z: Any) -> Any:
        return F.binary_cross_entropy(z.sigmoid(), lucid.tensor(target), reduction="none")

    assert lucid.isfinite(f(z)).all()
    p, zs = sigmoid(z.numpy()), z.numpy().astype(np.longdouble)
    exact = (np.abs(zs) < 12) | ((zs > 0) & (zs < 16) & (target == 1)) | ((zs < 0) & (zs > -80))
    for slope in everywhere(f, z):
        assert lucid.isfinite(slope).all()
        assert (slope.abs() <= 1).all()
        close(slope.numpy()[exact], np.asarray(p - target, np.float64)[exact], 2e-3)
    mean = grad(lambda z: F.binary_cross_entropy(z.sigmoid(), lucid.full_like(z, target)))(z)
    assert lucid.isfinite(mean).all()
    moderate = lucid.tensor([-200.0, -30.0, -3.0, 0.0, 3.0, 20.0, 200.0], dtype=dtype)
    for curve in second(f, moderate):
        assert lucid.isfinite(curve).all()


def test_binary_cross_entropy_of_a_saturated_sigmoid_is_right() -> None:
    slope = grad(lambda z: F.binary_cross_entropy(z.sigmoid(), lucid.tensor(1.0)))
    assert slope(lucid.tensor(20.0)).item() == pytest.approx(-2.0611536e-9, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_binary_cross_entropy_at_certainty(dtype: lucid.dtype) -> None:
    """Each logarithm is at least -100, and flat where it is not above."""
    p = lucid.tensor([0.0, 0.0, 1.0, 1.0, 0.5], dtype=dtype)
    t = lucid.tensor([0.0, 1.0, 0.0, 1.0, 0.5], dtype=dtype)
    close(F.binary_cross_entropy(p, t, reduction="none"), [0, 100, 100, 0, np.log(2)])
    close(grad(lambda p: F.binary_cross_entropy(p, t, reduction="sum"))(p), [1, 0, 0, -1, 0])
    close(
        grad(lambda t: F.binary_cross_entropy(p, t, reduction="sum"))(t), [100, 100, -100, -100, 0]
    )
    tiny = lucid.tensor([1e-45, 1e-42, 1e-39, 1e-37, 1e-30], dtype=dtype)
    value = F.binary_cross_entropy(tiny, lucid.ones_like(tiny), reduction="none")
    close(value, np.minimum(-np.log(tiny.numpy().astype(np.float64)), 100), 1e-6)
    assert lucid.isnan(
        F.binary_cross_entropy(lucid.tensor([nan, -0.5]), t[:2], reduction="none")
    ).all()


# -- softmax -----------------------------------------------------------------------------------

ROWS = [[20.0, 0.0, 1.0], [0.0, 90.0], [3e38, -3e38, 0.0], [-inf, 0.0, 1.0], [0.5, 0.5],
        [0.0, 0.1, 0.2], [60.0, 60.0, 0.0], [5.0, 4.0, 3.0, 2.0], [1e-40, 0.0], [7.0],
        [-inf, 3.0]]  # fmt: skip


def jacobian(x: Array) -> tuple[Array, Array]:
    """p, and d log p_i / d x_j = [i == j] - p_j, where 1 - p_j is the sum of the others."""
    e = np.exp(x - x.max())
    p = e / e.sum()
    d = -np.tile(p, (len(x), 1))
    for i in range(len(x)):
        d[i, i] = np.delete(e, i).sum() / e.sum()
    return p, d


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_softmax_keeps_its_digits_where_one_class_outweighs(
    dtype: lucid.dtype, row: list[float]
) -> None:
    x = lucid.tensor(row, dtype=dtype)
    p, d = jacobian(x.numpy().astype(np.longdouble))
    for jac in (jacrev, jacfwd):
        relative(jac(lambda v: F.log_softmax(v, dim=0))(x), d)
        relative(jac(lambda v: F.softmax(v, dim=0))(x), p[:, None] * d)
        relative(lucid.func.compile(jac(lambda v: F.log_softmax(v, dim=0)))(x), d)
    batch = vmap(jacrev(lambda v: F.log_softmax(v, dim=0)))(lucid.stack([x, x.flip(0)]))
    relative(batch, np.stack([d, d[::-1, ::-1]]))
    for label in range(len(row)):
        target = lucid.tensor(label)
        if row[label] > -inf:
            relative(grad(lambda v, t=target: F.cross_entropy(v, t))(x), -d[label])
            curve = hessian(lambda v, t=target: F.cross_entropy(v, t))(x)
            relative(curve, p[:, None] * d)
            one_hot = lucid.tensor([float(k == label) for k in range(len(row))], dtype=dtype)
            close(F.cross_entropy(x, one_hot), F.cross_entropy(x, target))
            relative(grad(lambda v, t=one_hot: F.cross_entropy(v, t))(x), -d[label])


@pytest.mark.parametrize(
    "row", [[inf, 0.0, 1.0], [inf, inf, 0.0], [-inf, -inf], [nan, 0.0], [inf, -inf]]
)
def test_softmax_of_rows_without_an_answer_is_nan(row: list[float]) -> None:
    x = lucid.tensor(row)
    for f in (F.softmax, F.log_softmax):
        assert lucid.isnan(f(x, dim=0)).all()
        assert lucid.isnan(jacfwd(lambda v, f=f: f(v, dim=0))(x)).all()


def test_softmax_of_nothing() -> None:
    for shape in ((0,), (0, 3), (3, 0)):
        assert F.softmax(lucid.zeros(*shape)).shape == shape
        assert grad(lambda v: F.log_softmax(v).sum())(lucid.zeros(*shape)).shape == shape


# -- activations -------------------------------------------------------------------------------


def normal(x: Array) -> Array:
    return np.asarray(np.exp(-x * x / 2) / np.sqrt(2 * np.longdouble(np.pi)))


def logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(e / (1 + e) ** 2)


def silu_slope(x: Array) -> Array:
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(x), x > 0, sigmoid(x) + x * logistic(x))


SLOPES: dict[str, tuple[Callable[[Any], Any], Callable[[Array], Array]]] = {
    "sigmoid": (F.sigmoid, logistic),
    "softplus": (F.softplus, sigmoid),
    "logsigmoid": (F.logsigmoid, lambda x: sigmoid(-x)),
    "silu": (F.silu, silu_slope),
    "softsign": (F.softsign, lambda x: 1 / (1 + np.abs(x)) ** 2),
    "relu": (F.relu, lambda x: (x > 0) * 1.0),
    "relu6": (F.relu6, lambda x: ((x > 0) & (x < 6)) * 1.0),
    "hardtanh": (F.hardtanh, lambda x: ((x > -1) & (x < 1)) * 1.0),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.25), lambda x: np.where(x > 0, 1, 0.25)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", SLOPES)
def test_slopes_of_activations_over_the_whole_range(name: str, dtype: lucid.dtype) -> None:
    f, right = SLOPES[name]
    x = lucid.tensor(EXTREMES, dtype=dtype)
    with np.errstate(over="ignore", under="ignore"):
        for slope in everywhere(f, x):
            relative(
                slope, right(x.numpy().astype(np.longdouble)), least=1e-18 if name == "silu" else 0
            )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "f", [F.silu, F.gelu, F.mish, F.softsign, F.elu, F.sigmoid, F.softplus, F.logsigmoid, F.tanh,
          lambda x: F.gelu(x, approximate="tanh")])  # fmt: skip
def test_activations_are_smooth_to_infinity(f: Callable[[Any], Any], dtype: lucid.dtype) -> None:
    x = lucid.tensor(EXTREMES, dtype=dtype)
    y = f(x)
    assert not lucid.isnan(y).any()
    slopes, curves = everywhere(f, x), second(f, x)
    for d in slopes + curves:
        assert lucid.isfinite(d).all()
    step = 1e-5
    z = lucid.tensor([-9.0, -1.5, -1e-3, 0.3, 1.5, 9.0], dtype=lucid.float64)
    differences = (f(z + step) - f(z - step)) / (2 * step)
    close(grad(lambda v: f(v).sum())(z), differences, 1e-6)


def test_corners_belong_to_the_bounds_in_hardtanh_and_relu6_and_to_the_input_in_clamp() -> None:
    x = lucid.tensor([-1.0, 0.0, 1.0, 6.0, 7.0, nan])
    close(grad(lambda v: F.hardtanh(v).sum())(x), [0, 1, 0, 0, 0, 1])
    close(grad(lambda v: F.relu6(v).sum())(x), [0, 0, 1, 0, 0, 1])
    close(grad(lambda v: lucid.clamp(v, 0, 6).sum())(x), [0, 1, 1, 1, 0, 1])
    assert lucid.isnan(F.hardtanh(x))[5]


@pytest.mark.parametrize("bound", [nan, lucid.tensor(nan), lucid.tensor([nan] * 3)])
@pytest.mark.parametrize("side", ["min", "max"])
def test_a_bound_that_is_nan_makes_everything_nan(bound: Any, side: str) -> None:
    for x in (lucid.tensor([-1.0, 0.0, inf]), lucid.tensor([1, 2, 3]), lucid.tensor([nan] * 3)):
        assert lucid.isnan(lucid.clamp(x, **{side: bound})).all()
    x = lucid.tensor([1.0, 2.0, 3.0])
    close(grad(lambda v: lucid.clamp(v, **{side: bound}).sum())(x), [0.0] * 3)
    mixed = lucid.clamp(x, min=lucid.tensor([nan, 5.0, 0.0]), max=lucid.tensor([2.0, nan, 1.0]))
    close(mixed, [nan, nan, 1.0])
    assert lucid.isnan(vmap(lambda v: lucid.clamp(v, **{side: nan}))(x)).all()


# -- casts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("repeat", [1, 3, 100])
def test_floats_beyond_an_integer_dtype_become_its_bounds_and_nan_becomes_0(
    dtype: lucid.dtype, repeat: int
) -> None:
    beyond = [nan, inf, -inf, 1e30, -1e30, 2.0**31, -(2.0**31), 2.0**63, -(2.0**63)]
    x = lucid.tensor([*beyond, 1.9, -1.9], dtype=dtype)
    low, high = -(2**31), 2**31 - 1
    narrow = [0, high, low, high, low, high, low, high, low, 1, -1]
    low, high = -(2**63), 2**63 - 1
    wide = [0, high, low, high, low, 2**31, -(2**31), high, low, 1, -1]
    for to, right in ((lucid.int32, narrow), (lucid.int64, wide)):
        assert lucid.cat([x] * repeat).to(to).tolist() == right * repeat
        assert (
            vmap(lambda v, to=to: v.to(to))(lucid.stack([x] * repeat)).tolist() == [right] * repeat
        )
        assert (lucid.stack([x] * repeat, 1).to(to) + 0)[:, 0].tolist() == right
        assert [e.to(to).item() for e in x] == right
    assert x.to(lucid.bool).tolist() == [True] * len(x)
