/* What the operations share that multiply and sum up. */
#ifndef LUCID__PRODUCTS_H
#define LUCID__PRODUCTS_H

#include "ops/composite.h"

/* Dims of an operand of contract, from the front. */
typedef struct lucid__dim_list {
    int n;
    int64_t at[LUCID_MAX_NDIM];
} lucid__dim_list;

/* contract with the named dims: batch pairs, and pairs that are summed over. */
lucid_tensor lucid__contract(lucid_scope *s, lucid_tensor x, lucid_tensor y,
                             const lucid__dim_list batch[2], const lucid__dim_list summed[2]);

/* Casts both to their promoted dtype, in place; bool is refused, because a sum of products of bools
 * has no one meaning. */
bool lucid__product_dtypes(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n);

#endif
