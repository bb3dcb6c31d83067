/* Tensors over memory that others can write: what from_numpy, as_tensor and from_dlpack give.
 *
 * Values never change, and may be computed later; the memory does change. So the tensor holds a copy, which is
 * compared with the memory whenever the tensor is looked at, and made anew if the memory was written. What was
 * made of the tensor before keeps the copy that it saw. A write in place goes to the memory as well. */
#ifndef LUCIDPY_MEMORY_H
#define LUCIDPY_MEMORY_H

#include "call_scope.h"
#include "place.h"

typedef struct lucidpy_memory {
    lucidpy_owner *owner; /* lets go of it, with the GIL held */
    PyObject
        *exporter; /* borrowed from the owner, which has one reference to it; NULL: not known */
    /* Borrowed: the one object through which it can be reached; NULL: there may be more. */
    PyObject *only;
    char *data;
    bool readonly;
    bool row_major;
    lucid_dtype dtype;
    lucid_shape shape;
    int64_t stride[LUCID_MAX_NDIM]; /* in elements */
} lucidpy_memory;

/* Takes over the owner, also on failure. strides NULL: row-major. NULL with an exception. */
lucidpy_memory *lucidpy_memory_new(lucidpy_owner *owner, void *data, lucid_dtype dtype,
                                   lucid_shape shape, const int64_t *strides);
void lucidpy_memory_free(lucidpy_memory *m); /* NULL is fine */

/* What is in it now. */
lucid_tensor lucidpy_memory_copy(lucid_scope *s, const lucidpy_memory *m);
/* Whether it is not what `copy` (made by the call above) says, in a part of it or (NULL) anywhere. */
bool lucidpy_memory_differs(lucid_scope *s, const lucidpy_memory *m, lucid_tensor copy,
                            const lucidpy_place *part);
/* Writes *y there, which becomes the tensor that holds these elements. False with an exception. */
bool lucidpy_memory_write(lucid_scope *s, const lucidpy_memory *m, lucid_tensor *y);

/* The memory of an exporter of the buffer protocol and, in *x, a copy of it; NULL when *x needs none, for it
 * is a copy for good (in another dtype, say) or nobody can ever write there. False with an exception. */
bool lucidpy_follow_buffer(lucid_scope *s, PyObject *exporter, lucid_dtype dtype, lucid_tensor *x,
                           lucidpy_memory **memory);

#endif
