/* Fusion goes through the steps in order and lets each join the latest group that makes something it reads,
 * or an earlier one with which it shares a read; then the other groups that it reads from join, too.
 *
 *   - The dims of a step fall on dims of the group: those of what it reads of the group's own results, which it
 *     must read point by point, and others of the same size. What is left over becomes new dims of the group,
 *     so that values per row and values per element live in one program.
 *   - A reduction is an instruction of the group whose result lies over fewer dims; a result that is read along
 *     dims it does not lie over is spread.
 *   - A group runs where its first member stood, so what a member reads must be made before that group or
 *     inside it. A group that joins a later one runs where that one stands, so nobody in between may need it.
 *   - What a gather looks up must be in memory; where it looks is a register like any other.
 *   - A kernel is a group of its own; but random words that only programs read are made by them (fuse_words.c).
 */
#include "engine/fuse.h"

#include <stdlib.h>
#include <string.h>

#include "base/interrupt.h"
#include "base/thread.h"
#include "engine/group.h"

enum {
    /* Known to go to memory: too many streams at once overtax the memory system. */
    MAX_OUTPUTS = 64,
    MAX_FOLDS = 64,  /* of a program: each may want a stage of its own */
    LOOK_BACK = 16,  /* groups that a step without a producer among them is offered to */
    MERGE_BACK = 64, /* groups over which one can be moved */
    NOT_IN_REGISTER = -1,
};

/* Who reads and writes a slot, over all steps. */
typedef struct traffic {
    int reads, writes;
    bool result;  /* of the plan, or made for its checks */
    int forwards; /* reads that became registers */
    int group;    /* the last one that writes it so far; -1: none, a leaf */
    int output;   /* of that group; NOT_IN_REGISTER: it has no single writer that can be joined */
} traffic;

typedef struct fuser {
    lucid__plan *plan;
    const lucid__draft_steps *drafts;
    lucid__arena *scratch;
    traffic *slots;
    lucid__group **chunks; /* of groups, CHUNK each */
    int ngroups;
} fuser;

enum { CHUNK = 64 };

static lucid__group *group_at(const fuser *f, int at)
{
    return &f->chunks[at / CHUNK][at % CHUNK];
}

/* ---- what the steps do ------------------------------------------------------------------------- */

/* What a load reads that must be in memory by then, its own slot not counted: what words are made from, or parts. */
static int sources(const lucid__stream *t, int slots[LUCID__MAX_PARTS])
{
    int n = 0;
    for (int k = 0; t->words && k < 3; k++)
        slots[n++] = t->words->in[k].slot;
    for (int k = 0; t->parts && k < t->parts->n; k++)
        slots[n++] = t->parts->part[k].from.slot;
    return n;
}

static void count_traffic(fuser *f)
{
    const lucid__plan *plan = f->plan;
    for (int k = 0; k < plan->nslots; k++) {
        f->slots[k].group = f->slots[k].output = -1;
        f->slots[k].result = plan->slots[k].checks;
    }
    for (int i = 0; i < f->drafts->count; i++) {
        lucid__draft_room room;
        const lucid__step *step = lucid__draft_steps_get(f->drafts, i, &room);
        if (!step)
            continue;
        for (int j = 0; j < step->program.nloads; j++) {
            int slots[LUCID__MAX_PARTS], n = sources(&step->program.loads[j], slots);
            f->slots[step->program.loads[j].slot].reads++;
            for (int k = 0; k < n; k++)
                f->slots[slots[k]].reads++;
        }
        for (int j = 0; j < step->program.ntables; j++)
            if (step->program.tables[j].at.slot >= 0)
                f->slots[step->program.tables[j].at.slot].reads++;
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

/* Whether an output must reach memory. */
static bool needed(const fuser *f, const lucid__stream *to)
{
    const traffic *t = &f->slots[to->slot];
    return t->result || t->writes > 1 || t->reads > t->forwards;
}

/* Room for another group, or for a step: its loads, as many spreads, an instruction. Some room is kept for
 * copies of what a group has, which need no values. */
static bool has_room(const lucid__group *g, const lucid__group *more, const lucid__program *step)
{
    enum { STEP_VALUES = 8, FOR_COPIES = 16 };
    int values = more ? more->nvalues : step->ninstrs > 0 ? STEP_VALUES + FOR_COPIES : 2;
    int loads = more ? more->nloads : step->ninstrs > 0 ? 4 : 1;
    return g->nvalues + values <= LUCID__MAX_VALUES &&
           g->nstored + (more ? more->nstored : 1) <= MAX_OUTPUTS &&
           g->nloads + loads <= LUCID__MAX_GROUP_LOADS &&
           g->nfolds + (more ? more->nfolds : 1) <= MAX_FOLDS;
}

/* ---- the same points ----------------------------------------------------------------------------- */

/* Lets the dims that `read` walks fall on those of the group along which `made` lies, element by element.
 * False: it reads them in another way. */
static bool follow(lucid__fit *fit, const lucid__stream *made, unsigned over, const int64_t *dim,
                   int ndim, const lucid__stream *read, unsigned *used)
{
    int walked = 0, matched = 0;
    if (made->offset != read->offset || made->dtype != read->dtype)
        return false;
    for (int d = 0; d < ndim; d++)
        walked += read->stride[d] != 0;
    for (unsigned rest = over; rest; rest &= rest - 1) {
        int e = __builtin_ctz(rest), d = 0;
        if (made->stride[e] == 0) /* of a load that repeats */
            continue;
        while (d < ndim && (read->stride[d] != made->stride[e] || dim[d] != fit->dim[e] ||
                            (fit->order[d] != e && (fit->order[d] >= 0 || (*used >> e & 1)))))
            d++;
        if (d == ndim)
            return false;
        fit->order[d] = e;
        *used |= 1u << e;
        matched++;
    }
    return matched == walked;
}

/* A step's reduction must count its points in the order of the group's dims. */
static bool keeps_order(const lucid__fit *fit, uint16_t dims)
{
    int last = -1;
    for (int d = 0; d < LUCID_MAX_NDIM; d++)
        if (dims >> d & 1) {
            if (fit->order[d] < last)
                return false;
            last = fit->order[d];
        }
    return true;
}

/* Whether the group's space may become that of `fit`, for the sake of something over the dims `over` of it.
 * That must be over all dims, or else loops would be nested that stand side by side; except that reduced dims
 * may be left out where they are few enough to be held at once. */
static bool may_grow(const lucid__group *g, lucid__fit *fit, uint16_t over)
{
    if (fit->ndim == g->ndim)
        return true;
    const unsigned all = (1u << fit->ndim) - 1;
    fit->uneven |= g->folded != 0;
    return (all & ~(unsigned)over & ~(unsigned)g->folded) == 0 && lucid__fit_possible(fit);
}

/* How a step's program can be part of group `at`. */
static bool align(const fuser *f, int at, const lucid__program *p, lucid__fit *fit)
{
    const lucid__group *g = group_at(f, at);
    unsigned used = 0;
    bool bound = false;
    if (!g->open)
        return false;
    *fit = lucid__fit_begin(g);
    for (int i = 0; i < p->nloads; i++) {
        const traffic *t = &f->slots[p->loads[i].slot];
        if (t->group != at)
            continue;
        if (t->output == NOT_IN_REGISTER)
            return false;
        const lucid__stream *made = &g->outputs[t->output];
        if (!follow(fit, made, g->values[made->reg].over, p->dim, p->ndim, &p->loads[i], &used))
            return false;
        bound = true;
    }
    for (int i = 0; i < p->nloads; i++) { /* what is repeated must not fall where values differ */
        const traffic *t = &f->slots[p->loads[i].slot];
        if (t->group != at)
            continue;
        unsigned over = g->values[g->outputs[t->output].reg].over;
        for (int d = 0; d < p->ndim; d++)
            if (p->loads[i].stride[d] == 0 && fit->order[d] >= 0 && (over >> fit->order[d] & 1))
                return false;
    }
    for (int i = 0; i < p->nloads; i++) /* reads that are shared: the same points if possible */
        for (int j = 0; j < g->nloads; j++) {
            const lucid__draft_value *v = &g->values[g->load[j]];
            lucid__fit trial = *fit;
            unsigned then = used;
            if (v->from->slot != p->loads[i].slot ||
                !follow(&trial, v->from, v->over, p->dim, p->ndim, &p->loads[i], &then))
                continue;
            bound |= then != used;
            *fit = trial;
            used = then;
        }
    const uint16_t all = (uint16_t)((1u << p->ndim) - 1);
    if (!bound || !lucid__fit_rest(fit, p->dim, p->ndim, used))
        return false;
    uint16_t over = lucid__fit_dims(fit, all);
    if (!may_grow(g, fit, over))
        return false;
    if (p->folded == 0)
        return true;
    return keeps_order(fit, p->folded) &&
           lucid__fit_fold(fit, over, lucid__fit_dims(fit, p->folded));
}

static void grow_space(lucid__group *g, const lucid__fit *fit)
{
    g->ndim = fit->ndim;
    memcpy(g->dim, fit->dim, sizeof g->dim);
    g->folded = fit->folded;
    g->uneven = fit->uneven;
}

/* ---- joining -------------------------------------------------------------------------------------- */

static bool add_output(fuser *f, int at, const lucid__stream *to, int v)
{
    traffic *t = &f->slots[to->slot];
    lucid__group *g = group_at(f, at);
    t->group = at > t->group ? at : t->group;
    t->output = t->writes == 1 ? g->noutputs : NOT_IN_REGISTER;
    g->nstored += t->result || t->writes > 1;
    return lucid__group_output(g, to, v);
}

/* Adds what a step does to group `at`. False: out of memory. */
static bool join(fuser *f, int at, const lucid__program *p, const lucid__fit *fit)
{
    lucid__group *g = group_at(f, at);
    int of_load[3] = {0}, result = 0;
    grow_space(g, fit);
    for (int i = 0; i < p->nloads; i++) {
        const uint16_t over = lucid__fit_dims(fit, p->over[i]);
        traffic *t = &f->slots[p->loads[i].slot];
        if (t->group == at && g->outputs) { /* which it has, then */
            int v = g->outputs[t->output].reg;
            of_load[i] = lucid__group_spread(g, v, over, p->loads[i].dtype);
            t->forwards++;
        } else {
            lucid__stream from = lucid__fit_stream(fit, &p->loads[i], p->over[i]);
            lucid__draft_value v = {.loaded = true, .over = over, .reads = 1, .from = &from};
            from.reg = 0;
            of_load[i] = lucid__group_add(g, f->scratch, &v);
        }
        if (of_load[i] < 0)
            return false;
    }
    if (p->ninstrs == 0) {
        result = of_load[0];
    } else {
        lucid__draft_value v = {.nsrc = (uint8_t)p->nloads, .instr = p->instrs[0]};
        lucid__stream from;
        v.over = lucid__fit_dims(fit, p->over[v.instr.dst]);
        for (int i = 0; i < 3; i++)
            v.instr.src[i] = i < p->nloads ? (uint16_t)of_load[i] : 0;
        v.instr.dst = 0;
        if (v.instr.op == LUCID__iota)
            v.instr.imm = fit->order[v.instr.imm];
        if (p->ntables > 0) {
            v.table = p->tables;
            from = lucid__fit_stream(fit, &p->tables->at, p->over[p->instrs[0].dst]);
            from.reg = 0;
            v.from = &from;
            v.instr.imm = 0;
        }
        result = lucid__group_add(g, f->scratch, &v);
    }
    if (result < 0)
        return false;
    lucid__stream to = lucid__fit_stream(fit, &p->stores[0], p->over[p->stores[0].reg]);
    return add_output(f, at, &to, result);
}

static bool start(fuser *f, const lucid__step *step)
{
    int at = f->ngroups;
    const lucid__program *p = &step->program;
    if (at % CHUNK == 0) {
        f->chunks[at / CHUNK] = lucid__arena_alloc(f->scratch, CHUNK * sizeof(lucid__group));
        if (!f->chunks[at / CHUNK])
            return false;
    }
    f->ngroups++;
    lucid__group *g = group_at(f, at);
    *g = (lucid__group){.made_for = step->prim, .open = step->kind == LUCID__STEP_PROGRAM};
    if (step->kind == LUCID__STEP_KERNEL) {
        g->kernel = step;
        for (int k = 0; k < step->nout; k++)
            f->slots[step->out[k].slot].group = at;
        return true;
    }
    lucid__fit fit = lucid__fit_begin(g);
    (void)lucid__fit_rest(&fit, p->dim, p->ndim, 0);
    if (p->folded)
        (void)lucid__fit_fold(&fit, (uint16_t)((1u << p->ndim) - 1), p->folded);
    return join(f, at, p, &fit);
}

/* ---- groups into groups ---------------------------------------------------------------------------- */

/* Whether the group needs something in memory that group `at` makes: a table, or a source. */
static bool looks_up(const fuser *f, const lucid__group *g, int at)
{
    for (int i = 0; i < g->nloads; i++) {
        int slots[LUCID__MAX_PARTS], n = sources(g->values[g->load[i]].from, slots);
        for (int k = 0; k < n; k++)
            if (f->slots[slots[k]].group == at)
                return true;
    }
    for (int i = 0; i < g->nvalues; i++)
        if (g->values[i].table && g->values[i].from->slot >= 0 &&
            f->slots[g->values[i].from->slot].group == at)
            return true;
    return false;
}

static bool reads_from(const fuser *f, const lucid__group *g, int at)
{
    for (int i = 0; i < g->nloads; i++)
        if (f->slots[g->values[g->load[i]].from->slot].group == at)
            return true;
    if (looks_up(f, g, at))
        return true;
    for (int i = 0; g->kernel && i < g->kernel->nin; i++)
        if (f->slots[g->kernel->in[i].slot].group == at)
            return true;
    return false;
}

/* Whether group a can run as late as group b. */
static bool can_wait(const fuser *f, int a, int b)
{
    const lucid__group *g = group_at(f, a);
    if (!g->open || b - a > MERGE_BACK || !has_room(group_at(f, b), g, NULL) ||
        looks_up(f, group_at(f, b), a))
        return false;
    for (int i = 0; i < g->noutputs; i++)
        if (f->slots[g->outputs[i].slot].group != a) /* written to again since */
            return false;
    for (int k = a + 1; k < b; k++)
        if (reads_from(f, group_at(f, k), a))
            return false;
    return true;
}

/* How group a's dims fall on group b's: where b reads what a makes, and where both read the same. */
static bool align_groups(const fuser *f, int a, int b, lucid__fit *fit)
{
    const lucid__group *from = group_at(f, a), *to = group_at(f, b);
    unsigned used = 0;
    *fit = lucid__fit_begin(to);
    for (int i = 0; i < to->nloads; i++) {
        const lucid__draft_value *v = &to->values[to->load[i]];
        if (f->slots[v->from->slot].group != a)
            continue;
        int out = f->slots[v->from->slot].output;
        if (out == NOT_IN_REGISTER)
            return false;
        const lucid__stream *made = &from->outputs[out];
        unsigned over = from->values[made->reg].over;
        int walked = 0, matched = 0;
        for (unsigned rest = v->over; rest; rest &= rest - 1)
            walked += v->from->stride[__builtin_ctz(rest)] != 0;
        if (made->offset != v->from->offset || made->dtype != v->from->dtype)
            return false;
        for (unsigned rest = over; rest; rest &= rest - 1, matched++) {
            int d = __builtin_ctz(rest), e = 0;
            while (e < to->ndim &&
                   (!(v->over >> e & 1) || v->from->stride[e] != made->stride[d] ||
                    to->dim[e] != from->dim[d] ||
                    (fit->order[d] != e && (fit->order[d] >= 0 || (used >> e & 1)))))
                e++;
            if (e == to->ndim)
                return false;
            fit->order[d] = e;
            used |= 1u << e;
        }
        if (matched != walked)
            return false;
    }
    if (!lucid__fit_rest(fit, from->dim, from->ndim, used))
        return false;
    /* The reductions of both must be possible side by side, and a's points counted in the same order. */
    uint16_t folded = lucid__fit_dims(fit, from->folded);
    uint16_t over = lucid__fit_dims(fit, (uint16_t)((1u << from->ndim) - 1));
    if (!may_grow(to, fit, over))
        return false;
    if (folded == 0)
        return true;
    fit->uneven |= from->uneven;
    return keeps_order(fit, from->folded) && lucid__fit_fold(fit, over, folded);
}

/* Value i of group a, which goes, as a value of the new list. */
static lucid__draft_value moved(const lucid__draft_value *v, const lucid__fit *fit,
                                const int *number)
{
    lucid__draft_value to = *v;
    if (fit) {
        to.over = lucid__fit_dims(fit, v->over);
        if (v->from)
            *v->from = lucid__fit_stream(fit, v->from, v->over);
        if (v->instr.op == LUCID__iota)
            to.instr.imm = fit->order[v->instr.imm];
    }
    for (int j = 0; j < v->nsrc; j++)
        to.instr.src[j] = (uint16_t)number[v->instr.src[j]];
    return to;
}

/* The lists of group b, which are empty, from those of group a and b's `old` ones. */
static bool merge_lists(fuser *f, int a, int b, const lucid__group *old, const lucid__fit *fit)
{
    lucid__group *from = group_at(f, a), *to = group_at(f, b);
    int of_a[LUCID__MAX_VALUES], of_b[LUCID__MAX_VALUES];
    for (int i = 0; i < from->nvalues; i++) {
        lucid__draft_value v = moved(&from->values[i], fit, of_a);
        if ((of_a[i] = lucid__group_add(to, NULL, &v)) < 0)
            return false;
    }
    for (int i = 0; i < old->nvalues; i++) {
        lucid__draft_value v = moved(&old->values[i], NULL, of_b);
        if (v.loaded && f->slots[v.from->slot].group == a) {
            traffic *t = &f->slots[v.from->slot];
            int made = of_a[from->outputs[t->output].reg];
            of_b[i] = lucid__group_spread(to, made, v.over, v.from->dtype);
            t->forwards += v.reads;
        } else {
            of_b[i] = lucid__group_add(to, NULL, &v);
        }
        if (of_b[i] < 0)
            return false;
    }
    for (int i = 0; i < from->noutputs + old->noutputs; i++) {
        bool is_a = i < from->noutputs;
        const lucid__stream *o = is_a ? &from->outputs[i] : &old->outputs[i - from->noutputs];
        lucid__stream t = is_a ? lucid__fit_stream(fit, o, from->values[o->reg].over) : *o;
        traffic *slot = &f->slots[o->slot];
        if (slot->group == (is_a ? a : b) && slot->output != NOT_IN_REGISTER)
            slot->output = to->noutputs;
        if (!lucid__group_output(to, &t, is_a ? of_a[o->reg] : of_b[o->reg]))
            return false;
    }
    return true;
}

/* Group a becomes part of group b. False: out of memory. */
static bool merge(fuser *f, int a, int b, const lucid__fit *fit)
{
    lucid__group *from = group_at(f, a), *to = group_at(f, b), old = *to;
    grow_space(to, fit);
    to->nstored += from->nstored;
    to->values = NULL;
    to->outputs = NULL;
    to->nvalues = to->noutputs = to->nloads = to->nfolds = 0;
    to->value_capacity = to->output_capacity = 0;
    bool ok = merge_lists(f, a, b, &old, fit);
    lucid__group_free(&old);
    if (!ok)
        return false;
    for (int i = 0; i < from->noutputs; i++)
        f->slots[from->outputs[i].slot].group = b;
    from->open = false;
    from->gone = true;
    from->nvalues = from->noutputs = from->nloads = 0;
    lucid__group_free(from);
    return true;
}

/* Lets the other groups that a step reads join group b, which it is in. False: out of memory. */
static bool take_producers_in(fuser *f, int b, const int *producers, int n)
{
    for (int i = 0; i < n; i++) {
        int a = producers[i];
        lucid__fit fit;
        if (a >= 0 && a != b && group_at(f, a)->open && can_wait(f, a, b) &&
            align_groups(f, a, b, &fit) && !merge(f, a, b, &fit))
            return false;
    }
    return true;
}

/* ---- who joins whom ------------------------------------------------------------------------------- */

/* The earliest group that the step can be part of, or follow. */
static int earliest(const fuser *f, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    int at = -1;
    for (int i = 0; i < p->nloads; i++) {
        int made = f->slots[p->loads[i].slot].group;
        at = made > at ? made : at;
    }
    for (int i = 0; i < p->nloads; i++) {
        int slots[LUCID__MAX_PARTS], n = sources(&p->loads[i], slots);
        for (int k = 0; k < n; k++) {
            int made = f->slots[slots[k]].group;
            at = made >= at && made >= 0 ? made + 1 : at;
        }
    }
    for (int i = 0; i < p->ntables; i++) {
        int slot = p->tables[i].at.slot, made = slot >= 0 ? f->slots[slot].group : -1;
        at = made >= at && made >= 0 ? made + 1 : at;
    }
    int written = f->slots[p->stores[0].slot].group;
    return step->overwrites && written >= at ? written + 1 : at;
}

static bool place(fuser *f, const lucid__step *step)
{
    const lucid__program *p = &step->program;
    int first = earliest(f, step), at = -1;
    int producers[3];
    lucid__fit fit;
    for (int i = 0; i < p->nloads; i++)
        producers[i] = f->slots[p->loads[i].slot].group;
    if (first >= 0 && first < f->ngroups && has_room(group_at(f, first), NULL, p) &&
        align(f, first, p, &fit))
        at = first;
    int oldest = f->ngroups > LOOK_BACK ? f->ngroups - LOOK_BACK : 0;
    for (int k = f->ngroups - 1; at < 0 && k > first && k >= oldest; k--)
        if (has_room(group_at(f, k), NULL, p) && align(f, k, p, &fit))
            at = k;
    if (at >= 0 ? !join(f, at, p, &fit) : !start(f, step))
        return false;
    return take_producers_in(f, at >= 0 ? at : f->ngroups - 1, producers, p->nloads);
}

/* ---- the plan ------------------------------------------------------------------------------------- */

static bool finish(fuser *f, const lucid__group *g)
{
    lucid__step *to = &f->plan->steps[f->plan->nsteps];
    bool *wanted = lucid__arena_alloc(f->scratch, (size_t)g->noutputs + 1);
    if (!wanted)
        return false;
    bool any = false;
    for (int i = 0; i < g->noutputs; i++)
        any |= wanted[i] = needed(f, &g->outputs[i]);
    if (!any)
        return true;
    f->plan->nsteps++;
    return lucid__group_finish(g, f->plan->arena, wanted, to);
}

static atomic_int fusion = -1; /* not known yet */

bool lucid__fusion(void)
{
    int on = atomic_load(&fusion);
    if (on < 0) {
        const char *text = getenv("LUCID_FUSION");
        on = !text || strcmp(text, "0") != 0;
        atomic_store(&fusion, on);
    }
    return on;
}

void lucid__set_fusion(bool on)
{
    atomic_store(&fusion, on);
}

static bool group_all(fuser *f)
{
    const lucid__draft_steps *drafts = f->drafts;
    f->slots = lucid__arena_alloc(f->scratch, (size_t)f->plan->nslots * sizeof *f->slots);
    f->chunks =
        lucid__arena_alloc(f->scratch, (size_t)(drafts->count / CHUNK + 1) * sizeof *f->chunks);
    bool ok = f->slots && f->chunks;
    if (ok)
        count_traffic(f);
    for (int i = 0; ok && i < drafts->count; i++) {
        lucid__draft_room room;
        const lucid__step *step = lucid__draft_steps_get(drafts, i, &room);
        if (lucid__stop())
            ok = false;
        else if (step && (step->kind == LUCID__STEP_KERNEL || !lucid__fusion()))
            ok = start(f, step);
        else if (step)
            ok = place(f, step);
    }
    return ok;
}

static bool finish_all(fuser *f)
{
    lucid__plan *plan = f->plan;
    for (int at = 0; at < f->ngroups; at++)
        plan->step_capacity += !group_at(f, at)->gone;
    plan->steps = lucid__calloc((size_t)plan->step_capacity + 1, sizeof *plan->steps);
    bool ok = plan->steps != NULL;
    for (int at = 0; ok && at < f->ngroups; at++) {
        lucid__group *g = group_at(f, at);
        if (g->kernel)
            plan->steps[plan->nsteps++] = *g->kernel;
        else if (!g->gone)
            ok = !lucid__stop() && finish(f, g);
        lucid__group_free(g);
    }
    return ok;
}

bool lucid__fuse(lucid_scope *s, lucid__plan *plan, lucid__draft_steps *drafts)
{
    fuser f = {.plan = plan, .drafts = drafts, .scratch = drafts->arena};
    bool ok = !lucid__fusion() ||
              (lucid__words_in_place(plan, drafts) && lucid__parts_in_place(plan, drafts));
    ok = ok && group_all(&f) && finish_all(&f);
    for (int at = 0; at < f.ngroups; at++)
        lucid__group_free(group_at(&f, at));
    if (!ok)
        lucid__unfinished(s);
    return ok;
}
