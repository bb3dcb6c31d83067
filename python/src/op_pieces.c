/* Operations that take several tensors apart or put one apart into several. */
#include "call_scope.h"
#include "common_ops.h"
#include "tuples.h"
#include "views.h"

/* A tuple of n new Tensors, views where the places say so. */
static PyObject *views(lucid_scope *s, const lucid_tensor *ys, const lucidpy_place *places,
                       size_t n)
{
    if (!lucidpy_ok(s) || !ys || !places)
        return NULL;
    PyObject *tuple = PyTuple_New((Py_ssize_t)n);
    for (size_t i = 0; tuple && i < n; i++) {
        PyObject *y = lucidpy_wrap_view(s, ys[i], &places[i]);
        if (!y || PyTuple_SetItem(tuple, (Py_ssize_t)i, y))
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* Begins the place of the i-th of the tensors given as *tensors or as one sequence of them. */
static void begin_place(const lucidpy_call *c, size_t i, lucidpy_place *place)
{
    Py_ssize_t at = (Py_ssize_t)i;
    PyObject *one = c->rest_count == 1 ? c->rest[0] : NULL;
    if (one && PyList_Check(one))
        lucidpy_place_begin(place, PyList_GetItem(one, at));
    else if (one && PyTuple_Check(one))
        lucidpy_place_begin(place, PyTuple_GetItem(one, at));
    else
        lucidpy_place_begin(place, at < c->rest_count ? c->rest[at] : Py_None);
}

PyObject *lucidpy_op_broadcast_tensors(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    size_t n;
    const lucid_tensor *xs = lucidpy_tensors(c, 0, &n);
    lucid_shape shape = {0};
    lucid_tensor *ys = lucid_alloc(s, (n + 1) * sizeof *ys);
    for (size_t i = 0; ys && i < n && lucid_error(s) == LUCID_OK; i++) {
        lucid_shape own = lucid_shape_of(xs[i]);
        for (int d = own.ndim; d < shape.ndim; d++) { /* align on the right */
            for (int k = own.ndim; k > 0; k--)
                own.dim[k] = own.dim[k - 1];
            own.dim[0] = 1;
            own.ndim++;
        }
        for (; shape.ndim < own.ndim; shape.ndim++) {
            for (int k = shape.ndim; k > 0; k--)
                shape.dim[k] = shape.dim[k - 1];
            shape.dim[0] = 1;
        }
        for (int d = 0; d < shape.ndim; d++)
            if (shape.dim[d] == 1)
                shape.dim[d] = own.dim[d];
    }
    lucidpy_place *places = lucid_alloc(s, (n + 1) * sizeof *places);
    for (size_t i = 0; ys && places && i < n; i++) {
        ys[i] = lucid_expand(s, xs[i], shape);
        begin_place(c, i, &places[i]);
        lucidpy_place_expand(&places[i], shape);
    }
    return views(s, ys, places, n);
}

/* The pieces [0, sizes[0]), [sizes[0], sizes[0] + sizes[1]), ... of dim. */
static PyObject *cut(lucidpy_call *c, lucid_tensor x, int dim, const int64_t *sizes, size_t n)
{
    lucid_tensor *pieces = lucid_alloc(c->s, (n + 1) * sizeof *pieces);
    lucidpy_place *places = lucid_alloc(c->s, (n + 1) * sizeof *places);
    int64_t at = 0;
    for (size_t i = 0; pieces && places && i < n; i++) {
        pieces[i] = lucid_slice(c->s, x, dim, at, at + sizes[i], 1);
        lucidpy_place_begin(&places[i], c->arg[0]);
        lucidpy_place_slice(&places[i], dim, at, 1, sizes[i]);
        at += sizes[i];
    }
    return views(c->s, pieces, places, n);
}

static PyObject *split_evenly(lucidpy_call *c, lucid_tensor x, int dim, int64_t length)
{
    if (length < 1) {
        lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: the size of a piece must be >= 1, not %lld",
                   c->name, (long long)length);
        return NULL;
    }
    int64_t size = lucid_size(x, dim);
    size_t n = size ? (size_t)((size - 1) / length + 1) : 1;
    int64_t *sizes = lucid_alloc(c->s, n * sizeof *sizes);
    for (size_t i = 0; sizes && i < n; i++)
        sizes[i] = i + 1 < n ? length : size - length * (int64_t)(n - 1);
    return sizes ? cut(c, x, dim, sizes, n) : NULL;
}

/* Piece by piece as a list says: it may be longer than LUCID_MAX_NDIM. */
static PyObject *split_by_list(lucidpy_call *c, lucid_tensor x, int dim, PyObject *list)
{
    Py_ssize_t n = PySequence_Size(list);
    int64_t *sizes = n < 0 ? NULL : lucid_alloc(c->s, ((size_t)n + 1) * sizeof *sizes);
    int64_t total = 0;
    for (Py_ssize_t i = 0; sizes && i < n; i++) {
        PyObject *o = PySequence_GetItem(list, i);
        bool read = o && lucidpy_is_integer(o) &&
                    lucidpy_read_int(o, "split(): argument 'split_size'", &sizes[i]);
        Py_XDECREF(o);
        if (!read || sizes[i] < 0) {
            if (!PyErr_Occurred())
                PyErr_Format(read ? PyExc_ValueError : PyExc_TypeError,
                             "split(): argument 'split_size' must be an int >= 1 or a list of "
                             "sizes >= 0, not %R",
                             list);
            return NULL;
        }
        total = sizes[i] > INT64_MAX - total ? INT64_MAX : total + sizes[i];
    }
    if (sizes && total != lucid_size(x, dim)) {
        lucid_fail(c->s, LUCID_VALUE_ERROR, "split: the sizes add up to %lld, dim %d has size %lld",
                   (long long)total, dim, (long long)lucid_size(x, dim));
        return NULL;
    }
    return sizes ? cut(c, x, dim, sizes, (size_t)n) : NULL;
}

PyObject *lucidpy_op_split(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 2));
    if (dim < 0 || lucid_error(c->s) != LUCID_OK)
        return NULL;
    if (PyList_Check(c->arg[1]) || PyTuple_Check(c->arg[1]))
        return split_by_list(c, x, dim, c->arg[1]);
    int64_t length = lucidpy_int(c, 1);
    return lucid_error(c->s) == LUCID_OK ? split_evenly(c, x, dim, length) : NULL;
}

PyObject *lucidpy_op_chunk(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int64_t chunks = lucidpy_int(c, 1);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 2));
    if (chunks < 1)
        lucid_fail(c->s, LUCID_VALUE_ERROR, "chunk: chunks must be >= 1, not %lld",
                   (long long)chunks);
    if (dim < 0 || lucid_error(c->s) != LUCID_OK)
        return NULL;
    int64_t size = lucid_size(x, dim), length = size ? (size - 1) / chunks + 1 : 1;
    return split_evenly(c, x, dim, length);
}

PyObject *lucidpy_op_unbind(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    if (dim < 0 || lucid_error(c->s) != LUCID_OK)
        return NULL;
    size_t n = (size_t)lucid_size(x, dim);
    lucid_tensor *slices = lucid_alloc(c->s, (n + 1) * sizeof *slices);
    lucidpy_place *places = lucid_alloc(c->s, (n + 1) * sizeof *places);
    for (size_t i = 0; slices && places && i < n; i++) {
        slices[i] = lucid_select(c->s, x, dim, (int64_t)i);
        lucidpy_place_begin(&places[i], c->arg[0]);
        lucidpy_place_select(&places[i], dim, (int64_t)i);
    }
    return views(c->s, slices, places, n);
}

PyObject *lucidpy_op_meshgrid(lucidpy_call *c)
{
    static const char *const orders[] = {"ij", "xy", NULL};
    lucid_scope *s = c->s;
    size_t n;
    const lucid_tensor *xs = lucidpy_tensors(c, 0, &n);
    bool exchange = lucidpy_word(c, 1, orders) == 1 && n > 1;
    if (n > LUCID_MAX_NDIM)
        lucid_fail(s, LUCID_VALUE_ERROR, "meshgrid: %zu tensors: at most %d", n, LUCID_MAX_NDIM);
    if (lucid_error(s) != LUCID_OK)
        return NULL;
    lucid_shape shape = {.ndim = (int)n};
    lucid_tensor grids[LUCID_MAX_NDIM];
    lucidpy_place *places = lucid_alloc(s, (n + 1) * sizeof *places);
    if (!places)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (lucid_ndim(xs[i]) > 1)
            lucid_fail(s, LUCID_VALUE_ERROR, "meshgrid: tensor %zu is %d-D, expected a vector", i,
                       lucid_ndim(xs[i]));
        shape.dim[i] = lucid_numel(xs[i]);
    }
    for (size_t i = 0; i < n; i++) {
        lucid_shape column = {.ndim = (int)n};
        for (size_t d = 0; d < n; d++)
            column.dim[d] = d == i ? shape.dim[i] : 1;
        grids[i] = lucid_expand(s, lucid_reshape(s, xs[i], column), shape);
        begin_place(c, i, &places[i]);
        lucidpy_place_reshape(&places[i], column);
        lucidpy_place_expand(&places[i], shape);
        if (exchange) {
            grids[i] = lucid_transpose(s, grids[i], 0, 1);
            lucidpy_place_transpose(&places[i], 0, 1);
        }
    }
    return views(s, grids, places, n);
}
