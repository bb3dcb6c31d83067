/* Random numbers in all shapes. */
#include "call_scope.h"
#include "common_ops.h"
#include "dtype_type.h"
#include "generator_type.h"

typedef lucid_tensor draw_of(lucid_scope *s, lucid_shape shape, lucid_dtype dtype);

/* Draws with the generator of argument `generator`; integer dtypes are cast to. */
static lucid_tensor draw(lucidpy_call *c, draw_of *build, lucid_shape shape, lucid_dtype dtype,
                         int generator)
{
    lucidpy_draw from = lucidpy_draw_begin(c, generator);
    lucid_dtype drawn = dtype == LUCID_FLOAT64 ? LUCID_FLOAT64 : LUCID_FLOAT32;
    lucid_tensor x = build(c->s, shape, drawn);
    lucidpy_draw_end(c, from);
    return dtype == drawn ? x : lucid_cast(c->s, x, dtype);
}

static lucid_tensor recorded(lucidpy_call *c, int i, lucid_tensor x)
{
    c->leaf = lucidpy_flag(c, i);
    return c->leaf ? lucid_requires_grad(c->s, x) : x;
}

/* (*size, generator, dtype, requires_grad). */
static lucid_tensor of_size(lucidpy_call *c, draw_of *build)
{
    lucid_shape shape = lucidpy_shape(c, 0);
    lucid_dtype dtype = lucidpy_dtype(c, 2);
    if (dtype == LUCID_NO_DTYPE)
        dtype = LUCID_FLOAT32;
    return recorded(c, 3, draw(c, build, shape, dtype, 1));
}

/* (input, generator, dtype, requires_grad). */
static lucid_tensor of_input(lucidpy_call *c, draw_of *build)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_dtype dtype = lucidpy_dtype(c, 2);
    if (dtype == LUCID_NO_DTYPE)
        dtype = lucid_dtype_of(x);
    return recorded(c, 3, draw(c, build, lucid_shape_of(x), dtype, 1));
}

lucid_tensor lucidpy_op_rand(lucidpy_call *c)
{
    return of_size(c, lucid_rand_of);
}

lucid_tensor lucidpy_op_randn(lucidpy_call *c)
{
    return of_size(c, lucid_randn_of);
}

lucid_tensor lucidpy_op_rand_like(lucidpy_call *c)
{
    return of_input(c, lucid_rand_of);
}

lucid_tensor lucidpy_op_randn_like(lucidpy_call *c)
{
    return of_input(c, lucid_randn_of);
}

static lucid_tensor integers(lucidpy_call *c, int64_t low, int64_t high, lucid_shape shape,
                             int generator)
{
    lucidpy_draw from = lucidpy_draw_begin(c, generator);
    lucid_tensor x = lucid_randint(c->s, low, high, shape);
    lucidpy_draw_end(c, from);
    return x;
}

/* (low, high, size, generator, dtype); with two arguments they are (high, size). */
lucid_tensor lucidpy_op_randint(lucidpy_call *c)
{
    if (lucidpy_is_none(c, 2) || lucidpy_is_none(c, 1)) {
        int size = lucidpy_is_none(c, 2) ? 1 : 2;
        if (lucidpy_is_none(c, size)) {
            lucidpy_bad_argument(c, 2, "a size");
            return (lucid_tensor){NULL};
        }
        int64_t high = lucidpy_int(c, 0);
        lucid_shape shape = lucidpy_shape(c, size);
        return lucidpy_cast_argument(c, 4, integers(c, 0, high, shape, 3));
    }
    int64_t low = lucidpy_int(c, 0), high = lucidpy_int(c, 1);
    lucid_shape shape = lucidpy_shape(c, 2);
    return lucidpy_cast_argument(c, 4, integers(c, low, high, shape, 3));
}

/* (input, low, high, generator); with one number it is high. */
lucid_tensor lucidpy_op_randint_like(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int64_t first = lucidpy_int(c, 1);
    bool one = lucidpy_is_none(c, 2);
    int64_t high = one ? first : lucidpy_int(c, 2);
    return lucid_cast(c->s, integers(c, one ? 0 : first, high, lucid_shape_of(x), 3),
                      lucid_dtype_of(x));
}

lucid_tensor lucidpy_op_randperm(lucidpy_call *c)
{
    int64_t n = lucidpy_int(c, 0);
    lucidpy_draw from = lucidpy_draw_begin(c, 1);
    lucid_tensor x = lucid_randperm(c->s, n);
    lucidpy_draw_end(c, from);
    return lucidpy_cast_argument(c, 2, x);
}

lucid_tensor lucidpy_op_bernoulli(lucidpy_call *c)
{
    lucid_tensor p = lucidpy_tensor(c, 0);
    lucidpy_draw from = lucidpy_draw_begin(c, 1);
    lucid_tensor x = lucid_bernoulli(c->s, p);
    lucidpy_draw_end(c, from);
    return x;
}

lucid_tensor lucidpy_op_normal(lucidpy_call *c)
{
    lucid_tensor mean = lucidpy_tensor(c, 0), std = lucidpy_tensor(c, 1);
    if (!lucidpy_is_none(c, 2)) {
        lucid_shape shape = lucidpy_shape(c, 2);
        mean = lucid_full(c->s, shape, lucid_cast(c->s, mean, LUCID_FLOAT32));
    }
    lucidpy_draw from = lucidpy_draw_begin(c, 3);
    lucid_tensor x = lucid_normal(c->s, mean, std);
    lucidpy_draw_end(c, from);
    return x;
}

/* A uniform number for each element, in the dtype of x; 0 does not occur. */
static lucid_tensor positive_uniform(lucidpy_call *c, lucid_tensor x, lucid_shape shape,
                                     int generator)
{
    lucid_dtype dtype = lucid_dtype_of(x);
    lucid_tensor u = draw(c, lucid_rand_of, shape, dtype, generator);
    return lucid_sub(c->s, lucid_scalar_int(c->s, 1), u);
}

/* The k largest of log p plus independent Gumbel noise are a draw without replacement (Vieira 2014,
 * "Gumbel-max trick and weighted reservoir sampling"). */
static lucid_tensor draw_different(lucidpy_call *c, lucid_tensor p, int64_t count)
{
    lucid_scope *s = c->s;
    lucid_tensor u = positive_uniform(c, p, lucid_shape_of(p), 3);
    lucid_tensor noise = lucid_neg(s, lucid_log(s, lucid_neg(s, lucid_log(s, u))));
    lucid_tensor index = {NULL};
    (void)lucid_topk(s, lucid_add(s, lucid_log(s, p), noise), count, -1, true, &index);
    return index;
}

/* The position where the running sum of p passes a uniform number. */
static lucid_tensor draw_repeated(lucidpy_call *c, lucid_tensor p, int64_t count)
{
    lucid_scope *s = c->s;
    lucid_shape shape = lucid_shape_of(p);
    shape.dim[shape.ndim - 1] = count;
    lucid_tensor sums = lucid_cumsum(s, p, -1);
    lucid_tensor total = lucid_select(s, sums, -1, -1);
    lucid_tensor u = positive_uniform(c, p, shape, 3);
    lucid_tensor level = lucid_mul(s, u, lucid_unsqueeze(s, total, -1));
    lucid_tensor passed = lucid_gt(s, lucid_unsqueeze(s, level, -1), lucid_unsqueeze(s, sums, -2));
    return lucid_sum(s, lucid_cast(s, passed, LUCID_INT64), LUCID_DIMS(-1));
}

lucid_tensor lucidpy_op_multinomial(lucidpy_call *c)
{
    lucid_tensor p = lucidpy_tensor(c, 0);
    int64_t count = lucidpy_int(c, 1);
    bool repeated = lucidpy_flag(c, 2);
    if (lucid_error(c->s) != LUCID_OK)
        return p;
    if (lucid_ndim(p) == 0 || !lucidpy_is_float(lucid_dtype_of(p)))
        lucid_fail(c->s, LUCID_TYPE_ERROR,
                   "multinomial: the probabilities must be floats in at least one dim");
    else if (count < 1 || (!repeated && count > lucid_size(p, -1)))
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "multinomial: num_samples must be from 1 to %lld%s, not %lld",
                   (long long)lucid_size(p, -1), repeated ? " or more" : "", (long long)count);
    return repeated ? draw_repeated(c, p, count) : draw_different(c, p, count);
}

/* -- only in place ---------------------------------------------------------------------------- */

static lucid_tensor fresh(lucidpy_call *c, draw_of *build, int generator)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return draw(c, build, lucid_shape_of(x), lucid_dtype_of(x), generator);
}

lucid_tensor lucidpy_op_uniform(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    double low = lucidpy_float(c, 1), high = lucidpy_float(c, 2);
    lucid_tensor width = lucid_scalar(s, high - low);
    return lucid_add(s, lucid_mul(s, fresh(c, lucid_rand_of, 3), width), lucid_scalar(s, low));
}

lucid_tensor lucidpy_op_normal_fill(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    double mean = lucidpy_float(c, 1), std = lucidpy_float(c, 2);
    lucid_tensor x = lucid_mul(s, fresh(c, lucid_randn_of, 3), lucid_scalar(s, std));
    return lucid_add(s, x, lucid_scalar(s, mean));
}

lucid_tensor lucidpy_op_bernoulli_fill(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), p = lucidpy_tensor(c, 1);
    lucid_tensor all = lucid_expand(c->s, lucid_cast(c->s, p, LUCID_FLOAT32), lucid_shape_of(x));
    lucidpy_draw from = lucidpy_draw_begin(c, 2);
    lucid_tensor drawn = lucid_bernoulli(c->s, all);
    lucidpy_draw_end(c, from);
    return lucid_cast(c->s, drawn, lucid_dtype_of(x));
}
