/* Which of the random streams a random operation draws from. */
#ifndef LUCID__LANE_H
#define LUCID__LANE_H

#include "transform/level.h"

/* A 0-d int64: the lane indices of the vmaps around us, folded outermost first (lane * lanes +
 * index) and leaving out those whose mode is "same"; 0 when there are none. Batched where they are.
 * The innermost vmap decides whether there may be random operations at all: `op` names this one in
 * the error. */
lucid_tensor lucid__lane(lucid_scope *s, const char *op);

/* The index of each lane at a BATCH or LANE level, among all its lanes: 0-d int64. */
lucid_tensor lucid__lane_index(lucid_scope *s, const lucid__level *level);

/* The number of the next draw and its seed, 0-d int64; the generator moves on. The body of a loop is
 * recorded once and draws anew in every iteration: there the number depends on the iteration. */
lucid_tensor lucid__next_draw(lucid_scope *s, lucid_tensor *seed);

/* The number that the next draw would have, were it not in a loop. */
lucid_tensor lucid__draw_number(lucid_scope *s);

/* What a compiled function takes from the stream of random numbers. While it is recorded it draws from a
 * generator that starts at 0: whatever it draws is counted from the draw, and for the lane, that it will be
 * called with. */
typedef struct lucid__draws {
    lucid_generator *generator;
    lucid_tensor seed, draw, lane; /* arguments of the record: 0-d int64 */
} lucid__draws;

#endif
