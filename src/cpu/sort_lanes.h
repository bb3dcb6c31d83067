/* Sorting short rows side by side, one row per SIMD lane, compiled for several instruction sets. */
#ifndef LUCID__SORT_LANES_H
#define LUCID__SORT_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

enum {
    LUCID__SORT_MAX_LANES = 8,
    LUCID__SORT_MAX_LENGTH = 4096, /* longer rows are for the radix sort (sort_radix.c) */
};

/* `count` rows of n elements, at most the lanes there are. Element k of row i is x[first[i] + k stride],
 * and its place in the outputs the same. */
typedef struct lucid__sort_rows {
    const void *x;
    void *values;       /* NULL: not wanted */
    int64_t *positions; /* where in its row each of `values` was; NULL: not wanted */
    int64_t n, stride;
    int count;
    bool descending;
    int64_t first[LUCID__SORT_MAX_LANES];
    void *scratch; /* lucid__sort_scratch bytes, aligned to 64 */
} lucid__sort_rows;

typedef void lucid__sort_lanes_fn(const lucid__sort_rows *r);

typedef struct lucid__sort_isa {
    int lanes;
    lucid__sort_lanes_fn *sort[LUCID_NO_DTYPE];
} lucid__sort_isa;

/* A pair of 64-bit numbers per element, and the rows filled up to a multiple of 8. */
static inline size_t lucid__sort_scratch(int64_t n)
{
    return (size_t)(n + 7) / 8 * 8 * LUCID__SORT_MAX_LANES * 2 * sizeof(int64_t);
}

/* ---- keys: integers in the order that is wanted, NaN behind all numbers ------------------------- */

/* Positive floats are ordered by their bits, negative ones backwards. Zeros of both signs are equal,
 * and all NaNs. */
static inline int32_t lucid__sort_key_f32(float x)
{
    union {
        float x;
        int32_t bits;
    } u = {x == 0 ? 0 : x};
    int32_t key = u.bits ^ ((u.bits >> 31) & INT32_MAX);
    return x != x ? INT32_MAX : key;
}

static inline int64_t lucid__sort_key_f64(double x)
{
    union {
        double x;
        int64_t bits;
    } u = {x == 0 ? 0 : x};
    int64_t key = u.bits ^ ((u.bits >> 63) & INT64_MAX);
    return x != x ? INT64_MAX : key;
}

/* Keys of 32 bits come with their position in one number, which makes equal ones different and keeps
 * their order. */
static inline int64_t lucid__sort_pack(int32_t key, int64_t position)
{
    return (int64_t)((uint64_t)(uint32_t)key << 32 | (uint64_t)position);
}

#endif
