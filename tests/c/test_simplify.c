/* What simplification leaves of an expression, and that it keeps every bit: zeros of both signs, infinities,
 * NaN and denormals included. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"
#include "lucid.h"

typedef lucid_tensor expression(lucid_scope *s, lucid_tensor x);

#define NUM(v) lucid_scalar(s, v)
#define EXPRESSION(name, ...) \
    static lucid_tensor name(lucid_scope *s, lucid_tensor x) \
    { \
        return __VA_ARGS__; \
    }

EXPRESSION(times_one, lucid_mul(s, lucid_exp(s, x), NUM(1)))
EXPRESSION(one_times, lucid_mul(s, lucid_ones(s, LUCID_SHAPE(3, 4)), lucid_exp(s, x)))
EXPRESSION(over_one, lucid_div(s, lucid_exp(s, x), NUM(1)))
EXPRESSION(minus_zero_away, lucid_sub(s, x, NUM(0)))
EXPRESSION(zero_added, lucid_add(s, x, NUM(0)))
EXPRESSION(zero_added_twice, lucid_add(s, lucid_add(s, x, NUM(0)), NUM(0)))
EXPRESSION(minus_zero_added, lucid_add(s, x, NUM(-0.0)))
EXPRESSION(minus_zero_subtracted, lucid_sub(s, x, NUM(-0.0)))
EXPRESSION(times_zero, lucid_mul(s, x, NUM(0)))
EXPRESSION(neg_neg, lucid_neg(s, lucid_neg(s, lucid_exp(s, x))))
EXPRESSION(abs_abs, lucid_abs(s, lucid_abs(s, x)))
EXPRESSION(cast_and_back,
           lucid_cast(s, lucid_cast(s, lucid_exp(s, x), LUCID_FLOAT64), LUCID_FLOAT32))
EXPRESSION(cast_that_rounds, lucid_cast(s, lucid_cast(s, x, LUCID_INT32), LUCID_FLOAT32))
EXPRESSION(same_branches, lucid_where(s, lucid_gt(s, x, NUM(0)), x, x))
EXPRESSION(where_true, lucid_where(s, lucid_scalar_bool(s, true), lucid_exp(s, x), x))
EXPRESSION(twice_the_same,
           lucid_add(s, lucid_exp(s, lucid_neg(s, x)), lucid_exp(s, lucid_neg(s, x))))
EXPRESSION(twice_the_number, lucid_add(s, lucid_mul(s, x, NUM(3)), lucid_mul(s, x, NUM(3))))
EXPRESSION(turned_and_back, lucid_transpose(s, lucid_transpose(s, lucid_exp(s, x), 0, 1), 0, 1))
EXPRESSION(reshaped_twice,
           lucid_reshape(s, lucid_reshape(s, lucid_transpose(s, x, 0, 1), LUCID_SHAPE(2, 6)),
                         LUCID_SHAPE(3, 4)))
EXPRESSION(slice_of_slice,
           lucid_slice(s, lucid_slice(s, lucid_exp(s, x), 1, LUCID_END, 0, -1), 1, 1, 3, 1))

/* x0 x1 x2 of each row; its derivative is a sum of pads. */
static lucid_status product(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor p = lucid_select(s, x[0], 0, 0);
    for (int i = 1; i < 3; i++)
        p = lucid_mul(s, p, lucid_select(s, x[0], 0, i));
    y[0] = p;
    return LUCID_OK;
}

static lucid_tensor gradient_of_product(lucid_scope *s, lucid_tensor x)
{
    lucid_fn f = lucid_grad(s, lucid_fn_new(s, product, 1, NULL), NULL);
    return lucid_call1(s, lucid_vmap(s, f, NULL), x);
}

/* Only one element of each row counts. */
static lucid_status square_of_last(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                   lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_square(s, lucid_select(s, x[0], 0, -1));
    return LUCID_OK;
}

static lucid_tensor gradient_of_last(lucid_scope *s, lucid_tensor x)
{
    lucid_fn f = lucid_grad(s, lucid_fn_new(s, square_of_last, 1, NULL), NULL);
    return lucid_call1(s, lucid_vmap(s, f, NULL), x);
}

/* At most so many operations on floats per element of x, and steps, are left. */
static const struct entry {
    const char *name;
    expression *f;
    int operations, steps;
} table[] = {
    {"exp(x) * 1", times_one, 1, 1},
    {"ones * exp(x)", one_times, 1, 1},
    {"exp(x) / 1", over_one, 1, 1},
    {"x - 0", minus_zero_away, 0, 0},
    {"x + 0", zero_added, 1, 1},
    {"x + 0 + 0", zero_added_twice, 1, 1},
    {"x + -0", minus_zero_added, 0, 0},
    {"x - -0", minus_zero_subtracted, 1, 1},
    {"x * 0", times_zero, 1, 1},
    {"-(-exp(x))", neg_neg, 1, 1},
    {"||x||", abs_abs, 1, 1},
    {"exp(x) to float64 and back", cast_and_back, 1, 1},
    {"x to int32 and back", cast_that_rounds, 2, 1},
    {"where(x > 0, x, x)", same_branches, 0, 0},
    {"where(true, exp(x), x)", where_true, 1, 1},
    {"exp(-x) + exp(-x)", twice_the_same, 3, 1},
    {"3 x + 3 x", twice_the_number, 2, 1},
    {"exp(x).T.T", turned_and_back, 1, 1},
    {"x.T reshaped twice", reshaped_twice, 0, 1},
    {"slice of a slice of exp(x)", slice_of_slice, 1, 1},
    {"gradient of a product", gradient_of_product, 4, 1},
    {"gradient of one element", gradient_of_last, 6, 1},
};

static const float special[12] = {0.0f, -0.0f,  1.0f,    -1.5f, INFINITY, -INFINITY,
                                  NAN,  1e-40f, -1e-40f, 3e38f, 2.75f,    -7.0f};

/* The tensor that `f` gives, whose intermediates nobody holds. */
static lucid_tensor build(lucid_scope *s, expression *f, lucid_tensor x)
{
    lucid_scope *t = lucid_scope_new(s);
    lucid_tensor y = lucid_keep(t, f(t, x));
    if (lucid_error(t) != LUCID_OK)
        fail_msg("%s", lucid_error_message(t));
    assert_int_equal(lucid_close(t), LUCID_OK);
    return y;
}

static void every_rule_keeps_the_bits_and_does_less(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_from_data(s, special, LUCID_FLOAT32, LUCID_SHAPE(3, 4));
        lucid_tensor y = build(s, table[i].f, x), plain = build(s, table[i].f, x);
        const lucid_explanation *told = lucid_explain(s, &y, 1, NULL);
        const char *text = lucid_explanation_as(s, told, LUCID_EXPLAIN_TEXT);
        lucid_cost cost = lucid_explanation_cost(told);
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        lucid__set_fusion(false);
        assert_int_equal(lucid_eval(s, &plain, 1), LUCID_OK);
        lucid__set_fusion(true);
        if (cost.dispatches > (size_t)table[i].steps || cost.flops > 12.0 * table[i].operations)
            fail_msg("%s: %s", table[i].name, text);
        size_t bytes = (size_t)lucid_numel(y) * lucid_dtype_size(lucid_dtype_of(y));
        if (memcmp(lucid_data(s, y), lucid_data(s, plain), bytes) != 0)
            fail_msg("%s: simplified and not differ", table[i].name);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* A number that becomes 1, or equal to another one, has a plan of its own; its plan does not serve others. */
static void numbers_that_change_change_the_result(void **state)
{
    (void)state;
    const double numbers[][2] = {{2, 3}, {1, 3}, {3, 3}, {0, 1}, {5, 1}, {1, 1}, {2, 3}};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_from_data(s, special, LUCID_FLOAT32, LUCID_SHAPE(12));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        lucid_scope *t = lucid_scope_new(s);
        lucid_tensor y = lucid_mul(t, x, lucid_scalar(t, numbers[i][0]));
        y = lucid_keep(t, lucid_add(t, y, lucid_mul(t, x, lucid_scalar(t, numbers[i][1]))));
        assert_int_equal(lucid_close(t), LUCID_OK);
        const float *got = lucid_data(s, y);
        for (int k = 0; k < 12; k++) {
            float a = special[k] * (float)numbers[i][0], b = special[k] * (float)numbers[i][1];
            if (got[k] != a + b && !(isnan(got[k]) && isnan(a + b)))
                fail_msg("%g x + %g x at %g: %g", numbers[i][0], numbers[i][1], (double)special[k],
                         (double)got[k]);
        }
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_keeps_the_bits_and_does_less),
        cmocka_unit_test(numbers_that_change_change_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
