/* argmax, argmin: the first extreme, or the first NaN, of each row. */
#include "cpu/kernels.h"
#include "cpu/rows.h"

/* A NaN is better than all before it unless one of them is NaN; for integers e != e is never true. */
#define ARG(name, type, better) \
    static void name(const lucid__rows *r, const lucid__kernel_args *args, int64_t at, \
                     int64_t task, int64_t columns) \
    { \
        const type *x = (const type *)args->in->data + at; \
        int64_t *to = (int64_t *)args->out->data + task; \
        type best[LUCID__COLUMNS]; \
        for (int64_t j = 0; j < columns; j++) { \
            best[j] = x[j]; \
            to[j] = 0; \
        } \
        for (int64_t k = 1; k < r->n; k++) \
            for (int64_t j = 0; j < columns; j++) { \
                type e = x[k * r->inner + j]; \
                if (e better best[j] || (e != e && best[j] == best[j])) { \
                    best[j] = e; \
                    to[j] = k; \
                } \
            } \
    }
ARG(max_bool, uint8_t, >)
ARG(max_int32, int32_t, >)
ARG(max_int64, int64_t, >)
ARG(max_float32, float, >)
ARG(max_float64, double, >)
ARG(min_bool, uint8_t, <)
ARG(min_int32, int32_t, <)
ARG(min_int64, int64_t, <)
ARG(min_float32, float, <)
ARG(min_float64, double, <)

static lucid__rows_task *const max_by_dtype[] = {
    [LUCID_BOOL] = max_bool,       [LUCID_INT32] = max_int32,     [LUCID_INT64] = max_int64,
    [LUCID_FLOAT32] = max_float32, [LUCID_FLOAT64] = max_float64,
};
static lucid__rows_task *const min_by_dtype[] = {
    [LUCID_BOOL] = min_bool,       [LUCID_INT32] = min_int32,     [LUCID_INT64] = min_int64,
    [LUCID_FLOAT32] = min_float32, [LUCID_FLOAT64] = min_float64,
};

lucid_status lucid__argmax_kernel(const lucid__kernel_args *args)
{
    return lucid__rows_run(args, max_by_dtype[args->in->dtype]);
}

lucid_status lucid__argmin_kernel(const lucid__kernel_args *args)
{
    return lucid__rows_run(args, min_by_dtype[args->in->dtype]);
}
