/* Modules inside the extension module, one for each namespace that has compiled parts. */
#ifndef LUCIDPY_SUBMODULE_H
#define LUCIDPY_SUBMODULE_H

#include <Python.h>
#include <stdbool.h>

/* A new module "lucid._lucid.<name>" that can be imported from; NULL with an exception. */
PyObject *lucidpy_add_submodule(PyObject *module, const char *name);

/* Finds them again for `from lucid._lucid.func import ...` after somebody emptied sys.modules. */
bool lucidpy_register_submodules(PyObject *module);

#endif
