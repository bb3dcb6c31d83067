/* gather: copies the row behind every position. Work is cut into blocks of positions, or of the
 * elements of one row where positions are few and rows are long. */
#include <string.h>

#include "base/dtype.h"
#include "cpu/index_walk.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"

enum { PARALLEL = 1 << 15 };

/* Copies elements from .. from + n - 1 of a row, in row-major order. */
#define COPY_ROW(type) \
    static void copy_row_##type(const lucid__row *row, const type *x, int64_t from, int64_t n, \
                                type *y) \
    { \
        if (row->ndim == 0) { \
            y[0] = x[0]; \
        } else if (row->ndim == 1 && row->stride[0] == 1) { \
            memcpy(y, x + from, (size_t)n * sizeof *y); \
        } else if (row->ndim == 1) { \
            for (int64_t i = 0; i < n; i++) \
                y[i] = x[(from + i) * row->stride[0]]; \
        } else { \
            lucid_shape shape = {.ndim = row->ndim}; \
            memcpy(shape.dim, row->dim, sizeof row->dim); \
            for (int64_t done = 0; done < n; done += LUCID__INDEX_BLOCK) { \
                int64_t at[LUCID__INDEX_BLOCK]; \
                int64_t few = n - done < LUCID__INDEX_BLOCK ? n - done : LUCID__INDEX_BLOCK; \
                lucid__strided_offsets(&shape, row->stride, from + done, few, at); \
                for (int64_t i = 0; i < few; i++) \
                    y[done + i] = x[at[i]]; \
            } \
        } \
    }
COPY_ROW(uint8_t)
COPY_ROW(uint32_t)
COPY_ROW(uint64_t)

static void copy_row(const lucid__row *row, size_t size, const void *x, int64_t offset,
                     int64_t from, int64_t n, void *y, int64_t to)
{
    if (size == 4)
        copy_row_uint32_t(row, (const uint32_t *)x + offset, from, n, (uint32_t *)y + to);
    else if (size == 8)
        copy_row_uint64_t(row, (const uint64_t *)x + offset, from, n, (uint64_t *)y + to);
    else
        copy_row_uint8_t(row, (const uint8_t *)x + offset, from, n, (uint8_t *)y + to);
}

lucid_status lucid__gather_kernel(const lucid__kernel_args *args)
{
    const lucid__view *x = args->in;
    lucid__index_walk w = lucid__index_walk_new(args, x, 1, false);
    lucid__row row = lucid__row_new(x, (int)args->params[0] + w.m);
    size_t size = lucid_dtype_size(x->dtype);
    int64_t blocks = (w.count + LUCID__INDEX_BLOCK - 1) / LUCID__INDEX_BLOCK;
    /* Pieces of a row: so many that a piece times a block of positions is worth a thread's while. */
    int64_t piece = row.count;
    if (w.count < LUCID__INDEX_BLOCK && w.count > 0)
        piece = PARALLEL / w.count;
    int64_t pieces = row.count > piece ? (row.count + piece - 1) / piece : 1;
    bool all_fit = true;
    bool parallel = w.count * (row.count > 0 ? row.count : 1) > PARALLEL;
#pragma omp parallel for collapse(2) num_threads(lucid__team_if(parallel)) reduction(&& : all_fit)
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t p = 0; p < pieces; p++) {
            int64_t offset[LUCID__INDEX_BLOCK];
            int64_t first = b * LUCID__INDEX_BLOCK, from = p * piece;
            int64_t n = w.count - first < LUCID__INDEX_BLOCK ? w.count - first : LUCID__INDEX_BLOCK;
            int64_t length = row.count - from < piece ? row.count - from : piece;
            if (!lucid__index_offsets(&w, first, n, offset))
                all_fit = false;
            else if (length > 0)
                for (int64_t i = 0; i < n; i++)
                    copy_row(&row, size, x->data, offset[i], from, length, args->out->data,
                             (first + i) * row.count + from);
        }
    return all_fit ? LUCID_OK : lucid__index_report(&w, args);
}
