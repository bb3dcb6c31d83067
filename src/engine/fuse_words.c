/* Random words that only programs read are made by them: to make one costs little more than to write it to memory
 * and read it. */
#include <string.h>

#include "engine/fuse.h"

/* How often a program asks for words: dims along which it repeats them count once. */
static double asked(const lucid__program *p, const lucid__stream *t)
{
    double n = 1;
    for (int d = 0; d < p->ndim; d++)
        n *= t->stride[d] == 0 ? 1 : (double)p->dim[d];
    return n;
}

static lucid__words *words_of(const lucid__step *step, lucid__arena *arena)
{
    lucid__words *w = lucid__arena_alloc(arena, sizeof *w);
    if (!w)
        return NULL;
    const lucid_shape *lanes = &step->in[0].aval.shape, *all = &step->out[0].aval.shape;
    w->per_lane = 1;
    for (int d = lanes->ndim; d < all->ndim; d++)
        w->per_lane = lucid__times(w->per_lane, all->dim[d]);
    w->ndim = lanes->ndim;
    memcpy(w->dim, lanes->dim, sizeof w->dim);
    for (int i = 0; i < 3; i++) {
        w->in[i] = (lucid__stream){
            .slot = step->in[i].slot, .dtype = LUCID_INT64, .offset = step->in[i].offset};
        memcpy(w->in[i].stride, step->in[i].stride, sizeof w->in[i].stride);
    }
    return w;
}

typedef struct use {
    const lucid__words *words;
    double asked;
    bool in_memory;
} use;

static bool makes_words(const lucid__step *step)
{
    return step && step->kind == LUCID__STEP_KERNEL && step->prim == LUCID__random_bits;
}

static void count_uses(const lucid__plan *plan, const lucid__draft_steps *drafts, use *uses)
{
    lucid__draft_room room;
    for (int i = 0; i < plan->nresults; i++)
        uses[plan->results[i].location.slot].in_memory = true;
    for (int i = 0; i < drafts->count; i++) {
        const lucid__step *step = lucid__draft_steps_get(drafts, i, &room);
        for (int j = 0; j < step->nin; j++)
            uses[step->in[j].slot].in_memory = true;
        for (int j = 0; j < step->program.ntables; j++)
            if (step->program.tables[j].at.slot >= 0)
                uses[step->program.tables[j].at.slot].in_memory = true;
        for (int j = 0; j < step->program.nloads; j++)
            uses[step->program.loads[j].slot].asked +=
                asked(&step->program, &step->program.loads[j]);
    }
}

bool lucid__words_in_place(lucid__plan *plan, lucid__draft_steps *drafts)
{
    enum { TIMES = 2 };
    lucid__draft_room room;
    bool any = false;
    for (int i = 0; i < drafts->count && !any; i++)
        any = makes_words(lucid__draft_steps_get(drafts, i, &room));
    if (!any)
        return true;
    use *uses = lucid__arena_alloc(drafts->arena, (size_t)plan->nslots * sizeof *uses);
    if (!uses)
        return false;
    count_uses(plan, drafts, uses);
    for (int i = 0; i < drafts->count; i++) {
        const lucid__step *step = lucid__draft_steps_get(drafts, i, &room);
        for (int j = 0; j < step->program.nloads; j++)
            if (uses[step->program.loads[j].slot].words) {
                lucid__stream t = step->program.loads[j];
                t.words = uses[t.slot].words;
                lucid__draft_steps_set_load(drafts, i, j, &t);
            }
        if (!makes_words(step))
            continue;
        use *u = &uses[step->out[0].slot];
        if (!u->in_memory && u->asked <= TIMES * (double)lucid__numel(&step->out[0].aval.shape)) {
            if (!(u->words = words_of(step, plan->arena)))
                return false;
            lucid__draft_steps_leave_out(drafts, i);
        }
    }
    return true;
}
