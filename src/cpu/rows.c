#include "cpu/rows.h"

#include "base/shape.h"
#include "cpu/threads.h"

enum { PARALLEL = 1 << 15 };

lucid__rows lucid__rows_of(const lucid__kernel_args *args)
{
    const lucid_shape *shape = &args->in[0].shape;
    int dim = (int)args->params[0];
    lucid__rows r = {1, shape->dim[dim], 1, false};
    for (int i = 0; i < dim; i++)
        r.outer = lucid__times(r.outer, shape->dim[i]);
    for (int i = dim + 1; i < shape->ndim; i++)
        r.inner = lucid__times(r.inner, shape->dim[i]);
    r.parallel = lucid__numel(shape) > PARALLEL;
    return r;
}

lucid_status lucid__rows_run(const lucid__kernel_args *args, lucid__rows_task *task)
{
    lucid__rows r = lucid__rows_of(args);
    if (lucid__numel(&args->in[0].shape) == 0)
        return LUCID_OK;
    int64_t groups = (r.inner + LUCID__COLUMNS - 1) / LUCID__COLUMNS;
#pragma omp parallel for collapse(2) num_threads(lucid__num_threads()) if (r.parallel)
    for (int64_t o = 0; o < r.outer; o++)
        for (int64_t g = 0; g < groups; g++) {
            int64_t first = g * LUCID__COLUMNS, columns = r.inner - first;
            task(&r, args, o * r.n * r.inner + first, o * r.inner + first,
                 columns < LUCID__COLUMNS ? columns : LUCID__COLUMNS);
        }
    return LUCID_OK;
}
