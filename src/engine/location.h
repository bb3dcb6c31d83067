/* Where a value of a plan is: a slot of memory, and how its elements lie there. Operations that only
 * rearrange elements become locations in the same slot. */
#ifndef LUCID__LOCATION_H
#define LUCID__LOCATION_H

#include "base/shape.h"
#include "engine/sketch.h"

typedef struct lucid__location {
    int slot;
    lucid__aval aval;
    int64_t offset; /* in elements, from the start of the slot */
    int64_t stride[LUCID_MAX_NDIM];
} lucid__location;

/* The location of the operation's output as a view of its input's; false: it needs a copy, or is not a
 * matter of views. */
bool lucid__view_of(const lucid__op *op, const lucid__location *in, lucid__location *out);

/* Row-major at the start of a slot. */
lucid__location lucid__row_major(int slot, const lucid__aval *aval);

#endif
