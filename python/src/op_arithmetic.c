/* The common adaptors, and elementwise operations with more than the plain form. */
#include "call_scope.h"
#include "common_ops.h"
#include "dtype_type.h"

#include <float.h>
#include <math.h>

lucid_tensor lucidpy_apply_unary(lucidpy_call *c)
{
    return c->op->build.unary(c->s, lucidpy_tensor(c, 0));
}

lucid_tensor lucidpy_apply_binary(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return c->op->build.binary(c->s, x, lucidpy_tensor(c, 1));
}

lucid_tensor lucidpy_cast_argument(lucidpy_call *c, int i, lucid_tensor x)
{
    lucid_dtype dtype = lucidpy_dtype(c, i);
    return dtype == LUCID_NO_DTYPE ? x : lucid_cast(c->s, x, dtype);
}

/* (input, dim, keepdim) and perhaps dtype. */
lucid_tensor lucidpy_apply_reduce(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (c->signature->count > 3)
        x = lucidpy_cast_argument(c, 3, x);
    return c->op->build.reduce(c->s, x, lucidpy_dims(c, 1, 2));
}

/* (input, dim, dtype). */
lucid_tensor lucidpy_apply_along(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_cast_argument(c, 2, lucidpy_tensor(c, 0));
    int dim = lucidpy_is_none(c, 1) ? -1 : lucidpy_dim(c, 1);
    return c->op->build.along(c->s, x, dim);
}

/* `factor` times x, unless the factor is the int 1. */
static lucid_tensor scaled(lucidpy_call *c, int factor, lucid_tensor x)
{
    PyObject *o = c->arg[factor];
    if (o == c->signature->at[factor].fallback)
        return x;
    return lucid_mul(c->s, x, lucidpy_tensor(c, factor));
}

lucid_tensor lucidpy_op_add(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_add(c->s, x, scaled(c, 2, lucidpy_tensor(c, 1)));
}

lucid_tensor lucidpy_op_sub(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_sub(c->s, x, scaled(c, 2, lucidpy_tensor(c, 1)));
}

lucid_tensor lucidpy_op_div(lucidpy_call *c)
{
    static const char *const modes[] = {"floor", "trunc", NULL};
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    if (lucidpy_is_none(c, 2))
        return lucid_div(c->s, x, y);
    if (lucidpy_word(c, 2, modes) == 0)
        return lucid_floor_divide(c->s, x, y);
    /* The remainder of fmod has the sign of x, so what is left is a whole multiple of y. */
    lucid_tensor whole = lucid_sub(c->s, x, lucid_fmod(c->s, x, y));
    if (lucidpy_is_float(lucid_dtype_of(whole)))
        return lucid_round(c->s, lucid_div(c->s, whole, y));
    return lucid_floor_divide(c->s, whole, y); /* exact */
}

/* (condition, input, other), or (condition): where it is true, as nonzero says with as_tuple. */
PyObject *lucidpy_op_where(lucidpy_call *c)
{
    lucid_tensor condition = lucidpy_tensor(c, 0);
    if (lucidpy_is_none(c, 1) != lucidpy_is_none(c, 2)) {
        PyErr_SetString(PyExc_TypeError,
                        "where(condition, input, other): give both input and other, or neither");
        return NULL;
    }
    if (lucidpy_is_none(c, 1))
        return lucidpy_nonzero_tuple(c->s, condition);
    lucid_tensor x = lucidpy_tensor(c, 1);
    return lucidpy_wrap(c->s, lucid_where(c->s, condition, x, lucidpy_tensor(c, 2)));
}

lucid_tensor lucidpy_op_where_method(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), condition = lucidpy_tensor(c, 1);
    return lucid_where(c->s, condition, x, lucidpy_tensor(c, 2));
}

lucid_tensor lucidpy_op_polygamma(lucidpy_call *c)
{
    int64_t n = lucidpy_int(c, 0);
    return lucid_polygamma(c->s, n, lucidpy_tensor(c, 1));
}

/* A bound of clamp, the empty handle where there is none. An int beyond int64 is none for integers on its own
 * side, and a float for floats. */
static lucid_tensor bound(lucidpy_call *c, lucid_tensor x, int i, int side)
{
    int overflow = 0;
    if (PyLong_Check(c->arg[i]))
        (void)PyLong_AsLongLongAndOverflow(c->arg[i], &overflow);
    if (overflow && !lucid_is_empty_handle(x) && lucidpy_is_float(lucid_dtype_of(x)))
        return lucid_scalar(c->s, lucidpy_float(c, i));
    return overflow == side ? (lucid_tensor){NULL} : lucidpy_optional_tensor(c, i);
}

lucid_tensor lucidpy_op_clamp(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), low = bound(c, x, 1, -1);
    if (lucidpy_is_none(c, 1) && lucidpy_is_none(c, 2)) {
        PyErr_SetString(PyExc_ValueError, "clamp(): one of min and max must be given");
        lucidpy_fail_call(c);
    }
    return lucid_clamp(c->s, x, low, bound(c, x, 2, 1));
}

/* What stands in for elements that are not finite, in their dtype. */
static lucid_tensor stand_in(lucidpy_call *c, int i, double otherwise, lucid_dtype dtype)
{
    lucid_tensor y = lucidpy_is_none(c, i) ? lucid_scalar(c->s, otherwise) : lucidpy_tensor(c, i);
    return lucid_cast(c->s, y, dtype);
}

lucid_tensor lucidpy_op_nan_to_num(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    if (lucid_is_empty_handle(x) || !lucidpy_is_float(lucid_dtype_of(x)))
        return x;
    lucid_dtype dtype = lucid_dtype_of(x);
    double most = dtype == LUCID_FLOAT32 ? (double)FLT_MAX : DBL_MAX;
    lucid_tensor y = lucid_where(s, lucid_isnan(s, x), stand_in(c, 1, 0, dtype), x);
    lucid_tensor low = lucid_scalar(s, -INFINITY), high = lucid_scalar(s, INFINITY);
    y = lucid_where(s, lucid_eq(s, x, high), stand_in(c, 2, most, dtype), y);
    return lucid_where(s, lucid_eq(s, x, low), stand_in(c, 3, -most, dtype), y);
}

lucid_tensor lucidpy_op_lerp(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), end = lucidpy_tensor(c, 1), w = lucidpy_tensor(c, 2);
    return lucid_add(c->s, x, lucid_mul(c->s, w, lucid_sub(c->s, end, x)));
}

lucid_tensor lucidpy_op_addcmul(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), a = lucidpy_tensor(c, 1), b = lucidpy_tensor(c, 2);
    return lucid_add(c->s, x, scaled(c, 3, lucid_mul(c->s, a, b)));
}

lucid_tensor lucidpy_op_addcdiv(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), a = lucidpy_tensor(c, 1), b = lucidpy_tensor(c, 2);
    return lucid_add(c->s, x, scaled(c, 3, lucid_div(c->s, a, b)));
}

/* (input, other, rtol, atol, equal_nan). */
static lucid_tensor is_close(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    lucid_tensor bound =
        lucid_add(s, lucid_scalar(s, lucidpy_float(c, 3)),
                  lucid_mul(s, lucid_scalar(s, lucidpy_float(c, 2)), lucid_abs(s, y)));
    lucid_tensor near = lucid_le(s, lucid_abs(s, lucid_sub(s, x, y)), bound);
    /* Infinities are near to themselves alone: x == y has them, the bound lets others through. */
    lucid_tensor close =
        lucid_logical_or(s, lucid_eq(s, x, y), lucid_logical_and(s, near, lucid_isfinite(s, y)));
    if (lucidpy_flag(c, 4))
        close =
            lucid_logical_or(s, close, lucid_logical_and(s, lucid_isnan(s, x), lucid_isnan(s, y)));
    return close;
}

lucid_tensor lucidpy_op_isclose(lucidpy_call *c)
{
    return is_close(c);
}

static PyObject *answer(lucid_scope *s, lucid_tensor x)
{
    bool value;
    LUCIDPY_COMPUTE_BEGIN
    value = lucid_bool(s, x);
    LUCIDPY_COMPUTE_END
    return lucidpy_ok(s) ? PyBool_FromLong(value) : NULL;
}

PyObject *lucidpy_op_allclose(lucidpy_call *c)
{
    return answer(c->s, lucid_all(c->s, is_close(c), LUCID_ALL));
}

PyObject *lucidpy_op_equal(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    if (!lucidpy_ok(c->s))
        return NULL;
    lucid_shape a = lucid_shape_of(x), b = lucid_shape_of(y);
    bool same = a.ndim == b.ndim;
    for (int d = 0; same && d < a.ndim; d++)
        same = a.dim[d] == b.dim[d];
    return same ? answer(c->s, lucid_all(c->s, lucid_eq(c->s, x, y), LUCID_ALL))
                : Py_NewRef(Py_False);
}

lucid_tensor lucidpy_op_masked_fill(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), mask = lucidpy_tensor(c, 1),
                 value = lucidpy_tensor(c, 2);
    lucid_dtype dtype = lucid_dtype_of(x);
    return lucid_where(c->s, mask, lucid_cast(c->s, value, dtype), x);
}

/* -- only in place: what the tensor held before does not matter ----------------------------------- */

lucid_tensor lucidpy_op_fill(lucidpy_call *c)
{
    return lucid_full_like(c->s, lucidpy_tensor(c, 0), lucidpy_tensor(c, 1));
}

lucid_tensor lucidpy_op_zero(lucidpy_call *c)
{
    return lucid_zeros_like(c->s, lucidpy_tensor(c, 0));
}

lucid_tensor lucidpy_op_copy_from(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    y = lucid_cast(c->s, y, lucid_dtype_of(x));
    return lucid_expand(c->s, y, lucid_shape_of(x));
}
