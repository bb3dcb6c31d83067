/* Locks and reference counts. */
#ifndef LUCID__THREAD_H
#define LUCID__THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef pthread_mutex_t lucid__mutex;
#define LUCID__MUTEX_INIT PTHREAD_MUTEX_INITIALIZER

static inline void lucid__lock(lucid__mutex *m)
{
    (void)pthread_mutex_lock(m);
}

static inline void lucid__unlock(lucid__mutex *m)
{
    (void)pthread_mutex_unlock(m);
}

typedef atomic_int lucid__refs;

static inline void lucid__ref(lucid__refs *refs)
{
    atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True when this was the last one: the caller then owns the object alone. Who has the only reference need not
 * tell others that it is gone, since nobody else can make another: most objects go without a locked instruction. */
static inline bool lucid__unref(lucid__refs *refs)
{
    if (atomic_load_explicit(refs, memory_order_acquire) == 1)
        return true;
    if (atomic_fetch_sub_explicit(refs, 1, memory_order_release) != 1)
        return false;
    atomic_thread_fence(memory_order_acquire);
    return true;
}

/* Numbers that only grow, for somebody who takes one at a time and whom no other thread sees meanwhile: from a block
 * of its own. What it takes next is larger than what it took, but not than what others took. */
typedef struct lucid__numbers {
    uint64_t next, end; /* 0, 0: no block yet */
} lucid__numbers;

static inline uint64_t lucid__number_take(lucid__numbers *own, _Atomic uint64_t *all)
{
    enum { BLOCK = 256 };
    if (own->next == own->end) {
        own->next = atomic_fetch_add(all, BLOCK);
        own->end = own->next + BLOCK;
    }
    return own->next++;
}

#endif
