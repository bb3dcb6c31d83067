/* Linearity by structure: how values depend on those of a tape, followed through operations and the bodies of
 * control flow. Nothing is computed, so what is linear for a reason that only the numbers know counts as not. */
#ifndef LUCID__LINEARITY_H
#define LUCID__LINEARITY_H

#include "transform/level.h"

typedef enum lucid__form {
    LUCID__FORM_ZERO,     /* zeros written in the program: constant, and linear */
    LUCID__FORM_CONSTANT, /* does not depend on the tape */
    LUCID__FORM_LINEAR,   /* linear in the values of the tape, without a constant term */
    LUCID__FORM_OTHER,
} lucid__form;

/* A number written in the program that is 0, or -0. */
bool lucid__is_written_zero(const lucid__value *x);

/* The form of x, an input at most at the level of a tape. */
lucid__form lucid__form_of(const lucid__level *tape, const lucid__value *x);

/* The forms of the outputs of an operation of control flow with inputs of the given forms. False and an error in s:
 * out of memory. */
bool lucid__control_forms(lucid_scope *s, const lucid__call *c, const lucid__form *in,
                          lucid__form *out);

/* Whether all elements of x are 0, as far as that can be known: x that is recorded or mapped over no lanes is
 * not. Computes x if it must. */
bool lucid__is_zero(lucid_scope *s, lucid_tensor x);

/* The error of forward mode through a custom_vjp, and that of an operation which is not linear in what is on a
 * tape. */
void lucid__refuse_on_tape(lucid_scope *s, const char *reason);
void lucid__refuse_op_on_tape(lucid_scope *s, const lucid__level *tape, lucid__prim_id prim);

/* An operation whose jvp rule says how it is linear in its inputs on the tape: applied, sets every out[k]. False:
 * it is none. */
bool lucid__linear_by_jvp(lucid_scope *s, const lucid__level *tape, const lucid__call *c,
                          lucid_tensor *out);

/* Control flow on values of a tape in which it is not flagged as linear, but is by structure: recorded as its own
 * derivative, which a linear function is. Sets every out[k]. */
void lucid__control_on_tape(lucid_scope *s, const lucid__level *tape, const lucid__call *c,
                            lucid_tensor *out);

#endif
