/* The kernels that cpu_backend.c lists, by file. */
#ifndef LUCID__KERNELS_H
#define LUCID__KERNELS_H

#include "engine/backend.h"

lucid__kernel_fn lucid__scatter_add_kernel, lucid__scatter_kernel; /* kernel_scatter.c */
lucid__kernel_fn lucid__cumsum_kernel, lucid__cumprod_kernel;      /* kernel_cumulative.c */
lucid__kernel_fn lucid__sort_kernel;                               /* kernel_sort.c */
lucid__kernel_fn lucid__argmax_kernel, lucid__argmin_kernel;       /* kernel_arg.c */
lucid__kernel_fn lucid__random_bits_kernel;                        /* kernel_random.c */
lucid__kernel_fn lucid__poisson_kernel;                            /* kernel_poisson.c */
lucid__kernel_fn lucid__contract_kernel;                           /* kernel_contract.c */
lucid__kernel_fn lucid__cholesky_kernel, lucid__lu_kernel;         /* kernel_linalg.c */
lucid__kernel_fn lucid__solve_kernel, lucid__inv_kernel, lucid__triangular_solve_kernel;
lucid__kernel_fn lucid__det_kernel, lucid__det_border_kernel; /* kernel_det.c */
lucid__kernel_fn lucid__qr_kernel, lucid__eigh_kernel;        /* kernel_decompose.c */
lucid__kernel_fn lucid__eigh_apart_kernel, lucid__svd_apart_kernel;
lucid__kernel_fn lucid__svd_kernel, lucid__pinv_kernel;

/* kernel_contract.c */
lucid__work_rule lucid__contract_work;
/* kernel_work.c */
lucid__work_rule lucid__cholesky_work, lucid__cumulative_work, lucid__inv_work, lucid__lu_work;
lucid__work_rule lucid__scatter_add_work, lucid__solve_work, lucid__triangular_solve_work;
lucid__work_rule lucid__qr_work, lucid__eigh_work, lucid__svd_work, lucid__pinv_work;

#endif
