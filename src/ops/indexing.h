/* What the builders of indexing and sorting share. */
#ifndef LUCID__INDEXING_H
#define LUCID__INDEXING_H

#include "ops/builder.h"

/* Ends the scope of a composite: its result goes to the parent, all else is released. */
static inline lucid_tensor lucid__leave_with(lucid_scope *child, lucid_tensor y)
{
    y = lucid__scope_move(child, y);
    lucid__scope_leave(child);
    return y;
}

/* Whether each is an int32 or int64 tensor; records an error when not. */
bool lucid__check_indices(lucid_scope *s, const char *name, const lucid_tensor *index, size_t n);
/* values in the dtype of x, broadcast to a shape. */
lucid_tensor lucid__fit_values(lucid_scope *s, const char *name, lucid_tensor values,
                               lucid_tensor x, const lucid_shape *shape);

#endif
