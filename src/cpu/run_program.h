/* The program interpreter: how a program's loop space is cut into the boxes that a machine runs. */
#ifndef LUCID__RUN_PROGRAM_H
#define LUCID__RUN_PROGRAM_H

#include "cpu/machine.h"
#include "lucid.h"

/* Runs any program. error: which index is out of range, on LUCID_INDEX_ERROR. */
lucid_status lucid__run_program(lucid__program *program, void *const *slots, char *error,
                                size_t error_size);
void lucid__forget_program(lucid__program *p);
/* That are kept with all programs. */
uint64_t lucid__bytes_with_programs(void);
/* A program whose reductions are over the same dims, run box by box along them, too, with so many threads. */
typedef struct lucid__stages lucid__stages;
lucid__stages *lucid__stages_new(const lucid__program *p); /* NULL: out of memory */
void lucid__stages_free(lucid__stages *r);                 /* NULL is fine */
size_t lucid__stages_bytes(const lucid__stages *r);
lucid_status lucid__run_stages(const lucid__stages *prepared, void *const *slots, int threads,
                               lucid__bad_index *bad);

/* How large boxes get: bytes of registers that stay in the first-level cache, and that may be in the second
 * where all reduced points are held at once; lanes of a register over all dims. Tests make them tiny, so that
 * small programs have many boxes and stages. */
typedef struct lucid__box_limits {
    int64_t cache_bytes, whole_bytes, least_lanes;
} lucid__box_limits;

extern lucid__box_limits lucid__limits;

/* Lanes of a register over all dims, so that all of them stay in that cache. */
int64_t lucid__lanes_for(const lucid__program *p);
/* Threads worth using for so many points, as many as there may be. */
int lucid__threads_for(const lucid__program *p, int64_t points);
/* Whether the dims that are not reduced are better the innermost ones of the lanes. */
bool lucid__prefers_columns(const lucid__program *p);

static inline int64_t lucid__points(const lucid__program *p, unsigned dims)
{
    int64_t n = 1;
    for (int d = 0; d < p->ndim; d++)
        if (dims >> d & 1)
            n = lucid__times(n, p->dim[d]);
    return n;
}

/* The boxes along some dims, numbered row-major: dims along which a box does not hold all points. */
typedef struct lucid__boxes {
    int n;
    int dim[LUCID_MAX_NDIM];
    int64_t parts[LUCID_MAX_NDIM], count;
} lucid__boxes;

/* Cuts `dims`, from the innermost lanes on, so that the registers take about `bytes`; sets f->size for them,
 * that of the others is set, and f->order. The innermost of `dims` gets at most `inner` points. */
lucid__boxes lucid__boxes_cut(lucid__frame *f, const lucid__program *p, unsigned dims,
                              int64_t bytes, int64_t inner);
/* Moves the machine to a box. */
void lucid__boxes_seek(const lucid__boxes *b, lucid__machine *m, int64_t number);

#endif
