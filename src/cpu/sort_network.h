/* The sorting network on items of one vector (PAIRS 0: keys with positions in them) or two (PAIRS 1:
 * keys, positions). Included by isa_sort.c, which sets NAME and PAIRS.
 *
 * Batcher's bitonic sorter (AFIPS 1968), with the first stage of each merge mirrored, so that all its
 * comparisons point the same way: the smaller item goes to the lower place. Then rows of any length are
 * rows of a power of two whose upper places hold the largest items, which no comparison moves, and
 * whatever touches only those can be left out. Three stages at a time run in registers, on 8 items. */

typedef struct NAME(item) {
    vec key;
#if PAIRS
    vec at;
#endif
} NAME(item);

/* Puts the smaller of two items, lane by lane, first. */
static inline void NAME(order)(NAME(item) * a, NAME(item) * b)
{
#if PAIRS && defined(__AVX512F__)
    __m512i ka = (__m512i)a->key, kb = (__m512i)b->key, ia = (__m512i)a->at, ib = (__m512i)b->at;
    __mmask8 equal = _mm512_cmpeq_epi64_mask(ka, kb);
    __mmask8 swap = _mm512_cmplt_epi64_mask(kb, ka) | _mm512_mask_cmplt_epi64_mask(equal, ib, ia);
    a->key = (vec)_mm512_mask_blend_epi64(swap, ka, kb);
    b->key = (vec)_mm512_mask_blend_epi64(swap, kb, ka);
    a->at = (vec)_mm512_mask_blend_epi64(swap, ia, ib);
    b->at = (vec)_mm512_mask_blend_epi64(swap, ib, ia);
#elif PAIRS
    vec swap = (b->key < a->key) | ((b->key == a->key) & (b->at < a->at));
    vec key = (a->key ^ b->key) & swap, at = (a->at ^ b->at) & swap;
    a->key ^= key;
    b->key ^= key;
    a->at ^= at;
    b->at ^= at;
#elif defined(__AVX512F__)
    vec low = (vec)_mm512_min_epi64((__m512i)a->key, (__m512i)b->key);
    b->key = (vec)_mm512_max_epi64((__m512i)a->key, (__m512i)b->key);
    a->key = low;
#else
    vec key = (a->key ^ b->key) & (b->key < a->key);
    a->key ^= key;
    b->key ^= key;
#endif
}

static inline NAME(item) NAME(top)(void)
{
    const vec most = (vec){0} + INT64_MAX;
#if PAIRS
    return (NAME(item)){most, most};
#else
    return (NAME(item)){most};
#endif
}

#define ORDER(i, j) NAME(order)(&v##i, &v##j)
#define GET(i, from) NAME(item) v##i = valid > i ? *(from) : NAME(top)()
#define PUT(i, to) \
    do { \
        if (valid > i) \
            *(to) = v##i; \
    } while (0)

/* 8 items in any order. */
static inline void NAME(sort8)(NAME(item) * t)
{
    enum { valid = 8 };
    GET(0, t);
    GET(1, t + 1);
    GET(2, t + 2);
    GET(3, t + 3);
    GET(4, t + 4);
    GET(5, t + 5);
    GET(6, t + 6);
    GET(7, t + 7);
    ORDER(0, 2), ORDER(1, 3), ORDER(4, 6), ORDER(5, 7);
    ORDER(0, 4), ORDER(1, 5), ORDER(2, 6), ORDER(3, 7);
    ORDER(0, 1), ORDER(2, 3), ORDER(4, 5), ORDER(6, 7);
    ORDER(2, 4), ORDER(3, 5);
    ORDER(1, 4), ORDER(3, 6);
    ORDER(1, 2), ORDER(3, 4), ORDER(5, 6);
    PUT(0, t);
    PUT(1, t + 1);
    PUT(2, t + 2);
    PUT(3, t + 3);
    PUT(4, t + 4);
    PUT(5, t + 5);
    PUT(6, t + 6);
    PUT(7, t + 7);
}

/* Three stages of a merge on the items at low + {0 .. 3} step and high + {0 .. 3} step, the first of them
 * mirrored or not. Items from number `valid` on are the largest there are and not in memory. */
static inline __attribute__((always_inline)) void
NAME(stages3)(NAME(item) * low, NAME(item) * high, int64_t step, int valid, bool mirrored)
{
    GET(0, low);
    GET(1, low + step);
    GET(2, low + 2 * step);
    GET(3, low + 3 * step);
    GET(4, high);
    GET(5, high + step);
    GET(6, high + 2 * step);
    GET(7, high + 3 * step);
    if (mirrored)
        ORDER(0, 7), ORDER(1, 6), ORDER(2, 5), ORDER(3, 4);
    else
        ORDER(0, 4), ORDER(1, 5), ORDER(2, 6), ORDER(3, 7);
    ORDER(0, 2), ORDER(1, 3), ORDER(4, 6), ORDER(5, 7);
    ORDER(0, 1), ORDER(2, 3), ORDER(4, 5), ORDER(6, 7);
    PUT(0, low);
    PUT(1, low + step);
    PUT(2, low + 2 * step);
    PUT(3, low + 3 * step);
    PUT(4, high);
    PUT(5, high + step);
    PUT(6, high + 2 * step);
    PUT(7, high + 3 * step);
}

/* The mirrored stage and the one after it. */
static inline void NAME(mirror2)(NAME(item) * low, NAME(item) * high, int64_t step, int valid)
{
    GET(0, low);
    GET(1, low + step);
    GET(2, high);
    GET(3, high + step);
    ORDER(0, 3), ORDER(1, 2), ORDER(0, 1), ORDER(2, 3);
    PUT(0, low);
    PUT(1, low + step);
    PUT(2, high);
    PUT(3, high + step);
}

/* How many of the items at place, place + step, ... lie below n, at most `most`. */
static inline int NAME(below)(int64_t n, int64_t place, int64_t step, int most)
{
    int64_t count = place < n ? (n - 1 - place) / step + 1 : 0;
    return count < most ? (int)count : most;
}

/* The first one to three stages of merging t[0 .. half) and t[half .. n): what is left is a multiple of
 * three. Returns the step of the last stage done. */
static int64_t NAME(merge_begin)(NAME(item) * t, int64_t half, int64_t n)
{
    int stages = 64 - __builtin_clzll((unsigned long long)half);
    int64_t last = 2 * half - 1;
    if (stages % 3 == 1) {
        for (int64_t i = last - n + 1; i < half; i++)
            NAME(order)(&t[i], &t[last - i]);
        return half;
    }
    if (stages % 3 == 2) {
        int64_t step = half / 2;
        for (int64_t i = 0; i < step; i++) {
            int64_t high = last - i - step;
            NAME(mirror2)(t + i, t + high, step, 2 + NAME(below)(n, high, step, 2));
        }
        return step;
    }
    int64_t step = half / 4;
    for (int64_t i = 0; i < step; i++) {
        int64_t high = last - i - 3 * step;
        if (n == 2 * half)
            NAME(stages3)(t + i, t + high, step, 8, true);
        else
            NAME(stages3)(t + i, t + high, step, 4 + NAME(below)(n, high, step, 4), true);
    }
    return step;
}

/* Merges the sorted t[0 .. half) and t[half .. n), n <= 2 half; half is a power of two from 8 on. */
static void NAME(merge)(NAME(item) * t, int64_t half, int64_t n)
{
    for (int64_t step = NAME(merge_begin)(t, half, n); step > 1;) {
        step /= 8;
        int64_t block = 0;
        for (; block + 8 * step <= n; block += 8 * step)
            for (int64_t i = block; i < block + step; i++)
                NAME(stages3)(t + i, t + i + 4 * step, step, 8, false);
        for (int64_t i = block; i < block + step; i++)
            NAME(stages3)(t + i, t + i + 4 * step, step, NAME(below)(n, i, step, 8), false);
    }
}

/* n is a multiple of 8. Small pieces first, while they are in the cache. */
static void NAME(network)(NAME(item) * t, int64_t n)
{
    for (int64_t end = 8; end <= n; end += 8) {
        NAME(sort8)(t + end - 8);
        for (int64_t half = 8; end % (2 * half) == 0; half *= 2)
            NAME(merge)(t + end - 2 * half, half, 2 * half);
    }
    for (int64_t half = 8; half < n; half *= 2) {
        int64_t first = (n - 1) / (2 * half) * (2 * half);
        if (n - first > half && n - first < 2 * half)
            NAME(merge)(t + first, half, n - first);
    }
}

#undef ORDER
#undef GET
#undef PUT
