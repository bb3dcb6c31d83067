/* Programs of one instruction, which fusing then puts together. */
#include "engine/lower_emit.h"

/* Dims of size 1 are left out, so that programs over the same points have the same dims. */
static lucid__stream stream(const lucid__lower_draft *d, const lucid__location *l,
                            const int64_t *stride, int ndim, int reg)
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
static bool add_table(lucid__lowering *l, const lucid__lower_draft *d, lucid__program *g)
{
    uint16_t over = 0;
    g->tables = lucid__arena_alloc(l->steps->arena, sizeof *g->tables);
    if (!g->tables)
        return lucid__lower_failed(l);
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

bool lucid__emit_program(lucid__lowering *l, lucid__prim_id made_for, const lucid__lower_draft *d)
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

bool lucid__emit_copy(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *from,
                      const lucid__location *to, bool overwrites)
{
    lucid__lower_draft d = {.space = from->aval.shape,
                            .nloads = 1,
                            .loads = {*from},
                            .store = *to,
                            .overwrites = overwrites};
    return lucid__emit_program(l, made_for, &d);
}

bool lucid__emit_fill(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *to,
                      int64_t number)
{
    lucid__lower_draft d = {
        .space = to->aval.shape,
        .store = *to,
        .has_instr = true,
        .instr = {.op = LUCID__constant, .dtype = (uint8_t)to->aval.dtype, .imm = number}};
    return lucid__emit_program(l, made_for, &d);
}

bool lucid__lower_elementwise(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                              lucid__location *out)
{
    lucid__lower_draft d = {.space = op->out[0].shape, .nloads = op->nin, .has_instr = true};
    for (int i = 0; i < op->nin; i++)
        d.loads[i] = in[i];
    d.store = *out;
    d.instr = (lucid__instr){.op = op->prim,
                             .dtype = (uint8_t)in[op->nin - 1].aval.dtype,
                             .to = (uint8_t)op->out[0].dtype,
                             .imm = op->nparams > 0 ? op->params[0] : 0};
    if (op->prim == LUCID__cast && d.instr.dtype == d.instr.to)
        d.has_instr = false;
    return lucid__emit_program(l, (lucid__prim_id)op->prim, &d);
}

bool lucid__lower_iota(lucid__lowering *l, const lucid__op *op, lucid__location *out)
{
    const lucid_shape *shape = &op->out[0].shape;
    lucid__lower_draft d = {.space = *shape, .store = *out, .has_instr = true};
    int64_t dim = 0;
    if (shape->dim[op->params[1]] == 1)
        return lucid__emit_fill(l, LUCID__iota, out, 0);
    for (int i = 0; i < op->params[1]; i++)
        dim += shape->dim[i] != 1;
    d.instr = (lucid__instr){.op = LUCID__iota, .dtype = (uint8_t)op->params[0], .imm = dim};
    return lucid__emit_program(l, LUCID__iota, &d);
}
