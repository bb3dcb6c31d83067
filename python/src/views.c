#include "views.h"

#include "backward.h"
#include "call_scope.h"

#include <string.h>

/* What a tensor and its views share. */
struct lucidpy_shared {
    Py_ssize_t users;      /* the tensor itself, while it is there, and its views */
    uint64_t version;      /* how often it was written */
    uint64_t level;        /* as the tensor's */
    lucidpy_object *whole; /* not owned; NULL: gone, and these take its place: */
    lucid_tensor value;
    lucidpy_memory *memory;
    bool is_leaf;
};

/* What a view shows of it. */
struct lucidpy_window {
    uint64_t seen; /* the version that its handle is of */
    bool detached, unreachable;
    bool unrecorded; /* made under no_grad() */
    int64_t offset;
    int64_t stride[]; /* of its dims */
};

static lucid_tensor value_of(const lucidpy_shared *shared)
{
    return shared->whole ? shared->whole->handle : shared->value;
}

static lucidpy_memory *memory_of(const lucidpy_shared *shared)
{
    return shared->whole ? shared->whole->memory : shared->memory;
}

lucidpy_memory **lucidpy_own_memory(lucidpy_object *t)
{
    if (t->memory)
        return &t->memory;
    lucidpy_shared *shared = t->window ? t->shared : NULL;
    return shared && !shared->whole && shared->users == 1 && shared->memory ? &shared->memory
                                                                            : NULL;
}

/* -- places ----------------------------------------------------------------------------------- */

static void fill_row_major(lucidpy_place *p)
{
    int64_t stride = 1;
    for (int d = p->shape.ndim - 1; d >= 0; d--) {
        p->stride[d] = stride;
        stride *= p->shape.dim[d];
    }
}

void lucidpy_place_in_whole(const lucidpy_object *t, lucidpy_place *p)
{
    const lucidpy_window *w = t->window;
    p->shape = lucid_shape_of(t->handle);
    p->detached = w && w->detached;
    p->unreachable = w && w->unreachable;
    p->offset = w ? w->offset : 0;
    if (w)
        memcpy(p->stride, w->stride, (size_t)p->shape.ndim * sizeof *p->stride);
    else
        fill_row_major(p);
}

void lucidpy_place_begin(lucidpy_place *p, PyObject *o)
{
    p->of = lucidpy_is_tensor(o) ? o : NULL;
    if (p->of)
        lucidpy_place_in_whole((const lucidpy_object *)o, p);
}

bool lucidpy_is_part(PyObject *self, const lucidpy_place *p, PyObject *value)
{
    if (!p->of || !lucidpy_is_tensor(value))
        return false;
    const lucidpy_object *t = (const lucidpy_object *)self, *v = (const lucidpy_object *)value;
    if (!v->window || v->shared != t->shared || v->window->seen != v->shared->version ||
        v->window->detached || v->window->unreachable || p->unreachable)
        return false;
    lucidpy_place own;
    lucidpy_place_in_whole(v, &own);
    return lucidpy_place_same(p, &own);
}

/* -- making ----------------------------------------------------------------------------------- */

static lucidpy_shared *share(lucidpy_object *of)
{
    if (!of->shared) {
        lucidpy_shared *shared = PyMem_Calloc(1, sizeof *shared);
        if (!shared)
            return (void)PyErr_NoMemory(), NULL;
        shared->users = 1;
        shared->level = of->level;
        shared->whole = of;
        of->shared = shared;
    }
    of->shared->users++;
    return of->shared;
}

PyObject *lucidpy_wrap_view(lucid_scope *s, lucid_tensor y, const lucidpy_place *p)
{
    PyObject *object = lucidpy_wrap(s, y);
    if (!p->of || !object)
        return object;
    lucidpy_object *t = (lucidpy_object *)object;
    size_t strides = (size_t)p->shape.ndim * sizeof *p->stride;
    lucidpy_window *w = PyMem_Malloc(sizeof *w + strides);
    lucidpy_shared *shared = w ? share((lucidpy_object *)p->of) : NULL;
    if (!shared) {
        PyMem_Free(w);
        Py_DECREF(object);
        return PyErr_NoMemory();
    }
    w->seen = shared->version;
    w->detached = p->detached;
    w->unreachable = p->unreachable;
    w->unrecorded = *lucidpy_no_grad_depth() > 0;
    w->offset = p->offset;
    memcpy(w->stride, p->stride, strides);
    t->shared = shared;
    t->window = w;
    if (memory_of(shared))
        PyObject_GC_Track(object);
    return object;
}

PyObject *lucidpy_result_view(lucid_scope *s, lucid_tensor y, const lucidpy_place *p)
{
    if (!p->of || lucid_error(s) != LUCID_OK || lucid_is_empty_handle(y))
        return lucidpy_result(s, y);
    PyObject *result = lucidpy_ok(s) ? lucidpy_wrap_view(s, y, p) : NULL;
    lucidpy_leave(s);
    return result;
}

/* -- going away ------------------------------------------------------------------------------- */

static void leave(lucidpy_shared *shared)
{
    if (--shared->users > 0)
        return;
    lucidpy_release(shared->value);
    lucidpy_memory_free(shared->memory);
    PyMem_Free(shared);
}

void lucidpy_leave_views(lucidpy_object *t)
{
    lucidpy_shared *shared = t->shared;
    if (!shared)
        return;
    if (shared->whole == t) {
        shared->whole = NULL;
        if (shared->users > 1) {
            shared->value = lucid_retain(t->handle);
            shared->is_leaf = t->is_leaf;
            shared->memory = t->memory;
            t->memory = NULL;
        }
    }
    PyMem_Free(t->window);
    t->window = NULL;
    t->shared = NULL;
    leave(shared);
}

/* -- reading ---------------------------------------------------------------------------------- */

static void cannot_be_reached(const char *what)
{
    PyErr_Format(
        PyExc_RuntimeError,
        "%s: view() gave this tensor a shape that has no strides in the memory of the one it "
        "was made from; use reshape(), which makes a copy there",
        what);
}

static lucid_tensor renewed(lucid_scope *s, const lucidpy_object *t)
{
    lucidpy_place p;
    lucidpy_place_in_whole(t, &p);
    if (p.unreachable) {
        cannot_be_reached("a view of a tensor that was written since");
        return (lucid_tensor){NULL};
    }
    if (t->window->unrecorded)
        lucid_no_grad_begin(s);
    lucid_tensor y = lucidpy_place_read(s, value_of(t->shared), &p);
    if (p.detached)
        y = lucid_detach(s, y);
    if (t->window->unrecorded)
        lucid_no_grad_end(s);
    if (t->is_leaf)
        y = lucidpy_leaf_again(s, t->handle, y);
    return y;
}

/* The whole as its memory is now, if others wrote to the part that t shows. */
static void follow(lucid_scope *s, lucidpy_object *t)
{
    lucidpy_object *whole = t->window ? t->shared->whole : t;
    const lucidpy_memory *m = t->window ? memory_of(t->shared) : t->memory;
    lucid_tensor before = whole ? whole->handle : t->shared->value;
    lucidpy_place p;
    lucidpy_place_in_whole(t, &p);
    if (!lucidpy_memory_differs(s, m, before, p.unreachable ? NULL : &p) || !lucidpy_ok(s))
        return;
    lucid_tensor now = lucidpy_memory_copy(s, m);
    if (!lucidpy_ok(s) || PyErr_Occurred())
        return;
    if (whole)
        whole->handle = lucid_retain(now);
    else
        t->shared->value = lucid_retain(now);
    lucidpy_tell_views(t);
    lucidpy_release(before);
}

/* Nobody else sees its elements: it is no view any more. */
static void stand_alone(lucidpy_object *t)
{
    lucidpy_place p;
    lucidpy_place_in_whole(t, &p);
    if (!p.unreachable && !lucidpy_place_overlaps(&p))
        lucidpy_leave_views(t);
}

lucid_tensor lucidpy_look(lucidpy_object *t)
{
    lucidpy_shared *shared = t->shared;
    bool follows = !t->window || memory_of(shared);
    if (!follows && t->window->seen == shared->version) {
        if (shared->users == 1)
            stand_alone(t);
        return t->handle;
    }
    lucid_scope *s = lucidpy_enter();
    if (!s)
        return (lucid_tensor){NULL};
    if (follows)
        follow(s, t);
    bool fresh = !t->window || t->window->seen == shared->version;
    if (fresh || PyErr_Occurred()) {
        lucidpy_leave(s);
        return fresh && !PyErr_Occurred() ? t->handle : (lucid_tensor){NULL};
    }
    lucid_tensor y = renewed(s, t);
    if (!lucidpy_ok(s) || lucid_is_empty_handle(y)) {
        y = (lucid_tensor){NULL};
    } else if (shared->level == lucid_level(s)) {
        lucid_tensor before = t->handle;
        t->handle = lucid_retain(y);
        t->window->seen = shared->version;
        lucidpy_release(before);
        y = t->handle;
    } else { /* as the transform that runs sees it: not to be kept */
        y = lucid_keep(s, y);
    }
    lucidpy_leave(s);
    return y;
}

/* -- writing ---------------------------------------------------------------------------------- */

void lucidpy_tell_views(lucidpy_object *t)
{
    if (t->shared)
        t->shared->version++;
}

static bool may_write(lucid_scope *s, const lucidpy_object *t, const lucidpy_place *p)
{
    const lucidpy_shared *shared = t->shared;
    lucid_tensor whole = value_of(shared);
    bool leaf = shared->whole ? shared->whole->is_leaf : shared->is_leaf;
    if (shared->level != lucid_level(s))
        return lucidpy_refuse_captured();
    if (p->unreachable)
        return cannot_be_reached("in-place write"), false;
    if (lucidpy_place_overlaps(p)) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "in-place write to a tensor in which several elements are one element of the "
            "tensor it was expanded from; make a copy first (x.clone())");
        return false;
    }
    if (p->detached && (lucid_is_differentiated(whole) || (!leaf && lucid_is_recorded(whole)))) {
        PyErr_SetString(
            PyExc_RuntimeError,
            "in-place write through detach() to a tensor whose derivative is recorded, which "
            "would not know of it; write the tensor itself, or make a copy "
            "(x.detach().clone())");
        return false;
    }
    return true;
}

/* Makes the whole stand for y. */
static bool write_whole(lucid_scope *s, lucidpy_shared *shared, lucid_tensor y, bool detached)
{
    lucidpy_object *whole = shared->whole;
    lucid_tensor before = value_of(shared);
    if ((whole ? whole->is_leaf : shared->is_leaf) && !lucidpy_write_leaf(s, before, &y, detached))
        return false;
    const lucidpy_memory *m = memory_of(shared);
    if (!lucidpy_ok(s) || (m && !lucidpy_memory_write(s, m, &y)))
        return false;
    if (whole && !lucidpy_set_handle(s, whole, y))
        return false;
    if (!whole) {
        shared->value = lucid_retain(y);
        lucidpy_release(before);
    }
    shared->version++;
    return true;
}

bool lucidpy_write_view(lucid_scope *s, lucidpy_object *t, lucid_tensor y)
{
    lucidpy_shared *shared = t->shared;
    lucidpy_place p;
    lucidpy_place_in_whole(t, &p);
    if (!may_write(s, t, &p))
        return false;
    if (t->is_leaf && !lucidpy_write_leaf(s, t->handle, &y, false))
        return false;
    lucid_tensor whole = value_of(shared), part = y;
    if (p.detached || t->is_leaf) {
        whole = p.detached ? lucid_detach(s, whole) : whole;
        part = lucid_detach(s, y);
    }
    if (!write_whole(s, shared, lucidpy_place_write(s, whole, &p, part), p.detached))
        return false;
    /* A part of a leaf is recorded as that, so it is taken from the leaf again. */
    if (lucid_is_recorded(value_of(shared)) && !t->is_leaf)
        return true;
    t->window->seen = shared->version;
    return lucidpy_set_handle(s, t, y);
}
