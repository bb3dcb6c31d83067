#include "convert.h"

#include "call_scope.h"
#include "interchange.h"
#include "nested_list.h"

bool lucidpy_wrong_type(PyObject *o, const char *message)
{
    PyObject *name = PyType_GetName(Py_TYPE(o));
    if (name)
        PyErr_Format(PyExc_TypeError, "%s, not '%U'", message, name);
    Py_XDECREF(name);
    return false;
}

bool lucidpy_is_number(PyObject *o)
{
    return PyFloat_Check(o) || PyLong_Check(o);
}

static int done(lucid_scope *s)
{
    return lucidpy_ok(s) ? 1 : -1;
}

int lucidpy_convert_number(lucid_scope *s, PyObject *o, lucid_tensor *x)
{
    if (PyFloat_Check(o)) {
        *x = lucid_scalar(s, PyFloat_AsDouble(o));
    } else if (PyBool_Check(o)) {
        *x = lucid_scalar_bool(s, o == Py_True);
    } else if (PyLong_Check(o)) {
        int overflow;
        long long value = PyLong_AsLongLongAndOverflow(o, &overflow);
        if (overflow) {
            PyErr_Format(PyExc_ValueError, "%R does not fit int64", o);
            return -1;
        }
        *x = lucid_scalar_int(s, value);
    } else {
        return 0;
    }
    return done(s);
}

/* The same number as a tensor that counts fully in promotion. */
static int convert_strong_number(lucid_scope *s, PyObject *o, lucid_dtype dtype, lucid_tensor *x)
{
    int converted = lucidpy_convert_number(s, o, x);
    if (converted != 1)
        return converted;
    if (dtype != LUCID_NO_DTYPE)
        *x = lucid_cast(s, *x, dtype);
    *x = lucid_full(s, LUCID_SCALAR_SHAPE, *x);
    return done(s);
}

bool lucidpy_is_array(PyObject *o)
{
    return !lucidpy_is_number(o) && !PyUnicode_Check(o) && !PyType_Check(o) &&
           (PyObject_CheckBuffer(o) || PyObject_HasAttrString(o, "__array__"));
}

/* Objects that hold their data otherwise and give it on request (pandas, xarray). */
static int convert_by_array_method(lucid_scope *s, PyObject *o, lucidpy_sharing sharing,
                                   lucid_tensor *x)
{
    PyObject *array = PyObject_CallMethod(o, "__array__", NULL);
    if (!array)
        return -1;
    int converted = lucidpy_import_buffer(s, array, sharing, x);
    Py_DECREF(array);
    return converted ? 1 : -1;
}

/* Everything that is neither a Tensor nor a bare number. */
static int convert_array(lucid_scope *s, PyObject *o, lucidpy_sharing sharing, lucid_dtype dtype,
                         lucid_tensor *x)
{
    if (PyList_Check(o) || PyTuple_Check(o))
        return lucidpy_import_nested_list(s, o, dtype, x) ? 1 : -1;
    if (PyUnicode_Check(o) || PyType_Check(o))
        return 0;
    if (PyObject_CheckBuffer(o))
        return lucidpy_import_buffer(s, o, sharing, x) ? 1 : -1;
    if (PyObject_HasAttrString(o, "__array__"))
        return convert_by_array_method(s, o, sharing, x);
    return 0;
}

int lucidpy_convert(lucid_scope *s, PyObject *o, lucid_tensor *x)
{
    if (lucidpy_is_tensor(o)) {
        *x = lucidpy_handle(o);
        return 1;
    }
    int converted = lucidpy_convert_number(s, o, x);
    return converted ? converted : convert_array(s, o, LUCIDPY_FROZEN, LUCID_NO_DTYPE, x);
}

int lucidpy_convert_to(lucid_scope *s, PyObject *o, lucidpy_sharing sharing, lucid_dtype dtype,
                       lucid_tensor *x)
{
    int converted = 1;
    if (lucidpy_is_tensor(o)) {
        *x = lucidpy_handle(o);
    } else {
        converted = convert_strong_number(s, o, dtype, x);
        if (converted == 0)
            converted = convert_array(s, o, sharing, dtype, x);
    }
    if (converted == 1 && dtype != LUCID_NO_DTYPE)
        *x = lucid_cast(s, *x, dtype);
    return converted == 1 ? done(s) : converted;
}

int lucidpy_convert_data(lucid_scope *s, PyObject *o, lucidpy_sharing sharing, lucid_tensor *x)
{
    return lucidpy_convert_to(s, o, sharing, LUCID_NO_DTYPE, x);
}
