#include "transform/tape_function.h"

#include <string.h>

#include "base/memory.h"
#include "prim/family.h"

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

/* The pullback as a function of the cotangents alone. */
static lucid_status call_bound(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                               lucid_results *out)
{
    const lucid__pullback *p = *(const lucid__pullback *const *)self;
    lucid_tensor *dct = lucid_alloc(s, (p->n + 1) * sizeof *dct);
    if (!dct || nx != p->ny)
        return lucid_error(s);
    lucid__pullback_pull(s, p, x, dct);
    for (size_t i = 0; i < p->n && lucid__ok(s); i++)
        (void)lucid_results_push(s, out, dct[i]);
    return lucid_error(s);
}

void lucid__pullback_push(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                          lucid_tensor *dy)
{
    lucid__fn *object =
        lucid__fn_alloc("pullback", sizeof(const lucid__pullback *), call_bound, NULL);
    if (object)
        memcpy(object->self, &p, sizeof(const lucid__pullback *));
    lucid_fn bound = lucid__own_fn(s, object);
    lucid_tensor *zero = lucid_alloc(s, (p->ny + 1) * sizeof *zero);
    lucid_results *r = lucid_results_new(s);
    if (!zero || !r)
        return;
    for (size_t k = 0; k < p->ny; k++)
        zero[k] = lucid__zeros(s, &p->y[k]);
    lucid__linear linear;
    if (!lucid__linearize(s, bound.f, zero, NULL, p->ny, false, r, &linear))
        return;
    lucid__linear_pull(s, &linear, t, dy);
    lucid__linear_release(&linear);
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
