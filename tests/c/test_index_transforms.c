/* Indexing, sorting and scans under vmap and grad: vmap against a loop over the lanes for every
 * subset of the arguments, gradients against central differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/compare.h"

enum { MOST_ARGS = 4, LANES = 3 };

/* ---- the functions under test ---------------------------------------------------------------- */

#define FUNCTION(name, result) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user) \
    { \
        (void)nx, (void)ny, (void)user; \
        y[0] = result; \
        return lucid_error(s); \
    }

static const int64_t start[2] = {-1, 1}, end[2] = {LUCID_END, LUCID_END}, step[2] = {-2, 1};

static lucid_tensor sorted_index(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor index;
    (void)lucid_sort(s, x, 1, true, &index);
    return index;
}

FUNCTION(index_rows, lucid_index(s, x[0], x + 1, 1))
FUNCTION(index_both, lucid_index(s, x[0], x + 1, 2))
FUNCTION(take_columns, lucid_take(s, x[0], x[1], 1))
FUNCTION(take_along, lucid_take_along_dim(s, x[0], x[1], 0))
FUNCTION(put_rows, lucid_index_put(s, x[0], x + 2, 1, x[1], false))
FUNCTION(add_rows, lucid_index_put(s, x[0], x + 2, 1, x[1], true))
FUNCTION(put_both, lucid_index_put(s, x[0], x + 2, 2, x[1], false))
FUNCTION(add_columns, lucid_index_add(s, x[0], 1, x[2], x[1]))
FUNCTION(copy_columns, lucid_index_copy(s, x[0], 1, x[2], x[1]))
FUNCTION(put_slice, lucid_slice_put(s, x[0], start, end, step, x[1]))
FUNCTION(sort_rows, lucid_sort(s, x[0], 1, true, NULL))
FUNCTION(sort_columns, lucid_sort(s, x[0], 0, false, NULL))
FUNCTION(sort_order, sorted_index(s, x[0]))
FUNCTION(largest, lucid_topk(s, x[0], 2, 1, true, NULL))
FUNCTION(arg_rows, lucid_argmax(s, x[0], 1, false))
FUNCTION(arg_columns, lucid_argmin(s, x[0], 0, true))
FUNCTION(arg_all, lucid_argmax(s, x[0], LUCID_NONE, false))
FUNCTION(sum_rows, lucid_cumsum(s, x[0], 1))
FUNCTION(prod_columns, lucid_cumprod(s, x[0], 0))
FUNCTION(hot, lucid_one_hot(s, lucid_remainder(s, x[0], lucid_scalar_int(s, 4)), 4))

/* fill: 'x' numbers, 'i' positions of a dim of size 4, negative and repeated ones among them. */
typedef struct sample {
    lucid_function *f;
    int nfloats, nints;
    lucid_shape shape[MOST_ARGS]; /* of one example */
} sample;

static const sample samples[] = {
    {index_rows, 1, 1, {{2, {4, 2}}, {1, {6}}}},
    {index_rows, 1, 1, {{1, {4}}, {2, {2, 3}}}},
    {index_rows, 1, 1, {{2, {4, 2}}, {0, {0}}}},
    {index_rows, 1, 1, {{2, {4, 2}}, {1, {0}}}},
    {index_both, 1, 2, {{3, {4, 4, 2}}, {1, {5}}, {2, {2, 1}}}},
    {take_columns, 1, 1, {{3, {2, 4, 3}}, {2, {2, 3}}}},
    {take_along, 1, 1, {{2, {4, 3}}, {2, {5, 3}}}},
    {take_along, 1, 1, {{2, {4, 1}}, {2, {5, 3}}}},
    {put_rows, 2, 1, {{2, {4, 2}}, {2, {6, 2}}, {1, {6}}}},
    {put_rows, 2, 1, {{2, {4, 2}}, {1, {2}}, {2, {3, 2}}}},
    {put_rows, 2, 1, {{1, {4}}, {0, {0}}, {0, {0}}}},
    {add_rows, 2, 1, {{2, {4, 2}}, {2, {6, 2}}, {1, {6}}}},
    {add_rows, 2, 1, {{2, {4, 2}}, {2, {6, 1}}, {1, {6}}}},
    {add_rows, 2, 1, {{2, {4, 2}}, {2, {0, 2}}, {1, {0}}}},
    {put_both, 2, 2, {{3, {4, 4, 2}}, {2, {5, 2}}, {1, {5}}, {1, {5}}}},
    {add_columns, 2, 1, {{2, {2, 4}}, {2, {2, 5}}, {1, {5}}}},
    {copy_columns, 2, 1, {{2, {2, 4}}, {2, {2, 5}}, {1, {5}}}},
    {put_slice, 2, 0, {{2, {4, 3}}, {2, {2, 2}}}},
    {put_slice, 2, 0, {{2, {4, 3}}, {0, {0}}}},
    {put_slice, 2, 0, {{2, {0, 3}}, {0, {0}}}},
    {sort_rows, 1, 0, {{2, {3, 5}}}},
    {sort_columns, 1, 0, {{3, {4, 2, 2}}}},
    {sort_order, 1, 0, {{2, {3, 5}}}},
    {largest, 1, 0, {{2, {3, 5}}}},
    {arg_rows, 1, 0, {{2, {3, 5}}}},
    {arg_columns, 1, 0, {{2, {3, 5}}}},
    {arg_all, 1, 0, {{2, {3, 5}}}},
    {sum_rows, 1, 0, {{3, {2, 5, 2}}}},
    {prod_columns, 1, 0, {{2, {5, 2}}}},
    {hot, 0, 1, {{1, {3}}}},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* LANES examples of argument i, the lanes along the first dim. */
static lucid_tensor lanes_of(lucid_scope *s, const sample *p, int i)
{
    lucid_shape shape = {.ndim = p->shape[i].ndim + 1, .dim = {LANES}};
    for (int d = 0; d < p->shape[i].ndim; d++)
        shape.dim[d + 1] = p->shape[i].dim[d];
    lucid_tensor x = some_numbers(s, shape, i);
    if (i < p->nfloats)
        return x;
    /* 8 values, -4 to 3. */
    x = lucid_floor(s, lucid_mul(s, x, lucid_scalar(s, 4)));
    return lucid_cast(s, x, i == p->nfloats ? LUCID_INT64 : LUCID_INT32);
}

/* ---- vmap ---------------------------------------------------------------------------------- */

/* Calls f on every lane by itself. */
static lucid_tensor loop(lucid_scope *s, lucid_fn f, const lucid_tensor *lanes, int n, int mapped)
{
    lucid_tensor y[LANES] = {{NULL}}, x[MOST_ARGS];
    for (int b = 0; b < LANES; b++) {
        for (int i = 0; i < n; i++)
            x[i] = lucid_select(s, lanes[i], 0, (mapped >> i) & 1 ? b : 0);
        (void)lucid_call(s, f, x, (size_t)n, &y[b], 1);
    }
    return lucid_stack(s, y, LANES, 0);
}

/* For every subset of the arguments, with the lanes in the first dim and in the last one. */
static void check_vmap(const sample *p, lucid_fn (*made)(lucid_scope *, lucid_fn))
{
    int n = p->nfloats + p->nints;
    for (int mapped = 1; mapped < 1 << n; mapped++)
        for (int last = 0; last < 2; last++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor lanes[MOST_ARGS] = {{NULL}}, x[MOST_ARGS], y = {NULL};
            int in_dims[MOST_ARGS];
            for (int i = 0; i < n; i++) {
                lanes[i] = lanes_of(s, p, i);
                bool map = (mapped >> i) & 1;
                in_dims[i] = map ? -last : LUCID_NONE;
                x[i] = !map   ? lucid_select(s, lanes[i], 0, 0)
                       : last ? lucid_movedim(s, lanes[i], 0, -1)
                              : lanes[i];
            }
            lucid_fn f = made(s, lucid_fn_new(s, p->f, 1, NULL));
            lucid_fn v = lucid_vmap(s, f, &(lucid_vmap_options){.in_dims = {in_dims, (size_t)n}});
            (void)lucid_call(s, v, x, (size_t)n, &y, 1);
            check_same(s, y, loop(s, f, lanes, n, mapped));
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

static lucid_fn same_function(lucid_scope *s, lucid_fn f)
{
    (void)s;
    return f;
}

static void test_vmap(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        check_vmap(&samples[i], same_function);
}

/* ---- grad ---------------------------------------------------------------------------------- */

/* A weighed sum of the squares of what f gives, so that second derivatives are not zero. */
static lucid_status weighed(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)ny;
    lucid_tensor z = {NULL};
    lucid_fn *f = user;
    if (lucid_call(s, *f, x, nx, &z, 1) != LUCID_OK)
        return lucid_error(s);
    lucid_tensor w = some_numbers(s, lucid_shape_of(z), 9);
    y[0] = lucid_sum(s, lucid_mul(s, w, lucid_square(s, z)), LUCID_ALL);
    return lucid_error(s);
}

static lucid_fn weighed_fn(lucid_scope *s, lucid_fn f)
{
    lucid_fn *user = lucid_alloc(s, sizeof *user);
    assert_non_null(user);
    *user = f;
    return lucid_fn_new(s, weighed, 1, user);
}

static lucid_fn grad_0(lucid_scope *s, lucid_fn f)
{
    return lucid_grad(s, weighed_fn(s, f), NULL);
}

static lucid_fn grad_1(lucid_scope *s, lucid_fn f)
{
    return lucid_grad(s, weighed_fn(s, f), &(lucid_grad_options){.argnums = LUCID_INTS(1)});
}

static lucid_fn hessian_0(lucid_scope *s, lucid_fn f)
{
    return lucid_hessian(s, weighed_fn(s, f), NULL);
}

static lucid_fn jacfwd_0(lucid_scope *s, lucid_fn f)
{
    return lucid_jacfwd(s, weighed_fn(s, f), NULL);
}

static double value_at(lucid_scope *s, lucid_fn f, const lucid_tensor *x, int n)
{
    lucid_tensor y = {NULL};
    (void)lucid_call(s, f, x, (size_t)n, &y, 1);
    double value = lucid_item(s, y);
    check_ok(s);
    return value;
}

/* The first lane's gradient in argument `arg`. */
static void check_grad(const sample *p, int arg)
{
    static double x0[COMPARE_MOST], got[COMPARE_MOST];
    const double h = 1e-4;
    int n = p->nfloats + p->nints;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[MOST_ARGS] = {{NULL}}, g = {NULL};
    for (int i = 0; i < n; i++)
        x[i] = lucid_select(s, lanes_of(s, p, i), 0, 0);
    lucid_fn f = lucid_fn_new(s, p->f, 1, NULL), w = weighed_fn(s, f);
    (void)lucid_call(s, arg == 0 ? grad_0(s, f) : grad_1(s, f), x, (size_t)n, &g, 1);
    check_shape(g, p->shape[arg]);
    size_t count = values_of(s, g, got);
    (void)values_of(s, x[arg], x0);
    for (size_t e = 0; e < count; e++) {
        double value[2], at = x0[e];
        for (int side = 0; side < 2; side++) {
            x0[e] = at + (side ? h : -h);
            x[arg] = lucid_from_data(s, x0, LUCID_FLOAT64, p->shape[arg]);
            value[side] = value_at(s, w, x, n);
        }
        x0[e] = at;
        double expected = (value[1] - value[0]) / (2 * h);
        if (!(fabs(got[e] - expected) < 1e-6))
            fail_msg("sample %d, argument %d, element %zu: %g, expected %g", (int)(p - samples),
                     arg, e, got[e], expected);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static bool differentiable(const sample *p)
{
    return p->nfloats > 0 && p->f != sort_order && p->f != arg_rows && p->f != arg_columns &&
           p->f != arg_all;
}

static void test_grad(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        for (int arg = 0; arg < samples[i].nfloats; arg++)
            if (differentiable(&samples[i]))
                check_grad(&samples[i], arg);
}

static void test_vmap_of_grad(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        if (!differentiable(&samples[i]))
            continue;
        check_vmap(&samples[i], grad_0);
        if (samples[i].nfloats > 1)
            check_vmap(&samples[i], grad_1);
    }
}

static void test_vmap_of_hessian(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++)
        if (differentiable(&samples[i]) && samples[i].shape[0].ndim < 3)
            check_vmap(&samples[i], hessian_0);
}

/* Forward and reverse mode agree, and so do two orders of nesting for the second derivative. */
static void test_modes_agree(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        const sample *p = &samples[i];
        if (!differentiable(p))
            continue;
        lucid_scope *s = lucid_open(NULL);
        int n = p->nfloats + p->nints;
        lucid_tensor x[MOST_ARGS], a = {NULL}, b = {NULL};
        for (int k = 0; k < n; k++)
            x[k] = lucid_select(s, lanes_of(s, p, k), 0, 1);
        lucid_fn f = lucid_fn_new(s, p->f, 1, NULL);
        (void)lucid_call(s, grad_0(s, f), x, (size_t)n, &a, 1);
        (void)lucid_call(s, jacfwd_0(s, f), x, (size_t)n, &b, 1);
        check_same(s, a, b);
        (void)lucid_call(s, hessian_0(s, f), x, (size_t)n, &a, 1);
        (void)lucid_call(s, lucid_jacrev(s, grad_0(s, f), NULL), x, (size_t)n, &b, 1);
        check_same(s, a, b);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- hard points --------------------------------------------------------------------------- */

/* Where a place is written twice, only the last value counts. */
static void test_overwritten_values(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, put_rows, 1, NULL);
    lucid_tensor x[3] = {count_up(s, LUCID_SHAPE(4)), count_up(s, LUCID_SHAPE(4)),
                         I64(s, LUCID_SHAPE(4), 1, -3, 0, 1)};
    lucid_tensor y, ct = F64(s, LUCID_SHAPE(4), 1, 2, 3, 4), dx[3];
    lucid_fn back = lucid_vjp(s, f, x, 3, &y, 1);
    CHECK(s, y, LUCID_SHAPE(4), 2, 3, 2, 3);
    (void)lucid_call(s, back, &ct, 1, dx, 3);
    CHECK(s, dx[0], LUCID_SHAPE(4), 0, 0, 3, 4);
    CHECK(s, dx[1], LUCID_SHAPE(4), 0, 0, 1, 2);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

FUNCTION(positives, lucid_masked_select(s, x[0], lucid_gt(s, x[0], lucid_scalar(s, 0))))
FUNCTION(places, lucid_nonzero(s, x[0]))

static void test_masked_select(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, positives, 1, NULL), g = grad_0(s, f),
             n = lucid_fn_new(s, places, 1, NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(2, 2), 3, -1, 0, 2);
    double w[2];
    (void)values_of(s, some_numbers(s, LUCID_SHAPE(2), 9), w);
    CHECK(s, lucid_call1(s, g, x), LUCID_SHAPE(2, 2), 6 * w[0], 0, 0, 4 * w[1]);
    const lucid_vmap_options once = {.strategy = LUCID_STRATEGY_VECTORIZED};
    (void)lucid_call1(s, lucid_vmap(s, f, &once), x);
    check_error(s, LUCID_DIVERGED, "masked_select");
    (void)lucid_call1(s, lucid_vmap(s, n, &once), x);
    check_error(s, LUCID_DIVERGED, "nonzero");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

FUNCTION(sum_positives,
         lucid_sum(s, lucid_masked_select(s, x[0], lucid_gt(s, x[0], lucid_scalar(s, 0))),
                   LUCID_ALL))

/* Lanes that select different numbers of elements run one by one. */
static void test_lanes_that_differ(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(3, 3), 1, -1, 2, -4, -5, -6, 7, 8, 9);
    lucid_fn f = lucid_fn_new(s, sum_positives, 1, NULL);
    CHECK(s, lucid_call1(s, lucid_vmap(s, f, NULL), x), LUCID_SHAPE(3), 3, 0, 24);
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
    CHECK(s, lucid_call1(s, g, x), LUCID_SHAPE(3, 3), 1, 0, 1, 0, 0, 0, 1, 1, 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_errors_under_vmap(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, index_rows, 1, NULL), NULL);
    lucid_tensor x[2] = {count_up(s, LUCID_SHAPE(2, 5)), I64(s, LUCID_SHAPE(2, 2), 0, 4, 1, 7)}, y;
    (void)lucid_call(s, f, x, 2, &y, 1);
    (void)lucid_eval(s, &y, 1);
    check_error(s, LUCID_INDEX_ERROR, "index 7 is out of range for dim 0 of size 5");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_no_lanes(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        const sample *p = &samples[i];
        int n = p->nfloats + p->nints;
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x[MOST_ARGS], one[MOST_ARGS], y = {NULL}, z = {NULL};
        for (int k = 0; k < n; k++) {
            x[k] = lucid_slice(s, lanes_of(s, p, k), 0, 0, 0, 1);
            one[k] = lucid_select(s, lanes_of(s, p, k), 0, 0);
        }
        lucid_fn f = lucid_fn_new(s, p->f, 1, NULL);
        (void)lucid_call(s, lucid_vmap(s, f, NULL), x, (size_t)n, &y, 1);
        (void)lucid_call(s, f, one, (size_t)n, &z, 1);
        check_ok(s);
        assert_int_equal(lucid_size(y, 0), 0);
        assert_int_equal(lucid_ndim(y), lucid_ndim(z) + 1);
        assert_int_equal(lucid_dtype_of(y), lucid_dtype_of(z));
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* Runs vmap(grad) of the sample with all allocations from the n-th on failing. */
static lucid_status run_with_memory(const sample *p, int64_t n)
{
    int nin = p->nfloats + p->nints;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[MOST_ARGS] = {{NULL}}, y = {NULL};
    for (int k = 0; k < nin; k++)
        x[k] = lanes_of(s, p, k);
    assert_int_equal(lucid_eval(s, x, (size_t)nin), LUCID_OK);
    lucid_fn f = grad_0(s, lucid_fn_new(s, p->f, 1, NULL));
    lucid__fail_allocations_after(n);
    (void)lucid_call(s, lucid_vmap(s, f, NULL), x, (size_t)nin, &y, 1);
    (void)lucid_eval(s, &y, 1);
    lucid__fail_allocations_after(-1);
    return lucid_close(s);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLES; i++) {
        lucid_status status = LUCID_MEMORY_ERROR;
        for (int64_t n = 0; status != LUCID_OK && differentiable(&samples[i]); n++) {
            status = run_with_memory(&samples[i], n);
            assert_true(status == LUCID_OK || status == LUCID_MEMORY_ERROR);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vmap),          cmocka_unit_test(test_grad),
        cmocka_unit_test(test_vmap_of_grad),  cmocka_unit_test(test_vmap_of_hessian),
        cmocka_unit_test(test_modes_agree),   cmocka_unit_test(test_overwritten_values),
        cmocka_unit_test(test_masked_select), cmocka_unit_test(test_errors_under_vmap),
        cmocka_unit_test(test_no_lanes),      cmocka_unit_test(test_lanes_that_differ),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
