/* What stands in the SIMD lanes, wherever there is a choice, instead of what would be fastest: for tests. The
 * environment variable LUCID_LAYOUT says it by name: elements, batch, library. */
#ifndef LUCID__FORCE_H
#define LUCID__FORCE_H

#include <stdbool.h>

typedef enum lucid__forced_layout {
    LUCID__FORCE_NONE,
    /* Elements of a value: no lane programs, no BLAS, matrices one by one. */
    LUCID__FORCE_ELEMENTS,
    /* Examples: lane programs wherever they are possible, matrices side by side. */
    LUCID__FORCE_BATCH,
    /* Whatever the library does: BLAS and LAPACK for any size, no lane programs. */
    LUCID__FORCE_LIBRARY,
} lucid__forced_layout;

/* Plans made under another choice are not used. */
lucid__forced_layout lucid__layout_forced(void);
void lucid__force_layout(lucid__forced_layout layout);
/* Whether loops, branches and regions may become lane programs. */
bool lucid__lanes_allowed(void);

#endif
