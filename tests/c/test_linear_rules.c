/* Rules of custom_jvp and custom_vjp that are linear through loops, and those that are not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

#define SAME(got, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), 1e-5)
#define RULE(name) \
    static lucid_status name(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user
#define FN(f, ny) lucid_fn_new(s, f, ny, NULL)

static lucid_tensor point(void)
{
    return lucid_from_data(s, (const float[]){1.5F, 2.5F}, LUCID_FLOAT32, LUCID_SHAPE(2));
}

/* ---- custom_jvp of 8 x, whose rule doubles the tangent three times --------------------------------- */

RULE(eight_times)
{
    UNUSED;
    y[0] = lucid_mul(t, x[0], lucid_scalar(t, 8));
    return lucid_error(t);
}

RULE(doubled)
{
    UNUSED;
    y[0] = lucid_add(t, x[1], x[1]); /* x[0] is the step */
    return lucid_error(t);
}

RULE(squared)
{
    UNUSED;
    y[0] = lucid_mul(t, x[1], x[1]);
    return lucid_error(t);
}

static lucid_status jvp_by(lucid_scope *t, lucid_function *step, const lucid_tensor *x,
                           lucid_tensor *y)
{
    y[0] = lucid_mul(t, x[0], lucid_scalar(t, 8));
    return lucid_fori(t, lucid_scalar_int(t, 0), lucid_scalar_int(t, 3),
                      lucid_fn_new(t, step, 1, NULL), &x[1], 1, NULL, &y[1]);
}

RULE(jvp_linear)
{
    UNUSED;
    return jvp_by(t, doubled, x, y);
}

RULE(jvp_not_linear)
{
    UNUSED;
    return jvp_by(t, squared, x, y);
}

RULE(jvp_affine)
{
    UNUSED;
    y[0] = lucid_mul(t, x[0], lucid_scalar(t, 8));
    y[1] = lucid_add(t, x[1], x[0]);
    return lucid_error(t);
}

static void test_loops_on_tangents(void **state)
{
    (void)state;
    const lucid_tensor x = point();
    lucid_fn f = lucid_custom_jvp(s, FN(eight_times, 1), FN(jvp_linear, 2));
    SAME(lucid_call1(s, lucid_jacrev(s, f, NULL), x), 8, 0, 0, 8);
    SAME(lucid_call1(s, lucid_jacfwd(s, f, NULL), x), 8, 0, 0, 8);
    lucid_fn compiled = lucid_compile(s, f, &x, 1, NULL);
    SAME(lucid_call1(s, lucid_jacrev(s, compiled, NULL), x), 8, 0, 0, 8);
}

static void refused(lucid_fn f, const char *message)
{
    (void)lucid_call1(s, f, point());
    assert_int_equal(lucid_error(s), LUCID_RUNTIME_ERROR);
    assert_non_null(strstr(lucid_error_message(s), message));
    lucid_clear_error(s);
}

static void test_rules_that_are_not_linear(void **state)
{
    (void)state;
    const char *message = "on a tangent, in which it is not linear";
    lucid_fn f = lucid_custom_jvp(s, FN(eight_times, 1), FN(jvp_not_linear, 2));
    refused(lucid_jacrev(s, f, NULL), message);
    f = lucid_custom_jvp(s, FN(eight_times, 1), FN(jvp_affine, 2));
    refused(lucid_jacrev(s, f, NULL), message);
}

/* ---- custom_vjp of 2 x: bwd solves w = w / 2 + ct --------------------------------------------------- */

RULE(twice)
{
    UNUSED;
    y[0] = lucid_mul(t, x[0], lucid_scalar(t, 2));
    return lucid_error(t);
}

/* The carry is w, and ct behind it. */
RULE(step)
{
    UNUSED;
    const lucid_tensor *w = x + nx - 2;
    y[0] = lucid_add(t, lucid_mul(t, w[0], lucid_scalar(t, 0.5)), w[1]);
    y[1] = w[1];
    return lucid_error(t);
}

RULE(bwd_counted)
{
    UNUSED;
    const lucid_tensor init[2] = {lucid_zeros_like(t, x[0]), x[0]};
    lucid_tensor out[2];
    if (lucid_fori(t, lucid_scalar_int(t, 0), lucid_scalar_int(t, 40),
                   lucid_fn_new(t, step, 2, NULL), init, 2, NULL, out) == LUCID_OK)
        y[0] = out[0];
    return lucid_error(t);
}

RULE(goes_on)
{
    UNUSED;
    lucid_tensor change = lucid_sub(t, lucid_mul(t, x[0], lucid_scalar(t, 0.5)), x[1]);
    y[0] = lucid_gt(t, lucid_amax(t, lucid_abs(t, change), LUCID_ALL), lucid_scalar(t, 1e-6));
    return lucid_error(t);
}

RULE(bwd_converging)
{
    UNUSED;
    const lucid_tensor init[2] = {lucid_zeros_like(t, x[0]), x[0]};
    lucid_tensor out[2];
    if (lucid_while(t, lucid_fn_new(t, goes_on, 1, NULL), lucid_fn_new(t, step, 2, NULL), init, 2,
                    NULL, out) == LUCID_OK)
        y[0] = out[0];
    return lucid_error(t);
}

static void test_forward_mode_through_bwd(void **state)
{
    (void)state;
    const lucid_tensor x = point();
    lucid_fn f = lucid_custom_vjp(s, FN(twice, 1), FN(twice, 1), FN(bwd_counted, 1), 1);
    SAME(lucid_call1(s, lucid_jacrev(s, f, NULL), x), 2, 0, 0, 2);
    SAME(lucid_call1(s, lucid_jacfwd(s, f, NULL), x), 2, 0, 0, 2);
    lucid_fn compiled = lucid_compile(s, f, &x, 1, NULL);
    SAME(lucid_call1(s, lucid_jacfwd(s, compiled, NULL), x), 2, 0, 0, 2);
    f = lucid_custom_vjp(s, FN(twice, 1), FN(twice, 1), FN(bwd_converging, 1), 1);
    SAME(lucid_call1(s, lucid_jacrev(s, f, NULL), x), 2, 0, 0, 2);
    refused(lucid_jacfwd(s, f, NULL), "custom_jvp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loops_on_tangents, begin, end),
        cmocka_unit_test_setup_teardown(test_rules_that_are_not_linear, begin, end),
        cmocka_unit_test_setup_teardown(test_forward_mode_through_bwd, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
