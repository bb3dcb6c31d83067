/* The program: the kernel language, and the only thing a backend must run besides its kernels.
 *
 * A program has a loop space of up to LUCID_MAX_NDIM dims, and registers. A register holds one value per
 * point of some of the dims, those in `over[register]` (bit d: dim d): a program over rows and columns may
 * have values per element, values per row, and single ones. Instructions are straight-line; what each
 * writes and reads lies over the same dims, except that
 *
 *     a reduction     combines the register src[0] over the dims that dst lacks
 *     broadcast       repeats src[0] along the dims that dst has more
 *
 * So softmax is one program: amax over the columns, broadcast, sub, exp, sum, broadcast, div.
 * Loads bring elements of strided memory, one for each point that their register lies over; they have the
 * registers 0, 1, ..., which no instruction writes. Stores write registers to memory; the register of a
 * store is written once, as is every register that does not lie over all dims. Instructions do not write
 * what they read.
 *
 * Instructions are the elementwise primitives themselves, and the reductions; `dtype` is that of their
 * data inputs. Besides:
 *     cast       dtype -> to
 *     iota       the index along loop dim `imm`, as dtype
 *     constant   the whole number `imm`, as dtype
 *     broadcast  as above
 *     gather     elements of table `imm`, at positions that the registers src name; these lie over the same dims,
 *                among those of dst
 *
 * Two elementwise operations can be one instruction, whose first result is in no register:
 *     then(op(a, b), c), or then(c, op(a, b)) if it is `turned`, with the operands op takes and then c, if `then`
 *     takes one, in src. Each rounds, so the bits are those of two instructions.
 *
 * The order in which a reduction combines is part of its meaning, so that the same numbers come out whatever
 * the batch, the tiles and the threads are. The points that make one result are counted in row-major order of
 * the loop space and cut into blocks of LUCID__FOLD_BLOCK. Within a block, point i goes to accumulator i mod
 * LUCID__FOLD_LANES, in order; the accumulators are then combined pairwise (j with j + 8, + 4, + 2,
 * + 1, where there are so many). The blocks' results come together as a tree: those of n > 1 blocks are what the
 * first p make, combined with what the rest make, where p is the largest power of two below n. So a number is
 * rounded some 20 + log2 n times on its way into a sum, and the error grows as that of pairwise summation does.
 * Any 2^k blocks from a multiple of 2^k on, or what there is of them, are a node of the tree, which can be
 * computed by itself; and one who goes through the blocks in order keeps one node for each binary digit of their
 * number.
 *
 * A backend runs boxes of points at once: a register is a vector of lanes. Along dims that are reduced a box
 * holds all points, or, if every reduction combines all points over the same dims, the program can also be run
 * in stages: as often over all points as its longest chain of reductions is, plus once.
 */
#ifndef LUCID__PROGRAM_H
#define LUCID__PROGRAM_H

#include "base/shape.h"
#include "prim/prim_id.h"

enum {
    LUCID__FOLD_LANES = 16,
    LUCID__FOLD_BLOCK = 256,
    /* Sums of products, which loops of our own add up one after the other: of more than so many, such blocks come
     * together as the same tree. */
    LUCID__PRODUCT_BLOCK = 64,
    LUCID__MAX_REGISTERS = 512,
    /* Points of the reduced dims that every backend can hold at once, for programs whose reductions differ
     * in their dims. */
    LUCID__WHOLE_POINTS = 4096,
};

typedef struct lucid__instr {
    uint16_t op; /* lucid__prim_id */
    uint8_t dtype, to;
    uint16_t dst;
    uint16_t src[3];
    bool turned;
    uint16_t then; /* lucid__prim_id; 0: nothing */
    /* powi: the exponent; polygamma: the order; iota: the dim; constant: the number; gather: the table */
    int64_t imm;
} lucid__instr;

struct lucid__words;
struct lucid__parts;
struct lucid__margin;

typedef struct lucid__stream {
    /* NULL, or what a load is instead, whose slot then has no memory: */
    const struct lucid__words *words;   /* made here */
    const struct lucid__parts *parts;   /* read from several places */
    const struct lucid__margin *margin; /* NULL, or the zeros around a store */
    int64_t offset;                     /* of the first element, in elements */
    int slot;                           /* whose memory: an index into the plan's slots */
    uint16_t reg;
    uint8_t dtype;
    int64_t stride[LUCID_MAX_NDIM]; /* last: those of dims that are not there can be left off */
} lucid__stream;

/* The words of a random_bits, made where they are needed: a load of the output that never was in memory,
 * whose elements come one after the other there, lane after lane (prim/random_prims.c). */
typedef struct lucid__words {
    int64_t per_lane;
    int ndim; /* of the lanes */
    int64_t dim[LUCID_MAX_NDIM];
    lucid__stream in[3]; /* seed, draw, lane: over these dims */
} lucid__words;

/* Elements that lie in several places, which is what concatenate and pad make, read where they are: each part is a
 * box of points and the stream that has them, counted from point 0. Points in no part are zeros. */
enum { LUCID__MAX_PARTS = 8 };

typedef struct lucid__part {
    lucid__stream from;
    int64_t low[LUCID_MAX_NDIM], high[LUCID_MAX_NDIM];
} lucid__part;

typedef struct lucid__parts {
    uint16_t made_for; /* lucid__prim_id */
    bool holes;        /* there may be points in no part */
    int n;
    /* Whose elements the points of the parts are; in a program, they are those of its loop space. */
    lucid_shape shape;
    lucid__part part[];
} lucid__parts;

/* Along a dim that a store walks with that stride: how many zeros come before its first element and behind its last.
 * Where margins of several dims meet, there are zeros, too. */
typedef struct lucid__margin {
    int n;
    struct {
        int64_t stride, low, high;
    } at[LUCID_MAX_NDIM];
} lucid__margin;

static inline void lucid__margin_along(const lucid__margin *margin, int64_t stride, int64_t *low,
                                       int64_t *high)
{
    *low = *high = 0;
    for (int i = 0; margin && i < margin->n; i++)
        if (margin->at[i].stride == stride) {
            *low = margin->at[i].low;
            *high = margin->at[i].high;
        }
}

/* What a gather reads, which must be in memory: the stream goes from point to point of dst's dims, and each index
 * from there along a dim of the table. An index counts from the end where it is negative; one that is out of range
 * is an error of the whole program. */
enum { LUCID__TABLE_INDICES = 3 };

typedef struct lucid__table {
    /* reg: dst. slot -1: no memory, the result is how many elements from its start on it would be */
    lucid__stream at;
    int n;         /* indices */
    int shown_dim; /* of the first, for messages */
    uint8_t dtype[LUCID__TABLE_INDICES];
    int64_t size[LUCID__TABLE_INDICES], step[LUCID__TABLE_INDICES]; /* of the dims they go along */
} lucid__table;

typedef struct lucid__program {
    int ndim;
    int64_t dim[LUCID_MAX_NDIM];
    int nloads, ninstrs, nstores, nregs, ntables;
    lucid__stream *loads, *stores;
    lucid__table *tables;
    lucid__instr *instrs;
    uint16_t *over;  /* of each register */
    uint16_t folded; /* the dims that some reduction combines over */
    /* The backend's own form of it, which is tried for once it `done` enough: points times instructions. */
    struct lucid__native *native;
    double done;
    bool native_tried;
    struct lucid__cut *cut; /* how the backend runs it, once it did */
    bool uneven; /* the reductions differ in their dims, or not all are of values over all dims */
} lucid__program;

bool lucid__is_fold(int op);
/* The elementwise primitive that combines two partial results of a reduction. */
lucid__prim_id lucid__fold_combine(lucid__prim_id fold);

/* Which operations can be one instruction: the second by this number of the first's, with a turned difference
 * as one of its own. -1: they cannot. Floats only. */
enum { LUCID__PAIR_OPS = 6, LUCID__PAIR_THENS = 5 };
int lucid__pair_op(int op);
int lucid__pair_then(int then, bool turned);

/* Sets `folded` and `uneven` from the instructions. */
void lucid__program_survey(lucid__program *g);
/* Leaves the meaning as it is: walks neighbouring dims as one where everything allows it; rarer ends of rows,
 * longer runs of lanes. */
void lucid__program_merge(lucid__program *g);

#endif
