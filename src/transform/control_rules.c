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

/* ---- what depends on what ------------------------------------------------------------------------ */

bool lucid__draft_depends(lucid_scope *s, const lucid__draft *d, bool *frame, bool floats,
                          bool *out)
{
    int first_carry = d->consts.n;
    for (bool changed = true; changed;) {
        changed = false;
        for (int b = 0; b < d->nbodies; b++) {
            const lucid__staged *staged = &d->bodies[b];
            lucid__body body;
            if (!lucid__body_read(s, staged->words, &body))
                return false;
            bool *from = lucid_alloc(s, (size_t)body.nin + 1);
            bool *depends = lucid_alloc(s, (size_t)body.nvalues + 1);
            if (!from || !depends)
                return false;
            for (int i = 0; i < body.nin; i++)
                from[i] = staged->from[i] < staged->nx && frame[staged->from[i]];
            lucid__body_depends(&body, from, floats, depends);
            if (d->prim == LUCID__while && b == 0) { /* how long a lane goes on */
                for (int k = 0; !floats && depends[body.out[0]] && k < d->nout; k++)
                    out[k] = true;
                continue;
            }
            for (int k = 0; k < body.nout; k++)
                out[k] |= depends[body.out[k]];
        }
        for (int k = 0; k < d->carry.n; k++) { /* a carry goes round */
            bool any = out[k] || frame[first_carry + k];
            changed |= any != frame[first_carry + k] || any != out[k];
            out[k] = frame[first_carry + k] = any;
        }
    }
    return true;
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

/* The batch of a result in front; the lanes it had before come after it, or are all the same. */
static lucid_tensor unmerged(lucid_scope *s, const merge *m, lucid_tensor y, bool per_lane)
{
    lucid_shape shape = y.v->aval.shape;
    shape.dim[0] = m->before;
    y = lucid_reshape(s, y, lucid__shape_insert(&shape, 0, m->size));
    if (per_lane || !y.v)
        return y;
    if (m->before == 0)
        return lucid__error(
            s, LUCID_RUNTIME_ERROR,
            "control flow: vmap over no lanes around a result that does not depend on "
            "them");
    return lucid_select(s, y, 1, 0);
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

static void mark_varying(const lucid__inputs *g, const int *axis, int *at, bool *varies)
{
    for (int i = 0; i < g->n; i++, (*at)++)
        varies[i] = axis[*at] >= 0 || (g->flags[i] & (LUCID__PER_LANE | LUCID__LINEAR));
}

static void control_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    lucid__draft d;
    if (!lucid__draft_of(s, c, &d))
        return;
    merge m = {size, d.lanes, size};
    if (d.lanes >= 0 && __builtin_mul_overflow(size, d.lanes, &m.lanes)) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: too many lanes");
        return;
    }
    int frame = d.consts.n + d.carry.n + d.xs.n, at = d.prim == LUCID__cond, first = at;
    bool *varies = lucid_alloc(s, (size_t)frame + 1),
         *out_varies = lucid_alloc(s, (size_t)d.nout + 1);
    int64_t *flags = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *flags);
    if (!varies || !out_varies || !flags)
        return;
    mark_varying(&d.consts, axis, &at, varies);
    mark_varying(&d.carry, axis, &at, varies + d.consts.n);
    mark_varying(&d.xs, axis, &at, varies + d.consts.n + d.carry.n);
    bool chosen = d.prim == LUCID__cond && (axis[0] >= 0 || (d.index_flags & LUCID__PER_LANE));
    for (int k = 0; k < d.nout; k++)
        out_varies[k] = chosen || (d.out_flags[k] & LUCID__PER_LANE);
    if (!lucid__draft_depends(s, &d, varies, false, out_varies))
        return;
    if (chosen) {
        d.index = merged(s, &m, d.index, axis[0], (d.index_flags & LUCID__PER_LANE) != 0);
        d.index_flags |= LUCID__PER_LANE;
    }
    at = first;
    merge_group(s, &m, &d.consts, axis, &at, varies);
    merge_group(s, &m, &d.carry, axis, &at, varies + d.consts.n);
    merge_group(s, &m, &d.xs, axis, &at, varies + d.consts.n + d.carry.n);
    for (int k = 0; k < d.nout; k++)
        flags[k] = out_varies[k] ? LUCID__PER_LANE : 0;
    const int64_t *before_flags = d.out_flags;
    d.lanes = m.lanes;
    d.out_flags = flags;
    lucid__draft_bind(s, &d, out);
    for (int k = 0; k < d.nout && lucid__ok(s); k++) {
        out_axis[k] = out_varies[k] ? 0 : -1;
        if (out_varies[k] && m.before >= 0)
            out[k] = unmerged(s, &m, out[k], (before_flags[k] & LUCID__PER_LANE) != 0);
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
