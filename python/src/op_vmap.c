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
    int64_t chunk_size; /* as lucid_vmap_options */
    int64_t max_paths;
    char axis_name[]; /* empty: none */
} vmap_options;

enum { IN_DIMS, OUT_DIMS, PARAMETERS };

/* -- making ----------------------------------------------------------------------------------- */

/* in_dims and out_dims: ints, None, and structures of them. */
static bool check_dims(const char *what, PyObject *dims)
{
    if (dims == Py_None || lucidpy_is_dim(dims))
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
    if (!lucidpy_may_recurse(" in a nested structure")) {
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

/* (names of the parameters that take one positional argument each, name of *args or None, name of **kwargs
 * or None), for in_dims by name. */
static PyObject *parameters_of(PyObject *func)
{
    PyObject *inspect = PyImport_ImportModule("inspect");
    PyObject *signature = inspect ? PyObject_CallMethod(inspect, "signature", "O", func) : NULL;
    PyObject *parameters = signature ? PyObject_GetAttrString(signature, "parameters") : NULL;
    PyObject *values = parameters ? PyObject_CallMethod(parameters, "values", NULL) : NULL;
    PyObject *list = values ? PySequence_Tuple(values) : NULL, *names = list ? PyList_New(0) : NULL;
    PyObject *rest = Py_NewRef(Py_None), *others = Py_NewRef(Py_None), *found = NULL;
    bool ok = names != NULL;
    for (Py_ssize_t i = 0; ok && i < PyTuple_Size(list); i++) {
        PyObject *parameter = PyTuple_GetItem(list, i);
        PyObject *name = PyObject_GetAttrString(parameter, "name");
        PyObject *kind = PyObject_GetAttrString(parameter, "kind");
        long k = name && kind ? PyLong_AsLong(kind) : -1; /* in the order that signatures have */
        ok = k >= 0 && (k > 1 || !PyList_Append(names, name));
        PyObject **slot = !ok ? NULL : k == 2 ? &rest : k == 4 ? &others : NULL;
        if (slot) {
            Py_DECREF(*slot);
            *slot = Py_NewRef(name);
        }
        Py_XDECREF(name);
        Py_XDECREF(kind);
    }
    if (ok)
        found = Py_BuildValue("(NOO)", PyList_AsTuple(names), rest, others);
    if (!signature && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        PyErr_Format(
            PyExc_ValueError,
            "vmap: in_dims is a dict, but %R does not tell the names of its parameters; use "
            "a tuple with an entry per argument",
            func);
    }
    Py_XDECREF(inspect);
    Py_XDECREF(signature);
    Py_XDECREF(parameters);
    Py_XDECREF(values);
    Py_XDECREF(list);
    Py_XDECREF(names);
    Py_DECREF(rest);
    Py_DECREF(others);
    return found;
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

static bool read_max_paths(lucidpy_call *c, int i, int64_t *max_paths)
{
    *max_paths = lucidpy_int(c, i);
    if (lucid_error(c->s) == LUCID_OK && *max_paths < 1)
        lucid_fail(c->s, LUCID_VALUE_ERROR, "vmap: max_paths must be an int >= 1, not %lld",
                   (long long)*max_paths);
    return lucidpy_ok(c->s);
}

/* (func, in_dims, out_dims, randomness, chunk_size, strategy, axis_name, max_paths). */
PyObject *lucidpy_op_vmap(lucidpy_call *c)
{
    static const char *const randomness[] = {"error", "different", "same", NULL};
    static const char *const strategies[] = {"auto", "vectorized", "isolated", NULL};
    int chosen_randomness = lucidpy_word(c, 3, randomness);
    int strategy = chosen_randomness < 0 ? -1 : lucidpy_word(c, 5, strategies);
    int64_t chunk_size, max_paths;
    if (strategy < 0 || !lucidpy_chunk_size(c, 4, &chunk_size) ||
        !read_max_paths(c, 7, &max_paths) || !check_dims("in_dims", c->arg[1]) ||
        !check_dims("out_dims", c->arg[2]))
        return NULL;
    vmap_options *options = new_options(c->arg[6]);
    if (!options)
        return NULL;
    options->randomness = (lucid_randomness)(LUCID_RANDOMNESS_ERROR + chosen_randomness);
    options->strategy = (lucid_strategy)(LUCID_STRATEGY_AUTO + strategy);
    options->chunk_size = chunk_size;
    options->max_paths = max_paths;
    lucidpy_wrapper *w = lucidpy_wrapper_of_call(c, call_vmap, options);
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
                 "vmap: in_dims has %zd entries for a function called with %zd arguments; give one "
                 "for each (None: not mapped), or one for all",
                 entries, given);
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

/* in_dims by name, and the parameters that names may mean (parameters_of). */
typedef struct by_name {
    PyObject *in_dims, *names, *rest, *others;
} by_name;

/* The entry of a name; None when there is none. */
static PyObject *entry_of(const by_name *b, PyObject *name)
{
    PyObject *entry = PyDict_GetItemWithError(b->in_dims, name);
    return entry || PyErr_Occurred() ? entry : Py_None;
}

/* What an entry for *args or **kwargs says of one of them: itself, or its own entry for the part. */
static PyObject *part_of_entry(PyObject *entry, Py_ssize_t i, PyObject *key)
{
    if (key && entry && PyDict_Check(entry)) {
        PyObject *part = PyDict_GetItemWithError(entry, key);
        return part || PyErr_Occurred() ? part : Py_None;
    }
    if (key || !entry || !(PyTuple_Check(entry) || PyList_Check(entry)))
        return entry;
    PyObject *part = PyTuple_Check(entry) ? PyTuple_GetItem(entry, i) : PyList_GetItem(entry, i);
    if (!part) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError,
                     "vmap: in_dims: %R has no entry for the rest of the arguments, number %zd",
                     entry, i);
    }
    return part;
}

static PyObject *positional_entry(const by_name *b, Py_ssize_t i)
{
    Py_ssize_t named = PyTuple_Size(b->names);
    if (i < named)
        return entry_of(b, PyTuple_GetItem(b->names, i));
    return b->rest == Py_None ? Py_None : part_of_entry(entry_of(b, b->rest), i - named, NULL);
}

static PyObject *keyword_entry(const by_name *b, PyObject *key)
{
    PyObject *entry = PyDict_GetItemWithError(b->in_dims, key);
    if (entry || PyErr_Occurred())
        return entry;
    int own = PySequence_Contains(b->names, key);
    return b->others == Py_None || own ? Py_None : part_of_entry(entry_of(b, b->others), 0, key);
}

static bool map_keywords(lucid_scope *s, lucidpy_run *run, const by_name *b)
{
    PyObject *list = PyDict_Keys(run->keywords), *keys = list ? PyList_AsTuple(list) : NULL;
    Py_XDECREF(list);
    if (!keys)
        return false;
    Py_ssize_t n = PyTuple_Size(keys);
    bool ok = lucidpy_tree_add_node(&run->in_keywords, LUCIDPY_DICT, n, keys);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *key = PyTuple_GetItem(keys, i), *entry = keyword_entry(b, key);
        PyObject *value = PyDict_GetItemWithError(run->keywords, key);
        ok = entry && value && map(s, &run->in_keywords, i, key, value, entry);
    }
    Py_DECREF(keys);
    run->keywords_mapped = ok;
    return ok;
}

/* Every name in in_dims must be one that this call gives, unless its entry is None. */
static bool check_names(const by_name *b, Py_ssize_t positional, PyObject *keywords)
{
    PyObject *given = PyTuple_GetSlice(b->names, 0, positional);
    PyObject *names = given ? PyDict_Keys(b->in_dims) : NULL;
    bool ok = names != NULL;
    for (Py_ssize_t i = 0; ok && i < PyList_Size(names); i++) {
        PyObject *name = PyList_GetItem(names, i);
        int known = PyObject_RichCompareBool(name, b->rest, Py_EQ) == 1 ||
                    PyObject_RichCompareBool(name, b->others, Py_EQ) == 1 ||
                    (keywords && PyDict_Contains(keywords, name) == 1);
        known = known || PySequence_Contains(given, name) == 1 ||
                PyDict_GetItemWithError(b->in_dims, name) == Py_None;
        ok = known && !PyErr_Occurred();
        if (!known && !PyErr_Occurred())
            PyErr_Format(PyExc_ValueError,
                         "vmap: in_dims names %R, which the call does not give; the function's "
                         "positional parameters are %R",
                         name, b->names);
    }
    Py_XDECREF(given);
    Py_XDECREF(names);
    return ok;
}

static bool map_by_name(lucid_scope *s, lucidpy_run *run, PyObject *args, PyObject *in_dims,
                        PyObject *parameters)
{
    const by_name b = {in_dims, PyTuple_GetItem(parameters, 0), PyTuple_GetItem(parameters, 1),
                       PyTuple_GetItem(parameters, 2)};
    Py_ssize_t n = PyTuple_Size(args);
    bool ok = check_names(&b, n, run->keywords) &&
              lucidpy_tree_add_node(&run->in, LUCIDPY_TUPLE, n, NULL);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *entry = positional_entry(&b, i);
        ok = entry && map(s, &run->in, i, NULL, PyTuple_GetItem(args, i), entry);
    }
    return ok && (!run->keywords || map_keywords(s, run, &b));
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

/* False: the warning was made an exception. */
static bool warn_of_paths(const vmap_options *options, int64_t alone)
{
    return !PyErr_WarnFormat(
        PyExc_RuntimeWarning, 1,
        "vmap: the control flow of func took more than max_paths=%lld different paths, so %lld "
        "examples "
        "ran one by one, which is slow; use where() or a mask for what differs from example to "
        "example, or raise max_paths",
        (long long)options->max_paths, (long long)alone);
}

static bool holds_tensors(lucid_scope *s, PyObject *o)
{
    static const lucidpy_leaves anything = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    lucidpy_tree tree;
    lucidpy_tree_init(&tree, "kwargs");
    bool found = lucidpy_flatten(s, &tree, NULL, o, &anything) && tree.leaf_count > 0;
    lucidpy_tree_clear(&tree);
    PyErr_Clear();
    return found;
}

/* A call that gives tensors by keyword alone, where in_dims says nothing of keywords. False: the warning was
 * made an exception. */
static bool warn_of_keywords(lucid_scope *s, const lucidpy_run *run, PyObject *args)
{
    if (PyTuple_Size(args) > 0 || !run->keywords || !holds_tensors(s, run->keywords))
        return true;
    return !PyErr_WarnEx(
        PyExc_UserWarning,
        "vmap: nothing is mapped: keyword arguments are passed as they are, and all "
        "tensors came by keyword; give them by position, or name them in in_dims, as in "
        "vmap(f, in_dims={'x': 0})(x=X)",
        1);
}

/* How often functions ran, and for how many examples. */
PyObject *lucidpy_op_last_paths(lucidpy_call *c)
{
    enum { MOST = 4096 };
    lucid_paths paths = lucid_last_paths(c->s, NULL, 0);
    size_t n = paths.runs < MOST ? (size_t)paths.runs : MOST;
    int64_t *each = lucid_alloc(c->s, (n + 1) * sizeof *each);
    if (!lucidpy_ok(c->s))
        return NULL;
    (void)lucid_last_paths(c->s, each, n);
    PyObject *lanes = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; lanes && i < n; i++) {
        PyObject *item = PyLong_FromLongLong(each[i]);
        if (!item || PyList_SetItem(lanes, (Py_ssize_t)i, item))
            Py_CLEAR(lanes);
    }
    return lanes ? Py_BuildValue("{sLsNsL}", "runs", (long long)paths.runs, "lanes", lanes, "alone",
                                 (long long)paths.alone)
                 : NULL;
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
    int64_t alone = 0;
    lucid_fn f = lucid_vmap(
        s, lucidpy_run_fn(s, run),
        &(lucid_vmap_options){.in_dims = {dims, n},
                              .randomness = options->randomness,
                              .chunk_size = options->chunk_size,
                              .strategy = options->strategy,
                              .max_paths = options->max_paths,
                              .alone = &alone,
                              .axis_name = options->axis_name[0] ? options->axis_name : NULL});
    size_t count;
    const lucid_tensor *ys = lucidpy_run_call(s, run, f, &count);
    if (ys && alone > 0 && !warn_of_paths(options, alone))
        return NULL;
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
    bool mapped = run.in.leaf_count + run.in_keywords.leaf_count > 0;
    if (ok && !mapped && in_dims != Py_None && !w->held[PARAMETERS])
        ok = warn_of_keywords(s, &run, args);
    if (ok && !mapped)
        result = PyObject_Call(w->func, args, keywords);
    else if (ok)
        result = call_mapped(s, w, &run);
    lucidpy_run_clear(&run);
    lucidpy_leave(s);
    return result;
}
