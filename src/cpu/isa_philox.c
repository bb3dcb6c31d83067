/* The rounds of Philox for one instruction set, which LUCID__ISA names and the compiler's flags
 * choose.
 *
 * x86 multiplies 32 by 32 bits into 64 only in 64-bit lanes, and looks at their lower halves alone.
 * So each word stands in a lane of 64 bits, whose upper half may hold anything: then a round is two
 * multiplications, two shifts and four exclusive ors, and nothing is masked until the end.
 * Compilers do not find this, hence the intrinsics. */
#include "cpu/philox_tile.h"

#ifndef LUCID__ISA
#define LUCID__ISA base
#endif
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

enum { TILE = LUCID__PHILOX_TILE };

lucid__philox_run JOIN(lucid__philox_run_, LUCID__ISA);

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>

#if defined(__AVX512F__)
enum { LANES = 8 };
typedef __m512i vec;
#define MUL _mm512_mul_epu32
#define SHIFT_RIGHT _mm512_srli_epi64
#define SHIFT_LEFT _mm512_slli_epi64
#define XOR _mm512_xor_si512
#define OR _mm512_or_si512
#define AND _mm512_and_si512
#define ADD _mm512_add_epi32
#define REPEAT(x) _mm512_set1_epi64((long long)(x))

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
#define SHIFT_RIGHT _mm256_srli_epi64
#define SHIFT_LEFT _mm256_slli_epi64
#define XOR _mm256_xor_si256
#define OR _mm256_or_si256
#define AND _mm256_and_si256
#define ADD _mm256_add_epi32
#define REPEAT(x) _mm256_set1_epi64x((long long)(x))

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

void JOIN(lucid__philox_run_, LUCID__ISA)(lucid__philox_tile *t)
{
    const vec m0 = REPEAT(LUCID__PHILOX_M0), m1 = REPEAT(LUCID__PHILOX_M1);
    const vec w0 = REPEAT(LUCID__PHILOX_W0), w1 = REPEAT(LUCID__PHILOX_W1);
    const vec lower = REPEAT(UINT32_MAX);
    for (int i = 0; i < TILE; i += LANES) {
        vec c0 = load(&t->counter[0][i]), c1 = load(&t->counter[1][i]);
        vec c2 = load(&t->counter[2][i]), c3 = load(&t->counter[3][i]);
        vec k0 = load(&t->key[0][i]), k1 = load(&t->key[1][i]);
        for (int r = 0; r < LUCID__PHILOX_ROUNDS; r++) {
            vec a = MUL(m0, c0), b = MUL(m1, c2);
            c0 = XOR(XOR(SHIFT_RIGHT(b, 32), c1), k0);
            c2 = XOR(XOR(SHIFT_RIGHT(a, 32), c3), k1);
            c1 = b;
            c3 = a;
            k0 = ADD(k0, w0);
            k1 = ADD(k1, w1);
        }
        store(&t->word[4 * i], OR(AND(c0, lower), SHIFT_LEFT(c1, 32)),
              OR(AND(c2, lower), SHIFT_LEFT(c3, 32)));
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

#endif
