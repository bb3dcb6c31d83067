/* Operators: x + y, x ** 2, x @ y, x < y, x += y, bool(x), float(x), ... */
#ifndef LUCIDPY_NUMBER_PROTOCOL_H
#define LUCIDPY_NUMBER_PROTOCOL_H

#include <Python.h>
#include <lucid.h>

/* The slots of Tensor; ends with an empty one. */
extern const PyType_Slot lucidpy_number_slots[];

/* A function as the void pointer that a type slot wants. */
#define LUCIDPY_SLOT(f) ((void *)(uintptr_t)(f))

/* The only element as a number of Python. */
PyObject *lucidpy_item(lucid_scope *s, lucid_tensor x);

#endif
