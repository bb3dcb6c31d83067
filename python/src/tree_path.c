#include "tree_path.h"

#include "call_scope.h"
#include "convert.h"
#include "tensor_type.h"

/* Takes over `text`. */
static PyObject *append_field(PyObject *text, const lucidpy_part *part)
{
    PyObject *fields = PyObject_GetAttrString(part->type, "_fields");
    PyObject *field = fields ? PySequence_GetItem(fields, part->index) : NULL;
    PyObject *longer = NULL;
    if (field) {
        longer = PyUnicode_FromFormat("%U.%U", text, field);
    } else { /* a subclass of tuple without names */
        PyErr_Clear();
        longer = PyUnicode_FromFormat("%U[%zd]", text, part->index);
    }
    Py_XDECREF(fields);
    Py_XDECREF(field);
    Py_DECREF(text);
    return longer;
}

PyObject *lucidpy_part_text(const lucidpy_part *part)
{
    if (!part->up)
        return PyUnicode_FromString(part->root);
    if (!lucidpy_may_recurse(" in a nested structure"))
        return NULL;
    PyObject *text = lucidpy_part_text(part->up), *longer;
    Py_LeaveRecursiveCall();
    if (!text)
        return NULL;
    if (part->type)
        return append_field(text, part);
    if (part->key)
        longer = PyUnicode_FromFormat("%U[%R]", text, part->key);
    else
        longer = PyUnicode_FromFormat("%U[%zd]", text, part->index);
    Py_DECREF(text);
    return longer;
}

/* -- in a tree -------------------------------------------------------------------------------- */

typedef struct search {
    const lucidpy_tree *tree;
    size_t node, leaf; /* the next ones */
    size_t wanted;
    PyObject *path;
} search;

/* Walks one node with what it holds; false: found, or failed. */
static bool walk(search *s, const lucidpy_part *at)
{
    const lucidpy_node *node = &s->tree->nodes[s->node++];
    if (node->kind == LUCIDPY_TENSOR) {
        if (s->leaf++ != s->wanted)
            return true;
        s->path = lucidpy_part_text(at);
        return false;
    }
    lucidpy_part child = {.up = at,
                          .type = node->kind == LUCIDPY_NAMED_TUPLE ? node->content : NULL};
    for (Py_ssize_t i = 0; i < node->count; i++) {
        child.index = i;
        child.key = node->kind == LUCIDPY_DICT ? PyTuple_GetItem(node->content, i) : NULL;
        if (!lucidpy_may_recurse(" in a nested structure"))
            return false;
        bool on = walk(s, &child);
        Py_LeaveRecursiveCall();
        if (!on)
            return false;
    }
    return true;
}

PyObject *lucidpy_leaf_path(const lucidpy_tree *tree, size_t leaf)
{
    search s = {.tree = tree, .wanted = leaf};
    const lucidpy_part whole = {.root = tree->root};
    if (tree->node_count)
        walk(&s, &whole);
    if (!s.path && !PyErr_Occurred())
        s.path = PyUnicode_FromString(tree->root);
    return s.path;
}

void lucidpy_write_leaf_path(const lucidpy_tree *tree, size_t leaf, char *to, size_t size)
{
    PyObject *type, *value, *traceback; /* a message must not disturb what it tells about */
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *path = lucidpy_leaf_path(tree, leaf);
    const char *text = path ? PyUnicode_AsUTF8AndSize(path, NULL) : NULL;
    if (text)
        PyOS_snprintf(to, size, "%s", text);
    Py_XDECREF(path);
    PyErr_Restore(type, value, traceback);
}

/* -- what it looks like ----------------------------------------------------------------------- */

PyObject *lucidpy_describe(PyObject *o)
{
    PyObject *type = PyType_GetName(Py_TYPE(o)), *text = NULL, *detail = NULL;
    if (!type)
        return NULL;
    if (lucidpy_is_tensor(o)) {
        detail = lucidpy_shape_tuple(lucidpy_form(o));
        text = detail ? PyUnicode_FromFormat("a Tensor of shape %R", detail) : NULL;
    } else if (PyDict_Check(o)) {
        detail = PyDict_Keys(o);
        text = detail ? PyUnicode_FromFormat("a %U with keys %R", type, detail) : NULL;
    } else if (PyTuple_Check(o) || PyList_Check(o)) {
        text = PyUnicode_FromFormat("a %U of %zd", type, PySequence_Size(o));
    } else if (o == Py_None) {
        text = PyUnicode_FromString("None");
    } else {
        text = PyUnicode_FromFormat("'%U'", type);
    }
    Py_XDECREF(detail);
    Py_DECREF(type);
    return text;
}

static PyObject *structure(const lucidpy_tree *tree, size_t *next);

/* Takes over `text` and `item`. */
static PyObject *append_item(PyObject *text, Py_ssize_t i, PyObject *key, PyObject *item)
{
    const char *comma = i ? ", " : "";
    PyObject *longer = NULL;
    if (text && item)
        longer = key ? PyUnicode_FromFormat("%U%s%R: %U", text, comma, key, item)
                     : PyUnicode_FromFormat("%U%s%U", text, comma, item);
    Py_XDECREF(text);
    Py_XDECREF(item);
    return longer;
}

static PyObject *structure_of_items(const lucidpy_tree *tree, const lucidpy_node *node,
                                    size_t *next)
{
    bool list = node->kind == LUCIDPY_LIST, dict = node->kind == LUCIDPY_DICT;
    const char *begin = list ? "[" : dict ? "{" : "(";
    PyObject *own = node->prototype ? PyType_GetName(Py_TYPE(node->prototype)) : NULL;
    PyObject *text = own ? PyUnicode_FromFormat("%U%s", own, begin) : PyUnicode_FromString(begin);
    Py_XDECREF(own);
    for (Py_ssize_t i = 0; text && i < node->count; i++)
        text = append_item(text, i, dict ? PyTuple_GetItem(node->content, i) : NULL,
                           structure(tree, next));
    PyObject *closed = text ? PyUnicode_FromFormat("%U%s", text,
                                                   list               ? "]"
                                                   : dict             ? "}"
                                                   : node->count == 1 ? ",)"
                                                                      : ")")
                            : NULL;
    Py_XDECREF(text);
    return closed;
}

static PyObject *structure(const lucidpy_tree *tree, size_t *next)
{
    const lucidpy_node *node = &tree->nodes[(*next)++];
    if (node->kind == LUCIDPY_TENSOR)
        return PyUnicode_FromString("*");
    if (node->kind == LUCIDPY_STATIC)
        return lucidpy_describe(node->content);
    if (!lucidpy_may_recurse(" in a nested structure"))
        return NULL;
    PyObject *text = structure_of_items(tree, node, next);
    Py_LeaveRecursiveCall();
    return text;
}

PyObject *lucidpy_structure_text(const lucidpy_tree *tree)
{
    size_t next = 0;
    return tree->node_count ? structure(tree, &next) : PyUnicode_FromString("nothing");
}
