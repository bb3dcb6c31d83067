/* The factorisations of large matrices that LAPACK does. It knows matrices by columns: a row-major
 * (m, n) matrix is to it the transposed (n, m) one. They keep to the calling thread (blas.h). */
#ifndef LUCID__LAPACK_H
#define LUCID__LAPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "lucid.h"

/* LUCID_MEMORY_ERROR, or LUCID_RUNTIME_ERROR: it did not converge. */

/* a (n, n), of which the lower triangle is read: its rows become eigenvectors if `vectors`, w the
 * eigenvalues in ascending order. */
lucid_status lucid__lapack_eigh(lucid_dtype dtype, int64_t n, bool vectors, void *a, void *w);

/* a (m, n) is lost; k = min(m, n): u (m, k), w (k) and v' (k, n), row-major; u NULL: w alone. */
lucid_status lucid__lapack_svd(lucid_dtype dtype, int64_t m, int64_t n, void *a, void *u, void *w,
                               void *v);

/* c (n, m): the columns of an (m, n) matrix. Row j becomes column j of R, below the diagonal the
 * reflections; lucid__lapack_q then makes the first k rows columns of Q. tau: k elements. */
lucid_status lucid__lapack_qr(lucid_dtype dtype, int64_t m, int64_t n, void *c, void *tau);
lucid_status lucid__lapack_q(lucid_dtype dtype, int64_t m, int64_t k, void *c, const void *tau);

#endif
