/* What runs plans: programs, and one kernel per primitive that is not elementwise, a reduction or a
 * matter of views. The CPU's is src/cpu/cpu_backend.c. */
#ifndef LUCID__BACKEND_H
#define LUCID__BACKEND_H

#include "engine/lane_program.h"
#include "engine/program.h"
#include "lucid.h"
#include "prim/prim_id.h"

/* A strided operand in memory; strides in elements. */
typedef struct lucid__view {
    void *data;
    lucid_dtype dtype;
    lucid_shape shape;
    int64_t stride[LUCID_MAX_NDIM];
} lucid__view;

typedef struct lucid__kernel_args {
    const int64_t *params;
    int nparams, nin;
    const lucid__view *in;  /* strided in any way, negative and zero strides included */
    const lucid__view *out; /* row-major, uninitialised, not overlapping any input; data NULL: an
                             * optional output that nobody reads */
    char *error;            /* where to say what went wrong, on anything but LUCID_OK */
    size_t error_size;
} lucid__kernel_args;

typedef lucid_status lucid__kernel_fn(const lucid__kernel_args *args);

/* What stands side by side in the SIMD lanes. */
typedef enum lucid__layout {
    LUCID__LANES_ELEMENTS, /* elements of one value */
    LUCID__LANES_BATCH,    /* the same element of many examples */
    LUCID__LANES_LIBRARY,  /* whatever the BLAS does */
} lucid__layout;

/* What a kernel does with such arguments: where its lanes are, and how many additions, multiplications and
 * the like on floats it takes. */
typedef struct lucid__kernel_work {
    lucid__layout layout;
    double flops;
} lucid__kernel_work;

/* The operands have no memory: only shapes, strides and parameters count. */
typedef lucid__kernel_work lucid__work_rule(const lucid__kernel_args *args);

typedef struct lucid__kernel {
    lucid__kernel_fn *run;  /* NULL: the backend has none */
    lucid__work_rule *work; /* NULL: it only moves and compares elements, which are its lanes */
    uint32_t contiguous;    /* bit i: input i (31: all later ones) must come row-major */
    uint32_t optional;      /* bit k (31: all later ones): output k can be left out when unread */
} lucid__kernel;

typedef struct lucid__speed {
    int threads;
    double bytes_per_second;        /* read and written, of a long copy */
    double cached_bytes;            /* as much in all stays in the caches of the cores */
    double cached_bytes_per_second; /* of a copy there */
    /* Of products of large matrices, by dtype; 0: no float. */
    double flops_per_second[LUCID_NO_DTYPE];
} lucid__speed;

typedef struct lucid__backend {
    const char *name;
    /* slots: the memory of each slot of the plan. LUCID_MEMORY_ERROR, or LUCID_INDEX_ERROR and in `error` which
     * index is out of range. */
    lucid_status (*run_program)(lucid__program *program, void *const *slots, char *error,
                                size_t error_size);
    /* Frees what the backend has with it. */
    void (*forget_program)(lucid__program *program);
    void (*forget_lanes)(lucid__lane_program *program);
    /* That it has with all programs now. */
    uint64_t (*bytes_with_programs)(void);
    lucid_status (*run_lanes)(lucid__lane_program *program, const lucid__kernel_args *args);
    const lucid__kernel *kernels; /* indexed by lucid__prim_id */
    /* What the machine can do, measured when first asked for. Only under the engine's lock. */
    const lucid__speed *(*speed)(void);
    /* Seconds that the instructions of a program take, with all operands in the nearest cache. */
    double (*program_seconds)(const lucid__program *program);
} lucid__backend;

extern const lucid__backend lucid__cpu_backend;

#endif
