#include "engine/location.h"

#include <string.h>

#include "prim/prim_id.h"

lucid__location lucid__row_major(int slot, const lucid__aval *aval)
{
    lucid__location l = {.slot = slot, .aval = *aval};
    lucid__strides(&aval->shape, l.stride);
    return l;
}

static void view_broadcast(const lucid__location *in, lucid__location *out)
{
    int lead = out->aval.shape.ndim - in->aval.shape.ndim;
    for (int i = 0; i < out->aval.shape.ndim; i++) {
        bool grown = i < lead || in->aval.shape.dim[i - lead] != out->aval.shape.dim[i];
        out->stride[i] = grown ? 0 : in->stride[i - lead];
    }
}

/* The dims of size other than 1. */
static int solid_dims(const lucid_shape *shape, int *dims)
{
    int n = 0;
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] != 1)
            dims[n++] = i;
    return n;
}

/* Cuts both shapes, dims of size 1 left out, into groups of equal products. A group can be viewed when
 * its input dims lie one within the other: each stride the next one's times its size. */
static bool view_reshape(const lucid__location *in, lucid__location *out)
{
    const lucid_shape *from = &in->aval.shape, *to = &out->aval.shape;
    if (lucid__numel(from) == 0) {
        lucid__strides(to, out->stride);
        return true;
    }
    int f[LUCID_MAX_NDIM], t[LUCID_MAX_NDIM];
    int nf = solid_dims(from, f);
    (void)solid_dims(to, t);
    for (int k = 0; k < to->ndim; k++)
        out->stride[k] = 0;
    for (int i = 0, j = 0; i < nf;) {
        int i0 = i, j0 = j;
        int64_t a = from->dim[f[i++]], b = to->dim[t[j++]];
        while (a != b) {
            if (a < b)
                a = lucid__times(a, from->dim[f[i++]]);
            else
                b = lucid__times(b, to->dim[t[j++]]);
        }
        for (int k = i - 1; k > i0; k--)
            if (in->stride[f[k - 1]] != in->stride[f[k]] * from->dim[f[k]])
                return false;
        int64_t step = in->stride[f[i - 1]];
        for (int k = j - 1; k >= j0; k--) {
            out->stride[t[k]] = step;
            step = lucid__times(step, to->dim[t[k]]);
        }
    }
    return true;
}

bool lucid__view_of(const lucid__op *op, const lucid__location *in, lucid__location *out)
{
    *out = (lucid__location){.slot = in->slot, .aval = op->out[0], .offset = in->offset};
    int n = in->aval.shape.ndim;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__permute:
        for (int i = 0; i < n; i++)
            out->stride[i] = in->stride[op->params[i]];
        return true;
    case LUCID__broadcast:
        view_broadcast(in, out);
        return true;
    case LUCID__slice:
        for (int i = 0; i < n; i++) {
            if (out->aval.shape.dim[i] > 0)
                out->offset += op->params[i] * in->stride[i];
            out->stride[i] = in->stride[i] * op->params[2 * n + i];
        }
        return true;
    case LUCID__reshape:
        return view_reshape(in, out);
    case LUCID__detach:
    case LUCID__tie_guard:
        memcpy(out->stride, in->stride, (size_t)n * sizeof *out->stride);
        return true;
    default:
        return false;
    }
}
