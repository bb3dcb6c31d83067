/* Inputs from what a primitive's samples say: see `fill` in lucid__sample_input. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "prim/prim.h"
#include "support/host_array.h"

/* Small random numbers for tests; every sequence is a function of its seed alone. */
typedef struct test_rng {
    uint64_t state;
} test_rng;

uint64_t rng_next(test_rng *r);
int64_t rng_below(test_rng *r, int64_t n); /* 0 .. n - 1 */
double rng_uniform(test_rng *r, double low, double high);
double rng_normal(test_rng *r);
/* A generator for a part of a test, independent of the others. */
test_rng rng_of(uint64_t seed, uint64_t part, uint64_t lane);

/*  normal          standard normal              unit           -0.9 .. 0.9
 *  positive        0.2 .. 2                     above_one      1.2 .. 3
 *  nonzero         |x| >= 0.3, either sign      distinct       at least 0.4 apart, shuffled
 *  bool            0 or 1                       integers       -5 .. 5
 *  nonneg          0 .. 5                       bits           0 .. 2^32 - 1
 *  shift           0 .. 7                       permutation:N  of 0 .. N-1 along the last dim
 *  index:N         positions in N elements, with repeats; one in four counted from the end
 *  spd             symmetric positive definite in the last two dims
 *  tril, triu      triangular with a diagonal of 1 .. 2, zero elsewhere
 *  wellcond        square, diagonally dominant
 *  zeros, ones     all alike
 * Integer dtypes get whole numbers: "distinct" is then a shuffled range, "normal" -3 .. 3.
 */
host_array sample_input(const lucid__sample_input *input, test_rng *rng);
bool sample_fill_known(const char *fill);

/* The samples of a primitive: its own, or those of its class for operations of
 * lucid_elementwise.def, or its family's; NULL when there are none. Ended by nin -1. */
const lucid__sample *samples_of(lucid__prim_id id);
/* The line of lucid_elementwise.def: "FLOAT", ...; NULL when the primitive has none there. */
const char *elementwise_class(lucid__prim_id id);

#endif
