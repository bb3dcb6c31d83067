/* Signatures: read once at import, matched against the arguments of every call. */
#include "args.h"

#include <stdlib.h>
#include <string.h>

/* -- reading ---------------------------------------------------------------------------------- */

static PyObject *parse_default(const char *text, size_t length)
{
    char copy[64];
    if (length >= sizeof copy)
        length = sizeof copy - 1;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (!strcmp(copy, "None"))
        return Py_NewRef(Py_None);
    if (!strcmp(copy, "True"))
        return Py_NewRef(Py_True);
    if (!strcmp(copy, "False"))
        return Py_NewRef(Py_False);
    if (*copy == '\'')
        return PyUnicode_FromStringAndSize(copy + 1, (Py_ssize_t)length - 2);
    if (strpbrk(copy, ".e"))
        return PyFloat_FromDouble(strtod(copy, NULL));
    return PyLong_FromLong(strtol(copy, NULL, 10));
}

static bool parse_parameter(lucidpy_signature *signature, const char *text, size_t length)
{
    if (signature->count == LUCIDPY_MAX_ARGS) {
        PyErr_Format(PyExc_SystemError, "too many parameters: %s", text);
        return false;
    }
    lucidpy_parameter *p = &signature->at[signature->count++];
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals ? (size_t)(equals - text) : length;
    PyObject *name = PyUnicode_FromStringAndSize(text, (Py_ssize_t)name_length);
    if (!name)
        return false;
    PyUnicode_InternInPlace(&name);
    p->name = name;
    p->fallback = equals ? parse_default(equals + 1, length - name_length - 1) : NULL;
    return !equals || p->fallback;
}

bool lucidpy_signature_parse(lucidpy_signature *signature, const char *text)
{
    *signature = (lucidpy_signature){.rest = -1, .positional = -1};
    while (*text) {
        size_t length = strcspn(text, ",");
        if (*text == '*') {
            signature->positional = signature->count;
            if (length > 1) {
                signature->rest = signature->count;
                if (!parse_parameter(signature, text + 1, length - 1))
                    return false;
            }
        } else if (!parse_parameter(signature, text, length)) {
            return false;
        }
        text += length;
        text += strspn(text, ", ");
    }
    if (signature->positional < 0)
        signature->positional = signature->count;
    return true;
}

/* -- matching --------------------------------------------------------------------------------- */

/* The names that NumPy gives to the same parameters. */
static const struct {
    const char *given, *meant;
} synonyms[] = {
    {"axis", "dim"},
    {"keepdims", "keepdim"},
    {"x", "input"},
    {"x2", "other"},
    {"shape", "size"},
    {"axes", "dims"},
    {"split_size_or_sections", "split_size"},
};

static int find_name(const lucidpy_signature *signature, PyObject *name)
{
    for (int i = 0; i < signature->count; i++)
        if (signature->at[i].name == name)
            return i;
    for (int i = 0; i < signature->count; i++)
        if (!PyUnicode_Compare(signature->at[i].name, name))
            return i;
    for (size_t k = 0; k < sizeof synonyms / sizeof *synonyms; k++)
        if (!PyUnicode_CompareWithASCIIString(name, synonyms[k].given))
            for (int i = 0; i < signature->count; i++)
                if (!PyUnicode_CompareWithASCIIString(signature->at[i].name, synonyms[k].meant))
                    return i;
    return -1;
}

static bool bind_keywords(lucidpy_call *c, PyObject *const *values, PyObject *keywords)
{
    Py_ssize_t n = PyTuple_Size(keywords);
    for (Py_ssize_t k = 0; k < n; k++) {
        PyObject *name = PyTuple_GetItem(keywords, k);
        int i = find_name(c->signature, name);
        if (i < 0) {
            PyErr_Format(PyExc_TypeError, "%s(): unexpected argument '%U'", c->name, name);
            return false;
        }
        if (c->arg[i] || (i == c->signature->rest && c->rest_count)) {
            PyErr_Format(PyExc_TypeError, "%s(): argument '%U' given twice", c->name, name);
            return false;
        }
        c->arg[i] = values[k];
    }
    return true;
}

/* "where(condition, input, other): argument 'other' is missing". */
static void set_missing(const lucidpy_call *c, int missing)
{
    PyObject *list = PyUnicode_FromString("");
    for (int i = 0; list && i < c->signature->count; i++) {
        PyObject *longer = PyUnicode_FromFormat(
            "%U%s%s%U%s", list, i > 0 ? ", " : "", i == c->signature->rest ? "*" : "",
            c->signature->at[i].name, c->signature->at[i].fallback ? "=..." : "");
        Py_DECREF(list);
        list = longer;
    }
    if (list)
        PyErr_Format(PyExc_TypeError, "%s(%U): argument '%U' is missing", c->name, list,
                     c->signature->at[missing].name);
    Py_XDECREF(list);
}

static bool fill_defaults(lucidpy_call *c)
{
    const lucidpy_signature *signature = c->signature;
    for (int i = 0; i < signature->count; i++) {
        if (c->arg[i])
            continue;
        c->arg[i] = signature->at[i].fallback;
        if (!c->arg[i] && i != signature->rest) {
            set_missing(c, i);
            return false;
        }
    }
    return true;
}

bool lucidpy_bind(lucidpy_call *c, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                  PyObject *keywords)
{
    const lucidpy_signature *signature = c->signature;
    int first = self != NULL;
    Py_ssize_t fit = signature->positional - first;
    Py_ssize_t taken = nargs < fit ? nargs : fit;
    c->arg[0] = self;
    for (Py_ssize_t i = 0; i < taken; i++)
        c->arg[i + first] = args[i];
    for (Py_ssize_t i = taken + first; i < signature->count; i++)
        c->arg[i] = NULL;
    c->rest = args + taken;
    c->rest_count = nargs - taken;
    if (c->rest_count && signature->rest < 0) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd positional arguments, %zd given",
                     c->name, fit, nargs);
        return false;
    }
    if (keywords && !bind_keywords(c, args + nargs, keywords))
        return false;
    return fill_defaults(c);
}
