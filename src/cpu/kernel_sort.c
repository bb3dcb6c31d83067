/* sort: short rows side by side in SIMD lanes (isa_sort.c), long ones each by itself (sort_radix.c). Both
 * order the same keys and break ties by position, so which of them runs shows only in the time it takes. */
#include <stdio.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "cpu/instr.h"
#include "cpu/kernels.h"
#include "cpu/rows.h"
#include "cpu/sort_radix.h"
#include "cpu/threads.h"

enum {
    LONE_LENGTH = 256, /* rows up to this go into lanes even where they leave most of them empty */
    ALIGNMENT = 64,
};

typedef struct work {
    const lucid__kernel_args *args;
    lucid__rows r;
    size_t size; /* of an element */
    bool descending;
} work;

/* Where row i of all begins. */
static int64_t row_start(const work *w, int64_t i)
{
    return i / w->r.inner * w->r.n * w->r.inner + i % w->r.inner;
}

/* Memory aligned to ALIGNMENT in `block`, which is what is to be freed. */
static void *aligned(size_t bytes, void **block)
{
    *block = lucid__malloc(bytes + ALIGNMENT);
    if (!*block)
        return NULL;
    return (char *)*block + (ALIGNMENT - (uintptr_t)*block % ALIGNMENT);
}

static bool sort_short_rows(const work *w, int threads)
{
    const lucid__sort_isa *isa = lucid__bodies_get()->sort;
    const lucid__kernel_args *args = w->args;
    int64_t rows = w->r.outer * w->r.inner, tiles = (rows + isa->lanes - 1) / isa->lanes;
    bool enough_memory = true;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads)) reduction(&& : enough_memory)
    {
        void *block;
        lucid__sort_rows t = {.x = args->in->data,
                              .values = args->out[0].data,
                              .positions = args->out[1].data,
                              .n = w->r.n,
                              .stride = w->r.inner,
                              .descending = w->descending,
                              .scratch = aligned(lucid__sort_scratch(w->r.n), &block)};
        enough_memory = t.scratch != NULL;
#pragma omp for schedule(static) nowait
        for (int64_t i = 0; i < tiles; i++) {
            int64_t first = i * isa->lanes, left = rows - first;
            if (!t.scratch || lucid__stop())
                continue;
            t.count = left < isa->lanes ? (int)left : isa->lanes;
            for (int j = 0; j < t.count; j++)
                t.first[j] = row_start(w, first + j);
            isa->sort[args->in->dtype](&t);
        }
        lucid__free(block);
        lucid__team_finish(&finished);
    }
    return enough_memory;
}

static void sort_long_row(const work *w, int64_t i, int threads, void *scratch)
{
    const lucid__kernel_args *args = w->args;
    int64_t start = row_start(w, i), offset = start * (int64_t)w->size;
    char *values = args->out[0].data;
    int64_t *positions = args->out[1].data;
    const lucid__long_row row = {.x = (const char *)args->in->data + offset,
                                 .values = values ? values + offset : NULL,
                                 .positions = positions ? positions + start : NULL,
                                 .n = w->r.n,
                                 .stride = w->r.inner,
                                 .dtype = args->in->dtype,
                                 .descending = w->descending};
    lucid__sort_long(&row, threads, scratch);
}

/* All rows, one after the other by all threads. */
static bool sort_together(const work *w, int threads, size_t scratch_bytes)
{
    const int64_t rows = w->r.outer * w->r.inner;
    void *scratch = lucid__malloc(scratch_bytes);
    const bool enough_memory = scratch != NULL;
    for (int64_t i = 0; enough_memory && i < rows; i++)
        sort_long_row(w, i, threads, scratch);
    lucid__free(scratch);
    return enough_memory;
}

/* Few rows are sorted together, many by one thread each. */
static bool sort_long_rows(const work *w, int threads)
{
    const int64_t rows = w->r.outer * w->r.inner;
    const size_t scratch_bytes = lucid__sort_long_scratch(w->args->in->dtype, w->r.n);
    if (rows < threads || threads == 1)
        return sort_together(w, threads, scratch_bytes);
    bool enough_memory = true;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team(threads)) reduction(&& : enough_memory)
    {
        void *scratch = lucid__malloc(scratch_bytes);
        enough_memory = scratch != NULL;
#pragma omp for schedule(static) nowait
        for (int64_t i = 0; i < rows; i++)
            if (scratch)
                sort_long_row(w, i, 1, scratch);
        lucid__free(scratch);
        lucid__team_finish(&finished);
    }
    return enough_memory;
}

lucid_status lucid__sort_kernel(const lucid__kernel_args *args)
{
    const work w = {.args = args,
                    .r = lucid__rows_of(args),
                    .size = lucid_dtype_size(args->in->dtype),
                    .descending = args->params[1] != 0};
    if (lucid__numel(&args->in->shape) == 0)
        return LUCID_OK;
    int64_t lanes = lucid__bodies_get()->sort->lanes;
    bool few = w.r.outer * w.r.inner < lanes / 2;
    int threads = w.r.parallel ? lucid__num_threads() : 1;
    bool in_lanes = w.r.n <= (few ? LONE_LENGTH : LUCID__SORT_MAX_LENGTH);
    if (in_lanes ? sort_short_rows(&w, threads) : sort_long_rows(&w, threads))
        return LUCID_OK;
    (void)snprintf(args->error, args->error_size, "sort: out of memory");
    return LUCID_MEMORY_ERROR;
}
