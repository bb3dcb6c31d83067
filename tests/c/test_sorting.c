/* sort, argsort, topk, argmax, argmin, cumsum, cumprod against plain C loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "prim/prim.h"
#include "support/compare.h"

/* ---- sorting ------------------------------------------------------------------------------- */

/* NaN is larger than every number. */
static int compare(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

/* Insertion by definition: stable, and descending keeps the order of equals too. */
static void sort_plain(const double *x, int n, bool descending, double *values, double *order)
{
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0; j--) {
            int c = compare(values[j - 1], x[i]);
            if (descending ? c >= 0 : c <= 0)
                break;
            values[j] = values[j - 1];
            order[j] = order[j - 1];
        }
        values[j] = x[i];
        order[j] = i;
    }
}

static void check_sorted(lucid_dtype dtype, int n, bool descending)
{
    static double x[COMPARE_MOST], values[COMPARE_MOST], order[COMPARE_MOST];
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor t = lucid_mul(s, some_numbers(s, LUCID_SHAPE(n), n), lucid_scalar(s, 40));
    t = lucid_cast(s, n % 2 ? lucid_round(s, t) : t, dtype);
    if (dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64)
        for (int64_t i = 3; i < n; i += 11) {
            double special[4] = {NAN, INFINITY, -INFINITY, -0.0};
            lucid_tensor at = lucid_scalar_int(s, i);
            t = lucid_index_put(s, t, &at, 1, lucid_scalar(s, special[i % 4]), false);
        }
    (void)values_of(s, t, x);
    sort_plain(x, n, descending, values, order);
    lucid_tensor index, y = lucid_sort(s, t, 0, descending, &index);
    assert_int_equal(lucid_dtype_of(y), dtype);
    assert_int_equal(lucid_dtype_of(index), LUCID_INT64);
    check_values(s, y, LUCID_SHAPE(n), values);
    check_values(s, index, LUCID_SHAPE(n), order);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Lengths around the places where the method changes. */
static void test_sort(void **state)
{
    (void)state;
    const lucid_dtype dtypes[] = {LUCID_BOOL, LUCID_INT32, LUCID_INT64, LUCID_FLOAT32,
                                  LUCID_FLOAT64};
    const int sizes[] = {0, 1, 2, 7, 48, 49, 130, 512, 513, 1000};
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check_sorted(dtypes[d], sizes[i], false);
            check_sorted(dtypes[d], sizes[i], true);
        }
}

static void test_sort_dims(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(2, 3), 3, 1, 2, 0, 5, 4), index;
    CHECK(s, lucid_sort(s, x, 0, false, &index), LUCID_SHAPE(2, 3), 0, 1, 2, 3, 5, 4);
    CHECK(s, index, LUCID_SHAPE(2, 3), 1, 0, 0, 0, 1, 1);
    CHECK(s, lucid_sort(s, lucid_transpose(s, x, 0, 1), 0, true, NULL), LUCID_SHAPE(3, 2), 3, 5, 2,
          4, 1, 0);
    CHECK(s, lucid_argsort(s, x, -1, false), LUCID_SHAPE(2, 3), 1, 2, 0, 0, 2, 1);
    CHECK(s, lucid_sort(s, lucid_scalar(s, 3), -1, false, &index), LUCID_SCALAR_SHAPE, 3);
    CHECK(s, index, LUCID_SCALAR_SHAPE, 0);
    (void)lucid_sort(s, x, 2, false, &index);
    check_error(s, LUCID_VALUE_ERROR, "sort: dim 2 is out of range for a 2-D tensor");
    assert_true(lucid_is_empty_handle(index));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_topk(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(5), 3, NAN, 1, 7, 3), index;
    CHECK(s, lucid_topk(s, x, 3, 0, true, &index), LUCID_SHAPE(3), NAN, 7, 3);
    CHECK(s, index, LUCID_SHAPE(3), 1, 3, 0);
    CHECK(s, lucid_topk(s, x, 2, -1, false, NULL), LUCID_SHAPE(2), 1, 3);
    check_shape(lucid_topk(s, x, 0, 0, true, NULL), LUCID_SHAPE(0));
    CHECK(s, lucid_topk(s, lucid_scalar(s, 2), 1, 0, true, &index), LUCID_SCALAR_SHAPE, 2);
    (void)lucid_topk(s, x, 6, 0, true, NULL);
    check_error(s, LUCID_VALUE_ERROR, "topk: k is 6, expected 0 to 5");
    (void)lucid_topk(s, x, -1, 0, true, NULL);
    check_error(s, LUCID_VALUE_ERROR, "topk: k is -1");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- argmax, argmin ------------------------------------------------------------------------ */

static void test_argmax(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(2, 4), 1, 5, 5, 0, 2, NAN, 9, NAN);
    CHECK(s, lucid_argmax(s, x, 1, false), LUCID_SHAPE(2), 1, 1);
    CHECK(s, lucid_argmin(s, x, 1, true), LUCID_SHAPE(2, 1), 3, 1);
    CHECK(s, lucid_argmax(s, x, 0, false), LUCID_SHAPE(4), 1, 1, 1, 1);
    CHECK(s, lucid_argmin(s, x, -2, false), LUCID_SHAPE(4), 0, 1, 0, 1);
    CHECK(s, lucid_argmax(s, x, LUCID_NONE, false), LUCID_SCALAR_SHAPE, 5);
    CHECK(s, lucid_argmax(s, x, LUCID_NONE, true), LUCID_SHAPE(1, 1), 5);
    lucid_tensor b = lucid_cast(s, I64(s, LUCID_SHAPE(3), 0, 1, 1), LUCID_BOOL);
    CHECK(s, lucid_argmax(s, b, 0, false), LUCID_SCALAR_SHAPE, 1);
    CHECK(s, lucid_argmin(s, lucid_cast(s, b, LUCID_INT32), 0, false), LUCID_SCALAR_SHAPE, 0);
    CHECK(s, lucid_argmin(s, lucid_scalar(s, 4), 0, true), LUCID_SCALAR_SHAPE, 0);
    check_shape(lucid_argmax(s, lucid_zeros(s, LUCID_SHAPE(0, 3)), 1, false), LUCID_SHAPE(0));
    (void)lucid_argmax(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), 1, false);
    check_error(s, LUCID_VALUE_ERROR,
                "argmax: nothing to choose from, the tensor has shape (3, 0)");
    (void)lucid_argmin(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), LUCID_NONE, false);
    check_error(s, LUCID_VALUE_ERROR, "argmin: nothing to choose from");
    (void)lucid_argmin(s, x, 5, false);
    check_error(s, LUCID_VALUE_ERROR, "argmin: dim 5 is out of range");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Dims with more columns than are worked on together. */
static void test_many_columns(void **state)
{
    (void)state;
    enum { OUTER = 2, N = 3, INNER = 600 };
    static double x[OUTER * N * INNER], arg[OUTER * INNER], sum[OUTER * N * INNER];
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor t = some_numbers(s, LUCID_SHAPE(OUTER, N, INNER), 1);
    (void)values_of(s, t, x);
    for (int o = 0; o < OUTER; o++)
        for (int j = 0; j < INNER; j++) {
            const double *row = x + o * N * INNER + j;
            double *to = sum + o * N * INNER + j;
            int best = 0;
            for (int k = 0; k < N; k++) {
                best = row[k * INNER] > row[best * INNER] ? k : best;
                to[k * INNER] = row[k * INNER] + (k > 0 ? to[(k - 1) * INNER] : 0);
            }
            arg[o * INNER + j] = best;
        }
    check_values(s, lucid_argmax(s, t, 1, false), LUCID_SHAPE(OUTER, INNER), arg);
    check_values(s, lucid_cumsum(s, t, 1), LUCID_SHAPE(OUTER, N, INNER), sum);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* (ROWS, n) numbers with ties, of which every 13th is a NaN if the dtype has one. */
static lucid_tensor tied_numbers(lucid_scope *s, lucid_dtype dtype, int rows, int n)
{
    lucid_tensor x = lucid_mul(s, some_numbers(s, LUCID_SHAPE(rows, n), n), lucid_scalar(s, 4));
    lucid_tensor every = lucid_reshape(s, count_up(s, LUCID_SHAPE(rows * n)), LUCID_SHAPE(rows, n));
    every = lucid_remainder(s, every, lucid_scalar(s, 13));
    x = lucid_where(s, lucid_eq(s, every, lucid_scalar(s, 12)), lucid_scalar(s, NAN),
                    lucid_round(s, x));
    return lucid_cast(s, x, dtype);
}

/* Whole rows of every length, short ones side by side and long ones alone, and the same as columns. */
static void test_rows_and_columns(void **state)
{
    (void)state;
    enum { ROWS = 19 };
    static double x[COMPARE_MOST], most[ROWS], least[ROWS];
    const lucid_dtype dtypes[] = {LUCID_BOOL, LUCID_INT32, LUCID_INT64, LUCID_FLOAT32,
                                  LUCID_FLOAT64};
    const int sizes[] = {1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100, 207};
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int n = sizes[i];
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor t = tied_numbers(s, dtypes[d], ROWS, n);
            (void)values_of(s, t, x);
            for (int r = 0; r < ROWS; r++) {
                int high = 0, low = 0;
                for (int k = 0; k < n; k++) {
                    double e = x[r * n + k], h = x[r * n + high], l = x[r * n + low];
                    high = e > h || (isnan(e) && !isnan(h)) ? k : high;
                    low = e < l || (isnan(e) && !isnan(l)) ? k : low;
                }
                most[r] = high;
                least[r] = low;
            }
            check_values(s, lucid_argmax(s, t, 1, false), LUCID_SHAPE(ROWS), most);
            check_values(s, lucid_argmin(s, t, 1, false), LUCID_SHAPE(ROWS), least);
            lucid_tensor turned = lucid_row_major(s, lucid_transpose(s, t, 0, 1));
            check_values(s, lucid_argmax(s, turned, 0, false), LUCID_SHAPE(ROWS), most);
            check_values(s, lucid_argmin(s, turned, 0, false), LUCID_SHAPE(ROWS), least);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* From either end, rows and columns give the same bits, which are those of a plain loop in double. */
static void test_cumulative_rows(void **state)
{
    (void)state;
    enum { MOST = 40 };
    for (int rows = 1; rows <= 18; rows++)
        for (int n = 1; n <= MOST; n += 13) {
            static double x[COMPARE_MOST], sum[COMPARE_MOST], back[COMPARE_MOST];
            static float wanted[COMPARE_MOST], got[COMPARE_MOST];
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor t = lucid_cast(s, some_numbers(s, LUCID_SHAPE(rows, n), n), LUCID_FLOAT32);
            (void)values_of(s, t, x);
            for (int r = 0; r < rows; r++)
                for (int k = 0; k < n; k++) {
                    int at = r * n + k, from = r * n + n - 1 - k;
                    sum[at] = x[at] + (k > 0 ? sum[at - 1] : 0);
                    back[from] = x[from] + (k > 0 ? back[from + 1] : 0);
                }
            for (int reverse = 0; reverse < 2; reverse++) {
                for (int i = 0; i < rows * n; i++)
                    wanted[i] = (float)(reverse ? back : sum)[i];
                int64_t params[2] = {1, reverse};
                lucid_tensor y = lucid__bind1(s, LUCID__cumsum, &t, 1, params, 2);
                (void)lucid_read(s, y, got, sizeof(float) * (size_t)(rows * n));
                assert_memory_equal(got, wanted, sizeof(float) * (size_t)(rows * n));
                params[0] = 0;
                lucid_tensor turned = lucid_row_major(s, lucid_transpose(s, t, 0, 1));
                y = lucid__bind1(s, LUCID__cumsum, &turned, 1, params, 2);
                y = lucid_row_major(s, lucid_transpose(s, y, 0, 1));
                (void)lucid_read(s, y, got, sizeof(float) * (size_t)(rows * n));
                assert_memory_equal(got, wanted, sizeof(float) * (size_t)(rows * n));
            }
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* ---- cumsum, cumprod ----------------------------------------------------------------------- */

static void test_cumulative(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(2, 3), 1, 2, 3, 4, 5, 6);
    CHECK(s, lucid_cumsum(s, x, 1), LUCID_SHAPE(2, 3), 1, 3, 6, 4, 9, 15);
    CHECK(s, lucid_cumsum(s, x, 0), LUCID_SHAPE(2, 3), 1, 2, 3, 5, 7, 9);
    CHECK(s, lucid_cumprod(s, x, -1), LUCID_SHAPE(2, 3), 1, 2, 6, 4, 20, 120);
    lucid_tensor y = lucid_cumprod(s, lucid_cast(s, x, LUCID_INT32), 1);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT64);
    CHECK(s, y, LUCID_SHAPE(2, 3), 1, 2, 6, 4, 20, 120);
    y = lucid_cumsum(s, lucid_cast(s, x, LUCID_BOOL), 1);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT64);
    CHECK(s, y, LUCID_SHAPE(2, 3), 1, 2, 3, 1, 2, 3);
    y = lucid_cumsum(s, lucid_cast(s, x, LUCID_FLOAT32), 1);
    assert_int_equal(lucid_dtype_of(y), LUCID_FLOAT32);
    CHECK(s, lucid_cumsum(s, lucid_scalar_int(s, 4), 0), LUCID_SCALAR_SHAPE, 4);
    check_shape(lucid_cumprod(s, lucid_zeros(s, LUCID_SHAPE(0, 2)), 0), LUCID_SHAPE(0, 2));
    (void)lucid_cumsum(s, x, 3);
    check_error(s, LUCID_VALUE_ERROR, "cumsum: dim 3 is out of range");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* sum over i of w_i cumprod(x)_i, with weights that tell the outputs apart. */
static lucid_status weighed_cumprod(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    int64_t n = lucid_size(x[0], 0);
    lucid_tensor w = lucid_add(s, count_up(s, LUCID_SHAPE(n)), lucid_scalar(s, 1));
    y[0] = lucid_sum(s, lucid_mul(s, w, lucid_cumprod(s, x[0], 0)), LUCID_ALL);
    return LUCID_OK;
}

/* The derivatives by definition: the product without some of its factors. */
static void test_cumprod_derivatives(void **state)
{
    (void)state;
    enum { N = 6 };
    const double xs[3][N] = {{2, -1, 0.5, 3, 1, -2}, {2, 0, 0.5, 3, 1, -2}, {0, 3, 0, 2, 0, 5}};
    for (int which = 0; which < 3; which++) {
        const double *x = xs[which];
        double gradient[N] = {0}, hessian[N * N] = {0};
        for (int i = 0; i < N; i++)
            for (int j = 0; j <= i; j++)
                for (int k = 0; k <= i; k++) {
                    double product = i + 1;
                    for (int l = 0; l <= i; l++)
                        product *= l == j || l == k ? 1 : x[l];
                    if (j == k)
                        gradient[j] += product;
                    else
                        hessian[j * N + k] += product;
                }
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor t = lucid_from_data(s, x, LUCID_FLOAT64, LUCID_SHAPE(N));
        lucid_fn f = lucid_fn_new(s, weighed_cumprod, 1, NULL);
        check_values(s, lucid_call1(s, lucid_grad(s, f, NULL), t), LUCID_SHAPE(N), gradient);
        check_values(s, lucid_call1(s, lucid_hessian(s, f, NULL), t), LUCID_SHAPE(N, N), hessian);
        lucid_tensor rows = lucid_expand(s, t, LUCID_SHAPE(2, N));
        lucid_fn each = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
        lucid_tensor first = lucid_select(s, lucid_call1(s, each, rows), 0, 1);
        check_values(s, first, LUCID_SHAPE(N), gradient);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* sum(w cumprod(x)) from the other end, by the primitive or (user) by turning around twice. */
static lucid_status weighed_reverse(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny;
    const int64_t params[2] = {0, 1};
    lucid_tensor p;
    if (user)
        p = lucid_flip(s, lucid_cumprod(s, lucid_flip(s, x[0], LUCID_ALL), 0), LUCID_ALL);
    else
        p = lucid__bind1(s, LUCID__cumprod, x, 1, params, 2);
    lucid_tensor w = some_numbers(s, lucid_shape_of(x[0]), 3);
    y[0] = lucid_sum(s, lucid_mul(s, w, p), LUCID_ALL);
    return LUCID_OK;
}

static void test_cumprod_reverse(void **state)
{
    (void)state;
    bool by_turning = true;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(7), 2, 0, -1, 0.5, 0, 3, 1.5);
    lucid_fn f = lucid_fn_new(s, weighed_reverse, 1, NULL);
    lucid_fn g = lucid_fn_new(s, weighed_reverse, 1, &by_turning);
    check_same(s, lucid_call1(s, f, x), lucid_call1(s, g, x));
    check_same(s, lucid_call1(s, lucid_grad(s, f, NULL), x),
               lucid_call1(s, lucid_grad(s, g, NULL), x));
    check_same(s, lucid_call1(s, lucid_hessian(s, f, NULL), x),
               lucid_call1(s, lucid_hessian(s, g, NULL), x));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort),
        cmocka_unit_test(test_sort_dims),
        cmocka_unit_test(test_topk),
        cmocka_unit_test(test_argmax),
        cmocka_unit_test(test_many_columns),
        cmocka_unit_test(test_rows_and_columns),
        cmocka_unit_test(test_cumulative_rows),
        cmocka_unit_test(test_cumulative),
        cmocka_unit_test(test_cumprod_derivatives),
        cmocka_unit_test(test_cumprod_reverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
