/* x[index] and x[index] = value, with NumPy's meaning of every kind of index. */
#ifndef LUCIDPY_SUBSCRIPT_H
#define LUCIDPY_SUBSCRIPT_H

#include <Python.h>
#include <lucid.h>

#include "place.h"

enum { LUCIDPY_MAX_ITEMS = 3 * LUCID_MAX_NDIM };

typedef enum lucidpy_item_kind {
    LUCIDPY_AT,      /* one position */
    LUCIDPY_SLICE,   /* start : stop : step */
    LUCIDPY_NEW,     /* None: a new dim */
    LUCIDPY_INDICES, /* a tensor of integers */
    LUCIDPY_MASK,    /* a tensor of bools, over as many dims as it has */
    LUCIDPY_ANSWER,  /* a bool: a new dim of size 1 or 0 */
} lucidpy_item_kind;

typedef struct lucidpy_index_item {
    lucidpy_item_kind kind;
    int64_t start, stop, step; /* as lucid_slice takes them; AT: start; ANSWER: start is 0 or 1 */
    bool whole;                /* SLICE: every element */
    lucid_tensor tensor;
    int dims; /* how many it stands for */
} lucidpy_index_item;

/* An index written out: one item per dim of x or new dim, no ellipsis left. */
typedef struct lucidpy_index {
    int count;
    bool advanced; /* some item is INDICES, MASK or ANSWER */
    int parted;    /* where the ellipsis stood among the items; -1: there was none */
    lucidpy_index_item at[LUCIDPY_MAX_ITEMS];
} lucidpy_index;

/* False with an exception. */
bool lucidpy_index_parse(lucid_scope *s, PyObject *o, lucid_tensor x, lucidpy_index *index);

/* What x[index] does to a place; no view when it makes a copy. */
void lucidpy_index_place(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                         lucidpy_place *place);

/* x with slices and new dims applied, and where in it the indices go; see index_apply.c. */
typedef struct lucidpy_view {
    lucid_tensor y;
    int count;                  /* of indices */
    int dim[LUCIDPY_MAX_ITEMS]; /* of y, that each of them stands for */
    lucid_tensor index[LUCIDPY_MAX_ITEMS];
    bool
        adjacent; /* then the dims of the result stand where the first index stood, else in front */
    int new_count;
    int new_dim[LUCIDPY_MAX_ITEMS]; /* dims of y that x does not have */
} lucidpy_view;

bool lucidpy_view_of(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                     lucidpy_view *view);
/* The dims of y with the indexed ones first. */
lucid_dims lucidpy_view_order(const lucidpy_view *view);
/* How many dims of y stand before the first indexed one and are not indexed. */
int lucidpy_view_front(const lucidpy_view *view);

/* The slots of Tensor. */
PyObject *lucidpy_getitem(PyObject *self, PyObject *o);
int lucidpy_setitem(PyObject *self, PyObject *o, PyObject *value);

#endif
