#include "followed_memory.h"

#include "interchange.h"

#include <stdlib.h>
#include <string.h>

lucidpy_memory *lucidpy_memory_new(lucidpy_owner *owner, void *data, lucid_dtype dtype,
                                   lucid_shape shape, const int64_t *strides)
{
    lucidpy_memory *m = PyMem_Calloc(1, sizeof *m);
    if (!m) {
        owner->free(owner);
        return (void)PyErr_NoMemory(), NULL;
    }
    m->owner = owner;
    m->data = data;
    m->dtype = dtype;
    m->shape = shape;
    m->row_major = true;
    int64_t unit = 1;
    for (int d = shape.ndim - 1; d >= 0; d--) {
        m->stride[d] = strides ? strides[d] : unit;
        m->row_major &= m->stride[d] == unit || shape.dim[d] == 1;
        unit *= shape.dim[d];
    }
    return m;
}

void lucidpy_memory_free(lucidpy_memory *m)
{
    if (m)
        m->owner->free(m->owner);
    PyMem_Free(m);
}

/* What to do with runs of elements of the memory, in row-major order, and the same of other memory. */
typedef bool visit(char *memory, char *other, size_t bytes);

static bool read_run(char *memory, char *other, size_t bytes)
{
    memcpy(other, memory, bytes);
    return true;
}

static bool write_run(char *memory, char *other, size_t bytes)
{
    memcpy(memory, other, bytes);
    return true;
}

static bool compare_run(char *memory, char *other, size_t bytes)
{
    return memcmp(memory, other, bytes) == 0;
}

static int64_t elements_of(const lucid_shape *shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape->ndim; d++)
        n *= shape->dim[d];
    return n;
}

/* False as soon as a run says so. As deep as there are dims. */
static bool walk(const lucidpy_memory *m, int dim, char *at, char **other, visit *act)
{
    size_t bytes = lucid_dtype_size(m->dtype);
    if (dim == m->shape.ndim) {
        bool go = act(at, *other, bytes);
        *other += bytes;
        return go;
    }
    int64_t n = m->shape.dim[dim];
    if (dim == m->shape.ndim - 1 && m->stride[dim] == 1) {
        bool go = act(at, *other, (size_t)n * bytes);
        *other += (size_t)n * bytes;
        return go;
    }
    bool go = true;
    for (int64_t i = 0; go && i < n; i++)
        go = walk(m, dim + 1, at + i * m->stride[dim] * (int64_t)bytes, other, act);
    return go;
}

static bool visit_all(const lucidpy_memory *m, char *other, visit *act)
{
    int64_t n = elements_of(&m->shape);
    if (n == 0)
        return true;
    if (m->row_major)
        return act(m->data, other, (size_t)n * lucid_dtype_size(m->dtype));
    return walk(m, 0, m->data, &other, act);
}

lucid_tensor lucidpy_memory_copy(lucid_scope *s, const lucidpy_memory *m)
{
    if (m->row_major)
        return lucid_from_data(s, m->data, m->dtype, m->shape);
    size_t bytes = (size_t)elements_of(&m->shape) * lucid_dtype_size(m->dtype);
    char *copy = malloc(bytes ? bytes : 1);
    if (!copy) {
        PyErr_NoMemory();
        return (lucid_tensor){NULL};
    }
    visit_all(m, copy, read_run);
    return lucid_from_memory(s, copy, m->dtype, m->shape, NULL, free, copy);
}

/* The elements of a part that both have at the same places. */
static bool same_part(const lucidpy_memory *m, const char *other, const lucidpy_place *p, int dim,
                      int64_t at)
{
    size_t bytes = lucid_dtype_size(m->dtype);
    int64_t n = dim < p->shape.ndim ? p->shape.dim[dim] : 1;
    if (dim == p->shape.ndim || (dim == p->shape.ndim - 1 && p->stride[dim] == 1))
        return memcmp(m->data + at * (int64_t)bytes, other + at * (int64_t)bytes,
                      (size_t)n * bytes) == 0;
    if (p->stride[dim] == 0 && n > 1)
        n = 1;
    bool same = true;
    for (int64_t i = 0; same && i < n; i++)
        same = same_part(m, other, p, dim + 1, at + i * p->stride[dim]);
    return same;
}

bool lucidpy_memory_differs(lucid_scope *s, const lucidpy_memory *m, lucid_tensor copy,
                            const lucidpy_place *part)
{
    if (m->only && Py_REFCNT(m->only) == 1)
        return false;
    copy = lucid_detach(s, copy);
    char *data = (char *)(uintptr_t)lucidpy_data(s, &copy);
    if (!data || elements_of(&m->shape) == 0)
        return false;
    if (!part || !m->row_major)
        return !visit_all(m, data, compare_run);
    return elements_of(&part->shape) > 0 && !same_part(m, data, part, 0, part->offset);
}

bool lucidpy_memory_write(lucid_scope *s, const lucidpy_memory *m, lucid_tensor *y)
{
    if (m->readonly || lucid_level(s)) {
        PyErr_SetString(
            PyExc_RuntimeError,
            m->readonly
                ? "in-place write to a tensor that shares memory which must not be written; "
                  "make a copy first (x.clone())"
                : "in-place write, inside a transform, to a tensor that shares the memory of an "
                  "array; make a copy first (x.clone())");
        return false;
    }
    lucid_tensor value = lucid_detach(s, *y);
    char *data = (char *)(uintptr_t)lucidpy_data(s, &value);
    if (!data)
        return false;
    visit_all(m, data, write_run);
    if (!lucid_is_recorded(*y))
        *y = value;
    return true;
}
