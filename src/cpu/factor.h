/* Factorisations of one large matrix, row-major, in place, cut in halves down to what matrix_isa.h
 * does: nearly all the work is matrix products, which is what the BLAS and its threads are good at.
 * See Toledo, "Locality of reference in LU decomposition with partial pivoting" (1997). Done here
 * and not by LAPACK because the row-major matrix would have to be transposed there and back, and
 * because the threads are ours (blas.h). */
#ifndef LUCID__FACTOR_H
#define LUCID__FACTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "lucid.h"

/* The lower triangle of a becomes L; above the diagonal of a stays garbage. False: not positive
 * definite. scratch: lucid__cholesky_scratch bytes. */
bool lucid__cholesky_factor(lucid_dtype dtype, int64_t n, void *a, int64_t a_row, void *scratch,
                            int threads);
size_t lucid__cholesky_scratch(void);

/* a becomes L and U, perm the order of its rows; returns the sign of that permutation. scratch:
 * lucid__lu_scratch bytes. */
int lucid__lu_factor(lucid_dtype dtype, int64_t n, void *a, int64_t a_row, int64_t *perm,
                     void *scratch, int threads);
size_t lucid__lu_scratch(int64_t n);

#endif
