#include "nested_list.h"

#include "call_scope.h"
#include "convert.h"
#include "dtype_type.h"

/* What a first walk over the list finds out. */
typedef struct census {
    lucid_shape shape;
    bool known[LUCID_MAX_NDIM]; /* whether dim[d] was seen yet */
    int depth;                  /* of the numbers; -1: none seen yet */
    lucid_dtype dtype;          /* the least one that holds every number */
    bool has_tensors;           /* then the list is stacked instead of copied */
} census;

static bool is_list(PyObject *o)
{
    return PyList_Check(o) || PyTuple_Check(o);
}

/* A borrowed reference. */
static PyObject *item_of(PyObject *list, Py_ssize_t i)
{
    return PyList_Check(list) ? PyList_GetItem(list, i) : PyTuple_GetItem(list, i);
}

static Py_ssize_t length_of(PyObject *list)
{
    return PyList_Check(list) ? PyList_Size(list) : PyTuple_Size(list);
}

static bool ragged(void)
{
    PyErr_SetString(PyExc_ValueError,
                    "a nested list must have the same depth and length everywhere");
    return false;
}

static bool count_number(census *c, PyObject *o, int depth)
{
    lucid_dtype dtype = PyFloat_Check(o)  ? LUCID_FLOAT32
                        : PyBool_Check(o) ? LUCID_BOOL
                                          : LUCID_INT64;
    if (dtype > c->dtype)
        c->dtype = dtype;
    if (c->depth >= 0 && c->depth != depth)
        return ragged();
    c->depth = depth;
    return true;
}

static bool count(census *c, PyObject *list, int depth)
{
    if (depth == LUCID_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "a nested list is deeper than %d", LUCID_MAX_NDIM);
        return false;
    }
    Py_ssize_t n = length_of(list);
    if (c->known[depth] && c->shape.dim[depth] != n)
        return ragged();
    c->known[depth] = true;
    c->shape.dim[depth] = n;
    if (depth + 1 > c->shape.ndim)
        c->shape.ndim = depth + 1;
    for (Py_ssize_t i = 0; i < n && !c->has_tensors; i++) {
        PyObject *o = item_of(list, i);
        if (!o)
            return false;
        if (is_list(o)) {
            if (!count(c, o, depth + 1))
                return false;
        } else if (lucidpy_is_number(o)) {
            if (!count_number(c, o, depth + 1))
                return false;
        } else if (lucidpy_is_tensor(o) || lucidpy_is_array(o)) {
            c->has_tensors = true;
        } else {
            return lucidpy_wrong_type(o, "a nested list may hold numbers, tensors and arrays");
        }
    }
    return true;
}

typedef struct cursor {
    lucid_dtype dtype;
    char *at;
} cursor;

static bool does_not_fit(PyObject *o, lucid_dtype dtype)
{
    PyErr_Format(PyExc_ValueError, "%R does not fit %s", o, lucid_dtype_name(dtype));
    return false;
}

/* A number as an integer of the dtype; of a float without its fraction. */
static bool store_integer(const cursor *c, PyObject *o)
{
    bool narrow = c->dtype == LUCID_INT32;
    long long value;
    int overflow = 0;
    if (PyFloat_Check(o)) {
        double x = PyFloat_AsDouble(o);
        if (!(x >= -0x1p63 && x < 0x1p63))
            return does_not_fit(o, c->dtype);
        value = (long long)x;
    } else {
        value = PyLong_AsLongLongAndOverflow(o, &overflow);
    }
    if (overflow || (narrow && (value < INT32_MIN || value > INT32_MAX)))
        return does_not_fit(o, c->dtype);
    if (narrow)
        *(int32_t *)(void *)c->at = (int32_t)value;
    else
        *(int64_t *)(void *)c->at = value;
    return true;
}

static bool store_float(const cursor *c, PyObject *o)
{
    double value = PyFloat_AsDouble(o);
    if (value == -1 && PyErr_Occurred())
        return does_not_fit(o, c->dtype);
    if (c->dtype == LUCID_FLOAT32)
        *(float *)(void *)c->at = (float)value;
    else
        *(double *)(void *)c->at = value;
    return true;
}

static bool store(cursor *c, PyObject *o)
{
    bool stored = true;
    if (lucidpy_is_float(c->dtype))
        stored = store_float(c, o);
    else if (c->dtype != LUCID_BOOL)
        stored = store_integer(c, o);
    else
        *(bool *)c->at = PyObject_IsTrue(o) == 1;
    c->at += lucid_dtype_size(c->dtype);
    return stored;
}

static bool store_all(cursor *c, PyObject *list)
{
    Py_ssize_t n = length_of(list);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *o = item_of(list, i);
        if (is_list(o) ? !store_all(c, o) : !store(c, o))
            return false;
    }
    return true;
}

static bool stack_all(lucid_scope *s, PyObject *list, lucid_tensor *x)
{
    Py_ssize_t n = length_of(list);
    lucid_tensor *parts = lucid_alloc(s, (size_t)n * sizeof *parts);
    if (!parts)
        return lucidpy_ok(s);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *o = item_of(list, i);
        int converted = o ? lucidpy_convert_data(s, o, LUCIDPY_COPY, &parts[i]) : -1;
        if (converted == 0)
            lucidpy_wrong_type(o, "a nested list may hold numbers, tensors and arrays");
        if (converted != 1)
            return false;
    }
    *x = lucid_stack(s, parts, (size_t)n, 0);
    return lucidpy_ok(s);
}

bool lucidpy_import_nested_list(lucid_scope *s, PyObject *list, lucid_dtype wanted, lucid_tensor *x)
{
    census c = {.depth = -1, .dtype = LUCID_BOOL};
    if (!count(&c, list, 0))
        return false;
    if (c.has_tensors)
        return stack_all(s, list, x);
    if (c.depth < 0) /* no number at all: [] or [[], []] */
        c.dtype = LUCID_FLOAT32;
    else if (c.depth != c.shape.ndim)
        return ragged();
    if (wanted != LUCID_NO_DTYPE)
        c.dtype = wanted;
    else if (c.dtype == LUCID_FLOAT32)
        c.dtype = *lucidpy_default_dtype();
    int64_t numel = 1;
    for (int d = 0; d < c.shape.ndim; d++)
        numel *= c.shape.dim[d];
    size_t bytes = (size_t)numel * lucid_dtype_size(c.dtype);
    cursor to = {c.dtype, NULL};
    char *data = to.at = PyMem_Malloc(bytes ? bytes : 1);
    if (!data) {
        PyErr_NoMemory();
        return false;
    }
    bool stored = store_all(&to, list);
    if (stored)
        *x = lucid_from_data(s, data, c.dtype, c.shape);
    PyMem_Free(data);
    return stored && lucidpy_ok(s);
}
