/* Derivatives of control flow for a tape: operations that are linear in tangents, and their transposes. */
#include "prim/family.h"
#include "transform/control_derivative.h"
#include "transform/tape.h"

/* ---- capturing ------------------------------------------------------------------------------------- */

/* The tangents of a body at the values of the frame. The inner tape makes what the body does inside (other
 * loops) linear in the tangents too. */
static lucid_status capture_tangents(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                     lucid_results *out)
{
    const lucid__derivative *v = user;
    lucid_tensor *in, *dx;
    size_t n = (size_t)v->body->nin;
    (void)nx;
    lucid_results *y = lucid_results_new(s);
    bool *active = lucid_alloc(s, n + 1);
    lucid_tensor *dy = lucid_alloc(s, ((size_t)v->d->nout + 1) * sizeof *dy);
    if (!y || !active || !dy || !lucid__derivative_inputs(s, v, x, &in, &dx))
        return lucid_error(s);
    for (size_t i = 0; i < n; i++)
        active[i] = dx[i].v != NULL;
    lucid_fn f = lucid__closure_fn(s, &(lucid__closure){.name = "body",
                                                        .words = v->body->words,
                                                        .nargs = (int)v->body->words[1]});
    lucid__linear linear;
    if (!f.f || !lucid__linearize(s, f.f, in, active, n, false, y, &linear))
        return lucid_error(s);
    s->session->to_transpose++;
    lucid__linear_push(s, &linear, dx, dy);
    s->session->to_transpose--;
    lucid__linear_release(&linear);
    return lucid__ok(s) ? lucid__derivative_push(s, v, y, dy, false, out) : lucid_error(s);
}

/* The outputs of the linear operation are the tangents of the active outputs, with lanes wherever there
 * are lanes. */
static bool set_outputs(lucid_scope *s, const lucid__derivative *v, lucid__draft *n)
{
    int64_t *flags = lucid_alloc(s, ((size_t)v->d->nout + 1) * sizeof *flags);
    n->nout = 0;
    for (int k = 0; flags && k < v->d->nout; k++)
        if (v->out_active[k])
            flags[n->nout++] = v->d->lanes >= 0 ? LUCID__PER_LANE : 0;
    n->out_flags = flags;
    return flags != NULL;
}

/* Binds it, and takes the lanes away again from tangents of outputs that have none. */
static void bind_linear(lucid_scope *s, const lucid__derivative *v, const lucid__draft *n,
                        lucid_tensor *dy)
{
    lucid_tensor *out = lucid_alloc(s, ((size_t)n->nout + 1) * sizeof *out);
    if (!out)
        return;
    lucid__draft_bind(s, n, out);
    for (int k = 0, at = 0; k < v->d->nout && lucid__ok(s); k++) {
        if (!v->out_active[k])
            continue;
        dy[k] = out[at++];
        if (v->d->lanes < 0 || (v->d->out_flags[k] & LUCID__PER_LANE))
            continue;
        dy[k] = lucid_select(s, dy[k], 0, 0);
    }
}

/* ---- cond ------------------------------------------------------------------------------------------ */

void lucid__cond_linear(lucid_scope *s, lucid__derivative *v, lucid_tensor *y, lucid_tensor *dy)
{
    const lucid__draft *d = v->d;
    lucid__draft n = *d;
    int at = 0, place = 0;
    lucid__draft_bind(s, d, y);
    n.bodies = lucid_alloc(s, (size_t)d->nbodies * sizeof *n.bodies);
    if (!n.bodies || !lucid__inputs_new(s, &n.consts, 2 * d->consts.n) || !set_outputs(s, v, &n))
        return;
    lucid__derivative_add(s, v, &d->consts, &at, &n.consts, &place, true, LUCID__LINEAR);
    int count;
    lucid__aval *avals = lucid__ok(s) ? lucid__draft_frame(s, &n, &count) : NULL;
    for (int b = 0; avals && b < d->nbodies; b++) {
        v->body = &d->bodies[b];
        if (!lucid__stage(s, capture_tangents, v, avals, (size_t)count, -1, &n.bodies[b]))
            return;
    }
    bind_linear(s, v, &n, dy);
}

/* ---- scan ------------------------------------------------------------------------------------------ */

typedef struct keeping {
    const lucid__draft *d;
    const bool *kept; /* per carry */
} keeping;

/* The body, with the carry it begins with among its results. */
static lucid_status capture_keeping(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                    lucid_results *out)
{
    const keeping *k = user;
    const lucid__staged *b = &k->d->bodies[0];
    lucid_tensor *in = lucid_alloc(s, ((size_t)b->nin + 1) * sizeof *in);
    lucid_tensor *y = lucid_alloc(s, ((size_t)k->d->nout + 1) * sizeof *y);
    (void)nx;
    if (!in || !y)
        return lucid_error(s);
    for (int i = 0; i < b->nin; i++)
        in[i] = x[b->from[i]];
    lucid__body_apply(s, b->words, in, y);
    for (int i = 0; i < k->d->nout; i++)
        (void)lucid_results_push(s, out, y[i]);
    for (int i = 0; i < k->d->carry.n; i++)
        if (k->kept[i])
            (void)lucid_results_push(s, out, x[k->d->consts.n + i]);
    return lucid_error(s);
}

/* Runs the scan, and stacks[i] becomes the carry i before each step, where it is to be kept. */
static void run_keeping(lucid_scope *s, const lucid__draft *d, const bool *kept, lucid_tensor *y,
                        lucid_tensor *stacks)
{
    lucid__draft n = *d;
    lucid__staged body;
    int64_t *flags = lucid_alloc(s, (size_t)(d->nout + d->carry.n + 1) * sizeof *flags);
    lucid_tensor *out = lucid_alloc(s, (size_t)(d->nout + d->carry.n + 1) * sizeof *out);
    int count;
    lucid__aval *avals = lucid__draft_frame(s, d, &count);
    if (!flags || !out || !avals ||
        !lucid__stage(s, capture_keeping, &(keeping){d, kept}, avals, (size_t)count, -1, &body))
        return;
    for (int k = 0; k < d->nout; k++)
        flags[k] = d->out_flags[k];
    for (int i = 0; i < d->carry.n; i++)
        if (kept[i])
            flags[n.nout++] = d->out_flags[i];
    n.bodies = &body;
    n.out_flags = flags;
    lucid__draft_bind(s, &n, out);
    for (int k = 0; k < d->nout; k++)
        y[k] = out[k];
    for (int i = 0, at = d->nout; i < d->carry.n; i++)
        if (kept[i])
            stacks[i] = out[at++];
}

/* The avals of the frame [consts, carry, kept carries, slices of xs]: those kept are like the carries that
 * stand in for them until they are there. */
static lucid__aval *frame_with_kept(lucid_scope *s, const lucid__draft *n, int nkept, int *count)
{
    *count = n->consts.n + n->carry.n + n->xs.n;
    lucid__aval *avals = lucid_alloc(s, ((size_t)*count + 1) * sizeof *avals), *at = avals;
    for (int i = 0; at && i < n->consts.n; i++)
        *at++ = lucid__inputs_aval(&n->consts, i, false);
    for (int i = 0; at && i < n->carry.n; i++)
        *at++ = lucid__inputs_aval(&n->carry, i, false);
    for (int i = 0; at && i < n->xs.n; i++)
        *at++ = lucid__inputs_aval(&n->xs, i, i >= nkept);
    return avals;
}

void lucid__scan_linear(lucid_scope *s, lucid__derivative *v, lucid_tensor *y, lucid_tensor *dy)
{
    const lucid__draft *d = v->d;
    lucid__draft n = *d;
    lucid__staged body;
    int ncarry = d->carry.n, at = 0, place = 0, count;
    lucid_tensor *stacks = lucid_alloc(s, ((size_t)ncarry + 1) * sizeof *stacks);
    bool *kept = lucid_alloc(s, (size_t)ncarry + 1);
    if (!stacks || !kept || !lucid__inputs_new(s, &n.consts, 2 * d->consts.n) ||
        !lucid__inputs_new(s, &n.carry, ncarry) ||
        !lucid__inputs_new(s, &n.xs, ncarry + 2 * d->xs.n) || !set_outputs(s, v, &n))
        return;
    lucid__derivative_add(s, v, &d->consts, &at, &n.consts, &place, true, LUCID__LINEAR);
    lucid__derivative_add(s, v, &d->carry, &at, &n.carry, &place, false, LUCID__LINEAR);
    int first_kept = place;
    for (int i = 0; i < ncarry; i++) {
        v->value_at[d->consts.n + i] = place++;
        lucid__inputs_add(&n.xs, d->carry.x[i], d->carry.flags[i] & LUCID__PER_LANE);
    }
    lucid__derivative_add(s, v, &d->xs, &at, &n.xs, &place, true, LUCID__LINEAR);
    lucid__aval *avals = lucid__ok(s) ? frame_with_kept(s, &n, ncarry, &count) : NULL;
    v->body = &d->bodies[0];
    if (!avals || !lucid__stage(s, capture_tangents, v, avals, (size_t)count, -1, &body))
        return;
    for (int i = 0; i < body.nin; i++)
        if (body.from[i] >= first_kept && body.from[i] < first_kept + ncarry)
            kept[body.from[i] - first_kept] = true;
    run_keeping(s, d, kept, y, stacks);
    for (int i = 0; i < ncarry; i++)
        if (kept[i])
            n.xs.x[i] = stacks[i];
    n.bodies = &body;
    if (lucid__ok(s))
        bind_linear(s, v, &n, dy);
}

/* ---- transposes -------------------------------------------------------------------------------------- */

/* One body of a linear operation, transposed: from the values it reads and the cotangents of its results
 * to the cotangents of its linear inputs. */
typedef struct transposed {
    const lucid__staged *body;
    const lucid__aval *avals; /* of the frame */
    int nframe;
    const bool *linear;  /* of the frame: to be given a cotangent */
    const bool *has_ct;  /* per output: its cotangent is among the arguments */
    const int *value_at; /* among the arguments: the values of the frame that are not linear */
    const int *ct_at;    /* and the cotangents */
} transposed;

/* Sets ct[i] for the linear values of the frame; empty: zero. */
static void pull_body(lucid_scope *s, const transposed *t, const lucid_tensor *x, lucid_tensor *ct)
{
    const lucid__staged *b = t->body;
    size_t nin = (size_t)b->nin, nout = b->nout;
    lucid__value **leaves = lucid_alloc(s, ((size_t)t->nframe + 1) * sizeof(*leaves));
    lucid__value **results = lucid_alloc(s, (nout + 1) * sizeof(*results));
    lucid_tensor *in = lucid_alloc(s, (nin + 1) * sizeof *in);
    lucid_tensor *y = lucid_alloc(s, 2 * (nout + 1) * sizeof *y);
    if (!leaves || !results || !in || !y)
        return;
    lucid__level tape = {.kind = LUCID__LEVEL_TAPE};
    lucid__level_push(s, &tape);
    for (int i = 0; i < t->nframe; i++)
        if (t->linear[i])
            leaves[i] = lucid__tape_leaf(s, tape.id, &t->avals[i]).v;
    for (size_t i = 0; i < nin; i++) {
        int64_t from = b->from[i];
        in[i] = t->linear[from] ? (lucid_tensor){leaves[from]} : x[t->value_at[from]];
    }
    lucid__body_apply(s, b->words, in, y);
    lucid__level_pop(s, &tape);
    lucid_tensor *dy = y + nout + 1;
    for (size_t k = 0; k < nout; k++) {
        bool on_tape = y[k].v && y[k].v->level == tape.id && y[k].v->kind == LUCID__TAPE;
        results[k] = on_tape ? y[k].v : NULL;
        if (t->has_ct[k])
            dy[k] = x[t->ct_at[k]];
    }
    lucid__linear linear = {
        .level = tape.id, .nx = (size_t)t->nframe, .ny = nout, .x = leaves, .y = results};
    if (lucid__ok(s))
        lucid__linear_pull(s, &linear, dy, ct);
}

/* What the transpose rules of cond and scan begin with. */
typedef struct transposition {
    lucid__draft d;
    lucid__aval *avals;
    int nframe, first; /* first: position of the frame among the inputs */
    bool *linear, *has_ct;
    int *value_at, *ct_at;
} transposition;

/* Inputs without a value get a stand-in, so that groups and avals can be spoken of. */
static bool transposition_begin(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                const bool *linear, const lucid_tensor *ct, transposition *t)
{
    lucid_tensor *x = lucid_alloc(s, ((size_t)c->nin + 1) * sizeof *x);
    for (int i = 0; x && i < c->nin; i++)
        x[i] = linear[i] ? lucid__zeros(s, &in[i]) : c->in[i];
    lucid__call full = *c;
    full.in = x;
    if (!x || !lucid__ok(s) || !lucid__draft_of(s, &full, &t->d))
        return false;
    t->avals = lucid__draft_frame(s, &t->d, &t->nframe);
    t->first = c->prim == LUCID__cond;
    size_t n = (size_t)t->nframe + 1, nout = (size_t)t->d.nout + 1;
    t->linear = lucid_alloc(s, n);
    t->has_ct = lucid_alloc(s, nout);
    t->value_at = lucid_alloc(s, n * sizeof *t->value_at);
    t->ct_at = lucid_alloc(s, nout * sizeof *t->ct_at);
    if (!t->avals || !t->linear || !t->has_ct || !t->value_at || !t->ct_at)
        return false;
    for (int i = 0; i < t->nframe; i++)
        t->linear[i] = linear[t->first + i];
    for (int k = 0; k < t->d.nout; k++)
        t->has_ct[k] = ct[k].v != NULL;
    return true;
}

static transposed transposed_body(const transposition *t, int b)
{
    return (transposed){&t->d.bodies[b], t->avals,    t->nframe, t->linear,
                        t->has_ct,       t->value_at, t->ct_at};
}

static lucid_status push_cotangent(lucid_scope *s, const transposed *t, int i, lucid_tensor ct,
                                   lucid_results *out)
{
    return lucid_results_push(s, out, ct.v ? ct : lucid__zeros(s, &t->avals[i]));
}

static lucid_status capture_cond_transpose(lucid_scope *s, void *user, const lucid_tensor *x,
                                           size_t nx, lucid_results *out)
{
    const transposed *t = user;
    lucid_tensor *ct = lucid_alloc(s, ((size_t)t->nframe + 1) * sizeof *ct);
    (void)nx;
    if (ct)
        pull_body(s, t, x, ct);
    for (int i = 0; ct && i < t->nframe && lucid__ok(s); i++)
        if (t->linear[i])
            (void)push_cotangent(s, t, i, ct[i], out);
    return lucid_error(s);
}

void lucid__cond_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    transposition t;
    if (!transposition_begin(s, c, in, linear, ct, &t))
        return;
    lucid__draft *d = &t.d, n = *d;
    int64_t *flags = lucid_alloc(s, ((size_t)t.nframe + 1) * sizeof *flags);
    lucid_tensor *out = lucid_alloc(s, ((size_t)t.nframe + 1) * sizeof *out);
    n.bodies = lucid_alloc(s, (size_t)d->nbodies * sizeof *n.bodies);
    if (!flags || !out || !n.bodies || !lucid__inputs_new(s, &n.consts, t.nframe + d->nout))
        return;
    n.nout = 0;
    for (int i = 0; i < t.nframe; i++) {
        if (t.linear[i]) {
            flags[n.nout++] = d->consts.flags[i] & LUCID__PER_LANE;
            continue;
        }
        t.value_at[i] = n.consts.n;
        lucid__inputs_add(&n.consts, d->consts.x[i], d->consts.flags[i] & ~LUCID__LINEAR);
    }
    for (int k = 0; k < d->nout; k++)
        if (t.has_ct[k]) {
            t.ct_at[k] = n.consts.n;
            lucid__inputs_add(&n.consts, ct[k], d->out_flags[k]);
        }
    n.out_flags = flags;
    int count;
    lucid__aval *avals = lucid__draft_frame(s, &n, &count);
    for (int b = 0; avals && b < d->nbodies; b++) {
        transposed body = transposed_body(&t, b);
        if (!lucid__stage(s, capture_cond_transpose, &body, avals, (size_t)count, -1, &n.bodies[b]))
            return;
    }
    lucid__draft_bind(s, &n, out);
    for (int i = 0, at = 0; i < t.nframe && lucid__ok(s); i++)
        if (t.linear[i])
            dct[t.first + i] = out[at++];
}

/* The scan backwards: its carry are the cotangents of the carry, and the sums of those of the constants;
 * its ys are the cotangents of the xs. Arguments of the capture: [constants, cotangents of the carry,
 * sums, slices of xs, cotangents of ys]. */
typedef struct scan_transposed {
    transposed body;
    int nconsts, ncarry, sums_at; /* of the operation that is transposed; sums_at: argument */
} scan_transposed;

static lucid_status capture_scan_transpose(lucid_scope *s, void *user, const lucid_tensor *x,
                                           size_t nx, lucid_results *out)
{
    const scan_transposed *t = user;
    const transposed *b = &t->body;
    lucid_tensor *ct = lucid_alloc(s, ((size_t)b->nframe + 1) * sizeof *ct);
    (void)nx;
    if (ct)
        pull_body(s, b, x, ct);
    if (!ct || !lucid__ok(s))
        return lucid_error(s);
    for (int i = t->nconsts; i < t->nconsts + t->ncarry; i++)
        (void)push_cotangent(s, b, i, ct[i], out);
    for (int i = 0, sum = t->sums_at; i < t->nconsts; i++)
        if (b->linear[i]) {
            (void)lucid_results_push(s, out, lucid__add_cotangents(s, x[sum], ct[i]));
            sum++;
        }
    for (int i = t->nconsts + t->ncarry; i < b->nframe; i++)
        if (b->linear[i])
            (void)push_cotangent(s, b, i, ct[i], out);
    return lucid_error(s);
}

void lucid__scan_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    transposition t;
    if (!transposition_begin(s, c, in, linear, ct, &t))
        return;
    lucid__draft *d = &t.d, n = *d;
    int nc = d->consts.n, ncarry = d->carry.n;
    size_t room = (size_t)(t.nframe + d->nout) + 1;
    int64_t *flags = lucid_alloc(s, room * sizeof *flags);
    lucid_tensor *out = lucid_alloc(s, room * sizeof *out);
    if (!flags || !out || !lucid__inputs_new(s, &n.consts, nc) ||
        !lucid__inputs_new(s, &n.carry, nc + ncarry) ||
        !lucid__inputs_new(s, &n.xs, d->xs.n + d->nout))
        return;
    int at = 0;
    for (int i = 0; i < nc; i++)
        if (!t.linear[i]) {
            t.value_at[i] = at++;
            lucid__inputs_add(&n.consts, d->consts.x[i], d->consts.flags[i] & ~LUCID__LINEAR);
        }
    n.nout = 0;
    for (int k = 0; k < ncarry; k++) {
        /* A carry that was not on the tape (a zero) still has a cotangent on its way to those before. */
        t.linear[nc + k] = true;
        t.has_ct[k] = true;
        t.ct_at[k] = at++;
        int64_t lanes = d->carry.flags[k] & LUCID__PER_LANE;
        lucid__inputs_add(&n.carry, ct[k].v ? ct[k] : lucid__zeros(s, &d->carry.x[k].v->aval),
                          lanes);
        flags[n.nout++] = lanes;
    }
    int sums_at = at;
    for (int i = 0; i < nc; i++)
        if (t.linear[i]) {
            at++;
            int64_t lanes = d->consts.flags[i] & LUCID__PER_LANE;
            lucid__inputs_add(&n.carry, lucid__zeros(s, &d->consts.x[i].v->aval), lanes);
            flags[n.nout++] = lanes;
        }
    for (int i = 0; i < d->xs.n; i++) {
        int frame = nc + ncarry + i;
        if (t.linear[frame]) {
            flags[n.nout++] = d->xs.flags[i] & LUCID__PER_LANE;
            continue;
        }
        t.value_at[frame] = at++;
        lucid__inputs_add(&n.xs, d->xs.x[i], d->xs.flags[i] & ~LUCID__LINEAR);
    }
    for (int k = ncarry; k < d->nout; k++)
        if (t.has_ct[k]) {
            t.ct_at[k] = at++;
            lucid__inputs_add(&n.xs, ct[k], d->out_flags[k]);
        }
    scan_transposed user = {transposed_body(&t, 0), nc, ncarry, sums_at};
    lucid__staged body;
    int count;
    lucid__aval *avals = lucid__ok(s) ? lucid__draft_frame(s, &n, &count) : NULL;
    if (!avals || !lucid__stage(s, capture_scan_transpose, &user, avals, (size_t)count, -1, &body))
        return;
    n.option = !d->option;
    n.bodies = &body;
    n.out_flags = flags;
    lucid__draft_bind(s, &n, out);
    at = 0;
    for (int k = 0; k < ncarry && lucid__ok(s); k++, at++)
        if (linear[t.first + nc + k])
            dct[t.first + nc + k] = out[at];
    for (int i = 0; i < nc && lucid__ok(s); i++)
        if (t.linear[i])
            dct[t.first + i] = out[at++];
    for (int i = nc + ncarry; i < t.nframe && lucid__ok(s); i++)
        if (t.linear[i])
            dct[t.first + i] = out[at++];
}
