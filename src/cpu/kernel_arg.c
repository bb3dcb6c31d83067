/* argmax, argmin: the first extreme, or the first NaN, of each row. Layout as in cpu/rows.h. */
#include "cpu/kernels.h"
#include "cpu/rows.h"

enum { COLUMNS = 256 };

/* A NaN is better than all before it unless one of them is NaN; x != x is false for integers. */
#define ARG(name, type, better) \
    static void name(const lucid__rows *r, const type *x, int64_t *y) \
    { \
        int64_t groups = (r->inner + COLUMNS - 1) / COLUMNS; \
        _Pragma("omp parallel for collapse(2) if (r->parallel)") for (int64_t o = 0; o < r->outer; \
                                                                      o++) for (int64_t g = 0; \
                                                                                g < groups; g++) \
        { \
            int64_t first = g * COLUMNS; \
            int64_t columns = r->inner - first < COLUMNS ? r->inner - first : COLUMNS; \
            const type *row = x + o * r->n * r->inner + first; \
            int64_t *to = y + o * r->inner + first; \
            type best[COLUMNS]; \
            for (int64_t j = 0; j < columns; j++) { \
                best[j] = row[j]; \
                to[j] = 0; \
            } \
            for (int64_t k = 1; k < r->n; k++) \
                for (int64_t j = 0; j < columns; j++) { \
                    type e = row[k * r->inner + j]; \
                    if (e better best[j] || (e != e && best[j] == best[j])) { \
                        best[j] = e; \
                        to[j] = k; \
                    } \
                } \
        } \
    }
#define ARG_BOTH(suffix, type) ARG(max_##suffix, type, >) ARG(min_##suffix, type, <)
ARG_BOTH(bool, uint8_t)
ARG_BOTH(int32, int32_t)
ARG_BOTH(int64, int64_t)
ARG_BOTH(float32, float)
ARG_BOTH(float64, double)

#define DISPATCH(which) \
    lucid__rows r = lucid__rows_of(args); \
    const void *x = args->in->data; \
    int64_t *y = args->out->data; \
    switch (args->in->dtype) { \
    case LUCID_BOOL: \
        which##_bool(&r, x, y); \
        break; \
    case LUCID_INT32: \
        which##_int32(&r, x, y); \
        break; \
    case LUCID_INT64: \
        which##_int64(&r, x, y); \
        break; \
    case LUCID_FLOAT32: \
        which##_float32(&r, x, y); \
        break; \
    default: \
        which##_float64(&r, x, y); \
        break; \
    } \
    return LUCID_OK;

lucid_status lucid__argmax_kernel(const lucid__kernel_args *args){DISPATCH(max)}

lucid_status lucid__argmin_kernel(const lucid__kernel_args *args)
{
    DISPATCH(min)
}
