/* The rounds of Philox for one instruction set, which LUCID__ISA names and the compiler's flags
 * choose.
 *
 * x86 multiplies 32 by 32 bits into 64 only in 64-bit lanes, and looks at their lower halves alone.
 * So each word stands in a lane of 64 bits, whose upper half may hold anything: then a round is two
 * multiplications, two shifts and four exclusive ors, and nothing is masked until the end.
 * Compilers do not find this, hence the intrinsics. */
#include <string.h>

#include "cpu/philox_tile.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

enum { TILE = LUCID__PHILOX_TILE };

lucid__philox_run JOIN(lucid__philox_run_, LUCID__ISA);
lucid__philox_row JOIN(lucid__philox_row_, LUCID__ISA);

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>

#if defined(__AVX512F__)
enum { LANES = 8 };
typedef __m512i vec;
#define MUL _mm512_mul_epu32
#define UPPER(x) _mm512_shuffle_epi32(x, _MM_PERM_DDBB)
#define SHIFT_LEFT _mm512_slli_epi64
#define XOR _mm512_xor_si512
#define OR _mm512_or_si512
#define AND _mm512_and_si512
#define ADD _mm512_add_epi32
#define REPEAT(x) _mm512_set1_epi64((long long)(x))
#define COUNT _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)

static inline vec load(const uint32_t *from)
{
    return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const void *)from));
}

/* Words 0 and 1 of each counter are in `low`, words 2 and 3 in `high`. */
static inline void store(uint32_t *to, vec low, vec high)
{
    const vec first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0);
    const vec second = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_storeu_si512(to, _mm512_permutex2var_epi64(low, first, high));
    _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi64(low, second, high));
}
#else
enum { LANES = 4 };
typedef __m256i vec;
#define MUL _mm256_mul_epu32
#define UPPER(x) _mm256_shuffle_epi32(x, 0xF5)
#define SHIFT_LEFT _mm256_slli_epi64
#define XOR _mm256_xor_si256
#define OR _mm256_or_si256
#define AND _mm256_and_si256
#define ADD _mm256_add_epi32
#define REPEAT(x) _mm256_set1_epi64x((long long)(x))
#define COUNT _mm256_set_epi64x(3, 2, 1, 0)

static inline vec load(const uint32_t *from)
{
    return _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)from));
}

static inline void store(uint32_t *to, vec low, vec high)
{
    vec even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
    _mm256_storeu_si256((void *)to, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((void *)(to + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}
#endif

typedef struct block {
    vec c0, c1, c2, c3;
} block;

static inline block next_round(block c, vec k0, vec k1)
{
    vec a = MUL(REPEAT(LUCID__PHILOX_M0), c.c0), b = MUL(REPEAT(LUCID__PHILOX_M1), c.c2);
    return (block){XOR(XOR(UPPER(b), c.c1), k0), b, XOR(XOR(UPPER(a), c.c3), k1), a};
}

static inline void store_words(uint32_t *to, block c)
{
    const vec lower = REPEAT(UINT32_MAX);
    store(to, OR(AND(c.c0, lower), SHIFT_LEFT(c.c1, 32)),
          OR(AND(c.c2, lower), SHIFT_LEFT(c.c3, 32)));
}

void JOIN(lucid__philox_run_, LUCID__ISA)(lucid__philox_tile *t)
{
    const vec w0 = REPEAT(LUCID__PHILOX_W0), w1 = REPEAT(LUCID__PHILOX_W1);
    for (int i = 0; i < TILE; i += LANES) {
        block c = {load(&t->counter[0][i]), load(&t->counter[1][i]), load(&t->counter[2][i]),
                   load(&t->counter[3][i])};
        vec k0 = load(&t->key[0][i]), k1 = load(&t->key[1][i]);
        for (int r = 0; r < LUCID__PHILOX_ROUNDS; r++) {
            c = next_round(c, k0, k1);
            k0 = ADD(k0, w0);
            k1 = ADD(k1, w1);
        }
        store_words(&t->word[4 * i], c);
    }
}

/* Whole vectors of blocks go straight to where they belong, with keys that all lanes read from memory. */
void JOIN(lucid__philox_row_, LUCID__ISA)(const uint32_t counter[4], const uint32_t key[2],
                                          int skip, int64_t n, uint32_t *to)
{
    enum { WORDS = 4 * LANES };
    uint64_t k0[LUCID__PHILOX_ROUNDS], k1[LUCID__PHILOX_ROUNDS];
    for (uint32_t r = 0; r < LUCID__PHILOX_ROUNDS; r++) {
        k0[r] = (uint32_t)(key[0] + r * LUCID__PHILOX_W0);
        k1[r] = (uint32_t)(key[1] + r * LUCID__PHILOX_W1);
    }
    vec c0 = ADD(REPEAT(counter[0]), COUNT);
    while (n > 0) {
        block c = {c0, REPEAT(counter[1]), REPEAT(counter[2]), REPEAT(counter[3])};
        for (int r = 0; r < LUCID__PHILOX_ROUNDS; r++)
            c = next_round(c, REPEAT(k0[r]), REPEAT(k1[r]));
        c0 = ADD(c0, REPEAT(LANES));
        int64_t count = WORDS - skip < n ? WORDS - skip : n;
        if (count == WORDS) {
            store_words(to, c);
        } else {
            uint32_t word[WORDS];
            store_words(word, c);
            memcpy(to, word + skip, (size_t)count * sizeof *to);
            skip = 0;
        }
        to += count;
        n -= count;
    }
}

#else

void JOIN(lucid__philox_run_, LUCID__ISA)(lucid__philox_tile *t)
{
    for (int i = 0; i < TILE; i++) {
        const uint32_t counter[4] = {t->counter[0][i], t->counter[1][i], t->counter[2][i],
                                     t->counter[3][i]};
        const uint32_t key[2] = {t->key[0][i], t->key[1][i]};
        lucid__philox(counter, key, &t->word[4 * i]);
    }
}

void JOIN(lucid__philox_row_, LUCID__ISA)(const uint32_t counter[4], const uint32_t key[2],
                                          int skip, int64_t n, uint32_t *to)
{
    enum { BLOCKS = 16, WORDS = 4 * BLOCKS };
    uint32_t word[WORDS], first = counter[0];
    for (; n > 0; first += BLOCKS) {
        int64_t count = WORDS - skip < n ? WORDS - skip : n;
        for (uint32_t i = 0; i < BLOCKS; i++) {
            const uint32_t c[4] = {first + i, counter[1], counter[2], counter[3]};
            lucid__philox(c, key, &word[4 * i]);
        }
        memcpy(to, word + skip, (size_t)count * sizeof *to);
        skip = 0;
        to += count;
        n -= count;
    }
}

#endif
