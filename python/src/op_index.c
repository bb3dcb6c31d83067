/* Indexing by tensors, as functions and methods; x[...] stands in index_apply.c. */
#include "call_scope.h"
#include "common_ops.h"
#include "tuples.h"

static int ndim_of(lucid_tensor x)
{
    return lucid_is_empty_handle(x) ? 0 : lucid_ndim(x);
}

lucid_tensor lucidpy_op_index_select(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    int dim = lucidpy_dim(c, 1);
    if (ndim_of(index) == 0)
        index = lucid_unsqueeze(c->s, index, 0);
    else if (ndim_of(index) > 1)
        lucid_fail(c->s, LUCID_VALUE_ERROR, "index_select: the index must be 1-D, not %d-D",
                   ndim_of(index));
    return lucid_take(c->s, x, index, dim);
}

lucid_tensor lucidpy_op_take(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_take(c->s, lucid_reshape(c->s, x, LUCID_SHAPE(-1)), lucidpy_tensor(c, 1), 0);
}

lucid_tensor lucidpy_op_take_along_dim(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 1);
    if (!lucidpy_is_none(c, 2))
        return lucid_take_along_dim(c->s, x, index, lucidpy_dim(c, 2));
    lucid_shape flat = LUCID_SHAPE(-1);
    return lucid_take_along_dim(c->s, lucid_reshape(c->s, x, flat),
                                lucid_reshape(c->s, index, flat), 0);
}

/* x cut to the sizes of `index` in every dim but `dim`: what gather and scatter look at. */
static lucid_tensor cut_to(lucidpy_call *c, lucid_tensor x, lucid_tensor index, int dim)
{
    for (int d = 0; d < lucid_ndim(index) && lucid_error(c->s) == LUCID_OK; d++) {
        int64_t size = lucid_size(index, d), have = lucid_size(x, d);
        if (d == dim || size == have)
            continue;
        if (size > have)
            lucid_fail(c->s, LUCID_VALUE_ERROR,
                       "%s: the index has size %lld in dim %d, the tensor has %lld", c->name,
                       (long long)size, d, (long long)have);
        x = lucid_slice(c->s, x, d, 0, size, 1);
    }
    return x;
}

static bool same_ndim(lucidpy_call *c, lucid_tensor x, lucid_tensor index)
{
    if (lucid_error(c->s) != LUCID_OK)
        return false;
    if (ndim_of(x) == ndim_of(index))
        return true;
    lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: the index is %d-D, the tensor is %d-D", c->name,
               ndim_of(index), ndim_of(x));
    return false;
}

lucid_tensor lucidpy_op_gather(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    if (!same_ndim(c, x, index))
        return x;
    if (ndim_of(x) == 0)
        return lucid_take(c->s, lucid_unsqueeze(c->s, x, 0), index, 0);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    return dim < 0 ? x : lucid_take_along_dim(c->s, cut_to(c, x, index, dim), index, dim);
}

/* out[..., index[i, j, ...], ...] = values[i, j, ...]: the other coordinates are 0, 1, 2, ... */
static lucid_tensor scatter(lucidpy_call *c, lucid_tensor values, bool accumulate)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    if (!same_ndim(c, x, index) || ndim_of(x) == 0)
        return x;
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1)), ndim = ndim_of(x);
    if (dim < 0)
        return x;
    (void)cut_to(c, x, index, dim); /* only to see that the index fits */
    lucid_tensor at[LUCID_MAX_NDIM];
    for (int d = 0; d < ndim; d++) {
        int64_t size = lucid_size(index, d);
        lucid_shape along = {.ndim = ndim};
        for (int k = 0; k < ndim; k++)
            along.dim[k] = k == d ? size : 1;
        at[d] = d == dim
                    ? index
                    : lucid_reshape(s, lucid_arange(s, 0, (double)size, 1, LUCID_INT64), along);
    }
    values = lucid_cast(s, values, lucid_dtype_of(x));
    return lucid_index_put(s, x, at, (size_t)ndim, values, accumulate);
}

/* The part of `src` that the index covers; it must have as many dims. */
static lucid_tensor source(lucidpy_call *c, int i)
{
    lucid_tensor src = lucidpy_tensor(c, i), index = lucidpy_tensor(c, 2);
    if (ndim_of(src) == 0 || !same_ndim(c, src, index))
        return src;
    return cut_to(c, src, index, -1);
}

lucid_tensor lucidpy_op_scatter(lucidpy_call *c)
{
    int given = lucidpy_is_none(c, 3) ? 4 : 3;
    if (lucidpy_is_none(c, given))
        lucidpy_bad_argument(c, 3, "a tensor or a number");
    return scatter(c, source(c, given), false);
}

lucid_tensor lucidpy_op_scatter_add(lucidpy_call *c)
{
    return scatter(c, source(c, 3), true);
}

lucid_tensor lucidpy_op_index_add(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    lucid_tensor values = lucidpy_tensor(c, 3);
    if (c->arg[4] != c->signature->at[4].fallback)
        values = lucid_mul(c->s, values, lucidpy_tensor(c, 4));
    return lucid_index_add(c->s, x, lucidpy_dim(c, 1), index, values);
}

lucid_tensor lucidpy_op_index_copy(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    return lucid_index_copy(c->s, x, lucidpy_dim(c, 1), index, lucidpy_tensor(c, 3));
}

lucid_tensor lucidpy_op_index_fill(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), index = lucidpy_tensor(c, 2);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    if (dim < 0 || lucid_error(s) != LUCID_OK)
        return x;
    lucid_shape shape = lucid_shape_of(x);
    shape.dim[dim] = lucid_numel(index);
    lucid_tensor value = lucid_cast(s, lucidpy_tensor(c, 3), lucid_dtype_of(x));
    return lucid_index_copy(s, x, dim, lucid_reshape(s, index, LUCID_SHAPE(-1)),
                            lucid_expand(s, value, shape));
}

lucid_tensor lucidpy_op_index_put(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    size_t n;
    const lucid_tensor *index = lucidpy_tensors(c, 1, &n);
    lucid_tensor values = lucid_cast(c->s, lucidpy_tensor(c, 2), lucid_dtype_of(x));
    return lucid_index_put(c->s, x, index, n, values, lucidpy_flag(c, 3));
}

/* One start per dim of x, or an error. */
static const lucid_tensor *starts(lucidpy_call *c, int i, lucid_tensor x)
{
    size_t n;
    const lucid_tensor *start = lucidpy_tensors(c, i, &n);
    if (lucid_error(c->s) != LUCID_OK || n == (size_t)ndim_of(x))
        return start;
    lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: %zu start_indices for a %d-D tensor", c->name, n,
               ndim_of(x));
    return NULL;
}

lucid_tensor lucidpy_op_dynamic_slice(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    const lucid_tensor *start = starts(c, 1, x);
    return lucid_dynamic_slice(c->s, x, start, lucidpy_shape(c, 2));
}

lucid_tensor lucidpy_op_dynamic_update_slice(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), update = lucidpy_tensor(c, 1);
    return lucid_dynamic_update_slice(c->s, x, update, starts(c, 2, x));
}

lucid_tensor lucidpy_op_masked_select(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_masked_select(c->s, x, lucidpy_tensor(c, 1));
}

/* One vector of positions per dim; NULL with an exception. */
static PyObject *columns_of(lucid_scope *s, lucid_tensor positions, int ndim)
{
    lucid_tensor columns[LUCID_MAX_NDIM];
    for (int d = 0; d < ndim; d++)
        columns[d] = lucid_select(s, positions, 1, d);
    return lucidpy_tuple(s, columns, (size_t)ndim);
}

PyObject *lucidpy_nonzero_tuple(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor positions = lucid_nonzero(s, x);
    return lucidpy_ok(s) ? columns_of(s, positions, ndim_of(x)) : NULL;
}

PyObject *lucidpy_op_nonzero(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (lucidpy_flag(c, 1))
        return lucidpy_nonzero_tuple(s, x);
    lucid_tensor positions = lucid_nonzero(s, x);
    return lucidpy_ok(s) ? lucidpy_wrap(s, positions) : NULL;
}

PyObject *lucidpy_op_sort(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = {NULL};
    int dim = lucidpy_dim(c, 1);
    lucid_tensor values = lucid_sort(c->s, x, dim, lucidpy_flag(c, 2), &index);
    return lucidpy_named_pair(c->s, LUCIDPY_SORT, values, index);
}

lucid_tensor lucidpy_op_argsort(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int dim = lucidpy_dim(c, 1);
    return lucid_argsort(c->s, x, dim, lucidpy_flag(c, 2));
}

PyObject *lucidpy_op_topk(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), index = {NULL};
    int64_t k = lucidpy_int(c, 1);
    int dim = lucidpy_dim(c, 2);
    lucid_tensor values = lucid_topk(c->s, x, k, dim, lucidpy_flag(c, 3), &index);
    return lucidpy_named_pair(c->s, LUCIDPY_TOPK, values, index);
}

lucid_tensor lucidpy_op_one_hot(lucidpy_call *c)
{
    lucid_tensor index = lucidpy_tensor(c, 0);
    int64_t classes = lucidpy_int(c, 1);
    if (classes == -1 && lucid_error(c->s) == LUCID_OK) {
        if (lucid_numel(index) == 0)
            lucid_fail(c->s, LUCID_VALUE_ERROR,
                       "one_hot: num_classes is needed for an empty tensor");
        lucid_tensor most = lucid_amax(c->s, index, LUCID_ALL);
        LUCIDPY_COMPUTE_BEGIN
        classes = lucid_item_int(c->s, most) + 1;
        LUCIDPY_COMPUTE_END
    }
    return lucid_one_hot(c->s, index, classes);
}
