/* Plans by the words of the structure they are for; bounded, the least recently used goes first. Only
 * under the engine's lock. */
#ifndef LUCID__PLAN_CACHE_H
#define LUCID__PLAN_CACHE_H

#include "engine/plan.h"

/* The plan for a structure, built if need be; lucid__plan_release it under the same lock. NULL and an error
 * in s on failure. */
lucid__plan *lucid__plan_cache_get(lucid_scope *s, const lucid__structure *st,
                                   const lucid__backend *backend);

enum {
    LUCID__PLAN_CACHE_MOST = 1024, /* plans it keeps */
    LUCID__PLAN_CACHE_MOST_BYTES = 64
                                   << 20, /* that they take, with what the backend has for them */
};

uint64_t lucid__plan_cache_count(void);
uint64_t lucid__plan_cache_bytes(void);
uint64_t lucid__plan_cache_hits(void);
uint64_t lucid__plan_cache_misses(void);

#endif
