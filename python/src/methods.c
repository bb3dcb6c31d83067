#include "methods.h"

#include "backward.h"
#include "call_scope.h"
#include "convert.h"
#include "dtype_type.h"
#include "views.h"

#include <stdio.h>
#include <string.h>

const char lucidpy_tensor_doc[] =
    "Tensor(data, dtype=None)\n--\n\n"
    "An array of float32, float64, int32, int64 or bool elements. Made by lucid.tensor and its "
    "siblings.\n\n"
    "Operations check shapes and dtypes at once and compute when a value is looked at (print, "
    "item, numpy, lucid.eval). Inside a transform a tensor shows one example. In-place methods and "
    "x[i] = v write to the tensor and to the views that share its elements (x[0], x.T, ...); what "
    "was "
    "computed from it before stays as it is.\n\n"
    ">>> import lucid\n"
    ">>> x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])\n"
    ">>> x.shape, x.dtype\n"
    "((2, 2), lucid.float32)\n"
    ">>> (x @ x.T).sum(dim=0)\n"
    "tensor([16., 36.])";

PyObject *lucidpy_tensor_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"data", "dtype", NULL};
    PyObject *data, *dtype_object = Py_None;
    lucid_dtype dtype = LUCID_NO_DTYPE;
    (void)type;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O:Tensor", names, &data, &dtype_object))
        return NULL;
    if (dtype_object != Py_None && !lucidpy_dtype_from(dtype_object, &dtype)) {
        lucidpy_wrong_type(dtype_object, "Tensor(): dtype must be a dtype of lucid");
        return NULL;
    }
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor x = {NULL};
    int converted = lucidpy_convert_to(s, data, LUCIDPY_COPY, dtype, &x);
    if (converted == 0)
        lucidpy_wrong_type(data, "Tensor(): data must be a number, a nested list or an array");
    if (converted != 1) {
        lucidpy_leave(s);
        return NULL;
    }
    return lucidpy_result(s, x);
}

/* -- properties ------------------------------------------------------------------------------- */

static PyObject *get_shape(PyObject *self, void *unused)
{
    (void)unused;
    return lucidpy_shape_tuple(lucidpy_form(self));
}

static PyObject *get_dtype(PyObject *self, void *unused)
{
    (void)unused;
    return lucidpy_dtype_object(lucid_dtype_of(lucidpy_form(self)));
}

static PyObject *get_ndim(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromLong(lucid_ndim(lucidpy_form(self)));
}

static PyObject *get_itemsize(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(lucid_dtype_size(lucid_dtype_of(lucidpy_form(self))));
}

static PyObject *get_nbytes(PyObject *self, void *unused)
{
    (void)unused;
    lucid_tensor x = lucidpy_form(self);
    return PyLong_FromSize_t((size_t)lucid_numel(x) * lucid_dtype_size(lucid_dtype_of(x)));
}

/* All dims in reverse order. */
static PyObject *get_transpose(PyObject *self, void *unused)
{
    (void)unused;
    lucid_tensor x = lucidpy_handle(self);
    lucid_dims order = {.n = lucid_ndim(x)};
    if (order.n < 2 && *lucidpy_no_grad_depth() == 0)
        return Py_NewRef(self);
    for (int d = 0; d < order.n; d++)
        order.dim[d] = order.n - 1 - d;
    lucidpy_place place;
    lucidpy_place_begin(&place, self);
    lucidpy_place_permute(&place, order);
    lucid_scope *s = lucidpy_enter();
    return s ? lucidpy_result_view(s, lucid_permute(s, x, order), &place) : NULL;
}

static PyObject *get_matrix_transpose(PyObject *self, void *unused)
{
    (void)unused;
    lucid_tensor x = lucidpy_handle(self);
    lucidpy_place place;
    lucidpy_place_begin(&place, self);
    lucidpy_place_transpose(&place, -2, -1);
    lucid_scope *s = lucidpy_enter();
    return s ? lucidpy_result_view(s, lucid_transpose(s, x, -2, -1), &place) : NULL;
}

static PyObject *get_data(PyObject *self, void *unused)
{
    (void)unused;
    lucid_tensor x = lucidpy_handle(self);
    lucidpy_place place;
    lucidpy_place_begin(&place, self);
    place.detached = true;
    lucid_scope *s = lucidpy_enter();
    return s ? lucidpy_result_view(s, lucid_detach(s, x), &place) : NULL;
}

PyGetSetDef lucidpy_tensor_getset[] = {
    {"shape", get_shape, NULL, "Sizes of the dims, a tuple.", NULL},
    {"dtype", get_dtype, NULL, "Type of the elements, e.g. lucid.float32.", NULL},
    {"ndim", get_ndim, NULL, "Number of dims.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of one element.", NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL},
    {"T", get_transpose, NULL, "The dims in reverse order.", NULL},
    {"mT", get_matrix_transpose, NULL, "The last two dims exchanged.", NULL},
    {"data", get_data, NULL, "As detach().", NULL},
    {"grad", lucidpy_get_grad, lucidpy_set_grad,
     "The gradient that backward() gathered for a leaf; None: none yet.", NULL},
    {"requires_grad", lucidpy_get_requires_grad, lucidpy_set_requires_grad,
     "True when the tensor is a leaf for backward() or computed from one.", NULL},
    {"is_leaf", lucidpy_get_is_leaf, NULL, "False when it was computed from a leaf.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* -- text ------------------------------------------------------------------------------------- */

/* The values as text; NULL with an exception, or with none when the values belong to a transform that
 * has ended, so that debuggers can still show the object. */
static char *format_values(lucid_scope *s, lucid_tensor x)
{
    size_t length;
    LUCIDPY_COMPUTE_BEGIN
    length = lucid_format(s, x, NULL, 0);
    LUCIDPY_COMPUTE_END
    char *text = lucid_error(s) == LUCID_OK ? PyMem_Malloc(length + 1) : NULL;
    if (text)
        lucid_format(s, x, text, length + 1);
    lucid_status status = lucid_error(s);
    if (status == LUCID_OK)
        return text;
    PyMem_Free(text);
    if (status == LUCID_RUNTIME_ERROR)
        lucid_clear_error(s);
    else
        (void)lucidpy_ok(s);
    return NULL;
}

/* The text with every line but the first and the empty ones moved right by `indent`. */
static PyObject *indented(const char *text, int indent)
{
    size_t size = strlen(text) + 1;
    for (const char *p = text; *p; p++)
        size += *p == '\n' && p[1] != '\n' ? (size_t)indent : 0;
    char *wide = PyMem_Malloc(size), *to = wide;
    if (!wide)
        return PyErr_NoMemory();
    for (const char *p = text; *p; p++) {
        *to++ = *p;
        for (int i = 0; *p == '\n' && p[1] != '\n' && i < indent; i++)
            *to++ = ' ';
    }
    PyObject *result = PyUnicode_FromStringAndSize(wide, to - wide);
    PyMem_Free(wide);
    return result;
}

/* Whether lucid.tensor would give the printed values this dtype by itself. */
static bool is_default_dtype(lucid_dtype dtype)
{
    return dtype == *lucidpy_default_dtype() || dtype == LUCID_INT64 || dtype == LUCID_BOOL;
}

static PyObject *describe(lucid_tensor x)
{
    PyObject *shape = lucidpy_shape_tuple(x);
    PyObject *text = shape ? PyUnicode_FromFormat("tensor(<values of a transform>, shape=%R, "
                                                  "dtype=lucid.%s)",
                                                  shape, lucid_dtype_name(lucid_dtype_of(x)))
                           : NULL;
    Py_XDECREF(shape);
    return text;
}

static PyObject *print(lucid_tensor x, const char *text)
{
    PyObject *values = indented(text, (int)strlen("tensor("));
    if (!values)
        return NULL;
    lucid_dtype dtype = lucid_dtype_of(x);
    PyObject *result;
    if (lucid_numel(x) == 0 && lucid_ndim(x) != 1) { /* the brackets alone do not tell */
        PyObject *shape = lucidpy_shape_tuple(x);
        result = shape ? PyUnicode_FromFormat("tensor(%U, shape=%R, dtype=lucid.%s)", values, shape,
                                              lucid_dtype_name(dtype))
                       : NULL;
        Py_XDECREF(shape);
    } else if (is_default_dtype(dtype) && (lucid_numel(x) || lucidpy_is_float(dtype))) {
        result = PyUnicode_FromFormat("tensor(%U)", values);
    } else {
        result =
            PyUnicode_FromFormat("tensor(%U, dtype=lucid.%s)", values, lucid_dtype_name(dtype));
    }
    Py_DECREF(values);
    return result;
}

PyObject *lucidpy_tensor_repr(PyObject *self)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor x = lucid_own(s, lucidpy_handle(self)); /* another thread may rebind the object */
    char *text = PyErr_Occurred() ? NULL : format_values(s, x);
    PyObject *result = text ? print(x, text) : PyErr_Occurred() ? NULL : describe(x);
    PyMem_Free(text);
    lucidpy_leave(s);
    return result;
}

/* -- as a sequence ---------------------------------------------------------------------------- */

Py_ssize_t lucidpy_len(PyObject *self)
{
    lucid_tensor x = lucidpy_handle(self);
    if (lucid_ndim(x) == 0) {
        PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
        return -1;
    }
    return (Py_ssize_t)lucid_size(x, 0);
}

PyObject *lucidpy_iter(PyObject *self)
{
    lucid_tensor x = lucidpy_viewed(self);
    if (lucid_ndim(x) == 0) {
        PyErr_SetString(PyExc_TypeError, "iteration over a 0-d tensor");
        return NULL;
    }
    lucid_scope *s = lucidpy_enter();
    PyObject *rows = s ? PyTuple_New((Py_ssize_t)lucid_size(x, 0)) : NULL;
    for (Py_ssize_t i = 0; rows && i < lucid_size(x, 0); i++) {
        lucid_tensor row = lucid_select(s, x, 0, i);
        lucidpy_place place;
        lucidpy_place_begin(&place, self);
        lucidpy_place_select(&place, 0, i);
        PyObject *object = lucidpy_ok(s) ? lucidpy_wrap_view(s, row, &place) : NULL;
        if (!object || PyTuple_SetItem(rows, i, object))
            Py_CLEAR(rows);
    }
    if (s)
        lucidpy_leave(s);
    PyObject *iterator = rows ? PyObject_GetIter(rows) : NULL;
    Py_XDECREF(rows);
    return iterator;
}

int lucidpy_contains(PyObject *self, PyObject *value)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return -1;
    lucid_tensor y = {NULL};
    int converted = lucidpy_convert(s, value, &y);
    int found = converted;
    if (converted == 1) {
        lucid_tensor any = lucid_any(s, lucid_eq(s, lucidpy_handle(self), y), LUCID_ALL);
        bool hit;
        LUCIDPY_COMPUTE_BEGIN
        hit = lucid_bool(s, any);
        LUCIDPY_COMPUTE_END
        found = lucidpy_ok(s) ? hit : -1;
    }
    lucidpy_leave(s);
    return found;
}
