#include "prim/custom_call.h"
#include "prim/family.h"

lucid__custom_call lucid__custom_read(const int64_t *params)
{
    return (lucid__custom_call){.nout = (int)params[0],
                                .naux = (int)params[1],
                                .nrules = (int)params[2],
                                .nx = (int)params[3],
                                .ny = (int)params[4],
                                .bodies = params + LUCID__CUSTOM_HEAD};
}

const int64_t *lucid__custom_part_at(const int64_t *at, lucid__custom_part *part)
{
    *part = (lucid__custom_part){
        .nargs = (int)at[0], .nin = (int)at[1], .from = at + 2, .words = at + 2 + at[1]};
    return part->words + part->words[0];
}

static bool custom_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                         lucid__aval *out)
{
    (void)in;
    lucid__custom_part f;
    lucid__body body;
    (void)lucid__custom_part_at(lucid__custom_read(c->params).bodies, &f);
    if (!lucid__body_read(s, f.words, &body))
        return false;
    for (int k = 0; k < body.nout; k++)
        out[k] = body.avals[body.out[k]];
    return true;
}

const lucid__rules lucid__rules_custom = {.infer = custom_infer,
                                          .doc = "A function with derivative rules of its own."};

lucid__custom_pull_call lucid__custom_pull_read(const int64_t *params, lucid__aval *avals)
{
    lucid__custom_pull_call call = {.nout = (int)params[0],
                                    .n = (int)params[1],
                                    .nres = (int)params[2],
                                    .which = params + 3,
                                    .avals = params + 3 + params[1]};
    const int64_t *at = call.avals;
    for (int k = 0; k < call.nout; k++) {
        lucid__aval aval;
        at = lucid__aval_read(at, avals ? &avals[k] : &aval);
    }
    call.bwd = at;
    return call;
}

static bool custom_pull_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              lucid__aval *out)
{
    (void)s, (void)in;
    (void)lucid__custom_pull_read(c->params, out);
    return true;
}

static bool custom_pull_linear_in(const lucid__call *c, int input)
{
    return input < c->params[1];
}

const lucid__rules lucid__rules_custom_pull = {.infer = custom_pull_infer,
                                               .linear_in = custom_pull_linear_in,
                                               .doc =
                                                   "The linear map whose transpose is the bwd of a "
                                                   "function with derivative rules of its own."};

const lucid__rules lucid__family_recorded = {.doc = "Of bodies alone."};
