#include "base/ptr_set.h"

#include <stdint.h>

#include "base/memory.h"

static size_t first_slot(const void *p, size_t capacity)
{
    uint64_t h = (uint64_t)(uintptr_t)p * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(h >> 32) & (capacity - 1);
}

static bool put(const void **slots, size_t capacity, const void *p)
{
    size_t i = first_slot(p, capacity);
    while (slots[i] && slots[i] != p)
        i = (i + 1) & (capacity - 1);
    if (slots[i])
        return false;
    slots[i] = p;
    return true;
}

int lucid__ptr_set_add(lucid__ptr_set *set, const void *p)
{
    if (2 * (set->count + 1) > set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 16;
        const void **slots = lucid__calloc(capacity, sizeof *slots);
        if (!slots)
            return -1;
        for (size_t i = 0; i < set->capacity; i++)
            if (set->slots[i])
                (void)put(slots, capacity, set->slots[i]);
        lucid__free((void *)set->slots);
        set->slots = slots;
        set->capacity = capacity;
    }
    if (!put(set->slots, set->capacity, p))
        return 0;
    set->count++;
    return 1;
}

void lucid__ptr_set_free(lucid__ptr_set *set)
{
    lucid__free((void *)set->slots);
    *set = (lucid__ptr_set){0};
}
