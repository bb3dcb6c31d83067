/* Bare numbers: 0-d constants that yield in promotion. They are kept as float64, int64 or bool and
 * take their final dtype where they are used. */
#ifndef LUCID__NUMBERS_H
#define LUCID__NUMBERS_H

#include "ops/builder.h"

/* The number as an ordinary 0-d constant of a dtype; no operation is built. x must be weak. */
lucid_tensor lucid__number_as(lucid_scope *s, lucid_tensor x, lucid_dtype dtype);
/* False: x is not a bare number. */
bool lucid__number_value(lucid_tensor x, double *value);
/* A weak value as the ordinary tensor it stands for alone; others as they are. */
lucid_tensor lucid__strong(lucid_scope *s, lucid_tensor x);

#endif
