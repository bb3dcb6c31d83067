#include "transform/stage.h"

#include <string.h>

#include "base/memory.h"
#include "graph/node.h"
#include "transform/control_rules.h"
#include "transform/entries.h"
#include "transform/tape.h"

/* ---- from what was recorded to words -------------------------------------------------------------- */

typedef struct writer {
    lucid_scope *s;
    const lucid__entries *entries;
    lucid__staged *to;
    int64_t *number; /* in the body, of each output of each entry; -1: none yet */
    int capacity;    /* of to->captures */
    size_t nwords;
} writer;

/* The index of a value of a lower level among the captures; numbers that are the same constant are one. */
static int capture(writer *w, lucid__value *v)
{
    lucid__staged *to = w->to;
    for (int i = 0; i < to->ncaptures; i++)
        if (to->captures[i].v == v ||
            (v->kind == LUCID__GRAPH && to->captures[i].v->kind == LUCID__GRAPH &&
             to->captures[i].v->node == v->node && to->captures[i].v->out == v->out))
            return i;
    if (to->ncaptures == w->capacity) {
        int capacity = w->capacity ? 2 * w->capacity : 8;
        lucid_tensor *more = lucid_alloc(w->s, (size_t)capacity * sizeof *more);
        if (!more)
            return -1;
        if (to->ncaptures > 0)
            memcpy(more, to->captures, (size_t)to->ncaptures * sizeof *more);
        to->captures = more;
        w->capacity = capacity;
    }
    to->captures[to->ncaptures] = lucid_own(w->s, (lucid_tensor){v});
    return lucid__ok(w->s) ? to->ncaptures++ : -1;
}

/* Finds everything the entries and the results take from outside, and counts words. */
static bool find_captures(writer *w, const lucid_tensor *y, size_t ny)
{
    for (size_t i = 0; i < w->entries->count; i++) {
        const lucid__tape_entry *e = w->entries->at[i];
        if (e->prim == LUCID__LEAF)
            continue;
        w->nwords += 4 + (size_t)e->nin + (size_t)e->nparams;
        for (int k = 0; k < e->nout; k++)
            w->nwords += lucid__aval_words(&e->avals[k]);
        for (int j = 0; j < e->nin; j++)
            if (!lucid__entries_level_of(w->entries, e->in[j]) && capture(w, e->in[j]) < 0)
                return false;
    }
    for (size_t k = 0; k < ny; k++)
        if (!lucid__entries_level_of(w->entries, y[k].v) && capture(w, y[k].v) < 0)
            return false;
    return true;
}

/* The arguments that are read, and the captures, become inputs. */
static bool number_inputs(writer *w, const lucid_tensor *leaves, size_t nx)
{
    lucid__staged *to = w->to;
    w->number = lucid_alloc(w->s, (w->entries->nvalues + 1) * sizeof *w->number);
    int64_t *from = lucid_alloc(w->s, (nx + (size_t)to->ncaptures + 1) * sizeof *from);
    if (!w->number || !from)
        return false;
    to->from = from;
    for (size_t i = 0; i < nx; i++) {
        size_t at = lucid__entries_number(w->entries, leaves[i].v);
        if (at == SIZE_MAX)
            continue;
        w->number[at] = to->nin;
        from[to->nin++] = (int64_t)i;
        w->nwords += lucid__aval_words(&leaves[i].v->aval);
    }
    for (int i = 0; i < to->ncaptures; i++) {
        from[to->nin++] = (int64_t)nx + i;
        w->nwords += lucid__aval_words(&to->captures[i].v->aval);
    }
    return true;
}

static int64_t number_of(writer *w, lucid__value *v)
{
    if (lucid__entries_level_of(w->entries, v))
        return w->number[lucid__entries_number(w->entries, v)];
    return w->to->nin - w->to->ncaptures + capture(w, v);
}

static bool write_words(writer *w, const lucid_tensor *leaves, size_t nx, const lucid_tensor *y,
                        size_t ny)
{
    lucid__staged *to = w->to;
    size_t n = w->nwords + 5 + ny;
    int64_t *words = lucid_alloc(w->s, n * sizeof *words), nvalues = to->nin, nops = 0;
    if (!words)
        return false;
    to->words = words;
    int64_t *at = words + 5;
    for (int i = 0; i < to->nin; i++) {
        size_t from = (size_t)to->from[i];
        at = lucid__aval_write(at, from < nx ? &leaves[from].v->aval
                                             : &to->captures[from - nx].v->aval);
    }
    for (size_t i = 0; i < w->entries->count; i++) {
        const lucid__tape_entry *e = w->entries->at[i];
        if (e->prim == LUCID__LEAF)
            continue;
        *at++ = e->prim;
        *at++ = e->nin;
        *at++ = e->nparams;
        *at++ = e->nout;
        for (int j = 0; j < e->nin; j++)
            *at++ = number_of(w, e->in[j]);
        if (e->nparams > 0)
            memcpy(at, e->params, (size_t)e->nparams * sizeof *at);
        at += e->nparams;
        for (int k = 0; k < e->nout; k++) {
            at = lucid__aval_write(at, &e->avals[k]);
            w->number[w->entries->first[i] + (size_t)k] = nvalues++;
        }
        nops++;
    }
    for (size_t k = 0; k < ny; k++)
        *at++ = number_of(w, y[k].v);
    const int64_t head[5] = {at - words, to->nin, nvalues, nops, (int64_t)ny};
    memcpy(words, head, sizeof head);
    return true;
}

static bool write_body(lucid_scope *s, const lucid__level *level, const lucid_tensor *leaves,
                       size_t nx, const lucid_results *r, lucid__staged *staged)
{
    lucid_tensor *y = lucid_alloc(s, (r->count + 1) * sizeof *y);
    lucid__value **values = lucid_alloc(s, (r->count + 1) * sizeof(*values));
    if (!y || !values)
        return false;
    for (size_t k = 0; k < r->count; k++) {
        y[k] = r->at[k].x;
        values[k] = y[k].v;
        if (!lucid__level_owns_or_outer(s, level, y[k]))
            return false;
    }
    *staged = (lucid__staged){.nx = (int)nx, .nout = r->count, .naux = r->aux};
    lucid__entries entries;
    writer w = {.s = s, .entries = &entries, .to = staged};
    bool ok = lucid__entries_find(s, &entries, level->id, values, r->count) &&
              find_captures(&w, y, r->count) && number_inputs(&w, leaves, nx) &&
              write_words(&w, leaves, nx, y, r->count);
    lucid__entries_free(&entries);
    return ok;
}

bool lucid__stage(lucid_scope *s, lucid__stage_function *run, void *user, const lucid__aval *avals,
                  size_t nx, int draw_shift, lucid__staged *staged)
{
    if (!lucid__ok(s))
        return false;
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__level level = {.kind = LUCID__LEVEL_STAGE};
    lucid__level_push(s, &level);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *leaves = lucid_alloc(&child, (nx + 1) * sizeof *leaves);
    for (size_t i = 0; leaves && i < nx; i++)
        leaves[i] = lucid__tape_leaf(&child, level.id, &avals[i]);
    bool ok = r && leaves && lucid__ok(s);
    if (ok && draw_shift >= 0)
        level.draw_shift = leaves[draw_shift];
    ok = ok && run(&child, user, leaves, nx, r) == LUCID_OK;
    lucid__level_pop(s, &level);
    ok = ok && write_body(s, &level, leaves, nx, r, staged);
    lucid__scope_leave(&child);
    return ok && lucid__ok(s);
}

static lucid_status run_fn(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                           lucid_results *y)
{
    return lucid__fn_run(s, *(const lucid__fn *const *)user, x, nx, y);
}

bool lucid__stage_fn(lucid_scope *s, const lucid__fn *f, const lucid__aval *avals, size_t nx,
                     lucid__staged *staged)
{
    return lucid__stage(s, run_fn, &f, avals, nx, -1, staged);
}

void lucid__stand_for(const lucid_tensor *x, const lucid_tensor *like, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i].v->weak = like[i].v->weak;
        x[i].v->alone = like[i].v->alone;
    }
}

/* ---- running a body ---------------------------------------------------------------------------------- */

/* An operation of which an input is missing gives nothing, but for control flow, which gives what it can. */
static void apply_without(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    bool missing = false;
    for (int j = 0; j < c->nin; j++)
        missing |= c->in[j].v == NULL;
    if (!missing)
        lucid__bind(s, c, out);
    else if (lucid__prim_get(c->prim)->family == LUCID__CONTROL)
        lucid__control_without(s, c, out);
}

typedef void apply_op(lucid_scope *s, const lucid__call *c, lucid_tensor *out);

static void apply(lucid_scope *s, apply_op *how, const int64_t *words, const lucid_tensor *in,
                  lucid_tensor *out)
{
    for (int64_t k = 0; k < words[4]; k++)
        out[k] = (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__body body;
    lucid_tensor *value = NULL;
    if (lucid__ok(s) && lucid__body_read(&child, words, &body))
        value = lucid_alloc(&child, ((size_t)body.nvalues + 1) * sizeof *value);
    if (value) {
        if (body.nin > 0)
            memcpy(value, in, (size_t)body.nin * sizeof *value);
        const int64_t *at = body.ops;
        for (int i = 0, v = body.nin; i < body.nops && lucid__ok(s); i++) {
            lucid__body_op op;
            at = lucid__body_op_at(at, &v, &op);
            lucid_tensor few[4], *x = few;
            if (op.nin > 4)
                x = lucid_alloc(&child, (size_t)op.nin * sizeof *x);
            for (int j = 0; x && j < op.nin; j++)
                x[j] = value[op.in[j]];
            lucid__call c = {op.prim, op.nin, op.nparams, x, op.params};
            if (x)
                how(&child, &c, value + op.first_out);
        }
        for (int k = 0; k < body.nout && lucid__ok(s); k++)
            out[k] = lucid__scope_move(&child, value[body.out[k]]);
    }
    lucid__scope_leave(&child);
}

void lucid__body_apply(lucid_scope *s, const int64_t *words, const lucid_tensor *in,
                       lucid_tensor *out)
{
    apply(s, lucid__bind, words, in, out);
}

void lucid__body_apply_without(lucid_scope *s, const int64_t *words, const lucid_tensor *in,
                               lucid_tensor *out)
{
    apply(s, apply_without, words, in, out);
}

typedef struct closure_self {
    int nin, nargs, ncaptures, naux;
    int64_t *words, *from;
    lucid_tensor *captures; /* empty: not read */
} closure_self;

static void destroy_closure(void *self)
{
    closure_self *k = self;
    for (int i = 0; k->captures && i < k->ncaptures; i++)
        lucid_release(k->captures[i]);
    lucid__free(k->words);
    lucid__free(k->from);
    lucid__free(k->captures);
}

static lucid_status call_closure(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                 lucid_results *y)
{
    const closure_self *k = self;
    size_t nout = (size_t)k->words[4];
    lucid_tensor *in = lucid_alloc(s, ((size_t)k->nin + nout + 1) * sizeof *in);
    lucid_tensor *out = in ? in + k->nin : NULL;
    if (!in)
        return lucid_error(s);
    if (nx != (size_t)k->nargs)
        return lucid_fail(s, LUCID_TYPE_ERROR,
                          "a recorded function takes %d arguments, %zu are given", k->nargs, nx);
    for (int i = 0; i < k->nin; i++)
        in[i] = k->from[i] < k->nargs ? x[k->from[i]] : k->captures[k->from[i] - k->nargs];
    lucid__body_apply(s, k->words, in, out);
    for (size_t i = 0; i < nout && lucid__ok(s); i++)
        (void)(i < nout - (size_t)k->naux ? lucid_results_push(s, y, out[i])
                                          : lucid_results_push_aux(s, y, out[i]));
    return lucid_error(s);
}

lucid_fn lucid__closure_fn(lucid_scope *s, const lucid__closure *c)
{
    size_t bytes = (size_t)c->words[0] * sizeof *c->words, nin = (size_t)c->words[1];
    lucid__fn *object =
        lucid__fn_alloc(c->name, sizeof(closure_self), call_closure, destroy_closure);
    closure_self *k = object ? (closure_self *)(void *)object->self : NULL;
    if (k)
        *k = (closure_self){.nin = (int)nin,
                            .nargs = c->nargs,
                            .ncaptures = c->ncaptures,
                            .naux = c->naux,
                            .words = lucid__malloc(bytes),
                            .from = lucid__malloc((nin + 1) * sizeof *k->from),
                            .captures =
                                lucid__calloc((size_t)c->ncaptures + 1, sizeof *k->captures)};
    if (!k || !k->words || !k->from || !k->captures) {
        lucid__fn_release(object);
        return lucid__own_fn(s, NULL);
    }
    memcpy(k->words, c->words, bytes);
    for (size_t i = 0; i < nin; i++) {
        k->from[i] = c->from ? c->from[i] : (int64_t)i;
        int64_t at = k->from[i] - k->nargs;
        if (at >= 0 && !k->captures[at].v)
            k->captures[at] = lucid_retain(c->captures[at]);
    }
    return lucid__own_fn(s, object);
}
