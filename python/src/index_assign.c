/* x[index] = value: makes the object stand for x with that region replaced. */
#include "call_scope.h"
#include "convert.h"
#include "subscript.h"
#include "views.h"

#include <string.h>

/* Dims of size 1 in front that the target does not have are dropped, as in NumPy. */
static lucid_tensor drop_front(lucid_scope *s, lucid_tensor v, int ndim)
{
    while (lucid_error(s) == LUCID_OK && lucid_ndim(v) > ndim && lucid_size(v, 0) == 1)
        v = lucid_squeeze(s, v, LUCID_DIMS(0));
    return v;
}

/* The value broadcast to the shape of what is written. */
static lucid_tensor spread(lucid_scope *s, lucid_tensor v, lucid_shape shape)
{
    v = drop_front(s, v, shape.ndim);
    lucid_shape own = lucid_shape_of(v);
    bool fits = own.ndim <= shape.ndim;
    for (int d = 1; fits && d <= own.ndim; d++)
        fits = own.dim[own.ndim - d] == 1 || own.dim[own.ndim - d] == shape.dim[shape.ndim - d];
    if (lucid_error(s) == LUCID_OK && !fits) {
        PyObject *part = PyTuple_New(shape.ndim), *given = lucidpy_shape_tuple(v);
        for (int d = 0; part && d < shape.ndim; d++)
            if (PyTuple_SetItem(part, d, PyLong_FromLongLong(shape.dim[d])))
                Py_CLEAR(part);
        if (part && given)
            PyErr_Format(PyExc_ValueError,
                         "x[...] = value: the value's shape %S does not broadcast to %S, the shape "
                         "of what is written",
                         given, part);
        Py_XDECREF(part);
        Py_XDECREF(given);
        return (lucid_tensor){NULL};
    }
    return lucid_expand(s, v, shape);
}

/* -- without tensors -------------------------------------------------------------------------- */

/* The region of x as lucid_slice_put wants it, positions checked. */
typedef struct region {
    int64_t start[LUCID_MAX_NDIM], stop[LUCID_MAX_NDIM], step[LUCID_MAX_NDIM];
    bool whole; /* all of x */
} region;

static bool find_region(lucid_tensor x, const lucidpy_index *index, region *r)
{
    int dim = 0;
    r->whole = true;
    for (int i = 0; i < index->count; i++) {
        const lucidpy_index_item *item = &index->at[i];
        if (item->kind == LUCIDPY_NEW || item->kind == LUCIDPY_ANSWER)
            continue;
        if (item->kind == LUCIDPY_AT && !index->advanced) {
            int64_t size = lucid_size(x, dim);
            int64_t at = item->start < 0 ? item->start + size : item->start;
            if (at < 0 || at >= size) {
                PyErr_Format(PyExc_IndexError, "index %lld is out of range for dim %d of size %lld",
                             (long long)item->start, dim, (long long)size);
                return false;
            }
            r->start[dim] = at;
            r->stop[dim] = at + 1;
            r->step[dim++] = 1;
            r->whole = false;
            continue;
        }
        /* Indices choose among all elements of their dims. */
        bool slice = item->kind == LUCIDPY_SLICE && !item->whole;
        for (int d = 0; d < item->dims; d++, dim++) {
            r->start[dim] = slice ? item->start : 0;
            r->stop[dim] = slice ? item->stop : LUCID_END;
            r->step[dim] = slice ? item->step : 1;
        }
        r->whole &= !slice;
    }
    return true;
}

/* The shape of x[index]. */
static lucid_shape shape_of_items(lucid_scope *s, lucid_tensor x, const lucidpy_index *index)
{
    lucid_shape shape = {0};
    int dim = 0;
    for (int i = 0; i < index->count && shape.ndim < LUCID_MAX_NDIM; i++) {
        const lucidpy_index_item *item = &index->at[i];
        if (item->kind == LUCIDPY_AT) {
            dim++;
        } else if (item->kind == LUCIDPY_NEW) {
            shape.dim[shape.ndim++] = 1;
        } else {
            lucid_tensor part =
                item->whole ? x : lucid_slice(s, x, dim, item->start, item->stop, item->step);
            shape.dim[shape.ndim++] = lucid_size(part, dim++);
        }
    }
    return shape;
}

/* The value in the dims of x: 1 for every int in the index, without the new dims. */
static lucid_tensor in_dims_of(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                               lucid_tensor v)
{
    bool plain = true;
    for (int i = 0; i < index->count; i++)
        plain &= index->at[i].kind == LUCIDPY_SLICE;
    if (plain || lucid_ndim(v) == 0)
        return drop_front(s, v, lucid_ndim(x));
    lucid_shape shape = shape_of_items(s, x, index);
    v = spread(s, v, shape);
    int dim = 0;
    for (int i = 0; i < index->count; i++) {
        if (index->at[i].kind == LUCIDPY_NEW)
            v = lucid_squeeze(s, v, LUCID_DIMS(dim));
        else if (index->at[i].kind == LUCIDPY_AT)
            v = lucid_unsqueeze(s, v, dim++);
        else
            dim++;
    }
    return v;
}

static lucid_tensor write_basic(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                                lucid_tensor v)
{
    region r;
    if (!find_region(x, index, &r))
        return (lucid_tensor){NULL};
    return lucid_slice_put(s, x, r.start, r.stop, r.step, in_dims_of(s, x, index, v));
}

/* -- with tensors ----------------------------------------------------------------------------- */

/* The shape that the indices have together. */
static bool shape_of_indices(const lucidpy_view *view, lucid_shape *shape)
{
    *shape = (lucid_shape){0};
    for (int k = 0; k < view->count; k++)
        if (lucid_ndim(view->index[k]) > shape->ndim)
            shape->ndim = lucid_ndim(view->index[k]);
    for (int d = 0; d < shape->ndim; d++)
        shape->dim[d] = 1;
    for (int k = 0; k < view->count; k++) {
        lucid_shape own = lucid_shape_of(view->index[k]);
        for (int d = 0; d < own.ndim; d++) {
            int64_t *size = &shape->dim[shape->ndim - own.ndim + d];
            if (own.dim[d] == 1)
                continue;
            if (*size != 1 && *size != own.dim[d]) {
                PyErr_Format(PyExc_IndexError,
                             "the indices do not fit together: sizes %lld and %lld",
                             (long long)*size, (long long)own.dim[d]);
                return false;
            }
            *size = own.dim[d];
        }
    }
    return true;
}

/* The value as lucid_index_put wants it: the dims of the indices first, then the others. */
static bool arrange_value(lucid_scope *s, const lucidpy_view *view, lucid_tensor *v)
{
    lucid_shape indices, whole = {0};
    if (!shape_of_indices(view, &indices))
        return false;
    lucid_dims order = lucidpy_view_order(view);
    int rest = order.n - view->count, front = lucidpy_view_front(view);
    if (rest + indices.ndim > LUCID_MAX_NDIM) {
        PyErr_Format(PyExc_ValueError, "the indexed part has more than %d dims", LUCID_MAX_NDIM);
        return false;
    }
    for (int d = 0; d < rest + indices.ndim; d++) {
        int other = d < front ? d : d - indices.ndim;
        whole.dim[whole.ndim++] = d >= front && d < front + indices.ndim
                                      ? indices.dim[d - front]
                                      : lucid_size(view->y, order.dim[view->count + other]);
    }
    *v = spread(s, *v, whole);
    lucid_dims to_front = {.n = whole.ndim};
    for (int d = 0; d < whole.ndim; d++)
        to_front.dim[d] = d < indices.ndim           ? front + d
                          : d < indices.ndim + front ? d - indices.ndim
                                                     : d;
    *v = lucid_permute(s, *v, to_front);
    return lucidpy_ok(s);
}

static lucid_tensor write_advanced(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                                   lucid_tensor v)
{
    lucid_tensor none = {NULL};
    lucidpy_view view;
    region r;
    if (!find_region(x, index, &r) || !lucidpy_view_of(s, x, index, &view) ||
        !arrange_value(s, &view, &v))
        return none;
    lucid_dims order = lucidpy_view_order(&view), back = {.n = order.n};
    for (int d = 0; d < order.n; d++)
        back.dim[order.dim[d]] = d;
    lucid_tensor moved = lucid_permute(s, view.y, order);
    moved = lucid_index_put(s, moved, view.index, (size_t)view.count, v, false);
    lucid_tensor y = lucid_permute(s, moved, back);
    for (int k = view.new_count - 1; k >= 0; k--)
        y = lucid_squeeze(s, y, LUCID_DIMS(view.new_dim[k]));
    return r.whole ? y : lucid_slice_put(s, x, r.start, r.stop, r.step, y);
}

/* x[mask] = v for a value that does not depend on how many elements the mask has: a choice, which
 * works on batched values too. */
static bool is_choice(lucid_tensor x, const lucidpy_index *index, lucid_tensor v)
{
    if (index->at[0].kind != LUCIDPY_MASK)
        return false;
    for (int i = 1; i < index->count; i++)
        if (index->at[i].kind != LUCIDPY_SLICE || !index->at[i].whole)
            return false;
    return lucid_ndim(v) <= lucid_ndim(x) - index->at[0].dims;
}

static lucid_tensor write_choice(lucid_scope *s, lucid_tensor x, lucid_tensor mask, lucid_tensor v)
{
    for (int d = 0; d < lucid_ndim(mask); d++)
        if (lucid_size(mask, d) != lucid_size(x, d)) {
            PyErr_Format(PyExc_IndexError,
                         "a mask has size %lld in dim %d where the tensor has size %lld",
                         (long long)lucid_size(mask, d), d, (long long)lucid_size(x, d));
            return (lucid_tensor){NULL};
        }
    while (lucid_error(s) == LUCID_OK && lucid_ndim(mask) < lucid_ndim(x))
        mask = lucid_unsqueeze(s, mask, lucid_ndim(mask));
    return lucid_where(s, mask, v, x);
}

static lucid_tensor write_any(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                              lucid_tensor v)
{
    if (!index->advanced)
        return write_basic(s, x, index, v);
    if (is_choice(x, index, v))
        return write_choice(s, x, index->at[0].tensor, v);
    return write_advanced(s, x, index, v);
}

/* x[i] += 1 has written already when it comes here: the value is that part of x. */
static bool is_written(lucid_scope *s, PyObject *self, const lucidpy_index *index, PyObject *value)
{
    if (!lucidpy_is_tensor(value) || !((lucidpy_object *)value)->window)
        return false;
    lucidpy_place place;
    lucidpy_place_begin(&place, self);
    lucidpy_index_place(s, lucidpy_handle(self), index, &place);
    return lucidpy_ok(s) && lucidpy_is_part(self, &place, value);
}

int lucidpy_setitem(PyObject *self, PyObject *o, PyObject *value)
{
    if (!value) {
        PyErr_SetString(PyExc_TypeError, "elements of a tensor cannot be deleted");
        return -1;
    }
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return -1;
    lucid_tensor x = lucidpy_handle(self), v = {NULL};
    lucidpy_index index;
    bool written = false;
    int converted = lucidpy_convert(s, value, &v);
    if (converted == 0)
        lucidpy_wrong_type(value, "a tensor's elements can be set to tensors, numbers and arrays");
    bool parsed = converted == 1 && lucidpy_index_parse(s, o, x, &index);
    if (parsed && is_written(s, self, &index, value)) {
        written = true;
    } else if (parsed && !PyErr_Occurred()) {
        lucid_tensor y = write_any(s, x, &index, lucid_cast(s, v, lucid_dtype_of(x)));
        written = lucidpy_ok(s) && !PyErr_Occurred() && lucidpy_rebind(s, self, y);
    }
    lucidpy_leave(s);
    return written ? 0 : -1;
}
