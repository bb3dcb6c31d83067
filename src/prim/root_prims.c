/* What norms and standard deviations are made of.
 *
 * A norm n = sqrt(q) has no derivative where q is 0, and the one chosen there is 0. But smooth functions of n
 * may be smooth in what n is the norm of: n^2, or cos n. The first derivative of f(n) is f'(n) / n times half
 * that of q, where f'(0) = 0 and f'(n) / n tends to f''(0). So where a derivative is differentiated once more,
 * n is computed as if it were a tiny number instead of 0: then the quotient is its limit but for rounding, and
 * first derivatives, a multiple of that of q, which is 0 there, stay 0. Values that nothing differentiates
 * twice keep their 0.
 *
 *     root                 sqrt, with the derivative above
 *     nudge                x; where it is differentiated, off_zero(x)
 *     off_zero             x, but a tiny number for 0
 *     reciprocal_or_zero   1 / x, but 0 for 0
 *     binade               the power of two at or below |x|
 *
 * root gives a level of derivatives nudge(sqrt(q)): the level below, if q is differentiated there, too, is
 * what sees off_zero. It may come later, when a body that was recorded is differentiated.
 *
 * What compares, rounds or divides by such a number asks for the norm itself (lucid__zeros_back), so that
 * where(n == 0, ...) takes the branch it takes elsewhere, and x / n has no derivative. */
#include "base/dtype.h"
#include "graph/node.h"
#include "graph/tape_entry.h"
#include "prim/family.h"
#include "prim/number.h"

static const lucid__sample positive_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "positive", {2, {3, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "positive", {1, {5}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "positive", {0, {0}}}}, {0}},
    {1, 0, {{LUCID_FLOAT64, "positive", {2, {0, 2}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

static void root_joint(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                       lucid_tensor *y, lucid_tensor *dy)
{
    lucid_tensor root = lucid__bind1(s, LUCID__root, c->in, 1, NULL, 0);
    y[0] = lucid__bind1(s, LUCID__nudge, &root, 1, NULL, 0);
    lucid_tensor slope = lucid__bind1(s, LUCID__reciprocal_or_zero, y, 1, NULL, 0);
    if (!lucid__ok(s))
        return;
    lucid_tensor half = lucid__number_of(s, 0.5, slope.v->aval.dtype);
    dy[0] = lucid_mul(s, dx[0], lucid_mul(s, half, slope));
}
const lucid__rules lucid__rules_root = {.joint = root_joint,
                                        .samples = positive_samples,
                                        .doc = "Square root whose derivative at 0 is 0."};

static void nudge_joint(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                        lucid_tensor *y, lucid_tensor *dy)
{
    y[0] = lucid__bind1(s, LUCID__off_zero, c->in, 1, NULL, 0);
    dy[0] = dx[0];
}
const lucid__rules lucid__rules_nudge = {
    .joint = nudge_joint,
    .samples = positive_samples,
    .doc = "The value itself; where it is differentiated, a tiny number for 0."};

static void off_zero_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                         const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)s, (void)c, (void)y;
    dy[0] = dx[0];
}
const lucid__rules lucid__rules_off_zero = {
    .jvp = off_zero_jvp, .samples = positive_samples, .doc = "The value, a tiny number for 0."};

static lucid_tensor reciprocal_or_zero_partial(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                                               int i)
{
    (void)c, (void)i;
    return lucid_neg(s, lucid_square(s, y));
}
const lucid__rules lucid__rules_reciprocal_or_zero = {
    .partial = reciprocal_or_zero_partial,
    .samples = positive_samples,
    .doc = "1 / x, and 0 for 0, where its derivative is 0, too."};

const lucid__rules lucid__rules_binade = {
    .zero_derivative = true,
    .samples = positive_samples,
    .doc = "The power of two at or below |x|, within bounds; 1 for 0, infinities and NaN."};

/* ---- asking for the norm itself --------------------------------------------------------------------- */

/* What has steps or no value at 0: there a tiny number would choose another side, or give a quotient that
 * does not exist. Bit i: in input i. */
static unsigned inputs_that_mind(const lucid__call *c)
{
    switch (c->prim) {
    case LUCID__div:
        return 2;
    case LUCID__cast:
        return lucid__is_float((lucid_dtype)c->params[0]) ? 0 : 1;
    case LUCID__powi:
        return c->params[0] < 0;
    case LUCID__reciprocal:
    case LUCID__rsqrt:
    case LUCID__log:
    case LUCID__log2:
    case LUCID__log10:
    case LUCID__binade:
        return 1;
    default: {
        const lucid__prim *prim = lucid__prim_get(c->prim);
        return prim->family == LUCID__ELEMENTWISE && prim->rules->zero_derivative ? 3 : 0;
    }
    }
}

enum { STEPS = 4 }; /* back through views and factors */

static bool is_view(lucid__prim_id prim)
{
    return prim == LUCID__reshape || prim == LUCID__broadcast || prim == LUCID__permute ||
           prim == LUCID__slice;
}

static bool passes_on(lucid__prim_id prim)
{
    return is_view(prim) || prim == LUCID__mul;
}

static bool node_leads_back(const lucid__node *node, int steps)
{
    if (lucid__node_is_ready(node))
        return false;
    if (node->prim == LUCID__off_zero)
        return true;
    bool leads = false;
    for (int i = 0; steps > 0 && passes_on((lucid__prim_id)node->prim) && i < node->nin; i++)
        leads |= node_leads_back(node->in[i].node, steps - 1);
    return leads;
}

/* Whether v was made from a result of off_zero: by pending nodes, or by recorded operations. */
static bool leads_back(const lucid__value *v, int steps)
{
    if (v->kind == LUCID__GRAPH)
        return node_leads_back(v->node, steps);
    if (v->kind != LUCID__TAPE || v->entry->prim >= LUCID__PRIM_COUNT)
        return false;
    if (v->entry->prim == LUCID__off_zero)
        return true;
    bool leads = false;
    for (int i = 0; steps > 0 && passes_on((lucid__prim_id)v->entry->prim) && i < v->entry->nin;
         i++)
        leads |= leads_back(v->entry->in[i], steps - 1);
    return leads;
}

static lucid_tensor made_from(lucid_scope *s, const lucid__value *v, int i)
{
    if (v->kind != LUCID__GRAPH)
        return lucid__own(s, lucid__value_retain(v->entry->in[i]));
    lucid__edge from = v->node->in[i];
    return lucid__own(s, lucid__value_new_graph(lucid__node_retain(from.node), from.out));
}

/* v, which leads back to a result of off_zero, with the zeros that it replaced. */
static lucid_tensor zeros_back(lucid_scope *s, const lucid__value *v, int steps)
{
    bool graph = v->kind == LUCID__GRAPH;
    lucid__prim_id prim = (lucid__prim_id)(graph ? v->node->prim : v->entry->prim);
    if (prim == LUCID__off_zero)
        return made_from(s, v, 0);
    lucid_tensor in[2];
    int nin = is_view(prim) ? 1 : 2;
    for (int i = 0; i < nin; i++) {
        in[i] = made_from(s, v, i);
        if (!in[i].v)
            return in[i];
        if (leads_back(in[i].v, steps - 1))
            in[i] = zeros_back(s, in[i].v, steps - 1);
    }
    return graph ? lucid__bind1(s, prim, in, nin, v->node->params, v->node->nparams)
                 : lucid__bind1(s, prim, in, nin, v->entry->params, v->entry->nparams);
}

bool lucid__minds_zero(const lucid__call *c)
{
    unsigned which = inputs_that_mind(c);
    for (int i = 0; which && i < c->nin && i < 2; i++)
        if (which >> i & 1 && leads_back(c->in[i].v, STEPS))
            return true;
    return false;
}

void lucid__zeros_back(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    unsigned which = inputs_that_mind(c);
    lucid_tensor in[2] = {c->in[0], {NULL}};
    for (int i = 0; i < c->nin; i++) {
        in[i] = c->in[i];
        if (which >> i & 1 && leads_back(in[i].v, STEPS))
            in[i] = zeros_back(&child, in[i].v, STEPS);
    }
    lucid__call exact = *c;
    exact.in = in;
    lucid__bind(&child, &exact, out);
    out[0] = lucid__ok(s) ? lucid__scope_move(&child, out[0]) : (lucid_tensor){NULL};
    lucid__scope_leave(&child);
}
