#include "graph/node.h"
#include "prim/family.h"
#include "prim/prim.h"

#define PRIM(name, family, inputs, outputs) extern const lucid__rules lucid__rules_##name;
#include "prim/prims.def"
#undef PRIM

_Static_assert((int)LUCID__constant == (int)LUCID__LEAF, "constant must be the first of prims.def");

const lucid__prim lucid__registry[LUCID__PRIM_COUNT] = {
#define PRIM(name, family, inputs, outputs) \
    [LUCID__##name] = {#name, LUCID__##family, inputs, outputs, &lucid__rules_##name},
#include "prim/prims.def"
#undef PRIM
};

lucid__infer_rule *lucid__infer_of(lucid__prim_id id)
{
    const lucid__prim *p = &lucid__registry[id];
    return p->rules->infer ? p->rules->infer : lucid__families[p->family]->infer;
}

lucid__batch_rule *lucid__batch_of(lucid__prim_id id)
{
    const lucid__prim *p = &lucid__registry[id];
    return p->rules->batch ? p->rules->batch : lucid__families[p->family]->batch;
}
