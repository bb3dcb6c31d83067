/* vmap. */
#include "call_scope.h"
#include "convert.h"
#include "ops.h"
#include "run.h"
#include "tree_path.h"

#include <limits.h>
#include <string.h>

typedef struct vmap_options {
    lucid_randomness randomness;
    lucid_strategy strategy;
    int64_t chunk_size; /* 0: all at once; -1: "auto" */
    char axis_name[];   /* empty: none */
} vmap_options;

enum { IN_DIMS, OUT_DIMS, PARAMETERS };

/* -- making ----------------------------------------------------------------------------------- */

/* in_dims and out_dims: ints, None, and structures of them. */
static bool check_dims(const char *what, PyObject *dims)
{
    if (dims == Py_None || (PyLong_Check(dims) && !PyBool_Check(dims)))
        return true;
    PyObject *items = PyTuple_Check(dims) || PyList_Check(dims) ? PySequence_Tuple(dims)
                      : PyDict_Check(dims)                      ? PyDict_Values(dims)
                                                                : NULL;
    if (!items) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError,
                         "vmap: %s must be an int, None, or a tuple, list or dict of them, not %R",
                         what, dims);
        return false;
    }
    if (Py_EnterRecursiveCall(" in a nested structure")) {
        Py_DECREF(items);
        return false;
    }
    bool ok = true;
    Py_ssize_t n = PySequence_Size(items);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *item = PySequence_GetItem(items, i);
        ok = item && check_dims(what, item);
        Py_XDECREF(item);
    }
    Py_LeaveRecursiveCall();
    Py_DECREF(items);
    return ok;
}

static bool read_chunk_size(PyObject *o, int64_t *chunk_size)
{
    *chunk_size = 0;
    if (o == Py_None)
        return true;
    if (PyUnicode_Check(o) && !PyUnicode_CompareWithASCIIString(o, "auto")) {
        *chunk_size = -1;
        return true;
    }
    bool integer = lucidpy_is_integer(o) && !PyBool_Check(o);
    if (integer && !lucidpy_read_int(o, chunk_size))
        return false;
    if (integer && *chunk_size >= 1)
        return true;
    PyErr_Format(integer || PyUnicode_Check(o) ? PyExc_ValueError : PyExc_TypeError,
                 "vmap: chunk_size must be an int >= 1, None or 'auto', not %R", o);
    return false;
}

/* The names of a function's parameters, for in_dims by name. */
static PyObject *parameters_of(PyObject *func)
{
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *signature = inspect ? PyObject_CallMethod(inspect, "signature", "O", func) : NULL;
    PyObject *parameters = signature ? PyObject_GetAttrString(signature, "parameters") : NULL;
    PyObject *names = parameters ? PySequence_Tuple(parameters) : NULL;
    Py_XDECREF(inspect);
    Py_XDECREF(signature);
    Py_XDECREF(parameters);
    return names;
}

static PyObject *call_vmap(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords);

/* The options with room for the name, which is a str that is not empty, or None. */
static vmap_options *new_options(PyObject *axis_name)
{
    Py_ssize_t size = 0;
    const char *text = "";
    if (axis_name != Py_None) {
        text = PyUnicode_Check(axis_name) ? PyUnicode_AsUTF8AndSize(axis_name, &size) : NULL;
        if (text && (size == 0 || strlen(text) != (size_t)size))
            text = NULL;
        if (!text) {
            if (!PyErr_Occurred())
                PyErr_Format(PyUnicode_Check(axis_name) ? PyExc_ValueError : PyExc_TypeError,
                             "vmap: axis_name must be a str that names the axis, or None, not %R",
                             axis_name);
            return NULL;
        }
    }
    vmap_options *options = PyMem_Malloc(sizeof *options + (size_t)size + 1);
    if (!options)
        PyErr_NoMemory();
    else
        memcpy(options->axis_name, text, (size_t)size + 1);
    return options;
}

/* (func, in_dims, out_dims, randomness, chunk_size, strategy, axis_name). */
PyObject *lucidpy_op_vmap(lucidpy_call *c)
{
    static const char *const randomness[] = {"error", "different", "same", NULL};
    static const char *const strategies[] = {"auto", "vectorized", "isolated", NULL};
    int chosen_randomness = lucidpy_word(c, 3, randomness);
    int strategy = chosen_randomness < 0 ? -1 : lucidpy_word(c, 5, strategies);
    int64_t chunk_size;
    if (strategy < 0 || !read_chunk_size(c->arg[4], &chunk_size) ||
        !check_dims("in_dims", c->arg[1]) || !check_dims("out_dims", c->arg[2]))
        return NULL;
    vmap_options *options = new_options(c->arg[6]);
    if (!options)
        return NULL;
    options->randomness = (lucid_randomness)(LUCID_RANDOMNESS_ERROR + chosen_randomness);
    options->strategy = (lucid_strategy)(LUCID_STRATEGY_AUTO + strategy);
    options->chunk_size = chunk_size;
    lucidpy_wrapper *w = lucidpy_wrapper_new("vmap", c->arg[0], call_vmap, options);
    if (!w)
        return NULL;
    w->held[IN_DIMS] = Py_NewRef(c->arg[1]);
    w->held[OUT_DIMS] = Py_NewRef(c->arg[2]);
    if (PyDict_Check(c->arg[1])) {
        w->held[PARAMETERS] = parameters_of(c->arg[0]);
        if (!w->held[PARAMETERS]) {
            Py_DECREF(w);
            return NULL;
        }
    }
    return (PyObject *)w;
}

/* -- arguments -------------------------------------------------------------------------------- */

static const lucidpy_leaves mappable = {
    .numbers = LUCIDPY_CONVERT,
    .refusal = "vmap: an argument without in_dim None holds",
};

/* Argument number index, or the keyword argument of that key. */
static bool map(lucid_scope *s, lucidpy_tree *tree, Py_ssize_t index, PyObject *key, PyObject *o,
                PyObject *in_dim)
{
    const lucidpy_part whole = {.root = tree->root};
    const lucidpy_part at = {.up = &whole, .key = key, .index = index};
    return lucidpy_flatten_prefix(s, tree, &at, o, in_dim, true, "vmap: in_dims", &mappable);
}

static bool wrong_count(Py_ssize_t entries, Py_ssize_t given)
{
    PyErr_Format(PyExc_ValueError,
                 "vmap: in_dims has %zd entries for a function called with %zd arguments", entries,
                 given);
    return false;
}

/* in_dims an int, None, or a tuple with an entry per argument. */
static bool map_by_position(lucid_scope *s, lucidpy_run *run, PyObject *args, PyObject *in_dims)
{
    Py_ssize_t n = PyTuple_Size(args);
    bool each = PyTuple_Check(in_dims) || PyList_Check(in_dims);
    if (each && PySequence_Size(in_dims) != n)
        return wrong_count(PySequence_Size(in_dims), n);
    bool ok = lucidpy_tree_add_node(&run->in, LUCIDPY_TUPLE, n, NULL);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *in_dim = !each                    ? in_dims
                           : PyTuple_Check(in_dims) ? PyTuple_GetItem(in_dims, i)
                                                    : PyList_GetItem(in_dims, i);
        ok = in_dim && map(s, &run->in, i, NULL, PyTuple_GetItem(args, i), in_dim);
    }
    return ok;
}

/* The entry of a name; None when there is none. */
static PyObject *entry_of(PyObject *in_dims, PyObject *name)
{
    PyObject *entry = PyDict_GetItemWithError(in_dims, name);
    return entry || PyErr_Occurred() ? entry : Py_None;
}

static bool map_keywords(lucid_scope *s, lucidpy_run *run, PyObject *in_dims)
{
    PyObject *list = PyDict_Keys(run->keywords), *keys = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    if (!keys)
        return false;
    Py_ssize_t n = PyTuple_Size(keys);
    bool ok = lucidpy_tree_add_node(&run->in_keywords, LUCIDPY_DICT, n, keys);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *key = PyTuple_GetItem(keys, i), *entry = entry_of(in_dims, key);
        PyObject *value = PyDict_GetItemWithError(run->keywords, key);
        ok = entry && value && map(s, &run->in_keywords, i, key, value, entry);
    }
    Py_DECREF(keys);
    run->keywords_mapped = ok;
    return ok;
}

/* Every name in in_dims must be one that this call gives. */
static bool check_names(PyObject *in_dims, PyObject *parameters, Py_ssize_t positional,
                        PyObject *keywords)
{
    PyObject *names = PyDict_Keys(in_dims);
    bool ok = names != NULL;
    for (Py_ssize_t i = 0; ok && i < PyList_Size(names); i++) {
        PyObject *name = PyList_GetItem(names, i);
        bool given = keywords && PyDict_Contains(keywords, name) == 1;
        for (Py_ssize_t p = 0; !given && p < positional && p < PyTuple_Size(parameters); p++)
            given = PyObject_RichCompareBool(PyTuple_GetItem(parameters, p), name, Py_EQ) == 1;
        if (!given && PyDict_GetItemWithError(in_dims, name) != Py_None) {
            PyErr_Format(PyExc_ValueError, "vmap: in_dims names %R, which the call does not give",
                         name);
            ok = false;
        }
    }
    Py_XDECREF(names);
    return ok;
}

static bool map_by_name(lucid_scope *s, lucidpy_run *run, PyObject *args, PyObject *in_dims,
                        PyObject *parameters)
{
    Py_ssize_t n = PyTuple_Size(args), named = PyTuple_Size(parameters);
    if (!check_names(in_dims, parameters, n, run->keywords))
        return false;
    bool ok = lucidpy_tree_add_node(&run->in, LUCIDPY_TUPLE, n, NULL);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *entry = i < named ? entry_of(in_dims, PyTuple_GetItem(parameters, i)) : Py_None;
        ok = entry && map(s, &run->in, i, NULL, PyTuple_GetItem(args, i), entry);
    }
    return ok && (!run->keywords || map_keywords(s, run, in_dims));
}

/* -- results ---------------------------------------------------------------------------------- */

static bool accept(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                   lucidpy_tree *aux)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT,
                                          .refusal = "vmap: func returned"};
    PyObject *out_dims = ((const lucidpy_wrapper *)run->options)->held[OUT_DIMS];
    (void)aux;
    /* A tuple of one out_dim fits a result that is no tuple. */
    if (PyTuple_Check(out_dims) && PyTuple_Size(out_dims) == 1 && !PyTuple_Check(result) &&
        !PyList_Check(result))
        out_dims = PyTuple_GetItem(out_dims, 0);
    return lucidpy_flatten_prefix(s, to, NULL, result, out_dims, false, "vmap: out_dims", &leaves);
}

/* -- calling ---------------------------------------------------------------------------------- */

enum { AUTO_BYTES = 256 << 20, AUTO_COPIES = 16 };

/* chunk_size "auto": as many examples as fit AUTO_BYTES when each needs AUTO_COPIES times the bytes of
 * its arguments. */
static int64_t choose_chunk_size(const lucidpy_run *run)
{
    double bytes = 0;
    int64_t lanes = 1;
    const lucidpy_tree *const trees[] = {&run->in, &run->in_keywords};
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < trees[t]->leaf_count; i++) {
            lucid_tensor x = trees[t]->leaves[i];
            int64_t size = lucid_size(x, trees[t]->dims[i]);
            lanes = size > 1 ? size : 1;
            bytes += (double)lucid_numel(x) * (double)lucid_dtype_size(lucid_dtype_of(x));
        }
    double each = AUTO_COPIES * bytes / (double)lanes;
    double fit = each > 0 ? AUTO_BYTES / each : (double)lanes;
    return fit < 1 ? 1 : fit < (double)lanes ? (int64_t)fit : lanes;
}

static PyObject *call_mapped(lucid_scope *s, const lucidpy_wrapper *w, lucidpy_run *run)
{
    const vmap_options *options = w->options;
    size_t n = run->in.leaf_count + run->in_keywords.leaf_count;
    const int *dims = run->in.dims;
    if (run->in_keywords.leaf_count) {
        int *all = lucid_alloc(s, n * sizeof *all);
        for (size_t i = 0; all && i < n; i++)
            all[i] = i < run->in.leaf_count ? run->in.dims[i]
                                            : run->in_keywords.dims[i - run->in.leaf_count];
        dims = all;
    }
    run->accept = accept;
    run->options = w;
    lucid_fn f = lucid_vmap(
        s, lucidpy_run_fn(s, run),
        &(lucid_vmap_options){.in_dims = {dims, n},
                              .randomness = options->randomness,
                              .chunk_size = options->chunk_size < 0 ? choose_chunk_size(run)
                                                                    : options->chunk_size,
                              .strategy = options->strategy,
                              .axis_name = options->axis_name[0] ? options->axis_name : NULL});
    size_t count;
    const lucid_tensor *ys = lucidpy_run_call(s, run, f, &count);
    return ys ? lucidpy_unflatten_tensors(s, &run->out, 0, ys) : NULL;
}

static PyObject *call_vmap(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords)
{
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucidpy_run run;
    lucidpy_run_init(&run, "vmap", w->func);
    PyObject *in_dims = w->held[IN_DIMS], *result = NULL;
    bool ok = lucidpy_run_keywords(s, &run, keywords);
    if (ok)
        ok = w->held[PARAMETERS] ? map_by_name(s, &run, args, in_dims, w->held[PARAMETERS])
                                 : map_by_position(s, &run, args, in_dims);
    if (ok && run.in.leaf_count + run.in_keywords.leaf_count == 0)
        result = PyObject_Call(w->func, args, keywords); /* nothing mapped */
    else if (ok)
        result = call_mapped(s, w, &run);
    lucidpy_run_clear(&run);
    lucidpy_leave(s);
    return result;
}
