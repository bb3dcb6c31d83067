/* vjp, jvp, linearize: transforms that run the function at a point. */
#include "linear.h"

#include "call_scope.h"
#include "number_protocol.h"
#include "ops.h"
#include "run.h"
#include "tree_path.h"

/* -- linear functions ------------------------------------------------------------------------- */

typedef struct form {
    lucid_shape shape;
    lucid_dtype dtype;
} form;

/* What vjp and linearize return beside the output: a linear map kept by the library. */
typedef struct linear_object {
    PyObject_HEAD const char *name;
    lucid_fn fn;
    bool backwards; /* vjp_fn: cotangents of the output in, of the primals out */
    lucidpy_tree primals, output;
    form *forms; /* of what goes in: to make ones and zeros of */
} linear_object;

static PyTypeObject *linear_type;

static linear_object *linear_of(PyObject *self)
{
    return (linear_object *)(void *)self;
}

static const lucidpy_leaves primal_leaves = {.numbers = LUCIDPY_CONVERT, .keep_others = true};
static const lucidpy_leaves tangent_leaves = {
    .numbers = LUCIDPY_CONVERT, .weak_numbers = true, .keep_others = true};

/* Matches an object with a structure; xs receives its leaves. 1, 0: it does not match, -1. */
static int match(lucid_scope *s, const lucidpy_tree *expected, const char *what, PyObject *o,
                 lucid_tensor *xs)
{
    lucidpy_tree given;
    lucidpy_tree_init(&given, what);
    int matched = !lucidpy_flatten(s, &given, NULL, o, &tangent_leaves)
                      ? -1
                      : lucidpy_tree_match(expected, &given, xs);
    lucidpy_tree_clear(&given);
    return matched;
}

/* `given`: what has another structure than `expected`. */
static bool no_match(lucid_scope *s, const char *name, const char *what, PyObject *given,
                     const lucidpy_tree *expected)
{
    lucidpy_tree tree;
    lucidpy_tree_init(&tree, what);
    if (lucidpy_flatten(s, &tree, NULL, given, &tangent_leaves)) {
        PyObject *is = lucidpy_structure_text(&tree), *wanted = lucidpy_structure_text(expected);
        if (is && wanted)
            PyErr_Format(PyExc_ValueError,
                         "%s: the %s have the structure %U, expected that of the %s, %U (None "
                         "stands for zeros)",
                         name, what, is, expected->root, wanted);
        Py_XDECREF(is);
        Py_XDECREF(wanted);
    }
    lucidpy_tree_clear(&tree);
    return false;
}

/* Cotangents are called by the results that they belong to, tangents by the primals. */
static void name_leaf(void *user, bool result, size_t i, char *to, size_t size)
{
    const linear_object *l = user;
    const lucidpy_tree *tree = l->backwards != result ? &l->output : &l->primals;
    char path[160] = "";
    lucidpy_write_leaf_path(tree, i, path, sizeof path);
    if (*path)
        PyOS_snprintf(to, size, "%s: the %s of %s", l->name,
                      l->backwards != result ? "cotangent" : "tangent", path);
}

static PyObject *new_linear(const char *name, lucid_fn fn, bool backwards, const lucidpy_run *run,
                            const lucid_tensor *ys)
{
    const lucid_tensor *in = backwards ? ys : run->in.leaves;
    size_t n = backwards ? run->out.leaf_count : run->in.leaf_count;
    linear_object *self = linear_of(PyType_GenericAlloc(linear_type, 0));
    if (!self)
        return NULL;
    self->name = name;
    self->fn = lucid_retain_fn(fn);
    self->backwards = backwards;
    lucidpy_tree_init(&self->primals, "primals");
    lucidpy_tree_init(&self->output, "result");
    self->forms = PyMem_Calloc(n + 1, sizeof *self->forms);
    for (size_t i = 0; self->forms && i < n; i++)
        self->forms[i] = (form){lucid_shape_of(in[i]), lucid_dtype_of(in[i])};
    if (!self->forms || !lucidpy_tree_copy(&self->primals, &run->in) ||
        !lucidpy_tree_copy(&self->output, &run->out)) {
        if (!PyErr_Occurred())
            PyErr_NoMemory();
        Py_CLEAR(self);
    }
    if (self)
        lucid_fn_set_naming(fn, name_leaf, self);
    return (PyObject *)self;
}

/* Cotangents: one object in the structure of the output, or one for each item of a tuple. */
static bool take_cotangents(lucid_scope *s, const linear_object *l, PyObject *args,
                            lucid_tensor *xs)
{
    Py_ssize_t n = PyTuple_Size(args);
    size_t count = l->output.leaf_count;
    if (n == 0) {
        for (size_t i = 0; i < count; i++)
            xs[i] = lucid_cast(s, lucid_ones(s, l->forms[i].shape), l->forms[i].dtype);
        return lucidpy_ok(s);
    }
    int matched = n == 1 ? match(s, &l->output, "cotangents", PyTuple_GetItem(args, 0), xs) : 0;
    bool tuple = l->output.node_count && l->output.nodes[0].kind != LUCIDPY_TENSOR;
    if (matched == 0 && tuple)
        matched = match(s, &l->output, "cotangents", args, xs);
    if (matched == 0)
        no_match(s, l->name, "cotangents", n == 1 ? PyTuple_GetItem(args, 0) : args, &l->output);
    return matched == 1;
}

/* None stands for zeros. */
static bool fill_zeros(lucid_scope *s, const linear_object *l, lucid_tensor *xs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lucid_is_empty_handle(xs[i]))
            xs[i] = lucid_cast(s, lucid_zeros(s, l->forms[i].shape), l->forms[i].dtype);
    return lucidpy_ok(s);
}

static PyObject *apply(lucid_scope *s, const linear_object *l, PyObject *args)
{
    const lucidpy_tree *in = l->backwards ? &l->output : &l->primals;
    const lucidpy_tree *out = l->backwards ? &l->primals : &l->output;
    size_t n = in->leaf_count, count;
    lucid_tensor *xs = lucid_alloc(s, (n + 1) * sizeof *xs);
    if (!lucidpy_ok(s))
        return NULL;
    if (l->backwards) {
        if (!take_cotangents(s, l, args, xs))
            return NULL;
    } else {
        int matched = match(s, in, "tangents", args, xs);
        if (matched == 0)
            no_match(s, l->name, "tangents", args, in);
        if (matched != 1)
            return NULL;
    }
    if (!fill_zeros(s, l, xs, n))
        return NULL;
    lucid_results *results = lucid_results_new(s);
    lucid_call_listing(s, l->fn, xs, n, results);
    const lucid_tensor *ys = lucidpy_run_results(s, results, &count);
    return ys ? lucidpy_unflatten_tensors(s, out, 0, ys) : NULL;
}

static PyObject *linear_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    const linear_object *l = linear_of(self);
    if (keywords && PyDict_Size(keywords)) {
        PyErr_Format(PyExc_TypeError, "%s takes no keyword arguments", l->name);
        return NULL;
    }
    lucid_scope *s = lucidpy_enter();
    PyObject *result = s ? apply(s, l, args) : NULL;
    if (s)
        lucidpy_leave(s);
    return result;
}

static PyObject *linear_repr(PyObject *self)
{
    return PyUnicode_FromFormat("<linear function made by %s>",
                                linear_of(self)->backwards ? "vjp" : "linearize");
}

static int linear_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    int status = lucidpy_tree_visit(&linear_of(self)->primals, visit, arg);
    return status ? status : lucidpy_tree_visit(&linear_of(self)->output, visit, arg);
}

static int linear_clear(PyObject *self)
{
    lucidpy_tree_clear(&linear_of(self)->primals);
    lucidpy_tree_clear(&linear_of(self)->output);
    return 0;
}

static void linear_dealloc(PyObject *self)
{
    linear_object *l = linear_of(self);
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    lucid_release_fn(l->fn);
    (void)linear_clear(self);
    PyMem_Free(l->forms);
    PyObject_GC_Del(self);
    Py_DECREF(type);
    lucidpy_free_released();
}

/* What never changes is its own copy. */
static PyObject *linear_copy(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_NewRef(self);
}

static PyObject *linear_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    PyObject *module = PyImport_ImportModule("lucid._pickling");
    PyObject *none =
        module ? PyObject_CallMethod(module, "refuse_linear", "s", linear_of(self)->name) : NULL;
    Py_XDECREF(module);
    return none;
}

static PyMethodDef linear_methods[] = {
    {"__copy__", linear_copy, METH_NOARGS, NULL},
    {"__deepcopy__", linear_copy, METH_O, NULL},
    {"__reduce__", linear_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot linear_slots[] = {
    {Py_tp_methods, linear_methods},
    {Py_tp_clear, LUCIDPY_SLOT(linear_clear)},
    {Py_tp_call, LUCIDPY_SLOT(linear_call)},
    {Py_tp_repr, LUCIDPY_SLOT(linear_repr)},
    {Py_tp_traverse, LUCIDPY_SLOT(linear_traverse)},
    {Py_tp_dealloc, LUCIDPY_SLOT(linear_dealloc)},
    {0, NULL},
};

static PyType_Spec linear_spec = {
    .name = "lucid.func.LinearFunction",
    .basicsize = sizeof(linear_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = linear_slots,
};

bool lucidpy_linear_init(PyObject *module)
{
    linear_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &linear_spec, NULL);
    return linear_type != NULL;
}

/* -- the transforms --------------------------------------------------------------------------- */

static bool check_callable(lucidpy_call *c)
{
    if (PyCallable_Check(c->arg[0]))
        return true;
    lucidpy_bad_argument(c, 0, "callable");
    return false;
}

/* The primals as the tuple of arguments. */
static bool take_primals(lucid_scope *s, lucidpy_run *run, PyObject *const *primals, Py_ssize_t n)
{
    const lucidpy_part whole = {.root = run->in.root = "primals"};
    bool ok = lucidpy_tree_add_node(&run->in, LUCIDPY_TUPLE, n, NULL);
    for (Py_ssize_t i = 0; ok && i < n; i++)
        ok = lucidpy_flatten(s, &run->in, &(lucidpy_part){.up = &whole, .index = i}, primals[i],
                             &primal_leaves);
    if (ok && run->in.leaf_count == 0) {
        PyErr_Format(PyExc_TypeError, "%s: the primals hold no tensor to differentiate by",
                     run->name);
        ok = false;
    }
    return ok;
}

/* What is no float can only be a constant: a primal without a tangent, where there are tangents (dxs). */
static bool check_floats(const lucidpy_run *run, const lucid_tensor *dxs, const char *instead)
{
    for (size_t i = 0; i < run->in.leaf_count; i++) {
        const lucid_dtype dtype = lucid_dtype_of(run->in.leaves[i]);
        if (dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64 ||
            (dxs && lucid_is_empty_handle(dxs[i])))
            continue;
        PyObject *path = lucidpy_leaf_path(&run->in, i);
        if (path)
            PyErr_Format(
                PyExc_TypeError,
                "%s: %U is %s; only floats can be differentiated: cast it to a float, or %s",
                run->name, path, lucid_dtype_name(dtype), instead);
        Py_XDECREF(path);
        return false;
    }
    return true;
}

static PyObject *output_of(lucid_scope *s, const lucidpy_run *run, const lucid_tensor *ys)
{
    return lucidpy_unflatten_tensors(s, &run->out, 0, ys);
}

static PyObject *aux_of(lucid_scope *s, const lucidpy_run *run, const lucid_tensor *ys)
{
    return lucidpy_unflatten_tensors(s, &run->aux, 0, ys + run->out.leaf_count);
}

static PyObject *pair(PyObject *first, PyObject *second)
{
    PyObject *both = first && second ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return both;
}

typedef lucid_fn linearizer(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                            lucid_results *y);

static PyObject *run_linearizer(lucidpy_call *c, linearizer *build, bool has_aux, bool backwards)
{
    lucid_scope *s = c->s;
    if (!lucidpy_ok(s) || !check_callable(c))
        return NULL;
    lucidpy_run run;
    lucidpy_run_init(&run, c->name, c->arg[0]);
    run.has_aux = has_aux;
    PyObject *result = NULL;
    if (take_primals(s, &run, c->rest, c->rest_count) &&
        check_floats(&run, NULL, "let func capture it instead")) {
        lucid_results *results = lucid_results_new(s);
        lucid_fn fn = build(s, lucidpy_run_fn(s, &run), run.in.leaves, run.in.leaf_count, results);
        size_t count;
        const lucid_tensor *ys = lucidpy_run_results(s, results, &count);
        if (ys) {
            PyObject *output = output_of(s, &run, ys);
            if (has_aux)
                output = pair(output, aux_of(s, &run, ys));
            result = pair(output,
                          new_linear(backwards ? "vjp_fn" : "linear_fn", fn, backwards, &run, ys));
        }
    }
    lucidpy_run_clear(&run);
    return result;
}

/* (func, *primals, has_aux). */
PyObject *lucidpy_op_vjp(lucidpy_call *c)
{
    return run_linearizer(c, lucid_vjp_listing, lucidpy_flag(c, 2), true);
}

/* (func, *primals). */
PyObject *lucidpy_op_linearize(lucidpy_call *c)
{
    return run_linearizer(c, lucid_linearize_listing, false, false);
}

/* strict: an output that is the same handle without its derivative has none. */
static bool accept_dependent(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                             lucidpy_tree *aux)
{
    if (!lucidpy_accept_any(run, s, result, to, aux))
        return false;
    for (size_t i = 0; i < to->leaf_count; i++)
        if (lucid_detach(s, to->leaves[i]).v == to->leaves[i].v) {
            PyObject *path = lucidpy_leaf_path(to, i);
            if (path)
                PyErr_Format(PyExc_RuntimeError,
                             "jvp: %U does not depend on the primals (strict=True)", path);
            Py_XDECREF(path);
            return false;
        }
    return true;
}

static bool take_tangents(lucid_scope *s, const lucidpy_run *run, PyObject *tangents,
                          lucid_tensor *dxs)
{
    int matched = match(s, &run->in, "tangents", tangents, dxs);
    if (matched == 0)
        no_match(s, "jvp", "tangents", tangents, &run->in);
    return matched == 1;
}

static PyObject *run_jvp(lucidpy_call *c, lucidpy_run *run)
{
    lucid_scope *s = c->s;
    size_t n = run->in.leaf_count, count, tangent_count;
    lucid_tensor *dxs = lucid_alloc(s, (n + 1) * sizeof *dxs);
    if (!lucidpy_ok(s) || !take_tangents(s, run, c->arg[2], dxs) ||
        !check_floats(run, dxs, "give None as its tangent"))
        return NULL;
    lucid_results *y = lucid_results_new(s), *dy = lucid_results_new(s);
    lucid_jvp_listing(s, lucidpy_run_fn(s, run), run->in.leaves, dxs, n, y, dy);
    const lucid_tensor *ys = lucidpy_run_results(s, y, &count);
    const lucid_tensor *dys = ys ? lucidpy_run_results(s, dy, &tangent_count) : NULL;
    if (!dys)
        return NULL;
    PyObject *output = output_of(s, run, ys);
    PyObject *tangent = output ? output_of(s, run, dys) : NULL;
    PyObject *aux = tangent && run->has_aux ? aux_of(s, run, ys) : NULL;
    PyObject *result = NULL;
    if (tangent && !run->has_aux)
        result = PyTuple_Pack(2, output, tangent);
    else if (aux)
        result = PyTuple_Pack(3, output, tangent, aux);
    Py_XDECREF(output);
    Py_XDECREF(tangent);
    Py_XDECREF(aux);
    return result;
}

static bool check_tuple(lucidpy_call *c, int i)
{
    if (PyTuple_Check(c->arg[i]) || PyList_Check(c->arg[i]))
        return true;
    lucidpy_bad_argument(c, i, "a tuple with an entry per argument of func");
    return false;
}

/* (func, primals, tangents, strict, has_aux). */
PyObject *lucidpy_op_jvp(lucidpy_call *c)
{
    bool strict = lucidpy_flag(c, 3);
    lucidpy_run run;
    lucidpy_run_init(&run, c->name, c->arg[0]);
    run.has_aux = lucidpy_flag(c, 4);
    run.accept = strict ? accept_dependent : lucidpy_accept_any;
    PyObject *result = NULL, *primals = NULL;
    if (lucidpy_ok(c->s) && check_callable(c) && check_tuple(c, 1) && check_tuple(c, 2))
        primals = PySequence_Tuple(c->arg[1]);
    Py_ssize_t n = primals ? PyTuple_Size(primals) : 0;
    PyObject **items = primals ? PyMem_Calloc((size_t)n + 1, sizeof *items) : NULL;
    for (Py_ssize_t i = 0; items && i < n; i++)
        items[i] = PyTuple_GetItem(primals, i);
    if (items && take_primals(c->s, &run, items, n))
        result = run_jvp(c, &run);
    PyMem_Free(items);
    Py_XDECREF(primals);
    lucidpy_run_clear(&run);
    return result;
}
