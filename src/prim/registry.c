#include "graph/node.h"
#include "prim/family.h"
#include "prim/prim.h"

#define PRIM(name, family, inputs, outputs) extern const lucid__rules lucid__rules_##name;
#include "prim/prims.def"
#undef PRIM

_Static_assert((int)LUCID__constant == (int)LUCID__LEAF, "constant must be the first of prims.def");

static const lucid__prim registry[LUCID__PRIM_COUNT] = {
#define PRIM(name, family, inputs, outputs) \
    [LUCID__##name] = {#name, LUCID__##family, inputs, outputs, &lucid__rules_##name},
#include "prim/prims.def"
#undef PRIM
};

const lucid__prim *lucid__prim_get(lucid__prim_id id)
{
    return &registry[id];
}

int lucid__outputs_of(lucid__prim_id id, const int64_t *params)
{
    int nout = registry[id].nout;
    return nout >= 0 ? nout : (int)params[0];
}

lucid__infer_rule *lucid__infer_of(lucid__prim_id id)
{
    const lucid__prim *p = &registry[id];
    return p->rules->infer ? p->rules->infer : lucid__families[p->family]->infer;
}

lucid__batch_rule *lucid__batch_of(lucid__prim_id id)
{
    const lucid__prim *p = &registry[id];
    return p->rules->batch ? p->rules->batch : lucid__families[p->family]->batch;
}

bool lucid__is_linear_in(const lucid__call *c, int input)
{
    const lucid__rules *rules = registry[c->prim].rules;
    if (rules->linear_in)
        return rules->linear_in(c, input);
    return (rules->linear >> (input < 31 ? input : 31)) & 1;
}
