/* Nested structures: tuples, lists, dicts and named tuples with tensors at their leaves.
 *
 * A tree is a structure taken apart: its nodes in the order they are met, and the tensors among its
 * leaves. The same structure with other tensors is built by lucidpy_unflatten.
 */
#ifndef LUCIDPY_TREE_H
#define LUCIDPY_TREE_H

#include <Python.h>
#include <lucid.h>

typedef enum lucidpy_node_kind {
    LUCIDPY_TENSOR, /* the next leaf */
    LUCIDPY_STATIC, /* an object kept as it is: None, or what is not mapped */
    LUCIDPY_TUPLE,
    LUCIDPY_LIST,
    LUCIDPY_DICT,
    LUCIDPY_NAMED_TUPLE,
} lucidpy_node_kind;

typedef struct lucidpy_node {
    lucidpy_node_kind kind;
    Py_ssize_t count;  /* children, which follow */
    PyObject *content; /* owned: the object kept, the keys of a dict, the type of a named tuple */
    PyObject
        *prototype; /* owned: of a dict or list of a type of its own (tree_types.h); else NULL */
} lucidpy_node;

enum { LUCIDPY_TREE_INLINE = 8 };

typedef struct lucidpy_tree {
    const char *root; /* what messages call the whole: "args" */
    size_t node_count, node_capacity;
    size_t leaf_count, leaf_capacity;
    lucidpy_node *nodes;
    lucid_tensor *leaves; /* owned by the scope or by the objects they came from */
    int *dims;            /* of each leaf: what a prefix said of it (vmap) */
    lucidpy_node first_nodes[LUCIDPY_TREE_INLINE];
    lucid_tensor first_leaves[LUCIDPY_TREE_INLINE];
    int first_dims[LUCIDPY_TREE_INLINE];
} lucidpy_tree;

/* What to make of leaves that are no tensors. */
typedef enum lucidpy_treatment {
    LUCIDPY_CONVERT, /* to a tensor */
    LUCIDPY_KEEP,    /* as it is */
    LUCIDPY_REFUSE,  /* TypeError */
} lucidpy_treatment;

typedef struct lucidpy_leaves {
    lucidpy_treatment numbers;
    bool weak_numbers;   /* converted ones take the dtype of what they meet */
    bool keep_others;    /* objects that hold no numbers: kept, or refused */
    const char *refusal; /* the start of the message: "vmap: func returned" */
} lucidpy_leaves;

struct lucidpy_part; /* tree_path.h */

void lucidpy_tree_init(lucidpy_tree *tree, const char *root);
void lucidpy_tree_clear(lucidpy_tree *tree);

/* Adds an object, taken apart, to the tree: as the whole, or as the part `at` of it (tree_path.h). False
 * with an exception. */
bool lucidpy_flatten(lucid_scope *s, lucidpy_tree *tree, const struct lucidpy_part *at, PyObject *o,
                     const lucidpy_leaves *leaves);

/* As lucidpy_flatten; `prefix` says of each part where its batch is: an int, None, or a structure of
 * these that the structure of the object begins with. Parts under None are kept as they are when
 * `keep_none`, else they are leaves with dim LUCID_NONE. `what` names the prefix in messages. */
bool lucidpy_flatten_prefix(lucid_scope *s, lucidpy_tree *tree, const struct lucidpy_part *at,
                            PyObject *o, PyObject *prefix, bool keep_none, const char *what,
                            const lucidpy_leaves *leaves);

/* An int, or one of NumPy's: what says where a batch is. */
bool lucidpy_is_dim(PyObject *o);

/* For tp_traverse of objects that keep a tree. */
int lucidpy_tree_visit(const lucidpy_tree *tree, visitproc visit, void *arg);

/* Single nodes, for callers that take a structure apart themselves. */
bool lucidpy_tree_add_node(lucidpy_tree *tree, lucidpy_node_kind kind, Py_ssize_t count,
                           PyObject *content);
bool lucidpy_tree_add_leaf(lucidpy_tree *tree, lucid_tensor x, int dim);

/* Adds the structure of another tree, whose leaves' handles are not kept. */
bool lucidpy_tree_copy(lucidpy_tree *to, const lucidpy_tree *from);

/* The part that starts at a node (0: the whole tree), with these objects for its leaves, or with a new
 * Tensor for each handle of xs. A new reference. */
PyObject *lucidpy_unflatten(const lucidpy_tree *tree, size_t node, PyObject *const *objects);
PyObject *lucidpy_unflatten_tensors(lucid_scope *s, const lucidpy_tree *tree, size_t node,
                                    const lucid_tensor *xs);

/* Same nodes and types, kept objects included; leaves may differ. `attributes`: those of dicts and lists of
 * types of their own must be the same, too. */
bool lucidpy_tree_same(const lucidpy_tree *a, const lucidpy_tree *b, bool attributes);
/* Whether `given` has the structure of `expected`, where None may stand for a leaf: xs receives the
 * leaves of `given`, empty handles for None. */
bool lucidpy_tree_match(const lucidpy_tree *expected, const lucidpy_tree *given, lucid_tensor *xs);

/* An object that may be anything: arrays become Tensors, all else stays. A new reference. */
PyObject *lucidpy_tensor_if_array(lucid_scope *s, PyObject *o);

#endif
