/* Random programs: functions of one example that compose public operations, chosen by a stream of
 * numbers. The stream starts anew at every call, and operations look at shapes only, so that a
 * program is the same function for one example and for a batch. It may call transforms itself. */
#ifndef RANDOM_PROGRAM_H
#define RANDOM_PROGRAM_H

#include "lucid.h"
#include "support/samples.h"

/* Where choices come from: bytes while there are any (fuzzing), then a generator. */
typedef struct choices {
    const uint8_t *bytes;
    size_t size;
    bool bytes_only; /* 0 for ever after the bytes */
    test_rng rng;
} choices;

int64_t choose(choices *c, int64_t n); /* 0 .. n - 1 */

enum { PROGRAM_POOL = 24, PROGRAM_MAX_NUMEL = 96 };

typedef struct program {
    choices start;
    int steps;
    int depth;    /* of transforms around it, inside the program */
    bool trace;   /* says on stderr what it does */
    bool asks;    /* may look at values: not for the vectorized strategy */
    bool draws;   /* may draw random numbers */
    bool in_body; /* of a loop or a branch */
    bool smooth;  /* no kinks: derivatives can be compared with each other */
    /* Captured from the enclosing program. */
    const lucid_tensor *captured;
    size_t ncaptured;
} program;

/* A lucid_function with one result and a `program` as user. The result is float64 when the inputs
 * are. */
lucid_status program_run(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user);
/* How many steps with products of tensors ran so far: the engine may associate them otherwise. */
int64_t program_products(void);
/* The same, summed to a scalar. */
lucid_status program_run_to_scalar(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                   lucid_tensor *y, size_t ny, void *user);

#endif
