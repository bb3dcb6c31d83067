/* What the builders of indexing and sorting share. */
#ifndef LUCID__INDEXING_H
#define LUCID__INDEXING_H

#include "ops/builder.h"
#include "prim/position_use.h"

/* Ends the scope of a composite: its result goes to the parent, all else is released. */
static inline lucid_tensor lucid__leave_with(lucid_scope *child, lucid_tensor y)
{
    y = lucid__scope_move(child, y);
    lucid__scope_leave(child);
    return y;
}

/* Whether each is an int32 or int64 tensor; records an error when not. */
bool lucid__check_indices(lucid_scope *s, const char *name, const lucid_tensor *index, size_t n);
/* params[1] of gather and scatter in an operation of that use, unless its caller named another. */
int64_t lucid__use_param(lucid_scope *s, lucid__position_use use, int dim);
/* take_along_dim of an index that is checked; for the use that messages name. */
lucid_tensor lucid__take_along(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                               lucid_tensor index, int dim);
/* The int64 numbers of classes, those below 0 moved out of the range of indices. */
lucid_tensor lucid__class_index(lucid_scope *s, lucid_tensor index, int64_t classes);
/* x, and an error of that use when it is computed unless `possible` (which broadcasts to x) is true everywhere. */
lucid_tensor lucid__require(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                            lucid_tensor possible);
/* values in the dtype of x, broadcast to a shape. */
lucid_tensor lucid__fit_values(lucid_scope *s, const char *name, lucid_tensor values,
                               lucid_tensor x, const lucid_shape *shape);

#endif
