/* The extension module lucid._lucid. */
#include "backward.h"
#include "call_scope.h"
#include "dtype_type.h"
#include "generator_type.h"
#include "linear.h"
#include "ops.h"
#include "tuples.h"
#include "wrapper.h"

#include <math.h>

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "lucid._lucid",
    .m_doc = "The compiled part of lucid.",
    .m_size = -1,
};

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

PyMODINIT_FUNC PyInit__lucid(void);

PyMODINIT_FUNC PyInit__lucid(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module && !fill(module))
        Py_CLEAR(module);
    return module;
}
