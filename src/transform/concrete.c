#include "transform/concrete.h"

#include "transform/level.h"
#include "transform/linearity.h"
#include "transform/split.h"

/* A level that x depends on and that cannot answer through `level` (NULL: nobody answers): one whose lanes may
 * not part, or that has none. NULL: there is no such. */
static const lucid__level *mute(lucid_scope *s, const lucid__level *level, const lucid__value *x)
{
    enum { MAX_LEVELS = 32 };
    uint64_t levels[MAX_LEVELS];
    size_t n = lucid__split_levels_of(s, x, true, UINT64_MAX, levels, MAX_LEVELS);
    for (size_t i = 0; i < n; i++) {
        const lucid__level *l = lucid__level_find(s, levels[i]);
        if (l && (!level || l->id > level->id || !l->split || l->size == 0))
            return l;
    }
    return NULL;
}

/* What bwd of a custom_vjp gets in forward mode. */
static bool is_cotangent(const lucid_scope *s, const lucid__value *v)
{
    while (v->kind == LUCID__BATCH || v->kind == LUCID__DUAL)
        v = v->inner;
    const lucid__level *on = v->kind == LUCID__TAPE ? lucid__level_find(s, v->level) : NULL;
    return on && on->of_pullback;
}

static const char *where_name(const lucid_scope *s)
{
    return lucid__wording(s, "lucid_where()", "where()");
}

static lucid_tensor no_answer(lucid_scope *s, const lucid__level *mute, const char *what)
{
    bool first = s->session->status == LUCID_OK;
    if (mute->size == 0)
        (void)lucid_fail(s, LUCID_DIVERGED,
                         "%s: the batch is empty, so there is no answer; use %s or a mask", what,
                         where_name(s));
    else if (mute->hidden)
        (void)lucid_fail(
            s, LUCID_DIVERGED,
            "%s: the value depends on the direction of the derivative, and jacrev, jacfwd "
            "and hessian take all directions at once, so there is no one answer; use %s "
            "or a mask",
            what, where_name(s));
    else
        (void)lucid_fail(
            s, LUCID_DIVERGED,
            "%s: each lane of the batch has an answer of its own, but the "
            "function runs once for all of them under %s; use %s, a mask, or %s",
            what, lucid__wording(s, "LUCID_STRATEGY_VECTORIZED", "strategy=\"vectorized\""),
            where_name(s), lucid__wording(s, "LUCID_STRATEGY_AUTO", "strategy=\"auto\""));
    if (first)
        s->session->unanswered = mute->id;
    return (lucid_tensor){NULL};
}

/* A lane that parted from the others and runs by itself may ask as often as it could among them. */
static bool may_ask(lucid_scope *s, const char *what)
{
    for (lucid__level *l = s->session->top; l; l = l->below)
        if (l->place && --l->answers_left == 0) {
            (void)lucid__too_many_answers(s, false, LUCID__MANY_ANSWERS, what);
            return false;
        }
    return true;
}

lucid_tensor lucid__concrete(lucid_scope *s, lucid_tensor x, const char *what)
{
    if (lucid__ok(s) && !x.v)
        return lucid__error(s, LUCID_TYPE_ERROR, "%s: the tensor is an empty handle", what);
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid__value *v = x.v;
    while (v->kind == LUCID__DUAL)
        v = v->inner;
    if (v->kind == LUCID__GRAPH)
        return may_ask(s, what) ? (lucid_tensor){v} : (lucid_tensor){NULL};
    if (is_cotangent(s, v)) {
        lucid__refuse_on_tape(s, "it asks one for its value");
        return (lucid_tensor){NULL};
    }
    if (v->kind == LUCID__TAPE) {
        const lucid__level *on = lucid__level_find(s, v->level);
        return lucid__error(
            s, LUCID_RUNTIME_ERROR,
            on && on->kind == LUCID__LEVEL_STAGE
                ? "%s: inside a loop body, a branch or a compiled function a tensor has no value "
                  "yet; ask for it outside, or use %s"
                : "%s: a tangent on a tape has no value yet",
            what,
            lucid__wording(s, "lucid_cond, lucid_switch, lucid_while or lucid_where",
                           "cond, switch, while_loop or where"));
    }
    lucid__level *level = lucid__split_level(s);
    const lucid__level *silent = mute(s, level, v);
    if (silent)
        return no_answer(s, silent, what);
    return level ? lucid__split_ask(s, level, (lucid_tensor){v}, what) : lucid__escaped(s, what);
}

bool lucid__is_traced(lucid_tensor x)
{
    return x.v && x.v->level > LUCID__AMBIENT_DUAL;
}

lucid_tensor lucid__yes_or_no(lucid_scope *s, lucid_tensor x)
{
    if (!lucid__is_traced(x) || x.v->aval.dtype == LUCID_BOOL)
        return x;
    return lucid_ne(s, x, lucid_cast(s, lucid_scalar_int(s, 0), x.v->aval.dtype));
}
