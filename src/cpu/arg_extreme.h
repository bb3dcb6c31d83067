/* Where the extremes of rows are, compiled for several instruction sets (isa_arg.c). */
#ifndef LUCID__ARG_EXTREME_H
#define LUCID__ARG_EXTREME_H

#include <stdint.h>

enum { LUCID__ARG_COLUMNS = 256 };

/* to[j] = the first k with the extreme of x[k stride + j], or with a NaN if there is one; for
 * `columns` <= LUCID__ARG_COLUMNS columns of n >= 1 elements. */
typedef void lucid__arg_columns(const void *x, int64_t n, int64_t stride, int64_t columns,
                                int64_t *to);
/* to[i] = the same of x[i n + k], for rows i. */
typedef void lucid__arg_rows(const void *x, int64_t n, int64_t rows, int64_t *to);

typedef struct lucid__arg_extreme {
    lucid__arg_columns *columns;
    lucid__arg_rows *rows;
} lucid__arg_extreme;

#endif
