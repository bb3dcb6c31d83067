/* What stands between the brackets. */
#include "args.h"
#include "call_scope.h"
#include "convert.h"
#include "subscript.h"

static bool is_tensor_attribute(PyObject *o, const char *name)
{
    PyObject *bound = PyObject_GetAttrString(o, name);
    bool is = bound && lucidpy_is_tensor(bound);
    Py_XDECREF(bound);
    return is;
}

/* Where a bound has no value yet, "int: ..." would be about a call that nobody wrote. */
static void explain_moving_bound(PyObject *slice)
{
    if (PyErr_Occurred() != PyExc_RuntimeError) /* no subclass: lanes that part are none */
        return;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    if (is_tensor_attribute(slice, "start") || is_tensor_attribute(slice, "stop"))
        PyErr_SetString(
            PyExc_RuntimeError,
            "x[start:stop]: inside a loop body, a branch or a compiled function a bound "
            "that is computed there has no value yet, so the size of the slice is not "
            "known; use lucid.dynamic_slice(x, start_indices, slice_sizes), whose sizes "
            "are numbers, or a mask");
    if (PyErr_Occurred()) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(trace);
    } else {
        PyErr_Restore(type, value, trace);
    }
}

static bool parse_slice(PyObject *o, int64_t size, lucidpy_index_item *item)
{
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(o, &start, &stop, &step)) {
        explain_moving_bound(o);
        return false;
    }
    Py_ssize_t length = PySlice_AdjustIndices((Py_ssize_t)size, &start, &stop, step);
    *item = (lucidpy_index_item){.kind = LUCIDPY_SLICE,
                                 .start = start,
                                 /* before the first element: "to the end" of a negative step */
                                 .stop = stop < 0 ? LUCID_END : stop,
                                 .step = step,
                                 .whole = step == 1 && length == size,
                                 .dims = 1};
    if (length == 0) { /* also when start lies outside */
        item->start = item->stop = 0;
        item->step = 1;
    }
    return true;
}

static bool parse_tensor(lucid_scope *s, lucid_tensor x, lucidpy_index_item *item)
{
    lucid_dtype dtype = lucid_dtype_of(x);
    int ndim = lucid_ndim(x);
    if (dtype == LUCID_INT32 || dtype == LUCID_INT64) {
        *item = (lucidpy_index_item){.kind = LUCIDPY_INDICES, .tensor = x, .dims = 1};
        return true;
    }
    if (dtype != LUCID_BOOL) {
        PyErr_Format(PyExc_IndexError,
                     "a tensor used as an index must hold integers or bools, not %s",
                     lucid_dtype_name(dtype));
        return false;
    }
    if (ndim > 0) {
        *item = (lucidpy_index_item){.kind = LUCIDPY_MASK, .tensor = x, .dims = ndim};
        return true;
    }
    bool answer;
    x = lucid_own(s, x);
    LUCIDPY_COMPUTE_BEGIN
    answer = lucid_bool(s, x);
    LUCIDPY_COMPUTE_END
    *item = (lucidpy_index_item){.kind = LUCIDPY_ANSWER, .start = answer};
    return lucidpy_ok(s);
}

/* A list, an array, or another object that holds numbers. */
static bool parse_array(lucid_scope *s, PyObject *o, lucidpy_index_item *item)
{
    lucid_tensor x;
    int converted = lucidpy_convert_data(s, o, LUCIDPY_FROZEN, &x);
    if (converted < 0)
        return false;
    if (converted == 0) {
        PyObject *type = PyType_GetName(Py_TYPE(o));
        if (type)
            PyErr_Format(PyExc_TypeError,
                         "an index may hold ints, slices, None, ..., tensors and lists, not '%U'",
                         type);
        Py_XDECREF(type);
        return false;
    }
    if ((PyList_Check(o) || PyTuple_Check(o)) && lucid_numel(x) == 0)
        x = lucid_cast(s, x, LUCID_INT64); /* [] has no numbers that could tell */
    return lucidpy_ok(s) && parse_tensor(s, x, item);
}

/* NumPy's integers; arrays have the method too, but refuse. */
static bool parse_integer_like(PyObject *o, lucidpy_index_item *item)
{
    PyObject *number = PyIndex_Check(o) ? PyNumber_Index(o) : NULL;
    bool read = number && lucidpy_read_int(number, "index", &item->start);
    Py_XDECREF(number);
    PyErr_Clear();
    return read;
}

static bool parse_item(lucid_scope *s, PyObject *o, lucid_tensor x, int dim,
                       lucidpy_index_item *item)
{
    if (PyLong_Check(o) && !PyBool_Check(o)) {
        *item = (lucidpy_index_item){.kind = LUCIDPY_AT, .dims = 1};
        return lucidpy_read_int(o, "index", &item->start);
    }
    if (PySlice_Check(o)) {
        if (dim >= lucid_ndim(x)) {
            PyErr_Format(PyExc_IndexError, "too many indices for a %d-D tensor", lucid_ndim(x));
            return false;
        }
        return parse_slice(o, lucid_size(x, dim), item);
    }
    if (o == Py_None) {
        *item = (lucidpy_index_item){.kind = LUCIDPY_NEW};
        return true;
    }
    if (PyBool_Check(o)) {
        *item = (lucidpy_index_item){.kind = LUCIDPY_ANSWER, .start = o == Py_True};
        return true;
    }
    if (lucidpy_is_tensor(o))
        return parse_tensor(s, lucidpy_handle(o), item);
    *item = (lucidpy_index_item){.kind = LUCIDPY_AT, .dims = 1};
    return parse_integer_like(o, item) || parse_array(s, o, item);
}

/* How many dims of x an object stands for, as far as its kind tells. Objects other than the ellipsis
 * are counted only to find its length, so arrays are looked at twice; they are few. */
static bool dims_of(lucid_scope *s, PyObject *o, int *dims)
{
    *dims = 1;
    if (o == Py_None || PyBool_Check(o)) {
        *dims = 0;
    } else if (!PyLong_Check(o) && !PySlice_Check(o)) {
        lucidpy_index_item item = {0};
        if (lucidpy_is_tensor(o) ? !parse_tensor(s, lucidpy_handle(o), &item)
                                 : !parse_integer_like(o, &item) && !parse_array(s, o, &item))
            return false;
        *dims = item.kind == LUCIDPY_AT ? 1 : item.dims;
    }
    return true;
}

/* How many dims the ellipsis among the objects stands for. */
static bool ellipsis_length(lucid_scope *s, PyObject *tuple, int ndim, int *length)
{
    *length = ndim;
    int seen = 0;
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        int dims = 0;
        PyObject *o = PyTuple_GetItem(tuple, i);
        if (o == Py_Ellipsis)
            seen++;
        else if (!dims_of(s, o, &dims))
            return false;
        *length -= dims;
    }
    if (seen > 1)
        PyErr_SetString(PyExc_IndexError, "an index may hold one ellipsis (...)");
    else if (*length < 0)
        PyErr_Format(PyExc_IndexError, "too many indices for a %d-D tensor", ndim);
    return seen <= 1 && *length >= 0;
}

static bool has_ellipsis(PyObject *tuple)
{
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++)
        if (PyTuple_GetItem(tuple, i) == Py_Ellipsis)
            return true;
    return false;
}

/* Items for `n` dims that are taken whole. */
static void add_whole(lucidpy_index *index, int n)
{
    while (n-- > 0)
        index->at[index->count++] = (lucidpy_index_item){
            .kind = LUCIDPY_SLICE, .stop = LUCID_END, .step = 1, .whole = true, .dims = 1};
}

static bool parse_tuple(lucid_scope *s, PyObject *tuple, lucid_tensor x, lucidpy_index *index)
{
    int ndim = lucid_ndim(x), dim = 0, skipped = 0;
    bool open = has_ellipsis(tuple);
    if (open && !ellipsis_length(s, tuple, ndim, &skipped))
        return false;
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); i++) {
        PyObject *o = PyTuple_GetItem(tuple, i);
        if (index->count >= LUCIDPY_MAX_ITEMS - LUCID_MAX_NDIM) {
            PyErr_Format(PyExc_IndexError, "too many indices for a %d-D tensor", ndim);
            return false;
        }
        if (o == Py_Ellipsis) {
            /* It parts indices on its sides even when it stands for no dim. */
            index->parted = index->count;
            add_whole(index, skipped);
            dim += skipped;
            continue;
        }
        lucidpy_index_item *item = &index->at[index->count];
        if (!parse_item(s, o, x, dim, item))
            return false;
        index->count++;
        dim += item->dims;
        if (dim > ndim) {
            PyErr_Format(PyExc_IndexError, "too many indices for a %d-D tensor", ndim);
            return false;
        }
        index->advanced |= item->kind == LUCIDPY_INDICES || item->kind == LUCIDPY_MASK ||
                           item->kind == LUCIDPY_ANSWER;
    }
    add_whole(index, ndim - dim);
    return true;
}

bool lucidpy_index_parse(lucid_scope *s, PyObject *o, lucid_tensor x, lucidpy_index *index)
{
    index->count = 0;
    index->parted = -1;
    index->advanced = false;
    if (PyTuple_Check(o))
        return parse_tuple(s, o, x, index);
    PyObject *tuple = PyTuple_Pack(1, o);
    bool parsed = tuple && parse_tuple(s, tuple, x, index);
    Py_XDECREF(tuple);
    return parsed;
}
