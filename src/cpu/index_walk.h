/* Where gather and scatter read and write: offsets, block by block, of the positions that index
 * tensors name. */
#ifndef LUCID__INDEX_WALK_H
#define LUCID__INDEX_WALK_H

#include "engine/backend.h"

enum { LUCID__INDEX_BLOCK = 512 };

/* Positions are the elements of the indices, [b.., K..]; each names an element of the indexed
 * tensor, [b.., N1..Nm, R..], whose strides these are. */
typedef struct lucid__index_walk {
    lucid_shape positions;
    int64_t count;                  /* of positions */
    int64_t stride[LUCID_MAX_NDIM]; /* of the indexed tensor along the dims of positions: 0 for K */
    int m, shown_dim;
    const lucid__view *index;                           /* m of them */
    int64_t size[LUCID_MAX_NDIM], step[LUCID_MAX_NDIM]; /* of the indexed dims */
} lucid__index_walk;

/* For the indexed tensor x, or, when row_major, one of its shape in row-major order. The indices are
 * inputs `at` and later. */
lucid__index_walk lucid__index_walk_new(const lucid__kernel_args *args, const lucid__view *x,
                                        int at, bool row_major);

/* Offsets into the indexed tensor of `n` <= LUCID__INDEX_BLOCK positions from `first`. False: an index
 * is out of range. */
bool lucid__index_offsets(const lucid__index_walk *w, int64_t first, int64_t n, int64_t *offset);
/* Names the first index that is out of range in args->error. */
lucid_status lucid__index_report(const lucid__index_walk *w, const lucid__kernel_args *args);

/* Offsets of n elements of a strided tensor in row-major order, from element `first`. */
void lucid__strided_offsets(const lucid_shape *shape, const int64_t *stride, int64_t first,
                            int64_t n, int64_t *offset);

/* The untouched dims R of an operand, merged as far as their strides allow. */
typedef struct lucid__row {
    int64_t count;
    int ndim;
    int64_t dim[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM];
} lucid__row;

lucid__row lucid__row_new(const lucid__view *x, int first_dim);

#endif
