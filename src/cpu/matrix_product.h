/* Products of matrices of T; included by isa_matrix.c once per T, with NAME(x) making names unique.
 *
 * A tile of C, 4 rows (or 1) by one or two vectors, is kept in registers while k runs; so an element
 * is the sum of its products one by one in the order of k, whatever tile it falls into; those of more than a block
 * are the sum of blocks (engine/program.h). Each is rounded
 * together with its sum where the machine can, which the includer's ADD_PRODUCT(x, a, b) says for single
 * elements: a compiler may make vectors of their products alone. */

typedef T NAME(v64) __attribute__((vector_size(64), aligned(sizeof(T)), may_alias));
typedef T NAME(v32) __attribute__((vector_size(32), aligned(sizeof(T)), may_alias));
typedef T NAME(v16) __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));

#define AT(vec, p) (*(vec *)(p))
#define GET(vec, p) (*(const vec *)(p))

/* 4 x 2 vectors, 4 x 1, 1 x 4 and 1 x 1. */
#define TILES(vec) \
    static inline void NAME(tile42_##vec)(const lucid__product *p, bool add, int64_t rows, \
                                          const T *a, const T *b, T *c) \
    { \
        const int64_t two = rows > 2 ? 2 : 1, three = rows - 1; \
        enum { V = sizeof(NAME(vec)) / sizeof(T) }; \
        const T *a1 = a + p->a_row, *a2 = a + two * p->a_row, *a3 = a + three * p->a_row; \
        T *c1 = c + p->c_row, *c2 = c + two * p->c_row, *c3 = c + three * p->c_row; \
        NAME(vec) x0 = {0}, x1 = {0}, x2 = {0}, x3 = {0}, y0 = {0}, y1 = {0}, y2 = {0}, y3 = {0}; \
        if (add) { \
            x0 = GET(NAME(vec), c), y0 = GET(NAME(vec), c + V); \
            x1 = GET(NAME(vec), c1), y1 = GET(NAME(vec), c1 + V); \
            x2 = GET(NAME(vec), c2), y2 = GET(NAME(vec), c2 + V); \
            x3 = GET(NAME(vec), c3), y3 = GET(NAME(vec), c3 + V); \
        } \
        const int64_t a_col = p->a_col, b_row = p->b_row; \
        for (int64_t k = 0, i = 0; k < p->k; k++, i += a_col, b += b_row) { \
            NAME(vec) u = GET(NAME(vec), b), w = GET(NAME(vec), b + V); \
            x0 += u * a[i], y0 += w * a[i]; \
            x1 += u * a1[i], y1 += w * a1[i]; \
            x2 += u * a2[i], y2 += w * a2[i]; \
            x3 += u * a3[i], y3 += w * a3[i]; \
        } \
        AT(NAME(vec), c) = x0, AT(NAME(vec), c + V) = y0; \
        AT(NAME(vec), c1) = x1, AT(NAME(vec), c1 + V) = y1; \
        AT(NAME(vec), c2) = x2, AT(NAME(vec), c2 + V) = y2; \
        AT(NAME(vec), c3) = x3, AT(NAME(vec), c3 + V) = y3; \
    } \
    TILES_OF_ONE(vec, ADD_PRODUCTS) \
    static inline void NAME(tile14_##vec)(const lucid__product *p, bool add, const T *a, \
                                          const T *b, T *c) \
    { \
        enum { V = sizeof(NAME(vec)) / sizeof(T) }; \
        NAME(vec) x0 = {0}, x1 = {0}, x2 = {0}, x3 = {0}; \
        if (add) { \
            x0 = GET(NAME(vec), c), x1 = GET(NAME(vec), c + V); \
            x2 = GET(NAME(vec), c + 2 * V), x3 = GET(NAME(vec), c + 3 * V); \
        } \
        const int64_t a_col = p->a_col, b_row = p->b_row; \
        for (int64_t k = 0, i = 0; k < p->k; k++, i += a_col, b += b_row) { \
            x0 += GET(NAME(vec), b) * a[i]; \
            x1 += GET(NAME(vec), b + V) * a[i]; \
            x2 += GET(NAME(vec), b + 2 * V) * a[i]; \
            x3 += GET(NAME(vec), b + 3 * V) * a[i]; \
        } \
        AT(NAME(vec), c) = x0, AT(NAME(vec), c + V) = x1; \
        AT(NAME(vec), c + 2 * V) = x2, AT(NAME(vec), c + 3 * V) = x3; \
    }

#define ADD_PRODUCTS(x, a, b) ((x) + (a) * (b)) /* of vectors */

#define TILES_OF_ONE(vec, add_product) \
    static inline void NAME(tile41_##vec)(const lucid__product *p, bool add, int64_t rows, \
                                          const T *a, const T *b, T *c) \
    { \
        const int64_t two = rows > 2 ? 2 : 1, three = rows - 1; \
        const T *a1 = a + p->a_row, *a2 = a + two * p->a_row, *a3 = a + three * p->a_row; \
        T *c1 = c + p->c_row, *c2 = c + two * p->c_row, *c3 = c + three * p->c_row; \
        NAME(vec) x0 = {0}, x1 = {0}, x2 = {0}, x3 = {0}; \
        if (add) { \
            x0 = GET(NAME(vec), c), x1 = GET(NAME(vec), c1); \
            x2 = GET(NAME(vec), c2), x3 = GET(NAME(vec), c3); \
        } \
        const int64_t a_col = p->a_col, b_row = p->b_row; \
        for (int64_t k = 0, i = 0; k < p->k; k++, i += a_col, b += b_row) { \
            NAME(vec) u = GET(NAME(vec), b); \
            x0 = add_product(x0, u, a[i]), x1 = add_product(x1, u, a1[i]); \
            x2 = add_product(x2, u, a2[i]), x3 = add_product(x3, u, a3[i]); \
        } \
        AT(NAME(vec), c) = x0, AT(NAME(vec), c1) = x1; \
        AT(NAME(vec), c2) = x2, AT(NAME(vec), c3) = x3; \
    } \
    static inline void NAME(tile11_##vec)(const lucid__product *p, bool add, const T *a, \
                                          const T *b, T *c) \
    { \
        NAME(vec) x = {0}; \
        if (add) \
            x = GET(NAME(vec), c); \
        const int64_t a_col = p->a_col, b_row = p->b_row; \
        for (int64_t k = 0, i = 0; k < p->k; k++, i += a_col, b += b_row) \
            x = add_product(x, GET(NAME(vec), b), a[i]); \
        AT(NAME(vec), c) = x; \
    }

typedef T NAME(v1);
#if VECTOR_BYTES >= 64
TILES(v64)
#endif
#if VECTOR_BYTES >= 32
TILES(v32)
#endif
TILES(v16)
TILES_OF_ONE(v1, ADD_PRODUCT)

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define WIDE(tile) NAME(PASTE(tile, WIDE_VECTOR))
/* As many tiles of this width as fit, from column j on. */
#define SWEEP(tile, width, ...) \
    for (; j + (int64_t)(width) <= to; j += (int64_t)(width)) \
    tile(p, add, __VA_ARGS__, b + j, c + j)
/* One tile that ends with the last column, when more is left than the next narrower one covers. What
 * it overlaps is computed once more, to the same bits; unless it is to be added to what is there. */
#define CLOSE(tile, width, narrower, ...) \
    if (!add && to - j > (int64_t)(narrower) && to >= (int64_t)(width)) { \
        j = to - (int64_t)(width); \
        SWEEP(tile, width, __VA_ARGS__); \
    }

/* Columns from .. to of 2, 3 or 4 rows. */
static inline void NAME(few_rows)(const lucid__product *p, bool add, int64_t rows, int64_t from,
                                  int64_t to, const T *a, const T *b, T *c)
{
    int64_t j = from;
    SWEEP(WIDE(tile42_), 2 * VECTOR_BYTES / sizeof(T), rows, a);
#if VECTOR_BYTES >= 64
    SWEEP(NAME(tile41_v64), 64 / sizeof(T), rows, a);
    CLOSE(NAME(tile41_v64), 64 / sizeof(T), 32 / sizeof(T), rows, a);
#endif
#if VECTOR_BYTES >= 32
    SWEEP(NAME(tile41_v32), 32 / sizeof(T), rows, a);
    CLOSE(NAME(tile41_v32), 32 / sizeof(T), 16 / sizeof(T), rows, a);
#endif
    SWEEP(NAME(tile41_v16), 16 / sizeof(T), rows, a);
    CLOSE(NAME(tile41_v16), 16 / sizeof(T), 1, rows, a);
    SWEEP(NAME(tile41_v1), 1, rows, a);
}

static inline void NAME(one_row)(const lucid__product *p, bool add, int64_t from, int64_t to,
                                 const T *a, const T *b, T *c)
{
    int64_t j = from;
    SWEEP(WIDE(tile14_), 4 * VECTOR_BYTES / sizeof(T), a);
#if VECTOR_BYTES >= 64
    SWEEP(NAME(tile11_v64), 64 / sizeof(T), a);
    CLOSE(NAME(tile11_v64), 64 / sizeof(T), 32 / sizeof(T), a);
#endif
#if VECTOR_BYTES >= 32
    SWEEP(NAME(tile11_v32), 32 / sizeof(T), a);
    CLOSE(NAME(tile11_v32), 32 / sizeof(T), 16 / sizeof(T), a);
#endif
    SWEEP(NAME(tile11_v16), 16 / sizeof(T), a);
    CLOSE(NAME(tile11_v16), 16 / sizeof(T), 1, a);
    SWEEP(NAME(tile11_v1), 1, a);
}

/* Columns from .. to of up to 4 rows. */
static inline void NAME(rows_of_tiles)(const lucid__product *p, bool add, int64_t rows,
                                       int64_t from, int64_t to, const T *a, const T *b, T *c)
{
    if (rows > 1)
        NAME(few_rows)(p, add, rows, from, to, a, b, c);
    else
        NAME(one_row)(p, add, from, to, a, b, c);
}

enum {
    NAME(strip_columns) = 4 * VECTOR_BYTES / sizeof(T),
    NAME(strip_elements) = 4 * NAME(strip_columns)
};

/* Goes through the blocks of a sum: node[k] is what 2^k of them make, for each binary digit of how many there were. */
static inline void NAME(add_node)(T node[][NAME(strip_elements)], int64_t before, T *x, int64_t n)
{
    int level = 0;
    for (; before >> level & 1; level++)
        for (int64_t i = 0; i < n; i++)
            x[i] = node[level][i] + x[i];
    memcpy(node[level], x, (size_t)n * sizeof *x);
}

static inline void NAME(add_nodes)(T node[][NAME(strip_elements)], int64_t blocks, T *x, int64_t n)
{
    for (bool some = false; blocks; blocks &= blocks - 1, some = true) {
        const T *other = node[__builtin_ctzll((unsigned long long)blocks)];
        for (int64_t i = 0; i < n; i++)
            x[i] = some ? other[i] + x[i] : other[i];
    }
}

/* `columns` of up to 4 rows, whose sums are longer than a block. */
static void NAME(rows_of_blocks)(const lucid__product *p, bool add, int64_t rows, int64_t columns,
                                 const T *a, const T *b, T *c)
{
    enum { WIDTH = NAME(strip_columns) };
    T node[40][NAME(strip_elements)], sum[NAME(strip_elements)] = {0};
    lucid__product part = *p;
    int64_t blocks = 0;
    part.c_row = WIDTH;
    for (int64_t k = 0; k < p->k; k += LUCID__PRODUCT_BLOCK) {
        part.k = p->k - k < LUCID__PRODUCT_BLOCK ? p->k - k : LUCID__PRODUCT_BLOCK;
        NAME(rows_of_tiles)
        (&part, false, rows, 0, columns, a + k * p->a_col, b + k * p->b_row, sum);
        NAME(add_node)(node, blocks++, sum, rows * WIDTH);
    }
    NAME(add_nodes)(node, blocks, sum, rows * WIDTH);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < columns; j++) {
            T *to = c + r * p->c_row + j;
            *to = add ? *to + sum[r * WIDTH + j] : sum[r * WIDTH + j];
        }
}

/* One product with the columns of B side by side, in strips of columns of B that stay in the cache
 * while the rows pass by. */
static inline void NAME(by_tiles)(const lucid__product *p, bool add, int64_t strip, const T *a,
                                  const T *b, T *c)
{
    const bool blocks = p->k > LUCID__PRODUCT_BLOCK;
    if (blocks)
        strip = NAME(strip_columns);
    for (int64_t from = 0; from < p->n; from += strip) {
        int64_t to = p->n - from > strip ? from + strip : p->n;
        for (int64_t i = 0; i < p->m; i += 4) {
            const int64_t rows = p->m - i < 4 ? p->m - i : 4;
            const T *row = a + i * p->a_row;
            T *to_row = c + i * p->c_row;
            if ((i & 63) == 60 && lucid__stop())
                return;
            if (blocks) {
                NAME(rows_of_blocks)(p, add, rows, to - from, row, b + from, to_row + from);
            } else {
                NAME(rows_of_tiles)(p, add, rows, from, to, row, b, to_row);
            }
        }
    }
}

#define WIDEST NAME(WIDE_VECTOR)

/* Past the caches, where the machine can do that. */
static inline void NAME(put)(bool stream, T *to, WIDEST x)
{
#if VECTOR_BYTES == 64
    if (stream) {
        _mm512_stream_si512((void *)to, (__m512i)x);
        return;
    }
#elif VECTOR_BYTES == 32
    if (stream) {
        _mm256_stream_si256((void *)to, (__m256i)x);
        return;
    }
#elif defined(__x86_64__)
    if (stream) {
        _mm_stream_si128((void *)to, (__m128i)x);
        return;
    }
#endif
    (void)stream;
    AT(WIDEST, to) = x;
}

/* k <= 4: hardly more is done than writing C, so its rows are written one after the other. Memory that the
 * kernel clears on the way is in the caches; to write past them would push it out first, for twice the time. */
static inline void NAME(thin_rows)(const lucid__product *p, const int64_t k, const T *a, const T *b,
                                   T *c)
{
    enum { V = VECTOR_BYTES / sizeof(T) };
    for (int64_t i = 0; i < p->m; i++, a += p->a_row, c += p->c_row) {
        T f[4] = {0};
        for (int64_t n = 0; n < k; n++)
            f[n] = a[n * p->a_col];
        const bool stream = !p->fresh && (uintptr_t)c % VECTOR_BYTES == 0;
        int64_t j = 0;
        for (; j + V <= p->n; j += V) {
            WIDEST x = {0};
            for (int64_t n = 0; n < k; n++)
                x += GET(WIDEST, b + n * p->b_row + j) * f[n];
            NAME(put)(stream, c + j, x);
        }
        for (; j < p->n; j++) {
            T x = 0;
            for (int64_t n = 0; n < k; n++)
                x = ADD_PRODUCT(x, b[n * p->b_row + j], f[n]);
            c[j] = x;
        }
    }
}

static void NAME(thin)(const lucid__product *p, const T *a, const T *b, T *c)
{
    if (p->k == 1)
        NAME(thin_rows)(p, 1, a, b, c);
    else if (p->k == 2)
        NAME(thin_rows)(p, 2, a, b, c);
    else if (p->k == 3)
        NAME(thin_rows)(p, 3, a, b, c);
    else
        NAME(thin_rows)(p, 4, a, b, c);
}

enum { NAME(dot_step) = 2 * 64 / sizeof(T), NAME(dot_block) = 32 * NAME(dot_step) };

/* Two vectors side by side in memory: 2 x 64 bytes of partial sums. */
static inline void NAME(dot_of_steps)(NAME(v64) * sum, int64_t steps, const T *a, const T *b)
{
    enum { STEP = NAME(dot_step), V = STEP / 2 };
    NAME(v64) x = {0}, y = {0};
    for (int64_t i = 0; i < steps * STEP; i += STEP) {
        x += GET(NAME(v64), a + i) * GET(NAME(v64), b + i);
        y += GET(NAME(v64), a + i + V) * GET(NAME(v64), b + i + V);
    }
    *sum = x + y;
}

/* Partial sums combined in halves. */
static inline T NAME(sum_of_lanes)(const NAME(v64) * x)
{
    enum { V = 64 / sizeof(T) };
    T lane[V];
    AT(NAME(v64), lane) = *x;
    for (int half = V / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/* Whole steps, and the rest one by one. */
static inline T NAME(dot_of_block)(int64_t k, const T *a, const T *b)
{
    enum { STEP = NAME(dot_step) };
    T sum = 0;
    int64_t i = k / STEP * STEP;
    if (k >= STEP) {
        NAME(v64) x;
        NAME(dot_of_steps)(&x, k / STEP, a, b);
        sum = NAME(sum_of_lanes)(&x);
    }
    for (; i < k; i++)
        sum = ADD_PRODUCT(sum, a[i], b[i]);
    return sum;
}

/* The partial sums of whole blocks come together as the tree of engine/program.h, and are combined then; to them is
 * added what is left. So the order depends on k alone. */
static T NAME(dot)(int64_t k, const T *a, const T *b)
{
    enum { BLOCK = NAME(dot_block) };
    if (k <= BLOCK)
        return NAME(dot_of_block)(k, a, b);
    NAME(v64) node[48], x = {0};
    int64_t blocks = 0;
    for (; k >= BLOCK; k -= BLOCK, a += BLOCK, b += BLOCK, blocks++) {
        int level = 0;
        NAME(dot_of_steps)(&x, BLOCK / NAME(dot_step), a, b);
        for (; blocks >> level & 1; level++)
            x = node[level] + x;
        node[level] = x;
    }
    x = node[__builtin_ctzll((unsigned long long)blocks)];
    for (blocks &= blocks - 1; blocks; blocks &= blocks - 1)
        x = node[__builtin_ctzll((unsigned long long)blocks)] + x;
    T sum = NAME(sum_of_lanes)(&x);
    return k > 0 ? sum + NAME(dot_of_block)(k, a, b) : sum;
}

/* Few rows, and columns of B that each lie in one piece: an element is a dot product. */
static void NAME(by_dots)(const lucid__product *p, bool add, const T *a, const T *b, T *c,
                          T *scratch)
{
    for (int64_t i = 0; i < p->m; i++) {
        const T *row = a + i * p->a_row;
        if (p->a_col != 1 && p->k > 1) {
            for (int64_t k = 0; k < p->k; k++)
                scratch[k] = row[k * p->a_col];
            row = scratch;
        }
        for (int64_t j = 0; j < p->n; j++) {
            if ((j & 15) == 15 && lucid__stop())
                return;
            T sum = NAME(dot)(p->k, row, b + j * p->b_col);
            T *to = c + i * p->c_row + j;
            *to = add ? *to + sum : sum;
        }
    }
}

static void NAME(pack)(const lucid__product *p, const T *b, T *to)
{
    for (int64_t k = 0; k < p->k; k++)
        for (int64_t j = 0; j < p->n; j++)
            to[k * p->n + j] = b[k * p->b_row + j * p->b_col];
}

#include "cpu/matrix_groups.h"

static void NAME(multiply)(const lucid__product *p, int64_t count, bool add, const void *a_data,
                           int64_t a_step, const void *b_data, int64_t b_step, void *c_data,
                           int64_t c_step, void *scratch)
{
    const T *a = a_data, *b = b_data;
    T *c = c_data;
#if VECTOR_BYTES >= 32
    NAME(group_plan) groups;
    if (!add && NAME(plan_groups)(&groups, p, count, a_step, b_step, c_step)) {
        NAME(by_groups)(&groups, p, count, a, a_step, b, b_step, c);
        return;
    }
#endif
    if (lucid__product_is_dots(p)) {
        for (int64_t e = 0; e < count; e++)
            NAME(by_dots)(p, add, a + e * a_step, b + e * b_step, c + e * c_step, scratch);
        return;
    }
    enum { CACHE = 16384, STRIP = NAME(strip_columns) };
    int64_t strip = CACHE / (int64_t)sizeof(T) / (p->k > 0 ? p->k : 1);
    strip = strip - strip % STRIP;
    if (strip < STRIP)
        strip = STRIP;
    if (p->large && p->b_col == 1 && !add && p->k >= 1 && p->k <= 4) {
        for (int64_t e = 0; e < count; e++)
            NAME(thin)(p, a + e * a_step, b + e * b_step, c + e * c_step);
        FENCE;
        return;
    }
    if (p->b_col == 1 || p->n == 1) {
        for (int64_t e = 0; e < count; e++)
            NAME(by_tiles)(p, add, strip, a + e * a_step, b + e * b_step, c + e * c_step);
        return;
    }
    lucid__product packed = *p;
    packed.b_row = p->n;
    packed.b_col = 1;
    for (int64_t e = 0; e < count; e++) {
        if (e == 0 || b_step != 0)
            NAME(pack)(p, b + e * b_step, scratch);
        NAME(by_tiles)(&packed, add, strip, a + e * a_step, scratch, c + e * c_step);
    }
}

#undef AT
#undef GET
#undef TILES
#undef TILES_OF_ONE
#undef ADD_PRODUCTS
#undef PASTE2
#undef PASTE
#undef WIDE
#undef SWEEP
#undef CLOSE
#undef WIDEST
