/* A reduction gives the same bits however it is walked: one row alone, many rows, and many columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

typedef lucid_tensor fold(lucid_scope *s, lucid_tensor x, lucid_dims dims);

static lucid_tensor sum_of_squares(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    lucid_scope *t = lucid_scope_new(s); /* so that the squares belong to nobody and are fused */
    lucid_tensor y = lucid_keep(t, lucid_sum(t, lucid_square(t, x), dims));
    (void)lucid_close(t);
    return y;
}

/* x, and its transpose laid out in memory, so that rows are columns there. */
static void same_bits(lucid_scope *parent, fold *f, lucid_tensor x)
{
    lucid_scope *s = lucid_scope_new(parent);
    int64_t rows = lucid_size(x, 0), length = lucid_size(x, 1);
    lucid_tensor turned = lucid_add(s, lucid_transpose(s, x, 0, 1), lucid_scalar_int(s, 0));
    lucid_tensor of_rows = f(s, x, LUCID_DIMS(1)), of_columns = f(s, turned, LUCID_DIMS(0));
    lucid_tensor both[2] = {of_rows, of_columns};
    size_t size = lucid_dtype_size(lucid_dtype_of(of_rows));
    assert_int_equal(lucid_eval(s, both, 2), LUCID_OK);
    const char *a = lucid_data(s, of_rows), *b = lucid_data(s, of_columns);
    if (memcmp(a, b, (size_t)rows * size) != 0)
        fail_msg("%d rows of %d: rows and columns differ", (int)rows, (int)length);
    for (int64_t r = 0; r < rows; r++) {
        const char *alone = lucid_data(s, f(s, lucid_select(s, x, 0, r), LUCID_DIMS(0)));
        if (memcmp(a + (size_t)r * size, alone, size) != 0)
            fail_msg("%d rows of %d: row %d alone differs", (int)rows, (int)length, (int)r);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void every_way_gives_the_same_bits(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1,  2,   3,   7,   8,   15,  16,  17,   31,   32,
                                      33, 100, 255, 256, 257, 512, 513, 4096, 4097, 9000};
    static const int64_t counts[] = {1, 3, 16, 37};
    static fold *const folds[] = {sum_of_squares, lucid_sum, lucid_prod, lucid_amax, lucid_amin};
    static const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64, LUCID_INT32};
    lucid_scope *s = lucid_open(NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t j = 0; j < sizeof counts / sizeof *counts; j++)
            for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++) {
                lucid_scope *t = lucid_scope_new(s);
                lucid_tensor x = lucid_randn(t, LUCID_SHAPE(counts[j], lengths[i]));
                x = lucid_cast(t, lucid_mul(t, x, lucid_scalar(t, 1.5)), dtypes[d]);
                for (size_t k = 0; k < sizeof folds / sizeof *folds; k++)
                    same_bits(t, folds[k], x);
                assert_int_equal(lucid_close(t), LUCID_OK);
            }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* What is computed per element from a sum that is a result, too: threads share the elements, some blocks each. */
static void threads_share_what_follows_a_result(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(300000)), y[2][2];
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    for (int threads = 1; threads < 4; threads++) {
        lucid_tensor *to = y[threads > 1];
        lucid_set_num_threads(threads);
        lucid_tensor up = lucid_exp(s, x);
        to[0] = lucid_sum(s, up, LUCID_ALL);
        to[1] = lucid_div(s, up, to[0]);
        assert_int_equal(lucid_eval(s, to, 2), LUCID_OK);
        for (int k = 0; k < 2; k++) {
            lucid_tensor one = y[0][k], more = to[k];
            size_t bytes = (size_t)lucid_numel(one) * sizeof(float);
            assert_memory_equal(lucid_data(s, one), lucid_data(s, more), bytes);
        }
    }
    lucid_set_num_threads(0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_the_same_bits),
        cmocka_unit_test(threads_share_what_follows_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
