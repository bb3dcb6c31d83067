/* Work on the rows of one dim, params[0], of a row-major input: [outer, n, inner]. A task is several rows
 * that lie next to each other: neighbouring columns of inner, or where inner is 1, whole rows. */
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

/* `count` rows, at most LUCID__COLUMNS of them. The first elements of the rows are at x[at], and from there
 * 1 apart, or n where inner is 1; `task` counts (outer, inner) in row-major order. */
typedef void lucid__rows_task(const lucid__rows *r, const lucid__kernel_args *args, int64_t at,
                              int64_t task, int64_t count);

lucid_status lucid__rows_run(const lucid__kernel_args *args, lucid__rows_task *task);

#endif
