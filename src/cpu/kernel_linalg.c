/* cholesky, triangular_solve, lu, solve, inv: matrices of up to LUCID__LANES_MAX_SIZE in lanes, larger
 * ones by factor.h. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/factor.h"
#include "cpu/kernels.h"
#include "cpu/matrix_work.h"
#include "engine/force.h"

static void copy_matrix(const lucid__matrix_work *w, const lucid__view *v, int64_t e, void *to)
{
    lucid__copy_columns(w->dtype, w->n, v->shape.dim[v->shape.ndim - 1], 0, lucid__matrix_of(v, e),
                        lucid__row_stride(v), lucid__col_stride(v), NULL, to,
                        v->shape.dim[v->shape.ndim - 1]);
}

/* ---- small matrices, many columns: a unit is a block of columns of one right-hand side --------- */

enum { COLUMN_BLOCK = 512, SOME_COLUMNS = 16, MANY_COLUMNS = 64 };

static int64_t column_blocks(int64_t k)
{
    return (k + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
}

static void run_columns(const lucid__matrix_work *w, int64_t unit, int64_t count, void *scratch)
{
    (void)count, (void)scratch;
    const lucid__view *a = &w->args->in[0], *b = &w->args->in[1];
    lucid__substitute_fn *substitute = lucid__matrix_isa_get()->substitute[w->dtype];
    int64_t blocks = column_blocks(w->k), e = unit / blocks, first = unit % blocks * COLUMN_BLOCK;
    int64_t cols = w->k - first < COLUMN_BLOCK ? w->k - first : COLUMN_BLOCK;
    const int64_t *perm = w->factored ? lucid__matrix_output(w, 2, e) : NULL;
    char *x = lucid__matrix_output(w, 0, e);
    lucid__copy_columns(w->dtype, w->n, cols, first, lucid__matrix_of(b, e), lucid__row_stride(b),
                        lucid__col_stride(b), perm, x, w->k);
    x += first * (int64_t)lucid_dtype_size(w->dtype);
    if (w->factored) {
        const char *lu = lucid__matrix_output(w, 1, e);
        substitute(w->n, cols, lu, w->n, 1, false, true, x, w->k);
        substitute(w->n, cols, lu, w->n, 1, true, false, x, w->k);
        return;
    }
    substitute(w->n, cols, lucid__matrix_of(a, e),
               w->transpose ? lucid__col_stride(a) : lucid__row_stride(a),
               w->transpose ? lucid__row_stride(a) : lucid__col_stride(a), w->upper, w->unit, x,
               w->k);
}

/* ---- large matrices -------------------------------------------------------------------------- */

static void large_cholesky(const lucid__matrix_work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    char *out = lucid__matrix_output(w, 0, e);
    copy_matrix(w, &w->args->in[0], e, out);
    bool ok = lucid__cholesky_factor(w->dtype, w->n, out, w->n, scratch, w->threads);
    size_t size = lucid_dtype_size(w->dtype);
    for (int64_t i = 0; ok && i + 1 < w->n; i++)
        memset(out + (size_t)(i * w->n + i + 1) * size, 0, (size_t)(w->n - i - 1) * size);
    for (int64_t i = 0; !ok && i < w->n * w->n; i++)
        lucid__matrix_set(w->dtype, out, i, (double)NAN);
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

static factors factors_in(const lucid__matrix_work *w, void *lu, int64_t *perm, void *scratch)
{
    int64_t *own_perm = scratch;
    double *own_lu = (double *)(void *)(own_perm + w->n);
    return (factors){lu ? lu : own_lu, perm ? perm : own_perm, own_lu + w->n * w->n};
}

static void large_lu(const lucid__matrix_work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    factors f =
        factors_in(w, lucid__matrix_output(w, 0, e), lucid__matrix_output(w, 1, e), scratch);
    copy_matrix(w, &w->args->in[0], e, f.lu);
    int sign = lucid__lu_factor(w->dtype, w->n, f.lu, w->n, f.perm, f.scratch, w->threads);
    if (w->args->out[2].data)
        lucid__matrix_set(w->dtype, w->args->out[2].data, e, sign);
}

static void large_solve(const lucid__matrix_work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    char *x = lucid__matrix_output(w, 0, e);
    factors f = factors_in(w, w->b_is_one ? NULL : lucid__matrix_output(w, 1, e),
                           w->b_is_one ? NULL : lucid__matrix_output(w, 2, e), scratch);
    copy_matrix(w, &w->args->in[0], e, f.lu);
    (void)lucid__lu_factor(w->dtype, w->n, f.lu, w->n, f.perm, f.scratch, w->threads);
    if (w->b_is_one) {
        memset(x, 0, (size_t)(w->n * w->n) * lucid_dtype_size(w->dtype));
        for (int64_t i = 0; i < w->n; i++)
            lucid__matrix_set(w->dtype, x, i * w->n + f.perm[i], 1);
    } else {
        const lucid__view *b = &w->args->in[1];
        lucid__copy_columns(w->dtype, w->n, w->k, 0, lucid__matrix_of(b, e), lucid__row_stride(b),
                            lucid__col_stride(b), f.perm, x, w->k);
    }
    if (w->k == 0)
        return;
    lucid__trsm_solve(w->dtype, (lucid__trsm){.unit = true}, w->n, w->k, f.lu, w->n, x, w->k,
                      w->threads);
    lucid__trsm_solve(w->dtype, (lucid__trsm){.upper = true}, w->n, w->k, f.lu, w->n, x, w->k,
                      w->threads);
}

static void large_triangular_solve(const lucid__matrix_work *w, int64_t e, int64_t count,
                                   void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0], *b = &w->args->in[1];
    char *x = lucid__matrix_output(w, 0, e);
    copy_matrix(w, b, e, x);
    if (w->k == 0)
        return;
    const char *data = lucid__matrix_of(a, e);
    int64_t row = lucid__row_stride(a), col = lucid__col_stride(a);
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

static bool is_large(const lucid__matrix_work *w)
{
    const lucid__forced_layout forced = lucid__layout_forced();
    int64_t most = forced == LUCID__FORCE_LIBRARY ? 0 : LUCID__LANES_MAX_SIZE;
    return w->n > most && lucid__blas_fits(w->n) && lucid__blas_fits(w->k);
}

/* Whether there are so many right-hand sides that blocks of them are units. */
static bool has_many_columns(const lucid__matrix_work *w)
{
    const int64_t at_once = LUCID__LANE_BYTES / (int64_t)lucid_dtype_size(w->dtype);
    return w->k >= MANY_COLUMNS || (w->k >= SOME_COLUMNS && w->batch < at_once / 2);
}

static lucid_status solve_columns(lucid__matrix_work *w)
{
    w->run = run_columns;
    w->pieces = true;
    w->units = w->batch * column_blocks(w->k);
    w->cost = (double)w->n * (double)w->n * (double)(w->k < COLUMN_BLOCK ? w->k : COLUMN_BLOCK);
    return lucid__matrix_deal(w);
}

/* ---- kernels ------------------------------------------------------------------------------------ */

lucid_status lucid__cholesky_kernel(const lucid__kernel_args *args)
{
    lucid__matrix_work w = lucid__matrix_work_of(args, 1);
    lucid__matrix_work_output(&w, 0, w.n * w.n);
    if (is_large(&w))
        return lucid__run_large_matrices(&w, large_cholesky, lucid__cholesky_scratch());
    return lucid__run_small_matrices(&w, lucid__matrix_isa_get()->cholesky[w.dtype],
                                     lucid__lanes_scratch(w.n));
}

lucid_status lucid__lu_kernel(const lucid__kernel_args *args)
{
    lucid__matrix_work w = lucid__matrix_work_of(args, 3);
    lucid__matrix_work_output(&w, 0, w.n * w.n);
    lucid__matrix_work_output(&w, 1, w.n);
    lucid__matrix_work_output(&w, 2, 1);
    if (is_large(&w))
        return lucid__run_large_matrices(&w, large_lu, factors_scratch(w.n));
    return lucid__run_small_matrices(&w, lucid__matrix_isa_get()->lu[w.dtype],
                                     lucid__lanes_scratch(w.n));
}

/* Many right-hand sides: first the factors, in memory of our own if nobody else wants them. */
static lucid_status solve_many_columns(const lucid__matrix_work *solve)
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
        lucid__matrix_work w = *solve;
        w.args = &of_solve;
        w.factored = true;
        status = status == LUCID_OK ? solve_columns(&w) : status;
    } else {
        (void)lucid__matrix_out_of_memory(solve);
    }
    lucid__free(own[1]);
    lucid__free(own[2]);
    return status;
}

lucid_status lucid__solve_kernel(const lucid__kernel_args *args)
{
    lucid__matrix_work w = lucid__matrix_work_of(args, 3);
    lucid__matrix_work_output(&w, 0, w.n * w.k);
    lucid__matrix_work_output(&w, 1, w.n * w.n);
    lucid__matrix_work_output(&w, 2, w.n);
    if (is_large(&w))
        return lucid__run_large_matrices(&w, large_solve, factors_scratch(w.n));
    if (has_many_columns(&w))
        return solve_many_columns(&w);
    return lucid__run_small_matrices(&w, lucid__matrix_isa_get()->solve[w.dtype],
                                     lucid__lanes_scratch(w.n));
}

lucid_status lucid__inv_kernel(const lucid__kernel_args *args)
{
    lucid__kernel_args alone = *args;
    const lucid__view out[3] = {args->out[0], {.data = NULL}, {.data = NULL}};
    alone.out = out;
    lucid__matrix_work w = lucid__matrix_work_of(&alone, 3);
    lucid__matrix_work_output(&w, 0, w.n * w.n);
    w.k = w.n;
    w.cost *= 2;
    w.b_is_one = true;
    if (is_large(&w))
        return lucid__run_large_matrices(&w, large_solve, factors_scratch(w.n));
    return lucid__run_small_matrices(&w, lucid__matrix_isa_get()->solve[w.dtype],
                                     lucid__lanes_scratch(w.n));
}

lucid_status lucid__triangular_solve_kernel(const lucid__kernel_args *args)
{
    lucid__matrix_work w = lucid__matrix_work_of(args, 1);
    lucid__matrix_work_output(&w, 0, w.n * w.k);
    w.transpose = args->params[1] != 0;
    w.unit = args->params[2] != 0;
    w.upper = (args->params[0] != 0) != w.transpose;
    if (is_large(&w))
        return lucid__run_large_matrices(&w, large_triangular_solve,
                                         (size_t)(w.n * w.n) * sizeof(double));
    if (has_many_columns(&w))
        return solve_columns(&w);
    return lucid__run_small_matrices(&w, lucid__matrix_isa_get()->triangular_solve[w.dtype],
                                     lucid__lanes_scratch(w.n));
}
