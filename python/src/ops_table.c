#include "ops.h"

#include "call_scope.h"
#include "common_ops.h"
#include "submodule.h"
#include "views.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* -- the table ------------------------------------------------------------------------------ */

/* What all lines have in common is their id: LINE(id) is what each of them expands to. */
#define COMMON_OP(id, name, where, arguments, adaptor, member, builder, doc) LINE(id)
#define TENSOR_OP(id, name, where, arguments, doc) LINE(id)
#define OBJECT_OP(id, name, where, arguments, doc) LINE(id)

enum {
#define LINE(id) OP_##id,
#include "ops.def"
#undef LINE
    OP_COUNT
};

#undef COMMON_OP
#undef TENSOR_OP
#undef OBJECT_OP

static const lucidpy_op ops[OP_COUNT] = {
/* clang-format off */
#define COMMON_OP(id, name, where, arguments, adaptor, member, builder, doc) \
    [OP_##id] = {name, where, arguments, doc, .tensor = adaptor, .build.member = builder},
#define TENSOR_OP(id, name, where, arguments, doc) \
    [OP_##id] = {name, where, arguments, doc, .tensor = lucidpy_op_##id},
#define OBJECT_OP(id, name, where, arguments, doc) \
    [OP_##id] = {name, where, arguments, doc, .object = lucidpy_op_##id},
#include "ops.def"
/* clang-format on */
#undef COMMON_OP
#undef TENSOR_OP
#undef OBJECT_OP
};

static lucidpy_signature signatures[OP_COUNT];

/* Other names of the same functions and methods, left the new one. */
static const char *const aliases[][2] = {
    {"absolute", "abs"},     {"negative", "neg"},       {"subtract", "sub"},
    {"multiply", "mul"},     {"divide", "div"},         {"true_divide", "div"},
    {"greater", "gt"},       {"greater_equal", "ge"},   {"less", "lt"},
    {"less_equal", "le"},    {"not_equal", "ne"},       {"arcsin", "asin"},
    {"arccos", "acos"},      {"arctan", "atan"},        {"arctan2", "atan2"},
    {"arcsinh", "asinh"},    {"arccosh", "acosh"},      {"arctanh", "atanh"},
    {"fix", "trunc"},        {"clip", "clamp"},         {"concat", "cat"},
    {"concatenate", "cat"},  {"swapaxes", "transpose"}, {"swapdims", "transpose"},
    {"moveaxis", "movedim"}, {"view_as", "reshape_as"}, {"ndimension", "dim"},
    {"nelement", "numel"},   {"argwhere", "nonzero"},   {"row_stack", "vstack"},
};

/* -- running ---------------------------------------------------------------------------------- */

static PyObject *run(int id, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                     PyObject *keywords)
{
    const lucidpy_op *op = &ops[id];
    lucidpy_call c;
    c.name = op->name;
    c.signature = &signatures[id];
    c.op = op;
    c.leaf = false;
    c.place.of = NULL;
    c.memory = NULL;
    if (!lucidpy_bind(&c, self, args, nargs, keywords))
        return NULL;
    c.s = lucidpy_enter();
    if (!c.s)
        return NULL;
    lucid_name_operation(c.s, op->name);
    if (op->tensor) {
        lucid_tensor y = op->tensor(&c);
        PyObject *tensor = lucidpy_result_view(c.s, y, &c.place);
        if (tensor && c.leaf)
            ((lucidpy_object *)tensor)->is_leaf = true;
        if (c.memory)
            lucidpy_give_memory(tensor, c.memory);
        return tensor;
    }
    PyObject *result = op->object(&c);
    if (!lucidpy_ok(c.s))
        Py_CLEAR(result);
    lucidpy_leave(c.s);
    return result;
}

static PyObject *run_in_place(int id, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *keywords)
{
    const lucidpy_op *op = &ops[id];
    lucidpy_call c;
    c.name = op->name;
    c.signature = &signatures[id];
    c.op = op;
    c.leaf = false;
    c.place.of = NULL;
    c.memory = NULL;
    if (!lucidpy_bind(&c, self, args, nargs, keywords))
        return NULL;
    c.s = lucidpy_enter();
    if (!c.s)
        return NULL;
    lucid_name_operation(c.s, op->name);
    bool written = lucidpy_rebind(c.s, self, op->tensor(&c));
    lucidpy_leave(c.s);
    return written ? Py_NewRef(self) : NULL;
}

/* CPython calls a C function per method, so each line gets its own three. */
#define COMMON_OP(id, name, where, arguments, adaptor, member, builder, doc) LINE(id)
#define TENSOR_OP(id, name, where, arguments, doc) LINE(id)
#define OBJECT_OP(id, name, where, arguments, doc) LINE(id)

/* clang-format off */
#define LINE(id)                                                                              \
    static PyObject *function_##id(PyObject *module, PyObject *const *args, Py_ssize_t nargs, \
                                   PyObject *keywords)                                        \
    {                                                                                         \
        (void)module;                                                                         \
        return run(OP_##id, NULL, args, nargs, keywords);                                     \
    }                                                                                         \
    static PyObject *method_##id(PyObject *self, PyObject *const *args, Py_ssize_t nargs,     \
                                 PyObject *keywords)                                          \
    {                                                                                         \
        return run(OP_##id, self, args, nargs, keywords);                                     \
    }                                                                                         \
    static PyObject *in_place_##id(PyObject *self, PyObject *const *args, Py_ssize_t nargs,   \
                                   PyObject *keywords)                                        \
    {                                                                                         \
        return run_in_place(OP_##id, self, args, nargs, keywords);                            \
    }
/* clang-format on */
#include "ops.def"
#undef LINE

typedef PyObject *fast_call(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static const struct {
    fast_call *function, *method, *in_place;
} entries[OP_COUNT] = {
#define LINE(id) [OP_##id] = {function_##id, method_##id, in_place_##id},
#include "ops.def"
#undef LINE
};

/* -- registering ------------------------------------------------------------------------------ */

static PyMethodDef function_defs[OP_COUNT];
static PyMethodDef method_defs[2 * OP_COUNT + 1];

static PyMethodDef method_def(const char *name, fast_call *call, const char *doc)
{
    return (PyMethodDef){name, (PyCFunction)(void (*)(void))call, METH_FASTCALL | METH_KEYWORDS,
                         doc};
}

/* Docstrings and names that are put together here once and kept for the life of the process. */
static char texts[160 << 10];
static size_t texts_used;

static const char *keep(const char *format, ...)
{
    char *text = texts + texts_used;
    size_t room = sizeof texts - texts_used;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= room) {
        PyErr_SetString(PyExc_SystemError, "lucid: no room for docstrings");
        return NULL;
    }
    texts_used += (size_t)length + 1;
    return text;
}

/* The docstring with a first line from which inspect.signature reads the parameters. */
static const char *make_doc(const char *name, const char *arguments, bool method, const char *note,
                            const char *doc)
{
    const char *rest = arguments;
    if (method) {
        rest += strcspn(rest, ",");
        rest += strspn(rest, ", ");
    }
    return keep("%s(%s%s%s)\n--\n\n%s%s", name, method ? "$self" : "", method && *rest ? ", " : "",
                rest, note, doc);
}

static bool have_method(const PyMethodDef *end, const char *name)
{
    for (const PyMethodDef *m = method_defs; m < end; m++)
        if (!strcmp(m->ml_name, name))
            return true;
    return false;
}

bool lucidpy_ops_prepare(void)
{
    PyMethodDef *end = method_defs;
    for (int id = 0; id < OP_COUNT; id++) {
        const lucidpy_op *op = &ops[id];
        if (!lucidpy_signature_parse(&signatures[id], op->arguments))
            return false;
        if ((op->where & METHOD) && !have_method(end, op->name))
            *end++ = method_def(op->name, entries[id].method,
                                make_doc(op->name, op->arguments, true, "", op->doc));
        if (op->where & IN_PLACE) {
            const char *name = keep("%s_", op->name);
            if (name && !have_method(end, name))
                *end++ =
                    method_def(name, entries[id].in_place,
                               make_doc(name, op->arguments, true,
                                        "In place: this tensor becomes the result. ", op->doc));
        }
    }
    return !PyErr_Occurred();
}

PyMethodDef *lucidpy_tensor_methods(void)
{
    return method_defs;
}

/* The namespaces, as modules of their own inside this one. */
static const struct {
    int where;
    const char *name;      /* in this module; NULL: the module itself */
    const char *functions; /* the module that users see its functions in */
} places[] = {
    {FUNCTION, NULL, "lucid"},
    {LINALG, "linalg", "lucid.linalg"},
    {NN, "functional", "lucid.nn.functional"},
    {FUNC, "func", "lucid.func"},
};

static bool add_functions(PyObject *module, int where, const char *shown)
{
    PyObject *name = PyUnicode_FromString(shown);
    bool ok = name != NULL;
    /* From the last to the first, for the first line of a name counts. */
    for (int id = OP_COUNT - 1; ok && id >= 0; id--) {
        if (!(ops[id].where & where))
            continue;
        if (!function_defs[id].ml_name)
            function_defs[id] =
                method_def(ops[id].name, entries[id].function,
                           make_doc(ops[id].name, ops[id].arguments, false, "", ops[id].doc));
        PyObject *function = PyCFunction_NewEx(&function_defs[id], NULL, name);
        ok = function && !PyModule_AddObjectRef(module, ops[id].name, function);
        Py_XDECREF(function);
    }
    Py_XDECREF(name);
    return ok;
}

static bool add_alias(PyObject *object, const char *name, const char *of)
{
    if (!PyObject_HasAttrString(object, of))
        return true;
    PyObject *value = PyObject_GetAttrString(object, of);
    bool ok = value && !PyObject_SetAttrString(object, name, value);
    Py_XDECREF(value);
    return ok;
}

bool lucidpy_ops_add_aliases(PyObject *module)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        const char *name = aliases[i][0], *of = aliases[i][1];
        if (!add_alias(module, name, of) || !add_alias((PyObject *)lucidpy_tensor_type, name, of))
            return false;
        char name_[64], of_[64];
        (void)snprintf(name_, sizeof name_, "%s_", name);
        (void)snprintf(of_, sizeof of_, "%s_", of);
        if (!add_alias((PyObject *)lucidpy_tensor_type, name_, of_))
            return false;
    }
    return true;
}

bool lucidpy_ops_init(PyObject *module)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        PyObject *home =
            places[i].name ? lucidpy_add_submodule(module, places[i].name) : Py_NewRef(module);
        bool ok = home && add_functions(home, places[i].where, places[i].functions);
        Py_XDECREF(home);
        if (!ok)
            return false;
    }
    return true;
}
