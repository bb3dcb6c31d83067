#include "engine/group.h"

#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "engine/fuse.h"

/* ---- spaces ------------------------------------------------------------------------------------- */

lucid__fit lucid__fit_begin(const lucid__group *g)
{
    lucid__fit fit = {.ndim = g->ndim, .folded = g->folded, .uneven = g->uneven};
    memcpy(fit.dim, g->dim, sizeof fit.dim);
    for (int d = 0; d < LUCID_MAX_NDIM; d++)
        fit.order[d] = -1;
    return fit;
}

bool lucid__fit_fold(lucid__fit *fit, uint16_t over, uint16_t dims)
{
    fit->uneven |= fit->folded != 0 && fit->folded != dims;
    fit->uneven |= over != (1u << fit->ndim) - 1;
    fit->folded |= dims;
    return lucid__fit_possible(fit);
}

bool lucid__fit_possible(const lucid__fit *fit)
{
    int64_t points = 1;
    for (int d = 0; fit->uneven && d < fit->ndim; d++) {
        if (!(fit->folded >> d & 1))
            continue;
        if (fit->dim[d] > LUCID__WHOLE_POINTS)
            return false;
        points = lucid__times(points, fit->dim[d]);
        if (points > LUCID__WHOLE_POINTS)
            return false;
    }
    return true;
}

bool lucid__fit_rest(lucid__fit *fit, const int64_t *dim, int ndim, unsigned used)
{
    for (int d = 0; d < ndim; d++) {
        int e = 0;
        if (fit->order[d] >= 0)
            continue;
        while (e < fit->ndim && ((used >> e & 1) || fit->dim[e] != dim[d]))
            e++;
        if (e == LUCID_MAX_NDIM)
            return false;
        if (e == fit->ndim)
            fit->dim[fit->ndim++] = dim[d];
        fit->order[d] = e;
        used |= 1u << e;
    }
    return true;
}

uint16_t lucid__fit_dims(const lucid__fit *fit, uint16_t dims)
{
    uint16_t to = 0;
    for (int d = 0; d < LUCID_MAX_NDIM; d++)
        if (dims >> d & 1)
            to |= (uint16_t)(1u << fit->order[d]);
    return to;
}

lucid__stream lucid__fit_stream(const lucid__fit *fit, const lucid__stream *t, uint16_t over)
{
    lucid__stream to = *t;
    memset(to.stride, 0, sizeof to.stride);
    for (int d = 0; d < LUCID_MAX_NDIM; d++)
        if (over >> d & 1)
            to.stride[fit->order[d]] = t->stride[d];
    return to;
}

bool lucid__same_stream(const lucid__stream *a, const lucid__stream *b, int ndim)
{
    return a->slot == b->slot && a->parts == b->parts && a->offset == b->offset &&
           a->dtype == b->dtype &&
           memcmp(a->stride, b->stride, (size_t)ndim * sizeof *a->stride) == 0;
}

/* ---- values ------------------------------------------------------------------------------------- */

static bool same_instr(const lucid__instr *a, const lucid__instr *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->to == b->to && a->imm == b->imm &&
           memcmp(a->src, b->src, sizeof a->src) == 0;
}

static bool same_table(const lucid__draft_value *a, const lucid__draft_value *b)
{
    const lucid__table *s = a->table, *t = b->table;
    if (!s || !t)
        return s == t;
    size_t bytes = (size_t)s->n * sizeof *s->size;
    return lucid__same_stream(a->from, b->from, LUCID_MAX_NDIM) && s->n == t->n &&
           s->shown_dim == t->shown_dim && memcmp(s->size, t->size, bytes) == 0 &&
           memcmp(s->step, t->step, bytes) == 0;
}

/* The list with room for one more; NULL: out of memory, the list is as it was. */
static void *grown(void *array, int count, int *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    int more = *capacity > 0 ? 2 * *capacity : 2;
    void *to = lucid__realloc(array, (size_t)more * size);
    if (to)
        *capacity = more;
    return to;
}

int lucid__group_add(lucid__group *g, lucid__arena *scratch, const lucid__draft_value *v)
{
    for (int i = 0; v->loaded && i < g->nloads; i++) {
        lucid__draft_value *old = &g->values[g->load[i]];
        if (old->over == v->over && lucid__same_stream(old->from, v->from, LUCID_MAX_NDIM)) {
            old->reads += v->reads;
            return g->load[i];
        }
    }
    for (int i = 0; !v->loaded && i < g->nvalues; i++) {
        const lucid__draft_value *old = &g->values[i];
        if (!old->loaded && old->over == v->over && same_instr(&old->instr, &v->instr) &&
            same_table(old, v))
            return i;
    }
    lucid__draft_value *values =
        grown(g->values, g->nvalues, &g->value_capacity, sizeof *g->values);
    if (!values)
        return -1;
    g->values = values;
    lucid__draft_value *new = &values[g->nvalues];
    *new = *v;
    if (v->from && scratch) {
        new->from = lucid__arena_alloc(scratch, sizeof *new->from);
        if (!new->from)
            return -1;
        *new->from = *v->from;
    }
    if (v->loaded)
        g->load[g->nloads++] = (uint16_t)g->nvalues;
    g->nfolds += !v->loaded && lucid__is_fold(v->instr.op);
    return g->nvalues++;
}

int lucid__group_spread(lucid__group *g, int v, uint16_t over, uint8_t dtype)
{
    if (v < 0 || g->values[v].over == over)
        return v;
    lucid__draft_value spread = {
        .nsrc = 1,
        .over = over,
        .instr = {.op = LUCID__broadcast, .dtype = dtype, .to = dtype, .src = {(uint16_t)v}}};
    return lucid__group_add(g, NULL, &spread);
}

bool lucid__group_output(lucid__group *g, const lucid__stream *to, int v)
{
    lucid__stream *outputs =
        grown(g->outputs, g->noutputs, &g->output_capacity, sizeof *g->outputs);
    if (!outputs)
        return false;
    g->outputs = outputs;
    g->outputs[g->noutputs] = *to;
    g->outputs[g->noutputs++].reg = (uint16_t)v;
    return true;
}

void lucid__group_free(lucid__group *g)
{
    lucid__free(g->values);
    lucid__free(g->outputs);
    g->values = NULL;
    g->outputs = NULL;
}

/* ---- programs ------------------------------------------------------------------------------------- */

/* last_use[v]: the last value whose instruction reads v; nvalues: it is stored; -1: nobody needs v. */
static void find_uses(const lucid__group *g, const bool *needed, int *last_use)
{
    for (int i = 0; i < g->nvalues; i++)
        last_use[i] = -1;
    for (int i = 0; i < g->noutputs; i++)
        if (needed[i])
            last_use[g->outputs[i].reg] = g->nvalues;
    for (int i = g->nvalues - 1; i >= 0; i--) {
        if (last_use[i] < 0)
            continue;
        for (int j = 0; j < g->values[i].nsrc; j++) {
            int src = g->values[i].instr.src[j];
            last_use[src] = last_use[src] < i ? i : last_use[src];
        }
    }
}

/* How often instructions that are needed read each value; what is stored counts more than once. */
static void count_reads(const lucid__group *g, const int *last_use, int *reads)
{
    for (int i = 0; i < g->nvalues; i++)
        reads[i] = last_use[i] == g->nvalues ? 2 : 0;
    for (int i = 0; i < g->nvalues; i++)
        for (int j = 0; last_use[i] >= 0 && j < g->values[i].nsrc; j++)
            reads[g->values[i].instr.src[j]]++;
}

/* Whether the instruction that makes `from`, whose only reader is `v`, can be part of v's. */
static bool can_pair(const lucid__draft_value *from, const lucid__draft_value *v)
{
    const lucid__instr *a = &from->instr, *b = &v->instr;
    return !from->loaded && a->then == 0 && from->over == v->over && a->dtype == b->dtype &&
           lucid__is_float((lucid_dtype)a->dtype) && lucid__pair_op(a->op) >= 0 &&
           lucid__pair_then(b->op, false) >= 0;
}

/* Lets instructions take in those whose results only they read: half the registers, half the way to the cache.
 * The group's values are rewritten in place; last_use[] < 0 for those that are gone. */
static void pair_values(const lucid__group *g, int *last_use)
{
    int reads[LUCID__MAX_VALUES];
    count_reads(g, last_use, reads);
    for (int i = 0; i < g->nvalues; i++) {
        lucid__draft_value *v = &g->values[i];
        if (v->loaded || last_use[i] < 0)
            continue;
        for (int j = 0; j < v->nsrc; j++) {
            int s = v->instr.src[j];
            const lucid__draft_value *from = &g->values[s];
            if (reads[s] != 1 || !can_pair(from, v))
                continue;
            lucid__instr both = from->instr;
            int n = from->nsrc;
            both.then = v->instr.op;
            both.turned = j == 1;
            if (v->nsrc == 2)
                both.src[n++] = v->instr.src[1 - j];
            v->instr = both;
            v->nsrc = (uint8_t)n;
            last_use[s] = -1;
            break;
        }
    }
}

/* Loads take the first registers. What is stored, and what does not lie over all dims, has a register of
 * its own, and the rest those that are free. */
static void allocate(const lucid__group *g, const int *last_use, lucid__program *to, int *reg)
{
    bool busy[LUCID__MAX_REGISTERS] = {false};
    int freed_by[LUCID__MAX_REGISTERS] = {0};
    const uint16_t all = (uint16_t)((1u << g->ndim) - 1);
    for (int i = 0; i < g->nvalues; i++)
        if (g->values[i].loaded && last_use[i] >= 0)
            reg[i] = to->nregs++;
    for (int i = 0; i < g->nvalues; i++) {
        if (g->values[i].loaded || last_use[i] < 0)
            continue;
        int r = to->nloads;
        bool own = last_use[i] == g->nvalues || g->values[i].over != all;
        while (r < to->nregs && (own || (busy[r] && freed_by[r] >= i)))
            r++;
        busy[r] = true;
        freed_by[r] = own ? g->nvalues : last_use[i];
        to->nregs = r < to->nregs ? to->nregs : r + 1;
        reg[i] = r;
    }
}

static void write_values(const lucid__group *g, const int *last_use, const int *reg,
                         lucid__program *to)
{
    lucid__instr *instr = to->instrs;
    for (int i = 0; i < g->nvalues; i++) {
        const lucid__draft_value *v = &g->values[i];
        if (last_use[i] < 0)
            continue;
        to->over[reg[i]] = v->over;
        if (v->loaded) {
            to->loads[reg[i]] = *v->from;
            to->loads[reg[i]].reg = (uint16_t)reg[i];
            continue;
        }
        *instr = v->instr;
        instr->dst = (uint16_t)reg[i];
        for (int j = 0; j < 3; j++)
            instr->src[j] = (uint16_t)reg[j < v->nsrc ? v->instr.src[j] : i];
        if (v->table) {
            lucid__table *table = &to->tables[to->ntables];
            *table = *v->table;
            table->at = *v->from;
            table->at.reg = instr->dst;
            instr->imm = to->ntables++;
        }
        instr++;
    }
}

bool lucid__group_finish(const lucid__group *g, lucid__arena *arena, const bool *needed,
                         lucid__step *step)
{
    int last_use[LUCID__MAX_VALUES], reg[LUCID__MAX_VALUES];
    *step = (lucid__step){
        .kind = LUCID__STEP_PROGRAM, .prim = g->made_for, .program = {.ndim = g->ndim}};
    lucid__program *to = &step->program;
    memcpy(to->dim, g->dim, sizeof to->dim);
    for (int i = 0; i < g->noutputs; i++)
        to->nstores += needed[i];
    find_uses(g, needed, last_use);
    pair_values(g, last_use);
    find_uses(g, needed, last_use);
    int ntables = 0;
    for (int i = 0; i < g->nvalues; i++) {
        ntables += g->values[i].table && last_use[i] >= 0;
        to->nloads += g->values[i].loaded && last_use[i] >= 0;
        to->ninstrs += !g->values[i].loaded && last_use[i] >= 0;
    }
    allocate(g, last_use, to, reg);
    to->loads = lucid__arena_alloc(arena, (size_t)to->nloads * sizeof *to->loads);
    to->stores = lucid__arena_alloc(arena, (size_t)to->nstores * sizeof *to->stores);
    to->instrs = lucid__arena_alloc(arena, (size_t)to->ninstrs * sizeof *to->instrs);
    to->over = lucid__arena_alloc(arena, (size_t)to->nregs * sizeof *to->over);
    to->tables = lucid__arena_alloc(arena, (size_t)ntables * sizeof *to->tables);
    if (!to->loads || !to->stores || !to->instrs || !to->over || !to->tables)
        return false;
    write_values(g, last_use, reg, to);
    for (int i = 0, n = 0; i < g->noutputs; i++)
        if (needed[i]) {
            to->stores[n] = g->outputs[i];
            to->stores[n].reg = (uint16_t)reg[g->outputs[i].reg];
            n++;
        }
    lucid__program_merge(to);
    lucid__program_survey(to);
    for (int i = 0; i < to->nloads; i++) {
        lucid__stream *t = &to->loads[i];
        if (t->parts && !(t->parts = lucid__parts_resolve(t->parts, t, to->dim, to->ndim, arena)))
            return false;
    }
    return true;
}
