/* lucid_explain: what a plan takes, in figures and in every form it is told in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

static lucid_tensor normal(lucid_scope *s, int64_t rows, int64_t columns)
{
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(rows, columns));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    return x;
}

/* The sum over rows of sin(x) x. */
static lucid_tensor row_sums(lucid_scope *parent, lucid_tensor x)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor y = lucid_keep(s, lucid_sum(s, lucid_mul(s, lucid_sin(s, x), x), LUCID_DIMS(1)));
    assert_int_equal(lucid_close(s), LUCID_OK);
    return y;
}

static lucid_cost cost_of(lucid_scope *s, lucid_tensor y)
{
    return lucid_explanation_cost(lucid_explain(s, &y, 1, NULL));
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        n++;
    return n;
}

/* ---- figures ------------------------------------------------------------------------------------- */

static void a_program_is_counted(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_cost c = cost_of(s, row_sums(s, normal(s, 10, 30)));
    assert_int_equal(c.dispatches, 1);
    assert_true(c.bytes_read == 4.0 * 10 * 30);
    assert_true(c.bytes_written == 4.0 * 10);
    assert_true(c.flops == 3.0 * 10 * 30); /* sin, mul, sum */
    assert_true(c.measured_seconds == 0 && c.estimated_seconds == 0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* x = (x * x + 1) / x, element by element. */
static lucid_status once_more(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_div(s, lucid_add(s, lucid_mul(s, x[0], x[0]), lucid_scalar(s, 1)), x[0]);
    return LUCID_OK;
}

static lucid_status twelve_times(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    (void)ny, (void)user;
    const lucid_scan_options options = {.length = 12};
    return lucid_scan(s, lucid_fn_new(s, once_more, 1, NULL), x, nx, NULL, 0, &options, y, NULL, 0);
}

static lucid_status below(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_lt(s, lucid_sum(s, x[0], LUCID_ALL), lucid_scalar(s, 10));
    return LUCID_OK;
}

static lucid_status until(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)ny, (void)user;
    return lucid_while(s, lucid_fn_new(s, below, 1, NULL), lucid_fn_new(s, once_more, 1, NULL), x,
                       nx, NULL, y);
}

static lucid_status same(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_neg(s, x[0]);
    return LUCID_OK;
}

/* One of 3 operations an element, one of 1. */
static lucid_status either(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)ny, (void)user;
    lucid_tensor positive = lucid_gt(s, lucid_select(s, x[0], 0, 0), lucid_scalar(s, 0));
    return lucid_cond(s, positive, lucid_fn_new(s, once_more, 1, NULL),
                      lucid_fn_new(s, same, 1, NULL), x, nx, y, 1);
}

static double flops_of(lucid_scope *s, lucid_function *f)
{
    lucid_tensor x = normal(s, 10, 4);
    lucid_cost c = cost_of(s, lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, f, 1, NULL), NULL), x));
    return c.flops;
}

/* Steps are known, iterations are not; of branches the longest. */
static void loops_in_lanes_are_counted(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    assert_true(flops_of(s, twelve_times) == 10.0 * 4 * 12 * 3);
    assert_true(flops_of(s, until) == 10.0 * (4 * 3 + 3 + 1)); /* and the sum and the comparison */
    assert_true(flops_of(s, either) == 10.0 * (1 + 4 * 3));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* What is repeated is read once; what is no arithmetic, and what is on integers, is no FLOP. */
static void bytes_are_of_distinct_elements_and_flops_of_floats(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = normal(s, 10, 30), row = lucid_select(s, normal(s, 1, 30), 0, 0);
    lucid_cost c = cost_of(s, lucid_add(s, x, row));
    assert_true(c.bytes_read == 4.0 * (300 + 30));
    assert_true(c.flops == 300);
    lucid_tensor n = lucid_cast(s, x, LUCID_INT32);
    assert_int_equal(lucid_eval(s, &n, 1), LUCID_OK);
    c = cost_of(s, lucid_mul(s, n, n));
    assert_true(c.flops == 0 && c.bytes_read == 4.0 * 300);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void kernels_have_rules_of_their_own(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = normal(s, 40, 50), y = normal(s, 50, 60);
    lucid_cost c = cost_of(s, lucid_matmul(s, x, y));
    assert_int_equal(c.dispatches, 1);
    assert_true(c.flops == 2.0 * 40 * 50 * 60);
    assert_true(c.bytes_read == 4.0 * (40 * 50 + 50 * 60) && c.bytes_written == 4.0 * 40 * 60);
    c = cost_of(s, lucid_cumsum(s, x, 1));
    assert_true(c.flops == 40 * 50);
    lucid_tensor a = lucid_reshape(s, normal(s, 7, 9), LUCID_SHAPE(7, 3, 3));
    c = cost_of(s, lucid_cholesky(s, a));
    assert_true(c.flops == 7 * 9);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Where the lanes of the only step are. */
static void expect_lanes(lucid_scope *s, lucid_tensor y, const char *lanes)
{
    const char *text = lucid_explanation_as(s, lucid_explain(s, &y, 1, NULL), LUCID_EXPLAIN_TEXT);
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "lanes = %s", lanes);
    assert_int_equal(count(text, "lanes = "), 1);
    assert_int_equal(count(text, wanted), 1);
}

static void lanes_are_elements_the_batch_or_the_librarys(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    expect_lanes(s, row_sums(s, normal(s, 10, 30)), "elements");
    expect_lanes(s, lucid_matmul(s, normal(s, 64, 64), normal(s, 64, 64)), "library");
    lucid_tensor small = lucid_reshape(s, normal(s, 100, 16), LUCID_SHAPE(100, 4, 4));
    expect_lanes(s, lucid_cholesky(s, small), "batch");
    lucid_tensor large = lucid_reshape(s, normal(s, 280, 140), LUCID_SHAPE(2, 140, 140));
    expect_lanes(s, lucid_cholesky(s, large), "library");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void nothing_is_computed(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = normal(s, 10, 30), y = row_sums(s, x);
    uint64_t before = lucid_get_stats().steps;
    assert_int_equal(cost_of(s, y).dispatches, 1);
    assert_int_equal(lucid_get_stats().steps, before);
    lucid_stats plans = lucid_get_stats();
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
    assert_int_equal(lucid_get_stats().steps, before + 1);
    assert_int_equal(lucid_get_stats().plans_reused,
                     plans.plans_reused + 1); /* the explained one */
    assert_int_equal(lucid_get_stats().plans_built, plans.plans_built);
    assert_int_equal(cost_of(s, y).dispatches, 0); /* it is there now */
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void measuring_times_every_step_and_leaves_the_value_pending(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_matmul(s, lucid_exp(s, normal(s, 50, 50)), normal(s, 50, 50));
    lucid_explain_options measured = {.measure = true};
    const lucid_explanation *e = lucid_explain(s, &y, 1, &measured);
    lucid_cost c = lucid_explanation_cost(e);
    assert_int_equal(c.dispatches, 2);
    assert_true(c.measured_seconds > 0 && c.measured_seconds < 10);
    assert_true(c.estimated_seconds > 0 && c.estimated_seconds < 10);
    const char *text = lucid_explanation_as(s, e, LUCID_EXPLAIN_TEXT);
    assert_int_equal(count(text, "machine: "), 1);
    assert_int_equal(count(text, "% of the peak"), 2);
    assert_int_equal(cost_of(s, y).dispatches, 2);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- forms --------------------------------------------------------------------------------------- */

static void every_form_tells_every_step(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_matmul(s, row_sums(s, normal(s, 40, 9)), normal(s, 40, 20));
    const lucid_explanation *e = lucid_explain(s, &y, 1, NULL);
    const char *text = lucid_explanation_as(s, e, LUCID_EXPLAIN_TEXT);
    assert_memory_equal(text, "2 dispatches: ", 14);
    assert_int_equal(count(text, "\n"), 3);
    const char *json = lucid_explanation_as(s, e, LUCID_EXPLAIN_JSON);
    assert_int_equal(count(json, "\"kind\""), 2);
    const char *svg = lucid_explanation_as(s, e, LUCID_EXPLAIN_SVG);
    assert_memory_equal(svg, "<svg ", 5);
    assert_int_equal(count(svg, "class=\"step\""), 2);
    assert_int_equal(count(svg, ">sin</text>"), 1);
    assert_int_equal(count(svg, ">contract</text>"), 1);
    const char *html = lucid_explanation_as(s, e, LUCID_EXPLAIN_HTML);
    assert_int_equal(count(html, svg), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* A long chain of steps that cannot be one, and a program with many operations. */
static void large_plans_are_cut_short_in_the_picture(void **state)
{
    (void)state;
    enum { STEPS = 300, MANY = 25 };
    lucid_scope *s = lucid_open(NULL);
    lucid_scope *inner = lucid_scope_new(s);
    lucid_tensor y = normal(s, 4, 4);
    for (int i = 0; i < STEPS; i++)
        y = lucid_cumsum(inner, y, 0);
    y = lucid_keep(inner, y);
    assert_int_equal(lucid_close(inner), LUCID_OK);
    const lucid_explanation *e = lucid_explain(s, &y, 1, NULL);
    assert_int_equal(lucid_explanation_cost(e).dispatches, STEPS);
    const char *svg = lucid_explanation_as(s, e, LUCID_EXPLAIN_SVG);
    assert_int_equal(count(svg, "class=\"step\""), 200);
    assert_int_equal(count(svg, "and 100 more steps"), 1);
    lucid_tensor first = normal(s, 4, 4), products[MANY];
    for (int i = 0; i < MANY; i++)
        products[i] = lucid_mul(s, first, normal(s, 4, 4));
    e = lucid_explain(s, products, MANY, NULL);
    assert_int_equal(lucid_explanation_cost(e).dispatches, 1);
    svg = lucid_explanation_as(s, e, LUCID_EXPLAIN_SVG);
    assert_int_equal(count(svg, ">mul x 25</text>"), 1);
    assert_int_equal(count(svg, ">mul</text>"), 0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void bad_use(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = row_sums(s, normal(s, 4, 4)), empty = {NULL};
    assert_null(lucid_explain(s, &empty, 1, NULL));
    assert_int_equal(lucid_error(s), LUCID_TYPE_ERROR);
    assert_string_equal(lucid_explanation_as(s, NULL, LUCID_EXPLAIN_SVG), "");
    assert_int_equal(lucid_explanation_cost(NULL).dispatches, 0);
    lucid_clear_error(s);
    const lucid_explanation *e = lucid_explain(s, &y, 1, NULL);
    assert_string_equal(lucid_explanation_as(s, e, (lucid_explain_format)7), "");
    assert_int_equal(lucid_error(s), LUCID_VALUE_ERROR);
    lucid_clear_error(s);
    /* An index that is out of range is found by running. */
    lucid_tensor nine = lucid_full(s, LUCID_SHAPE(1), lucid_scalar_int(s, 9));
    lucid_tensor taken = lucid_take(s, normal(s, 4, 4), nine, 0);
    lucid_explain_options measured = {.measure = true};
    assert_non_null(lucid_explain(s, &taken, 1, NULL));
    assert_null(lucid_explain(s, &taken, 1, &measured));
    assert_int_equal(lucid_error(s), LUCID_INDEX_ERROR);
    (void)lucid_close(s);
}

/* ---- the plan cache -------------------------------------------------------------------------------- */

static void the_plan_cache_counts_and_is_bounded(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_stats before = lucid_get_stats();
    const int64_t more = (int64_t)before.plans_most + 200;
    for (int64_t n = 1; n <= more; n++) {
        lucid_scope *inner = lucid_scope_new(s);
        lucid_tensor y = lucid_exp(inner, lucid_ones(inner, LUCID_SHAPE(n, 2, 3)));
        assert_int_equal(lucid_eval(inner, &y, 1), LUCID_OK);
        assert_int_equal(lucid_close(inner), LUCID_OK);
    }
    lucid_stats after = lucid_get_stats();
    assert_int_equal(after.plans_built + after.plans_reused,
                     before.plans_built + before.plans_reused + (uint64_t)more);
    assert_true(after.plans_kept > before.plans_most / 2);
    assert_true(after.plans_kept <= before.plans_most);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Plans of many steps fill the cache by their bytes before it is full by their number; the newest stays. */
static void the_plan_cache_is_bounded_in_bytes(void **state)
{
    (void)state;
    enum { STEPS = 500, MORE = 20 };
    lucid_scope *s = lucid_open(NULL);
    const uint64_t most = lucid_get_stats().plans_bytes_most;
    int full = 0;
    for (int64_t n = 2; full < MORE; n++) {
        assert_true(
            n < (int64_t)lucid_get_stats().plans_most); /* else their number is what bounds them */
        lucid_scope *inner = lucid_scope_new(s);
        lucid_tensor y = lucid_ones(inner, LUCID_SHAPE(n));
        for (int i = 0; i < STEPS; i++)
            y = lucid_cumsum(inner, y, 0);
        uint64_t built = lucid_get_stats().plans_built;
        assert_int_equal(lucid_eval(inner, &y, 1), LUCID_OK);
        assert_int_equal(lucid_get_stats().plans_built, built + 1);
        assert_int_equal(lucid_close(inner), LUCID_OK);
        assert_true(lucid_get_stats().plans_bytes <= most);
        full += lucid_get_stats().plans_bytes > most / 10 * 9;
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_is_counted),
        cmocka_unit_test(loops_in_lanes_are_counted),
        cmocka_unit_test(bytes_are_of_distinct_elements_and_flops_of_floats),
        cmocka_unit_test(kernels_have_rules_of_their_own),
        cmocka_unit_test(lanes_are_elements_the_batch_or_the_librarys),
        cmocka_unit_test(nothing_is_computed),
        cmocka_unit_test(measuring_times_every_step_and_leaves_the_value_pending),
        cmocka_unit_test(every_form_tells_every_step),
        cmocka_unit_test(large_plans_are_cut_short_in_the_picture),
        cmocka_unit_test(bad_use),
        cmocka_unit_test(the_plan_cache_is_bounded_in_bytes),
        cmocka_unit_test(the_plan_cache_counts_and_is_bounded),
    };
    return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
