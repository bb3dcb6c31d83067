#include "submodule.h"

#include <stdio.h>

PyObject *lucidpy_add_submodule(PyObject *module, const char *name)
{
    char full[64];
    (void)snprintf(full, sizeof full, "lucid._lucid.%s", name);
    PyObject *submodule = PyModule_New(full);
    if (submodule && (PyModule_AddObjectRef(module, name, submodule) ||
                      PyDict_SetItemString(PyImport_GetModuleDict(), full, submodule)))
        Py_CLEAR(submodule);
    return submodule;
}
