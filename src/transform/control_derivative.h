/* What the two ways of differentiating control flow share (control_derivative.c says which they are). */
#ifndef LUCID__CONTROL_DERIVATIVE_H
#define LUCID__CONTROL_DERIVATIVE_H

#include "transform/control_rules.h"

/* A draft d under derivation: which of its values have tangents, and where values and tangents stand in
 * the frame of the operation that is being made, [consts, their tangents, carry, ...]. */
typedef struct lucid__derivative {
    const lucid__draft *d;
    int nframe;
    bool *active, *out_active; /* of the frame and the outputs of d */
    lucid__aval *avals;        /* of the frame of d */
    lucid_tensor *dx;          /* per value of the frame; empty: none, or zero */
    int *value_at, *tangent_at;
    const lucid__staged *body; /* the one being captured */
} lucid__derivative;

/* dx: the tangents of the frame, empty for zero. False: out of memory. */
bool lucid__derivative_begin(lucid_scope *s, lucid__derivative *v, const lucid__draft *d,
                             const lucid_tensor *dx);

/* Adds the members of a group (if `values`), then the tangents of the active ones with these flags.
 * at: where in the frame of d the group begins; place: the next place in the new frame; both move on.
 * LINEAR tangents get lanes of their own wherever there are lanes. */
void lucid__derivative_add(lucid_scope *s, lucid__derivative *v, const lucid__inputs *from, int *at,
                           lucid__inputs *to, int *place, bool values, int64_t tangent_flags);

/* For captures of v->body, x being the values of the new frame: what the body reads, and the tangents of
 * that. */
bool lucid__derivative_inputs(lucid_scope *s, const lucid__derivative *v, const lucid_tensor *x,
                              lucid_tensor **in, lucid_tensor **dx);
/* Pushes results: those that stay in the carry, then the rest, each part (if `values`) followed by the
 * tangents of its active ones. */
lucid_status lucid__derivative_push(lucid_scope *s, const lucid__derivative *v,
                                    const lucid_results *y, const lucid_tensor *dy, bool values,
                                    lucid_results *out);

/* The way for tapes: y and dy as a joint rule sets them. */
void lucid__cond_linear(lucid_scope *s, lucid__derivative *v, lucid_tensor *y, lucid_tensor *dy);
void lucid__scan_linear(lucid_scope *s, lucid__derivative *v, lucid_tensor *y, lucid_tensor *dy);

/* The scan over the steps that a while loop takes: a lane that is done keeps its carry. False and an error
 * in s: how many they are cannot be known here. */
bool lucid__while_as_scan(lucid_scope *s, const lucid__draft *d, lucid__draft *scan);

#endif
