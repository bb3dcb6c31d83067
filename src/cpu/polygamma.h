/* digamma (n = 0) and its derivatives. */
#ifndef LUCID__POLYGAMMA_H
#define LUCID__POLYGAMMA_H

#include <stdint.h>

enum { LUCID__POLYGAMMA_ORDERS = 100 }; /* 0 <= n < that */

double lucid__polygamma(int64_t n, double x);
long double lucid__polygamma_long(int64_t n, long double x);

#endif
