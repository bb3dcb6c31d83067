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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_derivatives_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_second_derivatives_of_some_examples_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_third_derivatives_at_0, begin, end),
        cmocka_unit_test_setup_teardown(test_first_derivatives_and_values_at_0, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
