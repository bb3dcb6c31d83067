#include "engine/work.h"

#include <string.h>

#include "base/dtype.h"
#include "prim/prim.h"

/* Of a strided operand: dims along which it stands still count once. */
static double bytes(const int64_t *dim, const int64_t *stride, int ndim, int dtype)
{
    double n = (double)lucid_dtype_size((lucid_dtype)dtype);
    for (int i = 0; i < ndim; i++)
        n *= stride[i] == 0 && dim[i] > 0 ? 1 : (double)dim[i];
    return n;
}

/* ---- programs ------------------------------------------------------------------------------------ */

double lucid__instr_points(const lucid__program *p, const lucid__instr *in)
{
    unsigned over = p->over[lucid__is_fold(in->op) ? in->src[0] : in->dst];
    double n = 1;
    for (int d = 0; d < p->ndim; d++)
        n *= over >> d & 1 ? (double)p->dim[d] : 1;
    return n;
}

bool lucid__computes(int op, int dtype)
{
    return op != LUCID__cast && op != LUCID__iota && op != LUCID__constant &&
           op != LUCID__broadcast && op != LUCID__where && op != LUCID__gather &&
           lucid__is_float((lucid_dtype)dtype);
}

/* What is read, which may be the same elements again and again, but no more than there are. */
static double table_bytes(const lucid__program *p, const lucid__table *t)
{
    double all = (double)lucid_dtype_size((lucid_dtype)t->at.dtype), read = all;
    for (int d = 0; d < p->ndim; d++) {
        bool over = p->over[t->at.reg] >> d & 1;
        all *= over && t->at.stride[d] != 0 ? (double)p->dim[d] : 1;
        read *= over ? (double)p->dim[d] : 1;
    }
    for (int j = 0; j < t->n; j++)
        all *= (double)t->size[j];
    return t->at.slot < 0 ? 0 : all < read ? all : read;
}

static double part_bytes(const lucid__program *p, const lucid__part *part)
{
    int64_t dim[LUCID_MAX_NDIM];
    for (int d = 0; d < p->ndim; d++)
        dim[d] = part->high[d] - part->low[d];
    return bytes(dim, part->from.stride, p->ndim, part->from.dtype);
}

static double store_bytes(const lucid__program *p, const lucid__stream *t)
{
    int64_t dim[LUCID_MAX_NDIM], low, high;
    for (int d = 0; d < p->ndim; d++) {
        lucid__margin_along(t->margin, t->stride[d], &low, &high);
        dim[d] = p->dim[d] + low + high;
    }
    return bytes(dim, t->stride, p->ndim, t->dtype);
}

static lucid__work program_work(const lucid__program *p)
{
    lucid__work w = {0};
    for (int i = 0; i < p->nloads; i++) {
        const lucid__words *words = p->loads[i].words;
        const lucid__parts *parts = p->loads[i].parts;
        for (int k = 0; parts && k < parts->n; k++)
            w.bytes_read += part_bytes(p, &parts->part[k]);
        if (!words && !parts)
            w.bytes_read += bytes(p->dim, p->loads[i].stride, p->ndim, p->loads[i].dtype);
        for (int k = 0; words && k < 3; k++)
            w.bytes_read += bytes(words->dim, words->in[k].stride, words->ndim, words->in[k].dtype);
    }
    for (int i = 0; i < p->ntables; i++)
        w.bytes_read += table_bytes(p, &p->tables[i]);
    for (int i = 0; i < p->nstores; i++)
        w.bytes_written += store_bytes(p, &p->stores[i]);
    for (int i = 0; i < p->ninstrs; i++)
        if (lucid__computes(p->instrs[i].op, p->instrs[i].dtype))
            w.flops += (p->instrs[i].then ? 2 : 1) * lucid__instr_points(p, &p->instrs[i]);
    return w;
}

/* ---- kernels ------------------------------------------------------------------------------------- */

static lucid__view shape_only(const lucid__location *l)
{
    lucid__view v = {.dtype = l->aval.dtype, .shape = l->aval.shape};
    memcpy(v.stride, l->stride, (size_t)l->aval.shape.ndim * sizeof *v.stride);
    return v;
}

static double location_bytes(const lucid__location *l)
{
    return bytes(l->aval.shape.dim, l->stride, l->aval.shape.ndim, (int)l->aval.dtype);
}

static lucid__work kernel_work(const lucid__plan *plan, const lucid__step *step,
                               const lucid__backend *backend)
{
    const lucid__kernel *kernel = &backend->kernels[step->prim];
    enum { FEW = 8 }; /* rules look at the first inputs only */
    lucid__work w = {0};
    lucid__view in[FEW], out[LUCID__MAX_OUTPUTS];
    for (int i = 0; i < step->nin; i++) {
        w.bytes_read += location_bytes(&step->in[i]);
        if (i < FEW)
            in[i] = shape_only(&step->in[i]);
    }
    for (int k = 0; k < step->nout; k++) {
        if (!plan->slots[step->out[k].slot].left_out)
            w.bytes_written += location_bytes(&step->out[k]);
        if (k < LUCID__MAX_OUTPUTS)
            out[k] = shape_only(&step->out[k]);
    }
    if (step->lanes) {
        w.layout = LUCID__LANES_BATCH;
        w.flops = lucid__lane_flops(step->lanes, backend);
    } else if (kernel->work) {
        lucid__kernel_args args = {.params = step->params,
                                   .nparams = step->nparams,
                                   .nin = step->nin < FEW ? step->nin : FEW,
                                   .in = in,
                                   .out = out};
        lucid__kernel_work does = kernel->work(&args);
        w.layout = does.layout;
        w.flops = does.flops;
    }
    return w;
}

/* -------------------------------------------------------------------------------------------------- */

lucid__work lucid__step_work(const lucid__plan *plan, const lucid__step *step,
                             const lucid__backend *backend)
{
    if (step->kind == LUCID__STEP_PROGRAM) {
        lucid__work w = program_work(&step->program);
        w.layout = step->layout;
        return w;
    }
    return kernel_work(plan, step, backend);
}

double lucid__bandwidth(const lucid__speed *speed, const lucid__work *work)
{
    bool cached = work->bytes_read + work->bytes_written <= speed->cached_bytes;
    return cached ? speed->cached_bytes_per_second : speed->bytes_per_second;
}

double lucid__step_seconds(const lucid__step *step, const lucid__work *work,
                           const lucid__backend *backend)
{
    const lucid__speed *speed = backend->speed();
    double moving = 0, computing = 0, bandwidth = lucid__bandwidth(speed, work);
    if (bandwidth > 0)
        moving = (work->bytes_read + work->bytes_written) / bandwidth;
    if (step->kind == LUCID__STEP_PROGRAM) {
        computing = backend->program_seconds(&step->program);
    } else {
        double rate = speed->flops_per_second[step->out[0].aval.dtype];
        computing = rate > 0 ? work->flops / rate : 0;
    }
    return moving > computing ? moving : computing;
}
