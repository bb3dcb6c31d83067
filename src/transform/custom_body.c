/* Functions with derivative rules inside what is recorded: their bodies and those of their rules are recorded
 * with them, and whoever applies the record has the function again, rules and all.
 *
 * Rules often call the function they are for, whose derivative is the next one. What is recorded inside rules
 * inside rules so deep that only derivatives of a higher order than anybody asks for could want its rules has
 * none, and to differentiate it is an error. */
#include <string.h>

#include "prim/custom_call.h"
#include "prim/family.h"
#include "transform/custom.h"
#include "transform/stage.h"
#include "transform/tape_function.h"

enum { MOST_PARTS = 3 }; /* the function, and jvp or fwd and bwd */

/* ---- recording --------------------------------------------------------------------------------------- */

/* bwd takes the residuals that fwd gives, and cotangents like its results. */
static bool stage_bwd(lucid_scope *s, const lucid__fn *bwd, size_t ny, lucid__staged *part)
{
    lucid__body fwd;
    if (!lucid__body_read(s, part[-1].words, &fwd))
        return false;
    size_t count = (size_t)fwd.nout;
    lucid__aval *avals = lucid_alloc(s, (count + 1) * sizeof *avals);
    if (!avals)
        return false;
    for (size_t k = 0; k < count; k++)
        avals[k < ny ? count - ny + k : k - ny] = fwd.avals[fwd.out[k]];
    return lucid__stage_fn(s, bwd, avals, count, part);
}

static int64_t *write_part(int64_t *to, const lucid__staged *part, int first_capture)
{
    *to++ = part->nx;
    *to++ = part->nin;
    for (int i = 0; i < part->nin; i++)
        *to++ = part->from[i] < part->nx ? part->from[i] : part->from[i] + first_capture;
    memcpy(to, part->words, (size_t)part->words[0] * sizeof *to);
    return to + part->words[0];
}

static void bind_parts(lucid_scope *s, const lucid__staged *part, int parts, size_t ny,
                       const lucid_tensor *x, size_t nx, lucid_results *out)
{
    size_t nin = nx, words = LUCID__CUSTOM_HEAD;
    for (int p = 0; p < parts; p++) {
        nin += (size_t)part[p].ncaptures;
        words += 2 + (size_t)part[p].nin + (size_t)part[p].words[0];
    }
    lucid_tensor *in = lucid_alloc(s, (nin + 1) * sizeof *in), *y = NULL;
    int64_t *params = lucid_alloc(s, words * sizeof *params), *at = params;
    if (in && params)
        y = lucid_alloc(s, (part->nout + 1) * sizeof *y);
    if (!y)
        return;
    const int64_t head[LUCID__CUSTOM_HEAD] = {(int64_t)part->nout, (int64_t)part->naux, parts - 1,
                                              (int64_t)nx, (int64_t)ny};
    memcpy(params, head, sizeof head);
    at += LUCID__CUSTOM_HEAD;
    memcpy(in, x, nx * sizeof *in);
    size_t n = nx;
    for (int p = 0; p < parts; p++) {
        at = write_part(at, &part[p], (int)n);
        for (int i = 0; i < part[p].ncaptures; i++)
            in[n++] = part[p].captures[i];
    }
    const lucid__call c = {LUCID__custom, (int)nin, (int)words, in, params};
    lucid__bind(s, &c, y);
    for (size_t k = 0; k < part->nout && lucid__ok(s); k++)
        (void)(k < part->nout - part->naux ? lucid_results_push(s, out, y[k])
                                           : lucid_results_push_aux(s, out, y[k]));
}

/* The rules, into part[1 ..]; how many there are, -1 on error. */
static int stage_rules(lucid_scope *s, const lucid__custom_rules *r, const lucid__aval *avals,
                       size_t nx, lucid__staged *part, size_t *ny)
{
    if (s->session->recording_rules > LUCID__MOST_ORDERS || !(r->jvp || r->fwd))
        return 0;
    if (r->jvp)
        return lucid__stage_fn(s, r->jvp, avals, 2 * nx, &part[1]) ? 1 : -1;
    if (!lucid__stage_fn(s, r->fwd, avals, nx, &part[1]))
        return -1;
    *ny = r->ny ? r->ny : part[1].nout - part[1].naux;
    if (*ny > part[1].nout) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "custom_vjp: fwd returned %zu results, expected the %zu of the function "
                         "and residuals",
                         part[1].nout, *ny);
        return -1;
    }
    return stage_bwd(s, r->bwd, *ny, &part[2]) ? 2 : -1;
}

void lucid__custom_record(lucid_scope *s, const lucid__custom_rules *r, const lucid_tensor *x,
                          size_t nx, lucid_results *out)
{
    lucid__staged part[MOST_PARTS];
    lucid__aval *avals = lucid_alloc(s, (2 * nx + 1) * sizeof *avals);
    for (size_t i = 0; avals && i < 2 * nx; i++)
        avals[i] = x[i % nx].v->aval; /* tangents are like what they are of */
    if (!avals || !lucid__stage_fn(s, r->f, avals, nx, &part[0]))
        return;
    size_t ny = 0;
    s->session->recording_rules++;
    int rules = stage_rules(s, r, avals, nx, part, &ny);
    s->session->recording_rules--;
    if (rules >= 0)
        bind_parts(s, part, 1 + rules, ny, x, nx, out);
}

/* ---- applying ---------------------------------------------------------------------------------------- */

static void apply_pull(lucid_scope *s, const lucid__call *c, lucid_tensor *out);

void lucid__custom_apply(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    if (c->prim == LUCID__custom_pull) {
        apply_pull(s, c, out);
        return;
    }
    lucid__custom_call call = lucid__custom_read(c->params);
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_fn fn[MOST_PARTS] = {{NULL}};
    const int64_t *at = call.bodies;
    for (int p = 0; p <= call.nrules; p++) {
        lucid__custom_part part;
        at = lucid__custom_part_at(at, &part);
        fn[p] = lucid__closure_fn(
            &child, &(lucid__closure){.name = call.nrules == 2 ? "custom_vjp" : "custom_jvp",
                                      .words = part.words,
                                      .from = part.from,
                                      .nargs = part.nargs,
                                      .captures = c->in,
                                      .ncaptures = c->nin,
                                      .naux = p == 0 ? call.naux : 0});
    }
    lucid_results *y = lucid_results_new(&child);
    if (y && lucid__ok(s)) {
        lucid__custom_rules r = {.name = "custom_jvp", .f = fn[0].f};
        if (call.nrules == 1)
            r.jvp = fn[1].f;
        if (call.nrules == 2)
            r = (lucid__custom_rules){"custom_vjp", fn[0].f, NULL,
                                      fn[1].f,      fn[2].f, (size_t)call.ny};
        lucid_fn f = lucid__custom_fn(&child, &r);
        (void)lucid_call_listing(&child, f, c->in, (size_t)call.nx, y);
    }
    for (int k = 0; k < call.nout && lucid__ok(s); k++)
        out[k] = lucid__scope_move(&child, lucid_results_at(y, (size_t)k));
    lucid__scope_leave(&child);
}

/* ---- pullbacks --------------------------------------------------------------------------------------- */

/* Parameters of custom_pull; *n: how many. */
static int64_t *pull_params(lucid_scope *s, const lucid__pullback *p, const lucid__staged *bwd,
                            int *n)
{
    size_t words = 5 + p->n + (size_t)bwd->nin + (size_t)bwd->words[0];
    for (size_t k = 0; k < p->ny; k++)
        words += lucid__aval_words(&p->y[k]);
    int64_t *params = lucid_alloc(s, words * sizeof *params), *at = params;
    if (!params)
        return NULL;
    *at++ = (int64_t)p->ny;
    *at++ = (int64_t)p->n;
    *at++ = (int64_t)p->nres;
    for (size_t i = 0; i < p->n; i++)
        *at++ = p->which[i];
    for (size_t k = 0; k < p->ny; k++)
        at = lucid__aval_write(at, &p->y[k]);
    (void)write_part(at, bwd, (int)(p->n + p->nres));
    *n = (int)words;
    return params;
}

void lucid__custom_pull_record(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                               lucid_tensor *dy)
{
    lucid__staged bwd;
    const size_t nargs = p->nres + p->ny;
    lucid__aval *avals = lucid_alloc(s, (nargs + 1) * sizeof *avals);
    for (size_t i = 0; avals && i < nargs; i++)
        avals[i] = i < p->nres ? p->residuals[i].v->aval : p->y[i - p->nres];
    const int open = s->session->to_transpose;
    s->session->to_transpose = 0;
    const bool ok = avals && lucid__stage_fn(s, p->fn, avals, nargs, &bwd);
    s->session->to_transpose = open;
    if (!ok)
        return;
    const size_t nin = p->n + p->nres + (size_t)bwd.ncaptures;
    lucid_tensor *in = lucid_alloc(s, (nin + 1) * sizeof *in);
    int nparams;
    const int64_t *params = pull_params(s, p, &bwd, &nparams);
    if (!in || !params)
        return;
    for (size_t i = 0; i < nin; i++)
        in[i] = i < p->n             ? t[i]
                : i < p->n + p->nres ? p->residuals[i - p->n]
                                     : bwd.captures[i - p->n - p->nres];
    const lucid__call c = {LUCID__custom_pull, (int)nin, nparams, in, params};
    lucid__bind(s, &c, dy);
}

/* On a tape it is one entry again; elsewhere the tangents are there. */
static void apply_pull(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    const int nout = (int)c->params[0], n = (int)c->params[1];
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__aval *avals = lucid_alloc(&child, ((size_t)nout + 1) * sizeof *avals);
    lucid_tensor *t = lucid_alloc(&child, (size_t)(n + nout + 1) * sizeof *t);
    int64_t *which = lucid_alloc(&child, ((size_t)n + 1) * sizeof *which);
    if (avals && t && which) {
        const lucid__custom_pull_call call = lucid__custom_pull_read(c->params, avals);
        lucid__custom_part part;
        (void)lucid__custom_part_at(call.bwd, &part);
        lucid_fn bwd = lucid__closure_fn(&child, &(lucid__closure){.name = "custom_vjp",
                                                                   .words = part.words,
                                                                   .from = part.from,
                                                                   .nargs = part.nargs,
                                                                   .captures = c->in,
                                                                   .ncaptures = c->nin});
        lucid__pullback p = {bwd.f, c->in + n, (size_t)call.nres, avals, (size_t)nout, which, 0};
        lucid_tensor *dy = t + n;
        for (int i = 0; i < n; i++)
            if (lucid__is_on_tape(s, c->in[i].v)) {
                which[p.n] = call.which[i];
                t[p.n++] = c->in[i];
            }
        if (p.n > 0 && lucid__ok(s)) {
            lucid__tape_function_record(&child, &p, t, dy);
        } else if (lucid__ok(s)) {
            p.which = call.which;
            p.n = (size_t)n;
            lucid__pullback_push(&child, &p, c->in, dy);
        }
        for (int k = 0; k < nout && lucid__ok(s); k++)
            out[k] = lucid__scope_move(&child, dy[k].v ? dy[k] : lucid__zeros(&child, &avals[k]));
    }
    lucid__scope_leave(&child);
}
