/* Factorisations and solutions inside lane programs: the same bits as by their kernels, for any size, batch,
 * number of lanes, and whichever of their results are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prim/family.h"
#include "support/both_ways.h"

/* One primitive on each step's matrices; `read`: the results that are wanted. */
typedef struct matrix_case {
    lucid__prim_id prim;
    int64_t params[3];
    int nparams;
    unsigned read;
} matrix_case;

static int count_results(const matrix_case *c)
{
    int n = 0;
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        n += (int)(c->read >> k & 1);
    return n;
}

/* carry + x[0][0], and the results of the primitive on (x + carry). */
FUNCTION(matrix_step)
{
    UNUSED;
    const matrix_case *c = user;
    const lucid__prim *prim = lucid__prim_get(c->prim);
    lucid_tensor out[3];
    const lucid_tensor in[2] = {lucid_add(s, x[1], x[0]), prim->nin > 1 ? x[2] : x[1]};
    const lucid__call call = {
        .prim = c->prim, .in = in, .nin = prim->nin, .params = c->params, .nparams = c->nparams};
    lucid__bind(s, &call, out);
    y[0] = lucid_add(s, x[0], NUM(0.25));
    for (int k = 0, at = 1; k < prim->nout; k++)
        if (c->read >> k & 1)
            y[at++] = out[k];
    return LUCID_OK;
}

FUNCTION(matrix_scan)
{
    UNUSED;
    lucid_fn f = lucid_fn_new(s, matrix_step, ny, user);
    return lucid_scan(s, f, x, 1, x + 1, nx - 1, NULL, y, y + 1, ny - 1);
}

enum { STEPS = 3 };

/* Matrices (lanes, STEPS, batch.., m, n), symmetric and definite where that is asked for. */
static lucid_tensor matrices(lucid_scope *s, const matrix_case *c, lucid_dtype dtype, int64_t lanes,
                             int64_t batch, int64_t m, int64_t n)
{
    lucid_tensor a = some(s, dtype, LUCID_SHAPE(lanes, STEPS, batch, m, n));
    if (c->prim == LUCID__cholesky || c->prim == LUCID__eigh) {
        a = lucid_add(s, a, lucid_transpose(s, a, -1, -2));
        lucid_tensor one = lucid_cast(s, lucid_eye(s, n, n), dtype);
        a = lucid_add(s, a, lucid_mul(s, one, NUM(2.0 * (double)n)));
    }
    return batch == 1 ? lucid_reshape(s, a, LUCID_SHAPE(lanes, STEPS, m, n)) : a;
}

static void one_case(matrix_case *c, lucid_dtype dtype, int64_t lanes, int64_t batch, int64_t m,
                     int64_t n, int64_t k)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y[BOTH_WAYS_MOST];
    const lucid_tensor x[3] = {some(s, dtype, LUCID_SHAPE(lanes)),
                               matrices(s, c, dtype, lanes, batch, m, n),
                               batch == 1 ? some(s, dtype, LUCID_SHAPE(lanes, STEPS, n, k))
                                          : some(s, dtype, LUCID_SHAPE(lanes, STEPS, batch, n, k))};
    char what[120];
    (void)snprintf(what, sizeof what, "%s of %s (%d, %d), %d columns, %d lanes, results %x",
                   lucid__prim_get(c->prim)->name, lucid_dtype_name(dtype), (int)m, (int)n, (int)k,
                   (int)lanes, c->read);
    both_vmapped(s, what, matrix_scan, 1 + (size_t)count_results(c), c, x,
                 1 + (size_t)lucid__prim_get(c->prim)->nin, y);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_sizes(void **state)
{
    (void)state;
    static const lucid__prim_id prims[] = {
        LUCID__cholesky, LUCID__lu,   LUCID__solve, LUCID__inv,
        LUCID__qr,       LUCID__eigh, LUCID__svd,   LUCID__triangular_solve};
    for (size_t p = 0; p < sizeof prims / sizeof *prims; p++)
        for (int64_t n = 0; n <= 9; n++)
            for (int d = 0; d < 2; d++) {
                lucid_dtype dtype = d ? LUCID_FLOAT64 : LUCID_FLOAT32;
                matrix_case c = {.prim = prims[p], .read = 7};
                c.nparams = c.prim == LUCID__triangular_solve ? 3 : 0;
                one_case(&c, dtype, 5 + 13 * n % 40, 1, n, n, 1 + n % 3);
                if (c.prim == LUCID__qr || c.prim == LUCID__svd)
                    one_case(&c, dtype, 21, 1, n, n / 2 + 1, 1);
            }
}

static void test_triangles(void **state)
{
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        matrix_case c = {
            LUCID__triangular_solve, {bits & 1, bits >> 1 & 1, bits >> 2 & 1}, 3, .read = 1};
        one_case(&c, LUCID_FLOAT32, 37, 1, 4, 4, 2);
        one_case(&c, LUCID_FLOAT64, 16, 2, 5, 5, 11);
    }
}

/* More columns than are worked on at a time, batches in an example, results that nobody reads. */
static void test_columns_batches_results(void **state)
{
    (void)state;
    for (unsigned read = 1; read < 8; read++) {
        matrix_case solve = {.prim = LUCID__solve, .read = read};
        one_case(&solve, LUCID_FLOAT32, 33, 1, 3, 3, 19);
        one_case(&solve, LUCID_FLOAT64, 33, 1, 9, 9, 9);
        one_case(&solve, LUCID_FLOAT64, 33, 3, 4, 4, 2);
        one_case(&solve, LUCID_FLOAT64, 7, 2, 4, 4, 0);
        matrix_case lu = {.prim = LUCID__lu, .read = read};
        one_case(&lu, LUCID_FLOAT64, 20, 2, 5, 5, 1);
        matrix_case svd = {.prim = LUCID__svd, .read = read};
        one_case(&svd, LUCID_FLOAT32, 20, 2, 3, 5, 1);
        if (read < 4) {
            matrix_case qr = {.prim = LUCID__qr, .read = read};
            one_case(&qr, LUCID_FLOAT32, 20, 2, 5, 3, 1);
            matrix_case eigh = {.prim = LUCID__eigh, .read = read};
            one_case(&eigh, LUCID_FLOAT64, 20, 2, 4, 4, 1);
        }
    }
}

static void test_lanes(void **state)
{
    (void)state;
    static const int64_t lanes[] = {1, 2, 15, 16, 17, 127, 128, 129, 512, 513, 1100};
    matrix_case solve = {.prim = LUCID__solve, .read = 7},
                chol = {.prim = LUCID__cholesky, .read = 1};
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        one_case(&solve, LUCID_FLOAT32, lanes[i], 1, 4, 4, 1);
        one_case(&chol, LUCID_FLOAT64, lanes[i], 1, 3, 3, 1);
    }
}

/* ---- a matrix that the loop does not change, bad matrices, branches, derivatives -------------------- */

FUNCTION(fixed_step)
{
    UNUSED;
    const lucid_tensor *a = user;
    y[0] = lucid_solve(s, *a, lucid_add(s, x[0], lucid_matmul(s, lucid_inv(s, *a), x[0])));
    return LUCID_OK;
}

FUNCTION(fixed_matrix)
{
    UNUSED;
    lucid_tensor a = x[1];
    lucid_fn f = lucid_fn_new(s, fixed_step, 1, &a);
    lucid_scan_options options = {.length = 4};
    return lucid_scan(s, f, x, 1, NULL, 0, &options, y, NULL, 0);
}

static void test_matrix_of_all_steps(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y, a = some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3, 3));
    a = lucid_add(s, a, lucid_mul(s, lucid_cast(s, lucid_eye(s, 3, 3), LUCID_FLOAT64), NUM(3)));
    const lucid_tensor x[2] = {some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3)), a};
    both_vmapped(s, "a matrix of its own", fixed_matrix, 1, NULL, x, 2, &y);
    const lucid_tensor one[2] = {x[0], lucid_select(s, a, 0, 0)};
    lucid_vmap_options options = {.in_dims = LUCID_INTS(0, LUCID_NONE)};
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, fixed_matrix, 1, NULL), &options);
    both(s, "one matrix", f, one, 2, &y, 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

FUNCTION(newton_goes)
{
    UNUSED;
    y[0] = lucid_lt(s, x[1], NUM(*(int *)user));
    return LUCID_OK;
}

/* x - J^-1 f of a small system, with J regular or not. */
FUNCTION(newton_step)
{
    UNUSED;
    lucid_tensor a = lucid_select(s, x[0], 0, 0), b = lucid_select(s, x[0], 0, 1);
    lucid_tensor rows[4] = {a, lucid_mul(s, a, b), lucid_cos(s, b), lucid_exp(s, a)};
    lucid_tensor j = lucid_reshape(s, lucid_stack(s, rows, 4, 0), LUCID_SHAPE(2, 2));
    y[0] = lucid_sub(s, x[0], lucid_solve(s, j, lucid_sin(s, x[0])));
    y[1] = lucid_add(s, x[1], int32(s, 1));
    return LUCID_OK;
}

FUNCTION(newton)
{
    UNUSED;
    lucid_fn goes = lucid_fn_new(s, newton_goes, 1, user),
             step = lucid_fn_new(s, newton_step, 2, user);
    const lucid_tensor init[2] = {x[0], x[1]};
    lucid_tensor out[2];
    (void)lucid_while(s, goes, step, init, 2, NULL, out);
    y[0] = out[0];
    return LUCID_OK;
}

static void test_loops_of_different_length(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    int32_t start[700];
    int most = 9;
    for (int i = 0; i < 700; i++)
        start[i] = i * 7 % 11;
    for (int d = 0; d < 2; d++) {
        lucid_dtype dtype = d ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid_tensor v = corners(s, dtype, 100, 3), y;
        v = lucid_concatenate(s, (lucid_tensor[]){v, some(s, dtype, LUCID_SHAPE(1300))}, 2, 0);
        const lucid_tensor x[2] = {lucid_reshape(s, v, LUCID_SHAPE(700, 2)),
                                   lucid_from_data(s, start, LUCID_INT32, LUCID_SHAPE(700))};
        both_vmapped(s, "newton", newton, 1, &most, x, 2, &y);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

FUNCTION(total_after)
{
    UNUSED;
    lucid_tensor z;
    (void)fixed_matrix(s, x, nx, &z, 1, user);
    y[0] = lucid_sum(s, lucid_mul(s, z, z), LUCID_ALL);
    return LUCID_OK;
}

/* What is picked by the permutation of a factorisation is in a derivative. */
static void test_derivatives(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y[2], a = some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3, 3));
    const lucid_tensor x[2] = {some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3)), a};
    const int both_args[2] = {0, 1};
    const lucid_grad_options options = {.argnums = {both_args, 2}};
    lucid_fn f = lucid_grad(s, lucid_fn_new(s, total_after, 1, NULL), &options);
    both(s, "grad", lucid_vmap(s, f, NULL), x, 2, y, 2);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_triangles),
        cmocka_unit_test(test_columns_batches_results),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_matrix_of_all_steps),
        cmocka_unit_test(test_loops_of_different_length),
        cmocka_unit_test(test_derivatives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
