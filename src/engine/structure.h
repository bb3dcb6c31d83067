/* The structure of pending work: the nodes behind some roots in topological order, and the words that
 * say everything a plan depends on: primitives, parameters, shapes, layouts, edges, and which results
 * are wanted. Two structures with the same words share a plan. */
#ifndef LUCID__STRUCTURE_H
#define LUCID__STRUCTURE_H

#include "graph/node.h"
#include "graph/scope.h"

/* What a plan may know of a leaf: single numbers that make operations simpler. */
typedef enum lucid__known {
    LUCID__UNKNOWN,
    LUCID__ZERO,
    LUCID__MINUS_ZERO,
    LUCID__ONE,
} lucid__known;

typedef struct lucid__structure {
    lucid__node **leaves; /* ready */
    lucid__node **nodes;  /* pending, inputs before users */
    bool *wanted;         /* per output of all nodes: somebody else refers to it */
    size_t *first_out;    /* of node i in that count */
    uint8_t *known;       /* per leaf */
    int *twin;            /* per leaf: an earlier one that is the same single number, or itself */
    size_t nleaves, nnodes;
    int64_t base; /* of the marks of this walk */
    int64_t *words;
    size_t nwords;
    /* While the words are written: per output of all nodes, how many nodes use it; per node, the leaf that it
     * repeats or rearranges (none: nleaves); per leaf, whom knowing its number helps. */
    int *users;
    size_t *origin;
    uint8_t *useful;
    struct lucid__structure_memory *memory; /* holds all of these */
} lucid__structure;

/* Whether somebody else refers to output k of node i. */
static inline bool lucid__structure_wants(const lucid__structure *st, size_t i, int k)
{
    return st->wanted[st->first_out[i] + (size_t)k];
}

/* Where an input stands: leaf i is i, node i is nleaves + i. */
static inline size_t lucid__structure_index(const lucid__structure *st, const lucid__node *node)
{
    size_t k = (size_t)(node->mark - st->base - 1);
    return lucid__node_is_ready(node) ? k : st->nleaves + k;
}

/* The outputs of all leaves, one after the other, in memory of the scope; NULL on error. */
const lucid__output **lucid__structure_leaf_outputs(lucid_scope *s, const lucid__structure *st);

/* False and an error in s: out of memory. Only under the engine's lock. Leaves and nodes are not
 * retained. lucid__structure_free is due in any case. */
bool lucid__structure_find(lucid_scope *s, lucid__node *const *roots, size_t n,
                           lucid__structure *st);
void lucid__structure_free(lucid__structure *st);

#endif
