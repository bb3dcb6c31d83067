/* Moving equal eigenvalues and singular values apart, for derivatives.
 *
 * A function of a matrix, V f(w) V', has derivatives in which differences (f(w_j) - f(w_i)) / (w_j - w_i)
 * stand for f' where values are equal. Whoever computes f does not know of that, so equal values are moved
 * apart, and all derivatives are taken there: by d, relative to the values, a difference is off by d and
 * by eps / d; one of order k by d and eps / d^k. So d = eps^(1 / (k + 1)). */
#ifndef LUCID__SPREAD_H
#define LUCID__SPREAD_H

#include "lucid.h"

typedef enum lucid__spectrum {
    LUCID__EIGENVALUES, /* ascending */
    LUCID__SQUARE,      /* singular values of a square matrix, descending */
    LUCID__RECTANGULAR, /* of another, which are to be away from 0, too */
} lucid__spectrum;

/* Moves n values w, `step` elements apart, as little as makes neighbours d away from each other; shift
 * (n, as far apart; may be NULL) receives by how much. `order` is k above; 0: nothing moves. memory: for
 * 4 n doubles. */
void lucid__move_apart(lucid_dtype dtype, lucid__spectrum kind, int order, int64_t n, int64_t step,
                       void *w, void *shift, double *memory);

/* Element k of vector i stands at at[i * next + k * step]. */
typedef struct lucid__vector_list {
    void *at;
    int64_t length, next, step;
} lucid__vector_list;

/* Turns vectors of values w, `step` elements apart, that are equal up to rounding by an angle that means
 * nothing. Any vectors of theirs are as good; those that happen to lie along the axes could be where a
 * function of single ones has a derivative of 0 by symmetry, and so looks like one that has a derivative. */
void lucid__turn_equal(lucid_dtype dtype, int64_t n, int64_t step, const void *w,
                       const lucid__vector_list *vectors, int count);

#endif
