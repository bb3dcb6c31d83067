#include "engine/plan.h"

#include "base/memory.h"
#include "engine/fuse.h"
#include "engine/lower.h"

/* Where all outputs of all operations of a sketch are, flattened. */
typedef struct places {
    lucid__location *at;
    size_t *first; /* of operation i */
} places;

static bool places_new(lucid__arena *arena, const lucid__sketch *sk, places *p)
{
    size_t total = 0;
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

static lucid__location *place_of(const lucid__sketch *sk, const places *p, lucid__operand r)
{
    r = lucid__sketch_resolve(sk, r);
    return &p->at[p->first[r.op] + (size_t)r.out];
}

static bool place_leaves(lucid__lowering *l, const lucid__structure *st, places *p)
{
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++) {
            const lucid__output *out = &st->leaves[i]->out[k];
            lucid__location *at = &p->at[p->first[i] + (size_t)k];
            if (!lucid__lower_alloc(l, &out->aval, at))
                return false;
            for (int d = 0; d < out->aval.shape.ndim; d++)
                at->stride[d] = out->storage.buffer ? out->storage.stride[d] : 0;
        }
    l->plan->nleaves = l->plan->nslots;
    return true;
}

static bool lower_all(lucid__lowering *l, lucid__arena *scratch, const lucid__sketch *sk, places *p)
{
    for (int i = 0; i < sk->norder; i++) {
        const lucid__op *op = &sk->ops[sk->order[i]];
        lucid__location few[4], *in = few;
        if (op->nin > 4)
            in = lucid__arena_alloc(scratch, (size_t)op->nin * sizeof *in);
        if (!in) {
            lucid__out_of_memory(l->s);
            return false;
        }
        for (int j = 0; j < op->nin; j++)
            in[j] = *place_of(sk, p, op->in[j]);
        if (!lucid__lower_op(l, op, in, &p->at[p->first[sk->order[i]]]))
            return false;
    }
    return true;
}

static bool list_results(lucid__plan *plan, const lucid__sketch *sk, const places *p)
{
    const lucid__structure *st = sk->structure;
    int n = 0;
    for (size_t i = 0; i < st->nnodes; i++)
        n += st->nodes[i]->nout;
    plan->results = lucid__arena_alloc(plan->arena, (size_t)n * sizeof *plan->results);
    if (!plan->results)
        return false;
    for (size_t i = 0; i < st->nnodes; i++)
        for (int k = 0; k < st->nodes[i]->nout; k++) {
            if (!lucid__structure_wants(st, i, k))
                continue;
            lucid__plan_result *r = &plan->results[plan->nresults++];
            r->node = (int)i;
            r->out = k;
            r->location = *place_of(sk, p, (lucid__operand){sk->nleaves + (int)i, k});
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
        for (int j = 0; j < step->nout; j++) {
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

lucid__plan *lucid__plan_new(lucid_scope *s, const lucid__structure *st,
                             const lucid__backend *backend)
{
    lucid__plan *plan = lucid__calloc(1, sizeof *plan);
    lucid__arena *scratch = lucid__arena_new();
    bool ok = plan && scratch && (plan->arena = lucid__arena_new()) != NULL;
    if (ok) {
        lucid__lowering l = {.s = s, .plan = plan, .backend = backend};
        lucid__sketch sk;
        places p;
        ok = lucid__sketch_new(&sk, scratch, st) && (!lucid__fusion() || lucid__simplify(&sk));
        if (ok)
            lucid__sketch_prune(&sk);
        ok = ok && places_new(scratch, &sk, &p) && place_leaves(&l, st, &p) &&
             lower_all(&l, scratch, &sk, &p) && list_results(plan, &sk, &p) &&
             lucid__fuse(s, plan, scratch);
    }
    lucid__arena_free(scratch);
    if (ok) {
        link_slots(plan, backend);
        plan->users = 1;
        return plan;
    }
    lucid__out_of_memory(s); /* unless something else was recorded */
    if (plan)
        plan->users = 1;
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
    if (!plan || --plan->users > 0)
        return;
    for (int i = 0; i < plan->nsteps; i++)
        if (plan->steps[i].kind == LUCID__STEP_PROGRAM)
            lucid__cpu_backend.forget_program(&plan->steps[i].program);
    lucid__arena_free(plan->arena);
    lucid__free(plan->slots);
    lucid__free(plan->steps);
    lucid__free(plan);
}
