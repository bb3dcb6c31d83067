#include "prim/family.h"

#include "prim/number.h"

const lucid__rules *const lucid__families[LUCID__FAMILY_COUNT] = {
    [LUCID__ELEMENTWISE] = &lucid__family_elementwise,
    [LUCID__SOURCE] = &lucid__family_source,
    [LUCID__RANDOM] = &lucid__family_random,
    [LUCID__SHAPE] = &lucid__family_shape,
    [LUCID__REDUCTION] = &lucid__family_reduction,
    [LUCID__CUMULATIVE] = &lucid__family_cumulative,
    [LUCID__CONTRACTION] = &lucid__family_contraction,
    [LUCID__INDEXING] = &lucid__family_indexing,
    [LUCID__LINALG] = &lucid__family_linalg,
    [LUCID__COLLECTIVE] = &lucid__family_collective,
    [LUCID__CONTROL] = &lucid__family_control,
    [LUCID__RECORDED] = &lucid__family_recorded,
};

lucid_tensor lucid__broadcast(lucid_scope *s, lucid_tensor x, const lucid_shape *shape)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (lucid__shape_equal(&x.v->aval.shape, shape))
        return x;
    return lucid__bind1(s, LUCID__broadcast, &x, 1, shape->dim, shape->ndim);
}

lucid_tensor lucid__move_batch(lucid_scope *s, lucid_tensor x, int axis, int to)
{
    return axis < 0 || axis == to ? x : lucid_movedim(s, x, axis, to);
}

lucid_tensor lucid__batch_at(lucid_scope *s, lucid_tensor x, int axis, int to, int64_t size)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (axis >= 0)
        return lucid__move_batch(s, x, axis, to);
    if (x.v->aval.shape.ndim >= LUCID_MAX_NDIM)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "vmap: a tensor with its batch dims has more than %d dims",
                            LUCID_MAX_NDIM);
    lucid_shape full = lucid__shape_insert(&x.v->aval.shape, to, size);
    if (to == 0) /* broadcasting puts dims in front itself */
        return lucid__broadcast(s, x, &full);
    lucid_shape one = full;
    one.dim[to] = 1;
    return lucid__broadcast(s, lucid_reshape(s, x, one), &full);
}

lucid_tensor lucid__zeros(lucid_scope *s, const lucid__aval *aval)
{
    return lucid__broadcast(s, lucid__whole_number_of(s, 0, aval->dtype), &aval->shape);
}

lucid_tensor lucid__add_cotangents(lucid_scope *s, lucid_tensor a, lucid_tensor b)
{
    if (!a.v || !b.v)
        return a.v ? a : b;
    return lucid_add(s, a, b);
}
