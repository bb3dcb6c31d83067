#include "args.h"

#include "call_scope.h"
#include "convert.h"
#include "dtype_type.h"
#include "interchange.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

void lucidpy_fail_call(lucidpy_call *c)
{
    lucid_fail(c->s, LUCID_CALLBACK_ERROR, "a wrong argument");
}

void lucidpy_bad_argument(lucidpy_call *c, int i, const char *expected)
{
    PyObject *type = PyType_GetName(Py_TYPE(c->arg[i]));
    if (type)
        PyErr_Format(PyExc_TypeError, "%s(): argument '%U' must be %s, not %U", c->name,
                     c->signature->at[i].name, expected, type);
    Py_XDECREF(type);
    lucidpy_fail_call(c);
}

bool lucidpy_is_none(const lucidpy_call *c, int i)
{
    return c->arg[i] == Py_None;
}

/* Sets an exception that names argument i if it is an int beyond int64. */
static bool is_beyond(lucidpy_call *c, int i)
{
    int overflow = 0;
    if (PyLong_Check(c->arg[i]))
        (void)PyLong_AsLongLongAndOverflow(c->arg[i], &overflow);
    if (overflow)
        PyErr_Format(PyExc_ValueError, "%s(): argument '%U' is %R, which does not fit int64",
                     c->name, c->signature->at[i].name, c->arg[i]);
    return overflow != 0;
}

static lucid_tensor convert(lucidpy_call *c, int i)
{
    lucid_tensor x = {NULL};
    if (is_beyond(c, i)) {
        lucidpy_fail_call(c);
        return x;
    }
    int converted = lucidpy_convert(c->s, c->arg[i], &x);
    if (converted == 0)
        lucidpy_bad_argument(c, i, "a tensor, a number or an array");
    else if (converted < 0)
        lucidpy_fail_call(c);
    return x;
}

lucid_tensor lucidpy_tensor(lucidpy_call *c, int i)
{
    PyObject *o = c->arg[i];
    return lucidpy_is_tensor(o) ? lucidpy_handle(o) : convert(c, i);
}

lucid_tensor lucidpy_viewed_tensor(lucidpy_call *c, int i)
{
    PyObject *o = c->arg[i];
    return lucidpy_is_tensor(o) ? lucidpy_viewed(o) : convert(c, i);
}

lucid_tensor lucidpy_optional_tensor(lucidpy_call *c, int i)
{
    return lucidpy_is_none(c, i) ? (lucid_tensor){NULL} : lucidpy_tensor(c, i);
}

bool lucidpy_is_integer(PyObject *o)
{
    return (PyLong_Check(o) && !PyBool_Check(o)) ||
           (!PyLong_Check(o) && !PyFloat_Check(o) && PyIndex_Check(o));
}

bool lucidpy_read_int(PyObject *o, const char *what, int64_t *value)
{
    PyObject *index = PyNumber_Index(o);
    if (!index)
        return false;
    int overflow;
    *value = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow)
        PyErr_Format(PyExc_ValueError, "%s: %R does not fit int64", what, index);
    Py_DECREF(index);
    return !overflow;
}

/* An integer of argument i; false with an exception that names it. */
static bool read_argument(lucidpy_call *c, int i, PyObject *o, int64_t *value)
{
    PyObject *index = lucidpy_is_integer(o) ? PyNumber_Index(o) : NULL;
    int overflow = 0;
    if (index)
        *value = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow)
        PyErr_Format(PyExc_ValueError, "%s(): argument '%U' has %R, which does not fit int64",
                     c->name, c->signature->at[i].name, index);
    else if (!index && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError)))
        PyErr_Clear();
    Py_XDECREF(index);
    return index && !overflow;
}

int64_t lucidpy_int(lucidpy_call *c, int i)
{
    int64_t value = 0;
    if (read_argument(c, i, c->arg[i], &value))
        return value;
    if (PyErr_Occurred())
        lucidpy_fail_call(c);
    else
        lucidpy_bad_argument(c, i, "an int");
    return 0;
}

bool lucidpy_chunk_size(const lucidpy_call *c, int i, int64_t *chunk_size)
{
    PyObject *o = c->arg[i];
    *chunk_size = 0;
    if (o == Py_None)
        return true;
    if (PyUnicode_Check(o) && !PyUnicode_CompareWithASCIIString(o, "auto")) {
        *chunk_size = LUCID_AUTO_CHUNK;
        return true;
    }
    bool integer = lucidpy_is_integer(o);
    char what[64];
    (void)snprintf(what, sizeof what, "%s: chunk_size", c->name);
    if (integer && !lucidpy_read_int(o, what, chunk_size))
        return false;
    if (integer && *chunk_size >= 1)
        return true;
    PyErr_Format(integer || PyUnicode_Check(o) ? PyExc_ValueError : PyExc_TypeError,
                 "%s: chunk_size must be an int >= 1, None or 'auto', not %R", c->name, o);
    return false;
}

/* A dim, which is far below the limits of int. */
static int as_dim(lucidpy_call *c, int i, int64_t value)
{
    if (value < INT_MAX && value > INT_MIN)
        return (int)value;
    if (lucid_error(c->s) == LUCID_OK && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "%s(): argument '%U' is %lld, which is out of range",
                     c->name, c->signature->at[i].name, (long long)value);
    lucidpy_fail_call(c);
    return 0;
}

int lucidpy_dim(lucidpy_call *c, int i)
{
    return lucidpy_is_none(c, i) ? LUCID_NONE : as_dim(c, i, lucidpy_int(c, i));
}

/* A number has no derivative: a tensor that has one is refused instead of being read as a constant. */
static bool is_constant(lucidpy_call *c, int i)
{
    PyObject *o = c->arg[i];
    const char *why = lucidpy_is_tensor(o)
                          ? lucidpy_derivative(lucidpy_handle(o), *lucidpy_no_grad_depth() == 0)
                          : NULL;
    if (!why)
        return true;
    PyErr_Format(PyExc_RuntimeError,
                 "%s(): argument '%U' is a number, which is constant to the derivative, and the "
                 "tensor given %s; use x.detach() where a constant is meant",
                 c->name, c->signature->at[i].name, why);
    lucidpy_fail_call(c);
    return false;
}

double lucidpy_float(lucidpy_call *c, int i)
{
    if (!is_constant(c, i))
        return 0;
    double value = PyFloat_AsDouble(c->arg[i]);
    if (value != -1 || !PyErr_Occurred())
        return value;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        lucidpy_bad_argument(c, i, "a number");
    } else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Format(PyExc_ValueError, "%s(): argument '%U' is %R, which does not fit a float",
                     c->name, c->signature->at[i].name, c->arg[i]);
        lucidpy_fail_call(c);
    } else {
        lucidpy_fail_call(c);
    }
    return 0;
}

bool lucidpy_flag(lucidpy_call *c, int i)
{
    PyObject *o = c->arg[i];
    if (PyBool_Check(o))
        return o == Py_True;
    if (PyLong_Check(o))
        return PyObject_IsTrue(o) == 1;
    lucidpy_bad_argument(c, i, "a bool");
    return false;
}

lucid_dtype lucidpy_dtype(lucidpy_call *c, int i)
{
    lucid_dtype dtype = LUCID_NO_DTYPE;
    if (!lucidpy_is_none(c, i) && !lucidpy_dtype_from(c->arg[i], &dtype))
        lucidpy_bad_argument(c, i, "a dtype (lucid.float32, float64, int32, int64 or bool)");
    return dtype;
}

int lucidpy_word(lucidpy_call *c, int i, const char *const *words)
{
    PyObject *o = c->arg[i];
    for (int w = 0; words[w] && PyUnicode_Check(o); w++)
        if (!PyUnicode_CompareWithASCIIString(o, words[w]))
            return w;
    PyObject *list = PyUnicode_FromFormat("'%s'", words[0]);
    for (int w = 1; words[w] && list; w++) {
        PyObject *longer =
            PyUnicode_FromFormat("%U%s'%s'", list, words[w + 1] ? ", " : " or ", words[w]);
        Py_DECREF(list);
        list = longer;
    }
    if (list)
        PyErr_Format(PyUnicode_Check(o) ? PyExc_ValueError : PyExc_TypeError,
                     "%s(): %U must be %U, not %R", c->name, c->signature->at[i].name, list, o);
    Py_XDECREF(list);
    lucidpy_fail_call(c);
    return -1;
}

/* Reads n integers of argument i; false with an exception, or with none when one of them is no integer. */
static bool read_ints(lucidpy_call *c, int i, PyObject *const *items, Py_ssize_t n,
                      lucid_shape *out)
{
    if (n > LUCID_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError,
                     "%s(): argument '%U' has %zd dimensions: at most %d are supported", c->name,
                     c->signature->at[i].name, n, LUCID_MAX_NDIM);
        return false;
    }
    out->ndim = (int)n;
    for (Py_ssize_t k = 0; k < n; k++)
        if (!read_argument(c, i, items[k], &out->dim[k]))
            return false;
    return true;
}

/* A list or tuple of ints, at most LUCID_MAX_NDIM; false with no exception when it is none. */
static bool read_sequence(lucidpy_call *c, int at, PyObject *o, lucid_shape *out)
{
    bool list = PyList_Check(o);
    if (!list && !PyTuple_Check(o))
        return false;
    PyObject *items[LUCID_MAX_NDIM];
    Py_ssize_t n = PySequence_Size(o);
    for (Py_ssize_t i = 0; i < n && i < LUCID_MAX_NDIM; i++)
        items[i] = list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i);
    return read_ints(c, at, items, n, out);
}

/* The integers of an argument: one, a sequence, or what *name collected. */
static lucid_shape read_list(lucidpy_call *c, int i)
{
    lucid_shape list = {0};
    if (!c->arg[i] && c->rest_count == 1 && !lucidpy_is_integer(c->rest[0]))
        c->arg[i] = c->rest[0];
    PyObject *o = c->arg[i];
    bool read;
    if (!o) {
        read = read_ints(c, i, c->rest, c->rest_count, &list);
        for (Py_ssize_t j = 0; j < c->rest_count && !c->arg[i]; j++)
            if (!lucidpy_is_integer(c->rest[j]))
                c->arg[i] = c->rest[j]; /* the one to complain about */
    } else if (lucidpy_is_integer(o)) {
        read = read_ints(c, i, &o, 1, &list);
    } else {
        read = read_sequence(c, i, o, &list);
    }
    if (!read && !PyErr_Occurred())
        lucidpy_bad_argument(c, i, "an int or a tuple of ints");
    else if (!read)
        lucidpy_fail_call(c);
    return list;
}

lucid_dims lucidpy_dims(lucidpy_call *c, int i, int keep)
{
    lucid_dims dims = {.keep = keep >= 0 && lucidpy_flag(c, keep)};
    if (c->arg[i] == Py_None) {
        dims.all = true;
        return dims;
    }
    lucid_shape list = read_list(c, i);
    dims.all = list.ndim == 0 && c->signature->rest != i;
    dims.n = list.ndim;
    for (int d = 0; d < list.ndim; d++)
        dims.dim[d] = as_dim(c, i, list.dim[d]);
    return dims;
}

lucid_shape lucidpy_shape(lucidpy_call *c, int i)
{
    return read_list(c, i);
}

static lucid_tensor convert_item(lucidpy_call *c, int i, PyObject *o)
{
    lucid_tensor x = {NULL};
    int converted = o ? lucidpy_convert(c->s, o, &x) : -1;
    if (converted == 0) {
        c->arg[i] = o;
        lucidpy_bad_argument(c, i, "a sequence of tensors");
    } else if (converted < 0) {
        lucidpy_fail_call(c);
    }
    return x;
}

const lucid_tensor *lucidpy_tensors(lucidpy_call *c, int i, size_t *n)
{
    PyObject *list = c->arg[i];
    *n = 0;
    if (!list && c->rest_count == 1 && (PyList_Check(c->rest[0]) || PyTuple_Check(c->rest[0])))
        list = c->rest[0];
    if (list && !PyList_Check(list) && !PyTuple_Check(list) && !lucidpy_is_tensor(list)) {
        lucidpy_bad_argument(c, i, "a sequence of tensors");
        return NULL;
    }
    /* A tensor is a sequence of its rows. */
    PyObject *items = list ? PySequence_Tuple(list) : NULL;
    if (list && !items) {
        lucidpy_fail_call(c);
        return NULL;
    }
    size_t count = items ? (size_t)PyTuple_Size(items) : (size_t)c->rest_count;
    lucid_tensor *xs = lucid_alloc(c->s, (count ? count : 1) * sizeof *xs);
    for (size_t j = 0; xs && j < count; j++) {
        PyObject *o = items ? PyTuple_GetItem(items, (Py_ssize_t)j) : c->rest[j];
        xs[j] = convert_item(c, i, o);
        /* Rows made just now live in `items` alone. */
        if (list && lucidpy_is_tensor(list))
            lucid_own(c->s, xs[j]);
    }
    Py_XDECREF(items);
    *n = xs ? count : 0;
    return xs;
}
