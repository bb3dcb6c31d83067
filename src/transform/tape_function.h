/* Linear maps given by their pullback, a function object
 *
 *     (residuals..., cotangents of the outputs...) -> cotangents of the inputs...
 *
 * which may be the user's (custom_vjp). On a tape such a map is one entry. Backwards the function is called, and may
 * do with cotangents what it likes; forwards it is called on values of a tape, which is transposed, and refused where
 * that cannot see it to be linear in the cotangents. Either way it is made of ordinary operations. */
#ifndef LUCID__TAPE_FUNCTION_H
#define LUCID__TAPE_FUNCTION_H

#include "transform/tape.h"

typedef struct lucid__pullback {
    const lucid__fn *fn;
    const lucid_tensor *residuals;
    size_t nres;
    const lucid__aval *y; /* the outputs */
    size_t ny;
    const int64_t *which; /* of the function's results, those that belong to the n inputs */
    size_t n;
} lucid__pullback;

/* The outputs y[k] of the map at n tape values `t` of one level. */
void lucid__tape_function_record(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                                 lucid_tensor *y);
/* Cotangents of the inputs; empty ones are zero. */
void lucid__pullback_pull(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *ct,
                          lucid_tensor *dct);
/* Tangents of the outputs, from those of all inputs. */
void lucid__pullback_push(lucid_scope *s, const lucid__pullback *p, const lucid_tensor *t,
                          lucid_tensor *dy);

/* The same for an entry: `in` holds its residuals, and forwards the tangents, in their places. */
void lucid__tape_function_pull(lucid_scope *s, const lucid__tape_entry *e, const lucid_tensor *in,
                               const lucid_tensor *ct, lucid_tensor *dct);
void lucid__tape_function_push(lucid_scope *s, const lucid__tape_entry *e, const lucid_tensor *in,
                               lucid_tensor *dy);

#endif
