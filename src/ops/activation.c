/* The nonlinearities of nets. Each is written so that no branch that is not taken can overflow: an
 * infinite slope there would meet a zero cotangent and make NaN. */
#include <math.h>

#include "ops/composite.h"
#include "ops/numbers.h"

static lucid_tensor number(lucid_scope *s, double value, lucid_tensor like)
{
    return lucid__number(s, value, like);
}

lucid_tensor lucid_relu(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "relu", x))
        return (lucid_tensor){NULL};
    /* x <= 0 and not x > 0, so that NaN stays; at 0 the constant is taken. */
    lucid_tensor zero = number(&t, 0, x);
    return lucid__leave(&t, lucid_where(&t, lucid_le(&t, x, zero), zero, x));
}

lucid_tensor lucid_leaky_relu(lucid_scope *s, lucid_tensor x, double negative_slope)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "leaky_relu", x))
        return (lucid_tensor){NULL};
    x = lucid__as_float(&t, x);
    lucid_tensor below = lucid_mul(&t, x, number(&t, negative_slope, x));
    lucid_tensor above = lucid_gt(&t, x, number(&t, 0, x));
    return lucid__leave(&t, lucid_where(&t, above, x, below));
}

lucid_tensor lucid_elu(lucid_scope *s, lucid_tensor x, double alpha)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "elu", x))
        return (lucid_tensor){NULL};
    x = lucid__as_float(&t, x);
    lucid_tensor zero = number(&t, 0, x);
    lucid_tensor above = lucid_gt(&t, x, zero);
    lucid_tensor below = lucid_expm1(&t, lucid_where(&t, above, zero, x));
    below = lucid_mul(&t, below, number(&t, alpha, x));
    return lucid__leave(&t, lucid_where(&t, above, x, below));
}

/* Whether x >= 0, and exp(-|x|). One branch of an `if`, not an abs: so the derivatives at 0 are
 * those of the branch x >= 0, which is smooth, and not the 0 that the kink of abs would give. */
static lucid_tensor decay(lucid_scope *s, lucid_tensor x, lucid_tensor *positive)
{
    *positive = lucid_ge(s, x, number(s, 0, x));
    return lucid_exp(s, lucid_where(s, *positive, lucid_neg(s, x), x));
}

/* 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below: small results keep their relative accuracy. */
static lucid_tensor sigmoid(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor positive, one = number(s, 1, x);
    lucid_tensor z = decay(s, x, &positive);
    return lucid_div(s, lucid_where(s, positive, one, z), lucid_add(s, one, z));
}

lucid_tensor lucid_sigmoid(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "sigmoid", x))
        return (lucid_tensor){NULL};
    return lucid__leave(&t, sigmoid(&t, lucid__as_float(&t, x)));
}

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|) */
lucid_tensor lucid_softplus(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "softplus", x))
        return (lucid_tensor){NULL};
    x = lucid__as_float(&t, x);
    lucid_tensor positive, z = decay(&t, x, &positive);
    lucid_tensor hinge = lucid_where(&t, positive, x, number(&t, 0, x));
    return lucid__leave(&t, lucid_add(&t, hinge, lucid_log1p(&t, z)));
}

/* -log(1 + e^-x) = min(x, 0) - log1p(e^-|x|) */
lucid_tensor lucid_logsigmoid(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "logsigmoid", x))
        return (lucid_tensor){NULL};
    x = lucid__as_float(&t, x);
    lucid_tensor positive, z = decay(&t, x, &positive);
    lucid_tensor hinge = lucid_where(&t, positive, number(&t, 0, x), x);
    return lucid__leave(&t, lucid_sub(&t, hinge, lucid_log1p(&t, z)));
}

/* x, but from -limit to limit, beyond which f(x) = x g(x) has g = 0 or 1 to the last digit: there neither
 * a square overflows nor does an infinite x meet a slope of 0. */
typedef struct within {
    lucid_tensor x, inside, above;
} within;

static within bound(lucid_scope *s, lucid_tensor x, double narrow, double wide)
{
    within b = {.x = x};
    if (!lucid__ok(s))
        return b;
    double limit = x.v->aval.dtype == LUCID_FLOAT32 && !x.v->weak ? narrow : wide;
    lucid_tensor high = number(s, limit, x), low = number(s, -limit, x);
    b.above = lucid_gt(s, x, high);
    b.inside = lucid_where(s, b.above, high, lucid_where(s, lucid_lt(s, x, low), low, x));
    return b;
}

static lucid_tensor gate(lucid_scope *s, const within *b, lucid_tensor g)
{
    return lucid_where(s, b->above, b->x, lucid_mul(s, b->inside, g));
}

/* x Phi(x). With erfc, and with sigmoid(2u) for (1 + tanh u) / 2, small results of negative x keep
 * their relative accuracy, which 1 + erf and 1 + tanh would lose. */
lucid_tensor lucid_gelu(lucid_scope *s, lucid_tensor x, bool tanh_approximation)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "gelu", x))
        return (lucid_tensor){NULL};
    x = lucid__as_float(&t, x);
    lucid_tensor phi;
    within b;
    if (tanh_approximation) {
        /* u = sqrt(2/pi) (x + 0.044715 x^3) */
        const double slope = 2 * 0.79788456080286535588, cubic = 0.044715;
        b = bound(&t, x, 12, 23);
        lucid_tensor factor =
            lucid_mul(&t, lucid_square(&t, b.inside), number(&t, slope * cubic, x));
        factor = lucid_add(&t, factor, number(&t, slope, x));
        phi = sigmoid(&t, lucid_mul(&t, b.inside, factor));
    } else {
        const double minus_rsqrt_2 = -0.70710678118654752440;
        b = bound(&t, x, 16, 40);
        lucid_tensor tail = lucid_erfc(&t, lucid_mul(&t, b.inside, number(&t, minus_rsqrt_2, x)));
        phi = lucid_mul(&t, tail, number(&t, 0.5, x));
    }
    return lucid__leave(&t, gate(&t, &b, phi));
}

lucid_tensor lucid_silu(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "silu", x))
        return (lucid_tensor){NULL};
    within b = bound(&t, lucid__as_float(&t, x), 120, 760);
    return lucid__leave(&t, gate(&t, &b, sigmoid(&t, b.inside)));
}

/* The bound where it is passed: an integer bound of a wider dtype is compared as it is. */
static lucid_tensor bounded(lucid_scope *s, lucid_tensor passed, lucid_tensor bound, lucid_tensor y)
{
    lucid_tensor in[2] = {bound, y};
    if (!lucid__ok(s) || !y.v)
        return (lucid_tensor){NULL};
    if (y.v->weak)
        (void)lucid__promote(s, "clamp", in, 2);
    else
        (void)lucid__cast_all(s, "clamp", in, 1, y.v->aval.dtype);
    return lucid_where(s, passed, in[0], in[1]);
}

/* Where y is beyond the bound, or the bound is NaN, which the result then is, too. */
static lucid_tensor passes(lucid_scope *s, lucid_tensor beyond, lucid_tensor bound)
{
    double value;
    if (!lucid__ok(s) || !lucid__is_float(bound.v->aval.dtype) ||
        (lucid__number_value(bound, &value) && !isnan(value)))
        return beyond;
    return lucid_logical_or(s, beyond, lucid_isnan(s, bound));
}

/* With comparisons, not maximum and minimum: on a bound the derivative is that of x, all of it. */
lucid_tensor lucid_clamp(lucid_scope *s, lucid_tensor x, lucid_tensor low, lucid_tensor high)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "clamp", x))
        return (lucid_tensor){NULL};
    lucid_tensor xs[3] = {x};
    size_t n = 1;
    int64_t bound;
    if (low.v)
        xs[n++] = low;
    if (high.v)
        xs[n++] = high;
    lucid_dtype dtype = lucid__promoted(xs, n);
    /* A bound that no element can pass is none. */
    if (low.v && lucid__whole_value(low, &bound) && bound < 0 && !lucid__dtype_holds(dtype, bound))
        low.v = NULL;
    if (high.v && lucid__whole_value(high, &bound) && bound > 0 &&
        !lucid__dtype_holds(dtype, bound))
        high.v = NULL;
    lucid_tensor y = x;
    if (lucid__number_dtype(xs, n) == LUCID_NO_DTYPE)
        (void)lucid__cast_all(&t, "clamp", &y, 1, dtype);
    if (low.v)
        y = bounded(&t, passes(&t, lucid_lt(&t, y, low), low), low, y);
    if (high.v)
        y = bounded(&t, passes(&t, lucid_gt(&t, y, high), high), high, y);
    return lucid__leave(&t, y);
}
