/* From Python objects to tensors: numbers, buffers (NumPy arrays), nested lists. */
#ifndef LUCIDPY_CONVERT_H
#define LUCIDPY_CONVERT_H

#include <Python.h>
#include <lucid.h>

#include "tensor_type.h"

typedef enum lucidpy_sharing {
    LUCIDPY_COPY,   /* the tensor has its own memory */
    LUCIDPY_FROZEN, /* shares memory that nobody can ever write, copies other memory */
} lucidpy_sharing;

/* What an operation takes as a tensor: a Tensor, a number (weak in promotion), a buffer, a nested
 * list. 1: *x is set, owned by `s` or by `o`. 0: `o` is nothing of the kind. -1: an exception. */
int lucidpy_convert(lucid_scope *s, PyObject *o, lucid_tensor *x);

/* As lucidpy_convert, but a number becomes a tensor of its own dtype, as in lucid.tensor(2.0);
 * buffers are treated as `sharing` says. */
int lucidpy_convert_data(lucid_scope *s, PyObject *o, lucidpy_sharing sharing, lucid_tensor *x);
/* The same, in this dtype, numbers of Python without a step in between; LUCID_NO_DTYPE: as above. */
int lucidpy_convert_to(lucid_scope *s, PyObject *o, lucidpy_sharing sharing, lucid_dtype dtype,
                       lucid_tensor *x);

/* A number of Python, as a weak scalar. 1, 0 or -1 as above. */
int lucidpy_convert_number(lucid_scope *s, PyObject *o, lucid_tensor *x);

/* TypeError "<message>, not 'str'"; returns false. */
bool lucidpy_wrong_type(PyObject *o, const char *message);

/* True when `o` is a bool, int or float of Python. */
bool lucidpy_is_number(PyObject *o);

/* True when `o` is no Tensor but holds an array: it exports a buffer or has __array__. */
bool lucidpy_is_array(PyObject *o);

#endif
