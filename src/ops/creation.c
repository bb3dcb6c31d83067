/* Tensors from sizes and numbers: a scalar broadcast, or an iota and arithmetic. */
#include <math.h>

#include "ops/composite.h"
#include "prim/family.h"
#include "prim/number.h"

static lucid_tensor filled(lucid_scope *s, const char *name, lucid_shape shape, int value,
                           lucid_dtype dtype)
{
    if (!lucid__ok(s) || !lucid__check_shape(s, name, &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    return lucid__leave(&t, lucid__broadcast(&t, lucid__whole_number_of(&t, value, dtype), &shape));
}

lucid_tensor lucid_zeros(lucid_scope *s, lucid_shape shape)
{
    return filled(s, "zeros", shape, 0, LUCID_FLOAT32);
}

lucid_tensor lucid_ones(lucid_scope *s, lucid_shape shape)
{
    return filled(s, "ones", shape, 1, LUCID_FLOAT32);
}

lucid_tensor lucid_zeros_like(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__check(s, "zeros_like", x))
        return (lucid_tensor){NULL};
    return filled(s, "zeros_like", x.v->aval.shape, 0, lucid_dtype_of(x));
}

lucid_tensor lucid_ones_like(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__check(s, "ones_like", x))
        return (lucid_tensor){NULL};
    return filled(s, "ones_like", x.v->aval.shape, 1, lucid_dtype_of(x));
}

static lucid_tensor full(lucid_scope *s, const char *name, lucid_shape shape, lucid_tensor value)
{
    if (!lucid__check(s, name, value) || !lucid__check_shape(s, name, &shape))
        return (lucid_tensor){NULL};
    char text[LUCID__SHAPE_TEXT];
    if (value.v->aval.shape.ndim != 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "%s: the value must be 0-d, it has shape %s",
                            name, lucid__shape_text(&value.v->aval.shape, text, sizeof text));
    /* A bare number becomes an ordinary tensor. */
    return lucid__broadcast(s, lucid_cast(s, value, lucid__promoted(&value, 1)), &shape);
}

lucid_tensor lucid_full(lucid_scope *s, lucid_shape shape, lucid_tensor value)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "full", value))
        return (lucid_tensor){NULL};
    return lucid__leave(&t, full(&t, "full", shape, value));
}

lucid_tensor lucid_full_like(lucid_scope *s, lucid_tensor x, lucid_tensor value)
{
    lucid_scope t;
    if (!lucid__check(s, "full_like", value) || !lucid__enter(&t, s, "full_like", x))
        return (lucid_tensor){NULL};
    lucid_tensor cast = lucid_cast(&t, value, lucid_dtype_of(x));
    return lucid__leave(&t, full(&t, "full_like", x.v->aval.shape, cast));
}

lucid_tensor lucid_eye(lucid_scope *s, int64_t rows, int64_t cols)
{
    lucid_shape shape = {2, {rows, cols}};
    if (!lucid__ok(s) || !lucid__check_shape(s, "eye", &shape))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor row = lucid__iota(&t, (lucid_shape){2, {rows, 1}}, 0);
    lucid_tensor col = lucid__iota(&t, (lucid_shape){2, {1, cols}}, 1);
    return lucid__leave(&t, lucid_cast(&t, lucid_eq(&t, row, col), LUCID_FLOAT32));
}

/* 0 .. n - 1 in a dtype. */
static lucid_tensor counting(lucid_scope *s, int64_t n, lucid_dtype dtype)
{
    int64_t params[3] = {dtype, 0, n};
    return lucid__bind1(s, LUCID__iota, NULL, 0, params, 3);
}

/* Whether int64 can hold it, and it has no fraction. */
static bool is_whole(double x)
{
    return x >= -0x1p63 && x < 0x1p63 && x == floor(x);
}

lucid_tensor lucid_arange(lucid_scope *s, double start, double end, double step, lucid_dtype dtype)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (!isfinite(start) || !isfinite(end) || !isfinite(step) || step == 0)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "arange: start, end and step must be finite and step not 0, not %g, "
                            "%g, %g",
                            start, end, step);
    bool whole = is_whole(start) && is_whole(end) && is_whole(step);
    if (dtype == LUCID_NO_DTYPE)
        dtype = whole ? LUCID_INT64 : LUCID_FLOAT32;
    if (!lucid__dtype_valid(dtype) || dtype == LUCID_BOOL)
        return lucid__error(s, LUCID_TYPE_ERROR, "arange: dtype must be an integer or a float");
    double count = ceil((end - start) / step); /* infinite when the difference overflows */
    if (!(count < 0x1p62))
        return lucid__error(s, LUCID_VALUE_ERROR, "arange: %g elements are too many", count);
    int64_t n = count > 0 ? (int64_t)count : 0;
    if (!lucid__check_shape(s, "arange", &(lucid_shape){1, {n}}))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor y;
    if (whole && lucid__is_int(dtype)) {
        y = counting(&t, n, LUCID_INT64);
        y = lucid_mul(&t, y, lucid_scalar_int(&t, (int64_t)step));
        y = lucid_add(&t, y, lucid_scalar_int(&t, (int64_t)start));
    } else { /* in double, so that element i is rounded once */
        y = counting(&t, n, LUCID_FLOAT64);
        y = lucid_mul(&t, y, lucid__number(&t, step, y));
        y = lucid_add(&t, y, lucid__number(&t, start, y));
    }
    return lucid__leave(&t, lucid_cast(&t, y, dtype));
}

lucid_tensor lucid_linspace(lucid_scope *s, double start, double end, int64_t count)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (count < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "linspace: count must be >= 0, not %lld",
                            (long long)count);
    if (!lucid__check_shape(s, "linspace", &(lucid_shape){1, {count}}))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    double step = count > 1 ? (end - start) / (double)(count - 1) : 0;
    /* The first half counted from the start, the second from the end: both ends are exact. */
    lucid_tensor i = counting(&t, count, LUCID_FLOAT64);
    lucid_tensor down = lucid_sub(&t, lucid__number(&t, (double)(count - 1), i), i);
    lucid_tensor size = lucid__number(&t, step, i);
    lucid_tensor head = lucid_add(&t, lucid_mul(&t, i, size), lucid__number(&t, start, i));
    lucid_tensor tail = lucid_sub(&t, lucid__number(&t, end, i), lucid_mul(&t, down, size));
    lucid_tensor in_head = lucid_le(&t, i, down);
    lucid_tensor y = count == 1 ? head : lucid_where(&t, in_head, head, tail);
    return lucid__leave(&t, lucid_cast(&t, y, LUCID_FLOAT32));
}
