/* Inside a random program: what its steps see, and those that have a file of their own
 * (random_program_values.c, random_program_flow.c). */
#ifndef RANDOM_PROGRAM_RUN_H
#define RANDOM_PROGRAM_RUN_H

#include "support/random_program.h"

/* The state of one run. */
typedef struct run {
    lucid_scope *s;
    choices c;
    const program *p;
    lucid_tensor pool[PROGRAM_POOL];
    size_t count;
} run;

typedef lucid_tensor step_fn(run *r, lucid_tensor x);

/* A tensor of the pool. */
lucid_tensor program_pick(run *r);

/* Another tensor of the pool that broadcasts against x, or its mean. */
lucid_tensor program_partner(run *r, lucid_tensor x);

/* A program within this one, one level deeper, whose choices are its own; NULL: out of memory. */
program *program_inside(run *r);

step_fn program_asks, program_writes, program_draws, program_flows;

#endif
