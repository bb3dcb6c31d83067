/* Linear functions as recorded tapes: made once (linearize), then run forwards on tangents or walked
 * backwards on cotangents with the transpose rules, any number of times. Both build with ordinary
 * operations, so derivatives of derivatives work. */
#ifndef LUCID__TAPE_H
#define LUCID__TAPE_H

#include "graph/fn.h"
#include "graph/tape_entry.h"
#include "transform/level.h"

/* A new argument of a linear function: a tape value at the given level. */
lucid_tensor lucid__tape_leaf(lucid_scope *s, uint64_t level, const lucid__aval *aval);

/* Whether v is a tangent on a tape (and not what a stage recorded). */
bool lucid__is_on_tape(const lucid_scope *s, const lucid__value *v);

/* Whether v is what a stage recorded: nobody knows under what transforms it will be. */
bool lucid__is_staged(const lucid_scope *s, const lucid__value *v);

/* A new entry: a checkpoint that runs hears of it. */
void lucid__tape_note(lucid_scope *s, lucid__tape_entry *e);

/* The linear map from leaves to outputs. It holds a reference to each. */
typedef struct lucid__linear {
    uint64_t level;
    size_t nx, ny;
    /* Leaves; NULL: an argument that is not differentiated. The others lie behind it. */
    lucid__value **x;
    lucid__value **y;               /* tape values; NULL: does not depend on x */
    lucid__aval *x_avals, *y_avals; /* of those made by lucid__linearize; else NULL */
} lucid__linear;

void lucid__linear_release(lucid__linear *linear);

/* Cotangents of the leaves from those of the outputs (empty: zero); dx[i] empty for zero. */
void lucid__linear_pull(lucid_scope *s, const lucid__linear *linear, const lucid_tensor *dy,
                        lucid_tensor *dx);
/* Tangents of the outputs from those of the leaves (empty: zero); dy[k] empty for zero. */
void lucid__linear_push(lucid_scope *s, const lucid__linear *linear, const lucid_tensor *dx,
                        lucid_tensor *dy);

/* Adds to the `grad` of every leaf behind the tape value y, from y's cotangent. */
void lucid__tape_backward(lucid_scope *s, lucid_tensor y, lucid_tensor dy);

/* Runs f at x under a tape and gives the linear map at x; y receives the results (aux included,
 * which the map leaves out). x[i] with active[i] false are constants; active NULL: all count. */
bool lucid__linearize(lucid_scope *s, const lucid__fn *f, const lucid_tensor *x, const bool *active,
                      size_t nx, bool first_result_only, lucid_results *y, lucid__linear *linear);

/* lucid_vjp_listing and lucid_jvp_listing without the demand that there be a float: other arguments are constants,
 * whose tangent is not looked at and whose cotangent is zeros. */
lucid_fn lucid__vjp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, lucid_results *y);
lucid_status lucid__jvp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, const lucid_tensor *dx,
                        size_t nx, lucid_results *y, lucid_results *dy);

#endif
