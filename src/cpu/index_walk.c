#include "cpu/index_walk.h"

#include "cpu/instr.h"
#include "prim/position_use.h"

lucid__index_walk lucid__index_walk_new(const lucid__kernel_args *args, const lucid__view *x,
                                        int at, bool row_major)
{
    int nb = (int)args->params[0];
    const lucid__view *index = args->in + at;
    lucid__index_walk w = {
        .positions = index->shape,
        .count = lucid__numel(&index->shape),
        .m = args->nin - at,
        .shown_dim = args->nparams > 1 ? (int)args->params[1] : 0,
        .index = index,
    };
    int64_t own[LUCID_MAX_NDIM];
    lucid__strides(&x->shape, own);
    const int64_t *stride = row_major ? own : x->stride;
    for (int i = 0; i < nb; i++)
        w.stride[i] = stride[i];
    for (int j = 0; j < w.m; j++) {
        w.size[j] = x->shape.dim[nb + j];
        w.step[j] = stride[nb + j];
    }
    return w;
}

/* A walk over a strided tensor in row-major order, run by run along the last dim. */
typedef struct runs {
    const lucid_shape *shape;
    const int64_t *stride;
    int64_t at[LUCID_MAX_NDIM]; /* the position that comes next */
    int64_t offset;
} runs;

static runs runs_from(const lucid_shape *shape, const int64_t *stride, int64_t first)
{
    runs r = {.shape = shape, .stride = stride};
    for (int d = shape->ndim; d-- > 0;) {
        r.at[d] = first % shape->dim[d];
        first /= shape->dim[d];
        r.offset += r.at[d] * stride[d];
    }
    return r;
}

/* The length of the run from here, at most n, and its offset and step; moves on past it. */
static int64_t runs_next(runs *r, int64_t n, int64_t *offset, int64_t *step)
{
    int d = r->shape->ndim - 1;
    *offset = r->offset;
    *step = d < 0 ? 0 : r->stride[d];
    if (d < 0)
        return 1;
    int64_t length = r->shape->dim[d] - r->at[d];
    if (length > n)
        length = n;
    r->at[d] += length;
    r->offset += length * r->stride[d];
    for (; d > 0 && r->at[d] == r->shape->dim[d]; d--) {
        r->offset += r->stride[d - 1] - r->at[d] * r->stride[d];
        r->at[d] = 0;
        r->at[d - 1]++;
    }
    return length;
}

void lucid__strided_offsets(const lucid_shape *shape, const int64_t *stride, int64_t first,
                            int64_t n, int64_t *offset)
{
    runs r = runs_from(shape, stride, first);
    for (int64_t done = 0; done < n;) {
        int64_t start, step, length = runs_next(&r, n - done, &start, &step);
        for (int64_t i = 0; i < length; i++)
            offset[done + i] = start + i * step;
        done += length;
    }
}

/* Adds index * step for `length` indices of one run; false when one is out of range. */
#define ADD_RUN(type) \
    { \
        const type *p = (const type *)x->data + start; \
        for (int64_t i = 0; i < length; i++) { \
            int64_t v = p[i * stride]; \
            bool fits = v >= -size && v < size; \
            all_fit &= fits; \
            offset[i] += fits ? (v < 0 ? v + size : v) * step : 0; \
        } \
    }

static bool add_run(const lucid__view *x, int64_t start, int64_t stride, int64_t length,
                    int64_t size, int64_t step, int64_t *offset)
{
    bool all_fit = true;
    const lucid__look_up *look_up = lucid__bodies_get()->look_up;
    if (stride == 1 && x->dtype == LUCID_INT32)
        return look_up->locate_int32(offset, (const int32_t *)x->data + start, length, size, step);
    if (stride == 1)
        return look_up->locate_int64(offset, (const int64_t *)x->data + start, length, size, step);
    if (x->dtype == LUCID_INT32)
        ADD_RUN(int32_t)
    else
        ADD_RUN(int64_t)
    return all_fit;
}

bool lucid__index_offsets(const lucid__index_walk *w, int64_t first, int64_t n, int64_t *offset)
{
    bool all_fit = true;
    lucid__strided_offsets(&w->positions, w->stride, first, n, offset);
    for (int j = 0; j < w->m; j++) {
        runs r = runs_from(&w->positions, w->index[j].stride, first);
        for (int64_t done = 0; done < n;) {
            int64_t start, stride, length = runs_next(&r, n - done, &start, &stride);
            all_fit &=
                add_run(&w->index[j], start, stride, length, w->size[j], w->step[j], offset + done);
            done += length;
        }
    }
    return all_fit;
}

lucid_status lucid__index_report(const lucid__index_walk *w, const lucid__kernel_args *args)
{
    for (int64_t at = 0; at < w->count; at++)
        for (int j = 0; j < w->m; j++) {
            const lucid__view *x = &w->index[j];
            int64_t where = 0, zero = 0;
            lucid__strided_offsets(&w->positions, x->stride, at, 1, &where);
            if (add_run(x, where, 0, 1, w->size[j], 0, &zero))
                continue;
            int64_t v = x->dtype == LUCID_INT32 ? ((const int32_t *)x->data)[where]
                                                : ((const int64_t *)x->data)[where];
            return lucid__position_message(w->shown_dim + j, v, w->size[j], args->error,
                                           args->error_size);
        }
    return LUCID_OK;
}

lucid__row lucid__row_new(const lucid__view *x, int first_dim)
{
    lucid__row r = {.count = 1};
    for (int d = first_dim; d < x->shape.ndim; d++) {
        int64_t size = x->shape.dim[d], stride = x->stride[d];
        r.count *= size;
        if (size == 1)
            continue;
        if (r.ndim > 0 && r.stride[r.ndim - 1] == size * stride) {
            r.dim[r.ndim - 1] *= size;
            r.stride[r.ndim - 1] = stride;
        } else {
            r.dim[r.ndim] = size;
            r.stride[r.ndim++] = stride;
        }
    }
    return r;
}
