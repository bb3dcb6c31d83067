/* The extension module lucid._lucid. */
#include "backward.h"
#include "call_scope.h"
#include "dtype_type.h"
#include "generator_type.h"
#include "linear.h"
#include "number_protocol.h"
#include "ops.h"
#include "submodule.h"
#include "tuples.h"
#include "wrapper.h"

#include <math.h>

static bool add_constants(PyObject *module)
{
    PyObject *inf = PyFloat_FromDouble(INFINITY), *nan = PyFloat_FromDouble(NAN);
    PyObject *pi = PyFloat_FromDouble(3.141592653589793),
             *e = PyFloat_FromDouble(2.718281828459045);
    bool ok = inf && nan && pi && e && !PyModule_AddObjectRef(module, "inf", inf) &&
              !PyModule_AddObjectRef(module, "nan", nan) &&
              !PyModule_AddObjectRef(module, "pi", pi) && !PyModule_AddObjectRef(module, "e", e);
    Py_XDECREF(inf);
    Py_XDECREF(nan);
    Py_XDECREF(pi);
    Py_XDECREF(e);
    return ok && !PyModule_AddStringConstant(module, "__version__", lucid_version());
}

/* NumPy leaves operators between its arrays and objects of higher priority to them. */
static bool set_priority(void)
{
    PyObject *priority = PyLong_FromLong(1000);
    bool ok = priority && !PyObject_SetAttrString((PyObject *)lucidpy_tensor_type,
                                                  "__array_priority__", priority);
    Py_XDECREF(priority);
    return ok;
}

/* What `from lucid._lucid import *` takes: all but private names and the namespaces. */
static bool add_all(PyObject *module)
{
    PyObject *names = PyDict_Keys(PyModule_GetDict(module)), *all = PyList_New(0);
    bool ok = names && all;
    for (Py_ssize_t i = 0; ok && i < PyList_Size(names); i++) {
        PyObject *name = PyList_GetItem(names, i);
        PyObject *value = PyDict_GetItemWithError(PyModule_GetDict(module), name);
        if (PyUnicode_ReadChar(name, 0) != '_' && value && !PyModule_Check(value))
            ok = !PyList_Append(all, name);
    }
    ok = ok && !PyList_Sort(all) && !PyModule_AddObjectRef(module, "__all__", all);
    Py_XDECREF(names);
    Py_XDECREF(all);
    return ok;
}

static bool fill(PyObject *module)
{
    return lucidpy_scope_init(module) && lucidpy_dtype_init(module) &&
           lucidpy_tuples_init(module) && lucidpy_wrapper_init(module) &&
           lucidpy_compile_init(module) && lucidpy_linear_init(module) && lucidpy_ops_prepare() &&
           lucidpy_tensor_init(module) && lucidpy_ops_init(module) &&
           lucidpy_ops_add_aliases(module) && lucidpy_recording_init(module) &&
           lucidpy_random_init(module) && add_constants(module) && set_priority() &&
           add_all(module);
}

/* -- one module for the process: types and the generator are found in static variables ---------- */

static PyObject
    *the_module; /* kept, so that tensors made before an import are tensors after the next */
static bool is_filled;

/* After the interpreter has ended, which may be started anew. */
static void forget_module(void)
{
    the_module = NULL;
    is_filled = false;
}

static PyObject *create(PyObject *spec, PyModuleDef *unused)
{
    (void)unused;
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(
            PyExc_ImportError,
            "lucid cannot be imported in a sub-interpreter; use it in the main interpreter, "
            "or in processes of their own");
        return NULL;
    }
    if (the_module)
        return Py_NewRef(the_module);
    PyObject *name = PyObject_GetAttrString(spec, "name");
    the_module = name ? PyModule_NewObject(name) : NULL;
    Py_XDECREF(name);
    if (the_module && Py_AtExit(forget_module)) {
        PyErr_SetString(PyExc_ImportError, "lucid: no room for a function at exit");
        Py_CLEAR(the_module);
    }
    return Py_XNewRef(the_module);
}

/* On every import: what is there already stays. */
static int execute(PyObject *module)
{
    if (is_filled)
        return lucidpy_register_submodules(module) ? 0 : -1;
    is_filled = fill(module);
    return is_filled ? 0 : -1;
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_create, LUCIDPY_SLOT(create)},
    {Py_mod_exec, LUCIDPY_SLOT(execute)},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "lucid._lucid",
    .m_doc = "The compiled part of lucid.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__lucid(void);

PyMODINIT_FUNC PyInit__lucid(void)
{
    return PyModuleDef_Init(&definition);
}
