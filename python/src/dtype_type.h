/* The dtype objects: lucid.float32 and its siblings. */
#ifndef LUCIDPY_DTYPE_TYPE_H
#define LUCIDPY_DTYPE_TYPE_H

#include <Python.h>
#include <lucid.h>

/* Adds the dtypes, their other names and the type itself to the module. */
bool lucidpy_dtype_init(PyObject *module);

PyObject *lucidpy_dtype_object(lucid_dtype dtype); /* a new reference */

/* A dtype of ours or of NumPy, a name, or bool, int, float (which mean bool, int64, float64). False:
 * it is none of these; no exception is set. */
bool lucidpy_dtype_from(PyObject *o, lucid_dtype *dtype);

/* The dtype that a format of the buffer protocol names; false when we have none like it. */
bool lucidpy_dtype_from_format(const char *format, size_t itemsize, lucid_dtype *dtype);
const char *lucidpy_dtype_format(lucid_dtype dtype);

static inline bool lucidpy_is_float(lucid_dtype dtype)
{
    return dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64;
}

#endif
