/* A node of the lazy graph: one application of a primitive at level 0, pending until its results are
 * asked for. When they are computed (the node is ready) it lets go of its inputs, so that the memory
 * behind a value is only ever what can still be asked for. */
#ifndef LUCID__NODE_H
#define LUCID__NODE_H

#include "base/buffer.h"
#include "base/shape.h"
#include "base/thread.h"

typedef struct lucid__node lucid__node;

/* In the place of a primitive's number: a value given from outside. */
enum { LUCID__LEAF = 0 };

/* Where the elements of a computed value are: strides and offset in elements. */
typedef struct lucid__storage {
    lucid__buffer *buffer;
    int64_t offset;
    int64_t stride[LUCID_MAX_NDIM];
} lucid__storage;

typedef struct lucid__edge {
    lucid__node *node;
    int out;
} lucid__edge;

typedef struct lucid__output {
    lucid__aval aval;
    /* Of nodes with several outputs: values and pending consumers of this one. */
    lucid__refs readers;
    /* No buffer while pending; of a ready node: nobody can ask for this output. */
    lucid__storage storage;
} lucid__output;

struct lucid__node {
    lucid__refs refs; /* values and pending consumers */
    atomic_bool ready;
    uint16_t prim; /* its number (prim/prim_id.h), or LUCID__LEAF */
    uint16_t nout;
    int nin;
    int nparams;
    int depth;    /* longest chain of nodes behind it that were pending when it was built, and
                     itself; 0: a number written in the program (lucid__node_new_number) */
    int64_t mark; /* scratch of graph walks; under the engine's lock */
    lucid__edge *in;
    int64_t *params;
    lucid__output *out;
};

/* Pending, without inputs yet: nin times lucid__node_link, and the avals of its outputs, are due before anybody else sees
 * it; before the first link it can be freed (lucid__free). NULL: out of memory. */
lucid__node *lucid__node_alloc(int prim, int nin, const int64_t *params, int nparams, int nout);
static inline void lucid__node_link(lucid__node *n, lucid__node *input, int out);
/* Inputs get one reference each. avals: nout of them. NULL: out of memory. */
lucid__node *lucid__node_new(int prim, const lucid__edge *in, int nin, const int64_t *params,
                             int nparams, const lucid__aval *avals, int nout);
/* A ready node over elements that exist; takes over the reference to `buffer`, also on failure. */
lucid__node *lucid__node_new_constant(const lucid__aval *aval, lucid__buffer *buffer,
                                      const int64_t *stride);
/* A number written in the program, in as many places as it has elements: one element in memory. Takes over the
 * reference, also on failure. */
lucid__node *lucid__node_new_number(const lucid__aval *aval, lucid__buffer *buffer);
lucid__node *lucid__node_retain(lucid__node *n);
/* Counts a value or a pending consumer of one output among several. */
static inline void lucid__node_add_reader(lucid__node *n, int out)
{
    if (n->nout > 1)
        lucid__ref(&n->out[out].readers);
}

/* Of a node that is ready. */
static inline bool lucid__node_is_number(const lucid__node *n)
{
    return n->depth == 0;
}

static inline bool lucid__node_is_ready(const lucid__node *n)
{
    return atomic_load_explicit(&n->ready, memory_order_acquire);
}

static inline void lucid__node_link(lucid__node *n, lucid__node *input, int out)
{
    n->in[n->nin++] = (lucid__edge){input, out};
    lucid__ref(&input->refs);
    lucid__node_add_reader(input, out);
    if (!lucid__node_is_ready(input) && input->depth >= n->depth)
        n->depth = input->depth + 1;
}

static inline void lucid__node_drop_reader(lucid__node *n, int out)
{
    if (n->nout > 1)
        atomic_fetch_sub_explicit(&n->out[out].readers, 1, memory_order_release);
}

/* Iterative: a chain of any length is released in constant stack. */
void lucid__node_release(lucid__node *n);
/* Marks a node as ready whose outputs have storage, all that somebody can ask for; nobody looks at its inputs from then on, and
 * whoever made it ready lets go of them. */
void lucid__node_set_ready(lucid__node *n);
void lucid__node_drop_inputs(lucid__node *n);

#endif
