/* What concatenate and pad put together is read where its parts are, by programs: nothing is copied, and what reads it
 * need not wait for a copy. Where it must be in one place all the same, one program copies all parts that are in memory
 * anyway, and who else reads it can join that; programs that make parts write them where they belong. */
#include <string.h>

#include "engine/fuse.h"

/* ---- the parts as a program sees them ------------------------------------------------------------- */

/* How a stream walks the elements of a row-major value: the position it starts from, and the loop dim that goes along
 * each dim, in steps. */
typedef struct walk {
    int64_t start[LUCID_MAX_NDIM], step[LUCID_MAX_NDIM];
    int loop[LUCID_MAX_NDIM];     /* -1: none; SEVERAL */
    int dim[LUCID_MAX_NDIM];      /* of each loop dim: the one it goes along; -1: none */
    int64_t each[LUCID_MAX_NDIM]; /* of each loop dim: its step */
} walk;

enum { NONE = -1, SEVERAL = -2 };

/* Finds the dim of the value along which n steps of `stride` stay. Its own steps are so much longer than those of the
 * dims behind it that there is at most one. */
static int along(const lucid_shape *shape, const int64_t *own, int64_t n, int64_t stride)
{
    for (int e = 0; e < shape->ndim; e++) {
        int64_t step = stride / own[e];
        if (shape->dim[e] > 1 && stride % own[e] == 0 &&
            (step < 0 ? -step : step) * (n - 1) < shape->dim[e])
            return e;
    }
    return NONE;
}

/* False: a loop dim goes along several dims at once. */
static bool follow(const lucid_shape *shape, const lucid__stream *t, const int64_t *dim, int ndim,
                   walk *w)
{
    int64_t own[LUCID_MAX_NDIM], least[LUCID_MAX_NDIM], most[LUCID_MAX_NDIM];
    lucid__strides(shape, own);
    for (int e = 0; e < shape->ndim; e++) {
        w->start[e] = least[e] = most[e] = t->offset / own[e] % shape->dim[e];
        w->loop[e] = NONE;
        w->step[e] = 0;
    }
    for (int d = 0; d < ndim; d++) {
        w->dim[d] = NONE;
        if (t->stride[d] == 0 || dim[d] == 1)
            continue;
        int e = along(shape, own, dim[d], t->stride[d]);
        if (e < 0)
            return false;
        w->dim[d] = e;
        w->each[d] = w->step[e] = t->stride[d] / own[e];
        w->loop[e] = w->loop[e] == NONE ? d : SEVERAL;
        *(w->each[d] < 0 ? &least[e] : &most[e]) += w->each[d] * (dim[d] - 1);
    }
    for (int e = 0; e < shape->ndim; e++)
        if (least[e] < 0 || most[e] >= shape->dim[e])
            return false;
    return true;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return a > 0 ? (a + b - 1) / b : -(-a / b);
}

/* The points along a loop dim of n from which `step` steps on from `start` low .. high - 1 is reached. */
static void window(int64_t start, int64_t step, int64_t n, int64_t low, int64_t high,
                   int64_t *first, int64_t *end)
{
    int64_t a = step > 0 ? divide_up(low - start, step) : divide_up(start - high + 1, -step);
    int64_t b = step > 0 ? divide_up(high - start, step) : divide_up(start - low + 1, -step);
    *first = a < 0 ? 0 : a < n ? a : n;
    *end = b < *first ? *first : b < n ? b : n;
}

/* False: the part's points are no box of the loop space. absent: none of them is in it. */
static bool see(const lucid__part *part, const lucid_shape *shape, const walk *w,
                const int64_t *dim, int ndim, lucid__part *to, bool *absent)
{
    *absent = false;
    *to = (lucid__part){.from = part->from};
    memset(to->from.stride, 0, sizeof to->from.stride);
    for (int d = 0; d < ndim; d++) {
        to->high[d] = dim[d];
        if (w->dim[d] >= 0)
            to->from.stride[d] = w->each[d] * part->from.stride[w->dim[d]];
    }
    for (int e = 0; e < shape->ndim; e++) {
        to->from.offset += w->start[e] * part->from.stride[e];
        if (part->low[e] == 0 && part->high[e] == shape->dim[e])
            continue;
        int d = w->loop[e];
        if (d == SEVERAL)
            return false;
        if (d == NONE)
            *absent |= w->start[e] < part->low[e] || w->start[e] >= part->high[e];
        else
            window(w->start[e], w->step[e], dim[d], part->low[e], part->high[e], &to->low[d],
                   &to->high[d]);
        *absent |= d >= 0 && to->low[d] == to->high[d];
    }
    return true;
}

const lucid__parts *lucid__parts_resolve(const lucid__parts *parts, const lucid__stream *t,
                                         const int64_t *dim, int ndim, lucid__arena *arena)
{
    walk w;
    if (!follow(&parts->shape, t, dim, ndim, &w))
        return NULL;
    lucid__parts *to = lucid__arena_alloc(arena, sizeof *to + (size_t)parts->n * sizeof *to->part);
    if (!to)
        return NULL;
    *to = *parts;
    to->n = 0;
    for (int i = 0; i < parts->n; i++) {
        bool absent;
        if (!see(&parts->part[i], &parts->shape, &w, dim, ndim, &to->part[to->n], &absent))
            return NULL;
        to->n += !absent;
    }
    return to;
}

/* ---- which are read so ----------------------------------------------------------------------------- */

typedef struct use {
    bool in_memory; /* something needs it there */
    bool zeros;     /* made of them alone */
    bool copied;    /* from its parts, all at once */
    int writers;
} use;

/* Parts that are zeros are holes. NULL: out of memory. */
static const lucid__parts *without_zeros(const lucid__parts *parts, const use *uses,
                                         lucid__arena *arena)
{
    lucid__parts *to = lucid__arena_alloc(arena, sizeof *to + (size_t)parts->n * sizeof *to->part);
    if (!to)
        return NULL;
    *to = *parts;
    to->n = 0;
    for (int i = 0; i < parts->n; i++)
        if (uses[parts->part[i].from.slot].zeros)
            to->holes = true;
        else
            to->part[to->n++] = parts->part[i];
    return to;
}

static void find_uses(const lucid__plan *plan, const lucid__draft_steps *drafts, use *uses)
{
    lucid__draft_room room;
    for (int i = 0; i < plan->nresults; i++)
        uses[plan->results[i].location.slot].in_memory = true;
    for (int i = 0; i < drafts->count; i++) {
        const lucid__step *step = lucid__draft_steps_get(drafts, i, &room);
        if (!step)
            continue;
        const lucid__program *p = &step->program;
        for (int j = 0; j < step->nin; j++)
            uses[step->in[j].slot].in_memory = true;
        for (int j = 0; j < p->ntables; j++)
            if (p->tables[j].at.slot >= 0)
                uses[p->tables[j].at.slot].in_memory = true;
        for (int j = 0; j < p->nloads; j++) {
            const lucid__stream *t = &p->loads[j];
            const lucid__parts *parts = plan->slots[t->slot].parts;
            if (parts && !lucid__parts_resolve(parts, t, p->dim, p->ndim, drafts->arena))
                uses[t->slot].in_memory = true;
        }
        for (int j = 0; j < p->nstores; j++) {
            use *u = &uses[p->stores[j].slot];
            const lucid__instr *in = p->instrs;
            u->writers++;
            u->zeros = u->writers == 1 && p->ninstrs == 1 && in->op == LUCID__constant &&
                       in->imm == 0 && !plan->slots[p->stores[j].slot].parts;
        }
    }
}

/* Whether all parts are in memory anyway, or zeros. */
static bool can_copy(const lucid__plan *plan, const lucid__parts *parts, const use *uses)
{
    for (int i = 0; i < parts->n; i++) {
        int slot = parts->part[i].from.slot;
        if (slot >= plan->nleaves && !uses[slot].in_memory && !uses[slot].zeros)
            return false;
    }
    return true;
}

/* In place of the last step that writes a part: one that writes all. */
static bool copy_all(const lucid__step *writer, const lucid__parts *parts, lucid__arena *arena,
                     lucid__step *to)
{
    int64_t stride[LUCID_MAX_NDIM];
    *to = (lucid__step){.kind = LUCID__STEP_PROGRAM, .prim = writer->prim};
    lucid__program *p = &to->program;
    p->nloads = p->nstores = p->nregs = 1;
    p->loads = lucid__arena_alloc(arena, 2 * sizeof *p->loads);
    p->over = lucid__arena_alloc(arena, sizeof *p->over);
    if (!p->loads || !p->over)
        return false;
    p->stores = p->loads + 1;
    p->loads[0] = (lucid__stream){.slot = writer->program.stores->slot,
                                  .dtype = writer->program.stores->dtype};
    lucid__strides(&parts->shape, stride);
    for (int d = 0; d < parts->shape.ndim; d++)
        if (parts->shape.dim[d] != 1) {
            p->loads[0].stride[p->ndim] = stride[d];
            p->dim[p->ndim++] = parts->shape.dim[d];
        }
    p->stores[0] = p->loads[0];
    p->loads[0].parts = parts;
    p->over[0] = (uint16_t)((1u << p->ndim) - 1);
    return true;
}

/* The steps without those that put parts together for nobody. */
static bool read_parts(const lucid__plan *plan, lucid__draft_steps *drafts, use *uses)
{
    lucid__draft_room room;
    for (int i = 0; i < drafts->count; i++) {
        const lucid__step *step = lucid__draft_steps_get(drafts, i, &room);
        if (!step)
            continue;
        const lucid__program *p = &step->program;
        const int written = p->nstores > 0 ? p->stores->slot : -1;
        if (written < 0 || !plan->slots[written].parts) {
            for (int j = 0; j < p->nloads; j++) {
                lucid__stream t = p->loads[j];
                t.parts = uses[t.slot].copied ? NULL : plan->slots[t.slot].parts;
                lucid__draft_steps_set_load(drafts, i, j, &t);
            }
            continue;
        }
        use *u = &uses[written];
        lucid__step copy;
        if (!u->copied || --u->writers > 0)
            lucid__draft_steps_leave_out(drafts, i);
        else if (!copy_all(step, plan->slots[written].parts, drafts->arena, &copy) ||
                 !lucid__draft_steps_replace(drafts, i, &copy))
            return false;
    }
    return true;
}

bool lucid__parts_in_place(lucid__plan *plan, lucid__draft_steps *drafts)
{
    bool any = false;
    for (int k = 0; k < plan->nslots; k++)
        any |= plan->slots[k].parts != NULL;
    if (!any)
        return true;
    use *uses = lucid__arena_alloc(drafts->arena, (size_t)plan->nslots * sizeof *uses);
    if (!uses)
        return false;
    find_uses(plan, drafts, uses);
    /* Later ones first: their parts are then in memory. */
    for (int k = plan->nslots - 1; k >= 0; k--) {
        const lucid__parts *parts = plan->slots[k].parts;
        if (!parts)
            continue;
        uses[k].copied = uses[k].in_memory && can_copy(plan, parts, uses);
        if (uses[k].in_memory && !uses[k].copied) {
            plan->slots[k].parts = NULL;
            continue;
        }
        if (!(parts = without_zeros(parts, uses, plan->arena)))
            return false;
        plan->slots[k].parts = parts;
        for (int i = 0; i < parts->n; i++)
            uses[parts->part[i].from.slot].in_memory = true;
    }
    return read_parts(plan, drafts, uses);
}
