/* Writing at one position per example: elementwise, and part of the programs around it. What comes out against plain
 * loops, how many dispatches it takes, and what is said of an index that is out of range. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "prim/prim.h"
#include "support/compare.h"

/* y (batch, n, rest), v (batch, rest) or (batch, 1, rest), an index for each of the batch. */
typedef struct sizes {
    int64_t batch, n, rest;
    bool with_dim, turned; /* v's dim of size 1; y and v lie in memory from the last dim on */
    lucid_dtype index;
} sizes;

/* Lies the other way round in memory, and reads the same. */
static lucid_tensor turn(lucid_scope *s, lucid_tensor x)
{
    int last = lucid_ndim(x) - 1;
    x = lucid_cast(s, lucid_transpose(s, x, 0, last), lucid_dtype_of(x));
    if (lucid_eval(s, &x, 1) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return lucid_transpose(s, x, 0, last);
}

static void check(sizes z, bool add, lucid_dtype dtype)
{
    lucid_scope *s = lucid_open(NULL);
    double want[COMPARE_MOST];
    int64_t index[64];
    lucid_tensor y = count_up(s, LUCID_SHAPE(z.batch, z.n, z.rest));
    lucid_tensor v = count_up(s, LUCID_SHAPE(z.batch, z.rest));
    v = lucid_add(s, v, lucid_scalar_int(s, 5));
    for (int64_t b = 0; b < z.batch; b++)
        index[b] = b * 7 % (2 * z.n) - z.n;
    for (int64_t k = 0; k < z.batch * z.n * z.rest; k++) {
        int64_t b = k / (z.n * z.rest), i = k / z.rest % z.n, r = k % z.rest;
        bool meant = i == (index[b] < 0 ? index[b] + z.n : index[b]);
        double old = (double)k, with = (double)(b * z.rest + r + 5);
        want[k] = !meant ? old : add ? old + with : with;
    }
    if (z.with_dim)
        v = lucid_unsqueeze(s, v, 1);
    lucid_tensor i = lucid_from_data(s, index, LUCID_INT64, LUCID_SHAPE(z.batch));
    lucid_tensor in[3] = {lucid_cast(s, y, dtype), lucid_cast(s, v, dtype),
                          lucid_cast(s, z.with_dim ? lucid_unsqueeze(s, i, 1) : i, z.index)};
    for (int k = 0; k < 2 && z.turned; k++)
        in[k] = turn(s, in[k]);
    const int64_t params[2] = {1, 0};
    lucid_tensor got = lucid__bind1(s, add ? LUCID__scatter_add : LUCID__scatter, in, 3, params, 2);
    uint64_t before = lucid_get_stats().steps;
    got = lucid_cast(s, lucid_neg(s, got), LUCID_FLOAT64);
    if (lucid_eval(s, &got, 1) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    assert_int_equal(lucid_get_stats().steps - before, 1);
    check_values(s, lucid_neg(s, got), LUCID_SHAPE(z.batch, z.n, z.rest), want);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void every_place_is_as_plain_loops_leave_it(void **state)
{
    (void)state;
    const int64_t shapes[][3] = {{1, 1, 1}, {1, 7, 1},  {5, 1, 3},  {3, 16, 1},
                                 {6, 5, 4}, {2, 3, 33}, {17, 10, 2}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int how = 0; how < 16; how++) {
            sizes z = {.batch = shapes[k][0],
                       .n = shapes[k][1],
                       .rest = shapes[k][2],
                       .with_dim = how & 1,
                       .turned = how & 2,
                       .index = how & 4 ? LUCID_INT32 : LUCID_INT64};
            check(z, how & 8, LUCID_FLOAT32);
            check(z, how & 8, LUCID_FLOAT64);
            check(z, how & 8, LUCID_INT32);
            check(z, how & 8, LUCID_INT64);
        }
}

/* -0 stays where nothing is added. */
static void what_is_not_meant_keeps_its_bits(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_full(s, LUCID_SHAPE(3), lucid_scalar(s, -0.0));
    y = lucid_index_add(s, y, 0, I64(s, LUCID_SHAPE(1), 1), F64(s, LUCID_SHAPE(1), 2));
    lucid_tensor sign = lucid_reciprocal(s, y);
    CHECK(s, lucid_cast(s, sign, LUCID_FLOAT64), LUCID_SHAPE(3), -INFINITY, 0.5, -INFINITY);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static lucid_status loss(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_cross_entropy(s, x[0], x[1], LUCID_MEAN);
    return LUCID_OK;
}

static void the_gradient_of_cross_entropy_is_one_dispatch(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2] = {some_numbers(s, LUCID_SHAPE(4, 3), 0), I64(s, LUCID_SHAPE(4), 0, 2, 1, 2)};
    lucid_fn f = lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, loss, 1, NULL), NULL), NULL);
    lucid_tensor g;
    assert_int_equal(lucid_eval(s, x, 2), LUCID_OK);
    assert_int_equal(lucid_call(s, f, x, 2, &g, 1), LUCID_OK);
    uint64_t before = lucid_get_stats().steps;
    if (lucid_eval(s, &g, 1) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    assert_int_equal(lucid_get_stats().steps - before, 1);
    /* softmax less the basis vector of the class */
    lucid_tensor want = lucid_sub(s, lucid_softmax(s, x[0], 1),
                                  lucid_cast(s, lucid_one_hot(s, x[1], 3), lucid_dtype_of(x[0])));
    check_same(s, g, want);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void an_index_out_of_range_is_named(void **state)
{
    (void)state;
    const int64_t bad[] = {4, -5};
    for (int k = 0; k < 2; k++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor y = lucid_index_add(s, count_up(s, LUCID_SHAPE(2, 4)), 1,
                                         lucid_from_data(s, &bad[k], LUCID_INT64, LUCID_SHAPE(1)),
                                         F64(s, LUCID_SHAPE(2, 1), 1, 2));
        char text[80];
        (void)snprintf(text, sizeof text, "index %d is out of range for dim 1 of size 4",
                       (int)bad[k]);
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_INDEX_ERROR);
        check_error(s, LUCID_INDEX_ERROR, text);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_place_is_as_plain_loops_leave_it),
        cmocka_unit_test(what_is_not_meant_keeps_its_bits),
        cmocka_unit_test(the_gradient_of_cross_entropy_is_one_dispatch),
        cmocka_unit_test(an_index_out_of_range_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
