/* Gradients without a function: the same dual and tape interpreters, at two levels that are always
 * there below all others. Entries refer backwards only, so a history nobody refers to is released. */
#include "base/dtype.h"
#include "graph/node.h"
#include "graph/tape_entry.h"
#include "prim/family.h"
#include "transform/tape.h"

/* The tape value behind a recorded tensor; NULL: not recorded, or inside a transform. */
static lucid__value *recorded(lucid_tensor x)
{
    return x.v && x.v->level == LUCID__AMBIENT_DUAL ? x.v->tangent : NULL;
}

static lucid__tape_entry *leaf_of(lucid_tensor x)
{
    lucid__value *v = recorded(x);
    return v && v->kind == LUCID__TAPE && v->entry->prim == LUCID__LEAF ? v->entry : NULL;
}

lucid_tensor lucid_requires_grad(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (x.v->level == LUCID__AMBIENT_DUAL)
        return x;
    if (x.v->level != 0)
        return lucid__error(s, LUCID_RUNTIME_ERROR,
                            "requires_grad: not possible inside a transform; use grad or vjp");
    if (!lucid__is_float(x.v->aval.dtype))
        return lucid__error(s, LUCID_TYPE_ERROR,
                            "requires_grad: the tensor is %s; only floats can be differentiated",
                            lucid_dtype_name(x.v->aval.dtype));
    if (x.v->weak)
        x = lucid_cast(s, x, lucid_dtype_of(x));
    if (!x.v)
        return x;
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor leaf = lucid__tape_leaf(&child, LUCID__AMBIENT_TAPE, &x.v->aval);
    lucid_tensor y = {NULL};
    if (leaf.v)
        y = lucid__own(s, lucid__value_new_dual(LUCID__AMBIENT_DUAL, lucid__value_retain(x.v),
                                                lucid__value_retain(leaf.v)));
    lucid__scope_leave(&child);
    return y;
}

bool lucid_is_recorded(lucid_tensor x)
{
    for (const lucid__value *v = x.v; v;
         v = v->kind == LUCID__GRAPH || v->kind == LUCID__TAPE ? NULL : v->inner)
        if (v->level == LUCID__AMBIENT_DUAL)
            return true;
    return false;
}

bool lucid_is_differentiated(lucid_tensor x)
{
    for (const lucid__value *v = x.v; v && (v->kind == LUCID__DUAL || v->kind == LUCID__BATCH);
         v = v->inner)
        if (v->kind == LUCID__DUAL && v->level != LUCID__AMBIENT_DUAL)
            return true;
    return false;
}

lucid_status lucid_backward(lucid_scope *s, lucid_tensor loss, lucid_tensor cotangent)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    if (!loss.v)
        return lucid_fail(s, LUCID_TYPE_ERROR, "backward: the loss is an empty handle");
    lucid__value *tangent = recorded(loss);
    if (!tangent)
        return lucid_fail(s, LUCID_RUNTIME_ERROR,
                          loss.v->level > LUCID__AMBIENT_DUAL
                              ? "backward: not possible inside a transform; use grad or vjp"
                              : "backward: the tensor does not come from one that requires grad");
    const lucid__aval *aval = &loss.v->aval;
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!cotangent.v && aval->shape.ndim != 0)
        return lucid_fail(s, LUCID_RUNTIME_ERROR,
                          "backward: the tensor must be a scalar, it has shape %s; give a gradient "
                          "of that shape, or reduce it (sum, mean)",
                          lucid__shape_text(&aval->shape, a, sizeof a));
    if (cotangent.v && !lucid__shape_equal(&cotangent.v->aval.shape, &aval->shape))
        return lucid_fail(s, LUCID_VALUE_ERROR, "backward: the gradient has shape %s, expected %s",
                          lucid__shape_text(&cotangent.v->aval.shape, a, sizeof a),
                          lucid__shape_text(&aval->shape, b, sizeof b));
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor ct = cotangent.v ? lucid_detach(&child, lucid_cast(&child, cotangent, aval->dtype))
                                  : lucid_ones_like(&child, (lucid_tensor){loss.v->inner});
    lucid__tape_backward(&child, (lucid_tensor){tangent}, ct);
    lucid__scope_leave(&child);
    return lucid_error(s);
}

lucid_tensor lucid_grad_of(lucid_scope *s, lucid_tensor leaf)
{
    lucid__tape_entry *e = leaf_of(leaf);
    return e && e->grad ? lucid__own(s, lucid__value_retain(e->grad)) : (lucid_tensor){NULL};
}

void lucid_set_grad(lucid_scope *s, lucid_tensor leaf, lucid_tensor grad)
{
    lucid__tape_entry *e = leaf_of(leaf);
    if (!lucid__ok(s))
        return;
    if (!e) {
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "set_grad: the tensor is not a leaf that requires "
                         "grad");
        return;
    }
    if (grad.v && !lucid__shape_equal(&grad.v->aval.shape, &e->avals[0].shape)) {
        char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "set_grad: the gradient has shape %s, expected %s",
                         lucid__shape_text(&grad.v->aval.shape, a, sizeof a),
                         lucid__shape_text(&e->avals[0].shape, b, sizeof b));
        return;
    }
    lucid__value *old = e->grad;
    e->grad = lucid__value_retain(grad.v);
    lucid__value_release(old);
}

/* The batch value x with another value inside. */
static lucid_tensor rewrapped(lucid_scope *s, lucid_tensor x, lucid_tensor inner)
{
    lucid__value *v = lucid__value_new_batch(x.v->level, lucid__value_retain(inner.v), x.v->axis);
    if (v)
        v->version = x.v->version;
    return lucid__own(s, v);
}

/* Recursion is as deep as transforms are nested. */
lucid_tensor lucid_detach(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__ok(s) || !x.v)
        return (lucid_tensor){NULL};
    if (x.v->kind == LUCID__DUAL)
        return lucid_detach(s, (lucid_tensor){x.v->inner});
    if (lucid__is_staged(s, x.v)) /* what derivatives there will be is not known */
        return lucid__bind1(s, LUCID__detach, &x, 1, NULL, 0);
    if (x.v->kind != LUCID__BATCH)
        return x;
    lucid_tensor inner = lucid_detach(s, (lucid_tensor){x.v->inner});
    if (!inner.v || inner.v == x.v->inner)
        return inner.v ? x : inner;
    return rewrapped(s, x, inner);
}

static lucid_tensor without_derivatives(lucid_scope *s, lucid_tensor x);

/* The two parts of a dual value that stays one, without the derivatives of levels further out. */
static lucid_tensor inner_without(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor inner = without_derivatives(s, (lucid_tensor){x.v->inner});
    lucid_tensor tangent = without_derivatives(s, (lucid_tensor){x.v->tangent});
    if (!inner.v || !tangent.v)
        return (lucid_tensor){NULL};
    if (inner.v == x.v->inner && tangent.v == x.v->tangent)
        return x;
    return lucid__own(s, lucid__value_new_dual(x.v->level, lucid__value_retain(inner.v),
                                               lucid__value_retain(tangent.v)));
}

/* Recursion is as deep as transforms are nested. */
static lucid_tensor without_derivatives(lucid_scope *s, lucid_tensor x)
{
    const lucid__level *level = x.v->level ? lucid__level_find(s, x.v->level) : NULL;
    bool records = level && lucid__level_records(s, level);
    if (x.v->kind == LUCID__DUAL)
        return records ? inner_without(s, x) : without_derivatives(s, (lucid_tensor){x.v->inner});
    if (x.v->kind == LUCID__TAPE)
        return records || !lucid__is_staged(s, x.v) ? x : lucid_detach(s, x);
    if (x.v->kind != LUCID__BATCH)
        return x;
    lucid_tensor inner = without_derivatives(s, (lucid_tensor){x.v->inner});
    return inner.v && inner.v != x.v->inner ? rewrapped(s, x, inner) : inner.v ? x : inner;
}

lucid_tensor lucid__unchanged(lucid_scope *s, lucid_tensor x)
{
    return s->session->no_grad == 0 || !x.v || !lucid__is_float(x.v->aval.dtype)
               ? x
               : without_derivatives(s, x);
}

void lucid_no_grad_begin(lucid_scope *s)
{
    if (s)
        s->session->no_grad++;
}

void lucid_no_grad_end(lucid_scope *s)
{
    if (s && s->session->no_grad > 0)
        s->session->no_grad--;
}
