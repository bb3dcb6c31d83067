/* lucid_no_grad_begin inside functions that are transformed: what is computed there is constant to them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

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

#define SAME(got, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), 1e-6)

/* sum of x (x x), the second factor without derivatives. */
static lucid_status cube(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_no_grad_begin(t);
    lucid_tensor square = lucid_mul(t, x[0], x[0]);
    lucid_no_grad_end(t);
    y[0] = lucid_sum(t, lucid_mul(t, x[0], square), LUCID_ALL);
    return lucid_error(t);
}

/* The same, in the step of a loop. */
static lucid_status step(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_no_grad_begin(t);
    lucid_tensor factor = lucid_mul(t, x[1], lucid_scalar(t, 2));
    lucid_no_grad_end(t);
    y[0] = lucid_mul(t, x[1], factor);
    return lucid_error(t);
}

static lucid_status loop(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor out;
    if (lucid_fori(t, lucid_scalar_int(t, 0), lucid_scalar_int(t, 2),
                   lucid_fn_new(t, step, 1, NULL), x, 1, NULL, &out) == LUCID_OK)
        y[0] = lucid_sum(t, out, LUCID_ALL);
    return lucid_error(t);
}

static lucid_status fails(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user, (void)y;
    lucid_no_grad_begin(t);
    (void)lucid_add(t, x[0], lucid_ones(t, LUCID_SHAPE(7)));
    return lucid_error(t);
}

static lucid_fn fn(lucid_function *f)
{
    return lucid_fn_new(s, f, 1, NULL);
}

static lucid_tensor point(void)
{
    return lucid_from_data(s, (const float[]){1.5F, 2.5F}, LUCID_FLOAT32, LUCID_SHAPE(2));
}

static void test_derivatives(void **state)
{
    (void)state;
    const lucid_tensor x = point(), ones = lucid_ones(s, LUCID_SHAPE(2));
    lucid_tensor y, dy;
    SAME(lucid_call1(s, lucid_grad(s, fn(cube), NULL), x), 2.25, 6.25);
    SAME(lucid_call1(s, lucid_jacrev(s, fn(cube), NULL), x), 2.25, 6.25);
    SAME(lucid_call1(s, lucid_jacfwd(s, fn(cube), NULL), x), 2.25, 6.25);
    SAME(lucid_call1(s, lucid_hessian(s, fn(cube), NULL), x), 0, 0, 0, 0);
    assert_int_equal(lucid_jvp(s, fn(cube), &x, &ones, 1, &y, &dy, 1), LUCID_OK);
    SAME(dy, 8.5);
    SAME(lucid_call1(s, lucid_vjp(s, fn(cube), &x, 1, &y, 1), lucid_scalar(s, 1)), 2.25, 6.25);
    SAME(lucid_call1(s, lucid_linearize(s, fn(cube), &x, 1, &y, 1), ones), 8.5);
}

static void test_recorded(void **state)
{
    (void)state;
    const lucid_tensor x = point();
    /* Of y = a (2 a), a = x (2 x), with the second factors constant: (2 a) (2 x). */
    SAME(lucid_call1(s, lucid_grad(s, fn(loop), NULL), x), 8 * 1.5 * 1.5 * 1.5,
         8 * 2.5 * 2.5 * 2.5);
    lucid_fn compiled = lucid_compile(s, fn(cube), &x, 1, NULL);
    SAME(lucid_call1(s, lucid_grad(s, compiled, NULL), x), 2.25, 6.25);
    compiled = lucid_compile(s, lucid_jacfwd(s, fn(cube), NULL), &x, 1, NULL);
    SAME(lucid_call1(s, compiled, x), 2.25, 6.25);
}

static void test_around(void **state)
{
    (void)state;
    lucid_no_grad_begin(s);
    SAME(lucid_call1(s, lucid_grad(s, fn(cube), NULL), point()), 2.25, 6.25);
    lucid_no_grad_end(s);
}

static void test_after_an_error(void **state)
{
    (void)state;
    (void)lucid_call1(s, fn(fails), point());
    assert_int_equal(lucid_error(s), LUCID_VALUE_ERROR);
    lucid_clear_error(s);
    assert_true(lucid_is_recorded(lucid_neg(s, lucid_requires_grad(s, point()))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_derivatives, begin, end),
        cmocka_unit_test_setup_teardown(test_recorded, begin, end),
        cmocka_unit_test_setup_teardown(test_around, begin, end),
        cmocka_unit_test_setup_teardown(test_after_an_error, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
