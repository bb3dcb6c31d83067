/* The Tensor object: a retained handle, and what in-place writing and gradients need beside it. */
#ifndef LUCIDPY_TENSOR_TYPE_H
#define LUCIDPY_TENSOR_TYPE_H

#include <Python.h>
#include <lucid.h>

typedef struct lucidpy_object {
    PyObject_HEAD lucid_tensor handle;
    uint64_t level; /* the transform that ran when it was made (lucid_level); 0: none */
    PyObject *weakrefs;
    /* `.grad` is one object for as long as it is used, so that x.grad.zero_() means what it says:
     * the leaf holds its gradient, and the gradient knows its leaf and writes through to it. */
    struct lucidpy_object *grad;
    struct lucidpy_object *grad_of; /* not owned: the leaf clears it */
    bool is_leaf;                   /* requires_grad_() was called on it */
} lucidpy_object;

extern PyTypeObject *lucidpy_tensor_type;

bool lucidpy_tensor_init(PyObject *module);

static inline bool lucidpy_is_tensor(PyObject *o)
{
    return Py_TYPE(o) == lucidpy_tensor_type;
}

static inline lucid_tensor lucidpy_handle(PyObject *tensor)
{
    return ((lucidpy_object *)tensor)->handle;
}

/* A new Tensor of the handle; NULL with an exception. */
PyObject *lucidpy_wrap(lucid_scope *s, lucid_tensor y);

/* The end of a call: a new Tensor of `y`, or NULL with the exception of what failed in `s`. Closes
 * `s` either way. */
PyObject *lucidpy_result(lucid_scope *s, lucid_tensor y);

/* Makes the object stand for another value of its own shape and dtype kind: what in-place writing
 * is. False with an exception when the tensor may not be written here. */
bool lucidpy_rebind(lucid_scope *s, PyObject *tensor, lucid_tensor y);

/* A name for what is wrong with a handle whose value cannot be shown, and the shape as "(2, 3)". */
PyObject *lucidpy_shape_tuple(lucid_tensor x);

#endif
