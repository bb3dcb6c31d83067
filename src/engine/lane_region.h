/* Regions: operations of a sketch over one common dim, the batch, along which none of them mixes elements. What
 * they do for one example is a body (prim/body.h), and the whole may run as a lane program: lanes = examples,
 * intermediate values in registers. */
#ifndef LUCID__LANE_REGION_H
#define LUCID__LANE_REGION_H

#include "engine/sketch.h"
#include "prim/body.h"

/* A value that a region reads or leaves behind; dim: where its batch is, -1: it has none. */
typedef struct lucid__lane_region_value {
    lucid__operand at;
    int dim;
} lucid__lane_region_value;

typedef struct lucid__lane_region {
    int64_t lanes;
    int *ops; /* of the sketch, in order; sources that it makes for itself are not among them */
    int nops, nin, nout;
    int kernels; /* of its operations, those that would be steps of their own */
    lucid__lane_region_value *in, *out; /* of the body, in order */
    lucid__body body;                   /* of one example; without words */
    lucid__body_op *body_ops;
    double apart, together; /* seconds that it takes step by step, and as one lane program; about */
} lucid__lane_region;

/* Output dim that dim d of input i becomes, with every element where it was and alone; -1: none. */
int lucid__dim_passes(const lucid__sketch *sk, const lucid__op *op, int i, int d);
/* The parameters of the operation for one example: without its inputs' dims in_dim[i] and its outputs' dim
 * out_dim (-1: none). NULL: out of memory. */
const int64_t *lucid__params_of_one(const lucid__sketch *sk, const lucid__op *op, const int *in_dim,
                                    int out_dim, int *nparams);

/* Finds the regions of a sketch that are worth it, or all if `forced`: puts the operations of each behind one
 * another in sk->order. region_of[op] is its number, or -1. Room for LUCID__MAX_REGIONS; returns how many
 * there are, -1: out of memory. left[0 .. *nleft - 1]: those that were looked at and left, no more than there is
 * room for in regions. */
enum {
    LUCID__MAX_REGIONS = 4,
    LUCID__MOST_REGION_OPS = 1 << 12, /* of a sketch in which they are looked for */
};
int lucid__lane_regions_find(lucid__sketch *sk, bool forced, lucid__lane_region *regions,
                             int *region_of, lucid__lane_region *left, int *nleft);

#endif
