/* For tests: what stands in the SIMD lanes, wherever there is a choice, instead of what would be fastest. */
#ifndef LUCID__FORCE_H
#define LUCID__FORCE_H

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
/* By name: none, elements, batch, library. -1: no such name. */
int lucid__forced_layout_of(const char *name);

#endif
