/* Lane programs: loops and branches whose bodies are small code, run inside one step.
 *
 * Every element of every value of a body is a register of its own, and a register is a vector of lanes:
 * lane l belongs to example l of the batch (one example: one lane). What only rearranges elements names
 * registers anew and costs nothing. A loop's state stays in registers, which stay in the cache, for all
 * its iterations.
 *
 * Instructions are the elementwise primitives, as in program.h, and what stands below. They lie in one
 * array: those that are the same for every lane (run once), those that each lane begins with, then one
 * CONTROL, the loop or branches that the program is for, unless it is straight-line code. A CONTROL is followed
 * by the instructions of its bodies.
 *
 * The arithmetic of a lane does not depend on its company: on how many lanes there are, which of them
 * run side by side, or how long the others go on. Sums are taken in the order of program.h.
 */
#ifndef LUCID__LANE_PROGRAM_H
#define LUCID__LANE_PROGRAM_H

#include "base/arena.h"
#include "engine/lane_region.h"
#include "engine/location.h"
#include "prim/control.h"

typedef enum lucid__lane_kind {
    LUCID__LANE_ELEMENTWISE, /* dst = op(src...) */
    LUCID__LANE_COPY,        /* dst = src[0] */
    LUCID__LANE_FILL,        /* dst = the bits of imm, in every lane */
    LUCID__LANE_PRODUCTS,    /* dst = src[0] + the products of products[imm], one after the other */
    LUCID__LANE_TREE2,       /* dst = (src[0] f src[1]) g src[2]; f, g, ... of floats: imm */
    LUCID__LANE_TREE3,       /* dst = (src[0] f src[1]) g (src[2] h src[3]) */
    LUCID__LANE_PHILOX,  /* dst, 16 bytes a lane = words of block imm of (seed, draw, lane): src */
    LUCID__LANE_WORD,    /* dst = word imm of src[0] */
    LUCID__LANE_PICK,    /* dst = one of tables[imm], by the int64 src[0 .. ndim - 1] */
    LUCID__LANE_MATRIX,  /* matrices[imm] */
    LUCID__LANE_CONTROL, /* controls[imm] */
} lucid__lane_kind;

/* The operations of trees, f in the lowest two bits of imm, then g, then h. */
typedef enum lucid__lane_arithmetic {
    LUCID__LANE_ADD,
    LUCID__LANE_SUB,
    LUCID__LANE_MUL,
    LUCID__LANE_SUB_FROM, /* g of a TREE2: src[2] - (...) */
} lucid__lane_arithmetic;

enum { LUCID__LANE_SOURCES = 4 };

typedef struct lucid__lane_instr {
    uint8_t kind, dtype, to;
    uint8_t same;                      /* bit i: src[i] is one number for all lanes */
    uint16_t op;                       /* lucid__prim_id */
    int dst, src[LUCID__LANE_SOURCES]; /* registers; those that are not used: 0 */
    int64_t imm;
} lucid__lane_instr;

/* One register to another. */
typedef struct lucid__lane_move {
    int to, from;
} lucid__lane_move;

typedef struct lucid__lane_moves {
    int n;
    const lucid__lane_move *at;
} lucid__lane_moves;

/* xs or ys of a scan: at step t the n registers of `slice` are whole[t n], ... Those of the program's own
 * scan are in memory instead: whole is NULL, and `stream` the input or output of the program. Registers
 * that nobody reads are -1. */
typedef struct lucid__lane_slice {
    int64_t n;
    const int *slice, *whole;
    int stream;
} lucid__lane_slice;

/* Registers that are picked from by an index along each of some dims, checked, from 0 or back from the end. */
typedef struct lucid__lane_table {
    int ndim, shown_dim; /* which messages give to the first of them */
    int64_t dim[LUCID__LANE_SOURCES];
    const int *regs; /* row-major */
} lucid__lane_table;

/* A sum of n products of floats, as products of matrices add up: regs[2 k] regs[2 k + 1]. All first factors
 * are one number for all lanes, or none; and all second ones, which they are if the first are. */
typedef struct lucid__lane_products {
    int n;
    bool first_same, second_same;
    const int *regs;
} lucid__lane_products;

/* What a LINALG primitive makes of the matrix (m, n) of each lane, and of its right-hand sides (n, k). */
typedef struct lucid__lane_matrix {
    lucid__prim_id prim;
    bool upper, transpose, unit; /* triangular_solve */
    int64_t m, n, k;
    const int *a, *b; /* registers, row-major; b NULL: it takes none */
    int nout;
    int order;       /* eigh_apart, svd_apart: their parameter */
    int64_t size[4]; /* elements of each output */
    const int *out[4];
} lucid__lane_matrix;

typedef struct lucid__lane_branch {
    int first, end;
    lucid__lane_moves out; /* for the lanes that took it */
} lucid__lane_branch;

typedef struct lucid__lane_control {
    lucid__prim_id prim;
    /* while: instructions first .. test - 1 compute `condition`, test .. end - 1 the step; scan: first ..
     * end - 1. cond: end. */
    int first, test, end;
    int condition;           /* while */
    int active;              /* while, cond: a bool for the lanes that take part */
    lucid__lane_moves enter; /* the carry, before the first iteration */
    lucid__lane_moves back;  /* the carry, after each */
    int64_t length;          /* scan */
    bool reverse;
    int nxs, nys;
    const lucid__lane_slice *xs, *ys;
    int index, nbranches; /* cond: an int64 register */
    const lucid__lane_branch *branches;
} lucid__lane_control;

/* An input or output: n elements a lane, in row-major order, each in a register or -1. `stepped`: the xs
 * and ys of the program's own scan, whose registers are in its control. */
typedef struct lucid__lane_stream {
    bool per_lane, stepped;
    int64_t n;
    const int *regs;
} lucid__lane_stream;

typedef struct lucid__lane_program {
    int64_t lanes; /* LUCID__NO_LANES: one example */
    int nregs;
    const uint8_t *reg_size; /* bytes of a lane */
    int64_t lane_bytes;      /* of all registers that differ from lane to lane */
    int tile;                /* lanes side by side */
    int ninstrs, ncontrols, ntables, nproducts, nmatrices, nin, nout;
    const lucid__lane_instr *instrs;
    const lucid__lane_control *controls;
    const lucid__lane_table *tables;
    const lucid__lane_products *products;
    const lucid__lane_matrix *matrices;
    int once_end,
        begin_end; /* instrs [0, once_end), [once_end, begin_end), then the CONTROL, if any */
    lucid__lane_moves fresh; /* while: from where a lane began to where it runs */
    const lucid__lane_stream *in, *out;
    /* The backend's own form of it, which is tried for once it `done` enough: lanes times instructions. */
    struct lucid__lane_native *native;
    double done;
    bool native_tried;
    int per_iteration; /* instructions, of those that are not nested deeper */
    int work;          /* the same, each of several products as many */
} lucid__lane_program;

enum { LUCID__LANE_TILE = 512 }; /* the most lanes side by side */

/* The program for an application of cond, while or scan. NULL and a reason: not such code; NULL and no
 * reason: out of memory, an error in s. */
lucid__lane_program *lucid__lane_program_new(lucid_scope *s, lucid__arena *arena,
                                             const lucid__call *c, const lucid__location *in,
                                             int nout, const lucid__location *out,
                                             const char **why_not);
/* The same for a region. The inputs and outputs that have the batch have it as their first dim. */
lucid__lane_program *lucid__lane_program_of_region(lucid_scope *s, lucid__arena *arena,
                                                   const lucid__lane_region *region,
                                                   const lucid__location *in, const char **why_not);

static inline const lucid__lane_control *lucid__lane_main(const lucid__lane_program *p)
{
    return p->begin_end < p->ninstrs ? &p->controls[p->instrs[p->begin_end].imm] : NULL;
}

#endif
