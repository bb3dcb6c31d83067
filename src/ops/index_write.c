/* Writing at positions: index_put, index_add, index_copy, slice_put. Each returns the new tensor. */
#include <string.h>

#include "ops/indexing.h"
#include "ops/numbers.h"
#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

static bool broadcasts_to(const lucid_shape *from, const lucid_shape *to)
{
    int lead = to->ndim - from->ndim;
    bool fits = lead >= 0;
    for (int i = 0; fits && i < from->ndim; i++)
        fits = from->dim[i] == 1 || from->dim[i] == to->dim[lead + i];
    return fits;
}

lucid_tensor lucid__fit_values(lucid_scope *s, const char *name, lucid_tensor values,
                               lucid_tensor x, const lucid_shape *shape)
{
    if (!lucid__ok(s) || !broadcasts_to(&values.v->aval.shape, shape)) {
        char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: values of shape %s do not broadcast to the places' shape %s", name,
                            lucid__shape_text(&values.v->aval.shape, a, sizeof a),
                            lucid__shape_text(shape, b, sizeof b));
    }
    return lucid__cast_all(s, name, &values, 1, x.v->aval.dtype)
               ? lucid__broadcast(s, values, shape)
               : (lucid_tensor){NULL};
}

/* ---- index_put ----------------------------------------------------------------------------- */

static lucid_tensor index_put(lucid_scope *s, lucid_tensor x, const lucid_tensor *index, size_t n,
                              lucid_tensor values, bool accumulate)
{
    if (!x.v)
        return x;
    const lucid_shape *shape = &x.v->aval.shape;
    if (n == 0) {
        lucid_tensor all = lucid__fit_values(s, "index_put", values, x, shape);
        return accumulate ? lucid_add(s, x, all) : all;
    }
    lucid_tensor in[MAX + 2] = {x};
    memcpy(in + 2, index, n * sizeof *in);
    if (!lucid__broadcast_all(s, "index_put", in + 2, n))
        return (lucid_tensor){NULL};
    lucid_shape places = in[2].v->aval.shape;
    int k = places.ndim, rest = shape->ndim - (int)n;
    if (k + rest > MAX)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "index_put: the places have %d dims, at most %d "
                            "can be",
                            k + rest, MAX);
    places.ndim = k + rest;
    memcpy(places.dim + k, shape->dim + n, (size_t)rest * sizeof(int64_t));
    in[1] = lucid__fit_values(s, "index_put", values, x, &places);
    const int64_t params[2] = {0, lucid__use_param(s, LUCID__FOR_index_put, 0)};
    return lucid__bind1(s, accumulate ? LUCID__scatter_add : LUCID__scatter, in, (int)n + 2, params,
                        2);
}

lucid_tensor lucid_index_put(lucid_scope *s, lucid_tensor x, const lucid_tensor *index, size_t n,
                             lucid_tensor values, bool accumulate)
{
    if (!lucid__check(s, "index_put", x) || !lucid__check(s, "index_put", values) ||
        !lucid__check_indices(s, "index_put", index, n))
        return (lucid_tensor){NULL};
    if (n > (size_t)x.v->aval.shape.ndim)
        return lucid__error(s, LUCID_INDEX_ERROR, "index_put: %zu indices for a %d-D tensor", n,
                            x.v->aval.shape.ndim);
    lucid_scope child;
    lucid__scope_enter(&child, s);
    x = lucid__strong(&child, x);
    return lucid__leave_with(&child, index_put(&child, x, index, n, values, accumulate));
}

/* ---- index_add, index_copy ----------------------------------------------------------------- */

static lucid_tensor write_rows(lucid_scope *s, const char *name, lucid__prim_id prim,
                               lucid_tensor x, int dim, lucid_tensor index, lucid_tensor values)
{
    lucid_shape shape = x.v->aval.shape;
    shape.dim[dim] = lucid__numel(&index.v->aval.shape);
    lucid__position_use use =
        prim == LUCID__scatter_add ? LUCID__FOR_index_add : LUCID__FOR_index_copy;
    const int64_t params[2] = {0, lucid__use_param(s, use, dim)};
    lucid_tensor v = lucid__fit_values(s, name, values, x, &shape);
    lucid_tensor in[3] = {lucid_movedim(s, x, dim, 0), lucid_movedim(s, v, dim, 0),
                          lucid_reshape(s, index, LUCID_SHAPE(shape.dim[dim]))};
    return lucid_movedim(s, lucid__bind1(s, prim, in, 3, params, 2), 0, dim);
}

static lucid_tensor index_write(lucid_scope *s, const char *name, lucid__prim_id prim,
                                lucid_tensor x, int dim, lucid_tensor index, lucid_tensor values)
{
    if (!lucid__check(s, name, x) || !lucid__check_indices(s, name, &index, 1) ||
        !lucid__check(s, name, values))
        return (lucid_tensor){NULL};
    if (x.v->aval.shape.ndim == 0)
        return lucid__error(s, LUCID_INDEX_ERROR, "%s: a 0-D tensor has no dim to write to", name);
    if (index.v->aval.shape.ndim > 1)
        return lucid__error(s, LUCID_VALUE_ERROR, "%s: the index has %d dims, expected 1", name,
                            index.v->aval.shape.ndim);
    int at = lucid__dim(s, name, dim, x.v->aval.shape.ndim);
    if (at < 0)
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, write_rows(&child, name, prim, x, at, index, values));
}

lucid_tensor lucid_index_add(lucid_scope *s, lucid_tensor x, int dim, lucid_tensor index,
                             lucid_tensor values)
{
    return index_write(s, "index_add", LUCID__scatter_add, x, dim, index, values);
}

lucid_tensor lucid_index_copy(lucid_scope *s, lucid_tensor x, int dim, lucid_tensor index,
                              lucid_tensor values)
{
    return index_write(s, "index_copy", LUCID__scatter, x, dim, index, values);
}

/* ---- slice_put ----------------------------------------------------------------------------- */

/* The places start, start + step, ... before stop of a dim, as Python's slice.indices counts them. */
typedef struct places {
    int64_t first, count, step;
} places;

static int64_t clip(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

static places resolve(int64_t start, int64_t stop, int64_t step, int64_t size)
{
    /* Just before the first and just after the last place that there can be. */
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? size - 1 : size;
    bool to_the_end = stop == LUCID_END;
    start = clip(start < 0 ? start + size : start, low, high);
    stop = clip(stop < 0 ? stop + size : stop, low, high);
    if (to_the_end)
        stop = step < 0 ? -1 : size;
    int64_t span = step < 0 ? start - stop : stop - start;
    /* As unsigned: the step may be INT64_MIN. */
    uint64_t stride = step < 0 ? 0 - (uint64_t)step : (uint64_t)step;
    int64_t count = span <= 0 ? 0 : (int64_t)(((uint64_t)span - 1) / stride) + 1;
    return (places){start, count, count > 1 ? step : 1};
}

/* Turns the values around where the step is negative, and spreads them over the shape of x. */
static lucid_tensor spread(lucid_scope *s, lucid_tensor values, const places *p,
                           const lucid_shape *shape)
{
    int n = shape->ndim;
    int64_t turn[3 * MAX], pad[3 * MAX];
    bool turned = false;
    for (int i = 0; i < n; i++) {
        bool back = p[i].step < 0;
        int64_t step = back ? -p[i].step : p[i].step, last = p[i].count - 1;
        turned |= back;
        turn[i] = back ? last : 0;
        turn[n + i] = p[i].count;
        turn[2 * n + i] = back ? -1 : 1;
        pad[i] = back ? p[i].first - last * step : p[i].first;
        pad[n + i] = shape->dim[i] - 1 - (pad[i] + last * step);
        pad[2 * n + i] = step - 1;
    }
    if (turned)
        values = lucid__bind1(s, LUCID__slice, &values, 1, turn, 3 * n);
    return lucid__bind1(s, LUCID__pad, &values, 1, pad, 3 * n);
}

static lucid_tensor slice_put(lucid_scope *s, lucid_tensor x, const places *p, lucid_tensor values)
{
    if (!x.v)
        return x;
    const lucid_shape *shape = &x.v->aval.shape;
    lucid_shape region = {.ndim = shape->ndim};
    for (int i = 0; i < shape->ndim; i++)
        region.dim[i] = p[i].count;
    lucid_tensor v = lucid__fit_values(s, "slice_put", values, x, &region);
    if (!v.v || lucid__numel(&region) == 0)
        return v.v ? x : v;
    lucid_tensor inside = lucid__broadcast(s, lucid_scalar_bool(s, true), &region);
    return lucid_where(s, spread(s, inside, p, shape), spread(s, v, p, shape), x);
}

lucid_tensor lucid_slice_put(lucid_scope *s, lucid_tensor x, const int64_t *start,
                             const int64_t *stop, const int64_t *step, lucid_tensor values)
{
    if (!lucid__check(s, "slice_put", x) || !lucid__check(s, "slice_put", values))
        return (lucid_tensor){NULL};
    const lucid_shape *shape = &x.v->aval.shape;
    places p[MAX] = {{0}};
    for (int i = 0; i < shape->ndim; i++) {
        if (step[i] == 0)
            return lucid__error(s, LUCID_VALUE_ERROR, "slice_put: the step of dim %d is 0", i);
        p[i] = resolve(start[i], stop[i], step[i], shape->dim[i]);
    }
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, slice_put(&child, lucid__strong(&child, x), p, values));
}
