/* cholesky, triangular_solve, lu, solve: matrices of up to LUCID__LANES_MAX_SIZE side by side in SIMD
 * lanes (matrix_isa.h), larger ones one by one (factor.h). Threads share the batch; a large matrix
 * alone is shared by them inside. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/factor.h"
#include "cpu/kernels.h"
#include "cpu/matrix_isa.h"

typedef struct work work;
/* Does units first .. first + count - 1; scratch is the thread's own. */
typedef void unit_fn(const work *w, int64_t first, int64_t count, void *scratch);

struct work {
    const lucid__kernel_args *args;
    lucid_dtype dtype;
    int64_t n, k, batch; /* a is (batch.., n, n), b is (batch.., n, k) */
    bool upper, transpose, unit;
    lucid__lanes_fn *lanes;
    unit_fn *run;
    int64_t units, together; /* of work, and how many are done at a time */
    double cost;             /* multiplications per unit */
    size_t scratch;          /* bytes per thread */
    int threads;             /* inside of one unit */
};

/* ---- operands ------------------------------------------------------------------------------ */

/* Matrices first .. first + count - 1 of a strided operand. */
static void matrices(const lucid__view *v, int64_t first, int64_t count, const void **to)
{
    int64_t offset = 0, index[LUCID_MAX_NDIM];
    int last = v->shape.ndim - 3;
    for (int d = last; d >= 0; d--) {
        index[d] = d > 0 ? first % v->shape.dim[d] : first;
        first = d > 0 ? first / v->shape.dim[d] : 0;
        offset += index[d] * v->stride[d];
    }
    for (int64_t l = 0; l < count; l++) {
        to[l] = (const char *)v->data + offset * (int64_t)lucid_dtype_size(v->dtype);
        for (int d = last; d >= 0; d--) {
            offset += v->stride[d];
            if (++index[d] < v->shape.dim[d])
                break;
            offset -= index[d] * v->stride[d];
            index[d] = 0;
        }
    }
}

static const char *matrix(const lucid__view *v, int64_t e)
{
    const void *to;
    matrices(v, e, 1, &to);
    return to;
}

static int64_t row_stride(const lucid__view *v)
{
    return v->stride[v->shape.ndim - 2];
}

static int64_t col_stride(const lucid__view *v)
{
    return v->stride[v->shape.ndim - 1];
}

/* Element e * per of an output. */
static char *output(const work *w, int k, int64_t e, int64_t per)
{
    const lucid__view *v = &w->args->out[k];
    return (char *)v->data + e * per * (int64_t)lucid_dtype_size(v->dtype);
}

/* Columns first .. first + cols - 1 of (rows, ...), to the same columns of row-major memory whose rows
 * are to_row apart; rows in the order of perm unless it is NULL. */
static void copy(lucid_dtype dtype, int64_t rows, int64_t cols, int64_t first, const void *from,
                 int64_t row, int64_t col, const int64_t *perm, void *to, int64_t to_row)
{
    for (int64_t i = 0; i < rows; i++) {
        int64_t source = (perm ? perm[i] : i) * row + first * col, target = i * to_row + first;
        if (dtype == LUCID_FLOAT32)
            for (int64_t j = 0; j < cols; j++)
                ((float *)to)[target + j] = ((const float *)from)[source + j * col];
        else
            for (int64_t j = 0; j < cols; j++)
                ((double *)to)[target + j] = ((const double *)from)[source + j * col];
    }
}

static void copy_matrix(const work *w, const lucid__view *v, int64_t e, void *to)
{
    copy(w->dtype, w->n, v->shape.dim[v->shape.ndim - 1], 0, matrix(v, e), row_stride(v),
         col_stride(v), NULL, to, v->shape.dim[v->shape.ndim - 1]);
}

/* ---- small matrices in lanes ------------------------------------------------------------------ */

static void run_lanes(const work *w, int64_t first, int64_t count, void *scratch)
{
    const lucid__kernel_args *args = w->args;
    lucid__lanes q = {.n = w->n,
                      .k = w->k,
                      .count = (int)count,
                      .upper = w->upper,
                      .unit = w->unit,
                      .scratch = scratch};
    q.a_row = w->transpose ? col_stride(&args->in[0]) : row_stride(&args->in[0]);
    q.a_col = w->transpose ? row_stride(&args->in[0]) : col_stride(&args->in[0]);
    matrices(&args->in[0], first, count, q.a);
    int nout = 1;
    if (args->nin > 1) {
        q.b_row = row_stride(&args->in[1]);
        q.b_col = col_stride(&args->in[1]);
        matrices(&args->in[1], first, count, q.b);
    }
    int64_t per[3] = {args->nin > 1 ? w->n * w->k : w->n * w->n, 0, 0};
    if (w->lanes == lucid__matrix_isa_get()->lu[w->dtype]) {
        nout = 3;
        per[1] = w->n;
        per[2] = 1;
    } else if (w->lanes == lucid__matrix_isa_get()->solve[w->dtype]) {
        nout = 3;
        per[1] = w->n * w->n;
        per[2] = w->n;
    }
    for (int k = 0; k < nout; k++)
        for (int64_t l = 0; l < count; l++)
            q.out[k][l] = output(w, k, first + l, per[k]);
    w->lanes(&q);
}

/* ---- small matrices, many columns: a unit is a block of columns of one right-hand side --------- */

enum { COLUMN_BLOCK = 512, SOME_COLUMNS = 16, MANY_COLUMNS = 64 };

static int64_t column_blocks(int64_t k)
{
    return (k + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
}

static void run_columns(const work *w, int64_t unit, int64_t count, void *scratch)
{
    (void)count, (void)scratch;
    const lucid__view *a = &w->args->in[0], *b = &w->args->in[1];
    lucid__substitute_fn *substitute = lucid__matrix_isa_get()->substitute[w->dtype];
    int64_t blocks = column_blocks(w->k), e = unit / blocks, first = unit % blocks * COLUMN_BLOCK;
    int64_t cols = w->k - first < COLUMN_BLOCK ? w->k - first : COLUMN_BLOCK;
    bool factored = w->lanes != NULL; /* solve: its factors are there already */
    const int64_t *perm = factored ? (const int64_t *)(void *)output(w, 2, e, w->n) : NULL;
    char *x = output(w, 0, e, w->n * w->k);
    copy(w->dtype, w->n, cols, first, matrix(b, e), row_stride(b), col_stride(b), perm, x, w->k);
    x += first * (int64_t)lucid_dtype_size(w->dtype);
    if (factored) {
        const char *lu = output(w, 1, e, w->n * w->n);
        substitute(w->n, cols, lu, w->n, 1, false, true, x, w->k);
        substitute(w->n, cols, lu, w->n, 1, true, false, x, w->k);
        return;
    }
    substitute(w->n, cols, matrix(a, e), w->transpose ? col_stride(a) : row_stride(a),
               w->transpose ? row_stride(a) : col_stride(a), w->upper, w->unit, x, w->k);
}

/* The factors that run_columns needs. */
static void run_factors(const work *w, int64_t first, int64_t count, void *scratch)
{
    const lucid__view *a = &w->args->in[0];
    lucid__lanes q = {.n = w->n,
                      .count = (int)count,
                      .a_row = row_stride(a),
                      .a_col = col_stride(a),
                      .scratch = scratch};
    double signs[LUCID__MAX_LANES];
    matrices(a, first, count, q.a);
    for (int64_t l = 0; l < count; l++) {
        q.out[0][l] = output(w, 1, first + l, w->n * w->n);
        q.out[1][l] = output(w, 2, first + l, w->n);
        q.out[2][l] = &signs[l];
    }
    lucid__matrix_isa_get()->lu[w->dtype](&q);
}

/* ---- large matrices -------------------------------------------------------------------------- */

static void set(lucid_dtype dtype, void *p, int64_t i, double value)
{
    if (dtype == LUCID_FLOAT32)
        ((float *)p)[i] = (float)value;
    else
        ((double *)p)[i] = value;
}

static void large_cholesky(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    char *out = output(w, 0, e, w->n * w->n);
    copy_matrix(w, &w->args->in[0], e, out);
    bool ok = lucid__cholesky_factor(w->dtype, w->n, out, w->n, scratch, w->threads);
    size_t size = lucid_dtype_size(w->dtype);
    for (int64_t i = 0; ok && i + 1 < w->n; i++)
        memset(out + (size_t)(i * w->n + i + 1) * size, 0, (size_t)(w->n - i - 1) * size);
    for (int64_t i = 0; !ok && i < w->n * w->n; i++)
        set(w->dtype, out, i, (double)NAN);
}

static void large_lu(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    char *lu = output(w, 0, e, w->n * w->n);
    copy_matrix(w, &w->args->in[0], e, lu);
    int sign = lucid__lu_factor(w->dtype, w->n, lu, w->n, (int64_t *)(void *)output(w, 1, e, w->n),
                                scratch, w->threads);
    set(w->dtype, w->args->out[2].data, e, sign);
}

static void large_solve(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *b = &w->args->in[1];
    char *x = output(w, 0, e, w->n * w->k), *lu = output(w, 1, e, w->n * w->n);
    int64_t *perm = (int64_t *)(void *)output(w, 2, e, w->n);
    copy_matrix(w, &w->args->in[0], e, lu);
    (void)lucid__lu_factor(w->dtype, w->n, lu, w->n, perm, scratch, w->threads);
    copy(w->dtype, w->n, w->k, 0, matrix(b, e), row_stride(b), col_stride(b), perm, x, w->k);
    if (w->k == 0)
        return;
    lucid__trsm_solve(w->dtype, (lucid__trsm){.unit = true}, w->n, w->k, lu, w->n, x, w->k,
                      w->threads);
    lucid__trsm_solve(w->dtype, (lucid__trsm){.upper = true}, w->n, w->k, lu, w->n, x, w->k,
                      w->threads);
}

static void large_triangular_solve(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0], *b = &w->args->in[1];
    char *x = output(w, 0, e, w->n * w->k);
    copy_matrix(w, b, e, x);
    if (w->k == 0)
        return;
    const char *data = matrix(a, e);
    int64_t row = row_stride(a), col = col_stride(a);
    lucid__trsm how = {
        .upper = w->args->params[0] != 0, .transpose = w->transpose, .unit = w->unit};
    bool by_rows = col == 1 && row >= w->n && lucid__blas_fits(row);
    if (!by_rows && row == 1 && col >= w->n && lucid__blas_fits(col)) {
        how.upper = !how.upper; /* stored by columns: the transpose, stored by rows */
        how.transpose = !how.transpose;
        row = col;
    } else if (!by_rows) {
        copy_matrix(w, a, e, scratch);
        data = scratch;
        row = w->n;
    }
    lucid__trsm_solve(w->dtype, how, w->n, w->k, data, row, x, w->k, w->threads);
}

/* ---- dealing out ----------------------------------------------------------------------------- */

static void run_part(const work *w, int64_t part, void *scratch)
{
    int64_t first = part * w->together, left = w->units - first;
    w->run(w, first, left < w->together ? left : w->together, scratch);
}

static lucid_status deal(work *w)
{
    enum { LEAST_WORK = 1 << 14 };
    int64_t parts = (w->units + w->together - 1) / w->together;
    int threads = lucid_get_num_threads();
    bool enough = w->cost * (double)w->units > LEAST_WORK;
    /* Few large units: the threads go into each. */
    bool inside = w->together == 1 && w->run != run_columns && parts < threads;
    int team = !enough || inside || threads <= 1 ? 1 : parts < threads ? (int)parts : threads;
    w->threads = inside ? threads : 1;
    /* Whole cache lines, so that threads do not share one. */
    size_t bytes = (w->scratch + 127) / 64 * 64;
    char *memory = lucid__malloc(bytes * (size_t)team + 64);
    if (!memory) {
        (void)snprintf(w->args->error, w->args->error_size, "linear algebra: out of memory");
        return LUCID_MEMORY_ERROR;
    }
    char *scratch = memory + (64 - (uintptr_t)memory % 64);
    if (team == 1) {
        for (int64_t part = 0; part < parts; part++)
            run_part(w, part, scratch);
    } else {
#pragma omp parallel for num_threads(team) schedule(dynamic, parts / (8 * team) + 1)
        for (int64_t part = 0; part < parts; part++)
            run_part(w, part, scratch + (size_t)omp_get_thread_num() * bytes);
    }
    lucid__free(memory);
    return LUCID_OK;
}

/* What the four have in common; `lanes` and `large` are the ways of the one at hand. */
static lucid_status run(const lucid__kernel_args *args, lucid__lanes_fn *const *lanes,
                        unit_fn *large, size_t large_scratch)
{
    const lucid__view *a = &args->in[0];
    int nd = a->shape.ndim;
    work w = {.args = args, .dtype = a->dtype, .n = a->shape.dim[nd - 1], .batch = 1, .k = 0};
    for (int d = 0; d < nd - 2; d++)
        w.batch = lucid__times(w.batch, a->shape.dim[d]);
    if (args->nin > 1)
        w.k = args->in[1].shape.dim[nd - 1];
    if (args->nparams == 3) {
        w.transpose = args->params[1] != 0;
        w.unit = args->params[2] != 0;
        w.upper = (args->params[0] != 0) != w.transpose;
    }
    bool solves = lanes == lucid__matrix_isa_get()->solve;
    bool triangular = lanes == lucid__matrix_isa_get()->triangular_solve;
    double n = (double)w.n;
    w.units = w.batch;
    w.together = 1;
    w.cost = n * n * (n + (double)w.k);
    if (w.n > LUCID__LANES_MAX_SIZE && lucid__blas_fits(w.n) && lucid__blas_fits(w.k)) {
        w.run = large;
        w.scratch = large_scratch > 0 ? large_scratch : (size_t)(w.n * w.n) * sizeof(double);
        lucid__blas_begin();
        lucid_status status = deal(&w);
        lucid__blas_end();
        return status;
    }
    w.lanes = lanes[w.dtype];
    w.run = run_lanes;
    w.together = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w.dtype);
    w.scratch = lucid__lanes_scratch(w.n);
    bool columns = w.k >= MANY_COLUMNS || (w.k >= SOME_COLUMNS && w.batch < w.together / 2);
    if (!columns || !(solves || triangular))
        return deal(&w);
    lucid_status status = LUCID_OK;
    if (solves) {
        w.run = run_factors;
        status = deal(&w);
    } else {
        w.lanes = NULL;
    }
    w.run = run_columns;
    w.units = w.batch * column_blocks(w.k);
    w.together = 1;
    w.cost = n * n * (double)(w.k < COLUMN_BLOCK ? w.k : COLUMN_BLOCK);
    return status == LUCID_OK ? deal(&w) : status;
}

lucid_status lucid__cholesky_kernel(const lucid__kernel_args *args)
{
    return run(args, lucid__matrix_isa_get()->cholesky, large_cholesky, lucid__cholesky_scratch());
}

lucid_status lucid__lu_kernel(const lucid__kernel_args *args)
{
    int64_t n = args->in[0].shape.dim[args->in[0].shape.ndim - 1];
    return run(args, lucid__matrix_isa_get()->lu, large_lu, lucid__lu_scratch(n) + 1);
}

lucid_status lucid__solve_kernel(const lucid__kernel_args *args)
{
    int64_t n = args->in[0].shape.dim[args->in[0].shape.ndim - 1];
    return run(args, lucid__matrix_isa_get()->solve, large_solve, lucid__lu_scratch(n) + 1);
}

lucid_status lucid__triangular_solve_kernel(const lucid__kernel_args *args)
{
    return run(args, lucid__matrix_isa_get()->triangular_solve, large_triangular_solve, 0);
}
