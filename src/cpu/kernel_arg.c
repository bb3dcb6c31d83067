/* argmax, argmin: the first extreme, or the first NaN, of each row. */
#include "cpu/instr.h"
#include "cpu/kernels.h"
#include "cpu/rows.h"

_Static_assert((int)LUCID__COLUMNS <= (int)LUCID__ARG_COLUMNS, "columns of a task fit");

static void find(const lucid__arg_extreme *by_dtype, const lucid__rows *r,
                 const lucid__kernel_args *args, int64_t at, int64_t task, int64_t count)
{
    const lucid__arg_extreme *find = &by_dtype[args->in->dtype];
    const void *x = (const char *)args->in->data + at * (int64_t)lucid_dtype_size(args->in->dtype);
    int64_t *to = (int64_t *)args->out->data + task;
    if (r->inner == 1)
        find->rows(x, r->n, count, to);
    else
        find->columns(x, r->n, r->inner, count, to);
}

static void find_most(const lucid__rows *r, const lucid__kernel_args *args, int64_t at,
                      int64_t task, int64_t count)
{
    find(lucid__bodies_get()->argmax, r, args, at, task, count);
}

static void find_least(const lucid__rows *r, const lucid__kernel_args *args, int64_t at,
                       int64_t task, int64_t count)
{
    find(lucid__bodies_get()->argmin, r, args, at, task, count);
}

lucid_status lucid__argmax_kernel(const lucid__kernel_args *args)
{
    return lucid__rows_run(args, find_most);
}

lucid_status lucid__argmin_kernel(const lucid__kernel_args *args)
{
    return lucid__rows_run(args, find_least);
}
