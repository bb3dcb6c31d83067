/* Sorting one long row by the digits of its keys. */
#ifndef LUCID__SORT_RADIX_H
#define LUCID__SORT_RADIX_H

#include "cpu/sort_lanes.h"

/* Element k is x[k stride], and its place in the outputs the same. */
typedef struct lucid__long_row {
    const void *x;
    void *values;       /* NULL: not wanted */
    int64_t *positions; /* NULL: not wanted */
    int64_t n, stride;
    lucid_dtype dtype;
    bool descending;
} lucid__long_row;

/* What lucid__sort_long wants of scratch memory, in bytes. */
size_t lucid__sort_long_scratch(lucid_dtype dtype, int64_t n);

/* With so many threads, which do not show in the result. */
void lucid__sort_long(const lucid__long_row *r, int threads, void *scratch);

#endif
