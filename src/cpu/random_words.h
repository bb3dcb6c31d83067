/* Words of random_bits (prim/random_prims.c), as many and from wherever they are wanted: counters need no
 * memory of what was drawn before. */
#ifndef LUCID__RANDOM_WORDS_H
#define LUCID__RANDOM_WORDS_H

#include "engine/backend.h"

typedef struct lucid__word_source {
    lucid__view in[3]; /* seed, draw, lane: int64 of one shape, an element per lane */
    int64_t step[3];   /* from lane to lane in memory; in no such order: NOT_STEADY */
    int64_t words;     /* per lane, at least 1 */
    int64_t blocks;    /* of four words */
} lucid__word_source;

lucid__word_source lucid__word_source_new(const lucid__view in[3], int64_t words);

/* to[i] = word first + i stride of those of all lanes, one lane after the other. */
void lucid__random_words(const lucid__word_source *s, int64_t first, int64_t stride, int64_t n,
                         uint32_t *to);

#endif
