/* What x[index] is. Slices and new dims are applied first; then all indices at once, on the dims that
 * they stand for, moved to the front. An int beside a tensor index counts as an index, as in NumPy. */
#include "call_scope.h"
#include "subscript.h"
#include "views.h"

/* -- without tensors -------------------------------------------------------------------------- */

static lucid_tensor apply_basic(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                                lucidpy_place *place)
{
    const lucid_tensor whole = x;
    int dim = 0;
    for (int i = 0; i < index->count; i++) {
        const lucidpy_index_item *item = &index->at[i];
        if (item->kind == LUCIDPY_AT) {
            x = lucid_select(s, x, dim, item->start);
            lucidpy_place_select(place, dim, item->start);
            continue;
        }
        if (item->kind == LUCIDPY_NEW) {
            x = lucid_unsqueeze(s, x, dim);
            lucidpy_place_reshape(place, lucid_shape_of(x));
        } else if (!item->whole) {
            x = lucid_slice(s, x, dim, item->start, item->stop, item->step);
            lucidpy_place_slice(place, dim, item->start, item->step, lucid_size(x, dim));
        }
        dim++;
    }
    return x.v == whole.v ? lucid_reshape(s, x, lucid_shape_of(x))
                          : x; /* x[:] is an operation, too */
}

/* -- with tensors ----------------------------------------------------------------------------- */

static void add_index(lucidpy_view *view, int dim, lucid_tensor index)
{
    view->dim[view->count] = dim;
    view->index[view->count++] = index;
}

static bool mask_fits(lucid_tensor y, int dim, lucid_tensor mask)
{
    for (int d = 0; d < lucid_ndim(mask); d++)
        if (lucid_size(mask, d) != lucid_size(y, dim + d)) {
            PyErr_Format(PyExc_IndexError,
                         "a mask has size %lld in dim %d where the tensor has size %lld",
                         (long long)lucid_size(mask, d), d, (long long)lucid_size(y, dim + d));
            return false;
        }
    return true;
}

/* The mask as one index per dim: the positions of its true elements. */
static bool add_mask(lucid_scope *s, lucidpy_view *view, int dim, lucid_tensor mask)
{
    if (!mask_fits(view->y, dim, mask))
        return false;
    lucid_tensor positions = lucid_nonzero(s, mask);
    for (int d = 0; d < lucid_ndim(mask) && lucid_error(s) == LUCID_OK; d++)
        add_index(view, dim + d, lucid_select(s, positions, 1, d));
    return lucidpy_ok(s);
}

static lucid_tensor integer(lucid_scope *s, int64_t value)
{
    return lucid_from_data(s, &value, LUCID_INT64, LUCID_SCALAR_SHAPE);
}

void lucidpy_index_place(lucid_scope *s, lucid_tensor x, const lucidpy_index *index,
                         lucidpy_place *place)
{
    if (index->advanced)
        place->of = NULL;
    else
        (void)apply_basic(s, x, index, place);
}

bool lucidpy_view_of(lucid_scope *s, lucid_tensor x, const lucidpy_index *index, lucidpy_view *view)
{
    *view = (lucidpy_view){.y = x, .adjacent = true};
    int dim = 0, last = -1;
    for (int i = 0; i < index->count; i++) {
        const lucidpy_index_item *item = &index->at[i];
        bool indexes = item->kind != LUCIDPY_SLICE && item->kind != LUCIDPY_NEW;
        if (indexes) {
            bool parted = index->parted > last && index->parted <= i;
            if (last >= 0 && (last != i - 1 || parted))
                view->adjacent = false;
            last = i;
        }
        switch (item->kind) {
        case LUCIDPY_AT:
            add_index(view, dim, integer(s, item->start));
            break;
        case LUCIDPY_SLICE:
            if (!item->whole)
                view->y = lucid_slice(s, view->y, dim, item->start, item->stop, item->step);
            break;
        case LUCIDPY_NEW:
            view->y = lucid_unsqueeze(s, view->y, dim);
            view->new_dim[view->new_count++] = dim;
            break;
        case LUCIDPY_INDICES:
            add_index(view, dim, item->tensor);
            break;
        case LUCIDPY_MASK:
            if (!add_mask(s, view, dim, item->tensor))
                return false;
            break;
        case LUCIDPY_ANSWER: /* a new dim, taken once or not at all */
            view->y = lucid_unsqueeze(s, view->y, dim);
            view->new_dim[view->new_count++] = dim;
            add_index(view, dim, lucid_arange(s, 0, (double)item->start, 1, LUCID_INT64));
            break;
        }
        dim += item->kind == LUCIDPY_MASK ? item->dims : 1;
    }
    return lucidpy_ok(s);
}

static bool is_indexed(const lucidpy_view *view, int dim)
{
    for (int k = 0; k < view->count; k++)
        if (view->dim[k] == dim)
            return true;
    return false;
}

lucid_dims lucidpy_view_order(const lucidpy_view *view)
{
    lucid_dims order = {0};
    for (int k = 0; k < view->count; k++)
        order.dim[order.n++] = view->dim[k];
    for (int d = 0; d < lucid_ndim(view->y); d++)
        if (!is_indexed(view, d))
            order.dim[order.n++] = d;
    return order;
}

int lucidpy_view_front(const lucidpy_view *view)
{
    return view->adjacent ? view->dim[0] : 0;
}

static lucid_tensor apply_advanced(lucid_scope *s, lucid_tensor x, const lucidpy_index *index)
{
    lucidpy_view view;
    if (!lucidpy_view_of(s, x, index, &view))
        return (lucid_tensor){NULL};
    if (view.count == 1)
        return lucid_take(s, view.y, view.index[0], view.dim[0]);
    int rest = lucid_ndim(view.y) - view.count, front = lucidpy_view_front(&view);
    lucid_tensor moved = lucid_permute(s, view.y, lucidpy_view_order(&view));
    lucid_tensor taken = lucid_index(s, moved, view.index, (size_t)view.count);
    if (front == 0 || lucid_error(s) != LUCID_OK)
        return taken;
    /* The dims of the indices stand first; they belong after `front` of the others. */
    int k = lucid_ndim(taken) - rest;
    lucid_dims order = {.n = lucid_ndim(taken)};
    for (int d = 0; d < order.n; d++)
        order.dim[d] = d < front ? k + d : d < front + k ? d - front : d;
    return lucid_permute(s, taken, order);
}

PyObject *lucidpy_getitem(PyObject *self, PyObject *o)
{
    lucid_tensor x = lucidpy_viewed(self);
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return NULL;
    lucid_name_operation(s, "index");
    lucidpy_place place;
    lucidpy_place_begin(&place, self);
    if (PyLong_CheckExact(o)) { /* x[3]: by far the most frequent */
        long long at = PyLong_AsLongLong(o);
        if (at != -1 || !PyErr_Occurred()) {
            lucid_tensor y = lucid_select(s, x, 0, at);
            lucidpy_place_select(&place, 0, at);
            return lucidpy_result_view(s, y, &place);
        }
        PyErr_Clear();
    }
    lucidpy_index index;
    if (!lucidpy_index_parse(s, o, x, &index)) {
        lucidpy_leave(s);
        return NULL;
    }
    if (index.advanced)
        return lucidpy_result(s, apply_advanced(s, lucidpy_handle(self), &index));
    lucid_tensor y = apply_basic(s, x, &index, &place);
    return lucidpy_result_view(s, y, &place);
}
