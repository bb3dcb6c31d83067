/* Running lane programs (engine/lane_program.h): a machine has the registers of one tile of lanes. */
#ifndef LUCID__LANE_MACHINE_H
#define LUCID__LANE_MACHINE_H

#include "cpu/lane_isa.h"
#include "engine/backend.h"
#include "engine/lane_program.h"

/* An input or output of the program in memory, as the lanes of one tile meet it. Those of a scan's steps
 * pass through a buffer that holds some steps, so that they are transposed in the cache. */
typedef struct lucid__lane_port {
    char *data;
    size_t size;
    int64_t elements; /* of a lane, or of a step of it */
    int64_t lane_stride, step_stride;
    const int64_t *offset; /* of each element */
    int64_t steps;         /* that the buffer holds; 0: no buffer */
    int64_t *step_offset;  /* of each element of each of those */
    char **lanes;          /* registers, or the rows of the buffer */
} lucid__lane_port;

typedef struct lucid__lane_machine {
    const lucid__lane_program *program;
    const lucid__lane_isa *isa;
    int64_t capacity; /* lanes that a register holds */
    char *memory, *tables;
    char **reg;
    lucid__lane_exec *code;
    const void **terms;         /* of all sums of products and matrices */
    char *scratch;              /* of matrices */
    lucid__lane_body *blend[9]; /* d = a ? b : c by the size of an element */
    lucid__lane_port *in, *out;
    int64_t first; /* the example that is lane 0 */
    /* An index that was out of range, along dim bad_dim of bad_table; NULL: none was. */
    const lucid__lane_table *bad_table;
    int64_t bad_index;
    int bad_dim;
} lucid__lane_machine;

/* False: out of memory. Registers that are the same for every lane are computed. */
bool lucid__lane_machine_init(lucid__lane_machine *m, const lucid__lane_program *p,
                              const lucid__view *in, const lucid__view *out, int64_t capacity);
void lucid__lane_machine_free(lucid__lane_machine *m);

/* Examples first .. first + n - 1 become lanes 0 .. n - 1, up to the control. */
void lucid__lane_machine_begin(lucid__lane_machine *m, int64_t first, int64_t n);
/* Instructions from .. end - 1 on n lanes. Of loops and branches only the lanes with a mask count; NULL:
 * all. */
void lucid__lane_machine_run(lucid__lane_machine *m, int from, int end, int64_t n,
                             const bool *mask);
void lucid__lane_machine_moves(lucid__lane_machine *m, const lucid__lane_moves *moves, int64_t n);
/* For loops over n lanes: the bits of an iteration's number that are 0 when it looks for an interruption. */
int lucid__lane_machine_patience(const lucid__lane_machine *m, int64_t n);
/* Writes the lanes' results, but for those of steps. */
void lucid__lane_machine_store(const lucid__lane_machine *m, int64_t n);
/* The results of single lanes: lane slot[i] is example `example[i]`. */
void lucid__lane_machine_store_some(const lucid__lane_machine *m, const int *slot,
                                    const int64_t *example, int64_t n);

/* How many registers the operands and results of a matrix are, and lists them: NULL for one that nobody reads.
 * (lane_matrices.c) */
size_t lucid__lane_matrix_registers(const lucid__lane_matrix *x);
const void **lucid__lane_matrix_resolve(const lucid__lane_machine *m, const lucid__lane_matrix *x,
                                        const void **to);
/* What matrices need to work in. */
size_t lucid__lane_matrix_scratch(const lucid__lane_program *p);
void lucid__lane_matrix_run(const lucid__lane_machine *m, const lucid__lane_exec *e,
                            const lucid__lane_instr *in, int64_t n);

/* Memory of the ports; false: out of memory. (lane_ports.c) */
bool lucid__lane_ports_init(lucid__lane_machine *m, const lucid__view *in, const lucid__view *out);
void lucid__lane_port_load(const lucid__lane_machine *m, const lucid__lane_port *port,
                           int64_t first, int64_t n);
/* A step's xs into registers, its ys out of them; `done` steps went before it. */
void lucid__lane_load_step(lucid__lane_machine *m, const lucid__lane_control *c,
                           const lucid__lane_slice *x, int64_t done, int64_t n);
void lucid__lane_store_step(lucid__lane_machine *m, const lucid__lane_control *c,
                            const lucid__lane_slice *y, int64_t done, int64_t n);

/* Runs a program. */
lucid_status lucid__run_lanes(lucid__lane_program *p, const lucid__kernel_args *args);
void lucid__forget_lanes(lucid__lane_program *p);

#endif
