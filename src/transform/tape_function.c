#include "transform/tape_function.h"

#include <string.h>

#include "base/dtype.h"
#include "prim/family.h"
#include "transform/custom.h"
#include "transform/linearity.h"

void lucid__tape_function_record(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                                 lucid_tensor *y)
{
    size_t nin = p->n + p->nres;
    lucid__value **in = lucid_alloc(s, (nin + 1) * sizeof(*in));
    if (!in || !lucid__ok(s))
        return;
    for (size_t i = 0; i < nin; i++)
        in[i] = i < p->n ? t[i].v : p->residuals[i - p->n].v;
    lucid__tape_entry *e = lucid__tape_entry_new(s, LUCID__FUNCTION, in, (int)nin, p->which,
                                                 (int)p->n, p->y, (int)p->ny);
    if (!e) {
        lucid__out_of_memory(s);
        return;
    }
    e->pull = lucid__fn_retain((lucid__fn *)(uintptr_t)p->fn);
    lucid__tape_note(s, e);
    for (size_t k = 0; k < p->ny; k++)
        y[k] = lucid__own(
            s, lucid__value_new_tape(t[0].v->level, lucid__tape_entry_retain(e), (int)k, &p->y[k]));
    lucid__tape_entry_release(e);
}

/* ---- backwards ----------------------------------------------------------------------------- */

void lucid__pullback_pull(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *ct,
                          lucid_tensor *dct)
{
    lucid_tensor *in = lucid_alloc(s, (p->nres + p->ny + 1) * sizeof *in);
    lucid_results *r = lucid_results_new(s);
    if (!in || !r)
        return;
    if (p->nres > 0)
        memcpy(in, p->residuals, p->nres * sizeof *in);
    for (size_t k = 0; k < p->ny; k++)
        in[p->nres + k] = ct[k].v ? ct[k] : lucid__zeros(s, &p->y[k]);
    if (lucid__fn_run(s, p->fn, in, p->nres + p->ny, r) != LUCID_OK)
        return;
    for (size_t i = 0; i < p->n; i++)
        dct[i] = r->at[p->which[i]].x;
}

/* ---- forwards ------------------------------------------------------------------------------ */

/* Whether what is done to the tangents is recorded to be transposed itself. */
static bool is_for_transposing(const lucid_scope *s, const lucid_tensor *t, size_t n)
{
    for (size_t i = 0; s->session->to_transpose > 0 && i < n; i++)
        if (lucid__is_staged(s, t[i].v))
            return true;
    return false;
}

/* The tape that fn gives for cotangents, transposed. Without values there is nothing that fn could do which is not
 * linear, unless it is refused: a loop until convergence would stop at once for cotangents of zero. */
void lucid__pullback_push(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                          lucid_tensor *dy)
{
    if (is_for_transposing(s, t, p->n)) {
        lucid__custom_pull_record(s, p, t, dy);
        return;
    }
    lucid__value **leaf = lucid_alloc(s, (p->ny + 1) * sizeof(*leaf));
    lucid__value **result = lucid_alloc(s, (p->n + 1) * sizeof(*result));
    lucid_tensor *ct = lucid_alloc(s, (p->ny + p->n + 1) * sizeof *ct);
    if (!leaf || !result || !ct)
        return;
    lucid_tensor *dct = ct + p->ny;
    lucid__level tape = {.kind = LUCID__LEVEL_TAPE, .of_pullback = true};
    lucid__level_push(s, &tape);
    for (size_t k = 0; k < p->ny && lucid__ok(s); k++) {
        const bool number = lucid__is_float(p->y[k].dtype);
        ct[k] = number ? lucid__tape_leaf(s, tape.id, &p->y[k]) : lucid__zeros(s, &p->y[k]);
        leaf[k] = number ? ct[k].v : NULL;
    }
    lucid__pullback_pull(s, p, ct, dct);
    lucid__level_pop(s, &tape);
    for (size_t i = 0; i < p->n && lucid__ok(s); i++) {
        const bool linear = dct[i].v->level == tape.id;
        result[i] = linear ? dct[i].v : NULL;
        if (lucid__level_owns_or_outer(s, &tape, dct[i]) && !linear && !lucid__is_zero(s, dct[i]) &&
            lucid__ok(s))
            lucid__refuse_on_tape(s, "a result does not depend on them");
    }
    lucid__linear linear = {.level = tape.id, .nx = p->ny, .ny = p->n, .x = leaf, .y = result};
    if (lucid__ok(s))
        lucid__linear_pull(s, &linear, t, dy);
}

/* ---- entries ------------------------------------------------------------------------------- */

static lucid__pullback pullback_of(const lucid__tape_entry *e, const lucid_tensor *in)
{
    size_t n = (size_t)e->nparams;
    return (lucid__pullback){e->pull, in + n, (size_t)e->nin - n, e->avals, e->nout, e->params, n};
}

void lucid__tape_function_pull(lucid_scope *s, const lucid__tape_entry *e, const lucid_tensor *in,
                               const lucid_tensor *ct, lucid_tensor *dct)
{
    lucid__pullback p = pullback_of(e, in);
    lucid__pullback_pull(s, &p, ct, dct);
}

void lucid__tape_function_push(lucid_scope *s, const lucid__tape_entry *e, const lucid_tensor *in,
                               lucid_tensor *dy)
{
    lucid__pullback p = pullback_of(e, in);
    lucid__pullback_push(s, &p, in, dy);
}
