/* cond, while and scan as primitives: their shapes, and how they take a batch. What is where among
 * inputs and parameters says prim/control.h. */
#include "transform/control_rules.h"

#include <string.h>

#include "prim/family.h"

/* ---- shapes ---------------------------------------------------------------------------------------- */

static bool grow(lucid_scope *s, lucid_shape *shape, int64_t size)
{
    if (shape->ndim >= LUCID_MAX_NDIM) {
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "control flow: a tensor with its batch and step dims has more than %d dims",
            LUCID_MAX_NDIM);
        return false;
    }
    *shape = lucid__shape_insert(shape, 0, size);
    if (lucid__numel(shape) < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "control flow: a result has too many elements");
    return lucid__ok(s);
}

static bool control_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          lucid__aval *out)
{
    (void)in;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid__draft d;
    lucid__body body;
    /* The last body gives the results: any branch, the step of a loop. */
    bool ok =
        lucid__draft_of(&t, c, &d) && lucid__body_read(&t, d.bodies[d.nbodies - 1].words, &body);
    for (int k = 0; ok && k < d.nout; k++) {
        out[k] = body.avals[body.out[k]];
        if (c->prim == LUCID__scan && k >= d.carry.n)
            ok = grow(s, &out[k].shape, d.length);
        if (ok && (d.out_flags[k] & LUCID__PER_LANE))
            ok = grow(s, &out[k].shape, d.lanes);
    }
    lucid__scope_leave(&t);
    return ok;
}

static bool control_linear_in(const lucid__call *c, int input)
{
    return (c->params[LUCID__CONTROL_HEAD + input] & LUCID__LINEAR) != 0;
}

/* ---- batching -------------------------------------------------------------------------------------- */

/* Merges a batch with the lanes that an input has or must get. */
typedef struct merge {
    int64_t size, before, lanes; /* before: LUCID__NO_LANES or the lanes so far */
} merge;

static lucid_tensor merged(lucid_scope *s, const merge *m, lucid_tensor x, int axis, bool per_lane)
{
    x = lucid__batch_at(s, x, axis, 0, m->size); /* (size, [before,] ...) */
    if (m->before < 0 || !x.v)
        return x;
    lucid_shape shape = x.v->aval.shape;
    if (!per_lane) {
        lucid_shape one = lucid__shape_insert(&shape, 1, 1);
        shape = lucid__shape_insert(&shape, 1, m->before);
        x = lucid__broadcast(s, lucid_reshape(s, x, one), &shape);
    }
    shape = lucid__shape_remove(&shape, 0);
    shape.dim[0] = m->lanes;
    return lucid_reshape(s, x, shape);
}

/* A result without the batch it does not depend on, or with it in front; the lanes it had before come
 * after it, or are all the same. */
static lucid_tensor unmerged(lucid_scope *s, const merge *m, lucid_tensor y, bool batched,
                             bool per_lane)
{
    if (m->before >= 0 && y.v) {
        lucid_shape shape = y.v->aval.shape;
        shape.dim[0] = m->before;
        y = lucid_reshape(s, y, lucid__shape_insert(&shape, 0, m->size));
        y = per_lane ? y : lucid_select(s, y, 1, 0);
    }
    return batched ? y : lucid_select(s, y, 0, 0);
}

/* Gives the inputs of a group that vary their lanes. at: the position of the first in the call. */
static void merge_group(lucid_scope *s, const merge *m, lucid__inputs *g, const int *axis, int *at,
                        const bool *varies)
{
    for (int i = 0; i < g->n; i++, (*at)++) {
        if (!varies[i])
            continue;
        g->x[i] = merged(s, m, g->x[i], axis[*at], (g->flags[i] & LUCID__PER_LANE) != 0);
        g->flags[i] |= LUCID__PER_LANE;
    }
}

/* Inputs, and the outputs that depend on them. */
typedef struct marks {
    bool *in, *out, index; /* in: of the frame */
} marks;

/* Those that carry the batch or one of these flags. False: out of memory. */
static bool mark(lucid_scope *s, const lucid__draft *d, const lucid__call *c, const int *axis,
                 int64_t flags, marks *m)
{
    const int64_t *in_flags = c->params + LUCID__CONTROL_HEAD;
    const int first = d->prim == LUCID__cond, nframe = c->nin - first;
    m->in = lucid_alloc(s, (size_t)nframe + 1);
    m->out = lucid_alloc(s, (size_t)d->nout + 1);
    if (!m->in || !m->out)
        return false;
    for (int i = 0; i < nframe; i++)
        m->in[i] = axis[first + i] >= 0 || (in_flags[first + i] & flags);
    m->index = first && (axis[0] >= 0 || (in_flags[0] & flags));
    for (int k = 0; k < d->nout; k++)
        m->out[k] = m->index || (d->out_flags[k] & flags);
    return lucid__draft_depends(s, d, m->in, false, m->out);
}

/* A batch of no lanes: what depends on it has no elements, and the rest is computed without it. */
static void batch_of_none(lucid_scope *s, const lucid__call *c, const int *axis, int nout,
                          lucid_tensor *out, int *out_axis)
{
    lucid_tensor *in = lucid_alloc(s, ((size_t)c->nin + 1) * sizeof *in);
    lucid__aval *avals = lucid_alloc(s, ((size_t)nout + 1) * sizeof *avals);
    if (!in || !avals || !control_infer(s, c, NULL, avals))
        return;
    for (int i = 0; i < c->nin; i++)
        in[i] = axis[i] < 0 ? c->in[i] : (lucid_tensor){NULL};
    lucid__call shared = *c;
    shared.in = in;
    lucid__control_without(s, &shared, out);
    for (int k = 0; k < nout && lucid__ok(s); k++) {
        out_axis[k] = out[k].v ? -1 : 0;
        if (!out[k].v && grow(s, &avals[k].shape, 0))
            out[k] = lucid__zeros(s, &avals[k]);
    }
}

static void control_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    lucid__draft d;
    if (!lucid__draft_of(s, c, &d))
        return;
    if (size == 0) {
        batch_of_none(s, c, axis, d.nout, out, out_axis);
        return;
    }
    merge m = {size, d.lanes, size};
    if (d.lanes >= 0 && __builtin_mul_overflow(size, d.lanes, &m.lanes)) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: too many lanes");
        return;
    }
    marks batched, varies; /* by the batch; by that or the lanes there are already */
    int64_t *flags = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *flags);
    if (!flags || !mark(s, &d, c, axis, 0, &batched) ||
        !mark(s, &d, c, axis, LUCID__PER_LANE | LUCID__LINEAR, &varies))
        return;
    if (varies.index) {
        d.index = merged(s, &m, d.index, axis[0], (d.index_flags & LUCID__PER_LANE) != 0);
        d.index_flags |= LUCID__PER_LANE;
    }
    int at = d.prim == LUCID__cond;
    merge_group(s, &m, &d.consts, axis, &at, varies.in);
    merge_group(s, &m, &d.carry, axis, &at, varies.in + d.consts.n);
    merge_group(s, &m, &d.xs, axis, &at, varies.in + d.consts.n + d.carry.n);
    for (int k = 0; k < d.nout; k++)
        flags[k] = varies.out[k] ? LUCID__PER_LANE : 0;
    const int64_t *before_flags = d.out_flags;
    d.lanes = m.lanes;
    d.out_flags = flags;
    lucid__draft_bind(s, &d, out);
    for (int k = 0; k < d.nout && lucid__ok(s); k++) {
        out_axis[k] = batched.out[k] ? 0 : -1;
        if (varies.out[k])
            out[k] =
                unmerged(s, &m, out[k], batched.out[k], (before_flags[k] & LUCID__PER_LANE) != 0);
    }
}

/* ---- the primitives -------------------------------------------------------------------------------- */

const lucid__rules lucid__rules_cond = {
    .infer = control_infer,
    .batch = control_batch,
    .joint = lucid__control_joint,
    .transpose = lucid__cond_transpose,
    .linear_in = control_linear_in,
    .samples = lucid__cond_samples,
    .long_params = lucid__cond_params,
    .doc = "One of several functions of the operands, by an index.",
};

const lucid__rules lucid__rules_while = {
    .infer = control_infer,
    .batch = control_batch,
    .joint = lucid__control_joint,
    .linear_in = control_linear_in,
    .samples = lucid__while_samples,
    .long_params = lucid__while_params,
    .doc = "A function of the carry, again and again while a condition of the carry holds.",
};

const lucid__rules lucid__rules_scan = {
    .infer = control_infer,
    .batch = control_batch,
    .joint = lucid__control_joint,
    .transpose = lucid__scan_transpose,
    .linear_in = control_linear_in,
    .samples = lucid__scan_samples,
    .long_params = lucid__scan_params,
    .doc = "A function of the carry and one slice of xs after the other.",
};

const lucid__rules lucid__family_control = {.doc = "Control flow."};
