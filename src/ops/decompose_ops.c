/* qr, eigh, svd and what is made of them: pinv, lstsq, matrix_rank; matrix_power, matrix_exp. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/composite.h"

#define EMPTY ((lucid_tensor){NULL})

/* ---- checks -------------------------------------------------------------------------------------- */

/* x as floats, when it holds matrices. */
static lucid_tensor matrices(lucid_scope *s, const char *name, lucid_tensor x)
{
    if (!lucid__check(s, name, x))
        return EMPTY;
    char text[LUCID__SHAPE_TEXT];
    if (lucid_ndim(x) < 2)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: the matrix has shape %s, expected (..., m, n)", name,
                            lucid__shape_text(&x.v->aval.shape, text, sizeof text));
    return lucid__as_float(s, x);
}

static lucid_tensor square_matrices(lucid_scope *s, const char *name, lucid_tensor x)
{
    x = matrices(s, name, x);
    char text[LUCID__SHAPE_TEXT];
    if (x.v && lucid_size(x, -1) != lucid_size(x, -2))
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: the matrix has shape %s, expected (..., n, n)", name,
                            lucid__shape_text(&x.v->aval.shape, text, sizeof text));
    return x;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static double epsilon(lucid_tensor x)
{
    return lucid_dtype_of(x) == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* Singular values up to this times the largest count as 0. */
static double tolerance_for(lucid_tensor x, double tolerance)
{
    return tolerance >= 0 ? tolerance
                          : (double)larger(lucid_size(x, -1), lucid_size(x, -2)) * epsilon(x);
}

/* Moves a further result of a composite to the caller. */
static void give(lucid_scope *t, lucid_tensor *to, lucid_tensor x)
{
    if (to)
        *to = lucid__ok(t) ? lucid__scope_move(t, x) : EMPTY;
}

/* eigh and svd: `values` says that the vectors are not wanted. */
static void bind_all(lucid_scope *s, lucid__prim_id prim, lucid_tensor x, bool values,
                     lucid_tensor *out)
{
    const int64_t no_vectors = 0;
    const lucid__call c = {
        .prim = prim, .nin = 1, .in = &x, .params = &no_vectors, .nparams = values};
    for (int k = 0; k < LUCID__MAX_OUTPUTS; k++)
        out[k] = EMPTY;
    if (lucid__ok(s))
        lucid__bind(s, &c, out);
}

/* ---- qr ---------------------------------------------------------------------------------------- */

/* [x, e] with columns enough to make x (..., m, n), n < m, square. Any e that does not lie in the
 * columns of x completes their orthonormal basis; sines at irrational steps lie in nothing. */
static lucid_tensor completed(lucid_scope *s, lucid_tensor x)
{
    lucid_shape shape = lucid_shape_of(x);
    int64_t m = lucid_size(x, -2), n = lucid_size(x, -1);
    lucid_tensor steps = lucid_arange(s, 0, (double)(m * (m - n)), 1, lucid_dtype_of(x));
    lucid_tensor e = lucid_sin(s, lucid_mul(s, steps, lucid_scalar(s, 2.399963229728653)));
    shape.dim[shape.ndim - 1] = m - n;
    e = lucid_expand(s, lucid_reshape(s, e, LUCID_SHAPE(m, m - n)), shape);
    const lucid_tensor both[2] = {x, e};
    return lucid_concatenate(s, both, 2, -1);
}

lucid_tensor lucid_qr(lucid_scope *s, lucid_tensor x, bool complete, lucid_tensor *r)
{
    lucid_scope t;
    if (r)
        *r = EMPTY;
    if (!lucid__enter(&t, s, "qr", x))
        return EMPTY;
    x = matrices(&t, "qr", x);
    int64_t m = lucid_size(x, -2), n = lucid_size(x, -1);
    bool more = lucid__ok(&t) && complete && m > n;
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    bind_all(&t, LUCID__qr, more ? completed(&t, x) : x, false, out);
    give(&t, r, more ? lucid_slice(&t, out[1], -1, 0, n, 1) : out[1]);
    return lucid__leave(&t, out[0]);
}

/* ---- eigenvalues and singular values ----------------------------------------------------------------- */

lucid_tensor lucid_eigh(lucid_scope *s, lucid_tensor x, bool upper, lucid_tensor *vectors)
{
    lucid_scope t;
    if (vectors)
        *vectors = EMPTY;
    if (!lucid__enter(&t, s, "eigh", x))
        return EMPTY;
    x = square_matrices(&t, "eigh", x);
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    bind_all(&t, LUCID__eigh, upper ? lucid_transpose(&t, x, -1, -2) : x, !vectors, out);
    give(&t, vectors, out[1]);
    return lucid__leave(&t, out[0]);
}

/* Orthonormal columns x (..., m, k) and what completes them to a basis. */
static lucid_tensor whole_basis(lucid_scope *s, lucid_tensor x)
{
    int64_t m = lucid_size(x, -2), k = lucid_size(x, -1);
    if (!lucid__ok(s) || m == k)
        return x;
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    bind_all(s, LUCID__qr, completed(s, x), false, out);
    const lucid_tensor both[2] = {x, lucid_slice(s, out[0], -1, k, m, 1)};
    return lucid_concatenate(s, both, 2, -1);
}

lucid_tensor lucid_svd(lucid_scope *s, lucid_tensor x, bool full, lucid_tensor *u, lucid_tensor *vt)
{
    lucid_scope t;
    if (u)
        *u = EMPTY;
    if (vt)
        *vt = EMPTY;
    if (!lucid__enter(&t, s, "svd", x))
        return EMPTY;
    x = matrices(&t, "svd", x);
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    bind_all(&t, LUCID__svd, x, !u && !vt, out);
    if (full && u)
        out[0] = whole_basis(&t, out[0]);
    if (full && vt && lucid_size(out[2], -2) < lucid_size(out[2], -1))
        out[2] = lucid_transpose(&t, whole_basis(&t, lucid_transpose(&t, out[2], -1, -2)), -1, -2);
    give(&t, u, out[0]);
    give(&t, vt, out[2]);
    return lucid__leave(&t, out[1]);
}

lucid_tensor lucid_matrix_rank(lucid_scope *s, lucid_tensor x, double tolerance)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "matrix_rank", x))
        return EMPTY;
    x = matrices(&t, "matrix_rank", x);
    lucid_tensor w = lucid_svd(&t, x, false, NULL, NULL);
    if (!lucid__ok(&t))
        return lucid__leave(&t, EMPTY);
    lucid_tensor least = lucid_mul(&t, lucid_slice(&t, w, -1, 0, 1, 1),
                                   lucid_scalar(&t, tolerance_for(x, tolerance)));
    lucid_tensor counted = lucid_cast(&t, lucid_gt(&t, w, least), LUCID_INT64);
    return lucid__leave(&t, lucid_sum(&t, counted, LUCID_DIMS(-1)));
}

lucid_tensor lucid_pinv(lucid_scope *s, lucid_tensor x, double tolerance)
{
    x = matrices(s, "pinv", x);
    if (!lucid__ok(s))
        return EMPTY;
    int64_t bits;
    tolerance = tolerance_for(x, tolerance);
    memcpy(&bits, &tolerance, sizeof bits);
    return lucid__bind1(s, LUCID__pinv, &x, 1, &bits, 1);
}

lucid_tensor lucid_lstsq(lucid_scope *s, lucid_tensor a, lucid_tensor b, double tolerance)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "lstsq", a))
        return EMPTY;
    a = matrices(&t, "lstsq", a);
    if (!lucid__check(&t, "lstsq", b) || !a.v)
        return lucid__leave(&t, EMPTY);
    bool vector = lucid_ndim(b) == 1 || lucid_ndim(b) == lucid_ndim(a) - 1;
    if (vector)
        b = lucid_unsqueeze(&t, b, -1);
    char at[LUCID__SHAPE_TEXT], bt[LUCID__SHAPE_TEXT];
    if (b.v && lucid_size(b, -2) != lucid_size(a, -2))
        return lucid__leave(
            &t,
            lucid__error(&t, LUCID_VALUE_ERROR,
                         "lstsq: shapes %s and %s do not fit: expected (..., m, n) and (..., m, k)",
                         lucid__shape_text(&a.v->aval.shape, at, sizeof at),
                         lucid__shape_text(&b.v->aval.shape, bt, sizeof bt)));
    lucid_tensor x = lucid_matmul(&t, lucid_pinv(&t, a, tolerance), b);
    return lucid__leave(&t, vector ? lucid_squeeze(&t, x, LUCID_DIMS(-1)) : x);
}

/* ---- powers -------------------------------------------------------------------------------------- */

static lucid_tensor one_like(lucid_scope *s, lucid_tensor x)
{
    int64_t n = lucid_size(x, -1);
    lucid_tensor one = lucid_cast(s, lucid_eye(s, n, n), lucid_dtype_of(x));
    return lucid_expand(s, one, lucid_shape_of(x));
}

lucid_tensor lucid_matrix_power(lucid_scope *s, lucid_tensor x, int64_t power)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "matrix_power", x))
        return EMPTY;
    bool whole = power >= 0 && !lucid__is_float(lucid_dtype_of(x));
    if (!whole)
        x = square_matrices(&t, "matrix_power", x);
    else
        (void)square_matrices(&t, "matrix_power", x);
    if (!lucid__ok(&t))
        return lucid__leave(&t, EMPTY);
    if (power < 0)
        x = lucid_inv(&t, x);
    uint64_t left = power < 0 ? -(uint64_t)power : (uint64_t)power;
    lucid_tensor y = left == 0 ? one_like(&t, x) : EMPTY;
    for (; left > 0 && lucid__ok(&t); left >>= 1) {
        if (left & 1)
            y = y.v ? lucid_matmul(&t, y, x) : x;
        if (left > 1)
            x = lucid_matmul(&t, x, x);
    }
    return lucid__leave(&t, y);
}

/* Higham, "The scaling and squaring method for the matrix exponential revisited" (2005): the [13/13]
 * Pade approximant of x / 2^k, squared k times. How often is up to each matrix, at most MOST times, so
 * that a batch is one computation; beyond, elements overflow in any case. */
lucid_tensor lucid_matrix_exp(lucid_scope *s, lucid_tensor x)
{
    enum { DEGREE = 13, MOST = 16 };
    static const double b[DEGREE + 1] = {64764752532480000.,
                                         32382376266240000.,
                                         7771770303897600.,
                                         1187353796428800.,
                                         129060195264000.,
                                         10559470521600.,
                                         670442572800.,
                                         33522128640.,
                                         1323241920.,
                                         40840800.,
                                         960960.,
                                         16380.,
                                         182.,
                                         1.};
    lucid_scope t;
    if (!lucid__enter(&t, s, "matrix_exp", x))
        return EMPTY;
    x = square_matrices(&t, "matrix_exp", x);
    if (!lucid__ok(&t) || lucid_size(x, -1) == 0)
        return lucid__leave(&t, x);
    bool single = lucid_dtype_of(x) == LUCID_FLOAT32;
    const double theta = single ? 3.925724783138660 : 5.371920351148152;
    lucid_tensor size = lucid_sum(&t, lucid_abs(&t, lucid_detach(&t, x)), LUCID_DIMS_KEEP(-2));
    size = lucid_amax(&t, size, LUCID_DIMS_KEEP(-1));
    lucid_tensor times =
        lucid_ceil(&t, lucid_log2(&t, lucid_div(&t, size, lucid_scalar(&t, theta))));
    times = lucid_clamp(&t, times, lucid_scalar(&t, 0), lucid_scalar(&t, MOST));
    x = lucid_div(&t, x, lucid_exp2(&t, times));
    lucid_tensor even[8] = {one_like(&t, x), lucid_matmul(&t, x, x)};
    for (int i = 2; i <= 3; i++)
        even[i] = lucid_matmul(&t, even[i - 1], even[1]);
    lucid_tensor half[2]; /* odd powers without a factor of x, even powers */
    for (int odd = 0; odd < 2; odd++) {
        lucid_tensor high = EMPTY, low = EMPTY;
        for (int i = 0; i <= 3; i++) {
            lucid_tensor f = lucid_scalar(&t, b[2 * i + odd]);
            lucid_tensor term = lucid_mul(&t, even[i], f);
            low = low.v ? lucid_add(&t, low, term) : term;
            if (i == 0)
                continue;
            term = lucid_mul(&t, even[i], lucid_scalar(&t, b[6 + 2 * i + odd]));
            high = high.v ? lucid_add(&t, high, term) : term;
        }
        half[odd] = lucid_add(&t, low, lucid_matmul(&t, even[3], high));
    }
    lucid_tensor u = lucid_matmul(&t, x, half[1]), v = half[0];
    lucid_tensor y = lucid_solve(&t, lucid_sub(&t, v, u), lucid_add(&t, v, u));
    for (int i = 0; i < MOST; i++) {
        lucid_tensor more = lucid_gt(&t, times, lucid_scalar(&t, i));
        y = lucid_where(&t, more, lucid_matmul(&t, y, y), y);
    }
    return lucid__leave(&t, y);
}
