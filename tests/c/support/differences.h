/* Comparing arrays, and counting what is wrong: a test goes on after a difference, so that one run
 * shows all there is to see, and fails at its end. */
#ifndef DIFFERENCES_H
#define DIFFERENCES_H

#include "support/host_array.h"

/* Starts a test: no difference so far. */
void differences_begin(void);
/* Fails the cmocka test when there were any. */
void differences_end(void);
int differences_count(void);

/* What is being checked, put in front of every difference: "sin, sample 0: vmap of vjp, ...". */
void checking(const char *format, ...) LUCID_PRINTF(1, 2);
const char *what_is_checked(void);
/* Records one difference and prints it. */
void difference(const char *format, ...) LUCID_PRINTF(1, 2);

/* Relative tolerance between two ways to compute the same thing: rounding may differ, maths not. */
double same_maths(lucid_dtype dtype);
/* Between derivatives and finite differences of float64. */
#define FINITE_DIFFERENCE_TOLERANCE 2e-6

/* Records a difference unless dtype, shape and elements agree: |got - want| <= tolerance * (|want| +
 * scale), where scale is the largest finite magnitude in want, or 1 if that is less; infinities must be
 * equal, NaN meets NaN. Integers and bools must be equal. */
bool same(const char *name, const host_array *got, const host_array *want, double tolerance);
bool same_number(const char *name, double got, double want, double tolerance, double scale);

#endif
