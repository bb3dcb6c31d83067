#include "cpu/rows.h"

#include "base/interrupt.h"
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

/* Rows of a task where inner is 1: so many that a task is worth its call, in groups that fill vectors. */
static int64_t rows_together(const lucid__rows *r)
{
    enum { ELEMENTS = 4096, GROUP = 8 };
    int64_t rows = (ELEMENTS / r->n + GROUP - 1) / GROUP * GROUP;
    return rows < GROUP ? GROUP : rows < LUCID__COLUMNS ? rows : LUCID__COLUMNS;
}

lucid_status lucid__rows_run(const lucid__kernel_args *args, lucid__rows_task *task)
{
    lucid__rows r = lucid__rows_of(args);
    if (lucid__numel(&args->in[0].shape) == 0)
        return LUCID_OK;
    bool whole = r.inner == 1;
    int64_t slabs = whole ? 1 : r.outer, rows = whole ? r.outer : r.inner;
    int64_t most = whole ? rows_together(&r) : LUCID__COLUMNS, groups = (rows + most - 1) / most;
    atomic_int finished = 0;
#pragma omp parallel num_threads(lucid__team_if(r.parallel))
    {
#pragma omp for collapse(2) nowait
        for (int64_t o = 0; o < slabs; o++)
            for (int64_t g = 0; g < groups; g++) {
                int64_t first = g * most, left = rows - first;
                if (!lucid__stop())
                    task(&r, args, whole ? first * r.n : o * r.n * r.inner + first,
                         o * rows + first, left < most ? left : most);
            }
        lucid__team_finish(&finished);
    }
    return LUCID_OK;
}
