/* The recorded operations (graph/tape_entry.h) behind some values, for walks over tapes and for making
 * bodies out of what a stage recorded. */
#ifndef LUCID__ENTRIES_H
#define LUCID__ENTRIES_H

#include "base/ptr_set.h"
#include "graph/scope.h"
#include "graph/tape_entry.h"

enum { LUCID__FEW_ENTRIES = 16 };

/* Stays where it is. */
typedef struct lucid__entries {
    uint64_t level;
    lucid__tape_entry **at; /* in the order they were recorded */
    size_t count, capacity;
    size_t *first; /* number of entry i's first output, counting the outputs of all */
    size_t nvalues;
    lucid__ptr_set seen; /* of more than a few */
    lucid__tape_entry *few[LUCID__FEW_ENTRIES];
    size_t few_first[LUCID__FEW_ENTRIES];
} lucid__entries;

/* All entries of this level behind y (NULL entries are skipped). False and an error in s: out of memory.
 * lucid__entries_free is due in any case. */
bool lucid__entries_find(lucid_scope *s, lucid__entries *e, uint64_t level, lucid__value *const *y,
                         size_t ny);
void lucid__entries_free(lucid__entries *e);

static inline bool lucid__entries_level_of(const lucid__entries *e, const lucid__value *v)
{
    return v && v->kind == LUCID__TAPE && v->level == e->level;
}

/* The number of a value of this level among the outputs of all entries; SIZE_MAX: not among them. */
size_t lucid__entries_number(const lucid__entries *e, const lucid__value *v);

#endif
