/* The primitive tie_guard (tie_guard.c). */
#ifndef LUCID__TIE_GUARD_H
#define LUCID__TIE_GUARD_H

#include "prim/family.h"

/* What changes values and their vectors, one below the other, all with a column for each of n values. */
typedef struct lucid__changes {
    lucid_tensor
        turns; /* (..., n, n): of i and j, by their difference; empty: vectors do not matter */
    lucid_tensor against; /* (..., n, n): by their sum; may be empty */
    lucid_tensor
        outside; /* (..., any, n): out of the space of all vectors, by their distance from 0; or empty */
    lucid_tensor values; /* (..., n) */
} lucid__changes;

/* The values (..., n), after and before equal ones were moved apart, and how large they are (..., 1). */
typedef struct lucid__spectrum_values {
    lucid_tensor w, before, scale;
    int64_t longer; /* side of the matrix */
    bool again;     /* these are derivatives of derivatives */
} lucid__spectrum_values;

/* Guards them: the same numbers, whose cotangents are looked at. */
void lucid__tie_guard(lucid_scope *s, const lucid__spectrum_values *of, lucid__changes *x);

/* w_j - sign w_i at (i, j). */
lucid_tensor lucid__differences(lucid_scope *s, lucid_tensor w, double sign);

#endif
