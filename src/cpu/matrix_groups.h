/* Many products of tiny matrices of T, several at a time; included by matrix_product.h. As many entries of the
 * batch as fit into two vectors are loaded as they lie; a permutation brings what each element of the results
 * needs of A, another what it needs of B, for one k after the other. So the order of summing is that of the
 * tiles. */
#if VECTOR_BYTES >= 32

#if VECTOR_BYTES == 64
typedef __m512i NAME(group_vec);
#define LOAD_GROUP(p) _mm512_loadu_si512((const void *)(p))
#else
typedef __m256i NAME(group_vec);
#define LOAD_GROUP(p) _mm256_loadu_si256((const void *)(p))
#endif

enum {
    NAME(GROUP_LANES) = VECTOR_BYTES / sizeof(T),
    NAME(GROUP_MAX) = 2 * NAME(GROUP_LANES), /* elements of one operand, and of the results */
    NAME(GROUP_SUMMED) = 8
};

/* Positions in 32 bits, two for an element of 64. */
typedef struct NAME(group_plan) {
    int64_t entries, outs, a_extent, b_extent;
    _Alignas(64) int32_t a[2][NAME(GROUP_SUMMED)][VECTOR_BYTES / 4];
    _Alignas(64) int32_t b[2][NAME(GROUP_SUMMED)][VECTOR_BYTES / 4];
    _Alignas(64) int32_t written[2][VECTOR_BYTES / 4]; /* -1: the result has that element */
} NAME(group_plan);

static inline int64_t NAME(group_extent)(int64_t n, int64_t row, int64_t m, int64_t col)
{
    return row < 0 || col < 0 ? INT64_MAX : (n - 1) * row + (m - 1) * col + 1;
}

static inline void NAME(group_place)(int32_t *lanes, int64_t lane, int64_t at)
{
    if (sizeof(T) == 4) {
        lanes[lane] = (int32_t)at;
    } else {
        lanes[2 * lane] = (int32_t)(2 * at);
        lanes[2 * lane + 1] = (int32_t)(2 * at + 1);
    }
}

/* False: these products are not for groups, however many there are. */
static bool NAME(plan_groups)(NAME(group_plan) * g, const lucid__product *p, int64_t count,
                              int64_t a_step, int64_t b_step, int64_t c_step)
{
    const int64_t most = NAME(GROUP_MAX), size = p->m * p->n;
    if (p->k > NAME(GROUP_SUMMED) || size > most || c_step != size ||
        (p->m > 1 && p->c_row != p->n))
        return false;
    g->a_extent = NAME(group_extent)(p->m, p->a_row, p->k, p->a_col);
    g->b_extent = NAME(group_extent)(p->k, p->b_row, p->n, p->b_col);
    if (g->a_extent > most || g->b_extent > most)
        return false;
    g->entries = a_step < 0 || b_step < 0 ? 1 : most / size;
    g->entries = g->entries < count ? g->entries : count;
    while (g->entries > 1 && (g->a_extent > most - (g->entries - 1) * a_step ||
                              g->b_extent > most - (g->entries - 1) * b_step))
        g->entries--;
    const int64_t lanes = NAME(GROUP_LANES);
    g->outs = (g->entries * size + lanes - 1) / lanes;
    memset(g->written, 0, sizeof g->written);
    memset(g->a, 0, sizeof g->a);
    memset(g->b, 0, sizeof g->b);
    for (int64_t e = 0, at = 0; e < g->entries; e++)
        for (int64_t i = 0; i < p->m; i++)
            for (int64_t j = 0; j < p->n; j++, at++) {
                const int64_t o = at / lanes, lane = at % lanes;
                for (size_t w = 0; w < sizeof(T) / 4; w++)
                    g->written[o][(size_t)lane * sizeof(T) / 4 + w] = -1;
                for (int64_t k = 0; k < p->k; k++) {
                    NAME(group_place)(g->a[o][k], lane, e * a_step + i * p->a_row + k * p->a_col);
                    NAME(group_place)(g->b[o][k], lane, e * b_step + k * p->b_row + j * p->b_col);
                }
            }
    return true;
}

/* Elements of two vectors, counted on from the first to the second. */
static inline WIDEST NAME(permute)(NAME(group_vec) low, NAME(group_vec) high, const int32_t *at)
{
#if VECTOR_BYTES == 64
    return (WIDEST)_mm512_permutex2var_epi32(low, LOAD_GROUP(at), high);
#else
    const __m256i positions = LOAD_GROUP(at);
    const __m256i of_high = _mm256_cmpgt_epi32(positions, _mm256_set1_epi32(7));
    return (WIDEST)_mm256_blendv_epi8(_mm256_permutevar8x32_epi32(low, positions),
                                      _mm256_permutevar8x32_epi32(high, positions), of_high);
#endif
}

static inline void NAME(put_group)(T *to, WIDEST x, const int32_t *written)
{
#if VECTOR_BYTES == 64
    const __m512i mask = LOAD_GROUP(written);
    _mm512_mask_storeu_epi32((void *)to, _mm512_movepi32_mask(mask), (__m512i)x);
#else
    _mm256_maskstore_epi32((void *)to, LOAD_GROUP(written), (__m256i)x);
#endif
}

/* One group; a_two, b_two: its operand takes two vectors. */
static inline void NAME(one_group)(const NAME(group_plan) * g, int64_t summed, const T *a,
                                   bool a_two, const T *b, bool b_two, T *c)
{
    const int64_t lanes = NAME(GROUP_LANES);
    const NAME(group_vec) a0 = LOAD_GROUP(a), a1 = a_two ? LOAD_GROUP(a + lanes) : a0;
    const NAME(group_vec) b0 = LOAD_GROUP(b), b1 = b_two ? LOAD_GROUP(b + lanes) : b0;
    for (int64_t o = 0; o < g->outs; o++) {
        WIDEST sum = {0};
        for (int64_t k = 0; k < summed; k++)
            sum += NAME(permute)(b0, b1, g->b[o][k]) * NAME(permute)(a0, a1, g->a[o][k]);
        NAME(put_group)(c + o * lanes, sum, g->written[o]);
    }
}

/* What can be read as whole vectors where it lies, and then the rest, and operands that all entries share, from
 * copies with room behind them. */
static inline void NAME(by_groups)(const NAME(group_plan) * g, const lucid__product *p,
                                   int64_t count, const T *a, int64_t a_step, const T *b,
                                   int64_t b_step, T *c)
{
    const int64_t lanes = NAME(GROUP_LANES), size = p->m * p->n;
    T a_copy[NAME(GROUP_MAX)] = {0}, b_copy[NAME(GROUP_MAX)] = {0}, c_copy[NAME(GROUP_MAX)];
    const bool a_two = (g->entries - 1) * a_step + g->a_extent > lanes;
    const bool b_two = (g->entries - 1) * b_step + g->b_extent > lanes;
    const int64_t a_reads = a_two ? 2 * lanes : lanes, b_reads = b_two ? 2 * lanes : lanes;
    int64_t a_left = (count - 1) * a_step + g->a_extent, done = 0;
    int64_t b_left = (count - 1) * b_step + g->b_extent;
    if (a_step == 0) {
        a = memcpy(a_copy, a, (size_t)g->a_extent * sizeof(T));
        a_left = INT64_MAX;
    }
    if (b_step == 0) {
        b = memcpy(b_copy, b, (size_t)g->b_extent * sizeof(T));
        b_left = INT64_MAX;
    }
    for (; done + g->entries <= count && a_left >= a_reads && b_left >= b_reads;
         done += g->entries) {
        NAME(one_group)(g, p->k, a, a_two, b, b_two, c);
        a += g->entries * a_step, b += g->entries * b_step, c += g->entries * size;
        a_left -= g->entries * a_step, b_left -= g->entries * b_step;
    }
    for (; done < count; done += g->entries) {
        const int64_t n = count - done < g->entries ? count - done : g->entries;
        const int64_t of_a = (n - 1) * a_step + g->a_extent, of_b = (n - 1) * b_step + g->b_extent;
        if (a_step != 0)
            memcpy(a_copy, a, (size_t)of_a * sizeof(T));
        if (b_step != 0)
            memcpy(b_copy, b, (size_t)of_b * sizeof(T));
        NAME(one_group)(g, p->k, a_copy, a_two, b_copy, b_two, c_copy);
        memcpy(c, c_copy, (size_t)(n * size) * sizeof(T));
        a += n * a_step, b += n * b_step, c += n * size;
    }
}

#undef LOAD_GROUP
#endif
