/* The numbers of the primitives: LUCID__add, LUCID__sin, ... from prims.def. */
#ifndef LUCID__PRIM_ID_H
#define LUCID__PRIM_ID_H

typedef enum lucid__prim_id {
#define PRIM(name, family, inputs, outputs) LUCID__##name,
#include "prim/prims.def"
#undef PRIM
    LUCID__PRIM_COUNT,
} lucid__prim_id;

typedef enum lucid__family {
    LUCID__ELEMENTWISE,
    LUCID__SOURCE,
    LUCID__RANDOM,
    LUCID__SHAPE,
    LUCID__REDUCTION,
    LUCID__CUMULATIVE,
    LUCID__CONTRACTION,
    LUCID__INDEXING,
    LUCID__LINALG,
    LUCID__COLLECTIVE,
    LUCID__CONTROL,
    LUCID__RECORDED,
    LUCID__FAMILY_COUNT,
} lucid__family;

#endif
