/* The table of operations: what Python calls a function of lucid or a method of Tensor.
 *
 * ops.def has a line per operation, those of the C library's lucid_elementwise.def included. From each
 * line come the function, the method, the in-place method and their docstrings.
 */
#ifndef LUCIDPY_OPS_H
#define LUCIDPY_OPS_H

#include <Python.h>
#include <lucid.h>

#include "args.h"
#include "tensor_type.h"

/* Where an operation appears. */
enum {
    FUNCTION = 1, /* lucid.name */
    METHOD = 2,   /* Tensor.name */
    IN_PLACE = 4, /* Tensor.name_ */
    LINALG = 8,   /* lucid.linalg.name */
    NN = 16,      /* lucid.nn.functional.name */
    FUNC = 32,    /* lucid.func.name */
};

typedef struct lucidpy_op {
    const char *name;
    int where;
    const char *arguments; /* the signature */
    const char *doc;
    /* One of the two: an adaptor that builds a tensor, or one that makes any object. */
    lucid_tensor (*tensor)(lucidpy_call *c);
    PyObject *(*object)(lucidpy_call *c);
    /* What the common adaptors build. */
    union {
        lucid_tensor (*unary)(lucid_scope *s, lucid_tensor x);
        lucid_tensor (*binary)(lucid_scope *s, lucid_tensor x, lucid_tensor y);
        lucid_tensor (*reduce)(lucid_scope *s, lucid_tensor x, lucid_dims dims);
        lucid_tensor (*along)(lucid_scope *s, lucid_tensor x, int dim);
    } build;
} lucidpy_op;

/* Every adaptor of ops.def: lucidpy_op_name for a line of its own. */
#define COMMON_OP(id, name, where, arguments, adaptor, member, builder, doc)
#define TENSOR_OP(id, name, where, arguments, doc) lucid_tensor lucidpy_op_##id(lucidpy_call *c);
#define OBJECT_OP(id, name, where, arguments, doc) PyObject *lucidpy_op_##id(lucidpy_call *c);
#include "ops.def"
#undef COMMON_OP
#undef TENSOR_OP
#undef OBJECT_OP

/* Reads all signatures and adds the functions to the module and to its namespaces. */
bool lucidpy_ops_init(PyObject *module);

/* The methods of Tensor; ends with an empty entry. Call lucidpy_ops_prepare before. */
PyMethodDef *lucidpy_tensor_methods(void);
bool lucidpy_ops_prepare(void);
/* Adds the other names of methods to Tensor, once the type is there. */
bool lucidpy_ops_add_aliases(PyObject *module);

#endif
