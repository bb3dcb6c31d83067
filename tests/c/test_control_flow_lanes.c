/* Control flow under several transforms at once: which results depend on which lanes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"
#include "support/both_ways.h"

static void near(lucid_scope *s, lucid_tensor x, const double *want, int64_t n)
{
    lucid_tensor wide = lucid_cast(s, x, LUCID_FLOAT64);
    const double *have = lucid_data(s, wide);
    check(s);
    assert_int_equal(lucid_numel(x), n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(have[i] - want[i]) <= 1e-6 * (1 + fabs(want[i]))))
            fail_msg("element %d is %.10g, not %.10g", (int)i, have[i], want[i]);
}

static void has_shape(lucid_tensor x, int ndim, int64_t first, int64_t second)
{
    assert_int_equal(lucid_ndim(x), ndim);
    assert_int_equal(lucid_size(x, 0), first);
    if (ndim > 1)
        assert_int_equal(lucid_size(x, 1), second);
}

/* ---- loops of which only a part depends on the lanes -------------------------------------------------- */

/* (x, w) to (x w, sin w) */
FUNCTION(step)
{
    UNUSED;
    y[0] = lucid_mul(s, x[0], x[1]);
    y[1] = lucid_sin(s, x[1]);
    return LUCID_OK;
}

/* (i, x, w): the same */
FUNCTION(counted_step)
{
    UNUSED;
    return step(s, x + 1, 2, y, 2, NULL);
}

/* (i, x, w): three such steps in one */
FUNCTION(steps_inside)
{
    UNUSED;
    return lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 3),
                      lucid_fn_new(s, counted_step, 2, NULL), x + 1, 2, NULL, y);
}

FUNCTION(w_is_large)
{
    UNUSED;
    y[0] = lucid_gt(s, x[1], NUM(0.8));
    return LUCID_OK;
}

FUNCTION(swapped_sign)
{
    UNUSED;
    y[0] = lucid_neg(s, x[0]);
    y[1] = lucid_neg(s, x[1]);
    return LUCID_OK;
}

enum { FORI, NESTED, WHILE, COND, LOOPS };

/* (w, x) to (x', w'), of which w' does not depend on x. */
FUNCTION(loop_of_two)
{
    UNUSED;
    const lucid_tensor in[2] = {x[1], x[0]};
    switch (*(const int *)user) {
    case FORI:
        return lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 3),
                          lucid_fn_new(s, counted_step, 2, NULL), in, 2, NULL, y);
    case NESTED:
        return lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 1),
                          lucid_fn_new(s, steps_inside, 2, NULL), in, 2, NULL, y);
    case WHILE:
        return lucid_while(s, lucid_fn_new(s, w_is_large, 1, NULL), lucid_fn_new(s, step, 2, NULL),
                           in, 2, NULL, y);
    default:
        return lucid_cond(s, lucid_gt(s, x[0], NUM(1.5)), lucid_fn_new(s, swapped_sign, 2, NULL),
                          lucid_fn_new(s, step, 2, NULL), in, 2, y, 2);
    }
}

static double w_after(int loop, double w)
{
    if (loop == COND)
        return w > 1.5 ? -w : sin(w);
    for (int i = 0; loop == WHILE ? w > 0.8 : i < 3; i++)
        w = sin(w);
    return w;
}

/* No x at all: what depends on w alone is still there, for each w. */
static void test_no_lanes(void **state)
{
    (void)state;
    for (int loop = 0; loop < LOOPS; loop++) {
        lucid_scope *s = lucid_open(NULL);
        const lucid_vmap_options inner = {.in_dims = LUCID_INTS(LUCID_NONE, 0),
                                          .out_dims = LUCID_INTS(0, LUCID_NONE)},
                                 outer = {.in_dims = LUCID_INTS(0, LUCID_NONE)};
        lucid_fn f = lucid_vmap(s, lucid_fn_new(s, loop_of_two, 2, &loop), &inner);
        const double ws[] = {0.5, 1, 2};
        lucid_tensor none = lucid_from_data(s, ws, LUCID_FLOAT64, LUCID_SHAPE(0)), y[2];
        double after[3], slope[9] = {0};
        for (int i = 0; i < 3; i++) {
            after[i] = w_after(loop, ws[i]);
            slope[4 * i] = (w_after(loop, ws[i] + 1e-6) - w_after(loop, ws[i] - 1e-6)) / 2e-6;
            lucid_tensor w = lucid_from_data(s, &ws[i], LUCID_FLOAT64, LUCID_SCALAR_SHAPE);
            apply(s, f, (lucid_tensor[]){w, none}, 2, y, 2);
            has_shape(y[0], 1, 0, 0);
            near(s, y[1], &after[i], 1);
        }
        lucid_tensor in[2] = {lucid_from_data(s, ws, LUCID_FLOAT64, LUCID_SHAPE(3)), none};
        apply(s, lucid_vmap(s, f, &outer), in, 2, y, 2);
        has_shape(y[0], 2, 3, 0);
        near(s, y[1], after, 3);
        lucid_fn many = lucid_vmap(s, f, &outer);
        apply(s, lucid_jacfwd(s, many, NULL), in, 2, y, 2);
        near(s, y[1], slope, 9);
        apply(s, lucid_jacrev(s, many, NULL), in, 2, y, 2);
        near(s, y[1], slope, 9);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- values are asked where tangents have lanes ---------------------------------------------------------- */

/* f(x) by a loop and a loop inside, and then by what the value is. */
FUNCTION(asking)
{
    UNUSED;
    int loop = *(const int *)user;
    lucid_tensor in[2] = {x[0], lucid_sin(s, x[0])}, out[2];
    if (loop_of_two(s, in, 2, out, 2, &loop) != LUCID_OK)
        return lucid_error(s);
    y[0] = lucid_bool(s, lucid_gt(s, out[1], NUM(0.3))) ? lucid_mul(s, out[0], out[1])
                                                        : lucid_neg(s, out[0]);
    return lucid_error(s);
}

/* A derivative of a loop inside, and then by what it is. */
FUNCTION(asking_a_derivative)
{
    UNUSED;
    lucid_fn inner = lucid_jacfwd(s, lucid_fn_new(s, asking, 1, user), NULL);
    lucid_tensor d = lucid_call1(s, inner, x[0]);
    y[0] = lucid_bool(s, lucid_gt(s, d, NUM(0))) ? lucid_sin(s, d) : lucid_mul(s, d, x[0]);
    return lucid_error(s);
}

static void test_asking(void **state)
{
    (void)state;
    for (int loop = 0; loop < LOOPS; loop++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_from_data(s, (double[]){1.2}, LUCID_FLOAT64, LUCID_SCALAR_SHAPE), h;
        lucid_fn f[2] = {lucid_fn_new(s, asking, 1, &loop),
                         lucid_fn_new(s, asking_a_derivative, 1, &loop)};
        h = lucid_scalar(s, 1e-6);
        for (int k = 0; k < 2; k++) {
            lucid_fn g = lucid_grad(s, f[k], NULL);
            lucid_tensor more = lucid_call1(s, f[k], lucid_add(s, x, h)),
                         less = lucid_call1(s, f[k], lucid_sub(s, x, h));
            double slope = (lucid_item(s, more) - lucid_item(s, less)) / 2e-6;
            more = lucid_call1(s, g, lucid_add(s, x, h));
            less = lucid_call1(s, g, lucid_sub(s, x, h));
            double curve = (lucid_item(s, more) - lucid_item(s, less)) / 2e-6;
            near(s, lucid_call1(s, lucid_jacfwd(s, f[k], NULL), x), &slope, 1);
            near(s, lucid_call1(s, lucid_jacrev(s, f[k], NULL), x), &slope, 1);
            near(s, lucid_call1(s, lucid_hessian(s, f[k], NULL), x), &curve, 1);
        }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- one value in several roles ------------------------------------------------------------------------- */

/* A value that is the carry's first value, and captured, but met only together with a row that may be empty. */
typedef struct captured {
    int loop;
    lucid_tensor c, row;
} captured;

FUNCTION(sum_of_both)
{
    UNUSED;
    const captured *k = user;
    y[0] = lucid_sum(s, lucid_add(s, k->c, k->row), LUCID_ALL);
    return LUCID_OK;
}

FUNCTION(sum_and_count)
{
    UNUSED;
    y[1] = lucid_add(s, x[1], NUM(1));
    return sum_of_both(s, NULL, 0, y, 1, user);
}

FUNCTION(few_counted)
{
    UNUSED;
    y[0] = lucid_lt(s, x[1], NUM(2));
    return LUCID_OK;
}

/* (carry, row) to (sum(c + row), carry) */
FUNCTION(sum_and_keep)
{
    UNUSED;
    const captured *k = user;
    y[0] = lucid_sum(s, lucid_add(s, k->c, x[1]), LUCID_ALL);
    y[1] = x[0];
    return LUCID_OK;
}

/* A row to c + sum(c + row) */
FUNCTION(sum_onto_captured)
{
    UNUSED;
    const captured *k = user;
    y[0] = lucid_add(s, k->c, lucid_sum(s, lucid_add(s, k->c, x[0]), LUCID_ALL));
    return LUCID_OK;
}

FUNCTION(the_carry)
{
    UNUSED;
    y[0] = x[0];
    return LUCID_OK;
}

enum { SCAN_OF_TWO = LOOPS, MAP_OF_TWO, ALL_LOOPS };

/* (c, xs of two rows) to what the loop makes of it. */
FUNCTION(loop_of_captured)
{
    UNUSED;
    captured k = {.loop = *(const int *)user, .c = x[0], .row = lucid_select(s, x[1], 0, 0)};
    const lucid_tensor zero = lucid_cast(s, NUM(0), lucid_dtype_of(x[0]));
    const lucid_tensor carry[2] = {x[0], zero};
    lucid_tensor last;
    lucid_fn step = lucid_fn_new(s, sum_and_keep, 2, &k);
    switch (k.loop) {
    case FORI:
    case NESTED:
        return lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, k.loop == NESTED),
                          lucid_fn_new(s, sum_of_both, 1, &k), carry, 1, NULL, y);
    case WHILE:
        return lucid_while(s, lucid_fn_new(s, few_counted, 1, NULL),
                           lucid_fn_new(s, sum_and_count, 2, &k), carry, 2, NULL, y);
    case COND:
        return lucid_cond(s, lucid_gt(s, x[0], NUM(0.5)), lucid_fn_new(s, the_carry, 1, NULL),
                          lucid_fn_new(s, sum_of_both, 1, &k), x, 1, y, 1);
    case SCAN_OF_TWO:
        return lucid_scan(s, step, carry, 1, &x[1], 1, NULL, &last, y, 1);
    default:
        return lucid_map(s, lucid_fn_new(s, sum_onto_captured, 1, &k), &x[1], 1, y, 1);
    }
}

/* Each result from c and the number of elements of a row, all of which are 1. */
static void what_comes_out(int loop, double c, int64_t n, double *want)
{
    double sum = (c + 1) * (double)n;
    want[0] = loop == FORI || loop == SCAN_OF_TWO || (loop == COND && c > 0.5) ? c
              : loop == MAP_OF_TWO                                             ? c + sum
                                                                               : sum;
    want[1] = loop == WHILE ? 2 : loop == MAP_OF_TWO ? c + sum : sum;
}

static void test_captured_carry_and_empty_rows(void **state)
{
    (void)state;
    for (int loop = 0; loop < ALL_LOOPS; loop++)
        for (int64_t n = 0; n < 3; n++)
            for (int lanes = 0; lanes < 2; lanes++) {
                lucid_scope *s = lucid_open(NULL);
                const double c[2] = {0.2, 0.7};
                lucid_tensor in[2] = {
                    lucid_from_data(s, c, LUCID_FLOAT64,
                                    lanes ? LUCID_SHAPE(2) : LUCID_SCALAR_SHAPE),
                    lucid_cast(s, lucid_ones(s, LUCID_SHAPE(2, n)), LUCID_FLOAT64)};
                lucid_tensor y[2];
                lucid_fn f = lucid_fn_new(s, loop_of_captured, loop == WHILE ? 2 : 1, &loop);
                const lucid_vmap_options options = {.in_dims = LUCID_INTS(0, LUCID_NONE)};
                both(s, "a captured carry", lanes ? lucid_vmap(s, f, &options) : f, in, 2, y,
                     loop == WHILE ? 2 : 1);
                for (int lane = 0; lane < 1 + lanes; lane++) {
                    double want[2];
                    what_comes_out(loop, c[lane], n, want);
                    lucid_tensor one = lanes ? lucid_select(s, y[0], 0, lane) : y[0];
                    near(s, one, want, lucid_numel(one));
                }
                assert_int_equal(lucid_close(s), LUCID_OK);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_lanes),
        cmocka_unit_test(test_asking),
        cmocka_unit_test(test_captured_carry_and_empty_rows),
    };
    return cmocka_run_group_tests_name("control flow and lanes", tests, NULL, NULL);
}
