/* Regions: what runs under lucid_checkpoint, so that what a tape keeps of it can be computed again.
 *
 * While a region runs, every node that is built at level 0 gets a copy, pending for ever, whose inputs are
 * copies too, or nodes from before the region. When it ends, the tape entries recorded meanwhile trade
 * the nodes in their residuals for the copies, and with that the originals, and their memory, go as soon as
 * the results are computed. Walking the tape builds a region's nodes anew from the copies (an instance):
 * the user's function does not run again, so what it drew, asked or captured cannot come out otherwise.
 *
 * Regions nest: a node has a copy in each region it was built in, and an instance of an inner region starts
 * from the instance of the outer one. */
#ifndef LUCID__REGION_H
#define LUCID__REGION_H

#include "base/ptr_map.h"
#include "graph/node.h"
#include "graph/tape_entry.h"

typedef struct lucid__region lucid__region;

struct lucid__region {
    lucid__refs refs;
    lucid__region *outer; /* owned; NULL: none */
    bool running;
    size_t count, capacity;
    lucid__node **from;              /* while it runs: the nodes built */
    lucid__node **copy;              /* in the order built; NULL: nobody needs it */
    bool *kept;                      /* a residual, or an inner region, refers to the copy */
    lucid__ptr_map by_from, by_copy; /* numbers of nodes */
    lucid__tape_entry **entries;     /* recorded while it runs */
    size_t nentries, entry_capacity;
};

/* A region inside `outer` (NULL: none), which it keeps; NULL: out of memory. */
lucid__region *lucid__region_new(lucid__region *outer);
lucid__region *lucid__region_retain(lucid__region *r); /* NULL is fine */
void lucid__region_release(lucid__region *r);          /* NULL is fine */

/* What was built or recorded while r ran. False: out of memory. */
bool lucid__region_add_node(lucid__region *r, lucid__node *node);
bool lucid__region_add_entry(lucid__region *r, lucid__tape_entry *e);
/* r has run: its entries trade their residuals for copies, unless it failed (trade false). False: out of memory;
 * the entries are good in any case. */
bool lucid__region_close(lucid__region *r, bool trade);

/* The nodes of a region built anew. */
typedef struct lucid__instance lucid__instance;
struct lucid__instance {
    lucid__instance *outer;
    lucid__region *region;
    lucid__node **fresh; /* of the copies kept */
};

/* Inside an instance of the region's outer one, if that is not running; a region that runs now records the
 * nodes as it does any. NULL: out of memory. */
lucid__instance *lucid__instance_new(lucid__region *r, lucid__instance *outer,
                                     lucid__region *running);
/* Ends it and returns the outer one. */
lucid__instance *lucid__instance_end(lucid__instance *i);
/* A residual with the nodes of the instance in place of the copies: a new reference. NULL: out of memory. */
lucid__value *lucid__instance_value(lucid__instance *i, lucid__value *v);

#endif
