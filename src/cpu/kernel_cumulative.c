/* cumsum, cumprod. The input is row-major: [outer, n, inner] around the dim, and a task is one outer
 * slab and some neighbouring columns of inner, so that memory is read in order. */
#include "cpu/kernels.h"
#include "cpu/rows.h"

/* Columns worked on together; their running values stay in the first-level cache. */
enum { COLUMNS = 256 };

#define CUMULATE(name, type, wide, start, op) \
    static void name(const lucid__rows *r, bool reverse, const type *x, type *y) \
    { \
        int64_t groups = (r->inner + COLUMNS - 1) / COLUMNS; \
        _Pragma("omp parallel for collapse(2) if (r->parallel)") for (int64_t o = 0; o < r->outer; \
                                                                      o++) for (int64_t g = 0; \
                                                                                g < groups; g++) \
        { \
            int64_t first = g * COLUMNS; \
            int64_t columns = r->inner - first < COLUMNS ? r->inner - first : COLUMNS; \
            int64_t base = o * r->n * r->inner + first; \
            wide so_far[COLUMNS]; \
            for (int64_t j = 0; j < columns; j++) \
                so_far[j] = start; \
            for (int64_t k = 0; k < r->n; k++) { \
                int64_t at = base + (reverse ? r->n - 1 - k : k) * r->inner; \
                for (int64_t j = 0; j < columns; j++) { \
                    so_far[j] = so_far[j] op(wide) x[at + j]; \
                    y[at + j] = (type)so_far[j]; \
                } \
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
    lucid__rows r = lucid__rows_of(args);
    bool reverse = args->params[1] != 0;
    const void *x = args->in->data;
    void *y = args->out->data;
    if (args->in->dtype == LUCID_FLOAT32)
        sum_float32(&r, reverse, x, y);
    else if (args->in->dtype == LUCID_FLOAT64)
        sum_float64(&r, reverse, x, y);
    else
        sum_int64(&r, reverse, x, y);
    return LUCID_OK;
}

lucid_status lucid__cumprod_kernel(const lucid__kernel_args *args)
{
    lucid__rows r = lucid__rows_of(args);
    bool reverse = args->params[1] != 0;
    const void *x = args->in->data;
    void *y = args->out->data;
    if (args->in->dtype == LUCID_FLOAT32)
        prod_float32(&r, reverse, x, y);
    else if (args->in->dtype == LUCID_FLOAT64)
        prod_float64(&r, reverse, x, y);
    else
        prod_int64(&r, reverse, x, y);
    return LUCID_OK;
}
