/* checkpoint and stop_gradient: what reverse mode keeps, and where derivatives end. */
#include "call_scope.h"
#include "ops.h"
#include "tree.h"
#include "wrapper.h"

static PyObject *call_checkpointed(const lucidpy_wrapper *w, PyObject *args, PyObject *keywords)
{
    lucid_scope *s = lucidpy_current();
    if (!s)
        return NULL;
    lucid_checkpoint_begin(s);
    if (!lucidpy_ok(s)) /* out of memory: nothing was begun */
        return NULL;
    PyObject *result = PyObject_Call(w->func, args, keywords);
    lucid_checkpoint_end(s);
    if (!lucidpy_ok(s))
        Py_CLEAR(result);
    return result;
}

/* (func). */
PyObject *lucidpy_op_checkpoint(lucidpy_call *c)
{
    return (PyObject *)lucidpy_wrapper_of_call(c, call_checkpointed, NULL);
}

/* (x): a structure, of which tensors are detached and all else stays. */
PyObject *lucidpy_op_stop_gradient(lucidpy_call *c)
{
    static const lucidpy_leaves leaves = {.numbers = LUCIDPY_KEEP, .keep_others = true};
    lucidpy_tree tree;
    PyObject *result = NULL;
    lucidpy_tree_init(&tree, "x");
    if (lucidpy_flatten(c->s, &tree, NULL, c->arg[0], &leaves)) {
        for (size_t i = 0; i < tree.leaf_count; i++)
            tree.leaves[i] = lucid_detach(c->s, tree.leaves[i]);
        if (lucid_error(c->s) == LUCID_OK)
            result = lucidpy_unflatten_tensors(c->s, &tree, 0, tree.leaves);
    }
    lucidpy_tree_clear(&tree);
    return result;
}
