/* How many runs vmapped functions took, and for how many lanes each: what lucid_last_paths tells. */
#ifndef LUCID__PATHS_H
#define LUCID__PATHS_H

#include "transform/level.h"

/* A vmap of the user's begins: forgets what was before, unless it is inside another one. */
void lucid__paths_begin(lucid_scope *s);
int64_t lucid__paths_runs(const lucid_scope *s);
/* A run under a level ends, which is still there; `runs` were noted when it began, and if none was since, it is
 * noted itself. */
void lucid__paths_note(lucid_scope *s, const lucid__level *level, int64_t runs);
void lucid__paths_alone(lucid_scope *s, int64_t lanes);

#endif
