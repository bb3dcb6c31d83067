/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3" (SC 2011): four random words from a counter of four and a key of
 * two. Checked against the known answers that the authors published with Random123. */
#ifndef LUCID__PHILOX_H
#define LUCID__PHILOX_H

#include <stdint.h>

enum { LUCID__PHILOX_ROUNDS = 10 };

#define LUCID__PHILOX_M0 UINT32_C(0xD2511F53)
#define LUCID__PHILOX_M1 UINT32_C(0xCD9E8D57)
#define LUCID__PHILOX_W0 UINT32_C(0x9E3779B9) /* golden ratio */
#define LUCID__PHILOX_W1 UINT32_C(0xBB67AE85) /* sqrt(3) - 1 */

static inline void lucid__philox_round(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    uint64_t a = (uint64_t)LUCID__PHILOX_M0 * c[0], b = (uint64_t)LUCID__PHILOX_M1 * c[2];
    uint32_t c0 = (uint32_t)(b >> 32) ^ c[1] ^ k0, c2 = (uint32_t)(a >> 32) ^ c[3] ^ k1;
    c[1] = (uint32_t)b;
    c[3] = (uint32_t)a;
    c[0] = c0;
    c[2] = c2;
}

static inline void lucid__philox(const uint32_t counter[4], const uint32_t key[2], uint32_t word[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    for (int i = 0; i < 4; i++)
        word[i] = counter[i];
    for (int r = 0; r < LUCID__PHILOX_ROUNDS; r++) {
        lucid__philox_round(word, k0, k1);
        k0 += LUCID__PHILOX_W0;
        k1 += LUCID__PHILOX_W1;
    }
}

/* Where the words of a stream come from: block number `block` of a lane of a draw. The first 2^32
 * draws and lanes have a word each to themselves; beyond, the high halves share one. */
static inline void lucid__philox_counter(uint32_t block, uint64_t draw, uint64_t lane,
                                         uint32_t counter[4])
{
    counter[0] = block;
    counter[1] = (uint32_t)lane;
    counter[2] = (uint32_t)draw;
    counter[3] = (uint32_t)(lane >> 32) ^ (uint32_t)(draw >> 32);
}

#endif
