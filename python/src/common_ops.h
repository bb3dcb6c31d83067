/* The adaptors that many lines of ops.def share, and small builders made of others. */
#ifndef LUCIDPY_COMMON_OPS_H
#define LUCIDPY_COMMON_OPS_H

#include "ops.h"

lucid_tensor lucidpy_apply_unary(lucidpy_call *c);
lucid_tensor lucidpy_apply_binary(lucidpy_call *c);
lucid_tensor lucidpy_apply_reduce(lucidpy_call *c);
lucid_tensor lucidpy_apply_along(lucidpy_call *c);

/* What the C library leaves to its users: activations, ... */
lucid_tensor lucidpy_relu6(lucid_scope *s, lucid_tensor x);
lucid_tensor lucidpy_softsign(lucid_scope *s, lucid_tensor x);
lucid_tensor lucidpy_mish(lucid_scope *s, lucid_tensor x);

lucid_tensor lucidpy_svdvals(lucid_scope *s, lucid_tensor x);

/* Argument `i` as a dtype to cast `x` to; None leaves it. */
lucid_tensor lucidpy_cast_argument(lucidpy_call *c, int i, lucid_tensor x);

/* One int64 vector of positions of what is not zero per dim of x; NULL with an exception. */
PyObject *lucidpy_nonzero_tuple(lucid_scope *s, lucid_tensor x);

/* A dim of x counted from the front; -1 and an error when it is out of range. */
int lucidpy_wrap_dim(lucidpy_call *c, lucid_tensor x, int dim);

#endif
