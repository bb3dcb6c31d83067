/* A reduction gives the same bits however it is walked: one row alone, many rows, and many columns. */
#include <math.h>
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
    static const int64_t lengths[] = {1,   2,   3,    7,    8,    15,   16,   17,   31,
                                      32,  33,  100,  255,  256,  257,  271,  511,  512,
                                      513, 768, 1000, 1024, 1290, 4095, 4096, 4097, 9000};
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

/* ---- the order itself ------------------------------------------------------------------------------- */

static float block_in_order(const float *x, int64_t n)
{
    float acc[16];
    int64_t lanes = n < 16 ? n : 16;
    for (int64_t i = 0; i < n; i++)
        acc[i % 16] = i < 16 ? x[i] : acc[i % 16] + x[i];
    for (int64_t half = 8; half > 0; half /= 2)
        for (int64_t j = 0; j < half && j + half < lanes; j++)
            acc[j] += acc[j + half];
    return acc[0];
}

/* Blocks of 256: the largest power of two of them that leaves some, and the others. */
static float in_order(const float *x, int64_t n)
{
    int64_t first = 256;
    if (n <= first)
        return block_in_order(x, n);
    while (2 * first < n)
        first *= 2;
    return in_order(x, first) + in_order(x + first, n - first);
}

static lucid_tensor evaluated(lucid_scope *s, lucid_tensor x)
{
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    return x;
}

static void is_number(lucid_scope *s, lucid_tensor x, int64_t at, float want, const char *what)
{
    float have = ((const float *)lucid_data(s, lucid_row_major(s, x)))[at];
    uint32_t bits[2];
    memcpy(&bits[0], &have, sizeof have);
    memcpy(&bits[1], &want, sizeof want);
    if (bits[0] != bits[1])
        fail_msg("%s: %.9g, not %.9g", what, (double)have, (double)want);
}

static void sums_have_the_order_of_the_tree(void **state)
{
    (void)state;
    static const int64_t lengths[] = {5,     16,     100,    256,    300,    512,
                                      513,   1290,   4096,   5000,   8192,   12289,
                                      65536, 100000, 262144, 300001, 1000000};
    lucid_scope *s = lucid_open(NULL);
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (int threads = 1; threads < 4; threads++) {
            lucid_scope *t = lucid_scope_new(s);
            lucid_set_num_threads(threads);
            int64_t n = lengths[k];
            lucid_tensor x = evaluated(t, lucid_randn(t, LUCID_SHAPE(3, n)));
            const float *data = lucid_data(t, x);
            lucid_tensor rows = lucid_sum(t, x, LUCID_DIMS(1));
            lucid_tensor across = evaluated(t, lucid_transpose(t, x, 0, 1));
            lucid_tensor columns =
                lucid_sum(t, lucid_mul(t, across, lucid_scalar(t, 1)), LUCID_DIMS(0));
            lucid_tensor folded = lucid_reshape(t, x, LUCID_SHAPE(3, n % 4 == 0 ? 4 : 1, -1));
            lucid_tensor both = lucid_sum(t, folded, LUCID_DIMS(1, 2));
            for (int r = 0; r < 3; r++) {
                float want = in_order(data + r * n, n);
                is_number(t, rows, r, want, "rows");
                is_number(t, columns, r, want, "columns");
                is_number(t, both, r, want, "two dims");
                lucid_tensor one = lucid_select(t, x, 0, r);
                is_number(t, lucid_sum(t, one, LUCID_ALL), 0, want, "one row");
            }
            assert_int_equal(lucid_close(t), LUCID_OK);
        }
    lucid_set_num_threads(0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void long_sums_are_as_good_as_pairwise(void **state)
{
    (void)state;
    static const double numbers[] = {0.1, 0.3, 0.7, 1.0 / 3, 0.9};
    const int64_t n = 10000000;
    lucid_scope *s = lucid_open(NULL);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        lucid_scope *t = lucid_scope_new(s);
        float each = (float)numbers[k];
        double want = (double)each * (double)n;
        lucid_tensor x = lucid_full(t, LUCID_SHAPE(n), lucid_scalar(t, (double)each));
        x = evaluated(t, lucid_cast(t, x, LUCID_FLOAT32));
        double sum = lucid_item(t, lucid_sum(t, x, LUCID_ALL)),
               mean = lucid_item(t, lucid_mean(t, x, LUCID_ALL));
        lucid_tensor down =
            lucid_sum(t, lucid_reshape(t, x, LUCID_SHAPE(n / 20, 20)), LUCID_DIMS(0));
        const float *columns = lucid_data(t, down);
        assert_true(fabs(sum / want - 1) < 5e-7);
        assert_true(fabs(mean / (double)each - 1) < 5e-7);
        assert_true(fabs((double)columns[7] * 20 / want - 1) < 5e-7);
        lucid_tensor ones = lucid_ones(t, LUCID_SHAPE(n));
        double dot = lucid_item(t, lucid_dot(t, x, ones));
        assert_true(fabs(dot / want - 1) < 1e-6);
        lucid_tensor tall = lucid_reshape(t, x, LUCID_SHAPE(n / 4, 4));
        lucid_tensor few = lucid_slice(t, ones, 0, 0, n / 4, 1);
        const float *products = lucid_data(t, lucid_matmul(t, few, tall));
        assert_true(fabs((double)products[2] * 4 / want - 1) < 1e-6);
        lucid_tensor last = lucid_select(t, lucid_cumsum(t, x, 0), 0, n - 1);
        assert_true(fabs(lucid_item(t, last) / want - 1) < 1e-7);
        assert_int_equal(lucid_close(t), LUCID_OK);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_the_same_bits),
        cmocka_unit_test(threads_share_what_follows_a_result),
        cmocka_unit_test(sums_have_the_order_of_the_tree),
        cmocka_unit_test(long_sums_are_as_good_as_pairwise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
