#include "backward.h"

#include "call_scope.h"
#include "convert.h"
#include "followed_memory.h"
#include "number_protocol.h"
#include "ops.h"
#include "wrapper.h"

static lucidpy_object *object_of(PyObject *tensor)
{
    return (lucidpy_object *)tensor;
}

/* -- leaves and their gradients ---------------------------------------------------------------- */

void lucidpy_forget_grad(lucidpy_object *t)
{
    if (t->grad) {
        t->grad->grad_of = NULL;
        Py_CLEAR(t->grad);
    }
    if (t->grad_of && t->grad_of->grad == t)
        t->grad_of->grad = NULL;
}

lucid_tensor lucidpy_leaf_again(lucid_scope *s, lucid_tensor leaf, lucid_tensor y)
{
    lucid_tensor grad = lucid_grad_of(s, leaf);
    y = lucid_requires_grad(s, lucid_detach(s, y));
    if (!lucid_is_empty_handle(grad))
        lucid_set_grad(s, y, grad);
    return y;
}

bool lucidpy_write_leaf(lucid_scope *s, lucid_tensor leaf, lucid_tensor *y, bool detached)
{
    if (*lucidpy_no_grad_depth() == 0 && !detached) {
        PyErr_SetString(PyExc_RuntimeError,
                        "in-place write to a leaf that requires grad; do it under lucid.no_grad()");
        return false;
    }
    *y = lucidpy_leaf_again(s, leaf, *y);
    return lucidpy_ok(s);
}

PyObject *lucidpy_get_grad(PyObject *self, void *unused)
{
    (void)unused;
    lucidpy_object *t = object_of(self);
    if (!t->is_leaf)
        return Py_NewRef(Py_None);
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_tensor grad = lucid_grad_of(s, lucidpy_handle(self));
    PyObject *result;
    if (!lucidpy_ok(s)) {
        result = NULL;
    } else if (lucid_is_empty_handle(grad)) {
        result = Py_NewRef(Py_None);
    } else if (t->grad && t->grad->handle.v == grad.v) {
        result = Py_NewRef((PyObject *)t->grad);
    } else {
        result = lucidpy_wrap(s, grad);
        if (result) {
            if (t->grad) {
                t->grad->grad_of = NULL;
                Py_DECREF(t->grad);
            }
            t->grad = (lucidpy_object *)Py_NewRef(result);
            t->grad->grad_of = t;
        }
    }
    lucidpy_leave(s);
    return result;
}

int lucidpy_set_grad(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    lucidpy_object *t = object_of(self);
    lucid_tensor grad = {NULL};
    if (!t->is_leaf) {
        PyErr_SetString(PyExc_RuntimeError, "grad: the tensor is not a leaf that requires grad");
        return -1;
    }
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return -1;
    int converted = !value || value == Py_None ? 1 : lucidpy_convert(s, value, &grad);
    if (converted == 0)
        lucidpy_wrong_type(value, "grad must be a tensor or None");
    if (converted == 1)
        lucid_set_grad(s, lucidpy_handle(self), grad);
    bool ok = converted == 1 && lucidpy_ok(s);
    lucidpy_leave(s);
    return ok ? 0 : -1;
}

static bool set_leaf(lucid_scope *s, PyObject *self, bool on)
{
    lucidpy_object *t = object_of(self);
    lucid_tensor x = lucidpy_handle(self);
    bool recorded = lucid_is_recorded(x);
    if (on == recorded) /* a leaf already, or computed from one: stays what it is */
        return true;
    if (!on && !t->is_leaf) {
        PyErr_SetString(PyExc_RuntimeError,
                        "requires_grad can be switched off for leaves only; use detach()");
        return false;
    }
    lucid_tensor y = on ? lucid_requires_grad(s, x) : lucid_detach(s, x);
    if (!lucidpy_ok(s))
        return false;
    lucid_tensor before = t->handle;
    t->handle = lucid_retain(y);
    t->is_leaf = on;
    if (on) { /* a leaf has memory of its own */
        lucidpy_memory_free(t->memory);
        t->memory = NULL;
    }
    lucidpy_release(before);
    return true;
}

PyObject *lucidpy_op_requires_grad_(lucidpy_call *c)
{
    bool on = lucidpy_flag(c, 1);
    return lucidpy_ok(c->s) && set_leaf(c->s, c->arg[0], on) ? Py_NewRef(c->arg[0]) : NULL;
}

PyObject *lucidpy_op_backward(lucidpy_call *c)
{
    lucid_tensor loss = lucidpy_tensor(c, 0), gradient = lucidpy_optional_tensor(c, 1);
    lucid_backward(c->s, loss, gradient);
    return Py_NewRef(Py_None);
}

PyObject *lucidpy_get_requires_grad(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(lucid_is_recorded(lucidpy_handle(self)));
}

int lucidpy_set_requires_grad(PyObject *self, PyObject *value, void *unused)
{
    (void)unused;
    int on = value ? PyObject_IsTrue(value) : 0;
    lucid_scope *s = on < 0 ? NULL : lucidpy_enter();
    if (!s)
        return -1;
    bool ok = set_leaf(s, self, on);
    lucidpy_leave(s);
    return ok ? 0 : -1;
}

PyObject *lucidpy_get_is_leaf(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(object_of(self)->is_leaf || !lucid_is_recorded(lucidpy_handle(self)));
}

/* -- no_grad ---------------------------------------------------------------------------------- */

static bool begin(void)
{
    lucid_scope *s = lucidpy_current();
    if (!s)
        return false;
    lucid_no_grad_begin(s);
    ++*lucidpy_no_grad_depth();
    return true;
}

static void end(void)
{
    lucid_scope *s = lucidpy_current();
    if (s && *lucidpy_no_grad_depth() > 0) {
        lucid_no_grad_end(s);
        --*lucidpy_no_grad_depth();
    }
}

static PyObject *call_without_grad(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords)
{
    if (!begin())
        return NULL;
    PyObject *result = PyObject_Call(w->func, args, keywords);
    end();
    return result;
}

static PyObject *decorate(PyObject *func)
{
    return (PyObject *)lucidpy_wrapper_new("no_grad", func, call_without_grad, NULL);
}

/* no_grad() is a context manager and a decorator, no_grad(func) a decorated function. */
static PyObject *no_grad_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"func", NULL};
    PyObject *func = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:no_grad", names, &func))
        return NULL;
    return func ? decorate(func) : (PyObject *)PyObject_New(PyObject, type);
}

static void no_grad_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *no_grad_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"func", NULL};
    PyObject *func;
    (void)self;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:no_grad", names, &func))
        return NULL;
    return decorate(func);
}

static PyObject *no_grad_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    return begin() ? Py_NewRef(self) : NULL;
}

static PyObject *no_grad_exit(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    end();
    return Py_NewRef(Py_None);
}

static PyMethodDef no_grad_methods[] = {
    {"__enter__", no_grad_enter, METH_NOARGS, NULL},
    {"__exit__", no_grad_exit, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static const char no_grad_doc[] = "no_grad()\n--\n\n"
                                  "A context manager and decorator: what is computed under it is "
                                  "constant to backward() and to all\n"
                                  "transforms that run around it (grad, jvp, ..., the body of a "
                                  "loop, a compiled function). A\n"
                                  "transform that begins under it differentiates as ever. Leaves "
                                  "may be written in place.\n\n"
                                  ">>> import lucid\n"
                                  ">>> w = lucid.tensor([1.0, 2.0], requires_grad=True)\n"
                                  ">>> with lucid.no_grad():\n"
                                  "...     w -= 0.5\n"
                                  ">>> w\n"
                                  "tensor([0.5000, 1.5000])";

static PyType_Slot no_grad_slots[] = {
    {Py_tp_doc, LUCIDPY_SLOT(no_grad_doc)},
    {Py_tp_new, LUCIDPY_SLOT(no_grad_new)},
    {Py_tp_dealloc, LUCIDPY_SLOT(no_grad_dealloc)},
    {Py_tp_call, LUCIDPY_SLOT(no_grad_call)},
    {Py_tp_methods, no_grad_methods},
    {0, NULL},
};

static PyType_Spec no_grad_spec = {
    .name = "lucid.no_grad",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = no_grad_slots,
};

bool lucidpy_recording_init(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &no_grad_spec, NULL);
    bool ok = type && !PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return ok;
}
