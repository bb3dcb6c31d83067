/* qr, eigh, svd: small matrices in lanes (matrix_spectral.h), larger ones by LAPACK. A large matrix
 * that is not finite, or with which LAPACK does not come to an end, gives NaN, as a small one does. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cpu/blas.h"
#include "cpu/kernels.h"
#include "cpu/lapack.h"
#include "cpu/matrix_work.h"
#include "cpu/spread.h"
#include "engine/force.h"

typedef lucid__matrix_work work;

static double at(lucid_dtype dtype, const void *p, int64_t i)
{
    return dtype == LUCID_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static bool is_finite(lucid_dtype dtype, const void *p, int64_t n)
{
    double nil = 0;
    for (int64_t i = 0; i < n; i++)
        nil += 0 * at(dtype, p, i);
    return nil == 0;
}

static void fill_nan(const work *w, int k, int64_t e)
{
    char *to = lucid__matrix_output(w, k, e);
    int64_t n = w->out_bytes[k] / (int64_t)lucid_dtype_size(w->dtype);
    for (int64_t i = 0; to && i < n; i++)
        lucid__matrix_set(w->dtype, to, i, (double)NAN);
}

/* The (n, m) transpose of `from` (m, n) with rows from_row apart. */
static void transpose(lucid_dtype dtype, int64_t m, int64_t n, const void *from, int64_t from_row,
                      void *to)
{
    lucid__copy_columns(dtype, n, m, 0, from, 1, from_row, NULL, to, m);
}

/* Multiplies n elements that are `apart` by -1. */
static void negate(lucid_dtype dtype, void *p, int64_t n, int64_t apart)
{
    for (int64_t i = 0; i < n; i++)
        if (dtype == LUCID_FLOAT32)
            ((float *)p)[i * apart] = -((float *)p)[i * apart];
        else
            ((double *)p)[i * apart] = -((double *)p)[i * apart];
}

/* Whether the largest of n elements that are `apart` is negative. */
static bool points_down(lucid_dtype dtype, const void *p, int64_t n, int64_t apart)
{
    double best = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = at(dtype, p, i * apart);
        best = fabs(x) > fabs(best) ? x : best;
    }
    return best < 0;
}

static void *element(lucid_dtype dtype, void *p, int64_t i)
{
    return (char *)p + i * (int64_t)lucid_dtype_size(dtype);
}

/* Out of memory somewhere: the units that follow need not try. */
static void note(const work *w, lucid_status status)
{
    if (status == LUCID_MEMORY_ERROR)
        atomic_store(w->failed, true);
}

/* ---- large matrices ------------------------------------------------------------------------------ */

static void large_eigh(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0];
    int64_t n = w->n;
    void *values = lucid__matrix_output(w, 0, e), *vectors = lucid__matrix_output(w, 1, e);
    lucid__copy_columns(w->dtype, n, n, 0, lucid__matrix_of(a, e), lucid__row_stride(a),
                        lucid__col_stride(a), NULL, scratch, n);
    bool ok = true;
    for (int64_t i = 0; i < n; i++)
        ok &= is_finite(w->dtype, element(w->dtype, scratch, i * n), i + 1);
    if (ok) {
        lucid_status status = lucid__lapack_eigh(w->dtype, n, vectors != NULL, scratch, values);
        note(w, status);
        ok = status == LUCID_OK;
    }
    for (int i = 0; !ok && i < w->nout; i++)
        fill_nan(w, i, e);
    if (ok && vectors) {
        for (int64_t j = 0; j < n; j++) {
            void *v = element(w->dtype, scratch, j * n);
            if (points_down(w->dtype, v, n, 1))
                negate(w->dtype, v, n, 1);
        }
        if (w->order > 0)
            lucid__turn_equal(w->dtype, n, 1, values, &(lucid__vector_list){scratch, n, n, 1}, 1);
        transpose(w->dtype, n, n, scratch, n, vectors);
    }
    if (ok && w->nout > 2)
        lucid__move_apart(w->dtype, LUCID__EIGENVALUES, w->order, n, 1, values,
                          lucid__matrix_output(w, 2, e), scratch);
}

static void large_svd(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0];
    int64_t m = w->m, n = w->n, k = m < n ? m : n;
    void *u = lucid__matrix_output(w, 0, e), *values = lucid__matrix_output(w, 1, e);
    void *v = lucid__matrix_output(w, 2, e);
    lucid__copy_columns(w->dtype, m, n, 0, lucid__matrix_of(a, e), lucid__row_stride(a),
                        lucid__col_stride(a), NULL, scratch, n);
    bool ok = is_finite(w->dtype, scratch, m * n);
    if (ok) {
        lucid_status status = lucid__lapack_svd(w->dtype, m, n, scratch, u, values, v);
        note(w, status);
        ok = status == LUCID_OK;
    }
    for (int i = 0; !ok && i < w->nout; i++)
        fill_nan(w, i, e);
    if (ok && u && w->order > 0) {
        const lucid__vector_list both[2] = {{u, m, 1, k}, {v, n, n, 1}};
        lucid__turn_equal(w->dtype, k, 1, values, both, 2);
    }
    if (ok && w->nout > 3)
        lucid__move_apart(w->dtype, m == n ? LUCID__SQUARE : LUCID__RECTANGULAR, w->order, k, 1,
                          values, lucid__matrix_output(w, 3, e), scratch);
    for (int64_t j = 0; ok && u && j < k; j++)
        if (points_down(w->dtype, element(w->dtype, u, j), m, k)) {
            negate(w->dtype, element(w->dtype, u, j), m, k);
            negate(w->dtype, element(w->dtype, v, j * n), n, 1);
        }
}

static void large_qr(const work *w, int64_t e, int64_t count, void *scratch)
{
    (void)count;
    const lucid__view *a = &w->args->in[0];
    int64_t m = w->m, n = w->n, k = m < n ? m : n;
    void *q = lucid__matrix_output(w, 0, e), *r = lucid__matrix_output(w, 1, e);
    void *tau = element(w->dtype, scratch, m * n);
    lucid__copy_columns(w->dtype, n, m, 0, lucid__matrix_of(a, e), lucid__col_stride(a),
                        lucid__row_stride(a), NULL, scratch, m);
    lucid_status status = lucid__lapack_qr(w->dtype, m, n, scratch, tau);
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < n; j++)
            lucid__matrix_set(w->dtype, r, i * n + j,
                              i <= j ? at(w->dtype, scratch, j * m + i) : 0);
    if (status == LUCID_OK && q) {
        status = lucid__lapack_q(w->dtype, m, k, scratch, tau);
        transpose(w->dtype, k, m, scratch, m, q);
    }
    note(w, status);
}

/* ---- kernels ------------------------------------------------------------------------------------- */

static bool fits_lanes(const work *w)
{
    int64_t k = w->m < w->n ? w->m : w->n;
    bool fits_lapack = lucid__blas_fits(w->m) && lucid__blas_fits(w->n) &&
                       lucid__blas_fits(lucid__times(w->m, w->n));
    if (lucid__layout_forced() == LUCID__FORCE_LIBRARY)
        return !fits_lapack || k == 0;
    return !fits_lapack ||
           (k <= LUCID__DECOMPOSE_MAX_SIZE && w->m * w->n <= LUCID__DECOMPOSE_MAX_ELEMENTS);
}

static lucid_status run(work *w, lucid__lanes_fn *small, lucid__matrix_unit_fn *large)
{
    atomic_bool failed = false;
    w->failed = &failed;
    if (fits_lanes(w))
        return lucid__run_small_matrices(w, small, lucid__decompose_scratch(w->m, w->n));
    size_t elements = (size_t)(w->m * w->n + w->m + w->n + 4);
    lucid_status status = lucid__run_large_matrices(w, large, elements * sizeof(double));
    if (status == LUCID_OK && atomic_load(&failed))
        return lucid__matrix_out_of_memory(w);
    return status;
}

lucid_status lucid__qr_kernel(const lucid__kernel_args *args)
{
    work w = lucid__matrix_work_of(args, 2);
    int64_t k = w.m < w.n ? w.m : w.n;
    lucid__matrix_work_output(&w, 0, w.m * k);
    lucid__matrix_work_output(&w, 1, k * w.n);
    w.cost = 4 * (double)w.m * (double)w.n * (double)k;
    return run(&w, lucid__matrix_isa_get()->qr[w.dtype], large_qr);
}

static lucid_status eigen(const lucid__kernel_args *args, int nout, int order)
{
    work w = lucid__matrix_work_of(args, nout);
    w.order = order;
    lucid__matrix_work_output(&w, 0, w.n);
    lucid__matrix_work_output(&w, 1, w.n * w.n);
    if (nout > 2)
        lucid__matrix_work_output(&w, 2, w.n);
    w.cost = 40 * (double)w.n * (double)w.n * (double)(w.n + 1);
    return run(&w, lucid__matrix_isa_get()->eigh[w.dtype], large_eigh);
}

lucid_status lucid__eigh_kernel(const lucid__kernel_args *args)
{
    return eigen(args, 2, 0);
}

lucid_status lucid__eigh_apart_kernel(const lucid__kernel_args *args)
{
    return eigen(args, 3, (int)args->params[0]);
}

/* U and V' come together. */
static lucid_status singular(const lucid__kernel_args *args, int nout, int order)
{
    lucid__kernel_args both = *args;
    lucid__view out[4] = {args->out[0], args->out[1], args->out[2]};
    if (nout > 3)
        out[3] = args->out[3];
    both.out = out;
    work w = lucid__matrix_work_of(&both, nout);
    w.order = order;
    int64_t k = w.m < w.n ? w.m : w.n;
    lucid__matrix_work_output(&w, 0, w.m * k);
    lucid__matrix_work_output(&w, 1, k);
    lucid__matrix_work_output(&w, 2, k * w.n);
    if (nout > 3)
        lucid__matrix_work_output(&w, 3, k);
    w.cost = 60 * (double)w.m * (double)w.n * (double)(k + 1);
    int missing = out[0].data ? 2 : 0;
    void *own = NULL;
    if (!out[0].data != !out[2].data) {
        own = lucid__malloc((size_t)(w.out_bytes[missing] * w.batch) + 1);
        if (!own)
            return lucid__matrix_out_of_memory(&w);
        out[missing].data = own;
    }
    lucid_status status = run(&w, lucid__matrix_isa_get()->svd[w.dtype], large_svd);
    lucid__free(own);
    return status;
}

lucid_status lucid__svd_kernel(const lucid__kernel_args *args)
{
    return singular(args, 3, 0);
}

lucid_status lucid__svd_apart_kernel(const lucid__kernel_args *args)
{
    return singular(args, 4, (int)args->params[0]);
}

/* ---- pinv ---------------------------------------------------------------------------------------- */

/* Row i of v' is divided by w[i], or set to 0 where that counts as 0. */
static void divide_rows(lucid_dtype dtype, int64_t k, int64_t n, double tolerance, const void *w,
                        void *v)
{
    for (int64_t i = 0; i < k; i++) {
        double x = at(dtype, w, i), least = tolerance * at(dtype, w, 0);
        for (int64_t j = 0; j < n; j++)
            lucid__matrix_set(dtype, v, i * n + j, x <= least ? 0 : at(dtype, v, i * n + j) / x);
    }
}

/* V diag(1 / w) U'. */
lucid_status lucid__pinv_kernel(const lucid__kernel_args *args)
{
    const lucid__view *a = &args->in[0];
    const int last = a->shape.ndim - 1;
    const int64_t m = a->shape.dim[last - 1], n = a->shape.dim[last], k = m < n ? m : n;
    const int64_t count = lucid__numel(&args->out->shape), batch = count > 0 ? count / (m * n) : 0;
    const size_t size = lucid_dtype_size(a->dtype);
    double tolerance;
    memcpy(&tolerance, args->params, sizeof tolerance);
    if (count == 0)
        return LUCID_OK;
    lucid__view out[3] = {*a, *a, *a};
    out[0].shape.dim[last] = k;
    out[1].shape = lucid__shape_remove(&a->shape, last);
    out[1].shape.dim[last - 1] = k;
    out[2].shape.dim[last - 1] = k;
    char *memory = lucid__malloc((size_t)(batch * k * (m + n + 1)) * size);
    if (!memory) {
        (void)snprintf(args->error, args->error_size, "pinv: out of memory");
        return LUCID_MEMORY_ERROR;
    }
    out[0].data = memory;
    out[1].data = memory + (size_t)(batch * k * m) * size;
    out[2].data = memory + (size_t)(batch * k * (m + 1)) * size;
    for (int i = 0; i < 3; i++)
        lucid__strides(&out[i].shape, out[i].stride);
    lucid__kernel_args svd = *args, product = *args;
    svd.nparams = 0;
    svd.out = out;
    lucid_status status = lucid__svd_kernel(&svd);
    for (int64_t e = 0; status == LUCID_OK && e < batch; e++)
        divide_rows(a->dtype, k, n, tolerance, element(a->dtype, out[1].data, e * k),
                    element(a->dtype, out[2].data, e * k * n));
    /* V' (k, n) and U (m, k), summed over k. */
    int64_t params[2 + 2 * LUCID_MAX_NDIM + 2] = {last - 1, 1};
    for (int d = 0; d < last - 1; d++)
        params[2 + d] = params[2 + last - 1 + d] = d;
    params[2 * last] = last - 1;
    params[2 * last + 1] = last;
    const lucid__view in[2] = {out[2], out[0]};
    product.in = in;
    product.nin = 2;
    product.params = params;
    product.nparams = 2 * last + 2;
    status = status == LUCID_OK ? lucid__contract_kernel(&product) : status;
    lucid__free(memory);
    return status;
}
