/* How much the kernels compute, and on what kind of lanes: for explanations, and for what chooses between
 * kernels. */
#include "base/dtype.h"
#include "base/shape.h"
#include "cpu/kernels.h"
#include "cpu/matrix_isa.h"

static double numel(const lucid__view *x)
{
    return (double)lucid__numel(&x->shape);
}

/* One addition or multiplication per element. */
lucid__kernel_work lucid__cumulative_work(const lucid__kernel_args *args)
{
    return (lucid__kernel_work){LUCID__LANES_ELEMENTS,
                                lucid__is_float(args->out->dtype) ? numel(args->out) : 0};
}

/* One addition per value. */
lucid__kernel_work lucid__scatter_add_work(const lucid__kernel_args *args)
{
    return (lucid__kernel_work){LUCID__LANES_ELEMENTS,
                                lucid__is_float(args->out->dtype) ? numel(&args->in[1]) : 0};
}

/* Of many matrices (..., m, n) that take `flops` each; large ones go to the BLAS or LAPACK. */
static lucid__kernel_work matrices(const lucid__view *a, bool large, double flops)
{
    enum { FEW = 4 }; /* are not worth lanes of their own */
    int64_t n = a->shape.dim[a->shape.ndim - 1], m = a->shape.dim[a->shape.ndim - 2];
    double each = (double)m * (double)n, count = each > 0 ? numel(a) / each : 0;
    lucid__layout layout = large         ? LUCID__LANES_LIBRARY
                           : count < FEW ? LUCID__LANES_ELEMENTS
                                         : LUCID__LANES_BATCH;
    return (lucid__kernel_work){layout, count * flops};
}

static lucid__kernel_work systems(const lucid__view *a, double flops)
{
    return matrices(a, a->shape.dim[a->shape.ndim - 1] > LUCID__LANES_MAX_SIZE, flops);
}

static lucid__kernel_work decompositions(const lucid__view *a, double flops)
{
    int64_t n = a->shape.dim[a->shape.ndim - 1], m = a->shape.dim[a->shape.ndim - 2];
    bool large = (m < n ? m : n) > LUCID__DECOMPOSE_MAX_SIZE ||
                 (double)m * (double)n > LUCID__DECOMPOSE_MAX_ELEMENTS;
    return matrices(a, large, flops);
}

static double size_of(const lucid__view *a)
{
    return (double)a->shape.dim[a->shape.ndim - 1];
}

/* Golub and Van Loan, Matrix Computations, sections 3.1, 3.2 and 4.2. */
lucid__kernel_work lucid__cholesky_work(const lucid__kernel_args *args)
{
    double n = size_of(args->in);
    return systems(args->in, n * n * n / 3);
}

lucid__kernel_work lucid__inv_work(const lucid__kernel_args *args)
{
    double n = size_of(args->in);
    return systems(args->in, 2 * n * n * n);
}

lucid__kernel_work lucid__lu_work(const lucid__kernel_args *args)
{
    double n = size_of(args->in);
    return systems(args->in, 2 * n * n * n / 3);
}

lucid__kernel_work lucid__triangular_solve_work(const lucid__kernel_args *args)
{
    double n = size_of(&args->in[0]), k = size_of(&args->in[1]);
    return systems(&args->in[0], n * n * k);
}

lucid__kernel_work lucid__solve_work(const lucid__kernel_args *args)
{
    double n = size_of(&args->in[0]), k = size_of(&args->in[1]);
    return systems(&args->in[0], 2 * n * n * n / 3 + 2 * n * n * k);
}

static double rows_of(const lucid__view *a)
{
    return (double)a->shape.dim[a->shape.ndim - 2];
}

/* Factorisation and Q; ibid. 5.2. */
lucid__kernel_work lucid__qr_work(const lucid__kernel_args *args)
{
    double m = rows_of(args->in), n = size_of(args->in), k = m < n ? m : n;
    return decompositions(args->in, 4 * m * n * k - 4 * k * k * k / 3);
}

/* What the usual methods take, 8.3 and 8.6: that of Jacobi depends on the matrix. */
lucid__kernel_work lucid__eigh_work(const lucid__kernel_args *args)
{
    double n = size_of(args->in);
    return decompositions(args->in, 9 * n * n * n);
}

lucid__kernel_work lucid__svd_work(const lucid__kernel_args *args)
{
    double m = rows_of(args->in), n = size_of(args->in), k = m < n ? m : n;
    return decompositions(args->in, 14 * m * n * k + 8 * k * k * k);
}

lucid__kernel_work lucid__pinv_work(const lucid__kernel_args *args)
{
    double m = rows_of(args->in), n = size_of(args->in), k = m < n ? m : n;
    return decompositions(args->in, 16 * m * n * k + 8 * k * k * k);
}
