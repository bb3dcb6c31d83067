/* Bare numbers keep their precision; integers are exact and do not wrap where a number is written down. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

static lucid_tensor one64(lucid_scope *s)
{
    return lucid_from_data(s, (const double[]){1}, LUCID_FLOAT64, LUCID_SHAPE(1));
}

static lucid_tensor ints32(lucid_scope *s)
{
    return lucid_from_data(s, (const int32_t[]){-5, 0, 7}, LUCID_INT32, LUCID_SHAPE(3));
}

/* The first element of x times a float64 one: what x is before it is rounded to another dtype. */
static double exactly(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = lucid_mul(s, one64(s), x);
    assert_int_equal(lucid_dtype_of(y), LUCID_FLOAT64);
    double value = lucid_item(s, lucid_select(s, lucid_reshape(s, y, LUCID_SHAPE(-1)), 0, 0));
    assert_string_equal(lucid_error_message(s), "");
    return value;
}

static void test_numbers_keep_double_precision_among_themselves(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_scalar(s, 0.1), three = lucid_scalar_int(s, 3);
    assert_true(exactly(s, lucid_div(s, lucid_scalar_int(s, 1), three)) == 1.0 / 3);
    assert_true(exactly(s, lucid_add(s, a, three)) == 0.1 + 3);
    assert_true(exactly(s, lucid_neg(s, a)) == -0.1);
    assert_true(exactly(s, lucid_sqrt(s, three)) == sqrt(3));
    assert_true(exactly(s, lucid_square(s, a)) == 0.1 * 0.1);
    assert_true(exactly(s, lucid_pow(s, a, three)) != 0);
    assert_true(exactly(s, lucid_where(s, lucid_gt(s, a, three), three, a)) == 0.1);
    assert_true(exactly(s, lucid_clamp(s, a, lucid_scalar_int(s, 0), three)) == 0.1);
    assert_true(fabs(exactly(s, lucid_sigmoid(s, a)) - 1 / (1 + exp(-0.1))) < 1e-15);
    assert_true(exactly(s, lucid_relu(s, a)) == 0.1);
    assert_true(exactly(s, lucid_minimum(s, a, three)) == 0.1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_numbers_keep_double_precision_through_builders(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_scalar(s, 0.1), one = lucid_reshape(s, one64(s), LUCID_SCALAR_SHAPE);
    assert_true(exactly(s, lucid_stack(s, (lucid_tensor[]){a, one}, 2, 0)) == 0.1);
    assert_true(exactly(s, lucid_stack(s, (lucid_tensor[]){a, a}, 2, 0)) == 0.1);
    assert_true(exactly(s, lucid_unsqueeze(s, a, 0)) == 0.1);
    assert_true(exactly(s, lucid_reshape(s, a, LUCID_SHAPE(1, 1))) == 0.1);
    assert_true(exactly(s, lucid_expand(s, a, LUCID_SHAPE(3))) == 0.1);
    assert_true(exactly(s, lucid_sum(s, a, LUCID_ALL)) == 0.1);
    assert_true(exactly(s, lucid_amax(s, a, LUCID_ALL)) == 0.1);
    assert_true(exactly(s, lucid_mean(s, a, LUCID_ALL)) == 0.1);
    assert_true(exactly(s, lucid_full_like(s, one, a)) == 0.1);
    assert_true(exactly(s, lucid_zeros_like(s, a)) == 0);
    lucid_tensor v = lucid_stack(s, (lucid_tensor[]){a, lucid_scalar(s, 0.3)}, 2, 0);
    assert_true(fabs(exactly(s, lucid_dot(s, v, v)) - 0.1) < 1e-16);
    assert_true(exactly(s, lucid_cumsum(s, v, 0)) == 0.1);
    assert_true(exactly(s, lucid_flip(s, v, LUCID_DIMS(0))) == 0.3);
    lucid_tensor index = lucid_arange_int(s, 1, 2, 1, LUCID_INT64);
    assert_true(exactly(s, lucid_index(s, v, &index, 1)) == 0.3);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_numbers_yield_to_tensors(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_div(s, lucid_scalar(s, 1), lucid_scalar(s, 3));
    assert_int_equal(lucid_dtype_of(a), LUCID_FLOAT32);
    assert_int_equal(lucid_dtype_of(lucid_mul(s, a, lucid_ones(s, LUCID_SHAPE(2)))), LUCID_FLOAT32);
    lucid_tensor zero_d = lucid_ones(s, LUCID_SCALAR_SHAPE);
    assert_int_equal(lucid_dtype_of(lucid_mul(s, a, zero_d)), LUCID_FLOAT32);
    lucid_tensor five = lucid_add(s, lucid_scalar_int(s, 2), lucid_scalar_int(s, 3));
    assert_int_equal(lucid_dtype_of(lucid_mul(s, five, ints32(s))), LUCID_INT32);
    assert_int_equal(lucid_dtype_of(lucid_full(s, LUCID_SHAPE(2), a)), LUCID_FLOAT32);
    float single;
    assert_int_equal(lucid_read(s, a, &single, sizeof single), LUCID_OK);
    assert_true(single == 1.0F / 3);
    assert_true(lucid_item(s, a) == 1.0 / 3);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- through functions -------------------------------------------------------------------------- */

static lucid_status times_one(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor one =
        lucid_full(s, LUCID_SCALAR_SHAPE, lucid_cast(s, lucid_scalar(s, 1), LUCID_FLOAT64));
    y[0] = lucid_mul(s, x[0], one);
    return LUCID_OK;
}

static lucid_status same(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)s, (void)nx, (void)ny, (void)user;
    y[0] = x[0];
    return LUCID_OK;
}

static lucid_status product(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_mul(s, x[0], x[1]);
    return LUCID_OK;
}

/* x^2 / 2 times a float64 one, so that the derivative is x. */
static lucid_status half_square(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_mul(s, lucid_select(s, one64(s), 0, 0),
                     lucid_div(s, lucid_square(s, x[0]), lucid_scalar(s, 2)));
    return LUCID_OK;
}

static lucid_status step(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_mul(s, x[1], lucid_select(s, one64(s), 0, 0));
    return LUCID_OK;
}

static lucid_status scan_step(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_mul(s, x[0], x[1]);
    return LUCID_OK;
}

static void test_numbers_pass_functions_in_full_precision(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_scalar(s, 0.1), y;
    lucid_fn f = lucid_fn_new(s, times_one, 1, NULL);
    assert_true(lucid_item(s, lucid_call1(s, f, a)) == 0.1);
    assert_true(exactly(s, lucid_call1(s, lucid_fn_new(s, same, 1, NULL), a)) == 0.1);
    assert_true(lucid_item(s, lucid_call1(s, lucid_checkpoint(s, f), a)) == 0.1);
    lucid_fn compiled = lucid_compile(s, f, &a, 1, NULL);
    assert_true(lucid_item(s, lucid_call1(s, compiled, lucid_scalar(s, 0.3))) == 0.3);
    lucid_fn mapped = lucid_vmap(s, lucid_fn_new(s, product, 1, NULL),
                                 &(lucid_vmap_options){.in_dims = LUCID_INTS(0, LUCID_NONE)});
    assert_int_equal(lucid_call(s, mapped, LUCID_ARGS(one64(s), a), &y, 1), LUCID_OK);
    assert_true(exactly(s, y) == 0.1);
    assert_int_equal(lucid_cond(s, lucid_scalar_bool(s, true), f, f, &a, 1, &y, 1), LUCID_OK);
    assert_true(lucid_item(s, y) == 0.1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_numbers_are_differentiated_in_full_precision(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_scalar(s, 0.1), y, dy;
    lucid_fn f = lucid_fn_new(s, half_square, 1, NULL);
    lucid_tensor both[2];
    assert_int_equal(lucid_call(s, lucid_grad_and_value(s, f, NULL), &a, 1, both, 2), LUCID_OK);
    assert_true(lucid_item(s, both[1]) == 0.1 * 0.1 / 2);
    assert_int_equal(lucid_dtype_of(both[0]), LUCID_FLOAT32); /* of the argument */
    assert_true(lucid_item(s, both[0]) == (double)0.1F);
    assert_int_equal(lucid_jvp(s, f, &a, &a, 1, &y, &dy, 1), LUCID_OK);
    assert_true(lucid_item(s, dy) == 0.1 * 0.1);
    for (int i = 0; i < 3; i++) {
        lucid_fn g = i == 0   ? lucid_jacrev(s, f, NULL)
                     : i == 1 ? lucid_jacfwd(s, f, NULL)
                              : lucid_hessian(s, f, NULL);
        double got = lucid_item(s, lucid_call1(s, g, a));
        assert_string_equal(lucid_error_message(s), "");
        assert_true(fabs(got - (i < 2 ? 0.1 : 1)) < 1e-7);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_a_loop_takes_the_dtype_that_its_step_gives_to_a_number(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor a = lucid_scalar(s, 0.1), y;
    lucid_fn body = lucid_fn_new(s, step, 1, NULL);
    assert_int_equal(
        lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 3), body, &a, 1, NULL, &y),
        LUCID_OK);
    assert_true(lucid_item(s, y) == 0.1);
    lucid_tensor ones = lucid_expand(s, one64(s), LUCID_SHAPE(4));
    assert_int_equal(
        lucid_scan(s, lucid_fn_new(s, scan_step, 1, NULL), &a, 1, &ones, 1, NULL, &y, NULL, 0),
        LUCID_OK);
    assert_true(lucid_item(s, y) == 0.1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- the default dtype --------------------------------------------------------------------------- */

static void test_a_scope_has_a_default_dtype(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(&(lucid_open_options){.dtype = LUCID_FLOAT64});
    const lucid_shape two = LUCID_SHAPE(2);
    lucid_tensor ints = lucid_arange_int(s, 1, 3, 1, LUCID_INT64);
    lucid_tensor xs[] = {lucid_zeros(s, two),
                         lucid_ones(s, two),
                         lucid_full(s, two, lucid_scalar(s, 0.1)),
                         lucid_eye(s, 2, 2),
                         lucid_arange(s, 0, 1, 0.1, LUCID_NO_DTYPE),
                         lucid_linspace(s, 0, 1, 11),
                         lucid_rand(s, two),
                         lucid_randn(s, two),
                         lucid_scalar(s, 0.1),
                         lucid_sqrt(s, ints),
                         lucid_mean(s, ints, LUCID_ALL),
                         lucid_div(s, ints, ints),
                         lucid_softmax(s, ints, 0),
                         lucid_normal(s, lucid_scalar(s, 0), lucid_scalar(s, 1)),
                         lucid_std(s, ints, LUCID_ALL, 1)};
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++)
        assert_int_equal(lucid_dtype_of(xs[i]), LUCID_FLOAT64);
    assert_true(lucid_item(s, lucid_select(s, xs[2], 0, 1)) == 0.1);
    assert_int_equal(lucid_get_default_dtype(s), LUCID_FLOAT64);
    lucid_scope *child = lucid_scope_new(s);
    assert_int_equal(lucid_set_default_dtype(child, LUCID_FLOAT32), LUCID_OK);
    assert_int_equal(lucid_dtype_of(lucid_ones(s, two)), LUCID_FLOAT32);
    assert_int_equal(lucid_close(child), LUCID_OK);
    assert_int_equal(lucid_set_default_dtype(s, LUCID_INT64), LUCID_TYPE_ERROR);
    assert_int_equal(lucid_close(s), LUCID_TYPE_ERROR);
    s = lucid_open(NULL);
    assert_int_equal(lucid_get_default_dtype(s), LUCID_FLOAT32);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- numbers that an integer cannot hold ----------------------------------------------------------- */

static void fails(lucid_scope *s, lucid_tensor x, const char *name)
{
    assert_true(lucid_is_empty_handle(x));
    assert_int_equal(lucid_error(s), LUCID_VALUE_ERROR);
    assert_int_equal(strncmp(lucid_error_message(s), name, strlen(name)), 0);
    assert_non_null(strstr(lucid_error_message(s), "does not fit int32"));
    lucid_clear_error(s);
}

static void test_a_number_that_int32_cannot_hold_is_an_error(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ints32(s), big = lucid_scalar_int(s, INT64_C(1) << 40), y;
    fails(s, lucid_add(s, x, big), "add: 1099511627776");
    fails(s, lucid_mul(s, big, x), "mul: ");
    fails(s, lucid_sub(s, x, lucid_scalar_int(s, INT64_C(1) << 31)), "sub: 2147483648");
    fails(s, lucid_maximum(s, x, big), "maximum: ");
    fails(s, lucid_floor_divide(s, x, big), "floor_divide: ");
    fails(s, lucid_remainder(s, x, big), "remainder: ");
    fails(s, lucid_bitwise_and(s, x, big), "bitwise_and: ");
    fails(s, lucid_where(s, lucid_gt(s, x, lucid_scalar_int(s, 0)), x, big), "where: ");
    fails(s, lucid_pow(s, x, big), "pow: ");
    fails(s, lucid_cast(s, big, LUCID_INT32), "cast: ");
    fails(s, lucid_cast(s, lucid_scalar(s, 1e30), LUCID_INT32), "cast: 1e+30");
    fails(s, lucid_cast(s, lucid_scalar(s, (double)NAN), LUCID_INT32), "cast: ");
    fails(s, lucid_full_like(s, x, big), "full_like: ");
    fails(s, lucid_clamp(s, x, big, (lucid_tensor){NULL}), "clamp: ");
    lucid_tensor below = lucid_scalar_int(s, -(INT64_C(1) << 40));
    fails(s, lucid_clamp(s, x, (lucid_tensor){NULL}, below), "clamp: ");
    int64_t zero = 0, last = 3, by = 1;
    fails(s, lucid_slice_put(s, x, &zero, &last, &by, big), "slice_put: ");
    lucid_tensor index = lucid_arange_int(s, 0, 1, 1, LUCID_INT64);
    fails(s, lucid_index_put(s, x, &index, 1, big, false), "index_put: ");
    fails(s, lucid_arange_int(s, 0, INT64_C(1) << 40, INT64_C(1) << 39, LUCID_INT32), "arange: ");
    y = lucid_cast(s, lucid_scalar(s, 2.9), LUCID_INT32);
    assert_int_equal(lucid_item_int(s, y), 2);
    assert_true(lucid_bool(s, lucid_full_like(s, lucid_scalar_bool(s, false), big)));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_a_bound_that_int32_cannot_reach_clamps_nothing(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ints32(s), big = lucid_scalar_int(s, INT64_C(1) << 40);
    lucid_tensor low = lucid_scalar_int(s, -(INT64_C(1) << 40));
    lucid_tensor y = lucid_clamp(s, x, low, big);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT32);
    assert_true(lucid_bool(s, lucid_all(s, lucid_eq(s, x, y), LUCID_ALL)));
    /* A 0-d tensor as bound, which is not known when the operation is built. */
    y = lucid_clamp(s, x, (lucid_tensor){NULL}, lucid_full(s, LUCID_SCALAR_SHAPE, big));
    assert_int_equal(lucid_dtype_of(y), LUCID_INT32);
    assert_true(lucid_bool(s, lucid_all(s, lucid_eq(s, x, y), LUCID_ALL)));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- comparisons ------------------------------------------------------------------------------------ */

typedef lucid_tensor comparison(lucid_scope *s, lucid_tensor x, lucid_tensor y);
static comparison *const comparisons[] = {lucid_eq, lucid_ne, lucid_lt,
                                          lucid_le, lucid_gt, lucid_ge};

static bool expected(int op, long double x, long double y)
{
    const bool is[] = {x == y, x != y, x<y, x <= y, x> y, x >= y};
    return is[op];
}

static lucid_tensor form(lucid_scope *s, int how, int64_t i)
{
    lucid_tensor number = lucid_scalar_int(s, i);
    if (how == 0)
        return number;
    lucid_tensor strong = lucid_cast(s, number, LUCID_INT64);
    return how == 1 ? strong : lucid_expand(s, strong, LUCID_SHAPE(3));
}

static lucid_tensor float_form(lucid_scope *s, int how, double f)
{
    lucid_tensor number = lucid_scalar(s, f);
    if (how == 0)
        return number;
    lucid_tensor strong = lucid_cast(s, number, LUCID_FLOAT64);
    return how == 1 ? strong : lucid_expand(s, strong, LUCID_SHAPE(3));
}

static void compare_all(lucid_scope *s, lucid_tensor a, lucid_tensor b, long double x,
                        long double y)
{
    for (int op = 0; op < 6; op++) {
        lucid_tensor r = comparisons[op](s, a, b), t = comparisons[op](s, b, a);
        assert_true(lucid_bool(s, lucid_all(s, r, LUCID_ALL)) == expected(op, x, y));
        assert_true(lucid_bool(s, lucid_all(s, t, LUCID_ALL)) == expected(op, y, x));
    }
}

static void test_comparisons_of_integers_and_floats_are_exact(void **state)
{
    (void)state;
    static const int64_t ints[] = {0, (1 << 24) + 1, (INT64_C(1) << 53) + 1, INT64_MAX, INT64_MIN};
    static const double floats[] = {0.5,     0x1p24,  0x1p53,           0x1p63,
                                    -0x1p63, -0x1p64, (double)INFINITY, (double)NAN};
    for (size_t i = 0; i < 5; i++)
        for (size_t f = 0; f < 8; f++) {
            lucid_scope *s = lucid_open(NULL);
            for (int how = 0; how < 9; how++)
                compare_all(s, form(s, how % 3, ints[i]), float_form(s, how / 3, floats[f]),
                            (long double)ints[i], (long double)floats[f]);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

static void test_comparisons_of_integers_do_not_wrap(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor zero = lucid_cast(s, lucid_zeros(s, LUCID_SHAPE(3)), LUCID_INT32);
    for (int how = 0; how < 3; how++) {
        compare_all(s, zero, form(s, how, INT64_C(1) << 32), 0, 0x1p32L);
        compare_all(s, zero, form(s, how, -(INT64_C(1) << 31) - 1), 0, -2147483649.0L);
        compare_all(s, lucid_cast(s, zero, LUCID_BOOL), form(s, how, 2), 0, 2);
        lucid_tensor x =
            lucid_cast(s, lucid_add(s, zero, lucid_scalar_int(s, (1 << 24) + 1)), LUCID_INT32);
        compare_all(s, x, lucid_cast(s, float_form(s, how ? how : 1, 0x1p24), LUCID_FLOAT32),
                    16777217, 16777216);
        lucid_tensor f = lucid_cast(s, float_form(s, 2, 0x1p24), LUCID_FLOAT32);
        compare_all(s, f, form(s, how, (1 << 24) + 1), 16777216, 16777217);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- ranges, shifts, means --------------------------------------------------------------------------- */

static void test_arange_of_integers_is_exact(void **state)
{
    (void)state;
    static const int64_t starts[] = {(INT64_C(1) << 53) + 1, (INT64_C(1) << 62) + 1, INT64_MAX - 3,
                                     INT64_MIN};
    lucid_scope *s = lucid_open(NULL);
    for (size_t i = 0; i < 4; i++) {
        lucid_tensor x = lucid_arange_int(s, starts[i], starts[i] + 3, 1, LUCID_NO_DTYPE);
        assert_int_equal(lucid_numel(x), 3);
        assert_true(lucid_item_int(s, lucid_select(s, x, 0, 2)) == starts[i] + 2);
    }
    lucid_tensor down = lucid_arange_int(s, INT64_MAX, INT64_MIN, INT64_MIN + 1, LUCID_INT64);
    assert_int_equal(lucid_numel(down), 3);
    assert_true(lucid_item_int(s, lucid_select(s, down, 0, 2)) == -INT64_MAX);
    assert_int_equal(lucid_numel(lucid_arange_int(s, 3, 0, 1, LUCID_INT64)), 0);
    assert_true(lucid_is_empty_handle(lucid_arange_int(s, INT64_MIN, INT64_MAX, 1, LUCID_INT64)));
    assert_int_equal(lucid_close(s), LUCID_VALUE_ERROR);
}

static void test_shift_counts_may_be_anything(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 31, 32, 63, 64, 1000, -1, INT32_MIN};
    lucid_scope *s = lucid_open(NULL);
    for (int wide = 0; wide < 2; wide++)
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            lucid_dtype dtype = wide ? LUCID_INT64 : LUCID_INT32;
            int64_t n = counts[i], bits = wide ? 64 : 32;
            bool inside = n >= 0 && n < bits;
            lucid_tensor count = lucid_scalar_int(s, n);
            lucid_tensor x =
                lucid_cast(s, lucid_full(s, LUCID_SHAPE(5), lucid_scalar_int(s, -8)), dtype);
            int64_t left = inside ? (int64_t)((uint64_t)-8 << n) : 0;
            if (!wide)
                left = (int32_t)left;
            int64_t right = inside ? INT64_C(-8) >> n : -1;
            lucid_tensor all[2] = {lucid_bitwise_left_shift(s, x, count),
                                   lucid_bitwise_right_shift(s, x, count)};
            assert_true(lucid_item_int(s, lucid_select(s, all[0], 0, 4)) == left);
            assert_true(lucid_item_int(s, lucid_select(s, all[1], 0, 4)) == right);
        }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_the_mean_of_integers_loses_nothing_to_single_precision(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    int64_t v[] = {(INT64_C(1) << 53) + 2, -(INT64_C(1) << 53), 2};
    lucid_tensor x = lucid_from_data(s, v, LUCID_INT64, LUCID_SHAPE(3));
    assert_true(lucid_item(s, lucid_mean(s, x, LUCID_ALL)) == (double)(4.0F / 3));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_keep_double_precision_among_themselves),
        cmocka_unit_test(test_numbers_keep_double_precision_through_builders),
        cmocka_unit_test(test_numbers_yield_to_tensors),
        cmocka_unit_test(test_numbers_pass_functions_in_full_precision),
        cmocka_unit_test(test_numbers_are_differentiated_in_full_precision),
        cmocka_unit_test(test_a_loop_takes_the_dtype_that_its_step_gives_to_a_number),
        cmocka_unit_test(test_a_scope_has_a_default_dtype),
        cmocka_unit_test(test_a_number_that_int32_cannot_hold_is_an_error),
        cmocka_unit_test(test_a_bound_that_int32_cannot_reach_clamps_nothing),
        cmocka_unit_test(test_comparisons_of_integers_and_floats_are_exact),
        cmocka_unit_test(test_comparisons_of_integers_do_not_wrap),
        cmocka_unit_test(test_arange_of_integers_is_exact),
        cmocka_unit_test(test_shift_counts_may_be_anything),
        cmocka_unit_test(test_the_mean_of_integers_loses_nothing_to_single_precision),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
