/* What custom_jvp, custom_vjp and custom_vmap (lucid/_custom.py) are made of: a call of a function whose
 * rules are functions of Python too.
 *
 * A pullback is called when the call is long over, so what the functions need lives in one object that all
 * of them share and the library releases. */
#include "call_scope.h"
#include "convert.h"
#include "ops.h"
#include "tree.h"

#include <stdatomic.h>

typedef struct custom {
    lucidpy_owner owner; /* first: it is freed when the GIL is held */
    atomic_int refs;     /* one for each lucid_fn */
    const char *name;
    PyObject *f, *rule, *bwd;
    lucidpy_tree in;        /* the tuple of arguments */
    lucidpy_tree out;       /* what the function returned, or its rule */
    lucidpy_tree residuals; /* of custom_vjp */
    bool ran;
    lucid_shape *shape; /* of the arguments' leaves */
    lucid_dtype *dtype;
} custom;

static void free_custom(lucidpy_owner *owner)
{
    custom *c = (custom *)(void *)owner;
    Py_XDECREF(c->f);
    Py_XDECREF(c->rule);
    Py_XDECREF(c->bwd);
    lucidpy_tree_clear(&c->in);
    lucidpy_tree_clear(&c->out);
    lucidpy_tree_clear(&c->residuals);
    PyMem_Free(c->shape);
    PyMem_Free(c->dtype);
    PyMem_Free(c);
}

static void release(void *user)
{
    custom *c = user;
    if (atomic_fetch_sub(&c->refs, 1) == 1)
        lucidpy_owner_release(&c->owner);
}

static custom *retain(custom *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

static custom *new_custom(lucidpy_call *call, PyObject *args)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT, .keep_others = true};
    custom *c = PyMem_Calloc(1, sizeof *c);
    if (!c) {
        PyErr_NoMemory();
        return NULL;
    }
    c->owner.free = free_custom;
    atomic_init(&c->refs, 1);
    lucidpy_tree_init(&c->in, "args");
    lucidpy_tree_init(&c->out, "result");
    lucidpy_tree_init(&c->residuals, "residuals");
    c->f = Py_NewRef(call->arg[0]);
    bool ok = lucidpy_flatten(call->s, &c->in, NULL, args, &leaves);
    size_t n = c->in.leaf_count;
    c->shape = PyMem_Calloc(n + 1, sizeof *c->shape);
    c->dtype = PyMem_Calloc(n + 1, sizeof *c->dtype);
    if (ok && (!c->shape || !c->dtype)) {
        PyErr_NoMemory();
        ok = false;
    }
    for (size_t i = 0; ok && i < n; i++) {
        c->shape[i] = lucid_shape_of(c->in.leaves[i]);
        c->dtype[i] = lucid_dtype_of(c->in.leaves[i]);
    }
    if (!ok) {
        free_custom(&c->owner);
        return NULL;
    }
    return c;
}

/* -- structures --------------------------------------------------------------------------------- */

/* A structure, for messages: its leaves as '*'. */
static PyObject *picture(const lucidpy_tree *tree)
{
    PyObject **objects = PyMem_Calloc(tree->leaf_count + 1, sizeof *objects), *shown = NULL;
    PyObject *leaf = PyUnicode_FromString("*");
    for (size_t i = 0; objects && i < tree->leaf_count; i++)
        objects[i] = leaf;
    if (objects && leaf)
        shown = lucidpy_unflatten(tree, 0, objects);
    PyMem_Free(objects);
    Py_XDECREF(leaf);
    return shown;
}

static bool no_match(const char *name, const char *what, const lucidpy_tree *given, const char *of,
                     const lucidpy_tree *expected)
{
    PyObject *a = picture(given), *b = picture(expected);
    if (a && b)
        PyErr_Format(PyExc_ValueError,
                     "%s: %s has the structure %R, but %s has %R ('*' stands for a tensor)", name,
                     what, a, of, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return false;
}

/* What the function or its rule returned, taken apart into c->out, or, when that is known already, checked
 * against it. `leaves` receives the tensors. */
static bool take_output(custom *c, lucid_scope *s, PyObject *result, const char *what,
                        PyObject *dims, lucidpy_tree *to)
{
    char refusal[64];
    PyOS_snprintf(refusal, sizeof refusal, "%s: %s returned", c->name, what);
    const lucidpy_leaves kinds = {.numbers = LUCIDPY_CONVERT, .refusal = refusal};
    if (dims ? !lucidpy_flatten_prefix(s, to, NULL, result, dims, false, "custom_vmap: out_batched",
                                       &kinds)
             : !lucidpy_flatten(s, to, NULL, result, &kinds))
        return false;
    if (!c->ran) {
        c->ran = true;
        return lucidpy_tree_copy(&c->out, to);
    }
    return lucidpy_tree_same(to, &c->out, false) ||
           no_match(c->name, what, to, "what was returned before", &c->out);
}

static bool split_pair(const custom *c, PyObject *result, const char *what, const char *expected,
                       PyObject **first, PyObject **second)
{
    if (!PyTuple_Check(result) || PyTuple_Size(result) != 2) {
        PyErr_Format(PyExc_TypeError, "%s: %s must return a pair %s, not %R", c->name, what,
                     expected, (PyObject *)Py_TYPE(result));
        return false;
    }
    *first = PyTuple_GetItem(result, 0);
    *second = PyTuple_GetItem(result, 1);
    return true;
}

/* -- what the library calls ----------------------------------------------------------------------- */

static bool run_f(custom *c, lucid_scope *s, const lucid_tensor *x, lucid_results *y)
{
    lucidpy_tree out;
    lucidpy_tree_init(&out, "result");
    PyObject *args = lucidpy_unflatten_tensors(s, &c->in, 0, x);
    PyObject *result = args ? PyObject_CallObject(c->f, args) : NULL;
    bool ok = result && take_output(c, s, result, "func", NULL, &out);
    for (size_t i = 0; ok && i < out.leaf_count; i++)
        lucid_results_push(s, y, out.leaves[i]);
    Py_XDECREF(args);
    Py_XDECREF(result);
    lucidpy_tree_clear(&out);
    return ok;
}

/* rule(primals, tangents) -> (out, tangent_out); None is a tangent of zeros. */
static bool push_tangents(custom *c, lucid_scope *s, const lucidpy_tree *out, PyObject *tangents,
                          lucid_results *y)
{
    static const lucidpy_leaves kinds = {.numbers = LUCIDPY_CONVERT, .keep_others = true};
    lucidpy_tree given;
    lucidpy_tree_init(&given, "given");
    lucid_tensor *xs = lucid_alloc(s, (out->leaf_count + 1) * sizeof *xs);
    bool ok = lucidpy_ok(s) && lucidpy_flatten(s, &given, NULL, tangents, &kinds) &&
              (lucidpy_tree_match(out, &given, xs) ||
               no_match(c->name, "the rule's tangent", &given, "its result", out));
    for (size_t i = 0; ok && i < out->leaf_count; i++)
        lucid_results_push(
            s, y, lucid_is_empty_handle(xs[i]) ? lucid_zeros_like(s, out->leaves[i]) : xs[i]);
    lucidpy_tree_clear(&given);
    return ok;
}

static bool run_jvp(custom *c, lucid_scope *s, const lucid_tensor *x, lucid_results *y)
{
    lucidpy_tree out;
    lucidpy_tree_init(&out, "result");
    PyObject *primals = lucidpy_unflatten_tensors(s, &c->in, 0, x);
    PyObject *tangents =
        primals ? lucidpy_unflatten_tensors(s, &c->in, 0, x + c->in.leaf_count) : NULL;
    PyObject *result =
        tangents ? PyObject_CallFunctionObjArgs(c->rule, primals, tangents, NULL) : NULL;
    PyObject *value, *tangent;
    bool ok = result && split_pair(c, result, "the rule", "(out, tangent_out)", &value, &tangent) &&
              take_output(c, s, value, "the rule", NULL, &out);
    for (size_t i = 0; ok && i < out.leaf_count; i++)
        lucid_results_push(s, y, out.leaves[i]);
    ok = ok && push_tangents(c, s, &out, tangent, y);
    Py_XDECREF(primals);
    Py_XDECREF(tangents);
    Py_XDECREF(result);
    lucidpy_tree_clear(&out);
    return ok;
}

/* fwd(*args) -> (out, residuals). */
static bool run_fwd(custom *c, lucid_scope *s, const lucid_tensor *x, lucid_results *y)
{
    static const lucidpy_leaves anything = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    lucidpy_tree out;
    lucidpy_tree_init(&out, "result");
    PyObject *args = lucidpy_unflatten_tensors(s, &c->in, 0, x);
    PyObject *result = args ? PyObject_CallObject(c->rule, args) : NULL;
    PyObject *value, *residuals;
    bool ok = result && split_pair(c, result, "fwd", "(out, residuals)", &value, &residuals) &&
              take_output(c, s, value, "fwd", NULL, &out);
    lucidpy_tree_clear(&c->residuals);
    ok = ok && lucidpy_flatten(s, &c->residuals, NULL, residuals, &anything);
    for (size_t i = 0; ok && i < out.leaf_count; i++)
        lucid_results_push(s, y, out.leaves[i]);
    for (size_t i = 0; ok && i < c->residuals.leaf_count; i++)
        lucid_results_push_aux(s, y, c->residuals.leaves[i]);
    Py_XDECREF(args);
    Py_XDECREF(result);
    lucidpy_tree_clear(&out);
    return ok;
}

static bool push_cotangents(custom *c, lucid_scope *s, PyObject *result, lucid_results *y)
{
    static const lucidpy_leaves kinds = {.numbers = LUCIDPY_CONVERT, .keep_others = true};
    size_t n = c->in.leaf_count;
    lucidpy_tree given;
    lucidpy_tree_init(&given, "given");
    lucid_tensor *xs = lucid_alloc(s, (n + 1) * sizeof *xs);
    bool ok = lucidpy_ok(s) && lucidpy_flatten(s, &given, NULL, result, &kinds) &&
              (lucidpy_tree_match(&c->in, &given, xs) ||
               no_match(c->name, "the result of bwd", &given, "the tuple of arguments", &c->in));
    for (size_t i = 0; ok && i < n; i++)
        lucid_results_push(s, y,
                           lucid_is_empty_handle(xs[i])
                               ? lucid_cast(s, lucid_zeros(s, c->shape[i]), c->dtype[i])
                               : xs[i]);
    lucidpy_tree_clear(&given);
    return ok;
}

/* bwd(residuals, cotangents) -> a tuple with an entry per argument; None is a cotangent of zeros. */
static bool run_bwd(custom *c, lucid_scope *s, const lucid_tensor *x, lucid_results *y)
{
    PyObject *residuals = lucidpy_unflatten_tensors(s, &c->residuals, 0, x);
    PyObject *ct =
        residuals ? lucidpy_unflatten_tensors(s, &c->out, 0, x + c->residuals.leaf_count) : NULL;
    PyObject *result = ct ? PyObject_CallFunctionObjArgs(c->bwd, residuals, ct, NULL) : NULL;
    bool ok = result && push_cotangents(c, s, result, y);
    Py_XDECREF(residuals);
    Py_XDECREF(ct);
    Py_XDECREF(result);
    return ok;
}

/* rule(size, in_batched, *args) -> (out, out_dims); out_dims holds 0 or None. */
static bool run_vmap_rule(custom *c, lucid_scope *s, int64_t size, const bool *mapped,
                          const lucid_tensor *x, lucid_results *y)
{
    lucidpy_tree out;
    lucidpy_tree_init(&out, "result");
    size_t n = c->in.leaf_count;
    PyObject **flags = PyMem_Calloc(n + 1, sizeof *flags);
    for (size_t i = 0; flags && i < n; i++)
        flags[i] = mapped[i] ? Py_True : Py_False;
    PyObject *in_batched = flags ? lucidpy_unflatten(&c->in, 0, flags) : PyErr_NoMemory();
    PyObject *args = in_batched ? lucidpy_unflatten_tensors(s, &c->in, 0, x) : NULL;
    PyObject *result =
        args ? PyObject_CallFunction(c->rule, "LOO", (long long)size, in_batched, args) : NULL;
    PyObject *value, *dims;
    bool ok = result && split_pair(c, result, "the rule", "(out, out_batched)", &value, &dims) &&
              take_output(c, s, value, "the rule", dims, &out);
    for (size_t i = 0; ok && i < out.leaf_count; i++)
        lucid_results_push_at(s, y, out.leaves[i], out.dims[i]);
    PyMem_Free(flags);
    Py_XDECREF(in_batched);
    Py_XDECREF(args);
    Py_XDECREF(result);
    lucidpy_tree_clear(&out);
    return ok;
}

typedef bool runner(custom *c, lucid_scope *s, const lucid_tensor *x, lucid_results *y);

static lucid_status run(runner *part, lucid_scope *s, const lucid_tensor *x, lucid_results *y,
                        void *user)
{
    lucid_scope *before = lucidpy_swap_current(s);
    bool ok = part(user, s, x, y) && lucidpy_ok(s);
    lucidpy_swap_current(before);
    return ok ? LUCID_OK : lucidpy_status_of_exception();
}

#define CALLBACK(name) \
    static lucid_status call_##name(lucid_scope *s, const lucid_tensor *x, size_t nx, \
                                    lucid_results *y, void *user) \
    { \
        (void)nx; \
        return run(run_##name, s, x, y, user); \
    }
CALLBACK(f)
CALLBACK(jvp)
CALLBACK(fwd)
CALLBACK(bwd)

static lucid_status call_vmap_rule(lucid_scope *s, int64_t size, const bool *mapped,
                                   const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    (void)nx;
    lucid_scope *before = lucidpy_swap_current(s);
    bool ok = run_vmap_rule(user, s, size, mapped, x, y) && lucidpy_ok(s);
    lucidpy_swap_current(before);
    return ok ? LUCID_OK : lucidpy_status_of_exception();
}

/* -- the calls ------------------------------------------------------------------------------------ */

static lucid_fn function(lucid_scope *s, custom *c, lucid_listing_function *part)
{
    return lucid_fn_new_listing(s, part, retain(c), release);
}

/* Applies f to the leaves of the arguments and puts the results together. Lets go of c. */
static PyObject *finish(lucidpy_call *call, custom *c, lucid_fn f)
{
    lucid_scope *s = call->s;
    lucid_results *results = lucid_results_new(s);
    lucid_call_listing(s, f, c->in.leaves, c->in.leaf_count, results);
    PyObject *result = NULL;
    size_t n = lucid_results_count(results);
    lucid_tensor *ys = lucidpy_ok(s) ? lucid_alloc(s, (n + 1) * sizeof *ys) : NULL;
    for (size_t i = 0; ys && i < n; i++)
        ys[i] = lucid_results_at(results, i);
    if (ys)
        result = lucidpy_unflatten_tensors(s, &c->out, 0, ys);
    release(c);
    return result;
}

/* (func, rule, args): rule(primals, tangents). */
PyObject *lucidpy_op_call_custom_jvp(lucidpy_call *call)
{
    custom *c = new_custom(call, call->arg[2]);
    if (!c)
        return NULL;
    c->name = "custom_jvp";
    c->rule = Py_NewRef(call->arg[1]);
    lucid_fn f = function(call->s, c, call_f);
    return finish(call, c, lucid_custom_jvp(call->s, f, function(call->s, c, call_jvp)));
}

/* (func, fwd, bwd, args). */
PyObject *lucidpy_op_call_custom_vjp(lucidpy_call *call)
{
    custom *c = new_custom(call, call->arg[3]);
    if (!c)
        return NULL;
    c->name = "custom_vjp";
    c->rule = Py_NewRef(call->arg[1]);
    c->bwd = Py_NewRef(call->arg[2]);
    lucid_fn f = function(call->s, c, call_f), fwd = function(call->s, c, call_fwd);
    lucid_fn bwd = function(call->s, c, call_bwd);
    return finish(call, c, lucid_custom_vjp(call->s, f, fwd, bwd, 0));
}

/* (func, rule, args): rule(size, in_batched, args) -> (out, out_dims). */
PyObject *lucidpy_op_call_custom_vmap(lucidpy_call *call)
{
    custom *c = new_custom(call, call->arg[2]);
    if (!c)
        return NULL;
    c->name = "custom_vmap";
    c->rule = Py_NewRef(call->arg[1]);
    lucid_fn f = function(call->s, c, call_f);
    return finish(call, c, lucid_custom_vmap(call->s, f, call_vmap_rule, retain(c), release));
}
