/* lucid_compile: what a function gives, without running it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/function_laws.h"

static int setup(void **state)
{
    *state = lucid_open(NULL);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    return lucid_close(*state) == LUCID_OK ? 0 : -1;
}

#define BODY(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)

static int runs;

/* ---- replaying --------------------------------------------------------------------------------------- */

/* Two results of one program, an argument as it is, and what the function took from outside. */
BODY(several)
{
    (void)nx, (void)ny;
    runs++;
    lucid_tensor *outside = user;
    y[0] = lucid_mul(s, lucid_sin(s, x[0]), x[1]);
    y[1] = lucid_sum(s, lucid_add(s, y[0], *outside), LUCID_ALL);
    y[2] = x[1];
    y[3] = lucid_flip(s, x[0], LUCID_ALL);
    y[4] = *outside;
    return lucid_error(s);
}

enum { SEVERAL = 5 };

static void check_call(lucid_scope *s, lucid_fn f, lucid_fn compiled, const lucid_tensor *x)
{
    lucid_tensor want[SEVERAL], got[SEVERAL];
    assert_int_equal(lucid_call(s, f, x, 2, want, SEVERAL), LUCID_OK);
    int before = runs;
    assert_int_equal(lucid_call(s, compiled, x, 2, got, SEVERAL), LUCID_OK);
    assert_int_equal(runs, before);
    for (int k = 0; k < SEVERAL; k++)
        same_tensors(s, "compiled", got[k], want[k], 0);
}

static void calls_are_those_of_the_function(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor outside = lucid_exp(s, lucid_randn(s, LUCID_SHAPE(3, 4)));
    lucid_fn f = lucid_fn_new(s, several, SEVERAL, &outside);
    lucid_tensor x[2] = {lucid_randn(s, LUCID_SHAPE(3, 4)), lucid_randn(s, LUCID_SHAPE(3, 4))};
    runs = 0;
    lucid_fn compiled = lucid_compile(s, f, x, 2, NULL);
    assert_int_equal(runs, 1);
    check_call(s, f, compiled, x);
    x[0] = lucid_randn(s, LUCID_SHAPE(3, 4)); /* pending */
    check_call(s, f, compiled, x);
    x[1] = x[0];
    check_call(s, f, compiled, x);
    x[0] = lucid_transpose(s, lucid_randn(s, LUCID_SHAPE(4, 3)), 0, 1); /* other strides */
    check_call(s, f, compiled, x);
    x[0] = lucid_slice(s, lucid_randn(s, LUCID_SHAPE(6, 4)), 0, 1, 6, 2); /* an offset */
    check_call(s, f, compiled, x);
    x[0] = lucid_zeros(s, LUCID_SHAPE(3, 4)); /* 0 in every element, no stride */
    check_call(s, f, compiled, x);
}

/* Numbers given are arguments, not part of the plan. */
BODY(scaled)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_add(s, lucid_mul(s, x[0], x[1]), x[2]);
    return lucid_error(s);
}

static void numbers_are_arguments(void **state)
{
    lucid_scope *s = *state;
    const double values[][2] = {{1, 0}, {0, 0}, {1, 1}, {2, 3}, {0, 1}};
    lucid_fn f = lucid_fn_new(s, scaled, 1, NULL);
    lucid_tensor x[3] = {lucid_randn(s, LUCID_SHAPE(5)), lucid_scalar(s, 1), lucid_scalar(s, 0)};
    lucid_fn compiled = lucid_compile(s, f, x, 3, NULL);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        lucid_tensor want, got;
        x[1] = lucid_scalar(s, values[i][0]);
        x[2] = lucid_scalar(s, values[i][1]);
        assert_int_equal(lucid_call(s, f, x, 3, &want, 1), LUCID_OK);
        assert_int_equal(lucid_call(s, compiled, x, 3, &got, 1), LUCID_OK);
        same_tensors(s, "compiled", got, want, 0);
    }
}

/* Longer than what is left pending in a graph (2048). */
BODY(long_chain)
{
    (void)nx, (void)ny, (void)user;
    y[0] = x[0];
    for (int i = 0; i < 3000; i++)
        y[0] = i % 3 ? lucid_cos(s, y[0]) : lucid_flip(s, lucid_cumsum(s, y[0], 0), LUCID_ALL);
    return lucid_error(s);
}

static void long_functions_stay_functions(void **state)
{
    lucid_scope *s = *state;
    lucid_fn f = lucid_fn_new(s, long_chain, 1, NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(4));
    lucid_fn compiled = lucid_compile(s, f, &x, 1, NULL);
    for (int i = 0; i < 3; i++) {
        x = lucid_randn(s, LUCID_SHAPE(4));
        same_tensors(s, "compiled", lucid_call1(s, compiled, x), lucid_call1(s, f, x), 0);
    }
}

static void empty_values_and_no_arguments(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor outside = lucid_zeros(s, LUCID_SHAPE(0, 4));
    lucid_fn f = lucid_fn_new(s, several, SEVERAL, &outside);
    lucid_tensor x[2] = {lucid_zeros(s, LUCID_SHAPE(0, 4)), lucid_zeros(s, LUCID_SHAPE(0, 4))};
    check_call(s, f, lucid_compile(s, f, x, 2, NULL), x);

    lucid_fn none = lucid_fn_new(s, scaled, 1, NULL);
    lucid_tensor y, three[3] = {lucid_scalar(s, 2), lucid_scalar(s, 3), lucid_scalar(s, 4)};
    none = lucid_compile(s, none, three, 3, NULL);
    assert_int_equal(lucid_call(s, none, three, 3, &y, 1), LUCID_OK);
    assert_true(lucid_item(s, y) == 10);
}

static lucid_status one_dispatch(lucid_scope *s, lucid_fn f, lucid_tensor x, uint64_t *steps,
                                 uint64_t *plans)
{
    lucid_stats before = lucid_get_stats();
    (void)lucid_call1(s, f, x);
    lucid_stats after = lucid_get_stats();
    *steps = after.steps - before.steps;
    *plans = after.plans_built + after.plans_reused - before.plans_built - before.plans_reused;
    return lucid_error(s);
}

BODY(square_sum)
{
    (void)nx, (void)ny, (void)user;
    runs++;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return lucid_error(s);
}

static void a_call_is_its_dispatches(void **state)
{
    lucid_scope *s = *state;
    lucid_fn g = lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, square_sum, 1, NULL), NULL), NULL);
    lucid_tensor X = lucid_randn(s, LUCID_SHAPE(32, 4));
    lucid_eval(s, &X, 1);
    lucid_fn compiled = lucid_compile(s, g, &X, 1, NULL);
    uint64_t steps, plans;
    assert_int_equal(one_dispatch(s, compiled, X, &steps, &plans), LUCID_OK);
    assert_int_equal(one_dispatch(s, compiled, X, &steps, &plans), LUCID_OK);
    assert_int_equal(steps, 1);
    assert_int_equal(plans, 0); /* nothing is looked up */
    same_tensors(s, "compiled", lucid_call1(s, compiled, X), lucid_call1(s, g, X), 0);
}

/* ---- under transforms --------------------------------------------------------------------------------- */

BODY(smooth)
{
    (void)nx, (void)ny;
    runs++;
    lucid_tensor w = user ? *(lucid_tensor *)user : lucid_scalar(s, 3);
    lucid_tensor stopped = lucid_detach(s, lucid_exp(s, x[0]));
    y[0] = lucid_sum(s, lucid_mul(s, lucid_mul(s, lucid_sin(s, x[0]), w), stopped), LUCID_ALL);
    return lucid_error(s);
}

static void transforms_enter(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor w = lucid_randn(s, LUCID_SHAPE(4)), x = lucid_randn(s, LUCID_SHAPE(4));
    lucid_tensor X = lucid_randn(s, LUCID_SHAPE(6, 4));
    lucid_fn f = lucid_fn_new(s, smooth, 1, &w), c = lucid_compile(s, f, &x, 1, NULL);
    runs = 0;
    lucid_fn of_c[] = {lucid_grad(s, c, NULL), lucid_hessian(s, c, NULL),
                       lucid_jacfwd(s, lucid_grad(s, c, NULL), NULL)};
    lucid_fn of_f[] = {lucid_grad(s, f, NULL), lucid_hessian(s, f, NULL),
                       lucid_jacfwd(s, lucid_grad(s, f, NULL), NULL)};
    for (int i = 0; i < 3; i++) {
        int before = runs;
        lucid_tensor got = lucid_call1(s, of_c[i], x);
        lucid_tensor batch = lucid_call1(s, lucid_vmap(s, of_c[i], NULL), X);
        assert_int_equal(runs, before);
        same_tensors(s, "transform", got, lucid_call1(s, of_f[i], x), 1e-6);
        same_tensors(s, "vmap", batch, lucid_call1(s, lucid_vmap(s, of_f[i], NULL), X), 1e-6);
    }
}

static void requires_grad_goes_through(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor w = lucid_requires_grad(s, lucid_randn(s, LUCID_SHAPE(4)));
    lucid_tensor x = lucid_requires_grad(s, lucid_randn(s, LUCID_SHAPE(4)));
    lucid_fn f = lucid_fn_new(s, smooth, 1, &w), c = lucid_compile(s, f, &x, 1, NULL);
    lucid_tensor grads[2][2];
    for (int i = 0; i < 2; i++) {
        lucid_set_grad(s, x, (lucid_tensor){NULL});
        lucid_set_grad(s, w, (lucid_tensor){NULL});
        lucid_backward(s, lucid_call1(s, i ? c : f, x), (lucid_tensor){NULL});
        grads[i][0] = lucid_grad_of(s, x);
        grads[i][1] = lucid_grad_of(s, w);
    }
    for (int k = 0; k < 2; k++)
        same_tensors(s, "gradient", grads[1][k], grads[0][k], 1e-6);
}

/* Compiled inside a transform, of a function that closes over a value of it. */
typedef struct inside {
    lucid_tensor outer;
    bool lasting;
} inside;

BODY(times_outer)
{
    (void)nx, (void)ny;
    y[0] = lucid_mul(s, x[0], ((inside *)user)->outer);
    return lucid_error(s);
}

BODY(compiles)
{
    (void)nx, (void)ny;
    inside *in = user;
    lucid_tensor three = lucid_scalar(s, 3);
    in->outer = x[0];
    lucid_fn f = lucid_fn_new(s, times_outer, 1, in);
    lucid_fn c = lucid_compile(s, f, &three, 1, &(lucid_compile_options){.lasting = &in->lasting});
    y[0] = lucid_call1(s, c, three);
    return lucid_error(s);
}

static void inside_a_transform_it_closes_over(void **state)
{
    lucid_scope *s = *state;
    inside in = {.lasting = true};
    lucid_tensor X = lucid_randn(s, LUCID_SHAPE(5));
    lucid_tensor Y = lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, compiles, 1, &in), NULL), X);
    same_tensors(s, "inside", Y, lucid_mul(s, X, lucid_scalar(s, 3)), 0);
    assert_false(in.lasting);
    in.outer = lucid_scalar(s, 2);
    lucid_fn f = lucid_fn_new(s, times_outer, 1, &in);
    (void)lucid_compile(s, f, &in.outer, 1, &(lucid_compile_options){.lasting = &in.lasting});
    assert_true(in.lasting);
}

/* ---- random numbers ------------------------------------------------------------------------------------ */

static lucid_status one_step(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user; /* body(i, carry) */
    y[0] = lucid_add(s, x[1], lucid_randn(s, LUCID_SHAPE(3)));
    return lucid_error(s);
}

static lucid_status noise_row(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_add(s, x[0], lucid_rand(s, LUCID_SHAPE(3)));
    return lucid_error(s);
}

BODY(noisy)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor a = lucid_randn(s, LUCID_SHAPE(3)), c = a;
    const lucid_vmap_options each = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    lucid_fn step = lucid_fn_new(s, one_step, 1, NULL);
    lucid_tensor from = lucid_scalar_int(s, 0), to = lucid_scalar_int(s, 4);
    (void)lucid_fori(s, from, to, step, &a, 1, NULL, &c);
    lucid_fn rows = lucid_vmap(s, lucid_fn_new(s, noise_row, 1, NULL), &each);
    lucid_tensor noise = lucid_call1(s, rows, lucid_expand(s, x[0], LUCID_SHAPE(2, 3)));
    y[0] = lucid_add(s, c, lucid_sum(s, noise, LUCID_DIMS(0)));
    return lucid_error(s);
}

static lucid_fn mapped(lucid_scope *s, lucid_fn f, int mode)
{
    lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    if (mode == 1)
        options.randomness = LUCID_RANDOMNESS_SAME;
    if (mode == 2)
        options.strategy = LUCID_STRATEGY_ISOLATED;
    if (mode == 3)
        options.chunk_size = 2;
    return lucid_vmap(s, f, &options);
}

static void random_numbers_are_those_of_the_function(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(3)), X = lucid_randn(s, LUCID_SHAPE(5, 3));
    lucid_fn f = lucid_fn_new(s, noisy, 1, NULL);
    lucid_rng_state before = lucid_generator_state(lucid_generator_of(s));
    lucid_fn c = lucid_compile(s, f, &x, 1, NULL);
    lucid_rng_state after = lucid_generator_state(lucid_generator_of(s));
    assert_true(before.seed == after.seed && before.draw == after.draw);
    for (uint64_t seed = 0; seed < 3; seed++)
        for (int mode = -1; mode < 4; mode++) {
            lucid_tensor y[2][2];
            for (int i = 0; i < 2; i++) {
                lucid_fn g = i ? c : f;
                if (mode >= 0)
                    g = mapped(s, g, mode);
                lucid_manual_seed(s, seed);
                for (int k = 0; k < 2; k++)
                    y[i][k] = lucid_call1(s, g, mode < 0 ? x : X);
            }
            for (int k = 0; k < 2; k++)
                same_tensors(s, "random", y[1][k], y[0][k], 0);
        }
    (void)lucid_call1(s, lucid_vmap(s, c, NULL), X);
    assert_int_equal(lucid_error(s), LUCID_RUNTIME_ERROR);
    assert_non_null(strstr(lucid_error_message(s), "LUCID_RANDOMNESS_DIFFERENT"));
    lucid_clear_error(s);
}

/* ---- errors ------------------------------------------------------------------------------------------- */

BODY(asks)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor total = lucid_sum(s, x[0], LUCID_ALL);
    y[0] = x[0];
    if (lucid_bool(s, lucid_gt(s, total, lucid_scalar(s, 0))))
        y[0] = total;
    return lucid_error(s);
}

BODY(seeds)
{
    (void)nx, (void)ny, (void)user;
    lucid_manual_seed(s, 7);
    y[0] = lucid_rand(s, LUCID_SHAPE(2));
    (void)x;
    return lucid_error(s);
}

BODY(draws_elsewhere)
{
    (void)nx, (void)ny, (void)x;
    lucid_generator *before = lucid_set_generator(s, user);
    y[0] = lucid_rand(s, LUCID_SHAPE(2));
    (void)lucid_set_generator(s, before);
    return lucid_error(s);
}

BODY(fails)
{
    (void)x, (void)nx, (void)y, (void)ny, (void)user;
    return lucid_fail(s, LUCID_VALUE_ERROR, "the user's own words");
}

static void expect(lucid_scope *s, lucid_status status, const char *phrase)
{
    assert_int_equal(lucid_error(s), status);
    if (!strstr(lucid_error_message(s), phrase))
        fail_msg("no \"%s\" in: %s", phrase, lucid_error_message(s));
    assert_int_equal(lucid_level(s), 0);
    lucid_clear_error(s);
}

static void what_does_not_fit_is_an_error(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(3)), empty = {NULL}, two[2] = {x, x};
    lucid_fn f = lucid_fn_new(s, square_sum, 1, NULL), c = lucid_compile(s, f, &x, 1, NULL);
    (void)lucid_call1(s, c, lucid_randn(s, LUCID_SHAPE(4)));
    expect(s, LUCID_VALUE_ERROR,
           "argument 0 is float32 (4,), and the function was compiled for float32 (3,)");
    (void)lucid_call1(s, c, lucid_cast(s, x, LUCID_FLOAT64));
    expect(s, LUCID_TYPE_ERROR, "float64 (3,)");
    lucid_tensor y;
    (void)lucid_call(s, c, two, 2, &y, 1);
    expect(s, LUCID_TYPE_ERROR, "compiled for 1 arguments, 2 are given");
    (void)lucid_compile(s, (lucid_fn){NULL}, &x, 1, NULL);
    expect(s, LUCID_TYPE_ERROR, "compile");
    (void)lucid_compile(s, f, &empty, 1, NULL);
    expect(s, LUCID_TYPE_ERROR, "argument 0 is an empty handle");
    (void)lucid_compile(s, lucid_fn_new(s, asks, 1, NULL), &x, 1, NULL);
    expect(s, LUCID_RUNTIME_ERROR, "compiled function a tensor has no value yet");
    (void)lucid_compile(s, lucid_fn_new(s, seeds, 1, NULL), &x, 1, NULL);
    expect(s, LUCID_RUNTIME_ERROR, "call manual_seed outside");
    lucid_generator *own = lucid_generator_new(1);
    (void)lucid_compile(s, lucid_fn_new(s, draws_elsewhere, 1, own), &x, 1, NULL);
    expect(s, LUCID_RUNTIME_ERROR, "draw from another one outside");
    lucid_generator_free(own);
    (void)lucid_compile(s, lucid_fn_new(s, fails, 1, NULL), &x, 1, NULL);
    expect(s, LUCID_VALUE_ERROR, "the user's own words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_are_those_of_the_function, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(long_functions_stay_functions, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_values_and_no_arguments, setup, teardown),
        cmocka_unit_test_setup_teardown(a_call_is_its_dispatches, setup, teardown),
        cmocka_unit_test_setup_teardown(transforms_enter, setup, teardown),
        cmocka_unit_test_setup_teardown(requires_grad_goes_through, setup, teardown),
        cmocka_unit_test_setup_teardown(inside_a_transform_it_closes_over, setup, teardown),
        cmocka_unit_test_setup_teardown(random_numbers_are_those_of_the_function, setup, teardown),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
