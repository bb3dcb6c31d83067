/* What functions with rules of their own share (custom_derivative.c, custom_vmap.c). */
#ifndef LUCID__CUSTOM_H
#define LUCID__CUSTOM_H

#include "transform/level.h"

/* A rule sees values below `level` and gives such values; anything else it captured. */
bool lucid__from_arguments(lucid_scope *s, const char *name, uint64_t level, lucid_tensor y);

/* The arguments as the runs that have taken over levels of theirs want them (split.h). */
const lucid_tensor *lucid__lifted_arguments(lucid_scope *s, const lucid_tensor *x, size_t nx);

#endif
