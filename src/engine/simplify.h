/* What the rules of simplification share. Operations are rewritten in their order, each by rules that see
 * inputs which are as simple as they get. */
#ifndef LUCID__SIMPLIFY_H
#define LUCID__SIMPLIFY_H

#include "engine/sketch.h"
#include "prim/prim_id.h"

typedef struct lucid__simplifier {
    lucid__sketch *sk;
    int *table; /* of operations by hash; open addressing, -1: free */
    size_t mask;
    int *order; /* the new one */
    int norder, order_capacity;
    bool ok; /* there was memory */
} lucid__simplifier;

static inline lucid__op *lucid__simplify_op(const lucid__simplifier *z, lucid__operand r)
{
    return &z->sk->ops[r.op];
}

static inline const lucid__aval *lucid__simplify_aval(const lucid__simplifier *z, lucid__operand r)
{
    return lucid__sketch_aval(z->sk, r);
}

static inline bool lucid__simplify_is(const lucid__simplifier *z, lucid__operand r,
                                      lucid__prim_id prim)
{
    return r.op >= z->sk->nleaves && lucid__simplify_op(z, r)->prim == prim;
}

/* Makes room for so many new operations: before a rule takes pointers to operations, which move. False: out of
 * memory. */
bool lucid__simplify_reserve(lucid__simplifier *z, int ops);

/* Whether there is room for so many. */
static inline bool lucid__simplify_room(const lucid__simplifier *z, int ops)
{
    return z->sk->nops + ops <= z->sk->op_capacity;
}

/* What is known of a value that is one number everywhere. */
lucid__known lucid__simplify_known(const lucid__simplifier *z, lucid__operand r);

/* Whether nobody but one operation reads a value: rewritten, it need not be made. */
bool lucid__simplify_single_use(const lucid__simplifier *z, lucid__operand r);

/* A new operation of one output, or one that is there already. There must be room for it. After a failure
 * z->ok is false, and what comes back must not be used. */
lucid__operand lucid__simplify_add(lucid__simplifier *z, lucid__prim_id prim,
                                   const lucid__operand *in, int nin, const int64_t *params,
                                   int nparams, const lucid__aval *out);

/* Makes operation `op` another one. */
void lucid__simplify_become(lucid__simplifier *z, lucid__op *op, lucid__prim_id prim,
                            const lucid__operand *in, int nin, const int64_t *params, int nparams);

/* simplify_pads.c: an addition of pads; few single elements among zeros. */
void lucid__join_pads(lucid__simplifier *z, int number);
void lucid__choose_positions(lucid__simplifier *z, int number);

/* simplify_stacks.c: what is computed from a stack of few values. */
void lucid__take_stacks_apart(lucid__simplifier *z, int number);

/* simplify_contract.c: products with the basis of a space; what is multiplied first. */
void lucid__simplify_contract(lucid__simplifier *z, int number);

#endif
