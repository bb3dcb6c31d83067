#include "engine/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/fuse.h"
#include "prim/prim.h"

/* What a step moves and computes. */
typedef struct work {
    int64_t bytes_read, bytes_written, operations;
} work;

static void put_bytes(lucid__text *t, int64_t bytes)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB"};
    double n = (double)bytes;
    int u = 0;
    for (; n >= 1000 && u < 4; u++)
        n /= 1000;
    lucid__put(t, u == 0 ? "%.0f %s" : "%.3g %s", n, unit[u]);
}

static int64_t points(const lucid__program *p, int over)
{
    int64_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= over >> i & 1 ? p->dim[i] : 1;
    return n;
}

/* Distinct elements of a stream: dims along which it stands still count once. */
static int64_t stream_bytes(const lucid__program *p, const lucid__stream *stream)
{
    int64_t n = 1;
    for (int i = 0; i < p->ndim; i++)
        n *= stream->stride[i] == 0 ? 1 : p->dim[i];
    return n * (int64_t)lucid_dtype_size((lucid_dtype)stream->dtype);
}

static int64_t location_bytes(const lucid__location *l)
{
    int64_t n = 1;
    for (int i = 0; i < l->aval.shape.ndim; i++)
        n *= l->stride[i] == 0 ? 1 : l->aval.shape.dim[i];
    return n * (int64_t)lucid_dtype_size(l->aval.dtype);
}

static work work_of(const lucid__step *step)
{
    work w = {0};
    const lucid__program *p = &step->program;
    if (step->kind == LUCID__STEP_KERNEL) {
        for (int i = 0; i < step->nin; i++)
            w.bytes_read += location_bytes(&step->in[i]);
        for (int k = 0; k < step->nout; k++)
            w.bytes_written += location_bytes(&step->out[k]);
        return w;
    }
    for (int i = 0; i < p->nloads; i++)
        w.bytes_read += stream_bytes(p, &p->loads[i]);
    for (int i = 0; i < p->nstores; i++)
        w.bytes_written += stream_bytes(p, &p->stores[i]);
    for (int i = 0; i < p->ninstrs; i++) {
        const lucid__instr *in = &p->instrs[i];
        if (in->op != LUCID__broadcast)
            w.operations += points(p, p->over[lucid__is_fold(in->op) ? in->src[0] : in->dst]);
    }
    return w;
}

static const char *op_name(int op)
{
    return lucid__prim_get((lucid__prim_id)op)->name;
}

/* "mul, sin x 2, sum": each instruction once, with how often it is there. */
static void put_instructions(lucid__text *t, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    bool any = false;
    for (int i = 0; i < p->ninstrs; i++) {
        int times = 0;
        bool first = true;
        for (int j = 0; j < p->ninstrs; j++) {
            bool same = p->instrs[j].op == p->instrs[i].op;
            first &= !(same && j < i);
            times += same;
        }
        if (!first || p->instrs[i].op == LUCID__broadcast)
            continue;
        lucid__put(t, "%s%s", any ? ", " : "", op_name(p->instrs[i].op));
        if (times > 1)
            lucid__put(t, " x %d", times);
        any = true;
    }
    if (!any)
        lucid__put(t, "copy (%s)", lucid__prim_get(step->prim)->name);
}

static void put_shape(lucid__text *t, const int64_t *dim, int ndim)
{
    lucid__put(t, "(");
    for (int i = 0; i < ndim; i++)
        lucid__put(t, "%s%" PRId64, i ? ", " : "", dim[i]);
    lucid__put(t, ndim == 1 ? ",)" : ")");
}

static void put_step(lucid__text *t, const lucid__step *step, int number, const work *w)
{
    lucid__put(t, "%4d  ", number);
    if (step->kind == LUCID__STEP_KERNEL) {
        lucid__put(t, "kernel   %s ", lucid__prim_get(step->prim)->name);
        for (int i = 0; i < step->nin; i++) {
            const lucid_shape *shape = &step->in[i].aval.shape;
            put_shape(t, shape->dim, shape->ndim);
        }
        lucid__put(t, " -> ");
        put_shape(t, step->out[0].aval.shape.dim, step->out[0].aval.shape.ndim);
    } else {
        lucid__put(t, "program  ");
        put_instructions(t, step);
        lucid__put(t, " over ");
        put_shape(t, step->program.dim, step->program.ndim);
    }
    lucid__put(t, ": reads ");
    put_bytes(t, w->bytes_read);
    lucid__put(t, ", writes ");
    put_bytes(t, w->bytes_written);
    lucid__put(t, "\n");
}

void lucid__explain_plan(lucid__text *t, const lucid__plan *plan)
{
    work total = {0};
    for (int i = 0; i < plan->nsteps; i++) {
        work w = work_of(&plan->steps[i]);
        total.bytes_read += w.bytes_read;
        total.bytes_written += w.bytes_written;
        total.operations += w.operations;
    }
    lucid__put(t, "%d dispatch%s: reads ", plan->nsteps, plan->nsteps == 1 ? "" : "es");
    put_bytes(t, total.bytes_read);
    lucid__put(t, ", writes ");
    put_bytes(t, total.bytes_written);
    lucid__put(t, ", %" PRId64 " operations in programs%s\n", total.operations,
               lucid__fusion() ? "" : ", fusion off");
    for (int i = 0; i < plan->nsteps; i++) {
        work w = work_of(&plan->steps[i]);
        put_step(t, &plan->steps[i], i + 1, &w);
    }
}
