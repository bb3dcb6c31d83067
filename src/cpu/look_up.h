/* Reading and writing at positions that are data, compiled for several instruction sets (isa_look_up.c). */
#ifndef LUCID__LOOK_UP_H
#define LUCID__LOOK_UP_H

#include <stdbool.h>
#include <stdint.h>

#include "lucid.h"

/* position[i] += index[i] * step for n indices into a dim of that size, negative ones counted from the end. False:
 * some are out of range; these add nothing. */
typedef bool lucid__locate(int64_t *position, const void *index, int64_t n, int64_t size,
                           int64_t step);

/* Rows of n lanes. Lane i of row r is the element at position[r from_row + i from] + r at_row + i at of the table. */
typedef struct lucid__look_up_block {
    int64_t rows, from_row, at_row, n, from, at;
} lucid__look_up_block;

typedef void lucid__fetch(void *lanes, const void *table, const int64_t *position,
                          const lucid__look_up_block *b);

/* Rows of `length` elements, one after the other: row i is at v + at[i], `stride` apart, and goes to or onto out +
 * to[i]. */
typedef void lucid__write_rows(void *out, const int64_t *to, const void *v, const int64_t *at,
                               int64_t rows, int64_t length, int64_t stride);

typedef struct lucid__look_up {
    lucid__locate *locate_int32, *locate_int64;
    lucid__fetch *fetch[9];                 /* by the bytes of an element */
    lucid__write_rows *put[9];              /* the same */
    lucid__write_rows *add[LUCID_NO_DTYPE]; /* on bools: or */
} lucid__look_up;

#endif
