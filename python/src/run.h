/* A function of Python running under a transform: how its arguments reach it and its results return. */
#ifndef LUCIDPY_RUN_H
#define LUCIDPY_RUN_H

#include "tree.h"
#include "wrapper.h"

typedef struct lucidpy_run lucidpy_run;

/* One call of a transformed function. It lives on the C stack: the library runs the function during
 * the call alone, though perhaps several times. */
struct lucidpy_run {
    const char *name; /* of the transform, for messages */
    PyObject *func;
    PyObject *keywords;       /* owned; may be NULL */
    lucidpy_tree in;          /* the tuple of arguments; its leaves come from the transform */
    lucidpy_tree in_keywords; /* the dict of keyword arguments, when some of them are mapped */
    bool keywords_mapped;
    bool ran;
    lucidpy_tree out, aux; /* what the function returned the first time */
    bool has_aux;
    /* Adds what the function returned to `to` (and aux to `aux`), taken apart. */
    bool (*accept)(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                   lucidpy_tree *aux);
    const void *options; /* of the transform */
};

void lucidpy_run_init(lucidpy_run *run, const char *name, PyObject *func);
/* Takes the keyword arguments of the call (may be NULL), arrays among them as Tensors. */
bool lucidpy_run_keywords(lucid_scope *s, lucidpy_run *run, PyObject *keywords);
void lucidpy_run_clear(lucidpy_run *run);

/* The function as the library sees it; owned by `s`. */
lucid_fn lucidpy_run_fn(lucid_scope *s, lucidpy_run *run);
/* A lucid_naming, whose user is a lucidpy_run: what messages call its arguments ("args[0]['w']") and results. */
void lucidpy_run_name_leaf(void *user, bool result, size_t i, char *to, size_t size);

/* Calls f on the leaves of run->in and returns its results, in memory of the scope; NULL with an
 * exception. The exception that the function raised stays as it is. */
const lucid_tensor *lucidpy_run_call(lucid_scope *s, lucidpy_run *run, lucid_fn f, size_t *n);
/* The same check after a call made otherwise. */
const lucid_tensor *lucidpy_run_results(lucid_scope *s, const lucid_results *results, size_t *n);

/* What a tensor-valued function may return: any structure of tensors and numbers. */
bool lucidpy_accept_any(lucidpy_run *run, lucid_scope *s, PyObject *result, lucidpy_tree *to,
                        lucidpy_tree *aux);

/* Splits (value, aux) when the run has aux; *aux_object is NULL otherwise. Borrowed references. */
bool lucidpy_split_aux(const lucidpy_run *run, PyObject *result, PyObject **value,
                       PyObject **aux_object);
bool lucidpy_flatten_aux(lucid_scope *s, lucidpy_tree *aux, PyObject *object);

#endif
