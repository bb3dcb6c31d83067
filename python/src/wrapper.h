/* A function made from another: what vmap(f), grad(f) or no_grad(f) is. It shows the name and the
 * docstring of the function it was made from, and binds to instances when used as a method. */
#ifndef LUCIDPY_WRAPPER_H
#define LUCIDPY_WRAPPER_H

#include <Python.h>
#include <stdbool.h>

struct lucidpy_call; /* args.h */
typedef struct lucidpy_wrapper lucidpy_wrapper;

typedef PyObject *lucidpy_wrapper_call(const lucidpy_wrapper *self, PyObject *args,
                                       PyObject *keywords);

struct lucidpy_wrapper {
    PyObject_HEAD const char *name; /* of the transform */
    PyObject *func;
    lucidpy_wrapper_call *call;
    void *options;     /* of the transform, from PyMem_Malloc; owned */
    PyObject *held[3]; /* objects that the options mean; may be NULL */
    PyObject
        *made_of; /* what the transform was called with, to be called again by pickle and copy */
    PyObject *dict;
    PyObject *weakrefs;
    lucidpy_wrapper *next_ended; /* while it waits for its end */
};

bool lucidpy_wrapper_init(PyObject *module);
bool lucidpy_compile_init(PyObject *module); /* what compiled functions keep */

/* Takes over `options`, also when it fails. TypeError when func cannot be called. */
lucidpy_wrapper *lucidpy_wrapper_new(const char *name, PyObject *func, lucidpy_wrapper_call *call,
                                     void *options);

/* The same for a call of the transform, whose arguments are func and what pickle needs beside it. */
lucidpy_wrapper *lucidpy_wrapper_of_call(const struct lucidpy_call *c, lucidpy_wrapper_call *call,
                                         void *options);

/* The function behind o, borrowed, if o is a wrapper that is called this way; NULL otherwise. */
PyObject *lucidpy_wrapper_func(PyObject *o, lucidpy_wrapper_call *call);

#endif
