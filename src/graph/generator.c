#include "graph/generator.h"

#include "base/memory.h"
#include "base/thread.h"
#include "graph/scope.h"

struct lucid_generator {
    lucid__refs refs; /* its owner's, and one of each replay that goes back to it */
    lucid__mutex mutex;
    lucid_rng_state state;
};

lucid_generator *lucid_generator_new(uint64_t seed)
{
    lucid_generator *g = lucid__malloc(sizeof *g);
    if (!g)
        return NULL;
    *g = (lucid_generator){.refs = 1, .mutex = LUCID__MUTEX_INIT, .state = {.seed = seed}};
    return g;
}

void lucid_generator_free(lucid_generator *g)
{
    if (g && lucid__unref(&g->refs))
        lucid__free(g);
}

lucid_rng_state lucid_generator_state(const lucid_generator *g)
{
    lucid_generator *m = (lucid_generator *)(uintptr_t)g; /* the lock is not part of the state */
    lucid__lock(&m->mutex);
    lucid_rng_state state = g->state;
    lucid__unlock(&m->mutex);
    return state;
}

void lucid_generator_set_state(lucid_generator *g, lucid_rng_state state)
{
    lucid__lock(&g->mutex);
    g->state = state;
    lucid__unlock(&g->mutex);
}

lucid_generator *lucid_generator_of(lucid_scope *s)
{
    return s->session->generator;
}

lucid_generator *lucid_set_generator(lucid_scope *s, lucid_generator *g)
{
    lucid_generator *before = s->session->generator;
    s->session->generator = g;
    return before;
}

void lucid_manual_seed(lucid_scope *s, uint64_t seed)
{
    lucid_generator_set_state(s->session->generator, (lucid_rng_state){.seed = seed});
}

/* ---- drawing, again and again ------------------------------------------------------------------ */

typedef struct lucid__touched {
    lucid_generator *generator;
    lucid_rng_state before;
    uint64_t furthest; /* draws of the runs so far */
} lucid__touched;

static bool touch(lucid_scope *s, lucid__replay *replay, lucid_generator *g)
{
    for (size_t i = 0; i < replay->count; i++)
        if (replay->touched[i].generator == g)
            return true;
    lucid__touched *more = lucid__realloc(replay->touched, (replay->count + 1) * sizeof *more);
    if (!more) {
        (void)lucid__out_of_memory(s);
        return false;
    }
    lucid_rng_state before = lucid_generator_state(g);
    lucid__ref(&g->refs);
    replay->touched = more;
    more[replay->count++] = (lucid__touched){g, before, before.draw};
    return true;
}

bool lucid__generator_next(lucid_scope *s, lucid_rng_state *state)
{
    lucid_generator *g = s->session->generator;
    for (lucid__replay *replay = s->session->replay; replay; replay = replay->outer)
        if (!touch(s, replay, g))
            return false;
    lucid__lock(&g->mutex);
    *state = g->state;
    g->state.draw++;
    lucid__unlock(&g->mutex);
    return true;
}

/* A run that gave a generator another seed leaves it with that one. */
static void note_furthest(lucid__touched *t)
{
    lucid_rng_state now = lucid_generator_state(t->generator);
    if (now.seed == t->before.seed && now.draw > t->furthest)
        t->furthest = now.draw;
}

void lucid__replay_begin(lucid_scope *s, lucid__replay *replay)
{
    *replay = (lucid__replay){.outer = s->session->replay, .current = s->session->generator};
    s->session->replay = replay;
}

void lucid__replay_restart(lucid_scope *s, lucid__replay *replay)
{
    s->session->generator = replay->current;
    for (size_t i = 0; i < replay->count; i++) {
        note_furthest(&replay->touched[i]);
        lucid_generator_set_state(replay->touched[i].generator, replay->touched[i].before);
    }
}

void lucid__replay_end(lucid_scope *s, lucid__replay *replay)
{
    s->session->replay = replay->outer;
    s->session->generator = replay->current;
    for (size_t i = 0; i < replay->count; i++) {
        lucid__touched *t = &replay->touched[i];
        note_furthest(t);
        lucid_rng_state now = lucid_generator_state(t->generator);
        if (now.seed == t->before.seed)
            lucid_generator_set_state(t->generator, (lucid_rng_state){now.seed, t->furthest});
        lucid_generator_free(t->generator);
    }
    lucid__free(replay->touched);
}
