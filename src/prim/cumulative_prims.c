/* cumsum, cumprod, sort: one row of a dim at a time, each output element from many of the row. */
#include "prim/family.h"

/* params[0] is the dim for all of the family: the batch stays where it is and the dim moves. */
static void cumulative_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                             lucid_tensor *out, int *out_axis)
{
    (void)size;
    const int64_t params[2] = {c->params[0] + (axis[0] <= c->params[0]), c->params[1]};
    lucid__call inner = *c;
    inner.params = params;
    lucid__bind(s, &inner, out);
    for (int k = 0; k < lucid__prim_get(c->prim)->nout; k++)
        out_axis[k] = axis[0];
}

static bool cumulative_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = in[0];
    return true;
}

/* ---- cumsum, cumprod: params are the dim and whether to go from its end ----------------------- */

static void cumsum_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    const int64_t params[2] = {c->params[0], !c->params[1]};
    dct[0] = lucid__bind1(s, LUCID__cumsum, ct, 1, params, 2);
}

#define CUMULATIVE_SAMPLES \
    {1, 2, {{LUCID_FLOAT64, "normal", {1, {5}}}}, {0, 0}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {1, {6}}}}, {0, 1}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {3, {2, 4, 3}}}}, {1, 0}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 4}}}}, {0, 1}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 1}}}}, {1, 0}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 0}}}}, {1, 0}}, \
        {1, 2, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {1, 1}}, \
        {1, 2, {{LUCID_FLOAT32, "normal", {2, {2, 3}}}}, {1, 0}}, \
    { \
        1, 2, {{LUCID_INT64, "integers", {2, {2, 3}}}}, \
        { \
            1, 0 \
        } \
    }

static const lucid__sample cumulative_samples[] = {CUMULATIVE_SAMPLES, LUCID__END_OF_SAMPLES};

const lucid__rules lucid__rules_cumsum = {
    .transpose = cumsum_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = cumulative_samples,
    .doc = "Sums of the elements so far along a dim, float32 accumulated in float64.",
};

static lucid_tensor part(lucid_scope *s, lucid_tensor x, int dim, int64_t start, int64_t stop)
{
    return lucid_slice(s, x, dim, start, stop, 1);
}

/* The row of products of dual numbers, (p, t)(q, u) = (p q, p u + q t), as a scan of doubling steps
 * (Hillis & Steele 1986): after step d, element i holds the product of the 2 d elements that end at
 * i. Nothing is divided by, so zeros need no care, and every step is linear in t. */
static void cumprod_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                        const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)y;
    int dim = (int)c->params[0];
    bool reverse = c->params[1] != 0;
    lucid_tensor p = c->in[0], t = dx[0];
    int64_t n = p.v ? p.v->aval.shape.dim[dim] : 0;
    for (int64_t d = 1; d < n && lucid__ok(s); d *= 2) {
        /* Elements `to` are multiplied by those at `from`, which lie d before (reverse: behind). */
        int64_t to = reverse ? 0 : d, from = reverse ? d : 0, keep = reverse ? n - d : 0;
        lucid_tensor p_to = part(s, p, dim, to, to + n - d);
        lucid_tensor p_from = part(s, p, dim, from, from + n - d);
        lucid_tensor t_to = part(s, t, dim, to, to + n - d);
        lucid_tensor t_from = part(s, t, dim, from, from + n - d);
        lucid_tensor t_new = lucid_add(s, lucid_mul(s, t_to, p_from), lucid_mul(s, t_from, p_to));
        lucid_tensor p_new = lucid_mul(s, p_to, p_from);
        lucid_tensor t_kept = part(s, t, dim, keep, keep + d);
        lucid_tensor p_kept = part(s, p, dim, keep, keep + d);
        lucid_tensor ts[2] = {reverse ? t_new : t_kept, reverse ? t_kept : t_new};
        lucid_tensor ps[2] = {reverse ? p_new : p_kept, reverse ? p_kept : p_new};
        t = lucid_concatenate(s, ts, 2, dim);
        p = lucid_concatenate(s, ps, 2, dim);
    }
    dy[0] = t;
}

static const lucid__sample cumprod_samples[] = {
    CUMULATIVE_SAMPLES,
    {1, 2, {{LUCID_FLOAT64, "integers", {2, {3, 5}}}}, {1, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_cumprod = {
    .jvp = cumprod_jvp,
    .samples = cumprod_samples,
    .doc = "Products of the elements so far along a dim, float32 accumulated in float64.",
};

/* ---- sort: params are the dim and whether descending; outputs are the values and where they were -- */

static bool sort_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = in[0];
    out[1] = (lucid__aval){LUCID_INT64, in[0].shape};
    return true;
}

static void sort_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                     const lucid_tensor *dx, lucid_tensor *dy)
{
    dy[0] = lucid_take_along_dim(s, dx[0], y[1], (int)c->params[0]);
}

static const lucid__sample sort_samples[] = {
    {1, 2, {{LUCID_FLOAT64, "normal", {1, {6}}}}, {0, 0}},
    {1, 2, {{LUCID_FLOAT64, "normal", {3, {2, 4, 3}}}}, {1, 1}},
    {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 4}}}}, {0, 0}},
    {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 1}}}}, {1, 0}},
    {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 0}}}}, {1, 0}},
    {1, 2, {{LUCID_FLOAT32, "normal", {2, {2, 5}}}}, {1, 0}},
    {1, 2, {{LUCID_INT32, "integers", {2, {2, 5}}}}, {1, 1}},
    {1, 2, {{LUCID_INT64, "integers", {1, {7}}}}, {0, 0}},
    {1, 2, {{LUCID_BOOL, "bool", {1, {7}}}}, {0, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_sort = {
    .infer = sort_infer,
    .jvp = sort_jvp,
    .samples = sort_samples,
    .doc =
        "The elements of a dim in order, and the position each had. Equal ones keep their order; "
        "NaN counts as larger than all numbers.",
};

const lucid__rules lucid__family_cumulative = {
    .infer = cumulative_infer,
    .batch = cumulative_batch,
    .doc = "Rows of a dim, each output from many elements of its row.",
};
