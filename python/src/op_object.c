/* What a Tensor is asked beside arithmetic. */
#include "backward.h"
#include "call_scope.h"
#include "common_ops.h"
#include "convert.h"
#include "dtype_type.h"
#include "interchange.h"
#include "number_protocol.h"
#include "tree.h"

PyObject *lucidpy_op_item(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucidpy_may_leave(x, "item", false, NULL) ? lucidpy_item(c->s, x) : NULL;
}

/* -- tolist ----------------------------------------------------------------------------------- */

static PyObject *element(lucid_dtype dtype, const char *at)
{
    switch (dtype) {
    case LUCID_BOOL:
        return PyBool_FromLong(*(const bool *)at);
    case LUCID_INT32:
        return PyLong_FromLong(*(const int32_t *)(const void *)at);
    case LUCID_INT64:
        return PyLong_FromLongLong(*(const int64_t *)(const void *)at);
    case LUCID_FLOAT32:
        return PyFloat_FromDouble((double)*(const float *)(const void *)at);
    case LUCID_FLOAT64:
    case LUCID_NO_DTYPE:
        break;
    }
    return PyFloat_FromDouble(*(const double *)(const void *)at);
}

/* The elements of dims `dim` and on as nested lists; moves *at past them. */
static PyObject *nested(const lucid_shape *shape, int dim, lucid_dtype dtype, const char **at)
{
    if (dim == shape->ndim) {
        PyObject *number = element(dtype, *at);
        *at += lucid_dtype_size(dtype);
        return number;
    }
    Py_ssize_t n = (Py_ssize_t)shape->dim[dim];
    PyObject *list = PyList_New(n);
    for (Py_ssize_t i = 0; list && i < n; i++) {
        PyObject *item = nested(shape, dim + 1, dtype, at);
        if (!item || PyList_SetItem(list, i, item))
            Py_CLEAR(list);
    }
    return list;
}

PyObject *lucidpy_op_tolist(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    const char *at = lucidpy_may_leave(x, "tolist", false, NULL) ? lucidpy_data(c->s, &x) : NULL;
    if (!at)
        return NULL;
    lucid_shape shape = lucid_shape_of(x);
    return nested(&shape, 0, lucid_dtype_of(x), &at);
}

/* -- NumPy ------------------------------------------------------------------------------------ */

/* Why an array of the values would lose a derivative, as a str; None: it loses none. */
PyObject *lucidpy_op_derivative(lucidpy_call *c)
{
    const char *why = lucidpy_derivative(lucidpy_tensor(c, 0), true);
    return why ? PyUnicode_FromString(why) : Py_NewRef(Py_None);
}

static PyObject *as_array(PyObject *tensor, PyObject *dtype, bool copy)
{
    PyObject *numpy = PyImport_ImportModule("numpy");
    if (!numpy)
        return NULL;
    PyObject *array = NULL, *view = PyMemoryView_FromObject(tensor);
    if (view)
        array = PyObject_CallMethod(numpy, copy ? "array" : "asarray", "OO", view, dtype);
    Py_XDECREF(view);
    Py_DECREF(numpy);
    return array;
}

PyObject *lucidpy_op_numpy(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!lucidpy_may_leave(x, "numpy", false, NULL))
        return NULL;
    /* Asked for by name it gives the values of what requires grad, as item does. */
    PyObject *values =
        lucid_is_recorded(x) ? lucidpy_wrap(c->s, lucid_detach(c->s, x)) : Py_NewRef(c->arg[0]);
    PyObject *array = values ? as_array(values, Py_None, false) : NULL;
    Py_XDECREF(values);
    return array;
}

PyObject *lucidpy_op_array(lucidpy_call *c)
{
    if (!lucidpy_may_leave(lucidpy_tensor(c, 0), "numpy", true, NULL))
        return NULL;
    return as_array(c->arg[0], c->arg[1], c->arg[2] == Py_True);
}

/* -- shape and dtype -------------------------------------------------------------------------- */

PyObject *lucidpy_op_size(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (lucidpy_is_none(c, 1))
        return lucidpy_shape_tuple(x);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    return dim < 0 ? NULL : PyLong_FromLongLong(lucid_size(x, dim));
}

PyObject *lucidpy_op_dim(lucidpy_call *c)
{
    return PyLong_FromLong(lucid_ndim(lucidpy_tensor(c, 0)));
}

PyObject *lucidpy_op_numel(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucidpy_ok(c->s) ? PyLong_FromLongLong(lucid_numel(x)) : NULL;
}

PyObject *lucidpy_op_element_size(lucidpy_call *c)
{
    return PyLong_FromSize_t(lucid_dtype_size(lucid_dtype_of(lucidpy_tensor(c, 0))));
}

PyObject *lucidpy_op_is_floating_point(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucidpy_ok(c->s) ? PyBool_FromLong(lucidpy_is_float(lucid_dtype_of(x))) : NULL;
}

PyObject *lucidpy_op_is_tensor(lucidpy_call *c)
{
    return PyBool_FromLong(lucidpy_is_tensor(c->arg[0]));
}

PyObject *lucidpy_op_is_contiguous(lucidpy_call *c)
{
    (void)c;
    return Py_NewRef(Py_True);
}

PyObject *lucidpy_op_contiguous(lucidpy_call *c)
{
    return Py_NewRef(c->arg[0]);
}

lucid_tensor lucidpy_op_clone(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0); /* an operation, which no_grad() cuts off */
    return lucid_reshape(c->s, x, lucid_shape_of(x));
}

lucid_tensor lucidpy_op_detach(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucidpy_place_begin(&c->place, c->arg[0]);
    c->place.detached = true;
    return lucid_detach(c->s, x);
}

/* The tensor itself when it has the dtype already. */
static PyObject *to_dtype(lucidpy_call *c, lucid_dtype dtype)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!lucidpy_ok(c->s))
        return NULL;
    if (lucid_dtype_of(x) == dtype)
        return Py_NewRef(c->arg[0]);
    lucid_tensor y = lucid_cast(c->s, x, dtype);
    return lucidpy_ok(c->s) ? lucidpy_wrap(c->s, y) : NULL;
}

PyObject *lucidpy_op_to(lucidpy_call *c)
{
    lucid_dtype dtype = lucidpy_is_tensor(c->arg[1]) ? lucid_dtype_of(lucidpy_handle(c->arg[1]))
                                                     : lucidpy_dtype(c, 1);
    if (dtype == LUCID_NO_DTYPE)
        lucidpy_bad_argument(c, 1, "a dtype or a tensor");
    return to_dtype(c, dtype);
}

PyObject *lucidpy_op_type_as(lucidpy_call *c)
{
    lucid_tensor other = lucidpy_tensor(c, 1);
    return lucidpy_ok(c->s) ? to_dtype(c, lucid_dtype_of(other)) : NULL;
}

PyObject *lucidpy_op_to_float(lucidpy_call *c)
{
    return to_dtype(c, LUCID_FLOAT32);
}

PyObject *lucidpy_op_to_double(lucidpy_call *c)
{
    return to_dtype(c, LUCID_FLOAT64);
}

PyObject *lucidpy_op_to_int(lucidpy_call *c)
{
    return to_dtype(c, LUCID_INT32);
}

PyObject *lucidpy_op_to_long(lucidpy_call *c)
{
    return to_dtype(c, LUCID_INT64);
}

PyObject *lucidpy_op_to_bool(lucidpy_call *c)
{
    return to_dtype(c, LUCID_BOOL);
}

/* Nothing of a tensor but what promotion looks at: its dtype and whether it is 0-d. */
static lucid_tensor shadow(lucid_scope *s, lucid_tensor x)
{
    if (lucid_is_empty_handle(x) || lucid_ndim(x) == 0)
        return x;
    return lucid_full(s, LUCID_SHAPE(0), lucid_cast(s, lucid_scalar_int(s, 0), lucid_dtype_of(x)));
}

PyObject *lucidpy_op_result_type(lucidpy_call *c)
{
    lucid_tensor x = shadow(c->s, lucidpy_tensor(c, 0)), y = shadow(c->s, lucidpy_tensor(c, 1));
    lucid_tensor both = lucid_add(c->s, x, y);
    return lucidpy_ok(c->s) ? lucidpy_dtype_object(lucid_dtype_of(both)) : NULL;
}

/* -- copies and pickles ----------------------------------------------------------------------- */

static PyObject *same_value(lucidpy_call *c)
{
    lucidpy_object *self = (lucidpy_object *)c->arg[0];
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!self->is_leaf)
        return lucidpy_ok(c->s) ? lucidpy_wrap(c->s, x) : NULL;
    /* A copy of a leaf is a leaf of its own. */
    lucid_tensor y = lucidpy_leaf_again(c->s, x, x);
    PyObject *copy = lucidpy_ok(c->s) ? lucidpy_wrap(c->s, y) : NULL;
    if (copy)
        ((lucidpy_object *)copy)->is_leaf = true;
    return copy;
}

PyObject *lucidpy_op_copy(lucidpy_call *c)
{
    return same_value(c);
}

PyObject *lucidpy_op_deepcopy(lucidpy_call *c)
{
    return same_value(c);
}

PyObject *lucidpy_op_reduce(lucidpy_call *c)
{
    lucidpy_object *self = (lucidpy_object *)c->arg[0];
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!lucidpy_may_leave(x, "pickle", false, NULL))
        return NULL;
    x = lucid_detach(c->s, x);
    const char *data = lucidpy_data(c->s, &x);
    if (!data)
        return NULL;
    size_t bytes = (size_t)lucid_numel(x) * lucid_dtype_size(lucid_dtype_of(x));
    PyObject *module = PyImport_ImportModule("lucid._lucid");
    PyObject *rebuild = module ? PyObject_GetAttrString(module, "_rebuild_tensor") : NULL;
    PyObject *shape = lucidpy_shape_tuple(x);
    PyObject *content = PyBytes_FromStringAndSize(data, (Py_ssize_t)bytes);
    PyObject *result = NULL;
    if (rebuild && shape && content)
        result = Py_BuildValue("O(OsOi)", rebuild, content, lucid_dtype_name(lucid_dtype_of(x)),
                               shape, self->is_leaf);
    Py_XDECREF(module);
    Py_XDECREF(rebuild);
    Py_XDECREF(shape);
    Py_XDECREF(content);
    return result;
}

/* (data, dtype, size, requires_grad). */
PyObject *lucidpy_op_rebuild_tensor(lucidpy_call *c)
{
    lucid_dtype dtype = lucidpy_dtype(c, 1);
    lucid_shape shape = lucidpy_shape(c, 2);
    if (dtype == LUCID_NO_DTYPE)
        lucidpy_bad_argument(c, 1, "a dtype");
    if (!PyBytes_Check(c->arg[0]))
        lucidpy_bad_argument(c, 0, "bytes");
    if (!lucidpy_ok(c->s))
        return NULL;
    uint64_t bytes = lucid_dtype_size(dtype);
    for (int d = 0; d < shape.ndim; d++)
        if (shape.dim[d] < 0 || __builtin_mul_overflow(bytes, (uint64_t)shape.dim[d], &bytes))
            bytes = UINT64_MAX;
    if (bytes != (uint64_t)PyBytes_Size(c->arg[0])) {
        PyErr_SetString(PyExc_ValueError, "the data of a pickled tensor has the wrong size");
        return NULL;
    }
    lucid_tensor x = lucid_from_data(c->s, PyBytes_AsString(c->arg[0]), dtype, shape);
    bool leaf = PyObject_IsTrue(c->arg[3]) == 1;
    if (leaf)
        x = lucid_requires_grad(c->s, x);
    PyObject *tensor = lucidpy_ok(c->s) ? lucidpy_wrap(c->s, x) : NULL;
    if (tensor)
        ((lucidpy_object *)tensor)->is_leaf = leaf;
    return tensor;
}

PyObject *lucidpy_op_format(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (!PyUnicode_Check(c->arg[1]))
        return lucidpy_bad_argument(c, 1, "a string"), NULL;
    bool plain = PyUnicode_GetLength(c->arg[1]) == 0;
    PyObject *value =
        !plain && lucid_ndim(x) == 0 ? lucidpy_item(c->s, x) : PyObject_Repr(c->arg[0]);
    PyObject *text = value ? PyObject_Format(value, c->arg[1]) : NULL;
    Py_XDECREF(value);
    return text;
}

/* -- the engine ------------------------------------------------------------------------------- */

/* The tensors among the arguments and in nested structures of them; false: an exception is set, which
 * begins with `refusal` when something else is among them. */
static bool flatten_arguments(lucidpy_call *c, lucidpy_tree *tree, const char *root,
                              const char *refusal)
{
    PyObject *all = PyTuple_New(c->rest_count);
    for (Py_ssize_t i = 0; all && i < c->rest_count; i++)
        if (PyTuple_SetItem(all, i, Py_NewRef(c->rest[i])))
            Py_CLEAR(all);
    lucidpy_tree_init(tree, root);
    const lucidpy_leaves leaves = {.numbers = LUCIDPY_KEEP, .refusal = refusal};
    bool ok = all && lucidpy_flatten(c->s, tree, NULL, all, &leaves);
    Py_XDECREF(all);
    return ok;
}

PyObject *lucidpy_op_eval(lucidpy_call *c)
{
    lucidpy_tree tree;
    if (flatten_arguments(c, &tree, "args", "eval: there is")) {
        LUCIDPY_COMPUTE_BEGIN
        lucid_eval(c->s, tree.leaves, tree.leaf_count);
        LUCIDPY_COMPUTE_END
    }
    lucidpy_tree_clear(&tree);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

PyObject *lucidpy_op_explain(lucidpy_call *c)
{
    lucidpy_tree tree;
    const char *text = NULL, *json = NULL, *svg = NULL, *html = NULL;
    lucid_explain_options options = {.measure = lucidpy_flag(c, 1)};
    if (flatten_arguments(c, &tree, "results", "explain: func returned")) {
        LUCIDPY_COMPUTE_BEGIN
        const lucid_explanation *e = lucid_explain(c->s, tree.leaves, tree.leaf_count, &options);
        text = lucid_explanation_as(c->s, e, LUCID_EXPLAIN_TEXT);
        json = lucid_explanation_as(c->s, e, LUCID_EXPLAIN_JSON);
        svg = lucid_explanation_as(c->s, e, LUCID_EXPLAIN_SVG);
        html = lucid_explanation_as(c->s, e, LUCID_EXPLAIN_HTML);
        LUCIDPY_COMPUTE_END
    }
    lucidpy_tree_clear(&tree);
    if (PyErr_Occurred() || lucid_error(c->s) != LUCID_OK)
        return NULL;
    return Py_BuildValue("(ssss)", text, json, svg, html);
}

PyObject *lucidpy_op_stats(lucidpy_call *c)
{
    (void)c;
    lucid_stats stats = lucid_get_stats();
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {{"plans_built", stats.plans_built},
                  {"plans_reused", stats.plans_reused},
                  {"plans_kept", stats.plans_kept},
                  {"plans_most", stats.plans_most},
                  {"plans_bytes", stats.plans_bytes},
                  {"plans_bytes_most", stats.plans_bytes_most},
                  {"steps", stats.steps},
                  {"bytes_live", stats.bytes_live},
                  {"bytes_peak", stats.bytes_peak},
                  {"bytes_kept", stats.bytes_kept}};
    PyObject *all = PyDict_New();
    for (size_t i = 0; all && i < sizeof fields / sizeof *fields; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(fields[i].value);
        if (!value || PyDict_SetItemString(all, fields[i].name, value) < 0)
            Py_CLEAR(all);
        Py_XDECREF(value);
    }
    return all;
}

PyObject *lucidpy_op_empty_cache(lucidpy_call *c)
{
    (void)c;
    lucid_empty_cache();
    Py_RETURN_NONE;
}

PyObject *lucidpy_op_set_num_threads(lucidpy_call *c)
{
    int64_t n = lucidpy_int(c, 0);
    if (lucid_error(c->s) == LUCID_OK && (n < 0 || n > 4096))
        lucid_fail(c->s, LUCID_VALUE_ERROR, "set_num_threads: n must be from 0 to 4096, not %lld",
                   (long long)n);
    if (!lucidpy_ok(c->s))
        return NULL;
    lucid_set_num_threads((int)n);
    return Py_NewRef(Py_None);
}

PyObject *lucidpy_op_get_num_threads(lucidpy_call *c)
{
    (void)c;
    return PyLong_FromLong(lucid_get_num_threads());
}

PyObject *lucidpy_op_instruction_set(lucidpy_call *c)
{
    (void)c;
    return PyUnicode_FromString(lucid_instruction_set());
}

PyObject *lucidpy_op_set_memory_budget(lucidpy_call *c)
{
    int64_t bytes = lucidpy_is_none(c, 0) ? 0 : lucidpy_int(c, 0);
    if (lucid_error(c->s) == LUCID_OK && bytes < 1 && !lucidpy_is_none(c, 0))
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "set_memory_budget: bytes must be an int >= 1 or None, not %lld",
                   (long long)bytes);
    if (!lucidpy_ok(c->s))
        return NULL;
    lucid_set_memory_budget(bytes);
    return Py_NewRef(Py_None);
}

PyObject *lucidpy_op_get_memory_budget(lucidpy_call *c)
{
    (void)c;
    return PyLong_FromLongLong(lucid_get_memory_budget());
}
