/* DLPack, both ways. */
#include "call_scope.h"
#include "dlpack_abi.h"
#include "dtype_type.h"
#include "interchange.h"
#include "ops.h"

#include <stdlib.h>

/* -- out -------------------------------------------------------------------------------------- */

/* Either form of a managed tensor, and what it points to. The consumer may delete it on any thread,
 * without the GIL; nothing here needs Python. */
typedef struct exported {
    union {
        dlpack_managed plain;
        dlpack_versioned versioned;
    } managed;
    lucid_tensor value;
    int64_t shape[LUCID_MAX_NDIM];
    int64_t strides[LUCID_MAX_NDIM];
} exported;

static void delete_plain(dlpack_managed *self)
{
    exported *e = self->context;
    lucid_release(e->value);
    free(e);
}

static void delete_versioned(dlpack_versioned *self)
{
    exported *e = self->context;
    lucid_release(e->value);
    free(e);
}

/* A consumer renames the capsule when it takes the tensor over. */
static void delete_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        dlpack_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        m->deleter(m);
    } else if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dlpack_versioned *m = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        m->deleter(m);
    }
}

static dlpack_dtype dlpack_dtype_of(lucid_dtype dtype)
{
    uint8_t code = dtype == LUCID_BOOL       ? DLPACK_BOOL
                   : lucidpy_is_float(dtype) ? DLPACK_FLOAT
                                             : DLPACK_INT;
    return (dlpack_dtype){code, (uint8_t)(8 * lucid_dtype_size(dtype)), 1};
}

static dlpack_tensor describe(exported *e, const void *data)
{
    lucid_shape shape = lucid_shape_of(e->value);
    int64_t stride = 1;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        e->shape[d] = shape.dim[d];
        e->strides[d] = stride;
        stride *= shape.dim[d];
    }
    return (dlpack_tensor){.data = (void *)(uintptr_t)data,
                           .device = {DLPACK_CPU, 0},
                           .ndim = shape.ndim,
                           .dtype = dlpack_dtype_of(lucid_dtype_of(e->value)),
                           .shape = e->shape,
                           .strides = e->strides};
}

/* Whether argument i, max_version, allows DLPack 1. */
static bool wants_versioned(const lucidpy_call *c, int i)
{
    PyObject *version = c->arg[i];
    PyObject *major = PyTuple_Check(version) ? PyTuple_GetItem(version, 0) : NULL;
    PyErr_Clear();
    int overflow = 0;
    long value = major && PyLong_Check(major) ? PyLong_AsLongAndOverflow(major, &overflow) : 0;
    return overflow > 0 || value >= DLPACK_MAJOR;
}

static PyObject *export(lucid_tensor x, const void *data, bool versioned)
{
    exported *e = calloc(1, sizeof *e);
    if (!e)
        return PyErr_NoMemory();
    e->value = lucid_retain(x);
    void *managed;
    if (versioned) {
        e->managed.versioned = (dlpack_versioned){.major = DLPACK_MAJOR,
                                                  .minor = DLPACK_MINOR,
                                                  .context = e,
                                                  .deleter = delete_versioned,
                                                  .flags = DLPACK_FLAG_READ_ONLY,
                                                  .tensor = describe(e, data)};
        managed = &e->managed.versioned;
    } else {
        e->managed.plain =
            (dlpack_managed){.tensor = describe(e, data), .context = e, .deleter = delete_plain};
        managed = &e->managed.plain;
    }
    PyObject *capsule =
        PyCapsule_New(managed, versioned ? "dltensor_versioned" : "dltensor", delete_capsule);
    if (!capsule) {
        lucid_release(e->value);
        free(e);
    }
    return capsule;
}

/* (input, stream, max_version, dl_device, copy). */
PyObject *lucidpy_op_dlpack(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!lucidpy_is_none(c, 1)) {
        PyErr_SetString(PyExc_BufferError, "__dlpack__: a tensor on the CPU has no stream");
        return NULL;
    }
    if (!lucidpy_is_none(c, 3)) {
        PyObject *cpu = Py_BuildValue("(ii)", DLPACK_CPU, 0);
        int same = cpu ? PyObject_RichCompareBool(c->arg[3], cpu, Py_EQ) : -1;
        Py_XDECREF(cpu);
        if (same < 0)
            return NULL;
        if (!same) {
            PyErr_SetString(PyExc_BufferError, "__dlpack__: tensors are on the CPU, (1, 0)");
            return NULL;
        }
    }
    if (!lucidpy_ok(c->s) || !lucidpy_may_leave(x, "__dlpack__", true, PyExc_BufferError))
        return NULL;
    const void *data = lucidpy_data(c->s, &x);
    if (data && c->arg[4] == Py_True) {
        x = lucid_from_data(c->s, data, lucid_dtype_of(x), lucid_shape_of(x));
        data = lucidpy_data(c->s, &x);
    }
    return data ? export(x, data, wants_versioned(c, 2)) : NULL;
}

PyObject *lucidpy_op_dlpack_device(lucidpy_call *c)
{
    (void)c;
    return Py_BuildValue("(ii)", DLPACK_CPU, 0);
}

/* -- in --------------------------------------------------------------------------------------- */

/* What the library keeps: lets go of the tensor in the way of its producer, which may be written in
 * Python, so with the GIL held. */
typedef struct imported {
    lucidpy_owner base;
    dlpack_managed *plain; /* one of the two */
    dlpack_versioned *versioned;
} imported;

static void free_imported(lucidpy_owner *base)
{
    imported *owner = (imported *)base;
    if (owner->plain && owner->plain->deleter)
        owner->plain->deleter(owner->plain);
    if (owner->versioned && owner->versioned->deleter)
        owner->versioned->deleter(owner->versioned);
    free(owner);
}

static bool dtype_from_dlpack(dlpack_dtype given, lucid_dtype *dtype)
{
    for (lucid_dtype d = LUCID_BOOL; d < LUCID_NO_DTYPE; d++) {
        dlpack_dtype ours = dlpack_dtype_of(d);
        if (ours.code == given.code && ours.bits == given.bits && given.lanes == 1) {
            *dtype = d;
            return true;
        }
    }
    PyErr_Format(PyExc_TypeError,
                 "from_dlpack: elements of type code %d with %d bits are not supported: use "
                 "float32, float64, int32, int64 or bool",
                 given.code, given.bits);
    return false;
}

static bool check(const dlpack_tensor *t, lucid_dtype *dtype, lucid_shape *shape)
{
    if (t->device.type != DLPACK_CPU) {
        PyErr_Format(PyExc_ValueError, "from_dlpack: the memory is on device type %d, not the CPU",
                     (int)t->device.type);
        return false;
    }
    if (t->ndim < 0 || t->ndim > LUCID_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "from_dlpack: %d dimensions: at most %d are supported",
                     (int)t->ndim, LUCID_MAX_NDIM);
        return false;
    }
    *shape = (lucid_shape){.ndim = t->ndim};
    for (int d = 0; d < t->ndim; d++)
        shape->dim[d] = t->shape[d];
    return dtype_from_dlpack(t->dtype, dtype);
}

/* Takes the managed tensor out of the capsule; NULL with an exception. */
static imported *take(PyObject *capsule)
{
    imported *owner = calloc(1, sizeof *owner);
    if (!owner)
        return (void)PyErr_NoMemory(), NULL;
    owner->base.free = free_imported;
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        owner->versioned = PyCapsule_GetPointer(capsule, "dltensor_versioned");
    else
        owner->plain = PyCapsule_GetPointer(capsule, "dltensor");
    const char *used = owner->versioned ? "used_dltensor_versioned" : "used_dltensor";
    if ((!owner->versioned && !owner->plain) || PyCapsule_SetName(capsule, used)) {
        free(owner);
        return NULL;
    }
    return owner;
}

/* Whether it is one of ours, whose memory nobody writes. */
static bool is_ours(const imported *owner)
{
    return owner->versioned ? owner->versioned->deleter == delete_versioned
                            : owner->plain->deleter == delete_plain;
}

static lucid_tensor import(lucidpy_call *c, PyObject *capsule)
{
    lucid_tensor none = {NULL};
    imported *owner = take(capsule);
    if (!owner)
        return lucidpy_fail_call(c), none;
    const dlpack_tensor *t = owner->versioned ? &owner->versioned->tensor : &owner->plain->tensor;
    lucid_dtype dtype;
    lucid_shape shape;
    bool too_new = owner->versioned && owner->versioned->major > DLPACK_MAJOR;
    if (too_new)
        PyErr_Format(PyExc_BufferError, "from_dlpack: DLPack %u is newer than %d",
                     (unsigned)owner->versioned->major, DLPACK_MAJOR);
    if (too_new || !check(t, &dtype, &shape)) {
        free_imported(&owner->base);
        return lucidpy_fail_call(c), none;
    }
    char *data = (char *)t->data + t->byte_offset;
    if (is_ours(owner))
        return lucid_from_memory(c->s, data, dtype, shape, t->strides, lucidpy_owner_release,
                                 owner);
    c->memory = lucidpy_memory_new(&owner->base, data, dtype, shape, t->strides);
    if (!c->memory)
        return lucidpy_fail_call(c), none;
    /* Producers before DLPack 1 do not say whether their memory may be written. */
    c->memory->readonly = !owner->versioned || (owner->versioned->flags & DLPACK_FLAG_READ_ONLY);
    return lucidpy_memory_copy(c->s, c->memory);
}

/* Asks for DLPack 1 first; producers that do not know it do not know the argument either. */
static PyObject *capsule_of(PyObject *producer)
{
    PyObject *method = PyObject_GetAttrString(producer, "__dlpack__");
    if (!method)
        return NULL;
    PyObject *none = PyTuple_New(0);
    PyObject *version = Py_BuildValue("{s(ii)}", "max_version", DLPACK_MAJOR, DLPACK_MINOR);
    PyObject *capsule = none && version ? PyObject_Call(method, none, version) : NULL;
    if (!capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        capsule = PyObject_CallNoArgs(method);
    }
    Py_XDECREF(none);
    Py_XDECREF(version);
    Py_DECREF(method);
    return capsule;
}

lucid_tensor lucidpy_op_from_dlpack(lucidpy_call *c)
{
    lucid_tensor none = {NULL};
    PyObject *o = c->arg[0];
    if (!PyCapsule_CheckExact(o) && !PyObject_HasAttrString(o, "__dlpack__"))
        return lucidpy_bad_argument(c, 0, "an object with __dlpack__"), none;
    PyObject *capsule = PyCapsule_CheckExact(o) ? Py_NewRef(o) : capsule_of(o);
    if (!capsule)
        return lucidpy_fail_call(c), none;
    lucid_tensor x = import(c, capsule);
    Py_DECREF(capsule);
    return x;
}
