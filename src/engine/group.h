/* A group of steps that are to become one program: its values, over the dims of a common loop space, and
 * which of them go to memory. */
#ifndef LUCID__GROUP_H
#define LUCID__GROUP_H

#include "engine/plan.h"

enum {
    LUCID__MAX_VALUES = 400,     /* of a group; at most LUCID__MAX_REGISTERS */
    LUCID__MAX_GROUP_LOADS = 64, /* too many streams at once overtax the memory system */
};

/* A register in the making: a load, or the result of an instruction whose src are values. */
typedef struct lucid__draft_value {
    bool loaded;
    uint8_t nsrc;
    uint16_t over;
    int reads;                 /* of a load: how many steps read through it */
    lucid__stream *from;       /* of a load; of a gather: from where in the table; others: NULL */
    const lucid__table *table; /* of a gather: all else; NULL: it is none */
    lucid__instr instr;
} lucid__draft_value;

typedef struct lucid__group {
    const lucid__step *kernel; /* or NULL: steps of programs */
    lucid__prim_id made_for;   /* what the first of these was */
    bool open;                 /* others can join */
    bool gone;                 /* into another group */
    int ndim;
    int64_t dim[LUCID_MAX_NDIM];
    uint16_t folded; /* the dims that some reduction combines over */
    bool uneven;     /* the reductions differ in their dims, or do not see all the others */
    int nloads, nfolds, nvalues, noutputs, value_capacity, output_capacity;
    uint16_t load[LUCID__MAX_GROUP_LOADS]; /* which values are loads */
    int nstored;                           /* outputs that are known to go to memory */
    lucid__draft_value *values; /* both lists are blocks of their own: merging replaces them */
    lucid__stream *outputs;     /* reg: the value */
} lucid__group;

/* How the dims of something fall on those of a group, which may grow by it. */
typedef struct lucid__fit {
    int order[LUCID_MAX_NDIM]; /* of its dim d: the group's */
    int ndim;                  /* the group's from then on */
    int64_t dim[LUCID_MAX_NDIM];
    uint16_t folded;
    bool uneven;
} lucid__fit;

lucid__fit lucid__fit_begin(const lucid__group *g);
/* Takes up a reduction, over `dims` (of the group), of a value that lies over `over`; false: the program
 * could not be run. */
bool lucid__fit_fold(lucid__fit *fit, uint16_t over, uint16_t dims);
bool lucid__fit_possible(const lucid__fit *fit);
/* Each dim that has no place yet falls on a free one of its size, or becomes a new one. used: the group's
 * dims that are taken. */
bool lucid__fit_rest(lucid__fit *fit, const int64_t *dim, int ndim, unsigned used);
/* The group's dims for a set of its own dims. */
uint16_t lucid__fit_dims(const lucid__fit *fit, uint16_t dims);
lucid__stream lucid__fit_stream(const lucid__fit *fit, const lucid__stream *t, uint16_t over);

bool lucid__same_stream(const lucid__stream *a, const lucid__stream *b, int ndim);

/* The number of a value, which may be there already; -1: out of memory. `from` is copied to scratch memory;
 * scratch NULL: it is there already. */
int lucid__group_add(lucid__group *g, lucid__arena *scratch, const lucid__draft_value *v);
/* Value v repeated over more dims; v, if there are no more. */
int lucid__group_spread(lucid__group *g, int v, uint16_t over, uint8_t dtype);
bool lucid__group_output(lucid__group *g, const lucid__stream *to, int v);
void lucid__group_free(lucid__group *g); /* its lists */

/* The group as one step, with the outputs for which needed[..] holds. False: out of memory. */
bool lucid__group_finish(const lucid__group *g, lucid__arena *arena, const bool *needed,
                         lucid__step *step);

#endif
