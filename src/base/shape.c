#include "base/shape.h"

#include <inttypes.h>
#include <stdio.h>

int64_t lucid__numel(const lucid_shape *shape)
{
    int64_t n = 1;
    bool overflow = false;
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dim[i] < 0)
            return -1;
        if (shape->dim[i] == 0)
            return 0;
        overflow |= __builtin_mul_overflow(n, shape->dim[i], &n);
    }
    return overflow ? -1 : n;
}

bool lucid__shape_equal(const lucid_shape *a, const lucid_shape *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

char *lucid__shape_text(const lucid_shape *shape, char *to, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < shape->ndim && used < size; i++)
        used +=
            (size_t)snprintf(to + used, size - used, "%s%" PRId64, i ? ", " : "(", shape->dim[i]);
    if (used < size)
        (void)snprintf(to + used, size - used, "%s",
                       shape->ndim == 0   ? "()"
                       : shape->ndim == 1 ? ",)"
                                          : ")");
    return to;
}

void lucid__strides(const lucid_shape *shape, int64_t *stride)
{
    int64_t step = lucid__numel(shape) > 0;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape->dim[i];
    }
}

bool lucid__is_contiguous(const lucid_shape *shape, const int64_t *stride)
{
    if (lucid__numel(shape) <= 0)
        return true;
    int64_t step = 1;
    for (int i = shape->ndim - 1; i >= 0; i--) {
        if (shape->dim[i] != 1 && stride[i] != step)
            return false;
        step *= shape->dim[i];
    }
    return true;
}

lucid_shape lucid__shape_insert(const lucid_shape *shape, int at, int64_t size)
{
    lucid_shape r = {.ndim = shape->ndim + 1};
    for (int i = 0; i < r.ndim; i++)
        r.dim[i] = i == at ? size : shape->dim[i - (i > at)];
    return r;
}

lucid_shape lucid__shape_remove(const lucid_shape *shape, int at)
{
    lucid_shape r = {0};
    lucid__shape_remove_into(shape, at, &r);
    return r;
}

const char *lucid__aval_text(const lucid__aval *aval, char *to)
{
    char shape[LUCID__SHAPE_TEXT];
    (void)snprintf(to, LUCID__AVAL_TEXT, "%s %s", lucid_dtype_name(aval->dtype),
                   lucid__shape_text(&aval->shape, shape, sizeof shape));
    return to;
}
