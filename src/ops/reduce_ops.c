/* Reductions: dims, the dtype of the result, keepdim. */
#include "ops/builder.h"
#include "ops/numbers.h"
#include "prim/family.h"
#include "transform/level.h"

#define EMPTY ((lucid_tensor){NULL})

lucid_tensor lucid__keep_dims(lucid_scope *s, lucid_tensor y, const lucid_shape *shape,
                              const int64_t *dims, int n)
{
    lucid_shape kept = *shape;
    for (int i = 0; i < n; i++)
        kept.dim[dims[i]] = 1;
    return lucid_reshape(s, y, kept);
}

static lucid_tensor reduce(lucid_scope *s, lucid__prim_id id, lucid_tensor x, lucid_dims dims)
{
    const char *name = lucid__prim_get(id)->name;
    if (!x.v || !lucid__ok(s))
        return EMPTY;
    const lucid_shape shape = x.v->aval.shape;
    int64_t named[LUCID_MAX_NDIM];
    int n = lucid__dims(s, name, dims, shape.ndim, named);
    if (n < 0)
        return EMPTY;
    if (id == LUCID__amax || id == LUCID__amin)
        for (int i = 0; i < n; i++)
            if (shape.dim[named[i]] == 0)
                return lucid__error(s, LUCID_VALUE_ERROR,
                                    "%s: dim %d is empty, so it has no extreme", name,
                                    (int)named[i]);
    lucid_tensor y = n == 0 ? lucid__unchanged(s, x) : lucid__bind1(s, id, &x, 1, named, n);
    return dims.keep ? lucid__keep_dims(s, y, &shape, named, n) : y;
}

/* bool and int32 are added up in int64. */
static lucid_tensor widened(lucid_scope *s, const char *name, lucid_tensor x)
{
    if (!lucid__check(s, name, x))
        return EMPTY;
    if (!lucid__is_float(x.v->aval.dtype))
        (void)lucid__keep_or_cast(s, name, &x, 1, LUCID_INT64);
    return lucid__ok(s) ? x : EMPTY;
}

lucid_tensor lucid_sum(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    return reduce(s, LUCID__sum, widened(s, "sum", x), dims);
}

lucid_tensor lucid_prod(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    return reduce(s, LUCID__prod, widened(s, "prod", x), dims);
}

lucid_tensor lucid_amax(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    return lucid__check(s, "amax", x) ? reduce(s, LUCID__amax, x, dims) : EMPTY;
}

lucid_tensor lucid_amin(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    return lucid__check(s, "amin", x) ? reduce(s, LUCID__amin, x, dims) : EMPTY;
}

lucid_tensor lucid_any(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__check(s, "any", x))
        return EMPTY;
    return reduce(s, LUCID__any, lucid_cast(s, x, LUCID_BOOL), dims);
}

lucid_tensor lucid_all(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__check(s, "all", x))
        return EMPTY;
    return reduce(s, LUCID__all, lucid_cast(s, x, LUCID_BOOL), dims);
}
