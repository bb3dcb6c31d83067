/* The inner loops on matrices for one instruction set: matrix_product.h for every dtype, the others for
 * floats. */
#include <math.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#define FENCE _mm_sfence() /* before another thread is told that it can read */
#else
#define FENCE
#endif

#include "base/interrupt.h"
#include "cpu/matrix_isa.h"
#include "cpu/spread.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define WIDE_VECTOR v64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define WIDE_VECTOR v32
#else
#define VECTOR_BYTES 16
#define WIDE_VECTOR v16
#endif

/* GCC has it from version 12 on, clang always. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAS_SHUFFLE 1
#endif
#endif
#ifndef HAS_SHUFFLE
#define HAS_SHUFFLE 0
#endif

/* x + a * b of floats, rounded once where the machine can; vectors are only if compilers optimise at all. */
#if (defined(__FMA__) || defined(__ARM_FEATURE_FMA)) && defined(__OPTIMIZE__)
#define ADD_PRODUCT_F32(x, a, b) __builtin_fmaf(a, b, x)
#define ADD_PRODUCT_F64(x, a, b) __builtin_fma(a, b, x)
#else
#define ADD_PRODUCT_F32(x, a, b) ((x) + (a) * (b))
#define ADD_PRODUCT_F64(x, a, b) ((x) + (a) * (b))
#endif

enum { MAX_N = LUCID__LANES_MAX_SIZE };

/* Positions for __builtin_shufflevector. A vector is made of pieces of 16 bytes; N is how many
 * elements it has, and those of a second vector count on from there. */
#define LOW_OF_4(q) 4 * (q), N + 4 * (q), 4 * (q) + 1, N + 4 * (q) + 1
#define HIGH_OF_4(q) 4 * (q) + 2, N + 4 * (q) + 2, 4 * (q) + 3, N + 4 * (q) + 3
#define LOW_HALVES(q) 4 * (q), 4 * (q) + 1, N + 4 * (q), N + 4 * (q) + 1
#define HIGH_HALVES(q) 4 * (q) + 2, 4 * (q) + 3, N + 4 * (q) + 2, N + 4 * (q) + 3
#define LOW_OF_2(q) 2 * (q), N + 2 * (q)
#define HIGH_OF_2(q) 2 * (q) + 1, N + 2 * (q) + 1
/* Of vectors a and b: elements whose position has bit `step` come from one, with it from the other. */
#define LOW_OF_PAIR(i, step) ((i) & (step) ? N + (i) - (step) : (i))
#define HIGH_OF_PAIR(i, step) ((i) & (step) ? N + (i) : (i) + (step))
#define COUNTED_4(f, s) f(0, s), f(1, s), f(2, s), f(3, s)
#define COUNTED_8(f, s) COUNTED_4(f, s), f(4, s), f(5, s), f(6, s), f(7, s)
#define COUNTED_16(f, s) \
    COUNTED_8(f, s), f(8, s), f(9, s), f(10, s), f(11, s), f(12, s), f(13, s), f(14, s), f(15, s)
#if VECTOR_BYTES == 64
#define EACH_PIECE(f) f(0), f(1), f(2), f(3)
#elif VECTOR_BYTES == 32
#define EACH_PIECE(f) f(0), f(1)
#else
#define EACH_PIECE(f) f(0)
#endif

#define JOIN2(a, b) a##b
#define JOIN(a, b) JOIN2(a, b)

#define T float
#define DTYPE LUCID_FLOAT32
#define INDEX uint32_t
#define LANES 16
#define SQRT sqrtf
#define ABS fabsf
#define ADD_PRODUCT ADD_PRODUCT_F32
#define NAME(x) JOIN(x, _f32)
#define COUNT_TO_32 0, 1, 2, 3, 4, 5, 6, 7
#define COUNT_TO_64 COUNT_TO_32, 8, 9, 10, 11, 12, 13, 14, 15
#define PIECE_OF(q) 4 * (q), 4 * (q) + 1, 4 * (q) + 2, 4 * (q) + 3
#if VECTOR_BYTES == 64
#define COUNTED COUNTED_16
#else
#define COUNTED COUNTED_8
#endif
#include "cpu/matrix_product.h"

#include "cpu/matrix_lanes.h"

#define EPSILON 1.1920929e-7F
#define TINY 1e-18F /* its square is still a number */
#define EXPONENT UINT32_C(0x7F800000)
#define EXPONENT_ONE UINT32_C(0x00800000) /* the least power of two there */
#define W LANES
#include "cpu/matrix_spectral.h"
#undef NAME
#undef W
#define NAME(x) JOIN(x, _one_f32)
#define W 1
#include "cpu/matrix_spectral.h"
#undef NAME
#undef W
#define NAME(x) JOIN(x, _f32)
#define ONE(x) JOIN(x, _one_f32)
#include "cpu/matrix_decompose.h"
#undef EPSILON
#undef TINY
#undef EXPONENT
#undef EXPONENT_ONE
#undef ONE
#undef T
#undef DTYPE
#undef INDEX
#undef LANES
#undef SQRT
#undef ABS
#undef ADD_PRODUCT
#undef COUNT_TO_32
#undef COUNT_TO_64
#undef PIECE_OF
#undef COUNTED
#undef NAME

#define T double
#define DTYPE LUCID_FLOAT64
#define INDEX uint64_t
#define LANES 8
#define SQRT sqrt
#define ABS fabs
#define ADD_PRODUCT ADD_PRODUCT_F64
#define NAME(x) JOIN(x, _f64)
#define COUNT_TO_32 0, 1, 2, 3
#define COUNT_TO_64 COUNT_TO_32, 4, 5, 6, 7
#define PIECE_OF(q) 2 * (q), 2 * (q) + 1
#if VECTOR_BYTES == 64
#define COUNTED COUNTED_8
#else
#define COUNTED COUNTED_4
#endif
#include "cpu/matrix_product.h"

#include "cpu/matrix_lanes.h"

#define EPSILON 2.220446049250313e-16
#define TINY 1e-150 /* its square is still a number */
#define EXPONENT UINT64_C(0x7FF0000000000000)
#define EXPONENT_ONE UINT64_C(0x0010000000000000) /* the least power of two there */
#define W LANES
#include "cpu/matrix_spectral.h"
#undef NAME
#undef W
#define NAME(x) JOIN(x, _one_f64)
#define W 1
#include "cpu/matrix_spectral.h"
#undef NAME
#undef W
#define NAME(x) JOIN(x, _f64)
#define ONE(x) JOIN(x, _one_f64)
#include "cpu/matrix_decompose.h"
#undef EPSILON
#undef TINY
#undef EXPONENT
#undef EXPONENT_ONE
#undef ONE
#undef T
#undef DTYPE
#undef INDEX
#undef LANES
#undef SQRT
#undef ABS
#undef ADD_PRODUCT
#undef COUNT_TO_32
#undef COUNT_TO_64
#undef PIECE_OF
#undef COUNTED
#undef NAME

/* Integers wrap around: unsigned arithmetic is that without undefined behaviour. */
#define ADD_PRODUCT(x, a, b) ((x) + (a) * (b))
#define T uint32_t
#define NAME(x) JOIN(x, _i32)
#include "cpu/matrix_product.h"
#undef T
#undef NAME

#define T uint64_t
#define NAME(x) JOIN(x, _i64)
#include "cpu/matrix_product.h"
#undef T
#undef NAME

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
extern const lucid__matrix_isa JOIN(lucid__matrix_, LUCID__ISA);
const lucid__matrix_isa JOIN(lucid__matrix_, LUCID__ISA) = {
    .name = TEXT(LUCID__ISA),
    .multiply = {[LUCID_INT32] = multiply_i32,
                 [LUCID_INT64] = multiply_i64,
                 [LUCID_FLOAT32] = multiply_f32,
                 [LUCID_FLOAT64] = multiply_f64},
    .cholesky = {[LUCID_FLOAT32] = cholesky_f32, [LUCID_FLOAT64] = cholesky_f64},
    .lu = {[LUCID_FLOAT32] = lu_f32, [LUCID_FLOAT64] = lu_f64},
    .solve = {[LUCID_FLOAT32] = solve_f32, [LUCID_FLOAT64] = solve_f64},
    .triangular_solve =
        {[LUCID_FLOAT32] = triangular_solve_f32, [LUCID_FLOAT64] = triangular_solve_f64},
    .substitute = {[LUCID_FLOAT32] = substitute_f32, [LUCID_FLOAT64] = substitute_f64},
    .panel = {[LUCID_FLOAT32] = panel_f32, [LUCID_FLOAT64] = panel_f64},
    .qr = {[LUCID_FLOAT32] = qr_f32, [LUCID_FLOAT64] = qr_f64},
    .eigh = {[LUCID_FLOAT32] = eigh_f32, [LUCID_FLOAT64] = eigh_f64},
    .svd = {[LUCID_FLOAT32] = svd_f32, [LUCID_FLOAT64] = svd_f64},
};
