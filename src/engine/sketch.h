/* The sketch of a plan: its own copy of a structure's operations, which simplification may rewrite. Leaves come
 * first, as in the structure. Operations refer to each other by number; `order` says in which order those that
 * are left are computed. */
#ifndef LUCID__SKETCH_H
#define LUCID__SKETCH_H

#include "base/arena.h"
#include "engine/structure.h"

typedef struct lucid__operand {
    int op, out;
} lucid__operand;

typedef struct lucid__op {
    uint16_t prim; /* LUCID__constant without being a leaf: params[0] everywhere */
    uint16_t nout;
    int nin, nparams;
    const int64_t *params;
    lucid__operand *in;
    const lucid__aval *out; /* of a node with one, the node's own */
    /* op >= 0: output 0 is that (of several outputs, all are those of that operation). */
    lucid__operand instead;
    int users; /* inputs that were this at the start */
    bool live;
} lucid__op;

typedef struct lucid__sketch {
    const lucid__structure *structure;
    lucid__arena *arena;
    int nops, op_capacity, nleaves;
    lucid__op *ops; /* operation i of the structure is nleaves + i; later ones are others */
    int norder;
    int *order;
} lucid__sketch;

/* All in memory of the arena. False: out of memory. */
bool lucid__sketch_new(lucid__sketch *sk, lucid__arena *arena, const lucid__structure *st);

/* What stands for an output now. */
static inline lucid__operand lucid__sketch_resolve(const lucid__sketch *sk, lucid__operand r)
{
    while (sk->ops[r.op].instead.op >= 0)
        r = (lucid__operand){sk->ops[r.op].instead.op,
                             sk->ops[r.op].nout > 1 ? r.out : sk->ops[r.op].instead.out};
    return r;
}

static inline const lucid__aval *lucid__sketch_aval(const lucid__sketch *sk, lucid__operand r)
{
    return &sk->ops[r.op].out[r.out];
}

/* Leaves out what nobody wants. */
void lucid__sketch_prune(lucid__sketch *sk);

/* Rewrites the operations so that fewer and cheaper ones give the same bits. False: out of memory. */
bool lucid__simplify(lucid__sketch *sk);

#endif
