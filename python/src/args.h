/* Arguments: one parser for every function and method, and typed access to what it found.
 *
 * An operation says its parameters once, as a Python signature ("input, dim=None, keepdim=False");
 * the parser fills in defaults, so an adaptor finds every argument present.
 */
#ifndef LUCIDPY_ARGS_H
#define LUCIDPY_ARGS_H

#include <Python.h>
#include <lucid.h>

#include "followed_memory.h"
#include "place.h"

enum { LUCIDPY_MAX_ARGS = 10 };

typedef struct lucidpy_parameter {
    PyObject *name;     /* interned */
    PyObject *fallback; /* the default; NULL: required */
} lucidpy_parameter;

typedef struct lucidpy_signature {
    int count;
    int positional; /* how many may be given by position */
    int rest;       /* the one written as *name, or -1 */
    lucidpy_parameter at[LUCIDPY_MAX_ARGS];
} lucidpy_signature;

/* One call of an operation: its scope and its arguments. */
typedef struct lucidpy_call {
    lucid_scope *s;
    const char *name;
    const lucidpy_signature *signature;
    const struct lucidpy_op *op;
    PyObject *arg[LUCIDPY_MAX_ARGS]; /* borrowed */
    PyObject *const *rest;           /* what *name collected */
    Py_ssize_t rest_count;
    bool leaf;              /* an adaptor sets it when its result is a leaf for backward() */
    lucidpy_memory *memory; /* this when its result is over memory of others */
    lucidpy_place place;    /* and this when its result is a view */
} lucidpy_call;

/* Reads a signature as Python writes it; defaults are None, True, False, numbers and 'text'. */
bool lucidpy_signature_parse(lucidpy_signature *signature, const char *text);

/* Sorts the arguments of a fast call into c->arg; `self` (may be NULL) is the first of them. */
bool lucidpy_bind(lucidpy_call *c, PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                  PyObject *keywords);

/* -- access by position in the signature --------------------------------------------------------
 * A wrong argument sets an exception that names it, and fails the scope of the call, so that what
 * is built from it afterwards does nothing. */

lucid_tensor lucidpy_tensor(lucidpy_call *c, int i);
lucid_tensor lucidpy_viewed_tensor(lucidpy_call *c, int i);   /* for a view of it: lucidpy_viewed */
lucid_tensor lucidpy_optional_tensor(lucidpy_call *c, int i); /* None: the empty handle */
int64_t lucidpy_int(lucidpy_call *c, int i);
int lucidpy_dim(lucidpy_call *c, int i); /* None: LUCID_NONE */
/* A number has no derivative: RuntimeError for a tensor that has one. */
double lucidpy_float(lucidpy_call *c, int i);
bool lucidpy_flag(lucidpy_call *c, int i);
lucid_dtype lucidpy_dtype(lucidpy_call *c, int i); /* None: LUCID_NO_DTYPE */
/* Which of the words (NULL at the end) the argument is; -1 on error. */
int lucidpy_word(lucidpy_call *c, int i, const char *const *words);
/* An int or a sequence of ints; None and (): all. `keep` is the parameter keepdim, or -1. */
lucid_dims lucidpy_dims(lucidpy_call *c, int i, int keep);
/* Sizes: *name, or a sequence. */
lucid_shape lucidpy_shape(lucidpy_call *c, int i);
/* A sequence of tensors (also *name), in memory of the scope. */
const lucid_tensor *lucidpy_tensors(lucidpy_call *c, int i, size_t *n);

bool lucidpy_is_none(const lucidpy_call *c, int i);
/* TypeError "sum(): argument 'dim' must be <expected>, not str". */
void lucidpy_bad_argument(lucidpy_call *c, int i, const char *expected);
/* Marks the call as failed when an exception was set elsewhere. */
void lucidpy_fail_call(lucidpy_call *c);

/* Integers of Python and what counts as one (0-d integer tensors, NumPy integers); a bool does not. */
bool lucidpy_is_integer(PyObject *o);
/* chunk_size: an int >= 1, None (0) or 'auto'. False with an exception. */
bool lucidpy_chunk_size(const lucidpy_call *c, int i, int64_t *chunk_size);
/* False with an exception, which says what does not fit int64. */
bool lucidpy_read_int(PyObject *o, const char *what, int64_t *value);

#endif
