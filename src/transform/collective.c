/* Collectives at the level of the vmap whose lanes they join, where they are ordinary operations on the
 * batch dim. */
#include <math.h>

#include "base/dtype.h"
#include "prim/family.h"
#include "transform/split.h"

/* Largest or smallest of nothing: only the shape of an empty batch's result is ever seen. */
static lucid_tensor extreme_of_none(lucid_scope *s, const lucid__aval *aval, bool max)
{
    lucid_tensor x =
        lucid__is_float(aval->dtype) ? lucid_scalar(s, max ? -(double)INFINITY : (double)INFINITY)
        : aval->dtype == LUCID_BOOL  ? lucid_scalar_bool(s, !max)
        : aval->dtype == LUCID_INT32 ? lucid_scalar_int(s, max ? INT32_MIN : INT32_MAX)
                                     : lucid_scalar_int(s, max ? INT64_MIN : INT64_MAX);
    return lucid__broadcast(s, lucid_cast(s, x, aval->dtype), &aval->shape);
}

static lucid_tensor fold(lucid_scope *s, lucid__prim_id prim, lucid_tensor x, int axis)
{
    int64_t dim = axis;
    return lucid__bind1(s, prim, &x, 1, &dim, 1);
}

/* Of inner, which has the lanes at dim `axis` (-1: it is the same in all). The lanes of all_gather and
 * reduce_scatter come out as dim 0. */
static lucid_tensor joined(lucid_scope *s, const lucid__call *c, lucid_tensor inner, int axis,
                           const lucid__aval *aval)
{
    int64_t lanes = c->params[1];
    bool max = c->prim == LUCID__pmax;
    switch (c->prim) {
    case LUCID__pmax:
    case LUCID__pmin:
        if (lanes == 0)
            return extreme_of_none(s, aval, max);
        return axis < 0 ? inner : fold(s, max ? LUCID__amax : LUCID__amin, inner, axis);
    case LUCID__all_gather:
        return lucid__batch_at(s, inner, axis, 0, lanes);
    default:
        if (axis >= 0)
            return fold(s, LUCID__sum, inner, axis);
        return lucid_mul(s, inner, lucid_cast(s, lucid_scalar_int(s, lanes), aval->dtype));
    }
}

/* The part of each lane that is here. */
static lucid_tensor scattered(lucid_scope *s, const lucid__level *level, lucid_tensor x)
{
    if (level->lane_ids)
        x = lucid_take(
            s, x, lucid_from_data(s, level->lane_ids, LUCID_INT64, (lucid_shape){1, {level->size}}),
            0);
    else if (level->size != level->lanes)
        x = lucid_slice(s, x, 0, level->first, level->first + level->size, 1);
    return lucid__level_wrap(s, level, x, 0);
}

/* Fails with the reason why the lanes of the level are not together. */
static bool all_together(lucid_scope *s, const lucid__level *level, const char *op, bool batched)
{
    const char *name = level->name ? level->name : "";
    if (level->kind == LUCID__LEVEL_LANE)
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "%s over axis \"%s\" needs all lanes, but the vmap runs them one by one "
                         "(%s); use %s",
                         op, name,
                         lucid__wording(s, "LUCID_STRATEGY_ISOLATED", "strategy=\"isolated\""),
                         lucid__wording(s, "LUCID_STRATEGY_VECTORIZED", "strategy=\"vectorized\""));
    else if ((level->split && level->split->version > 0) || lucid__split_is_taken(s, level->id))
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "%s over axis \"%s\" needs all lanes, but they have parted (the function "
                         "asked a batched value for one answer): call it before they do, or use "
                         "%s instead of if",
                         op, name, lucid__wording(s, "lucid_where()", "where()"));
    else if (batched && level->size != level->lanes)
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "%s over axis \"%s\" needs all %lld lanes, but chunk_size runs %lld at a "
                         "time; leave chunk_size out",
                         op, name, (long long)level->lanes, (long long)level->size);
    return lucid__ok(s);
}

void lucid__collective_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                             lucid_tensor *out)
{
    lucid__value *v = c->in[0].v;
    bool batched = v->level == level->id;
    lucid_tensor y;
    if (c->prim == LUCID__lanes_out || c->prim == LUCID__lanes_in) {
        lucid__lanes_apply(s, level, c, out);
        return;
    }
    /* Within another split, every run of that one makes it anew. */
    const bool records = lucid__split_level(s) == level;
    if (!records || !lucid__split_recall(level->split, &y)) {
        if (!all_together(s, level, lucid__prim_get(c->prim)->name, batched))
            return;
        lucid_tensor inner = batched ? (lucid_tensor){v->inner} : c->in[0];
        if (inner.v->aval.shape.ndim + !batched > LUCID_MAX_NDIM) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: more than %d dims",
                             lucid__prim_get(c->prim)->name, LUCID_MAX_NDIM);
            return;
        }
        y = joined(s, c, inner, batched ? v->axis : -1, &v->aval);
        if (records && y.v && !lucid__split_record(level->split, y))
            return;
    }
    out[0] = c->prim == LUCID__reduce_scatter ? scattered(s, level, y) : y;
}
