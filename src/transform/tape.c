#include "transform/tape.h"

#include "base/dtype.h"
#include "base/memory.h"
#include "graph/node.h"
#include "prim/family.h"
#include "transform/entries.h"
#include "transform/linearity.h"
#include "transform/remat.h"
#include "transform/tape_function.h"

/* Operations with more inputs than that take memory for lists of them. */
enum { FEW = 4 };

/* ---- recording ----------------------------------------------------------------------------- */

/* Of what is added to values of the tape: false if it is known not to be zero, or must be known to be. */
static bool may_be_zero(lucid_scope *s, const lucid__level *level, lucid_tensor x)
{
    const lucid__value *v = x.v;
    while (v->kind == LUCID__BATCH || v->kind == LUCID__DUAL)
        v = v->inner;
    return v->kind == LUCID__GRAPH ? lucid__is_zero(s, x) : !level->of_pullback;
}

/* Whether c is linear in the inputs that are on the tape; bilinear only with the other one off it. What is added
 * to them must be zero, and what need not be computed for that is not. */
static bool is_linear(lucid_scope *s, const lucid__level *level, const lucid__call *c)
{
    const lucid__rules *rules = lucid__prim_get(c->prim)->rules;
    int on_tape = 0;
    bool jointly = true;
    for (int i = 0; i < c->nin; i++) {
        if (c->in[i].v->level != level->id)
            continue;
        on_tape++;
        jointly &= lucid__is_linear_in(c, i);
    }
    if (!jointly)
        return rules->bilinear && on_tape == 1;
    for (int i = 0; i < c->nin && on_tape < c->nin; i++) {
        const lucid__value *v = c->in[i].v;
        if (v->level != level->id && lucid__is_float(v->aval.dtype) && lucid__is_linear_in(c, i) &&
            !may_be_zero(s, level, c->in[i]))
            return false;
    }
    return true;
}

void lucid__tape_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                       lucid_tensor *out)
{
    const lucid__prim *prim = lucid__prim_get(c->prim);
    if (level->kind == LUCID__LEVEL_STAGE && prim->family == LUCID__COLLECTIVE) {
        (void)lucid__refuse_stage(s, prim->name);
        return;
    }
    if (level->kind == LUCID__LEVEL_TAPE && c->prim == LUCID__detach) {
        out[0] =
            c->in
                [0]; /* as lucid_detach of it outside of a body: a tangent is differentiated further out */
        return;
    }
    if (level->kind == LUCID__LEVEL_TAPE && !is_linear(s, level, c)) {
        if (prim->family == LUCID__CONTROL)
            lucid__control_on_tape(s, level, c, out);
        else if (lucid__ok(s) && !lucid__linear_by_jvp(s, level, c, out))
            lucid__refuse_op_on_tape(s, level, c->prim);
        return;
    }
    if (level->kind == LUCID__LEVEL_STAGE && lucid__minds_zero(c)) {
        lucid__zeros_back(s, c, out);
        return;
    }
    lucid__aval few_in[FEW], few_out[LUCID__MAX_OUTPUTS], *in = few_in, *avals = few_out;
    lucid__value *few_values[FEW], **values = few_values;
    if (c->nin > FEW) {
        in = lucid_alloc(s, (size_t)c->nin * sizeof *in);
        values = lucid_alloc(s, (size_t)c->nin * sizeof(*values));
    }
    if (!in || !values)
        return;
    for (int i = 0; i < c->nin; i++) {
        in[i] = c->in[i].v->aval;
        values[i] = c->in[i].v;
    }
    int nout = lucid__outputs_of(c->prim, c->params);
    if (nout > LUCID__MAX_OUTPUTS)
        avals = lucid_alloc(s, (size_t)nout * sizeof *avals);
    if (!avals || !lucid__infer_of(c->prim)(s, c, in, avals))
        return;
    lucid__tape_entry *e =
        lucid__tape_entry_new(s, (int)c->prim, values, c->nin, c->params, c->nparams, avals, nout);
    if (!e) {
        lucid__out_of_memory(s);
        return;
    }
    if (level->kind == LUCID__LEVEL_TAPE)
        lucid__tape_note(s, e);
    for (int k = 1; k < nout; k++)
        (void)lucid__tape_entry_retain(e);
    for (int k = 0; k < nout; k++)
        out[k] = lucid__own(s, lucid__value_new_tape(level->id, e, k, &avals[k]));
    if (level->kind == LUCID__LEVEL_STAGE && !lucid__level_records(s, level) &&
        c->prim !=
            LUCID__detach) /* under no_grad: whoever runs the record differentiates up to here */
        for (int k = 0; k < nout; k++)
            if (lucid__is_float(avals[k].dtype))
                out[k] = lucid_detach(s, out[k]);
}

bool lucid__is_on_tape(const lucid_scope *s, const lucid__value *v)
{
    const lucid__level *level = v->kind == LUCID__TAPE ? lucid__level_find(s, v->level) : NULL;
    return level && level->kind == LUCID__LEVEL_TAPE;
}

bool lucid__is_staged(const lucid_scope *s, const lucid__value *v)
{
    const lucid__level *level = v->kind == LUCID__TAPE ? lucid__level_find(s, v->level) : NULL;
    return level && level->kind == LUCID__LEVEL_STAGE;
}

void lucid__tape_note(lucid_scope *s, lucid__tape_entry *e)
{
    lucid__region *region = s->session->region;
    if (region && !lucid__region_add_entry(region, e))
        lucid__out_of_memory(s);
}

lucid_tensor lucid__tape_leaf(lucid_scope *s, uint64_t level, const lucid__aval *aval)
{
    lucid__tape_entry *e = lucid__tape_entry_new(s, LUCID__LEAF, NULL, 0, NULL, 0, aval, 1);
    return lucid__own(s, e ? lucid__value_new_tape(level, e, 0, aval) : NULL);
}

void lucid__linear_release(lucid__linear *linear)
{
    for (size_t i = 0; linear->x && i < linear->nx; i++)
        lucid__value_release(linear->x[i]);
    for (size_t k = 0; linear->x && k < linear->ny; k++)
        lucid__value_release(linear->y[k]);
    lucid__free(linear->x);
    *linear = (lucid__linear){0};
}

/* ---- walking ------------------------------------------------------------------------------- */

/* The entries behind some outputs, and a value (a tangent or a cotangent) for each of their outputs. */
typedef struct walk {
    lucid__entries entries;
    lucid__value **values, *few[LUCID__FEW_ENTRIES];
    lucid__instance *instance; /* of the checkpoint that the walk is in */
} walk;

static bool on_tape(const walk *w, const lucid__value *v)
{
    return lucid__entries_level_of(&w->entries, v);
}

static void walk_end(walk *w)
{
    lucid__remat_leave(&w->instance);
    for (size_t i = 0; w->values && i < w->entries.nvalues; i++)
        lucid__value_release(w->values[i]);
    if (w->values != w->few)
        lucid__free(w->values);
    lucid__entries_free(&w->entries);
}

/* False (and an error in s) when out of memory; walk_end is due in any case. */
static bool walk_begin(lucid_scope *s, walk *w, uint64_t level, lucid__value *const *y, size_t ny)
{
    w->values = NULL;
    w->instance = NULL;
    if (!lucid__entries_find(s, &w->entries, level, y, ny))
        return false;
    size_t n = w->entries.nvalues;
    w->values = n > LUCID__FEW_ENTRIES ? lucid__calloc(n, sizeof(lucid__value *)) : w->few;
    for (size_t i = 0; w->values == w->few && i < n; i++)
        w->few[i] = NULL;
    if (!w->values)
        lucid__out_of_memory(s);
    return w->values != NULL;
}

/* The slot of a tape value; NULL: not among the walk's entries. */
static lucid__value **slot_of(const walk *w, const lucid__value *v)
{
    size_t number = lucid__entries_number(&w->entries, v);
    return number == SIZE_MAX ? NULL : &w->values[number];
}

static void set_slot(lucid__value **slot, lucid_tensor x)
{
    lucid__value *old = *slot;
    *slot = lucid__value_retain(x.v);
    lucid__value_release(old);
}

static void add_to_slot(lucid_scope *s, lucid__value **slot, lucid_tensor x)
{
    if (slot && x.v)
        set_slot(slot, lucid__add_cotangents(s, (lucid_tensor){*slot}, x));
}

/* The same, by what s has of the sum, or of x, which nobody wants there any more. */
static void move_to_slot(lucid_scope *s, lucid__value **slot, lucid_tensor x)
{
    if (!slot || !x.v)
        return;
    lucid__value *old = *slot;
    lucid_tensor sum = lucid__add_cotangents(s, (lucid_tensor){old}, x);
    *slot = sum.v ? lucid__scope_take(s, sum) : NULL;
    lucid__value_release(old);
}

static bool is_among(lucid_tensor x, const lucid_tensor *xs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (xs[i].v == x.v)
            return true;
    return false;
}

/* ---- backwards ----------------------------------------------------------------------------- */

static void pull_entry(lucid_scope *s, walk *w, size_t at)
{
    const lucid__tape_entry *e = w->entries.at[at];
    lucid__value **cts = &w->values[w->entries.first[at]];
    bool any = false;
    for (int k = 0; k < e->nout; k++)
        any |= cts[k] != NULL;
    if (!any)
        return;
    size_t n = (size_t)e->nin, m = (size_t)e->nout;
    lucid_tensor few[3 * FEW], *in = few;
    lucid__aval few_avals[FEW], *avals = few_avals;
    bool few_linear[FEW], *linear = few_linear;
    if (n > FEW || m > FEW) {
        in = lucid_alloc(s, (2 * n + m) * sizeof *in);
        avals = lucid_alloc(s, n * sizeof *avals);
        linear = lucid_alloc(s, n * sizeof *linear);
    }
    if (!in || !avals || !linear)
        return;
    lucid_tensor *dct = in + n, *ct = dct + n;
    if (!lucid__remat_enter(s, &w->instance, e->region, w->values, w->entries.nvalues))
        return;
    for (size_t k = 0; k < m; k++)
        ct[k].v = cts[k];
    for (size_t i = 0; i < n; i++) {
        linear[i] = on_tape(w, e->in[i]);
        in[i] = linear[i] ? (lucid_tensor){NULL} : lucid__remat_residual(s, w->instance, e->in[i]);
        avals[i] = e->in[i]->aval;
        dct[i] = (lucid_tensor){NULL};
    }
    if (!lucid__ok(s))
        return;
    if (e->pull) {
        lucid__tape_function_pull(s, e, in, ct, dct);
    } else {
        const lucid__prim *prim = lucid__prim_get((lucid__prim_id)e->prim);
        lucid__call c = {(lucid__prim_id)e->prim, e->nin, e->nparams, in, e->params};
        if (prim->rules->transpose)
            prim->rules->transpose(s, &c, avals, linear, ct, dct);
        else
            (void)lucid_fail(s, LUCID_RUNTIME_ERROR, "%s has no reverse derivative: %s", prim->name,
                             prim->rules->why_not ? prim->rules->why_not : "no transpose rule");
    }
    for (size_t i = 0; i < n && lucid__ok(s); i++) {
        if (!linear[i] || !dct[i].v)
            continue;
        lucid__value **slot = slot_of(w, e->in[i]);
        if (is_among(dct[i], dct + i + 1, n - i - 1))
            add_to_slot(s, slot, dct[i]);
        else
            move_to_slot(s, slot, dct[i]);
    }
}

/* From the cotangents already in the slots of the outputs to those of the leaves. */
static void pull_all(lucid_scope *s, walk *w)
{
    for (size_t at = w->entries.count; at-- > 0 && lucid__ok(s);) {
        if (w->entries.at[at]->prim == LUCID__LEAF)
            continue;
        lucid_scope child;
        lucid__scope_enter(&child, s);
        pull_entry(&child, w, at);
        lucid__scope_leave(&child);
        for (int k = 0; k < w->entries.at[at]->nout; k++) /* not needed any more */
            set_slot(&w->values[w->entries.first[at] + (size_t)k], (lucid_tensor){NULL});
    }
}

void lucid__linear_pull(lucid_scope *s, const lucid__linear *linear, const lucid_tensor *dy,
                        lucid_tensor *dx)
{
    walk w;
    for (size_t i = 0; i < linear->nx; i++)
        dx[i] = (lucid_tensor){NULL};
    if (!lucid__ok(s))
        return;
    if (walk_begin(s, &w, linear->level, linear->y, linear->ny)) {
        for (size_t k = 0; k < linear->ny; k++)
            if (linear->y[k])
                add_to_slot(s, slot_of(&w, linear->y[k]), dy[k]);
        pull_all(s, &w);
        for (size_t i = 0; i < linear->nx && lucid__ok(s); i++) {
            lucid__value **slot = linear->x[i] ? slot_of(&w, linear->x[i]) : NULL;
            if (slot && *slot)
                dx[i] = lucid__own(s, *slot);
            if (dx[i].v && linear->x_avals && dx[i].v->aval.dtype != linear->x_avals[i].dtype)
                dx[i] = lucid_cast(s, dx[i], linear->x_avals[i].dtype);
            if (slot) /* each argument has a leaf, and so a slot, of its own */
                *slot = NULL;
        }
    }
    walk_end(&w);
}

void lucid__tape_backward(lucid_scope *s, lucid_tensor y, lucid_tensor dy)
{
    walk w;
    if (!lucid__ok(s))
        return;
    if (walk_begin(s, &w, y.v->level, &y.v, 1)) {
        add_to_slot(s, slot_of(&w, y.v), dy);
        pull_all(s, &w);
        for (size_t i = 0; i < w.entries.count && lucid__ok(s); i++)
            if (w.entries.at[i]->prim == LUCID__LEAF)
                add_to_slot(s, &w.entries.at[i]->grad,
                            (lucid_tensor){w.values[w.entries.first[i]]});
    }
    walk_end(&w);
}

/* ---- forwards ------------------------------------------------------------------------------ */

static void push_entry(lucid_scope *s, walk *w, size_t at)
{
    const lucid__tape_entry *e = w->entries.at[at];
    size_t n = (size_t)e->nin;
    lucid_tensor *in = lucid_alloc(s, n * sizeof *in);
    if (!in)
        return;
    bool any = false;
    if (!lucid__remat_enter(s, &w->instance, e->region, NULL, 0))
        return;
    for (size_t i = 0; i < n; i++) {
        bool linear = on_tape(w, e->in[i]);
        lucid__value **slot = linear ? slot_of(w, e->in[i]) : NULL;
        in[i] = linear ? (lucid_tensor){slot ? *slot : NULL}
                       : lucid__remat_residual(s, w->instance, e->in[i]);
        any |= linear && in[i].v;
    }
    if (!any || !lucid__ok(s))
        return; /* all tangents are zero */
    for (size_t i = 0; i < n; i++)
        if (!in[i].v)
            in[i] = lucid__zeros(s, &e->in[i]->aval);
    lucid_tensor *out = lucid_alloc(s, (size_t)e->nout * sizeof *out);
    if (!out)
        return;
    lucid__call c = {(lucid__prim_id)e->prim, e->nin, e->nparams, in, e->params};
    if (e->pull)
        lucid__tape_function_push(s, e, in, out);
    else
        lucid__bind(s, &c, out);
    for (int k = 0; k < e->nout && lucid__ok(s); k++)
        set_slot(&w->values[w->entries.first[at] + (size_t)k], out[k]);
}

void lucid__linear_push(lucid_scope *s, const lucid__linear *linear, const lucid_tensor *dx,
                        lucid_tensor *dy)
{
    walk w;
    for (size_t k = 0; k < linear->ny; k++)
        dy[k] = (lucid_tensor){NULL};
    if (!lucid__ok(s))
        return;
    if (walk_begin(s, &w, linear->level, linear->y, linear->ny)) {
        for (size_t i = 0; i < linear->nx; i++) {
            lucid__value **slot = linear->x[i] ? slot_of(&w, linear->x[i]) : NULL;
            if (slot && dx[i].v)
                set_slot(slot, lucid_cast(s, dx[i], linear->x[i]->aval.dtype));
        }
        for (size_t at = 0; at < w.entries.count && lucid__ok(s); at++) {
            if (w.entries.at[at]->prim == LUCID__LEAF)
                continue;
            lucid_scope child;
            lucid__scope_enter(&child, s);
            push_entry(&child, &w, at);
            lucid__scope_leave(&child);
        }
        for (size_t k = 0; k < linear->ny && lucid__ok(s); k++) {
            lucid__value **slot = linear->y[k] ? slot_of(&w, linear->y[k]) : NULL;
            if (slot && *slot)
                dy[k] = lucid__own(s, lucid__value_retain(*slot));
        }
    }
    walk_end(&w);
}

/* ---- making -------------------------------------------------------------------------------- */

/* A value of s that is not looked at again: if nobody else has it, s gets what it wraps. */
static void take_apart(lucid_scope *s, lucid__value *dual)
{
    if (!lucid__value_is_alone(dual))
        return;
    lucid__value *primal = dual->inner, *tangent = dual->tangent;
    dual->inner = dual->tangent = NULL;
    if (tangent)
        (void)lucid__own(s, tangent);
    (void)lucid__own(s, primal);
}

/* in: dual values, behind them the leaves that are their tangents. Neither these nor dy are looked at again. */
static bool keep_linear(lucid_scope *s, lucid__linear *linear, const lucid__level *tape,
                        const lucid_tensor *in, const lucid_tensor *x, size_t nx,
                        const lucid_tensor *dy, const lucid_tensor *y, size_t ny)
{
    linear->level = tape->id;
    linear->nx = nx;
    linear->ny = ny;
    linear->x = lucid__malloc((nx + ny) * (sizeof(lucid__value *) + sizeof(lucid__aval)));
    if (!linear->x) {
        lucid__out_of_memory(s);
        return false;
    }
    linear->y = linear->x + nx;
    linear->x_avals = (lucid__aval *)(void *)(linear->y + ny);
    linear->y_avals = linear->x_avals + nx;
    for (size_t i = 0; i < nx; i++) {
        lucid__value *dual = in[i].v, *leaf = in[nx + i].v;
        bool alone = leaf && lucid__value_is_alone(dual);
        linear->x[i] = alone ? leaf : lucid__value_retain(leaf);
        if (alone)
            dual->tangent = NULL;
        linear->x_avals[i] = x[i].v->aval;
        linear->x_avals[i].dtype =
            lucid_dtype_of(x[i]); /* of a bare number: the one it takes alone */
    }
    for (size_t k = 0; k < ny; k++) {
        linear->y[k] = dy[k].v ? lucid__scope_take(s, dy[k]) : NULL;
        linear->y_avals[k] = y[k].v->aval;
    }
    return true;
}

bool lucid__linearize(lucid_scope *s, const lucid__fn *f, const lucid_tensor *x, const bool *active,
                      size_t nx, bool first_result_only, lucid_results *y, lucid__linear *linear)
{
    *linear = (lucid__linear){0};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__level tape = {.kind = LUCID__LEVEL_TAPE}, dual = {.kind = LUCID__LEVEL_DUAL};
    lucid__level_push(s, &tape);
    lucid__level_push(s, &dual);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = lucid__alloc(&child, (2 * nx + 1) * sizeof *in);
    bool ok = in && r && lucid__ok(s);
    for (size_t i = 0; ok && i < nx; i++) {
        lucid_tensor *leaf = &in[nx + i];
        in[i] = x[i];
        leaf->v = NULL;
        if ((active && !active[i]) || !lucid__is_float(x[i].v->aval.dtype))
            continue;
        *leaf = lucid__tape_leaf(&child, tape.id, &x[i].v->aval);
        if (leaf->v) /* which the dual value keeps from then on */
            in[i] = lucid__own(&child, lucid__value_new_dual(dual.id, lucid__value_retain(x[i].v),
                                                             lucid__scope_take(&child, *leaf)));
        ok = lucid__ok(s);
    }
    ok = ok && lucid__fn_run(&child, f, in, nx, r) == LUCID_OK;
    lucid__level_pop(s, &dual);
    lucid__level_pop(s, &tape);
    size_t count = ok ? r->count : 0, ny = ok ? count - r->aux : 0;
    if (ok && first_result_only && ny > 1)
        ny = 1;
    lucid_tensor *dy = ok ? lucid__alloc(&child, (2 * count + 1) * sizeof *dy) : NULL;
    lucid_tensor *primal = dy ? dy + count : NULL;
    ok = dy != NULL;
    for (size_t k = 0; ok && k < count; k++) {
        lucid__value *v = r->at[k].x.v;
        ok = lucid__level_owns_or_outer(s, &dual, r->at[k].x);
        bool is_dual = ok && v->level == dual.id;
        primal[k].v = is_dual ? v->inner : v;
        bool on_tape = is_dual && k < ny && v->tangent && v->tangent->level == tape.id;
        dy[k].v = on_tape ? v->tangent : NULL;
        if (is_dual)
            take_apart(&child, v);
        if (ok)
            ok = (k < ny ? lucid_results_push(&child, y, primal[k])
                         : lucid_results_push_aux(&child, y, primal[k])) == LUCID_OK;
    }
    ok = ok && keep_linear(&child, linear, &tape, in, x, nx, dy, primal, ny);
    lucid__scope_leave(&child);
    if (!ok)
        lucid__linear_release(linear);
    return ok;
}
