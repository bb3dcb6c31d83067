/* Reading and writing at positions, against plain C loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/compare.h"

#define FIVE LUCID_SHAPE(5)

/* ---- reading ------------------------------------------------------------------------------- */

static void test_index(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, FIVE, 10, 11, 12, 13, 14);
    lucid_tensor i = I64(s, LUCID_SHAPE(2, 2), 4, -1, -5, 0);
    CHECK(s, lucid_index(s, x, &i, 1), LUCID_SHAPE(2, 2), 14, 14, 10, 10);
    i = lucid_cast(s, i, LUCID_INT32);
    CHECK(s, lucid_index(s, x, &i, 1), LUCID_SHAPE(2, 2), 14, 14, 10, 10);
    i = lucid_scalar_int(s, -2);
    CHECK(s, lucid_index(s, x, &i, 1), LUCID_SCALAR_SHAPE, 13);

    lucid_tensor m = count_up(s, LUCID_SHAPE(3, 4, 2));
    lucid_tensor two[2] = {I64(s, LUCID_SHAPE(2, 1), 2, 0), I64(s, LUCID_SHAPE(3), 1, -1, 1)};
    double expected[12];
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 3; b++)
            for (int c = 0; c < 2; c++)
                expected[(a * 3 + b) * 2 + c] = (a == 0 ? 2 : 0) * 8 + (b == 1 ? 3 : 1) * 2 + c;
    check_values(s, lucid_index(s, m, two, 2), LUCID_SHAPE(2, 3, 2), expected);
    check_values(s, lucid_index(s, lucid_cast(s, m, LUCID_INT32), two, 2), LUCID_SHAPE(2, 3, 2),
                 expected);
    /* Rows of a view that is not row-major. */
    lucid_tensor t = lucid_permute(s, m, LUCID_DIMS(1, 2, 0));
    i = I64(s, LUCID_SHAPE(1), 3);
    CHECK(s, lucid_index(s, t, &i, 1), LUCID_SHAPE(1, 2, 3), 6, 14, 22, 7, 15, 23);
    check_same(s, lucid_index(s, m, NULL, 0), m);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_index_of_nothing(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor none = lucid_cast(s, lucid_zeros(s, LUCID_SHAPE(0)), LUCID_INT64);
    lucid_tensor x = count_up(s, LUCID_SHAPE(3, 2));
    check_shape(lucid_index(s, x, &none, 1), LUCID_SHAPE(0, 2));
    check_shape(lucid_index(s, lucid_zeros(s, LUCID_SHAPE(0, 2)), &none, 1), LUCID_SHAPE(0, 2));
    lucid_tensor some = I64(s, LUCID_SHAPE(2), 0, 1);
    lucid_tensor narrow = lucid_index(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), &some, 1);
    CHECK(s, narrow, LUCID_SHAPE(2, 0), 0);
    check_same(s, lucid_index_put(s, x, &none, 1, lucid_scalar(s, 7), false), x);
    check_same(s, lucid_index_add(s, x, 0, none, lucid_zeros(s, LUCID_SHAPE(0, 2))), x);
    lucid_tensor y = lucid_index(s, lucid_zeros(s, LUCID_SHAPE(0)), &some, 1);
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_INDEX_ERROR);
    check_error(s, LUCID_INDEX_ERROR, "index 0 is out of range for dim 0 of size 0");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_out_of_range(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(3, 5));
    lucid_tensor bad[2] = {I64(s, LUCID_SHAPE(3), 0, 2, 1), I64(s, LUCID_SHAPE(3), -5, 7, -9)};
    lucid_tensor y = lucid_index(s, x, bad, 2);
    assert_int_equal(lucid_error(s), LUCID_OK);
    (void)lucid_eval(s, &y, 1);
    check_error(s, LUCID_INDEX_ERROR, "index 7 is out of range for dim 1 of size 5");
    y = lucid_take(s, x, lucid_cast(s, bad[1], LUCID_INT32), -1);
    (void)lucid_eval(s, &y, 1);
    check_error(s, LUCID_INDEX_ERROR, "index 7 is out of range for dim 1 of size 5");
    y = lucid_index_put(s, x, bad, 2, lucid_scalar(s, 0), true);
    (void)lucid_eval(s, &y, 1);
    check_error(s, LUCID_INDEX_ERROR, "index 7 is out of range for dim 1 of size 5");
    y = lucid_index_copy(s, x, 0, I64(s, LUCID_SHAPE(1), -4), lucid_zeros(s, LUCID_SHAPE(1, 5)));
    (void)lucid_eval(s, &y, 1);
    check_error(s, LUCID_INDEX_ERROR, "index -4 is out of range for dim 0 of size 3");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_a_block_begins_where_tensors_say(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(3, 5)), one = I64(s, LUCID_SHAPE(1), 1);
    /* A start that is computed, and one that is known. */
    lucid_tensor computed = lucid_add(s, lucid_select(s, one, 0, 0), lucid_scalar_int(s, 1));
    lucid_tensor start[2] = {lucid_scalar_int(s, -2), computed};
    lucid_tensor block = lucid_dynamic_slice(s, x, start, LUCID_SHAPE(2, 3));
    lucid_tensor expected = lucid_slice(s, lucid_slice(s, x, 0, 1, 3, 1), 1, 2, 5, 1);
    check_same(s, block, expected);
    lucid_tensor y = lucid_dynamic_update_slice(s, x, lucid_neg(s, block), start);
    check_same(s, lucid_dynamic_slice(s, y, start, LUCID_SHAPE(2, 3)), lucid_neg(s, expected));
    check_same(s, lucid_slice(s, y, 1, 0, 2, 1), lucid_slice(s, x, 1, 0, 2, 1));
    check_same(s, lucid_dynamic_slice(s, lucid_scalar(s, 3), NULL, (lucid_shape){0}),
               lucid_scalar(s, 3));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_a_block_outside_is_an_error(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(5));
    const int64_t bad[] = {3, -6, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lucid_tensor known = lucid_scalar_int(s, bad[i]);
        (void)lucid_dynamic_slice(s, x, &known, LUCID_SHAPE(3));
        check_error(s, LUCID_INDEX_ERROR, "dynamic_slice: start");
        lucid_tensor computed = lucid_select(s, I64(s, LUCID_SHAPE(1), bad[i]), 0, 0);
        lucid_tensor y = lucid_dynamic_slice(s, x, &computed, LUCID_SHAPE(3));
        (void)lucid_eval(s, &y, 1);
        check_error(s, LUCID_INDEX_ERROR, "out of range for dim 0 of size 5");
    }
    lucid_tensor zero = lucid_scalar_int(s, 0), half = lucid_scalar(s, 0.5);
    (void)lucid_dynamic_slice(s, x, &zero, LUCID_SHAPE(6));
    check_error(s, LUCID_VALUE_ERROR, "dynamic_slice: size 6 of dim 0 must be from 0 to 5");
    (void)lucid_dynamic_slice(s, x, &zero, LUCID_SHAPE(1, 1));
    check_error(s, LUCID_VALUE_ERROR, "dynamic_slice: 2 sizes for a 1-D tensor");
    (void)lucid_dynamic_slice(s, x, &half, LUCID_SHAPE(1));
    check_error(s, LUCID_TYPE_ERROR, "the start of dim 0 must be one integer");
    (void)lucid_dynamic_slice(s, x, NULL, LUCID_SHAPE(1));
    check_error(s, LUCID_VALUE_ERROR, "the list of starts is NULL");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(3, 5)), i = I64(s, LUCID_SHAPE(3), 0, 2, 1);
    lucid_tensor two[2] = {i, i}, three[3] = {i, i, i};
    (void)lucid_index(s, x, three, 3);
    check_error(s, LUCID_INDEX_ERROR, "3 indices for a 2-D tensor");
    (void)lucid_index_put(s, x, three, 3, x, false);
    check_error(s, LUCID_INDEX_ERROR, "3 indices for a 2-D tensor");
    (void)lucid_index(s, x, &x, 1);
    check_error(s, LUCID_TYPE_ERROR, "index 0 is float64, expected int32 or int64");
    lucid_tensor mask = lucid_gt(s, x, lucid_scalar(s, 1));
    (void)lucid_index(s, x, &mask, 1);
    check_error(s, LUCID_TYPE_ERROR, "masked_select");
    lucid_tensor apart[2] = {i, I64(s, LUCID_SHAPE(2), 0, 1)};
    (void)lucid_index(s, x, apart, 2);
    check_error(s, LUCID_VALUE_ERROR, "do not broadcast");
    (void)lucid_index_put(s, x, two, 2, lucid_zeros(s, LUCID_SHAPE(4)), false);
    check_error(s, LUCID_VALUE_ERROR, "values of shape (4,)");
    (void)lucid_take(s, x, i, 2);
    check_error(s, LUCID_VALUE_ERROR, "dim 2 is out of range for a 2-D tensor");
    (void)lucid_take(s, lucid_scalar(s, 1), i, 0);
    check_error(s, LUCID_INDEX_ERROR, "0-D");
    (void)lucid_take_along_dim(s, x, i, 1);
    check_error(s, LUCID_VALUE_ERROR, "take_along_dim");
    (void)lucid_index_add(s, x, 0, I64(s, LUCID_SHAPE(1, 1), 0), x);
    check_error(s, LUCID_VALUE_ERROR, "expected 1");
    (void)lucid_index(s, (lucid_tensor){NULL}, &i, 1);
    check_error(s, LUCID_TYPE_ERROR, "empty handle");
    (void)lucid_one_hot(s, i, -1);
    check_error(s, LUCID_VALUE_ERROR, "classes is -1");
    (void)lucid_one_hot(s, x, 3);
    check_error(s, LUCID_TYPE_ERROR, "float64");
    (void)lucid_masked_select(s, x, x);
    check_error(s, LUCID_TYPE_ERROR, "the mask is float64, expected bool");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_take(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    const int64_t at[6] = {3, 0, -1, 2, 2, -4};
    lucid_tensor x = count_up(s, LUCID_SHAPE(2, 4, 3));
    lucid_tensor index = lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(3, 2));
    double expected[2 * 6 * 3];
    for (int a = 0; a < 2; a++)
        for (int k = 0; k < 6; k++)
            for (int c = 0; c < 3; c++)
                expected[(a * 6 + k) * 3 + c] = (a * 4 + (double)((at[k] + 4) % 4)) * 3 + c;
    check_values(s, lucid_take(s, x, index, 1), LUCID_SHAPE(2, 3, 2, 3), expected);
    check_values(s, lucid_take(s, x, index, -2), LUCID_SHAPE(2, 3, 2, 3), expected);
    CHECK(s, lucid_take(s, x, lucid_scalar_int(s, 1), 2), LUCID_SHAPE(2, 4), 1, 4, 7, 10, 13, 16,
          19, 22);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_take_along_dim(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(2, 3));
    lucid_tensor i = I64(s, LUCID_SHAPE(2, 2), 2, 0, -1, 1);
    CHECK(s, lucid_take_along_dim(s, x, i, 1), LUCID_SHAPE(2, 2), 2, 0, 5, 4);
    i = I64(s, LUCID_SHAPE(1, 3), 1, 0, -1);
    CHECK(s, lucid_take_along_dim(s, x, i, 0), LUCID_SHAPE(1, 3), 3, 1, 5);
    /* The index is repeated along dim 0, the tensor along dim 1. */
    lucid_tensor y = count_up(s, LUCID_SHAPE(2, 1, 3));
    i = I64(s, LUCID_SHAPE(1, 2, 1), 2, 0);
    CHECK(s, lucid_take_along_dim(s, y, i, 2), LUCID_SHAPE(2, 2, 1), 2, 0, 5, 3);
    lucid_tensor order = lucid_argsort(s, lucid_neg(s, x), 1, false);
    CHECK(s, lucid_take_along_dim(s, x, order, 1), LUCID_SHAPE(2, 3), 2, 1, 0, 5, 4, 3);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_one_hot(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_one_hot(s, I64(s, LUCID_SHAPE(2), 2, 0), 3);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT64);
    CHECK(s, y, LUCID_SHAPE(2, 3), 0, 0, 1, 1, 0, 0);
    for (int bad = -1; bad <= 2; bad += 3) {
        y = lucid_one_hot(s, I64(s, LUCID_SHAPE(2), 1, bad), 2);
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_INDEX_ERROR);
        assert_non_null(strstr(lucid_error_message(s), bad < 0
                                                           ? "one_hot: class -1 is out of range"
                                                           : "one_hot: class 2 is out of range"));
        lucid_clear_error(s);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void test_index_put(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, FIVE, 0, 10, 20, 30, 40), i = I64(s, LUCID_SHAPE(4), 1, -1, 1, 4);
    lucid_tensor v = F64(s, LUCID_SHAPE(4), 1, 2, 3, 4);
    CHECK(s, lucid_index_put(s, x, &i, 1, v, false), FIVE, 0, 3, 20, 30, 4);
    CHECK(s, lucid_index_put(s, x, &i, 1, v, true), FIVE, 0, 14, 20, 30, 46);
    CHECK(s, lucid_index_put(s, x, &i, 1, lucid_scalar(s, 0.5), true), FIVE, 0, 11, 20, 30, 41);
    CHECK(s, x, FIVE, 0, 10, 20, 30, 40);
    lucid_tensor y = lucid_index_put(s, lucid_cast(s, x, LUCID_INT32), &i, 1, v, true);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT32);
    CHECK(s, y, FIVE, 0, 14, 20, 30, 46);
    y = lucid_index_put(s, lucid_cast(s, x, LUCID_BOOL), &i, 1, lucid_scalar(s, 0), true);
    CHECK(s, y, FIVE, 0, 1, 1, 1, 1);

    lucid_tensor two[2] = {I64(s, LUCID_SHAPE(2), 0, 1), I64(s, LUCID_SHAPE(2), 1, 0)};
    lucid_tensor m = lucid_zeros(s, LUCID_SHAPE(2, 2, 2));
    CHECK(s, lucid_index_put(s, m, two, 2, F64(s, LUCID_SHAPE(2), 5, 6), false),
          LUCID_SHAPE(2, 2, 2), 0, 0, 5, 6, 5, 6, 0, 0);
    CHECK(s, lucid_index_put(s, m, two, 1, F64(s, LUCID_SHAPE(2, 1, 2), 1, 2, 3, 4), false),
          LUCID_SHAPE(2, 2, 2), 1, 2, 1, 2, 3, 4, 3, 4);
    CHECK(s, lucid_index_put(s, x, NULL, 0, lucid_scalar(s, 7), false), FIVE, 7, 7, 7, 7, 7);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_index_add_and_copy(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(2, 3)), i = I64(s, LUCID_SHAPE(4), 0, -1, 0, 0);
    lucid_tensor v = count_up(s, LUCID_SHAPE(2, 4));
    CHECK(s, lucid_index_add(s, x, 1, i, v), LUCID_SHAPE(2, 3), 5, 1, 3, 20, 4, 10);
    CHECK(s, lucid_index_copy(s, x, 1, i, v), LUCID_SHAPE(2, 3), 3, 1, 1, 7, 4, 5);
    CHECK(s, lucid_index_add(s, x, -2, lucid_scalar_int(s, 1), lucid_scalar(s, 1)),
          LUCID_SHAPE(2, 3), 0, 1, 2, 4, 5, 6);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Long rows: the work is cut up among threads. */
static void test_long_rows(void **state)
{
    (void)state;
    enum { ROWS = 7, LONG = 30000 };
    lucid_scope *s = lucid_open(NULL);
    double *big = calloc((size_t)ROWS * LONG, sizeof *big);
    assert_non_null(big);
    lucid_tensor i = I64(s, LUCID_SHAPE(4), 0, -1, 0, 0);
    lucid_tensor rows = lucid_arange(s, 0, LONG, 1, LUCID_FLOAT64);
    rows = lucid_expand(s, rows, LUCID_SHAPE(4, LONG));
    lucid_tensor zeros = lucid_cast(s, lucid_zeros(s, LUCID_SHAPE(ROWS, LONG)), LUCID_FLOAT64);
    lucid_tensor y = lucid_index_add(s, zeros, 0, i, rows);
    y = lucid_take(s, y, I64(s, LUCID_SHAPE(ROWS), 0, 1, 2, 3, 4, 5, 6), 0);
    assert_int_equal(lucid_read(s, y, big, (size_t)ROWS * LONG * sizeof *big), LUCID_OK);
    for (int r = 0; r < ROWS; r++)
        for (int j = 0; j < LONG; j++)
            assert_true(big[r * LONG + j] == j * (r == 0 ? 3.0 : r == 6 ? 1.0 : 0.0));
    free(big);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Python's slice.indices, written out. */
static int slice_places(int64_t start, int64_t stop, int64_t step, int64_t size, int64_t *places)
{
    int n = 0;
    if (start < 0)
        start += size;
    if (stop == LUCID_END)
        stop = step > 0 ? size : -1;
    else if (stop < 0)
        stop += size;
    if (step > 0)
        for (int64_t i = start < 0 ? 0 : start; i < stop && i < size; i += step)
            places[n++] = i;
    else
        for (int64_t i = start >= size ? size - 1 : start; i > stop && i >= 0; i += step)
            places[n++] = i;
    return n;
}

static void test_slice_put(void **state)
{
    (void)state;
    enum { SIZE = 4 };
    for (int64_t start = -6; start <= 6; start++)
        for (int64_t stop = -6; stop <= 7; stop++)
            for (int64_t step = -3; step <= 3; step++) {
                if (step == 0)
                    continue;
                lucid_scope *s = lucid_open(NULL);
                int64_t end = stop == 7 ? LUCID_END : stop, places[SIZE];
                double expected[SIZE] = {0, -1, -2, -3};
                int n = slice_places(start, end, step, SIZE, places);
                for (int i = 0; i < n; i++)
                    expected[places[i]] = i + 1;
                lucid_tensor x = F64(s, LUCID_SHAPE(SIZE), 0, -1, -2, -3);
                lucid_tensor v = lucid_add(s, count_up(s, LUCID_SHAPE(n)), lucid_scalar(s, 1));
                check_values(s, lucid_slice_put(s, x, &start, &end, &step, v), LUCID_SHAPE(SIZE),
                             expected);
                assert_int_equal(lucid_close(s), LUCID_OK);
            }
}

static void test_slice_put_2d(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(2, 3));
    const int64_t start[2] = {1, 2}, end[2] = {LUCID_END, LUCID_END}, step[2] = {1, -2};
    CHECK(s, lucid_slice_put(s, x, start, end, step, F64(s, LUCID_SHAPE(2), 8, 9)),
          LUCID_SHAPE(2, 3), 0, 1, 2, 9, 4, 8);
    const int64_t far[2] = {INT64_MAX, INT64_MAX}, back[2] = {INT64_MIN, INT64_MIN};
    CHECK(s, lucid_slice_put(s, x, far, end, back, lucid_scalar(s, 9)), LUCID_SHAPE(2, 3), 0, 1, 2,
          3, 4, 9);
    CHECK(s, lucid_slice_put(s, x, far, end, step, lucid_scalar(s, 9)), LUCID_SHAPE(2, 3), 0, 1, 2,
          3, 4, 5);
    (void)lucid_slice_put(s, x, start, end, (const int64_t[]){1, 0}, lucid_scalar(s, 1));
    check_error(s, LUCID_VALUE_ERROR, "the step of dim 1 is 0");
    (void)lucid_slice_put(s, x, start, end, step, lucid_zeros(s, LUCID_SHAPE(3)));
    check_error(s, LUCID_VALUE_ERROR, "values of shape (3,)");
    lucid_tensor none = lucid_zeros(s, LUCID_SHAPE(0, 3));
    check_shape(lucid_slice_put(s, none, start, end, step, lucid_scalar(s, 1)), LUCID_SHAPE(0, 3));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- masks --------------------------------------------------------------------------------- */

static void test_masks(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = F64(s, LUCID_SHAPE(2, 3), 0, 1, 0, NAN, 0, -2);
    lucid_tensor at = lucid_nonzero(s, x);
    assert_int_equal(lucid_dtype_of(at), LUCID_INT64);
    CHECK(s, at, LUCID_SHAPE(3, 2), 0, 1, 1, 0, 1, 2);
    check_shape(lucid_nonzero(s, lucid_scalar_int(s, 3)), LUCID_SHAPE(1, 0));
    check_shape(lucid_nonzero(s, lucid_zeros(s, LUCID_SHAPE(2, 0))), LUCID_SHAPE(0, 2));
    CHECK(s, lucid_masked_select(s, x, lucid_gt(s, x, lucid_scalar(s, -5))), LUCID_SHAPE(5), 0, 1,
          0, 0, -2);
    lucid_tensor row = lucid_cast(s, I64(s, LUCID_SHAPE(3), 0, 0, 1), LUCID_BOOL);
    CHECK(s, lucid_masked_select(s, x, row), LUCID_SHAPE(2), 0, -2);
    CHECK(s, lucid_masked_select(s, lucid_scalar(s, 3), row), LUCID_SHAPE(1), 3);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_index_of_nothing),
        cmocka_unit_test(test_out_of_range),
        cmocka_unit_test(test_a_block_begins_where_tensors_say),
        cmocka_unit_test(test_a_block_outside_is_an_error),
        cmocka_unit_test(test_wrong_arguments),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_along_dim),
        cmocka_unit_test(test_one_hot),
        cmocka_unit_test(test_index_put),
        cmocka_unit_test(test_index_add_and_copy),
        cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_slice_put),
        cmocka_unit_test(test_slice_put_2d),
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
