/* Reading and writing at positions that data name. */
#include <string.h>

#include "engine/lower_emit.h"

/* ---- gather(x, i1 .. im): prim/indexing_prims.c ------------------------------------------------ */

/* How the dims of a gather lie in a program: those of x and of the indices, as dims of the result. */
typedef struct positions {
    int nb, k, rest;           /* shared dims, of positions, untouched */
    int order[LUCID_MAX_NDIM]; /* the result's dims, from the outermost in memory on */
    lucid_shape shape;         /* of the result, in that order */
    int64_t x_stride[LUCID_MAX_NDIM];
} positions;

static int64_t magnitude(int64_t x)
{
    return x < 0 ? -x : x;
}

/* What is an outer dim of x in memory, from the indexed dim's point of view, is one of the result, too, and what is
 * an inner one stays one: rows are copied as they stand, and what is looked up within a row stays within it. */
static positions positions_of(const lucid__op *op, const lucid__location *x,
                              const lucid__location *index)
{
    positions p = {.nb = (int)op->params[0]};
    int m = op->nin - 1, n = 0, first = p.nb + m;
    p.k = index->aval.shape.ndim - p.nb;
    p.rest = x->aval.shape.ndim - first;
    const int64_t step = magnitude(x->stride[first - 1]);
    for (int inner = 0; inner < 2; inner++) {
        for (int i = 0; i < p.nb; i++)
            if ((x->stride[i] != 0 && magnitude(x->stride[i]) <= step) == inner)
                p.order[n++] = i;
        for (int i = 0; i < p.rest; i++)
            if ((magnitude(x->stride[first + i]) <= step) == inner)
                p.order[n++] = p.nb + p.k + i;
        for (int i = 0; i < p.k && !inner; i++)
            p.order[n++] = p.nb + i;
    }
    p.shape.ndim = n;
    for (int i = 0; i < n; i++) {
        int d = p.order[i];
        p.shape.dim[i] = op->out[0].shape.dim[d];
        p.x_stride[i] = d < p.nb ? x->stride[d] : d < p.nb + p.k ? 0 : x->stride[d - p.k + m];
    }
    return p;
}

/* An index, as it is read over the result's dims. */
static lucid__location spread_index(const positions *p, const lucid__location *index)
{
    lucid__location l = *index;
    l.aval.shape = p->shape;
    for (int i = 0; i < p->shape.ndim; i++)
        l.stride[i] = p->order[i] < p->nb + p->k ? index->stride[p->order[i]] : 0;
    return l;
}

/* How far from x's first element on the positions are that the first indices name, row-major: as a location of
 * int64 over the positions. */
static bool locate(lucid__lowering *l, const lucid__op *op, const lucid__location *index,
                   const lucid__table *table, lucid__location *out)
{
    const lucid__aval aval = {LUCID_INT64, index[0].aval.shape};
    lucid__location nowhere = {.slot = -1, .aval = aval};
    if (!lucid__lower_alloc(l, &aval, out))
        return false;
    lucid__lower_draft d = {.space = aval.shape,
                            .nloads = table->n,
                            .store = *out,
                            .has_instr = true,
                            .instr = {.op = LUCID__gather, .dtype = LUCID_INT64, .to = LUCID_INT64},
                            .table = table,
                            .looked_up = &nowhere};
    for (int j = 0; j < table->n; j++)
        d.loads[j] = index[j];
    return lucid__emit_program(l, (lucid__prim_id)op->prim, &d);
}

/* Takes up the indices from number `first` on, as many as there is room for. */
static int add_indices(const lucid__op *op, const lucid__location *x, const lucid__location *index,
                       int first, lucid__table *table)
{
    int nb = (int)op->params[0], m = op->nin - 1;
    table->shown_dim = (op->nparams > 1 ? (int)op->params[1] : 0) + first - table->n;
    for (; first < m && table->n < LUCID__TABLE_INDICES; first++, table->n++) {
        table->dtype[table->n] = (uint8_t)index[first].aval.dtype;
        table->size[table->n] = x->aval.shape.dim[nb + first];
        table->step[table->n] = x->stride[nb + first];
    }
    return first;
}

/* Positions already worked out are one more index, which needs no check. */
bool lucid__lower_gather(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                         lucid__location *out)
{
    lucid__location x = in[0], index[LUCID_MAX_NDIM];
    const int m = op->nin - 1;
    const bool nothing = lucid__numel(&op->out[0].shape) == 0;
    memcpy(index, in + 1, (size_t)m * sizeof *index);
    if (m > LUCID__TABLE_INDICES && !lucid__is_contiguous(&x.aval.shape, x.stride) &&
        (!lucid__lower_alloc(l, &x.aval, &x) ||
         !lucid__emit_copy(l, LUCID__gather, &in[0], &x, false)))
        return false;
    lucid__table table = {0};
    int done = add_indices(op, &x, index, 0, &table);
    while (done < m || (nothing && table.n > 0)) {
        lucid__location found;
        if (!locate(l, op, index + done - table.n, &table, &found))
            return false;
        l->plan->slots[found.slot].checks = nothing;
        table = (lucid__table){.n = 1, .dtype = {LUCID_INT64}, .size = {INT64_MAX}, .step = {1}};
        if (done == m)
            return true;
        index[done - 1] = found;
        done = add_indices(op, &x, index, done, &table);
    }
    positions p = positions_of(op, &x, &in[1]);
    lucid__lower_draft d = {
        .space = p.shape,
        .nloads = table.n,
        .has_instr = true,
        .instr = {.op = LUCID__gather, .dtype = (uint8_t)x.aval.dtype, .to = (uint8_t)x.aval.dtype},
        .table = &table,
        .looked_up = &x};
    int64_t stride[LUCID_MAX_NDIM];
    lucid__strides(&p.shape, stride);
    for (int i = 0; i < p.shape.ndim; i++)
        out->stride[p.order[i]] = stride[i];
    for (int j = 0; j < table.n; j++)
        d.loads[j] = spread_index(&p, &index[m - table.n + j]);
    d.store = *out;
    d.store.aval.shape = p.shape;
    memcpy(d.store.stride, stride, sizeof stride);
    memcpy(x.stride, p.x_stride, sizeof x.stride);
    return lucid__emit_program(l, LUCID__gather, &d);
}

/* ---- scatter(y, v, i), scatter_add(y, v, i) at one position -------------------------------------- */

bool lucid__asks_places(const lucid__op *op, const lucid__location *in)
{
    enum { SMALL = 4096 };
    const lucid_shape *index = &in[op->nin - 1].aval.shape;
    int64_t n = lucid__numel(&op->out[0].shape);
    bool once = op->nin == 3 && n > 0 && (n <= SMALL || op->users > 0);
    for (int d = (int)op->params[0]; d < index->ndim; d++)
        once &= index->dim[d] == 1;
    return once;
}

/* Every place along the indexed dim is asked whether it is meant: elementwise, and part of any program. */
bool lucid__lower_single_write(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                               lucid__location *out)
{
    const int nb = (int)op->params[0], k = in[2].aval.shape.ndim - nb;
    const lucid__aval all = out->aval;
    const lucid_dtype dtype = all.shape.dim[nb] <= INT32_MAX ? LUCID_INT32 : LUCID_INT64;
    lucid__aval count = {dtype, {1, {all.shape.dim[nb]}}}, narrow = {dtype, in[2].aval.shape};
    lucid__aval same = {LUCID_BOOL, all.shape};
    lucid__location asked[2], found, choice[3], v = in[1];
    same.shape.ndim = nb + 1;
    lucid__table table = {.n = 1,
                          .shown_dim = op->nparams > 1 ? (int)op->params[1] : 0,
                          .dtype = {(uint8_t)in[2].aval.dtype},
                          .size = {all.shape.dim[nb]},
                          .step = {1}};
    int64_t iota_params[2] = {dtype, 0};
    const lucid__op iota = {.prim = LUCID__iota, .params = iota_params, .out = &count};
    const lucid__op cast = {.prim = LUCID__cast, .nin = 1, .out = &narrow};
    const lucid__op eq = {.prim = LUCID__eq, .nin = 2, .out = &same};
    const lucid__op add = {.prim = LUCID__add, .nin = 2, .out = op->out};
    const lucid__op where = {.prim = LUCID__where, .nin = 3, .out = op->out};
    if (!locate(l, op, &in[2], &table, &found) || !lucid__lower_alloc(l, &count, &asked[0]) ||
        !lucid__lower_iota(l, &iota, &asked[0]) || !lucid__lower_alloc(l, &narrow, &asked[1]) ||
        !lucid__lower_elementwise(l, &cast, &found, &asked[1]) ||
        !lucid__lower_alloc(l, &same, &choice[0]))
        return false;
    asked[0].aval.shape = asked[1].aval.shape = same.shape;
    memset(asked[0].stride, 0, sizeof asked[0].stride);
    asked[0].stride[nb] = 1;
    asked[1].stride[nb] = 0;
    if (!lucid__lower_elementwise(l, &eq, asked, &choice[0]))
        return false;
    choice[0].aval.shape = v.aval.shape = all.shape;
    for (int d = nb; d < all.shape.ndim; d++) {
        choice[0].stride[d] = d == nb ? choice[0].stride[d] : 0;
        v.stride[d] = d == nb ? 0 : in[1].stride[d - 1 + k];
    }
    choice[1] = v;
    choice[2] = in[0];
    if (op->prim == LUCID__scatter_add) {
        const lucid__location terms[2] = {in[0], v};
        if (!lucid__lower_alloc(l, &all, &choice[1]) ||
            !lucid__lower_elementwise(l, &add, terms, &choice[1]))
            return false;
    }
    return lucid__lower_elementwise(l, &where, choice, out);
}
