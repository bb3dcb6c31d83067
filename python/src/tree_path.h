/* Where a part of a structure is ("args[1]['w']") and what it looks like: words for messages. */
#ifndef LUCIDPY_TREE_PATH_H
#define LUCIDPY_TREE_PATH_H

#include "tree.h"

/* A part, known by the one it is in; a chain on the C stack of whoever walks. */
typedef struct lucidpy_part {
    const struct lucidpy_part *up; /* NULL: the whole */
    const char *root;              /* what the whole is called */
    PyObject *key;                 /* in a dict; else NULL */
    PyObject *type;                /* of the named tuple that it is a field of; else NULL */
    Py_ssize_t index;              /* in a sequence */
} lucidpy_part;

/* Each is a new reference; NULL with an exception. */
PyObject *lucidpy_part_text(const lucidpy_part *part);
PyObject *lucidpy_leaf_path(const lucidpy_tree *tree, size_t leaf);
/* "a Tensor of shape (2, 3)", "a tuple of 2", "a dict with keys ['w', 'b']", "'str'". */
PyObject *lucidpy_describe(PyObject *o);
/* The structure with * for each tensor: "(*, {'w': *})". */
PyObject *lucidpy_structure_text(const lucidpy_tree *tree);

/* Copies the path of a leaf as lucid_naming wants it; what fails leaves `to` as it is. */
void lucidpy_write_leaf_path(const lucidpy_tree *tree, size_t leaf, char *to, size_t size);

#endif
