/* Bare numbers: constants, and what is computed from such alone, that yield in promotion. They are kept as
 * float64, int64 or bool and take their final dtype where they meet a tensor. */
#ifndef LUCID__NUMBERS_H
#define LUCID__NUMBERS_H

#include "ops/builder.h"

/* The number as an ordinary tensor of a dtype. x must be weak. A constant that the dtype cannot hold is an
 * error in the name of the operation: an integer out of range, a float that is out of range or not finite. */
lucid_tensor lucid__number_as(lucid_scope *s, const char *name, lucid_tensor x, lucid_dtype dtype);
/* The value of a bare number that was written down. False: x is something else (or, for the second, a float). */
bool lucid__number_value(lucid_tensor x, double *value);
bool lucid__whole_value(lucid_tensor x, int64_t *value);
/* The value of all elements of a float tensor that is one written number, weak or not. */
bool lucid__known_value(lucid_tensor x, double *value);
/* Whether an element of the dtype can have this value; floats and bool take any. */
bool lucid__dtype_holds(lucid_dtype dtype, int64_t value);
bool lucid__dtype_holds_float(lucid_dtype dtype, double value); /* its fraction cut off */
/* The dtype in which these numbers are kept together; LUCID_NO_DTYPE: not all are weak. */
lucid_dtype lucid__number_dtype(const lucid_tensor *xs, size_t n);
/* A weak value in another of the dtypes that numbers are kept in; it stays weak. */
lucid_tensor lucid__number_kept(lucid_scope *s, lucid_tensor x, lucid_dtype dtype);
/* A weak value as the ordinary tensor it stands for alone; others as they are. */
lucid_tensor lucid__strong(lucid_scope *s, lucid_tensor x);

#endif
