/* lanes_out, lanes_in: the lanes of a running vmap as a dim, and back. A run inside that vmap whose lanes are
 * tuples of both (transform/split.h) takes what the vmap carries out of it, gathers, and puts results back.
 * params: the id of the level, the number of its lanes and how often it had been narrowed at the time.
 *
 * As all_gather they pass through the transforms between, by these rules, and become something else at the
 * level itself (transform/collective.c). Unlike there, what comes out is one value that no lane owns: each is
 * the other's transpose, and nothing is summed.
 */
#include "prim/family.h"

static lucid_tensor apply(lucid_scope *s, const lucid__call *c, lucid__prim_id prim, lucid_tensor x)
{
    return lucid__bind1(s, prim, &x, 1, c->params, c->nparams);
}

static bool lanes_out_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            lucid__aval *out)
{
    if (in->shape.ndim >= LUCID_MAX_NDIM) {
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: a tensor with the lanes of all vmaps around it has more than %d dims",
            LUCID_MAX_NDIM);
        return false;
    }
    *out = (lucid__aval){in->dtype, lucid__shape_insert(&in->shape, 0, c->params[1])};
    return true;
}

static void lanes_out_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                            lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = apply(s, c, LUCID__lanes_out, c->in[0]);
    out_axis[0] = axis[0] + 1;
}

static void lanes_out_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[0] = apply(s, c, LUCID__lanes_in, ct[0]);
}

const lucid__rules lucid__rules_lanes_out = {.infer = lanes_out_infer,
                                             .batch = lanes_out_batch,
                                             .transpose = lanes_out_transpose,
                                             .linear = LUCID__ALL_INPUTS,
                                             .doc = "The lanes of a vmap as dim 0."};

static bool lanes_in_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           lucid__aval *out)
{
    (void)s, (void)c;
    *out = (lucid__aval){in->dtype, lucid__shape_remove(&in->shape, 0)};
    return true;
}

static void lanes_in_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                           lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = apply(s, c, LUCID__lanes_in, lucid__move_batch(s, c->in[0], axis[0], 1));
    out_axis[0] = 0;
}

static void lanes_in_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                               const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    dct[0] = apply(s, c, LUCID__lanes_out, ct[0]);
}

const lucid__rules lucid__rules_lanes_in = {.infer = lanes_in_infer,
                                            .batch = lanes_in_batch,
                                            .transpose = lanes_in_transpose,
                                            .linear = LUCID__ALL_INPUTS,
                                            .doc = "Dim 0 as the lanes of a vmap."};
