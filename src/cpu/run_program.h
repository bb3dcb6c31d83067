/* The program interpreter. A program runs over tiles: consecutive points of its loop space, one vector
 * register of lanes each. */
#ifndef LUCID__RUN_PROGRAM_H
#define LUCID__RUN_PROGRAM_H

#include "cpu/instr.h"
#include "engine/program.h"
#include "lucid.h"

enum { LUCID__TILE = 512 }; /* lanes of a register; divides LUCID__FOLD_BLOCK */

/* What one thread needs to run a program: its registers, and where in memory each stream is. */
typedef struct lucid__machine {
    const lucid__program *program;
    const lucid__bodies *bodies;
    void *const *slots;
    char *memory;                       /* of the registers' own lanes */
    size_t lanes_bytes;                 /* of one register there */
    bool uniform[LUCID__MAX_REGISTERS]; /* loads: one number for all points, there from the start */
    void *reg[LUCID__MAX_REGISTERS];    /* where a register's lanes are now */
} lucid__machine;

/* For tiles of at most `lanes` points. */
bool lucid__machine_init(lucid__machine *m, const lucid__program *p, void *const *slots,
                         int64_t lanes);
void lucid__machine_free(lucid__machine *m);

/* Loads and computes the points first .. first + n - 1 (n <= LUCID__TILE) of the loop space whose dims
 * are `dim`, in row-major order, all streams moved on by `shift` times their strides (may be NULL). */
void lucid__machine_compute(lucid__machine *m, const int64_t *dim, int ndim, const int64_t *shift,
                            int64_t first, int64_t n);

/* Writes n lanes to a store stream, points as above. */
void lucid__machine_store(const lucid__machine *m, const lucid__stream *to, const void *lanes,
                          const int64_t *dim, int ndim, int64_t first, int64_t n);

int64_t lucid__product(const int64_t *dim, int ndim);

/* Runs a program with reduced dims. */
lucid_status lucid__run_fold(const lucid__program *p, void *const *slots);
/* Runs any program. */
lucid_status lucid__run_program(const lucid__program *p, void *const *slots);

/* Threads worth using for so many points. */
int lucid__threads_for(const lucid__program *p, int64_t points);

#endif
