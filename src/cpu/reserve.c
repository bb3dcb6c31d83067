#include "cpu/reserve.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/memory.h"

static bool is_limited(int resource, rlim_t below)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur < below;
}

static long number_in(const char *path)
{
    long number = -1; /* no such file, or no number in it */
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%ld", &number) != 1)
        number = -1;
    if (file)
        (void)fclose(file);
    return number;
}

/* ---- threads ---------------------------------------------------------------------------------------------- */

/* Bytes that OMP_STACKSIZE asks for; 0: what threads have anyway. */
static size_t stack_size(void)
{
    const char *text =
        getenv("OMP_STACKSIZE"); /* NOLINT(concurrency-mt-unsafe): as OpenMP reads it */
    char *unit = NULL;
    unsigned long long n = text ? strtoull(text, &unit, 10) : 0;
    if (n == 0)
        return 0;
    while (*unit == ' ')
        unit++;
    int shift = *unit == 'B' || *unit == 'b'   ? 0
                : *unit == 'M' || *unit == 'm' ? 20
                : *unit == 'G' || *unit == 'g' ? 30
                                               : 10;
    return n < SIZE_MAX >> shift ? (size_t)n << shift : 0;
}

static void *wait_at_gate(void *gate)
{
    (void)pthread_mutex_lock(gate);
    (void)pthread_mutex_unlock(gate);
    return NULL;
}

/* All at once, as a team is. */
static int make_threads(int wanted, pthread_t *threads)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_attr_t attributes;
    int made = 0;
    if (pthread_attr_init(&attributes) != 0)
        return 0;
    if (stack_size() > 0)
        (void)pthread_attr_setstacksize(&attributes, stack_size());
    (void)pthread_mutex_lock(&gate);
    while (made < wanted && pthread_create(&threads[made], &attributes, wait_at_gate, &gate) == 0)
        made++;
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < made; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_attr_destroy(&attributes);
    return made;
}

static atomic_bool failed_before;

int lucid__threads_available(int wanted)
{
    pthread_t *threads = lucid__malloc((size_t)wanted * sizeof *threads);
    int made = threads ? make_threads(wanted, threads) : 0;
    lucid__free(threads);
    if (made < wanted)
        atomic_store(&failed_before, true);
    return made;
}

bool lucid__threads_may_fail(void)
{
    enum { MANY = 4096 };
    static atomic_int few_allowed =
        -1; /* in the control group, as a container sees it; -1: not asked yet */
    if (atomic_load_explicit(&few_allowed, memory_order_relaxed) < 0) {
        long most = number_in("/sys/fs/cgroup/pids.max"); /* "max": no number */
        atomic_store(&few_allowed, most >= 0 && most < MANY);
    }
    return atomic_load_explicit(&failed_before, memory_order_relaxed) ||
           atomic_load_explicit(&few_allowed, memory_order_relaxed) == 1 ||
           is_limited(RLIMIT_AS, RLIM_INFINITY) || is_limited(RLIMIT_NPROC, MANY);
}

/* ---- memory of the BLAS ------------------------------------------------------------------------------------- */

/* OpenBLAS maps as much for each thread that calls it at a time, the first time, and keeps it. */
static const size_t call_bytes = (size_t)128 << 20, slack = 1 << 20;
static atomic_int calls_made; /* at a time, for all we know */

static bool can_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    (void)munmap(p, bytes);
    return true;
}

/* Whether address space, which is what it takes, can be had without end. */
static bool mapping_may_fail(void)
{
    static atomic_int strict = -1; /* the system hands out no more than it has; -1: not asked yet */
    if (atomic_load_explicit(&strict, memory_order_relaxed) < 0)
        atomic_store(&strict, number_in("/proc/sys/vm/overcommit_memory") == 2);
    return is_limited(RLIMIT_AS, RLIM_INFINITY) ||
           atomic_load_explicit(&strict, memory_order_relaxed) == 1;
}

int lucid__blas_calls_available(int wanted)
{
    int n = wanted;
    if (mapping_may_fail()) {
        while (n > 0 && !can_map((size_t)n * call_bytes + slack))
            n--;
        if (n == 0 && atomic_load(&calls_made) > 0)
            n = 1;
    }
    if (n > 0)
        atomic_store_explicit(&calls_made, 1, memory_order_relaxed);
    return n;
}
