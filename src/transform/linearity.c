#include "transform/linearity.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "graph/node.h"
#include "prim/control.h"
#include "prim/custom_call.h"
#include "prim/family.h"
#include "transform/control_rules.h"

/* ---- values --------------------------------------------------------------------------------------- */

bool lucid__is_written_zero(const lucid__value *x)
{
    if (x->kind != LUCID__GRAPH || !lucid__node_is_number(x->node))
        return false;
    const lucid__output *out = &x->node->out[0];
    const size_t size = lucid_dtype_size(out->aval.dtype);
    const char *element =
        (const char *)out->storage.buffer->data + out->storage.offset * (int64_t)size;
    const double zero = 0, minus_zero = -0.0;
    const float minus_zero_single = -0.0F;
    return memcmp(element, &zero, size) == 0 ||
           (out->aval.dtype == LUCID_FLOAT32 && memcmp(element, &minus_zero_single, size) == 0) ||
           (out->aval.dtype == LUCID_FLOAT64 && memcmp(element, &minus_zero, size) == 0);
}

lucid__form lucid__form_of(const lucid__level *tape, const lucid__value *x)
{
    return x->level == tape->id        ? LUCID__FORM_LINEAR
           : lucid__is_written_zero(x) ? LUCID__FORM_ZERO
                                       : LUCID__FORM_CONSTANT;
}

bool lucid__is_zero(lucid_scope *s, lucid_tensor x)
{
    const lucid__value *v = x.v;
    while (v->kind == LUCID__BATCH || v->kind == LUCID__DUAL)
        v = v->inner;
    if (v->kind != LUCID__GRAPH)
        return false;
    if (lucid__is_written_zero(v))
        return true;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    x.v = (lucid__value *)(uintptr_t)v;
    const lucid_tensor differs =
        lucid_any(&t, lucid_ne(&t, x, lucid__zeros(&t, &v->aval)), LUCID_ALL);
    const bool zero = !lucid_bool(&t, differs);
    lucid__scope_leave(&t);
    return zero && lucid__ok(s);
}

/* ---- operations ----------------------------------------------------------------------------------- */

static lucid__form joined(lucid__form a, lucid__form b)
{
    return a == b ? a : a == LUCID__FORM_ZERO ? b : b == LUCID__FORM_ZERO ? a : LUCID__FORM_OTHER;
}

/* What the inputs of an operation have in common. */
typedef struct mix {
    int linear;   /* how many are */
    bool other;   /* one is neither linear nor constant */
    bool jointly; /* the operation is linear in those that are, the rest being zero or held fixed */
    bool zero;    /* all that it is linear in are zero */
} mix;

static mix mix_of(const lucid__call *c, const lucid__aval *const *avals, const lucid__form *in)
{
    const lucid__rules *rules = lucid__prim_get(c->prim)->rules;
    mix m = {.jointly = true};
    bool all_zero = true, any_zero = false, linear_somewhere = false;
    for (int i = 0; i < c->nin; i++) {
        const bool by_jvp = i < 32 && (rules->linear_by_jvp >> i & 1);
        const bool linear = lucid__is_linear_in(c, i) || by_jvp;
        m.linear += in[i] == LUCID__FORM_LINEAR;
        m.other |= in[i] == LUCID__FORM_OTHER;
        m.jointly &= in[i] == LUCID__FORM_LINEAR ? linear
                     : in[i] == LUCID__FORM_CONSTANT
                         ? !linear || by_jvp || !lucid__is_float(avals[i]->dtype)
                         : true;
        all_zero &= !linear || in[i] == LUCID__FORM_ZERO;
        any_zero |= in[i] == LUCID__FORM_ZERO;
        linear_somewhere |= linear;
    }
    m.zero = rules->bilinear ? any_zero : all_zero && linear_somewhere;
    return m;
}

static lucid__form form_of_results(const lucid__call *c, const lucid__aval *const *avals,
                                   const lucid__form *in)
{
    const mix m = mix_of(c, avals, in);
    if (m.other)
        return LUCID__FORM_OTHER;
    if (m.linear == 0)
        return m.zero ? LUCID__FORM_ZERO : LUCID__FORM_CONSTANT;
    const bool product = lucid__prim_get(c->prim)->rules->bilinear && m.linear == 1;
    return product || m.jointly ? LUCID__FORM_LINEAR : LUCID__FORM_OTHER;
}

/* ---- bodies --------------------------------------------------------------------------------------- */

static bool body_forms(lucid_scope *s, const int64_t *words, const lucid__form *in,
                       lucid__form *out);

/* The call of a function with rules of its own runs the function. */
static bool custom_forms(lucid_scope *s, const lucid__call *c, const lucid__form *in,
                         lucid__form *out)
{
    lucid__custom_part f;
    (void)lucid__custom_part_at(lucid__custom_read(c->params).bodies, &f);
    lucid__form *read = lucid_alloc(s, ((size_t)f.nin + 1) * sizeof *read);
    for (int i = 0; read && i < f.nin; i++)
        read[i] = in[f.from[i] < f.nargs ? f.from[i] : f.from[i] - f.nargs];
    return read && body_forms(s, f.words, read, out);
}

static bool op_forms(lucid_scope *s, const lucid__body *body, const lucid__body_op *op,
                     lucid__form *form)
{
    const lucid__call c = {
        .prim = op->prim, .nin = op->nin, .nparams = op->nparams, .params = op->params};
    lucid__form *in = lucid_alloc(s, ((size_t)op->nin + 1) * sizeof *in),
                *out = form + op->first_out;
    const lucid__aval **avals = lucid_alloc(s, ((size_t)op->nin + 1) * sizeof(*avals));
    if (!in || !avals)
        return false;
    for (int i = 0; i < op->nin; i++) {
        in[i] = form[op->in[i]];
        avals[i] = &body->avals[op->in[i]];
    }
    const lucid__family family = lucid__prim_get(op->prim)->family;
    if (family == LUCID__CONTROL)
        return lucid__control_forms(s, &c, in, out);
    if (op->prim == LUCID__custom)
        return custom_forms(s, &c, in, out);
    const lucid__form results = form_of_results(&c, avals, in);
    const bool first_only = lucid__prim_get(op->prim)->rules->linear_by_jvp != 0;
    for (int k = 0; k < op->nout; k++)
        out[k] =
            k > 0 && first_only && results != LUCID__FORM_OTHER ? LUCID__FORM_CONSTANT : results;
    return true;
}

/* Recursion is as deep as loops are nested. */
static bool body_forms(lucid_scope *s, const int64_t *words, const lucid__form *in,
                       lucid__form *out)
{
    lucid__body body;
    lucid__form *form = NULL;
    if (lucid__body_read(s, words, &body))
        form = lucid_alloc(s, ((size_t)body.nvalues + 1) * sizeof *form);
    if (!form)
        return false;
    if (body.nin > 0)
        memcpy(form, in, (size_t)body.nin * sizeof *form);
    const int64_t *at = body.ops;
    for (int i = 0, v = body.nin; i < body.nops; i++) {
        lucid__body_op op;
        at = lucid__body_op_at(at, &v, &op);
        if (!op_forms(s, &body, &op, form))
            return false;
    }
    for (int k = 0; k < body.nout; k++)
        out[k] = form[body.out[k]];
    return true;
}

/* Joins what one pass through a body adds to the outputs. */
static bool pass(lucid_scope *s, const lucid__call *c, const lucid__control *ctl, int b,
                 const lucid__control_body *body, const lucid__form *frame, lucid__form *out)
{
    const bool condition = c->prim == LUCID__while && b == 0;
    const size_t room = (size_t)(body->nin + ctl->nout) + 1;
    lucid__form *in = lucid_alloc(s, 2 * room * sizeof *in), *results = in ? in + room : NULL;
    if (!in)
        return false;
    for (int i = 0; i < body->nin; i++)
        in[i] = frame[body->from[i]];
    if (!body_forms(s, body->words, in, results))
        return false;
    for (int k = 0; k < ctl->nout; k++)
        if (!condition)
            out[k] = joined(out[k], results[k]);
        else if (results[0] >= LUCID__FORM_LINEAR) /* how often depends on the tape */
            out[k] = LUCID__FORM_OTHER;
    return true;
}

static bool follow(lucid_scope *s, const lucid__call *c, lucid__form *frame, lucid__form *out)
{
    const lucid__control ctl = lucid__control_read(c);
    for (bool changed = true; changed;) {
        changed = false;
        const int64_t *at = ctl.bodies;
        for (int b = 0; b < ctl.nbodies; b++) {
            lucid__control_body body;
            at = lucid__control_body_at(at, &body);
            if (!pass(s, c, &ctl, b, &body, frame, out))
                return false;
        }
        for (int k = 0; k < ctl.ncarry; k++) { /* a carry goes round */
            lucid__form *carry = &frame[ctl.nconsts + k], both = joined(*carry, out[k]);
            changed |= both != *carry;
            out[k] = *carry = both;
        }
    }
    return true;
}

bool lucid__control_forms(lucid_scope *s, const lucid__call *c, const lucid__form *in,
                          lucid__form *out)
{
    const int first = c->prim == LUCID__cond, nout = lucid__outputs_of(c->prim, c->params);
    const bool asks = first && in[0] >= LUCID__FORM_LINEAR; /* which branch depends on the tape */
    for (int k = 0; k < nout; k++)
        out[k] = asks ? LUCID__FORM_OTHER : LUCID__FORM_ZERO;
    if (asks)
        return true;
    lucid_scope t;
    lucid__scope_enter(&t, s);
    const size_t nframe = (size_t)(c->nin - first);
    lucid__form *frame = lucid_alloc(&t, (nframe + 1) * sizeof *frame);
    if (frame && nframe > 0)
        memcpy(frame, in + first, nframe * sizeof *frame);
    const bool ok = frame && follow(&t, c, frame, out);
    lucid__scope_leave(&t);
    return ok;
}

/* ---- on a tape ------------------------------------------------------------------------------------ */

/* A point at which a linear function is its own derivative, and the direction. */
static void at_zero(lucid_scope *s, const lucid__level *tape, const lucid__call *c, lucid_tensor *x,
                    lucid_tensor *dx)
{
    for (int i = 0; i < c->nin; i++) {
        const bool linear = c->in[i].v->level == tape->id;
        x[i] = linear ? lucid__zeros(s, &c->in[i].v->aval) : c->in[i];
        dx[i] = linear ? c->in[i] : (lucid_tensor){NULL};
    }
}

void lucid__refuse_on_tape(lucid_scope *s, const char *reason)
{
    (void)lucid_fail(
        s, LUCID_RUNTIME_ERROR,
        "custom_vjp: forward mode (jvp, jacfwd, hessian, ...) transposes bwd, which must "
        "be seen to be linear in the cotangents for that, and is not: %s; give the "
        "function a custom_jvp rule instead, or use reverse mode",
        reason);
}

void lucid__refuse_op_on_tape(lucid_scope *s, const lucid__level *tape, lucid__prim_id prim)
{
    const char *name = lucid__prim_get(prim)->name;
    char reason[96];
    if (tape->of_pullback) {
        (void)snprintf(reason, sizeof reason, "it calls %s, which is not", name);
        lucid__refuse_on_tape(s, reason);
    } else {
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "%s: a derivative rule used it on a tangent, in which it is not linear",
                         name);
    }
}

bool lucid__linear_by_jvp(lucid_scope *s, const lucid__level *tape, const lucid__call *c,
                          lucid_tensor *out)
{
    const lucid__rules *rules = lucid__prim_get(c->prim)->rules;
    for (int i = 0; i < c->nin; i++)
        if (c->in[i].v->level == tape->id && !(i < 32 && (rules->linear_by_jvp >> i & 1)))
            return false;
    const int nout = lucid__outputs_of(c->prim, c->params);
    const size_t nin = (size_t)c->nin + 1;
    lucid_tensor *x = lucid_alloc(s, 2 * nin * sizeof *x), dy[LUCID__MAX_OUTPUTS] = {{NULL}};
    if (!x || nout > LUCID__MAX_OUTPUTS)
        return true;
    lucid_tensor *dx = x + nin;
    at_zero(s, tape, c, x, dx);
    lucid__call primal = *c;
    primal.in = x;
    lucid__bind(s, &primal, out);
    if (lucid__ok(s))
        rules->jvp(s, &primal, out, dx, dy);
    out[0] = dy[0];
    return true;
}

void lucid__control_on_tape(lucid_scope *s, const lucid__level *tape, const lucid__call *c,
                            lucid_tensor *out)
{
    const int nout = lucid__outputs_of(c->prim, c->params);
    const size_t nin = (size_t)c->nin + 1, room = (size_t)nout + 1;
    lucid__form *form = lucid_alloc(s, (nin + room) * sizeof *form);
    lucid_tensor *x = lucid_alloc(s, 2 * nin * sizeof *x);
    lucid_tensor *dy = lucid_alloc(s, room * sizeof *dy);
    if (!form || !x || !dy)
        return;
    lucid__form *results = form + nin;
    lucid_tensor *dx = x + nin;
    for (int i = 0; i < c->nin; i++)
        form[i] = lucid__form_of(tape, c->in[i].v);
    at_zero(s, tape, c, x, dx);
    if (!lucid__control_forms(s, c, form, results))
        return;
    for (int k = 0; k < nout; k++)
        if (results[k] == LUCID__FORM_OTHER) {
            lucid__refuse_op_on_tape(s, tape, c->prim);
            return;
        }
    lucid__call primal = *c;
    primal.in = x;
    lucid__control_joint(s, &primal, dx, out, dy);
    for (int k = 0; k < nout && lucid__ok(s); k++)
        if (results[k] == LUCID__FORM_LINEAR)
            out[k] = dy[k].v ? dy[k] : lucid__zeros(s, &out[k].v->aval);
}
