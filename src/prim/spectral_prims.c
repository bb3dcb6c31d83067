/* qr, eigh, svd, pinv: orthogonal factorisations.
 *
 * Derivatives: of QR from Walter & Lehmann, "On evaluating higher-order derivatives of the QR
 * decomposition of tall matrices with full column rank in forward and reverse mode algorithmic
 * differentiation" (2012); of eigenvalues and singular values from Giles, "Collected matrix derivative
 * results" (2008), 3.1 and 3.2; of the pseudo-inverse from Golub & Pereyra, "The differentiation of
 * pseudo-inverses" (1973), (4.12).
 *
 * Vectors that belong to equal values are not functions of the matrix: any rotation of them would do. But
 * V f(w) V' is, and so are a projector on all of their space and the sum of the values. What is
 * differentiated is therefore not eigh or svd but eigh_apart or svd_apart, which give values that are equal,
 * or nearly so, a small distance from each other (cpu/spread.h), so that functions of the matrix have
 * their derivatives by the usual formulas; it is larger the more derivatives are still to come. Cotangents
 * that ask for what does not exist become NaN (tie_guard.c). */
#include <string.h>

#include "prim/linalg_prims.h"
#include "prim/tie_guard.h"

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    return lucid_transpose(s, x, -1, -2);
}

/* (..., 1, n), a row per matrix. */
static lucid_tensor as_row(lucid_scope *s, lucid_tensor w)
{
    return lucid_unsqueeze(s, w, -2);
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

/* ---- eigh: outputs the eigenvalues w (n), ascending, and the vectors V (n, n). With one parameter, 0,
 * nobody looks at the vectors ----------------------------------------------------------------------- */

static bool eigh_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, in->shape.ndim - 1)};
    out[1] = *in;
    return true;
}

static bool eigh_apart_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             lucid__aval *out)
{
    (void)eigh_infer(s, c, in, out);
    out[2] = out[0];
    return true;
}

/* The primitive with values apart, applied to the same matrix. Returns whether the vectors are looked at. */
static bool apart(lucid_scope *s, const lucid__call *c, lucid__prim_id prim, lucid_tensor *y)
{
    bool again = c->prim == prim, vectors = again || c->nparams == 0;
    int64_t order = (again ? c->params[0] : 0) + vectors;
    const lucid__call call = {.prim = prim, .nin = 1, .in = c->in, .nparams = 1, .params = &order};
    lucid__bind(s, &call, y);
    return vectors;
}

/* The size of the largest value (..., 1): a constant. */
static lucid_tensor scale_of(lucid_scope *s, lucid_tensor w)
{
    lucid_tensor most = lucid_detach(s, lucid_abs(s, w));
    if (lucid_size(w, -1) > 0)
        most = lucid_amax(s, most, LUCID_DIMS_KEEP(-1));
    return lucid_where(s, lucid_eq(s, most, lucid_scalar(s, 0)), lucid_scalar(s, 1), most);
}

static lucid__spectrum_values values_of(lucid_scope *s, lucid_tensor w, lucid_tensor shift,
                                        int64_t longer, bool again)
{
    return (lucid__spectrum_values){w, lucid_sub(s, w, shift), scale_of(s, w), longer, again};
}

/* What turns vectors: x / gaps, and 0 on the diagonal, where gaps are 0. */
static lucid_tensor turns(lucid_scope *s, lucid_tensor x, lucid_tensor gaps)
{
    lucid_tensor none = lucid_eq(s, gaps, lucid_scalar(s, 0));
    lucid_tensor safe = lucid_where(s, none, lucid_scalar(s, 1), gaps);
    return lucid_div(s, lucid_where(s, none, lucid_scalar(s, 0), x), safe);
}

/* With M = V' dA V:  dw = diag M,  dV = V T,  T_ij = M_ij / (w_j - w_i). A stands for a symmetric
 * matrix, of which one triangle is read; dA is therefore taken as (dA + dA') / 2. */
static void eigh_joint(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                       lucid_tensor *y, lucid_tensor *dy)
{
    lucid_tensor at[LUCID__MAX_OUTPUTS] = {{NULL}};
    bool vectors = apart(s, c, LUCID__eigh_apart, at);
    lucid_tensor w = at[0], v = at[1], shift = at[2];
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        y[k] = at[k];
    if (!lucid__ok(s))
        return;
    lucid_tensor da = lucid_mul(s, lucid_add(s, dx[0], turned(s, dx[0])), lucid_scalar(s, 0.5));
    lucid_tensor m = lucid_matmul(s, turned(s, v), lucid_matmul(s, da, v));
    const lucid__spectrum_values of =
        values_of(s, w, shift, lucid_size(w, -1), c->prim == LUCID__eigh_apart);
    lucid__changes x = {.values = lucid_diagonal(s, m, 0, -2, -1)};
    if (vectors)
        x.turns = turns(s, m, lucid__differences(s, w, 1));
    lucid__tie_guard(s, &of, &x);
    dy[0] = x.values;
    if (vectors)
        dy[1] = lucid_matmul(s, v, x.turns);
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
    .joint = eigh_joint,
    .why_not = "it is not linear",
    .samples = eigh_samples,
    .doc = "Eigenvalues (ascending) and orthonormal eigenvectors (columns; the largest element of "
           "each "
           "is positive) of a symmetric matrix, of which the lower triangle is read. Gradients are "
           "symmetric. A matrix that is not finite gives NaN.",
};

/* ---- eigh_apart: outputs w, moved apart, V, and by how much w was moved (n). The parameter is the order
 * of derivatives in which differences of w may take part --------------------------------------------- */

static const lucid__sample eigh_apart_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "spd", {2, {3, 3}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "spd", {3, {2, 4, 4}}}}, {2}},
    {1, 1, {{LUCID_FLOAT64, "spd", {2, {1, 1}}}}, {0}},
    {1, 1, {{LUCID_FLOAT64, "spd", {2, {0, 0}}}}, {1}},
    {1, 1, {{LUCID_FLOAT32, "spd", {2, {5, 5}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_eigh_apart = {
    .infer = eigh_apart_infer,
    .joint = eigh_joint,
    .why_not = "it is not linear",
    .samples = eigh_apart_samples,
    .doc = "As eigh, equal eigenvalues moved apart for derivatives; and by how much.",
};

/* ---- svd: outputs U (m, k), w (k) descending, V' (k, n), k = min(m, n). With one parameter, 0, nobody
 * looks at the vectors ------------------------------------------------------------------------------ */

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

static bool svd_apart_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            lucid__aval *out)
{
    (void)svd_infer(s, c, in, out);
    out[3] = out[1];
    return true;
}

/* (p + sign p') / 2. */
static lucid_tensor half_of(lucid_scope *s, lucid_tensor p, double sign)
{
    lucid_tensor q = turned(s, p);
    return lucid_mul(s, sign > 0 ? lucid_add(s, p, q) : lucid_sub(s, p, q), lucid_scalar(s, 0.5));
}

/* (I - x x') y. */
static lucid_tensor without(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    return lucid_sub(s, y, lucid_matmul(s, x, lucid_matmul(s, turned(s, x), y)));
}

/* With P = U' dA V:  dw = diag P,  dU = U (R + Q) + (I - U U') dA V / w,
 * dV = V (R - Q) + (I - V V') dA' U / w,  R_ij = (P_ij + P_ji) / 2 (w_j - w_i) and
 * Q_ij = (P_ij - P_ji) / 2 (w_j + w_i). Only the longer of U and V leaves others outside. */
static void svd_joint(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx, lucid_tensor *y,
                      lucid_tensor *dy)
{
    lucid_tensor at[LUCID__MAX_OUTPUTS] = {{NULL}};
    bool vectors = apart(s, c, LUCID__svd_apart, at);
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        y[k] = at[k];
    if (!lucid__ok(s))
        return;
    lucid_tensor u = at[0], w = at[1], v = turned(s, at[2]), da = dx[0];
    int64_t m = lucid_size(u, -2), n = lucid_size(v, -2);
    const lucid__spectrum_values of =
        values_of(s, w, at[3], m > n ? m : n, c->prim == LUCID__svd_apart);
    lucid_tensor da_v = lucid_matmul(s, da, v), p = lucid_matmul(s, turned(s, u), da_v);
    lucid__changes x = {.values = lucid_diagonal(s, p, 0, -2, -1)};
    if (vectors) {
        x.turns = turns(s, half_of(s, p, 1), lucid__differences(s, w, 1));
        x.against = turns(s, half_of(s, p, -1), lucid__differences(s, w, -1));
        if (m > n)
            x.outside = turns(s, da_v, as_row(s, w));
        else if (n > m)
            x.outside = turns(s, lucid_matmul(s, turned(s, da), u), as_row(s, w));
    }
    lucid__tie_guard(s, &of, &x);
    dy[1] = x.values;
    if (!vectors)
        return;
    dy[0] = lucid_matmul(s, u, lucid_add(s, x.turns, x.against));
    lucid_tensor dv = lucid_matmul(s, v, lucid_sub(s, x.turns, x.against));
    if (m > n)
        dy[0] = lucid_add(s, dy[0], without(s, u, x.outside));
    else if (n > m)
        dv = lucid_add(s, dv, without(s, v, x.outside));
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
    .joint = svd_joint,
    .why_not = "it is not linear",
    .samples = svd_samples,
    .doc =
        "Reduced singular value decomposition U diag(w) V', w descending, U and V orthonormal also "
        "where w is 0; the largest element of each column of U is positive. A matrix that is not "
        "finite gives NaN.",
};

/* ---- svd_apart: as svd, w moved apart, and by how much (k). The parameter is that of eigh_apart ------ */

static const lucid__sample svd_apart_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {4, 3}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {3, 3}}}}, {2}},
    {1, 1, {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "nonzero", {2, {1, 1}}}}, {0}},
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {1}},
    {1, 1, {{LUCID_FLOAT32, "normal", {2, {5, 6}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_svd_apart = {
    .infer = svd_apart_infer,
    .joint = svd_joint,
    .why_not = "it is not linear",
    .samples = svd_apart_samples,
    .doc =
        "As svd, equal singular values moved apart for derivatives, and away from 0 if the matrix "
        "is not square; and by how much.",
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
    /* P' dA' and dA' P' have no dimension: products with both of P overflow before the result does. */
    lucid_tensor left = lucid_matmul(s, pt, dat), right = lucid_matmul(s, dat, pt);
    left = lucid_sub(s, left, lucid_matmul(s, lucid_matmul(s, left, a), p));
    right = lucid_sub(s, right, lucid_matmul(s, p, lucid_matmul(s, a, right)));
    lucid_tensor outer = lucid_add(s, lucid_matmul(s, p, left), lucid_matmul(s, right, p));
    dy[0] = lucid_sub(s, outer, inside);
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
