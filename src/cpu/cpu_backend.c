/* The CPU backend: the program interpreter, and a kernel for each primitive that programs do not
 * cover. A new kernel is a declaration and a line of the table. */
#include "cpu/chains.h"
#include "cpu/kernels.h"
#include "cpu/lane_machine.h"
#include "cpu/run_program.h"
#include "cpu/speed.h"
#include "engine/run_control.h"

static const lucid__kernel kernels[LUCID__PRIM_COUNT] = {
    [LUCID__argmax] = {.run = lucid__argmax_kernel, .contiguous = 1},
    [LUCID__argmin] = {.run = lucid__argmin_kernel, .contiguous = 1},
    [LUCID__cholesky] = {.run = lucid__cholesky_kernel, .work = lucid__cholesky_work},
    [LUCID__cond] = {.run = lucid__cond_kernel, .optional = ~0U},
    [LUCID__contract] = {.run = lucid__contract_kernel, .work = lucid__contract_work},
    [LUCID__cumprod] = {.run = lucid__cumprod_kernel,
                        .work = lucid__cumulative_work,
                        .contiguous = 1},
    [LUCID__cumsum] = {.run = lucid__cumsum_kernel,
                       .work = lucid__cumulative_work,
                       .contiguous = 1},
    [LUCID__det] = {.run = lucid__det_kernel, .work = lucid__lu_work},
    [LUCID__det_border] = {.run = lucid__det_border_kernel, .work = lucid__lu_work},
    [LUCID__eigh] = {.run = lucid__eigh_kernel, .work = lucid__eigh_work, .optional = 0x2},
    [LUCID__eigh_apart] = {.run = lucid__eigh_apart_kernel,
                           .work = lucid__eigh_work,
                           .optional = 0x6},
    [LUCID__inv] = {.run = lucid__inv_kernel, .work = lucid__inv_work},
    [LUCID__lu] = {.run = lucid__lu_kernel, .work = lucid__lu_work, .optional = 0x6},
    [LUCID__pinv] = {.run = lucid__pinv_kernel, .work = lucid__pinv_work},
    [LUCID__poisson] = {.run = lucid__poisson_kernel, .contiguous = 3},
    [LUCID__qr] = {.run = lucid__qr_kernel, .work = lucid__qr_work, .optional = 0x1},
    [LUCID__random_bits] = {.run = lucid__random_bits_kernel},
    [LUCID__scan] = {.run = lucid__scan_kernel, .optional = ~0U},
    [LUCID__scatter] = {.run = lucid__scatter_kernel},
    [LUCID__scatter_add] = {.run = lucid__scatter_add_kernel, .work = lucid__scatter_add_work},
    [LUCID__solve] = {.run = lucid__solve_kernel, .work = lucid__solve_work, .optional = 0x6},
    [LUCID__sort] = {.run = lucid__sort_kernel, .contiguous = 1, .optional = 0x3},
    [LUCID__svd] = {.run = lucid__svd_kernel, .work = lucid__svd_work, .optional = 0x5},
    [LUCID__svd_apart] = {.run = lucid__svd_apart_kernel, .work = lucid__svd_work, .optional = 0xD},
    [LUCID__triangular_solve] = {.run = lucid__triangular_solve_kernel,
                                 .work = lucid__triangular_solve_work},
    [LUCID__while] = {.run = lucid__while_kernel, .optional = ~0U},
};

const lucid__backend lucid__cpu_backend = {
    .name = "cpu",
    .run_program = lucid__run_program,
    .forget_program = lucid__forget_program,
    .forget_lanes = lucid__forget_lanes,
    .bytes_with_programs = lucid__bytes_with_programs,
    .run_lanes = lucid__run_lanes,
    .kernels = kernels,
    .speed = lucid__cpu_speed,
    .program_seconds = lucid__cpu_program_seconds,
};
