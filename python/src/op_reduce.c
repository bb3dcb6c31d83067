/* Reductions. */
#include "call_scope.h"
#include "common_ops.h"
#include "dtype_type.h"
#include "tuples.h"

#include <math.h>

/* max and min: three functions in one, told apart by the second argument. */
typedef struct extreme {
    lucid_tensor (*reduce)(lucid_scope *s, lucid_tensor x, lucid_dims dims);
    lucid_tensor (*where)(lucid_scope *s, lucid_tensor x, int dim, bool keepdim);
    lucid_tensor (*binary)(lucid_scope *s, lucid_tensor x, lucid_tensor y);
    lucidpy_named named;
} extreme;

static PyObject *apply_extreme(lucidpy_call *c, const extreme *e)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (lucidpy_is_tensor(c->arg[1]))
        return lucidpy_tuple(s, (lucid_tensor[]){e->binary(s, x, lucidpy_tensor(c, 1))}, 1);
    if (lucidpy_is_none(c, 1)) {
        lucid_dims all = {.all = true, .keep = lucidpy_flag(c, 2)};
        return lucidpy_tuple(s, (lucid_tensor[]){e->reduce(s, x, all)}, 1);
    }
    int dim = lucidpy_dim(c, 1);
    bool keep = lucidpy_flag(c, 2);
    lucid_dims dims = {.n = 1, .keep = keep, .dim = {dim}};
    return lucidpy_named_pair(s, e->named, e->reduce(s, x, dims), e->where(s, x, dim, keep));
}

/* Plain results come as tuples of one. */
static PyObject *only(PyObject *result)
{
    if (!result || !PyTuple_CheckExact(result))
        return result;
    PyObject *x = Py_NewRef(PyTuple_GetItem(result, 0));
    Py_DECREF(result);
    return x;
}

PyObject *lucidpy_op_max(lucidpy_call *c)
{
    static const extreme e = {lucid_amax, lucid_argmax, lucid_maximum, LUCIDPY_MAX};
    return only(apply_extreme(c, &e));
}

PyObject *lucidpy_op_min(lucidpy_call *c)
{
    static const extreme e = {lucid_amin, lucid_argmin, lucid_minimum, LUCIDPY_MIN};
    return only(apply_extreme(c, &e));
}

lucid_tensor lucidpy_op_argmax(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int dim = lucidpy_dim(c, 1);
    return lucid_argmax(c->s, x, dim, lucidpy_flag(c, 2));
}

lucid_tensor lucidpy_op_argmin(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int dim = lucidpy_dim(c, 1);
    return lucid_argmin(c->s, x, dim, lucidpy_flag(c, 2));
}

/* (input, dim, unbiased, keepdim, correction); var(True) means unbiased, not dim 1. */
static lucid_tensor spread(lucidpy_call *c,
                           lucid_tensor (*build)(lucid_scope *, lucid_tensor, lucid_dims, double))
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (PyBool_Check(c->arg[1])) {
        c->arg[2] = c->arg[1];
        c->arg[1] = Py_None;
    }
    lucid_dims dims = lucidpy_dims(c, 1, 3);
    double correction = lucidpy_is_none(c, 2) ? lucidpy_float(c, 4) : lucidpy_flag(c, 2);
    return build(c->s, x, dims, correction);
}

lucid_tensor lucidpy_op_var(lucidpy_call *c)
{
    return spread(c, lucid_var);
}

lucid_tensor lucidpy_op_std(lucidpy_call *c)
{
    return spread(c, lucid_std);
}

static bool is_word(PyObject *o, const char *word)
{
    return PyUnicode_Check(o) && !PyUnicode_CompareWithASCIIString(o, word);
}

lucid_tensor lucidpy_op_norm(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    double order = is_word(c->arg[1], "fro") || lucidpy_is_none(c, 1) ? 2 : lucidpy_float(c, 1);
    return lucid_norm(c->s, x, order, lucidpy_dims(c, 2, 3));
}

lucid_tensor lucidpy_op_vector_norm(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_cast_argument(c, 4, lucidpy_tensor(c, 0));
    double order = lucidpy_is_none(c, 1) ? 2 : lucidpy_float(c, 1);
    return lucid_norm(c->s, x, order, lucidpy_dims(c, 2, 3));
}

/* Largest or smallest sum of magnitudes over columns (order 1) or rows (order inf). */
static lucid_tensor extreme_sum(lucidpy_call *c, lucid_tensor x, double order, int rows, int cols,
                                bool keep)
{
    lucid_scope *s = c->s;
    int over = isinf(order) ? cols : rows, along = isinf(order) ? rows : cols;
    lucid_tensor sums = lucid_sum(s, lucid_abs(s, x), LUCID_DIMS_KEEP(over));
    lucid_tensor y = order > 0 ? lucid_amax(s, sums, LUCID_DIMS_KEEP(along))
                               : lucid_amin(s, sums, LUCID_DIMS_KEEP(along));
    return keep ? y : lucid_squeeze(s, y, LUCID_DIMS(rows, cols));
}

/* Norms made of the singular values: the nuclear one is their sum. */
static lucid_tensor of_singular_values(lucidpy_call *c, lucid_tensor x, double order, bool nuclear,
                                       const lucid_dims *dims)
{
    lucid_scope *s = c->s;
    int rows = lucidpy_wrap_dim(c, x, dims->dim[0]), cols = lucidpy_wrap_dim(c, x, dims->dim[1]);
    if (lucid_error(s) == LUCID_OK && rows == cols)
        lucid_fail(s, LUCID_VALUE_ERROR, "%s: dim %d appears twice", c->name, dims->dim[0]);
    /* Rows to the end first: columns move up by one when they stood behind. */
    lucid_tensor turned = lucid_movedim(s, x, rows, -1);
    lucid_tensor w = lucid_svd(s, lucid_movedim(s, turned, cols > rows ? cols - 1 : cols, -1),
                               false, NULL, NULL);
    lucid_tensor y = nuclear     ? lucid_sum(s, w, LUCID_DIMS(-1))
                     : order > 0 ? lucid_amax(s, w, LUCID_DIMS(-1))
                                 : lucid_amin(s, w, LUCID_DIMS(-1));
    if (!dims->keep)
        return y;
    int first = rows < cols ? rows : cols, second = rows < cols ? cols : rows;
    return lucid_unsqueeze(s, lucid_unsqueeze(s, y, first), second);
}

/* Argument 1 says which norm. */
static lucid_tensor matrix_norm(lucidpy_call *c, lucid_tensor x, lucid_dims dims)
{
    if (dims.n != 2)
        return lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: a matrix norm is over 2 dims, not %d",
                          c->name, dims.n),
               x;
    if (is_word(c->arg[1], "fro"))
        return lucid_norm(c->s, x, 2, dims);
    bool nuclear = is_word(c->arg[1], "nuc");
    double order = PyUnicode_Check(c->arg[1]) ? 0 : lucidpy_float(c, 1);
    if (nuclear || fabs(order) == 2)
        return of_singular_values(c, x, order, nuclear, &dims);
    if (fabs(order) == 1 || isinf(order))
        return extreme_sum(c, x, order, dims.dim[0], dims.dim[1], dims.keep);
    if (lucid_error(c->s) == LUCID_OK) {
        PyErr_Format(PyExc_ValueError,
                     "%s(): argument '%U' must be 'fro', 'nuc', 2, -2, 1, -1, inf or -inf for "
                     "matrices, not %R",
                     c->name, c->signature->at[1].name, c->arg[1]);
        lucidpy_fail_call(c);
    }
    return x;
}

/* (input, ord, dim, keepdim, dtype). */
lucid_tensor lucidpy_op_matrix_norm(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_cast_argument(c, 4, lucidpy_tensor(c, 0));
    lucid_dims dims = lucidpy_is_none(c, 2) ? LUCID_DIMS(-2, -1) : lucidpy_dims(c, 2, -1);
    dims.keep = lucidpy_flag(c, 3);
    return matrix_norm(c, x, dims);
}

lucid_tensor lucidpy_op_linalg_norm(lucidpy_call *c)
{
    if (lucidpy_is_none(c, 1))
        return lucidpy_op_vector_norm(c);
    lucid_tensor x = lucidpy_tensor(c, 0);
    int over = lucidpy_is_none(c, 2) ? (lucid_is_empty_handle(x) ? 0 : lucid_ndim(x))
                                     : lucidpy_dims(c, 2, -1).n;
    return over == 2 ? lucidpy_op_matrix_norm(c) : lucidpy_op_vector_norm(c);
}

/* (input, p); norms take (input, ord, dim, keepdim, dtype). */
lucid_tensor lucidpy_op_cond(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    double order = PyUnicode_Check(c->arg[1]) || lucidpy_is_none(c, 1) ? 0 : lucidpy_float(c, 1);
    if (lucidpy_is_none(c, 1) || fabs(order) == 2) {
        lucid_tensor w = lucid_svd(s, x, false, NULL, NULL);
        lucid_tensor largest = lucid_select(s, w, -1, 0), least = lucid_select(s, w, -1, -1);
        return order < 0 ? lucid_div(s, least, largest) : lucid_div(s, largest, least);
    }
    const lucid_dims dims = LUCID_DIMS(-2, -1);
    return lucid_mul(s, matrix_norm(c, x, dims), matrix_norm(c, lucid_inv(s, x), dims));
}

lucid_tensor lucidpy_op_count_nonzero(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_tensor hits = lucid_cast(c->s, lucid_ne(c->s, x, lucid_scalar_int(c->s, 0)), LUCID_INT64);
    return lucid_sum(c->s, hits, lucidpy_dims(c, 1, -1));
}

lucid_tensor lucidpy_op_diff(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int64_t times = lucidpy_int(c, 1);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 2));
    if (times < 0)
        lucid_fail(c->s, LUCID_VALUE_ERROR, "diff: n must be >= 0, not %lld", (long long)times);
    if (lucid_error(c->s) == LUCID_OK && times >= lucid_size(x, dim) && times > 0)
        return lucid_slice(c->s, x, dim, 0, 0, 1); /* no differences are left */
    for (int64_t k = 0; k < times && lucid_error(c->s) == LUCID_OK; k++) {
        lucid_tensor next = lucid_slice(c->s, x, dim, 1, LUCID_END, 1);
        lucid_tensor here = lucid_slice(c->s, x, dim, 0, lucid_size(next, dim), 1);
        x = lucid_dtype_of(x) == LUCID_BOOL ? lucid_logical_xor(c->s, next, here)
                                            : lucid_sub(c->s, next, here);
    }
    return x;
}
