/* A set of pointers, for walks over graphs that several threads may walk at once. */
#ifndef LUCID__PTR_SET_H
#define LUCID__PTR_SET_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lucid__ptr_set {
    const void **slots;
    size_t count, capacity; /* capacity: a power of two, or 0 */
} lucid__ptr_set;

/* 1: added, 0: was there already, -1: out of memory. Start from a zeroed set. */
int lucid__ptr_set_add(lucid__ptr_set *set, const void *p);
void lucid__ptr_set_free(lucid__ptr_set *set);

#endif
