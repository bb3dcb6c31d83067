/* Parameters of the control-flow primitives.
 *
 *     cond   in: index (int64, 0-d), operands             one body per branch; the index is clamped
 *     while  in: constants, carry                         bodies: condition (one bool, 0-d), step
 *     scan   in: constants, carry, xs (length, ...)       one body: carry and xs[t] to carry and ys[t]
 *            out: carry, ys (length, ...)
 *
 *     params: nout, lanes, length, reverse, nconsts, ncarry, nxs, nbodies, a flag word for each input,
 *     one for each output, then for each body its number of inputs, where in the frame each of them
 *     is, and its words (prim/body.h)
 *
 * The frame is what a body may read: the operands of cond; the constants and the carry of while; the
 * constants, the carry and the slices xs[t] of scan.
 *
 * Bodies are always those of ONE example. Under vmap the node gets lanes: inputs and outputs flagged
 * PER_LANE have a leading dim of that size (never 0), the others are the same for every lane, and each lane
 * goes its own way: it takes its own branch, and leaves a while loop when its own condition says so. Nested
 * vmaps multiply the lanes. That is what lets the engine keep a loop's state in registers, lanes side
 * by side.
 *
 * LINEAR inputs are those the outputs are jointly linear in: tangents. */
#ifndef LUCID__CONTROL_H
#define LUCID__CONTROL_H

#include "prim/body.h"

enum {
    LUCID__PER_LANE = 1,
    LUCID__LINEAR = 2,
};

enum { LUCID__NO_LANES = -1 }; /* one example */

typedef struct lucid__control_body {
    int nin;
    const int64_t *from; /* where in the frame each input is */
    const int64_t *words;
} lucid__control_body;

enum { LUCID__CONTROL_HEAD = 8 };

typedef struct lucid__control {
    int nin, nout;
    int64_t lanes, length;
    bool reverse;
    int nconsts, ncarry, nxs, nbodies;
    const int64_t *in_flags, *out_flags;
    const int64_t *bodies; /* the first of them */
} lucid__control;

lucid__control lucid__control_read(const lucid__call *c);
/* for (at = ctl.bodies, i = 0; i < ctl.nbodies; i++) at = lucid__control_body_at(at, &b); */
const int64_t *lucid__control_body_at(const int64_t *at, lucid__control_body *b);

/* The functions of an operation, and the frame they read. */
typedef struct lucid__flow {
    lucid__prim_id prim;
    int nconsts, ncarry, nframe, nout, nbodies;
    const lucid__control_body *bodies;
} lucid__flow;

/* Which values of the frame and which outputs depend on those marked in `frame`, carries followed round and
 * round; marks more in both. floats: only what a derivative passes. False: out of memory. */
bool lucid__control_depends(lucid_scope *s, const lucid__flow *f, bool floats, bool *frame,
                            bool *out);

static inline int lucid__control_nys(const lucid__control *ctl)
{
    return ctl->nout - ctl->ncarry;
}

#endif
