/* What vmap and its companions take beside the function: names for messages, chunks from a byte budget. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user

static int runs;

FUNCTION(first)
{
    UNUSED;
    y[0] = x[0];
    return lucid_error(s);
}

/* Two 32 x 32 matrices at a time for an example of 32. */
FUNCTION(outer)
{
    UNUSED;
    runs++;
    lucid_tensor square = lucid_mul(s, lucid_unsqueeze(s, x[0], 0), lucid_unsqueeze(s, x[0], 1));
    y[0] = lucid_sum(s, lucid_cumsum(s, lucid_cumsum(s, square, 0), 1), LUCID_ALL);
    return lucid_error(s);
}

static void write_name(void *user, bool result, size_t i, char *to, size_t size)
{
    (void)snprintf(to, size, "%s%s[%zu]", (const char *)user, result ? ".out" : "", i);
}

static void expect(lucid_scope *s, lucid_status status, const char *phrase)
{
    assert_int_equal(lucid_error(s), status);
    if (!strstr(lucid_error_message(s), phrase))
        fail_msg("%s: not in: %s", phrase, lucid_error_message(s));
    lucid_clear_error(s);
}

static void messages_use_the_names_that_a_function_has(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, first, 1, NULL);
    char user[] = "model";
    lucid_tensor x[2] = {lucid_ones(s, LUCID_SHAPE(2, 3)), lucid_ones(s, LUCID_SHAPE(4))}, y;
    (void)lucid_call(s, lucid_vmap(s, f, NULL), x, 2, &y, 1);
    expect(s, LUCID_VALUE_ERROR, "argument 1 has shape (4,)");
    lucid_fn_set_naming(f, write_name, user);
    (void)lucid_call(s, lucid_vmap(s, f, NULL), x, 2, &y, 1);
    expect(s, LUCID_VALUE_ERROR, "model[0] has shape (2, 3) and in_dim 0, model[1] has shape (4,)");
    /* A transform has the arguments of its function, and results of its own. */
    lucid_fn jacobian = lucid_jacfwd(s, f, NULL);
    (void)lucid_call(s, lucid_vmap(s, jacobian, NULL), x, 2, &y, 1);
    expect(s, LUCID_VALUE_ERROR, "model[1] has shape (4,)");
    lucid_vmap_options o = {.out_dims = LUCID_INTS(7)};
    (void)lucid_call1(s, lucid_vmap(s, f, &o), x[0]);
    expect(s, LUCID_VALUE_ERROR, "model.out[0] has shape (3,)");
    (void)lucid_call1(s, lucid_vmap(s, jacobian, &o), x[0]);
    expect(s, LUCID_VALUE_ERROR, "result 0 has shape (3, 3)");
    (void)lucid_call1(s, lucid_grad(s, f, NULL), lucid_arange(s, 0, 3, 1, LUCID_INT64));
    expect(s, LUCID_TYPE_ERROR, "model[0] is int64");
    lucid_fn_set_naming((lucid_fn){NULL}, write_name, user);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void bytes_to_eval_are_those_of_the_plan(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_ones(s, LUCID_SHAPE(1000));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    assert_int_equal(lucid_bytes_to_eval(s, &x, 1), 0);
    lucid_scope *child = lucid_scope_new(s); /* what a handle refers to is kept */
    lucid_tensor y = lucid_cumsum(child, lucid_cumsum(child, lucid_cumsum(child, x, 0), 0), 0);
    assert_in_range(lucid_bytes_to_eval(s, &y, 1), 12000, 12200);
    y = lucid_keep(child, y);
    (void)lucid_close(child);
    assert_in_range(lucid_bytes_to_eval(s, &y, 1), 8000, 8200); /* two at a time */
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
    assert_int_equal(lucid_bytes_to_eval(s, &y, 1), 0);
    (void)lucid_bytes_to_eval(s, &(lucid_tensor){NULL}, 1);
    expect(s, LUCID_TYPE_ERROR, "bytes_to_eval: tensor 0 is an empty handle");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void automatic_chunks_fit_the_budget(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(100, 32));
    lucid_fn f = lucid_fn_new(s, outer, 1, NULL);
    lucid_vmap_options o = {.chunk_size = LUCID_AUTO_CHUNK};
    lucid_fn mapped = lucid_vmap(s, f, &o);
    lucid_tensor plain = lucid_call1(s, lucid_vmap(s, f, NULL), x);
    assert_true(lucid_get_memory_budget() >= 64 << 20);
    assert_int_equal(lucid_set_memory_budget(-1), LUCID_VALUE_ERROR);
    /* budget, and the runs it takes: looks, then chunks */
    static const int64_t cases[][3] = {{1 << 30, 2, 2}, {100000, 9, 16}, {1, 101, 101}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(lucid_set_memory_budget(cases[i][0]), LUCID_OK);
        assert_int_equal(lucid_get_memory_budget(), cases[i][0]);
        runs = 0;
        lucid_tensor y = lucid_call1(s, mapped, x);
        assert_in_range(runs, cases[i][1], cases[i][2]);
        assert_int_equal(lucid_error(s), LUCID_OK);
        assert_memory_equal(lucid_data(s, y), lucid_data(s, plain), 100 * sizeof(float));
    }
    (void)lucid_set_memory_budget(0);
    o.chunk_size = -3;
    (void)lucid_vmap(s, f, &o);
    expect(s, LUCID_VALUE_ERROR,
           "chunk_size must be >= 1, 0 (all lanes) or LUCID_AUTO_CHUNK, not -3");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_use_the_names_that_a_function_has),
        cmocka_unit_test(bytes_to_eval_are_those_of_the_plan),
        cmocka_unit_test(automatic_chunks_fit_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
