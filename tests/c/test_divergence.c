/* vmap(strategy="auto") of functions whose control flow depends on batched values: one run per path, and
 * the same numbers as lane by lane. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user

static int runs; /* of the function under test */

/* Newton's square root: as many steps as the lane needs. */
FUNCTION(newton)
{
    UNUSED;
    runs++;
    lucid_tensor r = lucid_ones_like(s, x[0]);
    for (;;) {
        lucid_tensor error = lucid_abs(s, lucid_sub(s, lucid_square(s, r), x[0]));
        if (!lucid_bool(s, lucid_gt(s, error, lucid_scalar(s, 1e-4))) || lucid_error(s))
            break;
        r = lucid_mul(s, lucid_scalar(s, 0.5), lucid_add(s, r, lucid_div(s, x[0], r)));
    }
    y[0] = r;
    return lucid_error(s);
}

/* Early return, different results, a result that does not depend on the lane. */
FUNCTION(branches)
{
    UNUSED;
    runs++;
    lucid_tensor total = lucid_sum(s, x[0], LUCID_ALL);
    y[1] = lucid_scalar(s, -1);
    if (lucid_bool(s, lucid_gt(s, total, lucid_scalar(s, 1)))) {
        y[0] = lucid_mul(s, x[0], lucid_scalar(s, 10));
        return lucid_error(s);
    }
    y[1] = total;
    if (lucid_bool(s, lucid_gt(s, total, lucid_scalar(s, 0))))
        y[0] = lucid_exp(s, x[0]);
    else
        y[0] = lucid_neg(s, x[0]);
    return lucid_error(s);
}

/* A table by an integer answer; draws before and after the ways part. */
FUNCTION(random_steps)
{
    UNUSED;
    runs++;
    lucid_tensor r = lucid_rand(s, LUCID_SHAPE(2));
    int64_t n =
        lucid_item_int(s, lucid_floor(s, lucid_mul(s, lucid_abs(s, x[0]), lucid_scalar(s, 3))));
    for (int64_t i = 0; i < n && i < 9; i++)
        r = lucid_add(s, r, lucid_randn(s, LUCID_SHAPE(2)));
    y[0] = lucid_mul(s, r, x[0]);
    return lucid_error(s);
}

FUNCTION(scalar_branch)
{
    UNUSED;
    runs++;
    if (lucid_bool(s, lucid_gt(s, x[0], lucid_scalar(s, 0))))
        y[0] = lucid_mul(s, lucid_sin(s, x[0]), x[1]);
    else
        y[0] = lucid_mul(s, lucid_square(s, x[0]), lucid_exp(s, x[1]));
    return lucid_error(s);
}

typedef struct fixture {
    lucid_scope *s;
} fixture;

static int setup(void **state)
{
    static fixture f;
    f.s = lucid_open(NULL);
    runs = 0;
    *state = &f;
    return f.s ? 0 : -1;
}

static int teardown(void **state)
{
    fixture *f = *state;
    return lucid_close(f->s) == LUCID_OK ? 0 : -1;
}

static void assert_same(lucid_scope *s, lucid_tensor a, lucid_tensor b)
{
    if (lucid_error(s))
        fail_msg("%s", lucid_error_message(s));
    assert_int_equal(lucid_ndim(a), lucid_ndim(b));
    assert_int_equal(lucid_numel(a), lucid_numel(b));
    size_t bytes = (size_t)lucid_numel(a) * lucid_dtype_size(lucid_dtype_of(a));
    const void *p = lucid_data(s, a), *q = lucid_data(s, b);
    assert_memory_equal(p, q, bytes);
}

static const lucid_vmap_options isolated = {.strategy = LUCID_STRATEGY_ISOLATED};

static void newton_runs_once_per_path(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, newton, 1, NULL);
    lucid_tensor x =
        lucid_add(s, lucid_mul(s, lucid_rand(s, LUCID_SHAPE(200)), lucid_scalar(s, 1000)),
                  lucid_scalar(s, 0.01));
    lucid_tensor a = lucid_call1(s, lucid_vmap(s, f, NULL), x);
    assert_in_range(runs, 2, 20); /* trip counts, not lanes */
    assert_same(s, a, lucid_call1(s, lucid_vmap(s, f, &isolated), x));
    double worst =
        lucid_item(s, lucid_amax(s, lucid_abs(s, lucid_sub(s, lucid_square(s, a), x)), LUCID_ALL));
    assert_true(worst < 1e-3);
}

static void branches_meet_again_in_lane_order(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, branches, 2, NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(3, 40)), a[2], b[2];
    for (int chunk = 0; chunk <= 7; chunk += 7) {
        lucid_vmap_options o = {.in_dims = LUCID_INTS(-1), .out_dims = LUCID_INTS(1, -1)};
        o.chunk_size = chunk;
        runs = 0;
        (void)lucid_call(s, lucid_vmap(s, f, &o), &x, 1, a, 2);
        assert_int_equal(runs, chunk ? runs : 3);
        o.strategy = LUCID_STRATEGY_ISOLATED;
        (void)lucid_call(s, lucid_vmap(s, f, &o), &x, 1, b, 2);
        assert_same(s, a[0], b[0]);
        assert_same(s, a[1], b[1]);
        assert_int_equal(lucid_size(a[0], 1), 40);
    }
}

static void random_numbers_do_not_depend_on_the_splitting(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, random_steps, 1, NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(50));
    lucid_vmap_options o = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    lucid_manual_seed(s, 5);
    lucid_tensor a = lucid_call1(s, lucid_vmap(s, f, &o), x);
    o.chunk_size = 9;
    lucid_manual_seed(s, 5);
    lucid_tensor b = lucid_call1(s, lucid_vmap(s, f, &o), x);
    o.chunk_size = 0;
    o.strategy = LUCID_STRATEGY_ISOLATED;
    lucid_manual_seed(s, 5);
    lucid_tensor c = lucid_call1(s, lucid_vmap(s, f, &o), x);
    assert_same(s, a, b);
    assert_same(s, a, c);
}

static void composes_with_derivatives(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, scalar_branch, 1, NULL);
    lucid_tensor in[2] = {lucid_randn(s, LUCID_SHAPE(30)), lucid_randn(s, LUCID_SHAPE(30))};
    lucid_grad_options both = {.argnums = LUCID_INTS(0, 1)};
    lucid_fn of[] = {lucid_grad(s, f, &both), lucid_jacfwd(s, f, &both), lucid_jacrev(s, f, &both)};
    for (int i = 0; i < 3; i++) {
        lucid_tensor a[2], b[2];
        runs = 0;
        (void)lucid_call(s, lucid_vmap(s, of[i], NULL), in, 2, a, 2);
        assert_in_range(runs, 2, 4); /* jacfwd runs the function once per argnum */
        (void)lucid_call(s, lucid_vmap(s, of[i], &isolated), in, 2, b, 2);
        assert_same(s, a[0], b[0]);
        assert_same(s, a[1], b[1]);
    }
    lucid_fn h = lucid_hessian(s, f, NULL);
    lucid_tensor a, b;
    (void)lucid_call(s, lucid_vmap(s, h, NULL), in, 2, &a, 1);
    (void)lucid_call(s, lucid_vmap(s, h, &isolated), in, 2, &b, 1);
    assert_same(s, a, b);
}

FUNCTION(sum_of_mapped)
{
    (void)ny;
    lucid_vmap_options o = {.strategy = *(lucid_strategy *)user};
    lucid_tensor z;
    (void)lucid_call(s, lucid_vmap(s, lucid_fn_new(s, scalar_branch, 1, NULL), &o), x, nx, &z, 1);
    y[0] = lucid_sum(s, z, LUCID_ALL);
    return lucid_error(s);
}

static void can_be_differentiated_from_outside(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_tensor in[2] = {lucid_randn(s, LUCID_SHAPE(20)), lucid_randn(s, LUCID_SHAPE(20))}, g[2];
    lucid_strategy strategies[2] = {LUCID_STRATEGY_AUTO, LUCID_STRATEGY_ISOLATED};
    for (int i = 0; i < 2; i++) {
        lucid_fn f = lucid_fn_new(s, sum_of_mapped, 1, &strategies[i]);
        (void)lucid_call(s, lucid_grad(s, f, NULL), in, 2, &g[i], 1);
    }
    assert_same(s, g[0], g[1]);
}

static lucid_fn nested(lucid_scope *s, lucid_fn f, int depth, const lucid_vmap_options *options)
{
    for (int i = 0; i < depth; i++)
        f = lucid_vmap(s, f, options);
    return f;
}

/* k paths are k runs, and the same bits, however deep the vmaps are nested. */
static void paths_are_shared_by_nested_vmaps(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, scalar_branch, 1, NULL);
    for (int depth = 1; depth <= 4; depth++) {
        lucid_shape shape = {.ndim = depth, .dim = {9, 5, 2, 3}};
        lucid_tensor in[2] = {lucid_randn(s, shape), lucid_randn(s, shape)}, a, b;
        int64_t each[3] = {0};
        runs = 0;
        (void)lucid_call(s, nested(s, f, depth, NULL), in, 2, &a, 1);
        assert_int_equal(runs, 2);
        lucid_paths paths = lucid_last_paths(s, each, 3);
        assert_int_equal(paths.runs, 2);
        assert_int_equal(paths.lanes, lucid_numel(in[0]));
        assert_int_equal(each[0] + each[1], paths.lanes);
        assert_true(each[0] >= each[1] && each[2] == 0 && paths.alone == 0);
        (void)lucid_call(s, nested(s, f, depth, &isolated), in, 2, &b, 1);
        assert_same(s, a, b);
    }
}

/* In the function of an outer vmap, by an argument that its lanes do not share and that the inner vmap does not
 * map: the inner lanes part over it. */
FUNCTION(above)
{
    UNUSED;
    runs++;
    y[0] = lucid_bool(s, lucid_gt(s, x[0], x[1])) ? lucid_sub(s, x[0], x[1]) : lucid_exp(s, x[1]);
    return lucid_error(s);
}

FUNCTION(row_above)
{
    UNUSED;
    lucid_vmap_options o = {.in_dims = LUCID_INTS(0, LUCID_NONE),
                            .strategy = *(lucid_strategy *)user};
    (void)lucid_call(s, lucid_vmap(s, lucid_fn_new(s, above, 1, NULL), &o), x, nx, y, 1);
    y[0] = lucid_sum(s, lucid_square(s, y[0]), LUCID_ALL);
    return lucid_error(s);
}

static void enclosing_values_are_gathered(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_tensor in[2] = {lucid_randn(s, LUCID_SHAPE(5, 4)), lucid_randn(s, LUCID_SHAPE(5))},
                 g[2][2];
    lucid_strategy strategies[2] = {LUCID_STRATEGY_AUTO, LUCID_STRATEGY_ISOLATED};
    for (int i = 0; i < 2; i++) {
        lucid_fn f = lucid_fn_new(s, row_above, 1, &strategies[i]);
        lucid_vmap_options o = {.strategy = strategies[i]};
        f = lucid_vmap(s, lucid_grad(s, f, &(lucid_grad_options){.argnums = LUCID_INTS(0, 1)}), &o);
        runs = 0;
        (void)lucid_call(s, f, in, 2, g[i], 2);
        assert_int_equal(runs, i ? 20 : 2);
    }
    assert_same(s, g[0][0], g[1][0]);
    assert_int_equal(lucid_numel(g[0][1]), 5);
    lucid_tensor error = lucid_sub(s, g[0][1], g[1][1]); /* added in another order */
    assert_true(lucid_item(s, lucid_amax(s, lucid_abs(s, error), LUCID_ALL)) < 1e-4);
}

FUNCTION(above_or_times)
{
    UNUSED;
    bool more = lucid_bool(s, lucid_gt(s, x[0], x[1]));
    y[0] = more ? lucid_sin(s, x[0]) : lucid_mul(s, x[0], x[1]);
    return lucid_error(s);
}

/* The lanes of a vmap inside part over all vmaps around; then those of this function do. */
FUNCTION(parts_inside_then_here)
{
    UNUSED;
    runs++;
    lucid_tensor z;
    const lucid_vmap_options o = {.in_dims = LUCID_INTS(0, LUCID_NONE),
                                  .strategy = *(lucid_strategy *)user};
    (void)lucid_call(s, lucid_vmap(s, lucid_fn_new(s, above_or_times, 1, NULL), &o), x, 2, &z, 1);
    lucid_tensor total = lucid_sum(s, z, LUCID_ALL);
    if (lucid_bool(s, lucid_gt(s, total, lucid_mul(s, x[1], lucid_scalar(s, 0.5)))))
        y[0] = lucid_square(s, total);
    else
        y[0] = lucid_mul(s, lucid_sin(s, total), x[1]);
    return lucid_error(s);
}

static void derivatives_pass_what_parted_twice(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    const lucid_tensor in[2] = {lucid_randn(s, LUCID_SHAPE(3, 5, 4)),
                                lucid_randn(s, LUCID_SHAPE(3))};
    const lucid_grad_options both = {.argnums = LUCID_INTS(0, 1)};
    lucid_strategy strategies[2] = {LUCID_STRATEGY_AUTO, LUCID_STRATEGY_ISOLATED};
    for (int kind = 0; kind < 3; kind++) {
        lucid_tensor g[2][4];
        size_t n = kind == 2 ? 4 : 2;
        for (int i = 0; i < 2; i++) {
            lucid_fn f = lucid_fn_new(s, parts_inside_then_here, 1, &strategies[i]);
            f = kind == 0   ? lucid_grad(s, f, &both)
                : kind == 1 ? lucid_jacrev(s, f, &both)
                            : lucid_hessian(s, f, &both);
            const lucid_vmap_options outer = {.strategy = strategies[i]},
                                     inner = {.in_dims = LUCID_INTS(0, LUCID_NONE),
                                              .strategy = strategies[i]};
            f = lucid_vmap(s, lucid_vmap(s, f, &inner), &outer);
            runs = 0;
            assert_int_equal(lucid_call(s, f, in, 2, g[i], n), LUCID_OK);
            if (kind == 0)
                assert_int_equal(runs, i ? 15 : 2);
        }
        for (size_t k = 0; k < n; k++) {
            lucid_tensor error = lucid_abs(s, lucid_sub(s, g[0][k], g[1][k]));
            assert_true(lucid_item(s, lucid_amax(s, error, LUCID_ALL)) < 1e-4);
        }
    }
}

FUNCTION(table)
{
    UNUSED;
    runs++;
    int64_t n = lucid_item_int(s, lucid_mul(s, lucid_abs(s, x[0]), lucid_scalar(s, 8)));
    y[0] = lucid_mul(s, x[0], lucid_scalar_int(s, n));
    return lucid_error(s);
}

static void too_many_paths_run_lane_by_lane(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_fn f = lucid_fn_new(s, table, 1, NULL);
    lucid_tensor x = lucid_arange(s, 0, 4, 0.0625, LUCID_NO_DTYPE), a, b;
    int64_t alone = 0, each[64];
    a = lucid_call1(s, lucid_vmap(s, f, &isolated), x);
    runs = 0;
    b = lucid_call1(s, lucid_vmap(s, f, NULL), x);
    assert_int_equal(runs, 32); /* whole parts, not values */
    assert_same(s, a, b);
    lucid_vmap_options o = {.max_paths = 5, .alone = &alone};
    b = lucid_call1(s, lucid_vmap(s, f, &o), x);
    assert_same(s, a, b);
    assert_int_equal(alone, 64 - 5 * 2);
    lucid_paths paths = lucid_last_paths(s, each, 64);
    assert_int_equal(paths.alone, alone);
    assert_int_equal(paths.runs, 5 + alone);
    assert_int_equal(each[4], 2);
    assert_int_equal(each[5], 1);
}

/* A value that differs from lane to lane, then a loop by it, with random numbers on the way. */
FUNCTION(by_value)
{
    UNUSED;
    runs++;
    lucid_tensor r = lucid_rand(s, LUCID_SHAPE(2));
    lucid_tensor z = lucid_mul(s, x[0], x[0]);
    while (lucid_item(s, z) > 0.1 && !lucid_error(s)) {
        z = lucid_mul(s, z, lucid_scalar(s, 0.5));
        r = lucid_add(s, r, lucid_mul(s, lucid_randn(s, LUCID_SHAPE(2)), z));
    }
    y[0] = lucid_sum(s, lucid_mul(s, r, x[0]), LUCID_ALL);
    if (ny > 1)
        y[1] = z;
    return lucid_error(s);
}

static void lanes_that_part_at_once_run_alone(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    const lucid_vmap_options alone = {.strategy = LUCID_STRATEGY_ISOLATED,
                                      .randomness = LUCID_RANDOMNESS_DIFFERENT},
                             parted = {.randomness = LUCID_RANDOMNESS_DIFFERENT},
                             chunks = {.randomness = LUCID_RANDOMNESS_DIFFERENT, .chunk_size = 5};
    const lucid_vmap_options *ways[] = {&parted, &chunks};
    lucid_fn f = lucid_fn_new(s, by_value, 2, NULL),
             g = lucid_grad(s, lucid_fn_new(s, by_value, 1, NULL), NULL);
    lucid_tensor x = lucid_arange(s, 0.25, 2.5, 0.125, LUCID_NO_DTYPE), want[2], have[2];
    lucid_rng_state start = lucid_generator_state(lucid_generator_of(s));
    (void)lucid_call(s, lucid_vmap(s, f, &alone), &x, 1, want, 2);
    lucid_tensor slopes = lucid_call1(s, lucid_vmap(s, g, &alone), x);
    for (int w = 0; w < 2; w++) {
        lucid_generator_set_state(lucid_generator_of(s), start);
        runs = 0;
        (void)lucid_call(s, lucid_vmap(s, f, ways[w]), &x, 1, have, 2);
        assert_int_equal(runs, lucid_numel(x));
        assert_int_equal(lucid_last_paths(s, NULL, 0).runs, lucid_numel(x));
        for (int k = 0; k < 2; k++)
            assert_same(s, want[k], have[k]);
        assert_same(s, slopes, lucid_call1(s, lucid_vmap(s, g, ways[w]), x));
    }
}

FUNCTION(different_shapes)
{
    UNUSED;
    bool up = lucid_bool(s, lucid_gt(s, x[0], lucid_scalar(s, 0)));
    y[0] = lucid_expand(s, x[0], up ? LUCID_SHAPE(2) : LUCID_SHAPE(3));
    return lucid_error(s);
}

FUNCTION(endless)
{
    UNUSED;
    y[0] = x[0];
    while (lucid_bool(s, lucid_gt(s, y[0], lucid_scalar(s, 0))) && !lucid_error(s))
        y[0] = lucid_add(s, y[0], x[0]);
    return lucid_error(s);
}

static void bad_uses_are_named(void **state)
{
    lucid_scope *s = ((fixture *)*state)->s;
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(20));
    (void)lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, different_shapes, 1, NULL), NULL), x);
    assert_int_equal(lucid_error(s), LUCID_VALUE_ERROR);
    assert_non_null(strstr(lucid_error_message(s), "on some lanes and"));
    lucid_clear_error(s);
    lucid_fn f = lucid_fn_new(s, newton, 1, NULL);
    lucid_vmap_options o = {.strategy = LUCID_STRATEGY_VECTORIZED};
    (void)lucid_call1(s, lucid_vmap(s, f, &o), lucid_abs(s, x));
    assert_int_equal(lucid_error(s), LUCID_DIVERGED);
    lucid_clear_error(s);
    (void)lucid_call1(s, lucid_vmap(s, f, &o), lucid_zeros(s, LUCID_SHAPE(0)));
    assert_int_equal(lucid_error(s), LUCID_DIVERGED);
    assert_non_null(strstr(lucid_error_message(s), "the batch is empty"));
    lucid_clear_error(s);
    assert_int_equal(
        lucid_size(lucid_call1(s, lucid_vmap(s, f, NULL), lucid_zeros(s, LUCID_SHAPE(0))), 0), 0);
    (void)lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, endless, 1, NULL), NULL),
                      lucid_zeros(s, LUCID_SHAPE(0)));
    assert_int_equal(lucid_error(s), LUCID_RUNTIME_ERROR);
    assert_non_null(strstr(lucid_error_message(s), "1000 answers"));
    lucid_clear_error(s);
    (void)lucid_vmap(s, f, &(lucid_vmap_options){.max_paths = -1});
    assert_non_null(strstr(lucid_error_message(s), "max_paths must be >= 1"));
    lucid_clear_error(s);
    o = (lucid_vmap_options){.out_dims = LUCID_INTS(LUCID_NONE)};
    (void)lucid_call1(s, lucid_vmap(s, f, &o), lucid_abs(s, x));
    assert_non_null(strstr(lucid_error_message(s), "depends on the batch"));
    lucid_clear_error(s);
    assert_int_equal(lucid_level(s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newton_runs_once_per_path, setup, teardown),
        cmocka_unit_test_setup_teardown(branches_meet_again_in_lane_order, setup, teardown),
        cmocka_unit_test_setup_teardown(random_numbers_do_not_depend_on_the_splitting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(composes_with_derivatives, setup, teardown),
        cmocka_unit_test_setup_teardown(can_be_differentiated_from_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_are_shared_by_nested_vmaps, setup, teardown),
        cmocka_unit_test_setup_teardown(enclosing_values_are_gathered, setup, teardown),
        cmocka_unit_test_setup_teardown(derivatives_pass_what_parted_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_paths_run_lane_by_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(lanes_that_part_at_once_run_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_uses_are_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
