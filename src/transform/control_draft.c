#include "transform/control_draft.h"

#include <string.h>

/* ---- groups of inputs ---------------------------------------------------------------------------- */

bool lucid__inputs_new(lucid_scope *s, lucid__inputs *g, int n)
{
    size_t count = n > 0 ? (size_t)n : 1;
    *g = (lucid__inputs){lucid_alloc(s, count * sizeof *g->x),
                         lucid_alloc(s, count * sizeof *g->flags), 0};
    return g->x && g->flags;
}

void lucid__inputs_add(lucid__inputs *g, lucid_tensor x, int64_t flags)
{
    g->x[g->n] = x;
    g->flags[g->n++] = flags;
}

lucid__aval lucid__inputs_aval(const lucid__inputs *g, int i, bool slice)
{
    lucid__aval aval = g->x[i].v->aval;
    int drop = ((g->flags[i] & LUCID__PER_LANE) != 0) + slice;
    for (int k = 0; k < drop; k++)
        aval.shape = lucid__shape_remove(&aval.shape, 0);
    return aval;
}

lucid__aval *lucid__draft_frame(lucid_scope *s, const lucid__draft *d, int *n)
{
    *n = d->consts.n + d->carry.n + d->xs.n;
    lucid__aval *avals = lucid_alloc(s, ((size_t)*n + 1) * sizeof *avals), *at = avals;
    if (!avals || !lucid__ok(s))
        return NULL;
    for (int i = 0; i < d->consts.n; i++)
        *at++ = lucid__inputs_aval(&d->consts, i, false);
    for (int i = 0; i < d->carry.n; i++)
        *at++ = lucid__inputs_aval(&d->carry, i, false);
    for (int i = 0; i < d->xs.n; i++)
        *at++ = lucid__inputs_aval(&d->xs, i, true);
    return avals;
}

/* ---- application ---------------------------------------------------------------------------------- */

/* Where each value of the draft's frame, and after those each capture, goes in the frame of the
 * application: constants, captures, carry, xs, without those nobody reads; -1: dropped. */
typedef struct layout {
    int *place;
    int nconsts, ncaptures, nxs; /* that are kept */
} layout;

static bool lay_out(lucid_scope *s, const lucid__draft *d, layout *l)
{
    int frame = d->consts.n + d->carry.n + d->xs.n, captures = 0;
    for (int b = 0; b < d->nbodies; b++)
        captures += d->bodies[b].ncaptures;
    *l = (layout){.place = lucid_alloc(s, ((size_t)(frame + captures) + 1) * sizeof *l->place)};
    bool *read = lucid_alloc(s, (size_t)frame + 1);
    if (!l->place || !read)
        return false;
    for (int b = 0; b < d->nbodies; b++)
        for (int i = 0; i < d->bodies[b].nin; i++)
            if (d->bodies[b].from[i] < d->bodies[b].nx)
                read[d->bodies[b].from[i]] = true;
    int at = 0;
    for (int i = 0; i < d->consts.n; i++)
        l->place[i] = read[i] ? at++ : -1;
    l->nconsts = at;
    for (int i = 0; i < captures; i++)
        l->place[frame + i] = at++;
    l->ncaptures = captures;
    for (int i = 0; i < d->carry.n; i++)
        l->place[d->consts.n + i] = at++;
    for (int i = d->consts.n + d->carry.n; i < frame; i++)
        l->place[i] = read[i] ? at++ : -1;
    l->nxs = at - l->nconsts - captures - d->carry.n;
    return true;
}

static int64_t *write_params(lucid_scope *s, const lucid__draft *d, const layout *l, int nin,
                             const int64_t *in_flags, int *nparams)
{
    size_t n = LUCID__CONTROL_HEAD + (size_t)nin + (size_t)d->nout;
    for (int b = 0; b < d->nbodies; b++)
        n += 1 + (size_t)d->bodies[b].nin + (size_t)d->bodies[b].words[0];
    if (n > INT32_MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: the functions are too large",
                         lucid__prim_get(d->prim)->name);
        return NULL;
    }
    int64_t *params = lucid_alloc(s, n * sizeof *params), *at = params;
    if (!params)
        return NULL;
    const int64_t head[LUCID__CONTROL_HEAD] = {
        d->nout,    d->lanes, d->length, d->option, l->nconsts + l->ncaptures,
        d->carry.n, l->nxs,   d->nbodies};
    memcpy(at, head, sizeof head);
    at += LUCID__CONTROL_HEAD;
    memcpy(at, in_flags, (size_t)nin * sizeof *at);
    at += nin;
    for (int k = 0; k < d->nout; k++)
        *at++ = d->out_flags[k];
    int frame = d->consts.n + d->carry.n + d->xs.n, captures = 0;
    for (int b = 0; b < d->nbodies; b++) {
        const lucid__staged *body = &d->bodies[b];
        *at++ = body->nin;
        for (int i = 0; i < body->nin; i++) {
            int64_t from = body->from[i];
            *at++ = l->place[from < body->nx ? from : from - body->nx + frame + captures];
        }
        memcpy(at, body->words, (size_t)body->words[0] * sizeof *at);
        at += body->words[0];
        captures += body->ncaptures;
    }
    *nparams = (int)n;
    return params;
}

void lucid__draft_bind(lucid_scope *s, const lucid__draft *d, lucid_tensor *out)
{
    for (int k = 0; k < d->nout; k++)
        out[k] = (lucid_tensor){NULL};
    if (!lucid__ok(s))
        return;
    layout l;
    lucid__inputs in;
    if (!lay_out(s, d, &l) ||
        !lucid__inputs_new(s, &in, 1 + l.nconsts + l.ncaptures + d->carry.n + l.nxs))
        return;
    if (d->prim == LUCID__cond)
        lucid__inputs_add(&in, d->index, d->index_flags);
    for (int i = 0; i < d->consts.n; i++)
        if (l.place[i] >= 0)
            lucid__inputs_add(&in, d->consts.x[i], d->consts.flags[i]);
    for (int b = 0; b < d->nbodies; b++)
        for (int i = 0; i < d->bodies[b].ncaptures; i++)
            lucid__inputs_add(&in, d->bodies[b].captures[i], 0);
    for (int i = 0; i < d->carry.n; i++)
        lucid__inputs_add(&in, d->carry.x[i], d->carry.flags[i]);
    for (int i = 0; i < d->xs.n; i++)
        if (l.place[d->consts.n + d->carry.n + i] >= 0)
            lucid__inputs_add(&in, d->xs.x[i], d->xs.flags[i]);
    lucid__call c = {.prim = d->prim, .nin = in.n, .in = in.x};
    c.params = write_params(s, d, &l, in.n, in.flags, &c.nparams);
    if (c.params)
        lucid__bind(s, &c, out);
}

/* ---- taking apart --------------------------------------------------------------------------------- */

static bool take(lucid_scope *s, const lucid__call *c, const int64_t *flags, int *at, int n,
                 lucid__inputs *to)
{
    if (!lucid__inputs_new(s, to, n))
        return false;
    for (int i = 0; i < n; i++, (*at)++)
        lucid__inputs_add(to, c->in[*at], flags[*at]);
    return true;
}

bool lucid__draft_of(lucid_scope *s, const lucid__call *c, lucid__draft *d)
{
    lucid__control ctl = lucid__control_read(c);
    *d = (lucid__draft){.prim = c->prim,
                        .lanes = ctl.lanes,
                        .length = ctl.length,
                        .option = c->params[3],
                        .nbodies = ctl.nbodies,
                        .nout = ctl.nout,
                        .out_flags = ctl.out_flags};
    int at = 0, frame = ctl.nconsts + ctl.ncarry + ctl.nxs;
    if (c->prim == LUCID__cond) {
        d->index = c->in[0];
        d->index_flags = ctl.in_flags[at++];
    }
    d->bodies = lucid_alloc(s, ((size_t)ctl.nbodies + 1) * sizeof *d->bodies);
    if (!d->bodies || !take(s, c, ctl.in_flags, &at, ctl.nconsts, &d->consts) ||
        !take(s, c, ctl.in_flags, &at, ctl.ncarry, &d->carry) ||
        !take(s, c, ctl.in_flags, &at, ctl.nxs, &d->xs))
        return false;
    const int64_t *words = ctl.bodies;
    for (int b = 0; b < ctl.nbodies; b++) {
        lucid__control_body body;
        words = lucid__control_body_at(words, &body);
        d->bodies[b] = (lucid__staged){.words = body.words,
                                       .from = body.from,
                                       .nx = frame,
                                       .nin = body.nin,
                                       .nout = (size_t)body.words[4]};
    }
    return true;
}

bool lucid__draft_depends(lucid_scope *s, const lucid__draft *d, bool *frame, bool floats,
                          bool *out)
{
    lucid__control_body *bodies = lucid_alloc(s, ((size_t)d->nbodies + 1) * sizeof *bodies);
    if (!bodies)
        return false;
    for (int b = 0; b < d->nbodies; b++)
        bodies[b] = (lucid__control_body){d->bodies[b].nin, d->bodies[b].from, d->bodies[b].words};
    int nframe = d->consts.n + d->carry.n + d->xs.n;
    const lucid__flow f = {d->prim, d->consts.n, d->carry.n, nframe, d->nout, d->nbodies, bodies};
    return lucid__control_depends(s, &f, floats, frame, out);
}
