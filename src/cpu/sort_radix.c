/* One long row. Its keys are sorted by counting digits, from the lowest to the highest, leaving out those
 * that are the same in the whole row. Several threads sort a piece each and then merge the pieces, two by
 * two; a merge is cut where its output is, so that all threads have a part of it. Both are stable, so the
 * order of equal keys does not depend on how many pieces there are. */
#include "cpu/sort_radix.h"

#include <string.h>

#include "base/interrupt.h"
#include "cpu/threads.h"

enum {
    DIGIT_BITS = 11,
    DIGIT_VALUES = 1 << DIGIT_BITS,
    PIECE = 1 << 15, /* elements that are worth a thread */
};

/* Keys here are unsigned: the signed ones with the sign turned. Those of 32 bits stand above their
 * position, as long as positions fit. */
static const uint64_t sign = UINT64_C(1) << 63;

typedef uint64_t packed;

typedef struct pair {
    uint64_t key, at;
} pair;

static bool packs(lucid_dtype dtype, int64_t n)
{
    return lucid_dtype_size(dtype) < sizeof(int64_t) && n <= UINT32_MAX;
}

/* ---- sorting and merging, for both kinds of items -------------------------------------------------- */

/* KEY(e) are the bits that count, of which there are `bits`; LESS(a, b) tells whether a comes before b,
 * where b stood before a in the row. sort_: the result may be in row or in spare, and is returned.
 * cut_: how many of the first `count` merged items are a's. An evaluation that is to end leaves rows unsorted, which
 * only ever are permutations, and nothing merges or reads them. */
#define RADIX(item, bits, KEY, LESS) \
    static item *sort_##item(item *row, item *spare, int64_t n) \
    { \
        for (int shift = 0; shift < (bits); shift += DIGIT_BITS) { \
            int64_t count[DIGIT_VALUES] = {0}, sum = 0; \
            for (int64_t first = 0; first < n; first += PIECE) { \
                int64_t end = n - first < PIECE ? n : first + PIECE; \
                if (lucid__stop()) \
                    return row; \
                for (int64_t i = first; i < end; i++) \
                    count[(KEY(row[i]) >> shift) & (DIGIT_VALUES - 1)]++; \
            } \
            if (count[(KEY(row[0]) >> shift) & (DIGIT_VALUES - 1)] == n) \
                continue; \
            for (int v = 0; v < DIGIT_VALUES; v++) { \
                int64_t here = count[v]; \
                count[v] = sum; \
                sum += here; \
            } \
            for (int64_t first = 0; first < n; first += PIECE) { \
                int64_t end = n - first < PIECE ? n : first + PIECE; \
                if (lucid__stop()) \
                    return row; \
                for (int64_t i = first; i < end; i++) \
                    spare[count[(KEY(row[i]) >> shift) & (DIGIT_VALUES - 1)]++] = row[i]; \
            } \
            item *sorted = spare; \
            spare = row; \
            row = sorted; \
        } \
        return row; \
    } \
    static int64_t cut_##item(const item *a, int64_t na, const item *b, int64_t nb, int64_t count) \
    { \
        int64_t low = count > nb ? count - nb : 0, high = count < na ? count : na; \
        while (low < high) { \
            int64_t middle = low + (high - low) / 2; \
            if (LESS(b[count - middle - 1], a[middle])) \
                high = middle; \
            else \
                low = middle + 1; \
        } \
        return low; \
    } \
    static void merge_##item(const item *a, int64_t na, const item *b, int64_t nb, item *to) \
    { \
        int64_t i = 0, j = 0; \
        while (i < na && j < nb) { \
            bool second = LESS(b[j], a[i]); \
            to[i + j] = second ? b[j] : a[i]; \
            i += !second; \
            j += second; \
        } \
        memcpy(to + i + j, a + i, (size_t)(na - i) * sizeof *to); \
        memcpy(to + na + j, b + j, (size_t)(nb - j) * sizeof *to); \
    } \
    /* Merges neighbours of `count` pieces; piece p begins at n p / count. */ \
    static void merge_pieces_##item(const item *from, item *to, int64_t n, int count, int threads) \
    { \
        int64_t parts = (n + PIECE - 1) / PIECE; \
        _Pragma("omp parallel for num_threads(lucid__team(threads)) schedule(static)") for ( \
            int64_t t = 0; t < parts; t++) for (int p = 0; p < count; p += 2) \
        { \
            int64_t first = n * p / count, middle = n * (p + 1) / count; \
            int64_t end = n * (p + 2) / count, begin = n * t / parts, stop = n * (t + 1) / parts; \
            begin = begin < first ? first : begin; \
            stop = stop > end ? end : stop; \
            if (begin >= stop || lucid__stop()) \
                continue; \
            const item *a = from + first, *b = from + middle; \
            int64_t na = middle - first, nb = end - middle; \
            int64_t a0 = cut_##item(a, na, b, nb, begin - first); \
            int64_t a1 = cut_##item(a, na, b, nb, stop - first); \
            int64_t b0 = begin - first - a0, b1 = stop - first - a1; \
            merge_##item(a + a0, a1 - a0, b + b0, b1 - b0, to + begin); \
        } \
    } \
    static item *sort_pieces_##item(item *row, item *spare, int64_t n, int count, int threads) \
    { \
        if (count == 1) \
            return sort_##item(row, spare, n); \
        _Pragma( \
            "omp parallel for num_threads(lucid__team(threads)) schedule(static)") for (int p = 0; \
                                                                                        p < count; \
                                                                                        p++) \
        { \
            int64_t first = n * p / count, length = n * (p + 1) / count - first; \
            item *sorted = sort_##item(row + first, spare + first, length); \
            if (sorted != row + first) \
                memcpy(row + first, sorted, (size_t)length * sizeof *row); \
        } \
        for (; count > 1 && !lucid__stopping(); count /= 2) { \
            merge_pieces_##item(row, spare, n, count, threads); \
            item *merged = spare; \
            spare = row; \
            row = merged; \
        } \
        return row; \
    }

#define KEY_OF_PACKED(e) ((e) >> 32)
#define LESS_PACKED(a, b) ((a) < (b))
#define KEY_OF_PAIR(e) ((e).key)
#define LESS_PAIR(a, b) ((a).key < (b).key)
RADIX(packed, 32, KEY_OF_PACKED, LESS_PACKED)
RADIX(pair, 64, KEY_OF_PAIR, LESS_PAIR)

/* ---- in and out ----------------------------------------------------------------------------------- */

/* The signed key of an element, in the upper half where it has 32 bits. */
static int64_t key_of(const lucid__long_row *r, int64_t k)
{
    const int64_t upper = INT64_C(1) << 32, at = k * r->stride;
    switch (r->dtype) {
    case LUCID_BOOL:
        return (((const uint8_t *)r->x)[at] != 0) * upper;
    case LUCID_INT32:
        return ((const int32_t *)r->x)[at] * upper;
    case LUCID_FLOAT32:
        return lucid__sort_key_f32(((const float *)r->x)[at]) * upper;
    case LUCID_INT64:
        return ((const int64_t *)r->x)[at];
    default:
        return lucid__sort_key_f64(((const double *)r->x)[at]);
    }
}

static void place(const lucid__long_row *r, int64_t k, int64_t from)
{
    int64_t to = k * r->stride;
    if (r->positions)
        r->positions[to] = from;
    if (!r->values)
        return;
    from *= r->stride;
    switch (lucid_dtype_size(r->dtype)) {
    case 4:
        ((uint32_t *)r->values)[to] = ((const uint32_t *)r->x)[from];
        break;
    case 8:
        ((uint64_t *)r->values)[to] = ((const uint64_t *)r->x)[from];
        break;
    default:
        ((uint8_t *)r->values)[to] = ((const uint8_t *)r->x)[from];
        break;
    }
}

size_t lucid__sort_long_scratch(lucid_dtype dtype, int64_t n)
{
    return 2 * (size_t)n * (packs(dtype, n) ? sizeof(packed) : sizeof(pair));
}

static int64_t end_of_piece(int64_t first, int64_t n)
{
    return n - first < PIECE ? n : first + PIECE;
}

static void by_packed(const lucid__long_row *r, uint64_t turn, int pieces, int threads, packed *row)
{
    const int64_t n = r->n;
    const uint64_t upper = UINT64_MAX << 32;
#pragma omp parallel for num_threads(lucid__team(pieces > 1 ? threads : 1)) schedule(static)
    for (int64_t first = 0; first < n; first += PIECE)
        for (int64_t k = first, end = lucid__stop() ? first : end_of_piece(first, n); k < end; k++)
            row[k] = (((uint64_t)key_of(r, k) ^ turn) & upper) | (uint64_t)k;
    if (lucid__stop_now())
        return;
    row = sort_pieces_packed(row, row + n, n, pieces, threads);
    if (lucid__stop_now())
        return;
#pragma omp parallel for num_threads(lucid__team(pieces > 1 ? threads : 1)) schedule(static)
    for (int64_t first = 0; first < n; first += PIECE)
        for (int64_t k = first, end = lucid__stop() ? first : end_of_piece(first, n); k < end; k++)
            place(r, k, (int64_t)(row[k] & UINT32_MAX));
}

static void by_pair(const lucid__long_row *r, uint64_t turn, int pieces, int threads, pair *row)
{
    const int64_t n = r->n;
#pragma omp parallel for num_threads(lucid__team(pieces > 1 ? threads : 1)) schedule(static)
    for (int64_t first = 0; first < n; first += PIECE)
        for (int64_t k = first, end = lucid__stop() ? first : end_of_piece(first, n); k < end; k++)
            row[k] = (pair){(uint64_t)key_of(r, k) ^ turn, (uint64_t)k};
    if (lucid__stop_now())
        return;
    row = sort_pieces_pair(row, row + n, n, pieces, threads);
    if (lucid__stop_now())
        return;
#pragma omp parallel for num_threads(lucid__team(pieces > 1 ? threads : 1)) schedule(static)
    for (int64_t first = 0; first < n; first += PIECE)
        for (int64_t k = first, end = lucid__stop() ? first : end_of_piece(first, n); k < end; k++)
            place(r, k, (int64_t)row[k].at);
}

void lucid__sort_long(const lucid__long_row *r, int threads, void *scratch)
{
    uint64_t turn = sign ^ (r->descending ? UINT64_MAX : 0);
    int pieces = 1;
    while (2 * pieces <= threads && r->n / (2 * pieces) >= PIECE)
        pieces *= 2;
    if (packs(r->dtype, r->n))
        by_packed(r, turn, pieces, threads, scratch);
    else
        by_pair(r, turn, pieces, threads, scratch);
}
