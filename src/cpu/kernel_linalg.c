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
    bool b_is_one; /* the inverse, as a solution */
    bool factored; /* run_columns: the factors are outputs already */
    int nout;
    int64_t out_bytes[3]; /* of one matrix, per output */
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
    if (last <= 0) {
        const int64_t size = (int64_t)lucid_dtype_size(v->dtype);
        const int64_t step = last < 0 ? 0 : v->stride[0] * size;
        for (int64_t l = 0; l < count; l++)
            to[l] = (const char *)v->data + (first + l) * step;
        return;
    }
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

/* Output k of matrix e; NULL: it is not wanted. */
static void *output(const work *w, int k, int64_t e)
{
    char *data = w->args->out[k].data;
    return data ? data + e * w->out_bytes[k] : NULL;
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
    const lucid__view *a = &args->in[0], *b = args->nin > 1 ? &args->in[1] : NULL;
    lucid__lanes q;
    q.n = w->n;
    q.k = w->k;
    q.upper = w->upper;
    q.unit = w->unit;
    q.b_is_one = w->b_is_one;
    q.scratch = scratch;
    q.a_row = w->transpose ? col_stride(a) : row_stride(a);
    q.a_col = w->transpose ? row_stride(a) : col_stride(a);
    q.b_row = b ? row_stride(b) : 0;
    q.b_col = b ? col_stride(b) : 0;
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    for (int64_t end = first + count; first < end; first += at_once) {
        q.count = (int)(end - first < at_once ? end - first : at_once);
        matrices(a, first, q.count, q.a);
        if (b)
            matrices(b, first, q.count, q.b);
        for (int k = 0; k < w->nout; k++)
            q.out[k] = output(w, k, first);
        w->lanes(&q);
    }
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
    const int64_t *perm = w->factored ? output(w, 2, e) : NULL;
    char *x = output(w, 0, e);
    copy(w->dtype, w->n, cols, first, matrix(b, e), row_stride(b), col_stride(b), perm, x, w->k);
    x += first * (int64_t)lucid_dtype_size(w->dtype);
    if (w->factored) {
        const char *lu = output(w, 1, e);
        substitute(w->n, cols, lu, w->n, 1, false, true, x, w->k);
        substitute(w->n, cols, lu, w->n, 1, true, false, x, w->k);
        return;
    }
    substitute(w->n, cols, matrix(a, e), w->transpose ? col_stride(a) : row_stride(a),
               w->transpose ? row_stride(a) : col_stride(a), w->upper, w->unit, x, w->k);
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
    char *out = output(w, 0, e);
    copy_matrix(w, &w->args->in[0], e, out);
    bool ok = lucid__cholesky_factor(w->dtype, w->n, out, w->n, scratch, w->threads);
    size_t size = lucid_dtype_size(w->dtype);
    for (int64_t i = 0; ok && i + 1 < w->n; i++)
        memset(out + (size_t)(i * w->n + i + 1) * size, 0, (size_t)(w->n - i - 1) * size);
    for (int64_t i = 0; !ok && i < w->n * w->n; i++)
        set(w->dtype, out, i, (double)NAN);
}

/* What a large factorisation works in: the outputs, or scratch for those that are not wanted. */
typedef struct factors {
    void *lu;
    int64_t *perm;
    void *scratch;
} factors;

static size_t factors_scratch(int64_t n)
{
    return lucid__lu_scratch(n) + 1 + (size_t)n * (sizeof(int64_t) + (size_t)n * sizeof(double));
}

static factors factors_in(const work *w, void *lu, int64_t *perm, void *scratch)
{
    int64_t *own_perm = scratch;
    double *own_lu = (double *)(void *)(own_perm + w->n);
    return (factors){lu ? lu : own_lu, perm ? perm : own_perm, own_lu + w->n * w->n};
}

static void large_lu(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    factors f = factors_in(w, output(w, 0, e), output(w, 1, e), scratch);
    copy_matrix(w, &w->args->in[0], e, f.lu);
    int sign = lucid__lu_factor(w->dtype, w->n, f.lu, w->n, f.perm, f.scratch, w->threads);
    if (w->args->out[2].data)
        set(w->dtype, w->args->out[2].data, e, sign);
}

static void large_solve(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    char *x = output(w, 0, e);
    factors f = factors_in(w, w->b_is_one ? NULL : output(w, 1, e),
                           w->b_is_one ? NULL : output(w, 2, e), scratch);
    copy_matrix(w, &w->args->in[0], e, f.lu);
    (void)lucid__lu_factor(w->dtype, w->n, f.lu, w->n, f.perm, f.scratch, w->threads);
    if (w->b_is_one) {
        memset(x, 0, (size_t)(w->n * w->n) * lucid_dtype_size(w->dtype));
        for (int64_t i = 0; i < w->n; i++)
            set(w->dtype, x, i * w->n + f.perm[i], 1);
    } else {
        const lucid__view *b = &w->args->in[1];
        copy(w->dtype, w->n, w->k, 0, matrix(b, e), row_stride(b), col_stride(b), f.perm, x, w->k);
    }
    if (w->k == 0)
        return;
    lucid__trsm_solve(w->dtype, (lucid__trsm){.unit = true}, w->n, w->k, f.lu, w->n, x, w->k,
                      w->threads);
    lucid__trsm_solve(w->dtype, (lucid__trsm){.upper = true}, w->n, w->k, f.lu, w->n, x, w->k,
                      w->threads);
}

static void large_triangular_solve(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0], *b = &w->args->in[1];
    char *x = output(w, 0, e);
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

static lucid_status out_of_memory(const work *w)
{
    (void)snprintf(w->args->error, w->args->error_size, "linear algebra: out of memory");
    return LUCID_MEMORY_ERROR;
}

static lucid_status deal(work *w)
{
    enum { LEAST_WORK = 1 << 14 };
    bool nothing = true; /* to write, however many empty matrices there are */
    for (int k = 0; k < w->nout; k++)
        nothing &= !w->args->out[k].data || w->out_bytes[k] == 0;
    if (nothing)
        return LUCID_OK;
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
    if (!memory)
        return out_of_memory(w);
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

static work work_of(const lucid__kernel_args *args, int nout)
{
    const lucid__view *a = &args->in[0];
    int nd = a->shape.ndim;
    work w = {.args = args, .dtype = a->dtype, .n = a->shape.dim[nd - 1], .batch = 1, .nout = nout};
    for (int d = 0; d < nd - 2; d++)
        w.batch = lucid__times(w.batch, a->shape.dim[d]);
    if (args->nin > 1)
        w.k = args->in[1].shape.dim[nd - 1];
    w.units = w.batch;
    w.together = 1;
    w.cost = (double)w.n * (double)w.n * (double)(w.n + w.k);
    return w;
}

static bool is_large(const work *w)
{
    return w->n > LUCID__LANES_MAX_SIZE && lucid__blas_fits(w->n) && lucid__blas_fits(w->k);
}

static lucid_status run_large(work *w, unit_fn *large, size_t scratch)
{
    w->run = large;
    w->scratch = scratch;
    lucid__blas_begin();
    lucid_status status = deal(w);
    lucid__blas_end();
    return status;
}

static lucid_status run_small(work *w, lucid__lanes_fn *lanes)
{
    enum { GROUPS = 8 }; /* of lanes, that a thread takes at a time */
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    w->lanes = lanes;
    w->run = run_lanes;
    w->together = w->units > 4 * GROUPS * at_once ? GROUPS * at_once : at_once;
    w->scratch = lucid__lanes_scratch(w->n);
    return deal(w);
}

/* Whether there are so many right-hand sides that blocks of them are units. */
static bool has_many_columns(const work *w)
{
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    return w->k >= MANY_COLUMNS || (w->k >= SOME_COLUMNS && w->batch < at_once / 2);
}

static lucid_status solve_columns(work *w)
{
    w->run = run_columns;
    w->units = w->batch * column_blocks(w->k);
    w->cost = (double)w->n * (double)w->n * (double)(w->k < COLUMN_BLOCK ? w->k : COLUMN_BLOCK);
    return deal(w);
}

/* ---- kernels ------------------------------------------------------------------------------------ */

static void set_output(work *w, int k, int64_t elements)
{
    w->out_bytes[k] = elements * (int64_t)lucid_dtype_size(w->args->out[k].dtype);
}

lucid_status lucid__cholesky_kernel(const lucid__kernel_args *args)
{
    work w = work_of(args, 1);
    set_output(&w, 0, w.n * w.n);
    if (is_large(&w))
        return run_large(&w, large_cholesky, lucid__cholesky_scratch());
    return run_small(&w, lucid__matrix_isa_get()->cholesky[w.dtype]);
}

lucid_status lucid__lu_kernel(const lucid__kernel_args *args)
{
    work w = work_of(args, 3);
    set_output(&w, 0, w.n * w.n);
    set_output(&w, 1, w.n);
    set_output(&w, 2, 1);
    if (is_large(&w))
        return run_large(&w, large_lu, factors_scratch(w.n));
    return run_small(&w, lucid__matrix_isa_get()->lu[w.dtype]);
}

/* Many right-hand sides: first the factors, in memory of our own if nobody else wants them. */
static lucid_status solve_many_columns(const work *solve)
{
    const lucid__kernel_args *args = solve->args;
    lucid__view out[3] = {args->out[0], args->out[1], args->out[2]};
    void *own[3] = {NULL, NULL, NULL};
    bool ok = true;
    for (int k = 1; k < 3; k++)
        if (!out[k].data) {
            own[k] = lucid__malloc((size_t)(solve->out_bytes[k] * solve->batch) + 1);
            out[k].data = own[k];
            ok &= own[k] != NULL;
        }
    lucid_status status = LUCID_MEMORY_ERROR;
    if (ok) {
        lucid__kernel_args of_factors = *args, of_solve = *args;
        const lucid__view factor_out[3] = {out[1], out[2], {.dtype = solve->dtype}};
        of_factors.nin = 1;
        of_factors.out = factor_out;
        of_solve.out = out;
        status = lucid__lu_kernel(&of_factors);
        work w = *solve;
        w.args = &of_solve;
        w.factored = true;
        status = status == LUCID_OK ? solve_columns(&w) : status;
    } else {
        (void)out_of_memory(solve);
    }
    lucid__free(own[1]);
    lucid__free(own[2]);
    return status;
}

lucid_status lucid__solve_kernel(const lucid__kernel_args *args)
{
    work w = work_of(args, 3);
    set_output(&w, 0, w.n * w.k);
    set_output(&w, 1, w.n * w.n);
    set_output(&w, 2, w.n);
    if (is_large(&w))
        return run_large(&w, large_solve, factors_scratch(w.n));
    if (has_many_columns(&w))
        return solve_many_columns(&w);
    return run_small(&w, lucid__matrix_isa_get()->solve[w.dtype]);
}

lucid_status lucid__inv_kernel(const lucid__kernel_args *args)
{
    lucid__kernel_args alone = *args;
    const lucid__view out[3] = {args->out[0], {.data = NULL}, {.data = NULL}};
    alone.out = out;
    work w = work_of(&alone, 3);
    set_output(&w, 0, w.n * w.n);
    w.k = w.n;
    w.cost *= 2;
    w.b_is_one = true;
    if (is_large(&w))
        return run_large(&w, large_solve, factors_scratch(w.n));
    return run_small(&w, lucid__matrix_isa_get()->solve[w.dtype]);
}

lucid_status lucid__triangular_solve_kernel(const lucid__kernel_args *args)
{
    work w = work_of(args, 1);
    set_output(&w, 0, w.n * w.k);
    w.transpose = args->params[1] != 0;
    w.unit = args->params[2] != 0;
    w.upper = (args->params[0] != 0) != w.transpose;
    if (is_large(&w))
        return run_large(&w, large_triangular_solve, (size_t)(w.n * w.n) * sizeof(double));
    if (has_many_columns(&w))
        return solve_columns(&w);
    return run_small(&w, lucid__matrix_isa_get()->triangular_solve[w.dtype]);
}
