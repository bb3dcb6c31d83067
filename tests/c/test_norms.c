/* Norms and what is made of them where formulas would divide by 0, overflow or cancel: at 0 once more, at the
 * ends of the exponents, of numbers that are close to each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

/* ---- functions ----------------------------------------------------------------------------------- */

static lucid_tensor norm_of(lucid_scope *t, lucid_tensor x)
{
    return lucid_norm(t, x, 2, LUCID_ALL);
}

static lucid_tensor guarded(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor n = lucid_mul(t, norm_of(t, x), lucid_scalar(t, 2));
    lucid_tensor none = lucid_eq(t, n, lucid_scalar(t, 0)), one = lucid_scalar(t, 1);
    lucid_tensor unit = lucid_div(t, x, lucid_where(t, none, one, n));
    return lucid_where(t, none, lucid_scalar(t, 0), lucid_sum(t, unit, LUCID_ALL));
}

FUNCTION(f_square, lucid_square(s, norm_of(s, x[0])))
FUNCTION(f_product, lucid_mul(s, norm_of(s, x[0]), norm_of(s, x[0])))
FUNCTION(f_power, lucid_pow(s, norm_of(s, x[0]), lucid_scalar_int(s, 2)))
FUNCTION(f_cos, lucid_cos(s, norm_of(s, x[0])))
FUNCTION(f_std, lucid_square(s, lucid_std(s, x[0], LUCID_ALL, 0)))
FUNCTION(f_guarded, guarded(s, x[0]))
FUNCTION(f_unit, lucid_sum(s, lucid_div(s, x[0], norm_of(s, x[0])), LUCID_ALL))
FUNCTION(f_norm, norm_of(s, x[0]))

FUNCTION(f_std_all, lucid_std(s, x[0], LUCID_ALL, 0))
FUNCTION(f_norm3, lucid_norm(s, x[0], 3, LUCID_ALL))
FUNCTION(f_amax, lucid_amax(s, x[0], LUCID_ALL))
FUNCTION(f_amin, lucid_amin(s, x[0], LUCID_ALL))
FUNCTION(f_maximum, lucid_maximum(s, lucid_select(s, x[0], 0, 0), lucid_select(s, x[0], 0, 1)))
FUNCTION(f_minimum, lucid_minimum(s, lucid_select(s, x[0], 0, 0), lucid_select(s, x[0], 0, 1)))
FUNCTION(f_prod, lucid_prod(s, x[0], LUCID_ALL))

static lucid_scope *s;

static int begin(void **state)
{
    (void)state;
    s = lucid_open(NULL);
    return s == NULL;
}

static int end(void **state)
{
    (void)state;
    return lucid_close(s) != LUCID_OK;
}

#define F32(...) lucid_cast(s, VECTOR(s, __VA_ARGS__), LUCID_FLOAT32)
#define SAME(got, tolerance, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), (tolerance))

/* ---- twice at 0 --------------------------------------------------------------------------------- */

static lucid_tensor slope(lucid_function *f, lucid_tensor x)
{
    return lucid_call1(s, lucid_grad(s, lucid_fn_new(s, f, 1, NULL), NULL), x);
}

static lucid_fn second(lucid_function *f, int how, lucid_tensor x)
{
    lucid_fn g = lucid_fn_new(s, f, 1, NULL);
    switch (how) {
    case 0:
        return lucid_hessian(s, g, NULL);
    case 1:
        return lucid_jacrev(s, lucid_grad(s, g, NULL), NULL);
    case 2:
        return lucid_jacfwd(s, lucid_jacfwd(s, g, NULL), NULL);
    case 3:
        return lucid_jacrev(s, lucid_jacfwd(s, g, NULL), NULL);
    case 4:
        return lucid_hessian(s, lucid_compile(s, g, &x, 1, NULL), NULL);
    default:
        return lucid_compile(s, lucid_hessian(s, g, NULL), &x, 1, NULL);
    }
}

enum { WAYS = 6 };

static void test_second_derivatives_at_0(void **state)
{
    (void)state;
    for (int how = 0; how < WAYS; how++)
        for (int wide = 0; wide < 2; wide++) {
            lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(2));
            if (wide)
                x = lucid_cast(s, x, LUCID_FLOAT64);
            SAME(lucid_call1(s, second(f_square, how, x), x), 0, 2, 0, 0, 2);
            SAME(lucid_call1(s, second(f_product, how, x), x), 0, 2, 0, 0, 2);
            SAME(lucid_call1(s, second(f_power, how, x), x), 0, 2, 0, 0, 2);
            SAME(lucid_call1(s, second(f_cos, how, x), x), 0, -1, 0, 0, -1);
            SAME(lucid_call1(s, second(f_std, how, x), x), 0, 0.5, -0.5, -0.5, 0.5);
            SAME(lucid_call1(s, second(f_guarded, how, x), x), 0, 0, 0, 0, 0);
            SAME(lucid_call1(s, second(f_unit, how, x), x), 0, NAN, NAN, NAN, NAN);
            assert_true(elements(s, lucid_call1(s, second(f_norm, how, x), x))[0] > 1e12);
        }
}

static void test_second_derivatives_of_some_examples_at_0(void **state)
{
    (void)state;
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 0, 0, 3, 4), LUCID_SHAPE(2, 2));
    for (int how = 0; how < WAYS; how++)
        SAME(
            lucid_call1(s, lucid_vmap(s, second(f_square, how, lucid_select(s, x, 0, 0)), NULL), x),
            1e-15, 2, 0, 0, 2, 2, 0, 0, 2);
}

static void test_third_derivatives_at_0(void **state)
{
    (void)state;
    lucid_function *const fs[] = {f_square, f_cos};
    for (int i = 0; i < 2; i++)
        for (int how = 0; how < WAYS; how++) {
            lucid_tensor x = VECTOR(s, 0, 0);
            lucid_fn third = lucid_jacfwd(s, second(fs[i], how, x), NULL);
            SAME(lucid_call1(s, third, x), 0, 0, 0, 0, 0, 0, 0, 0, 0);
            x = F32(0, 0);
            third = lucid_jacfwd(s, second(fs[i], how, x), NULL);
            SAME(lucid_call1(s, third, x), 0, 0, 0, 0, 0, 0, 0, 0, 0);
        }
}

static void test_first_derivatives_and_values_at_0(void **state)
{
    (void)state;
    lucid_tensor x = VECTOR(s, 0, 0);
    SAME(norm_of(s, x), 0, 0);
    SAME(slope(f_norm, x), 0, 0, 0);
    SAME(lucid_call1(s, lucid_jacfwd(s, lucid_fn_new(s, f_norm, 1, NULL), NULL), x), 0, 0, 0);
    SAME(slope(f_guarded, x), 0, 0, 0);
}

/* ---- the ends of the exponents -------------------------------------------------------------------- */

static void close_to(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.17g, expected %.17g", got, want);
}

static double first_of(lucid_tensor x)
{
    return elements(s, x)[0];
}

static void test_squares_neither_overflow_nor_vanish(void **state)
{
    (void)state;
    lucid_function *const fs[] = {f_norm, f_norm3, f_std_all};
    const double sizes[] = {1e-30, 1e-18, 1, 1e18, 3e37},
                 wide_sizes[] = {1e-290, 1e-160, 1e160, 1e300};
    for (int i = 0; i < 3; i++) {
        lucid_fn f = lucid_fn_new(s, fs[i], 1, NULL);
        double one = first_of(lucid_call1(s, f, VECTOR(s, 3, 1, -2)));
        const double *want = elements(s, slope(fs[i], VECTOR(s, 3, 1, -2)));
        for (int k = 0; k < 5; k++) {
            lucid_tensor x = F32(3 * sizes[k], sizes[k], -2 * sizes[k]);
            double got = first_of(lucid_call1(s, f, x)) / sizes[k];
            close_to(got, one, 1e-6 * one);
            same_elements(s, "the gradient", slope(fs[i], x), want, 1e-6);
        }
        for (int k = 0; k < 4; k++) {
            double m = wide_sizes[k];
            double got = first_of(lucid_call1(s, f, VECTOR(s, 3 * m, m, -2 * m))) / m;
            close_to(got, one, 1e-14 * one);
            same_elements(s, "the gradient", slope(fs[i], VECTOR(s, 3 * m, m, -2 * m)), want,
                          1e-14);
        }
    }
    SAME(lucid_std(s, F32(3e38, 1), LUCID_ALL, 0), 1e-6, 1.5e38);
    assert_true(isinf(first_of(norm_of(s, F32(3e38, 3e38)))));
}

/* ---- close to each other -------------------------------------------------------------------------- */

static void test_variance_of_numbers_that_are_close(void **state)
{
    (void)state;
    enum { N = 3000 };
    lucid_tensor i = lucid_arange(s, 0, N, 1, LUCID_FLOAT64);
    lucid_tensor noise = lucid_sin(s, lucid_mul(s, lucid_square(s, i), lucid_scalar(s, 0.37)));
    const double offsets[] = {1e4, 1.7e9};
    const double widths[] = {0.1, 1000};
    for (int k = 0; k < 2; k++) {
        lucid_tensor x = lucid_add(s, lucid_scalar(s, offsets[k]),
                                   lucid_mul(s, noise, lucid_scalar(s, widths[k])));
        x = lucid_cast(s, x, LUCID_FLOAT32);
        double want = first_of(lucid_var(s, lucid_cast(s, x, LUCID_FLOAT64), LUCID_ALL, 1));
        close_to(first_of(lucid_var(s, x, LUCID_ALL, 1)), want, 1e-5 * want);
        close_to(first_of(lucid_std(s, x, LUCID_ALL, 1)), sqrt(want), 1e-5 * sqrt(want));
    }
}

static void test_statistics_of_copies_of_a_number(void **state)
{
    (void)state;
    const double numbers[] = {0.1, 1e5, 1.0 / 3, -7e19, 3e38};
    for (int k = 0; k < 5; k++)
        for (int64_t n = 1; n < 3000; n = 3 * n + 1)
            for (int wide = 0; wide < 2; wide++) {
                lucid_tensor c = wide ? VECTOR(s, numbers[k]) : F32(numbers[k]);
                lucid_tensor x = lucid_expand(s, c, LUCID_SHAPE(n));
                SAME(lucid_mean(s, x, LUCID_ALL), 0, first_of(c));
                SAME(lucid_var(s, x, LUCID_ALL, 0), 0, 0);
                SAME(lucid_std(s, x, LUCID_ALL, 0), 0, 0);
                lucid_tensor none = {NULL};
                SAME(lucid_amax(s, lucid_abs(s, lucid_layer_norm(s, x, 1, none, none, 1e-5)),
                                LUCID_ALL),
                     0, 0);
            }
    SAME(lucid_mean(s, VECTOR(s, INFINITY, 1), LUCID_ALL), 0, INFINITY);
    SAME(lucid_mean(s, F32(INFINITY, 1), LUCID_ALL), 0, INFINITY);
    SAME(lucid_mean(s, VECTOR(s, 1e308, 1.2e308), LUCID_ALL), 1e-15, 1.1e308);
}

/* ---- extremes and products ------------------------------------------------------------------------ */

static void test_the_derivative_of_an_extreme_goes_to_a_nan(void **state)
{
    (void)state;
    SAME(slope(f_amax, VECTOR(s, 1, NAN, 3)), 0, 0, 1, 0);
    SAME(slope(f_amin, VECTOR(s, 1, NAN, NAN)), 0, 0, 0.5, 0.5);
    SAME(slope(f_amax, VECTOR(s, 3, 1, 3)), 0, 0.5, 0, 0.5);
    SAME(slope(f_maximum, VECTOR(s, NAN, 3)), 0, 1, 0);
    SAME(slope(f_minimum, VECTOR(s, 3, NAN)), 0, 0, 1);
    SAME(slope(f_maximum, VECTOR(s, 3, 3)), 0, 0.5, 0.5);
    SAME(lucid_call1(s, second(f_amax, 0, VECTOR(s, 3, 3)), VECTOR(s, 3, 3)), 0, 0, 0, 0, 0);
}

static void test_second_derivatives_of_products_with_zeros(void **state)
{
    (void)state;
    for (int how = 0; how < WAYS; how++) {
        lucid_tensor x = VECTOR(s, 2, 3, 5);
        SAME(lucid_call1(s, second(f_prod, how, x), x), 0, 0, 5, 3, 5, 0, 2, 3, 2, 0);
        x = VECTOR(s, 2, 0, 5);
        SAME(lucid_call1(s, second(f_prod, how, x), x), 0, 0, 5, 0, 5, 0, 2, 0, 2, 0);
        x = VECTOR(s, 0, 3, 0);
        SAME(lucid_call1(s, second(f_prod, how, x), x), 0, 0, 0, 3, 0, 0, 0, 3, 0, 0);
        x = VECTOR(s, 0, 0, 0);
        SAME(lucid_call1(s, second(f_prod, how, x), x), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_derivatives_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_second_derivatives_of_some_examples_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_third_derivatives_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_first_derivatives_and_values_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_squares_neither_overflow_nor_vanish, begin, end),
        cmocka_unit_test_setup_teardown(test_variance_of_numbers_that_are_close, begin, end),
        cmocka_unit_test_setup_teardown(test_statistics_of_copies_of_a_number, begin, end),
        cmocka_unit_test_setup_teardown(test_the_derivative_of_an_extreme_goes_to_a_nan, begin,
                                        end),
        cmocka_unit_test_setup_teardown(test_second_derivatives_of_products_with_zeros, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
