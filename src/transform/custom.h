/* What functions with rules of their own share (custom_derivative.c, custom_vmap.c). */
#ifndef LUCID__CUSTOM_H
#define LUCID__CUSTOM_H

#include "transform/level.h"

/* A rule sees values below `level` and gives such values; anything else it captured. */
bool lucid__from_arguments(lucid_scope *s, const char *name, uint64_t level, lucid_tensor y);

#endif
