/* Generators: where random numbers come from, and how to go back to where they were. */
#ifndef LUCIDPY_GENERATOR_TYPE_H
#define LUCIDPY_GENERATOR_TYPE_H

#include "ops.h"

bool lucidpy_random_init(PyObject *module);

/* Around what draws: random operations between the two draw from the argument `generator`. */
typedef struct lucidpy_draw {
    lucid_generator *before; /* NULL: the argument is None */
} lucidpy_draw;

lucidpy_draw lucidpy_draw_begin(lucidpy_call *c, int i);
void lucidpy_draw_end(lucidpy_call *c, lucidpy_draw draw);

/* vmap may run a function several times, over parts of the batch. The library makes the draws of the
 * process repeat themselves then; this does the same for generators that the function uses itself. */
typedef struct lucidpy_replay {
    struct lucidpy_replay *outer;
    struct lucidpy_touched *touched; /* generators used so far, as they were before */
    size_t count;
} lucidpy_replay;

void lucidpy_replay_begin(lucidpy_replay *replay);
void lucidpy_replay_restart(lucidpy_replay *replay); /* at the start of every run */
void lucidpy_replay_end(lucidpy_replay *replay);

#endif
