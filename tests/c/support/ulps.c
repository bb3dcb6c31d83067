#include "support/ulps.h"

#include <float.h>
#include <math.h>

/* Of floats of `digits` bits whose least exponent is `low`. */
static double ulps(long double got, long double want, int digits, int low, long double max,
                   long double least)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (got == want)
        return 0;
    if (isinf(got) || isinf(want)) { /* the largest finite number is one unit away from infinity */
        bool close = fabsl(got) >= max && fabsl(want) >= max * (1 - 2 * powl(2, -digits));
        return close && (got > 0) == (want > 0) ? 1 : INFINITY;
    }
    int exponent;
    (void)frexpl(fabsl(want) < least ? least : want, &exponent);
    long double unit = ldexpl(1, (exponent > low ? exponent : low) - digits);
    return (double)(fabsl(got - want) / unit);
}

double ulps_off(lucid_dtype dtype, long double got, long double want, long double least)
{
    if (dtype == LUCID_FLOAT32)
        return ulps(got, want, FLT_MANT_DIG, FLT_MIN_EXP, (long double)FLT_MAX, least);
    return ulps(got, want, DBL_MANT_DIG, DBL_MIN_EXP, (long double)DBL_MAX, least);
}
