/* What the composites share: operations built from others, without a primitive of their own. */
#ifndef LUCID__COMPOSITE_H
#define LUCID__COMPOSITE_H

#include "ops/builder.h"

/* A composite builds in a scope of its own, so that what it makes on the way is gone when it
 * returns (a handle left in the caller's scope would keep the engine from dropping or fusing it):
 *
 *     lucid_scope t;
 *     if (!lucid__enter(&t, s, "mean", x))
 *         return (lucid_tensor){NULL};
 *     ... build y in &t ...
 *     return lucid__leave(&t, y);
 */
static inline bool lucid__enter(lucid_scope *t, lucid_scope *s, const char *name, lucid_tensor x)
{
    if (!lucid__check(s, name, x))
        return false;
    lucid__scope_enter(t, s);
    return true;
}

static inline lucid_tensor lucid__leave(lucid_scope *t, lucid_tensor y)
{
    y = lucid__ok(t) ? lucid__scope_move(t, y) : (lucid_tensor){NULL};
    lucid__scope_leave(t);
    return y;
}

/* How many elements of x go into one result of a reduction; -1 on error. */
int64_t lucid__reduced_count(lucid_scope *s, const char *name, lucid_tensor x, lucid_dims dims);
/* The maximum over dims, kept; 0 where it is not finite. What is shifted by it can be exponentiated
 * without overflow. A constant to every transform, because the results do not depend on the
 * shift. */
lucid_tensor lucid__finite_max(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* x less its maximum over dims: what exp does not overflow of. Derivatives of softmax and log_softmax made from
 * it are accurate also where one element outweighs the others. */
lucid_tensor lucid__below_max(lucid_scope *s, lucid_tensor x, lucid_dims dims);
/* mean or sum of all elements, or none of both. */
lucid_tensor lucid__reduce_loss(lucid_scope *s, const char *name, lucid_tensor x,
                                lucid_reduction reduction);

#endif
