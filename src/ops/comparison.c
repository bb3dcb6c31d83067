/* Comparisons are exact: an integer that a float cannot be equal to is not rounded to one first, and a number
 * that an integer dtype cannot hold does not wrap. */
#include "ops/comparison.h"

#include <math.h>

#include "base/dtype.h"
#include "ops/builder.h"
#include "ops/numbers.h"

/* y op x for x op y. */
static lucid__prim_id mirrored(lucid__prim_id id)
{
    return id == LUCID__lt   ? LUCID__gt
           : id == LUCID__gt ? LUCID__lt
           : id == LUCID__le ? LUCID__ge
           : id == LUCID__ge ? LUCID__le
                             : id;
}

static lucid_tensor in_dtype(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y,
                             lucid_dtype dtype)
{
    const char *name = lucid__prim_get(id)->name;
    lucid_tensor in[2] = {x, y};
    if (!lucid__cast_all(s, name, in, 2, dtype) || !lucid__broadcast_all(s, name, in, 2))
        return (lucid_tensor){NULL};
    return lucid__bind1(s, id, in, 2, NULL, 0);
}

/* ---- integers and bools ------------------------------------------------------------------------- */

static lucid_tensor of_integers(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y)
{
    lucid_dtype a = x.v->aval.dtype, b = y.v->aval.dtype;
    int64_t value;
    /* A number takes the dtype of the other where that holds it. */
    if (lucid__whole_value(y, &value) && lucid__is_int(a) && lucid__dtype_holds(a, value))
        b = a;
    else if (lucid__whole_value(x, &value) && lucid__is_int(b) && lucid__dtype_holds(b, value))
        a = b;
    return in_dtype(s, id, x, y, a > b ? a : b);
}

/* An integer tensor and a float that was written down: the float is turned into the nearest integer that gives
 * the same answer. Past all integers, and for NaN, every answer is the same. */
static lucid_tensor beside_float(lucid_scope *s, lucid__prim_id id, lucid_tensor x, double y)
{
    bool above = y >= 0x1p63, below = y < -0x1p63, has_equal = y == floor(y);
    bool all = id == LUCID__ne                      ? above || below || !has_equal
               : id == LUCID__lt || id == LUCID__le ? above
               : id == LUCID__gt || id == LUCID__ge ? below
                                                    : false;
    bool none = id == LUCID__eq                      ? above || below || !has_equal
                : id == LUCID__lt || id == LUCID__le ? below || isnan(y)
                : id == LUCID__gt || id == LUCID__ge ? above || isnan(y)
                                                     : false;
    if (all || none)
        return in_dtype(s, all ? LUCID__ge : LUCID__lt, x, lucid_scalar_int(s, INT64_MIN),
                        LUCID_INT64);
    double bound = id == LUCID__lt || id == LUCID__ge ? ceil(y) : floor(y);
    return of_integers(s, id, x, lucid_scalar_int(s, (int64_t)bound));
}

/* ---- an int64 and a float ------------------------------------------------------------------------- */

/* With i an integer and f a float: i < f and i < ceil f are the same, as are i <= f and i <= floor f. Where f is
 * no int64 the answer does not depend on i. */
static lucid_tensor ordered(lucid_scope *s, lucid__prim_id id, lucid_tensor i, lucid_tensor f,
                            lucid_tensor inside)
{
    bool up = id == LUCID__lt || id == LUCID__ge, less = id == LUCID__lt || id == LUCID__le;
    lucid_tensor zero = lucid__number(s, 0, f);
    lucid_tensor bound = lucid_where(s, inside, up ? lucid_ceil(s, f) : lucid_floor(s, f), zero);
    lucid_tensor near = in_dtype(s, id, i, lucid_cast(s, bound, LUCID_INT64), LUCID_INT64);
    lucid_tensor far = less ? lucid_gt(s, f, zero) : lucid_lt(s, f, zero);
    return lucid_where(s, inside, near, far);
}

static lucid_tensor of_wide(lucid_scope *s, lucid__prim_id id, lucid_tensor i, lucid_tensor f)
{
    if (!lucid__cast_all(s, lucid__prim_get(id)->name, &f, 1, LUCID_FLOAT64))
        return (lucid_tensor){NULL};
    lucid_tensor limit = lucid__number(s, 0x1p63, f);
    lucid_tensor inside =
        lucid_logical_and(s, lucid_ge(s, f, lucid_neg(s, limit)), lucid_lt(s, f, limit));
    if (id != LUCID__eq && id != LUCID__ne)
        return ordered(s, id, i, f, inside);
    inside = lucid_logical_and(s, inside, lucid_eq(s, f, lucid_floor(s, f)));
    lucid_tensor whole = lucid_where(s, inside, f, lucid__number(s, 0, f));
    lucid_tensor same = in_dtype(s, LUCID__eq, i, lucid_cast(s, whole, LUCID_INT64), LUCID_INT64);
    same = lucid_logical_and(s, inside, same);
    return id == LUCID__eq ? same : lucid_logical_not(s, same);
}

/* ---- any two --------------------------------------------------------------------------------------- */

/* Whether a float dtype has this integer among its numbers. */
static bool is_float_of(lucid_dtype dtype, int64_t value)
{
    double wide = dtype == LUCID_FLOAT32 ? (double)(float)value : (double)value;
    return wide < 0x1p63 && (int64_t)wide == value;
}

static lucid_tensor of_integer_and_float(lucid_scope *s, lucid__prim_id id, lucid_tensor i,
                                         lucid_tensor f)
{
    double number;
    int64_t whole;
    if (lucid__whole_value(i, &whole)) {
        lucid_dtype dtype = f.v->aval.dtype;
        if (is_float_of(dtype, whole))
            return in_dtype(s, id, i, f, dtype);
        if (is_float_of(LUCID_FLOAT64, whole))
            return in_dtype(s, id, i, f, LUCID_FLOAT64);
        return of_wide(s, id, i, f);
    }
    if (i.v->aval.dtype == LUCID_BOOL)
        return in_dtype(s, id, i, f, f.v->aval.dtype);
    if (lucid__number_value(f, &number))
        return beside_float(s, id, i, number);
    return i.v->aval.dtype == LUCID_INT64 ? of_wide(s, id, i, f)
                                          : in_dtype(s, id, i, f, LUCID_FLOAT64);
}

static lucid_tensor compare(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y)
{
    lucid_tensor in[2] = {x, y};
    bool float_x = lucid__is_float(x.v->aval.dtype), float_y = lucid__is_float(y.v->aval.dtype);
    if (float_x && float_y) {
        lucid_dtype kept = lucid__number_dtype(in, 2);
        return in_dtype(s, id, x, y, kept == LUCID_NO_DTYPE ? lucid__promoted(in, 2) : kept);
    }
    if (!float_x && !float_y)
        return of_integers(s, id, x, y);
    return float_y ? of_integer_and_float(s, id, x, y)
                   : of_integer_and_float(s, mirrored(id), y, x);
}

lucid_tensor lucid__compare(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y)
{
    const char *name = lucid__prim_get(id)->name;
    if (!lucid__check(s, name, x) || !lucid__check(s, name, y))
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor z = compare(&child, id, x, y);
    z = lucid__ok(&child) ? lucid__scope_move(&child, z) : (lucid_tensor){NULL};
    lucid__scope_leave(&child);
    return z;
}
