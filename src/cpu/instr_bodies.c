/* The instruction bodies for one instruction set: LUCID__ISA names it, the compiler's flags choose it.
 * Plain loops for the compiler to vectorise; the expressions stand in instr.def. */
#include <math.h>
#include <string.h>

#include "cpu/instr.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

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

/* ---- helpers that an expression calls ---------------------------------------------------------- */

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

/* The quantile of the normal distribution. For float, (p - 1/2) times a polynomial of w = -log(4 p (1 - p)),
 * in the tails of sqrt w (Giles, "Approximating the erfinv function", GPU Computing Gems 2, 2011); fitted
 * for a least largest relative error, 5e-8. For double Wichura's PPND16 ("Algorithm AS 241", Applied
 * Statistics 37, 1988). The lanes choose coefficients, so that one polynomial is computed. */
#define CHOOSE(a, b, c) (middle ? (a) : far ? (c) : (b))
static inline float normal_quantile_off(float p)
{
    float q = p - 0.5f, tail = q < 0 ? p : 1 - p;
    float w = -logf(4 * tail * (1 - tail)), root = sqrtf(w);
    bool middle = w<6, far = root> 4.72f;
    float r = CHOOSE(w - 1, root - 3.5f, root - 7);
    float x = CHOOSE(-1.648055302e-8f, 3.598666610e-5f, -3.277965314e-9f);
    x = x * r + CHOOSE(2.843889182e-7f, 7.575245930e-5f, 3.343579954e-8f);
    x = x * r + CHOOSE(-8.884429411e-7f, -6.634845087e-4f, -1.694809027e-7f);
    x = x * r + CHOOSE(-1.367095308e-5f, 1.384415377e-3f, 8.426882916e-7f);
    x = x * r + CHOOSE(1.084163299e-4f, -1.924082796e-3f, -4.489174900e-6f);
    x = x * r + CHOOSE(2.856824629e-4f, 3.016678391e-3f, 1.722765786e-5f);
    x = x * r + CHOOSE(-6.723025201e-3f, -5.833069613e-3f, 1.761382386e-5f);
    x = x * r + CHOOSE(1.202168845e-2f, 9.280674431e-3f, -1.450095986e-3f);
    x = x * r + CHOOSE(7.009777722e-1f, 2.849269122e0f, 2.852739286e0f);
    x = x * r + CHOOSE(3.188696423e0f, 9.434177956e0f, 1.942852152e1f);
    return q * (tail == 0 ? INFINITY : x);
}

static inline double normal_quantile_of(double p)
{
    double q = p - 0.5, tail = q < 0 ? p : 1 - p, l = sqrt(-log(tail));
    bool middle = fabs(q) <= 0.425, far = l > 5;
    double r = middle ? 0.180625 - q * q : far ? l - 5 : l - 1.6;
    double over =
        CHOOSE(2.5090809287301226727e3, 7.74545014278341407640e-4, 2.01033439929228813265e-7);
    over = over * r +
           CHOOSE(3.3430575583588128105e4, 2.27238449892691845833e-2, 2.71155556874348757815e-5);
    over = over * r +
           CHOOSE(6.7265770927008700853e4, 2.41780725177450611770e-1, 1.24266094738807843860e-3);
    over = over * r +
           CHOOSE(4.5921953931549871457e4, 1.27045825245236838258e0, 2.65321895265761230930e-2);
    over = over * r +
           CHOOSE(1.3731693765509461125e4, 3.64784832476320460504e0, 2.96560571828504891230e-1);
    over = over * r +
           CHOOSE(1.9715909503065514427e3, 5.76949722146069140550e0, 1.78482653991729133580e0);
    over = over * r +
           CHOOSE(1.3314166789178437745e2, 4.63033784615654529590e0, 5.46378491116411436990e0);
    over = over * r +
           CHOOSE(3.3871328727963666080e0, 1.42343711074968357734e0, 6.65790464350110377720e0);
    double under =
        CHOOSE(5.2264952788528545610e3, 1.05075007164441684324e-9, 2.04426310338993978564e-15);
    under = under * r +
            CHOOSE(2.8729085735721942674e4, 5.47593808499534494600e-4, 1.42151175831644588870e-7);
    under = under * r +
            CHOOSE(3.9307895800092710610e4, 1.51986665636164571966e-2, 1.84631831751005468180e-5);
    under = under * r +
            CHOOSE(2.1213794301586595867e4, 1.48103976427480074590e-1, 7.86869131145613259100e-4);
    under = under * r +
            CHOOSE(5.3941960214247511077e3, 6.89767334985100004550e-1, 1.48753612908506148525e-2);
    under = under * r +
            CHOOSE(6.8718700749205790830e2, 1.67638483018380384940e0, 1.36929880922735805310e-1);
    under = under * r +
            CHOOSE(4.2313330701600911252e1, 2.05319162663775882187e0, 5.99832206555887937690e-1);
    under = under * r + 1;
    double x = tail == 0 ? INFINITY : over / under;
    return middle ? q * x : q < 0 ? -x : x;
}
#undef CHOOSE

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

/* Whole groups of lanes where they stand, the rest on a group filled up with 0.5. */
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

#define FOLD(name, ...) \
    static inline T BODY(name##_of)(T x, T y) \
    { \
        return (T)(__VA_ARGS__); \
    } \
    static void FOLD_BODY(name)(void *acc, const void *from, int64_t groups) \
    { \
        T *to = acc; \
        const T *p = from; \
        T sum[WHOLE]; \
        memcpy(sum, to, sizeof sum); \
        for (int64_t g = 0; g < groups; g++) { \
            _Pragma("omp simd") for (int j = 0; j < WHOLE; j++) sum[j] = \
                BODY(name##_of)(sum[j], p[g * WHOLE + j]); \
        } \
        memcpy(to, sum, sizeof sum); \
    } \
    static void FOLD_ROWS_BODY(name)(void *to, const void *x, int64_t rows, int64_t length) \
    { \
        const T *p = x; \
        int lanes = length < WHOLE ? (int)length : WHOLE; \
        for (int64_t r = 0; r < rows; r++, p += length) { \
            T sum[WHOLE]; \
            memcpy(sum, p, (size_t)lanes * sizeof(T)); \
            if (length > WHOLE) \
                FOLD_BODY(name)(sum, p + WHOLE, length / WHOLE - 1); \
            for (int64_t j = length / WHOLE * WHOLE; length > WHOLE && j < length; j++) \
                sum[j % WHOLE] = BODY(name##_of)(sum[j % WHOLE], p[j]); \
            for (int half = WHOLE / 2; half > 0; half /= 2) \
                for (int j = 0; j < half && j + half < lanes; j++) \
                    sum[j] = BODY(name##_of)(sum[j], sum[j + half]); \
            ((T *)to)[r] = sum[0]; \
        } \
    }

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
        T *to = d; \
        const T *p = a; \
        uint64_t power = imm < 0 ? 0 - (uint64_t)imm : (uint64_t)imm; \
        _Pragma("omp simd") for (int64_t i = 0; i < n; i++) \
        { \
            T x = p[i], r = ONE; \
            for (uint64_t k = power; k; k >>= 1) { \
                r = (k & 1) ? MUL(r, x) : r; \
                x = MUL(x, x); \
            } \
            to[i] = imm < 0 ? INVERT(r) : r; \
        } \
    }
#define FLOAT_MUL(x, y) ((x) * (y))
#define FLOAT_INVERT(x) ((T)1 / (x))
#define INT_MUL(x, y) ((T)((U)(x) * (U)(y)))
#define INT_INVERT(x) ((x) == 1 ? (T)1 : (x) == -1 ? (T)-1 : (T)0)

#define BODY(name) name##_f32
#define FOLD_BODY(name) name##_fold_f32
#define FOLD_ROWS_BODY(name) name##_fold_rows_f32
#define T float
#define U float
#define FLOATS 1
#define FN(name) name##f
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(FLOAT_MUL, 1, FLOAT_INVERT)
#undef BODY
#undef FOLD_BODY
#undef FOLD_ROWS_BODY
#undef T
#undef U
#undef FN

#define BODY(name) name##_f64
#define FOLD_BODY(name) name##_fold_f64
#define FOLD_ROWS_BODY(name) name##_fold_rows_f64
#define T double
#define U double
#define FN(name) name
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(FLOAT_MUL, 1, FLOAT_INVERT)
#undef BODY
#undef FOLD_BODY
#undef FOLD_ROWS_BODY
#undef T
#undef U
#undef FN
#undef FLOATS

#define BODY(name) name##_i32
#define FOLD_BODY(name) name##_fold_i32
#define FOLD_ROWS_BODY(name) name##_fold_rows_i32
#define T int32_t
#define U uint32_t
#define INTS 1
#define FN(name) name##i
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(INT_MUL, 1, INT_INVERT)
#undef BODY
#undef FOLD_BODY
#undef FOLD_ROWS_BODY
#undef T
#undef U
#undef FN

#define BODY(name) name##_i64
#define FOLD_BODY(name) name##_fold_i64
#define FOLD_ROWS_BODY(name) name##_fold_rows_i64
#define T int64_t
#define U uint64_t
#define FN(name) name##l
#include "cpu/instr.def"
WHERE_BODY
POWI_BODY(INT_MUL, 1, INT_INVERT)
#undef BODY
#undef FOLD_BODY
#undef FOLD_ROWS_BODY
#undef T
#undef U
#undef FN
#undef INTS

#define BODY(name) name##_bool
#define FOLD_BODY(name) name##_fold_bool
#define FOLD_ROWS_BODY(name) name##_fold_rows_bool
#define T bool
#define U bool
#include "cpu/instr.def"
WHERE_BODY
#undef BODY
#undef FOLD_BODY
#undef FOLD_ROWS_BODY
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
#undef MATH2
#undef FOLD
#define ENTRY(name) [LUCID__##name][DTYPE] = BODY(name),
#define UNARY(name, ...) ENTRY(name)
#define BINARY(name, ...) ENTRY(name)
#define MATH1(name, ...) ENTRY(name)
#define MATH2(name, ...) ENTRY(name)
#define FOLD(name, ...)

extern lucid__philox_run JOIN(lucid__philox_run_, LUCID__ISA);
extern const lucid__sort_isa JOIN(lucid__sort_, LUCID__ISA);
extern const lucid__arg_extreme JOIN(lucid__argmax_, LUCID__ISA)[LUCID__DTYPES];
extern const lucid__arg_extreme JOIN(lucid__argmin_, LUCID__ISA)[LUCID__DTYPES];
extern const lucid__bodies JOIN(lucid__bodies_, LUCID__ISA);
const lucid__bodies JOIN(lucid__bodies_, LUCID__ISA) = {
    .op =
        {
#define BODY(name) name##_f32
#define DTYPE LUCID_FLOAT32
#define FLOATS 1
#include "cpu/instr.def"
            ENTRY(where) ENTRY(powi)
#undef BODY
#undef DTYPE
#define BODY(name) name##_f64
#define DTYPE LUCID_FLOAT64
#include "cpu/instr.def"
                ENTRY(where) ENTRY(powi)
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
#undef UNARY
#undef BINARY
#undef MATH1
#undef MATH2
#undef FOLD
#define UNARY(name, ...)
#define BINARY(name, ...)
#define MATH1(name, ...)
#define MATH2(name, ...)
#define FOLD(name, ...) [LUCID__##name][DTYPE] = BODY(name),
    .fold =
        {
#define BODY(name) name##_fold_f32
#define DTYPE LUCID_FLOAT32
#define FLOATS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_fold_f64
#define DTYPE LUCID_FLOAT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef FLOATS
#define BODY(name) name##_fold_i32
#define DTYPE LUCID_INT32
#define INTS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_fold_i64
#define DTYPE LUCID_INT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef INTS
#define BODY(name) name##_fold_bool
#define DTYPE LUCID_BOOL
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
        },
    .fold_rows =
        {
#define BODY(name) name##_fold_rows_f32
#define DTYPE LUCID_FLOAT32
#define FLOATS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_fold_rows_f64
#define DTYPE LUCID_FLOAT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef FLOATS
#define BODY(name) name##_fold_rows_i32
#define DTYPE LUCID_INT32
#define INTS 1
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#define BODY(name) name##_fold_rows_i64
#define DTYPE LUCID_INT64
#include "cpu/instr.def"
#undef BODY
#undef DTYPE
#undef INTS
#define BODY(name) name##_fold_rows_bool
#define DTYPE LUCID_BOOL
#include "cpu/instr.def"
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
    .philox = JOIN(lucid__philox_run_, LUCID__ISA),
    .sort = &JOIN(lucid__sort_, LUCID__ISA),
    .argmax = JOIN(lucid__argmax_, LUCID__ISA),
    .argmin = JOIN(lucid__argmin_, LUCID__ISA),
};
