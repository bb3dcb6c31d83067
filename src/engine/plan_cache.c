#include "engine/plan_cache.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { WAYS = 4, SETS = LUCID__PLAN_CACHE_MOST / WAYS };

typedef struct entry {
    lucid__plan *plan; /* NULL: free */
    int64_t *words;
    size_t nwords;
    uint64_t hash, last_use;
} entry;

static entry table[SETS][WAYS];
static uint64_t now;
static _Atomic uint64_t hits, misses, count;

static uint64_t hash_words(const int64_t *words, size_t n)
{
    uint64_t h = UINT64_C(0x9E3779B97F4A7C15) ^ n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (uint64_t)words[i]) * UINT64_C(0xD6E8FEB86659FD93);
        h ^= h >> 32;
    }
    return h;
}

static void drop(entry *e)
{
    lucid__plan_release(e->plan);
    lucid__free(e->words);
    *e = (entry){0};
}

lucid__plan *lucid__plan_cache_get(lucid_scope *s, lucid__structure *st,
                                   const lucid__backend *backend)
{
    uint64_t hash = hash_words(st->words, st->nwords);
    entry *set = table[hash % SETS], *oldest = set;
    now++;
    for (int w = 0; w < WAYS; w++) {
        entry *e = &set[w];
        if (e->plan && e->hash == hash && e->nwords == st->nwords &&
            memcmp(e->words, st->words, st->nwords * sizeof *st->words) == 0) {
            atomic_fetch_add(&hits, 1);
            e->last_use = now;
            e->plan->users++;
            return e->plan;
        }
        if (e->last_use < oldest->last_use)
            oldest = e;
    }
    atomic_fetch_add(&misses, 1);
    lucid__plan *plan = lucid__plan_new(s, st, backend);
    if (!plan)
        return NULL;
    if (oldest->plan)
        drop(oldest);
    else
        atomic_fetch_add(&count, 1);
    *oldest = (entry){plan, st->words, st->nwords, hash, now};
    st->words = NULL; /* the cache's now */
    plan->users++;
    return plan;
}

uint64_t lucid__plan_cache_count(void)
{
    return atomic_load(&count);
}

uint64_t lucid__plan_cache_hits(void)
{
    return atomic_load(&hits);
}

uint64_t lucid__plan_cache_misses(void)
{
    return atomic_load(&misses);
}
