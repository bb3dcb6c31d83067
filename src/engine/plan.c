#include "engine/plan.h"

#include <string.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "engine/force.h"
#include "engine/fuse.h"
#include "engine/lower.h"

/* A location without what its operation knows, and with as many strides as it has. */
typedef struct place {
    int64_t offset;
    const int64_t *stride;
    int slot;
} place;

/* Where all outputs of all operations of a sketch are, flattened. */
typedef struct places {
    lucid__arena *arena;
    place *at;
    size_t *first;         /* of operation i */
    const int64_t *latest; /* strides, of so many dims: those of the next one are often the same */
    int latest_ndim;
} places;

static bool places_new(lucid__arena *arena, const lucid__sketch *sk, places *p)
{
    size_t total = 0;
    *p = (places){.arena = arena};
    p->first = lucid__arena_alloc(arena, (size_t)(sk->nops + 1) * sizeof *p->first);
    if (!p->first)
        return false;
    for (int i = 0; i < sk->nops; i++) {
        p->first[i] = total;
        total += i < sk->nleaves || sk->ops[i].live ? sk->ops[i].nout : 0;
    }
    p->at = lucid__arena_alloc(arena, (total + 1) * sizeof *p->at);
    return p->at != NULL;
}

static lucid__location location_of(const lucid__sketch *sk, const places *p, lucid__operand r)
{
    r = lucid__sketch_resolve(sk, r);
    const place *at = &p->at[p->first[r.op] + (size_t)r.out];
    const lucid__aval *aval = lucid__sketch_aval(sk, r);
    lucid__location l = {.slot = at->slot, .aval = *aval, .offset = at->offset};
    memcpy(l.stride, at->stride, (size_t)aval->shape.ndim * sizeof *l.stride);
    return l;
}

static bool put(places *p, size_t number, const lucid__location *l)
{
    const int n = l->aval.shape.ndim;
    const size_t bytes = (size_t)n * sizeof *l->stride;
    if (!p->latest || p->latest_ndim != n || memcmp(p->latest, l->stride, bytes) != 0) {
        int64_t *stride = lucid__arena_alloc(p->arena, bytes);
        if (!stride)
            return false;
        memcpy(stride, l->stride, bytes);
        p->latest = stride;
        p->latest_ndim = n;
    }
    p->at[number] = (place){.offset = l->offset, .stride = p->latest, .slot = l->slot};
    return true;
}

static bool place_leaves(lucid__lowering *l, const lucid__sketch *sk, places *p)
{
    const lucid__structure *st = sk->structure;
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++) {
            const lucid__storage *storage = &st->leaves[i]->out[k].storage;
            const lucid__aval *aval = &sk->ops[i].out[k];
            lucid__location at;
            if (!lucid__lower_alloc(l, aval, &at))
                return false;
            for (int d = 0; d < aval->shape.ndim; d++)
                at.stride[d] = storage->buffer ? storage->stride[d] : 0;
            if (!put(p, p->first[i] + (size_t)k, &at))
                return false;
        }
    l->plan->nleaves = l->plan->nslots;
    return true;
}

static bool lower(lucid__lowering *l, const lucid__sketch *sk, places *p, int number)
{
    enum { FEW = 4 };
    const lucid__op *op = &sk->ops[number];
    lucid__location few[FEW], *in = few;
    int n = op->nin + op->nout;
    if (n > FEW)
        in = lucid__malloc((size_t)n * sizeof *in);
    if (!in)
        return false;
    lucid__location *out = in + op->nin;
    for (int j = 0; j < op->nin; j++)
        in[j] = location_of(sk, p, op->in[j]);
    bool ok = lucid__lower_op(l, op, in, out);
    for (int k = 0; ok && k < op->nout; k++)
        ok = put(p, p->first[number] + (size_t)k, &out[k]);
    if (in != few)
        lucid__free(in);
    return ok;
}

static lucid__plan_choice choice_of(const lucid__lane_region *r)
{
    return (lucid__plan_choice){.nops = r->nops,
                                .kernels = r->kernels,
                                .lanes = r->lanes,
                                .apart = r->apart,
                                .together = r->together};
}

/* The region as one step; *done: it is. */
static bool lower_region(lucid__lowering *l, const lucid__sketch *sk, const lucid__lane_region *r,
                         places *p, bool *done)
{
    lucid__plan_choice *choice = &l->plan->choices[l->plan->nchoices++];
    lucid__location *in = lucid__arena_alloc(p->arena, (size_t)(r->nin + 1) * sizeof *in);
    lucid__location *out = lucid__arena_alloc(p->arena, (size_t)(r->nout + 1) * sizeof *out);
    if (!in || !out)
        return false;
    for (int i = 0; i < r->nin; i++)
        in[i] = location_of(sk, p, r->in[i].at);
    for (int k = 0; k < r->nout; k++)
        out[k].aval = *lucid__sketch_aval(sk, r->out[k].at);
    *choice = choice_of(r);
    bool ok = lucid__lower_region(l, r, in, out, &choice->why_not);
    *done = choice->taken = ok && !choice->why_not;
    for (int k = 0; *done && ok && k < r->nout; k++)
        ok = put(p, p->first[r->out[k].at.op] + (size_t)r->out[k].at.out, &out[k]);
    return ok;
}

/* The regions that are worth it; *region_of: of each operation, -1: none; NULL where there are none. False: out of
 * memory. */
static bool find_regions(lucid__plan *plan, lucid__sketch *sk, lucid__lane_region *regions,
                         int **region_of)
{
    const lucid__forced_layout forced = lucid__layout_forced();
    lucid__lane_region left[LUCID__MAX_REGIONS];
    int nleft = 0;
    *region_of = NULL;
    if (sk->norder > LUCID__MOST_REGION_OPS || (!forced && !lucid__fusion()) ||
        !lucid__lanes_allowed())
        return true;
    *region_of = lucid__arena_alloc(sk->arena, (size_t)(sk->nops + 1) * sizeof **region_of);
    if (!*region_of || lucid__lane_regions_find(sk, forced == LUCID__FORCE_BATCH, regions,
                                                *region_of, left, &nleft) < 0)
        return false;
    for (int i = 0; i < nleft; i++)
        plan->choices[plan->nchoices++] = choice_of(&left[i]);
    return true;
}

/* Regions that are worth it become a lane program each; the rest goes operation by operation. */
static bool lower_all(lucid__lowering *l, lucid__sketch *sk, places *p)
{
    lucid__lane_region regions[LUCID__MAX_REGIONS];
    bool begun[LUCID__MAX_REGIONS] = {false}, done[LUCID__MAX_REGIONS] = {false};
    int *region_of;
    bool ok = find_regions(l->plan, sk, regions, &region_of);
    for (int i = 0; ok && i < sk->norder; i++) {
        int number = sk->order[i], region = region_of ? region_of[number] : -1;
        ok = !lucid__stop();
        if (ok && region >= 0 && !begun[region]) {
            begun[region] = true;
            ok = lower_region(l, sk, &regions[region], p, &done[region]);
        }
        if (ok && (region < 0 || !done[region]))
            ok = lower(l, sk, p, number);
    }
    if (!ok)
        lucid__unfinished(l->s); /* unless something else was recorded */
    return ok;
}

static bool list_results(lucid__plan *plan, const lucid__sketch *sk, const places *p)
{
    const lucid__structure *st = sk->structure;
    size_t n = 0;
    for (size_t i = 0; i < st->nnodes; i++)
        for (int k = 0; k < st->nodes[i]->nout; k++)
            n += lucid__structure_wants(st, i, k);
    plan->results = lucid__arena_alloc(plan->arena, n * sizeof *plan->results);
    if (!plan->results)
        return false;
    for (size_t i = 0; i < st->nnodes; i++)
        for (int k = 0; k < st->nodes[i]->nout; k++) {
            if (!lucid__structure_wants(st, i, k))
                continue;
            lucid__plan_result *r = &plan->results[plan->nresults++];
            r->node = (int)i;
            r->out = k;
            r->location = location_of(sk, p, (lucid__operand){sk->nleaves + (int)i, k});
        }
    return true;
}

static void use_slot(lucid__plan *plan, int slot, int step, bool write)
{
    if (write && plan->slots[slot].made_by < 0)
        plan->slots[slot].made_by = step;
    plan->slots[slot].read |= !write;
    plan->slots[slot].last_used = step;
}

/* What a kernel need not compute, because nobody reads it, has no memory. */
static void leave_out_unread(lucid__plan *plan, const lucid__backend *backend)
{
    for (int i = 0; i < plan->nsteps; i++) {
        const lucid__step *step = &plan->steps[i];
        for (int j = 0; j < step->nout && !step->region; j++) {
            lucid__slot *slot = &plan->slots[step->out[j].slot];
            bool optional = backend->kernels[step->prim].optional >> (j < 31 ? j : 31) & 1;
            slot->left_out = optional && !slot->read;
        }
    }
}

/* Which slots begin and end with each step. */
static void link_slots(lucid__plan *plan, const lucid__backend *backend)
{
    for (int i = 0; i < plan->nsteps; i++) {
        lucid__step *step = &plan->steps[i];
        const lucid__program *g = &step->program;
        step->first_made = step->first_dead = -1;
        for (int j = 0; j < g->nloads; j++) {
            const lucid__words *w = g->loads[j].words;
            for (int k = 0; w && k < 3; k++)
                use_slot(plan, w->in[k].slot, i, false);
            const lucid__parts *parts = g->loads[j].parts;
            for (int k = 0; parts && k < parts->n; k++)
                use_slot(plan, parts->part[k].from.slot, i, false);
            if (!w && !parts)
                use_slot(plan, g->loads[j].slot, i, false);
        }
        for (int j = 0; j < g->ntables; j++)
            if (g->tables[j].at.slot >= 0)
                use_slot(plan, g->tables[j].at.slot, i, false);
        for (int j = 0; j < g->nstores; j++)
            use_slot(plan, g->stores[j].slot, i, true);
        for (int j = 0; j < step->nin; j++)
            use_slot(plan, step->in[j].slot, i, false);
        for (int j = 0; j < step->nout; j++)
            use_slot(plan, step->out[j].slot, i, true);
    }
    for (int i = 0; i < plan->nresults; i++)
        use_slot(plan, plan->results[i].location.slot, plan->nsteps, false);
    leave_out_unread(plan, backend);
    for (int k = 0; k < plan->nslots; k++) {
        lucid__slot *slot = &plan->slots[k];
        if (slot->made_by < 0 || slot->left_out) /* a leaf, or never in memory */
            continue;
        lucid__step *made_by = &plan->steps[slot->made_by];
        slot->next_made = made_by->first_made;
        made_by->first_made = k;
        if (slot->last_used < plan->nsteps) {
            lucid__step *last = &plan->steps[slot->last_used];
            slot->next_dead = last->first_dead;
            last->first_dead = k;
        }
    }
}

/* The plan's steps, each of which does one thing. What is only needed on the way is gone afterwards. */
static bool find_steps(lucid__lowering *l, const lucid__structure *st)
{
    lucid__arena *scratch = lucid__arena_new();
    lucid__sketch sk;
    places p;
    bool ok = scratch && lucid__sketch_new(&sk, scratch, st) &&
              (!lucid__fusion() || lucid__simplify(&sk));
    if (ok)
        lucid__sketch_prune(&sk);
    ok = ok && places_new(scratch, &sk, &p) && place_leaves(l, &sk, &p) && lower_all(l, &sk, &p) &&
         list_results(l->plan, &sk, &p);
    lucid__arena_free(scratch);
    return ok;
}

/* Slots were made one by one, with room for more. */
static bool trim(lucid__plan *plan)
{
    lucid__slot *slots =
        lucid__realloc(plan->slots, (size_t)(plan->nslots + 1) * sizeof *plan->slots);
    if (!slots)
        return false;
    plan->slots = slots;
    plan->slot_capacity = plan->nslots + 1;
    return true;
}

lucid__plan *lucid__plan_new(lucid_scope *s, const lucid__structure *st,
                             const lucid__backend *backend)
{
    lucid__plan *plan = lucid__calloc(1, sizeof *plan);
    lucid__draft_steps drafts;
    bool ok = lucid__draft_steps_init(&drafts) && plan && (plan->arena = lucid__arena_new());
    lucid__lowering l = {.s = s, .plan = plan, .steps = &drafts, .backend = backend};
    ok = ok && find_steps(&l, st) && trim(plan) && lucid__fuse(s, plan, &drafts);
    lucid__draft_steps_free(&drafts);
    if (ok) {
        link_slots(plan, backend);
        atomic_init(&plan->users, 1);
        return plan;
    }
    lucid__unfinished(s); /* unless something else was recorded */
    if (plan)
        atomic_init(&plan->users, 1);
    lucid__plan_release(plan);
    return NULL;
}

size_t lucid__plan_size(const lucid__plan *plan)
{
    return sizeof *plan + lucid__arena_bytes(plan->arena) +
           (size_t)plan->slot_capacity * sizeof *plan->slots +
           (size_t)plan->step_capacity * sizeof *plan->steps;
}

int64_t lucid__plan_bytes(const lucid__plan *plan)
{
    int64_t now = 0, most = 0;
    for (int i = 0; i < plan->nsteps; i++) {
        const lucid__step *step = &plan->steps[i];
        for (int k = step->first_made; k >= 0; k = plan->slots[k].next_made)
            now += (int64_t)plan->slots[k].bytes;
        most = now > most ? now : most;
        for (int k = step->first_dead; k >= 0; k = plan->slots[k].next_dead)
            now -= (int64_t)plan->slots[k].bytes;
    }
    return most;
}

void lucid__plan_release(lucid__plan *plan)
{
    if (!plan || !lucid__unref(&plan->users))
        return;
    for (int i = 0; i < plan->nsteps; i++)
        if (plan->steps[i].kind == LUCID__STEP_PROGRAM)
            lucid__cpu_backend.forget_program(&plan->steps[i].program);
        else if (plan->steps[i].lanes)
            lucid__cpu_backend.forget_lanes(plan->steps[i].lanes);
    lucid__arena_free(plan->arena);
    lucid__free(plan->slots);
    lucid__free(plan->steps);
    lucid__free(plan);
}
