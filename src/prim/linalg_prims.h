/* What the linear-algebra primitives share. Matrices stand in the last two dims, batch dims before. */
#ifndef LUCID__LINALG_PRIMS_H
#define LUCID__LINALG_PRIMS_H

#include "prim/family.h"

/* Params of triangular_solve. */
typedef enum lucid__triangle {
    LUCID__LOWER = 0,
    LUCID__UPPER = 1,
} lucid__triangle;

/* x with op(a) x = b, op the transpose or nothing. `a` counts as the named triangle of it, with ones
 * on the diagonal when `unit`. */
lucid_tensor lucid__triangular_solve(lucid_scope *s, lucid_tensor a, lucid_tensor b,
                                     lucid__triangle triangle, bool transpose, bool unit);

/* The batch rules of primitives of a square matrix, and of a matrix and right-hand sides. */
void lucid__linalg_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                         lucid_tensor *out, int *out_axis);
void lucid__solve_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                        lucid_tensor *out, int *out_axis);

#endif
