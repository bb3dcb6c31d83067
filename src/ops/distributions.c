/* Random numbers with parameters: what each element's distribution is may differ, and may be batched. */
#include <float.h>
#include <math.h>

#include "ops/numbers.h"
#include "ops/random.h"

static lucid_tensor not_above(lucid_scope *s, lucid_tensor low, lucid_tensor high)
{
    double l, h;
    if (!lucid__ok(s) || (lucid__known_value(low, &l) && lucid__known_value(high, &h) && l <= h))
        return low;
    return lucid__require(s, LUCID__FOR_uniform, low, lucid_le(s, low, high));
}

/* low + (high - low) u; where that rounds up to high it is low, so high itself never comes out. */
lucid_tensor lucid_uniform(lucid_scope *s, lucid_tensor low, lucid_tensor high)
{
    lucid_tensor in[2] = {low, high};
    lucid_scope t;
    if (!lucid__check(s, "uniform", high) || !lucid__enter(&t, s, "uniform", low))
        return (lucid_tensor){NULL};
    if (!lucid__parameters(&t, "uniform", in))
        return lucid__leave(&t, (lucid_tensor){NULL});
    const lucid__aval *aval = &in[0].v->aval;
    double least = aval->dtype == LUCID_FLOAT32 ? -(double)FLT_MAX : -DBL_MAX;
    in[1] = lucid__finite_from(&t, LUCID__FOR_uniform, in[1], least);
    in[0] = lucid__finite_from(&t, LUCID__FOR_uniform, in[0], least);
    in[0] = not_above(&t, in[0], in[1]);
    if (!lucid__ok(&t))
        return lucid__leave(&t, (lucid_tensor){NULL});
    lucid_tensor u = lucid__uniform(&t, "uniform", &aval->shape, aval->dtype);
    lucid_tensor x = lucid_add(&t, in[0], lucid_mul(&t, u, lucid_sub(&t, in[1], in[0])));
    return lucid__leave(&t, lucid_where(&t, lucid_lt(&t, x, in[1]), x, in[0]));
}

/* -log of a uniform number, whose bits are those of v in (0, 1/2) and one that says whether it is v
 * or 1 - v: so both tails have all the digits of their dtype, and 0 does not occur. */
static lucid_tensor standard_exponential(lucid_scope *s, const char *name, const lucid_shape *shape,
                                         lucid_dtype dtype)
{
    bool wide = dtype == LUCID_FLOAT64;
    lucid_tensor words = lucid__draw_words(s, name, wide ? 2 : 1, lucid__numel(shape)), v, near_1;
    lucid_tensor w = lucid__word(s, words, 0, shape);
    if (wide) { /* the lowest bit of the second word is not among the 53 */
        lucid_tensor low = lucid__word(s, words, 1, shape);
        v = lucid__random_53(s, w, low);
        near_1 = lucid_bitwise_and(s, low, lucid_scalar_int(s, 1));
    } else {
        v = lucid_cast(s, lucid_bitwise_and(s, w, lucid_scalar_int(s, INT32_MAX)), dtype);
        near_1 = lucid_bitwise_right_shift(s, w, lucid_scalar_int(s, 31));
    }
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    v = lucid_mul(s, lucid_add(s, v, lucid__number(s, 0.5, v)),
                  lucid__number(s, wide ? 0x1p-54 : 0x1p-32, v));
    lucid_tensor small = lucid_log1p(s, lucid_neg(s, v)), large = lucid_log(s, v);
    near_1 = lucid_ne(s, near_1, lucid_scalar_int(s, 0));
    return lucid_neg(s, lucid_where(s, near_1, small, large));
}

lucid_tensor lucid_exponential(lucid_scope *s, lucid_tensor rate)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "exponential", rate))
        return (lucid_tensor){NULL};
    rate = lucid__strong(&t, lucid__as_float(&t, rate));
    if (!rate.v)
        return lucid__leave(&t, rate);
    const lucid__aval *aval = &rate.v->aval;
    lucid_tensor x = standard_exponential(&t, "exponential", &aval->shape, aval->dtype);
    double least = aval->dtype == LUCID_FLOAT32 ? (double)FLT_TRUE_MIN : DBL_TRUE_MIN;
    rate = lucid__finite_from(&t, LUCID__FOR_exponential, rate, least);
    return lucid__leave(&t, lucid_div(&t, x, rate));
}

lucid_tensor lucid_poisson(lucid_scope *s, lucid_tensor rate)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "poisson", rate))
        return (lucid_tensor){NULL};
    lucid_dtype dtype = lucid_dtype_of(rate);
    if (!lucid__check_float(&t, "poisson", dtype))
        return lucid__leave(&t, rate);
    lucid_shape shape = lucid_shape_of(rate);
    lucid_tensor words = lucid__draw_words(&t, "poisson", 2, lucid__numel(&shape));
    lucid_tensor bits =
        lucid__random_64(&t, lucid__word(&t, words, 0, &shape), lucid__word(&t, words, 1, &shape));
    lucid_tensor in[2] = {bits, lucid_cast(&t, rate, dtype)};
    return lucid__leave(&t, lucid__bind1(&t, LUCID__poisson, in, 2, NULL, 0));
}

/* ---- multinomial ------------------------------------------------------------------------------ */

/* Exponential numbers with the rates p race: the order in which they arrive is a draw without
 * replacement (Efraimidis & Spirakis 2006). What has no probability does not arrive. */
static lucid_tensor draw_different(lucid_scope *s, lucid_tensor p, int64_t count)
{
    const lucid__aval *aval = &p.v->aval;
    lucid_tensor x = standard_exponential(s, "multinomial", &aval->shape, aval->dtype),
                 index = {NULL};
    lucid_tensor never = lucid_full_like(s, p, lucid_scalar(s, INFINITY));
    lucid_tensor possible = lucid_gt(s, p, lucid__number(s, 0, p));
    x = lucid_where(s, possible, lucid_div(s, x, p), never);
    (void)lucid_topk(s, x, count, -1, false, &index);
    return index;
}

/* How many of the sorted numbers `sums` (..., n) are below each x (..., m), by halving. */
static lucid_tensor count_below(lucid_scope *s, lucid_tensor sums, lucid_tensor x, int64_t n)
{
    int64_t step = 1;
    while (step <= n / 2)
        step *= 2;
    lucid_tensor at = lucid_full(s, lucid_shape_of(x), lucid_scalar_int(s, 0));
    for (; step > 0 && lucid__ok(s); step /= 2) {
        lucid_tensor next = lucid_add(s, at, lucid_scalar_int(s, step));
        lucid_tensor last = lucid_minimum(s, next, lucid_scalar_int(s, n));
        lucid_tensor index = lucid_sub(s, last, lucid_scalar_int(s, 1));
        lucid_tensor below = lucid_lt(s, lucid_take_along_dim(s, sums, index, -1), x);
        below = lucid_logical_and(s, below, lucid_le(s, next, lucid_scalar_int(s, n)));
        at = lucid_where(s, below, next, at);
    }
    return at;
}

/* Where the running sum of p reaches a uniform share, never 0, of the whole. */
static lucid_tensor draw_repeated(lucid_scope *s, lucid_tensor p, int64_t count)
{
    int64_t n = lucid_size(p, -1);
    p = lucid_cast(s, p, LUCID_FLOAT64);
    if (!p.v)
        return p;
    lucid_shape shape = lucid_shape_of(p);
    shape.dim[shape.ndim - 1] = count;
    p = lucid_where(s, lucid_gt(s, p, lucid__number(s, 0, p)), p, lucid__number(s, 0, p));
    lucid_tensor sums = lucid_cumsum(s, p, -1);
    lucid_tensor u = lucid__uniform(s, "multinomial", &shape, LUCID_FLOAT64);
    u = lucid_sub(s, lucid_scalar(s, 1), u);
    lucid_tensor share = lucid_mul(s, u, lucid_slice(s, sums, -1, n - 1, n, 1));
    return count_below(s, sums, share, n);
}

/* Checked row by row: finite, none below 0, and one above 0. */
static lucid_tensor possible_rows(lucid_scope *s, lucid_tensor p)
{
    lucid_dims last = LUCID_DIMS_KEEP(-1);
    double largest = p.v->aval.dtype == LUCID_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
    lucid_tensor zero = lucid__number(s, 0, p), most = lucid__number(s, largest, p);
    lucid_tensor fine = lucid_logical_and(s, lucid_ge(s, p, zero), lucid_le(s, p, most));
    lucid_tensor some = lucid_any(s, lucid_gt(s, p, zero), last);
    fine = lucid_logical_and(s, lucid_all(s, fine, last), some);
    return lucid__require(s, LUCID__FOR_multinomial, p, fine);
}

lucid_tensor lucid_multinomial(lucid_scope *s, lucid_tensor p, int64_t count, bool replacement)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "multinomial", p))
        return (lucid_tensor){NULL};
    if (!lucid__check_float(&t, "multinomial", lucid_dtype_of(p)))
        return lucid__leave(&t, p);
    int64_t n = lucid_ndim(p) > 0 ? lucid_size(p, -1) : 0;
    if (n == 0)
        return lucid__leave(&t, lucid__error(&t, LUCID_VALUE_ERROR,
                                             "multinomial: the probabilities must have a last dim "
                                             "of at least one element"));
    if (count < 1 || (!replacement && count > n))
        return lucid__leave(
            &t,
            lucid__error(&t, LUCID_VALUE_ERROR,
                         "multinomial: the number of samples must be from 1 to %lld%s, not %lld",
                         (long long)n, replacement ? " or more" : " (without replacement)",
                         (long long)count));
    p = lucid_cast(&t, p, lucid_dtype_of(p)); /* a bare number takes its dtype */
    if (p.v)
        p = possible_rows(&t, p);
    if (!p.v)
        return lucid__leave(&t, p);
    return lucid__leave(&t,
                        replacement ? draw_repeated(&t, p, count) : draw_different(&t, p, count));
}
