#include "transform/concrete.h"

#include "transform/level.h"
#include "transform/split.h"

/* Whether a batch value is batched by one vmap alone, whose lanes may then part. */
static bool only_batch(const lucid__value *v)
{
    v = v->inner;
    while (v->kind == LUCID__DUAL)
        v = v->inner;
    return v->kind == LUCID__GRAPH;
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
    if (v->kind == LUCID__BATCH) {
        lucid__level *level = lucid__level_find(s, v->level);
        if (level && level->split && only_batch(v))
            return lucid__split_ask(s, level, v, what);
        bool first = s->session->status == LUCID_OK;
        lucid_tensor empty = lucid__error(
            s, LUCID_DIVERGED,
            "%s: the answer differs from lane to lane of the batch, so the function cannot go on "
            "as "
            "one under strategy=\"vectorized\"; use where(), a mask, or strategy=\"auto\"",
            what);
        if (first)
            s->session->diverged = v->level;
        return empty;
    }
    if (v->kind == LUCID__TAPE)
        return lucid__error(s, LUCID_RUNTIME_ERROR, "%s: a tangent on a tape has no value yet",
                            what);
    return (lucid_tensor){v};
}
