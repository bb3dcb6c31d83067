/* The determinant: a polynomial, whose derivatives of any order are right at singular matrices of any size,
 * alone and in batches of which some are singular. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

FUNCTION(f_det, lucid_det(s, x[0]))

/* By Laplace, along the first row, down to 3 x 3. */
static lucid_tensor laplace(lucid_scope *t, lucid_tensor a)
{
    int64_t n = lucid_size(a, -1);
    if (n <= 3)
        return lucid_det(t, a);
    lucid_tensor sum = {NULL}, rest = lucid_slice(t, a, -2, 1, LUCID_END, 1);
    for (int64_t c = 0; c < n; c++) {
        const lucid_tensor kept[2] = {lucid_slice(t, rest, -1, 0, c, 1),
                                      lucid_slice(t, rest, -1, c + 1, LUCID_END, 1)};
        lucid_tensor minor = laplace(t, lucid_concatenate(t, kept, 2, -1));
        lucid_tensor term = lucid_mul(t, minor, lucid_select(t, lucid_select(t, a, -2, 0), -1, c));
        if (!sum.v)
            sum = term;
        else
            sum = c % 2 ? lucid_sub(t, sum, term) : lucid_add(t, sum, term);
    }
    return sum;
}
FUNCTION(f_laplace, laplace(s, x[0]))

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

/* Of that rank; its largest singular value is 1. */
static lucid_tensor of_rank(uint64_t seed, int64_t n, int64_t rank)
{
    lucid_tensor a = NUMBERS(seed, n, n);
    if (rank == 0)
        return lucid_zeros_like(s, a);
    if (rank < n)
        a = lucid_matmul(s, NUMBERS(seed, n, rank), NUMBERS(seed + 100, rank, n));
    return lucid_div(s, a, lucid_amax(s, lucid_svd(s, a, false, NULL, NULL), LUCID_ALL));
}

static lucid_tensor doubles(lucid_tensor x)
{
    return lucid_cast(s, x, LUCID_FLOAT64);
}

static void same_derivatives(lucid_tensor a, double tolerance)
{
    lucid_tensor exact = doubles(a);
    lucid_fn f = lucid_fn_new(s, f_det, 1, NULL), g = lucid_fn_new(s, f_laplace, 1, NULL);
    same_tensors(s, "gradient", doubles(lucid_call1(s, lucid_grad(s, f, NULL), a)),
                 lucid_call1(s, lucid_grad(s, g, NULL), exact), tolerance);
    same_tensors(s, "forward", doubles(lucid_call1(s, lucid_jacfwd(s, f, NULL), a)),
                 lucid_call1(s, lucid_jacfwd(s, g, NULL), exact), tolerance);
    lucid_tensor want = lucid_call1(s, lucid_hessian(s, g, NULL), exact);
    same_tensors(s, "hessian", doubles(lucid_call1(s, lucid_hessian(s, f, NULL), a)), want,
                 tolerance);
    lucid_fn twice = lucid_jacrev(s, lucid_jacrev(s, f, NULL), NULL);
    same_tensors(s, "reverse twice", doubles(lucid_call1(s, twice, a)), want, tolerance);
}

static void derivatives_are_cofactors_at_any_rank(void **state)
{
    (void)state;
    for (int64_t n = 4; n <= 6; n++)
        for (int64_t rank = 0; rank <= n; rank++) {
            lucid_tensor a = of_rank((uint64_t)(10 * n + rank), n, rank);
            same_derivatives(a, 1e-14);
            same_derivatives(lucid_cast(s, a, LUCID_FLOAT32), 1e-6);
        }
}

static lucid_status hessian_of(lucid_scope *t, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_fn f = lucid_fn_new(t, *(lucid_function *const *)user, 1, NULL);
    y[0] = lucid_call1(t, lucid_hessian(t, f, NULL), x[0]);
    return lucid_error(t);
}

static void third_derivatives_are_right_where_three_values_are_zero(void **state)
{
    (void)state;
    lucid_function *det = f_det, *expanded = f_laplace;
    for (int64_t rank = 1; rank <= 4; rank++) {
        lucid_tensor a = of_rank((uint64_t)rank, 4, rank);
        lucid_fn f = lucid_fn_new(s, hessian_of, 1, &det);
        lucid_fn g = lucid_fn_new(s, hessian_of, 1, &expanded);
        same_tensors(s, "third", lucid_call1(s, lucid_jacfwd(s, f, NULL), a),
                     lucid_call1(s, lucid_jacfwd(s, g, NULL), a), 1e-13);
    }
}

static void laws_hold_where_some_of_a_batch_are_singular(void **state)
{
    (void)state;
    const lucid_tensor some[4] = {of_rank(1, 5, 5), of_rank(2, 5, 4), of_rank(3, 5, 3),
                                  of_rank(4, 5, 0)};
    obeys_laws(s, "det", f_det, (const lucid_tensor[]){lucid_stack(s, some, 4, 0)}, 1);
    lucid_tensor a = of_rank(5, 8, 7);
    obeys_laws(s, "det", f_det, &a, 1);
}

/* det is linear in a row that is zero, whose gradient says what another row there would give. */
static void large_singular_matrices(void **state)
{
    (void)state;
    const int64_t sizes[] = {7, 20, 40, 130};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        lucid_tensor top = lucid_mul(s, NUMBERS(i, n - 1, n), lucid_scalar(s, 1 / sqrt((double)n)));
        lucid_tensor row = NUMBERS(i + 9, 1, n), zero = lucid_zeros_like(s, row);
        lucid_tensor a = lucid_concatenate(s, (const lucid_tensor[]){top, zero}, 2, 0);
        lucid_tensor b = lucid_concatenate(s, (const lucid_tensor[]){top, row}, 2, 0);
        lucid_tensor last = lucid_slice(s, gradient(s, f_det, &a, 1), 0, n - 1, n, 1);
        lucid_tensor det = lucid_det(s, b);
        same_tensors(s, "row", lucid_div(s, lucid_sum(s, lucid_mul(s, last, row), LUCID_ALL), det),
                     lucid_ones_like(s, det), 1e-11);
    }
}

static void cofactors_are_right_at_any_scale(void **state)
{
    (void)state;
    for (int64_t rank = 3; rank <= 4; rank++)
        for (int k = -30; k <= 30; k += 20) {
            lucid_tensor a = lucid_cast(s, of_rank(7, 4, rank), LUCID_FLOAT32);
            lucid_tensor scaled = lucid_mul(s, a, lucid_scalar(s, ldexp(1, k)));
            lucid_tensor g =
                lucid_mul(s, gradient(s, f_det, &scaled, 1), lucid_scalar(s, ldexp(1, -3 * k)));
            same_tensors(s, "scaled", doubles(g), doubles(gradient(s, f_laplace, &a, 1)), 1e-6);
        }
    /* a determinant that would overflow, or be nothing, has cofactors that do not */
    const double diagonal[] = {1e12, 1e12, 1e12, 1e-30, 1e-12, 1e-12, 1e-12, 1e30};
    lucid_tensor d = lucid_from_data(s, diagonal, LUCID_FLOAT64, LUCID_SHAPE(2, 4));
    lucid_tensor one = lucid_eye(s, 4, 4);
    lucid_tensor m = lucid_mul(s, lucid_cast(s, one, LUCID_FLOAT64), lucid_unsqueeze(s, d, -1));
    lucid_tensor g = lucid_diagonal(s, gradient(s, f_det, &m, 1), 0, -2, -1);
    const double det[] = {1e6, 1e6, 1e6, 1e6, 1e-6, 1e-6, 1e-6, 1e-6};
    lucid_tensor dets = lucid_from_data(s, det, LUCID_FLOAT64, LUCID_SHAPE(2, 4));
    same_tensors(s, "graded", lucid_div(s, lucid_mul(s, g, d), dets), lucid_ones_like(s, dets),
                 1e-12);
}

static void what_is_not_finite_gives_nan(void **state)
{
    (void)state;
    const double strange[] = {(double)NAN, (double)INFINITY};
    for (int i = 0; i < 2; i++) {
        lucid_tensor a = lucid_add(s, of_rank(1, 4, 4), lucid_scalar(s, strange[i]));
        lucid_tensor nan = lucid_isnan(s, gradient(s, f_det, &a, 1));
        assert_true(lucid_bool(s, lucid_all(s, nan, LUCID_ALL)));
    }
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(derivatives_are_cofactors_at_any_rank),
        TEST(third_derivatives_are_right_where_three_values_are_zero),
        TEST(laws_hold_where_some_of_a_batch_are_singular),
        TEST(large_singular_matrices),
        TEST(cofactors_are_right_at_any_scale),
        TEST(what_is_not_finite_gives_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
