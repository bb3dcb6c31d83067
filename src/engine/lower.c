#include "engine/lower.h"

#include <string.h>

#include "base/memory.h"
#include "engine/force.h"
#include "engine/work.h"
#include "prim/prim.h"

static bool out_of_memory(lucid__lowering *l)
{
    lucid__out_of_memory(l->s);
    return false;
}

/* ---- slots and steps --------------------------------------------------------------------------- */

static bool add_slot(lucid__plan *p, size_t bytes)
{
    if (p->nslots == p->slot_capacity) {
        int capacity = p->slot_capacity ? 2 * p->slot_capacity : 16;
        lucid__slot *more = lucid__realloc(p->slots, (size_t)capacity * sizeof *more);
        if (!more)
            return false;
        p->slots = more;
        p->slot_capacity = capacity;
    }
    p->slots[p->nslots++] = (lucid__slot){.bytes = bytes, .made_by = -1, .last_used = -1};
    return true;
}

bool lucid__lower_alloc(lucid__lowering *l, const lucid__aval *aval, lucid__location *to)
{
    int64_t n = lucid__numel(&aval->shape);
    if (n < 0 || n > INT64_MAX / 16 ||
        !add_slot(l->plan, (size_t)n * lucid_dtype_size(aval->dtype)))
        return out_of_memory(l);
    *to = lucid__row_major(l->plan->nslots - 1, aval);
    return true;
}

bool lucid__lower_step(lucid__lowering *l, const lucid__step *step)
{
    return lucid__draft_steps_add(l->steps, step) || out_of_memory(l);
}

/* ---- programs ------------------------------------------------------------------------------------ */

/* A program over `space` (kept dims, then `reduced` dims): loads are registers 0, 1, ...; the
 * instruction, if any, writes the register after them. */
typedef struct draft {
    lucid_shape space;
    int reduced, nloads;
    lucid__location loads[3];
    const int64_t *load_stride[3]; /* over the space; NULL: the location's own */
    lucid__location store;
    lucid__instr instr;
    bool has_instr;
    bool overwrites;           /* what an earlier step wrote */
    const lucid__table *table; /* of a gather, whose loads are the indices */
    const lucid__location *looked_up;
    const lucid__margin *margin; /* of the store */
} draft;

/* Dims of size 1 are left out, so that programs over the same points have the same dims. */
static lucid__stream stream(const draft *d, const lucid__location *l, const int64_t *stride,
                            int ndim, int reg)
{
    lucid__stream t = {.slot = l->slot,
                       .dtype = (uint8_t)l->aval.dtype,
                       .reg = (uint16_t)reg,
                       .offset = l->offset};
    for (int i = 0, n = 0; i < ndim; i++)
        if (d->space.dim[i] != 1)
            t.stride[n++] = stride[i];
    return t;
}

/* The indices lie over the dims along which one of them changes; over all, where the result is positions. */
static bool add_table(lucid__lowering *l, const draft *d, lucid__program *g)
{
    uint16_t over = 0;
    g->tables = lucid__arena_alloc(l->steps->arena, sizeof *g->tables);
    if (!g->tables)
        return out_of_memory(l);
    for (int i = 0; i < g->nloads; i++)
        for (int k = 0; k < g->ndim; k++)
            over |= (uint16_t)((d->looked_up->slot < 0 || g->loads[i].stride[k] != 0) << k);
    for (int i = 0; i < g->nloads; i++)
        g->over[i] = over;
    g->ntables = 1;
    g->tables[0] = *d->table;
    g->tables[0].at =
        stream(d, d->looked_up, d->looked_up->stride, d->space.ndim, g->instrs[0].dst);
    return true;
}

static bool emit_program(lucid__lowering *l, lucid__prim_id made_for, const draft *d)
{
    lucid__step step = {.kind = LUCID__STEP_PROGRAM, .prim = made_for, .overwrites = d->overwrites};
    lucid__program *g = &step.program;
    int nkept = d->space.ndim - d->reduced, kept = 0;
    for (int i = 0; i < d->space.ndim; i++) {
        if (d->space.dim[i] == 0)
            return true; /* nothing to write */
        if (d->space.dim[i] == 1)
            continue;
        g->dim[g->ndim++] = d->space.dim[i];
        kept += i < nkept;
    }
    g->nloads = d->nloads;
    g->nstores = 1;
    g->ninstrs = d->has_instr;
    g->nregs = d->nloads + d->has_instr;
    lucid__stream streams[LUCID__DRAFT_LOADS + 1];
    lucid__instr instr = {0};
    uint16_t over[LUCID__DRAFT_LOADS + 1] = {0};
    g->loads = streams;
    g->stores = streams + d->nloads;
    g->instrs = &instr;
    g->over = over;
    int result = g->nregs - 1;
    for (int i = 0; i < g->nregs; i++)
        g->over[i] = (uint16_t)((1u << g->ndim) - 1);
    for (int i = 0; i < d->nloads; i++)
        g->loads[i] =
            stream(d, &d->loads[i], d->load_stride[i] ? d->load_stride[i] : d->loads[i].stride,
                   d->space.ndim, i);
    g->stores[0] = stream(d, &d->store, d->store.stride, nkept, result);
    g->stores[0].margin = d->margin;
    if (d->has_instr) {
        g->instrs[0] = d->instr;
        g->instrs[0].dst = (uint16_t)result;
        for (int i = 0; i < 3; i++)
            g->instrs[0].src[i] = (uint16_t)(i < d->nloads ? i : result);
    }
    if (d->table && !add_table(l, d, g))
        return false;
    if (d->reduced > 0)
        g->over[result] = (uint16_t)((1u << kept) - 1);
    lucid__program_survey(g);
    return lucid__lower_step(l, &step);
}

static bool emit_copy(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *from,
                      const lucid__location *to, bool overwrites)
{
    draft d = {.space = from->aval.shape,
               .nloads = 1,
               .loads = {*from},
               .store = *to,
               .overwrites = overwrites};
    return emit_program(l, made_for, &d);
}

/* The same number everywhere. */
static bool emit_fill(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *to,
                      int64_t number)
{
    draft d = {.space = to->aval.shape,
               .store = *to,
               .has_instr = true,
               .instr = {.op = LUCID__constant, .dtype = (uint8_t)to->aval.dtype, .imm = number}};
    return emit_program(l, made_for, &d);
}

/* ---- families -------------------------------------------------------------------------------------- */

static bool lower_elementwise(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                              lucid__location *out)
{
    draft d = {.space = op->out[0].shape, .nloads = op->nin, .has_instr = true};
    for (int i = 0; i < op->nin; i++)
        d.loads[i] = in[i];
    d.store = *out;
    d.instr = (lucid__instr){.op = op->prim,
                             .dtype = (uint8_t)in[op->nin - 1].aval.dtype,
                             .to = (uint8_t)op->out[0].dtype,
                             .imm = op->nparams > 0 ? op->params[0] : 0};
    if (op->prim == LUCID__cast && d.instr.dtype == d.instr.to)
        d.has_instr = false;
    return emit_program(l, (lucid__prim_id)op->prim, &d);
}

static bool lower_iota(lucid__lowering *l, const lucid__op *op, lucid__location *out)
{
    const lucid_shape *shape = &op->out[0].shape;
    draft d = {.space = *shape, .store = *out, .has_instr = true};
    int64_t dim = 0;
    if (shape->dim[op->params[1]] == 1)
        return emit_fill(l, LUCID__iota, out, 0);
    for (int i = 0; i < op->params[1]; i++)
        dim += shape->dim[i] != 1;
    d.instr = (lucid__instr){.op = LUCID__iota, .dtype = (uint8_t)op->params[0], .imm = dim};
    return emit_program(l, LUCID__iota, &d);
}

/* 1 where the index of the row is that of the column. */
static bool lower_basis(lucid__lowering *l, lucid__location *out)
{
    const lucid__aval index = {LUCID_INT64, out->aval.shape}, same = {LUCID_BOOL, out->aval.shape};
    lucid__location in[2], equal;
    for (int d = 0; d < 2; d++) {
        const int64_t params[2] = {LUCID_INT64, d};
        const lucid__op iota = {
            .prim = LUCID__iota, .params = params, .out = (lucid__aval[]){index}};
        if (!lucid__lower_alloc(l, &index, &in[d]) || !lower_iota(l, &iota, &in[d]))
            return false;
    }
    const lucid__op eq = {.prim = LUCID__eq, .nin = 2, .out = (lucid__aval[]){same}};
    const lucid__op cast = {.prim = LUCID__cast, .nin = 1, .out = &out->aval};
    return lucid__lower_alloc(l, &same, &equal) && lower_elementwise(l, &eq, in, &equal) &&
           lower_elementwise(l, &cast, &equal, out);
}

static bool lower_reduction(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                            lucid__location *out)
{
    draft d = {.reduced = op->nparams, .nloads = 1};
    const lucid_shape *shape = &in->aval.shape;
    const lucid__prim_id prim = (lucid__prim_id)op->prim;
    int64_t stride[LUCID_MAX_NDIM], points = 1;
    int kept = 0, r = 0, nkept = shape->ndim - op->nparams;
    for (int i = 0; i < shape->ndim; i++) {
        bool reduced = r < op->nparams && op->params[r] == i;
        int to = reduced ? nkept + r++ : kept++;
        d.space.dim[to] = shape->dim[i];
        stride[to] = in->stride[i];
        if (reduced)
            points = shape->dim[i] == 0 || points == 0 ? 0 : points > 1 ? points : shape->dim[i];
    }
    if (points == 0) /* of nothing */
        return emit_fill(l, prim, out, prim == LUCID__prod || prim == LUCID__all);
    d.space.ndim = shape->ndim;
    d.loads[0] = *in;
    d.load_stride[0] = stride;
    d.store = *out;
    d.has_instr = points > 1;
    d.instr = (lucid__instr){.op = op->prim, .dtype = (uint8_t)in->aval.dtype};
    return emit_program(l, prim, &d);
}

/* A slot that is to have several parts, none so far; NULL: too many, or out of memory, which does no harm. */
static lucid__parts *new_parts(lucid__lowering *l, const lucid__op *op, int most, bool holes)
{
    if (most > LUCID__MAX_PARTS)
        return NULL;
    lucid__parts *parts =
        lucid__arena_alloc(l->plan->arena, sizeof *parts + (size_t)most * sizeof *parts->part);
    if (!parts)
        return NULL;
    *parts =
        (lucid__parts){.made_for = (uint16_t)op->prim, .holes = holes, .shape = op->out[0].shape};
    return parts;
}

/* The elements of a location, from position low[] on. */
static void add_part(lucid__parts *parts, const lucid__location *from, const int64_t *low)
{
    lucid__part *part = &parts->part[parts->n++];
    part->from = (lucid__stream){
        .slot = from->slot, .dtype = (uint8_t)from->aval.dtype, .offset = from->offset};
    for (int d = 0; d < from->aval.shape.ndim; d++) {
        part->from.stride[d] = from->stride[d];
        part->from.offset -= low[d] * from->stride[d];
        part->low[d] = low[d];
        part->high[d] = low[d] + from->aval.shape.dim[d];
    }
}

/* Each input is copied to its part of the output. */
static bool lower_concatenate(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                              lucid__location *out)
{
    int dim = (int)op->params[0];
    int64_t low[LUCID_MAX_NDIM] = {0};
    lucid__location part = *out;
    lucid__parts *parts = new_parts(l, op, op->nin, false);
    for (int i = 0; i < op->nin; i++) {
        part.aval.shape = in[i].aval.shape;
        if (!emit_copy(l, LUCID__concatenate, &in[i], &part, false))
            return false;
        if (parts)
            add_part(parts, &in[i], low);
        low[dim] += in[i].aval.shape.dim[dim];
        part.offset += in[i].aval.shape.dim[dim] * out->stride[dim];
    }
    l->plan->slots[out->slot].parts = parts;
    return true;
}

static bool lower_pad(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                      lucid__location *out)
{
    int n = in->aval.shape.ndim;
    lucid__location part = *out;
    part.aval.shape = in->aval.shape;
    bool apart = false, around = lucid__numel(&in->aval.shape) > 0;
    lucid__margin *margin = lucid__arena_alloc(l->plan->arena, sizeof *margin);
    if (!margin)
        return out_of_memory(l);
    for (int i = 0; i < n; i++) {
        const int64_t low = op->params[i], high = op->params[n + i];
        part.offset += low * out->stride[i];
        part.stride[i] = out->stride[i] * (op->params[2 * n + i] + 1);
        apart |= op->params[2 * n + i] != 0;
        around &= (low == 0 && high == 0) || in->aval.shape.dim[i] > 1;
        if (low > 0 || high > 0) {
            margin->at[margin->n].stride = part.stride[i];
            margin->at[margin->n].low = low;
            margin->at[margin->n++].high = high;
        }
    }
    lucid__parts *parts = apart ? NULL : new_parts(l, op, 1, true);
    if (parts)
        add_part(parts, in, op->params);
    l->plan->slots[out->slot].parts = parts;
    if (around && !apart) {
        const draft d = {
            .space = in->aval.shape, .nloads = 1, .loads = {*in}, .store = part, .margin = margin};
        return emit_program(l, LUCID__pad, &d);
    }
    return emit_fill(l, LUCID__pad, out, 0) && emit_copy(l, LUCID__pad, in, &part, true);
}

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
    draft d = {.space = aval.shape,
               .nloads = table->n,
               .store = *out,
               .has_instr = true,
               .instr = {.op = LUCID__gather, .dtype = LUCID_INT64, .to = LUCID_INT64},
               .table = table,
               .looked_up = &nowhere};
    for (int j = 0; j < table->n; j++)
        d.loads[j] = index[j];
    return emit_program(l, (lucid__prim_id)op->prim, &d);
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
static bool lower_gather(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                         lucid__location *out)
{
    lucid__location x = in[0], index[LUCID_MAX_NDIM];
    const int m = op->nin - 1;
    const bool nothing = lucid__numel(&op->out[0].shape) == 0;
    memcpy(index, in + 1, (size_t)m * sizeof *index);
    if (m > LUCID__TABLE_INDICES && !lucid__is_contiguous(&x.aval.shape, x.stride) &&
        (!lucid__lower_alloc(l, &x.aval, &x) || !emit_copy(l, LUCID__gather, &in[0], &x, false)))
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
    draft d = {
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
    return emit_program(l, LUCID__gather, &d);
}

/* ---- scatter(y, v, i), scatter_add(y, v, i) at one position -------------------------------------- */

/* Worth asking every place where that joins what else is computed there; a large result that is wanted as it stands
 * is a copy, which a kernel makes in less time. */
static bool asks_places(const lucid__op *op, const lucid__location *in)
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
static bool lower_single_write(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
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
        !lower_iota(l, &iota, &asked[0]) || !lucid__lower_alloc(l, &narrow, &asked[1]) ||
        !lower_elementwise(l, &cast, &found, &asked[1]) ||
        !lucid__lower_alloc(l, &same, &choice[0]))
        return false;
    asked[0].aval.shape = asked[1].aval.shape = same.shape;
    memset(asked[0].stride, 0, sizeof asked[0].stride);
    asked[0].stride[nb] = 1;
    asked[1].stride[nb] = 0;
    if (!lower_elementwise(l, &eq, asked, &choice[0]))
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
            !lower_elementwise(l, &add, terms, &choice[1]))
            return false;
    }
    return lower_elementwise(l, &where, choice, out);
}

/* Control flow as a lane program, if its bodies are fit for it. */
static bool to_lanes(lucid__lowering *l, lucid__step *step)
{
    const lucid__call call = {
        .prim = step->prim, .nin = step->nin, .nparams = step->nparams, .params = step->params};
    if (lucid__lanes_allowed())
        step->lanes = lucid__lane_program_new(l->s, l->plan->arena, &call, step->in, step->nout,
                                              step->out, &step->why_no_lanes);
    else
        step->why_no_lanes = "another layout is forced";
    if (step->lanes)
        step->layout = LUCID__LANES_BATCH;
    return lucid__ok(l->s);
}

static bool lower_kernel(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                         lucid__location *out)
{
    const lucid__kernel *kernel = &l->backend->kernels[op->prim];
    lucid__prim_id prim = (lucid__prim_id)op->prim;
    if (!kernel->run) {
        (void)lucid_fail(l->s, LUCID_RUNTIME_ERROR, "%s: the %s backend has no kernel for it",
                         lucid__prim_get(prim)->name, l->backend->name);
        return false;
    }
    lucid__location *inputs = lucid__arena_alloc(l->plan->arena, (size_t)op->nin * sizeof *inputs);
    lucid__location *outputs =
        lucid__arena_alloc(l->plan->arena, (size_t)op->nout * sizeof *outputs);
    int64_t *params = lucid__arena_alloc(l->plan->arena, (size_t)op->nparams * sizeof *params);
    if (!inputs || !outputs || !params)
        return out_of_memory(l);
    memcpy(params, op->params, (size_t)op->nparams * sizeof *params);
    memcpy(outputs, out, (size_t)op->nout * sizeof *outputs);
    for (int i = 0; i < op->nin; i++) {
        inputs[i] = in[i];
        bool must = (kernel->contiguous >> (i < 31 ? i : 31)) & 1;
        if (must && !lucid__is_contiguous(&in[i].aval.shape, in[i].stride) &&
            (!lucid__lower_alloc(l, &in[i].aval, &inputs[i]) ||
             !emit_copy(l, prim, &in[i], &inputs[i], false)))
            return false;
    }
    lucid__step step = {.kind = LUCID__STEP_KERNEL,
                        .prim = prim,
                        .nin = op->nin,
                        .nout = op->nout,
                        .nparams = op->nparams,
                        .in = inputs,
                        .out = outputs,
                        .params = params};
    if (kernel->work)
        step.layout = lucid__step_work(l->plan, &step, l->backend).layout;
    if (lucid__prim_get(prim)->family == LUCID__CONTROL && !to_lanes(l, &step))
        return false;
    return lucid__lower_step(l, &step);
}

bool lucid__lower_op(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                     lucid__location *out)
{
    if (op->nin > 0 && lucid__view_of(op, in, out))
        return true;
    for (int k = 0; k < op->nout; k++)
        if (!lucid__lower_alloc(l, &op->out[k], &out[k]))
            return false;
    const lucid__prim *prim = lucid__prim_get((lucid__prim_id)op->prim);
    switch ((lucid__prim_id)op->prim) {
    case LUCID__constant:
        return emit_fill(l, LUCID__constant, out, op->params[0]);
    case LUCID__iota:
        return lower_iota(l, op, out);
    case LUCID__basis:
        return lower_basis(l, out);
    case LUCID__concatenate:
        return lower_concatenate(l, op, in, out);
    case LUCID__pad:
        return lower_pad(l, op, in, out);
    case LUCID__gather:
        return lower_gather(l, op, in, out);
    case LUCID__scatter:
    case LUCID__scatter_add:
        return asks_places(op, in) ? lower_single_write(l, op, in, out)
                                   : lower_kernel(l, op, in, out);
    case LUCID__reshape: { /* not a view: copied row-major, which then is one */
        lucid__location part = *out;
        part.aval = in->aval;
        lucid__strides(&part.aval.shape, part.stride);
        return emit_copy(l, LUCID__reshape, in, &part, false);
    }
    case LUCID__argmax:
    case LUCID__argmin:
        return lower_kernel(l, op, in, out);
    default:
        break;
    }
    if (prim->family == LUCID__ELEMENTWISE)
        return lower_elementwise(l, op, in, out);
    if (prim->family == LUCID__REDUCTION)
        return lower_reduction(l, op, in, out);
    return lower_kernel(l, op, in, out);
}
