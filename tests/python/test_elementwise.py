"""Elementwise operations against NumPy: values, dtypes, broadcasting, operators."""

import math
import operator
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from support import Array, close, numbers

import lucid

# The names that NumPy has under another one; the others it has under the same.
NUMPY_NAMES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atan2": "arctan2",
    "atanh": "arctanh",
    "bitwise_left_shift": "left_shift",
    "bitwise_not": "invert",
    "bitwise_right_shift": "right_shift",
    "div": "divide",
    "eq": "equal",
    "ge": "greater_equal",
    "gt": "greater",
    "le": "less_equal",
    "lt": "less",
    "mul": "multiply",
    "ne": "not_equal",
    "neg": "negative",
    "round": "rint",
    "sub": "subtract",
}
FORMULAS: dict[str, Callable[..., Any]] = {
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "erfc": np.vectorize(math.erfc, otypes=[np.float64]),
    "ndtri": np.vectorize(NormalDist().inv_cdf, otypes=[np.float64]),
    "rsqrt": lambda x: 1 / np.sqrt(x),
}
FORMULAS["erfinv"] = lambda x: FORMULAS["ndtri"]((x + 1) / 2) / math.sqrt(2)
FORMULAS["lgamma"] = np.vectorize(math.lgamma, otypes=[np.float64])
# Where the formula wants other numbers than [0.2, 1.8].
INPUTS: dict[str, Callable[[Array], Array]] = {
    "acos": lambda x: x - 1,
    "acosh": lambda x: x + 1,
    "asin": lambda x: x - 1,
    "atanh": lambda x: x - 1,
    "erfinv": lambda x: x - 1,
    "ndtri": lambda x: x / 2,
}

UNARY = """neg abs sign square reciprocal sqrt rsqrt cbrt floor ceil round trunc exp exp2 expm1 log
log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc ndtri erfinv
lgamma isnan isinf isfinite logical_not""".split()
BINARY = """add sub mul div floor_divide remainder fmod maximum minimum atan2 eq ne lt le gt ge
logical_and logical_or logical_xor""".split()
BITS = "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift".split()


def reference(name: str) -> Callable[..., Array]:
    if name in FORMULAS:
        return FORMULAS[name]
    function: Callable[..., Array] = getattr(np, NUMPY_NAMES.get(name, name))
    return function


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unary(name: str, dtype: Any) -> None:
    x = numbers(3, 5).astype(dtype)
    if name in INPUTS:
        x = INPUTS[name](x)
    expected = reference(name)(x.astype(np.float64))
    close(getattr(lucid, name)(x), expected)
    close(getattr(lucid.tensor(x), name)(), expected)


def test_polygamma() -> None:
    """Abramowitz & Stegun: 6.3.2, 6.3.3, 6.4.2, 6.4.4; recurrence 6.4.6; reflection 6.4.7."""
    euler, zeta3 = 0.57721566490153286061, 1.20205690315959428540
    x = np.array([1, 0.5])
    close(lucid.digamma(x), np.array([-euler, -euler - 2 * math.log(2)]))
    close(lucid.polygamma(0, x), np.array([-euler, -euler - 2 * math.log(2)]))
    close(lucid.polygamma(1, x), np.array([math.pi**2 / 6, math.pi**2 / 2]))
    close(lucid.polygamma(2, x), np.array([-2 * zeta3, -14 * zeta3]))
    x = np.array([-3.3, -0.25, 0.1, 1.7, 25.0, 1e4])
    for n in range(6):
        step = (-1) ** n * math.factorial(n) / x ** (n + 1)
        close(lucid.polygamma(n, x + 1), lucid.polygamma(n, x).numpy() + step)
    z = x[:2]
    sine, tangent = np.sin(math.pi * z), np.tan(math.pi * z)
    close(lucid.digamma(z), lucid.digamma(1 - z).numpy() - math.pi / tangent)
    close(lucid.polygamma(1, z), (math.pi / sine) ** 2 - lucid.polygamma(1, 1 - z).numpy())
    poles = np.array([0.0, -0.0, -1.0, np.inf, -np.inf, np.nan])
    close(lucid.digamma(poles), np.array([-np.inf, np.inf, np.nan, np.inf, np.nan, np.nan]))
    close(lucid.polygamma(1, poles), np.array([np.inf, np.inf, np.inf, 0, np.nan, np.nan]))
    assert lucid.polygamma(1, 2).dtype == lucid.float32
    for n in (-1, 100):
        with pytest.raises(ValueError, match="polygamma: n must be from 0 to 99"):
            lucid.polygamma(n, x)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", [((3, 5), (3, 5)), ((3, 1), (5,)), ((), (2, 3)), ((0, 4), (4,))])
def test_binary(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    x, y = numbers(*shapes[0]), numbers(*shapes[1], seed=1)
    expected = reference(name)(x.astype(np.float64), y.astype(np.float64))
    close(getattr(lucid, name)(x, y), expected)
    close(getattr(lucid.tensor(x), name)(lucid.tensor(y)), expected)


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_bits(name: str, dtype: Any) -> None:
    x = np.arange(-8, 8, dtype=dtype)
    y = np.arange(16, dtype=dtype) % 5
    close(getattr(lucid, name)(x, y), reference(name)(x, y))


OPERATORS: list[Callable[[Any, Any], Any]] = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    operator.eq,
    operator.ne,
]


@pytest.mark.parametrize("op", OPERATORS)
def test_operators(op: Callable[[Any, Any], Any]) -> None:
    x, y = numbers(2, 3), numbers(3, seed=1)
    close(op(lucid.tensor(x), lucid.tensor(y)), op(x, y))
    close(op(lucid.tensor(x), 2), op(x, 2))
    close(op(lucid.tensor(x), 0.5), op(x, np.float32(0.5)))
    close(op(2, lucid.tensor(x)), op(2, x))
    close(op(lucid.tensor(x), y), op(x, y))
    close(op(y, lucid.tensor(x)), op(y, x))


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_logic_operators(op: Callable[[Any, Any], Any]) -> None:
    x, y = np.array([True, False, True, False]), np.array([True, True, False, False])
    close(op(lucid.tensor(x), lucid.tensor(y)), op(x, y))
    close(op(True, lucid.tensor(x)), op(True, x))
    i = np.arange(4)
    close(op(lucid.tensor(i), 6), op(i, 6))


def test_shifts_and_unary_operators() -> None:
    i = np.arange(5)
    close(lucid.tensor(i) << 2, i << 2)
    close(lucid.tensor(i) >> 1, i >> 1)
    close(1 << lucid.tensor(i), 1 << i)
    close(~lucid.tensor(i), ~i)
    close(-lucid.tensor(i), -i)
    close(+lucid.tensor(i), i)
    close(abs(lucid.tensor(i - 2)), abs(i - 2))
    for actual, expected in zip(divmod(lucid.tensor(i), 3), divmod(i, 3), strict=True):
        close(actual, expected)


PROMOTIONS = [
    ("bool", "int32", "int32"),
    ("bool", "int64", "int64"),
    ("bool", "float32", "float32"),
    ("int32", "int64", "int64"),
    ("int64", "float32", "float32"),
    ("int64", "float64", "float64"),
    ("float32", "float64", "float64"),
]


@pytest.mark.parametrize(("a", "b", "expected"), PROMOTIONS)
def test_promotion(a: str, b: str, expected: str) -> None:
    x, y = lucid.ones(2, dtype=a), lucid.ones(2, dtype=b)
    wanted = getattr(lucid, expected)
    assert (x + y).dtype == (y + x).dtype == wanted
    assert lucid.result_type(x, y) == wanted


def test_numbers_are_weak() -> None:
    f32, f64 = lucid.ones(2), lucid.ones(2, dtype=lucid.float64)
    i32 = lucid.ones(2, dtype=lucid.int32)
    assert (f32 + 1).dtype == (f32 * 2.5).dtype == lucid.float32
    assert (f64 + 1.5).dtype == lucid.float64
    assert (i32 + 1).dtype == lucid.int32
    assert (i32 + 1.5).dtype == lucid.float32
    assert (i32 + True).dtype == lucid.int32
    assert (f32 + lucid.tensor(2.0, dtype=lucid.float64)).dtype == lucid.float32
    assert (i32 / 2).dtype == lucid.float32


def test_aliases_are_the_same_functions() -> None:
    assert lucid.absolute is lucid.abs
    x = lucid.tensor([-1.5, 2.0])
    close(x.absolute(), x.abs())
    close(lucid.subtract(x, 1), x - 1)
    close(lucid.clip(x, 0, 1), x.clamp(0, 1))
    assert lucid.concat is lucid.cat


def test_scaled_and_rounded_forms() -> None:
    x, y = numbers(4), numbers(4, seed=1)
    tx, ty = lucid.tensor(x), lucid.tensor(y)
    close(tx.add(ty, alpha=2), x + 2 * y)
    close(lucid.sub(tx, ty, alpha=0.5), x - 0.5 * y)
    z = np.array([7.0, -7.0, 7.0, -7.0], dtype=np.float32)
    w = np.array([2.0, 2.0, -2.0, -2.0], dtype=np.float32)
    close(lucid.div(z, w, rounding_mode="trunc"), np.trunc(z / w))
    close(lucid.div(z, w, rounding_mode="floor"), np.floor(z / w))
    i, j = z.astype(np.int64), w.astype(np.int64)
    truncated = lucid.div(i, j, rounding_mode="trunc")
    assert truncated.dtype == lucid.int64
    close(truncated, np.trunc(z / w))


def test_choices() -> None:
    x, y = numbers(3, 4), numbers(4, seed=1)
    tx = lucid.tensor(x)
    close(lucid.where(x > 1, x, y), np.where(x > 1, x, y))
    close(lucid.where(tx > 1, tx, 0), np.where(x > 1, x, 0))
    close(tx.where(tx > 1, 0.0), np.where(x > 1, x, 0))
    close(tx.clamp(0.5, 1.0), x.clip(0.5, 1.0))
    close(tx.clamp(min=1.0), x.clip(1.0, None))
    close(tx.clamp(max=lucid.tensor(y)), np.minimum(x, y))
    close(tx.masked_fill(tx > 1, -1), np.where(x > 1, -1, x))
    close(tx.lerp(lucid.tensor(y), 0.25), x + 0.25 * (y - x))
    close(lucid.addcmul(tx, y, y, value=2), x + 2 * y * y)
    close(lucid.addcdiv(tx, x, y, value=-1), x - x / y)


def test_special_values() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1.0], dtype=np.float32)
    t = lucid.tensor(x)
    close(lucid.isnan(t), np.isnan(x))
    close(lucid.isinf(t), np.isinf(x))
    close(lucid.isfinite(t), np.isfinite(x))
    close(lucid.nan_to_num(t), np.nan_to_num(x))
    close(lucid.nan_to_num(t, 7.0, 8.0, 9.0), np.array([7.0, 8.0, 9.0, 1.0]))
    assert lucid.isclose(t, t).tolist() == [False, True, True, True]
    assert lucid.isclose(t, t, equal_nan=True).tolist() == [True, True, True, True]
    assert lucid.isclose(lucid.tensor([1.0]), lucid.tensor([lucid.inf])).tolist() == [False]
    assert lucid.allclose(lucid.ones(3), lucid.ones(3) + 1e-9)
    assert not lucid.allclose(lucid.ones(3), lucid.ones(3) * 1.1)
    assert lucid.equal(lucid.ones(3), lucid.ones(3))
    assert not lucid.equal(lucid.ones(3), lucid.ones(4))
