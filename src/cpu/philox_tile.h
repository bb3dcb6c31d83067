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

#endif
