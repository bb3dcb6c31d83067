/* Making tensors, and arranging the elements of others, against plain loops. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

/* ---- functions ------------------------------------------------------------------------------ */

FUNCTION(f_full, lucid_full(s, LUCID_SHAPE(2, 3), x[0]))
FUNCTION(f_full_like, lucid_full_like(s, x[1], x[0]))
FUNCTION(f_stack, lucid_stack(s, LUCID_ARGS(x[0], x[1], x[0]), 1))
FUNCTION(f_roll, lucid_roll(s, x[0], 2, 0))
FUNCTION(f_roll_flat, lucid_roll(s, x[0], -1, LUCID_NONE))
FUNCTION(f_tile, lucid_tile(s, x[0], LUCID_SHAPE(2, 1, 3)))
FUNCTION(f_tril, lucid_tril(s, x[0], -1))
FUNCTION(f_triu, lucid_triu(s, x[0], 1))
FUNCTION(f_diagonal, lucid_diagonal(s, x[0], 1, 0, 1))
FUNCTION(f_diagonal_swapped, lucid_diagonal(s, x[0], 1, 1, 0))
FUNCTION(f_diagonal_last, lucid_diagonal(s, x[0], -1, -1, 0))
FUNCTION(f_diag_embed, lucid_diag_embed(s, x[0], -2))
FUNCTION(f_diag_embed_main, lucid_diag_embed(s, x[0], 0))

static lucid_scope *s;

static int begin(void **state)
{
    (void)state;
    s = lucid_open(NULL);
    return s == NULL;
}

static int end(void **state)
{
    (void)state;
    return lucid_close(s) != LUCID_OK;
}

#define SAME(got, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), 0)

/* 0, 1, 2, ... in float64. */
static lucid_tensor counting(lucid_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.dim[i];
    return lucid_reshape(s, lucid_arange(s, 0, (double)n, 1, LUCID_FLOAT64), shape);
}

/* ---- creation ------------------------------------------------------------------------------- */

static void test_filled(void **state)
{
    (void)state;
    SAME(lucid_zeros(s, LUCID_SHAPE(2, 2)), 0, 0, 0, 0);
    SAME(lucid_ones(s, LUCID_SHAPE(3)), 1, 1, 1);
    assert_int_equal(lucid_dtype_of(lucid_ones(s, LUCID_SCALAR_SHAPE)), LUCID_FLOAT32);
    has_shape(lucid_zeros(s, LUCID_SHAPE(3, 0)), LUCID_SHAPE(3, 0));
    SAME(lucid_full(s, LUCID_SHAPE(2), lucid_scalar(s, 0.5)), 0.5, 0.5);
    assert_int_equal(lucid_dtype_of(lucid_full(s, LUCID_SHAPE(2), lucid_scalar(s, 2))),
                     LUCID_FLOAT32);
    assert_int_equal(lucid_dtype_of(lucid_full(s, LUCID_SHAPE(2), lucid_scalar_int(s, 2))),
                     LUCID_INT64);
    assert_int_equal(lucid_dtype_of(lucid_full(s, LUCID_SHAPE(2), lucid_scalar_bool(s, true))),
                     LUCID_BOOL);
    for (int d = LUCID_BOOL; d <= LUCID_FLOAT64; d++) {
        lucid_tensor x = lucid_cast(s, counting(LUCID_SHAPE(2)), (lucid_dtype)d);
        assert_int_equal(lucid_dtype_of(lucid_ones_like(s, x)), d);
        SAME(lucid_zeros_like(s, x), 0, 0);
        SAME(lucid_ones_like(s, x), 1, 1);
        lucid_tensor full = lucid_full_like(s, x, lucid_scalar_int(s, 1));
        assert_int_equal(lucid_dtype_of(full), d);
        SAME(full, 1, 1);
    }
    /* A made 0-d tensor is no bare number: with an integer vector it makes floats of its own
     * dtype. */
    lucid_tensor zero = lucid_zeros_like(s, lucid_cast(s, lucid_scalar(s, 1), LUCID_FLOAT64));
    lucid_tensor sum = lucid_add(s, zero, lucid_arange(s, 0, 2, 1, LUCID_INT64));
    assert_int_equal(lucid_dtype_of(sum), LUCID_FLOAT64);
    SAME(lucid_full_like(s, lucid_cast(s, zero, LUCID_FLOAT64), lucid_scalar(s, 0.1)), 0.1);
    (void)lucid_zeros(s, LUCID_SHAPE(2, -1));
    has_error(s, LUCID_VALUE_ERROR, "zeros: shape (2, -1) has a negative size");
    (void)lucid_ones(s, LUCID_SHAPE(INT64_MAX, 2));
    has_error(s, LUCID_VALUE_ERROR, "too large");
    (void)lucid_full(s, LUCID_SHAPE(2), counting(LUCID_SHAPE(2)));
    has_error(s, LUCID_VALUE_ERROR, "full: the value must be 0-d, it has shape (2,)");
}

static void test_ranges(void **state)
{
    (void)state;
    lucid_tensor x = lucid_arange(s, 2, 9, 3, LUCID_NO_DTYPE);
    assert_int_equal(lucid_dtype_of(x), LUCID_INT64);
    SAME(x, 2, 5, 8);
    SAME(lucid_arange(s, 5, 2, -1, LUCID_NO_DTYPE), 5, 4, 3);
    has_shape(lucid_arange(s, 5, 2, 1, LUCID_NO_DTYPE), LUCID_SHAPE(0));
    x = lucid_arange(s, 0, 1, 0.25, LUCID_NO_DTYPE);
    assert_int_equal(lucid_dtype_of(x), LUCID_FLOAT32);
    SAME(x, 0, 0.25, 0.5, 0.75);
    SAME(lucid_arange(s, 0.5, 3, 1, LUCID_INT32), 0, 1, 2);
    x = lucid_arange(s, 0, 20000001, 20000000, LUCID_FLOAT32);
    SAME(x, 0, 20000000);
    /* Element i is rounded once. */
    x = lucid_arange(s, 0, 1000, 0.1, LUCID_FLOAT64);
    has_shape(x, LUCID_SHAPE(10000));
    assert_true(elements(s, x)[9999] == 9999 * 0.1);
    (void)lucid_arange(s, 0, 1, 0, LUCID_NO_DTYPE);
    has_error(s, LUCID_VALUE_ERROR, "arange: the step is 0");
    (void)lucid_arange(s, 0, INFINITY, 1, LUCID_NO_DTYPE);
    has_error(s, LUCID_VALUE_ERROR, "arange");
    (void)lucid_arange(s, -1e308, 1e308, 1e-3, LUCID_NO_DTYPE);
    has_error(s, LUCID_VALUE_ERROR, "arange: inf elements are too many");
    (void)lucid_arange(s, 0, 2, 1, LUCID_BOOL);
    has_error(s, LUCID_TYPE_ERROR, "arange: dtype");

    x = lucid_linspace(s, -1, 1, 5);
    assert_int_equal(lucid_dtype_of(x), LUCID_FLOAT32);
    SAME(x, -1, -0.5, 0, 0.5, 1);
    SAME(lucid_linspace(s, 3, 4, 1), 3);
    SAME(lucid_linspace(s, 3, 4, 2), 3, 4);
    has_shape(lucid_linspace(s, 3, 4, 0), LUCID_SHAPE(0));
    const double *at = elements(s, lucid_linspace(s, 0, 0.3, 8));
    assert_true(at[0] == 0 && at[7] == (double)0.3F);
    (void)lucid_linspace(s, 0, 1, -1);
    has_error(s, LUCID_VALUE_ERROR, "linspace: count must be >= 0, not -1");

    SAME(lucid_eye(s, 2, 3), 1, 0, 0, 0, 1, 0);
    has_shape(lucid_eye(s, 0, 3), LUCID_SHAPE(0, 3));
    (void)lucid_eye(s, -1, 2);
    has_error(s, LUCID_VALUE_ERROR, "eye");
}

/* ---- arranging ------------------------------------------------------------------------------ */

static void test_stack(void **state)
{
    (void)state;
    lucid_tensor x[3] = {VECTOR(s, 1, 2), VECTOR(s, 3, 4), VECTOR(s, 5, 6)};
    lucid_tensor y = lucid_stack(s, x, 3, 0);
    has_shape(y, LUCID_SHAPE(3, 2));
    SAME(y, 1, 2, 3, 4, 5, 6);
    y = lucid_stack(s, x, 3, -1);
    has_shape(y, LUCID_SHAPE(2, 3));
    SAME(y, 1, 3, 5, 2, 4, 6);
    x[1] = lucid_cast(s, x[1], LUCID_INT32);
    assert_int_equal(lucid_dtype_of(lucid_stack(s, x, 3, 0)), LUCID_FLOAT64);
    lucid_tensor number = lucid_scalar(s, 3);
    has_shape(lucid_stack(s, &number, 1, 0), LUCID_SHAPE(1));
    (void)lucid_stack(s, x, 0, 0);
    has_error(s, LUCID_VALUE_ERROR, "stack: at least one tensor");
    (void)lucid_stack(s, x, 3, 2);
    has_error(s, LUCID_VALUE_ERROR, "stack: dim 2 is out of range");
    x[2] = VECTOR(s, 1, 2, 3);
    (void)lucid_stack(s, x, 3, 0);
    has_error(s, LUCID_VALUE_ERROR, "tensor 0 has (2,) and tensor 2 has (3,)");
}

static void test_roll(void **state)
{
    (void)state;
    lucid_tensor x = counting(LUCID_SHAPE(2, 3));
    SAME(lucid_roll(s, x, 1, 1), 2, 0, 1, 5, 3, 4);
    SAME(lucid_roll(s, x, -1, -1), 1, 2, 0, 4, 5, 3);
    SAME(lucid_roll(s, x, 7, 0), 3, 4, 5, 0, 1, 2);
    SAME(lucid_roll(s, x, 0, 0), 0, 1, 2, 3, 4, 5);
    SAME(lucid_roll(s, x, 2, LUCID_NONE), 4, 5, 0, 1, 2, 3);
    SAME(lucid_roll(s, x, INT64_MIN, 0), 0, 1, 2, 3, 4, 5);
    has_shape(lucid_roll(s, lucid_zeros(s, LUCID_SHAPE(0, 2)), 1, 0), LUCID_SHAPE(0, 2));
    SAME(lucid_roll(s, lucid_scalar(s, 3), 1, 0), 3);
    (void)lucid_roll(s, x, 1, 2);
    has_error(s, LUCID_VALUE_ERROR, "roll: dim 2 is out of range");
}

static void test_tile(void **state)
{
    (void)state;
    lucid_tensor x = counting(LUCID_SHAPE(2, 2));
    SAME(lucid_tile(s, x, LUCID_SHAPE(2)), 0, 1, 0, 1, 2, 3, 2, 3);
    lucid_tensor y = lucid_tile(s, x, LUCID_SHAPE(2, 1, 2));
    has_shape(y, LUCID_SHAPE(2, 2, 4));
    SAME(y, 0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3);
    has_shape(lucid_tile(s, x, LUCID_SHAPE(0, 3)), LUCID_SHAPE(0, 6));
    SAME(lucid_tile(s, lucid_scalar(s, 2), LUCID_SHAPE(3)), 2, 2, 2);
    /* More dims to repeat than one broadcast has room for. */
    lucid_shape ones = {.ndim = 12}, twos = {.ndim = 12};
    for (int i = 0; i < 12; i++) {
        ones.dim[i] = i == 11 ? 2 : 1;
        twos.dim[i] = 2;
    }
    y = lucid_tile(s, lucid_reshape(s, VECTOR(s, 7, 8), ones), twos);
    assert_int_equal(lucid_numel(y), 8192);
    const double *at = elements(s, y);
    for (int i = 0; i < 8192; i++)
        assert_true(at[i] == 7 + i % 2);
    (void)lucid_tile(s, x, LUCID_SHAPE(INT64_MAX / 2, 2));
    has_error(s, LUCID_VALUE_ERROR, "tile");
    (void)lucid_tile(s, x, LUCID_SHAPE(-1));
    has_error(s, LUCID_VALUE_ERROR, "tile: shape (-1,) has a negative size");
}

/* ---- diagonals ------------------------------------------------------------------------------ */

static void test_triangles(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{3, 3}, {2, 5}, {5, 2}, {1, 1}, {0, 3}, {3, 0}};
    static const int64_t more[] = {INT64_MIN, INT64_MAX};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int64_t rows = shapes[k][0], cols = shapes[k][1];
        lucid_tensor x = counting(LUCID_SHAPE(2, rows, cols));
        x = lucid_add(s, x, lucid_scalar(s, 1));
        for (int64_t o = -7; o <= 8; o++) {
            int64_t offset = o >= 7 ? more[o - 7] : o;
            double low[64], high[64];
            for (int64_t i = 0; i < 2 * rows * cols; i++) {
                int64_t row = i / cols % rows, col = i % cols;
                bool below = col - row <= offset, above = col - row >= offset;
                low[i] = below ? (double)i + 1 : 0;
                high[i] = above ? (double)i + 1 : 0;
            }
            same_elements(s, "tril", lucid_tril(s, x, offset), low, 0);
            same_elements(s, "triu", lucid_triu(s, x, offset), high, 0);
        }
    }
    lucid_tensor hole = lucid_reshape(s, VECTOR(s, 1, NAN, 3, 4), LUCID_SHAPE(2, 2));
    SAME(lucid_tril(s, hole, 0), 1, 0, 3, 4);
    lucid_tensor mask = lucid_tril(s, lucid_cast(s, lucid_ones_like(s, hole), LUCID_BOOL), 0);
    assert_int_equal(lucid_dtype_of(mask), LUCID_BOOL);
    (void)lucid_triu(s, VECTOR(s, 1, 2), 0);
    has_error(s, LUCID_VALUE_ERROR, "triu: x must have at least 2 dims, it has 1");
}

static void test_diagonal(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{3, 3}, {2, 5}, {5, 2}, {1, 1}, {0, 3}, {3, 0}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        int64_t rows = shapes[k][0], cols = shapes[k][1];
        lucid_tensor x = counting(LUCID_SHAPE(rows, 2, cols));
        for (int64_t offset = -6; offset <= 6; offset++) {
            double want[2][8];
            int64_t n = 0;
            for (int64_t i = 0; i < rows; i++)
                if (i + offset >= 0 && i + offset < cols) {
                    for (int64_t b = 0; b < 2; b++)
                        want[b][n] = (double)((i * 2 + b) * cols + i + offset);
                    n++;
                }
            lucid_tensor y = lucid_diagonal(s, x, offset, 0, -1);
            has_shape(y, LUCID_SHAPE(2, n));
            for (int64_t b = 0; b < 2; b++)
                same_elements(s, "diagonal", lucid_select(s, y, 0, b), want[b], 0);
            y = lucid_diagonal(s, x, -offset, 2, 0);
            has_shape(y, LUCID_SHAPE(2, n));
            same_elements(s, "diagonal, dims swapped", lucid_select(s, y, 0, 1), want[1], 0);
        }
    }
    lucid_tensor x = counting(LUCID_SHAPE(2, 3));
    has_shape(lucid_diagonal(s, x, INT64_MAX, 0, 1), LUCID_SHAPE(0));
    has_shape(lucid_diagonal(s, x, INT64_MIN, 0, 1), LUCID_SHAPE(0));
    (void)lucid_diagonal(s, x, 0, 1, -1);
    has_error(s, LUCID_VALUE_ERROR, "diagonal: dims must differ, both are 1");
    (void)lucid_diagonal(s, x, 0, 0, 2);
    has_error(s, LUCID_VALUE_ERROR, "diagonal: dim 2 is out of range");
    (void)lucid_diagonal(s, VECTOR(s, 1), 0, 0, 0);
    has_error(s, LUCID_VALUE_ERROR, "diagonal: x must have at least 2 dims, it has 1");
}

static void test_diag_embed(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 4; n++)
        for (int64_t offset = -3; offset <= 3; offset++) {
            int64_t side = n + (offset < 0 ? -offset : offset);
            lucid_tensor x = counting(LUCID_SHAPE(2, n));
            lucid_tensor y = lucid_diag_embed(s, x, offset);
            has_shape(y, LUCID_SHAPE(2, side, side));
            same_tensors(s, "there and back", lucid_diagonal(s, y, offset, 1, 2), x, 0);
            lucid_tensor sum = lucid_sum(s, y, LUCID_ALL), all = lucid_sum(s, x, LUCID_ALL);
            same_tensors(s, "nothing else", sum, all, 0);
        }
    SAME(lucid_diag_embed(s, VECTOR(s, 1, 2), 0), 1, 0, 0, 2);
    SAME(lucid_diag_embed(s, VECTOR(s, 1), -1), 0, 0, 1, 0);
    (void)lucid_diag_embed(s, lucid_scalar(s, 1), 0);
    has_error(s, LUCID_VALUE_ERROR, "diag_embed: x must have from 1 to 15 dims, not 0");
    (void)lucid_diag_embed(s, VECTOR(s, 1, 2), INT64_MIN);
    has_error(s, LUCID_VALUE_ERROR, "too large");
    (void)lucid_diag_embed(s, VECTOR(s, 1, 2), INT64_C(1) << 40);
    has_error(s, LUCID_VALUE_ERROR, "too large");
}

/* ---- derivatives and vmap ------------------------------------------------------------------- */

#define LAWS(f, ...) \
    obeys_laws(s, #f, f, (const lucid_tensor[]){__VA_ARGS__}, \
               LUCID_COUNT_(lucid_tensor, __VA_ARGS__))

static void test_laws(void **state)
{
    (void)state;
    lucid_tensor number = test_numbers(s, LUCID_SCALAR_SHAPE, 1, 0);
    lucid_tensor x = test_numbers(s, LUCID_SHAPE(3, 4), 2, 0);
    lucid_tensor y = test_numbers(s, LUCID_SHAPE(3, 4), 3, 0);
    lucid_tensor z = test_numbers(s, LUCID_SHAPE(2, 3, 4), 4, 0);
    LAWS(f_full, number);
    LAWS(f_full_like, number, x);
    LAWS(f_stack, x, y);
    LAWS(f_roll, x);
    LAWS(f_roll_flat, x);
    LAWS(f_tile, x);
    LAWS(f_tril, z);
    LAWS(f_triu, z);
    LAWS(f_diagonal, x);
    LAWS(f_diagonal_swapped, x);
    LAWS(f_diagonal_last, z);
    LAWS(f_diag_embed, x);
    LAWS(f_diag_embed_main, x);
    lucid_tensor empty = lucid_cast(s, lucid_zeros(s, LUCID_SHAPE(0, 4)), LUCID_FLOAT64);
    LAWS(f_diagonal, empty);
    LAWS(f_diag_embed, empty);
    LAWS(f_tril, empty);
    LAWS(f_roll, empty);
    LAWS(f_tile, empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filled, begin, end),
        cmocka_unit_test_setup_teardown(test_ranges, begin, end),
        cmocka_unit_test_setup_teardown(test_stack, begin, end),
        cmocka_unit_test_setup_teardown(test_roll, begin, end),
        cmocka_unit_test_setup_teardown(test_tile, begin, end),
        cmocka_unit_test_setup_teardown(test_triangles, begin, end),
        cmocka_unit_test_setup_teardown(test_diagonal, begin, end),
        cmocka_unit_test_setup_teardown(test_diag_embed, begin, end),
        cmocka_unit_test_setup_teardown(test_laws, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
