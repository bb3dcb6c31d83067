/* cumsum, cumprod: each row from one end, or with params[1] from the other. */
#include "cpu/kernels.h"
#include "cpu/rows.h"

#define CUMULATE(name, type, wide, start, op) \
    static void name(const lucid__rows *r, const lucid__kernel_args *args, int64_t at, \
                     int64_t task, int64_t columns) \
    { \
        (void)task; \
        wide so_far[LUCID__COLUMNS]; \
        for (int64_t j = 0; j < columns; j++) \
            so_far[j] = start; \
        for (int64_t k = 0; k < r->n; k++) { \
            int64_t place = at + (args->params[1] ? r->n - 1 - k : k) * r->inner; \
            const type *x = (const type *)args->in->data + place; \
            type *y = (type *)args->out->data + place; \
            for (int64_t j = 0; j < columns; j++) { \
                wide e = (wide)x[j]; \
                so_far[j] = so_far[j] op e; \
                y[j] = (type)so_far[j]; \
            } \
        } \
    }
CUMULATE(sum_float32, float, double, 0, +)
CUMULATE(sum_float64, double, double, 0, +)
/* Unsigned: integers wrap around. */
CUMULATE(sum_int64, int64_t, uint64_t, 0, +)
CUMULATE(prod_float32, float, double, 1, *)
CUMULATE(prod_float64, double, double, 1, *)
CUMULATE(prod_int64, int64_t, uint64_t, 1, *)

lucid_status lucid__cumsum_kernel(const lucid__kernel_args *args)
{
    lucid_dtype dtype = args->in->dtype;
    return lucid__rows_run(args, dtype == LUCID_FLOAT32   ? sum_float32
                                 : dtype == LUCID_FLOAT64 ? sum_float64
                                                          : sum_int64);
}

lucid_status lucid__cumprod_kernel(const lucid__kernel_args *args)
{
    lucid_dtype dtype = args->in->dtype;
    return lucid__rows_run(args, dtype == LUCID_FLOAT32   ? prod_float32
                                 : dtype == LUCID_FLOAT64 ? prod_float64
                                                          : prod_int64);
}
