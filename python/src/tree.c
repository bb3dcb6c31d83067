#include "tree.h"

#include "call_scope.h"
#include "convert.h"
#include "tree_path.h"
#include "tree_types.h"

#include <limits.h>
#include <string.h>

/* -- the arrays ------------------------------------------------------------------------------- */

void lucidpy_tree_init(lucidpy_tree *tree, const char *root)
{
    tree->root = root;
    tree->node_count = tree->leaf_count = 0;
    tree->node_capacity = tree->leaf_capacity = LUCIDPY_TREE_INLINE;
    tree->nodes = tree->first_nodes;
    tree->leaves = tree->first_leaves;
    tree->dims = tree->first_dims;
}

void lucidpy_tree_clear(lucidpy_tree *tree)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        Py_XDECREF(tree->nodes[i].content);
        Py_XDECREF(tree->nodes[i].prototype);
    }
    if (tree->nodes != tree->first_nodes)
        PyMem_Free(tree->nodes);
    if (tree->leaves != tree->first_leaves)
        PyMem_Free(tree->leaves);
    if (tree->dims != tree->first_dims)
        PyMem_Free(tree->dims);
    lucidpy_tree_init(tree, tree->root);
}

int lucidpy_tree_visit(const lucidpy_tree *tree, visitproc visit, void *arg)
{
    for (size_t i = 0; i < tree->node_count; i++) {
        Py_VISIT(tree->nodes[i].content);
        Py_VISIT(tree->nodes[i].prototype);
    }
    return 0;
}

/* A block twice as large with the same content; the first block stands inside the tree. */
static void *grown(void *block, const void *first, size_t bytes)
{
    void *more = PyMem_Realloc(block == first ? NULL : block, 2 * bytes);
    if (!more)
        PyErr_NoMemory();
    else if (block == first)
        memcpy(more, first, bytes);
    return more;
}

bool lucidpy_tree_add_node(lucidpy_tree *tree, lucidpy_node_kind kind, Py_ssize_t count,
                           PyObject *content)
{
    if (tree->node_count == tree->node_capacity) {
        lucidpy_node *more =
            grown(tree->nodes, tree->first_nodes, tree->node_capacity * sizeof *more);
        if (!more)
            return false;
        tree->nodes = more;
        tree->node_capacity *= 2;
    }
    tree->nodes[tree->node_count++] = (lucidpy_node){kind, count, Py_XNewRef(content), NULL};
    return true;
}

/* Gives the node added last the type of o, a dict or list. */
static bool keep_type(lucidpy_tree *tree, PyObject *o)
{
    if (PyDict_CheckExact(o) || PyList_CheckExact(o))
        return true;
    PyObject *prototype = lucidpy_prototype(o);
    tree->nodes[tree->node_count - 1].prototype = prototype;
    return prototype != NULL;
}

bool lucidpy_tree_add_leaf(lucidpy_tree *tree, lucid_tensor x, int dim)
{
    if (tree->leaf_count == tree->leaf_capacity) {
        lucid_tensor *leaves =
            grown(tree->leaves, tree->first_leaves, tree->leaf_capacity * sizeof *leaves);
        if (!leaves)
            return false;
        tree->leaves = leaves;
        int *dims = grown(tree->dims, tree->first_dims, tree->leaf_capacity * sizeof *dims);
        if (!dims)
            return false;
        tree->dims = dims;
        tree->leaf_capacity *= 2;
    }
    tree->leaves[tree->leaf_count] = x;
    tree->dims[tree->leaf_count++] = dim;
    return lucidpy_tree_add_node(tree, LUCIDPY_TENSOR, 0, NULL);
}

bool lucidpy_tree_copy(lucidpy_tree *to, const lucidpy_tree *from)
{
    bool ok = true;
    for (size_t i = 0; ok && i < from->node_count; i++) {
        const lucidpy_node *node = &from->nodes[i];
        ok = node->kind == LUCIDPY_TENSOR
                 ? lucidpy_tree_add_leaf(to, (lucid_tensor){NULL}, 0)
                 : lucidpy_tree_add_node(to, node->kind, node->count, node->content);
        if (ok)
            to->nodes[to->node_count - 1].prototype = Py_XNewRef(node->prototype);
    }
    return ok;
}

/* -- taking apart ----------------------------------------------------------------------------- */

/* A walk: what stays the same from part to part. */
typedef struct walk {
    lucid_scope *s;
    lucidpy_tree *tree;
    const lucidpy_leaves *leaves;
    bool keep_none;
    const char *what;
} walk;

static bool take(const walk *w, const lucidpy_part *at, PyObject *o, PyObject *prefix, int dim);

static bool refuse(const walk *w, const lucidpy_part *at, PyObject *o)
{
    PyObject *what = lucidpy_describe(o), *where = lucidpy_part_text(at),
             *advice = lucidpy_advice(o);
    if (what && where && advice)
        PyErr_Format(PyExc_TypeError,
                     "%s %U at %U; expected tensors, numbers, arrays, None, or tuples, lists and "
                     "dicts of them%U",
                     w->leaves->refusal ? w->leaves->refusal : "a structure holds", what, where,
                     advice);
    Py_XDECREF(what);
    Py_XDECREF(advice);
    Py_XDECREF(where);
    return false;
}

static bool take_leaf(const walk *w, const lucidpy_part *at, PyObject *o, int dim)
{
    if (lucidpy_is_tensor(o)) /* in the scope, for the object may come to mean another value */
        return lucidpy_tree_add_leaf(w->tree, lucid_own(w->s, lucidpy_handle(o)), dim);
    if (o == Py_None)
        return lucidpy_tree_add_node(w->tree, LUCIDPY_STATIC, 0, o);
    bool number = lucidpy_is_number(o);
    if (number && w->leaves->numbers == LUCIDPY_KEEP)
        return lucidpy_tree_add_node(w->tree, LUCIDPY_STATIC, 0, o);
    if ((number && w->leaves->numbers == LUCIDPY_CONVERT) || (!number && lucidpy_is_array(o))) {
        lucid_tensor x;
        int converted = number && w->leaves->weak_numbers
                            ? lucidpy_convert_number(w->s, o, &x)
                            : lucidpy_convert_data(w->s, o, LUCIDPY_FROZEN, &x);
        if (converted != 0)
            return converted == 1 && lucidpy_tree_add_leaf(w->tree, x, dim);
    }
    return w->leaves->keep_others && !lucidpy_is_dataclass_of_tensors(o)
               ? lucidpy_tree_add_node(w->tree, LUCIDPY_STATIC, 0, o)
               : refuse(w, at, o);
}

static bool mismatch(const walk *w, const lucidpy_part *at, PyObject *prefix, PyObject *o)
{
    PyObject *what = lucidpy_describe(o), *where = lucidpy_part_text(at);
    if (what && where)
        PyErr_Format(
            PyExc_ValueError,
            "%s: %R does not match the structure of %U, which is %U; give an int or None for "
            "all of it, or an entry for each of its parts",
            w->what, prefix, where, what);
    Py_XDECREF(what);
    Py_XDECREF(where);
    return false;
}

static bool take_sequence(const walk *w, const lucidpy_part *at, PyObject *o, PyObject *prefix,
                          int dim)
{
    bool list = PyList_Check(o), plain = list || PyTuple_CheckExact(o);
    Py_ssize_t n = PySequence_Size(o);
    if (n < 0)
        return false;
    if (prefix &&
        ((!PyTuple_Check(prefix) && !PyList_Check(prefix)) || PySequence_Size(prefix) != n))
        return mismatch(w, at, prefix, o);
    lucidpy_node_kind kind = list ? LUCIDPY_LIST : plain ? LUCIDPY_TUPLE : LUCIDPY_NAMED_TUPLE;
    lucidpy_part part = {.up = at, .type = plain ? NULL : (PyObject *)Py_TYPE(o)};
    if (!lucidpy_tree_add_node(w->tree, kind, n, part.type) || (list && !keep_type(w->tree, o)))
        return false;
    for (part.index = 0; part.index < n; part.index++) {
        PyObject *item = list ? PyList_GetItem(o, part.index) : PyTuple_GetItem(o, part.index);
        PyObject *child = !prefix                 ? NULL
                          : PyTuple_Check(prefix) ? PyTuple_GetItem(prefix, part.index)
                                                  : PyList_GetItem(prefix, part.index);
        if (!item || (prefix && !child) || !take(w, &part, item, child, dim))
            return false;
    }
    return true;
}

static bool take_dict(const walk *w, const lucidpy_part *at, PyObject *o, PyObject *prefix, int dim)
{
    if (prefix && (!PyDict_Check(prefix) || PyDict_Size(prefix) != PyDict_Size(o)))
        return mismatch(w, at, prefix, o);
    PyObject *list =
        PyDict_CheckExact(o) ? PyDict_Keys(o) : PyMapping_Keys(o); /* in its own order */
    PyObject *keys = list ? PySequence_Tuple(list) : NULL;
    Py_XDECREF(list);
    if (!keys)
        return false;
    Py_ssize_t n = PyTuple_Size(keys);
    bool ok = lucidpy_tree_add_node(w->tree, LUCIDPY_DICT, n, keys) && keep_type(w->tree, o);
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        const lucidpy_part part = {.up = at, .key = PyTuple_GetItem(keys, i)};
        PyObject *item = PyDict_GetItemWithError(o, part.key);
        PyObject *child = prefix ? PyDict_GetItemWithError(prefix, part.key) : NULL;
        if (prefix && !child && !PyErr_Occurred())
            mismatch(w, at, prefix, o);
        ok = item && (!prefix || child) && take(w, &part, item, child, dim);
    }
    Py_DECREF(keys);
    return ok;
}

bool lucidpy_is_dim(PyObject *o)
{
    return PyIndex_Check(o) && !PyBool_Check(o) && !lucidpy_is_tensor(o);
}

/* True with *dim when the prefix is a leaf of its own: an int or None. */
static bool is_dim(PyObject *prefix, int *dim)
{
    if (prefix == Py_None) {
        *dim = LUCID_NONE;
        return true;
    }
    if (!lucidpy_is_dim(prefix))
        return false;
    Py_ssize_t value = PyNumber_AsSsize_t(prefix, NULL); /* clipped */
    *dim = value >= INT_MAX ? INT_MAX - 1 : value <= INT_MIN ? INT_MIN + 1 : (int)value;
    return true;
}

static bool take_part(const walk *w, const lucidpy_part *at, PyObject *o, PyObject *prefix, int dim)
{
    if (prefix && is_dim(prefix, &dim))
        prefix = NULL;
    if (!prefix && dim == LUCID_NONE && w->keep_none) {
        PyObject *kept = lucidpy_tensor_if_array(w->s, o);
        bool ok = kept && lucidpy_tree_add_node(w->tree, LUCIDPY_STATIC, 0, kept);
        Py_XDECREF(kept);
        return ok;
    }
    if (PyTuple_Check(o) || PyList_Check(o))
        return take_sequence(w, at, o, prefix, dim);
    if (PyDict_Check(o))
        return take_dict(w, at, o, prefix, dim);
    if (!prefix)
        return take_leaf(w, at, o, dim);
    if (PyTuple_Check(prefix) || PyList_Check(prefix) || PyDict_Check(prefix))
        return mismatch(w, at, prefix, o);
    PyErr_Format(PyExc_TypeError, "%s must be an int, None, or a structure of them, not %R",
                 w->what, prefix);
    return false;
}

static bool take(const walk *w, const lucidpy_part *at, PyObject *o, PyObject *prefix, int dim)
{
    if (!prefix && lucidpy_is_tensor(o) && (dim != LUCID_NONE || !w->keep_none))
        return take_leaf(w, at, o, dim);
    if (!lucidpy_may_recurse(" in a nested structure"))
        return false;
    bool ok = take_part(w, at, o, prefix, dim);
    Py_LeaveRecursiveCall();
    return ok;
}

bool lucidpy_flatten(lucid_scope *s, lucidpy_tree *tree, const lucidpy_part *at, PyObject *o,
                     const lucidpy_leaves *leaves)
{
    return lucidpy_flatten_prefix(s, tree, at, o, NULL, false, NULL, leaves);
}

bool lucidpy_flatten_prefix(lucid_scope *s, lucidpy_tree *tree, const lucidpy_part *at, PyObject *o,
                            PyObject *prefix, bool keep_none, const char *what,
                            const lucidpy_leaves *leaves)
{
    walk w = {s, tree, leaves, keep_none, what};
    const lucidpy_part whole = {.root = tree->root};
    return take(&w, at ? at : &whole, o, prefix, 0);
}

PyObject *lucidpy_tensor_if_array(lucid_scope *s, PyObject *o)
{
    if (lucidpy_is_tensor(o) || lucidpy_is_number(o) || o == Py_None || PyTuple_Check(o) ||
        PyList_Check(o) || PyDict_Check(o) || PyBytes_Check(o) || !lucidpy_is_array(o))
        return Py_NewRef(o);
    lucid_tensor x;
    int converted = lucidpy_convert_data(s, o, LUCIDPY_FROZEN, &x);
    if (converted == 0)
        return Py_NewRef(o);
    return converted == 1 ? lucidpy_wrap(s, x) : NULL;
}

/* -- putting together ------------------------------------------------------------------------- */

/* Where leaves come from: objects, or handles to be wrapped. */
typedef struct supply {
    const lucidpy_tree *tree;
    PyObject *const *objects;
    lucid_scope *s;
    const lucid_tensor *xs;
    size_t node, leaf; /* the next ones */
} supply;

static PyObject *build(supply *from);

static PyObject *build_tuple(supply *from, const lucidpy_node *node)
{
    PyObject *tuple = PyTuple_New(node->count);
    for (Py_ssize_t i = 0; tuple && i < node->count; i++) {
        PyObject *item = build(from);
        if (!item || PyTuple_SetItem(tuple, i, item))
            Py_CLEAR(tuple);
    }
    if (!tuple || node->kind != LUCIDPY_NAMED_TUPLE)
        return tuple;
    PyObject *named = PyObject_HasAttrString(node->content, "_make")
                          ? PyObject_CallMethod(node->content, "_make", "(O)", tuple)
                          : PyObject_CallFunctionObjArgs(node->content, tuple, NULL);
    Py_DECREF(tuple);
    return named;
}

static PyObject *build_list(supply *from, const lucidpy_node *node)
{
    PyObject *list = PyList_New(node->count);
    for (Py_ssize_t i = 0; list && i < node->count; i++) {
        PyObject *item = build(from);
        if (!item || PyList_SetItem(list, i, item))
            Py_CLEAR(list);
    }
    if (!list || !node->prototype)
        return list;
    PyObject *own = lucidpy_from_prototype(node->prototype);
    if (own && PyList_SetSlice(own, 0, 0, list))
        Py_CLEAR(own);
    Py_DECREF(list);
    return own;
}

static PyObject *build_dict(supply *from, const lucidpy_node *node)
{
    PyObject *dict = node->prototype ? lucidpy_from_prototype(node->prototype) : PyDict_New();
    for (Py_ssize_t i = 0; dict && i < node->count; i++) {
        PyObject *item = build(from), *key = PyTuple_GetItem(node->content, i);
        int failed = !item             ? -1
                     : node->prototype ? PyObject_SetItem(dict, key, item)
                                       : PyDict_SetItem(dict, key, item);
        if (failed)
            Py_CLEAR(dict);
        Py_XDECREF(item);
    }
    return dict;
}

static PyObject *build_node(supply *from)
{
    const lucidpy_node *node = &from->tree->nodes[from->node++];
    switch (node->kind) {
    case LUCIDPY_TENSOR:
        if (from->xs)
            return lucidpy_wrap(from->s, from->xs[from->leaf++]);
        return from->objects ? Py_NewRef(from->objects[from->leaf++]) : NULL;
    case LUCIDPY_STATIC:
        return Py_NewRef(node->content);
    case LUCIDPY_TUPLE:
    case LUCIDPY_NAMED_TUPLE:
        return build_tuple(from, node);
    case LUCIDPY_LIST:
        return build_list(from, node);
    case LUCIDPY_DICT:
        return build_dict(from, node);
    }
    return NULL;
}

static PyObject *build(supply *from)
{
    if (!lucidpy_may_recurse(" in a nested structure"))
        return NULL;
    PyObject *built = build_node(from);
    Py_LeaveRecursiveCall();
    return built;
}

PyObject *lucidpy_unflatten(const lucidpy_tree *tree, size_t node, PyObject *const *objects)
{
    supply from = {.tree = tree, .objects = objects, .node = node};
    return build(&from);
}

PyObject *lucidpy_unflatten_tensors(lucid_scope *s, const lucidpy_tree *tree, size_t node,
                                    const lucid_tensor *xs)
{
    supply from = {.tree = tree, .s = s, .xs = xs, .node = node};
    return build(&from);
}

/* -- comparing -------------------------------------------------------------------------------- */

static bool same_content(PyObject *a, PyObject *b)
{
    if (a == b)
        return true;
    int equal = a && b ? PyObject_RichCompareBool(a, b, Py_EQ) : 0;
    if (equal < 0)
        PyErr_Clear();
    return equal == 1;
}

bool lucidpy_tree_same(const lucidpy_tree *a, const lucidpy_tree *b, bool attributes)
{
    bool same = a->node_count == b->node_count;
    for (size_t i = 0; same && i < a->node_count; i++) {
        const lucidpy_node *x = &a->nodes[i], *y = &b->nodes[i];
        same = x->kind == y->kind && x->count == y->count && same_content(x->content, y->content) &&
               lucidpy_same_prototype(x->prototype, y->prototype, attributes);
        if (same && x->kind == LUCIDPY_STATIC) /* 1 is not True here, nor 1.0 */
            same = Py_TYPE(x->content) == Py_TYPE(y->content);
    }
    return same;
}

/* A kind of sequence for another is a matter of taste, but dicts must have the same keys. */
static bool fits(const lucidpy_node *expected, const lucidpy_node *given)
{
    if (expected->kind == LUCIDPY_STATIC)
        return given->kind == LUCIDPY_STATIC;
    if (expected->count != given->count || given->kind == LUCIDPY_STATIC)
        return false;
    if (expected->kind == LUCIDPY_DICT || given->kind == LUCIDPY_DICT)
        return expected->kind == given->kind && same_content(expected->content, given->content);
    return (expected->kind == LUCIDPY_TENSOR) == (given->kind == LUCIDPY_TENSOR);
}

bool lucidpy_tree_match(const lucidpy_tree *expected, const lucidpy_tree *given, lucid_tensor *xs)
{
    if (expected->node_count != given->node_count)
        return false;
    size_t leaf = 0, given_leaf = 0;
    for (size_t i = 0; i < expected->node_count; i++) {
        const lucidpy_node *e = &expected->nodes[i], *g = &given->nodes[i];
        bool absent =
            e->kind == LUCIDPY_TENSOR && g->kind == LUCIDPY_STATIC && g->content == Py_None;
        if (!absent && !fits(e, g))
            return false;
        if (e->kind == LUCIDPY_TENSOR)
            xs[leaf++] = absent ? (lucid_tensor){NULL} : given->leaves[given_leaf++];
    }
    return true;
}
