/* cond, switch, while, fori, scan and map: values, batches, derivatives both ways, against loops in C. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

/* ---- functions ---------------------------------------------------------------------------------------- */

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user, (void)s

FUNCTION(negate_it)
{
    UNUSED;
    y[0] = lucid_neg(s, x[0]);
    return LUCID_OK;
}

FUNCTION(root_it)
{
    UNUSED;
    y[0] = lucid_sqrt(s, x[0]);
    return LUCID_OK;
}

/* x > 0 ? sqrt(x) : -x */
FUNCTION(branching)
{
    UNUSED;
    lucid_fn t = lucid_fn_new(s, root_it, 1, NULL), f = lucid_fn_new(s, negate_it, 1, NULL);
    return lucid_cond(s, lucid_gt(s, x[0], lucid_scalar(s, 0)), t, f, x, 1, y, 1);
}

/* Newton for sqrt(a): x, a */
FUNCTION(newton_goes)
{
    UNUSED;
    lucid_tensor error = lucid_sub(s, lucid_mul(s, x[0], x[0]), x[1]);
    y[0] = lucid_gt(s, lucid_abs(s, error), lucid_mul(s, lucid_scalar(s, 1e-5), x[1]));
    return LUCID_OK;
}

FUNCTION(newton_step)
{
    UNUSED;
    lucid_tensor better = lucid_add(s, x[0], lucid_div(s, x[1], x[0]));
    y[0] = lucid_mul(s, better, lucid_scalar(s, 0.5));
    y[1] = x[1];
    return LUCID_OK;
}

FUNCTION(newton_root)
{
    UNUSED;
    lucid_fn goes = lucid_fn_new(s, newton_goes, 1, NULL);
    lucid_fn step = lucid_fn_new(s, newton_step, 2, NULL);
    lucid_tensor init[2] = {lucid_ones_like(s, x[0]), x[0]}, out[2];
    (void)lucid_while(s, goes, step, init, 2, user, out);
    y[0] = out[0];
    return LUCID_OK;
}

/* c' = tanh(w c + x), y = c' c */
FUNCTION(cell)
{
    UNUSED;
    const lucid_tensor *w = user;
    lucid_tensor c = lucid_tanh(s, lucid_add(s, lucid_mul(s, *w, x[0]), x[1]));
    y[0] = c;
    y[1] = lucid_mul(s, c, x[0]);
    return LUCID_OK;
}

/* (w, c, xs) to sum(ys) + carry */
FUNCTION(recurrence)
{
    UNUSED;
    lucid_tensor w = x[0], carry, ys;
    lucid_fn f = lucid_fn_new(s, cell, 2, &w);
    (void)lucid_scan(s, f, &x[1], 1, &x[2], 1, NULL, &carry, &ys, 1);
    y[0] = lucid_add(s, lucid_sum(s, ys, LUCID_ALL), carry);
    return LUCID_OK;
}

/* The same without scan. */
FUNCTION(unrolled)
{
    UNUSED;
    lucid_tensor w = x[0], c = x[1], sum = lucid_zeros_like(s, x[1]);
    for (int64_t t = 0; t < lucid_size(x[2], 0); t++) {
        lucid_tensor in[2] = {c, lucid_select(s, x[2], 0, t)}, out[2];
        (void)cell(s, in, 2, out, 2, &w);
        c = out[0];
        sum = lucid_add(s, sum, out[1]);
    }
    y[0] = lucid_add(s, sum, c);
    return LUCID_OK;
}

/* ---- comparing ---------------------------------------------------------------------------------------- */

static void near(lucid_scope *s, lucid_tensor x, const double *want, int64_t n, double tolerance)
{
    lucid_tensor wide = lucid_cast(s, x, LUCID_FLOAT64);
    const double *have = lucid_data(s, wide);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    assert_int_equal(lucid_numel(x), n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(have[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("element %d is %.10g, not %.10g", (int)i, have[i], want[i]);
}

static void alike(lucid_scope *s, lucid_tensor x, lucid_tensor y, double tolerance)
{
    const double *want = lucid_data(s, lucid_cast(s, y, LUCID_FLOAT64));
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    near(s, x, want, lucid_numel(y), tolerance);
}

static void test_cond(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, branching, 1, NULL);
    near(s, lucid_call1(s, f, lucid_scalar(s, 4)), (double[]){2}, 1, 1e-6);
    near(s, lucid_call1(s, f, lucid_scalar(s, -3)), (double[]){3}, 1, 1e-6);
    lucid_tensor x = LUCID_VECTOR(s, 4, -9, 16, -1, 0);
    near(s, lucid_call1(s, lucid_vmap(s, f, NULL), x), (double[]){2, 9, 4, 1, 0}, 5, 1e-6);
    /* sqrt'(-9) is NaN: it must not reach the gradient of the other branch. */
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
    near(s, lucid_call1(s, g, x), (double[]){0.25, -1, 0.125, -1, -1}, 5, 1e-6);
    lucid_fn h = lucid_vmap(s, lucid_grad(s, lucid_grad(s, f, NULL), NULL), NULL);
    near(s, lucid_call1(s, h, x), (double[]){-1.0 / 32, 0, -1.0 / 256, 0, 0}, 5, 1e-6);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_while(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, newton_root, 1, NULL);
    near(s, lucid_call1(s, f, lucid_scalar(s, 2)), (double[]){sqrt(2)}, 1, 1e-5);
    lucid_tensor x = LUCID_VECTOR(s, 4, 100, 9, 1e4f, 0.25f);
    const double root[] = {2, 10, 3, 100, 0.5}, slope[] = {0.25, 0.05, 1. / 6, 0.005, 1};
    near(s, lucid_call1(s, lucid_vmap(s, f, NULL), x), root, 5, 1e-4);
    lucid_tensor one = lucid_scalar(s, 1), v = lucid_scalar(s, 4), y, dy;
    (void)lucid_jvp(s, f, &v, &one, 1, &y, &dy, 1);
    near(s, dy, slope, 1, 1e-3);
    near(s, lucid_call1(s, lucid_grad(s, f, NULL), v), slope, 1, 1e-3);
    near(s, lucid_call1(s, lucid_vmap(s, lucid_jacfwd(s, f, NULL), NULL), x), slope, 5, 2e-2);
    near(s, lucid_call1(s, lucid_vmap(s, lucid_grad(s, f, NULL), NULL), x), slope, 5, 2e-2);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_checkpoints(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_while_options options = {.checkpoint_every = 3}, bound = {.max_steps = 20};
    lucid_tensor x = LUCID_VECTOR(s, 4, 100, 9, 1e4f, 0.25f);
    lucid_fn plain = lucid_grad(s, lucid_fn_new(s, newton_root, 1, NULL), NULL);
    lucid_fn some = lucid_grad(s, lucid_fn_new(s, newton_root, 1, &options), NULL);
    lucid_fn most = lucid_grad(s, lucid_fn_new(s, newton_root, 1, &bound), NULL);
    lucid_tensor want = lucid_call1(s, lucid_vmap(s, plain, NULL), x);
    alike(s, lucid_call1(s, lucid_vmap(s, some, NULL), x), want, 1e-6);
    alike(s, lucid_call1(s, lucid_vmap(s, most, NULL), x), want, 1e-6);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_scan(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, recurrence, 1, NULL), u = lucid_fn_new(s, unrolled, 1, NULL);
    lucid_tensor x[3] = {lucid_scalar(s, 0.7), lucid_scalar(s, 0.2),
                         lucid_randn(s, LUCID_SHAPE(6))};
    lucid_tensor a, b, ga[3], gb[3];
    (void)lucid_call(s, f, x, 3, &a, 1);
    (void)lucid_call(s, u, x, 3, &b, 1);
    alike(s, a, b, 1e-6);
    const lucid_grad_options all = {.argnums = LUCID_INTS(0, 1, 2)};
    (void)lucid_call(s, lucid_grad(s, f, &all), x, 3, ga, 3);
    (void)lucid_call(s, lucid_grad(s, u, &all), x, 3, gb, 3);
    for (int i = 0; i < 3; i++)
        alike(s, ga[i], gb[i], 1e-5);
    lucid_tensor hx[9], hy[9];
    (void)lucid_call(s, lucid_hessian(s, f, &all), x, 3, hx, 9);
    (void)lucid_call(s, lucid_hessian(s, u, &all), x, 3, hy, 9);
    for (int i = 0; i < 9; i++)
        alike(s, hx[i], hy[i], 1e-5);
    /* batches: of every argument, of some */
    lucid_tensor bx[3] = {lucid_randn(s, LUCID_SHAPE(4)), lucid_randn(s, LUCID_SHAPE(4)),
                          lucid_randn(s, LUCID_SHAPE(4, 6))};
    const lucid_vmap_options some = {.in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, 0)};
    for (int way = 0; way < 2; way++) {
        lucid_tensor in[3] = {way ? x[0] : bx[0], way ? x[1] : bx[1], bx[2]};
        const lucid_vmap_options *options = way ? &some : NULL;
        (void)lucid_call(s, lucid_vmap(s, f, options), in, 3, &a, 1);
        (void)lucid_call(s, lucid_vmap(s, u, options), in, 3, &b, 1);
        alike(s, a, b, 1e-6);
        (void)lucid_call(s, lucid_vmap(s, lucid_grad(s, f, &all), options), in, 3, ga, 3);
        (void)lucid_call(s, lucid_vmap(s, lucid_grad(s, u, &all), options), in, 3, gb, 3);
        for (int i = 0; i < 3; i++)
            alike(s, ga[i], gb[i], 1e-5);
        (void)lucid_call(s, lucid_vmap(s, lucid_hessian(s, f, &all), options), in, 3, hx, 9);
        (void)lucid_call(s, lucid_vmap(s, lucid_hessian(s, u, &all), options), in, 3, hy, 9);
        for (int i = 0; i < 9; i++)
            alike(s, hx[i], hy[i], 1e-5);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cond),
        cmocka_unit_test(test_while),
        cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
