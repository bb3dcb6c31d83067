/* Divergence: what vmap(strategy="auto") does when its lanes want different answers.
 *
 * A function that asks a batched value for one answer (lucid_bool, lucid_item, ...) gets the answer of
 * the largest group of lanes, and goes on with those alone; the others wait, each group with the answers
 * given so far. When the function returns, the next group is run from the start: it repeats the prefix
 * with the answers on record and gets its own where the ways parted. So there is one run per path, and
 * never more runs than lanes.
 *
 * The lanes of a run only ever become fewer. A batch value knows which of these narrowings it has seen
 * (`version`), and catches up, by gathering, when it is next used. */
#ifndef LUCID__SPLIT_H
#define LUCID__SPLIT_H

#include "transform/level.h"

/* Some lanes, and the answers that lead to where they are. */
typedef struct lucid__group {
    struct lucid__group *next;
    int64_t first;
    int64_t *lanes; /* ascending; NULL: first and on */
    int64_t count;
    lucid_tensor *answers;
    size_t nanswers;
} lucid__group;

typedef struct lucid__split {
    lucid_scope *scope; /* owns all that follows, and outlives the runs */
    lucid__group *waiting;
    /* The run going on. */
    lucid__group now;
    size_t asked;     /* how many answers this run has got */
    uint32_t version; /* how often it was narrowed */
    int64_t **kept;   /* per narrowing: the positions that stayed */
    int64_t *kept_count;
    lucid_tensor
        *to_now; /* per version: the positions that stayed to this day; empty: not made yet */
    uint32_t capacity;
} lucid__split;

/* A split over lanes first .. first + count - 1, one group. False: out of memory. */
bool lucid__split_begin(lucid_scope *s, lucid__split *split, int64_t first, int64_t count);
/* Makes the next waiting group the run going on; false: there is none. */
bool lucid__split_next(lucid__split *split);

/* The answer for the lanes that go on, as a value at level 0 of the shape that the function sees. The
 * batch must be all there is around it. Empty on error. */
lucid_tensor lucid__split_ask(lucid_scope *s, lucid__level *level, lucid__value *batch,
                              const char *what);

/* What all lanes make together (a collective) is made once, while they are together, and stands on record
 * among the answers: a later run that is still on the common way recalls it. */
bool lucid__split_recall(lucid__split *split, lucid_tensor *x);
bool lucid__split_record(lucid__split *split, lucid_tensor x); /* false: out of memory */

/* Brings a batch value of this level to the lanes that are left, in place: nobody can need the others
 * again in this run. */
void lucid__split_catch_up(lucid_scope *s, const lucid__level *level, lucid__value *batch);

#endif
