/* The grid: every check that a sample of a primitive must pass. */
#ifndef GRID_H
#define GRID_H

#include "prim/prim.h"

enum { GRID_LANES = 3 };

/* What a transform of a primitive does. */
typedef enum grid_outcome {
    GRID_NOT_TRIED, /* no sample asks the question, e.g. a derivative of integers */
    GRID_WORKS,
    GRID_ZERO,        /* works, and is zero by definition */
    GRID_UNSUPPORTED, /* fails with the reason that the rules give */
} grid_outcome;

typedef struct grid_support {
    grid_outcome vmap, jvp, vjp;
} grid_support;

/* Runs all checks of one sample; differences go to differences.h. */
void grid_check(lucid__prim_id id, const lucid__sample *sample, int number, uint64_t seed,
                grid_support *support);
/* Only what the support matrix says, without comparing values. */
void grid_probe(lucid__prim_id id, const lucid__sample *sample, int number, grid_support *support);

#endif
