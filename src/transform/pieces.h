/* The results of the runs of one vmap: pieces, each for some lanes, put together in lane order. */
#ifndef LUCID__PIECES_H
#define LUCID__PIECES_H

#include "graph/fn.h"
#include "transform/split.h"

typedef struct lucid__vmap_self {
    lucid__fn *f;
    int *in_dims, *out_dims; /* NULL: 0 for all */
    size_t n_in, n_out;
    lucid_vmap_options options; /* axis_name: a copy of its own */
    bool hidden;
} lucid__vmap_self;

/* One call: the arguments, where each carries its batch, and how many lanes there are. */
typedef struct lucid__vmap_call {
    const lucid__vmap_self *self;
    const lucid_tensor *x;
    size_t nx;
    int *axis; /* counted from the front; -1: not mapped */
    int64_t lanes;
    bool mapped;
    lucid_strategy strategy;
    size_t max_answers;           /* of one run */
    struct lucid__replay *replay; /* of the runs of f */
} lucid__vmap_call;

/* The results of one run: for lanes first and on, at the out_dims; or, once lanes have parted, for some of them,
 * at dim 0. */
typedef struct lucid__piece {
    struct lucid__piece *next;
    int64_t size;
    const int64_t *
        places; /* of parted lanes, in the rectangle of `taken` and all lanes of the split; or NULL */
    const lucid__taken *taken;
    size_t ntaken;
    lucid_tensor y[];
} lucid__piece;

typedef struct lucid__pieces {
    lucid_scope *scope; /* owns everything here */
    lucid__piece *first, **last;
    size_t count, nresults, naux;
    int *dim;
    bool stand_in; /* of a lane that is not there: what comes out has none */
} lucid__pieces;

void lucid__pieces_begin(lucid_scope *s, lucid__pieces *p);
/* The results of one run under `level`, which has ended. */
void lucid__pieces_add(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p,
                       const lucid__level *level, const lucid_results *r);
/* Those of the runs of a split become one piece of `to`, in lane order; lanes of enclosing vmaps that the runs
 * had taken over go back to them. */
void lucid__pieces_join(lucid_scope *s, const lucid__vmap_call *call, const lucid__split *split,
                        const lucid__pieces *parts, lucid__pieces *to);
/* The pieces one after the other. */
void lucid__pieces_end(lucid_scope *s, const lucid__vmap_self *self, const lucid__pieces *p,
                       lucid_results *out);

#endif
