#include "engine/lower.h"

#include <string.h>

#include "base/memory.h"
#include "engine/force.h"
#include "engine/lower_emit.h"
#include "engine/work.h"
#include "prim/prim.h"

bool lucid__lower_failed(lucid__lowering *l)
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
        return lucid__lower_failed(l);
    *to = lucid__row_major(l->plan->nslots - 1, aval);
    return true;
}

bool lucid__lower_step(lucid__lowering *l, const lucid__step *step)
{
    return lucid__draft_steps_add(l->steps, step) || lucid__lower_failed(l);
}

/* ---- families -------------------------------------------------------------------------------------- */

/* 1 where the index of the row is that of the column. */
static bool lower_basis(lucid__lowering *l, lucid__location *out)
{
    const lucid__aval index = {LUCID_INT64, out->aval.shape}, same = {LUCID_BOOL, out->aval.shape};
    lucid__location in[2], equal;
    for (int d = 0; d < 2; d++) {
        const int64_t params[2] = {LUCID_INT64, d};
        const lucid__op iota = {
            .prim = LUCID__iota, .params = params, .out = (lucid__aval[]){index}};
        if (!lucid__lower_alloc(l, &index, &in[d]) || !lucid__lower_iota(l, &iota, &in[d]))
            return false;
    }
    const lucid__op eq = {.prim = LUCID__eq, .nin = 2, .out = (lucid__aval[]){same}};
    const lucid__op cast = {.prim = LUCID__cast, .nin = 1, .out = &out->aval};
    return lucid__lower_alloc(l, &same, &equal) && lucid__lower_elementwise(l, &eq, in, &equal) &&
           lucid__lower_elementwise(l, &cast, &equal, out);
}

static bool lower_reduction(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                            lucid__location *out)
{
    lucid__lower_draft d = {.reduced = op->nparams, .nloads = 1};
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
        return lucid__emit_fill(l, prim, out, prim == LUCID__prod || prim == LUCID__all);
    d.space.ndim = shape->ndim;
    d.loads[0] = *in;
    d.load_stride[0] = stride;
    d.store = *out;
    d.has_instr = points > 1;
    d.instr = (lucid__instr){.op = op->prim, .dtype = (uint8_t)in->aval.dtype};
    return lucid__emit_program(l, prim, &d);
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
        if (!lucid__emit_copy(l, LUCID__concatenate, &in[i], &part, false))
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
        return lucid__lower_failed(l);
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
        const lucid__lower_draft d = {
            .space = in->aval.shape, .nloads = 1, .loads = {*in}, .store = part, .margin = margin};
        return lucid__emit_program(l, LUCID__pad, &d);
    }
    return lucid__emit_fill(l, LUCID__pad, out, 0) &&
           lucid__emit_copy(l, LUCID__pad, in, &part, true);
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
        return lucid__lower_failed(l);
    memcpy(params, op->params, (size_t)op->nparams * sizeof *params);
    memcpy(outputs, out, (size_t)op->nout * sizeof *outputs);
    for (int i = 0; i < op->nin; i++) {
        inputs[i] = in[i];
        bool must = (kernel->contiguous >> (i < 31 ? i : 31)) & 1;
        if (must && !lucid__is_contiguous(&in[i].aval.shape, in[i].stride) &&
            (!lucid__lower_alloc(l, &in[i].aval, &inputs[i]) ||
             !lucid__emit_copy(l, prim, &in[i], &inputs[i], false)))
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
        return lucid__emit_fill(l, LUCID__constant, out, op->params[0]);
    case LUCID__iota:
        return lucid__lower_iota(l, op, out);
    case LUCID__basis:
        return lower_basis(l, out);
    case LUCID__concatenate:
        return lower_concatenate(l, op, in, out);
    case LUCID__pad:
        return lower_pad(l, op, in, out);
    case LUCID__gather:
        return lucid__lower_gather(l, op, in, out);
    case LUCID__scatter:
    case LUCID__scatter_add:
        return lucid__asks_places(op, in) ? lucid__lower_single_write(l, op, in, out)
                                          : lower_kernel(l, op, in, out);
    case LUCID__reshape: { /* not a view: copied row-major, which then is one */
        lucid__location part = *out;
        part.aval = in->aval;
        lucid__strides(&part.aval.shape, part.stride);
        return lucid__emit_copy(l, LUCID__reshape, in, &part, false);
    }
    case LUCID__argmax:
    case LUCID__argmin:
        return lower_kernel(l, op, in, out);
    default:
        break;
    }
    if (prim->family == LUCID__ELEMENTWISE)
        return lucid__lower_elementwise(l, op, in, out);
    if (prim->family == LUCID__REDUCTION)
        return lower_reduction(l, op, in, out);
    return lower_kernel(l, op, in, out);
}
