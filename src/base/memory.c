#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_bool counting;
static _Atomic int64_t left;

void lucid__fail_allocations_after(int64_t n)
{
    atomic_store(&left, n);
    atomic_store(&counting, n >= 0);
}

int64_t lucid__allocations_left(void)
{
    return atomic_load(&left);
}

/* The common case is one relaxed load. */
static bool refused(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    return atomic_fetch_sub(&left, 1) <= 0;
}

void *lucid__malloc(size_t bytes)
{
    return refused() ? NULL : malloc(bytes ? bytes : 1);
}

void *lucid__calloc(size_t count, size_t size)
{
    return refused() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *lucid__realloc(void *p, size_t bytes)
{
    return refused() ? NULL : realloc(p, bytes ? bytes : 1);
}

void lucid__free(void *p)
{
    free(p);
}
