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

typedef lucid_tensor with_parameters(lucid_scope *s, lucid_tensor a, lucid_tensor b);

/* (a, b, size, generator): two parameters of a distribution; size is for numbers. */
static lucid_tensor of_parameters(lucidpy_call *c, with_parameters *build)
{
    lucid_tensor a = lucidpy_tensor(c, 0), b = lucidpy_tensor(c, 1);
    if (!lucidpy_is_none(c, 2)) {
        lucid_shape shape = lucidpy_shape(c, 2);
        a = lucid_full(c->s, shape, lucid_cast(c->s, a, LUCID_FLOAT32));
    }
    lucidpy_draw from = lucidpy_draw_begin(c, 3);
    lucid_tensor x = build(c->s, a, b);
    lucidpy_draw_end(c, from);
    return x;
}

lucid_tensor lucidpy_op_normal(lucidpy_call *c)
{
    return of_parameters(c, lucid_normal);
}

lucid_tensor lucidpy_op_uniform(lucidpy_call *c)
{
    return of_parameters(c, lucid_uniform);
}

/* (rate, size, generator). */
lucid_tensor lucidpy_op_exponential(lucidpy_call *c)
{
    lucid_tensor rate = lucidpy_tensor(c, 0);
    if (!lucidpy_is_none(c, 1)) {
        lucid_shape shape = lucidpy_shape(c, 1);
        rate = lucid_full(c->s, shape, lucid_cast(c->s, rate, LUCID_FLOAT32));
    }
    lucidpy_draw from = lucidpy_draw_begin(c, 2);
    lucid_tensor x = lucid_exponential(c->s, rate);
    lucidpy_draw_end(c, from);
    return x;
}

lucid_tensor lucidpy_op_poisson(lucidpy_call *c)
{
    lucid_tensor rate = lucidpy_tensor(c, 0);
    lucidpy_draw from = lucidpy_draw_begin(c, 1);
    lucid_tensor x = lucid_poisson(c->s, rate);
    lucidpy_draw_end(c, from);
    return x;
}

lucid_tensor lucidpy_op_multinomial(lucidpy_call *c)
{
    lucid_tensor p = lucidpy_tensor(c, 0);
    int64_t count = lucidpy_int(c, 1);
    bool replacement = lucidpy_flag(c, 2);
    lucidpy_draw from = lucidpy_draw_begin(c, 3);
    lucid_tensor x = lucid_multinomial(c->s, p, count, replacement);
    lucidpy_draw_end(c, from);
    return x;
}

/* -- only in place ---------------------------------------------------------------------------- */

/* A parameter for each element of x, in the float dtype that x is drawn in. */
static lucid_tensor for_each(lucidpy_call *c, lucid_tensor x, double parameter)
{
    lucid_dtype drawn = lucid_dtype_of(x) == LUCID_FLOAT64 ? LUCID_FLOAT64 : LUCID_FLOAT32;
    lucid_tensor each = lucid_cast(c->s, lucid_scalar(c->s, parameter), drawn);
    return lucid_full(c->s, lucid_shape_of(x), each);
}

/* (input, a, b, generator): numbers with these parameters for the elements of input. */
static lucid_tensor fill(lucidpy_call *c, with_parameters *build)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_tensor a = for_each(c, x, lucidpy_float(c, 1)), b = for_each(c, x, lucidpy_float(c, 2));
    lucidpy_draw from = lucidpy_draw_begin(c, 3);
    lucid_tensor drawn = build(c->s, a, b);
    lucidpy_draw_end(c, from);
    return lucid_cast(c->s, drawn, lucid_dtype_of(x));
}

lucid_tensor lucidpy_op_uniform_fill(lucidpy_call *c)
{
    return fill(c, lucid_uniform);
}

lucid_tensor lucidpy_op_normal_fill(lucidpy_call *c)
{
    return fill(c, lucid_normal);
}

lucid_tensor lucidpy_op_exponential_fill(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    double rate = lucidpy_float(c, 1);
    if (!(rate > 0))
        lucid_fail(c->s, LUCID_VALUE_ERROR, "exponential_: lambd must be above 0, not %g", rate);
    lucid_tensor each = for_each(c, x, rate);
    lucidpy_draw from = lucidpy_draw_begin(c, 2);
    lucid_tensor drawn = lucid_exponential(c->s, each);
    lucidpy_draw_end(c, from);
    return lucid_cast(c->s, drawn, lucid_dtype_of(x));
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
