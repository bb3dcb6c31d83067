/* How a lane program is made. Bodies are taken apart into scalars, called cells, each defined once, by an
 * operation in some block (lane_code.c, lane_build.c, lane_ops.c); then dead code goes, cells get registers, and blocks
 * are laid out in one array (lane_layout.c, lane_write.c).
 *
 * Blocks form a tree: what runs once, in it what each lane begins with, in that the body of the loop, in
 * that the bodies of loops inside. An operation goes to the deepest block that one of its inputs is from,
 * so that what does not change in a loop is computed before it; and what was computed already is not
 * computed again. No operation can fail or trap, so it does not matter that a loop may run no iteration. */
#ifndef LUCID__LANE_CODE_H
#define LUCID__LANE_CODE_H

#include "engine/lane_program.h"

enum {
    LUCID__MAX_CELLS = 1 << 14,
    LUCID__BLOCK_ONCE = 0, /* the same for every lane */
    LUCID__BLOCK_BEGIN = 1,
};

typedef struct lucid__lane_op lucid__lane_op;

/* A loop or branches before they are laid out; registers are cells here. */
typedef struct lucid__lane_part {
    lucid__prim_id prim;
    bool outermost;
    int ncarry;
    int *phi, *init, *next, *result; /* result[i]: phi[i] after the last iteration */
    int block;                       /* of the body */
    lucid__lane_op *test;            /* while: a mark in the block, where the condition is known */
    int condition, active;
    int64_t length;
    bool reverse;
    int nxs, nys;
    lucid__lane_slice *xs, *ys;
    int index, nbranches, nresults; /* cond; its results are `result` */
    int *branch_block;
    int **branch_value;
    int time_begin, time_test, time_end;
    int *branch_end; /* times */
    int control;     /* its number in the program */
} lucid__lane_part;

enum { LUCID__LANE_TEST = LUCID__LANE_CONTROL + 1 }; /* one more kind: the mark */

struct lucid__lane_op {
    uint8_t kind, dtype, to;
    uint16_t prim;
    int dst, src[LUCID__LANE_SOURCES]; /* cells, -1: none */
    int64_t imm;
    lucid__lane_part *part;           /* CONTROL */
    const lucid__lane_table *table;   /* PICK; its registers are cells */
    const lucid__lane_matrix *matrix; /* MATRIX; so are these */
    int nterms, *terms; /* PRODUCTS: pairs of cells; none while src[1] src[2] is the only product */
    bool live;
    bool effect; /* PICK: its check counts, even if nobody reads the result */
    int time;
    lucid__lane_op *next;
    lucid__lane_op *same; /* the next with the same hash */
    int block;
};

typedef struct lucid__lane_cell {
    uint8_t dtype;
    bool live, is_phi;
    int block;
    lucid__lane_op *def; /* NULL: an input */
    int from, to; /* times of the first write and the last read, of all that share the register */
    int read;     /* of the last read of this cell itself */
    int same_as;  /* shares the register of this cell; -1 */
    int reg;
} lucid__lane_cell;

typedef struct lucid__lane_block {
    int parent, depth;
    bool loop;
    lucid__lane_op *first, **last;
    lucid__lane_part *part; /* whose body it is */
} lucid__lane_block;

enum { LUCID__LANE_HASH = 4096 };

typedef struct lucid__lane_code {
    lucid_scope *s;        /* scratch memory, and errors */
    lucid__arena *scratch; /* of everything here */
    lucid__lane_cell *cells;
    int ncells, cell_capacity;
    lucid__lane_block *blocks;
    int nblocks, block_capacity;
    int block; /* the one that is being written */
    lucid__lane_op *hash[LUCID__LANE_HASH];
    lucid__lane_part *main; /* NULL: straight-line code, whose results are these */
    int nresults, *results;
    int ncontrols, ntables, nproducts, nmatrices;
    const char *why_not; /* not suitable */
    bool no_memory;
} lucid__lane_code;

/* What a cell of PHILOX has in place of a dtype: 16 bytes. */
enum { LUCID__LANE_WORDS = LUCID_NO_DTYPE };

static inline size_t lucid__lane_size(int dtype)
{
    return dtype == LUCID__LANE_WORDS ? 16 : lucid_dtype_size((lucid_dtype)dtype);
}

static inline int64_t lucid__lane_table_size(const lucid__lane_table *t)
{
    int64_t n = 1;
    for (int d = 0; d < t->ndim; d++)
        n *= t->dim[d];
    return n;
}

static inline bool lucid__lane_ok(const lucid__lane_code *code)
{
    return !code->why_not && !code->no_memory;
}

/* Zeroed; NULL: out of memory, recorded in the code. */
void *lucid__lane_alloc(lucid__lane_code *code, size_t count, size_t size);

/* A new cell that no operation defines, in the current block. */
int lucid__lane_cell_new(lucid__lane_code *code, lucid_dtype dtype, int block);
int lucid__lane_block_new(lucid__lane_code *code, bool loop);

/* The cell of an operation, which may have been there before. */
int lucid__lane_emit(lucid__lane_code *code, const lucid__lane_op *op, lucid_dtype out);
int lucid__lane_elementwise(lucid__lane_code *code, lucid__prim_id prim, lucid_dtype dtype,
                            lucid_dtype out, int a, int b, int c);
/* A number that is the same everywhere, as the dtype. */
int lucid__lane_number(lucid__lane_code *code, lucid_dtype dtype, double value);
/* An operation that stands where it is: a copy, a mark, a control. */
lucid__lane_op *lucid__lane_append(lucid__lane_code *code, const lucid__lane_op *op);
/* The operation on a matrix, which is kept, in the block that its operands ask for. Its cells are due. */
lucid__lane_op *lucid__lane_append_matrix(lucid__lane_code *code, const lucid__lane_matrix *x);

/* One operation of a body: sets the cells of its outputs. in[i]: those of input i. (lane_ops.c) */
void lucid__lane_apply(lucid__lane_code *code, const lucid__body *body, const lucid__body_op *op,
                       int **values);

/* Factorisations and solutions: an instruction per matrix. (lane_matrices.c) */
void lucid__lane_matrix_op(lucid__lane_code *code, const lucid__body *body,
                           const lucid__body_op *op, int **values);

/* Sums, differences and products of floats that read one another become one instruction, and so do sums of
 * products, so that what is between them is not written and read. (lane_trees.c) */
void lucid__lane_trees(lucid__lane_code *code);

/* The rest of the way, once the code is complete (lane_layout.c, lane_write.c). */
typedef struct lucid__lane_ends {
    int64_t lanes; /* LUCID__NO_LANES: one example */
    int nin, nout;
    lucid__lane_stream *in, *out;
} lucid__lane_ends;

lucid__lane_program *lucid__lane_layout(lucid__lane_code *code, lucid__arena *arena,
                                        const lucid__lane_ends *ends);

typedef struct lucid__lane_registers {
    int n;
    uint8_t *size;      /* bytes of a lane */
    int *busy;          /* until when; INT32_MAX: the same for all lanes */
    int64_t lane_bytes; /* of those that differ from lane to lane */
} lucid__lane_registers;

lucid__lane_program *lucid__lane_write(lucid__lane_code *code, lucid__arena *arena,
                                       const lucid__lane_registers *r,
                                       const lucid__lane_ends *ends);

/* A nested loop or branches: the cells of its inputs to those of its outputs (lane_build.c). */
void lucid__lane_control_op(lucid__lane_code *code, const lucid__body *body,
                            const lucid__body_op *op, int **values);
/* A function with rules, which nobody differentiates here: itself. */
void lucid__lane_custom_op(lucid__lane_code *code, const lucid__body_op *op, int **values);

#endif
