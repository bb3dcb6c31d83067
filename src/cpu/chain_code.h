/* A chain: elementwise operations in a row, as machine code that goes over the lanes once and holds everything
 * between in vector registers. Each operation rounds as its instruction body (instr.def) does, so the bits are
 * the same. */
#ifndef LUCID__CHAIN_CODE_H
#define LUCID__CHAIN_CODE_H

#include "base/dtype.h"
#include "cpu/x86_code.h"
#include "prim/prim_id.h"

/* Operands are values by number: inputs first, then the results of the operations. */
typedef struct lucid__chain_op {
    uint16_t op; /* lucid__prim_id, or one of those below */
    int src[3];
    int64_t imm;
} lucid__chain_op;

enum {
    LUCID__CHAIN_COPY = LUCID__PRIM_COUNT, /* the first operand */
    LUCID__CHAIN_ADD_PRODUCT, /* the first operand plus the product of the others, rounded once */
};

/* A value and where its lanes are in memory: which pointer of the table. */
typedef struct lucid__chain_port {
    int value, reg;
    bool truth; /* bytes that are 0 or 1, instead of the chain's dtype */
    bool far;   /* a stream of the program: its memory is asked for ahead of time */
    bool fixed; /* an input whose first vector is that of all lanes */
} lucid__chain_port;

typedef struct lucid__chain {
    lucid_dtype dtype; /* of all lanes but truth values: float32 or float64 */
    int nin, nops, nout;
    const lucid__chain_port *in, *out; /* in[i].value is i */
    const lucid__chain_op *ops;
} lucid__chain;

/* For n lanes, a multiple of lucid__chain_width. next: where lanes that are far are to be asked for. */
typedef void lucid__chain_fn(void *const *table, int64_t n, void *const *next);

int lucid__chain_operands(int op);
/* Whether an operation on lanes of this dtype can be one of a chain. */
bool lucid__chain_takes(int op, lucid_dtype dtype);
/* The operation's result is a truth value. */
bool lucid__chain_gives_truth(int op);
int lucid__chain_width(bool wide, lucid_dtype dtype);

/* Appends the code of the chain. False: it needs more registers than there are, or memory. */
bool lucid__chain_emit(lucid__code *code, const lucid__chain *chain);

#endif
