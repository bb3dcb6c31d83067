/* Bodies: functions as words.
 *
 * The control-flow primitives carry the functions they run among their parameters, so that hashing,
 * comparing, copying and caching a loop need nothing of their own. A body is closed and flat: what the
 * user's function took from outside is an input, and its operations stand in the order they were
 * recorded (transform/stage.h), each naming the values it reads by number. Values are numbered: the
 * inputs first, then the outputs of one operation after the other.
 *
 *     body       count of all words, inputs, values, operations, outputs,
 *                aval of each input, operation..., value number of each output
 *     operation  primitive, nin, nparams, nout, value number of each input, params,
 *                aval of each output
 *     aval       dtype << 8 | ndim, sizes
 *
 * Operations a body holds may themselves be loops with bodies among their parameters.
 */
#ifndef LUCID__BODY_H
#define LUCID__BODY_H

#include "prim/prim.h"

typedef struct lucid__body {
    const int64_t *words;
    int64_t nwords;
    int nin, nvalues, nops, nout;
    const lucid__aval *avals; /* of every value; in the memory of the scope it was read into */
    const int64_t *ops;       /* the first operation */
    const int64_t *out;       /* value numbers of the outputs */
} lucid__body;

typedef struct lucid__body_op {
    lucid__prim_id prim;
    int nin, nparams, nout;
    const int64_t *in; /* value numbers */
    const int64_t *params;
    int first_out; /* value number of the first output; the others follow */
} lucid__body_op;

/* Reads a body; the words must outlive it. False and an error in s: out of memory. */
bool lucid__body_read(lucid_scope *s, const int64_t *words, lucid__body *body);

/* for (at = body->ops, value = body->nin, i = 0; i < body->nops; i++)
 *     at = lucid__body_op_at(at, &value, &op); */
const int64_t *lucid__body_op_at(const int64_t *at, int *value, lucid__body_op *op);

/* Words of an aval, and one written or read: the next position. */
size_t lucid__aval_words(const lucid__aval *aval);
int64_t *lucid__aval_write(int64_t *to, const lucid__aval *aval);
const int64_t *lucid__aval_read(const int64_t *from, lucid__aval *aval);

#endif
