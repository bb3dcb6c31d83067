/* cholesky and triangular_solve, and what they share with lu and solve (lu_prims.c).
 *
 * The derivatives are those of Giles, "Collected matrix derivative results for forward and reverse
 * mode algorithmic differentiation" (2008), and Murray, "Differentiation of the Cholesky
 * decomposition" (2016). */
#include "prim/linalg_prims.h"

/* ---- batching ------------------------------------------------------------------------------ */

void lucid__linalg_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                         lucid_tensor *out, int *out_axis)
{
    (void)size;
    lucid_tensor x = lucid__move_batch(s, c->in[0], axis[0], 0);
    lucid__call moved = *c;
    moved.in = &x;
    lucid__bind(s, &moved, out);
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        out_axis[k] = 0;
}

/* Many right-hand sides of one matrix are columns: (..., n, k) batched becomes (..., n, size * k), so
 * that the matrix is neither copied nor factored more than once. */
static void solve_columns(lucid_scope *s, const lucid__call *c, int axis, lucid_tensor *out,
                          int *out_axis)
{
    int at = c->in[0].v->aval.shape.ndim - 1;
    lucid_tensor b = lucid_movedim(s, c->in[1], axis, at);
    if (!b.v)
        return;
    const lucid_shape apart = b.v->aval.shape;
    lucid_shape folded = lucid__shape_remove(&apart, at);
    /* Sizes that do not fit show as an error of reshape. */
    if (__builtin_mul_overflow(apart.dim[at], apart.dim[at + 1], &folded.dim[at]))
        folded.dim[at] = -1;
    const lucid_tensor in[2] = {c->in[0], lucid_reshape(s, b, folded)};
    lucid__call call = *c;
    call.in = in;
    lucid__bind(s, &call, out);
    out[0] = lucid_reshape(s, out[0], apart);
    out_axis[0] = at;
    for (int k = 1; k < lucid__prim_get(c->prim)->nout; k++)
        out_axis[k] = -1;
}

void lucid__solve_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                        lucid_tensor *out, int *out_axis)
{
    if (axis[0] < 0) {
        solve_columns(s, c, axis[1], out, out_axis);
        return;
    }
    const lucid_tensor in[2] = {lucid__move_batch(s, c->in[0], axis[0], 0),
                                lucid__batch_at(s, c->in[1], axis[1], 0, size)};
    lucid__call call = *c;
    call.in = in;
    lucid__bind(s, &call, out);
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        out_axis[k] = 0;
}

/* ---- cholesky ------------------------------------------------------------------------------ */

static bool cholesky_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           lucid__aval *out)
{
    (void)s, (void)c;
    *out = *in;
    return true;
}

/* 1 below the diagonal, 1/2 on it, 0 above it. */
static lucid_tensor half_triangle(lucid_scope *s, lucid_tensor like)
{
    int64_t n = lucid_size(like, -1);
    lucid_tensor ones = lucid_cast(s, lucid_ones(s, LUCID_SHAPE(n, n)), like.v->aval.dtype);
    lucid_tensor both = lucid_add(s, lucid_tril(s, ones, 0), lucid_tril(s, ones, -1));
    return lucid_mul(s, both, lucid_scalar(s, 0.5));
}

/* dL = L Phi(L^-1 dA L^-T), Phi the lower triangle with its diagonal halved. A stands for a symmetric
 * matrix, of which one triangle is read; dA is therefore taken as (dA + dA^T) / 2, and gradients come
 * out symmetric. Along symmetric directions that is the derivative of the function as computed. */
static void cholesky_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                         const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)c;
    lucid_tensor twice = lucid_add(s, dx[0], lucid_transpose(s, dx[0], -1, -2));
    lucid_tensor da = lucid_mul(s, twice, lucid_scalar(s, 0.5));
    lucid_tensor left = lucid__triangular_solve(s, y[0], da, LUCID__LOWER, false, false);
    lucid_tensor both = lucid__triangular_solve(s, y[0], lucid_transpose(s, left, -1, -2),
                                                LUCID__LOWER, false, false);
    dy[0] = lucid_matmul(s, y[0], lucid_mul(s, both, half_triangle(s, y[0])));
}

static const lucid__sample cholesky_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {3, 3}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {3, {2, 4, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {1, 1}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {2, {0, 0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "spd", {3, {0, 2, 2}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "spd", {2, {5, 5}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_cholesky = {
    .infer = cholesky_infer,
    .jvp = cholesky_jvp,
    .why_not = "it is not linear",
    .samples = cholesky_samples,
    .doc = "Lower triangular L with L L^T = x, from the lower triangle of x; zeros above the "
           "diagonal. "
           "A matrix that is not positive definite gives NaN. Gradients are symmetric.",
};

/* ---- triangular_solve: params are whether upper, transposed, unit diagonal --------------------- */

lucid_tensor lucid__triangular_solve(lucid_scope *s, lucid_tensor a, lucid_tensor b,
                                     lucid__triangle triangle, bool transpose, bool unit)
{
    const lucid_tensor in[2] = {a, b};
    const int64_t params[3] = {triangle, transpose, unit};
    return lucid__bind1(s, LUCID__triangular_solve, in, 2, params, 3);
}

static bool triangular_solve_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                   lucid__aval *out)
{
    (void)s, (void)c;
    *out = in[1];
    return true;
}

/* op(A) x = b, so op(A) dx = db - op(dA) x; what A does not read of dA does not count. */
static void triangular_solve_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                                 const lucid_tensor *dx, lucid_tensor *dy)
{
    bool upper = c->params[0], transpose = c->params[1], unit = c->params[2];
    lucid_tensor rhs = dx[1];
    if (dx[0].v) {
        lucid_tensor da =
            upper ? lucid_triu(s, dx[0], unit ? 1 : 0) : lucid_tril(s, dx[0], unit ? -1 : 0);
        if (transpose)
            da = lucid_transpose(s, da, -1, -2);
        lucid_tensor moved = lucid_matmul(s, da, y[0]);
        rhs = rhs.v ? lucid_sub(s, rhs, moved) : lucid_neg(s, moved);
    }
    dy[0] = lucid__triangular_solve(s, c->in[0], rhs, upper ? LUCID__UPPER : LUCID__LOWER,
                                    transpose, unit);
}

static void triangular_solve_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                       const bool *linear, const lucid_tensor *ct,
                                       lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[1] = lucid__triangular_solve(s, c->in[0], ct[0], c->params[0] ? LUCID__UPPER : LUCID__LOWER,
                                     !c->params[1], c->params[2]);
}

static const lucid__sample triangular_solve_samples[] = {
    {2,
     3,
     {{LUCID_FLOAT64, "tril", {2, {3, 3}}}, {LUCID_FLOAT64, "normal", {2, {3, 2}}}},
     {0, 0, 0}},
    {2,
     3,
     {{LUCID_FLOAT64, "triu", {2, {3, 3}}}, {LUCID_FLOAT64, "normal", {2, {3, 2}}}},
     {1, 0, 0}},
    {2,
     3,
     {{LUCID_FLOAT64, "spd", {2, {3, 3}}}, {LUCID_FLOAT64, "normal", {2, {3, 1}}}},
     {0, 1, 1}},
    {2,
     3,
     {{LUCID_FLOAT64, "spd", {3, {2, 3, 3}}}, {LUCID_FLOAT64, "normal", {3, {2, 3, 2}}}},
     {1, 1, 0}},
    {2,
     3,
     {{LUCID_FLOAT64, "tril", {3, {2, 2, 2}}}, {LUCID_FLOAT64, "normal", {3, {2, 2, 1}}}},
     {0, 0, 1}},
    {2,
     3,
     {{LUCID_FLOAT64, "tril", {2, {0, 0}}}, {LUCID_FLOAT64, "normal", {2, {0, 2}}}},
     {0, 0, 0}},
    {2,
     3,
     {{LUCID_FLOAT64, "tril", {2, {2, 2}}}, {LUCID_FLOAT64, "normal", {2, {2, 0}}}},
     {0, 0, 0}},
    {2,
     3,
     {{LUCID_FLOAT32, "tril", {2, {4, 4}}}, {LUCID_FLOAT32, "normal", {2, {4, 3}}}},
     {0, 0, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_triangular_solve = {
    .infer = triangular_solve_infer,
    .batch = lucid__solve_batch,
    .jvp = triangular_solve_jvp,
    .transpose = triangular_solve_transpose,
    .linear = LUCID__INPUT(1),
    .samples = triangular_solve_samples,
    .doc = "Solves a x = b for a triangular matrix; the other triangle is not read.",
};

const lucid__rules lucid__family_linalg = {
    .batch = lucid__linalg_batch,
    .doc = "Factorisations and solutions of linear systems in the last two dims.",
};
