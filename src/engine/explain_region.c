/* Regions in explanations: what their programs do, and how it was chosen. */
#include <inttypes.h>

#include "engine/explain.h"
#include "prim/prim.h"

bool lucid__take_region(lucid_scope *s, const lucid__step *step, lucid__told_step *to)
{
    const lucid__step_region *r = step->region;
    int *load = lucid_alloc(s, ((size_t)step->nin + 1) * sizeof *load);
    int *store = lucid_alloc(s, ((size_t)step->nout + 1) * sizeof *store);
    lucid__told_op *op = lucid_alloc(s, ((size_t)r->nops + 1) * sizeof *op);
    int *src = lucid_alloc(s, (size_t)(r->nsources + step->nout + 1) * sizeof *src);
    if (!load || !store || !op || !src)
        return false;
    to->program = true;
    to->nloads = step->nin;
    to->nstores = step->nout;
    to->nops = r->nops;
    to->load = load, to->store = store, to->op = op;
    to->space = (lucid_shape){.ndim = 1, .dim = {step->lanes->lanes}};
    for (int i = 0; i < step->nin; i++)
        load[i] = step->in[i].slot;
    for (int i = 0; i < r->nops; i++) {
        op[i] = (lucid__told_op){
            .name = lucid__prim_get(r->ops[i].prim)->name, .nsrc = r->ops[i].nin, .src = src};
        for (int j = 0; j < r->ops[i].nin; j++)
            *src++ = r->ops[i].from[j];
    }
    to->store_op = src;
    for (int k = 0; k < step->nout; k++) {
        store[k] = step->out[k].slot;
        *src++ = r->result[k];
    }
    return true;
}

void lucid__put_choice(lucid__text *t, const lucid__plan_choice *c)
{
    lucid__put(t, "choice: %d operations over %" PRId64 " examples, ", c->nops, c->lanes);
    lucid__put_seconds(t, c->together);
    lucid__put(t, " as one lane program, ");
    lucid__put_seconds(t, c->apart);
    lucid__put(t, " in steps (estimated): %s", c->taken ? "one lane program" : "steps");
    if (c->why_not)
        lucid__put(t, " (not in lanes: %s)", c->why_not);
}

void lucid__put_choice_json(lucid__text *t, const lucid__plan_choice *c)
{
    lucid__put(t,
               "{\"operations\": %d, \"examples\": %" PRId64
               ", \"batch_seconds\": %.3e, \"steps_seconds\": %.3e, \"chosen\": \"%s\"}",
               c->nops, c->lanes, c->together, c->apart, c->taken ? "batch" : "steps");
}
