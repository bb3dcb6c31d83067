/* Numbers as 0-d constants. */
#ifndef LUCID__NUMBER_H
#define LUCID__NUMBER_H

#include "graph/scope.h"

/* A weak 0-d constant over the bytes at `value`: float64, int64 or bool. Plans may know which number it is
 * (node.h, depth). */
lucid_tensor lucid__bare_number(lucid_scope *s, lucid_dtype dtype, const void *value);

/* A number as an ordinary 0-d tensor of a dtype. As C converts, but saturating where C leaves it undefined; NaN
 * becomes 0; int32 wraps. */
lucid_tensor lucid__number_of(lucid_scope *s, double value, lucid_dtype dtype);
lucid_tensor lucid__whole_number_of(lucid_scope *s, int64_t value, lucid_dtype dtype);
/* A number in the dtype of another value, and weak if that is. */
lucid_tensor lucid__number_beside(lucid_scope *s, double value, const lucid__value *like);

#endif
