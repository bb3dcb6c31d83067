/* Tuples of tensors as results, plain and with named fields. */
#ifndef LUCIDPY_TUPLES_H
#define LUCIDPY_TUPLES_H

#include "ops.h"

typedef enum lucidpy_named {
    LUCIDPY_MAX,
    LUCIDPY_MIN,
    LUCIDPY_SORT,
    LUCIDPY_TOPK,
    LUCIDPY_SLOGDET,
    LUCIDPY_QR,
    LUCIDPY_EIGH,
    LUCIDPY_SVD,
    LUCIDPY_LSTSQ,
    LUCIDPY_NAMED_COUNT,
} lucidpy_named;

/* Adds the types as the module return_types. */
bool lucidpy_tuples_init(PyObject *module);

/* A tuple of n new Tensors; NULL with an exception, also of what failed in `s`. */
PyObject *lucidpy_tuple(lucid_scope *s, const lucid_tensor *xs, size_t n);
PyObject *lucidpy_named_tuple(lucid_scope *s, lucidpy_named which, const lucid_tensor *xs, int n);
/* The same with two. */
PyObject *lucidpy_named_pair(lucid_scope *s, lucidpy_named which, lucid_tensor first,
                             lucid_tensor second);

#endif
