/* How operations become steps, for the files lower*.c alone. */
#ifndef LUCID__LOWER_EMIT_H
#define LUCID__LOWER_EMIT_H

#include "engine/lower.h"

/* A program over `space` (kept dims, then `reduced` dims): loads are registers 0, 1, ...; the
 * instruction, if any, writes the register after them. */
typedef struct lucid__lower_draft {
    lucid_shape space;
    int reduced, nloads;
    lucid__location loads[3];
    const int64_t *load_stride[3]; /* over the space; NULL: the location's own */
    lucid__location store;
    lucid__instr instr;
    bool has_instr;
    bool overwrites;           /* what an earlier step wrote */
    const lucid__table *table; /* of a gather, whose loads are the indices */
    const lucid__location *looked_up;
    const lucid__margin *margin; /* of the store */
} lucid__lower_draft;

/* All of these: false, and an error: out of memory. */
bool lucid__lower_failed(lucid__lowering *l); /* says so */
bool lucid__emit_program(lucid__lowering *l, lucid__prim_id made_for, const lucid__lower_draft *d);
bool lucid__emit_copy(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *from,
                      const lucid__location *to, bool overwrites);
/* The same number everywhere. */
bool lucid__emit_fill(lucid__lowering *l, lucid__prim_id made_for, const lucid__location *to,
                      int64_t number);
bool lucid__lower_elementwise(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                              lucid__location *out);
bool lucid__lower_iota(lucid__lowering *l, const lucid__op *op, lucid__location *out);

/* ---- at positions (lower_positions.c) ---- */

bool lucid__lower_gather(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                         lucid__location *out);
/* A scatter or scatter_add at one position, for which it is worth asking every place where that joins what else is
 * computed there; a large result that is wanted as it stands is a copy, which a kernel makes in less time. */
bool lucid__asks_places(const lucid__op *op, const lucid__location *in);
bool lucid__lower_single_write(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                               lucid__location *out);

#endif
