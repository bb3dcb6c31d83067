/* Functions with derivative rules inside what is recorded: their rules are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

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

/* sin(x), whose rules say 3 cos(x): so that it shows when they are lost. */
FUNCTION(wave, lucid_sin(s, x[0]))

static lucid_tensor slope(lucid_scope *s, lucid_tensor x)
{
    return lucid_mul(s, lucid_scalar(s, 3), lucid_cos(s, x));
}

static lucid_status wave_jvp(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sin(s, x[0]);
    y[1] = lucid_mul(s, slope(s, x[0]), x[1]);
    return lucid_error(s);
}

static lucid_status wave_fwd(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sin(s, x[0]);
    y[1] = slope(s, x[0]);
    return lucid_error(s);
}

FUNCTION(wave_bwd, lucid_mul(s, x[0], x[1]))

static lucid_fn with_rules(lucid_scope *s, bool by_vjp)
{
    lucid_fn f = lucid_fn_new(s, wave, 1, NULL);
    return by_vjp ? lucid_custom_vjp(s, f, lucid_fn_new(s, wave_fwd, 2, NULL),
                                     lucid_fn_new(s, wave_bwd, 1, NULL), 1)
                  : lucid_custom_jvp(s, f, lucid_fn_new(s, wave_jvp, 2, NULL));
}

/* body(i, c): f(c), or with user NULL what has its value and its derivative without a rule. */
static lucid_status step(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_tensor sin = lucid_sin(s, x[1]), two = lucid_scalar(s, 2);
    if (user)
        y[0] = lucid_call1(s, *(lucid_fn *)user, x[1]);
    else
        y[0] = lucid_sub(s, lucid_mul(s, lucid_scalar(s, 3), sin),
                         lucid_mul(s, two, lucid_detach(s, sin)));
    return lucid_error(s);
}

static lucid_status loop(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_tensor z = {NULL};
    (void)lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 3),
                     lucid_fn_new(s, step, 1, user), x, 1, NULL, &z);
    y[0] = lucid_sum(s, lucid_mul(s, z, x[0]), LUCID_ALL);
    return lucid_error(s);
}

static void loops_keep_the_rules(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = test_numbers(s, LUCID_SHAPE(4), 1, 0),
                 X = test_numbers(s, LUCID_SHAPE(3, 4), 2, 0);
    lucid_fn plain = lucid_fn_new(s, loop, 1, NULL);
    for (int by_vjp = 0; by_vjp < 2; by_vjp++) {
        lucid_fn f = with_rules(s, by_vjp), g = lucid_fn_new(s, loop, 1, &f);
        lucid_fn compiled = lucid_compile(s, g, &x, 1, NULL);
        lucid_tensor want = lucid_call1(s, lucid_grad(s, plain, NULL), x);
        lucid_tensor lanes = lucid_call1(s, lucid_vmap(s, lucid_grad(s, plain, NULL), NULL), X);
        const lucid_fn both[2] = {g, compiled};
        for (int i = 0; i < 2; i++) {
            lucid_fn d = lucid_grad(s, both[i], NULL);
            same_tensors(s, "value", lucid_call1(s, both[i], x), lucid_call1(s, plain, x), 1e-12);
            same_tensors(s, "gradient", lucid_call1(s, d, x), want, 1e-12);
            same_tensors(s, "gradients", lucid_call1(s, lucid_vmap(s, d, NULL), X), lanes, 1e-12);
        }
    }
}

/* The body of a loop runs in registers with the function in it. */
static void loops_stay_lane_programs(void **state)
{
    lucid_scope *s = *state;
    lucid_fn f = with_rules(s, false);
    lucid_fn g = lucid_vmap(s, lucid_fn_new(s, loop, 1, &f), NULL);
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(64, 4), 3, 0), Y = lucid_call1(s, g, X);
    assert_int_equal(lucid_explanation_cost(lucid_explain(s, &Y, 1, NULL)).dispatches, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loops_keep_the_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(loops_stay_lane_programs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
