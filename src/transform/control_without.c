/* A part of a control-flow operation: the outputs that are the same whatever its other inputs are. */
#include <string.h>

#include "transform/control_rules.h"

/* Where values of the frame stand in that of the part; -1: it has none. */
typedef struct part {
    const lucid__draft *d;
    const lucid__staged *body;
    int *place;
    bool *varies, *out_varies;
} part;

static bool is_condition(const part *p)
{
    return p->d->prim == LUCID__while && p->body == &p->d->bodies[0];
}

static lucid_status capture_part(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const part *p = user;
    const lucid__staged *b = p->body;
    lucid_tensor *in = lucid_alloc(s, ((size_t)b->nin + 1) * sizeof *in);
    lucid_tensor *y = lucid_alloc(s, (b->nout + 1) * sizeof *y);
    (void)nx;
    if (!in || !y)
        return lucid_error(s);
    for (int i = 0; i < b->nin; i++)
        if (p->place[b->from[i]] >= 0)
            in[i] = x[p->place[b->from[i]]];
    lucid__body_apply_without(s, b->words, in, y);
    for (size_t k = 0; k < b->nout; k++)
        if (is_condition(p) || !p->out_varies[k])
            (void)lucid_results_push(s, out, y[k]);
    return lucid_error(s);
}

static bool add_group(lucid_scope *s, const part *p, const lucid__inputs *from, int first,
                      lucid__inputs *to, int *next)
{
    if (!lucid__inputs_new(s, to, from->n))
        return false;
    for (int i = 0; i < from->n; i++) {
        p->place[first + i] = p->varies[first + i] ? -1 : (*next)++;
        if (!p->varies[first + i])
            lucid__inputs_add(to, from->x[i], from->flags[i]);
    }
    return true;
}

/* The groups of the frame without what varies. */
static bool part_groups(lucid_scope *s, const part *p, lucid__draft *n)
{
    const lucid__draft *d = p->d;
    int next = 0;
    return add_group(s, p, &d->consts, 0, &n->consts, &next) &&
           add_group(s, p, &d->carry, d->consts.n, &n->carry, &next) &&
           add_group(s, p, &d->xs, d->consts.n + d->carry.n, &n->xs, &next);
}

static bool part_begin(lucid_scope *s, const lucid__draft *d, const lucid__call *c, part *p)
{
    const size_t first = d->prim == LUCID__cond, nframe = (size_t)c->nin - first;
    *p = (part){.d = d,
                .place = lucid_alloc(s, (nframe + 1) * sizeof *p->place),
                .varies = lucid_alloc(s, nframe + 1),
                .out_varies = lucid_alloc(s, (size_t)d->nout + 1)};
    if (!p->place || !p->varies || !p->out_varies)
        return false;
    for (size_t i = 0; i < nframe; i++)
        p->varies[i] = !c->in[first + i].v;
    for (int k = 0; k < d->nout; k++)
        p->out_varies[k] = first && !c->in[0].v;
    return lucid__draft_depends(s, d, p->varies, false, p->out_varies);
}

void lucid__control_without(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    lucid__draft d, n;
    part p;
    for (int k = 0; k < lucid__outputs_of(c->prim, c->params); k++)
        out[k] = (lucid_tensor){NULL};
    if (!lucid__draft_of(s, c, &d) || !part_begin(s, &d, c, &p))
        return;
    n = d;
    int64_t *flags = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *flags);
    lucid_tensor *y = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *y);
    n.bodies = lucid_alloc(s, ((size_t)d.nbodies + 1) * sizeof *n.bodies);
    n.nout = 0;
    for (int k = 0; flags && k < d.nout; k++)
        if (!p.out_varies[k])
            flags[n.nout++] = d.out_flags[k];
    if (n.nout == 0 || !y || !n.bodies || !part_groups(s, &p, &n))
        return;
    n.out_flags = flags;
    int count;
    lucid__aval *avals = lucid__draft_frame(s, &n, &count);
    for (int b = 0; b < d.nbodies; b++) {
        p.body = &d.bodies[b];
        if (!avals || !lucid__stage(s, capture_part, &p, avals, (size_t)count, -1, &n.bodies[b]))
            return;
    }
    lucid__draft_bind(s, &n, y);
    for (int k = 0, at = 0; k < d.nout; k++)
        if (!p.out_varies[k])
            out[k] = y[at++];
}
