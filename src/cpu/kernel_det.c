/* det and det_border (prim/det_prims.c says what that is): from the pivots of a factorisation, and from the
 * singular values of those matrices whose pivots are far apart. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cpu/kernels.h"
#include "cpu/matrix_work.h"

enum { RAISED = 3, NUMBERS = RAISED + 3 };

static double at(lucid_dtype dtype, const void *p, int64_t i)
{
    return dtype == LUCID_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void *element(lucid_dtype dtype, void *p, int64_t i)
{
    return (char *)p + i * (int64_t)lucid_dtype_size(dtype);
}

static double epsilon(lucid_dtype dtype)
{
    return dtype == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

static int64_t size_of(const lucid__view *a)
{
    return a->shape.dim[a->shape.ndim - 1];
}

static int64_t batch_of(const lucid__view *a)
{
    int64_t batch = 1;
    for (int d = 0; d < a->shape.ndim - 2; d++)
        batch *= a->shape.dim[d];
    return batch;
}

static lucid_status out_of_memory(const lucid__kernel_args *args, const char *name)
{
    (void)snprintf(args->error, args->error_size, "%s: out of memory", name);
    return LUCID_MEMORY_ERROR;
}

/* Factors of all matrices, row-major in memory for the caller to free, and signs (..) of the row
 * exchanges. *status says what went wrong. */
static void *factors(const lucid__kernel_args *args, const char *name, void **signs,
                     lucid_status *status)
{
    const lucid__view *a = &args->in[0];
    const int64_t n = size_of(a), batch = batch_of(a);
    const size_t size = lucid_dtype_size(a->dtype);
    char *memory = lucid__malloc((size_t)(batch * (n * n + 1)) * size);
    if (!memory) {
        *status = out_of_memory(args, name);
        return NULL;
    }
    *signs = memory + (size_t)(batch * n * n) * size;
    lucid__view out[3] = {*a, {.dtype = LUCID_INT64}, {.dtype = a->dtype}};
    out[0].data = memory;
    lucid__strides(&out[0].shape, out[0].stride);
    out[2].data = *signs;
    lucid__kernel_args of_factors = *args;
    of_factors.out = out;
    *status = lucid__lu_kernel(&of_factors);
    return memory;
}

/* sign u_00 u_11 ..., each product rounded as the dtype is. */
static double product_of_pivots(lucid_dtype dtype, int64_t n, const void *lu, double sign)
{
    double y = sign;
    for (int64_t i = 0; i < n; i++) {
        y *= at(dtype, lu, i * n + i);
        y = dtype == LUCID_FLOAT32 ? (double)(float)y : y;
    }
    return y;
}

lucid_status lucid__det_kernel(const lucid__kernel_args *args)
{
    const lucid__view *a = &args->in[0];
    const int64_t n = size_of(a), batch = batch_of(a);
    void *signs = NULL;
    lucid_status status = LUCID_OK;
    if (batch == 0)
        return LUCID_OK;
    void *lu = factors(args, "det", &signs, &status);
    for (int64_t e = 0; status == LUCID_OK && e < batch; e++)
        lucid__matrix_set(a->dtype, args->out->data, e,
                          product_of_pivots(a->dtype, n, element(a->dtype, lu, e * n * n),
                                            n > 0 ? at(a->dtype, signs, e) : 1));
    lucid__free(lu);
    return status;
}

/* ---- det_border ------------------------------------------------------------------------------------- */

/* Where the outputs for one matrix go. */
typedef struct border {
    lucid_dtype dtype;
    int64_t n;
    void *x, *y, *numbers;
} border;

/* Numbers for a matrix whose n pivots, or singular values, have these logarithms as their sum: the mean of
 * them is scaled to about 1, so that neither the determinant nor cofactors overflow on the way. */
static double set_scale(const border *b, double logarithms)
{
    double exponent = rint(logarithms / (double)b->n);
    lucid__matrix_set(b->dtype, b->numbers, RAISED, exp2(-exponent));
    lucid__matrix_set(b->dtype, b->numbers, RAISED + 1, 0);
    lucid__matrix_set(b->dtype, b->numbers, RAISED + 2, exp2(exponent * (double)(b->n - 1)));
    return exp2(-exponent);
}

/* More singular values than can be raised are 0: the identity takes the place of the matrix. */
static void leave_out(const border *b)
{
    for (int k = RAISED; k < NUMBERS; k++)
        lucid__matrix_set(b->dtype, b->numbers, k, k == RAISED + 1);
}

static void border_of_regular(const border *b, const void *lu)
{
    double logarithms = 0;
    for (int64_t i = 0; i < b->n; i++)
        logarithms += log2(fabs(at(b->dtype, lu, i * b->n + i)));
    for (int64_t i = 0; i < b->n * RAISED; i++) {
        lucid__matrix_set(b->dtype, b->x, i, 0);
        lucid__matrix_set(b->dtype, b->y, i, 0);
    }
    for (int k = 0; k < RAISED; k++)
        lucid__matrix_set(b->dtype, b->numbers, k, 1);
    (void)set_scale(b, logarithms);
}

/* Raises the smallest of the singular values w, those that are small, by the largest one: X are their left
 * vectors, Y the right ones. */
static void border_of_singular(const border *b, const void *u, const void *w, const void *v)
{
    static const double small = 0.03;
    const int64_t n = b->n;
    const double most = at(b->dtype, w, 0);
    double logarithms = 0;
    bool raised[RAISED];
    for (int64_t i = 0; i < n; i++) {
        int64_t k = n - 1 - i;
        double x = at(b->dtype, w, i);
        if (k < RAISED) {
            raised[k] = x < small * most;
            lucid__matrix_set(b->dtype, b->numbers, k, raised[k] ? x / (x + most) : 1);
            x = raised[k] ? x + most : x;
        }
        logarithms += log2(x);
    }
    bool out = n > RAISED
                   ? at(b->dtype, w, n - 1 - RAISED) <= 2 * (double)n * epsilon(b->dtype) * most
                   : most == 0;
    double scale = most;
    if (out)
        leave_out(b);
    else
        scale *= set_scale(b, logarithms);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < RAISED; k++) {
            int64_t j = n - 1 - k;
            bool on = j >= 0 && raised[k] && !out;
            lucid__matrix_set(b->dtype, b->x, i * RAISED + k,
                              on ? scale * at(b->dtype, u, i * n + j) : 0);
            lucid__matrix_set(b->dtype, b->y, i * RAISED + k, on ? at(b->dtype, v, j * n + i) : 0);
        }
}

/* Whether pivots are so far apart that second derivatives would lose more than half of the digits. */
static bool is_nearly_singular(lucid_dtype dtype, int64_t n, const void *lu)
{
    double least = INFINITY, most = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = fabs(at(dtype, lu, i * n + i));
        least = fmin(least, x);
        most = fmax(most, x);
    }
    return !(least > sqrt(epsilon(dtype)) * most);
}

/* memory: for the decomposition of one matrix, n (2 n + 1) elements. */
static lucid_status decompose(const lucid__kernel_args *args, int64_t e, void *memory,
                              const border *b)
{
    const int64_t n = b->n;
    lucid__view one = args->in[0];
    const int64_t stride[2] = {lucid__row_stride(&one), lucid__col_stride(&one)};
    one.data = (void *)(uintptr_t)lucid__matrix_of(&args->in[0], e);
    one.shape = (lucid_shape){2, {n, n}};
    memcpy(one.stride, stride, sizeof stride);
    lucid__view out[3] = {one, one, one};
    out[1].shape = (lucid_shape){1, {n}};
    for (int k = 0; k < 3; k++) {
        out[k].data = element(b->dtype, memory, k == 0 ? 0 : k == 1 ? n * n : n * n + n);
        lucid__strides(&out[k].shape, out[k].stride);
    }
    lucid__kernel_args svd = *args;
    svd.in = &one;
    svd.out = out;
    lucid_status status = lucid__svd_kernel(&svd);
    if (status == LUCID_OK)
        border_of_singular(b, out[0].data, out[1].data, out[2].data);
    return status;
}

lucid_status lucid__det_border_kernel(const lucid__kernel_args *args)
{
    const lucid__view *a = &args->in[0];
    const int64_t n = size_of(a), batch = batch_of(a);
    void *signs = NULL, *memory = NULL;
    lucid_status status = LUCID_OK;
    if (batch == 0 || n == 0)
        return LUCID_OK;
    void *lu = factors(args, "det", &signs, &status);
    for (int64_t e = 0; status == LUCID_OK && e < batch; e++) {
        const border b = {a->dtype, n, element(a->dtype, args->out[0].data, e * n * RAISED),
                          element(a->dtype, args->out[1].data, e * n * RAISED),
                          element(a->dtype, args->out[2].data, e * NUMBERS)};
        const void *of_e = element(a->dtype, lu, e * n * n);
        if (!is_nearly_singular(a->dtype, n, of_e)) {
            border_of_regular(&b, of_e);
            continue;
        }
        if (!memory)
            memory = lucid__malloc((size_t)(n * (2 * n + 1)) * lucid_dtype_size(a->dtype));
        status = memory ? decompose(args, e, memory, &b) : out_of_memory(args, "det");
    }
    lucid__free(memory);
    lucid__free(lu);
    return status;
}
