/* What the dims of an operation's inputs become, and what is left of it when the batch is taken away. */
#include <string.h>

#include "engine/lane_region.h"
#include "prim/prim.h"

/* A dim of the same size with as many elements in front of it. */
static int reshape_passes(const lucid_shape *from, const lucid_shape *to, int d)
{
    int64_t before = 1, at = 1;
    for (int i = 0; i < d; i++)
        before = lucid__times(before, from->dim[i]);
    for (int e = 0; e < to->ndim; at = lucid__times(at, to->dim[e++]))
        if (at == before && to->dim[e] == from->dim[d])
            return e;
    return -1;
}

static int find(const int64_t *dims, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++)
        if (dims[i] == d)
            return (int)i;
    return -1;
}

static int contract_passes(const int64_t *params, int xdims, int i, int d)
{
    int64_t nb = params[0], nc = params[1];
    const int64_t *batch = params + 2 + i * nb, *summed = params + 2 + 2 * nb + i * nc;
    int at = find(batch, nb, d);
    if (at >= 0 || find(summed, nc, d) >= 0)
        return at;
    int to = (int)(i == 0 ? nb : xdims - nc); /* behind the batch, or behind x's free dims */
    for (int e = 0; e < d; e++)
        to += find(batch, nb, e) < 0 && find(summed, nc, e) < 0;
    return to;
}

/* gather(x, i1 .. im), see prim/indexing_prims.c */
static int gather_passes(const lucid__sketch *sk, const lucid__op *op, int i, int d)
{
    int nb = (int)op->params[0], m = op->nin - 1;
    int nk = lucid__sketch_aval(sk, op->in[1])->shape.ndim - nb;
    if (i > 0 || d < nb)
        return d;
    return d < nb + m ? -1 : d - m + nk;
}

static int reduction_passes(const int64_t *dims, int n, int d)
{
    int to = d;
    for (int r = 0; r < n; r++) {
        if (dims[r] == d)
            return -1;
        to -= dims[r] < d;
    }
    return to;
}

int lucid__dim_passes(const lucid__sketch *sk, const lucid__op *op, int i, int d)
{
    const lucid_shape *in = &lucid__sketch_aval(sk, op->in[i])->shape, *out = &op->out[0].shape;
    const int64_t *p = op->params;
    int n = in->ndim;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__detach:
        return d;
    case LUCID__tie_guard: /* the dims in front; rows of values stand beside values alone */
        return d < out->ndim - 2 ? d : -1;
    case LUCID__reshape:
        return reshape_passes(in, out, d);
    case LUCID__permute:
        return find(p, n, d);
    case LUCID__broadcast: {
        int to = d + out->ndim - n;
        return in->dim[d] == out->dim[to] ? to : -1;
    }
    case LUCID__slice:
        return p[d] == 0 && p[n + d] == in->dim[d] && (p[2 * n + d] == 1 || in->dim[d] == 1) ? d
                                                                                             : -1;
    case LUCID__pad:
        return p[d] == 0 && p[n + d] == 0 && (p[2 * n + d] == 0 || in->dim[d] <= 1) ? d : -1;
    case LUCID__concatenate:
    case LUCID__cumsum:
    case LUCID__cumprod:
        return p[0] == d ? -1 : d;
    case LUCID__argmax:
    case LUCID__argmin:
        return reduction_passes(p, 1, d);
    case LUCID__contract:
        return contract_passes(p, lucid__sketch_aval(sk, op->in[0])->shape.ndim, i, d);
    case LUCID__gather:
        return gather_passes(sk, op, i, d);
    case LUCID__pinv:
        return -1;
    default:
        break;
    }
    switch (lucid__prim_get((lucid__prim_id)op->prim)->family) {
    case LUCID__ELEMENTWISE:
        return d;
    case LUCID__REDUCTION:
        return reduction_passes(p, op->nparams, d);
    case LUCID__LINALG:
        return d < n - 2 ? d : -1;
    default:
        return -1;
    }
}

/* ---- one example ----------------------------------------------------------------------------------- */

/* `lists` lists of n parameters, one for each dim: without those of dim d. */
static int without(const int64_t *from, int n, int lists, int d, int64_t *to)
{
    int at = 0;
    for (int i = 0; i < n * lists; i++)
        if (d < 0 || i % n != d)
            to[at++] = from[i];
    return at;
}

/* Dims behind d are one less. */
static int64_t shifted(int64_t dim, int d)
{
    return dim - (d >= 0 && dim > d);
}

static int contract_of_one(const int64_t *p, const int *in_dim, int64_t *to)
{
    int64_t nb = p[0], nc = p[1], n = 2;
    int shared = in_dim[0] >= 0 ? find(p + 2, nb, in_dim[0]) : -1; /* the batch is one of x and y */
    to[0] = nb - (shared >= 0);
    to[1] = nc;
    for (int64_t i = 0; i < 2 * nb + 2 * nc; i++) {
        bool of_y = i < 2 * nb ? i >= nb : i - 2 * nb >= nc;
        if (shared < 0 || i >= 2 * nb || i % nb != shared)
            to[n++] = shifted(p[2 + i], in_dim[of_y]);
    }
    return (int)n;
}

const int64_t *lucid__params_of_one(const lucid__sketch *sk, const lucid__op *op, const int *in_dim,
                                    int out_dim, int *nparams)
{
    const int64_t *p = op->params;
    int64_t *to = lucid__arena_alloc(sk->arena, (size_t)(op->nparams + 1) * sizeof *to);
    int n = op->nin > 0 ? lucid__sketch_aval(sk, op->in[0])->shape.ndim : 0;
    *nparams = op->nparams;
    if (!to)
        return NULL;
    switch ((lucid__prim_id)op->prim) {
    case LUCID__reshape:
    case LUCID__broadcast:
        *nparams = without(p, op->nparams, 1, out_dim, to);
        return to;
    case LUCID__permute:
        *nparams = without(p, n, 1, out_dim, to);
        for (int i = 0; i < *nparams; i++)
            to[i] = shifted(to[i], in_dim[0]);
        return to;
    case LUCID__slice:
    case LUCID__pad:
        *nparams = without(p, n, 3, in_dim[0], to);
        return to;
    case LUCID__contract:
        *nparams = contract_of_one(p, in_dim, to);
        return to;
    case LUCID__iota:
        *nparams = without(p + 2, op->nparams - 2, 1, out_dim, to + 2) + 2;
        to[0] = p[0];
        to[1] = shifted(p[1], out_dim);
        return to;
    default:
        break;
    }
    memcpy(to, p, (size_t)op->nparams * sizeof *to);
    if (op->prim == LUCID__gather) /* a batch of one dim less */
        to[0] -= in_dim[0] >= 0 && in_dim[0] < p[0];
    else if (op->prim == LUCID__concatenate || op->prim == LUCID__cumsum ||
             op->prim == LUCID__cumprod)
        to[0] = shifted(p[0], out_dim);
    else if (lucid__prim_get((lucid__prim_id)op->prim)->family == LUCID__REDUCTION)
        for (int i = 0; i < op->nparams; i++)
            to[i] = shifted(p[i], in_dim[0]);
    return to;
}
