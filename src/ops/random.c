/* Random numbers: words of random_bits and arithmetic. A random operation takes the next draw of
 * the scope's generator once, when it is built, so the numbers do not depend on when they are
 * computed, nor on what transforms do with them. */
#include "ops/random.h"

#include <float.h>

#include "ops/numbers.h"

#include "transform/lane.h"

lucid_tensor lucid__draw_words(lucid_scope *s, const char *name, int64_t count, int64_t n)
{
    lucid_tensor lane = lucid__lane(s, name);
    int64_t total;
    if (!lane.v)
        return lane;
    if (__builtin_mul_overflow(count, n, &total))
        return lucid__error(s, LUCID_VALUE_ERROR, "%s: too many elements for one draw", name);
    lucid_tensor seed = {NULL}, draw = lucid__next_draw(s, &seed);
    lucid_tensor in[3] = {seed, draw, lane};
    int64_t sizes[2] = {count, n};
    return lucid__bind1(s, LUCID__random_bits, in, 3, sizes, 2);
}

/* Shaped before anything is computed of them: words are made where they are needed, in any order. */
lucid_tensor lucid__word(lucid_scope *s, lucid_tensor words, int64_t i, const lucid_shape *shape)
{
    return lucid_reshape(s, lucid_select(s, words, 0, i), *shape);
}

bool lucid__check_float(lucid_scope *s, const char *name, lucid_dtype dtype)
{
    if (lucid__is_float(dtype))
        return true;
    (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: dtype must be float32 or float64, not %s", name,
                     lucid__dtype_valid(dtype) ? lucid_dtype_name(dtype) : "an unknown one");
    return false;
}

bool lucid__parameters(lucid_scope *s, const char *name, lucid_tensor x[2])
{
    lucid_dtype dtype = lucid__promoted(x, 2);
    if (!lucid__is_float(dtype))
        dtype = lucid_get_default_dtype(s);
    return lucid__cast_all(s, name, x, 2, dtype) && lucid__broadcast_all(s, name, x, 2);
}

/* ---- parameters ----------------------------------------------------------------------------- */

bool lucid__known_between(lucid_tensor x, double low, double high)
{
    double value;
    return lucid__known_value(x, &value) && value >= low && value <= high;
}

lucid_tensor lucid__finite_from(lucid_scope *s, lucid__position_use use, lucid_tensor x, double low)
{
    double largest = x.v && x.v->aval.dtype == LUCID_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
    if (!lucid__ok(s) || lucid__known_between(x, low, largest))
        return x;
    lucid_tensor possible = lucid_ge(s, x, lucid__number(s, low, x));
    possible = lucid_logical_and(s, possible, lucid_le(s, x, lucid__number(s, largest, x)));
    return lucid__require(s, use, x, possible);
}

/* ---- uniform -------------------------------------------------------------------------------- */

/* The top `bits` bits of a word as a number of the dtype. */
static lucid_tensor top_bits(lucid_scope *s, lucid_tensor w, int bits, lucid_dtype dtype)
{
    w = lucid_bitwise_right_shift(s, w, lucid_scalar_int(s, 32 - bits));
    w = lucid_bitwise_and(s, w, lucid_scalar_int(s, (INT64_C(1) << bits) - 1));
    return lucid_cast(s, w, dtype);
}

lucid_tensor lucid__random_53(lucid_scope *s, lucid_tensor high, lucid_tensor low)
{
    lucid_tensor a = top_bits(s, high, 27, LUCID_FLOAT64), b = top_bits(s, low, 26, LUCID_FLOAT64);
    return lucid_add(s, lucid_mul(s, a, lucid__number(s, 0x1p26, a)), b);
}

static int64_t words_per_uniform(lucid_dtype dtype)
{
    return dtype == LUCID_FLOAT64 ? 2 : 1;
}

lucid_tensor lucid__uniform(lucid_scope *s, const char *name, const lucid_shape *shape,
                            lucid_dtype dtype)
{
    lucid_tensor words = lucid__draw_words(s, name, words_per_uniform(dtype), lucid__numel(shape));
    lucid_tensor high = lucid__word(s, words, 0, shape);
    if (dtype == LUCID_FLOAT64) {
        lucid_tensor x = lucid__random_53(s, high, lucid__word(s, words, 1, shape));
        return lucid_mul(s, x, lucid__number(s, 0x1p-53, x));
    }
    lucid_tensor x = top_bits(s, high, 24, dtype);
    return lucid_mul(s, x, lucid__number(s, 0x1p-24, x));
}

lucid_tensor lucid_rand_of(lucid_scope *s, lucid_shape shape, lucid_dtype dtype)
{
    if (!lucid__ok(s) || !lucid__check_float(s, "rand", dtype) ||
        !lucid__check_shape(s, "rand", &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    return lucid__leave(&t, lucid__uniform(&t, "rand", &shape, dtype));
}

lucid_tensor lucid_rand(lucid_scope *s, lucid_shape shape)
{
    return lucid_rand_of(s, shape, lucid_get_default_dtype(s));
}

lucid_tensor lucid_bernoulli(lucid_scope *s, lucid_tensor p)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "bernoulli", p))
        return (lucid_tensor){NULL};
    lucid_dtype dtype = lucid_dtype_of(p);
    if (!lucid__check_float(&t, "bernoulli", dtype))
        return lucid__leave(&t, p);
    if (!lucid__known_between(p, 0, 1)) {
        p = lucid__strong(&t, p);
        lucid_tensor zero = lucid__number(&t, 0, p), one = lucid__number(&t, 1, p);
        lucid_tensor possible = lucid_logical_and(&t, lucid_ge(&t, p, zero), lucid_le(&t, p, one));
        p = lucid__require(&t, LUCID__FOR_bernoulli, p, possible);
    }
    if (!p.v)
        return lucid__leave(&t, p);
    /* Always below 1 and never below 0: p = 1 and p = 0 are certain. */
    lucid_tensor u = lucid__uniform(&t, "bernoulli", &p.v->aval.shape, dtype);
    return lucid__leave(&t, lucid_cast(&t, lucid_lt(&t, u, p), dtype));
}

lucid_tensor lucid_dropout(lucid_scope *s, lucid_tensor x, double p, bool training)
{
    if (!lucid__check(s, "dropout", x) || !lucid__check_float(s, "dropout", lucid_dtype_of(x)))
        return (lucid_tensor){NULL};
    if (!(p >= 0 && p <= 1))
        return lucid__error(s, LUCID_VALUE_ERROR, "dropout: p must be from 0 to 1, not %g", p);
    if (!training || p == 0)
        return lucid_own(s, lucid__unchanged(s, x));
    if (p == 1)
        return lucid_zeros_like(s, x);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor u = lucid__uniform(&t, "dropout", &x.v->aval.shape, lucid_dtype_of(x));
    lucid_tensor keep = lucid_ge(&t, u, lucid__number(&t, p, x));
    lucid_tensor scaled = lucid_mul(&t, x, lucid__number(&t, 1 / (1 - p), x));
    return lucid__leave(&t, lucid_where(&t, keep, scaled, lucid__number(&t, 0, x)));
}

/* ---- normal --------------------------------------------------------------------------------- */

/* Each element by the quantile of its own words, so that it can be computed wherever it is needed. The
 * words are a signed number k of 32 bits (float64: 53, from two words); u = |k + 1/2| 2^-32 (2^-53) is
 * uniform in (0, 1/2], near 0 as finely as floats are, and the sign of k + 1/2 says which tail it is the
 * probability of. Nothing is infinite: the largest value is 6.3 (float32), 8.2 (float64). */
static lucid_tensor standard_normal(lucid_scope *s, const char *name, const lucid_shape *shape,
                                    lucid_dtype dtype)
{
    bool wide = dtype == LUCID_FLOAT64;
    lucid_tensor words = lucid__draw_words(s, name, words_per_uniform(dtype), lucid__numel(shape));
    lucid_tensor k = lucid_cast(s, lucid__word(s, words, 0, shape), dtype);
    if (wide) {
        k = lucid_mul(s, k, lucid__number(s, 0x1p21, k));
        k = lucid_add(s, k, top_bits(s, lucid__word(s, words, 1, shape), 21, dtype));
    }
    k = lucid_add(s, k, lucid__number(s, 0.5, k));
    lucid_tensor u = lucid_mul(s, lucid_abs(s, k), lucid__number(s, wide ? 0x1p-53 : 0x1p-32, k));
    return lucid_mul(s, lucid_sign(s, k), lucid_ndtri(s, u));
}

lucid_tensor lucid_randn_of(lucid_scope *s, lucid_shape shape, lucid_dtype dtype)
{
    if (!lucid__ok(s) || !lucid__check_float(s, "randn", dtype) ||
        !lucid__check_shape(s, "randn", &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    return lucid__leave(&t, standard_normal(&t, "randn", &shape, dtype));
}

lucid_tensor lucid_randn(lucid_scope *s, lucid_shape shape)
{
    return lucid_randn_of(s, shape, lucid_get_default_dtype(s));
}

lucid_tensor lucid_normal(lucid_scope *s, lucid_tensor mean, lucid_tensor std)
{
    lucid_tensor in[2] = {mean, std};
    lucid_scope t;
    if (!lucid__check(s, "normal", std) || !lucid__enter(&t, s, "normal", mean))
        return (lucid_tensor){NULL};
    if (!lucid__parameters(&t, "normal", in))
        return lucid__leave(&t, (lucid_tensor){NULL});
    const lucid__aval *aval = &in[0].v->aval;
    lucid_tensor x = standard_normal(&t, "normal", &aval->shape, aval->dtype);
    x = lucid_mul(&t, x, lucid__finite_from(&t, LUCID__FOR_normal, in[1], 0));
    return lucid__leave(&t, lucid_add(&t, x, in[0]));
}

/* ---- integers ------------------------------------------------------------------------------- */

/* A word as an int64 from 0 to 2^32 - 1. */
static lucid_tensor unsigned_word(lucid_scope *s, lucid_tensor w)
{
    return lucid_bitwise_and(s, lucid_cast(s, w, LUCID_INT64), lucid_scalar_int(s, UINT32_MAX));
}

lucid_tensor lucid__random_64(lucid_scope *s, lucid_tensor high, lucid_tensor low)
{
    high = lucid_cast(s, high, LUCID_INT64);
    high = lucid_bitwise_left_shift(s, high, lucid_scalar_int(s, 32));
    return lucid_bitwise_or(s, high, unsigned_word(s, low));
}

/* The upper half of the 64 bits of x, without its sign. */
static lucid_tensor high_half(lucid_scope *s, lucid_tensor x)
{
    x = lucid_bitwise_right_shift(s, x, lucid_scalar_int(s, 32));
    return lucid_bitwise_and(s, x, lucid_scalar_int(s, UINT32_MAX));
}

/* floor(R range / 2^(32 k)) for a random R of k words: the words of R one after the other, lowest
 * first, y = floor((w range + y) / 2^32). With range = h 2^32 + l that is
 *     w h + floor(y / 2^32) + floor((w l + y mod 2^32) / 2^32),
 * and nothing exceeds 64 bits. k = 2 for ranges below 2^32, else 3: the probability of a number is
 * right to a relative 2^-32. */
static lucid_tensor below(lucid_scope *s, const char *name, uint64_t range,
                          const lucid_shape *shape)
{
    int64_t high = (int64_t)(range >> 32), low = (int64_t)(range & UINT32_MAX);
    int64_t k = high == 0 ? 2 : 3;
    lucid_tensor words = lucid__draw_words(s, name, k, lucid__numel(shape)), y = {NULL};
    lucid_tensor mask = lucid_scalar_int(s, UINT32_MAX);
    for (int64_t i = 0; i < k && lucid__ok(s); i++) {
        lucid_tensor w = unsigned_word(s, lucid__word(s, words, i, shape));
        lucid_tensor t = lucid_mul(s, w, lucid_scalar_int(s, low));
        if (y.v)
            t = lucid_add(s, t, high == 0 ? y : lucid_bitwise_and(s, y, mask));
        t = high_half(s, t);
        if (high != 0) {
            t = lucid_add(s, t, lucid_mul(s, w, lucid_scalar_int(s, high)));
            if (y.v)
                t = lucid_add(s, t, high_half(s, y));
        }
        y = t;
    }
    return y;
}

lucid_tensor lucid_randint(lucid_scope *s, int64_t low, int64_t high, lucid_shape shape)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (low >= high)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "randint: low must be below high, not %lld and %lld", (long long)low,
                            (long long)high);
    if (!lucid__check_shape(s, "randint", &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    uint64_t range = (uint64_t)high - (uint64_t)low;
    lucid_tensor x = below(&t, "randint", range, &shape);
    x = lucid_add(&t, x, lucid_scalar_int(&t, low));
    return lucid__leave(&t, x);
}

/* The order that sorts random numbers of 64 bits. */
lucid_tensor lucid_randperm(lucid_scope *s, int64_t n)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (n < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "randperm: n must be >= 0, not %lld",
                            (long long)n);
    const lucid_shape shape = {1, {n}};
    if (!lucid__check_shape(s, "randperm", &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor words = lucid__draw_words(&t, "randperm", 2, n);
    lucid_tensor key =
        lucid__random_64(&t, lucid__word(&t, words, 0, &shape), lucid__word(&t, words, 1, &shape));
    return lucid__leave(&t, lucid_argsort(&t, key, 0, false));
}
