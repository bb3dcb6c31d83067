#include "tensor_type.h"

#include "backward.h"
#include "call_scope.h"
#include "dtype_type.h"
#include "followed_memory.h"
#include "interchange.h"
#include "methods.h"
#include "number_protocol.h"
#include "ops.h"
#include "subscript.h"
#include "views.h"

#include <structmember.h>

PyTypeObject *lucidpy_tensor_type;

PyObject *lucidpy_wrap(lucid_scope *s, lucid_tensor y)
{
    lucidpy_object *self = PyObject_GC_New(lucidpy_object, lucidpy_tensor_type);
    if (!self)
        return NULL;
    self->handle = lucid_retain(y);
    self->level = lucid_level(s);
    self->weakrefs = NULL;
    self->grad = self->grad_of = NULL;
    self->is_leaf = false;
    self->shared = NULL;
    self->window = NULL;
    self->memory = NULL;
    return (PyObject *)self;
}

PyObject *lucidpy_result(lucid_scope *s, lucid_tensor y)
{
    PyObject *result = NULL;
    if (lucidpy_ok(s)) {
        if (y.v)
            result = lucidpy_wrap(s, y);
        else if (!PyErr_Occurred()) /* otherwise the exception was set on the way here */
            PyErr_SetString(PyExc_SystemError, "an operation gave neither a result nor an error");
    }
    lucidpy_leave(s);
    return result;
}

static void tensor_dealloc(PyObject *self)
{
    lucidpy_object *t = (lucidpy_object *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (t->weakrefs)
        PyObject_ClearWeakRefs(self);
    lucidpy_forget_grad(t);
    lucidpy_leave_views(t);
    lucidpy_memory_free(t->memory);
    lucidpy_release(t->handle);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    lucidpy_free_released();
}

void lucidpy_give_memory(PyObject *tensor, lucidpy_memory *memory)
{
    if (!tensor) {
        lucidpy_memory_free(memory);
        return;
    }
    ((lucidpy_object *)tensor)->memory = memory;
    PyObject_GC_Track(tensor); /* what is behind the memory may lead back to the tensor */
}

static int tensor_traverse(PyObject *self, visitproc visit, void *arg)
{
    lucidpy_object *t = (lucidpy_object *)self;
    lucidpy_memory **memory = lucidpy_own_memory(t);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)t->grad);
    if (memory)
        Py_VISIT((*memory)->exporter);
    return 0;
}

/* What the tensor holds a copy of is not needed any more. */
static int tensor_clear(PyObject *self)
{
    lucidpy_memory **own = lucidpy_own_memory((lucidpy_object *)self), *memory = own ? *own : NULL;
    if (own)
        *own = NULL;
    lucidpy_memory_free(memory);
    return 0;
}

/* 0 bool, 1 integer, 2 float: writing may not go down this ladder. */
static int kind_of(lucid_dtype dtype)
{
    return dtype == LUCID_BOOL ? 0 : lucidpy_is_float(dtype) ? 2 : 1;
}

static bool same_shape(lucid_tensor x, lucid_tensor y)
{
    lucid_shape a = lucid_shape_of(x), b = lucid_shape_of(y);
    if (a.ndim != b.ndim)
        return false;
    for (int d = 0; d < a.ndim; d++)
        if (a.dim[d] != b.dim[d])
            return false;
    return true;
}

bool lucidpy_refuse_captured(void)
{
    PyErr_SetString(PyExc_RuntimeError,
                    "in-place write to a tensor captured from outside the running transform; "
                    "make a copy inside (x.clone()) or return the new value instead");
    return false;
}

bool lucidpy_set_handle(lucid_scope *s, lucidpy_object *t, lucid_tensor y)
{
    lucid_tensor before = t->handle;
    t->handle = lucid_retain(y);
    if (t->grad_of)
        lucid_set_grad(s, t->grad_of->handle, y);
    lucidpy_release(before);
    return lucidpy_ok(s);
}

bool lucidpy_rebind(lucid_scope *s, PyObject *tensor, lucid_tensor y)
{
    lucidpy_object *t = (lucidpy_object *)tensor;
    if (!lucidpy_ok(s))
        return false;
    if (t->level != lucid_level(s))
        return lucidpy_refuse_captured();
    if (!same_shape(t->handle, y)) {
        PyObject *shape = lucidpy_shape_tuple(t->handle), *other = lucidpy_shape_tuple(y);
        if (shape && other)
            PyErr_Format(PyExc_ValueError,
                         "in-place write: the result has shape %R, the tensor has shape %R", other,
                         shape);
        Py_XDECREF(shape);
        Py_XDECREF(other);
        return false;
    }
    lucid_dtype dtype = lucid_dtype_of(t->handle), given = lucid_dtype_of(y);
    if (kind_of(given) > kind_of(dtype)) {
        PyErr_Format(PyExc_TypeError, "in-place write: a %s result does not fit a %s tensor",
                     lucid_dtype_name(given), lucid_dtype_name(dtype));
        return false;
    }
    if (given != dtype)
        y = lucid_cast(s, y, dtype);
    if (t->window)
        return lucidpy_ok(s) && lucidpy_write_view(s, t, y);
    if (t->is_leaf && !lucidpy_write_leaf(s, t->handle, &y, false))
        return false;
    if (!lucidpy_ok(s) || (t->memory && !lucidpy_memory_write(s, t->memory, &y)))
        return false;
    lucidpy_tell_views(t);
    return lucidpy_set_handle(s, t, y);
}

PyObject *lucidpy_shape_tuple(lucid_tensor x)
{
    lucid_shape shape = lucid_shape_of(x);
    PyObject *tuple = PyTuple_New(shape.ndim);
    for (int d = 0; tuple && d < shape.ndim; d++) {
        PyObject *size = PyLong_FromLongLong(shape.dim[d]);
        if (!size || PyTuple_SetItem(tuple, d, size))
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* Tensors are compared element by element, so only identity can be hashed. */
static Py_hash_t tensor_hash(PyObject *self)
{
    uintptr_t address = (uintptr_t)self;
    Py_hash_t hash = (Py_hash_t)(address >> 4 | address << (8 * sizeof address - 4));
    return hash == -1 ? -2 : hash;
}

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(lucidpy_object, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

bool lucidpy_tensor_init(PyObject *module)
{
    PyType_Slot slots[96] = {
        {Py_tp_dealloc, LUCIDPY_SLOT(tensor_dealloc)},
        {Py_tp_traverse, LUCIDPY_SLOT(tensor_traverse)},
        {Py_tp_clear, LUCIDPY_SLOT(tensor_clear)},
        {Py_tp_hash, LUCIDPY_SLOT(tensor_hash)},
        {Py_tp_members, members},
        {Py_tp_getset, lucidpy_tensor_getset},
        {Py_tp_methods, lucidpy_tensor_methods()},
        {Py_tp_new, LUCIDPY_SLOT(lucidpy_tensor_new)},
        {Py_tp_repr, LUCIDPY_SLOT(lucidpy_tensor_repr)},
        {Py_tp_doc, (void *)lucidpy_tensor_doc},
        {Py_mp_subscript, LUCIDPY_SLOT(lucidpy_getitem)},
        {Py_mp_ass_subscript, LUCIDPY_SLOT(lucidpy_setitem)},
        {Py_mp_length, LUCIDPY_SLOT(lucidpy_len)},
        {Py_tp_iter, LUCIDPY_SLOT(lucidpy_iter)},
        {Py_sq_contains, LUCIDPY_SLOT(lucidpy_contains)},
        {Py_bf_getbuffer, LUCIDPY_SLOT(lucidpy_getbuffer)},
        {Py_bf_releasebuffer, LUCIDPY_SLOT(lucidpy_releasebuffer)},
    };
    size_t n = 0;
    while (slots[n].slot)
        n++;
    for (const PyType_Slot *number = lucidpy_number_slots; number->slot; number++)
        slots[n++] = *number;
    PyType_Spec spec = {
        .name = "lucid.Tensor",
        .basicsize = sizeof(lucidpy_object),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
        .slots = slots,
    };
    lucidpy_tensor_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return lucidpy_tensor_type && !PyModule_AddType(module, lucidpy_tensor_type);
}
