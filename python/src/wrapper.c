#include "wrapper.h"

#include "args.h"
#include "call_scope.h"
#include "convert.h"
#include "number_protocol.h"

#include <string.h>
#include <structmember.h>

static PyTypeObject *wrapper_type;
static PyObject *method_type;

static lucidpy_wrapper *wrapper_of(PyObject *self)
{
    return (lucidpy_wrapper *)self;
}

/* What functools.wraps copies: attributes that somebody gave to the function. */
static bool take_attributes(lucidpy_wrapper *self)
{
    /* Interned: the interpreter's cache of attributes goes by the address of the name and keeps it. */
    PyObject *name = PyUnicode_InternFromString("__dict__");
    PyObject *theirs = name ? PyObject_GetAttr(self->func, name) : NULL;
    Py_XDECREF(name);
    if (!theirs || !PyDict_Check(theirs)) { /* a builtin, a class */
        PyErr_Clear();
        Py_XDECREF(theirs);
        return true;
    }
    if (PyDict_Size(theirs) > 0)
        self->dict = PyDict_Copy(theirs);
    Py_DECREF(theirs);
    return !PyErr_Occurred();
}

lucidpy_wrapper *lucidpy_wrapper_new(const char *name, PyObject *func, lucidpy_wrapper_call *call,
                                     void *options)
{
    lucidpy_wrapper *self = NULL;
    if (!PyCallable_Check(func)) {
        PyObject *type = PyType_GetName(Py_TYPE(func));
        if (type)
            PyErr_Format(PyExc_TypeError, "%s(): argument 'func' must be callable, not %U", name,
                         type);
        Py_XDECREF(type);
    } else {
        self = (lucidpy_wrapper *)(void *)PyType_GenericAlloc(wrapper_type, 0);
    }
    if (!self) {
        PyMem_Free(options);
        return NULL;
    }
    self->name = name;
    self->func = Py_NewRef(func);
    if (!take_attributes(self)) {
        PyMem_Free(options);
        Py_DECREF(self);
        return NULL;
    }
    self->call = call;
    self->options = options;
    return self;
}

lucidpy_wrapper *lucidpy_wrapper_of_call(const lucidpy_call *c, lucidpy_wrapper_call *call,
                                         void *options)
{
    lucidpy_wrapper *self = lucidpy_wrapper_new(c->name, c->arg[0], call, options);
    if (self && !(self->made_of = PyTuple_New(c->signature->count)))
        Py_CLEAR(self);
    for (int i = 0; self && i < c->signature->count; i++)
        if (PyTuple_SetItem(self->made_of, i, Py_NewRef(c->arg[i])))
            Py_CLEAR(self);
    return self;
}

PyObject *lucidpy_wrapper_func(PyObject *o, lucidpy_wrapper_call *call)
{
    return Py_TYPE(o) == wrapper_type && wrapper_of(o)->call == call ? wrapper_of(o)->func : NULL;
}

static PyObject *wrapper_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    lucidpy_wrapper *w = wrapper_of(self);
    if (!lucidpy_may_recurse(" in a transformed function"))
        return NULL;
    PyObject *result = w->call(w, args, keywords);
    Py_LeaveRecursiveCall();
    return result;
}

/* As functions do: an instance in front becomes the first argument. */
static PyObject *wrapper_bind(PyObject *self, PyObject *instance, PyObject *owner)
{
    (void)owner;
    if (!instance || instance == Py_None)
        return Py_NewRef(self);
    return PyObject_CallFunctionObjArgs(method_type, self, instance, NULL);
}

static PyObject *wrapper_repr(PyObject *self)
{
    return PyUnicode_FromFormat("<%s of %R>", wrapper_of(self)->name, wrapper_of(self)->func);
}

static PyObject *get_wrapped(PyObject *self, void *unused)
{
    (void)unused;
    return Py_NewRef(wrapper_of(self)->func);
}

static PyObject *get_dict(PyObject *self, void *unused)
{
    (void)unused;
    lucidpy_wrapper *w = wrapper_of(self);
    if (!w->dict)
        w->dict = PyDict_New();
    return Py_XNewRef(w->dict);
}

/* __name__ and its like: what was assigned, or what the function has; what has no name is called by the
 * transform, what has no annotations has none. */
static PyObject *get_of_func(PyObject *self, void *name)
{
    lucidpy_wrapper *w = wrapper_of(self);
    PyObject *own = w->dict ? PyDict_GetItemString(w->dict, name) : NULL;
    if (own)
        return Py_NewRef(own);
    if (!lucidpy_may_recurse(" in a transformed function"))
        return NULL;
    PyObject *value = PyObject_GetAttrString(w->func, name);
    Py_LeaveRecursiveCall();
    if (value || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return value;
    PyErr_Clear();
    return !strcmp(name, "__annotations__") ? PyDict_New() : PyUnicode_FromString(w->name);
}

static int set_own(PyObject *self, PyObject *value, void *name)
{
    PyObject *dict = get_dict(self, NULL);
    int status = !dict ? -1 : PyDict_SetItemString(dict, name, value ? value : Py_None);
    Py_XDECREF(dict);
    return status;
}

/* For pickle and copy (lucid/_pickling.py). */
static PyObject *wrapper_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    lucidpy_wrapper *w = wrapper_of(self);
    PyObject *module = PyImport_ImportModule("lucid._pickling");
    PyObject *made_of = w->made_of ? Py_NewRef(w->made_of) : PyTuple_Pack(1, w->func);
    PyObject *result = module && made_of ? PyObject_CallMethod(module, "reduce_transformed", "OsO",
                                                               self, w->name, made_of)
                                         : NULL;
    Py_XDECREF(made_of);
    Py_XDECREF(module);
    return result;
}

static PyMethodDef methods[] = {
    {"__reduce__", wrapper_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"__wrapped__", get_wrapped, NULL, "The function that this one was made from.", NULL},
    {"__dict__", get_dict, NULL, NULL, NULL},
    {"__name__", get_of_func, set_own, NULL, "__name__"},
    {"__qualname__", get_of_func, set_own, NULL, "__qualname__"},
    {"__doc__", get_of_func, set_own, NULL, "__doc__"},
    {"__module__", get_of_func, set_own, NULL, "__module__"},
    {"__annotations__", get_of_func, set_own, NULL, "__annotations__"},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(lucidpy_wrapper, dict), READONLY, NULL},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(lucidpy_wrapper, weakrefs), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static int wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
    lucidpy_wrapper *w = wrapper_of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(w->func);
    Py_VISIT(w->held[0]);
    Py_VISIT(w->held[1]);
    Py_VISIT(w->held[2]);
    Py_VISIT(w->made_of);
    Py_VISIT(w->dict);
    return 0;
}

static int wrapper_clear(PyObject *self)
{
    lucidpy_wrapper *w = wrapper_of(self);
    Py_CLEAR(w->func);
    Py_CLEAR(w->held[0]);
    Py_CLEAR(w->held[1]);
    Py_CLEAR(w->held[2]);
    Py_CLEAR(w->made_of);
    Py_CLEAR(w->dict);
    return 0;
}

static void end_wrapper(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (wrapper_of(self)->weakrefs)
        PyObject_ClearWeakRefs(self);
    wrapper_clear(self);
    PyMem_Free(wrapper_of(self)->options);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* A transform of a transform of ... ends one after the other, not one inside the other. */
static void wrapper_dealloc(PyObject *self)
{
    static _Thread_local lucidpy_wrapper *waiting;
    static _Thread_local bool ending;
    PyObject_GC_UnTrack(self);
    wrapper_of(self)->next_ended = waiting;
    waiting = wrapper_of(self);
    if (ending)
        return;
    ending = true;
    while ((self = (PyObject *)waiting)) {
        waiting = wrapper_of(self)->next_ended;
        end_wrapper(self);
    }
    ending = false;
}

static PyType_Slot slots[] = {
    {Py_tp_call, LUCIDPY_SLOT(wrapper_call)},
    {Py_tp_descr_get, LUCIDPY_SLOT(wrapper_bind)},
    {Py_tp_repr, LUCIDPY_SLOT(wrapper_repr)},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_tp_members, members},
    {Py_tp_traverse, LUCIDPY_SLOT(wrapper_traverse)},
    {Py_tp_clear, LUCIDPY_SLOT(wrapper_clear)},
    {Py_tp_dealloc, LUCIDPY_SLOT(wrapper_dealloc)},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "lucid.func.Transformed",
    .basicsize = sizeof(lucidpy_wrapper),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool lucidpy_wrapper_init(PyObject *module)
{
    PyObject *types = PyImport_ImportModule("types");
    method_type = types ? PyObject_GetAttrString(types, "MethodType") : NULL;
    Py_XDECREF(types);
    wrapper_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return method_type && wrapper_type;
}
