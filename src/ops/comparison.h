/* Comparisons of values of different dtypes: exact, whatever they are. */
#ifndef LUCID__COMPARISON_H
#define LUCID__COMPARISON_H

#include "prim/prim.h"

/* eq, ne, lt, le, gt or ge of x and y, bool, as if both were real numbers; NaN is ne alone. A float that was
 * written down is compared in the dtype of a float tensor. */
lucid_tensor lucid__compare(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y);

#endif
