/* Tensors in and out without copies: the buffer protocol, DLPack, and pickling. */
#ifndef LUCIDPY_INTERCHANGE_H
#define LUCIDPY_INTERCHANGE_H

#include <Python.h>
#include <lucid.h>

#include "convert.h"

/* A tensor of an exporter of the buffer protocol. False: an exception is set. */
bool lucidpy_import_buffer(lucid_scope *s, PyObject *exporter, lucidpy_sharing sharing,
                           lucid_tensor *x);

/* The slots of Tensor. */
int lucidpy_getbuffer(PyObject *self, Py_buffer *view, int flags);
void lucidpy_releasebuffer(PyObject *self, Py_buffer *view);

/* Why what leaves as a number would lose a derivative: "is being differentiated"; for arrays
 * (`as_array`), where torch refuses it too, also "requires grad". NULL: it loses none. */
const char *lucidpy_derivative(lucid_tensor x, bool as_array);
/* False with an exception of the type (NULL: RuntimeError) when it would lose one. */
bool lucidpy_may_leave(lucid_tensor x, const char *how, bool as_array, PyObject *exception);

/* Computes *x without holding the GIL and returns its elements, row-major; *x becomes the tensor that
 * holds them (owned by the scope; retain it to keep them). NULL with an exception when that fails. */
const void *lucidpy_data(lucid_scope *s, lucid_tensor *x);

#endif
