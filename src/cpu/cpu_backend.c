/* The CPU backend: the program interpreter, and a kernel for each primitive that programs do not
 * cover. A new kernel is a declaration and a line of the table. */
#include "cpu/run_program.h"
#include "engine/backend.h"

static const lucid__kernel kernels[LUCID__PRIM_COUNT] = {
    [LUCID__constant] = {NULL, 0},
};

const lucid__backend lucid__cpu_backend = {
    .name = "cpu",
    .run_program = lucid__run_program,
    .kernels = kernels,
};
