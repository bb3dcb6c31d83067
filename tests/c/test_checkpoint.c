/* lucid_checkpoint: the same derivatives from less memory, without running the function again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

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

#define NUM(value) lucid_scalar(s, value)

typedef enum wrapping { PLAIN, ONE, NESTED, WRAPPINGS } wrapping;

static lucid_fn wrapped(lucid_scope *s, lucid_fn f, wrapping how)
{
    return how == PLAIN ? f : lucid_checkpoint(s, f);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

enum { LAYERS = 16, STEPS = 4, WIDTH = 1 << 16 };

static int layer_runs;

/* Several nonlinear steps, whose derivatives each want a value of their own. */
static lucid_status layer(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    layer_runs++;
    lucid_tensor h = x[0];
    for (int k = 0; k < STEPS; k++)
        h = lucid_sin(s, lucid_roll(s, lucid_mul(s, lucid_tanh(s, h), h), 1, 0));
    y[0] = h;
    return lucid_error(s);
}

static lucid_status some_layers(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny;
    wrapping how = *(wrapping *)user;
    lucid_fn f = wrapped(s, lucid_fn_new(s, layer, 1, NULL), how);
    lucid_tensor h = x[0];
    for (int k = 0; k < LAYERS / 4; k++)
        h = lucid_call1(s, f, h);
    y[0] = h;
    return lucid_error(s);
}

static lucid_status network(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny;
    wrapping how = *(wrapping *)user;
    lucid_fn f = lucid_fn_new(s, some_layers, 1, user);
    if (how == NESTED)
        f = lucid_checkpoint(s, f);
    lucid_tensor h = x[0];
    for (int k = 0; k < 4; k++)
        h = lucid_call1(s, f, h);
    y[0] = lucid_sum(s, h, LUCID_ALL);
    return lucid_error(s);
}

/* Tensor memory that a gradient takes at most, beside what was there before: in a growing order, since the
 * peak is that of the process. */
static double peak_of_gradient(lucid_scope *s, wrapping how, lucid_tensor *g)
{
    lucid_tensor x = test_numbers(s, LUCID_SHAPE(WIDTH), 1, 0.1);
    (void)lucid_eval(s, &x, 1);
    uint64_t before = lucid_get_stats().bytes_live;
    *g = lucid_call1(s, lucid_grad(s, lucid_fn_new(s, network, 1, &how), NULL), x);
    (void)lucid_eval(s, g, 1);
    return (double)(lucid_get_stats().bytes_peak - before) / (WIDTH * sizeof(double));
}

static void memory_is_that_of_the_inputs(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor g[WRAPPINGS];
    double arrays[WRAPPINGS];
    const wrapping order[WRAPPINGS] = {NESTED, ONE, PLAIN};
    for (int i = 0; i < WRAPPINGS; i++) {
        layer_runs = 0;
        arrays[order[i]] = peak_of_gradient(s, order[i], &g[order[i]]);
        assert_int_equal(layer_runs, LAYERS);
    }
    print_message("arrays at most: %.1f nested, %.1f in checkpoints, %.1f without\n",
                  arrays[NESTED], arrays[ONE], arrays[PLAIN]);
    same_tensors(s, "checkpoint", g[ONE], g[PLAIN], 0);
    same_tensors(s, "nested", g[NESTED], g[PLAIN], 0);
    assert_true(arrays[ONE] < LAYERS + 5 * STEPS);
    assert_true(2 * arrays[NESTED] < LAYERS + 10 * STEPS);
    assert_true(arrays[PLAIN] > 3 * LAYERS * STEPS);
}

/* ---- derivatives ------------------------------------------------------------------------------------- */

/* The same functions with checkpoints or without; nested or not. */
typedef struct plan {
    bool nested, checkpoints;
    lucid_tensor captured;
} plan;

static lucid_fn in_plan(lucid_scope *s, const plan *p, lucid_fn f)
{
    return p->checkpoints ? lucid_checkpoint(s, f) : f;
}

/* Draws, asks for its value, has several arguments and results, and captures one that is differentiated. */
static lucid_status block(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_tensor w = ((plan *)user)->captured;
    lucid_tensor noise = lucid_randn(s, lucid_shape_of(x[0]));
    lucid_tensor h = lucid_mul(s, lucid_tanh(s, x[0]), lucid_exp(s, w));
    bool up = lucid_bool(s, lucid_gt(s, lucid_sum(s, h, LUCID_ALL), NUM(0)));
    h = up ? lucid_sin(s, h) : lucid_mul(s, h, h);
    y[0] = lucid_mul(s, lucid_mul(s, h, x[1]), noise);
    y[1] = lucid_sum(s, lucid_mul(s, h, lucid_cos(s, x[0])), LUCID_ALL);
    return lucid_error(s);
}

static lucid_status outer_block(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    lucid_tensor z[2] = {lucid_square(s, x[0]), lucid_exp(s, lucid_sin(s, x[1]))};
    (void)nx;
    (void)lucid_call(s, in_plan(s, user, lucid_fn_new(s, block, 2, user)), z, 2, y, ny);
    y[0] = lucid_tanh(s, lucid_mul(s, y[0], z[0]));
    return lucid_error(s);
}

/* f(x, w) -> 0-d: blocks one after the other. */
static lucid_status blocks(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)nx, (void)ny;
    plan p = *(plan *)user;
    p.captured = x[1];
    lucid_fn f = lucid_fn_new(s, p.nested ? outer_block : block, 2, &p);
    lucid_tensor h[4] = {{NULL}, {NULL}, x[0], x[1]}, total = NUM(0);
    for (int k = 0; k < 3; k++) {
        lucid_tensor *in = h + (k % 2 ? 0 : 2), *out = h + (k % 2 ? 2 : 0);
        (void)lucid_call(s, in_plan(s, &p, f), in, 2, out, 2);
        total = lucid_add(s, total, out[1]);
    }
    y[0] = lucid_add(s, lucid_sum(s, h[0], LUCID_ALL), total);
    return lucid_error(s);
}

static const lucid_grad_options both = {.argnums = {(const int[]){0, 1}, 2}};
static const lucid_vmap_options lanes = {.in_dims = {(const int[]){0, LUCID_NONE}, 2},
                                         .randomness = LUCID_RANDOMNESS_DIFFERENT};

static lucid_status sum_of_lanes(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    (void)ny;
    lucid_tensor z;
    (void)lucid_call(s, lucid_vmap(s, *(lucid_fn *)user, &lanes), x, nx, &z, 1);
    y[0] = lucid_sum(s, lucid_sin(s, z), LUCID_ALL);
    return lucid_error(s);
}

static lucid_status sum_of_gradients(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                     lucid_tensor *y, size_t ny, void *user)
{
    (void)ny;
    lucid_tensor z[2];
    (void)lucid_call(s, lucid_grad(s, *(lucid_fn *)user, &both), x, nx, z, 2);
    y[0] = lucid_add(s, lucid_sum(s, lucid_sin(s, z[0]), LUCID_ALL),
                     lucid_sum(s, lucid_sin(s, z[1]), LUCID_ALL));
    return lucid_error(s);
}

enum { WAYS = 8 };

/* Derivatives of f in several ways, each into two results. X: (3, 4), one example: its row 0. */
static void derive(lucid_scope *s, lucid_fn f, int way, lucid_tensor X, lucid_tensor w,
                   lucid_tensor y[2])
{
    lucid_tensor x = lucid_select(s, X, 0, 0);
    lucid_fn mapped = lucid_fn_new(s, sum_of_lanes, 1, &f);
    lucid_fn slopes = lucid_fn_new(s, sum_of_gradients, 1, &f);
    lucid_tensor value, one[2] = {x, w}, all[2] = {X, w};
    y[0] = y[1] = NUM(0);
    lucid_manual_seed(s, 3);
    switch (way) {
    case 0:
        (void)lucid_call(s, lucid_grad(s, f, &both), one, 2, y, 2);
        break;
    case 1: /* vmap(grad): the lanes part */
        (void)lucid_call(s, lucid_vmap(s, lucid_grad(s, f, &both), &lanes), all, 2, y, 2);
        break;
    case 2: /* grad(vmap) */
        (void)lucid_call(s, lucid_grad(s, mapped, &both), all, 2, y, 2);
        break;
    case 3:
        (void)lucid_jvp(s, f, one, one, 2, &value, y, 1);
        break;
    case 4: { /* linearize, forwards, twice */
        lucid_fn linear = lucid_linearize(s, f, one, 2, &value, 1);
        (void)lucid_call(s, linear, one, 2, y, 1);
        (void)lucid_call(s, linear, LUCID_ARGS(lucid_sin(s, x), w), y + 1, 1);
        break;
    }
    case 5: /* grad(grad) */
        (void)lucid_call(s, lucid_grad(s, slopes, &both), one, 2, y, 2);
        break;
    case 6: /* jacfwd(grad), rows of jacrev */
        (void)lucid_call(s, lucid_jacfwd(s, lucid_grad(s, f, NULL), &both), one, 2, y, 2);
        break;
    default: { /* recorded */
        one[0] = lucid_requires_grad(s, x);
        one[1] = lucid_requires_grad(s, w);
        (void)lucid_call(s, f, one, 2, &value, 1);
        (void)lucid_backward(s, value, (lucid_tensor){NULL});
        y[0] = lucid_grad_of(s, one[0]);
        y[1] = lucid_grad_of(s, one[1]);
    }
    }
}

static void derivatives_are_the_same(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(3, 4), 5, 0.1);
    lucid_tensor w = lucid_cast(s, NUM(0.3), LUCID_FLOAT64);
    for (int way = 0; way < WAYS; way++)
        for (int nested = 0; nested < 2; nested++) {
            lucid_tensor got[2], want[2];
            char what[64];
            (void)snprintf(what, sizeof what, "way %d%s", way, nested ? ", nested" : "");
            plan p = {.nested = nested, .checkpoints = true};
            derive(s, lucid_fn_new(s, blocks, 1, &p), way, X, w, got);
            (void)lucid_eval(s, got, 2);
            p.checkpoints = false;
            derive(s, lucid_fn_new(s, blocks, 1, &p), way, X, w, want);
            same_tensors(s, what, got[0], want[0], 1e-12);
            same_tensors(s, what, got[1], want[1], 1e-12);
        }
}

/* A gradient inside a checkpoint that is itself differentiated. */
static lucid_status with_gradient(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                  size_t ny, void *user)
{
    lucid_fn f = lucid_fn_new(s, blocks, 1, user);
    lucid_fn g = in_plan(s, user, lucid_fn_new(s, sum_of_gradients, 1, &f));
    return lucid_call(s, g, x, nx, y, ny);
}

static void gradients_inside_a_checkpoint(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x[2] = {test_numbers(s, LUCID_SHAPE(4), 5, 0.1),
                         lucid_cast(s, NUM(0.3), LUCID_FLOAT64)};
    for (int nested = 0; nested < 2; nested++) {
        lucid_tensor y[2][2];
        for (int checkpoints = 0; checkpoints < 2; checkpoints++) {
            plan p = {.nested = nested, .checkpoints = checkpoints};
            lucid_manual_seed(s, 3);
            lucid_fn f = lucid_grad(s, lucid_fn_new(s, with_gradient, 1, &p), &both);
            (void)lucid_call(s, f, x, 2, y[checkpoints], 2);
            (void)lucid_eval(s, y[checkpoints], 2);
        }
        same_tensors(s, "d x", y[1][0], y[0][0], 1e-12);
        same_tensors(s, "d w", y[1][1], y[0][1], 1e-12);
    }
}

/* ---- errors -------------------------------------------------------------------------------------------- */

static lucid_status fails(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)x, (void)nx, (void)y, (void)ny, (void)user;
    return lucid_fail(s, LUCID_CALLBACK_ERROR, "the function has had enough");
}

static void errors_leave_nothing_behind(void **state)
{
    lucid_scope *s = *state;
    lucid_fn f = lucid_checkpoint(s, lucid_fn_new(s, fails, 1, NULL));
    (void)lucid_call1(s, lucid_grad(s, lucid_checkpoint(s, f), NULL), NUM(1));
    has_error(s, LUCID_CALLBACK_ERROR, "had enough");
    assert_null(lucid_checkpoint(s, (lucid_fn){NULL}).f);
    has_error(s, LUCID_TYPE_ERROR, "checkpoint: the function is an empty handle");
    lucid_checkpoint_end(s); /* none is begun */
    lucid_checkpoint_begin(s);
    lucid_checkpoint_begin(s);
    (void)lucid_sin(s, NUM(1)); /* and closing ends both */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_that_of_the_inputs),
        TEST(derivatives_are_the_same),
        TEST(gradients_inside_a_checkpoint),
        TEST(errors_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
