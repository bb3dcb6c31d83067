/* The elementwise operations: promote by class, broadcast, apply. */
#include <math.h>

#include "graph/node.h"
#include "ops/builder.h"
#include "ops/comparison.h"
#include "ops/numbers.h"
#include "prim/elementwise.h"
#include "prim/family.h"
#include "transform/level.h"

/* The dtype that inputs of a class are cast to; false: the class refuses them. */
static bool class_dtype(lucid_scope *s, lucid__prim_id id, lucid_dtype promoted, lucid_dtype *dtype)
{
    const char *name = lucid__prim_get(id)->name;
    *dtype = promoted;
    switch (lucid__class_of(id)) {
    case LUCID__CLASS_FLOAT:
        if (!lucid__is_float(promoted))
            *dtype = lucid_get_default_dtype(s);
        return true;
    case LUCID__CLASS_LOGIC:
        *dtype = LUCID_BOOL;
        return true;
    case LUCID__CLASS_SIGNED:
        if (promoted == LUCID_BOOL)
            (void)lucid_fail(s, LUCID_TYPE_ERROR,
                             "%s: not possible on bool; cast to int64 or use "
                             "the logical operations",
                             name);
        return promoted != LUCID_BOOL;
    case LUCID__CLASS_BITS:
        if (lucid__is_float(promoted))
            (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: inputs must be integers or bool, not %s",
                             name, lucid_dtype_name(promoted));
        return !lucid__is_float(promoted);
    default:
        return true;
    }
}

/* Whether x and y are tensors of one dtype, and what the class wants: they need no promotion. */
static bool fits(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y)
{
    lucid_dtype dtype;
    return lucid__ok(s) && x.v && y.v && !x.v->weak && !y.v->weak &&
           x.v->aval.dtype == y.v->aval.dtype && class_dtype(s, id, x.v->aval.dtype, &dtype) &&
           dtype == x.v->aval.dtype;
}

static lucid_tensor unary(lucid_scope *s, lucid__prim_id id, lucid_tensor x)
{
    lucid_dtype dtype;
    if (fits(s, id, x, x))
        return lucid__bind1(s, id, &x, 1, NULL, 0);
    if (!lucid__check(s, lucid__prim_get(id)->name, x) ||
        !class_dtype(s, id, lucid__promoted(&x, 1), &dtype) ||
        !lucid__keep_or_cast(s, lucid__prim_get(id)->name, &x, 1, dtype))
        return (lucid_tensor){NULL};
    return lucid__bind1(s, id, &x, 1, NULL, 0);
}

static lucid_tensor binary(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_tensor y)
{
    lucid_tensor in[2] = {x, y};
    lucid_dtype dtype;
    const char *name = lucid__prim_get(id)->name;
    bool fit = fits(s, id, x, y);
    if (!fit && lucid__class_of(id) == LUCID__CLASS_TEST)
        return lucid__compare(s, id, x, y);
    if (!fit &&
        (!lucid__check_all(s, name, in, 2) || !class_dtype(s, id, lucid__promoted(in, 2), &dtype) ||
         !lucid__keep_or_cast(s, name, in, 2, dtype)))
        return (lucid_tensor){NULL};
    if (!lucid__broadcast_all(s, name, in, 2))
        return (lucid_tensor){NULL};
    return lucid__bind1(s, id, in, 2, NULL, 0);
}

#define LUCID_UNARY(name, class, doc) \
    lucid_tensor lucid_##name(lucid_scope *s, lucid_tensor x) \
    { \
        return unary(s, LUCID__##name, x); \
    }
#define LUCID_BINARY(name, class, doc) \
    lucid_tensor lucid_##name(lucid_scope *s, lucid_tensor x, lucid_tensor y) \
    { \
        return binary(s, LUCID__##name, x, y); \
    }
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY

lucid_tensor lucid_cast(lucid_scope *s, lucid_tensor x, lucid_dtype dtype)
{
    if (!lucid__check(s, "cast", x))
        return (lucid_tensor){NULL};
    if (!lucid__dtype_valid(dtype))
        return lucid__error(s, LUCID_TYPE_ERROR, "cast: %d is not a dtype", (int)dtype);
    if (x.v->weak)
        return lucid__number_as(s, "cast", x, dtype);
    if (x.v->aval.dtype == dtype)
        return x;
    int64_t to = dtype;
    return lucid__bind1(s, LUCID__cast, &x, 1, &to, 1);
}

lucid_tensor lucid_where(lucid_scope *s, lucid_tensor cond, lucid_tensor x, lucid_tensor y)
{
    lucid_tensor in[3] = {cond, x, y};
    if (!lucid__check_all(s, "where", in, 3))
        return (lucid_tensor){NULL};
    in[0] = lucid_cast(s, cond, LUCID_BOOL);
    if (!lucid__promote(s, "where", in + 1, 2) || !lucid__broadcast_all(s, "where", in, 3))
        return (lucid_tensor){NULL};
    return lucid__bind1(s, LUCID__where, in, 3, NULL, 0);
}

/* A bare whole number as exponent is part of the operation, not a value: powi multiplies instead of
 * taking logarithms, and its derivative needs none either. */
static bool whole_exponent(lucid_tensor y, int64_t *n)
{
    enum { LARGEST = 64 };
    double value;
    if (!lucid__number_value(y, &value) || value != floor(value) || fabs(value) > LARGEST)
        return false;
    *n = (int64_t)value;
    return true;
}

lucid_tensor lucid_pow(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    lucid_tensor in[2] = {x, y};
    if (!lucid__check_all(s, "pow", in, 2))
        return (lucid_tensor){NULL};
    lucid_dtype dtype = lucid__promoted(in, 2);
    if (dtype == LUCID_BOOL)
        dtype = LUCID_INT64;
    int64_t n;
    bool whole = whole_exponent(y, &n);
    if (whole && n < 0 && !lucid__is_float(dtype))
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "pow: an integer to the power %lld is not an integer; cast to float",
                            (long long)n);
    if (!lucid__keep_or_cast(s, "pow", in, whole ? 1 : 2, dtype))
        return (lucid_tensor){NULL};
    if (whole)
        return n == 1   ? lucid__unchanged(s, in[0])
               : n == 2 ? lucid_square(s, in[0])
                        : lucid__bind1(s, LUCID__powi, in, 1, &n, 1);
    if (!lucid__broadcast_all(s, "pow", in, 2))
        return (lucid_tensor){NULL};
    return lucid__bind1(s, LUCID__pow, in, 2, NULL, 0);
}

lucid_tensor lucid_polygamma(lucid_scope *s, int64_t n, lucid_tensor x)
{
    enum { LARGEST = 99 };
    if (!lucid__check(s, "polygamma", x))
        return (lucid_tensor){NULL};
    if (n < 0 || n > LARGEST)
        return lucid__error(s, LUCID_VALUE_ERROR, "polygamma: n must be from 0 to %d, not %lld",
                            (int)LARGEST, (long long)n);
    if (n == 0)
        return lucid_digamma(s, x);
    x = lucid__as_float(s, x);
    return lucid__bind1(s, LUCID__polygamma, &x, 1, &n, 1);
}
