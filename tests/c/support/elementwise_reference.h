/* What pow and every operation of lucid_elementwise.def compute, in plain C. */
#ifndef ELEMENTWISE_REFERENCE_H
#define ELEMENTWISE_REFERENCE_H

#include "lucid.h"

typedef enum elementwise_kind {
    CLASS_SAME,
    CLASS_SIGNED,
    CLASS_FLOAT,
    CLASS_TEST,
    CLASS_LOGIC,
    CLASS_BITS,
} elementwise_kind;

typedef struct elementwise_reference {
    const char *name;
    elementwise_kind class;
    lucid_tensor (*unary_builder)(lucid_scope *s, lucid_tensor x);
    lucid_tensor (*binary_builder)(lucid_scope *s, lucid_tensor x, lucid_tensor y);
    /* Of floats. */
    long double (*unary)(long double x);
    long double (*binary)(long double x, long double y);
    /* Of integers of so many bits and of bools; unary ones ignore y. The low bits count. */
    int64_t (*integer)(int64_t x, int64_t y, int bits);
} elementwise_reference;

extern const elementwise_reference elementwise_references[];
extern const size_t elementwise_reference_count;

#endif
