#include "engine/location.h"

#include <string.h>

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

/* Cuts both shapes into groups of dims with equal products; a group can be viewed when its input dims
 * (size 1 left out) lie one within the other, each stride the next one's times its size. */
static bool view_reshape(const lucid__location *in, lucid__location *out)
{
    const lucid_shape *from = &in->aval.shape, *to = &out->aval.shape;
    if (lucid__numel(from) == 0) {
        lucid__strides(to, out->stride);
        return true;
    }
    int i = 0, j = 0;
    while (i < from->ndim || j < to->ndim) {
        int i0 = i, j0 = j;
        int64_t a = i < from->ndim ? from->dim[i++] : 1, b = j < to->ndim ? to->dim[j++] : 1;
        while (a != b) {
            if (a < b)
                a *= from->dim[i++];
            else
                b *= to->dim[j++];
        }
        /* Trailing dims of size 1 of the last group. */
        if (i == from->ndim)
            while (j < to->ndim && to->dim[j] == 1)
                j++;
        int64_t step = 0, expected = 0;
        bool first = true;
        for (int k = i - 1; k >= i0; k--) {
            if (from->dim[k] == 1)
                continue;
            if (!first && in->stride[k] != expected)
                return false;
            if (first)
                step = in->stride[k];
            first = false;
            expected = in->stride[k] * from->dim[k];
        }
        for (int k = j - 1; k >= j0; k--) {
            out->stride[k] = step;
            step *= to->dim[k];
        }
    }
    return true;
}

bool lucid__view_of(const lucid__node *node, const lucid__location *in, lucid__location *out)
{
    *out = (lucid__location){.slot = in->slot, .aval = node->out[0].aval, .offset = in->offset};
    int n = in->aval.shape.ndim;
    switch ((lucid__prim_id)node->prim) {
    case LUCID__permute:
        for (int i = 0; i < n; i++)
            out->stride[i] = in->stride[node->params[i]];
        return true;
    case LUCID__broadcast:
        view_broadcast(in, out);
        return true;
    case LUCID__slice:
        for (int i = 0; i < n; i++) {
            if (out->aval.shape.dim[i] > 0)
                out->offset += node->params[i] * in->stride[i];
            out->stride[i] = in->stride[i] * node->params[2 * n + i];
        }
        return true;
    case LUCID__reshape:
        return view_reshape(in, out);
    default:
        return false;
    }
}
