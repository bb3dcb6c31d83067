/* sort: rows of (key, position) pairs. A key is an unsigned number whose order is the one wanted, NaN
 * last, or first when descending; so one stable sort serves all dtypes and both directions. Short rows
 * are sorted by insertion, long ones by counting digits of 8 bits (radix), skipping those that are
 * the same in the whole row. */
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "cpu/kernels.h"
#include "cpu/rows.h"
#include "cpu/threads.h"

enum { SHORT = 48, MERGED = 512, RADIX = 256, DIGITS = 8 };

typedef struct pair {
    uint64_t key;
    int64_t at;
} pair;

/* Negative floats order backwards by their bits: flip all; positive ones: flip the sign. Zeros of both
 * signs are equal, and all NaNs. */
static uint64_t key_of_float(double x)
{
    const uint64_t sign = UINT64_C(1) << 63;
    if (x != x)
        return UINT64_MAX;
    uint64_t bits;
    x = x == 0 ? 0 : x;
    memcpy(&bits, &x, sizeof bits);
    return bits & sign ? ~bits : bits | sign;
}

static uint64_t key_of(const void *x, lucid_dtype dtype, int64_t at)
{
    const uint64_t sign = UINT64_C(1) << 63;
    switch (dtype) {
    case LUCID_BOOL:
        return ((const uint8_t *)x)[at] != 0;
    case LUCID_INT32:
        return (uint64_t)((const int32_t *)x)[at] ^ sign;
    case LUCID_INT64:
        return (uint64_t)((const int64_t *)x)[at] ^ sign;
    case LUCID_FLOAT32:
        return key_of_float((double)((const float *)x)[at]);
    default:
        return key_of_float(((const double *)x)[at]);
    }
}

static void insertion_sort(pair *row, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        pair p = row[i];
        int64_t j = i;
        for (; j > 0 && row[j - 1].key > p.key; j--)
            row[j] = row[j - 1];
        row[j] = p;
    }
}

/* Each sorts `row` with the help of `spare`; the result may be in either, which is returned. */
static pair *merge_sort(pair *row, pair *spare, int64_t n)
{
    for (int64_t i = 0; i < n; i += SHORT)
        insertion_sort(row + i, n - i < SHORT ? n - i : SHORT);
    for (int64_t width = SHORT; width < n; width *= 2) {
        for (int64_t i = 0; i < n; i += 2 * width) {
            int64_t middle = n - i < width ? n : i + width;
            int64_t end = n - i < 2 * width ? n : i + 2 * width;
            int64_t a = i, b = middle;
            for (int64_t k = i; k < end; k++)
                spare[k] =
                    b == end || (a < middle && row[a].key <= row[b].key) ? row[a++] : row[b++];
        }
        pair *sorted = spare;
        spare = row;
        row = sorted;
    }
    return row;
}

static pair *radix_sort(pair *row, pair *spare, int64_t n)
{
    int64_t count[DIGITS][RADIX] = {{0}};
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < DIGITS; d++)
            count[d][(row[i].key >> (8 * d)) & (RADIX - 1)]++;
    for (int d = 0; d < DIGITS; d++) {
        if (count[d][(row[0].key >> (8 * d)) & (RADIX - 1)] == n)
            continue;
        int64_t next[RADIX], sum = 0;
        for (int v = 0; v < RADIX; v++) {
            next[v] = sum;
            sum += count[d][v];
        }
        for (int64_t i = 0; i < n; i++)
            spare[next[(row[i].key >> (8 * d)) & (RADIX - 1)]++] = row[i];
        pair *sorted = spare;
        spare = row;
        row = sorted;
    }
    return row;
}

static pair *sort_row(pair *row, pair *spare, int64_t n)
{
    return n <= MERGED ? merge_sort(row, spare, n) : radix_sort(row, spare, n);
}

static void copy_element(size_t size, const void *x, int64_t from, void *y, int64_t to)
{
    if (size == 4)
        ((uint32_t *)y)[to] = ((const uint32_t *)x)[from];
    else if (size == 8)
        ((uint64_t *)y)[to] = ((const uint64_t *)x)[from];
    else
        ((uint8_t *)y)[to] = ((const uint8_t *)x)[from];
}

lucid_status lucid__sort_kernel(const lucid__kernel_args *args)
{
    lucid__rows r = lucid__rows_of(args);
    const lucid__view *x = args->in;
    size_t size = lucid_dtype_size(x->dtype);
    uint64_t flip = args->params[1] ? UINT64_MAX : 0;
    int64_t *position = args->out[1].data;
    bool enough_memory = true, parallel = r.parallel && r.outer * r.inner > 1;
    if (r.n == 0)
        return LUCID_OK;
#pragma omp parallel num_threads(lucid__num_threads()) if (parallel) reduction(&& : enough_memory)
    {
        pair *rows = lucid__malloc(2 * (size_t)r.n * sizeof *rows);
        enough_memory = rows != NULL;
#pragma omp for collapse(2)
        for (int64_t o = 0; o < r.outer; o++)
            for (int64_t j = 0; j < r.inner; j++) {
                if (!rows)
                    continue;
                int64_t base = o * r.n * r.inner + j;
                for (int64_t k = 0; k < r.n; k++) {
                    rows[k].key = key_of(x->data, x->dtype, base + k * r.inner) ^ flip;
                    rows[k].at = k;
                }
                const pair *sorted = sort_row(rows, rows + r.n, r.n);
                for (int64_t k = 0; k < r.n; k++) {
                    int64_t to = base + k * r.inner;
                    position[to] = sorted[k].at;
                    copy_element(size, x->data, base + sorted[k].at * r.inner, args->out->data, to);
                }
            }
        lucid__free(rows);
    }
    if (enough_memory)
        return LUCID_OK;
    (void)snprintf(args->error, args->error_size, "sort: out of memory");
    return LUCID_MEMORY_ERROR;
}
