#include "engine/program.h"

bool lucid__is_fold(int op)
{
    return op == LUCID__sum || op == LUCID__prod || op == LUCID__amax || op == LUCID__amin ||
           op == LUCID__any || op == LUCID__all;
}

lucid__prim_id lucid__fold_combine(lucid__prim_id fold)
{
    switch (fold) {
    case LUCID__prod:
        return LUCID__mul;
    case LUCID__amax:
        return LUCID__maximum;
    case LUCID__amin:
        return LUCID__minimum;
    case LUCID__any:
        return LUCID__logical_or;
    case LUCID__all:
        return LUCID__logical_and;
    default:
        return LUCID__add;
    }
}

int lucid__pair_op(int op)
{
    static const int first[LUCID__PAIR_OPS] = {LUCID__add, LUCID__sub, LUCID__mul,
                                               LUCID__neg, LUCID__abs, LUCID__square};
    int i = LUCID__PAIR_OPS - 1;
    while (i >= 0 && first[i] != op)
        i--;
    return i;
}

int lucid__pair_then(int then, bool turned)
{
    switch (then) {
    case LUCID__add:
        return 0;
    case LUCID__sub:
        return turned ? 2 : 1;
    case LUCID__mul:
        return 3;
    case LUCID__neg:
        return 4;
    default:
        return -1;
    }
}

void lucid__program_survey(lucid__program *g)
{
    g->folded = 0;
    g->uneven = false;
    const uint16_t all = (uint16_t)((1u << g->ndim) - 1);
    for (int i = 0; i < g->ninstrs; i++) {
        const lucid__instr *in = &g->instrs[i];
        if (!lucid__is_fold(in->op))
            continue;
        uint16_t dims = g->over[in->src[0]] & (uint16_t)~g->over[in->dst];
        g->uneven |= (g->folded != 0 && g->folded != dims) || g->over[in->src[0]] != all;
        g->folded |= dims;
    }
}

/* Whether dim d continues dim p everywhere, so that one loop can walk both. */
static bool mergeable(const lucid__program *g, int p, int d)
{
    for (int r = 0; r < g->nregs; r++)
        if ((g->over[r] >> p & 1) != (g->over[r] >> d & 1))
            return false;
    for (int i = 0; i < g->ninstrs; i++)
        if (g->instrs[i].op == LUCID__iota && (g->instrs[i].imm == p || g->instrs[i].imm == d))
            return false;
    for (int i = 0; i < g->nloads; i++)
        if (g->loads[i].parts && (g->over[g->loads[i].reg] >> d & 1))
            return false;
    for (int i = 0; i < g->nstores; i++)
        for (int k = 0; g->stores[i].margin && k < g->stores[i].margin->n; k++) {
            int64_t stride = g->stores[i].margin->at[k].stride;
            if (stride == g->stores[i].stride[p] || stride == g->stores[i].stride[d])
                return false;
        }
    for (int i = 0; i < g->nloads + g->nstores; i++) {
        const lucid__stream *t = i < g->nloads ? &g->loads[i] : &g->stores[i - g->nloads];
        if ((g->over[t->reg] >> d & 1) && t->stride[p] != lucid__times(t->stride[d], g->dim[d]))
            return false;
    }
    for (int i = 0; i < g->ntables; i++) {
        const lucid__stream *t = &g->tables[i].at;
        if ((g->over[t->reg] >> d & 1) && t->stride[p] != lucid__times(t->stride[d], g->dim[d]))
            return false;
    }
    return true;
}

static void move_dim(lucid__program *g, int to, int from)
{
    if (to == from)
        return;
    g->dim[to] = g->dim[from];
    for (int i = 0; i < g->nloads; i++)
        g->loads[i].stride[to] = g->loads[i].stride[from];
    for (int i = 0; i < g->nstores; i++)
        g->stores[i].stride[to] = g->stores[i].stride[from];
    for (int i = 0; i < g->ntables; i++)
        g->tables[i].at.stride[to] = g->tables[i].at.stride[from];
    for (int i = 0; i < g->ninstrs; i++)
        if (g->instrs[i].op == LUCID__iota && g->instrs[i].imm == from)
            g->instrs[i].imm = to;
    for (int r = 0; r < g->nregs; r++)
        g->over[r] = (uint16_t)((g->over[r] & ~(1 << to)) | (g->over[r] >> from & 1) << to);
}

void lucid__program_merge(lucid__program *g)
{
    int ndim = 0;
    for (int d = 0; d < g->ndim; d++) {
        int64_t size = g->dim[d];
        bool merge = ndim > 0 && mergeable(g, ndim - 1, d);
        if (merge)
            size = lucid__times(g->dim[ndim - 1], size);
        else
            ndim++;
        move_dim(g, ndim - 1, d);
        g->dim[ndim - 1] = size;
    }
    for (int r = 0; r < g->nregs; r++)
        g->over[r] &= (uint16_t)((1u << ndim) - 1);
    g->ndim = ndim;
}
