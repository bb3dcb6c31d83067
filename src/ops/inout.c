/* Elements in and out. */
#include <math.h>
#include <string.h>

#include "graph/node.h"
#include "ops/builder.h"
#include "ops/numbers.h"
#include "transform/concrete.h"

#define EMPTY ((lucid_tensor){NULL})

static bool check_new(lucid_scope *s, const char *name, const void *data, lucid_dtype dtype,
                      const lucid_shape *shape)
{
    if (lucid__ok(s) && !lucid__dtype_valid(dtype))
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: %d is not a dtype", name, (int)dtype);
    if (!lucid__check_shape(s, name, shape))
        return false;
    if (!data && lucid__numel(shape) > 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: the data is NULL", name);
    return lucid__ok(s);
}

static lucid_tensor over_buffer(lucid_scope *s, lucid_dtype dtype, const lucid_shape *shape,
                                lucid__buffer *buffer, const int64_t *strides)
{
    lucid__aval aval = {dtype, *shape};
    lucid__node *node = buffer ? lucid__node_new_constant(&aval, buffer, strides) : NULL;
    return lucid__own(s, node ? lucid__value_new_graph(node, 0) : NULL);
}

/* The bytes of bools, row-major into `to` (NULL: nowhere) as 0 and 1. False: some are neither, which no operation
 * would expect. */
static bool copy_bools(const lucid_shape *shape, const int64_t *stride, const unsigned char *from,
                       unsigned char *to)
{
    int64_t n = lucid__numel(shape), at[LUCID_MAX_NDIM] = {0}, offset = 0;
    bool plain = true;
    for (int64_t i = 0; i < n; i++) {
        unsigned char value = from[offset];
        plain &= value <= 1;
        if (to)
            to[i] = value != 0;
        for (int d = shape->ndim - 1; d >= 0; d--) {
            offset += stride[d];
            if (++at[d] < shape->dim[d])
                break;
            offset -= at[d] * stride[d];
            at[d] = 0;
        }
    }
    return plain;
}

static lucid__buffer *bools_of(const lucid_shape *shape, const int64_t *strides, const void *data)
{
    int64_t own[LUCID_MAX_NDIM];
    lucid__strides(shape, own);
    lucid__buffer *buffer = lucid__buffer_new((size_t)lucid__numel(shape));
    if (buffer)
        (void)copy_bools(shape, strides ? strides : own, data, buffer->data);
    return buffer;
}

static bool are_plain(lucid_dtype dtype, const lucid_shape *shape, const int64_t *strides,
                      const void *data)
{
    int64_t own[LUCID_MAX_NDIM];
    lucid__strides(shape, own);
    return dtype != LUCID_BOOL || copy_bools(shape, strides ? strides : own, data, NULL);
}

lucid_tensor lucid_from_data(lucid_scope *s, const void *data, lucid_dtype dtype, lucid_shape shape)
{
    if (!check_new(s, "from_data", data, dtype, &shape))
        return EMPTY;
    size_t bytes = (size_t)lucid__numel(&shape) * lucid_dtype_size(dtype);
    lucid__buffer *buffer = lucid__buffer_new(bytes);
    if (buffer && dtype == LUCID_BOOL) {
        int64_t own[LUCID_MAX_NDIM];
        lucid__strides(&shape, own);
        (void)copy_bools(&shape, own, data, buffer->data);
    } else if (buffer && bytes > 0) {
        memcpy(buffer->data, data, bytes);
    }
    return over_buffer(s, dtype, &shape, buffer, NULL);
}

lucid_tensor lucid_from_memory(lucid_scope *s, void *data, lucid_dtype dtype, lucid_shape shape,
                               const int64_t *strides, void (*release)(void *owner), void *owner)
{
    lucid__buffer *buffer = NULL;
    bool good = check_new(s, "from_memory", data, dtype, &shape);
    if (good && !are_plain(dtype, &shape, strides, data)) {
        buffer = bools_of(&shape, strides, data);
        if (release)
            release(owner);
        return over_buffer(s, dtype, &shape, buffer, NULL);
    }
    if (good)
        buffer = lucid__buffer_wrap(data, release, owner);
    if (!buffer) {
        if (release)
            release(owner);
        if (lucid__ok(s))
            lucid__out_of_memory(s);
        return EMPTY;
    }
    return over_buffer(s, dtype, &shape, buffer, strides);
}

/* ---- out ---------------------------------------------------------------------------------------- */

/* The evaluated level-0 value behind x; row-major elements. */
static const void *elements(lucid_scope *s, lucid_tensor x, const char *what)
{
    lucid_tensor y = lucid__concrete(s, x, what);
    if (!y.v || lucid_eval(s, &y, 1) != LUCID_OK)
        return NULL;
    const lucid__output *out = &y.v->node->out[y.v->out];
    const lucid__storage *storage = &out->storage;
    if (!lucid__is_contiguous(&out->aval.shape, storage->stride))
        return NULL;
    return (const char *)storage->buffer->data +
           storage->offset * (int64_t)lucid_dtype_size(out->aval.dtype);
}

/* x itself, or a row-major copy, when its elements lie otherwise. */
static lucid_tensor row_major(lucid_scope *s, lucid_tensor x, const char *what)
{
    lucid_tensor y = lucid__concrete(s, x, what);
    if (!y.v || lucid_eval(s, &y, 1) != LUCID_OK)
        return EMPTY;
    const lucid__output *out = &y.v->node->out[y.v->out];
    if (lucid__is_contiguous(&out->aval.shape, out->storage.stride))
        return y;
    int64_t dtype = out->aval.dtype; /* a cast to its own dtype is a copy */
    return lucid__bind1(s, LUCID__cast, &y, 1, &dtype, 1);
}

lucid_tensor lucid_row_major(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = row_major(s, lucid__strong(s, x), lucid__operation(s, "row_major"));
    return y.v && lucid_eval(s, &y, 1) == LUCID_OK ? y : EMPTY;
}

const void *lucid_data(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = row_major(s, lucid__strong(s, x), "data");
    return y.v ? elements(s, y, "data") : NULL;
}

lucid_status lucid_read(lucid_scope *s, lucid_tensor x, void *to, size_t bytes)
{
    lucid_scope child;
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid__scope_enter(&child, s);
    lucid_tensor y = row_major(&child, lucid__strong(&child, x), "read");
    if (y.v) {
        size_t have = (size_t)lucid_numel(y) * lucid_dtype_size(y.v->aval.dtype);
        const void *from = have == bytes ? elements(&child, y, "read") : NULL;
        if (have != bytes)
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "read: the tensor has %zu bytes, %zu asked for",
                             have, bytes);
        if (from && bytes > 0)
            memcpy(to, from, bytes);
    }
    lucid__scope_leave(&child);
    return lucid_error(s);
}

/* The only element of x; its dtype decides which of the two is exact. */
static bool only_element(lucid_scope *s, lucid_tensor x, const char *what, double *value,
                         int64_t *whole)
{
    if (!lucid__ok(s))
        return false;
    if (x.v && lucid_numel(x) != 1) {
        char text[LUCID__SHAPE_TEXT];
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "%s: the tensor must have one element, its shape is %s", what,
                         lucid__shape_text(&x.v->aval.shape, text, sizeof text));
        return false;
    }
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor y = row_major(&child, x, what);
    const void *p = y.v ? elements(&child, y, what) : NULL;
    if (p) {
        switch (y.v->aval.dtype) {
        case LUCID_BOOL:
            *whole = *(const bool *)p;
            *value = (double)*whole;
            break;
        case LUCID_INT32:
            *value = (double)(*whole = *(const int32_t *)p);
            break;
        case LUCID_INT64:
            *value = (double)(*whole = *(const int64_t *)p);
            break;
        case LUCID_FLOAT32:
            *value = *(const float *)p;
            break;
        default:
            *value = *(const double *)p;
            break;
        }
        if (lucid__is_float(y.v->aval.dtype))
            *whole = fabs(*value) < 9223372036854775808.0 ? (int64_t)*value : 0;
    }
    lucid__scope_leave(&child);
    return p != NULL;
}

double lucid_item(lucid_scope *s, lucid_tensor x)
{
    double value = 0;
    int64_t whole;
    return only_element(s, x, "item", &value, &whole) ? value : (double)NAN;
}

int64_t lucid_item_int(lucid_scope *s, lucid_tensor x)
{
    double value = 0;
    int64_t whole = 0;
    lucid_scope child;
    if (!lucid__ok(s))
        return 0;
    lucid__scope_enter(&child, s);
    bool is_float = lucid__is_float(lucid_dtype_of(x));
    if (is_float && lucid__is_traced(x))
        x = lucid_trunc(&child, x);
    bool found = only_element(&child, x, "int", &value, &whole);
    if (found && is_float && !(fabs(value) < 9223372036854775808.0))
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "int: %g is not an int64", value);
    lucid__scope_leave(&child);
    return found && lucid__ok(s) ? whole : 0;
}

bool lucid_bool(lucid_scope *s, lucid_tensor x)
{
    double value = 0;
    int64_t whole;
    lucid_scope child;
    if (!lucid__ok(s))
        return false;
    lucid__scope_enter(&child, s);
    bool found = only_element(&child, lucid__yes_or_no(&child, x), "bool", &value, &whole);
    lucid__scope_leave(&child);
    return found && value != 0;
}
