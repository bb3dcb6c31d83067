/* Linear functions: what vjp and linearize return. */
#ifndef LUCIDPY_LINEAR_H
#define LUCIDPY_LINEAR_H

#include <Python.h>
#include <stdbool.h>

bool lucidpy_linear_init(PyObject *module);

#endif
