/* The counter behind the random operations; the numbers themselves are prim random_bits. */
#ifndef LUCID__GENERATOR_H
#define LUCID__GENERATOR_H

#include <stdbool.h>

#include "lucid.h"

/* The state for the next random operation from the scope's generator, which moves on by one. Safe from
 * several threads. False, and an error in s, when out of memory. */
bool lucid__generator_next(lucid_scope *s, lucid_rng_state *state);

/* A transform that runs a function several times, for parts of the batch, makes every run draw the
 * same: each generator that a run draws from goes back to where it stood before the first run that used
 * it. In the end it stands where the run that drew most from it left it, so that what is drawn next does
 * not depend on how the batch was divided. */
typedef struct lucid__replay {
    struct lucid__replay *outer;
    lucid_generator *current; /* the scope's when the runs began, and again at the end */
    struct lucid__touched *touched;
    size_t count;
} lucid__replay;

void lucid__replay_begin(lucid_scope *s, lucid__replay *replay);
void lucid__replay_restart(lucid_scope *s, lucid__replay *replay); /* before every run */
void lucid__replay_end(lucid_scope *s, lucid__replay *replay);

#endif
