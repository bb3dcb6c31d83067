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
        dtype = *lucidpy_default_dtype();
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

/* Whether each of low .. high - 1 is a number of the dtype. */
static bool check_held(lucidpy_call *c, int64_t low, int64_t high, lucid_dtype dtype)
{
    int64_t most = dtype == LUCID_BOOL      ? 1
                   : dtype == LUCID_INT32   ? INT32_MAX
                   : dtype == LUCID_FLOAT32 ? INT64_C(1) << 24
                   : dtype == LUCID_FLOAT64 ? INT64_C(1) << 53
                                            : INT64_MAX;
    int64_t least = dtype == LUCID_BOOL ? 0 : lucidpy_is_float(dtype) ? -most : -most - 1;
    if (lucid_error(c->s) == LUCID_OK && (low < least || high - 1 > most))
        lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: numbers from %lld to %lld do not fit %s", c->name,
                   (long long)low, (long long)high - 1, lucid_dtype_name(dtype));
    return lucid_error(c->s) == LUCID_OK;
}

/* (low, high, size, generator, dtype); with two arguments they are (high, size), and size is a list: so that
 * randint(0, 5) is not taken for it. */
lucid_tensor lucidpy_op_randint(lucidpy_call *c)
{
    lucid_tensor none = {NULL};
    bool one = lucidpy_is_none(c, 2) || lucidpy_is_none(c, 1);
    int size = lucidpy_is_none(c, 2) ? 1 : 2;
    bool list = PyTuple_Check(c->arg[size]) || PyList_Check(c->arg[size]);
    if (lucidpy_is_none(c, size) || (size == 1 && !list)) {
        PyErr_Format(PyExc_TypeError,
                     "randint(): argument 'size' must be a tuple of ints: randint(low, high, size) "
                     "or randint(high, size), not randint(%R, %R)",
                     c->arg[0], c->arg[1]);
        lucidpy_fail_call(c);
        return none;
    }
    int64_t low = one ? 0 : lucidpy_int(c, 0), high = lucidpy_int(c, one ? 0 : 1);
    lucid_shape shape = lucidpy_shape(c, size);
    lucid_dtype dtype = lucidpy_dtype(c, 4);
    if (low < high && !check_held(c, low, high, dtype))
        return none;
    return lucidpy_cast_argument(c, 4, integers(c, low, high, shape, 3));
}

/* (input, low, high, generator); with one number it is high. */
lucid_tensor lucidpy_op_randint_like(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int64_t first = lucidpy_int(c, 1);
    bool one = lucidpy_is_none(c, 2);
    int64_t high = one ? first : lucidpy_int(c, 2), low = one ? 0 : first;
    if (low < high && !check_held(c, low, high, lucid_dtype_of(x)))
        return x;
    return lucid_cast(c->s, integers(c, low, high, lucid_shape_of(x), 3), lucid_dtype_of(x));
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

static lucid_tensor as_float(lucid_scope *s, lucid_tensor x)
{
    return lucidpy_is_float(lucid_dtype_of(x)) ? x : lucid_cast(s, x, *lucidpy_default_dtype());
}

/* (a, b, size, generator): two parameters of a distribution; size is for numbers. */
static lucid_tensor of_parameters(lucidpy_call *c, with_parameters *build)
{
    lucid_tensor a = lucidpy_tensor(c, 0), b = lucidpy_tensor(c, 1);
    if (!lucidpy_is_none(c, 2)) {
        lucid_shape shape = lucidpy_shape(c, 2);
        a = lucid_full(c->s, shape, as_float(c->s, a));
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
        rate = lucid_full(c->s, shape, as_float(c->s, rate));
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
    lucid_tensor all = lucid_expand(c->s, as_float(c->s, p), lucid_shape_of(x));
    lucidpy_draw from = lucidpy_draw_begin(c, 2);
    lucid_tensor drawn = lucid_bernoulli(c->s, all);
    lucidpy_draw_end(c, from);
    return lucid_cast(c->s, drawn, lucid_dtype_of(x));
}
