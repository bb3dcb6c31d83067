/* A value: what a lucid_tensor handle points to.
 *
 * A value lives at a level. Level 0 is the graph: one output of a node (node.h). Every other level
 * belongs to a running transform (transform/level.h) and wraps values of lower levels:
 *
 *     GRAPH   output `out` of `node`
 *     BATCH   `inner` with the batch at dimension `axis`; the batch is invisible in aval
 *     DUAL    `inner` (the primal) and its `tangent`
 *     TAPE    output `out` of the recorded operation `entry`; no number stands behind it. On a tape only
 *             linear operations are recorded, on a stage whatever is done
 *
 * Values are reference-counted and never change what they stand for (a batch value whose lanes have parted
 * may forget those that are gone, transform/split.h); handles in a scope own one reference each.
 */
#ifndef LUCID__VALUE_H
#define LUCID__VALUE_H

#include "base/shape.h"
#include "base/thread.h"

typedef enum lucid__value_kind {
    LUCID__GRAPH,
    LUCID__BATCH,
    LUCID__DUAL,
    LUCID__TAPE,
} lucid__value_kind;

typedef struct lucid__value lucid__value;

struct lucid__value {
    lucid__refs refs;
    uint8_t kind;     /* lucid__value_kind */
    bool weak;        /* a bare number, or computed from such alone: yields in promotion */
    uint8_t alone;    /* weak: the dtype it takes where it meets no tensor */
    uint32_t version; /* BATCH: see transform/split.h */
    uint64_t level;   /* id of the transform it belongs to; 0: none */
    lucid__aval aval; /* as seen at this level */
    union {
        struct lucid__node *node;        /* GRAPH */
        struct lucid__tape_entry *entry; /* TAPE */
        lucid__value *inner;             /* BATCH, DUAL */
    };
    union {
        int out;               /* GRAPH, TAPE */
        int axis;              /* BATCH */
        lucid__value *tangent; /* DUAL */
    };
};

lucid__value *lucid__value_retain(lucid__value *v); /* NULL is fine */
void lucid__value_release(lucid__value *v);         /* NULL is fine */

/* Whether there is one reference to v alone: whoever has it and will not look at v again may take out what it wraps. */
static inline bool lucid__value_is_alone(const lucid__value *v)
{
    return atomic_load_explicit(&v->refs, memory_order_acquire) == 1;
}

/* Each takes over the caller's references to what it wraps, also on failure; NULL: out of memory. */
lucid__value *lucid__value_new_batch(uint64_t level, lucid__value *inner, int axis);
lucid__value *lucid__value_new_dual(uint64_t level, lucid__value *primal, lucid__value *tangent);
lucid__value *lucid__value_new_tape(uint64_t level, struct lucid__tape_entry *entry, int out,
                                    const lucid__aval *aval);
lucid__value *lucid__value_new_graph(struct lucid__node *node, int out);

#endif
