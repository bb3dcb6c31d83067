/* The memory budget: what vmap fits its chunks into when it chooses their size. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lucid.h"

static _Atomic int64_t budget; /* 0: not set */

/* The limit of the control group, which containers have; INT64_MAX: there is none. */
static int64_t group_limit(void)
{
    int64_t limit = INT64_MAX;
    FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
    if (!file)
        return limit;
    if (fscanf(file, "%" SCNd64, &limit) != 1 || limit <= 0) /* "max" */
        limit = INT64_MAX;
    (void)fclose(file);
    return limit;
}

static int64_t quarter_of_memory(void)
{
    enum { SMALLEST = 64 << 20 };
    int64_t pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    int64_t memory = pages > 0 && page > 0 && pages < INT64_MAX / page ? pages * page : 0;
    int64_t limit = group_limit();
    int64_t quarter = (memory < limit ? memory : limit) / 4;
    return quarter > SMALLEST ? quarter : SMALLEST;
}

lucid_status lucid_set_memory_budget(int64_t bytes)
{
    if (bytes < 0)
        return LUCID_VALUE_ERROR;
    atomic_store(&budget, bytes);
    return LUCID_OK;
}

int64_t lucid_get_memory_budget(void)
{
    static _Atomic int64_t found; /* by the first who asks; the answer is the same for all */
    int64_t set = atomic_load(&budget);
    if (set > 0)
        return set;
    if (atomic_load(&found) == 0)
        atomic_store(&found, quarter_of_memory());
    return atomic_load(&found);
}
