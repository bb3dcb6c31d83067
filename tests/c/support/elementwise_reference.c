#include "support/elementwise_reference.h"

#include <math.h>

/* One function per operation: name_f of floats, name_i of integers. */
#define F1(name, expression) \
    static long double name##_f(long double x) \
    { \
        return (expression); \
    }
#define F2(name, expression) \
    static long double name##_f(long double x, long double y) \
    { \
        return (expression); \
    }
#define I(name, expression) \
    static int64_t name##_i(int64_t x, int64_t y, int bits) \
    { \
        (void)x, (void)y, (void)bits; \
        return (int64_t)(expression); \
    }
#define U(x) ((uint64_t)(x))

/* ---- arithmetic ---- */
F1(neg, -x)
I(neg, -U(x))
F1(abs, fabsl(x))
I(abs, x < 0 ? -U(x) : U(x))
F1(sign, isnan(x) ? x : (long double)((x > 0) - (x < 0)))
I(sign, (x > 0) - (x < 0))
F1(square, x *x)
I(square, U(x) * U(x))
F1(reciprocal, 1 / x)
F1(sqrt, sqrtl(x))
F1(rsqrt, 1 / sqrtl(x))
F1(cbrt, cbrtl(x))
F2(add, x + y)
I(add, U(x) + U(y))
F2(sub, x - y)
I(sub, U(x) - U(y))
F2(mul, x *y)
I(mul, U(x) * U(y))
F2(div, x / y)

/* fmodl is exact; the results of % with the sign of y, and of floor, follow from it as in Python. */
static long double remainder_f(long double x, long double y)
{
    long double r = fmodl(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static long double floor_divide_f(long double x, long double y)
{
    if (y == 0)
        return x / y;
    if (!isfinite(x) || isnan(y))
        return (long double)NAN;
    if (isinf(y))
        return x == 0 || (x < 0) == (y < 0) ? x / y : -1;
    long double r = fmodl(x, y);
    return roundl((x - r) / y) - (r != 0 && (r < 0) != (y < 0));
}

static int64_t floor_divide_i(int64_t x, int64_t y, int bits)
{
    (void)bits;
    if (y == 0)
        return 0;
    if (y == -1)
        return (int64_t)-U(x);
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static int64_t remainder_i(int64_t x, int64_t y, int bits)
{
    (void)bits;
    if (y == 0 || y == -1)
        return 0;
    int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
F2(fmod, fmodl(x, y))
I(fmod, y == 0 || y == -1 ? 0 : x % y)
F2(maximum, isnan(x) || isnan(y) ? (long double)NAN : x > y ? x : y)
I(maximum, x > y ? x : y)
F2(minimum, isnan(x) || isnan(y) ? (long double)NAN : x < y ? x : y)
I(minimum, x < y ? x : y)

/* ---- rounding ---- */
F1(floor, floorl(x))
F1(ceil, ceill(x))
F1(round, nearbyintl(x))
F1(trunc, truncl(x))
I(floor, x)
I(ceil, x)
I(round, x)
I(trunc, x)

/* ---- exponentials and logarithms ---- */
F1(exp, expl(x))
F1(exp2, exp2l(x))
F1(expm1, expm1l(x))
F1(log, logl(x))
F1(log2, log2l(x))
F1(log10, log10l(x))
F1(log1p, log1pl(x))

/* ---- trigonometric and hyperbolic ---- */
F1(sin, sinl(x))
F1(cos, cosl(x))
F1(tan, tanl(x))
F1(asin, asinl(x))
F1(acos, acosl(x))
F1(atan, atanl(x))
F1(sinh, sinhl(x))
F1(cosh, coshl(x))
F1(tanh, tanhl(x))
F1(asinh, asinhl(x))
F1(acosh, acoshl(x))
F1(atanh, atanhl(x))
F2(atan2, atan2l(x, y))
/* Newton's steps on log Phi, which is concave: from below they stay below. */
static long double normal_quantile(long double p)
{
    if (!(p > 0 && p < 1))
        return p == 0 ? -INFINITY : p == 1 ? INFINITY : NAN;
    if (p > 0.5L)
        return -normal_quantile(1 - p);
    long double x = -sqrtl(-2 * logl(2 * p)), step = 1;
    for (int i = 0; i < 200 && fabsl(step) > 1e-19L * fabsl(x); i++) {
        long double below = erfcl(-x * sqrtl(0.5L)) / 2;
        long double density = expl(-x * x / 2) / sqrtl(2 * acosl(-1));
        step = logl(p / below) * below / density;
        x += step;
    }
    return x;
}

/* Newton's steps near 0, where the quantile would lose digits. */
static long double inverse_erf(long double x)
{
    long double y = x * sqrtl(acosl(-1)) / 2;
    if (!(fabsl(x) <= 0.5L))
        return x > 0 ? -normal_quantile((1 - x) / 2) * sqrtl(0.5L)
                     : normal_quantile((1 + x) / 2) * sqrtl(0.5L);
    for (int i = 0; i < 8; i++)
        y -= (erfl(y) - x) * sqrtl(acosl(-1)) / 2 * expl(y * y);
    return x == 0 ? x : y;
}

/* Up from x, one by one, to where the asymptotic series is exact (Abramowitz & Stegun 6.3.18). */
static long double digamma_from_above(long double x)
{
    const long double b[] = {1.0L / 12, -1.0L / 120, 1.0L / 252, -1.0L / 240, 1.0L / 132};
    long double sum = 0, power = 1;
    if (x == 0)
        return signbit(x) ? INFINITY : -INFINITY;
    if (isinf(x) || (x < 0 && x == rintl(x)))
        return x > 0 ? x : NAN;
    while (x < 400) {
        sum -= 1 / x;
        x += 1;
    }
    sum += logl(x) - 1 / (2 * x);
    for (int j = 0; j < 5; j++)
        sum -= b[j] * (power /= x * x);
    return sum;
}

F1(erf, erfl(x))
F1(erfc, erfcl(x))
F1(ndtri, normal_quantile(x))
F1(erfinv, inverse_erf(x))
F1(lgamma, lgammal(x))
F1(digamma, digamma_from_above(x))

/* ---- tests ---- */
F1(isnan, isnan(x))
F1(isinf, isinf(x) != 0)
F1(isfinite, isfinite(x))
I(isnan, 0)
I(isinf, 0)
I(isfinite, 1)
F2(eq, x == y)
F2(ne, x != y)
F2(lt, x < y)
F2(le, x <= y)
F2(gt, x > y)
F2(ge, x >= y)
I(eq, x == y)
I(ne, x != y)
I(lt, x < y)
I(le, x <= y)
I(gt, x > y)
I(ge, x >= y)

/* ---- logic and bits ---- */
F1(logical_not, x == 0)
F2(logical_and, x != 0 && y != 0)
F2(logical_or, x != 0 || y != 0)
F2(logical_xor, (x != 0) != (y != 0))
I(logical_not, x == 0)
I(logical_and, x != 0 && y != 0)
I(logical_or, x != 0 || y != 0)
I(logical_xor, (x != 0) != (y != 0))
I(bitwise_and, U(x) & U(y))
I(bitwise_or, U(x) | U(y))
I(bitwise_xor, U(x) ^ U(y))
/* A bool is one bit, which a shift loses. */
I(bitwise_left_shift, bits == 1 ? U(x & !y) : y < 0 || y >= bits ? 0 : U(x) << y)
I(bitwise_right_shift, bits == 1 ? x & !y : x >> (y < 0 || y >= bits ? bits - 1 : y))
I(bitwise_not, bits == 1 ? U(x == 0) : ~U(x))

/* Integers: as the exact result, cut to its low bits, or towards 0 when it is a fraction. */
F2(pow, powl(x, y))
static int64_t pow_i(int64_t x, int64_t y, int bits)
{
    (void)bits;
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t r = 1, b = U(x);
    for (uint64_t n = U(y); n; n >>= 1, b *= b)
        r *= n & 1 ? b : 1;
    return (int64_t)r;
}

/* The operations without a kind for floats, or for integers, have NULL there. */
#define reciprocal_i NULL
#define sqrt_i NULL
#define rsqrt_i NULL
#define cbrt_i NULL
#define div_i NULL
#define exp_i NULL
#define exp2_i NULL
#define expm1_i NULL
#define log_i NULL
#define log2_i NULL
#define log10_i NULL
#define log1p_i NULL
#define sin_i NULL
#define cos_i NULL
#define tan_i NULL
#define asin_i NULL
#define acos_i NULL
#define atan_i NULL
#define sinh_i NULL
#define cosh_i NULL
#define tanh_i NULL
#define asinh_i NULL
#define acosh_i NULL
#define atanh_i NULL
#define atan2_i NULL
#define erf_i NULL
#define erfc_i NULL
#define ndtri_i NULL
#define erfinv_i NULL
#define lgamma_i NULL
#define digamma_i NULL
#define bitwise_not_f NULL
#define bitwise_and_f NULL
#define bitwise_or_f NULL
#define bitwise_xor_f NULL
#define bitwise_left_shift_f NULL
#define bitwise_right_shift_f NULL

const elementwise_reference elementwise_references[] = {
#define LUCID_UNARY(name, class, doc) \
    {#name, CLASS_##class, lucid_##name, NULL, name##_f, NULL, name##_i},
#define LUCID_BINARY(name, class, doc) \
    {#name, CLASS_##class, NULL, lucid_##name, NULL, name##_f, name##_i},
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
    {"pow", CLASS_SIGNED, NULL, lucid_pow, NULL, pow_f, pow_i},
};
const size_t elementwise_reference_count =
    sizeof elementwise_references / sizeof *elementwise_references;
