/* cond, switch, while_loop, fori_loop, scan, map. */
#include "call_scope.h"
#include "convert.h"
#include "ops.h"
#include "run.h"
#include "tree_path.h"

#include <stdio.h>

/* -- functions of the user's ------------------------------------------------------------------- */

/* A function under control flow, and the structure its results must have. */
typedef struct control_run {
    lucidpy_run run;
    const lucidpy_tree *like;     /* NULL: any */
    const char *like_what;        /* "the carry is", "branch 0 returned" */
    const char *who;              /* "the body", "true_fn", "branch" ... */
    Py_ssize_t number;            /* ... and its number, or -1 */
    const char *const *arguments; /* what its arguments are called */
} control_run;

static bool callable(lucidpy_call *c, int i)
{
    if (!lucidpy_ok(c->s))
        return false;
    if (!PyCallable_Check(c->arg[i]))
        lucidpy_bad_argument(c, i, "a function");
    return lucidpy_ok(c->s);
}

static bool same_structure(const control_run *r, const lucidpy_tree *now)
{
    if (lucidpy_tree_same(r->like, now, false))
        return true;
    PyObject *a = lucidpy_structure_text(r->like), *b = lucidpy_structure_text(now);
    PyObject *who = r->number < 0 ? PyUnicode_FromString(r->who)
                                  : PyUnicode_FromFormat("%s %zd", r->who, r->number);
    if (a && b && who)
        PyErr_Format(PyExc_TypeError,
                     "%s: %U returned %U where %s %U (*: a tensor); they must agree", r->run.name,
                     who, b, r->like_what, a);
    Py_XDECREF(who);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return false;
}

static bool flatten(lucid_scope *s, const char *name, const char *what, lucidpy_tree *to,
                    PyObject *o)
{
    char refusal[64];
    PyOS_snprintf(refusal, sizeof refusal, "%s: %s", name, what);
    const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT, .refusal = refusal};
    return lucidpy_flatten(s, to, NULL, o, &leaves);
}

/* Results of the structure that the run wants. */
static bool accept_alike(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                         lucidpy_tree *aux)
{
    const control_run *r = run->options;
    (void)aux;
    return flatten(s, run->name, "the function returned", to, result) &&
           (!r->like || same_structure(r, to));
}

/* A pair (carry, y). */
static bool accept_step(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                        lucidpy_tree *aux)
{
    const control_run *r = run->options;
    if (!PyTuple_Check(result) || PyTuple_Size(result) != 2) {
        PyObject *text = lucidpy_describe(result);
        if (text)
            PyErr_Format(PyExc_TypeError, "%s: f must return a pair (carry, y), not %U", run->name,
                         text);
        Py_XDECREF(text);
        return false;
    }
    return flatten(s, run->name, "f returned", to, PyTuple_GetItem(result, 0)) &&
           same_structure(r, to) &&
           flatten(s, run->name, "f returned", aux, PyTuple_GetItem(result, 1));
}

static void begin(control_run *r, const char *name, PyObject *func, const char *const *arguments,
                  bool (*accept)(lucidpy_run *, lucid_scope *, PyObject *, lucidpy_tree *,
                                 lucidpy_tree *))
{
    lucidpy_run_init(&r->run, name, func);
    r->like = NULL;
    r->like_what = "";
    r->who = "the body";
    r->number = -1;
    r->arguments = arguments;
    r->run.accept = accept;
    r->run.options = r;
}

static const char *const carry_alone[] = {"carry"}, *const carry_and_x[] = {"carry", "x"};
static const char *const counter_and_carry[] = {"i", "carry"}, *const x_alone[] = {"x"};

/* args[1]['w'] by the name that the argument has in the documentation. */
static void name_argument(void *user, bool result, size_t i, char *to, size_t size)
{
    const control_run *r = user;
    char text[256];
    int number, length;
    lucidpy_run_name_leaf(user, result, i, to, size);
    if (!result && r->arguments && sscanf(to, "args[%d]%n", &number, &length) == 1) {
        (void)snprintf(text, sizeof text, "%s%s", r->arguments[number], to + length);
        (void)snprintf(to, size, "%s", text);
    }
}

static lucid_fn function_of(lucid_scope *s, control_run *r)
{
    lucid_fn f = lucidpy_run_fn(s, &r->run);
    lucid_fn_set_naming(f, name_argument, r);
    return f;
}

/* The arguments of the function are these objects. */
static bool take_arguments(lucid_scope *s, control_run *r, PyObject *const *args, Py_ssize_t n)
{
    bool ok = lucidpy_tree_add_node(&r->run.in, LUCIDPY_TUPLE, n, NULL);
    for (Py_ssize_t i = 0; ok && i < n; i++)
        ok = flatten(s, r->run.name, "an argument holds", &r->run.in, args[i]);
    return ok;
}

static PyObject *built(lucid_scope *s, const lucidpy_tree *tree, const lucid_tensor *y)
{
    return lucidpy_unflatten_tensors(s, tree, 0, y);
}

/* -- cond and switch ---------------------------------------------------------------------------- */

/* Runs the branches through `choose`, which is told the functions. */
static PyObject *branch(lucidpy_call *c, PyObject *const *funcs, Py_ssize_t n, lucid_tensor chosen,
                        bool is_cond)
{
    control_run *runs = PyMem_Calloc((size_t)n, sizeof *runs);
    lucid_fn *fns = runs ? lucid_alloc(c->s, (size_t)n * sizeof *fns) : NULL;
    bool ok = fns != NULL;
    for (Py_ssize_t b = 0; runs && b < n; b++)
        begin(&runs[b], c->name, funcs[b], NULL, accept_alike);
    for (Py_ssize_t b = 0; ok && b < n; b++) {
        if (b > 0) {
            runs[b].like = &runs[0].run.out;
            runs[b].like_what = is_cond ? "false_fn returned" : "branch 0 returned";
            runs[b].who = is_cond ? "true_fn" : "branch";
            runs[b].number = is_cond ? -1 : b;
        }
        ok = take_arguments(c->s, &runs[b], c->rest, c->rest_count);
        if (ok)
            fns[b] = function_of(c->s, &runs[b]);
    }
    PyObject *result = NULL;
    lucid_results *results = ok ? lucid_results_new(c->s) : NULL;
    if (results) {
        const lucidpy_tree *in = &runs[0].run.in;
        if (is_cond)
            lucid_cond_listing(c->s, chosen, fns[1], fns[0], in->leaves, in->leaf_count, results);
        else
            lucid_switch_listing(c->s, chosen, fns, (size_t)n, in->leaves, in->leaf_count, results);
        size_t count;
        const lucid_tensor *y = lucidpy_run_results(c->s, results, &count);
        if (y)
            result = built(c->s, &runs[0].run.out, y);
    }
    if (!runs)
        PyErr_NoMemory();
    for (Py_ssize_t b = 0; runs && b < n; b++)
        lucidpy_run_clear(&runs[b].run);
    PyMem_Free(runs);
    return result;
}

/* (pred, true_fn, false_fn, *operands). */
PyObject *lucidpy_op_branch(lucidpy_call *c)
{
    lucid_tensor pred = lucidpy_tensor(c, 0);
    if (!callable(c, 1) || !callable(c, 2))
        return NULL;
    PyObject *const funcs[2] = {c->arg[2], c->arg[1]};
    return branch(c, funcs, 2, pred, true);
}

/* (index, branches, *operands). */
PyObject *lucidpy_op_switch(lucidpy_call *c)
{
    lucid_tensor index = lucidpy_tensor(c, 0);
    if (!lucidpy_ok(c->s))
        return NULL;
    if (!PyTuple_Check(c->arg[1]) && !PyList_Check(c->arg[1])) {
        lucidpy_bad_argument(c, 1, "a tuple or list of functions");
        return NULL;
    }
    PyObject *list = PySequence_Tuple(c->arg[1]), *result = NULL;
    Py_ssize_t n = list ? PyTuple_Size(list) : 0;
    PyObject **funcs = list ? PyMem_Calloc((size_t)n + 1, sizeof *funcs) : NULL;
    bool ok = funcs != NULL;
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        funcs[i] = PyTuple_GetItem(list, i);
        ok = PyCallable_Check(funcs[i]);
        if (!ok)
            PyErr_Format(PyExc_TypeError, "switch: branch %zd must be a function, not %R", i,
                         funcs[i]);
    }
    if (ok && n == 0)
        PyErr_SetString(PyExc_ValueError, "switch: no branch is given");
    else if (ok)
        result = branch(c, funcs, n, index, false);
    PyMem_Free(funcs);
    Py_XDECREF(list);
    return result;
}

/* -- loops --------------------------------------------------------------------------------------- */

/* An option that is an int >= 1, or None: 0. */
static int64_t steps_option(lucidpy_call *c, int i, const char *what)
{
    if (lucidpy_is_none(c, i))
        return 0;
    int64_t n = lucidpy_int(c, i);
    if (lucid_error(c->s) == LUCID_OK && n < 1)
        lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: %s must be an int >= 1 or None, not %lld", c->name,
                   what, (long long)n);
    return n;
}

static bool loop_options(lucidpy_call *c, int first, lucid_while_options *options)
{
    options->max_steps = steps_option(c, first, "max_steps");
    options->checkpoint_every = steps_option(c, first + 1, "checkpoint_every");
    return lucidpy_ok(c->s);
}

/* What a loop carries, taken apart, and the function of a step, which must return the like. */
static bool begin_loop(lucidpy_call *c, control_run *body, lucidpy_tree *carry, PyObject *init)
{
    lucidpy_tree_init(carry, "carry");
    body->like = carry;
    body->like_what = "the carry is";
    return flatten(c->s, c->name, "the carry holds", carry, init);
}

/* (cond_fn, body_fn, init, max_steps, checkpoint_every). */
PyObject *lucidpy_op_while_loop(lucidpy_call *c)
{
    lucid_while_options options;
    if (!callable(c, 0) || !callable(c, 1) || !loop_options(c, 3, &options))
        return NULL;
    control_run condition, body;
    lucidpy_tree carry;
    PyObject *result = NULL;
    begin(&condition, c->name, c->arg[0], carry_alone, accept_alike);
    begin(&body, c->name, c->arg[1], carry_alone, accept_alike);
    if (begin_loop(c, &body, &carry, c->arg[2]) &&
        take_arguments(c->s, &condition, &c->arg[2], 1) &&
        take_arguments(c->s, &body, &c->arg[2], 1)) {
        size_t n = carry.leaf_count;
        lucid_tensor *y = lucid_alloc(c->s, (n + 1) * sizeof *y);
        if (y)
            lucid_while(c->s, function_of(c->s, &condition), function_of(c->s, &body), carry.leaves,
                        n, &options, y);
        if (lucidpy_ok(c->s))
            result = built(c->s, &carry, y);
    }
    lucidpy_tree_clear(&carry);
    lucidpy_run_clear(&condition.run);
    lucidpy_run_clear(&body.run);
    return result;
}

/* (lower, upper, body_fn, init, max_steps, checkpoint_every). */
PyObject *lucidpy_op_fori_loop(lucidpy_call *c)
{
    lucid_while_options options;
    lucid_tensor lower = lucidpy_tensor(c, 0), upper = lucidpy_tensor(c, 1);
    if (!callable(c, 2) || !loop_options(c, 4, &options))
        return NULL;
    control_run body;
    lucidpy_tree carry;
    PyObject *result = NULL, *zero = PyLong_FromLong(0);
    begin(&body, c->name, c->arg[2], counter_and_carry, accept_alike);
    PyObject *const args[2] = {zero, c->arg[3]};
    bool ok = begin_loop(c, &body, &carry, c->arg[3]);
    if (ok && zero && take_arguments(c->s, &body, args, 2)) {
        size_t n = carry.leaf_count;
        lucid_tensor *y = lucid_alloc(c->s, (n + 1) * sizeof *y);
        bool plain = options.max_steps == 0 && options.checkpoint_every == 0;
        if (y)
            lucid_fori(c->s, lower, upper, function_of(c->s, &body), carry.leaves, n,
                       plain ? NULL : &options, y);
        if (lucidpy_ok(c->s))
            result = built(c->s, &carry, y);
    }
    Py_XDECREF(zero);
    lucidpy_tree_clear(&carry);
    lucidpy_run_clear(&body.run);
    return result;
}

static bool scan_options(lucidpy_call *c, lucidpy_tree *xs, lucid_scan_options *options)
{
    options->length = 0;
    options->reverse = lucidpy_flag(c, 4);
    if (!lucidpy_is_none(c, 3))
        options->length = lucidpy_int(c, 3);
    else if (xs->leaf_count == 0)
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "scan: without xs the number of steps must be given, "
                   "as length=...");
    return lucidpy_ok(c->s);
}

/* (f, init, xs, length, reverse). */
PyObject *lucidpy_op_scan(lucidpy_call *c)
{
    control_run body;
    lucidpy_tree carry, xs;
    lucid_scan_options options;
    PyObject *result = NULL;
    if (!callable(c, 0))
        return NULL;
    lucidpy_tree_init(&xs, "xs");
    begin(&body, c->name, c->arg[0], carry_and_x, accept_step);
    if (begin_loop(c, &body, &carry, c->arg[1]) &&
        flatten(c->s, c->name, "xs holds", &xs, c->arg[2]) && scan_options(c, &xs, &options) &&
        take_arguments(c->s, &body, &c->arg[1], 2)) {
        size_t count, n = carry.leaf_count;
        lucid_results *results = lucid_results_new(c->s);
        lucid_scan_listing(c->s, function_of(c->s, &body), carry.leaves, n, xs.leaves,
                           xs.leaf_count, &options, results);
        const lucid_tensor *y = lucidpy_run_results(c->s, results, &count);
        PyObject *last = y ? built(c->s, &carry, y) : NULL;
        PyObject *ys = last ? built(c->s, &body.run.aux, y + n) : NULL;
        if (ys)
            result = PyTuple_Pack(2, last, ys);
        Py_XDECREF(last);
        Py_XDECREF(ys);
    }
    lucidpy_tree_clear(&xs);
    lucidpy_tree_clear(&carry);
    lucidpy_run_clear(&body.run);
    return result;
}

/* (f, xs). */
PyObject *lucidpy_op_map(lucidpy_call *c)
{
    control_run body;
    PyObject *result = NULL;
    if (!callable(c, 0))
        return NULL;
    begin(&body, c->name, c->arg[0], x_alone, accept_alike);
    if (take_arguments(c->s, &body, &c->arg[1], 1)) {
        if (body.run.in.leaf_count == 0)
            lucid_fail(c->s, LUCID_VALUE_ERROR, "map: xs holds no tensor");
        size_t count;
        lucid_results *results = lucid_results_new(c->s);
        lucid_map_listing(c->s, function_of(c->s, &body), body.run.in.leaves,
                          body.run.in.leaf_count, results);
        const lucid_tensor *y = lucidpy_run_results(c->s, results, &count);
        if (y)
            result = built(c->s, &body.run.out, y);
    }
    lucidpy_run_clear(&body.run);
    return result;
}
