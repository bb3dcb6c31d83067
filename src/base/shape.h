/* Shape arithmetic. Whatever can overflow says so. */
#ifndef LUCID__SHAPE_H
#define LUCID__SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "lucid.h"

/* Dtype and shape of a value: what an abstract interpreter knows of it. */
typedef struct lucid__aval {
    lucid_dtype dtype;
    lucid_shape shape;
} lucid__aval;

/* Number of elements; -1 on overflow of int64 or a negative size. */
int64_t lucid__numel(const lucid_shape *shape);
bool lucid__shape_equal(const lucid_shape *a, const lucid_shape *b);
/* "(2, 3)"; at most size bytes. Returns `to`. */
char *lucid__shape_text(const lucid_shape *shape, char *to, size_t size);
#define LUCID__SHAPE_TEXT 128

/* a * b that wraps around. Beside a size of 0 other sizes may be anything, and partial products of them
 * that nobody uses must not overflow. */
static inline int64_t lucid__times(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* Row-major strides in elements; all 0 when there is no element, whatever the other sizes are. */
void lucid__strides(const lucid_shape *shape, int64_t *stride);
/* Whether the strides are row-major; sizes 0 and 1 fit any stride. */
bool lucid__is_contiguous(const lucid_shape *shape, const int64_t *stride);

/* A dim counted from either end, or -1 when out of range. */
static inline int lucid__wrap_dim(int dim, int ndim)
{
    if (dim < -ndim || dim >= ndim)
        return -1;
    return dim < 0 ? dim + ndim : dim;
}

/* shape with one dim put in before position `at`, or taken out there. */
lucid_shape lucid__shape_insert(const lucid_shape *shape, int at, int64_t size);
lucid_shape lucid__shape_remove(const lucid_shape *shape, int at);
/* The same into another shape, of which only the dims that it has are written. */
static inline void lucid__shape_remove_into(const lucid_shape *shape, int at, lucid_shape *to)
{
    to->ndim = shape->ndim - 1;
    for (int i = 0; i < to->ndim; i++)
        to->dim[i] = shape->dim[i + (i >= at)];
}

/* "float32 (3, 4)"; returns `to`, which has room for LUCID__AVAL_TEXT characters. */
enum { LUCID__AVAL_TEXT = LUCID__SHAPE_TEXT + 32 };
const char *lucid__aval_text(const lucid__aval *aval, char *to);

static inline bool lucid__aval_equal(const lucid__aval *a, const lucid__aval *b)
{
    return a->dtype == b->dtype && lucid__shape_equal(&a->shape, &b->shape);
}

#endif
