/* A row-major tensor around the one dim params[0]: [outer, n, inner]. */
#ifndef LUCID__ROWS_H
#define LUCID__ROWS_H

#include "engine/backend.h"

typedef struct lucid__rows {
    int64_t outer, n, inner;
    bool parallel; /* enough work for several threads */
} lucid__rows;

static inline lucid__rows lucid__rows_of(const lucid__kernel_args *args)
{
    const lucid_shape *shape = &args->in[0].shape;
    int dim = (int)args->params[0];
    lucid__rows r = {1, shape->dim[dim], 1, false};
    for (int i = 0; i < dim; i++)
        r.outer *= shape->dim[i];
    for (int i = dim + 1; i < shape->ndim; i++)
        r.inner *= shape->dim[i];
    r.parallel = lucid__numel(shape) > 1 << 15;
    return r;
}

#endif
