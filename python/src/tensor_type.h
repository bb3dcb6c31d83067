/* The Tensor object: a retained handle, and what in-place writing and gradients need beside it. */
#ifndef LUCIDPY_TENSOR_TYPE_H
#define LUCIDPY_TENSOR_TYPE_H

#include <Python.h>
#include <lucid.h>

typedef struct lucidpy_shared lucidpy_shared; /* views.h */
typedef struct lucidpy_window lucidpy_window;

typedef struct lucidpy_object {
    PyObject_HEAD lucid_tensor handle; /* of a view perhaps an old one: lucidpy_handle */
    uint64_t level; /* the transform that ran when it was made (lucid_level); 0: none */
    PyObject *weakrefs;
    /* `.grad` is one object for as long as it is used, so that x.grad.zero_() means what it says:
     * the leaf holds its gradient, and the gradient knows its leaf and writes through to it. */
    struct lucidpy_object *grad;
    struct lucidpy_object *grad_of; /* not owned: the leaf clears it */
    bool is_leaf;                   /* requires_grad_() was called on it */
    lucidpy_shared *shared;         /* with its views, or with what it is a view of; may be NULL */
    lucidpy_window *window;         /* what it shows of that; NULL: it is no view */
    struct lucidpy_memory *memory; /* of others, that it follows (followed_memory.h); may be NULL */
} lucidpy_object;

extern PyTypeObject *lucidpy_tensor_type;

bool lucidpy_tensor_init(PyObject *module);

static inline bool lucidpy_is_tensor(PyObject *o)
{
    return Py_TYPE(o) == lucidpy_tensor_type;
}

/* What a view, or a tensor over memory of others, shows now. Empty with an exception on failure. */
lucid_tensor lucidpy_look(lucidpy_object *t);

static inline lucid_tensor lucidpy_handle(PyObject *tensor)
{
    lucidpy_object *t = (lucidpy_object *)tensor;
    return t->window || t->memory ? lucidpy_look(t) : t->handle;
}

/* To make a view of, which looks for itself whether memory of others was written. */
static inline lucid_tensor lucidpy_viewed(PyObject *tensor)
{
    lucidpy_object *t = (lucidpy_object *)tensor;
    return t->memory ? t->handle : lucidpy_handle(tensor);
}

/* Of the same shape and dtype, which never change; perhaps with elements from before a write. */
static inline lucid_tensor lucidpy_form(PyObject *tensor)
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

/* Lets a new tensor (NULL: there is none) follow memory of others, which it takes over. */
void lucidpy_give_memory(PyObject *tensor, struct lucidpy_memory *memory);
/* Puts a handle in the place of the object's, in the gradient of a leaf too if it is one. */
bool lucidpy_set_handle(lucid_scope *s, lucidpy_object *t, lucid_tensor y);
/* The error of writing a tensor from outside; returns false. */
bool lucidpy_refuse_captured(void);

/* A name for what is wrong with a handle whose value cannot be shown, and the shape as "(2, 3)". */
PyObject *lucidpy_shape_tuple(lucid_tensor x);

#endif
