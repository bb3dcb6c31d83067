/* Tensors from nested lists or tuples, e.g. lucid.tensor([[1.0, 2.0], [3.0, 4.0]]). */
#ifndef LUCIDPY_NESTED_LIST_H
#define LUCIDPY_NESTED_LIST_H

#include <Python.h>
#include <lucid.h>

/* Elements: numbers (the list becomes bool, int64 or float32, whichever holds them all; float64 when
 * that is the dtype it is wanted in), or tensors and arrays, which are stacked. False: an exception is
 * set. */
bool lucidpy_import_nested_list(lucid_scope *s, PyObject *list, lucid_dtype wanted,
                                lucid_tensor *x);

#endif
