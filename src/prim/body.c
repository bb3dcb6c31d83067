#include "prim/body.h"

#include <string.h>

/* ---- avals ------------------------------------------------------------------------------------- */

size_t lucid__aval_words(const lucid__aval *aval)
{
    return 1 + (size_t)aval->shape.ndim;
}

int64_t *lucid__aval_write(int64_t *to, const lucid__aval *aval)
{
    *to++ = ((int64_t)aval->dtype << 8) | aval->shape.ndim;
    memcpy(to, aval->shape.dim, (size_t)aval->shape.ndim * sizeof *to);
    return to + aval->shape.ndim;
}

const int64_t *lucid__aval_read(const int64_t *from, lucid__aval *aval)
{
    *aval = (lucid__aval){.dtype = (lucid_dtype)(*from >> 8)};
    aval->shape.ndim = (int)(*from++ & 0xFF);
    memcpy(aval->shape.dim, from, (size_t)aval->shape.ndim * sizeof *from);
    return from + aval->shape.ndim;
}

/* ---- bodies ------------------------------------------------------------------------------------ */

static const int64_t *skip_avals(const int64_t *at, int n)
{
    for (int i = 0; i < n; i++)
        at += 1 + (*at & 0xFF);
    return at;
}

const int64_t *lucid__body_op_at(const int64_t *at, int *value, lucid__body_op *op)
{
    *op = (lucid__body_op){.prim = (lucid__prim_id)at[0],
                           .nin = (int)at[1],
                           .nparams = (int)at[2],
                           .nout = (int)at[3],
                           .in = at + 4,
                           .params = at + 4 + at[1],
                           .first_out = *value};
    *value += op->nout;
    return skip_avals(op->params + op->nparams, op->nout);
}

bool lucid__body_read(lucid_scope *s, const int64_t *words, lucid__body *body)
{
    *body = (lucid__body){.words = words,
                          .nwords = words[0],
                          .nin = (int)words[1],
                          .nvalues = (int)words[2],
                          .nops = (int)words[3],
                          .nout = (int)words[4]};
    if (!lucid__may_nest(s)) /* bodies within bodies are read so */
        return false;
    lucid__aval *avals = lucid_alloc(s, ((size_t)body->nvalues + 1) * sizeof *avals);
    if (!avals)
        return false;
    const int64_t *at = words + 5;
    for (int i = 0; i < body->nin; i++)
        at = lucid__aval_read(at, &avals[i]);
    body->ops = at;
    for (int i = 0, v = body->nin; i < body->nops; i++) {
        lucid__body_op op;
        (void)lucid__body_op_at(at, &v, &op);
        at = op.params + op.nparams;
        for (int k = 0; k < op.nout; k++)
            at = lucid__aval_read(at, &avals[op.first_out + k]);
    }
    body->avals = avals;
    body->out = at;
    return true;
}
