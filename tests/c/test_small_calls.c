/* What makes small calls cheap, where it could be noticed: references that move instead of being counted, numbers that
 * repeat themselves, numbers for levels and records that a session takes by the block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"
#include "support/compare.h"

static uint64_t live_before;

static int remember(void **state)
{
    live_before = lucid_get_stats().bytes_live;
    *state = lucid_open(NULL);
    return 0;
}

static int nothing_left(void **state)
{
    lucid_scope *s = *state;
    bool ok = lucid_close(s) == LUCID_OK;
    return ok && lucid_get_stats().bytes_live == live_before ? 0 : -1;
}

#define RULE(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define LISTING(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y, \
                             void *user)

/* ---- references ---------------------------------------------------------------------------------- */

/* A result is still there for who returned it, and can be returned again. */
LISTING(pushes_and_goes_on)
{
    (void)nx, (void)user;
    lucid_tensor square = lucid_square(s, x[0]);
    (void)lucid_results_push(s, y, square);
    lucid_tensor cube = lucid_mul(s, square, x[0]);
    (void)lucid_results_push(s, y, cube);
    (void)lucid_results_push(s, y, square);
    (void)lucid_results_push(s, y, x[0]);
    (void)lucid_results_push(s, y, lucid_add(s, square, cube));
    return lucid_error(s);
}

static void check_five(lucid_scope *s, const lucid_tensor *y)
{
    check_values(s, y[0], LUCID_SHAPE(2), (double[]){4, 9});
    check_values(s, y[1], LUCID_SHAPE(2), (double[]){8, 27});
    check_values(s, y[2], LUCID_SHAPE(2), (double[]){4, 9});
    check_values(s, y[3], LUCID_SHAPE(2), (double[]){2, 3});
    check_values(s, y[4], LUCID_SHAPE(2), (double[]){12, 36});
}

static void test_results_stay_usable(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = LUCID_VECTOR(s, 2, 3), y[5];
    lucid_fn f = lucid_fn_new_listing(s, pushes_and_goes_on, NULL, NULL);
    assert_int_equal(lucid_call(s, f, &x, 1, y, 5), LUCID_OK);
    check_five(s, y);
    assert_int_equal(lucid_call(s, lucid_vmap(s, f, NULL), &x, 1, y, 5), LUCID_OK);
    check_five(s, y);
}

/* A list of results that does not outlive the scope its results come from. */
static void test_results_of_a_shorter_scope(void **state)
{
    lucid_scope *s = *state, *child = lucid_scope_new(s);
    lucid_tensor x = lucid_square(s, LUCID_VECTOR(s, 2, 3));
    lucid_results *r = lucid_results_new(child);
    assert_int_equal(lucid_results_push(s, r, x), LUCID_OK);
    assert_int_equal(lucid_close(child), LUCID_OK);
    check_values(s, x, LUCID_SHAPE(2), (double[]){4, 9});
}

RULE(sum_of_three)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_add(s, lucid_add(s, x[0], x[1]), x[2]);
    return lucid_error(s);
}

RULE(forwards)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_add(s, lucid_add(s, x[0], x[1]), x[2]);
    y[1] = x[0];
    return lucid_error(s);
}

/* One cotangent for all, which nobody else has. */
RULE(backwards)
{
    (void)nx, (void)ny, (void)user;
    y[0] = y[1] = y[2] = lucid_mul(s, lucid_exp(s, x[0]), x[1]);
    return lucid_error(s);
}

RULE(thrice)
{
    (void)nx, (void)ny, (void)user;
    lucid_fn f = lucid_custom_vjp(s, lucid_fn_new(s, sum_of_three, 1, NULL),
                                  lucid_fn_new(s, forwards, 2, NULL),
                                  lucid_fn_new(s, backwards, 3, NULL), 1);
    (void)lucid_call(s, f, LUCID_ARGS(x[0], x[0], x[0]), y, 1);
    return lucid_error(s);
}

static void test_one_cotangent_for_several_inputs(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(3)), dx;
    lucid_fn g = lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, thrice, 1, NULL), NULL), NULL);
    dx = lucid_call1(s, g, x);
    check_values(s, dx, LUCID_SHAPE(3), (double[]){3, 3, 3});
}

/* ---- numbers of records ----------------------------------------------------------------------------- */

/* Records of one session on records of another, to and fro: backwards they come in the order in which they
 * depend on each other, whatever order their sessions were opened in. */
static void test_records_of_several_sessions(void **state)
{
    lucid_scope *s[3] = {*state, lucid_open(NULL), lucid_open(NULL)};
    lucid_tensor x[3];
    for (int i = 0; i < 3; i++) /* each begins to count */
        x[i] = lucid_requires_grad(s[i], LUCID_VECTOR(s[i], 1, 2));
    lucid_tensor y = x[1], both;
    for (int i = 0; i < 12; i++) {
        const int at = (2 * i + 1) % 3;
        y = lucid_add(s[at], lucid_own(s[at], y), lucid_own(s[at], x[1]));
    }
    both = lucid_mul(s[0], lucid_own(s[0], y), x[0]);
    assert_int_equal(lucid_backward(s[0], lucid_sum(s[0], both, LUCID_ALL), (lucid_tensor){NULL}),
                     LUCID_OK);
    check_values(s[1], lucid_grad_of(s[1], x[1]), LUCID_SHAPE(2), (double[]){13, 26});
    check_values(s[0], lucid_grad_of(s[0], x[0]), LUCID_SHAPE(2), (double[]){13, 26});
    assert_int_equal(lucid_close(s[2]), LUCID_OK);
    assert_int_equal(lucid_close(s[1]), LUCID_OK);
}

RULE(deep)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return lucid_error(s);
}

/* More levels than a block has numbers. */
static void test_many_levels(void **state)
{
    lucid_scope *s = *state;
    lucid_fn g = lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, deep, 1, NULL), NULL), NULL);
    for (int i = 0; i < 1000; i++) {
        lucid_scope *child = lucid_scope_new(s);
        lucid_tensor x = lucid_full(child, LUCID_SHAPE(2, 2), lucid_scalar(child, i));
        check_values(child, lucid_call1(child, g, x), LUCID_SHAPE(2, 2),
                     (double[]){2 * i, 2 * i, 2 * i, 2 * i});
        assert_int_equal(lucid_close(child), LUCID_OK);
    }
}

/* ---- numbers that repeat themselves ------------------------------------------------------------------ */

static void test_a_number_repeated_is_there(void **state)
{
    lucid_scope *s = *state;
    const uint64_t steps = lucid_get_stats().steps, plans = lucid_get_stats().plans_built;
    lucid_tensor x = lucid_full(s, LUCID_SHAPE(2, 1, 3), lucid_scalar(s, 7));
    lucid_tensor y = lucid_expand(s, x, LUCID_SHAPE(2, 2, 3));
    lucid_tensor z = lucid_reshape(s, lucid_permute(s, y, LUCID_DIMS(2, 0, 1)), LUCID_SHAPE(6, 2));
    lucid_tensor few = lucid_slice(s, z, 0, 1, 4, 2);
    lucid_tensor none = lucid_zeros(s, LUCID_SHAPE(2, 0));
    check_shape(none, LUCID_SHAPE(2, 0));
    assert_int_equal(lucid_eval(s, (lucid_tensor[]){y, z, few, none}, 4), LUCID_OK);
    assert_true(lucid_get_stats().steps == steps && lucid_get_stats().plans_built == plans);
    check_values(s, few, LUCID_SHAPE(2, 2), (double[]){7, 7, 7, 7});
    check_values(s, y, LUCID_SHAPE(2, 2, 3), (double[]){7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7});
    lucid_tensor wrong = lucid_reshape(s, y, LUCID_SHAPE(5));
    assert_null(wrong.v);
    check_error(s, LUCID_VALUE_ERROR, "(5,)");
}

/* Other numbers share a plan; 0, 1 and equal ones do not, since plans know them. */
static void test_plans_know_numbers_that_are_repeated(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = LUCID_VECTOR(s, 1, 2, 3);
    uint64_t steps = 0, built = 0;
    for (int i = 0; i < 5; i++) { /* the factor is 0, 1, 2, 3, 4 */
        lucid_tensor factor = lucid_full(s, LUCID_SHAPE(3), lucid_scalar(s, i));
        lucid_tensor y = lucid_mul(s, lucid_sin(s, x), factor);
        lucid_stats before = lucid_get_stats();
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        built = lucid_get_stats().plans_built - before.plans_built;
        steps = lucid_get_stats().steps - before.steps;
        assert_true(steps == 1);
        assert_true(i < 3 || built == 0);
        assert_true(lucid_item(s, lucid_sum(s, y, LUCID_ALL)) ==
                    lucid_item(s, lucid_sum(s, lucid_mul(s, lucid_sin(s, x), factor), LUCID_ALL)));
    }
    /* x * 1 is x: nothing is computed. */
    lucid_tensor ones = lucid_ones(s, LUCID_SHAPE(2, 3));
    lucid_tensor wide = lucid_retain(lucid_expand(s, x, LUCID_SHAPE(2, 3)));
    lucid_tensor same = lucid_mul(s, wide, ones);
    steps = lucid_get_stats().steps;
    assert_int_equal(lucid_eval(s, &same, 1), LUCID_OK);
    assert_true(lucid_get_stats().steps == steps);
    check_values(s, same, LUCID_SHAPE(2, 3), (double[]){1, 2, 3, 1, 2, 3});
    lucid_release(wide);
}

/* The same number in two shapes is one for plans. */
static void test_one_number_in_two_shapes(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor wide = F64(s, LUCID_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    lucid_tensor sum = lucid_sum(s, wide, LUCID_DIMS(0)), seven = lucid_scalar(s, 7);
    lucid_tensor y = lucid_add(s, lucid_mul(s, sum, lucid_full_like(s, sum, seven)),
                               lucid_mul(s, wide, lucid_full_like(s, wide, seven)));
    check_values(s, y, LUCID_SHAPE(2, 3), (double[]){42, 63, 84, 63, 84, 105});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results_stay_usable, remember, nothing_left),
        cmocka_unit_test_setup_teardown(test_results_of_a_shorter_scope, remember, nothing_left),
        cmocka_unit_test_setup_teardown(test_one_cotangent_for_several_inputs, remember,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_records_of_several_sessions, remember, nothing_left),
        cmocka_unit_test_setup_teardown(test_many_levels, remember, nothing_left),
        cmocka_unit_test_setup_teardown(test_a_number_repeated_is_there, remember, nothing_left),
        cmocka_unit_test_setup_teardown(test_plans_know_numbers_that_are_repeated, remember,
                                        nothing_left),
        cmocka_unit_test_setup_teardown(test_one_number_in_two_shapes, remember, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
