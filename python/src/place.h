/* Places: which elements of another tensor a view shows, as an offset and a stride per dim, both in
 * elements of the other one's row-major order. Operations that make views say what they do to a place. */
#ifndef LUCIDPY_PLACE_H
#define LUCIDPY_PLACE_H

#include <Python.h>
#include <lucid.h>

typedef struct lucidpy_place {
    PyObject *of;  /* borrowed: the Tensor that is viewed; NULL: the result is no view */
    bool detached; /* without derivatives */
    bool
        unreachable; /* some view that no strides describe: it can be neither written nor renewed */
    int64_t offset;
    lucid_shape shape;
    int64_t stride[LUCID_MAX_NDIM];
} lucidpy_place;

/* The whole of o; no view if o is no Tensor. */
void lucidpy_place_begin(lucidpy_place *p, PyObject *o);

void lucidpy_place_select(lucidpy_place *p, int dim, int64_t index);
/* `size`: how many elements the slice has; start and step as lucid_slice takes them. */
void lucidpy_place_slice(lucidpy_place *p, int dim, int64_t start, int64_t step, int64_t size);
void lucidpy_place_permute(lucidpy_place *p, lucid_dims order);
void lucidpy_place_transpose(lucidpy_place *p, int dim0, int dim1);
void lucidpy_place_expand(lucidpy_place *p, lucid_shape shape);
void lucidpy_place_diagonal(lucidpy_place *p, int64_t offset, int dim1, int dim2);
/* Where no strides describe the result it is a copy, as torch's reshape makes one. */
void lucidpy_place_reshape(lucidpy_place *p, lucid_shape shape);

/* Whether several of the elements are one element of the base. */
bool lucidpy_place_overlaps(const lucidpy_place *p);
/* Whether both mean the same elements in the same order. */
bool lucidpy_place_same(const lucidpy_place *a, const lucidpy_place *b);

/* What p shows of the base, and the base with y written there (p does not overlap). */
lucid_tensor lucidpy_place_read(lucid_scope *s, lucid_tensor base, const lucidpy_place *p);
lucid_tensor lucidpy_place_write(lucid_scope *s, lucid_tensor base, const lucidpy_place *p,
                                 lucid_tensor y);

#endif
