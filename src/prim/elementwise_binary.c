/* Elementwise functions of two arguments, and where. A partial is d out / d in[i]. */
#include <math.h>

#include "base/dtype.h"
#include "prim/family.h"
#include "prim/number.h"

#define NUM(value) lucid__number_of(s, (value), X.v->aval.dtype) /* beside x */
#define X (c->in[0])
#define Y (c->in[1])
#define PARTIAL(name) \
    static lucid_tensor name##_partial(lucid_scope *s, const lucid__call *c, lucid_tensor y, int i)
#define JVP(name) \
    static void name##_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y, \
                           const lucid_tensor *dx, lucid_tensor *dy)
#define TRANSPOSE(name) \
    static void name##_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in, \
                                 const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)

#define SAMPLES(name, fill0, fill1) \
    static const lucid__sample name##_samples[] = { \
        {2, 0, {{LUCID_FLOAT64, fill0, {2, {3, 4}}}, {LUCID_FLOAT64, fill1, {2, {3, 4}}}}, {0}}, \
        {2, 0, {{LUCID_FLOAT32, fill0, {1, {5}}}, {LUCID_FLOAT32, fill1, {1, {5}}}}, {0}}, \
        {2, 0, {{LUCID_FLOAT64, fill0, {0, {0}}}, {LUCID_FLOAT64, fill1, {0, {0}}}}, {0}}, \
        {2, 0, {{LUCID_FLOAT64, fill0, {2, {0, 2}}}, {LUCID_FLOAT64, fill1, {2, {0, 2}}}}, {0}}, \
        LUCID__END_OF_SAMPLES, \
    }
SAMPLES(any, "normal", "normal");
SAMPLES(nonzero, "normal", "positive");
SAMPLES(positive, "positive", "normal");

static const lucid__sample distinct_samples[] = {
    {2, 0, {{LUCID_FLOAT64, "distinct", {2, {3, 4}}}, {LUCID_FLOAT64, "unit", {2, {3, 4}}}}, {0}},
    {2, 0, {{LUCID_INT64, "integers", {1, {4}}}, {LUCID_INT64, "integers", {1, {4}}}}, {0}},
    {2, 0, {{LUCID_FLOAT32, "normal", {1, {0}}}, {LUCID_FLOAT32, "normal", {1, {0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};
static const lucid__sample bool_samples[] = {
    {2, 0, {{LUCID_BOOL, "bool", {2, {3, 2}}}, {LUCID_BOOL, "bool", {2, {3, 2}}}}, {0}},
    {2, 0, {{LUCID_BOOL, "bool", {1, {0}}}, {LUCID_BOOL, "bool", {1, {0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};
static const lucid__sample integer_samples[] = {
    {2, 0, {{LUCID_INT32, "integers", {2, {3, 2}}}, {LUCID_INT32, "index:8", {2, {3, 2}}}}, {0}},
    {2, 0, {{LUCID_INT64, "integers", {1, {4}}}, {LUCID_INT64, "index:8", {1, {4}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

#define FLAT(name, samples_) \
    const lucid__rules lucid__rules_##name = {.zero_derivative = true, \
                                              .samples = samples_##_samples}

/* ---- add, sub: linear in both together; a tangent that is absent costs nothing ------------------ */

JVP(add)
{
    (void)c, (void)y;
    dy[0] = lucid__add_cotangents(s, dx[0], dx[1]);
}

TRANSPOSE(add)
{
    (void)s, (void)c, (void)in;
    for (int i = 0; i < 2; i++)
        dct[i] = linear[i] ? ct[0] : (lucid_tensor){NULL};
}
const lucid__rules lucid__rules_add = {.jvp = add_jvp,
                                       .transpose = add_transpose,
                                       .linear = LUCID__ALL_INPUTS,
                                       .samples = any_samples};

JVP(sub)
{
    (void)c, (void)y;
    dy[0] = dx[0].v && dx[1].v ? lucid_sub(s, dx[0], dx[1]) : dx[0].v ? dx[0] : lucid_neg(s, dx[1]);
}

TRANSPOSE(sub)
{
    (void)c, (void)in;
    dct[0] = linear[0] ? ct[0] : (lucid_tensor){NULL};
    dct[1] = linear[1] ? lucid_neg(s, ct[0]) : (lucid_tensor){NULL};
}
const lucid__rules lucid__rules_sub = {.jvp = sub_jvp,
                                       .transpose = sub_transpose,
                                       .linear = LUCID__ALL_INPUTS,
                                       .samples = any_samples};

/* ---- mul, div ------------------------------------------------------------------------------- */

TRANSPOSE(mul)
{
    (void)in;
    int i = linear[0] ? 0 : 1;
    dct[i] = lucid_mul(s, ct[0], c->in[1 - i]);
}
const lucid__rules lucid__rules_mul = {
    .transpose = mul_transpose, .bilinear = true, .samples = any_samples};

/* d(x / y) = (dx - out dy) / y */
JVP(div)
{
    lucid_tensor top = dx[0];
    if (dx[1].v) {
        lucid_tensor term = lucid_mul(s, dx[1], y[0]);
        top = top.v ? lucid_sub(s, top, term) : lucid_neg(s, term);
    }
    dy[0] = lucid_div(s, top, Y);
}

TRANSPOSE(div)
{
    (void)in, (void)linear;
    dct[0] = lucid_div(s, ct[0], Y);
}
const lucid__rules lucid__rules_div = {.jvp = div_jvp,
                                       .transpose = div_transpose,
                                       .linear = LUCID__INPUT(0),
                                       .samples = nonzero_samples};

FLAT(floor_divide, distinct);

/* x - y floor(x / y) and x - y trunc(x / y): where they are smooth the quotient is a constant. */
/* Away from the jumps, where x / y is an integer. */
static const lucid__sample modulus_samples[] = {
    {2, 0, {{LUCID_FLOAT64, "unit", {2, {3, 4}}}, {LUCID_FLOAT64, "above_one", {2, {3, 4}}}}, {0}},
    {2, 0, {{LUCID_FLOAT32, "unit", {1, {5}}}, {LUCID_FLOAT32, "above_one", {1, {5}}}}, {0}},
    {2, 0, {{LUCID_INT64, "integers", {1, {6}}}, {LUCID_INT64, "integers", {1, {6}}}}, {0}},
    {2, 0, {{LUCID_FLOAT64, "unit", {1, {0}}}, {LUCID_FLOAT64, "above_one", {1, {0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

PARTIAL(remainder)
{
    (void)y;
    return i == 0 ? lucid_ones_like(s, X) : lucid_neg(s, lucid_floor_divide(s, X, Y));
}
const lucid__rules lucid__rules_remainder = {.partial = remainder_partial,
                                             .samples = modulus_samples};

PARTIAL(fmod)
{
    /* x - out is a whole multiple of y, where x / y might be rounded up to the next one. */
    return i == 0 ? lucid_ones_like(s, X) : lucid_round(s, lucid_div(s, lucid_sub(s, y, X), Y));
}
const lucid__rules lucid__rules_fmod = {.partial = fmod_partial, .samples = modulus_samples};

/* ---- maximum, minimum: half each where they tie; a NaN has it all ---------------------------------- */

static lucid_tensor share(lucid_scope *s, lucid_tensor mine, lucid_tensor other, lucid_tensor out)
{
    lucid_tensor is_out = lucid_logical_or(s, lucid_eq(s, mine, out), lucid_isnan(s, mine));
    lucid_tensor tie = lucid_eq(s, mine, other);
    lucid_dtype dtype = mine.v->aval.dtype;
    lucid_tensor part = lucid_where(s, tie, lucid_scalar(s, 0.5), lucid_cast(s, is_out, dtype));
    return lucid_cast(s, part, dtype);
}

PARTIAL(maximum)
{
    return share(s, c->in[i], c->in[1 - i], y);
}
const lucid__rules lucid__rules_maximum = {.partial = maximum_partial, .samples = any_samples};

PARTIAL(minimum)
{
    return share(s, c->in[i], c->in[1 - i], y);
}
const lucid__rules lucid__rules_minimum = {.partial = minimum_partial, .samples = any_samples};

/* ---- pow, atan2 -------------------------------------------------------------------------------- */

/* d/dx = y x^(y-1), which is 0 for y = 0 whatever x is; for y < 1/2, where y - 1 would be rounded, y out / x.
 * d/dy = out log x, which is 0 where out is 0 because x is (so x = 0, y > 0), and NaN for x < 0. */
PARTIAL(pow)
{
    lucid_tensor zero = NUM(0);
    if (i == 0) {
        lucid_tensor none = lucid_eq(s, Y, zero);
        lucid_tensor less = lucid_where(s, none, NUM(1), lucid_sub(s, Y, NUM(1)));
        lucid_tensor low = lucid_logical_and(s, lucid_lt(s, Y, NUM(0.5)), lucid_ne(s, X, zero));
        low = lucid_logical_and(s, low, lucid_logical_not(s, none));
        lucid_tensor ratio = lucid_div(s, lucid_mul(s, Y, y), lucid_where(s, low, X, NUM(1)));
        return lucid_where(s, low, ratio, lucid_mul(s, Y, lucid_pow(s, X, less)));
    }
    lucid_tensor at_zero = lucid_logical_and(s, lucid_eq(s, X, zero), lucid_ge(s, Y, zero));
    lucid_tensor base = lucid_where(s, at_zero, NUM(1), X);
    return lucid_where(s, at_zero, zero, lucid_mul(s, y, lucid_log(s, base)));
}
const lucid__rules lucid__rules_pow = {
    .partial = pow_partial,
    .samples = positive_samples,
    .doc = "x to the power y; integers stay integers (a negative exponent then gives 0, but 1 or "
           "-1 for those bases).",
};

/* atan2(a, b): d/da = b / (a^2 + b^2), d/db = -a / (a^2 + b^2). Scaled by 1 / max(|a|, |b|), so that no square
 * leaves the range; the scale is a constant to derivatives, which do not depend on it. */
PARTIAL(atan2)
{
    (void)y;
    lucid_tensor largest =
        lucid_maximum(s, lucid_abs(s, lucid_detach(s, X)), lucid_abs(s, lucid_detach(s, Y)));
    lucid_tensor usable =
        lucid_logical_and(s, lucid_ne(s, largest, NUM(0)), lucid_isfinite(s, largest));
    largest = lucid_where(s, usable, largest, NUM(1));
    lucid_tensor a = lucid_div(s, X, largest), b = lucid_div(s, Y, largest);
    lucid_tensor r = lucid_add(s, lucid_square(s, a), lucid_square(s, b));
    lucid_tensor part = lucid_div(s, lucid_div(s, i == 0 ? b : a, r), largest);
    return i == 0 ? part : lucid_neg(s, part);
}
const lucid__rules lucid__rules_atan2 = {.partial = atan2_partial, .samples = nonzero_samples};

/* ---- tests, logic, bits ------------------------------------------------------------------------ */

FLAT(eq, distinct);
FLAT(ne, distinct);
FLAT(lt, distinct);
FLAT(le, distinct);
FLAT(gt, distinct);
FLAT(ge, distinct);
FLAT(logical_and, bool);
FLAT(logical_or, bool);
FLAT(logical_xor, bool);
FLAT(bitwise_and, integer);
FLAT(bitwise_or, integer);
FLAT(bitwise_xor, integer);
FLAT(bitwise_left_shift, integer);
FLAT(bitwise_right_shift, integer);

/* ---- where: linear in its two values, given the condition ------------------------------------------ */

TRANSPOSE(where)
{
    (void)in;
    lucid_tensor zero = lucid_zeros_like(s, ct[0]);
    if (linear[1])
        dct[1] = lucid_where(s, c->in[0], ct[0], zero);
    if (linear[2])
        dct[2] = lucid_where(s, c->in[0], zero, ct[0]);
}

static const lucid__sample where_samples[] = {
    {3,
     0,
     {{LUCID_BOOL, "bool", {2, {3, 4}}},
      {LUCID_FLOAT64, "normal", {2, {3, 4}}},
      {LUCID_FLOAT64, "normal", {2, {3, 4}}}},
     {0}},
    {3,
     0,
     {{LUCID_BOOL, "bool", {1, {0}}},
      {LUCID_FLOAT64, "normal", {1, {0}}},
      {LUCID_FLOAT64, "normal", {1, {0}}}},
     {0}},
    {3,
     0,
     {{LUCID_BOOL, "bool", {1, {3}}},
      {LUCID_INT32, "integers", {1, {3}}},
      {LUCID_INT32, "integers", {1, {3}}}},
     {0}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_where = {
    .transpose = where_transpose,
    .linear = LUCID__INPUT(1) | LUCID__INPUT(2),
    .samples = where_samples,
    .doc = "x where the condition is true, y elsewhere.",
};
