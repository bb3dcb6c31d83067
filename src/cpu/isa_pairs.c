/* Instructions that are two elementwise operations, for one instruction set: what is between them stays in a
 * vector register. Both round (-ffp-contract=off). */
#include <math.h>

#include "cpu/instr.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* t: what the first operation gives; c: the other operand of the second. */
#define PAIR(name, T, c, first, second) \
    static void name(void *d, const void *a, const void *b, const void *e, int64_t n, int64_t imm) \
    { \
        (void)b, (void)e, (void)imm; \
        T *to = d; \
        const T *p = a, *q = b, *r = c; \
        (void)q, (void)r; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            T t = first; \
            to[i] = second; \
        } \
    }

#define PAIRS(name, T, c, first) \
    PAIR(name##_add, T, c, first, t + r[i]) \
    PAIR(name##_sub, T, c, first, t - r[i]) \
    PAIR(name##_from, T, c, first, r[i] - t) \
    PAIR(name##_mul, T, c, first, t *r[i]) \
    PAIR(name##_neg, T, c, first, -t)

#define ALL(T, suffix, abs) \
    PAIRS(add_##suffix, T, e, p[i] + q[i]) \
    PAIRS(sub_##suffix, T, e, p[i] - q[i]) \
    PAIRS(mul_##suffix, T, e, p[i] * q[i]) \
    PAIRS(neg_##suffix, T, b, -p[i]) \
    PAIRS(abs_##suffix, T, b, abs(p[i])) \
    PAIRS(square_##suffix, T, b, p[i] * p[i])
ALL(float, f32, fabsf)
ALL(double, f64, fabs)

#define ENTRY(name, second) \
    { \
        name##_f32_##second, name##_f64_##second \
    }
#define ROW(name) \
    { \
        ENTRY(name, add), ENTRY(name, sub), ENTRY(name, from), ENTRY(name, mul), ENTRY(name, neg), \
    }

/* In the order of lucid__pair_op and lucid__pair_then. */
extern const lucid__pair_bodies JOIN(lucid__pairs_, LUCID__ISA);
const lucid__pair_bodies JOIN(lucid__pairs_, LUCID__ISA) = {
    ROW(add), ROW(sub), ROW(mul), ROW(neg), ROW(abs), ROW(square),
};
