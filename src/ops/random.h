/* What random operations draw from: each takes one draw of the scope's generator, for the lane that it
 * is in, and all its words come from there. */
#ifndef LUCID__RANDOM_H
#define LUCID__RANDOM_H

#include "ops/composite.h"
#include "ops/indexing.h"

/* `count` words for each of n elements, int32 (count, n), for one lane. */
lucid_tensor lucid__draw_words(lucid_scope *s, const char *name, int64_t count, int64_t n);
/* The i-th words of all elements, in their shape. */
lucid_tensor lucid__word(lucid_scope *s, lucid_tensor words, int64_t i, const lucid_shape *shape);
/* 53 random bits as a double, from the top 27 bits of one word and 26 of another. */
lucid_tensor lucid__random_53(lucid_scope *s, lucid_tensor high, lucid_tensor low);
/* 64 random bits as an int64. */
lucid_tensor lucid__random_64(lucid_scope *s, lucid_tensor high, lucid_tensor low);
/* All multiples of 2^-24 (float32) or 2^-53 (float64) in [0, 1), equally likely. */
lucid_tensor lucid__uniform(lucid_scope *s, const char *name, const lucid_shape *shape,
                            lucid_dtype dtype);
bool lucid__check_float(lucid_scope *s, const char *name, lucid_dtype dtype);
/* Two parameters of a distribution as floats of one dtype and one shape, in place. */
bool lucid__parameters(lucid_scope *s, const char *name, lucid_tensor x[2]);

/* Whether x is one written number in [low, high]. */
bool lucid__known_between(lucid_tensor x, double low, double high);
/* x, and an error of that use when it is computed unless all its elements are finite and >= low. */
lucid_tensor lucid__finite_from(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                                double low);

#endif
