/* Making small tensors and comparing them with what plain C computed. */
#ifndef LUCID_TEST_COMPARE_H
#define LUCID_TEST_COMPARE_H

#include "lucid.h"

enum { COMPARE_MOST = 4096 }; /* elements */

#define F64(s, shape, ...) lucid_from_data(s, (const double[]){__VA_ARGS__}, LUCID_FLOAT64, shape)
#define I64(s, shape, ...) lucid_from_data(s, (const int64_t[]){__VA_ARGS__}, LUCID_INT64, shape)

/* 0, 1, 2, ... in float64. */
lucid_tensor count_up(lucid_scope *s, lucid_shape shape);
/* Different numbers in [-1, 1), the same in every run. */
lucid_tensor some_numbers(lucid_scope *s, lucid_shape shape, int which);

void check_ok(lucid_scope *s);
/* The elements as float64 into `to` (room for COMPARE_MOST); returns how many. */
size_t values_of(lucid_scope *s, lucid_tensor x, double *to);
void check_shape(lucid_tensor x, lucid_shape shape);
/* Equal to a relative 1e-12; NaN equals NaN. */
void check_values(lucid_scope *s, lucid_tensor x, lucid_shape shape, const double *expected);
void check_same(lucid_scope *s, lucid_tensor x, lucid_tensor expected);
/* The error recorded has this status and its message this part; clears it. */
void check_error(lucid_scope *s, lucid_status status, const char *part);

#define CHECK(s, x, shape, ...) check_values(s, x, shape, (const double[]){__VA_ARGS__})

#endif
