/* Philox4x32-10 on many counters at once, compiled for several instruction sets. */
#ifndef LUCID__PHILOX_TILE_H
#define LUCID__PHILOX_TILE_H

#include "base/philox.h"

enum { LUCID__PHILOX_TILE = 64 };

typedef struct lucid__philox_tile {
    uint32_t counter[4][LUCID__PHILOX_TILE], key[2][LUCID__PHILOX_TILE];
    uint32_t word[4 * LUCID__PHILOX_TILE]; /* the four words of counter i from 4 i on */
} lucid__philox_tile;

/* Fills in the words. */
typedef void lucid__philox_run(lucid__philox_tile *t);

/* n words of the blocks from `counter` on, which differ in the counter's first word alone; without the first
 * `skip` < 4. */
typedef void lucid__philox_row(const uint32_t counter[4], const uint32_t key[2], int skip,
                               int64_t n, uint32_t *to);

#endif
