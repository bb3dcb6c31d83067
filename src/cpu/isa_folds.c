/* Reductions for one instruction set, in the order of engine/program.h; the expressions stand in instr.def. */
#include <stddef.h>
#include <string.h>

#include "cpu/instr.h"
#include "engine/program.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

enum { WHOLE = LUCID__FOLD_LANES, BLOCK = LUCID__FOLD_BLOCK, BLOCKS = 16, CHUNK = BLOCKS * BLOCK };
_Static_assert(WHOLE == 16, "the accumulators are combined in as many steps as 16 take");

#define UNARY(name, ...)
#define BINARY(name, ...)
#define MATH1(name, ...)
#define MATH1_IN_TWO(name, ...)
#define MATH1_WITHIN(name, ...)
#define MATH2(name, ...)

/* Every loop goes over one array of accumulators, of a size that the compiler knows, and so keeps in registers. */
#define FOLD_STRIPS(name, LANES) \
    static inline int64_t BODY(name##_strips_##LANES)(T * to, const T *p, int64_t groups, \
                                                      int64_t step, int64_t at) \
    { \
        for (; at + (LANES) <= step; at += (LANES)) { \
            T sum[LANES]; \
            _Pragma("omp simd") for (int j = 0; j < (LANES); j++) sum[j] = to[at + j]; \
            for (int64_t i = at; i < groups * step; i += step) { \
                _Pragma("omp simd") for (int j = 0; j < (LANES); j++) sum[j] = \
                    BODY(name##_of)(sum[j], p[i + j]); \
            } \
            _Pragma("omp simd") for (int j = 0; j < (LANES); j++) to[at + j] = sum[j]; \
        } \
        return at; \
    }

#define FOLD_GROUPS(name) \
    FOLD_STRIPS(name, 16) \
    FOLD_STRIPS(name, 32) \
    static void BODY(name##_groups)(void *acc, const void *x, int64_t groups, int64_t width) \
    { \
        int64_t at = BODY(name##_strips_32)(acc, x, groups, WHOLE * width, 0); \
        (void)BODY(name##_strips_16)(acc, x, groups, WHOLE * width, at); \
    }

/* What the 16 accumulators of each of `width` results make; each is read once. */
#define FOLD_CLOSE(name) \
    static inline T BODY(name##_four)(const T *p, int64_t step) \
    { \
        return BODY(name##_of)(BODY(name##_of)(p[0], p[8 * step]), \
                               BODY(name##_of)(p[4 * step], p[12 * step])); \
    } \
    static inline T BODY(name##_eight)(const T *p, int64_t step) \
    { \
        return BODY(name##_of)(BODY(name##_four)(p, step), BODY(name##_four)(p + 2 * step, step)); \
    } \
    static void BODY(name##_close)(void *result, const void *acc, int64_t width) \
    { \
        T *to = result; \
        const T *p = acc; \
        _Pragma("omp simd") for (int64_t i = 0; i < width; i++) to[i] = BODY(name##_of)( \
            BODY(name##_eight)(p + i, width), BODY(name##_eight)(p + width + i, width)); \
    }

/* A whole block, and what there is of one. Blocks do not wait for each other. */
#define FOLD_BLOCKS(name) \
    static inline T BODY(name##_end)(const T *sum) \
    { \
        T eight[8], four[4], two[2]; \
        _Pragma("omp simd") for (int j = 0; j < 8; j++) eight[j] = \
            BODY(name##_of)(sum[j], sum[j + 8]); \
        _Pragma("omp simd") for (int j = 0; j < 4; j++) four[j] = \
            BODY(name##_of)(eight[j], eight[j + 4]); \
        for (int j = 0; j < 2; j++) \
            two[j] = BODY(name##_of)(four[j], four[j + 2]); \
        return BODY(name##_of)(two[0], two[1]); \
    } \
    static inline T BODY(name##_block)(const T *p) \
    { \
        T sum[WHOLE]; \
        _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) sum[j] = p[j]; \
        for (int i = WHOLE; i < BLOCK; i += WHOLE) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) sum[j] = \
                BODY(name##_of)(sum[j], p[i + j]); \
        } \
        return BODY(name##_end)(sum); \
    } \
    static inline T BODY(name##_few)(const T *p, int64_t n) \
    { \
        T sum[WHOLE]; \
        memcpy(sum, p, (size_t)n * sizeof(T)); \
        for (int half = WHOLE / 2; half > 0; half /= 2) \
            for (int j = 0; j < half && j + half < (int)n; j++) \
                sum[j] = BODY(name##_of)(sum[j], sum[j + half]); \
        return sum[0]; \
    } \
    static inline T BODY(name##_many)(const T *p, int64_t n) \
    { \
        T sum[WHOLE]; \
        int64_t i = WHOLE; \
        _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) sum[j] = p[j]; \
        for (; i + WHOLE <= n; i += WHOLE) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) sum[j] = \
                BODY(name##_of)(sum[j], p[i + j]); \
        } \
        for (int64_t j = 0; j < n - i; j++) \
            sum[j] = BODY(name##_of)(sum[j], p[i + j]); \
        return BODY(name##_end)(sum); \
    }

/* Rows of several blocks: in chunks of 16, which are a node of the tree whatever comes behind them. */
#define FOLD_ROWS(name) \
    /* At most a chunk. */ \
    static T BODY(name##_chunk)(const T *p, int64_t length) \
    { \
        T node[BLOCKS]; \
        int64_t n = 0; \
        for (; length >= BLOCK; length -= BLOCK, p += BLOCK) \
            node[n++] = BODY(name##_block)(p); \
        if (length > 0) \
            node[n++] = \
                length < WHOLE ? BODY(name##_few)(p, length) : BODY(name##_many)(p, length); \
        for (; n > 1; n -= n / 2) { \
            for (int64_t i = 0; i < n / 2; i++) \
                node[i] = BODY(name##_of)(node[2 * i], node[2 * i + 1]); \
            if (n % 2) \
                node[n / 2] = node[n - 1]; \
        } \
        return node[0]; \
    } \
    /* node[k]: of 2^k chunks, for each binary digit of how many there were. */ \
    static T BODY(name##_long)(const T *p, int64_t length) \
    { \
        T node[64], total = p[0]; \
        int64_t chunks = 0; \
        for (; length >= CHUNK; length -= CHUNK, p += CHUNK, chunks++) { \
            T x = BODY(name##_chunk)(p, CHUNK); \
            int k = 0; \
            for (; chunks >> k & 1; k++) \
                x = BODY(name##_of)(node[k], x); \
            node[k] = x; \
        } \
        if (length > 0) \
            total = BODY(name##_chunk)(p, length); \
        for (bool some = length > 0; chunks; chunks &= chunks - 1, some = true) { \
            T x = node[__builtin_ctzll((unsigned long long)chunks)]; \
            total = some ? BODY(name##_of)(x, total) : x; \
        } \
        return total; \
    } \
    static void BODY(name##_rows)(void *to, const void *x, int64_t rows, int64_t length) \
    { \
        T *result = to; \
        const T *p = x; \
        if (length < WHOLE) \
            for (int64_t r = 0; r < rows; r++, p += length) \
                result[r] = BODY(name##_few)(p, length); \
        else if (length < BLOCK) \
            for (int64_t r = 0; r < rows; r++, p += length) \
                result[r] = BODY(name##_many)(p, length); \
        else if (length <= CHUNK) \
            for (int64_t r = 0; r < rows; r++, p += length) \
                result[r] = BODY(name##_chunk)(p, length); \
        else \
            for (int64_t r = 0; r < rows; r++, p += length) \
                result[r] = BODY(name##_long)(p, length); \
    }

#define FOLD(name, ...) \
    static inline T BODY(name##_of)(T x, T y) \
    { \
        return (T)(__VA_ARGS__); \
    } \
    FOLD_GROUPS(name) FOLD_CLOSE(name) FOLD_BLOCKS(name) FOLD_ROWS(name)

#define BODY(name) name##_f32
#define T float
#define U float
#define FLOATS 1
#include "cpu/instr.def"
#undef BODY
#undef T
#undef U

#define BODY(name) name##_f64
#define T double
#define U double
#include "cpu/instr.def"
#undef BODY
#undef T
#undef U
#undef FLOATS

#define BODY(name) name##_i32
#define T int32_t
#define U uint32_t
#define INTS 1
#include "cpu/instr.def"
#undef BODY
#undef T
#undef U

#define BODY(name) name##_i64
#define T int64_t
#define U uint64_t
#include "cpu/instr.def"
#undef BODY
#undef T
#undef U
#undef INTS

#define BODY(name) name##_bool
#define T bool
#define U bool
#include "cpu/instr.def"
#undef BODY
#undef T
#undef U

#undef FOLD
#define FOLD(name, ...) \
    [LUCID__##name][DTYPE] = {BODY(name##_groups), BODY(name##_close), BODY(name##_rows)},

extern const lucid__folds JOIN(lucid__folds_, LUCID__ISA);
const lucid__folds JOIN(lucid__folds_, LUCID__ISA) = {
#define BODY(name) name##_f32
#define DTYPE LUCID_FLOAT32
#define FLOATS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_f64
#define DTYPE LUCID_FLOAT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef FLOATS
#define BODY(name) name##_i32
#define DTYPE LUCID_INT32
#define INTS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_i64
#define DTYPE LUCID_INT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef INTS
#define BODY(name) name##_bool
#define DTYPE LUCID_BOOL
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
};
