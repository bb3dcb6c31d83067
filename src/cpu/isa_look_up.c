/* Positions from indices, and elements from positions, for one instruction set. */
#include <string.h>

#include "cpu/instr.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* A negative index is too large as an unsigned number unless the size is added first. */
#define LOCATE(name, type) \
    static bool name(int64_t *restrict position, const void *index, int64_t n, int64_t size, \
                     int64_t step) \
    { \
        const type *x = index; \
        uint64_t bad = 0; \
        _Pragma("omp simd reduction(| : bad)") for (int64_t i = 0; i < n; i++) \
        { \
            int64_t v = x[i] < 0 ? x[i] + size : x[i]; \
            bool fits = v >= 0 && v < size; \
            bad |= !fits; \
            position[i] += fits ? v * step : 0; \
        } \
        return bad == 0; \
    }
LOCATE(locate_int32, int32_t)
LOCATE(locate_int64, int64_t)

/* Elements of a row that are worth the call of memcpy. */
enum { LONG = 32 };

#define FETCH(name, type) \
    static void name(void *lanes, const void *table, const int64_t *position, \
                     const lucid__look_up_block *b) \
    { \
        type *restrict to = lanes; \
        for (int64_t r = 0; r < b->rows; r++, to += b->n) { \
            const int64_t *p = position + r * b->from_row; \
            const type *x = (const type *)table + r * b->at_row; \
            if (b->from) { \
                for (int64_t i = 0; i < b->n; i++) \
                    to[i] = x[p[i]]; \
                continue; \
            } \
            x += p[0]; \
            if (b->at == 1 && b->n >= LONG) \
                memcpy(to, x, (size_t)b->n * sizeof *to); \
            else if (b->at == 1) \
                for (int64_t i = 0; i < b->n; i++) \
                    to[i] = x[i]; \
            else \
                for (int64_t i = 0; i < b->n; i++) \
                    to[i] = x[i * b->at]; \
        } \
    }
FETCH(fetch_1, uint8_t)
FETCH(fetch_4, uint32_t)
FETCH(fetch_8, uint64_t)

/* Rows may go to the same place, elements of one row do not. */
#define WRITE(name, type, statement) \
    static void name(void *out, const int64_t *to, const void *v, const int64_t *at, int64_t rows, \
                     int64_t length, int64_t stride) \
    { \
        const type *restrict all = v; \
        type *restrict start = out; \
        if (length == 1) { \
            for (int64_t r = 0; r < rows; r++) { \
                const int64_t i = to[r]; \
                type *y = start, e = all[at[r]]; \
                statement; \
            } \
            return; \
        } \
        for (int64_t r = 0; r < rows; r++) { \
            type *y = start + to[r]; \
            const type *x = all + at[r]; \
            if (stride == 1) \
                _Pragma("omp simd") for (int64_t i = 0; i < length; i++) \
                { \
                    type e = x[i]; \
                    statement; \
                } \
            else \
                for (int64_t i = 0; i < length; i++) { \
                    type e = x[i * stride]; \
                    statement; \
                } \
        } \
    }
WRITE(put_1, uint8_t, y[i] = e)
WRITE(put_4, uint32_t, y[i] = e)
WRITE(put_8, uint64_t, y[i] = e)
WRITE(add_bool, uint8_t, y[i] |= e)
/* Unsigned: integer sums wrap around. */
WRITE(add_int32, uint32_t, y[i] += e)
WRITE(add_int64, uint64_t, y[i] += e)
WRITE(add_float32, float, y[i] += e)
WRITE(add_float64, double, y[i] += e)

extern const lucid__look_up JOIN(lucid__look_up_, LUCID__ISA);
const lucid__look_up JOIN(lucid__look_up_, LUCID__ISA) = {
    .locate_int32 = locate_int32,
    .locate_int64 = locate_int64,
    .fetch = {[1] = fetch_1, [4] = fetch_4, [8] = fetch_8},
    .put = {[1] = put_1, [4] = put_4, [8] = put_8},
    .add = {[LUCID_BOOL] = add_bool,
            [LUCID_INT32] = add_int32,
            [LUCID_INT64] = add_int64,
            [LUCID_FLOAT32] = add_float32,
            [LUCID_FLOAT64] = add_float64},
};
