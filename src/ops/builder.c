#include "ops/builder.h"

#include <string.h>

#include "ops/numbers.h"
#include "prim/family.h"
#include "prim/number.h"

bool lucid__check(lucid_scope *s, const char *name, lucid_tensor x)
{
    if (lucid__ok(s) && !x.v)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: an input is an empty handle", name);
    return lucid__ok(s);
}

bool lucid__check_all(lucid_scope *s, const char *name, const lucid_tensor *xs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!lucid__check(s, name, xs[i]))
            return false;
    return lucid__ok(s);
}

/* ---- dtypes --------------------------------------------------------------------------------- */

static lucid_dtype wider(lucid_dtype a, lucid_dtype b)
{
    return a == LUCID_NO_DTYPE || (b != LUCID_NO_DTYPE && b > a) ? b : a;
}

/* What `low` priority operands add to a result of the others: only a higher kind counts. */
static lucid_dtype with_lower_priority(lucid_dtype high, lucid_dtype low)
{
    if (high == LUCID_NO_DTYPE)
        return low;
    if (low != LUCID_NO_DTYPE && lucid__dtype_kind(low) > lucid__dtype_kind(high))
        return wider(high, low);
    return high;
}

lucid_dtype lucid__promoted(const lucid_tensor *xs, size_t n)
{
    lucid_dtype shaped = LUCID_NO_DTYPE, zero_d = LUCID_NO_DTYPE, number = LUCID_NO_DTYPE;
    for (size_t i = 0; i < n; i++) {
        if (!xs[i].v)
            continue;
        const lucid__value *v = xs[i].v;
        if (v->weak)
            number = wider(number, (lucid_dtype)v->alone);
        else if (v->aval.shape.ndim == 0)
            zero_d = wider(zero_d, v->aval.dtype);
        else
            shaped = wider(shaped, v->aval.dtype);
    }
    lucid_dtype dtype = with_lower_priority(with_lower_priority(shaped, zero_d), number);
    return dtype == LUCID_NO_DTYPE ? LUCID_FLOAT32 : dtype;
}

lucid_tensor lucid__as_float(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (x.v->weak)
        return lucid__number_kept(s, x, LUCID_FLOAT64);
    lucid_dtype dtype = x.v->aval.dtype;
    return lucid_cast(s, x, lucid__is_float(dtype) ? dtype : lucid_get_default_dtype(s));
}

bool lucid__cast_all(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n,
                     lucid_dtype dtype)
{
    for (size_t i = 0; i < n; i++)
        xs[i] = xs[i].v && xs[i].v->weak ? lucid__number_as(s, name, xs[i], dtype)
                                         : lucid_cast(s, xs[i], dtype);
    return lucid__ok(s);
}

bool lucid__keep_or_cast(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n,
                         lucid_dtype dtype)
{
    lucid_dtype kept = lucid__number_dtype(xs, n);
    if (kept == LUCID_NO_DTYPE || lucid__dtype_kind(dtype) < lucid__dtype_kind(kept))
        return lucid__cast_all(s, name, xs, n, dtype);
    kept = lucid__is_float(dtype) ? LUCID_FLOAT64 : dtype;
    for (size_t i = 0; i < n; i++)
        xs[i] = lucid__number_kept(s, xs[i], kept);
    return lucid__ok(s);
}

bool lucid__promote(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n)
{
    return lucid__ok(s) && lucid__keep_or_cast(s, name, xs, n, lucid__promoted(xs, n));
}

lucid_tensor lucid__number(lucid_scope *s, double value, lucid_tensor like)
{
    return lucid__check(s, "number", like) ? lucid__number_beside(s, value, like.v)
                                           : (lucid_tensor){NULL};
}

/* ---- shapes --------------------------------------------------------------------------------- */

bool lucid__broadcast_shape(lucid_scope *s, const char *name, const lucid_tensor *xs, size_t n,
                            lucid_shape *shape)
{
    if (!lucid__check_all(s, name, xs, n))
        return false;
    *shape = xs[0].v->aval.shape;
    for (size_t k = 1; k < n; k++) {
        const lucid_shape *other = &xs[k].v->aval.shape;
        const lucid_shape before = *shape;
        int ndim = before.ndim > other->ndim ? before.ndim : other->ndim;
        shape->ndim = ndim;
        for (int i = 1; i <= ndim; i++) {
            int64_t a = i <= before.ndim ? before.dim[before.ndim - i] : 1;
            int64_t b = i <= other->ndim ? other->dim[other->ndim - i] : 1;
            if (a != b && a != 1 && b != 1) {
                char ta[LUCID__SHAPE_TEXT], tb[LUCID__SHAPE_TEXT];
                (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: shapes %s and %s do not broadcast",
                                 name, lucid__shape_text(&before, ta, sizeof ta),
                                 lucid__shape_text(other, tb, sizeof tb));
                return false;
            }
            shape->dim[ndim - i] = a == 1 ? b : a;
        }
    }
    return lucid__check_shape(s, name, shape);
}

bool lucid__broadcast_all(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n)
{
    lucid_shape shape;
    if (!lucid__check_all(s, name, xs, n))
        return false;
    const lucid_shape *widest = &xs[0].v->aval.shape; /* that all but numbers have */
    bool others = false;
    for (size_t i = 1; i < n && !others; i++) {
        const lucid_shape *other = &xs[i].v->aval.shape;
        if (widest->ndim == 0)
            widest = other;
        else
            others = other->ndim > 0 && !lucid__shape_equal(widest, other);
    }
    for (size_t i = 0; !others && i < n; i++)
        if (xs[i].v->aval.shape.ndim != widest->ndim)
            xs[i] = lucid__broadcast(s, xs[i], widest);
    if (!others)
        return lucid__ok(s);
    if (!lucid__broadcast_shape(s, name, xs, n, &shape))
        return false;
    for (size_t i = 0; i < n; i++)
        xs[i] = lucid__broadcast(s, xs[i], &shape);
    return lucid__ok(s);
}

bool lucid__check_shape(lucid_scope *s, const char *name, const lucid_shape *shape)
{
    if (!lucid__ok(s))
        return false;
    if (shape->ndim < 0 || shape->ndim > LUCID_MAX_NDIM) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: %d dims, at most %d are possible", name,
                         shape->ndim, LUCID_MAX_NDIM);
        return false;
    }
    char text[LUCID__SHAPE_TEXT];
    for (int i = 0; i < shape->ndim; i++)
        if (shape->dim[i] < 0) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: shape %s has a negative size", name,
                             lucid__shape_text(shape, text, sizeof text));
            return false;
        }
    int64_t n = lucid__numel(shape);
    if (n < 0 || n > INT64_MAX / 8) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "%s: the number of elements of shape %s is too large", name,
                         lucid__shape_text(shape, text, sizeof text));
        return false;
    }
    return true;
}

/* ---- dims ----------------------------------------------------------------------------------- */

int lucid__dim(lucid_scope *s, const char *name, int dim, int ndim)
{
    if (!lucid__ok(s))
        return -1;
    int at = lucid__wrap_dim(dim, ndim > 0 ? ndim : 1);
    if (at < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: dim %d is out of range for a %d-D tensor", name,
                         dim, ndim);
    return at;
}

int lucid__dims(lucid_scope *s, const char *name, lucid_dims dims, int ndim, int64_t *to)
{
    bool named[LUCID_MAX_NDIM] = {false};
    if (!lucid__ok(s))
        return -1;
    bool all = dims.all || dims.n == 0;
    for (int i = 0; !all && i < dims.n; i++) {
        int at = lucid__dim(s, name, dims.dim[i], ndim);
        if (at < 0)
            return -1;
        if (named[at]) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: dim %d appears twice", name, dims.dim[i]);
            return -1;
        }
        named[at] = true;
    }
    int n = 0;
    for (int i = 0; i < ndim; i++)
        if (all || named[i])
            to[n++] = i;
    return n;
}

lucid_tensor lucid__iota(lucid_scope *s, lucid_shape shape, int dim)
{
    if (!lucid__check_shape(s, "iota", &shape))
        return (lucid_tensor){NULL};
    int64_t params[2 + LUCID_MAX_NDIM] = {LUCID_INT64, dim};
    memcpy(params + 2, shape.dim, (size_t)shape.ndim * sizeof(int64_t));
    return lucid__bind1(s, LUCID__iota, NULL, 0, params, 2 + shape.ndim);
}

lucid_tensor lucid__index_range(lucid_scope *s, int64_t n)
{
    return lucid__iota(s, LUCID_SHAPE(n), 0);
}
