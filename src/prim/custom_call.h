/* custom: a call of a function with derivative rules of its own, as a stage records it. It stands in bodies
 * alone and is never a node of a graph: applied anywhere else it is the call again
 * (transform/custom_body.c).
 *
 *     in: the arguments of the function, then what it and its rules took from outside
 *     out: its results
 *     params: nout, how many of them are auxiliary, how many rules there are (1: the jvp; 2: fwd and bwd; 0: left
 *     out, see the recording), the number of arguments, the results of fwd that are no residuals (0: all but the auxiliary ones); then for the
 *     function and each rule a body: how many arguments it takes, how many inputs it has, where each of them comes
 *     from (an argument, or after those an input of this operation), and its words (prim/body.h)
 *
 * custom_pull: the linear map of tangents whose transpose is the bwd of a custom_vjp, in the body of a loop or a branch
 * that is to be transposed.
 *
 *     in: n tangents, the residuals, then what bwd took from outside
 *     out: the tangents of the results
 *     params: nout, n, the number of residuals, which of bwd's results belong to the tangents, the avals of the
 *     outputs, then bwd as a body like those above */
#ifndef LUCID__CUSTOM_CALL_H
#define LUCID__CUSTOM_CALL_H

#include "prim/body.h"

typedef struct lucid__custom_call {
    int nout, naux, nrules, nx, ny;
    const int64_t *bodies; /* the function's comes first */
} lucid__custom_call;

enum { LUCID__CUSTOM_HEAD = 5 };

typedef struct lucid__custom_part {
    int nargs, nin;
    const int64_t *from, *words;
} lucid__custom_part;

lucid__custom_call lucid__custom_read(const int64_t *params);
/* The body at `at`; returns where the next one is. */
const int64_t *lucid__custom_part_at(const int64_t *at, lucid__custom_part *part);

typedef struct lucid__custom_pull_call {
    int nout, n, nres;
    const int64_t *which, *avals, *bwd; /* the avals: lucid__aval_read */
} lucid__custom_pull_call;

/* Sets avals[0 .. nout - 1] if it is not NULL. */
lucid__custom_pull_call lucid__custom_pull_read(const int64_t *params, lucid__aval *avals);

#endif
