/* nonzero, masked_select: the shape of the result depends on values, so they are computed first. */
#include "base/memory.h"
#include "ops/indexing.h"
#include "prim/family.h"
#include "transform/concrete.h"

static bool is_set(const void *data, lucid_dtype dtype, int64_t at)
{
    switch (dtype) {
    case LUCID_BOOL:
        return ((const uint8_t *)data)[at] != 0;
    case LUCID_INT32:
        return ((const int32_t *)data)[at] != 0;
    case LUCID_INT64:
        return ((const int64_t *)data)[at] != 0;
    case LUCID_FLOAT32:
        return ((const float *)data)[at] != 0;
    default:
        return ((const double *)data)[at] != 0;
    }
}

/* The row-major positions of what is not zero, int64 (count). */
static lucid_tensor positions(lucid_scope *s, const char *name, lucid_tensor x)
{
    lucid_tensor values = lucid__concrete(s, lucid__yes_or_no(s, x), name);
    const void *data = lucid_data(s, values);
    if (!data || !lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid_dtype dtype = values.v->aval.dtype;
    int64_t n = lucid__numel(&values.v->aval.shape), count = 0;
    for (int64_t i = 0; i < n; i++)
        count += is_set(data, dtype, i);
    int64_t *at = lucid_alloc(s, ((size_t)count + 1) * sizeof *at);
    if (!at)
        return (lucid_tensor){NULL};
    for (int64_t i = 0, k = 0; i < n; i++)
        if (is_set(data, dtype, i))
            at[k++] = i;
    return lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(count));
}

/* ---- nonzero ------------------------------------------------------------------------------- */

static lucid_tensor nonzero(lucid_scope *s, lucid_tensor x)
{
    const lucid_shape *shape = &x.v->aval.shape;
    lucid_tensor flat = positions(s, "nonzero", x);
    if (!flat.v)
        return flat;
    if (shape->ndim == 0) /* a position of no coordinates */
        return lucid__zeros(s, &(lucid__aval){LUCID_INT64, LUCID_SHAPE(lucid_numel(flat), 0)});
    lucid_tensor column[LUCID_MAX_NDIM];
    for (int d = shape->ndim; d-- > 0;) {
        lucid_tensor size = lucid_scalar_int(s, shape->dim[d]);
        column[d] = lucid_remainder(s, flat, size);
        flat = lucid_floor_divide(s, flat, size);
    }
    return lucid_stack(s, column, (size_t)shape->ndim, 1);
}

lucid_tensor lucid_nonzero(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__check(s, "nonzero", x))
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, nonzero(&child, x));
}

/* ---- masked_select ------------------------------------------------------------------------- */

/* The mask chooses positions once and for all; what stands there is read by ordinary indexing, which
 * has derivatives. */
static lucid_tensor masked_select(lucid_scope *s, lucid_tensor x, lucid_tensor mask)
{
    lucid_tensor both[2] = {x, mask};
    if (!lucid__broadcast_all(s, "masked_select", both, 2))
        return (lucid_tensor){NULL};
    lucid_tensor at = positions(s, "masked_select", both[1]);
    lucid_tensor flat = lucid_reshape(s, both[0], LUCID_SHAPE(lucid_numel(both[0])));
    return lucid_index(s, flat, &at, 1);
}

lucid_tensor lucid_masked_select(lucid_scope *s, lucid_tensor x, lucid_tensor mask)
{
    if (!lucid__check(s, "masked_select", x) || !lucid__check(s, "masked_select", mask))
        return (lucid_tensor){NULL};
    if (mask.v->aval.dtype != LUCID_BOOL)
        return lucid__error(s, LUCID_TYPE_ERROR, "masked_select: the mask is %s, expected bool",
                            lucid_dtype_name(mask.v->aval.dtype));
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, masked_select(&child, x, mask));
}
