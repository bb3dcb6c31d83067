/* A contraction with its dims by name, for the rules that rewrite it. */
#ifndef LUCID__SIMPLIFY_PRODUCT_H
#define LUCID__SIMPLIFY_PRODUCT_H

#include "engine/simplify.h"

enum { LUCID__NO_NAME = -1 };

/* Dims of a product by name: those of one operand are 0, 1, ..; the other's own LUCID_MAX_NDIM, .. */
typedef struct lucid__names {
    int n, at[2 * LUCID_MAX_NDIM];
} lucid__names;

/* A value whose dims have names; LUCID__NO_NAME: of size 1. */
typedef struct lucid__named {
    lucid__operand what;
    int name[LUCID_MAX_NDIM];
    uint32_t over;
} lucid__named;

typedef struct lucid__product_dims {
    lucid__simplifier *z;
    lucid__op *op;
    int side; /* of the operand that is looked at */
    int64_t size[2 * LUCID_MAX_NDIM];
    lucid__named y;              /* the other operand */
    uint32_t batch, summed, own; /* names of dims longer than 1: the operand's own are not in y */
    lucid__names batches, sums, rows, cols; /* in their order; rows: the operand's own, cols: y's */
    lucid__names result;
} lucid__product_dims;

void lucid__add_name(lucid__names *to, int name);
/* Those whose bit is set. */
void lucid__add_names(lucid__names *to, const lucid__names *from, uint32_t among);
bool lucid__has_name(const lucid__names *list, int name);
/* Points along these dims. */
double lucid__volume_over(const lucid__product_dims *p, uint32_t over);

/* Names the dims of a contraction, as seen from one operand. False: it has no elements. */
bool lucid__name_dims(lucid__product_dims *p, lucid__simplifier *z, lucid__op *op, int side);

/* A tensor over these dims. */
lucid__aval lucid__aval_over(const lucid__product_dims *p, const lucid__names *dims);
lucid__operand lucid__reshaped(const lucid__product_dims *p, lucid__operand x,
                               const lucid__aval *out);
/* The value with its dims in this order and 1 for those that it has not. */
lucid__operand lucid__arranged(const lucid__product_dims *p, const lucid__named *x,
                               const lucid__names *dims);
/* The same, repeated along those dims. */
lucid__operand lucid__spread(const lucid__product_dims *p, const lucid__named *x,
                             const lucid__names *dims);
/* The contraction becomes this value, spread over its result. */
void lucid__replace_product(const lucid__product_dims *p, const lucid__named *x);

/* simplify_basis.c: an operand is a view of a basis. False: it is not, or it is no product of that kind. */
bool lucid__pick_by_basis(const lucid__product_dims *p);

#endif
