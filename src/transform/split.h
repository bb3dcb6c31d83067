/* Divergence: what vmap(strategy="auto") does when its lanes want different answers.
 *
 * A function that asks a batched value for one answer (lucid_bool, lucid_item, ...) gets the answer of
 * the largest group of lanes, and goes on with those alone; the others wait, each group with the answers
 * given so far. When the function returns, the next group is run from the start: it repeats the prefix
 * with the answers on record and gets its own where the ways parted. So there is one run per path, and
 * never more runs than lanes.
 *
 * Under several vmaps it is the innermost running one that splits, whatever the value depends on: where lanes of
 * an enclosing vmap want different answers, the lanes of the inner one become tuples, one for each lane of
 * both. From then on the run carries the enclosing lanes itself (it has taken over that level): a value that
 * belongs to an enclosing level is gathered along the list of tuples when the run meets it
 * (lucid__split_lift), and the results go back to their places in the rectangle of lanes (pieces.h). So k
 * paths cost k runs at any depth.
 *
 * The lanes of a run only ever become fewer, or become tuples of which some are left. A batch value knows which
 * of these narrowings it has seen (`version`), and catches up, by gathering, when it is next used.
 */
#ifndef LUCID__SPLIT_H
#define LUCID__SPLIT_H

#include "transform/level.h"

/* Answers that one run may ask for. */
enum { LUCID__MANY_ANSWERS = 1 << 20 };

/* An enclosing level whose lanes a run has taken over, as it was then. */
typedef struct lucid__taken {
    uint64_t level;
    int64_t size;     /* its lanes */
    uint32_t version; /* how often it had been narrowed */
} lucid__taken;

/* From the lanes before to those that are left: positions in the rectangle of the levels taken over now (the
 * first outermost) and, innermost, the lanes before. */
typedef struct lucid__narrowing {
    const lucid__taken *taken;
    size_t ntaken;
    int64_t before;
    const int64_t *kept; /* ascending within each group; as many as the next one's `before` */
    lucid_tensor to_now; /* index for what has seen none of this; empty: not made yet */
} lucid__narrowing;

typedef struct lucid__answer {
    struct lucid__answer *before;
    lucid_tensor x;
} lucid__answer;

/* Some lanes, and the answers that lead to where they are. */
typedef struct lucid__group {
    struct lucid__group *next;
    lucid__narrowing way; /* from all lanes; kept NULL: it is all lanes */
    int64_t count;
    lucid__answer *last;
    size_t nanswers;
} lucid__group;

typedef struct lucid__split {
    lucid_scope *scope;   /* owns groups and answers, and outlives the runs */
    int64_t first, count; /* the lanes, before any narrowing */
    int64_t max_paths;    /* when so many ran, the lanes that wait run one by one */
    size_t max_answers;   /* of one run */
    bool stand_in;        /* the lane is not there: the batch is empty, but what is its shape? */
    int64_t runs, alone;  /* so far; alone: those of single lanes for max_paths */
    lucid__group *waiting;
    /* The run going on, whose lists and indices `run` owns. */
    lucid_scope run;
    lucid__group now;
    lucid_tensor *replay; /* its first answers, in order */
    size_t nreplay, asked;
    uint32_t version, capacity;
    lucid__narrowing *narrowed;
    struct lucid__lifted *lifted; /* values of enclosing levels that were gathered last */
    size_t next_lifted;
} lucid__split;

/* A split over lanes first .. first + count - 1, one group. False: out of memory. */
bool lucid__split_begin(lucid_scope *s, lucid__split *split, int64_t first, int64_t count);
/* Makes the next waiting group the run going on, under a level made ready; false: there is none. */
bool lucid__split_next(lucid__split *split, lucid__level *level);
/* Takes the group in front if it is one lane that left the others at the first question, of which nothing has been
 * computed that it could go on from: alone it costs less than in a batch of one. Returns where it stands among the
 * lanes of the split; NULL: there is no such group in front. */
const int64_t *lucid__split_take_lane(lucid__split *split);
/* After the last run. */
void lucid__split_end(lucid__split *split);

/* The innermost running vmap whose lanes may part: the one that answers. NULL: there is none. */
lucid__level *lucid__split_level(const lucid_scope *s);

/* The answer for the lanes that go on, as a value at level 0 of the shape that the function sees. x is no value
 * of level 0. Empty on error. */
lucid_tensor lucid__split_ask(lucid_scope *s, lucid__level *level, lucid_tensor x,
                              const char *what);

/* The error of asking for more than the n answers that a run may have. */
lucid_tensor lucid__too_many_answers(lucid_scope *s, bool stand_in, size_t n, const char *what);

/* What all lanes make together (a collective) is made once, while they are together, and stands on record
 * among the answers: a later run that is still on the common way recalls it. */
bool lucid__split_recall(lucid__split *split, lucid_tensor *x);
bool lucid__split_record(lucid__split *split, lucid_tensor x); /* false: out of memory */

/* Brings a batch value of this level to the lanes that are left, in place: nobody can need the others
 * again in this run. */
void lucid__split_catch_up(lucid_scope *s, const lucid__level *level, lucid__value *batch);

/* x as the runs that have taken over a level it depends on want it (levels of id at most `limit`). */
lucid_tensor lucid__split_lift(lucid_scope *s, lucid_tensor x, uint64_t limit);
/* Whether the run going on under level l has taken the level over; whether some run has. */
bool lucid__split_has_taken(const lucid__level *l, uint64_t level);
bool lucid__split_is_taken(const lucid_scope *s, uint64_t level);

/* The lanes of a level as dim 0 of x, and back (prim/lanes_prims.c). */
lucid_tensor lucid__lanes_out(lucid_scope *s, lucid_tensor x, const lucid__taken *from);
lucid_tensor lucid__lanes_in(lucid_scope *s, lucid_tensor x, const lucid__taken *to);

/* While values are gathered for a level, itself and those above lift nothing: returns what
 * session->lifts_below was, which the caller puts back. */
uint64_t lucid__hold_lifts(lucid_scope *s, const lucid__level *level);

/* lucid__split_lift for one level, whose run may have ended. */
lucid_tensor lucid__split_lift_to(lucid_scope *s, const lucid__level *level, lucid_tensor x);

/* The levels taken over so far and `more`, the latest (more) first; in memory of s, NULL: there is none. Row i of
 * the rectangle of `more` and the present lanes, counted in that of all these levels and all lanes. */
lucid__taken *lucid__split_taken(lucid_scope *s, const lucid__split *split,
                                 const lucid__taken *more, size_t nmore, size_t *n);
int64_t lucid__split_place(const lucid__split *split, int64_t row);

/* For split.c and ask.c. The levels that x depends on (its tangents too, unless primal_only) below level id
 * `below`, each as whoever has taken it over, innermost first, no more than `capacity`. */
size_t lucid__split_levels_of(lucid_scope *s, const lucid__value *x, bool primal_only,
                              uint64_t below, uint64_t *levels, size_t capacity);
/* Goes on with `count` lanes; see lucid__narrowing. */
bool lucid__split_narrow(lucid_scope *s, lucid__level *level, const lucid__taken *taken,
                         size_t ntaken, const int64_t *kept, int64_t count);

#endif
