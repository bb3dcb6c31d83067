/* Lane programs' own loops for one instruction set: LUCID__ISA names it. They work on whole vectors of
 * registers that are long enough for it, so there are no ends to look after, and they read numbers that are
 * the same for all lanes from one vector. Their arithmetic is that of instr.def. */
#include <string.h>

#include "cpu/lane_isa.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* A group is two of these. */
#define VECTOR(T, bytes) T __attribute__((vector_size(bytes), aligned(bytes), may_alias))
typedef VECTOR(float, 64) vec_f32;
typedef VECTOR(double, 64) vec_f64;
typedef VECTOR(int32_t, 64) vec_i32;
typedef VECTOR(int64_t, 64) vec_i64;
typedef VECTOR(uint32_t, 64) vec_u32;
typedef VECTOR(uint64_t, 64) vec_u64;
typedef VECTOR(int8_t, 16) bytes_4; /* bools beside lanes of 4 bytes */
typedef VECTOR(int8_t, 8) bytes_8;
typedef VECTOR(uint8_t, 64) vec_bool;

#define BODY(name) static void name(const lucid__lane_exec *e, int64_t n)
#define SOURCE(k, bytes) \
    const char *p##k = e->src[k]; \
    const int64_t s##k = e->vary[k] * (int64_t)(bytes)
#define READ(V, k, i) (*(const V *)(const void *)(p##k + (i)*s##k))

#define UNARY(name, V, W, ...) \
    BODY(name) \
    { \
        W *d = e->d; \
        SOURCE(0, sizeof(V)); \
        enum { LANES = sizeof(V) / sizeof(((V){0})[0]) }; \
        for (int64_t i = 0; i < n; i += 2 * LANES, d += 2, p0 += 2 * s0) { \
            for (int half = 0; half < 2; half++) { \
                const V x = READ(V, 0, half); \
                d[half] = (W)(__VA_ARGS__); \
            } \
        } \
    }

#define BINARY(name, V, W, ...) \
    BODY(name) \
    { \
        W *d = e->d; \
        SOURCE(0, sizeof(V)); \
        SOURCE(1, sizeof(V)); \
        enum { LANES = sizeof(V) / sizeof(((V){0})[0]) }; \
        for (int64_t i = 0; i < n; i += 2 * LANES, d += 2, p0 += 2 * s0, p1 += 2 * s1) { \
            for (int half = 0; half < 2; half++) { \
                const V x = READ(V, 0, half), y = READ(V, 1, half); \
                d[half] = (W)(__VA_ARGS__); \
            } \
        } \
    }

#define TERNARY(name, V, ...) \
    BODY(name) \
    { \
        V *d = e->d; \
        SOURCE(0, sizeof(V)); \
        SOURCE(1, sizeof(V)); \
        SOURCE(2, sizeof(V)); \
        enum { LANES = sizeof(V) / sizeof(((V){0})[0]) }; \
        for (int64_t i = 0; i < n; \
             i += 2 * LANES, d += 2, p0 += 2 * s0, p1 += 2 * s1, p2 += 2 * s2) { \
            for (int half = 0; half < 2; half++) { \
                const V x = READ(V, 0, half), y = READ(V, 1, half), z = READ(V, 2, half); \
                d[half] = __VA_ARGS__; \
            } \
        } \
    }

#define QUATERNARY(name, V, ...) \
    BODY(name) \
    { \
        V *d = e->d; \
        SOURCE(0, sizeof(V)); \
        SOURCE(1, sizeof(V)); \
        SOURCE(2, sizeof(V)); \
        SOURCE(3, sizeof(V)); \
        enum { LANES = sizeof(V) / sizeof(((V){0})[0]) }; \
        for (int64_t i = 0; i < n; \
             i += 2 * LANES, d += 2, p0 += 2 * s0, p1 += 2 * s1, p2 += 2 * s2, p3 += 2 * s3) { \
            for (int half = 0; half < 2; half++) { \
                const V x = READ(V, 0, half), y = READ(V, 1, half), z = READ(V, 2, half), \
                        w = READ(V, 3, half); \
                d[half] = __VA_ARGS__; \
            } \
        } \
    }

/* ---- arithmetic ---------------------------------------------------------------------------------- */

#define SELECT(V, I, mask, x, y) ((V)(((I)(x) & (mask)) | ((I)(y) & ~(mask))))

#define FLOATS(t, V, I) \
    UNARY(neg_##t, V, V, -x) \
    UNARY(square_##t, V, V, x *x) \
    UNARY(reciprocal_##t, V, V, 1 / x) \
    UNARY(abs_##t, V, V, (I)x & ~(I)(-(V){0})) \
    BINARY(add_##t, V, V, x + y) \
    BINARY(sub_##t, V, V, x - y) \
    BINARY(mul_##t, V, V, x *y) \
    BINARY(div_##t, V, V, x / y) \
    BINARY(maximum_##t, V, V, SELECT(V, I, (x > y) | (x != x), x, y)) \
    BINARY(minimum_##t, V, V, SELECT(V, I, (x < y) | (x != x), x, y))
FLOATS(f32, vec_f32, vec_i32)
FLOATS(f64, vec_f64, vec_i64)

#define INTS(t, V, U) \
    BINARY(add_##t, V, V, (U)x + (U)y) \
    BINARY(sub_##t, V, V, (U)x - (U)y) \
    BINARY(mul_##t, V, V, (U)x *(U)y)
INTS(i32, vec_i32, vec_u32)
INTS(i64, vec_i64, vec_u64)

#define COMPARISONS(t, V, B) \
    BINARY(eq_##t, V, B, __builtin_convertvector(x == y, B) & 1) \
    BINARY(ne_##t, V, B, __builtin_convertvector(x != y, B) & 1) \
    BINARY(lt_##t, V, B, __builtin_convertvector(x < y, B) & 1) \
    BINARY(le_##t, V, B, __builtin_convertvector(x <= y, B) & 1) \
    BINARY(gt_##t, V, B, __builtin_convertvector(x > y, B) & 1) \
    BINARY(ge_##t, V, B, __builtin_convertvector(x >= y, B) & 1)
COMPARISONS(f32, vec_f32, bytes_4)
COMPARISONS(f64, vec_f64, bytes_8)
COMPARISONS(i32, vec_i32, bytes_4)
COMPARISONS(i64, vec_i64, bytes_8)

UNARY(logical_not_bool, vec_bool, vec_bool, x ^ 1)
BINARY(logical_and_bool, vec_bool, vec_bool, x &y)
BINARY(logical_or_bool, vec_bool, vec_bool, x | y)

#define WHERE(t, V, I, B) \
    BODY(where_##t) \
    { \
        V *d = e->d; \
        SOURCE(0, sizeof(B)); \
        SOURCE(1, sizeof(V)); \
        SOURCE(2, sizeof(V)); \
        enum { LANES = sizeof(B) }; \
        for (int64_t i = 0; i < n; \
             i += 2 * LANES, d += 2, p0 += 2 * s0, p1 += 2 * s1, p2 += 2 * s2) { \
            for (int half = 0; half < 2; half++) { \
                const I mask = -__builtin_convertvector(READ(B, 0, half), I); \
                const V x = READ(V, 1, half), y = READ(V, 2, half); \
                d[half] = SELECT(V, I, mask, x, y); \
            } \
        } \
    }
WHERE(f32, vec_f32, vec_i32, bytes_4)
WHERE(f64, vec_f64, vec_i64, bytes_8)

/* ---- several operations in one ----------------------------------------------------------------- */

/* Each rounds for itself, as one after the other. */
#define OP0(x, y) ((x) + (y))
#define OP1(x, y) ((x) - (y))
#define OP2(x, y) ((x) * (y))
#define OP3(x, y) ((y) - (x))
#define TREE2(t, V, a, b) TERNARY(tree2_##a##b##_##t, V, OP##b(OP##a(x, y), z))
#define TREE3(t, V, a, b, c) QUATERNARY(tree3_##a##b##c##_##t, V, OP##b(OP##a(x, y), OP##c(z, w)))
#define TREES2(t, V, a) TREE2(t, V, a, 0) TREE2(t, V, a, 1) TREE2(t, V, a, 2) TREE2(t, V, a, 3)
#define TREES3_(t, V, a, b) TREE3(t, V, a, b, 0) TREE3(t, V, a, b, 1) TREE3(t, V, a, b, 2)
#define TREES3(t, V, a) TREES3_(t, V, a, 0) TREES3_(t, V, a, 1) TREES3_(t, V, a, 2)
#define TREES(t, V) \
    TREES2(t, V, 0) \
    TREES2(t, V, 1) TREES2(t, V, 2) TREES3(t, V, 0) TREES3(t, V, 1) TREES3(t, V, 2)
TREES(f32, vec_f32)
TREES(f64, vec_f64)

/* isa_lane_products.c */
extern lucid__lane_body JOIN(lucid__lane_products_f32_, LUCID__ISA);
extern lucid__lane_body JOIN(lucid__lane_products_f64_, LUCID__ISA);

/* ---- moving lanes ------------------------------------------------------------------------------ */

/* Some lanes at a time, so that what is read of their lines is still in the cache for the next element. */
enum { BLOCK = 16 };

#define MOVERS(name, T) \
    static void name##_load(char *memory, int64_t stride, const int64_t *offset, \
                            char *const *lanes, int64_t elements, int64_t n) \
    { \
        const T *from = (const T *)(const void *)memory; \
        int64_t block = stride == 1 || stride == 0 ? n : BLOCK; \
        for (int64_t first = 0; first < n; first += block) { \
            int64_t size = n - first < block ? n - first : block; \
            for (int64_t j = 0; j < elements; j++) { \
                if (!lanes[j]) \
                    continue; \
                T *to = (T *)(void *)lanes[j] + first; \
                const T *p = from + first * stride + offset[j]; \
                if (stride == 1) { \
                    memcpy(to, p, (size_t)size * sizeof(T)); \
                } else if (size == BLOCK) { \
                    for (int i = 0; i < BLOCK; i++) \
                        to[i] = p[i * stride]; \
                } else { \
                    for (int64_t i = 0; i < size; i++) \
                        to[i] = p[i * stride]; \
                } \
            } \
        } \
    } \
    static void name##_store(char *memory, int64_t stride, const int64_t *offset, \
                             char *const *lanes, int64_t elements, int64_t n) \
    { \
        T *base = (T *)(void *)memory; \
        int64_t block = stride == 1 ? n : BLOCK; \
        for (int64_t first = 0; first < n; first += block) { \
            int64_t size = n - first < block ? n - first : block; \
            for (int64_t j = 0; j < elements; j++) { \
                if (!lanes[j]) \
                    continue; \
                const T *from = (const T *)(const void *)lanes[j] + first; \
                T *to = base + first * stride + offset[j]; \
                if (stride == 1) { \
                    memcpy(to, from, (size_t)size * sizeof(T)); \
                } else { \
                    for (int64_t i = 0; i < size; i++) \
                        to[i * stride] = from[i]; \
                } \
            } \
        } \
    }
/* The address is written through as another type. NOLINTBEGIN(readability-non-const-parameter) */
MOVERS(move1, uint8_t)
MOVERS(move4, uint32_t)
MOVERS(move8, uint64_t)
/* NOLINTEND(readability-non-const-parameter) */

/* ---- the table ----------------------------------------------------------------------------------- */

#define FLOAT_ENTRIES(name) \
    [LUCID__##name] = {[LUCID_FLOAT32] = name##_f32, [LUCID_FLOAT64] = name##_f64},
#define NUMBER_ENTRIES(name) \
    [LUCID__##name] = {[LUCID_INT32] = name##_i32, \
                       [LUCID_INT64] = name##_i64, \
                       [LUCID_FLOAT32] = name##_f32, \
                       [LUCID_FLOAT64] = name##_f64},
#define BOOL_ENTRY(name) [LUCID__##name] = {[LUCID_BOOL] = name##_bool},
#define TREES2_OF(t, a) \
    { \
        tree2_##a##0_##t, tree2_##a##1_##t, tree2_##a##2_##t, tree2_##a##3_##t \
    }
#define TREES3_OF_(t, a, b) \
    { \
        tree3_##a##b##0_##t, tree3_##a##b##1_##t, tree3_##a##b##2_##t \
    }
#define TREES3_OF(t, a) \
    { \
        TREES3_OF_(t, a, 0), TREES3_OF_(t, a, 1), TREES3_OF_(t, a, 2) \
    }

extern const lucid__lane_isa JOIN(lucid__lanes_, LUCID__ISA);
const lucid__lane_isa JOIN(lucid__lanes_, LUCID__ISA) = {
    .name = TEXT(LUCID__ISA),
    .op = {FLOAT_ENTRIES(neg) FLOAT_ENTRIES(square) FLOAT_ENTRIES(reciprocal) FLOAT_ENTRIES(abs)
               FLOAT_ENTRIES(div) FLOAT_ENTRIES(maximum) FLOAT_ENTRIES(minimum) NUMBER_ENTRIES(add)
                   NUMBER_ENTRIES(sub) NUMBER_ENTRIES(mul) NUMBER_ENTRIES(eq) NUMBER_ENTRIES(ne)
                       NUMBER_ENTRIES(lt) NUMBER_ENTRIES(le) NUMBER_ENTRIES(gt) NUMBER_ENTRIES(ge)
                           BOOL_ENTRY(logical_not) BOOL_ENTRY(logical_and) BOOL_ENTRY(logical_or)
                               /* bits move whatever they mean */
                               [LUCID__where] = {[LUCID_INT32] = where_f32,
                                                 [LUCID_INT64] = where_f64,
                                                 [LUCID_FLOAT32] = where_f32,
                                                 [LUCID_FLOAT64] = where_f64}},
    .tree2 = {{TREES2_OF(f32, 0), TREES2_OF(f32, 1), TREES2_OF(f32, 2)},
              {TREES2_OF(f64, 0), TREES2_OF(f64, 1), TREES2_OF(f64, 2)}},
    .tree3 = {{TREES3_OF(f32, 0), TREES3_OF(f32, 1), TREES3_OF(f32, 2)},
              {TREES3_OF(f64, 0), TREES3_OF(f64, 1), TREES3_OF(f64, 2)}},
    .products = {JOIN(lucid__lane_products_f32_, LUCID__ISA),
                 JOIN(lucid__lane_products_f64_, LUCID__ISA)},
    .load = {[1] = move1_load, [4] = move4_load, [8] = move8_load},
    .store = {[1] = move1_store, [4] = move4_store, [8] = move8_store},
};
