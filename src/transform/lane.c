#include "transform/lane.h"

#include "graph/generator.h"
#include "transform/level.h"

/* A vmap of the user's, whichever way it runs. */
static bool is_visible(const lucid__level *l)
{
    return (l->kind == LUCID__LEVEL_BATCH || l->kind == LUCID__LEVEL_LANE) && !l->hidden;
}

/* What is being compiled does not see the vmaps it is compiled under, but as its argument. */
static const lucid__level *visible_from(const lucid__level *l)
{
    while (l && !is_visible(l) && !l->draws)
        l = l->below;
    return l;
}

/* With chunks, the lanes here start at first. */
lucid_tensor lucid__lane_index(lucid_scope *s, const lucid__level *l)
{
    if (l->kind == LUCID__LEVEL_LANE)
        return lucid_scalar_int(s, l->first);
    if (l->lane_ids) {
        lucid_shape shape = {1, {l->size}};
        return lucid__level_wrap(s, l, lucid_from_data(s, l->lane_ids, LUCID_INT64, shape), 0);
    }
    lucid_tensor count = lucid_arange(s, 0, (double)l->size, 1, LUCID_INT64);
    return lucid__level_wrap(s, l, lucid_add(s, count, lucid_scalar_int(s, l->first)), 0);
}

/* Recursion is as deep as vmaps are nested. */
static lucid_tensor fold(lucid_scope *s, const lucid__level *l)
{
    l = visible_from(l);
    if (!l)
        return (lucid_tensor){NULL};
    if (l->draws)
        return l->draws->lane;
    lucid_tensor outer = fold(s, l->below);
    if (l->randomness == LUCID_RANDOMNESS_SAME)
        return outer;
    lucid_tensor index = lucid__lane_index(s, l);
    if (!outer.v)
        return index;
    return lucid_add(s, lucid_mul(s, outer, lucid_scalar_int(s, l->lanes)), index);
}

lucid_tensor lucid__lane(lucid_scope *s, const char *op)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    const lucid__level *innermost = visible_from(s->session->top);
    if (innermost && !innermost->draws && innermost->randomness == LUCID_RANDOMNESS_ERROR)
        return lucid__error(
            s, LUCID_RUNTIME_ERROR,
            "%s: random op inside vmap with %s; %s for an independent draw per lane, or %s for one "
            "draw shared by all",
            op, lucid__wording(s, "LUCID_RANDOMNESS_ERROR", "randomness=\"error\""),
            lucid__wording(s, "set its option randomness to LUCID_RANDOMNESS_DIFFERENT",
                           "call vmap(..., randomness=\"different\")"),
            lucid__wording(s, "LUCID_RANDOMNESS_SAME", "randomness=\"same\""));
    lucid_tensor lane = fold(s, innermost);
    return lane.v ? lane : lucid_scalar_int(s, 0);
}

/* Counted from where the innermost function that is being compiled starts. */
static lucid_tensor number(lucid_scope *s, uint64_t draw)
{
    lucid_tensor count = lucid_scalar_int(s, (int64_t)draw);
    for (const lucid__level *l = s->session->top; l; l = l->below)
        if (l->draws)
            return lucid_add(s, l->draws->draw, count);
    return count;
}

lucid_tensor lucid__draw_number(lucid_scope *s)
{
    return number(s, lucid_generator_state(s->session->generator).draw);
}

lucid_tensor lucid__next_draw(lucid_scope *s, lucid_tensor *seed)
{
    lucid_rng_state state;
    if (!lucid__generator_next(s, &state))
        return (lucid_tensor){NULL};
    *seed = lucid_scalar_int(s, (int64_t)state.seed);
    lucid_tensor draw = number(s, state.draw);
    for (const lucid__level *l = s->session->top; l; l = l->below) {
        if (l->draw_shift.v)
            draw = lucid_add(s, draw, l->draw_shift);
        if (!l->draws)
            continue;
        if (l->draws->generator != s->session->generator)
            return lucid__error(
                s, LUCID_RUNTIME_ERROR,
                "compile: a compiled function draws from the generator of the scope "
                "that it is called in; draw from another one outside, and pass the "
                "numbers as an argument");
        *seed = l->draws->seed;
        break;
    }
    return draw;
}
