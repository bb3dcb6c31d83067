/* What lane programs need beside the instruction bodies, compiled for several instruction sets. */
#ifndef LUCID__LANE_ISA_H
#define LUCID__LANE_ISA_H

#include "cpu/instr.h"
#include "engine/lane_program.h"

/* An instruction with its registers found. */
typedef struct lucid__lane_exec lucid__lane_exec;

/* Runs one on n lanes, or some more, up to whole LUCID__LANE_GROUPs: registers are so long. */
typedef void lucid__lane_body(const lucid__lane_exec *e, int64_t n);

struct lucid__lane_exec {
    lucid__lane_body *run; /* NULL: a control */
    void *d;
    const void *src[LUCID__LANE_SOURCES];
    int64_t vary
        [LUCID__LANE_SOURCES]; /* 0: one number for all lanes, of which the first 64 bytes are read */
    lucid__instr_body *body;   /* of instructions that have no body here */
    const void *const *
        terms; /* PRODUCTS: two for each of the imm products, which vary as src[1], src[2]; MATRIX: all registers */
    int64_t imm;
    const struct lucid__made_chain
        *chain; /* that runs in the place of this and the next `skip`; NULL */
    int skip;
};

enum { LUCID__LANE_GROUP = 128 }; /* bytes of a register */

/* Moves lanes between memory and registers: element j of lane l is at l lane_stride + offset[j] in memory
 * (counted in elements), and at [l] in lanes[j]; NULL: left alone. */
typedef void lucid__lanes_mover(char *memory, int64_t lane_stride, const int64_t *offset,
                                char *const *lanes, int64_t elements, int64_t n);

typedef struct lucid__lane_isa {
    const char *name;
    lucid__lane_body *op[LUCID__PRIM_COUNT][LUCID__DTYPES]; /* some, as instr.def says; or NULL */
    /* float32, float64: two or three sums, differences or products, by lucid__lane_arithmetic */
    lucid__lane_body *tree2[2][3][4], *tree3[2][3][3][3];
    lucid__lane_body *products[2];          /* a sum; each is rounded once where the machine can */
    lucid__lanes_mover *load[9], *store[9]; /* by the size of an element: 1, 4, 8 */
} lucid__lane_isa;

const lucid__lane_isa *lucid__lane_isa_get(void);

#endif
