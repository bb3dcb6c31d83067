#include "support/partial_reference.h"

#include <math.h>

/* name_x(x, y) and name_y(x, y): the derivatives of name in its first and in its second input. */
#define IN_X(name, expression) \
    static long double name##_x(long double x, long double y) \
    { \
        (void)x, (void)y; \
        return (expression); \
    }
#define IN_Y(name, expression) \
    static long double name##_y(long double x, long double y) \
    { \
        (void)x, (void)y; \
        return (expression); \
    }
#define FLAT1(name) IN_X(name, 0)
#define FLAT2(name) IN_X(name, 0) IN_Y(name, 0)

#define PI 3.14159265358979323846264338327950288L
#define LN2 0.693147180559945309417232121458176568L
#define LN10 2.30258509299404568401799145468436421L

/* ---- arithmetic ---- */
IN_X(neg, -1)
IN_X(abs, isnan(x) ? x : (long double)((x > 0) - (x < 0)))
FLAT1(sign)
IN_X(square, 2 * x)
IN_X(reciprocal, -1 / (x * x))
IN_X(sqrt, 0.5L / sqrtl(x))
IN_X(rsqrt, -0.5L / x / sqrtl(x))
IN_X(cbrt, 1 / (3 * cbrtl(x) * cbrtl(x)))
IN_X(add, 1)
IN_Y(add, 1)
IN_X(sub, 1)
IN_Y(sub, -1)
IN_X(mul, y)
IN_Y(mul, x)
IN_X(div, 1 / y)
IN_Y(div, -x / y / y)
FLAT2(floor_divide)
IN_X(remainder, 1)
IN_X(fmod, 1)

static long double remainder_y(long double x, long double y)
{
    long double r = fmodl(x, y), whole = roundl((x - r) / y);
    return -(whole - (r != 0 && (r < 0) != (y < 0)));
}
IN_Y(fmod, -roundl((x - fmodl(x, y)) / y))

/* Ties share; a NaN takes all, as its result is NaN. */
IN_X(maximum, x == y ? 0.5L : (long double)!(x < y))
IN_Y(maximum, x == y ? 0.5L : (long double)!(y < x))
IN_X(minimum, x == y ? 0.5L : (long double)!(x > y))
IN_Y(minimum, x == y ? 0.5L : (long double)!(y > x))

/* ---- rounding ---- */
FLAT1(floor)
FLAT1(ceil)
FLAT1(round)
FLAT1(trunc)

/* ---- exponentials and logarithms ---- */
IN_X(exp, expl(x))
IN_X(exp2, LN2 *exp2l(x))
IN_X(expm1, expl(x))
IN_X(log, 1 / x)
IN_X(log2, 1 / (x * LN2))
IN_X(log10, 1 / (x * LN10))
IN_X(log1p, 1 / (1 + x))

/* ---- trigonometric and hyperbolic ---- */
IN_X(sin, cosl(x))
IN_X(cos, -sinl(x))
IN_X(tan, 1 / (cosl(x) * cosl(x)))
IN_X(asin, 1 / sqrtl((1 - x) * (1 + x)))
IN_X(acos, -1 / sqrtl((1 - x) * (1 + x)))
IN_X(atan, 1 / (1 + x * x))
IN_X(sinh, coshl(x))
IN_X(cosh, sinhl(x))
IN_X(tanh, 1 / (coshl(x) * coshl(x)))
IN_X(asinh, 1 / sqrtl(1 + x * x))
IN_X(acosh, 1 / sqrtl(x - 1) / sqrtl(x + 1))
IN_X(atanh, 1 / ((1 - x) * (1 + x)))
IN_X(atan2, y / (x * x + y * y))
IN_Y(atan2, -x / (x * x + y * y))

/* ---- special functions: those whose derivative is one ---- */
IN_X(erf, 2 / sqrtl(PI) * expl(-x * x))
IN_X(erfc, -2 / sqrtl(PI) * expl(-x * x))

/* ---- tests, logic and bits ---- */
FLAT1(isnan)
FLAT1(isinf)
FLAT1(isfinite)
FLAT2(eq)
FLAT2(ne)
FLAT2(lt)
FLAT2(le)
FLAT2(gt)
FLAT2(ge)
FLAT1(logical_not)
FLAT2(logical_and)
FLAT2(logical_or)
FLAT2(logical_xor)

/* Functions that elementwise_reference.c has: the derivative of an inverse is that of what it inverts. */
#include "support/elementwise_reference.h"
#include <string.h>

static long double value_of(const char *name, long double x)
{
    for (size_t i = 0; i < elementwise_reference_count; i++)
        if (strcmp(elementwise_references[i].name, name) == 0)
            return elementwise_references[i].unary(x);
    return (long double)NAN;
}

static long double ndtri_x(long double x, long double y)
{
    (void)y;
    long double q = value_of("ndtri", x);
    return sqrtl(2 * PI) * expl(q * q / 2);
}

static long double erfinv_x(long double x, long double y)
{
    (void)y;
    long double q = value_of("erfinv", x);
    return sqrtl(PI) / 2 * expl(q * q);
}

/* Far below 0 by reflection (DLMF 5.5.4). */
static long double lgamma_x(long double x, long double y)
{
    (void)y;
    if (x > -30 || x == rintl(x))
        return value_of("digamma", x);
    return value_of("digamma", 1 - x) - PI / tanl(PI * fmodl(x, 1));
}

/* The sum of 1 / (x + k)^2 (DLMF 5.15.1), by the asymptotic series far up (DLMF 5.15.8). */
static long double digamma_x(long double x, long double y)
{
    (void)y;
    long double sum = 0;
    if (isinf(x))
        return x > 0 ? 0 : (long double)NAN;
    if (x <= 0 && x == rintl(x))
        return INFINITY;
    if (x < 0) { /* reflection, DLMF 5.5.4 derived */
        long double t = fmodl(x, 1), sine = sinl(PI * t);
        return PI / sine * (PI / sine) - digamma_x(1 - x, 0);
    }
    while (x < 400) {
        sum += 1 / (x * x);
        x += 1;
    }
    long double r = 1 / x, r2 = r * r;
    return sum + r + r2 / 2 + r2 * r * (1.0L / 6 - r2 * (1.0L / 30 - r2 / 42));
}

static long double pow_x(long double x, long double y)
{
    return y == 0 ? 0 : y * powl(x, y - 1);
}

static long double pow_y(long double x, long double y)
{
    return x == 0 && y >= 0 ? 0 : powl(x, y) * logl(x);
}

#define bitwise_not_x NULL
#define bitwise_and_x NULL
#define bitwise_and_y NULL
#define bitwise_or_x NULL
#define bitwise_or_y NULL
#define bitwise_xor_x NULL
#define bitwise_xor_y NULL
#define bitwise_left_shift_x NULL
#define bitwise_left_shift_y NULL
#define bitwise_right_shift_x NULL
#define bitwise_right_shift_y NULL

const partial_reference partial_references[] = {
#define LUCID_UNARY(name, class, doc) {#name, lucid_##name, NULL, name##_x, NULL},
#define LUCID_BINARY(name, class, doc) {#name, NULL, lucid_##name, name##_x, name##_y},
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
    {"pow", NULL, lucid_pow, pow_x, pow_y},
};
const size_t partial_reference_count = sizeof partial_references / sizeof *partial_references;
