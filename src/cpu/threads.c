#include "cpu/threads.h"

#include <omp.h>

#include "base/thread.h"
#include "lucid.h"

static atomic_int chosen; /* 0: as many as there are */

/* The threads of a parallel region do not come along through a fork, and GNU's OpenMP waits for them
 * forever; so a child works alone. */
static void alone_after_fork(void)
{
    atomic_store(&chosen, 1);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, alone_after_fork);
}

int lucid__num_threads(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
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
