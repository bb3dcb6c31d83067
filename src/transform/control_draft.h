/* Putting a control-flow operation together: inputs in their groups, bodies that were captured over a
 * frame of them. */
#ifndef LUCID__CONTROL_DRAFT_H
#define LUCID__CONTROL_DRAFT_H

#include "prim/control.h"
#include "transform/stage.h"

/* Values that enter the operation together with their flags. */
typedef struct lucid__inputs {
    lucid_tensor *x;
    int64_t *flags;
    int n;
} lucid__inputs;

typedef struct lucid__draft {
    lucid__prim_id prim;
    int64_t lanes, length, option; /* option: params[3] */
    lucid_tensor index;            /* cond */
    int64_t index_flags;
    lucid__inputs consts, carry, xs;
    /* Captured over the frame [consts, carry, slices of xs]; captures become further constants. */
    lucid__staged *bodies;
    int nbodies;
    int nout;
    const int64_t *out_flags;
} lucid__draft;

/* Room for n inputs, none there yet. False: out of memory. */
bool lucid__inputs_new(lucid_scope *s, lucid__inputs *g, int n);
void lucid__inputs_add(lucid__inputs *g, lucid_tensor x, int64_t flags);
/* Input i of a group as one example of it sees it: no lanes, and of xs one slice. */
lucid__aval lucid__inputs_aval(const lucid__inputs *g, int i, bool slice);
/* The avals of the frame of a draft, in memory of s; *n: how many. NULL: out of memory. */
lucid__aval *lucid__draft_frame(lucid_scope *s, const lucid__draft *d, int *n);

/* Applies what was put together, without the constants and xs that no body reads. Sets out[k]. */
void lucid__draft_bind(lucid_scope *s, const lucid__draft *d, lucid_tensor *out);

/* The parts of an application, its bodies with `from` counting in the frame. False: out of memory. */
bool lucid__draft_of(lucid_scope *s, const lucid__call *c, lucid__draft *d);

/* lucid__control_depends of a draft. */
bool lucid__draft_depends(lucid_scope *s, const lucid__draft *d, bool *frame, bool floats,
                          bool *out);

#endif
