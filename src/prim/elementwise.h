/* The class of an elementwise primitive says which dtypes it takes and gives. */
#ifndef LUCID__ELEMENTWISE_H
#define LUCID__ELEMENTWISE_H

#include "prim/prim.h"

typedef enum lucid__class {
    LUCID__CLASS_NONE, /* not an operation of lucid_elementwise.def */
    LUCID__CLASS_SAME,
    LUCID__CLASS_SIGNED,
    LUCID__CLASS_FLOAT,
    LUCID__CLASS_TEST,
    LUCID__CLASS_LOGIC,
    LUCID__CLASS_BITS,
} lucid__class;

lucid__class lucid__class_of(lucid__prim_id id);

#endif
