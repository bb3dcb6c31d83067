#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity and its like */
#endif
#include "cpu/threads.h"

#include <omp.h>
#include <sched.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/thread.h"
#include "cpu/blas.h"
#include "cpu/reserve.h"
#include "lucid.h"

static atomic_int chosen; /* 0: as many as there are */

/* The threads of a parallel region do not come along through a fork, and GNU's OpenMP waits for them
 * forever; so a child works alone. */
static void alone_after_fork(void)
{
    atomic_store(&chosen, 1);
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, alone_after_fork);
}

int lucid__num_threads(void)
{
    int n = atomic_load_explicit(&chosen, memory_order_relaxed);
    return n > 0 ? n : omp_get_max_threads();
}

void lucid_set_num_threads(int n)
{
    atomic_store(&chosen, n > 0 ? n : 0);
}

int lucid_get_num_threads(void)
{
    return lucid__num_threads();
}

/* ---- teams --------------------------------------------------------------------------------------- */

#if defined(__linux__)
/* The i-th of those allowed, of which there is one at least, after a processor. */
static size_t processor_after(const cpu_set_t *allowed, int first, int i)
{
    size_t at = (size_t)first;
    while (i > 0) {
        at = (at + 1) % CPU_SETSIZE;
        i -= CPU_ISSET(at, allowed) ? 1 : 0;
    }
    return at;
}

/* A new thread begins on the processor of the one that made it, and when both are busy it takes the kernel
 * some milliseconds to part them: longer than many a first call. So each goes to one of its own, and is then
 * free to go anywhere again. */
static void spread(int threads)
{
    cpu_set_t allowed;
    int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2)
        return;
#pragma omp parallel num_threads(threads)
    {
        cpu_set_t one, all;
        int me = omp_get_thread_num();
        if (me > 0 && sched_getaffinity(0, sizeof all, &all) == 0 && CPU_EQUAL(&all, &allowed)) {
            size_t processor = processor_after(&allowed, here, me);
            CPU_ZERO(&one);
            CPU_SET(processor, &one);
            (void)sched_setaffinity(0, sizeof one, &one);
            (void)sched_setaffinity(0, sizeof all, &all);
        }
    }
}
#else
static void spread(int threads)
{
    (void)threads;
}
#endif

int lucid__team(int threads)
{
    /* Who asks has a team of his own: its largest size so far, and its last, since a smaller team sends the others
     * away. */
    static _Thread_local int started = 1, now = 1;
    if (threads == 1 ||
        omp_get_level() > 0) /* inside a region threads would be made anew each time */
        return 1;
    if (started == 1)
        lucid__blas_dismiss();
    if (threads > now && (threads > started || lucid__threads_may_fail()))
        threads = now + lucid__threads_available(threads - now);
    if (threads > started) {
        spread(threads);
        started = threads;
    }
    now = threads;
    return threads;
}

int lucid__team_if(bool parallel)
{
    return lucid__team(parallel ? lucid__num_threads() : 1);
}

void lucid__team_finish(atomic_int *finished)
{
    enum { SPINS = 1000 }; /* some tenths of a millisecond, in which most teams are done */
    const struct timespec nap = {.tv_nsec = 100 * 1000};
    const int all = omp_get_num_threads();
    atomic_fetch_add_explicit(finished, 1, memory_order_release);
    if (all == 1 || !lucid__evaluating || !lucid__evaluating->poll)
        return;
    for (int i = 0; atomic_load_explicit(finished, memory_order_acquire) < all; i++) {
        if (i < SPINS) {
            (void)sched_yield();
        } else {
            (void)nanosleep(&nap, NULL);
            (void)lucid__stop_now();
        }
    }
}
