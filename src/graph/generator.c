#include "graph/generator.h"

#include "base/memory.h"
#include "base/thread.h"
#include "graph/scope.h"

struct lucid_generator {
    lucid__mutex mutex;
    lucid_rng_state state;
};

lucid_generator *lucid_generator_new(uint64_t seed)
{
    lucid_generator *g = lucid__malloc(sizeof *g);
    if (!g)
        return NULL;
    *g = (lucid_generator){.mutex = LUCID__MUTEX_INIT, .state = {.seed = seed}};
    return g;
}

void lucid_generator_free(lucid_generator *g)
{
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

lucid_rng_state lucid__generator_next(lucid_generator *g)
{
    lucid__lock(&g->mutex);
    lucid_rng_state state = g->state;
    g->state.draw++;
    lucid__unlock(&g->mutex);
    return state;
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
