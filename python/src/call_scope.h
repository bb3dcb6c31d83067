/* Scopes, errors and the GIL: how one call from Python reaches the library and comes back.
 *
 * Each thread has a root scope, made at first use; every call from Python runs in a child of the
 * current scope and closes it, so that nothing outlives a call but what a Tensor retains. While a
 * transform runs a Python function, the current scope is the one the transform gave to it.
 */
#ifndef LUCIDPY_CALL_SCOPE_H
#define LUCIDPY_CALL_SCOPE_H

#include <Python.h>
#include <lucid.h>

/* What the module sets up once, at import. False: an exception is set. */
bool lucidpy_scope_init(PyObject *module);

/* The innermost scope of this thread; NULL with MemoryError. */
lucid_scope *lucidpy_current(void);
/* Makes `s` the current scope and returns the one before, to be given back the same way. */
lucid_scope *lucidpy_swap_current(lucid_scope *s);

/* A child of the current scope; NULL with MemoryError. */
lucid_scope *lucidpy_enter(void);
/* Closes it. */
void lucidpy_leave(lucid_scope *s);

/* True when nothing failed in `s`; otherwise an exception is set and the error of `s` cleared. An
 * exception that is set already stays as it is: it came first. */
bool lucidpy_ok(lucid_scope *s);

/* Around a function that calls itself for what is inside. False: RecursionError. */
bool lucidpy_may_recurse(const char *where);

/* What a function of Python that raised the current exception tells the library. */
lucid_status lucidpy_status_of_exception(void);

/* Around what may compute: without the GIL. */
PyThreadState *lucidpy_let_go(void);
void lucidpy_take_back(PyThreadState *state);
#define LUCIDPY_COMPUTE_BEGIN \
    { \
        PyThreadState *lucidpy_state = lucidpy_let_go();
#define LUCIDPY_COMPUTE_END \
    lucidpy_take_back(lucidpy_state); \
    }

/* Gives up a Tensor's reference to its value. Another thread that has lent the GIL in the middle of an operation may
 * still be reading the value: then it goes a little later. */
void lucidpy_release(lucid_tensor x);

/* The dtype of floats for which nothing else says one, in every thread of this process. */
lucid_dtype *lucidpy_default_dtype(void);

/* The generator that every thread of this process draws from. */
lucid_generator *lucidpy_generator(void);

/* How deep this thread stands in no_grad blocks. */
int *lucidpy_no_grad_depth(void);

/* An object of Python that the library keeps alive, e.g. the exporter of a buffer. The library lets
 * go of it on any thread and perhaps while it holds locks of its own, so it is only put on a list
 * here; whoever holds the GIL next lets Python have it back. */
typedef struct lucidpy_owner {
    struct lucidpy_owner *next;
    void (*free)(struct lucidpy_owner *owner); /* called with the GIL held */
} lucidpy_owner;

void lucidpy_owner_release(void *owner); /* for lucid_from_memory */
void lucidpy_free_released(void);        /* with the GIL held */

#endif
