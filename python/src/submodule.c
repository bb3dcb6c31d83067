#include "submodule.h"

#include <stdio.h>

enum { NAME_SIZE = 64 };

static void full_name(char to[NAME_SIZE], const char *name)
{
    (void)snprintf(to, NAME_SIZE, "lucid._lucid.%s", name);
}

PyObject *lucidpy_add_submodule(PyObject *module, const char *name)
{
    char full[NAME_SIZE];
    full_name(full, name);
    PyObject *submodule = PyModule_New(full);
    if (submodule && (PyModule_AddObjectRef(module, name, submodule) ||
                      PyDict_SetItemString(PyImport_GetModuleDict(), full, submodule)))
        Py_CLEAR(submodule);
    return submodule;
}

bool lucidpy_register_submodules(PyObject *module)
{
    PyObject *key, *value, *all = PyDict_Copy(PyModule_GetDict(module));
    Py_ssize_t at = 0;
    bool ok = all != NULL;
    while (ok && PyDict_Next(all, &at, &key, &value)) {
        const char *name = PyModule_Check(value) ? PyUnicode_AsUTF8AndSize(key, NULL) : NULL;
        char full[NAME_SIZE];
        if (name)
            full_name(full, name);
        ok = !name || !PyDict_SetItemString(PyImport_GetModuleDict(), full, value);
    }
    Py_XDECREF(all);
    return ok && !PyErr_Occurred();
}
