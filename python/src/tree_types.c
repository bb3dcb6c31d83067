#include "tree_types.h"

#include "tensor_type.h"

/* -- prototypes ------------------------------------------------------------------------------- */

static PyObject *copy_of(PyObject *o)
{
    PyObject *module = PyImport_ImportModule("copy");
    PyObject *copy = module ? PyObject_CallMethod(module, "copy", "O", o) : NULL;
    Py_XDECREF(module);
    if (copy && Py_TYPE(copy) != Py_TYPE(o)) {
        PyErr_Format(PyExc_TypeError, "copy.copy of %R gives another type", (PyObject *)Py_TYPE(o));
        Py_CLEAR(copy);
    }
    return copy;
}

PyObject *lucidpy_prototype(PyObject *o)
{
    PyObject *prototype = copy_of(o);
    PyObject *cleared = prototype ? PyObject_CallMethod(prototype, "clear", NULL) : NULL;
    if (!cleared)
        Py_CLEAR(prototype);
    Py_XDECREF(cleared);
    return prototype;
}

PyObject *lucidpy_from_prototype(PyObject *prototype)
{
    return copy_of(prototype);
}

static bool same_attribute(PyObject *a, PyObject *b, const char *name)
{
    PyObject *x = PyObject_GetAttrString(a, name);
    PyErr_Clear();
    PyObject *y = PyObject_GetAttrString(b, name);
    PyErr_Clear();
    bool same = x == y || (x && y && PyObject_RichCompareBool(x, y, Py_EQ) == 1);
    PyErr_Clear();
    Py_XDECREF(x);
    Py_XDECREF(y);
    return same;
}

bool lucidpy_same_prototype(PyObject *a, PyObject *b, bool attributes)
{
    if (a == b)
        return true;
    return a && b && Py_TYPE(a) == Py_TYPE(b) &&
           (!attributes ||
            (same_attribute(a, b, "__dict__") && same_attribute(a, b, "default_factory")));
}

/* -- dataclasses ------------------------------------------------------------------------------ */

static bool is_dataclass(PyObject *o)
{
    return !PyType_Check(o) &&
           PyObject_HasAttrString((PyObject *)Py_TYPE(o), "__dataclass_fields__");
}

/* A tensor, or a container that has one, three levels deep. */
static bool holds_tensor(PyObject *o, int depth)
{
    if (lucidpy_is_tensor(o))
        return true;
    bool found = false;
    if (depth > 0 && PyDict_Check(o)) {
        PyObject *key, *value;
        Py_ssize_t at = 0;
        while (!found && PyDict_Next(o, &at, &key, &value))
            found = holds_tensor(value, depth - 1);
    }
    for (Py_ssize_t i = 0; depth > 0 && !found && PyTuple_Check(o) && i < PyTuple_Size(o); i++)
        found = holds_tensor(PyTuple_GetItem(o, i), depth - 1);
    for (Py_ssize_t i = 0; depth > 0 && !found && PyList_Check(o) && i < PyList_Size(o); i++)
        found = holds_tensor(PyList_GetItem(o, i), depth - 1);
    return found;
}

bool lucidpy_is_dataclass_of_tensors(PyObject *o)
{
    enum { MOST_LEVELS = 3 };
    if (!is_dataclass(o))
        return false;
    PyObject *fields = PyObject_GetAttrString(o, "__dataclass_fields__");
    PyObject *names = fields && PyDict_Check(fields) ? PyDict_Keys(fields) : NULL;
    bool found = false;
    for (Py_ssize_t i = 0; names && !found && i < PyList_Size(names); i++) {
        PyObject *value = PyObject_GetAttr(o, PyList_GetItem(names, i));
        found =
            value && (holds_tensor(value, MOST_LEVELS) || lucidpy_is_dataclass_of_tensors(value));
        Py_XDECREF(value);
        PyErr_Clear();
    }
    PyErr_Clear();
    Py_XDECREF(names);
    Py_XDECREF(fields);
    return found;
}

PyObject *lucidpy_advice(PyObject *o)
{
    return PyUnicode_FromString(
        is_dataclass(o)
            ? "; a dataclass is no structure that transforms look into: pass its fields as a dict "
              "or a named tuple (vars(x) is a dict of them), and make the dataclass of them "
              "inside of the function"
            : "");
}
