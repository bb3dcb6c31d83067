/* Looking at a value while a transform runs. */
#ifndef LUCID__CONCRETE_H
#define LUCID__CONCRETE_H

#include "graph/scope.h"

/* The value at level 0 behind x: what a tangent belongs to is seen through. A batched value has no one
 * answer: LUCID_DIVERGED, saying that `what` was asked for. Empty on error. */
lucid_tensor lucid__concrete(lucid_scope *s, lucid_tensor x, const char *what);

#endif
