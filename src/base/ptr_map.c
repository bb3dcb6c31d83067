#include "base/ptr_map.h"

#include <stdint.h>

#include "base/memory.h"

/* Where a key is, or belongs. */
static size_t slot_of(const void *const *keys, size_t capacity, const void *key)
{
    uint64_t h = (uint64_t)(uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15);
    size_t i = (size_t)(h >> 32) & (capacity - 1);
    while (keys[i] && keys[i] != key)
        i = (i + 1) & (capacity - 1);
    return i;
}

static bool grow(lucid__ptr_map *map)
{
    lucid__ptr_map more = {.capacity = map->capacity ? 2 * map->capacity : 64, .count = map->count};
    more.keys = lucid__calloc(more.capacity, sizeof *more.keys);
    more.numbers = lucid__calloc(more.capacity, sizeof *more.numbers);
    if (!more.keys || !more.numbers) {
        lucid__ptr_map_free(&more);
        return false;
    }
    for (size_t i = 0; i < map->capacity; i++) {
        if (!map->keys[i])
            continue;
        size_t to = slot_of(more.keys, more.capacity, map->keys[i]);
        more.keys[to] = map->keys[i];
        more.numbers[to] = map->numbers[i];
    }
    lucid__ptr_map_free(map);
    *map = more;
    return true;
}

bool lucid__ptr_map_set(lucid__ptr_map *map, const void *key, size_t number)
{
    if (2 * (map->count + 1) > map->capacity && !grow(map))
        return false;
    size_t at = slot_of(map->keys, map->capacity, key);
    map->count += map->keys[at] == NULL;
    map->keys[at] = key;
    map->numbers[at] = number;
    return true;
}

bool lucid__ptr_map_get(const lucid__ptr_map *map, const void *key, size_t *number)
{
    if (map->count == 0)
        return false;
    size_t at = slot_of(map->keys, map->capacity, key);
    if (!map->keys[at])
        return false;
    *number = map->numbers[at];
    return true;
}

void lucid__ptr_map_free(lucid__ptr_map *map)
{
    lucid__free((void *)map->keys);
    lucid__free(map->numbers);
    *map = (lucid__ptr_map){0};
}
