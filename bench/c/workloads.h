/* The workloads of the benchmark as C functions of one example; bench/functions_lucid.py says the same in
 * Python. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include <lucid.h>

typedef struct workload {
    const char *kind;
    size_t nx, ny;
    lucid_function *function; /* of one example */
    lucid_randomness randomness;
    /* What is done to the function before it is mapped; NULL: nothing. */
    lucid_fn (*transform)(lucid_scope *s, lucid_fn f);
} workload;

/* NULL: there is none of this kind. */
const workload *workload_find(const char *kind);

/* The function that one call evaluates. */
lucid_fn workload_make(lucid_scope *s, const workload *w, lucid_ints in_dims);

#endif
