/* Instruction bodies: what a program's instructions do to vectors of lanes. They are compiled several
 * times, for several instruction sets, and the best table is chosen at run time (isa.c). */
#ifndef LUCID__INSTR_H
#define LUCID__INSTR_H

#include "base/dtype.h"
#include "cpu/arg_extreme.h"
#include "cpu/look_up.h"
#include "cpu/philox_tile.h"
#include "cpu/sort_lanes.h"
#include "engine/program.h"
#include "prim/prim_id.h"

enum { LUCID__DTYPES = LUCID_NO_DTYPE };

/* d[i] = op(a[i], b[i], c[i]) for n lanes; d may be a, b or c. imm: powi's exponent, polygamma's order. */
typedef void lucid__instr_body(void *d, const void *a, const void *b, const void *c, int64_t n,
                               int64_t imm);

/* A reduction, in the order of program.h (isa_folds.c). Of `width` results side by side:
 *     groups   acc[j] = op(acc[j], x[16 width g + j]) for all groups g, in order, and all j < 16 width
 *     close    to[i] = what the 16 accumulators acc[i], acc[width + i], ... of result i make
 *     rows     to[r] = row r of x, of any length > 0, all of it */
typedef struct lucid__fold_bodies {
    void (*groups)(void *acc, const void *x, int64_t groups, int64_t width);
    void (*close)(void *to, const void *acc, int64_t width);
    void (*rows)(void *to, const void *x, int64_t rows, int64_t length);
} lucid__fold_bodies;

typedef lucid__fold_bodies lucid__folds[LUCID__PRIM_COUNT][LUCID__DTYPES];

/* Two operations at once (engine/program.h), of float32 and of float64. */
typedef lucid__instr_body *lucid__pair_bodies[LUCID__PAIR_OPS][LUCID__PAIR_THENS][2];

typedef struct lucid__bodies {
    lucid__instr_body *op[LUCID__PRIM_COUNT][LUCID__DTYPES]; /* by the dtype of the data inputs */
    lucid__instr_body *cast[LUCID__DTYPES][LUCID__DTYPES];   /* [from][to] */
    const lucid__folds *fold;                                /* the same, isa_folds.c */
    const lucid__pair_bodies *pair;                          /* isa_pairs.c */
    lucid__philox_run *philox;                               /* isa_philox.c */
    lucid__philox_row *philox_row;
    const lucid__sort_isa *sort;               /* isa_sort.c */
    const lucid__arg_extreme *argmax, *argmin; /* isa_arg.c, by dtype */
    const lucid__look_up *look_up;             /* isa_look_up.c */
} lucid__bodies;

/* The table for this machine. */
const lucid__bodies *lucid__bodies_get(void);

/* Of an instruction that is two operations. */
lucid__instr_body *lucid__pair_body(const lucid__bodies *bodies, const lucid__instr *in);

#endif
