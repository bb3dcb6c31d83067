#include "run.h"

#include "call_scope.h"
#include "tree_path.h"

void lucidpy_run_init(lucidpy_run *run, const char *name, PyObject *func)
{
    run->name = name;
    run->func = func;
    run->keywords = NULL;
    lucidpy_tree_init(&run->in, "args");
    lucidpy_tree_init(&run->in_keywords, "kwargs");
    lucidpy_tree_init(&run->out, "result");
    lucidpy_tree_init(&run->aux, "aux");
    run->keywords_mapped = run->ran = run->has_aux = false;
    run->accept = lucidpy_accept_any;
    run->options = NULL;
}

bool lucidpy_run_keywords(lucid_scope *s, lucidpy_run *run, PyObject *keywords)
{
    if (!keywords || PyDict_Size(keywords) == 0)
        return true;
    run->keywords = PyDict_New();
    PyObject *name, *value;
    Py_ssize_t at = 0;
    bool ok = run->keywords != NULL;
    while (ok && PyDict_Next(keywords, &at, &name, &value)) {
        PyObject *kept = lucidpy_tensor_if_array(s, value);
        ok = kept && !PyDict_SetItem(run->keywords, name, kept);
        Py_XDECREF(kept);
    }
    return ok;
}

void lucidpy_run_clear(lucidpy_run *run)
{
    Py_CLEAR(run->keywords);
    lucidpy_tree_clear(&run->in);
    lucidpy_tree_clear(&run->in_keywords);
    lucidpy_tree_clear(&run->out);
    lucidpy_tree_clear(&run->aux);
}

/* -- inside the transform ---------------------------------------------------------------------- */

static PyObject *call_function(lucidpy_run *run, lucid_scope *s, const lucid_tensor *x)
{
    PyObject *args = lucidpy_unflatten_tensors(s, &run->in, 0, x);
    if (!args)
        return NULL;
    PyObject *keywords = run->keywords_mapped ? lucidpy_unflatten_tensors(s, &run->in_keywords, 0,
                                                                          x + run->in.leaf_count)
                                              : Py_XNewRef(run->keywords);
    PyObject *result = NULL;
    if (keywords || !run->keywords_mapped)
        result = PyObject_Call(run->func, args, keywords);
    Py_XDECREF(keywords);
    Py_DECREF(args);
    return result;
}

static bool push(lucid_scope *s, const lucidpy_tree *out, const lucidpy_tree *aux, lucid_results *y)
{
    /* Dims of leaves are what vmap's out_dims say; other transforms do not look at them. */
    for (size_t i = 0; i < out->leaf_count; i++)
        lucid_results_push_at(s, y, out->leaves[i], out->dims[i]);
    for (size_t i = 0; i < aux->leaf_count; i++)
        lucid_results_push_aux(s, y, aux->leaves[i]);
    return lucidpy_ok(s);
}

/* Every run of the function must return the same structure. */
static bool check_same(const lucidpy_run *run, const lucidpy_tree *first, const lucidpy_tree *now)
{
    if (lucidpy_tree_same(first, now, false))
        return true;
    PyObject *a = lucidpy_structure_text(first), *b = lucidpy_structure_text(now);
    if (a && b)
        PyErr_Format(PyExc_ValueError,
                     "%s: func returned different structures for different examples: %U and %U",
                     run->name, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return false;
}

static bool take_results(lucidpy_run *run, lucid_scope *s, PyObject *result, lucid_results *y)
{
    if (!run->ran) {
        run->ran = true;
        return run->accept(run, s, result, &run->out, &run->aux) &&
               push(s, &run->out, &run->aux, y);
    }
    lucidpy_tree out, aux;
    lucidpy_tree_init(&out, run->out.root);
    lucidpy_tree_init(&aux, run->aux.root);
    bool ok = run->accept(run, s, result, &out, &aux);
    ok = ok && check_same(run, &run->out, &out) && check_same(run, &run->aux, &aux);
    ok = ok && push(s, &out, &aux, y);
    lucidpy_tree_clear(&out);
    lucidpy_tree_clear(&aux);
    return ok;
}

static lucid_status run_function(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                                 void *user)
{
    lucidpy_run *run = user;
    (void)nx;
    /* Left from a run that the library gave up to try otherwise. */
    PyErr_Clear();
    lucid_scope *before = lucidpy_swap_current(s);
    PyObject *result = call_function(run, s, x);
    bool ok = result && take_results(run, s, result, y);
    Py_XDECREF(result);
    lucidpy_swap_current(before);
    return ok ? LUCID_OK : lucidpy_status_of_exception();
}

/* -- outside ---------------------------------------------------------------------------------- */

void lucidpy_run_name_leaf(void *user, bool result, size_t i, char *to, size_t size)
{
    const lucidpy_run *run = user;
    const lucidpy_tree *tree = result ? &run->out : &run->in;
    const lucidpy_tree *rest = result ? &run->aux : &run->in_keywords;
    if (i < tree->leaf_count)
        lucidpy_write_leaf_path(tree, i, to, size);
    else
        lucidpy_write_leaf_path(rest, i - tree->leaf_count, to, size);
}

lucid_fn lucidpy_run_fn(lucid_scope *s, lucidpy_run *run)
{
    lucid_fn f = lucid_fn_new_listing(s, run_function, run, NULL);
    lucid_fn_set_naming(f, lucidpy_run_name_leaf, run);
    return f;
}

const lucid_tensor *lucidpy_run_results(lucid_scope *s, const lucid_results *results, size_t *n)
{
    if (!lucidpy_ok(s))
        return NULL;
    PyErr_Clear(); /* of a run that was given up */
    *n = lucid_results_count(results);
    lucid_tensor *ys = lucid_alloc(s, (*n + 1) * sizeof *ys);
    for (size_t i = 0; ys && i < *n; i++)
        ys[i] = lucid_results_at(results, i);
    return lucidpy_ok(s) ? ys : NULL;
}

const lucid_tensor *lucidpy_run_call(lucid_scope *s, lucidpy_run *run, lucid_fn f, size_t *n)
{
    size_t nx = run->in.leaf_count;
    const lucid_tensor *x = run->in.leaves;
    if (run->in_keywords.leaf_count) {
        lucid_tensor *all = lucid_alloc(s, (nx + run->in_keywords.leaf_count) * sizeof *all);
        for (size_t i = 0; all && i < nx; i++)
            all[i] = x[i];
        for (size_t i = 0; all && i < run->in_keywords.leaf_count; i++)
            all[nx + i] = run->in_keywords.leaves[i];
        x = all;
        nx += run->in_keywords.leaf_count;
    }
    lucid_results *results = lucid_results_new(s);
    lucid_call_listing(s, f, x, nx, results);
    return lucidpy_run_results(s, results, n);
}

/* -- what functions return ---------------------------------------------------------------------- */

bool lucidpy_split_aux(const lucidpy_run *run, PyObject *result, PyObject **value,
                       PyObject **aux_object)
{
    *value = result;
    *aux_object = NULL;
    if (!run->has_aux)
        return true;
    if (!PyTuple_Check(result) || PyTuple_Size(result) != 2) {
        PyErr_Format(PyExc_TypeError, "%s: with has_aux=True func must return a pair (value, aux)",
                     run->name);
        return false;
    }
    *value = PyTuple_GetItem(result, 0);
    *aux_object = PyTuple_GetItem(result, 1);
    return true;
}

bool lucidpy_flatten_aux(lucid_scope *s, lucidpy_tree *aux, PyObject *object)
{
    static const lucidpy_leaves anything = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    return lucidpy_flatten(s, aux, NULL, object, &anything);
}

bool lucidpy_accept_any(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                        lucidpy_tree *aux)
{
    char refusal[64];
    PyOS_snprintf(refusal, sizeof refusal, "%s: func returned", run->name);
    const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT, .refusal = refusal};
    PyObject *value, *aux_object;
    if (!lucidpy_split_aux(run, result, &value, &aux_object))
        return false;
    return lucidpy_flatten(s, to, NULL, value, &leaves) &&
           (!aux_object || lucidpy_flatten_aux(s, aux, aux_object));
}
