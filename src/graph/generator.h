/* The counter behind the random operations; the numbers themselves are prim random_bits. */
#ifndef LUCID__GENERATOR_H
#define LUCID__GENERATOR_H

#include "lucid.h"

/* The state for the next random operation, and moves on by one. Safe from several threads. */
lucid_rng_state lucid__generator_next(lucid_generator *g);

#endif
