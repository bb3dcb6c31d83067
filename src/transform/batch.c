/* The batch interpreter: takes the batch out of the values, applies the primitive's batch rule one
 * level down, and wraps what comes out. */
#include "transform/level.h"
#include "transform/split.h"

/* Takes over the reference. */
static lucid_tensor wrap(lucid_scope *s, const lucid__level *level, lucid__value *inner, int axis)
{
    lucid__value *v = lucid__value_new_batch(level->id, inner, axis);
    if (v)
        v->version = level->split ? level->split->version : 0;
    return lucid__own(s, v);
}

lucid_tensor lucid__level_wrap(lucid_scope *s, const lucid__level *level, lucid_tensor inner,
                               int axis)
{
    return inner.v ? wrap(s, level, lucid__value_retain(inner.v), axis) : inner;
}

void lucid__batch_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                        lucid_tensor *out)
{
    enum { FEW = 8 };
    lucid_tensor few_in[FEW];
    int few_axes[FEW];
    bool few = c->nin <= FEW;
    lucid_tensor *in = few ? few_in : lucid_alloc(s, (size_t)c->nin * sizeof *in);
    int *axis = few ? few_axes : lucid_alloc(s, (size_t)c->nin * sizeof *axis);
    if (!in || !axis)
        return;
    for (int i = 0; i < c->nin; i++) {
        lucid__value *v = c->in[i].v;
        bool batched = v->level == level->id;
        if (batched)
            lucid__split_catch_up(s, level, v);
        in[i] = batched ? (lucid_tensor){v->inner} : c->in[i];
        axis[i] = batched ? v->axis : -1;
        if (batched && v->inner->aval.shape.ndim >= LUCID_MAX_NDIM) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "%s: a tensor with its batch dims has more than %d dims",
                             lucid__prim_get(c->prim)->name, LUCID_MAX_NDIM);
            return;
        }
    }
    const lucid__prim *prim = lucid__prim_get(c->prim);
    lucid__batch_rule *rule = lucid__batch_of(c->prim);
    if (!rule) {
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR, "vmap of %s is not possible: %s", prim->name,
                         prim->rules->why_not ? prim->rules->why_not : "it has no batch rule");
        return;
    }
    int nout = lucid__outputs_of(c->prim, c->params);
    lucid_tensor few_out[LUCID__MAX_OUTPUTS] = {{NULL}}, *inner = few_out;
    int few_out_axes[LUCID__MAX_OUTPUTS] = {0}, *out_axis = few_out_axes;
    if (nout > LUCID__MAX_OUTPUTS) {
        inner = lucid_alloc(s, (size_t)nout * sizeof *inner);
        out_axis = lucid_alloc(s, (size_t)nout * sizeof *out_axis);
        if (!inner || !out_axis)
            return;
    }
    lucid__call inner_call = *c;
    inner_call.in = in;
    const uint64_t lifts = lucid__hold_lifts(s, level); /* what is inside has been lifted */
    rule(s, &inner_call, axis, level->size, inner, out_axis);
    s->session->lifts_below = lifts;
    for (int k = 0; k < nout && lucid__ok(s); k++)
        out[k] = out_axis[k] < 0 || !inner[k].v
                     ? inner[k]
                     : wrap(s, level, lucid__scope_take(s, inner[k]), out_axis[k]);
}
