/* Numbers as 0-d constants. */
#ifndef LUCID__NUMBER_H
#define LUCID__NUMBER_H

#include "graph/scope.h"

/* Ready, over the bytes at `value`; plans may know which number it is (node.h, depth). */
lucid_tensor lucid__constant(lucid_scope *s, lucid_dtype dtype, const void *value, bool weak);

/* A number as an ordinary 0-d tensor of a dtype. As C converts, but saturating where C leaves it undefined; NaN
 * becomes 0; int32 wraps. */
lucid_tensor lucid__number_of(lucid_scope *s, double value, lucid_dtype dtype);
lucid_tensor lucid__whole_number_of(lucid_scope *s, int64_t value, lucid_dtype dtype);

#endif
