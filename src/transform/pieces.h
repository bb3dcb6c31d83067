/* The results of the runs of one vmap: pieces, each for some lanes, put together in lane order. */
#ifndef LUCID__PIECES_H
#define LUCID__PIECES_H

#include "graph/fn.h"
#include "transform/level.h"

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
    struct lucid__replay *replay; /* of the runs of f */
} lucid__vmap_call;

/* Results of runs over parts of the lanes, to be put together along their out_dims. */
typedef struct lucid__piece {
    struct lucid__piece *next;
    int64_t first, size;
    int64_t *lanes; /* NULL: first and on */
    lucid_tensor y[];
} lucid__piece;

typedef struct lucid__pieces {
    lucid_scope *scope; /* owns everything here */
    lucid__piece *first, **last;
    size_t count, nresults, naux;
    int *dim;
    int64_t lanes; /* of all pieces */
    bool in_order;
} lucid__pieces;

void lucid__pieces_begin(lucid_scope *s, lucid__pieces *p);
/* The results of one run under `level`. */
void lucid__pieces_add(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p,
                       const lucid__level *level, const lucid_results *r);
void lucid__pieces_end(lucid_scope *s, const lucid__vmap_self *self, const lucid__pieces *p,
                       lucid_results *out);

#endif
