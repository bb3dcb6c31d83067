/* Elementwise functions of one argument. x is the input, y the output; a partial is dy/dx. Derivatives
 * without a source are elementary. */
#include <math.h>

#include "base/dtype.h"
#include "prim/family.h"
#include "prim/number.h"

#define NUM(value) lucid__number_of(s, (value), X.v->aval.dtype) /* beside x */
#define X (c->in[0])
#define PARTIAL(name) \
    static lucid_tensor name##_partial(lucid_scope *s, const lucid__call *c, lucid_tensor y, int i)
#define UNUSED (void)s, (void)c, (void)y, (void)i

#define SAMPLES(name, fill_) \
    static const lucid__sample name##_samples[] = { \
        {1, 0, {{LUCID_FLOAT64, fill_, {2, {3, 4}}}}, {0}}, \
        {1, 0, {{LUCID_FLOAT32, fill_, {1, {5}}}}, {0}}, \
        {1, 0, {{LUCID_FLOAT64, fill_, {0, {0}}}}, {0}}, \
        {1, 0, {{LUCID_FLOAT64, fill_, {2, {0, 2}}}}, {0}}, \
        LUCID__END_OF_SAMPLES, \
    }
SAMPLES(any, "normal");
SAMPLES(nonzero, "nonzero");
SAMPLES(positive, "positive");
SAMPLES(unit, "unit");
SAMPLES(probability, "probability");
SAMPLES(above_one, "above_one");
SAMPLES(distinct, "distinct");

#define RULES(name, samples_) \
    const lucid__rules lucid__rules_##name = {.partial = name##_partial, \
                                              .samples = samples_##_samples}
#define FLAT(name) \
    const lucid__rules lucid__rules_##name = {.zero_derivative = true, .samples = distinct_samples}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static void neg_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)c, (void)in, (void)linear;
    dct[0] = lucid_neg(s, ct[0]);
}

const lucid__rules lucid__rules_neg = {
    .transpose = neg_transpose, .linear = LUCID__ALL_INPUTS, .samples = any_samples};

PARTIAL(abs)
{
    UNUSED;
    return lucid_sign(s, X);
}
RULES(abs, nonzero);

PARTIAL(square)
{
    UNUSED;
    return lucid_mul(s, NUM(2), X);
}
RULES(square, any);

PARTIAL(reciprocal)
{
    UNUSED;
    return lucid_neg(s, lucid_square(s, y));
}
RULES(reciprocal, positive);

PARTIAL(sqrt)
{
    UNUSED;
    return lucid_div(s, NUM(0.5), y);
}
RULES(sqrt, positive);

PARTIAL(rsqrt)
{
    UNUSED;
    return lucid_div(s, lucid_mul(s, NUM(-0.5), y), X);
}
RULES(rsqrt, positive);

PARTIAL(cbrt)
{
    UNUSED; /* y / (3 x), which rounds y once; 1 / (3 y^2) where that is 0 / 0 or inf / inf */
    lucid_tensor ends = lucid_logical_or(s, lucid_eq(s, X, NUM(0)), lucid_isinf(s, X));
    lucid_tensor top = lucid_where(s, ends, lucid_reciprocal(s, lucid_square(s, y)), y);
    return lucid_div(s, lucid_div(s, top, lucid_where(s, ends, NUM(1), X)), NUM(3));
}
RULES(cbrt, nonzero);

/* ---- piecewise constant ----------------------------------------------------------------------- */

FLAT(sign);
FLAT(floor);
FLAT(ceil);
FLAT(round);
FLAT(trunc);
FLAT(isnan);
FLAT(isinf);
FLAT(isfinite);

static const lucid__sample bool_samples[] = {
    {1, 0, {{LUCID_BOOL, "bool", {2, {3, 2}}}}, {0}},
    {1, 0, {{LUCID_BOOL, "bool", {1, {0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_logical_not = {.zero_derivative = true, .samples = bool_samples};

static const lucid__sample integer_samples[] = {
    {1, 0, {{LUCID_INT32, "integers", {2, {3, 2}}}}, {0}},
    {1, 0, {{LUCID_INT64, "integers", {1, {4}}}}, {0}},
    {1, 0, {{LUCID_BOOL, "bool", {1, {4}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_bitwise_not = {.zero_derivative = true, .samples = integer_samples};

/* ---- exponentials and logarithms ------------------------------------------------------------- */

PARTIAL(exp)
{
    UNUSED;
    return y;
}
RULES(exp, any);

PARTIAL(exp2)
{
    UNUSED;
    return lucid_mul(s, NUM(0.69314718055994530942), y); /* log 2 */
}
RULES(exp2, any);

PARTIAL(expm1)
{
    UNUSED; /* y + 1 would lose all digits where y is near -1 */
    return lucid_exp(s, X);
}
RULES(expm1, any);

PARTIAL(log)
{
    UNUSED;
    return lucid_reciprocal(s, X);
}
RULES(log, positive);

PARTIAL(log2)
{
    UNUSED;
    return lucid_div(s, NUM(1.44269504088896340736), X); /* 1 / log 2 */
}
RULES(log2, positive);

PARTIAL(log10)
{
    UNUSED;
    return lucid_div(s, NUM(0.43429448190325182765), X); /* 1 / log 10 */
}
RULES(log10, positive);

PARTIAL(log1p)
{
    UNUSED;
    return lucid_reciprocal(s, lucid_add(s, NUM(1), X));
}
RULES(log1p, positive);

/* ---- trigonometric and hyperbolic ------------------------------------------------------------ */

PARTIAL(sin)
{
    UNUSED;
    return lucid_cos(s, X);
}
RULES(sin, any);

PARTIAL(cos)
{
    UNUSED;
    return lucid_neg(s, lucid_sin(s, X));
}
RULES(cos, any);

PARTIAL(tan)
{
    UNUSED;
    return lucid_add(s, NUM(1), lucid_square(s, y));
}
RULES(tan, unit);

/* 1 / max(1, |x|), a constant to derivatives: what is scaled by it does not depend on it. */
static lucid_tensor scale_beyond_one(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor size =
        lucid_maximum(s, lucid_abs(s, lucid_detach(s, x)), lucid__number_of(s, 1, x.v->aval.dtype));
    return lucid_reciprocal(s, size);
}

/* 1 - x^2 as (1 - x)(1 + x), which keeps its digits near 1. */
static lucid_tensor one_minus_square(lucid_scope *s, lucid_tensor x)
{
    return lucid_mul(s, lucid_sub(s, lucid_scalar(s, 1), x), lucid_add(s, lucid_scalar(s, 1), x));
}

PARTIAL(asin)
{
    UNUSED;
    return lucid_rsqrt(s, one_minus_square(s, X));
}
RULES(asin, unit);

PARTIAL(acos)
{
    UNUSED;
    return lucid_neg(s, lucid_rsqrt(s, one_minus_square(s, X)));
}
RULES(acos, unit);

PARTIAL(atan)
{
    UNUSED; /* 1 / (1 + x^2) = r / (r + x^2 r) for any r: with r = 1 / max(1, |x|) nothing overflows */
    lucid_tensor r = scale_beyond_one(s, X);
    lucid_tensor scaled = lucid_mul(s, lucid_mul(s, X, r), X);
    return lucid_mul(s, r, lucid_reciprocal(s, lucid_add(s, r, scaled)));
}
RULES(atan, any);

PARTIAL(sinh)
{
    UNUSED;
    return lucid_cosh(s, X);
}
RULES(sinh, any);

PARTIAL(cosh)
{
    UNUSED;
    return lucid_sinh(s, X);
}
RULES(cosh, any);

PARTIAL(tanh)
{
    UNUSED; /* 1 - y^2 = e^(-2|x|) (1 + |y|)^2; as y nears 1 the former loses all digits */
    lucid_tensor positive = lucid_ge(s, X, NUM(0));
    lucid_tensor rate = lucid_where(s, positive, NUM(-2), NUM(2));
    lucid_tensor decay = lucid_exp(s, lucid_mul(s, rate, X));
    lucid_tensor size = lucid_where(s, positive, y, lucid_neg(s, y));
    return lucid_mul(s, decay, lucid_square(s, lucid_add(s, NUM(1), size)));
}
RULES(tanh, any);

PARTIAL(asinh)
{
    UNUSED; /* 1 / sqrt(1 + x^2) = r / sqrt(r^2 + (x r)^2) */
    lucid_tensor r = scale_beyond_one(s, X);
    lucid_tensor square = lucid_square(s, lucid_mul(s, X, r));
    return lucid_mul(s, r, lucid_rsqrt(s, lucid_add(s, lucid_square(s, r), square)));
}
RULES(asinh, any);

PARTIAL(acosh)
{
    UNUSED; /* of x^2 - 1 = (x - 1)(x + 1), whose factors keep their digits near 1 and do not overflow */
    return lucid_mul(s, lucid_rsqrt(s, lucid_sub(s, X, NUM(1))),
                     lucid_rsqrt(s, lucid_add(s, X, NUM(1))));
}
RULES(acosh, above_one);

PARTIAL(atanh)
{
    UNUSED;
    return lucid_reciprocal(s, one_minus_square(s, X));
}
RULES(atanh, unit);

/* ---- special functions: d erf / dx = 2 / sqrt(pi) exp(-x^2) (DLMF 7.2.1) ----------------------- */

/* factor exp(sign x^2). What rounding takes from the square, up to 88 (709) units in the last place of the result,
 * is put back: x = head + tail, where the square of the head is exact, so that x^2 - fl(x^2) is
 * (head^2 - fl(x^2)) + (x - head)(x + head). Beyond `most` the result is 0 or infinite. */
static lucid_tensor gauss(lucid_scope *s, lucid_tensor x, double sign, double factor)
{
    lucid_dtype dtype = x.v->aval.dtype;
    const double most = dtype == LUCID_FLOAT32 ? 15 : 40,
                 unit = dtype == LUCID_FLOAT32 ? 0x1p8 : 0x1p20;
    x = lucid_maximum(s, x, lucid__number_of(s, -most, dtype));
    x = lucid_minimum(s, x, lucid__number_of(s, most, dtype));
    lucid_tensor head = lucid_round(s, lucid_mul(s, x, lucid__number_of(s, unit, dtype)));
    head = lucid_mul(s, head, lucid__number_of(s, 1 / unit, dtype));
    lucid_tensor square = lucid_square(s, x);
    lucid_tensor lost = lucid_mul(s, lucid_sub(s, x, head), lucid_add(s, x, head));
    lost = lucid_add(s, lucid_sub(s, lucid_square(s, head), square), lost);
    lucid_tensor signed_one = lucid__number_of(s, sign, dtype);
    lucid_tensor e = lucid_exp(s, lucid_mul(s, signed_one, square));
    lucid_tensor back = lucid_add(s, lucid__number_of(s, 1, dtype), lucid_mul(s, signed_one, lost));
    e = lucid_mul(s, e, back);
    return lucid_mul(s, lucid__number_of(s, factor, dtype), e);
}

PARTIAL(erf)
{
    UNUSED;
    return gauss(s, X, -1, 1.12837916709551257390);
}
RULES(erf, any);

PARTIAL(erfc)
{
    UNUSED;
    return gauss(s, X, -1, -1.12837916709551257390);
}
RULES(erfc, any);

/* The density of the normal distribution at the quantile is dx / dy. */
PARTIAL(ndtri)
{
    UNUSED;
    const double sqrt_2_pi = 2.50662827463100050242;
    return gauss(s, lucid_mul(s, NUM(0.70710678118654752440), y), 1, sqrt_2_pi);
}
RULES(ndtri, probability);

PARTIAL(erfinv)
{
    UNUSED;
    const double half_sqrt_pi = 0.88622692545275801365;
    return gauss(s, y, 1, half_sqrt_pi);
}
RULES(erfinv, unit);

PARTIAL(lgamma)
{
    UNUSED;
    return lucid_digamma(s, X);
}
RULES(lgamma, positive);

PARTIAL(digamma)
{
    UNUSED;
    return lucid_polygamma(s, 1, X);
}
RULES(digamma, positive);

/* ---- polygamma: derivative params[0] of digamma, from 1 on -------------------------------------- */

PARTIAL(polygamma)
{
    UNUSED;
    return lucid_polygamma(s, c->params[0] + 1, X);
}

static const lucid__sample polygamma_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "positive", {1, {5}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "positive", {2, {3, 2}}}}, {2}},
    {1, 1, {{LUCID_FLOAT32, "positive", {1, {5}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "positive", {0, {0}}}}, {3}},
    {1, 1, {{LUCID_FLOAT64, "positive", {1, {0}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_polygamma = {
    .partial = polygamma_partial,
    .samples = polygamma_samples,
    .doc = "A derivative of digamma, of an order known when the operation is built.",
};

/* ---- powi: x to the power params[0], a small integer ------------------------------------------- */

PARTIAL(powi)
{
    UNUSED;
    int64_t n = c->params[0];
    if (n == 0)
        return (lucid_tensor){NULL};
    if (n == 1)
        return lucid_ones_like(s, X);
    int64_t less = n - 1;
    return lucid_mul(s, NUM((double)n), lucid__bind1(s, LUCID__powi, &X, 1, &less, 1));
}

static const lucid__sample powi_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "normal", {1, {5}}}}, {3}},
    {1, 1, {{LUCID_FLOAT64, "nonzero", {1, {5}}}}, {-2}},
    {1, 1, {{LUCID_FLOAT32, "normal", {1, {5}}}}, {2}},
    {1, 1, {{LUCID_FLOAT64, "normal", {1, {5}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "normal", {1, {5}}}}, {0}},
    {1, 1, {{LUCID_INT64, "integers", {1, {5}}}}, {3}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_powi = {
    .partial = powi_partial,
    .samples = powi_samples,
    .doc = "x to an integer power known when the operation is built.",
};

/* ---- cast: params[0] is the dtype ------------------------------------------------------------- */

static bool cast_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)s;
    *out = in[0];
    out->dtype = (lucid_dtype)c->params[0];
    return true;
}

static void cast_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)c, (void)linear;
    dct[0] = lucid_cast(s, ct[0], in->dtype);
}

static const lucid__sample cast_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {2, 3}}}}, {LUCID_FLOAT64}},
    {1, 1, {{LUCID_FLOAT32, "normal", {2, {2, 3}}}}, {LUCID_FLOAT64}},
    {1, 1, {{LUCID_INT32, "integers", {2, {2, 3}}}}, {LUCID_FLOAT32}},
    {1, 1, {{LUCID_INT64, "integers", {1, {3}}}}, {LUCID_BOOL}},
    {1, 1, {{LUCID_BOOL, "bool", {1, {3}}}}, {LUCID_INT64}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_cast = {
    .infer = cast_infer,
    .transpose = cast_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = cast_samples,
    .doc = "The value in another dtype: floats to integers truncate, anything to bool tests for "
           "nonzero.",
};
