/* argmax, argmin for one instruction set: columns side by side; short rows turned into columns; a long row
 * as a matrix of WIDTH columns, whose extremes then compete. */
#include "cpu/instr.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

enum { WIDTH = 16, SHORT = 2 * WIDTH };

/* A NaN is better than all before it unless one of them is NaN; for integers e != e is never true. Both
 * are selections rather than branches, so that lanes can take them together. */
#define ARG(name, type, better) \
    static inline void name##_lanes(const type *x, int64_t n, int64_t stride, int64_t columns, \
                                    type *best, int64_t *at) \
    { \
        for (int64_t j = 0; j < columns; j++) { \
            best[j] = x[j]; \
            at[j] = 0; \
        } \
        for (int64_t k = 1; k < n; k++) { \
            const type *p = x + k * stride; \
            _Pragma("omp simd") for (int64_t j = 0; j < columns; j++) \
            { \
                type e = p[j], b = best[j]; \
                int64_t was = at[j]; \
                bool wins = (e better b) | ((e != e) & (b == b)); \
                best[j] = wins ? e : b; \
                at[j] = wins ? k : was; \
            } \
        } \
    } \
    static void name##_columns(const void *x, int64_t n, int64_t stride, int64_t columns, \
                               int64_t *to) \
    { \
        type best[LUCID__ARG_COLUMNS]; \
        name##_lanes(x, n, stride, columns, best, to); \
    } \
    static int64_t name##_row(const type *x, int64_t n) \
    { \
        type best[WIDTH], most; \
        int64_t at[WIDTH], place; \
        name##_lanes(x, n / WIDTH, WIDTH, WIDTH, best, at); \
        most = best[0]; \
        place = at[0] * WIDTH; \
        for (int64_t j = 1; j < WIDTH; j++) { \
            type e = best[j]; \
            int64_t here = at[j] * WIDTH + j; \
            bool wins = (e better most) | ((e != e) & (most == most)); \
            bool ties = (e == most) | ((e != e) & (most != most)); \
            wins |= ties & (here < place); \
            most = wins ? e : most; \
            place = wins ? here : place; \
        } \
        for (int64_t k = n / WIDTH * WIDTH; k < n; k++) { \
            bool wins = (x[k] better most) | ((x[k] != x[k]) & (most == most)); \
            most = wins ? x[k] : most; \
            place = wins ? k : place; \
        } \
        return place; \
    } \
    /* Rows of at most SHORT elements, `together` of them: as columns. */ \
    static void name##_turned(const type *x, int64_t n, int64_t together, int64_t *to) \
    { \
        type columns[SHORT * WIDTH], best[WIDTH]; \
        for (int64_t i = 0; i < together; i++) \
            for (int64_t k = 0; k < n; k++) \
                columns[k * WIDTH + i] = x[i * n + k]; \
        name##_lanes(columns, n, WIDTH, together, best, to); \
    } \
    static void name##_rows(const void *x, int64_t n, int64_t rows, int64_t *to) \
    { \
        const type *row = x; \
        int64_t i = 0; \
        for (; n <= SHORT && i + WIDTH <= rows; i += WIDTH) \
            name##_turned(row + i * n, n, WIDTH, to + i); \
        if (n <= SHORT && i < rows) \
            name##_turned(row + i * n, n, rows - i, to + i); \
        for (; n > SHORT && i < rows; i++) \
            to[i] = name##_row(row + i * n, n); \
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

#define ENTRY(name) \
    { \
        name##_columns, name##_rows \
    }
extern const lucid__arg_extreme JOIN(lucid__argmax_, LUCID__ISA)[LUCID__DTYPES];
extern const lucid__arg_extreme JOIN(lucid__argmin_, LUCID__ISA)[LUCID__DTYPES];
const lucid__arg_extreme JOIN(lucid__argmax_, LUCID__ISA)[LUCID__DTYPES] = {
    [LUCID_BOOL] = ENTRY(max_bool),       [LUCID_INT32] = ENTRY(max_int32),
    [LUCID_INT64] = ENTRY(max_int64),     [LUCID_FLOAT32] = ENTRY(max_float32),
    [LUCID_FLOAT64] = ENTRY(max_float64),
};
const lucid__arg_extreme JOIN(lucid__argmin_, LUCID__ISA)[LUCID__DTYPES] = {
    [LUCID_BOOL] = ENTRY(min_bool),       [LUCID_INT32] = ENTRY(min_int32),
    [LUCID_INT64] = ENTRY(min_int64),     [LUCID_FLOAT32] = ENTRY(min_float32),
    [LUCID_FLOAT64] = ENTRY(min_float64),
};
