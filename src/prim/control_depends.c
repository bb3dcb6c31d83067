/* What depends on what through control flow, output by output: of a loop that carries a value and its
 * tangent, the value does not depend on the tangent, however deep inside other loops the two go together. */
#include <string.h>

#include "base/dtype.h"
#include "prim/control.h"

/* A body, and which of its values depend on what is marked. */
typedef struct part {
    lucid__body body;
    bool *depends;
} part;

/* Outputs of an operation inside, whose inputs are values of the body. */
static bool pass_control(lucid_scope *s, const lucid__body_op *op, bool floats, bool *depends)
{
    const lucid__call c = {.prim = op->prim, .nin = op->nin, .params = op->params};
    const lucid__control ctl = lucid__control_read(&c);
    const int first = op->prim == LUCID__cond, nframe = op->nin - first;
    lucid__control_body *bodies = lucid_alloc(s, ((size_t)ctl.nbodies + 1) * sizeof *bodies);
    bool *frame = lucid_alloc(s, (size_t)nframe + 1);
    if (!bodies || !frame)
        return false;
    const int64_t *at = ctl.bodies;
    for (int b = 0; b < ctl.nbodies; b++)
        at = lucid__control_body_at(at, &bodies[b]);
    for (int i = 0; i < nframe; i++)
        frame[i] = depends[op->in[first + i]];
    bool *out = depends + op->first_out;
    for (int k = 0; k < ctl.nout; k++)
        out[k] = first && !floats && depends[op->in[0]];
    const lucid__flow f = {op->prim, ctl.nconsts, ctl.ncarry, nframe,
                           ctl.nout, ctl.nbodies, bodies};
    return lucid__control_depends(s, &f, floats, frame, out);
}

static bool pass_body(lucid_scope *s, const part *p, bool floats)
{
    const lucid__body *body = &p->body;
    const int64_t *at = body->ops;
    for (int i = 0, v = body->nin; i < body->nops; i++) {
        lucid__body_op op;
        at = lucid__body_op_at(at, &v, &op);
        const lucid__prim *prim = lucid__prim_get(op.prim);
        bool any = false;
        for (int j = 0; j < op.nin; j++)
            any |= p->depends[op.in[j]];
        if (any && prim->family == LUCID__CONTROL) {
            if (!pass_control(s, &op, floats, p->depends))
                return false;
        } else {
            for (int k = 0; k < op.nout; k++)
                p->depends[op.first_out + k] = any && !(floats && prim->rules->zero_derivative);
        }
        for (int k = 0; floats && k < op.nout; k++)
            p->depends[op.first_out + k] &= lucid__is_float(body->avals[op.first_out + k].dtype);
    }
    return true;
}

/* Marks what one pass through body b adds to the outputs. */
static bool pass(lucid_scope *s, const lucid__flow *f, int b, const part *p, bool floats,
                 const bool *frame, bool *out)
{
    const lucid__control_body *from = &f->bodies[b];
    const lucid__body *body = &p->body;
    for (int i = 0; i < body->nin; i++)
        p->depends[i] = from->from[i] < f->nframe && frame[from->from[i]];
    if (!pass_body(s, p, floats))
        return false;
    if (f->prim == LUCID__while && b == 0) { /* how long it goes on */
        for (int k = 0; !floats && p->depends[body->out[0]] && k < f->nout; k++)
            out[k] = true;
        return true;
    }
    for (int k = 0; k < body->nout; k++)
        out[k] |= p->depends[body->out[k]];
    return true;
}

static bool follow(lucid_scope *s, const lucid__flow *f, bool floats, bool *frame, bool *out)
{
    part *parts = lucid_alloc(s, ((size_t)f->nbodies + 1) * sizeof *parts);
    for (int b = 0; parts && b < f->nbodies; b++) {
        if (!lucid__body_read(s, f->bodies[b].words, &parts[b].body))
            return false;
        parts[b].depends = lucid_alloc(s, (size_t)parts[b].body.nvalues + 1);
        if (!parts[b].depends)
            return false;
    }
    for (bool changed = parts != NULL; changed;) {
        changed = false;
        for (int b = 0; b < f->nbodies; b++)
            if (!pass(s, f, b, &parts[b], floats, frame, out))
                return false;
        for (int k = 0; k < f->ncarry; k++) { /* a carry goes round */
            bool *carry = &frame[f->nconsts + k], any = out[k] || *carry;
            changed |= any != *carry || any != out[k];
            out[k] = *carry = any;
        }
    }
    return parts != NULL;
}

/* Recursion is as deep as loops are nested. */
bool lucid__control_depends(lucid_scope *s, const lucid__flow *f, bool floats, bool *frame,
                            bool *out)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    bool ok = follow(&t, f, floats, frame, out);
    lucid__scope_leave(&t);
    return ok;
}
