#include "engine/plan_cache.h"

#include <string.h>

#include "base/memory.h"
#include "base/thread.h"

enum { WAYS = 4, SETS = LUCID__PLAN_CACHE_MOST / WAYS };

typedef struct entry {
    lucid__plan *plan; /* NULL: free */
    int64_t *words;
    size_t nwords, bytes; /* that it takes with its plan */
    uint64_t hash, last_use;
} entry;

static entry table[SETS][WAYS];
static uint64_t now;
/* Written under the lock, read without. bytes: of the plans and their words. */
static _Atomic uint64_t hits, misses, count, bytes;

static void add(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t old = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, old + more, memory_order_relaxed);
}

/* Four chains of multiplications side by side, which the machine overlaps. */
static uint64_t hash_words(const int64_t *words, size_t n)
{
    const uint64_t factor = UINT64_C(0xD6E8FEB86659FD93);
    uint64_t h[4] = {UINT64_C(0x9E3779B97F4A7C15) ^ n, 1, 2, 3};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) {
            h[k] = (h[k] ^ (uint64_t)words[i + (size_t)k]) * factor;
            h[k] ^= h[k] >> 32;
        }
    for (; i < n; i++)
        h[i & 3] = (h[i & 3] ^ (uint64_t)words[i]) * factor;
    for (int k = 1; k < 4; k++) {
        h[0] = (h[0] ^ h[k]) * factor;
        h[0] ^= h[0] >> 32;
    }
    return h[0];
}

static void drop(entry *e)
{
    add(&count, (uint64_t)-1);
    add(&bytes, -(uint64_t)e->bytes);
    lucid__plan_release(e->plan);
    lucid__free(e->words);
    *e = (entry){0};
}

/* Lets plans go, the least recently used first, until another fits. */
static void make_room(size_t more)
{
    while (atomic_load(&count) > 0 &&
           lucid__plan_cache_bytes() + more > LUCID__PLAN_CACHE_MOST_BYTES) {
        entry *oldest = NULL;
        for (int i = 0; i < SETS * WAYS; i++) {
            entry *e = &table[i / WAYS][i % WAYS];
            if (e->plan && (!oldest || e->last_use < oldest->last_use))
                oldest = e;
        }
        drop(oldest);
    }
}

/* Keeps a plan, which has its user still, in the best place of its set; without memory for its words, or if it
 * alone would fill the cache, it is not kept. */
static void keep(lucid__plan *plan, const lucid__structure *st, uint64_t hash)
{
    size_t words = st->nwords * sizeof *st->words, all = words + lucid__plan_size(plan);
    if (all > LUCID__PLAN_CACHE_MOST_BYTES)
        return;
    int64_t *copy = lucid__malloc(words);
    if (!copy)
        return;
    memcpy(copy, st->words, words);
    make_room(all);
    entry *set = table[hash % SETS], *place = set;
    for (int w = 1; w < WAYS && place->plan; w++)
        if (!set[w].plan || set[w].last_use < place->last_use)
            place = &set[w];
    if (place->plan)
        drop(place);
    *place = (entry){plan, copy, st->nwords, all, hash, now};
    add(&count, 1);
    add(&bytes, all);
    lucid__ref(&plan->users);
}

lucid__plan *lucid__plan_cache_get(lucid_scope *s, const lucid__structure *st,
                                   const lucid__backend *backend)
{
    uint64_t hash = hash_words(st->words, st->nwords);
    entry *set = table[hash % SETS];
    now++;
    for (int w = 0; w < WAYS; w++) {
        entry *e = &set[w];
        if (e->plan && e->hash == hash && e->nwords == st->nwords &&
            memcmp(e->words, st->words, st->nwords * sizeof *st->words) == 0) {
            add(&hits, 1);
            e->last_use = now;
            lucid__ref(&e->plan->users);
            return e->plan;
        }
    }
    add(&misses, 1);
    lucid__plan *plan = lucid__plan_new(s, st, backend);
    if (plan)
        keep(plan, st, hash);
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

uint64_t lucid__plan_cache_bytes(void)
{
    return atomic_load(&bytes) + lucid__cpu_backend.bytes_with_programs();
}
