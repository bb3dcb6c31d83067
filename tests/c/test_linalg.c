/* Products and linear systems as users call them: shapes and values against plain loops, derivatives
 * by their laws, hard points, and what goes wrong. The kernels by themselves are in
 * test_matrix_kernels.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/function_laws.h"

/* ---- functions -------------------------------------------------------------------------------- */

FUNCTION(f_matmul, lucid_matmul(s, x[0], x[1]))
FUNCTION(f_dot, lucid_dot(s, x[0], x[1]))
FUNCTION(f_outer, lucid_outer(s, x[0], x[1]))
FUNCTION(f_linear, lucid_linear(s, x[0], x[1], x[2]))
FUNCTION(f_square, lucid_matmul(s, x[0], lucid_matmul(s, x[0], x[0])))
FUNCTION(f_einsum, lucid_einsum(s, "...ij,jk,kij->...i", x, 3))
FUNCTION(f_einsum_diagonal, lucid_einsum(s, "iij,j->i", x, 2))
FUNCTION(f_solve, lucid_solve(s, x[0], x[1]))
FUNCTION(f_lower, lucid_solve_triangular(s, x[0], x[1], false, false))
FUNCTION(f_upper, lucid_solve_triangular(s, x[0], x[1], true, false))
FUNCTION(f_unit, lucid_solve_triangular(s, x[0], x[1], false, true))
FUNCTION(f_inv, lucid_inv(s, x[0]))
FUNCTION(f_det, lucid_det(s, x[0]))
FUNCTION(f_slogdet, lucid_slogdet(s, x[0], NULL))
FUNCTION(f_cholesky, lucid_cholesky(s, x[0]))

static lucid_status symmetric_cholesky(lucid_scope *scope, const lucid_tensor *x, size_t nx,
                                       lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor a = lucid_matmul(scope, x[0], lucid_transpose(scope, x[0], -1, -2));
    y[0] = lucid_cholesky(scope, a);
    return lucid_error(scope);
}

static const lucid_tensor none = {NULL};
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

/* ---- an einsum of plain loops ------------------------------------------------------------------- */

enum { OPERANDS = 4, LETTERS = 128 };

/* Offset of the position that `index` gives the letters of a term, row-major. */
static int64_t offset(const char *term, const int64_t *index, const int64_t *size)
{
    int64_t at = 0;
    for (; *term; term++)
        at = at * size[(int)*term] + index[(int)*term];
    return at;
}

/* terms: the letters of each operand, then of the result; no dots, all sizes as they are. */
static double *plain_einsum(const char *const *terms, size_t n, const lucid_tensor *xs,
                            lucid_shape *shape)
{
    int64_t size[LETTERS] = {0}, index[LETTERS] = {0};
    char used[LETTERS] = "";
    const double *data[OPERANDS];
    for (size_t i = 0; i < n; i++) {
        data[i] = elements(s, xs[i]);
        for (int d = 0; terms[i][d]; d++) {
            size[(int)terms[i][d]] = lucid_size(xs[i], d);
            if (!strchr(used, terms[i][d]))
                used[strlen(used)] = terms[i][d];
        }
    }
    int64_t count = 1, total = 1;
    *shape = (lucid_shape){0};
    for (const char *l = terms[n]; *l; l++) {
        shape->dim[shape->ndim++] = size[(int)*l];
        count *= size[(int)*l];
    }
    for (const char *l = used; *l; l++)
        total *= size[(int)*l];
    double *out = lucid_alloc(s, (size_t)(count + 1) * sizeof *out);
    assert_non_null(out);
    for (int64_t k = 0; k < total; k++) {
        int64_t rest = k;
        for (const char *l = used; *l; l++) {
            index[(int)*l] = rest % size[(int)*l];
            rest /= size[(int)*l];
        }
        double product = 1;
        for (size_t i = 0; i < n; i++)
            product *= data[i][offset(terms[i], index, size)];
        out[offset(terms[n], index, size)] += product;
    }
    return out;
}

static void check_against(const char *what, lucid_tensor got, const char *const *terms, size_t n,
                          const lucid_tensor *xs)
{
    lucid_shape shape;
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
    double *want = plain_einsum(terms, n, xs, &shape);
    has_shape(got, shape);
    same_elements(s, what, got, want, 1e-13);
}

#define TERMS(...) ((const char *const[]){__VA_ARGS__})
#define AGAINST(got, terms, ...) \
    check_against(#got, (got), (terms), LUCID_COUNT_(lucid_tensor, __VA_ARGS__), \
                  (const lucid_tensor[]){__VA_ARGS__})

/* ---- products ------------------------------------------------------------------------------- */

static void matmul_is_numpys(void **state)
{
    (void)state;
    lucid_tensor v = NUMBERS(1, 4), w = NUMBERS(2, 4), m = NUMBERS(3, 3, 4), p = NUMBERS(4, 4, 5);
    lucid_tensor bm = NUMBERS(5, 2, 3, 4), bp = NUMBERS(6, 2, 4, 5), cp = NUMBERS(7, 6, 2, 4, 5);
    AGAINST(lucid_matmul(s, v, w), TERMS("k", "k", ""), v, w);
    AGAINST(lucid_matmul(s, m, v), TERMS("ik", "k", "i"), m, v);
    AGAINST(lucid_matmul(s, v, p), TERMS("k", "kj", "j"), v, p);
    AGAINST(lucid_matmul(s, m, p), TERMS("ik", "kj", "ij"), m, p);
    AGAINST(lucid_matmul(s, bm, p), TERMS("bik", "kj", "bij"), bm, p);
    AGAINST(lucid_matmul(s, m, bp), TERMS("ik", "bkj", "bij"), m, bp);
    AGAINST(lucid_matmul(s, bm, bp), TERMS("bik", "bkj", "bij"), bm, bp);
    AGAINST(lucid_matmul(s, bm, v), TERMS("bik", "k", "bi"), bm, v);
    AGAINST(lucid_matmul(s, v, cp), TERMS("k", "abkj", "abj"), v, cp);
    AGAINST(lucid_matmul(s, bm, cp), TERMS("bik", "abkj", "abij"), bm, cp);
    /* sizes of 1 broadcast, from either side and both at once */
    lucid_tensor x = NUMBERS(8, 6, 1, 3, 4), y = NUMBERS(9, 1, 2, 4, 5), z = NUMBERS(10, 1, 3, 4);
    lucid_tensor x_ = lucid_squeeze(s, x, LUCID_DIMS(1)), y_ = lucid_squeeze(s, y, LUCID_DIMS(0));
    AGAINST(lucid_matmul(s, x, y), TERMS("aik", "bkj", "abij"), x_, y_);
    has_shape(lucid_matmul(s, z, p), LUCID_SHAPE(1, 3, 5));
    has_shape(lucid_matmul(s, z, lucid_unsqueeze(s, p, 0)), LUCID_SHAPE(1, 3, 5));
    /* transposed views */
    lucid_tensor mt = lucid_transpose(s, NUMBERS(11, 4, 3), 0, 1);
    AGAINST(lucid_matmul(s, mt, p), TERMS("ik", "kj", "ij"), mt, p);
}

static void matmul_of_nothing(void **state)
{
    (void)state;
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(3, 0)), y = lucid_zeros(s, LUCID_SHAPE(0, 2));
    SAME(lucid_matmul(s, x, y), 0, 0, 0, 0, 0, 0, 0);
    has_shape(lucid_matmul(s, lucid_zeros(s, LUCID_SHAPE(0, 3)), x), LUCID_SHAPE(0, 0));
    lucid_tensor b = lucid_zeros(s, LUCID_SHAPE(0, 3, 4)), w = lucid_zeros(s, LUCID_SHAPE(4, 2));
    has_shape(lucid_matmul(s, b, w), LUCID_SHAPE(0, 3, 2));
    assert_true(lucid_item(s, lucid_dot(s, lucid_zeros(s, LUCID_SHAPE(0)),
                                        lucid_zeros(s, LUCID_SHAPE(0)))) == 0);
}

static void products_promote_and_refuse_bool(void **state)
{
    (void)state;
    const int32_t small[] = {1, 2, 3, 4};
    const int64_t large[] = {INT64_C(1) << 40, 1, 0, 2};
    lucid_tensor i = lucid_from_data(s, small, LUCID_INT32, LUCID_SHAPE(2, 2));
    lucid_tensor l = lucid_from_data(s, large, LUCID_INT64, LUCID_SHAPE(2, 2));
    lucid_tensor f = lucid_ones(s, LUCID_SHAPE(2, 2));
    assert_int_equal(lucid_dtype_of(lucid_matmul(s, i, i)), LUCID_INT32);
    assert_int_equal(lucid_dtype_of(lucid_matmul(s, i, l)), LUCID_INT64);
    assert_int_equal(lucid_dtype_of(lucid_matmul(s, l, f)), LUCID_FLOAT32);
    SAME(lucid_matmul(s, i, l), 0, 1099511627776., 5, 3298534883328., 11);
    lucid_tensor b = lucid_cast(s, f, LUCID_BOOL);
    (void)lucid_matmul(s, f, b);
    has_error(s, LUCID_TYPE_ERROR, "matmul: operand 1 is bool");
    (void)lucid_einsum(s, "ij,jk", (const lucid_tensor[]){b, f}, 2);
    has_error(s, LUCID_TYPE_ERROR, "einsum: operand 0 is bool");
}

static void vectors_and_tensordot(void **state)
{
    (void)state;
    lucid_tensor v = NUMBERS(1, 4), w = NUMBERS(2, 4), u = NUMBERS(3, 3);
    AGAINST(lucid_dot(s, v, w), TERMS("k", "k", ""), v, w);
    AGAINST(lucid_outer(s, v, u), TERMS("i", "j", "ij"), v, u);
    lucid_tensor x = NUMBERS(4, 2, 3, 4), y = NUMBERS(5, 4, 5, 3);
    AGAINST(lucid_tensordot(s, x, y, LUCID_DIMS(2, 1), LUCID_DIMS(0, 2)), TERMS("aij", "jbi", "ab"),
            x, y);
    AGAINST(lucid_tensordot(s, x, y, LUCID_DIMS(-1), LUCID_DIMS(0)), TERMS("abi", "icd", "abcd"), x,
            y);
    AGAINST(lucid_tensordot(s, u, v, (lucid_dims){0}, (lucid_dims){0}), TERMS("i", "j", "ij"), u,
            v);
    lucid_tensor m = NUMBERS(6, 2, 3, 3), r = NUMBERS(7, 3, 2);
    SAME(lucid_trace(s, lucid_eye(s, 3, 5)), 0, 3);
    AGAINST(lucid_trace(s, m), TERMS("bii", "b"), m);
    SAME(lucid_trace(s, lucid_zeros(s, LUCID_SHAPE(0, 0))), 0, 0);
    has_shape(lucid_trace(s, r), LUCID_SCALAR_SHAPE);
}

static void linear_is_x_wt_plus_b(void **state)
{
    (void)state;
    lucid_tensor x = NUMBERS(1, 2, 3, 4), w = NUMBERS(2, 5, 4), b = NUMBERS(3, 5);
    AGAINST(lucid_linear(s, x, w, none), TERMS("abk", "jk", "abj"), x, w);
    same_tensors(s, "bias", lucid_linear(s, x, w, b), lucid_add(s, lucid_linear(s, x, w, none), b),
                 0);
    has_shape(lucid_linear(s, NUMBERS(4, 4), w, b), LUCID_SHAPE(5));
    (void)lucid_linear(s, x, lucid_transpose(s, w, 0, 1), none);
    has_error(s, LUCID_VALUE_ERROR, "linear: shapes (2, 3, 4) and (4, 5) do not fit");
    (void)lucid_linear(s, x, w, NUMBERS(5, 4));
    has_error(s, LUCID_VALUE_ERROR, "linear: shapes (5, 4) and (4,) do not fit: the bias");
}

static void products_obey_the_laws(void **state)
{
    (void)state;
    LAWS(f_matmul, NUMBERS(1, 3, 4), NUMBERS(2, 4, 2));
    LAWS(f_matmul, NUMBERS(3, 4), NUMBERS(4, 4));
    LAWS(f_matmul, NUMBERS(5, 3, 4), NUMBERS(6, 4));
    LAWS(f_matmul, NUMBERS(7, 4), NUMBERS(8, 2, 4, 3));
    LAWS(f_matmul, NUMBERS(9, 3, 4), NUMBERS(10, 2, 4, 3));
    LAWS(f_matmul, NUMBERS(11, 2, 1, 3, 4), NUMBERS(12, 2, 4, 3));
    LAWS(f_dot, NUMBERS(13, 5), NUMBERS(14, 5));
    LAWS(f_outer, NUMBERS(15, 3), NUMBERS(16, 2));
    LAWS(f_linear, NUMBERS(17, 2, 3), NUMBERS(18, 4, 3), NUMBERS(19, 4));
    LAWS(f_square, NUMBERS(20, 3, 3));
}

/* ---- einsum -------------------------------------------------------------------------------- */

#define EINSUM(equation, terms, ...) \
    check_against(equation, \
                  lucid_einsum(s, equation, (const lucid_tensor[]){__VA_ARGS__}, \
                               LUCID_COUNT_(lucid_tensor, __VA_ARGS__)), \
                  (terms), LUCID_COUNT_(lucid_tensor, __VA_ARGS__), \
                  (const lucid_tensor[]){__VA_ARGS__})

static void einsum_is_what_it_says(void **state)
{
    (void)state;
    lucid_tensor v = NUMBERS(1, 3), m = NUMBERS(2, 2, 3), n = NUMBERS(3, 3, 4),
                 q = NUMBERS(4, 3, 3);
    lucid_tensor t = NUMBERS(5, 2, 3, 4), u = NUMBERS(6, 2, 4, 3), c = NUMBERS(7, 3, 3, 3);
    EINSUM("i->i", TERMS("i", "i"), v);
    EINSUM("i->", TERMS("i", ""), v);
    EINSUM("ij->ji", TERMS("ij", "ji"), m);
    EINSUM("ba", TERMS("ba", "ab"), m); /* implicit: sorted */
    EINSUM("ij,jk", TERMS("ij", "jk", "ik"), m, n);
    EINSUM(" i j , j k -> k i ", TERMS("ij", "jk", "ki"), m, n);
    EINSUM("ij,jk->", TERMS("ij", "jk", ""), m, n);
    EINSUM("ij,jk->ijk", TERMS("ij", "jk", "ijk"), m, n);
    EINSUM("ij,kl->ik", TERMS("ij", "kl", "ik"), m, n); /* sums of one operand alone */
    EINSUM("ij,ij->ij", TERMS("ij", "ij", "ij"), m, m);
    EINSUM("bij,bjk->bik", TERMS("bij", "bjk", "bik"), t, u);
    EINSUM("ijk,ikj->", TERMS("ijk", "ikj", ""), t, u);
    EINSUM("ii", TERMS("ii", ""), q);
    EINSUM("ii->i", TERMS("ii", "i"), q);
    EINSUM("iij->ji", TERMS("iij", "ji"), c);
    EINSUM("iii->i", TERMS("iii", "i"), c);
    EINSUM("ii,ij->j", TERMS("ii", "ij", "j"), q, n);
    EINSUM("i,j,k->ijk", TERMS("i", "j", "k", "ijk"), v, v, v);
    EINSUM("ij,jk,kj->ik", TERMS("ij", "jk", "kj", "ik"), m, q, q);
    EINSUM("Zi,ij,jk,Zk->Z", TERMS("Zi", "ij", "jk", "Zk", "Z"), m, q, q, m);
    /* dots stand for the dims before, after or between, aligned at their end */
    EINSUM("...ij,...jk->...ik", TERMS("bij", "bjk", "bik"), t, u);
    EINSUM("...j,jk->...k", TERMS("abj", "jk", "abk"), u, n);
    EINSUM("i...->...i", TERMS("iab", "abi"), t);
    EINSUM("...ij", TERMS("bij", "bij"), t);
    EINSUM("b...k", TERMS("bik", "ibk"), t);
    EINSUM("...,...->...", TERMS("ij", "j", "ij"), m, v);
    EINSUM("...ij->ij", TERMS("bij", "ij"), t); /* dots left out are summed up */
}

static void einsum_broadcasts_ones(void **state)
{
    (void)state;
    lucid_tensor x = NUMBERS(1, 2, 1), y = NUMBERS(2, 3, 4), z = NUMBERS(3, 1, 3, 2);
    lucid_tensor x_ = lucid_squeeze(s, x, LUCID_DIMS(1));
    AGAINST(lucid_einsum(s, "ij,jk->ik", (const lucid_tensor[]){x, y}, 2), TERMS("i", "jk", "ik"),
            x_, y);
    lucid_tensor w = NUMBERS(4, 5, 2, 4), z_ = lucid_squeeze(s, z, LUCID_DIMS(0));
    AGAINST(lucid_einsum(s, "...ij,...jk->...ik", (const lucid_tensor[]){z, w}, 2),
            TERMS("ij", "bjk", "bik"), z_, w);
    lucid_tensor one = NUMBERS(5, 1, 3);
    SAME(lucid_einsum(s, "ii->i", &one, 1), 0, elements(s, one)[0], elements(s, one)[1],
         elements(s, one)[2]);
    has_shape(
        lucid_einsum(s, "ij->ji", (const lucid_tensor[]){lucid_zeros(s, LUCID_SHAPE(0, 1))}, 1),
        LUCID_SHAPE(1, 0));
    has_shape(lucid_einsum(s, "ij,jk->ik",
                           (const lucid_tensor[]){lucid_zeros(s, LUCID_SHAPE(2, 0)),
                                                  lucid_zeros(s, LUCID_SHAPE(1, 3))},
                           2),
              LUCID_SHAPE(2, 3));
}

static void einsum_keeps_integers(void **state)
{
    (void)state;
    const int32_t data[] = {1, 2, 3, 4, 5, 6};
    lucid_tensor i = lucid_from_data(s, data, LUCID_INT32, LUCID_SHAPE(2, 3));
    lucid_tensor y = lucid_einsum(s, "ij->i", &i, 1);
    assert_int_equal(lucid_dtype_of(y), LUCID_INT32);
    SAME(y, 0, 6, 15);
    SAME(lucid_einsum(s, "ij,kj->ik", (const lucid_tensor[]){i, i}, 2), 0, 14, 32, 32, 77);
}

static void einsum_says_what_is_wrong(void **state)
{
    (void)state;
    const struct {
        const char *equation, *message;
        size_t n;
    } cases[] = {
        {"ij", "\"ij\" has fewer terms than operands (2)", 2},
        {"ij,jk,k", "has more terms than operands (2)", 2},
        {"ijk,jk", "names 3 dims, its operand has 2", 2},
        {"i,jk", "names 1 dims, its operand has 2", 2},
        {"ij,kj->ik", "j has sizes 3 and 4", 2},
        {"ij,jk->il", "'l' in the output of \"ij,jk->il\" is in no operand", 2},
        {"ij,jk->ii", "'i' in the output of \"ij,jk->ii\" appears twice", 2},
        {"ij,jk->ik,", "is too much", 2},
        {"ij,jk-ik", "is too much", 2},
        {"i1,jk->ik", "'1' at position 1", 2},
        {"i......j,jk", "'.' at position 4", 2},
        {"ij,jk->i->k", "is too much", 2},
    };
    const lucid_tensor xs[2] = {NUMBERS(1, 2, 3), NUMBERS(2, 3, 4)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(lucid_is_empty_handle(lucid_einsum(s, cases[i].equation, xs, cases[i].n)));
        has_error(s, LUCID_VALUE_ERROR, cases[i].message);
    }
    (void)lucid_einsum(s, "ij", xs, 0);
    has_error(s, LUCID_TYPE_ERROR, "einsum: expected an equation and its operands");
    (void)lucid_einsum(s, NULL, xs, 2);
    has_error(s, LUCID_TYPE_ERROR, "einsum: expected an equation and its operands");
    (void)lucid_einsum(s, "i", &none, 1);
    has_error(s, LUCID_TYPE_ERROR, "einsum: an input is an empty handle");
}

static void einsum_obeys_the_laws(void **state)
{
    (void)state;
    LAWS(f_einsum, NUMBERS(1, 2, 3, 2), NUMBERS(2, 2, 4), NUMBERS(3, 4, 3, 2));
    LAWS(f_einsum_diagonal, NUMBERS(4, 3, 3, 2), NUMBERS(5, 2));
}

/* ---- systems ------------------------------------------------------------------------------- */

/* Well conditioned, and rows are exchanged. */
static lucid_tensor matrices(uint64_t seed, int64_t batch, int64_t n)
{
    lucid_tensor shift = lucid_roll(s, lucid_eye(s, n, n), 1, 0);
    lucid_tensor x = batch > 0 ? NUMBERS(seed, batch, n, n) : NUMBERS(seed, n, n);
    return lucid_add(s, lucid_mul(s, x, lucid_scalar(s, 0.3)),
                     lucid_mul(s, lucid_cast(s, shift, LUCID_FLOAT64), lucid_scalar(s, 2)));
}

static lucid_tensor spd(uint64_t seed, int64_t batch, int64_t n)
{
    lucid_tensor a = matrices(seed, batch, n);
    return lucid_matmul(s, a, lucid_transpose(s, a, -1, -2));
}

static void solve_solves(void **state)
{
    (void)state;
    const int64_t sizes[] = {1, 2, 4, 11, 40, 70};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        lucid_tensor a = matrices(i, 0, n), as = matrices(i + 9, 3, n);
        lucid_tensor v = NUMBERS(21, n), b = NUMBERS(22, n, 2), bs = NUMBERS(23, 3, n, 2);
        lucid_tensor x = lucid_solve(s, a, v);
        has_shape(x, LUCID_SHAPE(n));
        same_tensors(s, "vector", lucid_matmul(s, a, x), v, 1e-10);
        same_tensors(s, "columns", lucid_matmul(s, a, lucid_solve(s, a, b)), b, 1e-10);
        same_tensors(s, "batch", lucid_matmul(s, as, lucid_solve(s, as, bs)), bs, 1e-10);
        x = lucid_solve(s, a, bs);
        has_shape(x, LUCID_SHAPE(3, n, 2));
        same_tensors(s, "one matrix", lucid_matmul(s, a, x), bs, 1e-10);
        x = lucid_solve(s, as, b);
        has_shape(x, LUCID_SHAPE(3, n, 2));
        same_tensors(s, "one side", lucid_matmul(s, as, x),
                     lucid_expand(s, b, LUCID_SHAPE(3, n, 2)), 1e-10);
        lucid_tensor vs = NUMBERS(24, 3, n);
        x = lucid_solve(s, as, vs);
        has_shape(x, LUCID_SHAPE(3, n));
        same_tensors(s, "vectors", lucid_matmul(s, as, lucid_unsqueeze(s, x, -1)),
                     lucid_unsqueeze(s, vs, -1), 1e-10);
        same_tensors(
            s, "inv", lucid_matmul(s, as, lucid_inv(s, as)),
            lucid_expand(s, lucid_cast(s, lucid_eye(s, n, n), LUCID_FLOAT64), LUCID_SHAPE(3, n, n)),
            1e-10);
    }
}

static void solve_triangular_reads_one_triangle(void **state)
{
    (void)state;
    lucid_tensor a = matrices(1, 0, 5), b = NUMBERS(2, 5, 3);
    a = lucid_add(s, a, lucid_cast(s, lucid_eye(s, 5, 5), LUCID_FLOAT64));
    lucid_tensor l = lucid_tril(s, a, 0), u = lucid_triu(s, a, 0);
    same_tensors(s, "lower", lucid_matmul(s, l, lucid_solve_triangular(s, a, b, false, false)), b,
                 1e-11);
    same_tensors(s, "upper", lucid_matmul(s, u, lucid_solve_triangular(s, a, b, true, false)), b,
                 1e-11);
    lucid_tensor one = lucid_cast(s, lucid_eye(s, 5, 5), LUCID_FLOAT64);
    lucid_tensor unit = lucid_add(s, lucid_triu(s, a, 1), one);
    same_tensors(s, "unit", lucid_matmul(s, unit, lucid_solve_triangular(s, a, b, true, true)), b,
                 1e-11);
    lucid_tensor bs = NUMBERS(3, 2, 4, 5, 3);
    same_tensors(s, "batch", lucid_matmul(s, l, lucid_solve_triangular(s, a, bs, false, false)), bs,
                 1e-11);
}

static void cholesky_and_det(void **state)
{
    (void)state;
    lucid_tensor a = spd(1, 2, 4), l = lucid_cholesky(s, a);
    same_tensors(s, "l l^t", lucid_matmul(s, l, lucid_transpose(s, l, -1, -2)), a, 1e-12);
    SAME(lucid_cholesky(
             s, lucid_from_data(s, DOUBLES(4, NAN, 2, 10), LUCID_FLOAT64, LUCID_SHAPE(2, 2))),
         0, 2, 0, 1, 3);
    SAME(lucid_cholesky(s,
                        lucid_from_data(s, DOUBLES(1, 2, 2, 1), LUCID_FLOAT64, LUCID_SHAPE(2, 2))),
         0, NAN, NAN, NAN, NAN);
    SAME(lucid_det(s, lucid_from_data(s, DOUBLES(1, 2, 3, 4), LUCID_FLOAT64, LUCID_SHAPE(2, 2))),
         1e-15, -2);
    SAME(lucid_det(s, lucid_zeros(s, LUCID_SHAPE(0, 0))), 0, 1);
    SAME(lucid_det(s, lucid_zeros(s, LUCID_SHAPE(6, 6))), 0, 0);
    const int64_t sizes[] = {1, 2, 3, 4, 5, 9, 40};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lucid_tensor m = matrices(i + 5, 3, sizes[i]), sign;
        lucid_tensor logs = lucid_slogdet(s, m, &sign);
        same_tensors(s, "slogdet", lucid_mul(s, sign, lucid_exp(s, logs)), lucid_det(s, m), 1e-11);
        /* by Laplace, along the first row */
        if (sizes[i] < 2 || sizes[i] > 9)
            continue;
        lucid_tensor sum = lucid_zeros_like(s, lucid_det(s, m));
        for (int64_t c = 0; c < sizes[i]; c++) {
            lucid_tensor rest = lucid_slice(s, m, -2, 1, LUCID_END, 1);
            const lucid_tensor kept[2] = {lucid_slice(s, rest, -1, 0, c, 1),
                                          lucid_slice(s, rest, -1, c + 1, LUCID_END, 1)};
            lucid_tensor minor = lucid_det(s, lucid_concatenate(s, kept, 2, -1));
            lucid_tensor term =
                lucid_mul(s, minor, lucid_select(s, lucid_select(s, m, -2, 0), -1, c));
            sum = c % 2 ? lucid_sub(s, sum, term) : lucid_add(s, sum, term);
        }
        same_tensors(s, "laplace", lucid_det(s, m), sum, 1e-11);
    }
    lucid_tensor sign;
    SAME(lucid_slogdet(s, lucid_zeros(s, LUCID_SHAPE(2, 2)), &sign), 0, -INFINITY);
    SAME(sign, 0, 0);
    SAME(lucid_slogdet(s, lucid_zeros(s, LUCID_SHAPE(0, 0)), NULL), 0, 0);
}

static void systems_of_nothing(void **state)
{
    (void)state;
    lucid_tensor e = lucid_zeros(s, LUCID_SHAPE(0, 0)), b = lucid_zeros(s, LUCID_SHAPE(0, 2));
    has_shape(lucid_solve(s, e, b), LUCID_SHAPE(0, 2));
    has_shape(lucid_inv(s, e), LUCID_SHAPE(0, 0));
    has_shape(lucid_cholesky(s, lucid_zeros(s, LUCID_SHAPE(0, 3, 3))), LUCID_SHAPE(0, 3, 3));
    has_shape(lucid_det(s, lucid_zeros(s, LUCID_SHAPE(0, 5, 5))), LUCID_SHAPE(0));
    has_shape(lucid_solve(s, lucid_eye(s, 3, 3), lucid_zeros(s, LUCID_SHAPE(3, 0))),
              LUCID_SHAPE(3, 0));
    /* more of them than could be counted */
    const lucid_shape many = LUCID_SHAPE(INT64_C(1) << 50, 0, 0);
    lucid_tensor x = lucid_inv(s, lucid_cholesky(s, lucid_zeros(s, many)));
    x = lucid_solve_triangular(s, x, lucid_solve(s, x, x), true, false);
    has_shape(x, many);
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
}

static void singular_and_nan(void **state)
{
    (void)state;
    lucid_tensor a = lucid_ones(s, LUCID_SHAPE(2, 2)), b = lucid_ones(s, LUCID_SHAPE(2));
    lucid_tensor x = lucid_solve(s, a, b);
    assert_false(lucid_bool(s, lucid_all(s, lucid_isfinite(s, x), LUCID_ALL)));
    assert_false(lucid_bool(s, lucid_all(s, lucid_isfinite(s, lucid_inv(s, a)), LUCID_ALL)));
    /* NaN in one matrix of a batch stays there */
    const double data[] = {2, 0, 0, 2, NAN, 0, 0, 2, 4, 0, 0, 4};
    lucid_tensor m = lucid_from_data(s, data, LUCID_FLOAT64, LUCID_SHAPE(3, 2, 2));
    lucid_tensor y = lucid_solve(s, m, lucid_ones(s, LUCID_SHAPE(3, 2)));
    double *got = elements(s, y);
    assert_true(got[0] == 0.5 && got[1] == 0.5 && isnan(got[2]) && got[4] == 0.25);
    got = elements(s, lucid_cholesky(s, m));
    assert_true(got[3] == sqrt(2) && isnan(got[4]) && isnan(got[7]) && got[8] == 2);
    got = elements(s, lucid_det(s, m));
    assert_true(got[0] == 4 && isnan(got[1]) && got[2] == 16);
}

/* The factors are outputs of solve; memory is taken for those that somebody can ask for. */
static void factors_are_kept_only_for_derivatives(void **state)
{
    (void)state;
    enum { N = 8, BATCH = 512 };
    lucid_tensor a = matrices(1, BATCH, N), b = NUMBERS(2, BATCH, N);
    assert_int_equal(lucid_eval(s, (const lucid_tensor[]){a, b}, 2), LUCID_OK);
    uint64_t before = lucid_get_stats().bytes_live;
    lucid_scope *child = lucid_scope_new(s);
    lucid_tensor x = lucid_solve(child, a, b);
    assert_int_equal(lucid_eval(child, &x, 1), LUCID_OK);
    uint64_t grown = lucid_get_stats().bytes_live - before;
    assert_true(grown >= BATCH * N * sizeof(double) && grown < BATCH * N * N * sizeof(double) / 2);
    same_tensors(s, "solution", lucid_matmul(s, a, lucid_unsqueeze(s, x, -1)),
                 lucid_unsqueeze(s, b, -1), 1e-10);
    assert_int_equal(lucid_close(child), LUCID_OK);
}

static void systems_obey_the_laws(void **state)
{
    (void)state;
    LAWS(symmetric_cholesky, matrices(1, 0, 3));
    LAWS(symmetric_cholesky, matrices(2, 2, 4));
    LAWS(f_solve, matrices(3, 0, 3), NUMBERS(4, 3));
    LAWS(f_solve, matrices(5, 2, 3), NUMBERS(6, 2, 3, 2));
    LAWS(f_solve, matrices(7, 0, 3), NUMBERS(8, 2, 3, 2));
    LAWS(f_lower, spd(9, 0, 3), NUMBERS(10, 3, 2));
    LAWS(f_upper, spd(11, 0, 3), NUMBERS(12, 2, 3, 2));
    LAWS(f_unit, matrices(13, 0, 3), NUMBERS(14, 3, 1));
    LAWS(f_inv, matrices(15, 2, 3));
    LAWS(f_det, matrices(16, 0, 2));
    LAWS(f_det, matrices(17, 2, 3));
    LAWS(f_det, matrices(18, 2, 5));
    LAWS(f_slogdet, matrices(19, 0, 4));
}

/* The gradient of a cofactor expansion holds at singular matrices as well. */
static void det_at_singular_matrices(void **state)
{
    (void)state;
    lucid_tensor a = lucid_from_data(s, DOUBLES(1, 2, 2, 4), LUCID_FLOAT64, LUCID_SHAPE(2, 2));
    SAME(gradient(s, f_det, &a, 1), 0, 4, -2, -2, 1);
    lucid_tensor b =
        lucid_from_data(s, DOUBLES(1, 2, 3, 4, 5, 6, 7, 8, 9), LUCID_FLOAT64, LUCID_SHAPE(3, 3));
    SAME(gradient(s, f_det, &b, 1), 1e-13, -3, 6, -3, 6, -12, 6, -3, 6, -3);
    LAWS(f_det, a);
    LAWS(f_det, lucid_zeros_like(s, b));
}

/* A matrix stands for a symmetric one, so its gradient is symmetric. */
static void gradient_of_cholesky_is_symmetric(void **state)
{
    (void)state;
    lucid_tensor a = spd(1, 0, 4), g = gradient(s, f_cholesky, &a, 1);
    same_tensors(s, "symmetric", g, lucid_transpose(s, g, 0, 1), 1e-13);
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    lucid_tensor m = NUMBERS(1, 2, 3), q = NUMBERS(2, 3, 3), v = NUMBERS(3, 3);
    (void)lucid_matmul(s, m, m);
    has_error(s, LUCID_VALUE_ERROR, "matmul: shapes (2, 3) and (2, 3) do not fit");
    (void)lucid_matmul(s, NUMBERS(4, 2, 3, 3), NUMBERS(5, 4, 3, 3));
    has_error(s, LUCID_VALUE_ERROR, "matmul: shapes (2, 3, 3) and (4, 3, 3) do not fit");
    (void)lucid_matmul(s, m, lucid_scalar(s, 2));
    has_error(s, LUCID_VALUE_ERROR, "matmul: shapes (2, 3) and () do not fit");
    (void)lucid_dot(s, v, NUMBERS(6, 4));
    has_error(s, LUCID_VALUE_ERROR, "dot: shapes (3,) and (4,) do not fit");
    (void)lucid_dot(s, m, v);
    has_error(s, LUCID_VALUE_ERROR, "dot: shapes (2, 3) and (3,) do not fit: both must be 1-d");
    (void)lucid_outer(s, m, v);
    has_error(s, LUCID_VALUE_ERROR, "outer: shapes (2, 3) and (3,) do not fit");
    (void)lucid_tensordot(s, m, q, LUCID_DIMS(0), LUCID_DIMS(0));
    has_error(s, LUCID_VALUE_ERROR, "tensordot: shapes (2, 3) and (3, 3) do not fit");
    (void)lucid_tensordot(s, m, q, LUCID_DIMS(2), LUCID_DIMS(0));
    has_error(s, LUCID_VALUE_ERROR, "tensordot: dim 2 is out of range for a 2-D tensor");
    (void)lucid_tensordot(s, q, q, LUCID_DIMS(0, 0), LUCID_DIMS(0, 1));
    has_error(s, LUCID_VALUE_ERROR, "tensordot: dim 0 appears twice");
    (void)lucid_tensordot(s, q, q, LUCID_DIMS(0), LUCID_DIMS(0, 1));
    has_error(s, LUCID_VALUE_ERROR, "tensordot: 1 dims of the first go with 2 of the second");
    (void)lucid_trace(s, v);
    has_error(s, LUCID_VALUE_ERROR, "trace: x has shape (3,)");
    (void)lucid_cholesky(s, m);
    has_error(s, LUCID_VALUE_ERROR, "cholesky: the matrix has shape (2, 3), expected (..., n, n)");
    (void)lucid_solve(s, q, NUMBERS(7, 4));
    has_error(s, LUCID_VALUE_ERROR, "solve: shapes (3, 3) and (4,) do not fit");
    (void)lucid_solve(s, NUMBERS(8, 2, 3, 3), NUMBERS(9, 4, 3, 1));
    has_error(s, LUCID_VALUE_ERROR, "solve: shapes (2, 3, 3) and (4, 3, 1) do not fit");
    (void)lucid_solve_triangular(s, q, v, false, false);
    has_error(s, LUCID_VALUE_ERROR, "solve_triangular: shapes (3, 3) and (3,) do not fit");
    lucid_tensor sign = m;
    (void)lucid_slogdet(s, m, &sign);
    assert_true(lucid_is_empty_handle(sign));
    has_error(s, LUCID_VALUE_ERROR, "slogdet: the matrix has shape (2, 3)");
    (void)lucid_inv(s, none);
    has_error(s, LUCID_TYPE_ERROR, "inv: an input is an empty handle");
    (void)lucid_det(s, m);
    has_error(s, LUCID_VALUE_ERROR, "det: the matrix has shape");
    lucid_tensor huge =
        lucid_expand(s, lucid_zeros(s, LUCID_SHAPE(1, 1)), LUCID_SHAPE(INT64_C(1) << 40, 1));
    (void)lucid_matmul(s, huge, lucid_transpose(s, huge, 0, 1));
    has_error(s, LUCID_VALUE_ERROR, "is too large");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(matmul_is_numpys),
        TEST(matmul_of_nothing),
        TEST(products_promote_and_refuse_bool),
        TEST(vectors_and_tensordot),
        TEST(linear_is_x_wt_plus_b),
        TEST(products_obey_the_laws),
        TEST(einsum_is_what_it_says),
        TEST(einsum_broadcasts_ones),
        TEST(einsum_keeps_integers),
        TEST(einsum_says_what_is_wrong),
        TEST(einsum_obeys_the_laws),
        TEST(solve_solves),
        TEST(solve_triangular_reads_one_triangle),
        TEST(cholesky_and_det),
        TEST(systems_of_nothing),
        TEST(singular_and_nan),
        TEST(factors_are_kept_only_for_derivatives),
        TEST(systems_obey_the_laws),
        TEST(det_at_singular_matrices),
        TEST(gradient_of_cholesky_is_symmetric),
        TEST(what_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
