/* Asking for memory ahead of time. While a box is computed, the lines of the cache that the next box will read
 * and write are asked for; they would otherwise be waited for, as the processor does not foresee streams that
 * it meets in bursts, short and far apart. */
#ifndef LUCID__AHEAD_H
#define LUCID__AHEAD_H

#include "cpu/machine.h"

enum { LUCID__MOST_AHEAD = 16 };

typedef struct lucid__ahead {
    int dim; /* that the next box is further along; -1: nothing is asked for */
    void *next[LUCID__MAX_REGISTERS]; /* what chains ask for themselves */
    int nruns, at, share;             /* the rest, in shares before each instruction */
    struct {
        const char *from;
        int64_t lines;
    } run[LUCID__MOST_AHEAD];
} lucid__ahead;

/* dim: along which most boxes follow each other; -1: none do, or it is no use. */
static inline void lucid__ahead_init(lucid__ahead *a, int dim)
{
    a->dim = dim;
    a->nruns = a->at = a->share = 0;
}
bool lucid__ahead_is_useful(const lucid__program *p);
/* When the loads of a box are done. */
void lucid__ahead_begin(lucid__ahead *a, lucid__machine *m);
/* Before each of its instructions: a share of the lines. */
void lucid__ahead_some(lucid__ahead *a);

#endif
