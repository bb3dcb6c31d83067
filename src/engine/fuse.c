/* Fusion goes through the steps in order and lets each join the earliest group of steps it can: all
 * that it reads must be made before that group or inside it. A group runs where its first member
 * stood, so what a step needs is always there.
 *
 *   - A program without reduced dims joins a group over the same points, in any order of the dims.
 *     What it reads of the group's own results it must read point by point; that stays in a register.
 *   - A reduction takes the group that makes its input in, if nobody else wants anything of it: the
 *     stores of a program with reduced dims cover the kept ones only.
 *   - A kernel is a group of its own.
 */
#include "engine/fuse.h"

#include <string.h>

#include "base/memory.h"

enum {
    MAX_VALUES = 160, /* of a group; with MAX_OUTPUTS below LUCID__MAX_REGISTERS */
    MAX_OUTPUTS = 32, /* too many streams at once overtax the memory system */
    MAX_LOADS = 32,   /* as above */
    LOOK_BACK = 16,   /* groups that a step without a producer among them is offered to */
    NOT_IN_REGISTER = -1,
};

/* A register in the making: a load, or the result of an instruction whose src are values. */
typedef struct value {
    bool loaded;
    int nsrc;
    lucid__stream from;
    lucid__instr instr;
} value;

typedef struct output {
    lucid__stream to; /* reg: the value */
} output;

typedef struct group {
    lucid__step step; /* the first member; of a program only the space and the fold count */
    bool open;        /* others can join */
    int nloads, nvalues, noutputs, value_capacity, output_capacity;
    value *values;
    output *outputs;
} group;

/* Who reads and writes a slot, over all steps. */
typedef struct traffic {
    int reads, writes;
    bool result;  /* of the plan */
    int forwards; /* reads that became registers */
    int group;    /* the last one that writes it so far; -1: none, a leaf */
    int output;   /* of that group; NOT_IN_REGISTER: it has no single writer that can be joined */
} traffic;

typedef struct fuser {
    lucid__plan *plan;
    lucid__arena *scratch;
    traffic *slots;
    group *groups;
    int ngroups;
} fuser;

/* ---- what the steps do ------------------------------------------------------------------------- */

static void count_traffic(fuser *f)
{
    const lucid__plan *plan = f->plan;
    for (int k = 0; k < plan->nslots; k++)
        f->slots[k].group = f->slots[k].output = -1;
    for (int i = 0; i < plan->nsteps; i++) {
        const lucid__step *step = &plan->steps[i];
        for (int j = 0; j < step->program.nloads; j++)
            f->slots[step->program.loads[j].slot].reads++;
        for (int j = 0; j < step->program.nstores; j++)
            f->slots[step->program.stores[j].slot].writes++;
        for (int j = 0; j < step->nin; j++)
            f->slots[step->in[j].slot].reads++;
        for (int j = 0; j < step->nout; j++)
            f->slots[step->out[j].slot].writes++;
    }
    for (int i = 0; i < plan->nresults; i++)
        f->slots[plan->results[i].location.slot].result = true;
}

static void note_write(fuser *f, int slot, int at, int out)
{
    traffic *t = &f->slots[slot];
    t->group = at > t->group ? at : t->group;
    t->output = t->writes == 1 ? out : NOT_IN_REGISTER;
}

/* Whether an output must reach memory. */
static bool needed(const fuser *f, const output *o)
{
    const traffic *t = &f->slots[o->to.slot];
    return t->result || t->writes > 1 || t->reads > t->forwards;
}

/* ---- the same points ----------------------------------------------------------------------------- */

/* order[d]: the dim of the group that a stream over the step's dims walks along its dim d, so that it
 * meets each element when the group makes it. */
static bool follow(const group *g, const lucid__stream *made, const lucid__stream *read, int *order)
{
    const lucid__program *space = &g->step.program;
    bool used[LUCID_MAX_NDIM] = {false};
    for (int d = 0; d < space->ndim; d++) {
        int e = 0;
        while (e < space->ndim && (used[e] || made->stride[e] != read->stride[d]))
            e++;
        if (e == space->ndim)
            return false;
        used[e] = true;
        order[d] = e;
    }
    return made->offset == read->offset && made->dtype == read->dtype;
}

/* Whether the step can run point by point with group `at`; if so, in which order of the dims. */
static bool align(const fuser *f, int at, const lucid__program *p, int *order)
{
    const group *g = &f->groups[at];
    const lucid__program *space = &g->step.program;
    if (!g->open || p->ndim != space->ndim)
        return false;
    bool ordered = false;
    for (int i = 0; i < p->nloads; i++) {
        const traffic *t = &f->slots[p->loads[i].slot];
        int other[LUCID_MAX_NDIM];
        if (t->group != at)
            continue;
        if (t->output == NOT_IN_REGISTER ||
            !follow(g, &g->outputs[t->output].to, &p->loads[i], ordered ? other : order) ||
            (ordered && memcmp(order, other, (size_t)p->ndim * sizeof *order) != 0))
            return false;
        ordered = true;
    }
    for (int d = 0; d < p->ndim; d++) {
        if (!ordered)
            order[d] = d;
        if (p->dim[d] != space->dim[order[d]])
            return false;
    }
    return true;
}

static lucid__stream reordered(const lucid__stream *t, const int *order, int ndim)
{
    lucid__stream to = *t;
    for (int d = 0; d < ndim; d++)
        to.stride[order[d]] = t->stride[d];
    return to;
}

/* ---- groups ------------------------------------------------------------------------------------- */

static void *grown(fuser *f, void *array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    int more = *capacity > 0 ? 2 * *capacity : 4;
    void *to = lucid__arena_alloc(f->scratch, (size_t)more * size);
    if (to && count > 0)
        memcpy(to, array, (size_t)count * size);
    *capacity = more;
    return to;
}

static bool same_stream(const lucid__stream *a, const lucid__stream *b, int ndim)
{
    return a->slot == b->slot && a->offset == b->offset && a->dtype == b->dtype &&
           memcmp(a->stride, b->stride, (size_t)ndim * sizeof *a->stride) == 0;
}

static bool same_instr(const lucid__instr *a, const lucid__instr *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->to == b->to && a->imm == b->imm &&
           memcmp(a->src, b->src, sizeof a->src) == 0;
}

/* The number of a value, which may be there already; -1: out of memory. */
static int add_value(fuser *f, group *g, const value *v)
{
    for (int i = 0; i < g->nvalues; i++) {
        const value *old = &g->values[i];
        if (old->loaded != v->loaded)
            continue;
        if (v->loaded ? same_stream(&old->from, &v->from, g->step.program.ndim)
                      : same_instr(&old->instr, &v->instr))
            return i;
    }
    g->values = grown(f, g->values, g->nvalues, &g->value_capacity, sizeof *g->values);
    if (!g->values)
        return -1;
    g->nloads += v->loaded;
    g->values[g->nvalues] = *v;
    return g->nvalues++;
}

static bool add_output(fuser *f, int at, const lucid__stream *to, int v, bool in_register)
{
    group *g = &f->groups[at];
    g->outputs = grown(f, g->outputs, g->noutputs, &g->output_capacity, sizeof *g->outputs);
    if (!g->outputs)
        return false;
    g->outputs[g->noutputs] = (output){*to};
    g->outputs[g->noutputs].to.reg = (uint16_t)v;
    note_write(f, to->slot, at, in_register ? g->noutputs : NOT_IN_REGISTER);
    g->noutputs++;
    return true;
}

/* Adds what the program does to group `at`, dims reordered. False: out of memory. */
static bool join(fuser *f, int at, const lucid__program *p, const int *order)
{
    group *g = &f->groups[at];
    int of_load[3], result = -1;
    for (int i = 0; i < p->nloads; i++) {
        traffic *t = &f->slots[p->loads[i].slot];
        if (t->group == at) {
            of_load[i] = g->outputs[t->output].to.reg;
            t->forwards++;
            continue;
        }
        value v = {.loaded = true, .from = reordered(&p->loads[i], order, p->ndim)};
        if ((of_load[i] = add_value(f, g, &v)) < 0)
            return false;
    }
    if (p->ninstrs == 0) {
        result = of_load[0];
    } else {
        value v = {.nsrc = p->nloads, .instr = p->instrs[0]};
        for (int i = 0; i < 3; i++)
            v.instr.src[i] = i < p->nloads ? (uint16_t)of_load[i] : 0;
        if (v.instr.op == LUCID__iota)
            v.instr.imm = order[v.instr.imm];
        if ((result = add_value(f, g, &v)) < 0)
            return false;
    }
    bool fold = p->reduced > 0;
    lucid__stream to = fold ? p->stores[0] : reordered(&p->stores[0], order, p->ndim);
    return add_output(f, at, &to, result, !fold);
}

static bool start(fuser *f, const lucid__step *step)
{
    static const int same[LUCID_MAX_NDIM] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    int at = f->ngroups++;
    f->groups[at] = (group){.step = *step};
    if (step->kind == LUCID__STEP_KERNEL) {
        for (int k = 0; k < step->nout; k++)
            note_write(f, step->out[k].slot, at, NOT_IN_REGISTER);
        return true;
    }
    f->groups[at].open = step->program.reduced == 0;
    return join(f, at, &step->program, same);
}

static bool has_room(const group *g)
{
    return g->nvalues + 4 <= MAX_VALUES && g->nloads + 3 <= MAX_LOADS &&
           g->noutputs + 1 <= MAX_OUTPUTS;
}

/* ---- who joins whom ------------------------------------------------------------------------------- */

/* A step without a producer in the group joins it only to share a read: otherwise it gains nothing. */
static bool shares_a_load(const group *g, const lucid__program *p)
{
    for (int i = 0; i < p->nloads; i++)
        for (int j = 0; j < g->nvalues; j++)
            if (g->values[j].loaded && same_stream(&g->values[j].from, &p->loads[i], p->ndim))
                return true;
    return false;
}

/* The earliest group that the step can be part of, or follow. */
static int earliest(const fuser *f, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    int at = -1;
    for (int i = 0; i < p->nloads; i++) {
        int made = f->slots[p->loads[i].slot].group;
        at = made > at ? made : at;
    }
    int written = f->slots[p->stores[0].slot].group;
    return step->overwrites && written >= at ? written + 1 : at;
}

static bool place_map(fuser *f, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    int first = earliest(f, step), order[LUCID_MAX_NDIM];
    if (first >= 0 && first < f->ngroups && has_room(&f->groups[first]) &&
        align(f, first, p, order))
        return join(f, first, p, order);
    int oldest = f->ngroups > LOOK_BACK ? f->ngroups - LOOK_BACK : 0;
    for (int at = f->ngroups - 1; at > first && at >= oldest; at--)
        if (has_room(&f->groups[at]) && align(f, at, p, order) && shares_a_load(&f->groups[at], p))
            return join(f, at, p, order);
    return start(f, step);
}

/* Whether only this one read of `slot` wants anything of the group, which counts along no dim: rows of
 * a fold are walked from their own start. */
static bool only_for(const fuser *f, const group *g, int slot)
{
    for (int i = 0; i < g->noutputs; i++) {
        const traffic *t = &f->slots[g->outputs[i].to.slot];
        int others = t->reads - t->forwards - (g->outputs[i].to.slot == slot);
        if (t->result || t->writes > 1 || others > 0)
            return false;
    }
    for (int i = 0; i < g->nvalues; i++)
        if (!g->values[i].loaded && g->values[i].instr.op == LUCID__iota)
            return false;
    return true;
}

static bool place_fold(fuser *f, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    int at = f->slots[p->loads[0].slot].group, order[LUCID_MAX_NDIM];
    if (at < 0 || !align(f, at, p, order) || !only_for(f, &f->groups[at], p->loads[0].slot))
        return start(f, step);
    group *g = &f->groups[at];
    for (int i = 0; i < g->nvalues; i++) {
        lucid__stream from = g->values[i].from;
        for (int d = 0; d < p->ndim; d++)
            g->values[i].from.stride[d] = from.stride[order[d]];
    }
    traffic *read = &f->slots[p->loads[0].slot];
    int folded = g->outputs[read->output].to.reg;
    read->forwards++;
    g->noutputs = 0;
    g->open = false;
    g->step = *step;
    return add_output(f, at, &p->stores[0], folded, false);
}

/* ---- programs ------------------------------------------------------------------------------------- */

/* last_use[v]: the last value whose instruction reads v; -1: nobody needs v. */
static void find_uses(const group *g, const bool *stored, int *last_use)
{
    for (int i = 0; i < g->nvalues; i++)
        last_use[i] = stored[i] ? g->nvalues : -1;
    for (int i = g->nvalues - 1; i >= 0; i--) {
        if (last_use[i] < 0)
            continue;
        for (int j = 0; j < g->values[i].nsrc; j++) {
            int src = g->values[i].instr.src[j];
            last_use[src] = last_use[src] < i ? i : last_use[src];
        }
    }
}

/* Loads take the first registers, what is stored its own, and the rest those that are free. */
static void allocate(const group *g, const int *last_use, lucid__program *to, int *reg)
{
    bool busy[LUCID__MAX_REGISTERS] = {false};
    int freed_by[LUCID__MAX_REGISTERS] = {0};
    for (int i = 0; i < g->nvalues; i++)
        if (g->values[i].loaded && last_use[i] >= 0)
            reg[i] = to->nregs++;
    for (int i = 0; i < g->nvalues; i++) {
        if (g->values[i].loaded || last_use[i] < 0)
            continue;
        int r = to->nloads;
        bool own = last_use[i] == g->nvalues;
        while (r < to->nregs && (own || (busy[r] && freed_by[r] >= i)))
            r++;
        busy[r] = true;
        freed_by[r] = last_use[i];
        to->nregs = r < to->nregs ? to->nregs : r + 1;
        reg[i] = r;
    }
}

/* The group as one step. False: out of memory. */
static bool finish(const fuser *f, const group *g, lucid__step *step)
{
    *step = g->step;
    if (step->kind == LUCID__STEP_KERNEL)
        return true;
    lucid__program *to = &step->program;
    bool stored[MAX_VALUES] = {false};
    int last_use[MAX_VALUES], reg[MAX_VALUES];
    lucid__arena *arena = f->plan->arena;
    to->nloads = to->ninstrs = to->nstores = to->nregs = 0;
    for (int i = 0; i < g->noutputs; i++)
        if (needed(f, &g->outputs[i])) {
            stored[g->outputs[i].to.reg] = true;
            to->nstores++;
        }
    find_uses(g, stored, last_use);
    for (int i = 0; i < g->nvalues; i++) {
        to->nloads += g->values[i].loaded && last_use[i] >= 0;
        to->ninstrs += !g->values[i].loaded && last_use[i] >= 0;
    }
    allocate(g, last_use, to, reg);
    to->loads = lucid__arena_alloc(arena, (size_t)to->nloads * sizeof *to->loads);
    to->stores = lucid__arena_alloc(arena, (size_t)to->nstores * sizeof *to->stores);
    to->instrs = lucid__arena_alloc(arena, (size_t)to->ninstrs * sizeof *to->instrs);
    if (!to->loads || !to->stores || !to->instrs)
        return false;
    lucid__instr *instr = to->instrs;
    for (int i = 0; i < g->nvalues; i++) {
        const value *v = &g->values[i];
        if (last_use[i] < 0)
            continue;
        if (v->loaded) {
            to->loads[reg[i]] = v->from;
            to->loads[reg[i]].reg = (uint16_t)reg[i];
            continue;
        }
        *instr = v->instr;
        instr->dst = (uint16_t)reg[i];
        for (int j = 0; j < 3; j++)
            instr->src[j] = (uint16_t)reg[j < v->nsrc ? v->instr.src[j] : i];
        instr++;
    }
    lucid__stream *store = to->stores;
    for (int i = 0; i < g->noutputs; i++)
        if (needed(f, &g->outputs[i])) {
            *store = g->outputs[i].to;
            store->reg = (uint16_t)reg[store->reg];
            to->folded = store->reg;
            store++;
        }
    lucid__program_merge(to);
    return true;
}

bool lucid__fuse(lucid_scope *s, lucid__plan *plan, lucid__arena *scratch)
{
    fuser f = {.plan = plan, .scratch = scratch};
    f.slots = lucid__arena_alloc(scratch, (size_t)plan->nslots * sizeof *f.slots);
    f.groups = lucid__arena_alloc(scratch, (size_t)plan->nsteps * sizeof *f.groups);
    bool ok = f.slots && f.groups;
    if (ok)
        count_traffic(&f);
    for (int i = 0; ok && i < plan->nsteps; i++) {
        const lucid__step *step = &plan->steps[i];
        ok = step->kind == LUCID__STEP_KERNEL ? start(&f, step)
             : step->program.reduced > 0      ? place_fold(&f, step)
                                              : place_map(&f, step);
    }
    plan->nsteps = 0;
    for (int at = 0; ok && at < f.ngroups; at++) {
        ok = finish(&f, &f.groups[at], &plan->steps[plan->nsteps]);
        plan->nsteps += f.groups[at].step.kind == LUCID__STEP_KERNEL ||
                        plan->steps[plan->nsteps].program.nstores > 0;
    }
    if (!ok)
        lucid__out_of_memory(s);
    return ok;
}
