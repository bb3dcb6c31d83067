/* Views: tensors that share their elements with the one they were made from, as in torch.
 *
 * Values never change, so sharing is kept up by bookkeeping. A tensor and its views refer to one lucidpy_shared,
 * which counts the writes. A write to a view makes a new value of the whole, with the new elements in their
 * place; whoever is looked at after a write that it has not seen takes its elements from the whole again.
 * Tensors that nobody writes pay for a view with two small blocks of memory, and for no operation. */
#ifndef LUCIDPY_VIEWS_H
#define LUCIDPY_VIEWS_H

#include "followed_memory.h"
#include "place.h"
#include "tensor_type.h"

/* A new Tensor of the handle, a view if `p` says so; NULL with an exception. */
PyObject *lucidpy_wrap_view(lucid_scope *s, lucid_tensor y, const lucidpy_place *p);
/* The end of a call: as lucidpy_result. */
PyObject *lucidpy_result_view(lucid_scope *s, lucid_tensor y, const lucidpy_place *p);

/* Where the elements of o are in the whole that it shares; o is a Tensor. */
void lucidpy_place_in_whole(const lucidpy_object *t, lucidpy_place *p);

/* Whether `value` is the part of `self` that `p` (a place of self) means: writing it there would change nothing. */
bool lucidpy_is_part(PyObject *self, const lucidpy_place *p, PyObject *value);

/* Makes `t`, a view, and the whole stand for what they are after y was written; y has the shape and dtype
 * of t. False with an exception. */
bool lucidpy_write_view(lucid_scope *s, lucidpy_object *t, lucid_tensor y);
/* For a tensor that is no view: its views are renewed when they are looked at. */
void lucidpy_tell_views(lucidpy_object *t);
/* Where a reference to the memory that t follows is, if it is t's alone to keep or to let go; NULL: none is. */
lucidpy_memory **lucidpy_own_memory(lucidpy_object *t);
/* The tensor goes away. */
void lucidpy_leave_views(lucidpy_object *t);

#endif
