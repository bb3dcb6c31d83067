/* Numbers by pointer. */
#ifndef LUCID__PTR_MAP_H
#define LUCID__PTR_MAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lucid__ptr_map {
    const void **keys;
    size_t *numbers;
    size_t count, capacity; /* capacity: a power of two, or 0 */
} lucid__ptr_map;

/* A key that is there already gets the new number. False: out of memory. Start from a zeroed map. */
bool lucid__ptr_map_set(lucid__ptr_map *map, const void *key, size_t number);
bool lucid__ptr_map_get(const lucid__ptr_map *map, const void *key, size_t *number);
void lucid__ptr_map_free(lucid__ptr_map *map);

#endif
