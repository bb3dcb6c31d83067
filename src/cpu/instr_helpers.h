/* What the expressions of instr.def call, for loops over lanes; part of instr_bodies.c. */
#ifndef LUCID__INSTR_HELPERS_H
#define LUCID__INSTR_HELPERS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cpu/polygamma.h"

/* ---- vector math ----------------------------------------------------------------------------- */

/* glibc's libmvec has vector versions (error at most 4 ulp) of these; telling GCC so makes the loops
 * below call them. Clang is told by -fveclib=libmvec. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && \
    (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 35)
#define VECTOR1(name) \
    __attribute__((simd("notinbranch"))) extern float name##f(float); \
    __attribute__((simd("notinbranch"))) extern double name(double);
#define VECTOR2(name) \
    __attribute__((simd("notinbranch"))) extern float name##f(float, float); \
    __attribute__((simd("notinbranch"))) extern double name(double, double);
VECTOR1(cbrt)
VECTOR1(exp)
VECTOR1(exp2)
VECTOR1(expm1)
VECTOR1(log)
VECTOR1(log2)
VECTOR1(log10)
VECTOR1(log1p)
VECTOR1(sin)
VECTOR1(cos)
VECTOR1(tan)
VECTOR1(asin)
VECTOR1(acos)
VECTOR1(atan)
VECTOR1(sinh)
VECTOR1(cosh)
VECTOR1(tanh)
VECTOR1(asinh)
VECTOR1(acosh)
VECTOR1(atanh)
VECTOR1(erf)
VECTOR1(erfc)
VECTOR2(atan2)
VECTOR2(pow)
#endif

/* ---- where vector math goes lane by lane ------------------------------------------------------- */

/* exp and its like near and beyond overflow and underflow: of x + s, which is exact for the small whole number s, and
 * times exp(-s). */
#define EXP_BEYOND(T, fn, abs, sign_of, highest, lowest, low_shift, high_shift, low_factor, \
                   high_factor, highest2, lowest2, factor2, sinh_highest) \
    static inline T exp_instead##fn(T x) \
    { \
        return x > 0          ? (x < (highest) ? x - (high_shift) : 0) \
               : x > (lowest) ? x + (low_shift) \
                              : 0; \
    } \
    static inline T exp_then##fn(T x, T y) \
    { \
        return x > 0          ? (x < (highest) ? y * (high_factor) : (T)INFINITY) \
               : x > (lowest) ? y * (low_factor) \
               : x == x       ? (T)0 \
                              : x; \
    } \
    static inline T exp2_instead##fn(T x) \
    { \
        return x > 0 ? (x < (highest2) ? x - 2 : 0) : x > (lowest2) ? x + 64 : 0; \
    } \
    static inline T exp2_then##fn(T x, T y) \
    { \
        return x > 0           ? (x < (highest2) ? y * 4 : (T)INFINITY) \
               : x > (lowest2) ? y * (factor2) \
               : x == x        ? (T)0 \
                               : x; \
    } \
    static inline T expm1_instead##fn(T x) \
    { \
        return x > 0 && x < (highest) ? x - (high_shift) : 0; \
    } \
    static inline T expm1_then##fn(T x, T y) \
    { \
        return x > 0 ? (x < (highest) ? y * (high_factor) : (T)INFINITY) : x < 0 ? (T)-1 : x; \
    } \
    /* sinh, and for the absolute value of the result cosh, which are exp(|x|) / 2 here. */ \
    static inline T sinh_instead##fn(T x) \
    { \
        return abs(x) < (sinh_highest) ? x - sign_of((T)(high_shift), x) : 0; \
    } \
    static inline T sinh_then##fn(T x, T y) \
    { \
        return x != x ? x : abs(x) < (sinh_highest) ? y * (high_factor) : sign_of((T)INFINITY, x); \
    } \
    /* Subnormal numbers are brought among the others. */ \
    static inline T log_instead##fn(T x) \
    { \
        return x > 0 && x < 1 ? x * (T)0x1p54 : 1; \
    } \
    static inline T log_then##fn(T x, T shifted) \
    { \
        return x == 0 ? -(T)INFINITY : x > 0 ? (x < 1 ? shifted : x) : (T)NAN; \
    }
EXP_BEYOND(float, f, fabsf, copysignf, 89.0f, -104.0f, 20, 2, 2.0611536224385579e-9f,
           7.3890560989306502f, 128.0f, -150.0f, 0x1p-64f, 90.0f)
EXP_BEYOND(double, , fabs, copysign, 710.0, -746.0, 50, 2, 1.9287498479639178e-22,
           7.3890560989306502, 1024.0, -1075.0, 0x1p-64, 711.0)
#undef EXP_BEYOND
#define LOG_SHIFT 54

/* ---- helpers that an expression calls ---------------------------------------------------------- */

/* What off_zero puts in the place of 0: its square and the cube of its reciprocal are normal numbers. */
static const float near_zero_off = 0x1p-41F;
static const double near_zero_of = 0x1p-340;

/* The power of two at or below |x|, as far from the ends of the exponents that it has a reciprocal and leaves
 * derivatives room; 1 for 0, infinities and NaN. */
static inline float binade_off(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT32_C(0x7f800000);
    float power;
    memcpy(&power, &bits, sizeof power);
    power = power < 0x1p-100F ? 0x1p-100F : power > 0x1p126F ? 0x1p126F : power;
    return x == 0 || !(fabsf(x) < INFINITY) ? 1 : power;
}

static inline double binade_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= UINT64_C(0x7ff0000000000000);
    double power;
    memcpy(&power, &bits, sizeof power);
    power = power < 0x1p-900 ? 0x1p-900 : power > 0x1p1022 ? 0x1p1022 : power;
    return x == 0 || !(fabs(x) < INFINITY) ? 1 : power;
}

/* x - y floor(x / y) loses digits; fmod is exact, and a shift by y gives it the sign of y. */
static inline float remainder_off(float x, float y)
{
    float r = fmodf(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r == 0 ? copysignf(0, y) : r;
}

static inline double remainder_of(double x, double y)
{
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r == 0 ? copysign(0, y) : r;
}

/* floor(x / y) of the exact quotient, as Python's //: the rounded one may already be an integer, as
 * 1.5f / 0.1f is, whose exact value is below 15. */
#define FLOOR_DIVIDE(name, T, fmod, floor, copysign) \
    static inline T name(T x, T y) \
    { \
        if (y == 0) \
            return x / y; \
        T r = fmod(x, y); \
        T q = (x - r) / y - (r != 0 && (r < 0) != (y < 0) ? 1 : 0); \
        T whole = floor(q); \
        return q == 0 ? copysign(0, x / y) : q - whole > (T)0.5 ? whole + 1 : whole; \
    }
FLOOR_DIVIDE(floor_divide_off, float, fmodf, floorf, copysignf)
FLOOR_DIVIDE(floor_divide_of, double, fmod, floor, copysign)
#undef FLOOR_DIVIDE

/* lgamma itself would write the sign to a global. */
static inline float log_gamma_off(float x)
{
    int sign;
    return lgammaf_r(x, &sign);
}

static inline double log_gamma_of(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* In the next wider type, so that little is lost where digamma is near 0. */
static inline float polygamma_off(int64_t n, float x)
{
    return (float)lucid__polygamma(n, x);
}

static inline double polygamma_of(int64_t n, double x)
{
    return (double)lucid__polygamma_long(n, x);
}

/* Integer powers wrap around; a negative exponent truncates towards 0, as the exact quotient would. */
static inline int64_t int_powl(int64_t x, int64_t n)
{
    if (n < 0)
        return x == 1 ? 1 : x == -1 ? (n % 2 ? -1 : 1) : 0;
    uint64_t r = 1, b = (uint64_t)x;
    for (; n; n >>= 1, b *= b)
        if (n & 1)
            r *= b;
    return (int64_t)r;
}

static inline int32_t int_powi(int32_t x, int32_t n)
{
    return (int32_t)(uint32_t)(uint64_t)int_powl(x, n);
}

/* Floats to integers truncate and saturate; NaN gives 0. */
#define FLOAT_TO_INT(name, from, to, low, high) \
    static inline to name(from x) \
    { \
        return x >= (from)(high) ? INT_MAX_OF_##to \
               : x < (from)(low) ? INT_MIN_OF_##to \
               : x == x          ? (to)x \
                                 : 0; \
    }
#define INT_MAX_OF_int32_t INT32_MAX
#define INT_MIN_OF_int32_t INT32_MIN
#define INT_MAX_OF_int64_t INT64_MAX
#define INT_MIN_OF_int64_t INT64_MIN
FLOAT_TO_INT(float_to_int32, float, int32_t, -2147483648.0f, 2147483648.0f)
FLOAT_TO_INT(double_to_int32, double, int32_t, -2147483648.0, 2147483648.0)
FLOAT_TO_INT(float_to_int64, float, int64_t, -9223372036854775808.0f, 9223372036854775808.0f)
FLOAT_TO_INT(double_to_int64, double, int64_t, -9223372036854775808.0, 9223372036854775808.0)

#endif
