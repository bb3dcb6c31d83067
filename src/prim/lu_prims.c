/* lu, solve and inv: factorisation with partial pivoting, P A = L U. The factors come packed in one matrix,
 * L below the diagonal (its own diagonal is ones), U on and above it; (P A)[i] = A[perm[i]]. */
#include "prim/linalg_prims.h"

/* ---- shared -------------------------------------------------------------------------------- */

/* Rows of x (..., n, k) in the order of perm (..., n). */
static lucid_tensor permuted_rows(lucid_scope *s, lucid_tensor x, lucid_tensor perm)
{
    const lucid_tensor in[2] = {x, perm};
    const int64_t batch_dims = lucid_ndim(perm) - 1;
    return lucid__bind1(s, LUCID__gather, in, 2, &batch_dims, 1);
}

/* Tangent of the packed factors: with F = L^-1 P dA U^-1,  dL = L tril(F, -1),  dU = triu(F) U. */
static lucid_tensor packed_tangent(lucid_scope *s, lucid_tensor lu, lucid_tensor perm,
                                   lucid_tensor da)
{
    lucid_tensor left =
        lucid__triangular_solve(s, lu, permuted_rows(s, da, perm), LUCID__LOWER, false, true);
    lucid_tensor turned =
        lucid__triangular_solve(s, lu, lucid_transpose(s, left, -1, -2), LUCID__UPPER, true, false);
    lucid_tensor f = lucid_transpose(s, turned, -1, -2);
    lucid_tensor below = lucid_tril(s, f, -1);
    lucid_tensor dl = lucid_add(s, lucid_matmul(s, lucid_tril(s, lu, -1), below), below);
    lucid_tensor du = lucid_matmul(s, lucid_triu(s, f, 0), lucid_triu(s, lu, 0));
    return lucid_add(s, dl, du);
}

/* ---- lu: outputs the packed factors, perm, and the sign of the permutation as a float ----------- */

static bool lu_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s, (void)c;
    int last = in->shape.ndim - 1;
    out[0] = *in;
    out[1] = (lucid__aval){LUCID_INT64, lucid__shape_remove(&in->shape, last)};
    out[2] = (lucid__aval){in->dtype, lucid__shape_remove(&out[1].shape, last - 1)};
    return true;
}

static void lu_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                   const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    dy[0] = packed_tangent(s, y[0], y[1], dx[0]);
}

static const lucid__sample lu_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "wellcond", {2, {4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {2, 4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {0, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "normal", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_lu = {
    .infer = lu_infer,
    .jvp = lu_jvp,
    .why_not = "it is not linear",
    .samples = lu_samples,
    .doc = "P x = L U with partial pivoting: L and U packed in one matrix, the rows of x in their "
           "order, and the sign of that permutation.",
};

/* ---- solve: outputs the solution of a x = b, and the factors of a as lu gives them -------------- */

static bool solve_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                        lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = in[1];
    out[1] = in[0];
    out[2] = (lucid__aval){LUCID_INT64, lucid__shape_remove(&in->shape, in->shape.ndim - 1)};
    return true;
}

/* a dx = db - da x, solved with the factors at hand: a derivative in either mode costs one more pair
 * of triangular solutions. The factors are outputs so that it can be had, and so that derivatives of
 * it know how they depend on a; what nobody asks for is never computed. */
static void solve_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                      const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    lucid_tensor rhs = dx[1];
    if (dx[0].v) {
        lucid_tensor moved = lucid_matmul(s, dx[0], y[0]);
        rhs = rhs.v ? lucid_sub(s, rhs, moved) : lucid_neg(s, moved);
        dy[1] = packed_tangent(s, y[1], y[2], dx[0]);
    }
    lucid_tensor half =
        lucid__triangular_solve(s, y[1], permuted_rows(s, rhs, y[2]), LUCID__LOWER, false, true);
    dy[0] = lucid__triangular_solve(s, y[1], half, LUCID__UPPER, false, false);
}

static const lucid__sample solve_samples[] = {
    {2, 0, {{LUCID_FLOAT64, "wellcond", {2, {4, 4}}}, {LUCID_FLOAT64, "normal", {2, {4, 2}}}}, {0}},
    {2, 0, {{LUCID_FLOAT64, "normal", {2, {3, 3}}}, {LUCID_FLOAT64, "normal", {2, {3, 2}}}}, {0}},
    {2,
     0,
     {{LUCID_FLOAT64, "normal", {3, {2, 3, 3}}}, {LUCID_FLOAT64, "normal", {3, {2, 3, 1}}}},
     {0}},
    {2, 0, {{LUCID_FLOAT64, "normal", {2, {1, 1}}}, {LUCID_FLOAT64, "normal", {2, {1, 1}}}}, {0}},
    {2, 0, {{LUCID_FLOAT64, "normal", {2, {0, 0}}}, {LUCID_FLOAT64, "normal", {2, {0, 2}}}}, {0}},
    {2, 0, {{LUCID_FLOAT64, "normal", {2, {2, 2}}}, {LUCID_FLOAT64, "normal", {2, {2, 0}}}}, {0}},
    {2, 0, {{LUCID_FLOAT32, "wellcond", {2, {4, 4}}}, {LUCID_FLOAT32, "normal", {2, {4, 3}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_solve = {
    .infer = solve_infer,
    .batch = lucid__solve_batch,
    .jvp = solve_jvp,
    .linear_by_jvp = LUCID__INPUT(1),
    .why_not = "it is not linear in the matrix",
    .samples = solve_samples,
    .doc = "Solves a x = b by LU with partial pivoting; also gives the factors. A singular matrix "
           "gives inf or NaN.",
};

/* ---- inv -------------------------------------------------------------------------------------- */

static bool inv_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s, (void)c;
    *out = *in;
    return true;
}

/* d(a^-1) = -a^-1 da a^-1. */
static void inv_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                    const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    dy[0] = lucid_neg(s, lucid_matmul(s, lucid_matmul(s, y[0], dx[0]), y[0]));
}

static const lucid__sample inv_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "wellcond", {2, {4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "wellcond", {3, {2, 3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "wellcond", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {0, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "wellcond", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_inv = {
    .infer = inv_infer,
    .jvp = inv_jvp,
    .why_not = "it is not linear",
    .samples = inv_samples,
    .doc =
        "The inverse of a square matrix, by LU with partial pivoting. A singular matrix gives inf "
        "or NaN.",
};
