/* qr, eigh, svd, pinv: orthogonal factorisations.
 *
 * Derivatives: of QR from Walter & Lehmann, "On evaluating higher-order derivatives of the QR
 * decomposition of tall matrices with full column rank in forward and reverse mode algorithmic
 * differentiation" (2012); of eigenvalues and singular values from Giles, "Collected matrix derivative
 * results" (2008), 3.1 and 3.2; of the pseudo-inverse from Golub & Pereyra, "The differentiation of
 * pseudo-inverses" (1973), (4.12).
 *
 * Vectors that belong to equal eigenvalues are not functions of the matrix: any rotation of them would
 * do. Their derivatives within such a group are taken as 0, which is right for all that depends on the
 * group as a whole (its projector, its eigenvalues' sum), and leaves no NaN in what does not depend on
 * them at all. */
#include <string.h>

#include "prim/linalg_prims.h"

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    return lucid_transpose(s, x, -1, -2);
}

/* (..., 1, n), a row per matrix; or (..., n, 1). */
static lucid_tensor as_row(lucid_scope *s, lucid_tensor w)
{
    return lucid_unsqueeze(s, w, -2);
}

static lucid_tensor as_column(lucid_scope *s, lucid_tensor w)
{
    return lucid_unsqueeze(s, w, -1);
}

/* 1 / x, and 0 at 0. */
static lucid_tensor safe_inverse(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor zero = lucid_eq(s, x, lucid_scalar(s, 0));
    lucid_tensor safe = lucid_where(s, zero, lucid_scalar(s, 1), x);
    return lucid_where(s, zero, lucid_scalar(s, 0), lucid_reciprocal(s, safe));
}

static lucid__aval matrix_like(const lucid__aval *x, int64_t rows, int64_t cols)
{
    lucid__aval y = *x;
    y.shape.dim[y.shape.ndim - 2] = rows;
    y.shape.dim[y.shape.ndim - 1] = cols;
    return y;
}

static int64_t rows_of(const lucid__aval *x)
{
    return x->shape.dim[x->shape.ndim - 2];
}

static int64_t cols_of(const lucid__aval *x)
{
    return x->shape.dim[x->shape.ndim - 1];
}

static int64_t shorter_of(const lucid__aval *x)
{
    return rows_of(x) < cols_of(x) ? rows_of(x) : cols_of(x);
}

/* ---- qr: outputs Q (m, k) and R (k, n), k = min(m, n) ------------------------------------------- */

static bool qr_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = matrix_like(in, rows_of(in), shorter_of(in));
    out[1] = matrix_like(in, shorter_of(in), cols_of(in));
    return true;
}

/* Of the first k columns A1 = Q R1: with X = dA1 R1^-1 and M = Q' X, the skew W with the strict lower
 * triangle of M makes dQ = X - Q (M - W). Then R = Q' A gives dR = Q' dA - W R, which is upper
 * triangular. */
static void qr_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                   const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    lucid_tensor q = y[0], r = y[1], da = dx[0];
    int64_t k = lucid_size(q, -1);
    lucid_tensor r1 = lucid_slice(s, r, -1, 0, k, 1), da1 = lucid_slice(s, da, -1, 0, k, 1);
    lucid_tensor x =
        turned(s, lucid__triangular_solve(s, r1, turned(s, da1), LUCID__UPPER, true, false));
    lucid_tensor m = lucid_matmul(s, turned(s, q), x), below = lucid_tril(s, m, -1);
    lucid_tensor skew = lucid_sub(s, below, turned(s, below));
    dy[0] = lucid_sub(s, x, lucid_matmul(s, q, lucid_sub(s, m, skew)));
    lucid_tensor dr = lucid_sub(s, lucid_matmul(s, turned(s, q), da), lucid_matmul(s, skew, r));
    dy[1] = lucid_triu(s, dr, 0);
}

static const lucid__sample qr_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {4, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {3, 5}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {2, 5, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "nonzero", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "nonzero", {2, {3, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {3, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "normal", {2, {6, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_qr = {
    .infer = qr_infer,
    .jvp = qr_jvp,
    .why_not = "it is not linear",
    .samples = qr_samples,
    .doc =
        "Reduced QR factorisation by Householder's reflections, with the signs that LAPACK gives. "
        "Derivatives are those at full rank of the first min(m, n) columns, inf or NaN elsewhere.",
};

/* ---- eigh: outputs the eigenvalues w (n), ascending, and the vectors V (n, n) --------------------- */

static bool eigh_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, in->shape.ndim - 1)};
    out[1] = *in;
    return true;
}

/* With M = V' dA V:  dw = diag M,  dV = V (F o M),  F_ij = 1 / (w_j - w_i). A stands for a symmetric
 * matrix, of which one triangle is read; dA is therefore taken as (dA + dA') / 2. */
static void eigh_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                     const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    lucid_tensor w = y[0], v = y[1];
    lucid_tensor da = lucid_mul(s, lucid_add(s, dx[0], turned(s, dx[0])), lucid_scalar(s, 0.5));
    lucid_tensor m = lucid_matmul(s, turned(s, v), lucid_matmul(s, da, v));
    lucid_tensor gaps = lucid_sub(s, as_row(s, w), as_column(s, w));
    dy[0] = lucid_diagonal(s, m, 0, -2, -1);
    dy[1] = lucid_matmul(s, v, lucid_mul(s, safe_inverse(s, gaps), m));
}

static const lucid__sample eigh_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {3, {2, 4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {0, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "spd", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_eigh = {
    .infer = eigh_infer,
    .jvp = eigh_jvp,
    .why_not = "it is not linear",
    .samples = eigh_samples,
    .doc = "Eigenvalues (ascending) and orthonormal eigenvectors (columns; the largest element of "
           "each "
           "is positive) of a symmetric matrix, of which the lower triangle is read. Gradients are "
           "symmetric. A matrix that is not finite gives NaN.",
};

/* ---- svd: outputs U (m, k), w (k) descending, V' (k, n), k = min(m, n) ---------------------------- */

static bool svd_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s, (void)c;
    int64_t k = shorter_of(in);
    out[0] = matrix_like(in, rows_of(in), k);
    out[2] = matrix_like(in, k, cols_of(in));
    out[1] = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, in->shape.ndim - 1)};
    out[1].shape.dim[out[1].shape.ndim - 1] = k;
    return true;
}

/* What a change of the matrix adds to vectors x (long, k) outside of the space they span:
 * (I - x x') change / w. */
static lucid_tensor outside(lucid_scope *s, lucid_tensor x, lucid_tensor change, lucid_tensor w)
{
    lucid_tensor scaled = lucid_mul(s, change, as_row(s, safe_inverse(s, w)));
    return lucid_sub(s, scaled, lucid_matmul(s, x, lucid_matmul(s, turned(s, x), scaled)));
}

/* With P = U' dA V and S = diag w:  dw = diag P,  dU = U (F o (P S + S P')) + (I - U U') dA V S^-1,
 * dV = V (F o (S P + P' S)) + (I - V V') dA' U S^-1,  F_ij = 1 / (w_j^2 - w_i^2). */
static void svd_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                    const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    lucid_tensor u = y[0], w = y[1], vt = y[2], v = turned(s, vt), da = dx[0];
    int64_t k = lucid_size(w, -1);
    lucid_tensor da_v = lucid_matmul(s, da, v), p = lucid_matmul(s, turned(s, u), da_v);
    dy[1] = lucid_diagonal(s, p, 0, -2, -1);
    lucid_tensor row = as_row(s, w), column = as_column(s, w);
    lucid_tensor gaps = lucid_mul(s, lucid_sub(s, row, column), lucid_add(s, row, column));
    lucid_tensor f = safe_inverse(s, gaps), ps = lucid_mul(s, p, row), sp = lucid_mul(s, p, column);
    lucid_tensor of_u = lucid_mul(s, f, lucid_add(s, ps, turned(s, ps)));
    lucid_tensor of_v = lucid_mul(s, f, lucid_add(s, sp, turned(s, sp)));
    dy[0] = lucid_matmul(s, u, of_u);
    if (lucid_size(u, -2) > k)
        dy[0] = lucid_add(s, dy[0], outside(s, u, da_v, w));
    lucid_tensor dv = lucid_matmul(s, v, of_v);
    if (lucid_size(v, -2) > k)
        dv = lucid_add(s, dv, outside(s, v, lucid_matmul(s, turned(s, da), u), w));
    dy[2] = turned(s, dv);
}

static const lucid__sample svd_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {4, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "nonzero", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "nonzero", {2, {3, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "normal", {2, {5, 6}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_svd = {
    .infer = svd_infer,
    .jvp = svd_jvp,
    .why_not = "it is not linear",
    .samples = svd_samples,
    .doc =
        "Reduced singular value decomposition U diag(w) V', w descending, U and V orthonormal also "
        "where w is 0; the largest element of each column of U is positive. A matrix that is not "
        "finite gives NaN.",
};

/* ---- pinv: the parameter holds the bits of a double, the tolerance --------------------------------- */

static bool pinv_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)s, (void)c;
    *out = matrix_like(in, cols_of(in), rows_of(in));
    return true;
}

/* dP = -P dA P + P P' dA' (I - A P) + (I - P A) dA' P' P, along changes that keep the rank. */
static void pinv_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                     const lucid_tensor *dx, lucid_tensor *dy)
{
    lucid_tensor p = y[0], pt = turned(s, p), a = c->in[0], da = dx[0], dat = turned(s, da);
    lucid_tensor inside = lucid_matmul(s, lucid_matmul(s, p, da), p);
    lucid_tensor left = lucid_matmul(s, lucid_matmul(s, p, pt), dat);
    lucid_tensor right = lucid_matmul(s, dat, lucid_matmul(s, pt, p));
    left = lucid_sub(s, left, lucid_matmul(s, lucid_matmul(s, left, a), p));
    right = lucid_sub(s, right, lucid_matmul(s, p, lucid_matmul(s, a, right)));
    dy[0] = lucid_sub(s, lucid_add(s, left, right), inside);
}

/* The bits of 1e-12. */
#define TOLERANCE INT64_C(0x3D719799812DEA11)

static const lucid__sample pinv_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {4, 2}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT64, "wellcond", {2, {3, 3}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT64, "normal", {3, {2, 2, 4}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT64, "nonzero", {2, {1, 1}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT64, "normal", {3, {0, 2, 2}}}}, {TOLERANCE}},
    {1, 1, {{LUCID_FLOAT32, "wellcond", {2, {4, 4}}}}, {TOLERANCE}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_pinv = {
    .infer = pinv_infer,
    .jvp = pinv_jvp,
    .why_not = "it is not linear",
    .samples = pinv_samples,
    .doc = "The Moore-Penrose pseudo-inverse; singular values up to a tolerance times the largest "
           "count as 0. Derivatives are those along changes that keep the rank.",
};
