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
