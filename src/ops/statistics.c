/* mean, var, std, logsumexp, norm: sums of something, right also where the something is
 * degenerate. */
#include <math.h>

#include "ops/composite.h"

int64_t lucid__reduced_count(lucid_scope *s, const char *name, lucid_tensor x, lucid_dims dims)
{
    int64_t at[LUCID_MAX_NDIM];
    const lucid_shape *shape = &x.v->aval.shape;
    int n = lucid__dims(s, name, dims, shape->ndim, at);
    if (n < 0)
        return -1;
    int64_t count = 1;
    for (int i = 0; i < n && shape->ndim > 0; i++)
        if (__builtin_mul_overflow(count, shape->dim[at[i]], &count))
            count = INT64_MAX; /* another dim is 0, or the tensor could not be */
    return count;
}

/* A correction of a value, in which nothing is differentiated; none where it is not finite. */
static lucid_tensor correction_of(lucid_scope *s, lucid_tensor y)
{
    return lucid_where(s, lucid_isfinite(s, y), y, lucid__number(s, 0, y));
}

/* Sum over n, NaN of nothing. The mean of copies of a number is that number: float32 is added up and divided in
 * float64; in float64, the mean of what is left when a first mean is taken away, of terms that cannot overflow
 * together, corrects it. */
static lucid_tensor mean_of(lucid_scope *s, lucid_tensor x, lucid_dims dims, int64_t count)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (count <= 1 || x.v->weak || x.v->aval.dtype == LUCID_FLOAT32) {
        bool wide = count > 1 && !x.v->weak;
        lucid_tensor sum = lucid_sum(s, wide ? lucid_cast(s, x, LUCID_FLOAT64) : x, dims);
        lucid_tensor mean = lucid_div(s, sum, lucid__number(s, (double)count, sum));
        return wide ? lucid_cast(s, mean, LUCID_FLOAT32) : mean;
    }
    lucid_dims keep = dims;
    keep.keep = true;
    lucid_tensor n = lucid__number(s, (double)count, x);
    lucid_tensor mean = lucid_sum(s, lucid_mul(s, x, lucid__number(s, 1 / (double)count, x)), keep);
    lucid_tensor rest = lucid_sub(s, lucid_detach(s, x), lucid_detach(s, mean));
    rest = lucid_div(s, lucid_sum(s, rest, keep), n);
    mean = lucid_add(s, mean, correction_of(s, rest));
    return dims.keep ? mean : lucid_squeeze(s, mean, dims);
}

/* Of integers: added up and divided in float64, whose sums lose nothing up to 2^53. */
static lucid_tensor mean_of_integers(lucid_scope *s, lucid_tensor x, lucid_dims dims, int64_t count)
{
    lucid_tensor sum = lucid_sum(s, lucid_cast(s, x, LUCID_FLOAT64), dims);
    lucid_tensor mean = lucid_div(s, sum, lucid__number(s, (double)count, sum));
    return lucid_cast(s, mean, lucid_get_default_dtype(s));
}

lucid_tensor lucid_mean(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "mean", x))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL};
    int64_t count = lucid__reduced_count(&t, "mean", x, dims);
    bool integers = !x.v->weak && !lucid__is_float(x.v->aval.dtype);
    if (count >= 0)
        y = integers ? mean_of_integers(&t, x, dims, count)
                     : mean_of(&t, lucid__as_float(&t, x), dims, count);
    return lucid__leave(&t, y);
}

/* Two passes: the mean, then the squares of what differs from it. The mean is rounded, so these squares are too
 * large by n times that of its error, which the sum of the differences tells (Chan, Golub & LeVeque 1983). That
 * sum is 0 for any x but for rounding, and so are its derivatives. */
static lucid_tensor variance(lucid_scope *s, const char *name, lucid_tensor x, lucid_dims dims,
                             double correction)
{
    int64_t count = lucid__reduced_count(s, name, x, dims);
    x = lucid__as_float(s, x);
    if (count < 0 || !lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid_dims keep = dims;
    keep.keep = true;
    lucid_tensor d = lucid_sub(s, x, mean_of(s, x, keep, count));
    lucid_tensor squares = lucid_sum(s, lucid_square(s, d), dims);
    if (count > 1) {
        lucid_tensor rest = lucid_square(s, lucid_sum(s, lucid_detach(s, d), dims));
        rest = lucid_div(s, rest, lucid__number(s, (double)count, squares));
        squares = lucid_sub(s, squares, correction_of(s, rest));
    }
    double divisor = (double)count - correction;
    return lucid_div(s, squares, lucid__number(s, divisor > 0 ? divisor : 0, squares));
}

lucid_tensor lucid_var(lucid_scope *s, lucid_tensor x, lucid_dims dims, double correction)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "var", x))
        return (lucid_tensor){NULL};
    return lucid__leave(&t, variance(&t, "var", x, dims, correction));
}

/* sqrt whose derivative at 0 is 0 (prim/root_prims.c). */
static lucid_tensor flat_sqrt(lucid_scope *s, lucid_tensor x)
{
    return x.v ? lucid__bind1(s, LUCID__root, &x, 1, NULL, 0) : x;
}

/* The power of two at the largest |x| over dims, kept: squares of x divided by it neither overflow nor vanish, and
 * what is exact stays so. A constant to every transform. */
static lucid_tensor scale_of(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    dims.keep = true;
    lucid_tensor max = lucid_amax(s, lucid_abs(s, lucid_detach(s, x)), dims);
    return max.v ? lucid__bind1(s, LUCID__binade, &max, 1, NULL, 0) : max;
}

/* Whether there is something over dims that could overflow; not of nothing. */
static bool has_scale(lucid_tensor x)
{
    return lucid__numel(&x.v->aval.shape) > 0;
}

static lucid_tensor scaled_by(lucid_scope *s, lucid_tensor x, lucid_tensor scale)
{
    return lucid_mul(s, x, lucid_reciprocal(s, scale));
}

static lucid_tensor scaled_back(lucid_scope *s, lucid_tensor y, lucid_tensor scale, lucid_dims dims)
{
    return lucid_mul(s, y, dims.keep ? scale : lucid_squeeze(s, scale, dims));
}

lucid_tensor lucid_std(lucid_scope *s, lucid_tensor x, lucid_dims dims, double correction)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "std", x))
        return (lucid_tensor){NULL};
    if (lucid__reduced_count(&t, "std", x, dims) < 0)
        return lucid__leave(&t, (lucid_tensor){NULL});
    x = lucid__as_float(&t, x);
    if (!lucid__ok(&t) || !has_scale(x))
        return lucid__leave(&t, flat_sqrt(&t, variance(&t, "std", x, dims, correction)));
    lucid_tensor scale = scale_of(&t, x, dims);
    x = scaled_by(&t, x, scale);
    lucid_tensor y = flat_sqrt(&t, variance(&t, "std", x, dims, correction));
    return lucid__leave(&t, scaled_back(&t, y, scale, dims));
}

lucid_tensor lucid__finite_max(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    lucid_tensor zero = lucid__number(s, 0, x);
    if (lucid__numel(&x.v->aval.shape) == 0)
        return zero; /* a maximum of nothing is an error, a sum of nothing is not */
    dims.keep = true;
    lucid_tensor max = lucid_amax(s, lucid_detach(s, x), dims);
    return lucid_where(s, lucid_isfinite(s, max), max, zero);
}

lucid_tensor lucid_logsumexp(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "logsumexp", x))
        return (lucid_tensor){NULL};
    if (lucid__reduced_count(&t, "logsumexp", x, dims) < 0)
        return lucid__leave(&t, (lucid_tensor){NULL});
    lucid_dims keep = dims;
    keep.keep = true;
    x = lucid__as_float(&t, x);
    lucid_tensor max = lucid__finite_max(&t, x, dims);
    lucid_tensor sum = lucid_sum(&t, lucid_exp(&t, lucid_sub(&t, x, max)), keep);
    if (!lucid__ok(&t))
        return lucid__leave(&t, (lucid_tensor){NULL});
    /* A sum of 0 (all -inf, or nothing) has the logarithm -inf and, here, no slope. */
    lucid_tensor none = lucid_eq(&t, sum, lucid__number(&t, 0, sum));
    lucid_tensor log = lucid_log(&t, lucid_where(&t, none, lucid__number(&t, 1, sum), sum));
    lucid_tensor y = lucid_where(&t, none, lucid__number(&t, -INFINITY, sum), log);
    y = lucid_add(&t, y, max);
    return lucid__leave(&t, dims.keep ? y : lucid_squeeze(&t, y, dims));
}

/* (sum |x|^p)^(1/p). Where x is 0 its power is put in as a constant, and likewise where the sum is
 * 0: both slopes are infinite for some p, and the subgradient chosen is 0. */
static lucid_tensor power_norm(lucid_scope *s, lucid_tensor x, double p, lucid_dims dims)
{
    lucid_tensor zero = lucid__number(s, 0, x), one = lucid__number(s, 1, x);
    lucid_tensor at_zero = lucid_eq(s, x, zero);
    lucid_tensor size = lucid_where(s, at_zero, one, lucid_abs(s, x));
    lucid_tensor power = lucid_pow(s, size, lucid__number(s, p, x));
    lucid_tensor of_zero = p > 0 ? zero : lucid__number(s, INFINITY, x);
    lucid_tensor sum = lucid_sum(s, lucid_where(s, at_zero, of_zero, power), dims);
    at_zero = lucid_eq(s, sum, zero);
    lucid_tensor root = lucid_pow(s, lucid_where(s, at_zero, one, sum), lucid__number(s, 1 / p, x));
    return lucid_where(s, at_zero, of_zero, root);
}

lucid_tensor lucid_norm(lucid_scope *s, lucid_tensor x, double order, lucid_dims dims)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "norm", x))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL};
    x = lucid__as_float(&t, x);
    if (!lucid__ok(&t))
        return lucid__leave(&t, y);
    if (isnan(order))
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "norm: order must be a number, not NaN");
    else if (isinf(order) && order > 0)
        y = lucid_amax(&t, lucid_abs(&t, x), dims);
    else if (isinf(order))
        y = lucid_amin(&t, lucid_abs(&t, x), dims);
    else if (order == 0)
        y = lucid_sum(&t, lucid_cast(&t, lucid_ne(&t, x, lucid__number(&t, 0, x)), x.v->aval.dtype),
                      dims);
    else if (order == 1)
        y = lucid_sum(&t, lucid_abs(&t, x), dims);
    else if (lucid__reduced_count(&t, "norm", x, dims) >= 0) {
        lucid_tensor scale = has_scale(x) ? scale_of(&t, x, dims) : (lucid_tensor){NULL};
        x = scale.v ? scaled_by(&t, x, scale) : x;
        y = order == 2 ? flat_sqrt(&t, lucid_sum(&t, lucid_square(&t, x), dims))
                       : power_norm(&t, x, order, dims);
        y = scale.v ? scaled_back(&t, y, scale, dims) : y;
    }
    return lucid__leave(&t, y);
}
