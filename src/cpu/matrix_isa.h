/* The inner loops on matrices, compiled once per instruction set (isa_matrix.c): products of small
 * or unusual matrices, and factorisations of many small matrices side by side. Large products and
 * factorisations go through the BLAS (blas.h). */
#ifndef LUCID__MATRIX_ISA_H
#define LUCID__MATRIX_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/program.h"
#include "lucid.h"

/* C (m, n) = A (m, k) B (k, n), strides in elements. A and B are strided in any way; the columns of C
 * lie next to each other, its rows c_row apart. */
typedef struct lucid__product {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col, c_row;
    bool large; /* C is larger than the caches */
    bool fresh; /* its memory has never been written */
} lucid__product;

/* `count` such products, their operands the given steps apart; `add`: onto what C holds. An element
 * is summed in the same order whatever m, n and count are. scratch: lucid__product_scratch elements. */
typedef void lucid__multiply_fn(const lucid__product *p, int64_t count, bool add, const void *a,
                                int64_t a_step, const void *b, int64_t b_step, void *c,
                                int64_t c_step, void *scratch);

/* Few rows, and columns of B that each lie in one piece: then elements are dot products, which beats
 * bringing B into another order. */
static inline bool lucid__product_is_dots(const lucid__product *p)
{
    return p->m <= 2 && (p->n == 1 || p->b_col != 1) && (p->k <= 1 || p->b_row == 1);
}

static inline int64_t lucid__product_scratch(const lucid__product *p)
{
    if (lucid__product_is_dots(p))
        return p->a_col != 1 ? p->k : 0;
    return p->n > 1 && p->b_col != 1 ? p->k * p->n : 0;
}

/* Matrices that are worked on side by side, one per SIMD lane: 64 bytes of lanes, whatever the
 * instruction set, so that each matrix sees the same arithmetic alone and in company. */
enum { LUCID__LANE_BYTES = 64, LUCID__MAX_LANES = 16 };

/* Systems up to this size are worked on by these functions, larger ones through the BLAS. */
enum { LUCID__LANES_MAX_SIZE = 128 };

typedef struct lucid__lanes {
    int64_t n, k; /* a is (n, n), b is (n, k) */
    int64_t m;    /* qr, svd: a is (m, n) */
    int count;    /* of matrices, at most the lanes there are */
    bool alone;   /* they are so few that each is worked on for itself */
    /* In memory: the matrices. In registers of a lane program: element (i, j) of all matrices is the register
     * a[i a_row + j a_col], of which the lanes from first_lane on are meant. */
    const void *const *a, *const *b;
    int64_t a_row, a_col, b_row, b_col;
    bool in_registers;
    int64_t first_lane;
    bool upper, unit; /* triangular_solve: which triangle of a, ones on its diagonal */
    bool b_is_one;    /* solve: for the inverse */
    /* Of the first matrix; the others follow, row-major. In registers: a list of them. NULL: not wanted. */
    void *out[4];
    int order;     /* eigh, svd: of derivatives for which values are moved apart (spread.h) */
    void *scratch; /* lucid__lanes_scratch bytes */
} lucid__lanes;

typedef void lucid__lanes_fn(const lucid__lanes *w);

static inline size_t lucid__lanes_scratch(int64_t n)
{
    enum { COLUMNS = 9 }; /* 8 right-hand sides and a permutation */
    return (size_t)(n * (n + COLUMNS)) * LUCID__LANE_BYTES;
}

/* x (n, k), row-major with rows x_row apart: solves a x' = x in place, for one triangular matrix and
 * many columns. The same arithmetic per column as in the lanes. */
typedef void lucid__substitute_fn(int64_t n, int64_t k, const void *a, int64_t a_row, int64_t a_col,
                                  bool upper, bool unit, void *x, int64_t x_row);

/* Eliminates the n columns of a panel a (m, n), m >= n, in place; pivots[j] is the row exchanged with
 * row j. Only the panel's own columns are exchanged. */
typedef void lucid__panel_fn(int64_t m, int64_t n, void *a, int64_t a_row, int64_t *pivots);

/* What qr, eigh and svd of (m, n) need. */
static inline size_t lucid__decompose_scratch(int64_t m, int64_t n)
{
    int64_t k = m < n ? m : n, longer = m + n - k;
    return (size_t)(3 * k * longer + 4 * longer) * LUCID__LANE_BYTES;
}

/* qr, eigh and svd have lanes up to this size of the shorter side, and this many elements. */
enum { LUCID__DECOMPOSE_MAX_SIZE = 32, LUCID__DECOMPOSE_MAX_ELEMENTS = 4096 };

typedef struct lucid__matrix_isa {
    const char *name;
    lucid__multiply_fn *multiply[LUCID_NO_DTYPE]; /* by dtype; NULL for bool */
    lucid__lanes_fn *cholesky[LUCID_NO_DTYPE];    /* these for floats only */
    lucid__lanes_fn *lu[LUCID_NO_DTYPE];
    lucid__lanes_fn *solve[LUCID_NO_DTYPE];
    lucid__lanes_fn *triangular_solve[LUCID_NO_DTYPE];
    lucid__substitute_fn *substitute[LUCID_NO_DTYPE];
    lucid__panel_fn *panel[LUCID_NO_DTYPE];
    lucid__lanes_fn *qr[LUCID_NO_DTYPE];   /* outputs Q (NULL: not wanted) and R, reduced */
    lucid__lanes_fn *eigh[LUCID_NO_DTYPE]; /* values, vectors, shifts (NULL: not wanted) */
    lucid__lanes_fn *svd[LUCID_NO_DTYPE];  /* U, S, V', shifts; U NULL: no vectors are wanted */
} lucid__matrix_isa;

/* The one that fits this machine. */
const lucid__matrix_isa *lucid__matrix_isa_get(void);

#endif
