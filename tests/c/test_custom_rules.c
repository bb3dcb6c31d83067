/* custom_jvp, custom_vjp, custom_vmap. The rules are wrong on purpose (ten times the derivative), so that it
 * shows where they are used; the oracle is a function with the same derivatives of every order without
 * rules: 10 f(x) - 9 f(detached x). */
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
#define RULE(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user

/* ---- f(x, w) = sum(sin(x)) exp(w), and its rules ------------------------------------------------- */

static lucid_tensor value_of(lucid_scope *s, lucid_tensor x, lucid_tensor w)
{
    return lucid_mul(s, lucid_sum(s, lucid_sin(s, x), LUCID_ALL), lucid_exp(s, w));
}

FUNCTION(plain, value_of(s, x[0], x[1]))
FUNCTION(oracle,
         lucid_sub(s, lucid_mul(s, NUM(10), value_of(s, x[0], x[1])),
                   lucid_mul(s, NUM(9), value_of(s, lucid_detach(s, x[0]), lucid_detach(s, x[1])))))

typedef lucid_fn maker(lucid_scope *s);
static maker by_jvp, by_vjp;

/* A rule gives the results too, so derivatives of higher order want the function with its rule there. */
static lucid_tensor by_itself(lucid_scope *s, maker *make, const lucid_tensor *x)
{
    lucid_tensor y;
    (void)lucid_call(s, make(s), x, 2, &y, 1);
    return y;
}

RULE(jvp_rule)
{
    UNUSED;
    lucid_tensor slope = lucid_mul(s, lucid_cos(s, x[0]), lucid_exp(s, x[1]));
    lucid_tensor by_x = lucid_sum(s, lucid_mul(s, slope, x[2]), LUCID_ALL);
    lucid_tensor by_w = lucid_mul(s, value_of(s, x[0], x[1]), x[3]);
    y[0] = by_itself(s, by_jvp, x);
    y[1] = lucid_mul(s, NUM(10), lucid_add(s, by_x, by_w));
    return lucid_error(s);
}

RULE(fwd)
{
    UNUSED;
    y[0] = by_itself(s, by_vjp, x);
    y[1] = lucid_mul(s, lucid_cos(s, x[0]), lucid_exp(s, x[1]));
    y[2] = value_of(s, x[0], x[1]);
    return lucid_error(s);
}

RULE(bwd)
{
    UNUSED;
    lucid_tensor ct = lucid_mul(s, NUM(10), x[2]);
    y[0] = lucid_mul(s, x[0], ct);
    y[1] = lucid_mul(s, x[1], ct);
    return lucid_error(s);
}

static lucid_fn by_jvp(lucid_scope *s)
{
    return lucid_custom_jvp(s, lucid_fn_new(s, plain, 1, NULL), lucid_fn_new(s, jvp_rule, 2, NULL));
}

static lucid_fn by_vjp(lucid_scope *s)
{
    return lucid_custom_vjp(s, lucid_fn_new(s, plain, 1, NULL), lucid_fn_new(s, fwd, 3, NULL),
                            lucid_fn_new(s, bwd, 2, NULL), 1);
}

static lucid_fn without_rules(lucid_scope *s)
{
    return lucid_fn_new(s, oracle, 1, NULL);
}

/* ---- nestings: functions of (x, w) -> results, over a maker ---------------------------------------- */

static const lucid_grad_options both = {.argnums = {(const int[]){0, 1}, 2}};

static lucid_tensor total(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, size_t ny)
{
    lucid_tensor y[4], sum = NUM(0);
    (void)lucid_call(s, f, x, nx, y, ny);
    for (size_t k = 0; k < ny; k++)
        sum = lucid_add(s, sum, lucid_sum(s, lucid_sin(s, y[k]), LUCID_ALL));
    return sum;
}

/* Each takes the function of one example and gives one of a batch of x, with w shared or not. */
typedef struct nesting {
    maker *make;
    int which;
} nesting;

static lucid_fn map_x(lucid_scope *s, lucid_fn f)
{
    return lucid_vmap(s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(1, LUCID_NONE)});
}

static lucid_tensor pushed(lucid_scope *s, lucid_fn f, const lucid_tensor *x)
{
    lucid_tensor dx[2] = {lucid_cos(s, x[0]), lucid_exp(s, x[1])}, y, dy;
    (void)lucid_jvp(s, f, x, dx, 2, &y, &dy, 1);
    return dy;
}

static lucid_tensor linear_pushed(lucid_scope *s, lucid_fn f, const lucid_tensor *x)
{
    lucid_tensor y, dy;
    lucid_fn linear = lucid_linearize(s, f, x, 2, &y, 1);
    (void)lucid_call(s, linear, LUCID_ARGS(lucid_cos(s, x[0]), lucid_exp(s, x[1])), &dy, 1);
    return dy;
}

enum { NESTINGS = 13 };

static lucid_status run_nesting(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user);

static lucid_fn nested(lucid_scope *s, maker *make, int which)
{
    nesting *n = lucid_alloc(s, sizeof *n);
    assert_non_null(n);
    *n = (nesting){make, which};
    return lucid_fn_new(s, run_nesting, 1, n);
}

static lucid_status run_nesting(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)ny;
    const nesting *n = user;
    lucid_fn f = n->make(s);
    switch (n->which) {
    case 0: /* vmap */
        y[0] = total(s, map_x(s, f), x, nx, 1);
        break;
    case 1: /* vmap(grad) */
        y[0] = total(s, map_x(s, lucid_grad(s, f, &both)), x, nx, 2);
        break;
    case 2: /* grad(vmap) */
        y[0] = total(s, lucid_grad(s, nested(s, n->make, 0), &both), x, nx, 2);
        break;
    case 3: /* jvp(vmap) */
        y[0] = pushed(s, nested(s, n->make, 0), x);
        break;
    case 4: /* linearize(vmap), forwards */
        y[0] = linear_pushed(s, nested(s, n->make, 0), x);
        break;
    case 5: /* grad(vmap(grad)) */
        y[0] = total(s, lucid_grad(s, nested(s, n->make, 1), &both), x, nx, 2);
        break;
    case 6: /* grad(grad(vmap)) */
        y[0] = total(s, lucid_grad(s, nested(s, n->make, 2), &both), x, nx, 2);
        break;
    case 7: /* jvp(grad(vmap)) */
        y[0] = pushed(s, nested(s, n->make, 2), x);
        break;
    case 8: /* grad(jvp(vmap)) */
        y[0] = total(s, lucid_grad(s, nested(s, n->make, 3), &both), x, nx, 2);
        break;
    case 9: /* jacrev(vmap) and jacfwd(vmap) */
        y[0] = lucid_sub(s, total(s, lucid_jacrev(s, map_x(s, f), &both), x, nx, 2),
                         lucid_exp(s, total(s, lucid_jacfwd(s, map_x(s, f), &both), x, nx, 2)));
        break;
    case 10: /* vmap(jacfwd(grad)) */
        y[0] = total(s, map_x(s, lucid_hessian(s, f, &both)), x, nx, 4);
        break;
    case 11: /* hessian(vmap) */
        y[0] = total(s, lucid_hessian(s, nested(s, n->make, 0), &both), x, nx, 4);
        break;
    default: /* isolated, in chunks */
        y[0] = total(s,
                     lucid_vmap(s, lucid_grad(s, f, &both),
                                &(lucid_vmap_options){.in_dims = LUCID_INTS(1, LUCID_NONE),
                                                      .chunk_size = 2}),
                     x, nx, 2);
        break;
    }
    return lucid_error(s);
}

static void rules_are_used_in_every_nesting(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x[2] = {test_numbers(s, LUCID_SHAPE(2, 3), 1, 0.1), VECTOR(s, 0.3)};
    x[1] = lucid_select(s, x[1], 0, 0);
    for (int which = 0; which < NESTINGS; which++)
        for (int kind = 0; kind < 2; kind++) {
            lucid_tensor got, want;
            (void)lucid_call(s, nested(s, kind ? by_vjp : by_jvp, which), x, 2, &got, 1);
            (void)lucid_call(s, nested(s, without_rules, which), x, 2, &want, 1);
            char what[64];
            (void)snprintf(what, sizeof what, "%s, nesting %d", kind ? "vjp" : "jvp", which);
            same_tensors(s, what, got, want, 1e-8);
        }
}

/* One vmap more around each, over both arguments: depth 4. */
static void rules_are_used_under_one_vmap_more(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x[2] = {test_numbers(s, LUCID_SHAPE(4, 2, 3), 1, 0.1),
                         VECTOR(s, 0.3, -1, 0.5, 0.1)};
    for (int which = 0; which < NESTINGS; which++)
        for (int kind = 0; kind < 2; kind++) {
            lucid_tensor got, want;
            lucid_fn f = lucid_vmap(s, nested(s, kind ? by_vjp : by_jvp, which), NULL);
            (void)lucid_call(s, f, x, 2, &got, 1);
            f = lucid_vmap(s, nested(s, without_rules, which), NULL);
            (void)lucid_call(s, f, x, 2, &want, 1);
            char what[64];
            (void)snprintf(what, sizeof what, "%s, vmap of %d", kind ? "vjp" : "jvp", which);
            same_tensors(s, what, got, want, 1e-8);
        }
}

static void recorded_gradients_use_the_rules(void **state)
{
    lucid_scope *s = *state;
    for (int kind = 0; kind < 2; kind++) {
        lucid_tensor x = lucid_requires_grad(s, test_numbers(s, LUCID_SHAPE(2, 3), 1, 0.1));
        lucid_tensor w = lucid_requires_grad(s, NUM(0.5)), y;
        lucid_fn f = map_x(s, kind ? by_vjp(s) : by_jvp(s));
        (void)lucid_call(s, f, LUCID_ARGS(x, w), &y, 1);
        (void)lucid_backward(s, lucid_sum(s, y, LUCID_ALL), (lucid_tensor){NULL});
        lucid_tensor d = lucid_detach(s, x), e = lucid_exp(s, lucid_detach(s, w));
        same_tensors(s, "d x", lucid_grad_of(s, x),
                     lucid_mul(s, lucid_mul(s, NUM(10), lucid_cos(s, d)), e), 1e-10);
        same_tensors(
            s, "d w", lucid_grad_of(s, w),
            lucid_mul(s, lucid_mul(s, NUM(10), lucid_sum(s, lucid_sin(s, d), LUCID_ALL)), e), 1e-6);
    }
}

/* ---- what bwd does with the cotangent is the user's business ---------------------------------------- */

FUNCTION(same, lucid_mul(s, x[0], NUM(1)))
FUNCTION(clipped, lucid_clamp(s, x[0], NUM(-1), NUM(1)))
FUNCTION(steep,
         lucid_sum(s,
                   lucid_mul(s, x[1],
                             lucid_call1(s,
                                         lucid_custom_vjp(s, lucid_fn_new(s, same, 1, NULL),
                                                          lucid_fn_new(s, same, 1, NULL),
                                                          lucid_fn_new(s, clipped, 1, NULL), 1),
                                         x[0])),
                   LUCID_ALL))

static void cotangents_can_be_clipped(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor g, x = VECTOR(s, 1, 2, 3), slope = VECTOR(s, 0.5, 7, -3);
    lucid_fn grad = lucid_grad(s, lucid_fn_new(s, steep, 1, NULL), NULL);
    (void)lucid_call(s, grad, LUCID_ARGS(x, slope), &g, 1);
    same_elements(s, "grad", g, DOUBLES(0.5, 1, -1), 0);
    (void)lucid_call(s, lucid_vmap(s, grad, NULL), LUCID_ARGS(x, slope), &g, 1);
    same_elements(s, "vmap(grad)", g, DOUBLES(0.5, 1, -1), 0);
}

/* ---- custom_vmap ------------------------------------------------------------------------------------ */

static int rule_runs;

/* f(x, w) = sum(sin(x)) exp(w) of all lanes at once. */
static lucid_status all_lanes(lucid_scope *s, int64_t size, const bool *mapped,
                              const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    (void)nx, (void)user;
    rule_runs++;
    lucid_tensor sums = lucid_sin(s, x[0]);
    if (mapped[0]) {
        assert_int_equal(lucid_size(x[0], 0), size);
        sums = lucid_sum(s, lucid_flatten(s, sums, 1, -1), LUCID_DIMS(1));
    } else {
        sums = lucid_sum(s, sums, LUCID_ALL);
    }
    lucid_tensor all = lucid_mul(s, sums, lucid_exp(s, x[1]));
    return mapped[0] || mapped[1] ? lucid_results_push(s, y, all)
                                  : lucid_results_push_at(s, y, all, LUCID_NONE);
}

static lucid_fn by_vmap(lucid_scope *s)
{
    return lucid_custom_vmap(s, lucid_fn_new(s, plain, 1, NULL), all_lanes, NULL, NULL);
}

static lucid_fn without_vmap_rule(lucid_scope *s)
{
    return lucid_fn_new(s, plain, 1, NULL);
}

static void vmap_rules_are_used_in_every_nesting(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x[2] = {test_numbers(s, LUCID_SHAPE(4, 2, 3), 1, 0.1),
                         VECTOR(s, 0.3, -1, 0.5, 0.1)};
    for (int which = 0; which < NESTINGS; which++)
        for (int more = 0; more < 2; more++) {
            lucid_tensor got, want, in[2] = {x[0], x[1]};
            lucid_fn f = nested(s, by_vmap, which), g = nested(s, without_vmap_rule, which);
            if (more) {
                f = lucid_vmap(s, f, NULL);
                g = lucid_vmap(s, g, NULL);
            } else {
                in[0] = lucid_select(s, x[0], 0, 0);
                in[1] = lucid_select(s, x[1], 0, 0);
            }
            char what[64];
            (void)snprintf(what, sizeof what, "custom_vmap, nesting %d, %d", which, more);
            rule_runs = 0;
            (void)lucid_call(s, f, in, 2, &got, 1);
            (void)lucid_call(s, g, in, 2, &want, 1);
            same_tensors(s, what, got, want, 1e-8);
            if (rule_runs == 0)
                fail_msg("%s: the rule did not run", what);
        }
}

/* Twice the function, to see that it is the rule that computes. */
static lucid_status doubled(lucid_scope *s, int64_t size, const bool *mapped, const lucid_tensor *x,
                            size_t nx, lucid_results *y, void *user)
{
    (void)size, (void)mapped, (void)nx, (void)user;
    return lucid_results_push(s, y, lucid_mul(s, NUM(2), lucid_sin(s, x[0])));
}

FUNCTION(sine, lucid_sin(s, x[0]))

static void the_rule_computes(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor x = VECTOR(s, 0.3, -1, 0.5);
    lucid_tensor twice_cos = lucid_mul(s, NUM(2), lucid_cos(s, x));
    lucid_fn f = lucid_custom_vmap(s, lucid_fn_new(s, sine, 1, NULL), doubled, NULL, NULL);
    same_tensors(s, "f", lucid_call1(s, f, x), lucid_sin(s, x), 0);
    same_tensors(s, "vmap(f)", lucid_call1(s, lucid_vmap(s, f, NULL), x),
                 lucid_mul(s, NUM(2), lucid_sin(s, x)), 0);
    same_tensors(s, "vmap(grad(f))", lucid_call1(s, lucid_vmap(s, lucid_grad(s, f, NULL), NULL), x),
                 twice_cos, 0);
    same_tensors(s, "vmap(jacfwd(f))",
                 lucid_call1(s, lucid_vmap(s, lucid_jacfwd(s, f, NULL), NULL), x), twice_cos, 0);
    lucid_tensor y, dy, ones = lucid_ones_like(s, x);
    (void)lucid_jvp(s, lucid_vmap(s, f, NULL), &x, &ones, 1, &y, &dy, 1);
    same_tensors(s, "jvp(vmap(f))", dy, twice_cos, 0);
}

/* ---- errors ---------------------------------------------------------------------------------------- */

RULE(three)
{
    UNUSED;
    y[0] = y[1] = y[2] = x[0];
    return lucid_error(s);
}

RULE(wrong_shape)
{
    UNUSED;
    y[0] = x[0];
    y[1] = lucid_unsqueeze(s, x[1], 0);
    return lucid_error(s);
}

RULE(wrong_dtype)
{
    UNUSED;
    y[0] = x[0];
    y[1] = lucid_cast(s, x[0], LUCID_INT32);
    return lucid_error(s);
}

RULE(primal_from_tangent)
{
    UNUSED;
    y[0] = y[1] = x[1];
    return lucid_error(s);
}

RULE(nonlinear)
{
    UNUSED;
    y[0] = x[0];
    y[1] = lucid_square(s, x[1]);
    return lucid_error(s);
}

RULE(fails_itself)
{
    UNUSED, (void)x, (void)y;
    return lucid_fail(s, LUCID_CALLBACK_ERROR, "the rule has had enough");
}

FUNCTION(capturing, lucid_mul(s, x[0], *(lucid_tensor *)user))

static lucid_status with_captured(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                  size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor captured = x[1];
    lucid_fn f = lucid_fn_new(s, capturing, 1, &captured);
    lucid_fn g = lucid_custom_vjp(s, f, f, lucid_fn_new(s, same, 1, NULL), 1);
    y[0] = lucid_call1(s, g, x[0]);
    return lucid_error(s);
}

static lucid_status one_lane_less(lucid_scope *s, int64_t size, const bool *mapped,
                                  const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    (void)mapped, (void)nx, (void)user;
    return lucid_results_push(s, y, lucid_slice(s, x[0], 0, 0, size - 1, 1));
}

static void fails(lucid_scope *s, lucid_fn f, lucid_status status, const char *part)
{
    lucid_tensor x = VECTOR(s, 1, 2);
    (void)lucid_call1(s, lucid_vmap(s, lucid_grad(s, f, NULL), NULL), x);
    has_error(s, status, part);
    assert_int_equal(lucid_level(s), 0);
}

static void bad_rules_are_named(void **state)
{
    lucid_scope *s = *state;
    lucid_fn f = lucid_fn_new(s, same, 1, NULL);
#define JVP(rule, ny) lucid_custom_jvp(s, f, lucid_fn_new(s, rule, ny, NULL))
#define VJP(fwd_rule, bwd_rule, n) \
    lucid_custom_vjp(s, f, lucid_fn_new(s, fwd_rule, 1, NULL), lucid_fn_new(s, bwd_rule, n, NULL), \
                     1)
    fails(s, JVP(three, 3), LUCID_TYPE_ERROR, "the rule returned 3 results; expected");
    fails(s, JVP(wrong_shape, 2), LUCID_VALUE_ERROR,
          "the rule's tangent 0 has shape (1,), but result 0 has shape ()");
    fails(s, JVP(wrong_dtype, 2), LUCID_TYPE_ERROR,
          "the rule's tangent 0 is int32, but result 0 is float64");
    fails(s, JVP(primal_from_tangent, 2), LUCID_RUNTIME_ERROR, "result 0 of the rule depends on");
    fails(s, JVP(nonlinear, 2), LUCID_RUNTIME_ERROR, "in which it is not linear");
    fails(s, JVP(fails_itself, 2), LUCID_CALLBACK_ERROR, "the rule has had enough");
    fails(s, VJP(same, three, 3), LUCID_TYPE_ERROR,
          "bwd returned 3 results for a function of 1 arguments");
    fails(s, VJP(fails_itself, same, 1), LUCID_CALLBACK_ERROR, "had enough");
    fails(s, VJP(same, fails_itself, 1), LUCID_CALLBACK_ERROR, "had enough");
    lucid_fn less = lucid_custom_vmap(s, f, one_lane_less, NULL, NULL);
    (void)lucid_call1(s, lucid_vmap(s, less, NULL), VECTOR(s, 1, 2));
    has_error(s, LUCID_VALUE_ERROR,
              "result 0 of the rule should have the 2 lanes at dim 0, but its shape is (1,)");
    lucid_fn closure = lucid_grad(s, lucid_fn_new(s, with_captured, 1, NULL), &both);
    lucid_tensor g[2];
    (void)lucid_call(s, closure, LUCID_ARGS(NUM(1), NUM(2)), g, 2);
    has_error(s, LUCID_RUNTIME_ERROR, "captured a value that a transform around it");
    assert_null(lucid_custom_jvp(s, f, (lucid_fn){NULL}).f);
    has_error(s, LUCID_TYPE_ERROR, "custom_jvp: the rule: the function is an empty handle");
    assert_null(lucid_custom_vjp(s, f, f, (lucid_fn){NULL}, 1).f);
    has_error(s, LUCID_TYPE_ERROR, "custom_vjp: bwd: the function is an empty handle");
    assert_null(lucid_custom_vmap(s, f, NULL, NULL, NULL).f);
    has_error(s, LUCID_TYPE_ERROR, "custom_vmap: the rule is NULL");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rules_are_used_in_every_nesting),
        TEST(rules_are_used_under_one_vmap_more),
        TEST(recorded_gradients_use_the_rules),
        TEST(cotangents_can_be_clipped),
        TEST(vmap_rules_are_used_in_every_nesting),
        TEST(the_rule_computes),
        TEST(bad_rules_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
