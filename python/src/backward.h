/* requires_grad_, backward, grad, no_grad. */
#ifndef LUCIDPY_BACKWARD_H
#define LUCIDPY_BACKWARD_H

#include "tensor_type.h"

bool lucidpy_recording_init(PyObject *module);

/* For a leaf that is written in place: makes *y a leaf in its stead, with its gradient. False with an
 * exception when the write would be recorded: outside of no_grad(), unless it is known to be `detached`. */
bool lucidpy_write_leaf(lucid_scope *s, lucid_tensor leaf, lucid_tensor *y, bool detached);
/* The value y as a leaf with the gradient of another. */
lucid_tensor lucidpy_leaf_again(lucid_scope *s, lucid_tensor leaf, lucid_tensor y);

/* When a leaf or a gradient goes away: the other forgets it. */
void lucidpy_forget_grad(lucidpy_object *t);

/* The properties of Tensor. */
PyObject *lucidpy_get_grad(PyObject *self, void *unused);
int lucidpy_set_grad(PyObject *self, PyObject *value, void *unused);
PyObject *lucidpy_get_requires_grad(PyObject *self, void *unused);
int lucidpy_set_requires_grad(PyObject *self, PyObject *value, void *unused);
PyObject *lucidpy_get_is_leaf(PyObject *self, void *unused);

#endif
