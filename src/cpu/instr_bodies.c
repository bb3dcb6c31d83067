/* The instruction bodies for one instruction set: LUCID__ISA names it, the compiler's flags choose it.
 * Plain loops for the compiler to vectorise; the expressions stand in instr.def. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "cpu/instr.h"
#include "cpu/instr_helpers.h"
#include "cpu/normal_quantile.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* ---- one body per line of instr.def and dtype --------------------------------------------------- */

#define UNUSED_ABC (void)a, (void)b, (void)c, (void)imm

#define UNARY(name, out, ...) \
    static void BODY(name)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                           int64_t imm) \
    { \
        UNUSED_ABC; \
        out *to = d; \
        const T *p = a; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            T x = p[i]; \
            to[i] = (out)(__VA_ARGS__); \
        } \
    }

#define BINARY(name, out, ...) \
    static void BODY(name)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                           int64_t imm) \
    { \
        UNUSED_ABC; \
        out *to = d; \
        const T *p = a, *q = b; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            T x = p[i], y = q[i]; \
            to[i] = (out)(__VA_ARGS__); \
        } \
    }

enum { WHOLE = 16 };

/* The body: whole groups of lanes where they stand, the rest on a group filled up with 0.5. */
#define WHOLE_GROUPS(name) \
    static void BODY(name)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                           int64_t imm) \
    { \
        UNUSED_ABC; \
        int64_t groups = n / WHOLE, rest = n % WHOLE; \
        BODY(name##_groups)(d, a, groups); \
        if (rest == 0) \
            return; \
        T in[WHOLE], out[WHOLE]; \
        for (int64_t j = 0; j < WHOLE; j++) \
            in[j] = j < rest ? ((const T *)a)[groups * WHOLE + j] : (T)0.5; \
        BODY(name##_groups)(out, in, 1); \
        memcpy((T *)d + groups * WHOLE, out, (size_t)rest * sizeof(T)); \
    }

#define MATH1(name, ...) \
    static void BODY(name##_groups)(T * to, const T *p, int64_t groups) \
    { \
        for (int64_t g = 0; g < groups; g++, to += WHOLE, p += WHOLE) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
            { \
                T x = p[j]; \
                to[j] = __VA_ARGS__; \
            } \
        } \
    } \
    WHOLE_GROUPS(name)

/* Not inlined: where a compiler sees the numbers that a group has `instead`, it computes with scalars. */
#define APART __attribute__((noinline))

/* `__VA_ARGS__` of x, where vector math is quick. Where it would go lane by lane (`seldom`), it computes a number of the
 * group's in place of that: `instead`, whose result y is made what x gives by `then`. Groups without such lanes have
 * the bits, and but for one comparison the time, of MATH1. */
#define MATH1_WITHIN(name, seldom, instead, then, ...) \
    static APART void BODY(name##_plain)(T * to, const T *p, int64_t groups) \
    { \
        for (int64_t g = 0; g < groups; g++, to += WHOLE, p += WHOLE) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
            { \
                T x = p[j]; \
                to[j] = __VA_ARGS__; \
            } \
        } \
    } \
    static inline bool BODY(name##_has_seldom)(const T *p, int64_t n) \
    { \
        int found = 0; \
        _Pragma("omp simd reduction(| : found)") for (int64_t j = 0; j < n; j++) \
        { \
            T x = p[j]; \
            found |= seldom; \
        } \
        return found; \
    } \
    static APART void BODY(name##_replaced)(T * to, const T *p) \
    { \
        T in[WHOLE], out[WHOLE]; \
        _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
        { \
            T x = p[j]; \
            in[j] = seldom ? instead : x; \
        } \
        BODY(name##_plain)(out, in, 1); \
        _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
        { \
            T x = p[j], y = out[j]; \
            to[j] = seldom ? then : y; \
        } \
    } \
    static void BODY(name##_groups)(T * to, const T *p, int64_t groups) \
    { \
        enum { TOGETHER = 8 }; \
        for (int64_t n; groups > 0; groups -= n, to += n * WHOLE, p += n * WHOLE) { \
            n = groups < TOGETHER ? groups : TOGETHER; \
            if (!BODY(name##_has_seldom)(p, n * WHOLE)) { \
                BODY(name##_plain)(to, p, n); \
                continue; \
            } \
            for (int64_t g = 0; g < n; g++) \
                if (BODY(name##_has_seldom)(p + g * WHOLE, WHOLE)) \
                    BODY(name##_replaced)(to + g * WHOLE, p + g * WHOLE); \
                else \
                    BODY(name##_plain)(to + g * WHOLE, p + g * WHOLE, 1); \
        } \
    } \
    WHOLE_GROUPS(name)

/* In two steps, the second of x and of w, which the first has computed: where a call would keep the lanes of
 * one group from running beside those of the next. The second has two forms with the same bits where w is
 * usual, and groups without another take the shorter one. */
#define MATH1_IN_TWO(name, first, seldom, ...) \
    static inline void BODY(name##_second)(T * to, const T *p, const T *between, int64_t n, \
                                           bool usual) \
    { \
        _Pragma("omp simd") for (int64_t j = 0; j < n; j++) \
        { \
            T x = p[j], w = between[j]; \
            to[j] = __VA_ARGS__; \
        } \
    } \
    static inline bool BODY(name##_usual)(const T *between, int64_t n) \
    { \
        int found = 0; \
        _Pragma("omp simd reduction(| : found)") for (int64_t j = 0; j < n; j++) \
        { \
            T w = between[j]; \
            found |= seldom; \
        } \
        return !found; \
    } \
    static void BODY(name##_groups)(T * to, const T *p, int64_t groups) \
    { \
        enum { BLOCK = 8 * WHOLE }; \
        T between[BLOCK]; \
        for (int64_t done = 0; done < groups * WHOLE; done += BLOCK) { \
            int64_t n = groups * WHOLE - done < BLOCK ? groups * WHOLE - done : BLOCK; \
            for (int64_t g = 0; g < n; g += WHOLE) { \
                _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
                { \
                    T x = p[done + g + j]; \
                    between[g + j] = first; \
                } \
            } \
            int64_t step = BODY(name##_usual)(between, n) ? n : WHOLE; \
            for (int64_t g = 0; g < n; g += step) { \
                if (step > WHOLE || BODY(name##_usual)(between + g, WHOLE)) \
                    BODY(name##_second)(to + done + g, p + done + g, between + g, step, true); \
                else \
                    BODY(name##_second)(to + done + g, p + done + g, between + g, WHOLE, false); \
            } \
        } \
    } \
    WHOLE_GROUPS(name)

#define MATH2(name, ...) \
    static void BODY(name##_groups)(T * to, const T *p, const T *q, int64_t groups) \
    { \
        for (int64_t g = 0; g < groups; g++, to += WHOLE, p += WHOLE, q += WHOLE) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) \
            { \
                T x = p[j], y = q[j]; \
                to[j] = __VA_ARGS__; \
            } \
        } \
    } \
    static void BODY(name)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                           int64_t imm) \
    { \
        UNUSED_ABC; \
        int64_t groups = n / WHOLE, rest = n % WHOLE; \
        BODY(name##_groups)(d, a, b, groups); \
        if (rest == 0) \
            return; \
        T in[WHOLE], in2[WHOLE], out[WHOLE]; \
        for (int64_t j = 0; j < WHOLE; j++) { \
            in[j] = j < rest ? ((const T *)a)[groups * WHOLE + j] : (T)0.5; \
            in2[j] = j < rest ? ((const T *)b)[groups * WHOLE + j] : (T)0.5; \
        } \
        BODY(name##_groups)(out, in, in2, 1); \
        memcpy((T *)d + groups * WHOLE, out, (size_t)rest * sizeof(T)); \
    }

#define FOLD(name, ...) /* isa_folds.c */

/* where and powi have their own shape. The condition is read as bytes and both sides are read whatever it
 * is: otherwise GCC makes branches of it. */
#define WHERE_BODY \
    static void BODY(where)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                            int64_t imm) \
    { \
        (void)imm; \
        T *to = d; \
        const unsigned char *p = a; \
        const T *q = b, *r = c; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            T x = q[i], y = r[i]; \
            to[i] = p[i] ? x : y; \
        } \
    }

/* x^n by squaring, all lanes in step: the bits of n are the same for all. */
#define POWI_BODY(MUL, ONE, INVERT) \
    static void BODY(powi)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                           int64_t imm) \
    { \
        (void)b, (void)c; \
        enum { BLOCK = 8 * WHOLE }; \
        T *to = d, x[BLOCK], r[BLOCK]; \
        const T *p = a; \
        uint64_t power = imm < 0 ? 0 - (uint64_t)imm : (uint64_t)imm; \
        for (; n > 0; n -= BLOCK, p += BLOCK, to += BLOCK) { \
            int64_t count = n < BLOCK ? n : BLOCK; \
            memcpy(x, p, (size_t)count * sizeof(T)); \
            _Pragma("omp simd") for (int64_t i = 0; i < count; i++) r[i] = ONE; \
            for (uint64_t k = power; k; k >>= 1) { \
                if (k & 1) \
                    _Pragma("omp simd") for (int64_t i = 0; i < count; i++) r[i] = \
                        MUL(r[i], x[i]); \
                _Pragma("omp simd") for (int64_t i = 0; i < count; i++) x[i] = MUL(x[i], x[i]); \
            } \
            if (imm < 0) \
                _Pragma("omp simd") for (int64_t i = 0; i < count; i++) r[i] = INVERT(r[i]); \
            memcpy(to, r, (size_t)count * sizeof(T)); \
        } \
    }
#define POLYGAMMA_BODY \
    static void BODY(polygamma)(void *d, const void *a, const void *b, const void *c, int64_t n, \
                                int64_t imm) \
    { \
        (void)b, (void)c; \
        for (int64_t i = 0; i < n; i++) \
            ((T *)d)[i] = FN(polygamma_of)(imm, ((const T *)a)[i]); \
    }
#define FLOAT_MUL(x, y) ((x) * (y))
#define FLOAT_INVERT(x) ((T)1 / (x))
#define INT_MUL(x, y) ((T)((U)(x) * (U)(y)))
#define INT_INVERT(x) ((x) == 1 ? (T)1 : (x) == -1 ? (T)-1 : (T)0)

#define BODY(name) name##_f32
#define T float
#define U float
#define FLOATS 1
#define FN(name) name##f
#define LEAST_NORMAL FLT_MIN
#define MOST FLT_MAX
#define EXP_FAST 87
#define EXP2_FAST 126
#define EXPM1_LOW (-18)
#define ERFC_LAST 10.1f
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(FLOAT_MUL, 1, FLOAT_INVERT)
POLYGAMMA_BODY
#undef BODY
#undef T
#undef U
#undef LEAST_NORMAL
#undef MOST
#undef EXP_FAST
#undef EXP2_FAST
#undef EXPM1_LOW
#undef ERFC_LAST
#undef FN

#define BODY(name) name##_f64
#define T double
#define U double
#define FN(name) name
#define LEAST_NORMAL DBL_MIN
#define MOST DBL_MAX
#define EXP_FAST 708
#define EXP2_FAST 1022
#define EXPM1_LOW (-38)
#define ERFC_LAST 27.3
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(FLOAT_MUL, 1, FLOAT_INVERT)
POLYGAMMA_BODY
#undef BODY
#undef T
#undef U
#undef LEAST_NORMAL
#undef MOST
#undef EXP_FAST
#undef EXP2_FAST
#undef EXPM1_LOW
#undef ERFC_LAST
#undef FN
#undef FLOATS

#define BODY(name) name##_i32
#define T int32_t
#define U uint32_t
#define INTS 1
#define FN(name) name##i
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(INT_MUL, 1, INT_INVERT)
#undef BODY
#undef T
#undef U
#undef FN

#define BODY(name) name##_i64
#define T int64_t
#define U uint64_t
#define FN(name) name##l
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(INT_MUL, 1, INT_INVERT)
#undef BODY
#undef T
#undef U
#undef FN
#undef INTS

#define BODY(name) name##_bool
#define T bool
#define U bool
#include "cpu/instr.def"
WHERE_BODY
#undef BODY
#undef T
#undef U

/* ---- cast ---------------------------------------------------------------------------------------- */

#define CAST(name, from, to_type, expression) \
    static void cast_##name(void *d, const void *a, const void *b, const void *c, int64_t n, \
                            int64_t imm) \
    { \
        (void)b, (void)c, (void)imm; \
        to_type *to = d; \
        const from *p = a; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            from x = p[i]; \
            to[i] = expression; \
        } \
    }
CAST(bool_i32, bool, int32_t, x)
CAST(bool_i64, bool, int64_t, x)
CAST(bool_f32, bool, float, x)
CAST(bool_f64, bool, double, x)
CAST(i32_bool, int32_t, bool, x != 0)
CAST(i32_i64, int32_t, int64_t, x)
CAST(i32_f32, int32_t, float, (float)x)
CAST(i32_f64, int32_t, double, x)
CAST(i64_bool, int64_t, bool, x != 0)
CAST(i64_i32, int64_t, int32_t, (int32_t)(uint32_t)(uint64_t)x)
CAST(i64_f32, int64_t, float, (float)x)
CAST(i64_f64, int64_t, double, (double)x)
CAST(f32_bool, float, bool, x != 0)
CAST(f32_i32, float, int32_t, float_to_int32(x))
CAST(f32_i64, float, int64_t, float_to_int64(x))
CAST(f32_f64, float, double, x)
CAST(f64_bool, double, bool, x != 0)
CAST(f64_i32, double, int32_t, double_to_int32(x))
CAST(f64_i64, double, int64_t, double_to_int64(x))
CAST(f64_f32, double, float, (float)x)

/* ---- the table ------------------------------------------------------------------------------------ */

#undef UNARY
#undef BINARY
#undef MATH1
#undef MATH1_IN_TWO
#undef MATH1_WITHIN
#undef MATH2
#define ENTRY(name) [LUCID__##name][DTYPE] = BODY(name),
#define UNARY(name, ...) ENTRY(name)
#define BINARY(name, ...) ENTRY(name)
#define MATH1(name, ...) ENTRY(name)
#define MATH1_IN_TWO(name, ...) ENTRY(name)
#define MATH1_WITHIN(name, ...) ENTRY(name)
#define MATH2(name, ...) ENTRY(name)

extern lucid__philox_run JOIN(lucid__philox_run_, LUCID__ISA);
extern lucid__philox_row JOIN(lucid__philox_row_, LUCID__ISA);
extern const lucid__pair_bodies JOIN(lucid__pairs_, LUCID__ISA);
extern const lucid__folds JOIN(lucid__folds_, LUCID__ISA);
extern const lucid__sort_isa JOIN(lucid__sort_, LUCID__ISA);
extern const lucid__arg_extreme JOIN(lucid__argmax_, LUCID__ISA)[LUCID__DTYPES];
extern const lucid__arg_extreme JOIN(lucid__argmin_, LUCID__ISA)[LUCID__DTYPES];
extern const lucid__look_up JOIN(lucid__look_up_, LUCID__ISA);
extern const lucid__bodies JOIN(lucid__bodies_, LUCID__ISA);
const lucid__bodies JOIN(lucid__bodies_, LUCID__ISA) = {
    .op =
        {
#define BODY(name) name##_f32
#define DTYPE LUCID_FLOAT32
#define FLOATS 1
#include "cpu/instr.def"
            ENTRY(where) ENTRY(powi) ENTRY(polygamma)
#undef BODY
#undef DTYPE
#define BODY(name) name##_f64
#define DTYPE LUCID_FLOAT64
#include "cpu/instr.def"
                ENTRY(where) ENTRY(powi) ENTRY(polygamma)
#undef BODY
#undef DTYPE
#undef FLOATS
#define BODY(name) name##_i32
#define DTYPE LUCID_INT32
#define INTS 1
#include "cpu/instr.def"
                    ENTRY(where) ENTRY(powi)
#undef BODY
#undef DTYPE
#define BODY(name) name##_i64
#define DTYPE LUCID_INT64
#include "cpu/instr.def"
                        ENTRY(where) ENTRY(powi)
#undef BODY
#undef DTYPE
#undef INTS
#define BODY(name) name##_bool
#define DTYPE LUCID_BOOL
#include "cpu/instr.def"
                            ENTRY(where)
#undef BODY
#undef DTYPE
        },
    .cast =
        {
            [LUCID_BOOL] = {NULL, cast_bool_i32, cast_bool_i64, cast_bool_f32, cast_bool_f64},
            [LUCID_INT32] = {cast_i32_bool, NULL, cast_i32_i64, cast_i32_f32, cast_i32_f64},
            [LUCID_INT64] = {cast_i64_bool, cast_i64_i32, NULL, cast_i64_f32, cast_i64_f64},
            [LUCID_FLOAT32] = {cast_f32_bool, cast_f32_i32, cast_f32_i64, NULL, cast_f32_f64},
            [LUCID_FLOAT64] = {cast_f64_bool, cast_f64_i32, cast_f64_i64, cast_f64_f32, NULL},
        },
    .fold = &JOIN(lucid__folds_, LUCID__ISA),
    .pair = &JOIN(lucid__pairs_, LUCID__ISA),
    .philox = JOIN(lucid__philox_run_, LUCID__ISA),
    .philox_row = JOIN(lucid__philox_row_, LUCID__ISA),
    .sort = &JOIN(lucid__sort_, LUCID__ISA),
    .argmax = JOIN(lucid__argmax_, LUCID__ISA),
    .look_up = &JOIN(lucid__look_up_, LUCID__ISA),
    .argmin = JOIN(lucid__argmin_, LUCID__ISA),
};
