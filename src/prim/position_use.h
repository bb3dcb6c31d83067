/* What the positions of a gather or scatter are, for the messages about one that is out of range: params[1] of these
 * primitives says which operation it is and which dim is the first indexed one. */
#ifndef LUCID__POSITION_USE_H
#define LUCID__POSITION_USE_H

#include "lucid.h"

/* LUCID__INDEXES(name)          an index into a dim
 * LUCID__NAMES_CLASS(name, what) a number of a class, of which there are as many as the dim has places; one below
 *                                0 is moved below -size, so that it does not count from the end
 * LUCID__CHECKS(name, what)      no index at all: 0 where an argument is possible, 1 where it is not, into one place
 */
#define LUCID__POSITION_USES \
    LUCID__INDEXES(index) \
    LUCID__INDEXES(index_put) \
    LUCID__INDEXES(take) \
    LUCID__INDEXES(take_along_dim) \
    LUCID__INDEXES(gather) \
    LUCID__INDEXES(scatter) \
    LUCID__INDEXES(scatter_add) \
    LUCID__INDEXES(index_select) \
    LUCID__INDEXES(index_add) \
    LUCID__INDEXES(index_copy) \
    LUCID__INDEXES(index_fill) \
    LUCID__INDEXES(put) \
    LUCID__INDEXES(select_scatter) \
    LUCID__NAMES_CLASS(cross_entropy, "target") \
    LUCID__NAMES_CLASS(nll_loss, "target") \
    LUCID__NAMES_CLASS(one_hot, "class") \
    LUCID__NAMES_CLASS(embedding, "index") \
    LUCID__CHECKS(bernoulli, "p must be from 0 to 1") \
    LUCID__CHECKS(normal, "std must be finite and not below 0") \
    LUCID__CHECKS(uniform, "low and high must be finite, and low not above high") \
    LUCID__CHECKS(exponential, "rate must be finite and above 0") \
    LUCID__CHECKS(multinomial, \
                  "the probabilities must be finite and not below 0, and their sum above 0")

typedef enum lucid__position_use {
    LUCID__FOR_NOTHING, /* no name is known */
#define LUCID__INDEXES(name) LUCID__FOR_##name,
#define LUCID__NAMES_CLASS(name, what) LUCID__FOR_##name,
#define LUCID__CHECKS(name, what) LUCID__FOR_##name,
    LUCID__POSITION_USES
#undef LUCID__INDEXES
#undef LUCID__NAMES_CLASS
#undef LUCID__CHECKS
        LUCID__POSITION_USE_COUNT,
} lucid__position_use;

/* The parameter for a use and a first dim. */
static inline int64_t lucid__position_param(lucid__position_use use, int dim)
{
    return (int64_t)use << 8 | dim;
}

/* The use for which an operation of that name indexes or names classes; `otherwise` when none is known. */
lucid__position_use lucid__position_use_named(const char *name, lucid__position_use otherwise);

/* Writes what is wrong with an index in a dim of that size, and returns the status. shown: the parameter, plus the
 * number of the index among several. */
lucid_status lucid__position_message(int shown, int64_t index, int64_t size, char *to, size_t room);

#endif
