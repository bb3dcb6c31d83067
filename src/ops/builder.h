/* What builders share: an operation validates, promotes and broadcasts, and then applies primitives
 * (src/prim), which get clean input. Every function here is safe on empty handles and does nothing
 * once an error is recorded; `name` is the operation's, for messages. */
#ifndef LUCID__BUILDER_H
#define LUCID__BUILDER_H

#include "base/dtype.h"
#include "prim/prim.h"

/* False when an error is recorded already, or x is empty (then it records one). */
bool lucid__check(lucid_scope *s, const char *name, lucid_tensor x);
bool lucid__check_all(lucid_scope *s, const char *name, const lucid_tensor *xs, size_t n);

/* The dtype that tensors and bare numbers promote to together, as in torch. */
lucid_dtype lucid__promoted(const lucid_tensor *xs, size_t n);
/* x as a float: integers and bool become the default dtype. A bare number stays one. */
lucid_tensor lucid__as_float(lucid_scope *s, lucid_tensor x);
/* Casts all to one dtype, in place. A number that it cannot hold is an error. */
bool lucid__cast_all(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n,
                     lucid_dtype dtype);
/* The same; but where all are bare numbers they stay such, in full precision. */
bool lucid__keep_or_cast(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n,
                         lucid_dtype dtype);
/* lucid__keep_or_cast to what they promote to. */
bool lucid__promote(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n);

/* The shape that all broadcast to; false: they do not. */
bool lucid__broadcast_shape(lucid_scope *s, const char *name, const lucid_tensor *xs, size_t n,
                            lucid_shape *shape);
/* Broadcasts all to one shape, in place. */
bool lucid__broadcast_all(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n);

/* A dim counted from the front; -1 and an error when out of range. 0-d tensors allow dim 0 and -1
 * when zero_d_ok. */
int lucid__dim(lucid_scope *s, const char *name, int dim, int ndim);
/* The dims named, counted from the front, ascending, without repeats (a repeat is an error). Returns
 * how many, -1 on error. `all` or no dim at all names every one. 0-d tensors allow dims 0 and -1. */
int lucid__dims(lucid_scope *s, const char *name, lucid_dims dims, int ndim, int64_t *to);
/* `shape` checked: sizes >= 0, ndim in range, the number of elements fits. */
bool lucid__check_shape(lucid_scope *s, const char *name, const lucid_shape *shape);

/* A bare number as a 0-d tensor of the dtype of `like`. */
lucid_tensor lucid__number(lucid_scope *s, double value, lucid_tensor like);

lucid_tensor lucid__index_range(lucid_scope *s, int64_t n); /* 0 .. n - 1, int64, 1-d */
/* An iota of this shape along one dim, int64. */
lucid_tensor lucid__iota(lucid_scope *s, lucid_shape shape, int dim);

/* y with the dims that a reduction of `shape` dropped put back as size 1. */
lucid_tensor lucid__keep_dims(lucid_scope *s, lucid_tensor y, const lucid_shape *shape,
                              const int64_t *dims, int n);

#endif
