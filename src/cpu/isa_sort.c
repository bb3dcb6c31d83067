/* Rows of a tensor into SIMD lanes, through the sorting network, and out again, for one instruction set. */
#include "cpu/sort_lanes.h"

#include <string.h>

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 8 };
#elif defined(__AVX2__)
enum { LANES = 4 };
#else
enum { LANES = 2 };
#endif
typedef int64_t vec __attribute__((vector_size(LANES * 8)));

#define PAIRS 0
#define NAME(x) x##_packed
#include "cpu/sort_network.h"
#undef PAIRS
#undef NAME

#define PAIRS 1
#define NAME(x) x##_pairs
#include "cpu/sort_network.h"
#undef PAIRS
#undef NAME

/* ---- a square of numbers, rows to columns --------------------------------------------------------- */

/* GCC has it from version 12 on, clang always. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define HAS_SHUFFLE 1
#endif
#endif

#ifdef HAS_SHUFFLE
#if defined(__AVX512F__)
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define UPPER(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif defined(__AVX2__)
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define UPPER(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#else
#define LOWER(a, b) __builtin_shufflevector(a, b, 0, 2)
#define UPPER(a, b) __builtin_shufflevector(a, b, 1, 3)
#endif
/* Each pass shuffles the rows of the upper half between those of the lower one, like cards; as many as
 * make all rows columns. */
static inline void turn(vec *v)
{
    for (int pass = 1; pass < LANES; pass *= 2) {
        vec w[LANES];
        for (int i = 0; i < LANES / 2; i++) {
            w[2 * i] = LOWER(v[i], v[i + LANES / 2]);
            w[2 * i + 1] = UPPER(v[i], v[i + LANES / 2]);
        }
        for (int i = 0; i < LANES; i++)
            v[i] = w[i];
    }
}
#else
static inline void turn(vec *v)
{
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < i; j++) {
            int64_t e = v[i][j];
            v[i][j] = v[j][i];
            v[j][i] = e;
        }
}
#endif

/* ---- rows in and out ------------------------------------------------------------------------------ */

/* All lanes are taken, by rows that begin next to each other. */
static bool neighbours(const lucid__sort_rows *r)
{
    bool next = r->count == LANES;
    for (int i = 1; i < r->count; i++)
        next = next && r->first[i] == r->first[0] + i;
    return next;
}

#define KEY_BOOL(x) ((x) != 0)
#define KEY_INT(x) (x)

/* Elements of `type` in, KEY(element) ^ flip with its position into t; then the same way out. Where the
 * elements of a row lie next to each other, squares of them are read row by row and turned. */
#define SORT_PACKED(name, type, KEY) \
    static void fill_##name(const lucid__sort_rows *r, const type *const *row, item_packed *t) \
    { \
        const int32_t flip = r->descending ? -1 : 0; \
        int64_t k = 0; \
        for (; r->stride == 1 && k + LANES <= r->n; k += LANES) { \
            vec square[LANES]; \
            for (int i = 0; i < LANES; i++) { \
                int64_t key[LANES]; \
                for (int j = 0; j < LANES; j++) \
                    key[j] = lucid__sort_pack(KEY(row[i][k + j]) ^ flip, k + j); \
                memcpy(&square[i], key, sizeof key); \
            } \
            turn(square); \
            for (int i = 0; i < LANES; i++) \
                t[k + i].key = square[i]; \
        } \
        if (neighbours(r)) \
            for (const type *x = row[0]; k < r->n; k++, x += r->stride) { \
                int64_t key[LANES]; \
                for (int i = 0; i < LANES; i++) \
                    key[i] = lucid__sort_pack(KEY(x[i]) ^ flip, k); \
                memcpy(&t[k].key, key, sizeof key); \
            } \
        for (; k < r->n; k++) \
            for (int i = 0; i < LANES; i++) \
                t[k].key[i] = lucid__sort_pack(KEY(row[i][k * r->stride]) ^ flip, k); \
    } \
    static void drain_##name(const lucid__sort_rows *r, const type *const *row, item_packed *t) \
    { \
        const vec lower = (vec){0} + UINT32_MAX; \
        int64_t k = 0; \
        for (; r->stride == 1 && k + LANES <= r->n; k += LANES) { \
            vec square[LANES]; \
            for (int i = 0; i < LANES; i++) \
                square[i] = t[k + i].key & lower; \
            turn(square); \
            for (int i = 0; i < r->count; i++) { \
                type *value = r->values ? (type *)r->values + r->first[i] + k : NULL; \
                if (r->positions) \
                    memcpy(r->positions + r->first[i] + k, &square[i], sizeof(vec)); \
                for (int j = 0; value && j < LANES; j++) \
                    value[j] = row[i][square[i][j]]; \
            } \
        } \
        for (; k < r->n; k++) \
            for (int i = 0; i < r->count; i++) { \
                int64_t to = r->first[i] + k * r->stride, from = (uint32_t)t[k].key[i]; \
                if (r->positions) \
                    r->positions[to] = from; \
                if (r->values) \
                    ((type *)r->values)[to] = row[i][from * r->stride]; \
            } \
    }

#define SORT_PAIRS(name, type, KEY) \
    static void fill_##name(const lucid__sort_rows *r, const type *const *row, item_pairs *t) \
    { \
        const int64_t flip = r->descending ? -1 : 0; \
        int64_t k = 0; \
        for (; r->stride == 1 && k + LANES <= r->n; k += LANES) { \
            vec square[LANES]; \
            for (int i = 0; i < LANES; i++) { \
                int64_t key[LANES]; \
                for (int j = 0; j < LANES; j++) \
                    key[j] = KEY(row[i][k + j]) ^ flip; \
                memcpy(&square[i], key, sizeof key); \
            } \
            turn(square); \
            for (int i = 0; i < LANES; i++) { \
                t[k + i].key = square[i]; \
                t[k + i].at = (vec){0} + (k + i); \
            } \
        } \
        if (neighbours(r)) \
            for (const type *x = row[0]; k < r->n; k++, x += r->stride) { \
                int64_t key[LANES]; \
                for (int i = 0; i < LANES; i++) \
                    key[i] = KEY(x[i]) ^ flip; \
                memcpy(&t[k].key, key, sizeof key); \
                t[k].at = (vec){0} + k; \
            } \
        for (; k < r->n; k++) { \
            for (int i = 0; i < LANES; i++) \
                t[k].key[i] = KEY(row[i][k * r->stride]) ^ flip; \
            t[k].at = (vec){0} + k; \
        } \
    } \
    static void drain_##name(const lucid__sort_rows *r, const type *const *row, item_pairs *t) \
    { \
        int64_t k = 0; \
        for (; r->stride == 1 && k + LANES <= r->n; k += LANES) { \
            vec square[LANES]; \
            for (int i = 0; i < LANES; i++) \
                square[i] = t[k + i].at; \
            turn(square); \
            for (int i = 0; i < r->count; i++) { \
                type *value = r->values ? (type *)r->values + r->first[i] + k : NULL; \
                if (r->positions) \
                    memcpy(r->positions + r->first[i] + k, &square[i], sizeof(vec)); \
                for (int j = 0; value && j < LANES; j++) \
                    value[j] = row[i][square[i][j]]; \
            } \
        } \
        for (; k < r->n; k++) \
            for (int i = 0; i < r->count; i++) { \
                int64_t to = r->first[i] + k * r->stride, from = t[k].at[i]; \
                if (r->positions) \
                    r->positions[to] = from; \
                if (r->values) \
                    ((type *)r->values)[to] = row[i][from * r->stride]; \
            } \
    }

/* Lanes without a row of their own sort the first one again. */
#define SORT(name, type, items) \
    static void sort_##name(const lucid__sort_rows *r) \
    { \
        const type *row[LANES]; \
        item_##items *t = r->scratch; \
        int64_t whole = (r->n + 7) / 8 * 8; \
        for (int i = 0; i < LANES; i++) \
            row[i] = (const type *)r->x + r->first[i < r->count ? i : 0]; \
        fill_##name(r, row, t); \
        for (int64_t k = r->n; k < whole; k++) \
            t[k] = top_##items(); \
        network_##items(t, whole); \
        drain_##name(r, row, t); \
    }

SORT_PACKED(bool, uint8_t, KEY_BOOL)
SORT_PACKED(i32, int32_t, KEY_INT)
SORT_PACKED(f32, float, lucid__sort_key_f32)
SORT_PAIRS(i64, int64_t, KEY_INT)
SORT_PAIRS(f64, double, lucid__sort_key_f64)
SORT(bool, uint8_t, packed)
SORT(i32, int32_t, packed)
SORT(f32, float, packed)
SORT(i64, int64_t, pairs)
SORT(f64, double, pairs)

extern const lucid__sort_isa JOIN(lucid__sort_, LUCID__ISA);
const lucid__sort_isa JOIN(lucid__sort_, LUCID__ISA) = {
    .lanes = LANES,
    .sort = {[LUCID_BOOL] = sort_bool,
             [LUCID_INT32] = sort_i32,
             [LUCID_INT64] = sort_i64,
             [LUCID_FLOAT32] = sort_f32,
             [LUCID_FLOAT64] = sort_f64},
};
