/* The BLAS, row-major, for both floats. Threads are ours, not the BLAS's: so lucid_set_num_threads
 * holds here too, products of many matrices do not fight with the BLAS for cores, and how a sum is
 * cut up does not depend on how many threads there are. */
#ifndef LUCID__BLAS_H
#define LUCID__BLAS_H

#include <stdbool.h>
#include <stdint.h>

#include "lucid.h"

/* A matrix as the BLAS knows it: rows `ld` apart with unit columns, or the transpose of such. */
typedef struct lucid__blas_matrix {
    const void *data;
    bool transposed;
    int64_t ld;
} lucid__blas_matrix;

/* Between these the BLAS keeps to the calling thread. They nest and count, over all threads. Returns how many threads may
 * call it at a time, of so many; 0: none, since there is no memory for it, and then there is nothing to end. */
int lucid__blas_begin(int threads);
void lucid__blas_end(void);

/* Ends the BLAS's own threads, if it has any and nobody can be using them. */
void lucid__blas_dismiss(void);

/* Whether sizes and strides fit the BLAS's integers. */
bool lucid__blas_fits(int64_t size);

/* C (m, n) = alpha A B + beta C. `threads` > 1: C is cut among them. */
void lucid__gemm(lucid_dtype dtype, int64_t m, int64_t n, int64_t k, double alpha,
                 lucid__blas_matrix a, lucid__blas_matrix b, double beta, void *c, int64_t c_row,
                 int threads);

/* Solves op(A) x = b in place of b (n, k); right: x op(A) = b, b (k, n). A is (n, n) triangular as
 * stored, op its transpose or nothing. `threads` > 1: the right-hand sides are cut among them. */
typedef struct lucid__trsm {
    bool right, upper, transpose, unit;
} lucid__trsm;
void lucid__trsm_solve(lucid_dtype dtype, lucid__trsm how, int64_t n, int64_t k, const void *a,
                       int64_t a_row, void *b, int64_t b_row, int threads);

#endif
