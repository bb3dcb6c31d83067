/* What the primitives that are not elementwise compute, in the plainest loops there are: the value
 * oracle of the grid. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "prim/prim.h"
#include "support/host_array.h"

/* Fills y (shapes and dtypes given) from x. False: the primitive has no reference here; elementwise
 * ones have theirs in elementwise_reference.h, random_bits its known answers in test_random.c. */
bool reference_run(const lucid__call *c, const host_array *x, host_array *y);

#endif
