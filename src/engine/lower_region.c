/* Regions as steps. */
#include <string.h>

#include "engine/lower.h"
#include "prim/prim.h"

/* A value with its batch in front. */
static lucid__location batch_first(const lucid__location *l, int dim)
{
    lucid__location to = *l;
    for (int d = dim; d > 0; d--) {
        to.aval.shape.dim[d] = l->aval.shape.dim[d - 1];
        to.stride[d] = l->stride[d - 1];
    }
    if (dim > 0) {
        to.aval.shape.dim[0] = l->aval.shape.dim[dim];
        to.stride[0] = l->stride[dim];
    }
    return to;
}

static bool moves_only(lucid__prim_id prim)
{
    lucid__family family = lucid__prim_get(prim)->family;
    return family == LUCID__SHAPE || family == LUCID__SOURCE;
}

/* The operation behind each value, those that only move elements passed over. */
static const lucid__step_region *take_down(lucid__arena *arena, const lucid__lane_region *region)
{
    const lucid__body *body = &region->body;
    lucid__step_region *r = lucid__arena_alloc(arena, sizeof *r);
    int *maker = lucid__arena_alloc(arena, (size_t)body->nvalues * sizeof *maker);
    if (!r || !maker)
        return NULL;
    r->ops = lucid__arena_alloc(arena, (size_t)(body->nops + 1) * sizeof *r->ops);
    r->result = lucid__arena_alloc(arena, (size_t)(body->nout + 1) * sizeof *r->result);
    if (!r->ops || !r->result)
        return NULL;
    for (int i = 0; i < body->nin; i++)
        maker[i] = ~i;
    for (int i = 0; i < body->nops; i++) {
        const lucid__body_op *op = &region->body_ops[i];
        if (op->nin == 1 && moves_only(op->prim)) {
            maker[op->first_out] = maker[op->in[0]];
            continue;
        }
        int *from = lucid__arena_alloc(arena, (size_t)(op->nin + 1) * sizeof *from);
        if (!from)
            return NULL;
        for (int j = 0; j < op->nin; j++)
            from[j] = maker[op->in[j]];
        for (int k = 0; k < op->nout; k++)
            maker[op->first_out + k] = r->nops;
        r->ops[r->nops].prim = op->prim;
        r->ops[r->nops].nin = op->nin;
        r->nsources += op->nin;
        r->ops[r->nops++].from = from;
    }
    for (int k = 0; k < body->nout; k++)
        r->result[k] = maker[body->out[k]];
    return r;
}

bool lucid__lower_region(lucid__lowering *l, const lucid__lane_region *region, lucid__location *in,
                         lucid__location *out, const char **why_not)
{
    lucid__arena *arena = l->plan->arena;
    lucid__location *ends =
        lucid__arena_alloc(arena, (size_t)(region->nin + region->nout + 1) * sizeof *ends);
    if (!ends) {
        lucid__out_of_memory(l->s);
        return false;
    }
    for (int i = 0; i < region->nin; i++)
        ends[i] = batch_first(&in[i], region->in[i].dim);
    lucid__step step = {.kind = LUCID__STEP_KERNEL,
                        .prim = region->body_ops[region->body.nops - 1].prim,
                        .layout = LUCID__LANES_BATCH,
                        .nin = region->nin,
                        .nout = region->nout,
                        .in = ends,
                        .out = ends + region->nin};
    step.lanes = lucid__lane_program_of_region(l->s, arena, region, step.in, why_not);
    if (!step.lanes)
        return *why_not != NULL;
    step.region = take_down(arena, region);
    if (!step.region) {
        lucid__out_of_memory(l->s);
        return false;
    }
    for (int k = 0; k < region->nout; k++) {
        if (!lucid__lower_alloc(l, &out[k].aval, &out[k]))
            return false;
        ends[region->nin + k] = batch_first(&out[k], region->out[k].dim);
    }
    return lucid__lower_step(l, &step);
}
