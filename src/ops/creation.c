/* Tensors from sizes and numbers: a scalar broadcast, or an iota and arithmetic. */
#include <math.h>

#include "ops/composite.h"
#include "ops/numbers.h"
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
    return filled(s, "zeros", shape, 0, lucid_get_default_dtype(s));
}

lucid_tensor lucid_ones(lucid_scope *s, lucid_shape shape)
{
    return filled(s, "ones", shape, 1, lucid_get_default_dtype(s));
}

/* Like x, a bare number too. */
static lucid_tensor filled_like(lucid_scope *s, const char *name, lucid_tensor x, int value)
{
    if (!lucid__check(s, name, x))
        return (lucid_tensor){NULL};
    if (!x.v->weak)
        return filled(s, name, x.v->aval.shape, value, x.v->aval.dtype);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    return lucid__leave(&t, lucid__broadcast(&t, lucid__number(&t, value, x), &x.v->aval.shape));
}

lucid_tensor lucid_zeros_like(lucid_scope *s, lucid_tensor x)
{
    return filled_like(s, "zeros_like", x, 0);
}

lucid_tensor lucid_ones_like(lucid_scope *s, lucid_tensor x)
{
    return filled_like(s, "ones_like", x, 1);
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
    return lucid__broadcast(s, lucid__strong(s, value), &shape);
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
    (void)lucid__cast_all(&t, "full_like", &value, 1, lucid_dtype_of(x));
    return lucid__leave(&t, full(&t, "full_like", x.v->aval.shape, value));
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
    lucid_tensor y = lucid_cast(&t, lucid_eq(&t, row, col), lucid_get_default_dtype(s));
    return lucid__leave(&t, y);
}

/* 0 .. n - 1 in a dtype. */
static lucid_tensor counting(lucid_scope *s, int64_t n, lucid_dtype dtype)
{
    int64_t params[3] = {dtype, 0, n};
    return lucid__bind1(s, LUCID__iota, NULL, 0, params, 3);
}

/* ---- arange ------------------------------------------------------------------------------------- */

/* Whether int64 can hold it, and it has no fraction. */
static bool is_whole(double x)
{
    return x >= -0x1p63 && x < 0x1p63 && x == floor(x);
}

static bool check_range(lucid_scope *s, lucid_dtype dtype, bool zero_step)
{
    if (lucid__ok(s) && zero_step)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "arange: the step is 0; it must be a number that leads from start to end");
    if (lucid__ok(s) && (!lucid__dtype_valid(dtype) || dtype == LUCID_BOOL))
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "arange: dtype must be an integer or a float");
    return lucid__ok(s);
}

/* start + step * i for n positions i, in int64 or double, so that element i is rounded once. */
static lucid_tensor progression(lucid_scope *s, int64_t n, lucid_tensor start, lucid_tensor step,
                                lucid_dtype dtype)
{
    lucid_tensor y = counting(s, n, lucid_dtype_of(start));
    y = lucid_add(s, lucid_mul(s, y, step), start);
    return lucid_cast(s, y, dtype);
}

lucid_tensor lucid_arange_int(lucid_scope *s, int64_t start, int64_t end, int64_t step,
                              lucid_dtype dtype)
{
    if (dtype == LUCID_NO_DTYPE)
        dtype = LUCID_INT64;
    if (!check_range(s, dtype, step == 0) || step == 0)
        return (lucid_tensor){NULL};
    /* Unsigned: the distance of two int64 may be beyond int64. */
    bool any = step > 0 ? start < end : start > end;
    uint64_t span = step > 0 ? (uint64_t)end - (uint64_t)start : (uint64_t)start - (uint64_t)end;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t count = any ? (span - 1) / stride + 1 : 0;
    if (count > INT64_MAX / 8)
        return lucid__error(s, LUCID_VALUE_ERROR, "arange: %llu elements are too many",
                            (unsigned long long)count);
    int64_t last = (int64_t)((uint64_t)start + (count - (count > 0)) * (uint64_t)step);
    if (count > 0 && (!lucid__dtype_holds(dtype, start) || !lucid__dtype_holds(dtype, last)))
        return lucid__error(s, LUCID_VALUE_ERROR, "arange: %lld does not fit %s",
                            (long long)(lucid__dtype_holds(dtype, start) ? last : start),
                            lucid_dtype_name(dtype));
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor first = lucid__whole_number_of(&t, start, LUCID_INT64);
    lucid_tensor by = lucid__whole_number_of(&t, step, LUCID_INT64);
    return lucid__leave(&t, progression(&t, (int64_t)count, first, by, dtype));
}

lucid_tensor lucid_arange(lucid_scope *s, double start, double end, double step, lucid_dtype dtype)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (!isfinite(start) || !isfinite(end) || !isfinite(step))
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "arange: start, end and step must be finite, not %g, %g and %g", start,
                            end, step);
    bool whole = is_whole(start) && is_whole(end) && is_whole(step);
    if (dtype == LUCID_NO_DTYPE)
        dtype = whole ? LUCID_INT64 : lucid_get_default_dtype(s);
    if (whole)
        return lucid_arange_int(s, (int64_t)start, (int64_t)end, (int64_t)step, dtype);
    if (!check_range(s, dtype, step == 0))
        return (lucid_tensor){NULL};
    double count = ceil((end - start) / step); /* infinite when the difference overflows */
    if (!(count < 0x1p60))
        return lucid__error(s, LUCID_VALUE_ERROR, "arange: %g elements are too many", count);
    int64_t n = count > 0 ? (int64_t)count : 0;
    double last = start + step * (double)(n - 1);
    if (n > 0 && !(lucid__dtype_holds_float(dtype, start) && lucid__dtype_holds_float(dtype, last)))
        return lucid__error(s, LUCID_VALUE_ERROR, "arange: %g does not fit %s",
                            lucid__dtype_holds_float(dtype, start) ? last : start,
                            lucid_dtype_name(dtype));
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor first = lucid__number_of(&t, start, LUCID_FLOAT64);
    lucid_tensor by = lucid__number_of(&t, step, LUCID_FLOAT64);
    return lucid__leave(&t, progression(&t, n, first, by, dtype));
}

/* ---- linspace ------------------------------------------------------------------------------------- */

/* The first half counted from the start, the second from the end: both ends are exact. */
static lucid_tensor spaced(lucid_scope *s, double start, double end, int64_t count,
                           lucid_dtype dtype)
{
    double step = count > 1 ? end / (double)(count - 1) - start / (double)(count - 1) : 0;
    if (isfinite(end - start) && count > 1)
        step = (end - start) / (double)(count - 1);
    lucid_tensor i = counting(s, count, LUCID_FLOAT64);
    lucid_tensor down = lucid_sub(s, lucid__number(s, (double)(count - 1), i), i);
    lucid_tensor size = lucid__number(s, step, i);
    lucid_tensor head = lucid_add(s, lucid_mul(s, i, size), lucid__number(s, start, i));
    lucid_tensor tail = lucid_sub(s, lucid__number(s, end, i), lucid_mul(s, down, size));
    lucid_tensor in_head = lucid_le(s, i, down);
    lucid_tensor y = count == 1 ? head : lucid_where(s, in_head, head, tail);
    return lucid_cast(s, y, dtype);
}

lucid_tensor lucid_linspace_of(lucid_scope *s, double start, double end, int64_t count,
                               lucid_dtype dtype)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (count < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "linspace: count must be >= 0, not %lld",
                            (long long)count);
    if (!lucid__dtype_valid(dtype) || dtype == LUCID_BOOL)
        return lucid__error(s, LUCID_TYPE_ERROR, "linspace: dtype must be an integer or a float");
    if (!lucid__dtype_holds_float(dtype, start) || !lucid__dtype_holds_float(dtype, end))
        return lucid__error(s, LUCID_VALUE_ERROR, "linspace: %g does not fit %s",
                            lucid__dtype_holds_float(dtype, start) ? end : start,
                            lucid_dtype_name(dtype));
    if (!lucid__check_shape(s, "linspace", &(lucid_shape){1, {count}}))
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    return lucid__leave(&t, spaced(&t, start, end, count, dtype));
}

lucid_tensor lucid_linspace(lucid_scope *s, double start, double end, int64_t count)
{
    return lucid_linspace_of(s, start, end, count, lucid_get_default_dtype(s));
}
