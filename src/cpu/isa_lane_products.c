/* Sums of products in lane programs for one instruction set, LUCID__ISA: a block of lanes stays in vector
 * registers while all products are added to it, one by one. Compiled so that an addition and the product
 * that it adds are rounded once where the machine can, as in matrix_product.h. */
#include "cpu/lane_isa.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* A group is two of these, a block two groups. */
#define VECTOR(T) T __attribute__((vector_size(64), aligned(64), may_alias))
typedef VECTOR(float) vec_f32;
typedef VECTOR(double) vec_f64;

#define READ(V, p, i) (((const V *)(const void *)(p))[i])
#define NUMBER(T, p) (*(const T *)(const void *)(p))

/* count is 4 or 2, known when the loops are unrolled. */
#define BLOCK(T, V, t) \
    static inline void block_##t(const lucid__lane_exec *e, int64_t at, const int count) \
    { \
        const void *const *term = e->terms; \
        const V *start = e->src[0]; \
        V *d = (V *)e->d + at; \
        V a0 = start[at * e->vary[0]], a1 = start[(at + 1) * e->vary[0]], a2 = a0, a3 = a1; \
        if (count == 4) { \
            a2 = start[(at + 2) * e->vary[0]]; \
            a3 = start[(at + 3) * e->vary[0]]; \
        } \
        if (e->vary[1] && e->vary[2]) { \
            for (int64_t k = 0; k < e->imm; k++, term += 2) { \
                a0 += READ(V, term[0], at) * READ(V, term[1], at); \
                a1 += READ(V, term[0], at + 1) * READ(V, term[1], at + 1); \
                if (count == 4) { \
                    a2 += READ(V, term[0], at + 2) * READ(V, term[1], at + 2); \
                    a3 += READ(V, term[0], at + 3) * READ(V, term[1], at + 3); \
                } \
            } \
        } else { /* the second is one number for all lanes, and the first perhaps */ \
            const int64_t vary = e->vary[1], first = at * vary; \
            for (int64_t k = 0; k < e->imm; k++, term += 2) { \
                const T y = NUMBER(T, term[1]); \
                a0 += READ(V, term[0], first) * y; \
                a1 += READ(V, term[0], first + vary) * y; \
                if (count == 4) { \
                    a2 += READ(V, term[0], first + 2 * vary) * y; \
                    a3 += READ(V, term[0], first + 3 * vary) * y; \
                } \
            } \
        } \
        d[0] = a0, d[1] = a1; \
        if (count == 4) \
            d[2] = a2, d[3] = a3; \
    } \
    void JOIN(lucid__lane_products_##t##_, LUCID__ISA)(const lucid__lane_exec *e, int64_t n); \
    void JOIN(lucid__lane_products_##t##_, LUCID__ISA)(const lucid__lane_exec *e, int64_t n) \
    { \
        enum { GROUP = LUCID__LANE_GROUP / sizeof(T) }; \
        int64_t groups = (n + GROUP - 1) / GROUP, g = 0; \
        for (; g + 2 <= groups; g += 2) \
            block_##t(e, 2 * g, 4); \
        if (g < groups) \
            block_##t(e, 2 * g, 2); \
    }
BLOCK(float, vec_f32, f32)
BLOCK(double, vec_f64, f64)
