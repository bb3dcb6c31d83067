/* The workloads of the benchmark as C functions of one example; bench/workloads.py says the same in
 * Python. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include <lucid.h>

typedef struct workload {
    const char *name;
    size_t nx, ny;
    /* The function that one call evaluates, transforms included. */
    lucid_fn (*make)(lucid_scope *s);
} workload;

/* NULL: there is none of this name. */
const workload *workload_find(const char *name);

#endif
