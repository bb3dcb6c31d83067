/* grad, grad_and_value, jacrev, jacfwd, hessian: functions that give derivatives. */
#include "call_scope.h"
#include "convert.h"
#include "ops.h"
#include "run.h"
#include "tree_path.h"
#include "tree_types.h"

#include <stdio.h>

enum { MAX_ARGNUMS = 64 };

typedef lucid_fn build_fn(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);

/* Puts the results of the library into the structure that the transform promises. */
typedef struct call_state call_state;
typedef PyObject *arrangement(call_state *c, const lucid_tensor *ys);

typedef struct grad_options {
    build_fn *build;
    arrangement *arrange;
    bool scalar; /* func returns one 0-d float */
    bool has_aux;
    bool single; /* argnums is an int */
    int64_t chunk_size;
    int count;
    int argnums[MAX_ARGNUMS];
} grad_options;

struct call_state {
    lucid_scope *s;
    const grad_options *options;
    lucidpy_run run;
    /* Where each differentiated argument starts among the nodes and leaves of run.in. */
    size_t node[MAX_ARGNUMS], leaf[MAX_ARGNUMS];
};

/* -- arguments -------------------------------------------------------------------------------- */

static bool is_selected(const grad_options *o, Py_ssize_t n, Py_ssize_t i, int *which)
{
    for (int k = 0; k < o->count; k++) {
        Py_ssize_t at = o->argnums[k] < 0 ? o->argnums[k] + n : o->argnums[k];
        if (at == i) {
            *which = k;
            return true;
        }
    }
    return false;
}

static bool check_argnums(const call_state *c, Py_ssize_t n)
{
    const grad_options *o = c->options;
    for (int k = 0; k < o->count; k++) {
        Py_ssize_t at = o->argnums[k] < 0 ? o->argnums[k] + n : o->argnums[k];
        if (at < 0 || at >= n) {
            PyErr_Format(PyExc_ValueError,
                         "%s: argnums %d is out of range for a call with %zd positional arguments",
                         c->run.name, o->argnums[k], n);
            return false;
        }
        int which;
        if (is_selected(o, n, at, &which) && which < k) {
            PyErr_Format(PyExc_ValueError, "%s: argnums names argument %zd twice", c->run.name, at);
            return false;
        }
    }
    return true;
}

/* The arguments as a tuple whose leaves are those of the differentiated ones; the others are kept. */
static bool take_arguments(call_state *c, PyObject *args)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT, .keep_others = true};
    lucidpy_tree *in = &c->run.in;
    Py_ssize_t n = PyTuple_Size(args);
    const lucidpy_part whole = {.root = in->root};
    if (!check_argnums(c, n) || !lucidpy_tree_add_node(in, LUCIDPY_TUPLE, n, NULL))
        return false;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *o = PyTuple_GetItem(args, i);
        int which;
        if (is_selected(c->options, n, i, &which)) {
            c->node[which] = in->node_count;
            c->leaf[which] = in->leaf_count;
            const lucidpy_part at = {.up = &whole, .index = i};
            if (!lucidpy_flatten(c->s, in, &at, o, &leaves))
                return false;
            if (in->leaf_count == c->leaf[which]) {
                PyObject *what = lucidpy_describe(o), *advice = lucidpy_advice(o);
                if (what && advice)
                    PyErr_Format(PyExc_TypeError,
                                 "%s: args[%zd] holds no tensor to differentiate by; it is %U%U",
                                 c->run.name, i, what, advice);
                Py_XDECREF(what);
                Py_XDECREF(advice);
                return false;
            }
        } else {
            PyObject *kept = lucidpy_tensor_if_array(c->s, o);
            bool ok = kept && lucidpy_tree_add_node(in, LUCIDPY_STATIC, 0, kept);
            Py_XDECREF(kept);
            if (!ok)
                return false;
        }
    }
    return true;
}

/* 0, 1, ..., n - 1: every leaf of run.in is differentiated by. */
static lucid_ints all_leaves(lucid_scope *s, size_t n)
{
    static const int few[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    if (n <= sizeof few / sizeof *few)
        return (lucid_ints){few, n};
    int *all = lucid_alloc(s, n * sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = (int)i;
    return (lucid_ints){all, all ? n : 0};
}

/* -- results ---------------------------------------------------------------------------------- */

/* One result: a 0-d float, which the library checks. */
static bool accept_scalar(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                          lucidpy_tree *aux)
{
    PyObject *value, *aux_object;
    if (!lucidpy_split_aux(run, result, &value, &aux_object))
        return false;
    lucid_tensor x = {NULL};
    int converted = PyTuple_Check(value) || PyList_Check(value)
                        ? 0
                        : lucidpy_convert_data(s, value, LUCIDPY_FROZEN, &x);
    if (converted < 0)
        return false;
    if (converted == 0) {
        PyObject *type = PyType_GetName(Py_TYPE(value));
        if (type)
            PyErr_Format(PyExc_TypeError,
                         "%s: func must return a float tensor of shape ()%s, not %S%s", run->name,
                         run->has_aux ? " and aux" : "", value == Py_None ? Py_None : type,
                         PyTuple_Check(value) && !run->has_aux
                             ? "; has_aux=True lets it return a pair (value, aux)"
                             : "");
        Py_XDECREF(type);
        return false;
    }
    return lucidpy_tree_add_leaf(to, x, 0) &&
           (!aux_object || lucidpy_flatten_aux(s, aux, aux_object));
}

/* A value for every differentiated argument, in its structure; xs are in the order of the leaves. */
static PyObject *per_argument(call_state *c, const lucid_tensor *xs)
{
    const grad_options *o = c->options;
    if (o->single)
        return lucidpy_unflatten_tensors(c->s, &c->run.in, c->node[0], xs + c->leaf[0]);
    PyObject *tuple = PyTuple_New(o->count);
    for (int k = 0; tuple && k < o->count; k++) {
        PyObject *item = lucidpy_unflatten_tensors(c->s, &c->run.in, c->node[k], xs + c->leaf[k]);
        if (!item || PyTuple_SetItem(tuple, k, item))
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* (first, second), or NULL when one of them is NULL; takes over both. */
static PyObject *pair(PyObject *first, PyObject *second)
{
    PyObject *both = first && second ? PyTuple_Pack(2, first, second) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(second);
    return both;
}

static PyObject *aux_of(call_state *c, const lucid_tensor *xs)
{
    return lucidpy_unflatten_tensors(c->s, &c->run.aux, 0, xs);
}

static PyObject *arrange_grad(call_state *c, const lucid_tensor *ys)
{
    PyObject *grads = per_argument(c, ys);
    if (!c->run.has_aux || !grads)
        return grads;
    return pair(grads, aux_of(c, ys + c->run.in.leaf_count));
}

static PyObject *arrange_grad_and_value(call_state *c, const lucid_tensor *ys)
{
    size_t n = c->run.in.leaf_count;
    PyObject *grads = per_argument(c, ys);
    PyObject *value = lucidpy_unflatten_tensors(c->s, &c->run.out, 0, ys + n);
    return pair(grads, c->run.has_aux ? pair(value, aux_of(c, ys + n + 1)) : value);
}

/* For every leaf of the outer structure, what per_argument makes of its row. */
static bool rows(call_state *c, const lucid_tensor *ys, size_t count, PyObject **objects)
{
    for (size_t i = 0; i < count; i++) {
        objects[i] = per_argument(c, ys + i * c->run.in.leaf_count);
        if (!objects[i])
            return false;
    }
    return true;
}

static PyObject **new_objects(size_t count)
{
    PyObject **objects = PyMem_Calloc(count + 1, sizeof *objects);
    if (!objects)
        PyErr_NoMemory();
    return objects;
}

static void free_objects(PyObject **objects, size_t count)
{
    for (size_t i = 0; objects && i < count; i++)
        Py_XDECREF(objects[i]);
    PyMem_Free(objects);
}

static PyObject *arrange_jacobian(call_state *c, const lucid_tensor *ys)
{
    size_t count = c->run.out.leaf_count;
    PyObject **objects = new_objects(count), *jacobian = NULL;
    if (objects && rows(c, ys, count, objects))
        jacobian = lucidpy_unflatten(&c->run.out, 0, objects);
    free_objects(objects, count);
    if (!c->run.has_aux)
        return jacobian;
    return pair(jacobian, jacobian ? aux_of(c, ys + count * c->run.in.leaf_count) : NULL);
}

/* The arguments' structure of the arguments' structure. */
static PyObject *arrange_hessian(call_state *c, const lucid_tensor *ys)
{
    const grad_options *o = c->options;
    size_t count = c->run.in.leaf_count;
    PyObject **objects = new_objects(count), *hessian = NULL;
    if (objects && rows(c, ys, count, objects)) {
        hessian = o->single ? lucidpy_unflatten(&c->run.in, c->node[0], objects + c->leaf[0])
                            : PyTuple_New(o->count);
        for (int k = 0; hessian && !o->single && k < o->count; k++) {
            PyObject *item = lucidpy_unflatten(&c->run.in, c->node[k], objects + c->leaf[k]);
            if (!item || PyTuple_SetItem(hessian, k, item))
                Py_CLEAR(hessian);
        }
    }
    free_objects(objects, count);
    if (!c->run.has_aux)
        return hessian;
    return pair(hessian, hessian ? aux_of(c, ys + count * count) : NULL);
}

/* -- calling ---------------------------------------------------------------------------------- */

static PyObject *call_derivative(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords)
{
    const grad_options *o = w->options;
    call_state c; /* large, and every field that is read is set */
    c.options = o;
    c.s = lucidpy_enter();
    if (!c.s)
        return NULL;
    lucidpy_run_init(&c.run, w->name, w->func);
    c.run.has_aux = o->has_aux;
    if (o->scalar)
        c.run.accept = accept_scalar;
    PyObject *result = NULL;
    if (lucidpy_run_keywords(c.s, &c.run, keywords) && take_arguments(&c, args)) {
        size_t n = c.run.in.leaf_count, count;
        lucid_fn f = o->build(c.s, lucidpy_run_fn(c.s, &c.run),
                              &(lucid_grad_options){.argnums = all_leaves(c.s, n),
                                                    .has_aux = o->has_aux,
                                                    .chunk_size = o->chunk_size});
        const lucid_tensor *ys = lucidpy_run_call(c.s, &c.run, f, &count);
        if (ys)
            result = o->arrange(&c, ys);
    }
    lucidpy_run_clear(&c.run);
    lucidpy_leave(c.s);
    return result;
}

/* -- making ----------------------------------------------------------------------------------- */

static bool read_argnum(const char *name, PyObject *o, int *argnum)
{
    int64_t value;
    if (!lucidpy_is_integer(o)) {
        PyErr_Format(PyExc_TypeError, "%s: argnums must be an int or a tuple of ints, not %R", name,
                     o);
        return false;
    }
    char what[64];
    (void)snprintf(what, sizeof what, "%s: argnums", name);
    if (!lucidpy_read_int(o, what, &value))
        return false;
    *argnum = value > 1 << 20 ? 1 << 20 : value < -(1 << 20) ? -(1 << 20) : (int)value;
    return true;
}

static bool read_argnums(const char *name, PyObject *argnums, grad_options *o)
{
    o->single = !PyTuple_Check(argnums) && !PyList_Check(argnums);
    if (o->single) {
        o->count = 1;
        return read_argnum(name, argnums, &o->argnums[0]);
    }
    Py_ssize_t n = PySequence_Size(argnums);
    if (n < 1 || n > MAX_ARGNUMS) {
        PyErr_Format(PyExc_ValueError, "%s: argnums must name from 1 to %d arguments, not %zd",
                     name, MAX_ARGNUMS, n);
        return false;
    }
    o->count = (int)n;
    bool ok = true;
    for (int k = 0; ok && k < o->count; k++) {
        PyObject *item = PySequence_GetItem(argnums, k);
        ok = item && read_argnum(name, item, &o->argnums[k]);
        Py_XDECREF(item);
    }
    return ok;
}

/* (func, argnums) and perhaps (has_aux, chunk_size). */
static PyObject *make(lucidpy_call *c, build_fn *build, arrangement *arrange, bool scalar)
{
    grad_options *o = PyMem_Calloc(1, sizeof *o);
    if (!o)
        return PyErr_NoMemory();
    *o = (grad_options){.build = build, .arrange = arrange, .scalar = scalar};
    bool ok = read_argnums(c->name, c->arg[1], o);
    if (ok && c->signature->count > 2)
        o->has_aux = lucidpy_flag(c, 2);
    if (ok && c->signature->count > 3)
        ok = lucidpy_chunk_size(c, 3, &o->chunk_size);
    if (!ok || !lucidpy_ok(c->s)) {
        PyMem_Free(o);
        return NULL;
    }
    return (PyObject *)lucidpy_wrapper_of_call(c, call_derivative, o);
}

PyObject *lucidpy_op_grad(lucidpy_call *c)
{
    return make(c, lucid_grad, arrange_grad, true);
}

PyObject *lucidpy_op_grad_and_value(lucidpy_call *c)
{
    return make(c, lucid_grad_and_value, arrange_grad_and_value, true);
}

PyObject *lucidpy_op_jacrev(lucidpy_call *c)
{
    return make(c, lucid_jacrev, arrange_jacobian, false);
}

PyObject *lucidpy_op_jacfwd(lucidpy_call *c)
{
    return make(c, lucid_jacfwd, arrange_jacobian, false);
}

PyObject *lucidpy_op_hessian(lucidpy_call *c)
{
    return make(c, lucid_hessian, arrange_hessian, true);
}
