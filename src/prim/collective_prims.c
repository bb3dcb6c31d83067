/* psum, pmax, pmin, all_gather, reduce_scatter: across the lanes of one vmap, which is running. params: the
 * id of its level and the number of its lanes.
 *
 * What is said here is how they pass through other transforms: those inside the vmap apply these rules;
 * at the level of the vmap itself they become ordinary operations on the batch dim
 * (transform/collective.c), and what is around the vmap never sees them.
 *
 * As maps of all lanes at once, for lanes b and k:
 *     psum            y_b = sum_k x_k             its own transpose
 *     all_gather      y_b[k] = x_k                the transpose of
 *     reduce_scatter  y_b = sum_k x_k[b]
 */
#include "base/dtype.h"
#include "prim/family.h"

static lucid_tensor apply(lucid_scope *s, const lucid__call *c, lucid__prim_id prim, lucid_tensor x)
{
    return lucid__bind1(s, prim, &x, 1, c->params, c->nparams);
}

static bool collective_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             lucid__aval *out)
{
    (void)s, (void)c;
    *out = *in;
    return true;
}

/* The batch of another vmap, inside the one that is joined. */
static void collective_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                             lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = apply(s, c, c->prim, c->in[0]);
    out_axis[0] = axis[0];
}

const lucid__rules lucid__family_collective = {.infer = collective_infer,
                                               .batch = collective_batch,
                                               .doc = "What the lanes of a vmap make together."};

/* ---- psum ----------------------------------------------------------------------------------- */

static void psum_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[0] = apply(s, c, LUCID__psum, ct[0]);
}

const lucid__rules lucid__rules_psum = {
    .transpose = psum_transpose, .linear = LUCID__ALL_INPUTS, .doc = "Sum over the lanes."};

/* ---- pmax, pmin: the tangent is the mean over the lanes that attain the extreme, as for amax -------- */

static void pextreme_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                         const lucid_tensor *dx, lucid_tensor *dy)
{
    lucid_tensor hit = lucid_cast(s, lucid_eq(s, c->in[0], y[0]), y[0].v->aval.dtype);
    lucid_tensor count = apply(s, c, LUCID__psum, hit);
    dy[0] = lucid_div(s, apply(s, c, LUCID__psum, lucid_mul(s, dx[0], hit)), count);
}

const lucid__rules lucid__rules_pmax = {.jvp = pextreme_jvp, .doc = "Largest over the lanes."};
const lucid__rules lucid__rules_pmin = {.jvp = pextreme_jvp, .doc = "Smallest over the lanes."};

/* ---- all_gather: the lanes become dim 0 -------------------------------------------------------- */

static bool all_gather_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             lucid__aval *out)
{
    if (in->shape.ndim >= LUCID_MAX_NDIM) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "all_gather: the result has more than %d dims",
                         LUCID_MAX_NDIM);
        return false;
    }
    *out = (lucid__aval){in->dtype, lucid__shape_insert(&in->shape, 0, c->params[1])};
    return true;
}

static void all_gather_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                             lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = apply(s, c, LUCID__all_gather, c->in[0]);
    out_axis[0] = axis[0] + 1;
}

static void all_gather_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                 const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[0] = apply(s, c, LUCID__reduce_scatter, ct[0]);
}

const lucid__rules lucid__rules_all_gather = {.infer = all_gather_infer,
                                              .batch = all_gather_batch,
                                              .transpose = all_gather_transpose,
                                              .linear = LUCID__ALL_INPUTS,
                                              .doc = "The values of all lanes, along dim 0."};

/* ---- reduce_scatter: the other way; dim 0 has one part for each lane ------------------------------- */

static bool reduce_scatter_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                 lucid__aval *out)
{
    (void)s, (void)c;
    *out = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, 0)};
    return true;
}

static void reduce_scatter_batch(lucid_scope *s, const lucid__call *c, const int *axis,
                                 int64_t size, lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = apply(s, c, LUCID__reduce_scatter, lucid__move_batch(s, c->in[0], axis[0], 1));
    out_axis[0] = 0;
}

static void reduce_scatter_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                     const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[0] = apply(s, c, LUCID__all_gather, ct[0]);
}

const lucid__rules lucid__rules_reduce_scatter = {
    .infer = reduce_scatter_infer,
    .batch = reduce_scatter_batch,
    .transpose = reduce_scatter_transpose,
    .linear = LUCID__ALL_INPUTS,
    .doc = "Sum over the lanes, of which each keeps its own part of dim 0."};
