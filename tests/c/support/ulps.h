/* Distances in units in the last place. */
#ifndef ULPS_H
#define ULPS_H

#include "lucid.h"

/* How far got is from want, in units of the last place of a float dtype at want, or at `least` where want is
 * smaller; infinite when one of them is not finite, or beyond the range, and the other is not. */
double ulps_off(lucid_dtype dtype, long double got, long double want, long double least);

#endif
