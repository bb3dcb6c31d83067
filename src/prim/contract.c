/* contract: the sum of products over some dims of two tensors, batched over others. Everything that
 * multiplies matrices is this primitive (matmul, einsum, tensordot, ...).
 *
 * params: nb, nc, then the nb batch dims of x, those of y, the nc contracted dims of x, those of y;
 * all counted from the front. The other dims of an operand are its free dims. The result has the
 * batch dims in the order given, then x's free dims, then y's free dims, each in the operand's order.
 */
#include <string.h>

#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

/* The params taken apart; side 0 is x, side 1 is y. */
typedef struct roles {
    int nb, nc;
    const int64_t *batch[2], *summed[2];
    int nfree[2];
    int64_t free[2][MAX];
} roles;

static bool contains(const int64_t *dims, int n, int64_t dim)
{
    for (int i = 0; i < n; i++)
        if (dims[i] == dim)
            return true;
    return false;
}

static roles roles_of(const lucid__call *c, int xdims, int ydims)
{
    roles r = {.nb = (int)c->params[0], .nc = (int)c->params[1]};
    r.batch[0] = c->params + 2;
    r.batch[1] = r.batch[0] + r.nb;
    r.summed[0] = r.batch[1] + r.nb;
    r.summed[1] = r.summed[0] + r.nc;
    const int ndim[2] = {xdims, ydims};
    for (int side = 0; side < 2; side++)
        for (int d = 0; d < ndim[side]; d++)
            if (!contains(r.batch[side], r.nb, d) && !contains(r.summed[side], r.nc, d))
                r.free[side][r.nfree[side]++] = d;
    return r;
}

static lucid_tensor contract(lucid_scope *s, lucid_tensor x, lucid_tensor y, int nb,
                             const int64_t *xb, const int64_t *yb, int nc, const int64_t *xc,
                             const int64_t *yc)
{
    int64_t params[2 + 4 * MAX] = {nb, nc};
    const int64_t *parts[4] = {xb, yb, xc, yc};
    int n = 2;
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < (p < 2 ? nb : nc); i++)
            params[n++] = parts[p][i];
    const lucid_tensor in[2] = {x, y};
    return lucid__bind1(s, LUCID__contract, in, 2, params, n);
}

static bool contract_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           lucid__aval *out)
{
    roles r = roles_of(c, in[0].shape.ndim, in[1].shape.ndim);
    bool fits = in[0].dtype == in[1].dtype;
    for (int i = 0; i < r.nb; i++)
        fits &= in[0].shape.dim[r.batch[0][i]] == in[1].shape.dim[r.batch[1][i]];
    for (int i = 0; i < r.nc; i++)
        fits &= in[0].shape.dim[r.summed[0][i]] == in[1].shape.dim[r.summed[1][i]];
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!fits) {
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR, "contract: %s of shape %s does not fit %s of %s",
            lucid_dtype_name(in[0].dtype), lucid__shape_text(&in[0].shape, a, sizeof a),
            lucid_dtype_name(in[1].dtype), lucid__shape_text(&in[1].shape, b, sizeof b));
        return false;
    }
    out->dtype = in[0].dtype;
    if (r.nb + r.nfree[0] + r.nfree[1] > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "the product of shapes %s and %s has more than %d dims",
                         lucid__shape_text(&in[0].shape, a, sizeof a),
                         lucid__shape_text(&in[1].shape, b, sizeof b), MAX);
        return false;
    }
    out->shape.ndim = 0;
    for (int i = 0; i < r.nb; i++)
        out->shape.dim[out->shape.ndim++] = in[0].shape.dim[r.batch[0][i]];
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < r.nfree[side]; i++)
            out->shape.dim[out->shape.ndim++] = in[side].shape.dim[r.free[side][i]];
    if (lucid__numel(&out->shape) >= 0)
        return true;
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "the number of elements of shape %s is too large",
                     lucid__shape_text(&out->shape, a, sizeof a));
    return false;
}

/* A batch on both sides is one more batch dim, in front. A batch on one side only is one more free
 * dim of that side: nothing is copied, and what were many small products is one large one. */
static void contract_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                           lucid_tensor *out, int *out_axis)
{
    (void)size;
    int ndim[2];
    for (int side = 0; side < 2; side++)
        ndim[side] = c->in[side].v->aval.shape.ndim - (axis[side] >= 0);
    roles r = roles_of(c, ndim[0], ndim[1]);
    bool both = axis[0] >= 0 && axis[1] >= 0;
    int64_t batch[2][MAX + 1], summed[2][MAX];
    for (int side = 0; side < 2; side++) {
        int at = axis[side] < 0 ? MAX : axis[side];
        batch[side][0] = at;
        for (int i = 0; i < r.nb; i++)
            batch[side][i + both] = r.batch[side][i] + (r.batch[side][i] >= at);
        for (int i = 0; i < r.nc; i++)
            summed[side][i] = r.summed[side][i] + (r.summed[side][i] >= at);
    }
    out[0] = contract(s, c->in[0], c->in[1], r.nb + both, batch[0], batch[1], r.nc, summed[0],
                      summed[1]);
    out_axis[0] = 0;
    if (both)
        return;
    int side = axis[0] < 0;
    out_axis[0] = r.nb + (side == 1 ? r.nfree[0] : 0);
    for (int i = 0; i < r.nfree[side]; i++)
        out_axis[0] += r.free[side][i] < axis[side];
}

/* The cotangent of one operand is the product of the cotangent of the result and the other operand,
 * summed over the other's free dims. Its dims come out as batch, own free dims, and the summed dims
 * in the order of the other operand; or, with the factors exchanged, batch, summed, free. Of the two
 * the one is chosen that needs no reordering. */
static void contract_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                               const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    roles r = roles_of(c, in[0].shape.ndim, in[1].shape.ndim);
    int own = linear[0] ? 0 : 1, other = 1 - own;
    int64_t ct_batch[MAX], ct_free[MAX], summed_sorted[MAX] = {0};
    for (int i = 0; i < r.nb; i++)
        ct_batch[i] = i;
    for (int i = 0; i < r.nfree[other]; i++)
        ct_free[i] = r.nb + (other == 1 ? r.nfree[0] : 0) + i;
    /* The own dim that comes out at each position: summed dims follow the order of the other's. */
    int n = 0;
    for (int d = 0; d < in[other].shape.ndim; d++)
        for (int i = 0; i < r.nc; i++)
            if (r.summed[other][i] == d)
                summed_sorted[n++] = r.summed[own][i];
    bool summed_first = r.nc > 0 && r.nfree[own] > 0 && summed_sorted[0] < r.free[own][0];
    int64_t comes_from[MAX] = {0}, order[MAX];
    n = 0;
    for (int i = 0; i < r.nb; i++)
        comes_from[n++] = r.batch[own][i];
    for (int part = 0; part < 2; part++) {
        bool summed = (part == 0) == summed_first;
        for (int i = 0; i < (summed ? r.nc : r.nfree[own]); i++)
            comes_from[n++] = summed ? summed_sorted[i] : r.free[own][i];
    }
    const lucid_tensor y = c->in[other];
    lucid_tensor product = summed_first ? contract(s, y, ct[0], r.nb, r.batch[other], ct_batch,
                                                   r.nfree[other], r.free[other], ct_free)
                                        : contract(s, ct[0], y, r.nb, ct_batch, r.batch[other],
                                                   r.nfree[other], ct_free, r.free[other]);
    bool in_order = true;
    for (int i = 0; i < n; i++) {
        order[comes_from[i]] = i;
        in_order &= comes_from[i] == i;
    }
    dct[own] = in_order ? product : lucid__bind1(s, LUCID__permute, &product, 1, order, n);
}

static const lucid__sample contract_samples[] = {
    /* matrix products: plain, both transposed, batched, batched in the middle */
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {2, {3, 4}}}, {LUCID_FLOAT64, "normal", {2, {4, 2}}}},
     {0, 1, 1, 0}},
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {2, {4, 3}}}, {LUCID_FLOAT64, "normal", {2, {2, 4}}}},
     {0, 1, 0, 1}},
    {2,
     6,
     {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}, {LUCID_FLOAT64, "normal", {3, {2, 4, 2}}}},
     {1, 1, 0, 0, 2, 1}},
    {2,
     6,
     {{LUCID_FLOAT64, "normal", {3, {3, 2, 4}}}, {LUCID_FLOAT64, "normal", {3, {4, 3, 2}}}},
     {1, 1, 1, 2, 2, 0}},
    /* dot, outer, elementwise, matrix and vector */
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {1, {5}}}, {LUCID_FLOAT64, "normal", {1, {5}}}},
     {0, 1, 0, 0}},
    {2, 2, {{LUCID_FLOAT64, "normal", {1, {3}}}, {LUCID_FLOAT64, "normal", {1, {4}}}}, {0, 0}},
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {1, {3}}}, {LUCID_FLOAT64, "normal", {1, {3}}}},
     {1, 0, 0, 0}},
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {2, {3, 4}}}, {LUCID_FLOAT64, "normal", {1, {4}}}},
     {0, 1, 1, 0}},
    {2, 2, {{LUCID_FLOAT64, "normal", {0, {0}}}, {LUCID_FLOAT64, "normal", {2, {1, 2}}}}, {0, 0}},
    /* two summed dims, in another order on each side, between free ones */
    {2,
     6,
     {{LUCID_FLOAT64, "normal", {4, {2, 3, 2, 4}}}, {LUCID_FLOAT64, "normal", {3, {4, 5, 3}}}},
     {0, 2, 1, 3, 2, 0}},
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {2, {3, 0}}}, {LUCID_FLOAT64, "normal", {2, {0, 2}}}},
     {0, 1, 1, 0}},
    {2,
     4,
     {{LUCID_FLOAT64, "normal", {2, {0, 3}}}, {LUCID_FLOAT64, "normal", {2, {3, 2}}}},
     {0, 1, 1, 0}},
    {2,
     4,
     {{LUCID_FLOAT32, "normal", {2, {3, 4}}}, {LUCID_FLOAT32, "normal", {2, {4, 2}}}},
     {0, 1, 1, 0}},
    {2,
     4,
     {{LUCID_INT32, "integers", {2, {3, 4}}}, {LUCID_INT32, "integers", {2, {4, 2}}}},
     {0, 1, 1, 0}},
    {2,
     4,
     {{LUCID_INT64, "integers", {2, {3, 4}}}, {LUCID_INT64, "integers", {2, {4, 2}}}},
     {0, 1, 1, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_contract = {
    .infer = contract_infer,
    .batch = contract_batch,
    .transpose = contract_transpose,
    .bilinear = true,
    .samples = contract_samples,
    .doc = "Sum of products over some dims of two tensors, batched over others: matrix products of "
           "every layout.",
};

const lucid__rules lucid__family_contraction = {.doc = "Products of tensors, summed over dims."};
