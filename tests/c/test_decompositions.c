/* QR, eigenvalues, singular values and what is made of them: factors multiply up to the matrix, on
 * ordinary and on hard matrices; a matrix has the same bits alone and in a batch; derivatives; errors. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/function_laws.h"

/* ---- functions ------------------------------------------------------------------------------------ */

FUNCTION(f_q, lucid_qr(s, x[0], false, NULL))
FUNCTION(f_complete_q, lucid_qr(s, x[0], true, NULL))
FUNCTION(f_values, lucid_svd(s, x[0], false, NULL, NULL))
FUNCTION(f_pinv, lucid_pinv(s, x[0], 1e-10))
FUNCTION(f_lstsq, lucid_lstsq(s, x[0], x[1], 1e-10))
FUNCTION(f_power, lucid_matrix_power(s, x[0], 5))
FUNCTION(f_exp, lucid_matrix_exp(s, x[0]))

/* eigenvalues and vectors of x + x' */
static lucid_status f_eigen(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor v,
        w = lucid_eigh(t, lucid_add(t, x[0], lucid_transpose(t, x[0], -1, -2)), false, &v);
    y[0] = lucid_add(t, lucid_unsqueeze(t, w, -2), v);
    return lucid_error(t);
}

/* an element of the projector on the vectors of the two smaller eigenvalues of x + x' */
static lucid_status f_projector(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor v;
    (void)lucid_eigh(t, lucid_add(t, x[0], lucid_transpose(t, x[0], -1, -2)), false, &v);
    v = lucid_slice(t, v, -1, 0, 2, 1);
    y[0] = lucid_matmul(t, v, lucid_transpose(t, v, -1, -2));
    y[0] = lucid_select(t, lucid_select(t, y[0], 0, 0), 0, 2);
    return lucid_error(t);
}

static lucid_status f_whole_svd(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor u;
    (void)lucid_svd(t, x[0], true, &u, NULL);
    y[0] = u;
    return lucid_error(t);
}
FUNCTION(f_trace_of_values, lucid_sum(s, lucid_eigh(s, x[0], false, NULL), LUCID_ALL))
FUNCTION(f_nuclear, lucid_sum(s, lucid_svd(s, x[0], false, NULL, NULL), LUCID_ALL))

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

#define NUMBERS(seed, ...) test_numbers(s, LUCID_SHAPE(__VA_ARGS__), seed, 0)
#define LAWS(f, ...) \
    obeys_laws(s, #f, f, (const lucid_tensor[]){__VA_ARGS__}, \
               LUCID_COUNT_(lucid_tensor, __VA_ARGS__))
#define SAME(got, tolerance, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), (tolerance))

static lucid_tensor turned(lucid_tensor x)
{
    return lucid_transpose(s, x, -1, -2);
}

/* ---- factors ------------------------------------------------------------------------------------- */

/* |x| <= units * epsilon * size * scale, all elements. */
static void negligible(const char *what, lucid_tensor x, lucid_tensor like, double scale)
{
    if (lucid_numel(x) == 0)
        return;
    double eps = lucid_dtype_of(like) == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    double size = (double)(lucid_size(like, -1) + lucid_size(like, -2));
    double most = lucid_item(s, lucid_amax(s, lucid_abs(s, x), LUCID_ALL));
    if (!(most <= 4 * eps * size * scale))
        fail_msg("%s, %d x %d: %g", what, (int)lucid_size(like, -2), (int)lucid_size(like, -1),
                 most / scale / eps);
}

static double magnitude(lucid_tensor x)
{
    double most = lucid_numel(x) > 0 ? lucid_item(s, lucid_amax(s, lucid_abs(s, x), LUCID_ALL)) : 0;
    return most > 0 ? most : 1;
}

static void orthonormal(const char *what, lucid_tensor columns)
{
    int64_t k = lucid_size(columns, -1);
    lucid_tensor x = lucid_cast(s, columns, LUCID_FLOAT64);
    lucid_tensor gram = lucid_matmul(s, turned(x), x);
    negligible(what, lucid_sub(s, gram, lucid_eye(s, k, k)), columns, 1);
}

static lucid_tensor doubles(lucid_tensor x)
{
    return lucid_cast(s, x, LUCID_FLOAT64);
}

static void check_qr(lucid_tensor a)
{
    lucid_tensor r, q = lucid_qr(s, a, false, &r);
    orthonormal("Q", q);
    negligible("QR", lucid_sub(s, lucid_matmul(s, doubles(q), doubles(r)), doubles(a)), a,
               magnitude(a));
    same_tensors(s, "R is upper", r, lucid_triu(s, r, 0), 0);
    q = lucid_qr(s, a, true, &r);
    orthonormal("complete Q", q);
    assert_int_equal(lucid_size(q, -1), lucid_size(a, -2));
    assert_int_equal(lucid_size(r, -2), lucid_size(a, -2));
    negligible("complete QR", lucid_sub(s, lucid_matmul(s, doubles(q), doubles(r)), doubles(a)), a,
               magnitude(a));
}

static void is_sorted(lucid_tensor w, bool ascending)
{
    int64_t n = lucid_size(w, -1);
    if (n < 2)
        return;
    lucid_tensor low = lucid_slice(s, w, -1, 0, n - 1, 1), high = lucid_slice(s, w, -1, 1, n, 1);
    lucid_tensor right = ascending ? lucid_le(s, low, high) : lucid_ge(s, low, high);
    assert_true(lucid_bool(s, lucid_all(s, right, LUCID_ALL)));
}

/* The element of largest magnitude of each column is positive. */
static void points_up(lucid_tensor columns)
{
    if (lucid_numel(columns) == 0)
        return;
    lucid_tensor up = lucid_amax(s, columns, LUCID_DIMS(-2));
    lucid_tensor down = lucid_neg(s, lucid_amin(s, columns, LUCID_DIMS(-2)));
    assert_true(lucid_bool(s, lucid_all(s, lucid_ge(s, up, down), LUCID_ALL)));
}

/* Without vectors. Small ones take the same steps; LAPACK has a method of its own for them. */
static void same_values(lucid_tensor alone, lucid_tensor w, lucid_tensor a)
{
    bool small = lucid_size(w, -1) <= 32 && lucid_size(a, -1) * lucid_size(a, -2) <= 4096;
    if (small)
        same_tensors(s, "values alone", alone, w, 0);
    else
        negligible("values alone", lucid_sub(s, doubles(alone), doubles(w)), a, magnitude(a));
}

static void check_svd(lucid_tensor a)
{
    lucid_tensor u, v, w = lucid_svd(s, a, false, &u, &v);
    orthonormal("U", u);
    orthonormal("V", turned(v));
    is_sorted(w, false);
    points_up(u);
    lucid_tensor scaled = lucid_mul(s, doubles(u), lucid_unsqueeze(s, doubles(w), -2));
    negligible("U S V'", lucid_sub(s, lucid_matmul(s, scaled, doubles(v)), doubles(a)), a,
               magnitude(a));
    same_values(lucid_svd(s, a, false, NULL, NULL), w, a);
    (void)lucid_svd(s, a, true, &u, &v);
    orthonormal("whole U", u);
    orthonormal("whole V", turned(v));
    assert_int_equal(lucid_size(u, -1), lucid_size(a, -2));
    assert_int_equal(lucid_size(v, -2), lucid_size(a, -1));
}

/* a + a', of which only one triangle is shown. */
static void check_eigh(lucid_tensor a)
{
    lucid_tensor b = lucid_add(s, a, turned(a)), v,
                 w = lucid_eigh(s, lucid_tril(s, b, 0), false, &v);
    orthonormal("eigenvectors", v);
    is_sorted(w, true);
    points_up(v);
    lucid_tensor scaled = lucid_mul(s, doubles(v), lucid_unsqueeze(s, doubles(w), -2));
    negligible("A V = V W", lucid_sub(s, lucid_matmul(s, doubles(b), doubles(v)), scaled), a,
               magnitude(b));
    same_values(lucid_eigh(s, b, false, NULL), w, b);
    same_values(lucid_eigh(s, lucid_triu(s, b, 0), true, NULL), w, b);
}

static void check_all(lucid_tensor a)
{
    check_qr(a);
    check_svd(a);
    if (lucid_size(a, -1) == lucid_size(a, -2))
        check_eigh(a);
}

static void factors_multiply_up(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {
        {1, 1},   {2, 2},   {3, 3},    {4, 4},   {8, 8},   {9, 9}, {17, 17}, {31, 31}, {32, 32},
        {33, 33}, {50, 50}, {4, 2},    {2, 4},   {7, 1},   {1, 7}, {5, 3},   {20, 30}, {30, 20},
        {100, 3}, {3, 100}, {300, 20}, {40, 60}, {60, 40}, {0, 0}, {3, 0},   {0, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int64_t batch = 1; batch < 24; batch += 10) {
            lucid_tensor a = NUMBERS(i, batch, sizes[i][0], sizes[i][1]);
            check_all(a);
            check_all(lucid_cast(s, a, LUCID_FLOAT32));
            check_all(lucid_select(s, a, 0, 0));
        }
    check_all(NUMBERS(1, 0, 3, 3));
    check_all(lucid_movedim(s, NUMBERS(2, 4, 4, 19), -1, 0)); /* lanes side by side in memory */
    check_all(lucid_movedim(s, NUMBERS(3, 5, 20, 3), 1, 0));
}

static void hard_matrices(void **state)
{
    (void)state;
    const int64_t sizes[] = {2, 3, 4, 7, 16, 32, 50};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        lucid_shape shape = LUCID_SHAPE(9, n, n);
        lucid_tensor x = NUMBERS(i, 9, n, n),
                     one = lucid_cast(s, lucid_eye(s, n, n), LUCID_FLOAT64);
        lucid_tensor steps = lucid_arange(s, 0, (double)n, 1, LUCID_FLOAT64);
        lucid_tensor fall = lucid_exp(s, lucid_neg(s, steps)), q = lucid_qr(s, x, false, NULL);
        lucid_tensor twins = lucid_floor(s, lucid_mul(s, steps, lucid_scalar(s, 0.5)));
        const lucid_tensor hard[] = {
            lucid_expand(s, lucid_zeros_like(s, one), shape),
            lucid_expand(s, one, shape),
            lucid_ones_like(s, x),
            lucid_matmul(s, lucid_slice(s, x, -1, 0, 1, 1), lucid_slice(s, x, -2, 0, 1, 1)),
            lucid_mul(s, x, fall),
            lucid_mul(s, x, lucid_unsqueeze(s, fall, -1)),
            q,
            lucid_matmul(s, lucid_mul(s, q, twins), turned(q)), /* pairs of equal values */
            lucid_mul(s, x, lucid_scalar(s, 1e300)),
            lucid_mul(s, x, lucid_scalar(s, 1e-300)),
        };
        for (size_t k = 0; k < sizeof hard / sizeof *hard; k++) {
            check_all(hard[k]);
            if (k < 8)
                check_all(lucid_cast(s, hard[k], LUCID_FLOAT32));
        }
        lucid_tensor single = lucid_cast(s, x, LUCID_FLOAT32);
        check_all(lucid_mul(s, single, lucid_scalar(s, 1e37)));
        check_all(lucid_mul(s, single, lucid_scalar(s, 1e-37)));
    }
}

/* The same bits alone, and in batches that fill lanes or do not. */
static void company_changes_nothing(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{1, 1}, {3, 3}, {4, 4}, {9, 9}, {32, 32}, {5, 3}, {3, 5}, {40, 12}};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        lucid_tensor a = NUMBERS(i, 21, sizes[i / 2][0], sizes[i / 2][1]);
        if (i % 2)
            a = lucid_cast(s, a, LUCID_FLOAT32);
        bool square = sizes[i / 2][0] == sizes[i / 2][1];
        for (int64_t e = 0; e < 21; e += 10) {
            lucid_tensor alone = lucid_select(s, a, 0, e), got[7] = {{NULL}}, one[7] = {{NULL}};
            got[0] = lucid_qr(s, a, false, &got[1]);
            one[0] = lucid_qr(s, alone, false, &one[1]);
            got[2] = lucid_svd(s, a, false, &got[3], &got[4]);
            one[2] = lucid_svd(s, alone, false, &one[3], &one[4]);
            if (square) {
                got[5] = lucid_eigh(s, a, false, &got[6]);
                one[5] = lucid_eigh(s, alone, false, &one[6]);
            }
            for (int k = 0; k < (square ? 7 : 5); k++)
                same_tensors(s, "bits", lucid_select(s, got[k], 0, e), one[k], 0);
        }
    }
}

static void what_is_not_finite_stays_apart(void **state)
{
    (void)state;
    for (int64_t n = 3; n < 50; n += 37) {
        lucid_tensor x = NUMBERS(1, 9, n, n), at = lucid_arange(s, 0, 9, 1, LUCID_FLOAT64);
        lucid_tensor bad =
            lucid_reshape(s, lucid_eq(s, at, lucid_scalar(s, 4)), LUCID_SHAPE(9, 1, 1));
        lucid_tensor worse =
            lucid_reshape(s, lucid_eq(s, at, lucid_scalar(s, 7)), LUCID_SHAPE(9, 1, 1));
        x = lucid_where(s, bad, lucid_scalar(s, (double)NAN), x);
        x = lucid_where(s, worse, lucid_scalar(s, (double)INFINITY), x);
        lucid_tensor got[5];
        got[0] = lucid_eigh(s, x, false, &got[1]);
        got[2] = lucid_svd(s, x, false, &got[3], &got[4]);
        for (int k = 0; k < 5; k++)
            for (int64_t e = 0; e < 9; e++) {
                lucid_tensor nan = lucid_isnan(s, lucid_select(s, got[k], 0, e));
                lucid_tensor answer = e == 4 || e == 7
                                          ? lucid_all(s, nan, LUCID_ALL)
                                          : lucid_logical_not(s, lucid_any(s, nan, LUCID_ALL));
                assert_true(lucid_bool(s, answer));
            }
    }
}

static void signs_of_qr_are_lapacks(void **state)
{
    (void)state;
    lucid_tensor a = lucid_from_data(s, DOUBLES(3, 1, 4, 2), LUCID_FLOAT64, LUCID_SHAPE(2, 2)), r;
    SAME(lucid_qr(s, a, false, &r), 1e-15, -0.6, -0.8, -0.8, 0.6);
    SAME(r, 1e-15, -5, -2.2, 0, 0.4);
    /* nothing below the diagonal: the column stays */
    lucid_tensor one = lucid_from_data(s, DOUBLES(-2, 1, 0, 3), LUCID_FLOAT64, LUCID_SHAPE(2, 2));
    SAME(lucid_qr(s, one, false, &r), 0, 1, 0, 0, 1);
    SAME(r, 0, -2, 1, 0, 3);
}

/* ---- what is made of them -------------------------------------------------------------------------- */

static void pinv_has_the_four_properties(void **state)
{
    (void)state;
    const int64_t shapes[][3] = {{4, 2, 2}, {2, 4, 2},   {5, 5, 3},
                                 {3, 3, 3}, {40, 50, 7}, {6, 4, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t *z = shapes[i];
        lucid_tensor a = lucid_matmul(s, NUMBERS(i, 3, z[0], z[2]), NUMBERS(i + 9, 3, z[2], z[1]));
        lucid_tensor p = lucid_pinv(s, a, 1e-10), ap = lucid_matmul(s, a, p),
                     pa = lucid_matmul(s, p, a);
        same_tensors(s, "A P A", lucid_matmul(s, ap, a), a, 1e-9);
        same_tensors(s, "P A P", lucid_matmul(s, pa, p), p, 1e-9);
        same_tensors(s, "A P symmetric", ap, turned(ap), 1e-9);
        same_tensors(s, "P A symmetric", pa, turned(pa), 1e-9);
        lucid_tensor rank = lucid_matrix_rank(s, a, 1e-10);
        assert_int_equal(lucid_dtype_of(rank), LUCID_INT64);
        SAME(rank, 0, (double)z[2], (double)z[2], (double)z[2]);
    }
    SAME(lucid_pinv(s, lucid_zeros(s, LUCID_SHAPE(2, 1)), -1), 0, 0, 0);
    has_shape(lucid_pinv(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), -1), LUCID_SHAPE(0, 3));
    SAME(lucid_matrix_rank(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), -1), 0, 0);
}

static void lstsq_leaves_the_least(void **state)
{
    (void)state;
    lucid_tensor a = NUMBERS(1, 2, 6, 3), b = NUMBERS(2, 2, 6, 2), x = lucid_lstsq(s, a, b, -1);
    has_shape(x, LUCID_SHAPE(2, 3, 2));
    lucid_tensor left = lucid_sub(s, lucid_matmul(s, a, x), b);
    same_tensors(s, "normal equations", lucid_matmul(s, turned(a), left),
                 lucid_zeros(s, LUCID_SHAPE(2, 3, 2)), 1e-12);
    has_shape(lucid_lstsq(s, a, NUMBERS(3, 2, 6), -1), LUCID_SHAPE(2, 3));
    has_shape(lucid_lstsq(s, NUMBERS(4, 3, 6), NUMBERS(5, 3), -1), LUCID_SHAPE(6));
}

static void powers_of_matrices(void **state)
{
    (void)state;
    lucid_tensor a = NUMBERS(1, 2, 3, 3), a2 = lucid_matmul(s, a, a);
    same_tensors(s, "5", lucid_matrix_power(s, a, 5), lucid_matmul(s, lucid_matmul(s, a2, a2), a),
                 1e-12);
    same_tensors(s, "-2", lucid_matmul(s, lucid_matrix_power(s, a, -2), a2),
                 lucid_matrix_power(s, a, 0), 1e-9);
    const int32_t whole[] = {1, 1, 1, 0};
    lucid_tensor f = lucid_from_data(s, whole, LUCID_INT32, LUCID_SHAPE(2, 2));
    lucid_tensor p = lucid_matrix_power(s, f, 10);
    assert_int_equal(lucid_dtype_of(p), LUCID_INT32);
    SAME(p, 0, 89, 55, 55, 34);
    /* a rotation, a shear, nothing at all; small and large */
    const double times[] = {1e-3, 0.05, 1, 2.4, 17, 120, 490};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        const double t = times[i];
        lucid_tensor g = lucid_from_data(s, DOUBLES(0, -t, t, 0), LUCID_FLOAT64, LUCID_SHAPE(2, 2));
        SAME(lucid_matrix_exp(s, g), 1e-12, cos(t), -sin(t), sin(t), cos(t));
        g = lucid_from_data(s, DOUBLES(0, t, 0, 0), LUCID_FLOAT64, LUCID_SHAPE(2, 2));
        SAME(lucid_matrix_exp(s, g), 1e-11, 1, t, 0, 1);
    }
    SAME(lucid_matrix_exp(s, lucid_zeros(s, LUCID_SHAPE(2, 2))), 0, 1, 0, 0, 1);
    has_shape(lucid_matrix_exp(s, lucid_zeros(s, LUCID_SHAPE(0, 0))), LUCID_SHAPE(0, 0));
}

/* ---- derivatives ----------------------------------------------------------------------------------- */

static void derivatives_obey_the_laws(void **state)
{
    (void)state;
    LAWS(f_q, NUMBERS(1, 4, 3));
    LAWS(f_q, NUMBERS(2, 2, 3, 5));
    LAWS(f_complete_q, NUMBERS(3, 4, 2));
    LAWS(f_values, NUMBERS(4, 2, 4, 3));
    LAWS(f_eigen, NUMBERS(5, 2, 4, 4));
    LAWS(f_whole_svd, NUMBERS(6, 3, 2));
    LAWS(f_pinv, NUMBERS(7, 2, 4, 2));
    LAWS(f_pinv, NUMBERS(8, 2, 4));
    LAWS(f_lstsq, NUMBERS(9, 5, 3), NUMBERS(10, 5, 2));
    LAWS(f_power, NUMBERS(11, 3, 3));
    LAWS(f_exp, NUMBERS(12, 2, 3, 3));
    /* where singular values are equal, too */
    LAWS(f_pinv, lucid_cast(s, lucid_eye(s, 3, 3), LUCID_FLOAT64));
    LAWS(f_exp, lucid_cast(s, lucid_eye(s, 3, 3), LUCID_FLOAT64));
    LAWS(f_exp, lucid_zeros_like(s, NUMBERS(1, 3, 3)));
}

static void gradients_at_equal_values_are_finite(void **state)
{
    (void)state;
    lucid_tensor one = lucid_cast(s, lucid_eye(s, 3, 3), LUCID_FLOAT64);
    same_tensors(s, "trace", gradient(s, f_trace_of_values, &one, 1), one, 1e-15);
    same_tensors(s, "nuclear norm", gradient(s, f_nuclear, &one, 1), one, 1e-15);
    /* the projector on a whole group of equal eigenvalues 2 (the other is 6) is smooth */
    lucid_tensor twins =
        lucid_from_data(s, DOUBLES(1, 0, 0, 0, 1, 0, 0, 0, 3), LUCID_FLOAT64, LUCID_SHAPE(3, 3));
    SAME(gradient(s, f_projector, &twins, 1), 1e-15, 0, 0, -0.25, 0, 0, 0, -0.25, 0, 0);
    lucid_tensor zero = lucid_zeros_like(s, one);
    lucid_tensor g = gradient(s, f_nuclear, &zero, 1);
    assert_true(lucid_bool(s, lucid_all(s, lucid_isfinite(s, g), LUCID_ALL)));
}

/* ---- errors ---------------------------------------------------------------------------------------- */

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    const lucid_tensor none = {NULL};
    lucid_tensor v = NUMBERS(1, 3), m = NUMBERS(2, 2, 3), other = m, third = m;
    (void)lucid_qr(s, v, false, &other);
    has_error(s, LUCID_VALUE_ERROR, "qr: the matrix has shape (3,), expected (..., m, n)");
    assert_true(lucid_is_empty_handle(other));
    (void)lucid_eigh(s, m, false, &other);
    has_error(s, LUCID_VALUE_ERROR, "eigh: the matrix has shape (2, 3), expected (..., n, n)");
    (void)lucid_svd(s, v, true, &other, &third);
    has_error(s, LUCID_VALUE_ERROR, "svd: the matrix has shape (3,)");
    assert_true(lucid_is_empty_handle(third));
    (void)lucid_pinv(s, v, -1);
    has_error(s, LUCID_VALUE_ERROR, "pinv: the matrix has shape (3,)");
    (void)lucid_matrix_rank(s, v, -1);
    has_error(s, LUCID_VALUE_ERROR, "matrix_rank: the matrix has shape (3,)");
    (void)lucid_lstsq(s, m, NUMBERS(3, 3, 1), -1);
    has_error(s, LUCID_VALUE_ERROR, "lstsq: shapes (2, 3) and (3, 1) do not fit");
    (void)lucid_matrix_power(s, m, 2);
    has_error(s, LUCID_VALUE_ERROR, "matrix_power: the matrix has shape (2, 3)");
    (void)lucid_matrix_exp(s, m);
    has_error(s, LUCID_VALUE_ERROR, "matrix_exp: the matrix has shape (2, 3)");
    (void)lucid_qr(s, none, false, NULL);
    has_error(s, LUCID_TYPE_ERROR, "qr: an input is an empty handle");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(factors_multiply_up),           TEST(hard_matrices),
        TEST(company_changes_nothing),       TEST(what_is_not_finite_stays_apart),
        TEST(signs_of_qr_are_lapacks),       TEST(pinv_has_the_four_properties),
        TEST(lstsq_leaves_the_least),        TEST(powers_of_matrices),
        TEST(derivatives_obey_the_laws),     TEST(gradients_at_equal_values_are_finite),
        TEST(what_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
