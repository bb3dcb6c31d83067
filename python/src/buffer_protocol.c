/* The buffer protocol, both ways. */
#include "call_scope.h"
#include "dtype_type.h"
#include "followed_memory.h"
#include "interchange.h"

#include <stdlib.h>
#include <string.h>

/* -- in: any exporter becomes a tensor -------------------------------------------------------- */

typedef struct buffer_owner {
    lucidpy_owner base;
    Py_buffer view;
} buffer_owner;

static void buffer_owner_free(lucidpy_owner *base)
{
    buffer_owner *owner = (buffer_owner *)base;
    PyBuffer_Release(&owner->view);
    free(owner);
}

/* Whether nobody can ever write to the memory that an exporter calls read-only: at the end of what it stands
 * for is a bytes object or a tensor. An array that is not writeable may be a window of one that is. */
static bool is_immutable(PyObject *exporter)
{
    enum { MOST = 64 }; /* windows of windows */
    PyObject *o = Py_NewRef(exporter);
    bool known = false;
    for (int i = 0; o && !known && i < MOST; i++) {
        known = PyBytes_CheckExact(o) || lucidpy_is_tensor(o);
        if (known)
            break;
        PyObject *next = PyObject_GetAttrString(o, PyMemoryView_Check(o) ? "obj" : "base");
        PyErr_Clear();
        Py_DECREF(o);
        o = next;
    }
    Py_XDECREF(o);
    return known;
}

/* The dtype and shape of a view, or an exception. */
static bool describe(const Py_buffer *view, lucid_dtype *dtype, lucid_shape *shape)
{
    if (!lucidpy_dtype_from_format(view->format, (size_t)view->itemsize, dtype)) {
        PyErr_Format(PyExc_TypeError,
                     "an array with elements of format '%s' (%zd bytes) is not supported: use "
                     "float32, float64, int32, int64 or bool",
                     view->format ? view->format : "B", view->itemsize);
        return false;
    }
    if (view->ndim > LUCID_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "an array of %d dimensions: at most %d are supported",
                     view->ndim, LUCID_MAX_NDIM);
        return false;
    }
    shape->ndim = view->ndim;
    for (int d = 0; d < view->ndim; d++)
        shape->dim[d] = view->shape[d];
    return true;
}

/* Strides in elements; false when the memory is not laid out in whole, aligned elements. */
static bool strides_in_elements(const Py_buffer *view, int64_t *strides)
{
    if ((uintptr_t)view->buf % (uintptr_t)view->itemsize)
        return false;
    for (int d = 0; d < view->ndim; d++) {
        if (view->strides[d] % view->itemsize)
            return false;
        strides[d] = view->strides[d] / view->itemsize;
    }
    return true;
}

static bool copy(lucid_scope *s, Py_buffer *view, lucid_dtype dtype, lucid_shape shape,
                 lucid_tensor *x)
{
    if (PyBuffer_IsContiguous(view, 'C')) {
        *x = lucid_from_data(s, view->buf, dtype, shape);
        return lucidpy_ok(s);
    }
    void *data = malloc(view->len ? (size_t)view->len : 1);
    if (!data) {
        PyErr_NoMemory();
        return false;
    }
    if (PyBuffer_ToContiguous(data, view, view->len, 'C')) {
        free(data);
        return false;
    }
    *x = lucid_from_memory(s, data, dtype, shape, NULL, free, data);
    return lucidpy_ok(s);
}

/* Takes the tensor out of the view; *shared: the tensor now owns the owner. */
static bool import_view(lucid_scope *s, buffer_owner *owner, lucidpy_sharing sharing,
                        lucid_tensor *x, bool *shared)
{
    Py_buffer *view = &owner->view;
    lucid_dtype dtype;
    lucid_shape shape;
    int64_t strides[LUCID_MAX_NDIM];
    if (!describe(view, &dtype, &shape))
        return false;
    *shared = sharing == LUCIDPY_FROZEN && view->readonly && is_immutable(view->obj) &&
              strides_in_elements(view, strides);
    if (!*shared)
        return copy(s, view, dtype, shape, x);
    *x = lucid_from_memory(s, view->buf, dtype, shape, strides, lucidpy_owner_release, owner);
    return lucidpy_ok(s);
}

/* NULL with an exception. */
static buffer_owner *get_buffer(PyObject *exporter)
{
    buffer_owner *owner = calloc(1, sizeof *owner);
    if (!owner)
        return (void)PyErr_NoMemory(), NULL;
    owner->base.free = buffer_owner_free;
    if (PyObject_GetBuffer(exporter, &owner->view, PyBUF_RECORDS_RO)) {
        free(owner);
        return NULL;
    }
    return owner;
}

bool lucidpy_import_buffer(lucid_scope *s, PyObject *exporter, lucidpy_sharing sharing,
                           lucid_tensor *x)
{
    buffer_owner *owner = get_buffer(exporter);
    if (!owner)
        return false;
    bool shared = false;
    bool imported = import_view(s, owner, sharing, x, &shared);
    if (!shared)
        buffer_owner_free(&owner->base);
    return imported;
}

/* The exporter, if its memory is its own and can be reached through it alone. */
static PyObject *only_way(PyObject *exporter)
{
    PyObject *base = PyObject_GetAttrString(exporter, "base");
    PyErr_Clear();
    bool own = base == Py_None;
    Py_XDECREF(base);
    return own ? exporter : NULL;
}

bool lucidpy_follow_buffer(lucid_scope *s, PyObject *exporter, lucid_dtype dtype, lucid_tensor *x,
                           lucidpy_memory **memory)
{
    *memory = NULL;
    buffer_owner *owner = get_buffer(exporter);
    if (!owner)
        return false;
    const Py_buffer *view = &owner->view;
    lucid_dtype own;
    lucid_shape shape;
    int64_t strides[LUCID_MAX_NDIM];
    bool known = describe(view, &own, &shape);
    if (!known || (dtype != LUCID_NO_DTYPE && dtype != own) ||
        !strides_in_elements(view, strides) || (view->readonly && is_immutable(view->obj))) {
        buffer_owner_free(&owner->base);
        return known && lucidpy_import_buffer(s, exporter, LUCIDPY_FROZEN, x);
    }
    lucidpy_memory *m = lucidpy_memory_new(&owner->base, view->buf, own, shape, strides);
    if (!m)
        return false;
    m->readonly = view->readonly;
    m->exporter = view->obj;
    m->only = only_way(view->obj);
    *x = lucidpy_memory_copy(s, m);
    if (lucidpy_ok(s) && !PyErr_Occurred()) {
        *memory = m;
        return true;
    }
    lucidpy_memory_free(m);
    return false;
}

/* -- out: a tensor as an exporter ------------------------------------------------------------- */

/* Lives as long as the view: the Tensor may be rebound to another value meanwhile. */
typedef struct exported {
    lucid_tensor value;
    Py_ssize_t shape[LUCID_MAX_NDIM];
    Py_ssize_t strides[LUCID_MAX_NDIM];
} exported;

const char *lucidpy_derivative(lucid_tensor x, bool as_array)
{
    return lucid_is_differentiated(x)         ? "is being differentiated"
           : as_array && lucid_is_recorded(x) ? "requires grad"
                                              : NULL;
}

bool lucidpy_may_leave(lucid_tensor x, const char *how, bool as_array, PyObject *exception)
{
    const char *why = lucidpy_derivative(x, as_array);
    if (why)
        PyErr_Format(exception ? exception : PyExc_RuntimeError,
                     "%s: the tensor %s, and what leaves lucid is constant to the derivative; use "
                     "functions of lucid (lucid.sin for math.sin or numpy.sin) and comparisons of "
                     "tensors, or x.detach() where a constant is meant",
                     how, why);
    return !why;
}

const void *lucidpy_data(lucid_scope *s, lucid_tensor *x)
{
    static const double nothing = 0; /* a tensor without elements may have no memory */
    const void *data;
    lucid_tensor y = lucid_own(s, *x); /* another thread may rebind its object meanwhile */
    LUCIDPY_COMPUTE_BEGIN
    *x = lucid_row_major(s, y);
    data = lucid_data(s, *x);
    LUCIDPY_COMPUTE_END
    lucidpy_free_released();
    return !lucidpy_ok(s) ? NULL : data ? data : &nothing;
}

static bool fill_view(lucid_scope *s, PyObject *self, Py_buffer *view, int flags)
{
    if (flags & PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "a tensor's memory is read-only; copy it to write");
        return false;
    }
    lucid_tensor x = lucidpy_handle(self);
    if (!lucidpy_may_leave(x, "buffer", true, PyExc_BufferError))
        return false;
    lucid_name_operation(s, "numpy");
    const void *data = lucidpy_data(s, &x);
    if (!data)
        return false;
    exported *e = PyMem_Calloc(1, sizeof *e);
    if (!e) {
        PyErr_NoMemory();
        return false;
    }
    lucid_shape shape = lucid_shape_of(x);
    lucid_dtype dtype = lucid_dtype_of(x);
    Py_ssize_t bytes = (Py_ssize_t)lucid_dtype_size(dtype);
    view->itemsize = bytes;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        e->shape[d] = (Py_ssize_t)shape.dim[d];
        e->strides[d] = bytes;
        bytes *= e->shape[d];
    }
    e->value = lucid_retain(x);
    view->buf = (void *)(uintptr_t)data;
    view->len = bytes;
    view->readonly = 1;
    view->ndim = shape.ndim;
    view->format = (flags & PyBUF_FORMAT) ? (char *)(uintptr_t)lucidpy_dtype_format(dtype) : NULL;
    view->shape = (flags & PyBUF_ND) ? e->shape : NULL;
    view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? e->strides : NULL;
    view->suboffsets = NULL;
    view->internal = e;
    view->obj = Py_NewRef(self);
    return true;
}

int lucidpy_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    view->obj = NULL;
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return -1;
    bool filled = fill_view(s, self, view, flags);
    lucidpy_leave(s);
    return filled ? 0 : -1;
}

void lucidpy_releasebuffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    exported *e = view->internal;
    lucid_release(e->value);
    PyMem_Free(e);
    lucidpy_free_released();
}
