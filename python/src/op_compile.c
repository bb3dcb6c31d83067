/* compile: what a function does, recorded for each kind of arguments and done again without calling it.
 *
 * A record is kept for the structure of the arguments, all that is no tensor among them, and the shapes and
 * dtypes of the tensors. */
#include <string.h>

#include "call_scope.h"
#include "number_protocol.h"
#include "ops.h"
#include "run.h"
#include "wrapper.h"

/* ---- records --------------------------------------------------------------------------------------- */

typedef struct kind {
    lucid_dtype dtype;
    lucid_shape shape;
} kind;

typedef struct record {
    PyObject_HEAD lucidpy_tree in, keywords, out; /* leaves: not kept */
    kind *kinds;                                  /* of all leaves of in, and of keywords */
    size_t count;
    lucid_fn function;
} record;

static PyTypeObject *record_type;

static record *record_of(PyObject *self)
{
    return (record *)self;
}

static int record_traverse(PyObject *self, visitproc visit, void *arg)
{
    const record *r = record_of(self);
    Py_VISIT(Py_TYPE(self));
    int stop = lucidpy_tree_visit(&r->in, visit, arg);
    stop = stop ? stop : lucidpy_tree_visit(&r->keywords, visit, arg);
    return stop ? stop : lucidpy_tree_visit(&r->out, visit, arg);
}

static int record_clear(PyObject *self)
{
    record *r = record_of(self);
    r->count = 0;
    lucidpy_tree_clear(&r->in);
    lucidpy_tree_clear(&r->keywords);
    lucidpy_tree_clear(&r->out);
    return 0;
}

static void record_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    record_clear(self);
    lucid_release_fn(record_of(self)->function);
    PyMem_Free(record_of(self)->kinds);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_traverse, LUCIDPY_SLOT(record_traverse)},
    {Py_tp_clear, LUCIDPY_SLOT(record_clear)},
    {Py_tp_dealloc, LUCIDPY_SLOT(record_dealloc)},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "lucid.func.Record",
    .basicsize = sizeof(record),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

bool lucidpy_compile_init(PyObject *module)
{
    record_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    return record_type != NULL;
}

static lucid_tensor leaf_of(const lucidpy_run *run, size_t i)
{
    size_t n = run->in.leaf_count;
    return i < n ? run->in.leaves[i] : run->in_keywords.leaves[i - n];
}

/* A record of this call; NULL with an exception. */
static record *record_new(lucidpy_run *run, lucid_fn function)
{
    size_t count = run->in.leaf_count + run->in_keywords.leaf_count;
    record *r = record_of(PyType_GenericAlloc(record_type, 0));
    if (!r)
        return NULL;
    lucidpy_tree_init(&r->in, run->in.root);
    lucidpy_tree_init(&r->keywords, run->in_keywords.root);
    lucidpy_tree_init(&r->out, run->out.root);
    r->kinds = PyMem_Malloc((count + 1) * sizeof *r->kinds);
    if (!r->kinds)
        PyErr_NoMemory();
    if (!r->kinds || !lucidpy_tree_copy(&r->in, &run->in) ||
        !lucidpy_tree_copy(&r->keywords, &run->in_keywords) ||
        !lucidpy_tree_copy(&r->out, &run->out)) {
        Py_DECREF((PyObject *)r);
        return NULL;
    }
    r->count = count;
    for (size_t i = 0; i < count; i++) {
        lucid_tensor x = leaf_of(run, i);
        r->kinds[i] = (kind){lucid_dtype_of(x), lucid_shape_of(x)};
    }
    r->function = lucid_retain_fn(function);
    return r;
}

static bool same_kind(const kind *k, lucid_tensor x)
{
    lucid_shape shape = lucid_shape_of(x);
    return k->dtype == lucid_dtype_of(x) && k->shape.ndim == shape.ndim &&
           memcmp(k->shape.dim, shape.dim, (size_t)shape.ndim * sizeof *shape.dim) == 0;
}

static bool is_for(const record *r, const lucidpy_run *run)
{
    if (r->count != run->in.leaf_count + run->in_keywords.leaf_count ||
        !lucidpy_tree_same(&r->in, &run->in, true) ||
        !lucidpy_tree_same(&r->keywords, &run->in_keywords, true))
        return false;
    for (size_t i = 0; i < r->count; i++)
        if (!same_kind(&r->kinds[i], leaf_of(run, i)))
            return false;
    return true;
}

/* ---- calling --------------------------------------------------------------------------------------- */

enum { MOST_RECORDS = 64 }; /* that a function keeps; the oldest goes first */

/* A new reference to the record for this call; NULL: none, with an exception or without. Comparing may run
 * Python, which may call the function: the list is read anew each time. */
static record *find(PyObject *records, const lucidpy_run *run)
{
    for (Py_ssize_t i = PyList_Size(records) - 1; i >= 0; i--) {
        if (i >= PyList_Size(records))
            continue;
        PyObject *r = Py_NewRef(PyList_GetItem(records, i));
        if (is_for(record_of(r), run))
            return record_of(r);
        Py_DECREF(r);
    }
    return NULL;
}

static PyObject *replay(lucid_scope *s, const lucidpy_run *run, const record *r)
{
    lucid_tensor *x = lucid_alloc(s, (r->count + 1) * sizeof *x);
    lucid_results *results = lucid_results_new(s);
    if (!lucidpy_ok(s))
        return NULL;
    for (size_t i = 0; i < r->count; i++)
        x[i] = leaf_of(run, i);
    LUCIDPY_COMPUTE_BEGIN
    lucid_call_listing(s, r->function, x, r->count, results);
    LUCIDPY_COMPUTE_END
    size_t n;
    const lucid_tensor *ys = lucidpy_run_results(s, results, &n);
    return ys ? lucidpy_unflatten_tensors(s, &r->out, 0, ys) : NULL;
}

/* What is no tensor is returned every time as it was the first time. */
static bool accept(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                   lucidpy_tree *aux)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    (void)run, (void)aux;
    return lucidpy_flatten(s, to, NULL, result, &leaves);
}

static bool keep(PyObject *records, lucidpy_run *run, lucid_fn function)
{
    record *r = record_new(run, function);
    bool ok = r && !PyList_Append(records, (PyObject *)r);
    if (ok && PyList_Size(records) > MOST_RECORDS)
        ok = !PySequence_DelItem(records, 0);
    Py_XDECREF((PyObject *)r);
    return ok;
}

static PyObject *record_call(lucid_scope *s, PyObject *records, lucidpy_run *run)
{
    size_t nx = run->in.leaf_count + run->in_keywords.leaf_count, n;
    lucid_tensor *x = lucid_alloc(s, (nx + 1) * sizeof *x);
    for (size_t i = 0; x && i < nx; i++)
        x[i] = leaf_of(run, i);
    bool lasting = false;
    run->accept = accept;
    lucid_fn f = lucid_compile(s, lucidpy_run_fn(s, run), x, nx,
                               &(lucid_compile_options){.lasting = &lasting});
    const lucid_tensor *ys = lucidpy_ok(s) ? lucidpy_run_call(s, run, f, &n) : NULL;
    if (!ys || (lasting && !keep(records, run, f)))
        return NULL;
    return lucidpy_unflatten_tensors(s, &run->out, 0, ys);
}

static PyObject *call_compiled(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucidpy_run run;
    lucidpy_run_init(&run, "compile", w->func);
    run.keywords_mapped = keywords && PyDict_Size(keywords) > 0;
    PyObject *result = NULL;
    if (lucidpy_flatten(s, &run.in, NULL, args, &leaves) &&
        (!run.keywords_mapped || lucidpy_flatten(s, &run.in_keywords, NULL, keywords, &leaves))) {
        record *r = find(w->held[0], &run);
        result = r                  ? replay(s, &run, r)
                 : PyErr_Occurred() ? NULL
                                    : record_call(s, w->held[0], &run);
        Py_XDECREF((PyObject *)r);
    }
    lucidpy_run_clear(&run);
    lucidpy_leave(s);
    return result;
}

/* (func). */
PyObject *lucidpy_op_compile(lucidpy_call *c)
{
    lucidpy_wrapper *w = lucidpy_wrapper_of_call(c, call_compiled, NULL);
    if (w && !(w->held[0] = PyList_New(0)))
        Py_CLEAR(w);
    return (PyObject *)w;
}

/* (func): the function that a compiled function was made from, or func itself. */
PyObject *lucidpy_op_uncompiled(lucidpy_call *c)
{
    PyObject *of = lucidpy_wrapper_func(c->arg[0], call_compiled);
    return Py_NewRef(of ? of : c->arg[0]);
}
