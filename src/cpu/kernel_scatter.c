/* scatter_add, scatter: the output starts as a copy of y, then takes the rows of v in row-major order.
 * Threads share out the leading dims b, or where there is one such slab, the elements of the rows,
 * so each output element is written by one thread and in one order. */
#include <string.h>

#include "base/dtype.h"
#include "cpu/index_walk.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"

enum { PARALLEL = 1 << 15 };

typedef void write_row(const lucid__row *row, const void *v, int64_t offset, int64_t from,
                       int64_t n, void *out, int64_t to);

/* out[i] = or += v[i] for elements from .. from + n - 1 of a row. */
#define WRITE_ROW(name, type, statement) \
    static void name(const lucid__row *row, const void *v, int64_t offset, int64_t from, \
                     int64_t n, void *out, int64_t to) \
    { \
        const type *x = (const type *)v + offset; \
        type *y = (type *)out + to; \
        if (row->ndim <= 1) { \
            int64_t stride = row->ndim == 0 ? 0 : row->stride[0]; \
            for (int64_t i = 0; i < n; i++) { \
                type e = x[(from + i) * stride]; \
                statement; \
            } \
            return; \
        } \
        lucid_shape shape = {.ndim = row->ndim}; \
        memcpy(shape.dim, row->dim, sizeof row->dim); \
        for (int64_t done = 0; done < n; done += LUCID__INDEX_BLOCK) { \
            int64_t at[LUCID__INDEX_BLOCK]; \
            int64_t few = n - done < LUCID__INDEX_BLOCK ? n - done : LUCID__INDEX_BLOCK; \
            lucid__strided_offsets(&shape, row->stride, from + done, few, at); \
            for (int64_t i = done; i < done + few; i++) { \
                type e = x[at[i - done]]; \
                statement; \
            } \
        } \
    }
WRITE_ROW(put_1, uint8_t, y[i] = e)
WRITE_ROW(put_4, uint32_t, y[i] = e)
WRITE_ROW(put_8, uint64_t, y[i] = e)
WRITE_ROW(add_bool, uint8_t, y[i] |= e)
/* Unsigned: integer sums wrap around. */
WRITE_ROW(add_int32, uint32_t, y[i] += e)
WRITE_ROW(add_int64, uint64_t, y[i] += e)
WRITE_ROW(add_float32, float, y[i] += e)
WRITE_ROW(add_float64, double, y[i] += e)

static write_row *const put_by_size[] = {[1] = put_1, [4] = put_4, [8] = put_8};
static write_row *const add_by_dtype[] = {
    [LUCID_BOOL] = add_bool,       [LUCID_INT32] = add_int32,     [LUCID_INT64] = add_int64,
    [LUCID_FLOAT32] = add_float32, [LUCID_FLOAT64] = add_float64,
};

static void copy_in(const lucid__view *y, void *out)
{
    lucid__row all = lucid__row_new(y, 0);
    size_t size = lucid_dtype_size(y->dtype);
    if (all.count > 0 && all.ndim == 1 && all.stride[0] == 1) {
        memcpy(out, y->data, (size_t)all.count * size);
        return;
    }
    int64_t blocks = (all.count + PARALLEL - 1) / PARALLEL;
#pragma omp parallel for num_threads(lucid__team_if(blocks > 1))
    for (int64_t b = 0; b < blocks; b++) {
        int64_t from = b * PARALLEL;
        int64_t n = all.count - from < PARALLEL ? all.count - from : PARALLEL;
        put_by_size[size](&all, y->data, 0, from, n, out, from);
    }
}

static lucid_status scatter(const lucid__kernel_args *args, write_row *write)
{
    const lucid__view *y = args->in, *v = args->in + 1;
    int nb = (int)args->params[0];
    lucid__index_walk w = lucid__index_walk_new(args, y, 2, true);
    lucid__row row = lucid__row_new(v, w.positions.ndim);
    copy_in(y, args->out->data);
    if (w.count == 0)
        return LUCID_OK;
    int64_t slabs = 1;
    for (int i = 0; i < nb; i++)
        slabs *= w.positions.dim[i];
    int64_t per_slab = w.count / slabs;
    int64_t piece = row.count;
    if (slabs == 1 && row.ndim <= 1 && row.count > 1) {
        piece = PARALLEL / per_slab;
        piece = piece < 64 ? 64 : piece;
    }
    int64_t pieces = row.count > piece ? (row.count + piece - 1) / piece : 1;
    /* Slabs of few positions go to a thread together. */
    int64_t together = per_slab < LUCID__INDEX_BLOCK ? LUCID__INDEX_BLOCK / per_slab : 1;
    int64_t per_group = together * per_slab, groups = (w.count + per_group - 1) / per_group;
    bool all_fit = true;
    bool parallel = w.count * (row.count > 0 ? row.count : 1) > PARALLEL;
#pragma omp parallel for collapse(2) num_threads(lucid__team_if(parallel)) reduction(&& : all_fit)
    for (int64_t g = 0; g < groups; g++)
        for (int64_t p = 0; p < pieces; p++) {
            int64_t to[LUCID__INDEX_BLOCK], at[LUCID__INDEX_BLOCK];
            int64_t from = p * piece, end = (g + 1) * per_group;
            end = end < w.count ? end : w.count;
            int64_t length = row.count - from < piece ? row.count - from : piece;
            for (int64_t first = g * per_group; first < end; first += LUCID__INDEX_BLOCK) {
                int64_t n = end - first < LUCID__INDEX_BLOCK ? end - first : LUCID__INDEX_BLOCK;
                lucid__strided_offsets(&w.positions, v->stride, first, n, at);
                if (!lucid__index_offsets(&w, first, n, to))
                    all_fit = false;
                else if (length > 0)
                    for (int64_t i = 0; i < n; i++)
                        write(&row, v->data, at[i], from, length, args->out->data, to[i] + from);
            }
        }
    return all_fit ? LUCID_OK : lucid__index_report(&w, args);
}

lucid_status lucid__scatter_add_kernel(const lucid__kernel_args *args)
{
    return scatter(args, add_by_dtype[args->in[0].dtype]);
}

lucid_status lucid__scatter_kernel(const lucid__kernel_args *args)
{
    return scatter(args, put_by_size[lucid_dtype_size(args->in[0].dtype)]);
}
