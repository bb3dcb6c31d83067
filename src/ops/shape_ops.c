/* Shapes and views: from what users write to the shape primitives. */
#include <string.h>

#include "ops/builder.h"
#include "ops/numbers.h"
#include "prim/family.h"
#include "transform/level.h"

#define EMPTY ((lucid_tensor){NULL})

lucid_tensor lucid_reshape(lucid_scope *s, lucid_tensor x, lucid_shape shape)
{
    if (!lucid__check(s, "reshape", x))
        return EMPTY;
    int64_t n = lucid__numel(&x.v->aval.shape);
    int unknown = -1;
    lucid_shape known = shape;
    for (int i = 0; i < shape.ndim && i < LUCID_MAX_NDIM; i++) {
        if (shape.dim[i] != -1)
            continue;
        if (unknown >= 0)
            return lucid__error(s, LUCID_VALUE_ERROR, "reshape: only one size can be -1");
        unknown = i;
        known.dim[i] = 1;
    }
    if (!lucid__check_shape(s, "reshape", &known))
        return EMPTY;
    if (unknown >= 0) {
        int64_t rest = lucid__numel(&known);
        if (rest == 0 || n % rest != 0) {
            char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
            return lucid__error(s, LUCID_VALUE_ERROR, "reshape: shape %s does not fit into %s",
                                lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                                lucid__shape_text(&shape, b, sizeof b));
        }
        known.dim[unknown] = n / rest;
    }
    if (lucid__shape_equal(&x.v->aval.shape, &known))
        return lucid__unchanged(s, x);
    return lucid__bind1(s, LUCID__reshape, &x, 1, known.dim, known.ndim);
}

lucid_tensor lucid_permute(lucid_scope *s, lucid_tensor x, lucid_dims order)
{
    if (!lucid__check(s, "permute", x))
        return EMPTY;
    int ndim = x.v->aval.shape.ndim;
    if (order.n != ndim)
        return lucid__error(s, LUCID_VALUE_ERROR, "permute: %d dims given for a %d-D tensor",
                            order.n, ndim);
    int64_t params[LUCID_MAX_NDIM];
    bool used[LUCID_MAX_NDIM] = {false}, same = true;
    for (int i = 0; i < ndim; i++) {
        int dim = lucid__dim(s, "permute", order.dim[i], ndim);
        if (dim < 0)
            return EMPTY;
        if (used[dim])
            return lucid__error(s, LUCID_VALUE_ERROR, "permute: dim %d appears twice",
                                order.dim[i]);
        used[dim] = true;
        params[i] = dim;
        same &= dim == i;
    }
    return same ? lucid__unchanged(s, x) : lucid__bind1(s, LUCID__permute, &x, 1, params, ndim);
}

lucid_tensor lucid_transpose(lucid_scope *s, lucid_tensor x, int dim0, int dim1)
{
    if (!lucid__check(s, "transpose", x))
        return EMPTY;
    int ndim = x.v->aval.shape.ndim;
    int a = lucid__dim(s, "transpose", dim0, ndim), b = lucid__dim(s, "transpose", dim1, ndim);
    if (a < 0 || b < 0)
        return EMPTY;
    lucid_dims order = {.n = ndim};
    for (int i = 0; i < ndim; i++)
        order.dim[i] = i == a ? b : i == b ? a : i;
    return lucid_permute(s, x, order);
}

lucid_tensor lucid_movedim(lucid_scope *s, lucid_tensor x, int from, int to)
{
    if (!lucid__check(s, "movedim", x))
        return EMPTY;
    int ndim = x.v->aval.shape.ndim;
    int a = lucid__dim(s, "movedim", from, ndim), b = lucid__dim(s, "movedim", to, ndim);
    if (a < 0 || b < 0)
        return EMPTY;
    lucid_dims order = {.n = ndim};
    for (int i = 0, next = 0; i < ndim; i++) {
        if (i == b) {
            order.dim[i] = a;
            continue;
        }
        next += next == a;
        order.dim[i] = next++;
    }
    return lucid_permute(s, x, order);
}

lucid_tensor lucid_expand(lucid_scope *s, lucid_tensor x, lucid_shape shape)
{
    if (!lucid__check(s, "expand", x))
        return EMPTY;
    int lead = shape.ndim - x.v->aval.shape.ndim;
    for (int i = 0; i < shape.ndim && i < LUCID_MAX_NDIM; i++) {
        if (shape.dim[i] != -1)
            continue;
        if (i < lead)
            return lucid__error(s, LUCID_VALUE_ERROR,
                                "expand: size -1 at dim %d, which the tensor does not have", i);
        shape.dim[i] = x.v->aval.shape.dim[i - lead];
    }
    if (!lucid__check_shape(s, "expand", &shape))
        return EMPTY;
    if (lucid__shape_equal(&x.v->aval.shape, &shape))
        return lucid__unchanged(s, x);
    return lucid__broadcast(s, x, &shape);
}

lucid_tensor lucid_squeeze(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__check(s, "squeeze", x))
        return EMPTY;
    const lucid_shape *from = &x.v->aval.shape;
    int64_t named[LUCID_MAX_NDIM];
    int n = lucid__dims(s, "squeeze", dims, from->ndim, named);
    if (n < 0)
        return EMPTY;
    lucid_shape to = {0};
    for (int i = 0, k = 0; i < from->ndim; i++) {
        bool drop = k < n && named[k] == i;
        k += drop;
        if (!drop || from->dim[i] != 1)
            to.dim[to.ndim++] = from->dim[i];
    }
    return lucid_reshape(s, x, to);
}

lucid_tensor lucid_unsqueeze(lucid_scope *s, lucid_tensor x, int dim)
{
    if (!lucid__check(s, "unsqueeze", x))
        return EMPTY;
    int ndim = x.v->aval.shape.ndim;
    int at = lucid__wrap_dim(dim, ndim + 1);
    if (at < 0)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "unsqueeze: dim %d is out of range for a %d-D tensor", dim, ndim);
    if (ndim == LUCID_MAX_NDIM)
        return lucid__error(s, LUCID_VALUE_ERROR, "unsqueeze: at most %d dims are possible", ndim);
    return lucid_reshape(s, x, lucid__shape_insert(&x.v->aval.shape, at, 1));
}

lucid_tensor lucid_flatten(lucid_scope *s, lucid_tensor x, int first, int last)
{
    if (!lucid__check(s, "flatten", x))
        return EMPTY;
    const lucid_shape *from = &x.v->aval.shape;
    int a = lucid__dim(s, "flatten", first, from->ndim);
    int b = lucid__dim(s, "flatten", last, from->ndim);
    if (a < 0 || b < 0)
        return EMPTY;
    if (a > b)
        return lucid__error(s, LUCID_VALUE_ERROR, "flatten: first dim %d is after last dim %d",
                            first, last);
    lucid_shape to = {.ndim = 0};
    int64_t size = 1;
    for (int i = 0; i < from->ndim; i++) {
        if (i < a || i > b)
            to.dim[to.ndim++] = from->dim[i];
        else {
            if (size >= 0 && __builtin_mul_overflow(size, from->dim[i], &size))
                size = -1;
            if (i == b)
                to.dim[to.ndim++] = size;
        }
    }
    if (from->ndim == 0)
        to = LUCID_SHAPE(1);
    if (size < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "flatten: the size of the dim is too large");
    return lucid_reshape(s, x, to);
}

/* Python's rule for a slice of n elements: the first one, and how many. */
static void resolve_slice(int64_t n, int64_t start, int64_t stop, int64_t step, int64_t *first,
                          int64_t *count)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? n : n - 1;
    if (start < 0)
        start = start < -n ? low : start + n;
    if (start > high)
        start = high;
    if (stop == LUCID_END)
        stop = step > 0 ? high : low;
    else if (stop < 0)
        stop = stop < -n ? low : stop + n;
    if (stop > high)
        stop = high;
    int64_t span = step > 0 ? stop - start : start - stop;
    uint64_t stride = step > 0 ? (uint64_t)step : (uint64_t)0 - (uint64_t)step;
    *count = span > 0 ? (int64_t)(((uint64_t)span - 1) / stride) + 1 : 0;
    *first = *count > 0 ? start : 0;
}

lucid_tensor lucid_slice(lucid_scope *s, lucid_tensor x, int dim, int64_t start, int64_t stop,
                         int64_t step)
{
    if (!lucid__check(s, "slice", x))
        return EMPTY;
    const lucid_shape shape = lucid_shape_of(x);
    int ndim = shape.ndim;
    int at = lucid__wrap_dim(dim, ndim);
    if (at < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "slice: dim %d is out of range for a %d-D tensor",
                            dim, ndim);
    if (step == 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "slice: the step must not be 0");
    int64_t first, count;
    resolve_slice(shape.dim[at], start, stop, step, &first, &count);
    if (count == shape.dim[at] && (step == 1 || count == 0))
        return lucid__unchanged(s, x);
    int64_t params[3 * LUCID_MAX_NDIM];
    for (int i = 0; i < ndim; i++) {
        params[i] = i == at ? first : 0;
        params[ndim + i] = i == at ? count : shape.dim[i];
        params[2 * ndim + i] = i == at && count > 1 ? step : 1;
    }
    return lucid__bind1(s, LUCID__slice, &x, 1, params, 3 * ndim);
}

lucid_tensor lucid_select(lucid_scope *s, lucid_tensor x, int dim, int64_t index)
{
    if (!lucid__check(s, "select", x))
        return EMPTY;
    const lucid_shape *shape = &x.v->aval.shape;
    int at = lucid__wrap_dim(dim, shape->ndim);
    if (at < 0)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "select: dim %d is out of range for a %d-D tensor", dim, shape->ndim);
    int64_t size = shape->dim[at];
    if (index < -size || index >= size)
        return lucid__error(s, LUCID_INDEX_ERROR,
                            "%s: index %lld is out of range for dim %d of size %lld",
                            lucid__operation(s, "select"), (long long)index, at, (long long)size);
    index = index < 0 ? index + size : index;
    lucid_tensor one = lucid_slice(s, x, at, index, index + 1, 1);
    return one.v ? lucid_reshape(s, one, lucid__shape_remove(&one.v->aval.shape, at)) : one;
}

lucid_tensor lucid_pad(lucid_scope *s, lucid_tensor x, const int64_t *low, const int64_t *high)
{
    if (!lucid__check(s, "pad", x))
        return EMPTY;
    int ndim = x.v->aval.shape.ndim;
    int64_t params[3 * LUCID_MAX_NDIM] = {0};
    for (int i = 0; i < ndim; i++) {
        if (low[i] < 0 || high[i] < 0)
            return lucid__error(s, LUCID_VALUE_ERROR,
                                "pad: %lld before and %lld after dim %d; neither can be negative",
                                (long long)low[i], (long long)high[i], i);
        params[i] = low[i];
        params[ndim + i] = high[i];
    }
    return lucid__bind1(s, LUCID__pad, &x, 1, params, 3 * ndim);
}

lucid_tensor lucid_concatenate(lucid_scope *s, const lucid_tensor *xs, size_t n, int dim)
{
    if (lucid__ok(s) && (n == 0 || n > INT32_MAX))
        return lucid__error(s, LUCID_VALUE_ERROR, "concatenate: at least one tensor is needed");
    if (!lucid__check_all(s, "concatenate", xs, n))
        return EMPTY;
    const lucid_shape *first = &xs[0].v->aval.shape;
    int at = lucid__wrap_dim(dim, first->ndim);
    if (at < 0)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "concatenate: dim %d is out of range for a %d-D tensor", dim,
                            first->ndim);
    for (size_t i = 1; i < n; i++) {
        lucid_shape shape = xs[i].v->aval.shape;
        if (shape.ndim == first->ndim)
            shape.dim[at] = first->dim[at];
        if (!lucid__shape_equal(&shape, first)) {
            char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
            return lucid__error(s, LUCID_VALUE_ERROR,
                                "concatenate: shapes %s and %s differ outside dim %d",
                                lucid__shape_text(first, a, sizeof a),
                                lucid__shape_text(&xs[i].v->aval.shape, b, sizeof b), at);
        }
    }
    if (n == 1)
        return lucid__unchanged(s, xs[0]);
    lucid_tensor *in = lucid_alloc(s, n * sizeof *in);
    if (!in)
        return EMPTY;
    memcpy(in, xs, n * sizeof *in);
    int64_t param = at;
    if (!lucid__promote(s, "concatenate", in, n))
        return EMPTY;
    return lucid__bind1(s, LUCID__concatenate, in, (int)n, &param, 1);
}

lucid_status lucid_split(lucid_scope *s, lucid_tensor x, int64_t length, int dim,
                         lucid_tensor *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pieces[i] = EMPTY;
    if (!lucid__check(s, "split", x))
        return lucid_error(s);
    const lucid_shape *shape = &x.v->aval.shape;
    int at = lucid__wrap_dim(dim, shape->ndim);
    if (at < 0)
        return lucid_fail(s, LUCID_VALUE_ERROR, "split: dim %d is out of range for a %d-D tensor",
                          dim, shape->ndim);
    if (length <= 0)
        return lucid_fail(s, LUCID_VALUE_ERROR, "split: the length must be positive, not %lld",
                          (long long)length);
    int64_t size = shape->dim[at];
    int64_t count = size == 0 ? 1 : (size - 1) / length + 1;
    if ((uint64_t)count != n)
        return lucid_fail(s, LUCID_VALUE_ERROR, "split: size %lld gives %lld pieces, not %zu",
                          (long long)size, (long long)count, n);
    for (int64_t i = 0; i < count; i++)
        pieces[i] = lucid_slice(s, x, at, i * length, i + 1 == count ? size : (i + 1) * length, 1);
    return lucid_error(s);
}

lucid_tensor lucid_flip(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__check(s, "flip", x))
        return EMPTY;
    int64_t named[LUCID_MAX_NDIM];
    int n = lucid__dims(s, "flip", dims, x.v->aval.shape.ndim, named);
    for (int i = 0; i < n; i++)
        x = lucid_slice(s, x, (int)named[i], LUCID_END, LUCID_END, -1);
    return n < 0 ? EMPTY : x;
}
