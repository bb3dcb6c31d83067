/* Where the lanes of a run, which may be tuples, stand among those of an earlier version of it. */
#ifndef LUCID__SPLIT_ROWS_H
#define LUCID__SPLIT_ROWS_H

#include "transform/split.h"

enum { LUCID__MOST_NEEDS = 32 };

/* Which of the levels taken over since a version are spoken of. */
typedef struct lucid__needs {
    uint64_t levels[LUCID__MOST_NEEDS];
    size_t count;
} lucid__needs;

bool lucid__is_needed(const lucid__needs *n, uint64_t level);

/* The product of their lanes. */
int64_t lucid__taken_lanes(const lucid__taken *taken, size_t n);

/* All levels taken over since a version, the latest first; NULL and an error: too many, or out of memory. */
lucid__taken *lucid__taken_since(lucid_scope *s, const lucid__split *split, uint32_t version,
                                 lucid__needs *n);

/* Where tuple i of the present stands, in the rectangle of the needed levels taken over since the version
 * (the latest outermost) and, innermost, with `own`, the lanes of that version. */
int64_t lucid__split_position(const lucid__split *split, uint32_t version, int64_t i,
                              const lucid__needs *n, bool own);
/* The positions of all of them. */
lucid_tensor lucid__split_index(lucid_scope *s, const lucid__split *split, uint32_t version,
                                const lucid__needs *n, bool own);

#endif
