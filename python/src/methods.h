/* What Tensor has beside the table of operations: properties, text, length, iteration. */
#ifndef LUCIDPY_METHODS_H
#define LUCIDPY_METHODS_H

#include <Python.h>

extern PyGetSetDef lucidpy_tensor_getset[];
extern const char lucidpy_tensor_doc[];

PyObject *lucidpy_tensor_new(PyTypeObject *type, PyObject *args, PyObject *keywords);
PyObject *lucidpy_tensor_repr(PyObject *self);
Py_ssize_t lucidpy_len(PyObject *self);
PyObject *lucidpy_iter(PyObject *self);
int lucidpy_contains(PyObject *self, PyObject *value);

#endif
