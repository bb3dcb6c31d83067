/* The program: the kernel language, and the only thing a backend must run besides its kernels.
 *
 * A program walks a loop space of up to LUCID_MAX_NDIM dims. At every point it loads one element per
 * load stream into a register, runs straight-line instructions on registers, and stores registers.
 * Loads have the registers 0, 1, ..., which no instruction writes; the register of a store is written
 * once. Instructions do not write what they read.
 * A backend runs many points at once: a register is a vector of lanes. With `reduced` > 0 the last
 * so many dims are folded: register `folded` is combined over them by the reduction `fold`, and the
 * stores, whose strides cover the other dims only, write the result.
 *
 * The order of folding is part of the meaning, so that the same numbers come out whatever the
 * batch, the tiles and the threads are. Points of the reduced dims are counted in row-major order and
 * cut into blocks of LUCID__FOLD_BLOCK. Within a block, point i goes to accumulator i mod
 * LUCID__FOLD_LANES, in order; the accumulators are then combined pairwise (j with j + 8, + 4, + 2,
 * + 1, where there are so many), and the blocks' results one after the other.
 *
 * Instructions are the elementwise primitives themselves; `dtype` is that of their data inputs. Besides:
 *     cast      dtype -> to
 *     iota      the index along loop dim `imm`, as dtype
 *     constant  zeros, as dtype
 */
#ifndef LUCID__PROGRAM_H
#define LUCID__PROGRAM_H

#include "base/shape.h"
#include "prim/prim_id.h"

enum {
    LUCID__FOLD_LANES = 16,
    LUCID__FOLD_BLOCK = 4096,
    LUCID__MAX_REGISTERS = 256,
};

typedef struct lucid__instr {
    uint16_t op; /* lucid__prim_id */
    uint8_t dtype, to;
    uint16_t dst;
    uint16_t src[3];
    int64_t imm; /* powi: the exponent; iota: the dim */
} lucid__instr;

typedef struct lucid__stream {
    int slot; /* whose memory: an index into the plan's slots */
    uint8_t dtype;
    uint16_t reg;
    int64_t offset; /* of the first element, in elements */
    int64_t stride[LUCID_MAX_NDIM];
} lucid__stream;

typedef struct lucid__program {
    int ndim, reduced;
    int64_t dim[LUCID_MAX_NDIM];
    int nloads, ninstrs, nstores, nregs;
    lucid__stream *loads, *stores;
    lucid__instr *instrs;
    uint16_t fold;   /* reduced > 0: sum, prod, amax, amin, any, all */
    uint16_t folded; /* the register that is combined */
    uint8_t fold_dtype;
} lucid__program;

/* Both leave the meaning as it is. squeeze: drops dims of size 1, so that programs over the same
 * points have the same dims. merge: walks neighbouring dims as one where every stream allows it;
 * rarer ends of rows, longer runs of lanes. */
void lucid__program_squeeze(lucid__program *g);
void lucid__program_merge(lucid__program *g);

#endif
