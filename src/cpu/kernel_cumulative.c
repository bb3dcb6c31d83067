/* cumsum, cumprod: each row from one end, or with params[1] from the other. Several rows go side by side,
 * since each element of a row must wait for the one before it. */
#include "base/interrupt.h"
#include "cpu/kernels.h"
#include "cpu/rows.h"

enum {
    TOGETHER = 8,   /* rows; enough to hide the latency of an addition */
    PIECE = 1 << 16 /* steps between two looks for an interruption */
};

#define INLINE static inline __attribute__((always_inline))

/* few: `together` rows, a constant, that are n apart; first and step: -1 from the last element on. */
#define CUMULATE(name, type, wide, start, op) \
    INLINE void name##_few(const type *restrict x, type *restrict y, int64_t n, bool reverse, \
                           int together) \
    { \
        wide so_far[TOGETHER]; \
        int64_t k = reverse ? n - 1 : 0, step = reverse ? -1 : 1; \
        for (int i = 0; i < together; i++) \
            so_far[i] = start; \
        for (int64_t done = 0, end = PIECE; done < n && (done == 0 || !lucid__stop()); \
             end += PIECE) \
            for (; done < n && done < end; done++, k += step) \
                for (int i = 0; i < together; i++) { \
                    wide e = (wide)x[i * n + k]; \
                    so_far[i] = so_far[i] op e; \
                    y[i * n + k] = (type)so_far[i]; \
                } \
    } \
    static void name##_rows(const type *x, type *y, int64_t n, bool reverse, int64_t rows) \
    { \
        int64_t i = 0; \
        for (; i + TOGETHER <= rows; i += TOGETHER) \
            name##_few(x + i * n, y + i * n, n, reverse, TOGETHER); \
        for (; i < rows; i++) \
            name##_few(x + i * n, y + i * n, n, reverse, 1); \
    } \
    static void name##_columns(const type *x, type *y, const lucid__rows *r, bool reverse, \
                               int64_t columns) \
    { \
        wide so_far[LUCID__COLUMNS]; \
        for (int64_t j = 0; j < columns; j++) \
            so_far[j] = start; \
        for (int64_t k = 0; k < r->n; k++) { \
            if ((k & (PIECE - 1)) == PIECE - 1 && lucid__stop()) \
                return; \
            int64_t at = (reverse ? r->n - 1 - k : k) * r->inner; \
            for (int64_t j = 0; j < columns; j++) { \
                wide e = (wide)x[at + j]; \
                so_far[j] = so_far[j] op e; \
                y[at + j] = (type)so_far[j]; \
            } \
        } \
    } \
    static void name(const lucid__rows *r, const lucid__kernel_args *args, int64_t at, \
                     int64_t task, int64_t count) \
    { \
        (void)task; \
        const type *x = (const type *)args->in->data + at; \
        type *y = (type *)args->out->data + at; \
        if (r->inner == 1) \
            name##_rows(x, y, r->n, args->params[1] != 0, count); \
        else \
            name##_columns(x, y, r, args->params[1] != 0, count); \
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
