#if defined(__linux__)
#define _GNU_SOURCE /* pthread_mutex_timedlock */
#endif
#include "engine/turn.h"

#include <time.h>

#include "base/buffer.h"
#include "base/thread.h"

static lucid__mutex engine = LUCID__MUTEX_INIT;

/* How often this thread is in the engine. */
static _Thread_local int depth;

/* A fork waits for the evaluation that runs, so that the child does not find the lock taken by a thread
 * it does not have. */
static void lock_engine(void)
{
    lucid__lock(&engine);
}

static void unlock_engine(void)
{
    lucid__unlock(&engine);
}

__attribute__((constructor)) static void watch_forks(void)
{
    lucid__buffers_watch_forks();
    (void)pthread_atfork(lock_engine, unlock_engine, unlock_engine);
}

enum { SLICE = 5 * 1000 * 1000 }; /* nanoseconds between two questions while waiting */

/* Waits for the lock for so long. */
static bool try_for_a_slice(void)
{
    struct timespec t;
#if defined(__linux__)
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += SLICE;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(&engine, &t) == 0;
#else
    t = (struct timespec){.tv_nsec = SLICE / 10};
    (void)nanosleep(&t, NULL);
    return pthread_mutex_trylock(&engine) == 0;
#endif
}

/* Whoever waits lets others go on meanwhile, if that is up to the one who is asked, and may be interrupted. */
static bool wait_for_engine(lucid__interrupt *of)
{
    do {
        if (of->poll)
            of->due = 1;
        if (lucid__interrupt_look(of))
            return false;
    } while (!try_for_a_slice());
    return true;
}

bool lucid__turn_begin(lucid_scope *s)
{
    if (depth > 0) {
        depth++;
        return true;
    }
    lucid__interrupt *of = &s->session->interrupt;
    if (pthread_mutex_trylock(&engine) != 0 && !wait_for_engine(of)) {
        (void)lucid__interrupted(s);
        return false;
    }
    depth = 1;
    lucid__evaluation_begins(of);
    return true;
}

void lucid__turn_end(void)
{
    if (--depth > 0)
        return;
    lucid__evaluation_begins(NULL);
    unlock_engine();
}
