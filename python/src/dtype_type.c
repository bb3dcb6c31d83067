#include "dtype_type.h"

#include <string.h>

typedef struct dtype_object {
    PyObject_HEAD lucid_dtype dtype;
} dtype_object;

static PyTypeObject *dtype_type;
static PyObject *objects[LUCID_NO_DTYPE];

static lucid_dtype dtype_of(PyObject *self)
{
    return ((dtype_object *)self)->dtype;
}

static PyObject *dtype_repr(PyObject *self)
{
    return PyUnicode_FromFormat("lucid.%s", lucid_dtype_name(dtype_of(self)));
}

/* Pickled as the global of that name, so that unpickling gives the same object. */
static PyObject *dtype_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyUnicode_FromString(lucid_dtype_name(dtype_of(self)));
}

static PyObject *get_name(PyObject *self, void *unused)
{
    (void)unused;
    return PyUnicode_FromString(lucid_dtype_name(dtype_of(self)));
}

static PyObject *get_itemsize(PyObject *self, void *unused)
{
    (void)unused;
    return PyLong_FromSize_t(lucid_dtype_size(dtype_of(self)));
}

static PyObject *get_is_floating_point(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(lucidpy_is_float(dtype_of(self)));
}

static PyGetSetDef getset[] = {
    {"name", get_name, NULL, "The name, e.g. 'float32'.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of one element.", NULL},
    {"is_floating_point", get_is_floating_point, NULL, "True for float32 and float64.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef methods[] = {
    {"__reduce__", dtype_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The type of a tensor's elements: lucid.float32, float64, int32, int64 or bool."},
    {Py_tp_repr, (void *)(uintptr_t)dtype_repr},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "lucid.dtype",
    .basicsize = sizeof(dtype_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

/* Other names, as users of torch know them. */
static const struct {
    const char *name;
    lucid_dtype dtype;
} other_names[] = {
    {"float", LUCID_FLOAT32},
    {"double", LUCID_FLOAT64},
    {"int", LUCID_INT32},
    {"long", LUCID_INT64},
};

bool lucidpy_dtype_init(PyObject *module)
{
    dtype_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (!dtype_type || PyModule_AddType(module, dtype_type))
        return false;
    for (lucid_dtype d = LUCID_BOOL; d < LUCID_NO_DTYPE; d++) {
        dtype_object *o = PyObject_New(dtype_object, dtype_type);
        if (!o)
            return false;
        o->dtype = d;
        objects[d] = (PyObject *)o;
        if (PyModule_AddObjectRef(module, lucid_dtype_name(d), objects[d]))
            return false;
    }
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (PyModule_AddObjectRef(module, other_names[i].name, objects[other_names[i].dtype]))
            return false;
    return true;
}

PyObject *lucidpy_dtype_object(lucid_dtype dtype)
{
    return Py_NewRef(objects[dtype]);
}

static bool from_name(const char *name, lucid_dtype *dtype)
{
    for (lucid_dtype d = LUCID_BOOL; d < LUCID_NO_DTYPE; d++)
        if (!strcmp(name, lucid_dtype_name(d))) {
            *dtype = d;
            return true;
        }
    /* What NumPy 2 and NumPy 1 call the type of their booleans. */
    if (!strcmp(name, "bool_")) {
        *dtype = LUCID_BOOL;
        return true;
    }
    return false;
}

static bool from_text(PyObject *text, lucid_dtype *dtype)
{
    const char *name = PyUnicode_Check(text) ? PyUnicode_AsUTF8AndSize(text, NULL) : NULL;
    if (!name)
        PyErr_Clear();
    return name && from_name(name, dtype);
}

bool lucidpy_dtype_from(PyObject *o, lucid_dtype *dtype)
{
    if (Py_IS_TYPE(o, dtype_type)) {
        *dtype = dtype_of(o);
        return true;
    }
    if (o == (PyObject *)&PyFloat_Type || o == (PyObject *)&PyLong_Type ||
        o == (PyObject *)&PyBool_Type) {
        *dtype = o == (PyObject *)&PyFloat_Type  ? LUCID_FLOAT64
                 : o == (PyObject *)&PyLong_Type ? LUCID_INT64
                                                 : LUCID_BOOL;
        return true;
    }
    if (PyUnicode_Check(o))
        return from_text(o, dtype);
    /* numpy.dtype has a name, numpy.float32 (a class) has a __name__. */
    PyObject *name = PyObject_GetAttrString(o, PyType_Check(o) ? "__name__" : "name");
    if (!name) {
        PyErr_Clear();
        return false;
    }
    bool found = from_text(name, dtype);
    Py_DECREF(name);
    return found;
}

bool lucidpy_dtype_from_format(const char *format, size_t itemsize, lucid_dtype *dtype)
{
    const uint16_t one = 1;
    const bool little = *(const uint8_t *)&one;
    if (!format)
        format = "B";
    if (*format == '@' || *format == '=' || *format == (little ? '<' : '>'))
        format++;
    if (!*format || format[1])
        return false;
    switch (*format) {
    case '?':
        *dtype = LUCID_BOOL;
        break;
    case 'f':
        *dtype = LUCID_FLOAT32;
        break;
    case 'd':
        *dtype = LUCID_FLOAT64;
        break;
    case 'i':
    case 'l':
    case 'q':
    case 'n': /* which of these means 4 or 8 bytes depends on the machine */
        *dtype = itemsize == 4 ? LUCID_INT32 : LUCID_INT64;
        break;
    default:
        return false;
    }
    return itemsize == lucid_dtype_size(*dtype);
}

const char *lucidpy_dtype_format(lucid_dtype dtype)
{
    static const char *const formats[] = {"?", "i", "q", "f", "d", ""};
    return formats[dtype];
}
