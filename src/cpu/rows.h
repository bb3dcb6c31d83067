/* Work on the rows of one dim, params[0], of a row-major input: [outer, n, inner]. A task is one of
 * outer and some neighbouring columns of inner, so that memory is read in order. */
#ifndef LUCID__ROWS_H
#define LUCID__ROWS_H

#include "engine/backend.h"

/* Columns of a task; their running values stay in the first-level cache. */
enum { LUCID__COLUMNS = 256 };

typedef struct lucid__rows {
    int64_t outer, n, inner;
    bool parallel; /* enough work for several threads */
} lucid__rows;

lucid__rows lucid__rows_of(const lucid__kernel_args *args);

/* columns <= LUCID__COLUMNS rows, whose first elements are at x[at], x[at + 1], ...; `task` counts
 * (outer, inner) in row-major order. */
typedef void lucid__rows_task(const lucid__rows *r, const lucid__kernel_args *args, int64_t at,
                              int64_t task, int64_t columns);

lucid_status lucid__rows_run(const lucid__kernel_args *args, lucid__rows_task *task);

#endif
