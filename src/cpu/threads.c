#include "cpu/threads.h"

#include <omp.h>

#include "base/thread.h"
#include "lucid.h"

static atomic_int chosen; /* 0: as many as there are */

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
