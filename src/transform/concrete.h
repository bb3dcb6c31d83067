/* Looking at a value while a transform runs. */
#ifndef LUCID__CONCRETE_H
#define LUCID__CONCRETE_H

#include "graph/scope.h"

/* The value at level 0 behind x: what a tangent belongs to is seen through. A batched value has no one
 * answer: LUCID_DIVERGED, saying that `what` was asked for. Empty on error. */
lucid_tensor lucid__concrete(lucid_scope *s, lucid_tensor x, const char *what);

/* Whether x belongs to a running transform, so that lanes may have to agree on an answer: then what is asked of
 * them should be no more than what the answer depends on. */
bool lucid__is_traced(lucid_tensor x);
/* x as the bool that is asked for, if it is traced. */
lucid_tensor lucid__yes_or_no(lucid_scope *s, lucid_tensor x);

#endif
