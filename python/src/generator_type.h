/* Generators: where random numbers come from, and how to go back to where they were. */
#ifndef LUCIDPY_GENERATOR_TYPE_H
#define LUCIDPY_GENERATOR_TYPE_H

#include "ops.h"

bool lucidpy_random_init(PyObject *module);

/* Around what draws: random operations between the two draw from the argument `generator`. */
typedef struct lucidpy_draw {
    lucid_generator *before; /* NULL: the argument is None */
} lucidpy_draw;

lucidpy_draw lucidpy_draw_begin(lucidpy_call *c, int i);
void lucidpy_draw_end(lucidpy_call *c, lucidpy_draw draw);

#endif
