/* psum and its like, on structures of tensors. */
#include "call_scope.h"
#include "convert.h"
#include "ops.h"
#include "tree.h"

typedef lucid_tensor collective(lucid_scope *s, lucid_tensor x, const char *axis);

/* NULL with an exception. */
static const char *read_name(const char *op, PyObject *o)
{
    if (PyUnicode_Check(o))
        return PyUnicode_AsUTF8AndSize(o, NULL);
    PyErr_Format(PyExc_TypeError, "%s(): axis_name must be a str%s, not %R", op,
                 op[0] == 'p' ? " or a tuple of them" : "", o);
    return NULL;
}

/* An axis is joined once: psum over it twice would count every example as often as there are examples. */
static bool are_distinct(const char *op, PyObject *names)
{
    for (Py_ssize_t k = 1; k < PyTuple_Size(names); k++)
        for (Py_ssize_t i = 0; i < k; i++) {
            int same = PyObject_RichCompareBool(PyTuple_GetItem(names, i),
                                                PyTuple_GetItem(names, k), Py_EQ);
            if (same > 0)
                PyErr_Format(PyExc_ValueError, "%s(): axis_name names %R twice, in %R", op,
                             PyTuple_GetItem(names, k), names);
            if (same)
                return false;
        }
    return true;
}

/* Every leaf of x through the collective of every axis. */
static bool apply(lucidpy_call *c, lucidpy_tree *tree, collective *join)
{
    PyObject *names = c->arg[1];
    bool several = PyTuple_Check(names);
    Py_ssize_t n = several ? PyTuple_Size(names) : 1;
    if (several && !are_distinct(c->name, names))
        return false;
    for (Py_ssize_t k = 0; k < n; k++) {
        const char *name = read_name(c->name, several ? PyTuple_GetItem(names, k) : names);
        if (!name)
            return false;
        for (size_t i = 0; i < tree->leaf_count; i++)
            tree->leaves[i] = join(c->s, tree->leaves[i], name);
    }
    return lucidpy_ok(c->s);
}

static bool flatten(lucidpy_call *c, lucidpy_tree *tree)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_CONVERT,
                                          .refusal = "a collective was given"};
    lucidpy_tree_init(tree, "x");
    return lucidpy_flatten(c->s, tree, NULL, c->arg[0], &leaves);
}

/* (x, axis_name). */
static PyObject *join_lanes(lucidpy_call *c, collective *join)
{
    lucidpy_tree tree;
    PyObject *result = NULL;
    if (flatten(c, &tree) && apply(c, &tree, join))
        result = lucidpy_unflatten_tensors(c->s, &tree, 0, tree.leaves);
    lucidpy_tree_clear(&tree);
    return result;
}

PyObject *lucidpy_op_psum(lucidpy_call *c)
{
    return join_lanes(c, lucid_psum);
}

PyObject *lucidpy_op_pmean(lucidpy_call *c)
{
    return join_lanes(c, lucid_pmean);
}

PyObject *lucidpy_op_pmax(lucidpy_call *c)
{
    return join_lanes(c, lucid_pmax);
}

PyObject *lucidpy_op_pmin(lucidpy_call *c)
{
    return join_lanes(c, lucid_pmin);
}

/* (x, axis_name, dim). */
PyObject *lucidpy_op_all_gather(lucidpy_call *c)
{
    lucidpy_tree tree;
    PyObject *result = NULL;
    const char *name = read_name(c->name, c->arg[1]);
    int dim = (int)lucidpy_int(c, 2);
    if (name && flatten(c, &tree)) {
        for (size_t i = 0; i < tree.leaf_count; i++)
            tree.leaves[i] = lucid_all_gather(c->s, tree.leaves[i], name, dim);
        if (lucid_error(c->s) == LUCID_OK)
            result = lucidpy_unflatten_tensors(c->s, &tree, 0, tree.leaves);
        lucidpy_tree_clear(&tree);
    }
    return result;
}

lucid_tensor lucidpy_op_axis_index(lucidpy_call *c)
{
    const char *name = read_name(c->name, c->arg[0]);
    if (!name)
        lucidpy_fail_call(c);
    return name ? lucid_axis_index(c->s, name) : (lucid_tensor){NULL};
}

PyObject *lucidpy_op_axis_size(lucidpy_call *c)
{
    const char *name = read_name(c->name, c->arg[0]);
    int64_t size = name ? lucid_axis_size(c->s, name) : -1;
    return size < 0 ? NULL : PyLong_FromLongLong(size);
}
