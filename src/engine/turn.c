#include "engine/turn.h"

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

void lucid__turn_begin(void)
{
    if (depth++ == 0)
        lock_engine();
}

void lucid__turn_end(void)
{
    if (--depth == 0)
        unlock_engine();
}
