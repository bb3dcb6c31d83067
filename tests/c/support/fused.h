/* Functions computed step by step and by fused programs. */
#ifndef LUCID_TEST_FUSED_H
#define LUCID_TEST_FUSED_H

#include "lucid.h"

/* Calls f, which has one result, with fusion and without; the bits must be the same, or the test fails and names
 * `what`. Returns how many steps it takes with fusion. */
int steps_when_fused(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x,
                     size_t nx);

#endif
