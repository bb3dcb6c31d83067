/* Applying a primitive: to the innermost level among its inputs, or to the graph. */
#include <string.h>

#include "base/memory.h"
#include "graph/node.h"
#include "graph/region.h"
#include "prim/family.h"
#include "transform/custom.h"
#include "transform/level.h"
#include "transform/split.h"

static _Atomic uint64_t next_id = 16;

void lucid__level_push(lucid_scope *s, lucid__level *level)
{
    level->id = lucid__number_take(&s->session->level_ids, &next_id);
    level->below = s->session->top;
    level->no_grad = s->session->no_grad;
    s->session->top = level;
}

void lucid__level_pop(lucid_scope *s, const lucid__level *level)
{
    s->session->top = level->below;
    s->session->takers -= level->takes;
}

lucid__level *lucid__level_find(const lucid_scope *s, uint64_t id)
{
    static lucid__level ambient_tape = {.kind = LUCID__LEVEL_TAPE, .id = LUCID__AMBIENT_TAPE};
    static lucid__level ambient_dual = {.kind = LUCID__LEVEL_DUAL, .id = LUCID__AMBIENT_DUAL};
    if (id == LUCID__AMBIENT_TAPE)
        return &ambient_tape;
    if (id == LUCID__AMBIENT_DUAL)
        return &ambient_dual;
    for (lucid__level *l = s->session->top; l; l = l->below)
        if (l->id == id)
            return l;
    return NULL;
}

uint64_t lucid_level(const lucid_scope *s)
{
    return s && s->session->top ? s->session->top->id : 0;
}

static const char escaped[] =
    "%s: a tensor escaped from the transform that made it (vmap, grad, ...) and was used after the "
    "function ended, or in another thread; return it from the function instead";

bool lucid__level_owns_or_outer(lucid_scope *s, const lucid__level *level, lucid_tensor x)
{
    if (!x.v || x.v->level <= level->id)
        return x.v != NULL;
    (void)lucid_fail(s, LUCID_RUNTIME_ERROR, escaped, "result");
    return false;
}

lucid_tensor lucid__escaped(lucid_scope *s, const char *what)
{
    return lucid__error(s, LUCID_RUNTIME_ERROR, escaped, what);
}

lucid_status lucid__refuse_stage(lucid_scope *s, const char *what)
{
    return lucid_fail(
        s, LUCID_RUNTIME_ERROR,
        "%s cannot be used inside a loop body, a branch or a compiled function, which "
        "keep operations alone; call it outside, or use a loop of the language",
        what);
}

static bool is_lanes(lucid__prim_id prim)
{
    return prim == LUCID__lanes_out || prim == LUCID__lanes_in;
}

/* To the level of id `top`, the innermost among the inputs. */
static void bind_to(lucid_scope *s, const lucid__call *c, uint64_t top, lucid_tensor *out)
{
    const lucid__prim *prim = lucid__prim_get(c->prim);
    int nout = lucid__outputs_of(c->prim, c->params);
    /* A collective is carried through what is inside the vmap whose lanes it joins. */
    bool joins = prim->family == LUCID__COLLECTIVE && top <= (uint64_t)c->params[0];
    if (joins)
        top = (uint64_t)c->params[0];
    const lucid__level *level = top > 0 ? lucid__level_find(s, top) : NULL;
    if (prim->family == LUCID__RECORDED && (!level || level->kind != LUCID__LEVEL_STAGE)) {
        lucid__custom_apply(s, c, out);
        return;
    }
    if (!level) {
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR, escaped, prim->name);
        return;
    }
    if (is_lanes(c->prim) && lucid__split_has_taken(level, (uint64_t)c->params[0]))
        joins = true;
    lucid_scope child;
    lucid__scope_enter(&child, s);
    if (joins)
        lucid__collective_apply(&child, level, c, out);
    else if (level->kind == LUCID__LEVEL_BATCH)
        lucid__batch_apply(&child, level, c, out);
    else if (level->kind == LUCID__LEVEL_DUAL)
        lucid__dual_apply(&child, level, c, out);
    else /* a tape or a stage */
        lucid__tape_apply(&child, level, c, out);
    for (int k = 0; k < nout; k++)
        out[k] = lucid__ok(s) ? lucid__scope_move(&child, out[k]) : (lucid_tensor){NULL};
    lucid__scope_leave(&child);
}

static void bind(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    const lucid__prim *prim = lucid__prim_get(c->prim);
    uint64_t top = 0;
    for (int i = 0; i < c->nin; i++) {
        const lucid__value *v = c->in[i].v;
        if (!v) {
            (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: input %d is an empty handle", prim->name, i);
            return;
        }
        top = v->level > top ? v->level : top;
    }
    if (top == 0 && prim->family != LUCID__COLLECTIVE && prim->family != LUCID__RECORDED)
        lucid__graph_apply(s, c, out);
    else
        bind_to(s, c, top, out);
}

/* On inputs as the runs that have taken over levels of theirs want them. */
static void bind_lifted(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor *in = lucid_alloc(&child, ((size_t)c->nin + 1) * sizeof *in);
    uint64_t limit = is_lanes(c->prim) ? (uint64_t)c->params[0] : UINT64_MAX;
    for (int i = 0; in && i < c->nin; i++)
        in[i] = lucid__split_lift(&child, c->in[i], limit);
    lucid__call lifted = *c;
    lifted.in = in;
    if (in && lucid__ok(s))
        bind(&child, &lifted, out);
    for (int k = 0; k < lucid__outputs_of(c->prim, c->params); k++)
        out[k] = lucid__ok(s) ? lucid__scope_move(&child, out[k]) : (lucid_tensor){NULL};
    lucid__scope_leave(&child);
}

/* What is computed from bare numbers alone is one: an output is weak if all inputs of its dtype are, and
 * there is one. (Indices and conditions beside them do not count: they have other dtypes.) */
static void mark_numbers(const lucid__call *c, lucid_tensor *out, int nout)
{
    for (int k = 0; k < nout; k++) {
        const lucid__value *first = NULL;
        bool weak = out[k].v && out[k].v->aval.dtype != LUCID_BOOL;
        for (int i = 0; weak && i < c->nin; i++) {
            const lucid__value *v = c->in[i].v;
            if (v->aval.dtype != out[k].v->aval.dtype)
                continue;
            weak = v->weak;
            if (!first || v->alone > first->alone)
                first = v;
        }
        if (weak && first) {
            out[k].v->weak = true;
            out[k].v->alone = first->alone;
        }
    }
}

static bool has_numbers(const lucid__call *c)
{
    bool weak = false;
    for (int i = 0; i < c->nin; i++)
        weak |= c->in[i].v && c->in[i].v->weak;
    lucid__family family = lucid__prim_get(c->prim)->family;
    return weak && c->prim != LUCID__cast && family != LUCID__CONTROL && family != LUCID__RECORDED;
}

void lucid__bind(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    int nout = lucid__outputs_of(c->prim, c->params);
    if (nout == 1)
        out[0] = (lucid_tensor){NULL};
    for (int k = 0; nout > 1 && k < nout; k++)
        out[k] = (lucid_tensor){NULL};
    if (!lucid__ok(s) || lucid__is_interrupted(s) || !lucid__may_nest(s))
        return;
    if (s->session->takers > 0)
        bind_lifted(s, c, out);
    else
        bind(s, c, out);
    if (has_numbers(c) && lucid__ok(s))
        mark_numbers(c, out, nout);
}

lucid_tensor lucid__bind1(lucid_scope *s, lucid__prim_id prim, const lucid_tensor *in, int nin,
                          const int64_t *params, int nparams)
{
    lucid__call c = {.prim = prim, .nin = nin, .nparams = nparams, .in = in, .params = params};
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    lucid__bind(s, &c, out);
    return out[0];
}

/* A pending chain this long is computed at once, so that a loop that never looks at its values does
 * not fill the memory with what it has yet to do. */
enum { PENDING_DEPTH = 2048 };

/* A pending node of the call, known to the checkpoint that runs; NULL and an error in s. */
static lucid__node *new_node(lucid_scope *s, const lucid__call *c, int nout)
{
    enum { FEW = 8 };
    lucid__aval few_in[FEW], few_out[LUCID__MAX_OUTPUTS], *out = few_out;
    const lucid__aval *in = few_in; /* of one input, itself */
    lucid__aval *copies = few_in;
    lucid__node *node = lucid__node_alloc((int)c->prim, c->nin, c->params, c->nparams, nout);
    if (c->nin > FEW)
        in = copies = lucid__malloc((size_t)c->nin * sizeof *in);
    if (nout > LUCID__MAX_OUTPUTS)
        out = lucid__malloc((size_t)nout * sizeof *out);
    else if (nout == 1 && node)
        out = &node->out[0].aval;
    if (c->nin == 1)
        in = &c->in[0].v->aval;
    for (int i = 0; copies && in == copies && i < c->nin; i++)
        copies[i] = c->in[i].v->aval;
    bool memory = node && in && out;
    if (!memory)
        lucid__out_of_memory(s);
    if (memory && lucid__infer_of(c->prim)(s, c, in, out)) {
        for (int k = 0; nout > 1 && k < nout; k++)
            node->out[k].aval = out[k];
        for (int i = 0; i < c->nin; i++)
            lucid__node_link(node, c->in[i].v->node, c->in[i].v->out);
        if (!lucid__region_add_node(s->session->region, node)) {
            lucid__node_release(node);
            lucid__out_of_memory(s);
            node = NULL;
        }
    } else {
        lucid__free(node);
        node = NULL;
    }
    if (c->nin > FEW)
        lucid__free(copies);
    if (nout > LUCID__MAX_OUTPUTS)
        lucid__free(out);
    return node;
}

static bool is_view(lucid__prim_id prim)
{
    return prim == LUCID__broadcast || prim == LUCID__reshape || prim == LUCID__permute ||
           prim == LUCID__slice;
}

/* However a number is repeated and its copies rearranged, it stays that number: there is nothing to compute. */
static lucid_tensor view_of_number(lucid_scope *s, const lucid__call *c)
{
    const lucid__output *from = &c->in[0].v->node->out[0];
    lucid__aval aval;
    if (!lucid__infer_of(c->prim)(s, c, &from->aval, &aval))
        return (lucid_tensor){NULL};
    lucid__node *node = lucid__node_new_number(&aval, lucid__buffer_retain(from->storage.buffer));
    return lucid__own(s, node ? lucid__value_new_graph(node, 0) : NULL);
}

void lucid__graph_apply(lucid_scope *s, const lucid__call *c, lucid_tensor *out)
{
    if (is_view(c->prim) && lucid__node_is_number(c->in[0].v->node)) {
        out[0] = view_of_number(s, c);
        return;
    }
    if (c->prim == LUCID__nudge) {
        out[0] = lucid_own(s, c->in[0]);
        return;
    }
    if (lucid__minds_zero(c)) {
        lucid__zeros_back(s, c, out);
        return;
    }
    int nout = lucid__outputs_of(c->prim, c->params);
    lucid__node *node = new_node(s, c, nout);
    if (!node)
        return;
    for (int k = 1; k < nout; k++)
        lucid__node_retain(node);
    int depth = node->depth;
    for (int k = 0; k < nout; k++)
        out[k] = lucid__own(s, lucid__value_new_graph(node, k));
    if (depth >= PENDING_DEPTH && !s->session->whole && lucid__ok(s))
        (void)lucid_eval(s, out, (size_t)nout);
}
