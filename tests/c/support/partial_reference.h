/* The derivatives of pow and every operation of lucid_elementwise.def, in plain C. */
#ifndef PARTIAL_REFERENCE_H
#define PARTIAL_REFERENCE_H

#include "lucid.h"

typedef struct partial_reference {
    const char *name;
    lucid_tensor (*unary_builder)(lucid_scope *s, lucid_tensor x);
    lucid_tensor (*binary_builder)(lucid_scope *s, lucid_tensor x, lucid_tensor y);
    /* In x, and in y; unary ones ignore y. NULL: it has none, being of integers and bools. */
    long double (*in_x)(long double x, long double y);
    long double (*in_y)(long double x, long double y);
} partial_reference;

extern const partial_reference partial_references[];
extern const size_t partial_reference_count;

#endif
