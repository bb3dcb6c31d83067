#include "call_scope.h"

#include <pthread.h>
#include <stdatomic.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Where the loader finds them without a call, though the module is loaded late. */
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
static THREAD_LOCAL lucid_scope *current;
static THREAD_LOCAL int no_grad_depth;

/* Of all threads; written with the GIL held. */
static lucid_dtype default_dtype = LUCID_FLOAT32;

static lucid_generator *generator;
static pthread_key_t root_key;
static _Atomic(lucidpy_owner *) released;

static void close_root(void *root)
{
    lucid_close(root);
}

/* Raised where one answer is asked of a batched value, so that vmap recognises it when it comes out of
 * the function that it runs. */
static PyObject *divergence;

bool lucidpy_scope_init(PyObject *module)
{
    divergence = PyErr_NewExceptionWithDoc(
        "lucid.DivergenceError",
        "One answer (bool, item, a size) was asked of a value that has one per example.",
        PyExc_RuntimeError, NULL);
    if (!divergence || PyModule_AddObjectRef(module, "DivergenceError", divergence))
        return false;
    generator = lucid_generator_new(0);
    if (!generator || pthread_key_create(&root_key, close_root)) {
        PyErr_NoMemory();
        return false;
    }
    return true;
}

/* -- the GIL, and signals ------------------------------------------------------------------------ */

/* Of this thread while it computes without the GIL; NULL: it has it. */
static THREAD_LOCAL PyThreadState *without_gil;

PyThreadState *lucidpy_let_go(void)
{
    return without_gil = PyEval_SaveThread();
}

void lucidpy_take_back(PyThreadState *state)
{
    without_gil = NULL;
    PyEval_RestoreThread(state);
}

/* Values that Tensors gave up while some thread had lent the GIL; touched with the GIL alone. */
typedef struct late {
    struct late *next;
    lucid_tensor value;
} late;
static late *late_releases;
static int lent;

void lucidpy_release(lucid_tensor x)
{
    if (lent == 0) {
        lucid_release(x);
        return;
    }
    late *l = PyMem_Malloc(sizeof *l);
    if (!l) /* a value too many is better than one that is gone */
        return;
    *l = (late){late_releases, x};
    late_releases = l;
}

static void lend(void)
{
    lent++;
}

static void end_lending(void)
{
    late *l = --lent == 0 ? late_releases : NULL;
    if (l)
        late_releases = NULL;
    while (l) {
        late *next = l->next;
        lucid_release(l->value);
        PyMem_Free(l);
        l = next;
    }
}

/* What a signal's handler raised on the main thread while the library was at work: the exception of whatever
 * operation that was. */
static struct {
    PyObject *type, *value, *traceback;
} interruption;

static bool is_main_thread(void)
{
#if defined(__linux__)
    return syscall(SYS_gettid) == getpid();
#else
    return pthread_main_np() != 0;
#endif
}

/* Runs the handlers of signals that have come. With the GIL; true: one of them raised an exception. */
static bool signals_raise(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* none, or of a function that has just returned */
    bool raised = PyErr_CheckSignals() != 0;
    if (raised && !interruption.type) {
        PyErr_Fetch(&interruption.type, &interruption.value, &interruption.traceback);
    } else {
        PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
    return raised;
}

/* What the library asks while it is at work: whoever holds the GIL lets others have it, and the main thread, which alone
 * hears signals, looks whether there are any. */
static bool lucidpy_poll(void *user)
{
    (void)user;
    PyThreadState *state = without_gil;
    bool raised = false, main = is_main_thread();
    if (state && !main)
        return false;
    if (state)
        lucidpy_take_back(state);
    lend();
    if (!state)
        PyEval_RestoreThread(PyEval_SaveThread());
    if (main)
        raised = signals_raise();
    end_lending();
    if (state)
        (void)lucidpy_let_go();
    return raised;
}

/* -- scopes -------------------------------------------------------------------------------------- */

lucid_scope *lucidpy_current(void)
{
    if (current)
        return current;
    lucid_scope *root = lucid_open(&(lucid_open_options){
        .generator = generator, .language = LUCID_LANGUAGE_PYTHON, .poll = lucidpy_poll});
    if (!root || pthread_setspecific(root_key, root)) {
        PyErr_NoMemory();
        return NULL;
    }
    current = root;
    return root;
}

lucid_scope *lucidpy_swap_current(lucid_scope *s)
{
    lucid_scope *before = current;
    current = s;
    return before;
}

lucid_scope *lucidpy_enter(void)
{
    lucid_scope *parent = lucidpy_current();
    if (!parent)
        return NULL;
    lucid_scope *s = lucid_scope_new(parent);
    if (lucid_error(s) == LUCID_OK) {
        if (lucid_get_default_dtype(s) != default_dtype)
            lucid_set_default_dtype(s, default_dtype);
        return s;
    }
    lucidpy_ok(s);
    lucid_close(s);
    return NULL;
}

void lucidpy_leave(lucid_scope *s)
{
    lucid_close(s);
    lucidpy_free_released();
}

static PyObject *exception_of(lucid_status status)
{
    switch (status) {
    case LUCID_OK:
    case LUCID_RUNTIME_ERROR:
    case LUCID_CALLBACK_ERROR:
        return PyExc_RuntimeError;
    case LUCID_VALUE_ERROR:
        return PyExc_ValueError;
    case LUCID_TYPE_ERROR:
        return PyExc_TypeError;
    case LUCID_INDEX_ERROR:
        return PyExc_IndexError;
    case LUCID_MEMORY_ERROR:
        return PyExc_MemoryError;
    case LUCID_DIVERGED:
        return divergence;
    case LUCID_INTERRUPTED:
        return PyExc_KeyboardInterrupt;
    }
    return PyExc_RuntimeError;
}

bool lucidpy_ok(lucid_scope *s)
{
    lucid_status status = lucid_error(s);
    if (status == LUCID_OK)
        return true;
    if (interruption.type) {
        PyErr_Restore(interruption.type, interruption.value, interruption.traceback);
        interruption.type = interruption.value = interruption.traceback = NULL;
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(lucid_nested_too_deeply(s) ? PyExc_RecursionError : exception_of(status),
                        lucid_error_message(s));
    }
    lucid_clear_error(s);
    return false;
}

bool lucidpy_may_recurse(const char *where)
{
    if (!lucid_stack_is_low())
        return !Py_EnterRecursiveCall(where);
    PyErr_Format(PyExc_RecursionError, "the stack of this thread is used up%s", where);
    return false;
}

lucid_status lucidpy_status_of_exception(void)
{
    return PyErr_ExceptionMatches(divergence)          ? LUCID_DIVERGED
           : PyErr_ExceptionMatches(PyExc_MemoryError) ? LUCID_MEMORY_ERROR
                                                       : LUCID_CALLBACK_ERROR;
}

lucid_dtype *lucidpy_default_dtype(void)
{
    return &default_dtype;
}

lucid_generator *lucidpy_generator(void)
{
    return generator;
}

int *lucidpy_no_grad_depth(void)
{
    return &no_grad_depth;
}

void lucidpy_owner_release(void *owner)
{
    lucidpy_owner *o = owner;
    o->next = atomic_load_explicit(&released, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&released, &o->next, o, memory_order_release,
                                                  memory_order_relaxed)) {}
}

void lucidpy_free_released(void)
{
    if (!atomic_load_explicit(&released, memory_order_relaxed))
        return;
    lucidpy_owner *o = atomic_exchange_explicit(&released, NULL, memory_order_acquire);
    while (o) {
        lucidpy_owner *next = o->next;
        o->free(o);
        o = next;
    }
}
