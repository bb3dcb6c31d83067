/* Derivatives by way of eigenvalues and singular values where these are equal, or nearly: functions of the
 * matrix are compared with the same ones made of products; what does not exist is NaN. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

/* ---- functions ------------------------------------------------------------------------------------ */

static lucid_tensor turned_in(lucid_scope *t, lucid_tensor x)
{
    return lucid_transpose(t, x, -1, -2);
}

static lucid_tensor symmetric(lucid_scope *t, lucid_tensor x)
{
    return lucid_mul(t, lucid_add(t, x, turned_in(t, x)), lucid_scalar(t, 0.5));
}

/* Some numbers of the size of x, to make one of all elements. */
static lucid_tensor mixed(lucid_scope *t, lucid_tensor x)
{
    int64_t m = lucid_size(x, -2), n = lucid_size(x, -1);
    lucid_tensor k = lucid_arange(t, 0, (double)(m * n), 1, lucid_dtype_of(x));
    k = lucid_cos(t, lucid_mul(t, k, lucid_scalar(t, 1.7)));
    return lucid_sum(t, lucid_mul(t, x, lucid_reshape(t, k, LUCID_SHAPE(m, n))),
                     LUCID_DIMS(-2, -1));
}

static lucid_tensor cube_by_values(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor v, w = lucid_eigh(t, symmetric(t, x), false, &v);
    w = lucid_mul(t, w, lucid_mul(t, w, w));
    lucid_tensor scaled = lucid_mul(t, v, lucid_unsqueeze(t, w, -2));
    return lucid_matmul(t, scaled, turned_in(t, v));
}

static lucid_tensor cube_by_products(lucid_scope *t, lucid_tensor x)
{
    x = symmetric(t, x);
    return lucid_matmul(t, x, lucid_matmul(t, x, x));
}

static lucid_tensor same_by_svd(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor u, vt, w = lucid_svd(t, x, false, &u, &vt);
    return lucid_matmul(t, lucid_mul(t, u, lucid_unsqueeze(t, w, -2)), vt);
}

static lucid_tensor powers_of_values(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor w = lucid_eigh(t, x, false, NULL);
    return lucid_sum(t, lucid_mul(t, w, lucid_mul(t, w, w)), LUCID_DIMS(-1));
}

static lucid_tensor squares_of_singular(lucid_scope *t, lucid_tensor x)
{
    return lucid_sum(t, lucid_square(t, lucid_svd(t, x, false, NULL, NULL)), LUCID_DIMS(-1));
}

static lucid_tensor one_value(lucid_scope *t, lucid_tensor x)
{
    return lucid_select(t, lucid_eigh(t, x, false, NULL), -1, 0);
}

static lucid_tensor last_value(lucid_scope *t, lucid_tensor x)
{
    return lucid_select(t, lucid_eigh(t, x, false, NULL), -1, -1);
}

static lucid_tensor value_beside_vectors(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor v;
    return lucid_select(t, lucid_eigh(t, x, false, &v), -1, 0);
}

static lucid_tensor some_vectors(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor v;
    (void)lucid_eigh(t, x, false, &v);
    return mixed(t, v);
}

/* An element that turning its vector, which lies along an axis, does not change at first. */
static lucid_tensor one_element(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor v;
    (void)lucid_eigh(t, x, false, &v);
    return lucid_select(t, lucid_select(t, v, 0, 0), 0, 0);
}

static lucid_tensor last_vector(lucid_scope *t, lucid_tensor x)
{
    lucid_tensor v;
    (void)lucid_eigh(t, x, false, &v);
    v = lucid_slice(t, v, -1, -1, LUCID_END, 1);
    return mixed(t, v);
}

static lucid_tensor one_singular(lucid_scope *t, lucid_tensor x)
{
    return lucid_select(t, lucid_svd(t, x, false, NULL, NULL), -1, 0);
}

FUNCTION(f_cube, mixed(s, cube_by_values(s, x[0])))
FUNCTION(g_cube, mixed(s, cube_by_products(s, x[0])))
FUNCTION(f_powers, powers_of_values(s, x[0]))
FUNCTION(g_powers, lucid_trace(s, cube_by_products(s, x[0])))
FUNCTION(f_same, mixed(s, lucid_mul(s, same_by_svd(s, x[0]), same_by_svd(s, x[0]))))
FUNCTION(g_same, mixed(s, lucid_mul(s, x[0], x[0])))
FUNCTION(f_squares, squares_of_singular(s, x[0]))
FUNCTION(g_squares, lucid_sum(s, lucid_square(s, x[0]), LUCID_DIMS(-2, -1)))
FUNCTION(f_one, one_value(s, x[0]))
FUNCTION(f_last, last_value(s, x[0]))
FUNCTION(f_beside, value_beside_vectors(s, x[0]))
FUNCTION(f_vectors, some_vectors(s, x[0]))
FUNCTION(f_element, one_element(s, x[0]))
FUNCTION(f_last_vector, last_vector(s, x[0]))
FUNCTION(f_one_singular, one_singular(s, x[0]))

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

/* ---- matrices -------------------------------------------------------------------------------------- */

/* Q diag(values) Q', or the diagonal matrix for seed 0. */
static lucid_tensor with_values(uint64_t seed, int64_t n, const double *values)
{
    lucid_tensor w = lucid_from_data(s, values, LUCID_FLOAT64, LUCID_SHAPE(n));
    lucid_tensor q = lucid_cast(s, lucid_eye(s, n, n), LUCID_FLOAT64);
    if (seed > 0)
        q = lucid_qr(s, NUMBERS(seed, n, n), false, NULL);
    lucid_tensor a = lucid_matmul(s, lucid_mul(s, q, w), turned_in(s, q));
    return symmetric(s, a);
}

static lucid_tensor doubles(lucid_tensor x)
{
    return lucid_cast(s, x, LUCID_FLOAT64);
}

/* |got - want| beside the largest |want|. */
static void close_to(const char *what, lucid_tensor got, lucid_tensor want, double tolerance)
{
    lucid_tensor most = lucid_amax(s, lucid_abs(s, doubles(want)), LUCID_ALL);
    same_tensors(s, what, lucid_div(s, doubles(got), most), lucid_div(s, doubles(want), most),
                 tolerance);
}

/* First and second derivatives of f, in every order of modes, are those of g. */
static void same_derivatives(lucid_function *of_values, lucid_function *of_products, lucid_tensor a,
                             double first, double second)
{
    lucid_fn f = lucid_fn_new(s, of_values, 1, NULL), g = lucid_fn_new(s, of_products, 1, NULL);
    lucid_tensor exact = doubles(a);
    lucid_tensor want = lucid_call1(s, lucid_grad(s, g, NULL), exact);
    close_to("gradient", lucid_call1(s, lucid_grad(s, f, NULL), a), want, first);
    close_to("forward", lucid_call1(s, lucid_jacfwd(s, f, NULL), a), want, first);
    want = lucid_call1(s, lucid_hessian(s, g, NULL), exact);
    close_to("hessian", lucid_call1(s, lucid_hessian(s, f, NULL), a), want, second);
    lucid_fn reverse = lucid_jacrev(s, lucid_jacrev(s, f, NULL), NULL);
    close_to("reverse twice", lucid_call1(s, reverse, a), want, second);
    lucid_fn forward = lucid_jacfwd(s, lucid_jacfwd(s, f, NULL), NULL);
    close_to("forward twice", lucid_call1(s, forward, a), want, second);
}

static void all_nan(const char *what, lucid_function *f, lucid_tensor a)
{
    lucid_tensor g = gradient(s, f, &a, 1);
    if (!lucid_bool(s, lucid_all(s, lucid_isnan(s, g), LUCID_ALL)))
        fail_msg("%s: a gradient where there is none", what);
}

static void all_finite(const char *what, lucid_function *f, lucid_tensor a)
{
    lucid_tensor g = gradient(s, f, &a, 1);
    if (!lucid_bool(s, lucid_all(s, lucid_isfinite(s, g), LUCID_ALL)))
        fail_msg("%s: no gradient where there is one", what);
}

/* ---- tests ----------------------------------------------------------------------------------------- */

static void functions_of_a_matrix_with_equal_eigenvalues(void **state)
{
    (void)state;
    const double values[][4] = {{1, 1, 1, 1}, {1, 1, 2, 2}, {1, 1, 1, 3}, {-2, -2, 0, 0}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (uint64_t seed = 0; seed < 2; seed++) {
            lucid_tensor a = with_values(seed, 4, values[i]);
            same_derivatives(f_cube, g_cube, a, 3e-7, 3e-4);
            same_derivatives(f_powers, g_powers, a, 1e-14, 3e-7);
            a = lucid_cast(s, a, LUCID_FLOAT32);
            same_derivatives(f_cube, g_cube, a, 5e-3, 0.1);
            same_derivatives(f_powers, g_powers, a, 1e-5, 5e-3);
        }
}

static void eigenvalues_at_any_distance(void **state)
{
    (void)state;
    for (int k = 1; k <= 16; k += 3) {
        const double d = pow(10, -k), values[] = {1, 1 + d, 1 + 2.6 * d, 2};
        lucid_tensor a = with_values(3, 4, values);
        same_derivatives(f_cube, g_cube, a, 3e-7, 3e-4);
        same_derivatives(f_powers, g_powers, a, 1e-14, 3e-7);
        a = lucid_cast(s, a, LUCID_FLOAT32);
        same_derivatives(f_cube, g_cube, a, 5e-3, 0.1);
        same_derivatives(f_powers, g_powers, a, 1e-5, 5e-3);
    }
}

static void singular_values_that_are_equal_or_nothing(void **state)
{
    (void)state;
    const double values[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 1, 0}, {2, 0, 0}};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (uint64_t seed = 0; seed < 2; seed++) {
            lucid_tensor square = with_values(seed, 3, values[i]);
            lucid_tensor more = lucid_zeros_like(s, lucid_slice(s, square, -2, 0, 1, 1));
            lucid_tensor tall = lucid_concatenate(s, (const lucid_tensor[]){square, more}, 2, -2);
            const lucid_tensor as[3] = {square, tall, turned_in(s, tall)};
            for (int k = 0; k < 3; k++) {
                same_derivatives(f_same, g_same, as[k], 3e-7, 3e-4);
                same_derivatives(f_squares, g_squares, as[k], 1e-14, 3e-7);
                lucid_tensor a = lucid_cast(s, as[k], LUCID_FLOAT32);
                same_derivatives(f_same, g_same, a, 5e-3, 0.1);
                same_derivatives(f_squares, g_squares, a, 1e-5, 5e-3);
            }
        }
}

static void scales_do_not_matter(void **state)
{
    (void)state;
    const double values[] = {1, 1, 2}, apart[] = {1, 2, 4}, scale[] = {1e-30, 1e-25, 1e19, 1e30};
    for (int i = 0; i < 8; i++) {
        lucid_tensor a = with_values(4, 3, i % 2 ? values : apart);
        double tolerance = i % 2 ? 5e-3 : 1e-5;
        a = lucid_cast(s, lucid_mul(s, a, lucid_scalar(s, scale[i / 2])), LUCID_FLOAT32);
        lucid_fn f = lucid_hessian(s, lucid_fn_new(s, f_squares, 1, NULL), NULL);
        lucid_fn g = lucid_hessian(s, lucid_fn_new(s, g_squares, 1, NULL), NULL);
        close_to("squares", lucid_call1(s, f, a), lucid_call1(s, g, a), tolerance);
        lucid_tensor one = lucid_div(s, a, lucid_scalar(s, scale[i / 2]));
        lucid_tensor v =
            lucid_mul(s, gradient(s, f_last_vector, &a, 1), lucid_scalar(s, scale[i / 2]));
        close_to("vector", v, gradient(s, f_last_vector, &one, 1), 1e-5);
    }
}

static void large_matrices_with_equal_values(void **state)
{
    (void)state;
    for (int64_t n = 32; n <= 40; n += 8) {
        double values[40];
        for (int64_t i = 0; i < n; i++) {
            int64_t pair = i / 4;
            values[i] = 1 + (double)pair;
        }
        lucid_tensor a = with_values(5, n, values);
        close_to("cube", gradient(s, f_cube, &a, 1), gradient(s, g_cube, &a, 1), 3e-7);
        lucid_tensor b = lucid_slice(s, a, -1, 0, n - 3, 1);
        close_to("svd", gradient(s, f_same, &b, 1), gradient(s, g_same, &b, 1), 3e-7);
    }
}

static void some_examples_of_a_batch_have_equal_values(void **state)
{
    (void)state;
    const double values[][3] = {{1, 1, 1}, {1, 2, 3}, {1, 1, 2}};
    lucid_tensor each[3];
    for (int i = 0; i < 3; i++)
        each[i] = with_values((uint64_t)i, 3, values[i]);
    lucid_tensor all = lucid_stack(s, each, 3, 0);
    lucid_fn f = lucid_hessian(s, lucid_fn_new(s, f_cube, 1, NULL), NULL);
    lucid_fn g = lucid_hessian(s, lucid_fn_new(s, g_cube, 1, NULL), NULL);
    close_to("cube", lucid_call1(s, lucid_vmap(s, f, NULL), all),
             lucid_call1(s, lucid_vmap(s, g, NULL), all), 3e-4);
    lucid_tensor w = lucid_call1(
        s, lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, f_one, 1, NULL), NULL), NULL), all);
    lucid_tensor nan = lucid_all(s, lucid_isnan(s, w), LUCID_DIMS(-2, -1));
    same_elements(s, "which", doubles(nan), DOUBLES(1, 0, 1), 0);
}

static void what_does_not_exist_is_nan(void **state)
{
    (void)state;
    const double values[] = {1, 1, 2};
    for (int i = 0; i < 4; i++) {
        lucid_tensor a = with_values((uint64_t)(i / 2), 3, values);
        a = i % 2 ? lucid_cast(s, a, LUCID_FLOAT32) : a;
        all_nan("one of two equal eigenvalues", f_one, a);
        all_nan("the same with vectors at hand", f_beside, a);
        all_nan("vectors of equal eigenvalues", f_vectors, a);
        all_nan("an element of one of them", f_element, a);
        all_finite("another eigenvalue", f_last, a);
        all_finite("its vector", f_last_vector, a);
        lucid_tensor q =
            lucid_qr(s, lucid_cast(s, NUMBERS(1, 3, 3), lucid_dtype_of(a)), false, NULL);
        all_nan("the largest of three equal singular values", f_one_singular, q);
    }
}

/* Closer than derivatives of functions of the matrix can be had directly, and yet apart. */
static void vectors_of_values_that_are_close(void **state)
{
    (void)state;
    const double d = 1e-10, values[] = {1, 1 + d, 2};
    lucid_tensor a = with_values(0, 3, values);
    lucid_tensor g = lucid_select(s, lucid_select(s, gradient(s, f_vectors, &a, 1), 0, 0), 0, 1);
    /* of the sum of c_ij v_ij, at v = 1: (c_01 - c_10) / 2 d, cos(1.7) and cos(5.1) */
    double want = (cos(1.7) - cos(5.1)) / 2 / (values[1] - values[0]);
    close_to("turn", g, lucid_scalar(s, want), 1e-5);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(functions_of_a_matrix_with_equal_eigenvalues),
        TEST(eigenvalues_at_any_distance),
        TEST(singular_values_that_are_equal_or_nothing),
        TEST(scales_do_not_matter),
        TEST(large_matrices_with_equal_values),
        TEST(some_examples_of_a_batch_have_equal_values),
        TEST(what_does_not_exist_is_nan),
        TEST(vectors_of_values_that_are_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
