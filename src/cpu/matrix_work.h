/* Kernels on batches of matrices: what one is asked to do, and how it is dealt out. Small matrices go
 * side by side in SIMD lanes (matrix_isa.h), large ones one by one; threads share the batch, and a
 * large matrix alone is shared by them inside. */
#ifndef LUCID__MATRIX_WORK_H
#define LUCID__MATRIX_WORK_H

#include <stdatomic.h>

#include "cpu/matrix_isa.h"
#include "engine/backend.h"

typedef struct lucid__matrix_work lucid__matrix_work;
/* Does units first .. first + count - 1; scratch is the thread's own. */
typedef void lucid__matrix_unit_fn(const lucid__matrix_work *w, int64_t first, int64_t count,
                                   void *scratch);

struct lucid__matrix_work {
    const lucid__kernel_args *args;
    int most_threads; /* 0: all */
    lucid_dtype dtype;
    int64_t m, n, k, batch; /* a is (batch.., m, n), b is (batch.., n, k) */
    bool upper, transpose, unit;
    bool b_is_one; /* the inverse, as a solution */
    int order;     /* of derivatives that values are moved apart for (spread.h) */
    bool factored; /* columns of solutions: the factors are outputs already */
    int nout;
    int64_t out_bytes[4]; /* of one matrix, per output */
    lucid__lanes_fn *lanes;
    lucid__matrix_unit_fn *run;
    int64_t units, together; /* of work, and how many are done at a time */
    bool pieces;             /* units are pieces of matrices: no threads inside of one */
    double cost;             /* multiplications per unit */
    size_t scratch;          /* bytes per thread */
    int threads;             /* inside of one unit */
    atomic_bool *failed;     /* decompositions: memory ran out */
};

/* A unit per matrix of the batch. Set the sizes of the outputs next. */
lucid__matrix_work lucid__matrix_work_of(const lucid__kernel_args *args, int nout);
void lucid__matrix_work_output(lucid__matrix_work *w, int k, int64_t elements);

/* Output k of matrix e; NULL: it is not wanted. */
void *lucid__matrix_output(const lucid__matrix_work *w, int k, int64_t e);
/* The first element of matrix e of a strided operand. */
const void *lucid__matrix_of(const lucid__view *v, int64_t e);
/* Matrices first .. first + count - 1. */
void lucid__matrices_of(const lucid__view *v, int64_t first, int64_t count, const void **to);

static inline int64_t lucid__row_stride(const lucid__view *v)
{
    return v->stride[v->shape.ndim - 2];
}

static inline int64_t lucid__col_stride(const lucid__view *v)
{
    return v->stride[v->shape.ndim - 1];
}

/* Columns first .. first + cols - 1 of (rows, ...), to the same columns of row-major memory whose rows
 * are to_row apart; rows in the order of perm unless it is NULL. */
void lucid__copy_columns(lucid_dtype dtype, int64_t rows, int64_t cols, int64_t first,
                         const void *from, int64_t row, int64_t col, const int64_t *perm, void *to,
                         int64_t to_row);
/* p[i] = value. */
void lucid__matrix_set(lucid_dtype dtype, void *p, int64_t i, double value);

/* Runs all units: w->run and w->scratch are set. */
lucid_status lucid__matrix_deal(lucid__matrix_work *w);
/* Lanes of matrices; scratch bytes for each thread. */
lucid_status lucid__run_small_matrices(lucid__matrix_work *w, lucid__lanes_fn *lanes,
                                       size_t scratch);
/* One matrix after the other, with the BLAS at hand. */
lucid_status lucid__run_large_matrices(lucid__matrix_work *w, lucid__matrix_unit_fn *large,
                                       size_t scratch);
lucid_status lucid__matrix_out_of_memory(const lucid__matrix_work *w);

#endif
