/* Structures of types of their own: subclasses of dict and list keep their type, dataclasses are refused. */
#ifndef LUCIDPY_TREE_TYPES_H
#define LUCIDPY_TREE_TYPES_H

#include <Python.h>
#include <stdbool.h>

/* An empty copy of a dict or list of a type of its own, with its attributes (and default_factory). */
PyObject *lucidpy_prototype(PyObject *o);
/* A new reference to one more such copy, to be filled. */
PyObject *lucidpy_from_prototype(PyObject *prototype);
/* Whether what they make is of one type, and with `attributes` whether it has the same ones; NULL: plain dicts
 * and lists. No exception. */
bool lucidpy_same_prototype(PyObject *a, PyObject *b, bool attributes);

/* Whether o is a dataclass with tensors among its fields, which nobody would see. */
bool lucidpy_is_dataclass_of_tensors(PyObject *o);
/* What to do instead of a structure of this type: "; ..." or "". */
PyObject *lucidpy_advice(PyObject *o);

#endif
