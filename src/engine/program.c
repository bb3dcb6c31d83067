#include "engine/program.h"

#include <stdbool.h>

/* Whether an iota counts along dim d, which then must stay as it is. */
static bool counted(const lucid__program *g, int d)
{
    for (int i = 0; i < g->ninstrs; i++)
        if (g->instrs[i].op == LUCID__iota && g->instrs[i].imm == d)
            return true;
    return false;
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
    for (int i = 0; i < g->ninstrs; i++)
        if (g->instrs[i].op == LUCID__iota && g->instrs[i].imm == from)
            g->instrs[i].imm = to;
}

void lucid__program_squeeze(lucid__program *g)
{
    int kept = g->ndim - g->reduced, ndim = 0, reduced = 0;
    for (int d = 0; d < g->ndim; d++) {
        bool last_reduced = g->reduced > 0 && reduced == 0 && d == g->ndim - 1;
        if (g->dim[d] == 1 && !counted(g, d) && !last_reduced)
            continue;
        move_dim(g, ndim++, d);
        reduced += d >= kept;
    }
    g->ndim = ndim;
    g->reduced = reduced;
}

/* Whether dim d of the streams continues dim p: one loop can walk both. */
static bool mergeable(const lucid__program *g, int p, int d, bool reduced)
{
    if (counted(g, p) || counted(g, d))
        return false;
    for (int i = 0; i < g->nloads; i++)
        if (g->loads[i].stride[p] != g->loads[i].stride[d] * g->dim[d])
            return false;
    for (int i = 0; !reduced && i < g->nstores; i++)
        if (g->stores[i].stride[p] != g->stores[i].stride[d] * g->dim[d])
            return false;
    return true;
}

void lucid__program_merge(lucid__program *g)
{
    int kept = g->ndim - g->reduced, ndim = 0, reduced = 0, group_start = 0;
    for (int d = 0; d < g->ndim; d++) {
        if (d == kept)
            group_start = ndim;
        if (ndim > group_start && mergeable(g, ndim - 1, d, d >= kept)) {
            int64_t size = lucid__times(g->dim[ndim - 1], g->dim[d]);
            move_dim(g, ndim - 1, d);
            g->dim[ndim - 1] = size;
            continue;
        }
        move_dim(g, ndim++, d);
        reduced += d >= kept;
    }
    g->ndim = ndim;
    g->reduced = reduced;
}
