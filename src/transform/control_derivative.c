/* Forward derivatives of control flow, in two ways.
 *
 * Where tangents are numbers, the loop carries them along: one loop over the carry and its tangent, by
 * the jvp of its body (joint).
 *
 * Where tangents go on a tape, what is recorded must be linear in them. The loop runs once more, keeping
 * the carry before every step; beside it a scan over those carries, linear in its tangents, goes on the
 * tape (control_linear.c). Each of its steps works out the derivative of the body anew, at the carry that
 * was kept, so that what a loop keeps is its carries and no more. A while loop becomes a scan over as
 * many steps as it took (control_while.c). */
#include "transform/control_derivative.h"

#include "base/dtype.h"
#include "prim/family.h"
#include "transform/linearity.h"
#include "transform/tape.h"

/* ---- which tangents there are ----------------------------------------------------------------------- */

/* A tangent that a tape stands behind, perhaps with a batch around it. */
static bool is_on_tape(lucid_scope *s, lucid_tensor dx)
{
    lucid__value *v = dx.v;
    while (v && v->kind == LUCID__BATCH)
        v = v->inner;
    if (!v || v->kind != LUCID__TAPE)
        return false;
    const lucid__level *level = lucid__level_find(s, v->level);
    return level && level->kind == LUCID__LEVEL_TAPE;
}

static bool any_on_tape(lucid_scope *s, const lucid_tensor *dx, int n)
{
    for (int i = 0; i < n; i++)
        if (is_on_tape(s, dx[i]))
            return true;
    return false;
}

bool lucid__derivative_begin(lucid_scope *s, lucid__derivative *v, const lucid__draft *d,
                             const lucid_tensor *dx)
{
    *v = (lucid__derivative){.d = d};
    v->avals = lucid__draft_frame(s, d, &v->nframe);
    size_t n = (size_t)v->nframe + 1;
    v->active = lucid_alloc(s, n);
    v->out_active = lucid_alloc(s, (size_t)d->nout + 1);
    v->dx = lucid_alloc(s, n * sizeof *v->dx);
    v->value_at = lucid_alloc(s, n * sizeof *v->value_at);
    v->tangent_at = lucid_alloc(s, n * sizeof *v->tangent_at);
    if (!v->avals || !v->active || !v->out_active || !v->dx || !v->value_at || !v->tangent_at)
        return false;
    for (int i = 0; i < v->nframe; i++) {
        v->dx[i] = dx[i];
        v->active[i] = dx[i].v != NULL;
    }
    return lucid__draft_depends(s, d, v->active, true, v->out_active);
}

void lucid__derivative_add(lucid_scope *s, lucid__derivative *v, const lucid__inputs *from, int *at,
                           lucid__inputs *to, int *place, bool values, int64_t tangent_flags)
{
    for (int i = 0; values && i < from->n; i++) {
        v->value_at[*at + i] = (*place)++;
        lucid__inputs_add(to, from->x[i], from->flags[i] & ~LUCID__LINEAR);
    }
    for (int i = 0; i < from->n; i++, (*at)++) {
        if (!v->active[*at])
            continue;
        lucid_tensor dx = v->dx[*at];
        if (!dx.v)
            dx = lucid__zeros(s, &from->x[i].v->aval);
        int64_t flags = (from->flags[i] & LUCID__PER_LANE) | tangent_flags;
        if (tangent_flags && v->d->lanes >= 0 && !(flags & LUCID__PER_LANE)) {
            dx = lucid__batch_at(s, dx, -1, 0, v->d->lanes);
            flags |= LUCID__PER_LANE;
        }
        v->tangent_at[*at] = (*place)++;
        lucid__inputs_add(to, dx, flags);
    }
}

static bool new_groups(lucid_scope *s, const lucid__draft *d, lucid__draft *n, int extra_xs)
{
    return lucid__inputs_new(s, &n->consts, 2 * d->consts.n) &&
           lucid__inputs_new(s, &n->carry, 2 * d->carry.n) &&
           lucid__inputs_new(s, &n->xs, 2 * d->xs.n + extra_xs);
}

/* ---- capturing the derivative of a body ----------------------------------------------------------- */

bool lucid__derivative_inputs(lucid_scope *s, const lucid__derivative *v, const lucid_tensor *x,
                              lucid_tensor **in, lucid_tensor **dx)
{
    const lucid__staged *b = v->body;
    *in = lucid_alloc(s, 2 * ((size_t)b->nin + 1) * sizeof(lucid_tensor));
    if (!*in)
        return false;
    *dx = *in + b->nin + 1;
    for (int i = 0; i < b->nin; i++) {
        const int64_t from = b->from[i];
        (*in)[i] = x[v->value_at[from]];
        if (from < v->d->consts.n && lucid__is_written_zero(v->d->consts.x[from].v) &&
            !(v->d->consts.flags[from] & LUCID__PER_LANE)) /* rules may add it to tangents */
            (*in)[i] = v->d->consts.x[from];
        if (v->active[b->from[i]])
            (*dx)[i] = x[v->tangent_at[b->from[i]]];
    }
    return true;
}

lucid_status lucid__derivative_push(lucid_scope *s, const lucid__derivative *v,
                                    const lucid_results *y, const lucid_tensor *dy, bool values,
                                    lucid_results *out)
{
    int ends[2] = {v->d->carry.n, v->d->nout};
    for (int part = 0, k = 0; part < 2; part++) {
        for (int i = k; values && i < ends[part]; i++)
            (void)lucid_results_push(s, out, lucid_results_at(y, (size_t)i));
        for (; k < ends[part] && lucid__ok(s); k++)
            if (v->out_active[k]) {
                lucid_tensor like = lucid_results_at(y, (size_t)k);
                (void)lucid_results_push(s, out, dy[k].v ? dy[k] : lucid__zeros(s, &like.v->aval));
            }
    }
    return lucid_error(s);
}

static lucid_status capture_joint(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                  lucid_results *out)
{
    const lucid__derivative *v = user;
    lucid_tensor *in, *dx;
    (void)nx;
    lucid_results *y = lucid_results_new(s), *dy = lucid_results_new(s);
    if (!y || !dy || !lucid__derivative_inputs(s, v, x, &in, &dx))
        return lucid_error(s);
    lucid_fn f = lucid__closure_fn(s, &(lucid__closure){.name = "body",
                                                        .words = v->body->words,
                                                        .nargs = (int)v->body->words[1]});
    (void)lucid__jvp(s, f, in, dx, (size_t)v->body->nin, y, dy);
    lucid_tensor *tangents = lucid_alloc(s, ((size_t)v->d->nout + 1) * sizeof *tangents);
    for (int k = 0; tangents && k < v->d->nout; k++)
        tangents[k] = lucid_results_at(dy, (size_t)k);
    if (!tangents || !lucid__ok(s))
        return lucid_error(s);
    return lucid__derivative_push(s, v, y, tangents, true, out);
}

static bool capture_body(lucid_scope *s, lucid__derivative *v, const lucid__staged *body,
                         lucid__stage_function *how, const lucid__draft *n, lucid__staged *to)
{
    int count;
    lucid__aval *avals = lucid__draft_frame(s, n, &count);
    v->body = body;
    return avals && lucid__stage(s, how, v, avals, (size_t)count, -1, to);
}

/* A body as it is, in the new frame. */
static bool keep_body(lucid_scope *s, const lucid__derivative *v, const lucid__staged *body,
                      int nframe, lucid__staged *to)
{
    int64_t *from = lucid_alloc(s, ((size_t)body->nin + 1) * sizeof *from);
    if (!from)
        return false;
    for (int i = 0; i < body->nin; i++)
        from[i] = v->value_at[body->from[i]];
    *to = *body;
    to->from = from;
    to->nx = nframe;
    return true;
}

/* ---- values and tangents in one loop ------------------------------------------------------------- */

/* Where the outputs and their tangents are among those of the joint operation, and their flags. */
static int64_t *joint_outputs(lucid_scope *s, const lucid__derivative *v, int *y_at, int *dy_at,
                              int *nout)
{
    const lucid__draft *d = v->d;
    int64_t *flags = lucid_alloc(s, (2 * (size_t)d->nout + 1) * sizeof *flags);
    int ends[2] = {d->carry.n, d->nout}, at = 0;
    for (int part = 0, k = 0; flags && part < 2; part++) {
        for (int i = k; i < ends[part]; i++) {
            flags[at] = d->out_flags[i];
            y_at[i] = at++;
        }
        for (; k < ends[part]; k++)
            if (v->out_active[k]) {
                flags[at] = d->out_flags[k];
                dy_at[k] = at++;
            }
    }
    *nout = at;
    return flags;
}

static void joint(lucid_scope *s, lucid__derivative *v, lucid_tensor *y, lucid_tensor *dy)
{
    const lucid__draft *d = v->d;
    lucid__draft n = *d;
    int at = 0, place = 0;
    size_t room = (size_t)d->nout + 1;
    int *y_at = lucid_alloc(s, room * sizeof *y_at), *dy_at = lucid_alloc(s, room * sizeof *dy_at);
    n.bodies = lucid_alloc(s, (size_t)d->nbodies * sizeof *n.bodies);
    if (!y_at || !dy_at || !n.bodies || !new_groups(s, d, &n, 0))
        return;
    lucid__derivative_add(s, v, &d->consts, &at, &n.consts, &place, true, 0);
    lucid__derivative_add(s, v, &d->carry, &at, &n.carry, &place, true, 0);
    lucid__derivative_add(s, v, &d->xs, &at, &n.xs, &place, true, 0);
    if (!lucid__ok(s))
        return;
    for (int b = 0; b < d->nbodies; b++) {
        bool condition = d->prim == LUCID__while && b == 0;
        if (condition ? !keep_body(s, v, &d->bodies[b], place, &n.bodies[b])
                      : !capture_body(s, v, &d->bodies[b], capture_joint, &n, &n.bodies[b]))
            return;
    }
    n.out_flags = joint_outputs(s, v, y_at, dy_at, &n.nout);
    lucid_tensor *out = lucid_alloc(s, ((size_t)n.nout + 1) * sizeof *out);
    if (!n.out_flags || !out)
        return;
    lucid__draft_bind(s, &n, out);
    for (int k = 0; k < d->nout && lucid__ok(s); k++) {
        y[k] = out[y_at[k]];
        if (v->out_active[k])
            dy[k] = out[dy_at[k]];
    }
}

/* ---- the rules -------------------------------------------------------------------------------------- */

void lucid__control_joint(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                          lucid_tensor *y, lucid_tensor *dy)
{
    lucid__draft d, scan;
    lucid__derivative v;
    int first = c->prim == LUCID__cond; /* the index has no tangent */
    bool on_tape = any_on_tape(s, dx, c->nin);
    if (!lucid__draft_of(s, c, &d))
        return;
    if (on_tape && c->prim == LUCID__while) {
        if (!lucid__while_as_scan(s, &d, &scan))
            return;
        d = scan;
    }
    if (!lucid__derivative_begin(s, &v, &d, dx + first))
        return;
    if (!on_tape)
        joint(s, &v, y, dy);
    else if (d.prim == LUCID__cond)
        lucid__cond_linear(s, &v, y, dy);
    else
        lucid__scan_linear(s, &v, y, dy);
}
