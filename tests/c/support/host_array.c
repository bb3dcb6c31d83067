#include "support/host_array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtype.h"

static double **pool;
static size_t pool_count, pool_capacity;

/* A test without memory for its own arrays has nothing sensible to report. */
static void *must(void *p)
{
    if (!p) {
        (void)fprintf(stderr, "the tests ran out of memory\n");
        abort();
    }
    return p;
}

size_t host_mark(void)
{
    return pool_count;
}

void host_release(size_t mark)
{
    while (pool_count > mark)
        free(pool[--pool_count]);
    if (pool_count == 0) {
        free((void *)pool);
        pool = NULL;
        pool_capacity = 0;
    }
}

host_array host_new(lucid_dtype dtype, lucid_shape shape)
{
    host_array x = {.dtype = dtype, .shape = shape, .n = lucid__numel(&shape)};
    if (x.n < 0)
        abort();
    x.at = must(calloc((size_t)x.n + 1, sizeof *x.at));
    if (pool_count == pool_capacity) {
        pool_capacity = pool_capacity ? 2 * pool_capacity : 256;
        pool = must(realloc((void *)pool, pool_capacity * sizeof *pool));
    }
    pool[pool_count++] = x.at;
    return x;
}

host_array host_like(const host_array *x)
{
    return host_new(x->dtype, x->shape);
}

host_array host_copy(const host_array *x)
{
    host_array y = host_like(x);
    memcpy(y.at, x->at, (size_t)x->n * sizeof *x->at);
    return y;
}

double host_round(lucid_dtype dtype, double value)
{
    switch (dtype) {
    case LUCID_BOOL:
        return value != 0;
    case LUCID_INT32:
    case LUCID_INT64:
        return trunc(value);
    case LUCID_FLOAT32:
        return (double)(float)value;
    default:
        return value;
    }
}

static void store(lucid_dtype dtype, void *to, int64_t i, double value)
{
    switch (dtype) {
    case LUCID_BOOL:
        ((unsigned char *)to)[i] = value != 0;
        break;
    case LUCID_INT32:
        ((int32_t *)to)[i] = (int32_t)value;
        break;
    case LUCID_INT64:
        ((int64_t *)to)[i] = (int64_t)value;
        break;
    case LUCID_FLOAT32:
        ((float *)to)[i] = (float)value;
        break;
    default:
        ((double *)to)[i] = value;
    }
}

static double load(lucid_dtype dtype, const void *from, int64_t i)
{
    switch (dtype) {
    case LUCID_BOOL:
        return ((const unsigned char *)from)[i];
    case LUCID_INT32:
        return ((const int32_t *)from)[i];
    case LUCID_INT64:
        return (double)((const int64_t *)from)[i];
    case LUCID_FLOAT32:
        return (double)((const float *)from)[i];
    default:
        return ((const double *)from)[i];
    }
}

lucid_tensor host_to_tensor(lucid_scope *s, const host_array *x)
{
    void *data = must(malloc(((size_t)x->n + 1) * sizeof(double)));
    for (int64_t i = 0; i < x->n; i++)
        store(x->dtype, data, i, x->at[i]);
    lucid_tensor t = lucid_from_data(s, data, x->dtype, x->shape);
    free(data);
    return t;
}

host_array host_from_tensor(lucid_scope *s, lucid_tensor x)
{
    const void *data = lucid_data(s, x);
    if (!data || lucid_error(s) != LUCID_OK)
        return (host_array){.dtype = LUCID_NO_DTYPE};
    host_array y = host_new(lucid_dtype_of(x), lucid_shape_of(x));
    for (int64_t i = 0; i < y.n; i++)
        y.at[i] = load(y.dtype, data, i);
    return y;
}

host_array host_stack(const host_array *xs, int64_t n, int axis)
{
    host_array y = host_new(xs[0].dtype, lucid__shape_insert(&xs[0].shape, axis, n));
    int64_t inner = 1;
    for (int i = axis; i < xs[0].shape.ndim; i++)
        inner *= xs[0].shape.dim[i];
    for (int64_t b = 0; b < n; b++)
        for (int64_t i = 0; i < xs[0].n; i++)
            y.at[(i / inner * n + b) * inner + i % inner] = xs[b].at[i];
    return y;
}

host_array host_moved(const host_array *x, const host_array *direction, double scale)
{
    host_array y = host_copy(x);
    for (int64_t i = 0; lucid__is_float(x->dtype) && i < x->n; i++)
        y.at[i] = host_round(x->dtype, x->at[i] + scale * direction->at[i]);
    return y;
}

double host_dot(const host_array *x, const host_array *y)
{
    double sum = 0;
    for (int64_t i = 0; lucid__is_float(x->dtype) && i < x->n; i++)
        sum += x->at[i] * y->at[i];
    return sum;
}

double host_largest(const host_array *x)
{
    double largest = 0;
    for (int64_t i = 0; i < x->n; i++)
        if (isfinite(x->at[i]) && fabs(x->at[i]) > largest)
            largest = fabs(x->at[i]);
    return largest;
}
