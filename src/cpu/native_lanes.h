/* The native form of a lane program: where its instructions on floats follow each other in one block, they are
 * chains of machine code (chain_code.h), with the same bits. A program gets it once it has done work enough. */
#ifndef LUCID__NATIVE_LANES_H
#define LUCID__NATIVE_LANES_H

#include "cpu/chains.h"
#include "engine/lane_program.h"

typedef struct lucid__lane_native {
    lucid__chains chains;
    const int *first, *count; /* of each chain: the instructions that it stands for */
} lucid__lane_native;

/* NULL: none is possible, or worth it. */
lucid__lane_native *lucid__lane_native_new(const lucid__lane_program *p);
/* NULL is fine. */
void lucid__lane_native_free(lucid__lane_native *native);

#endif
