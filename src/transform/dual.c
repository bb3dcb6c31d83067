/* The dual interpreter: carries a tangent beside each value. A tangent that is zero is absent. */
#include "base/dtype.h"
#include "prim/family.h"
#include "transform/level.h"

enum { FEW = 8 };

/* Whether every input that has a tangent is one that the primitive is jointly linear in. */
static bool linear_here(const lucid__call *c, const lucid_tensor *dx)
{
    for (int i = 0; i < c->nin; i++)
        if (dx[i].v && !lucid__is_linear_in(c, i))
            return false;
    return true;
}

/* The derivative of a linear map is the map itself. */
static void push_linear(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                        lucid_tensor *dy)
{
    lucid_tensor few[FEW];
    lucid_tensor *in = c->nin <= FEW ? few : lucid_alloc(s, (size_t)c->nin * sizeof *in);
    if (!in)
        return;
    for (int i = 0; i < c->nin; i++)
        in[i] = !lucid__is_linear_in(c, i) ? c->in[i]
                : dx[i].v                  ? dx[i]
                                           : lucid__zeros(s, &c->in[i].v->aval);
    lucid__call tangent = *c;
    tangent.in = in;
    lucid__bind(s, &tangent, dy);
}

/* d(x y) = dx y + x dy for any bilinear product. */
static void push_bilinear(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                          lucid_tensor *dy)
{
    for (int i = 0; i < 2; i++) {
        if (!dx[i].v)
            continue;
        lucid_tensor in[2] = {c->in[0], c->in[1]};
        in[i] = dx[i];
        lucid_tensor term = lucid__bind1(s, c->prim, in, 2, c->params, c->nparams);
        dy[0] = lucid__add_cotangents(s, dy[0], term);
    }
}

static void push_partials(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                          const lucid_tensor *dx, lucid_tensor *dy)
{
    for (int i = 0; i < c->nin && lucid__ok(s); i++) {
        if (!dx[i].v)
            continue;
        lucid_tensor partial = lucid__prim_get(c->prim)->rules->partial(s, c, y, i);
        if (partial.v)
            dy[0] = lucid__add_cotangents(s, dy[0], lucid_mul(s, dx[i], partial));
    }
}

/* The derivative of a piecewise constant function on the tape of lucid_backward, which gives zeros to the leaves
 * that it finds there. */
static void record_zeros(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                         const lucid_tensor *dx, lucid_tensor *dy)
{
    if (!lucid__is_float(y.v->aval.dtype))
        return;
    for (int i = 0; i < c->nin; i++)
        if (dx[i].v)
            dy[0] = lucid__add_cotangents(s, dy[0],
                                          lucid_where(s, lucid_scalar_bool(s, false), dx[i],
                                                      lucid__zeros(s, &dx[i].v->aval)));
}

static void push_tangents(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                          const lucid_tensor *y, const lucid_tensor *dx, lucid_tensor *dy)
{
    const lucid__prim *prim = lucid__prim_get(c->prim);
    const lucid__rules *rules = prim->rules;
    if (rules->zero_derivative) {
        if (level->id == LUCID__AMBIENT_DUAL && prim->family == LUCID__ELEMENTWISE)
            record_zeros(s, c, y[0], dx, dy);
        return;
    }
    if (rules->jvp)
        rules->jvp(s, c, y, dx, dy);
    else if (linear_here(c, dx))
        push_linear(s, c, dx, dy);
    else if (rules->bilinear)
        push_bilinear(s, c, dx, dy);
    else if (rules->partial)
        push_partials(s, c, y[0], dx, dy);
    else
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR, "%s cannot be differentiated: %s", prim->name,
                         rules->why_not ? rules->why_not : "it has no derivative rule");
}

void lucid__dual_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                       lucid_tensor *out)
{
    lucid_tensor few[2 * FEW];
    lucid_tensor *in = c->nin <= FEW ? few : lucid_alloc(s, 2 * (size_t)c->nin * sizeof *in);
    if (!in)
        return;
    lucid_tensor *dx = in + c->nin;
    bool any = false;
    bool recording = lucid__level_records(s, level);
    for (int i = 0; i < c->nin; i++) {
        lucid__value *v = c->in[i].v;
        bool dual = v->level == level->id;
        in[i].v = dual ? v->inner : v;
        dx[i].v = dual && recording ? v->tangent : NULL;
        any |= dx[i].v != NULL;
    }
    lucid__call primal = *c;
    primal.in = in;
    const lucid__rules *rules = lucid__prim_get(c->prim)->rules;
    bool joint = any && rules->joint && !linear_here(&primal, dx);
    if (!joint)
        lucid__bind(s, &primal, out);
    if (!any || !lucid__ok(s))
        return;
    int nout = lucid__outputs_of(c->prim, c->params);
    bool differentiable = joint;
    for (int k = 0; k < nout && !joint; k++)
        differentiable |= lucid__is_float(out[k].v->aval.dtype);
    if (!differentiable)
        return;
    lucid_tensor few_dy[LUCID__MAX_OUTPUTS] = {{NULL}}, *dy = few_dy;
    if (nout > LUCID__MAX_OUTPUTS && !(dy = lucid_alloc(s, (size_t)nout * sizeof *dy)))
        return;
    if (joint)
        rules->joint(s, &primal, dx, out, dy);
    else
        push_tangents(s, level, &primal, out, dx, dy);
    for (int k = 0; k < nout && lucid__ok(s); k++)
        if (dy[k].v && lucid__is_float(out[k].v->aval.dtype))
            out[k] = lucid__own(s, lucid__value_new_dual(level->id, lucid__scope_take(s, out[k]),
                                                         lucid__scope_take(s, dy[k])));
}
