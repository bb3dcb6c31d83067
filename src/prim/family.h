/* What the primitives of a family have in common: the rules they leave out, and the helpers the
 * rules of several families share. */
#ifndef LUCID__FAMILY_H
#define LUCID__FAMILY_H

#include "prim/prim.h"

extern const lucid__rules lucid__family_elementwise;
extern const lucid__rules lucid__family_source;
extern const lucid__rules lucid__family_random;
extern const lucid__rules lucid__family_shape;
extern const lucid__rules lucid__family_reduction;
extern const lucid__rules lucid__family_cumulative;
extern const lucid__rules lucid__family_contraction;
extern const lucid__rules lucid__family_indexing;
extern const lucid__rules lucid__family_linalg;
extern const lucid__rules lucid__family_collective;
extern const lucid__rules lucid__family_control;
extern const lucid__rules lucid__family_recorded;

extern const lucid__rules *const lucid__families[LUCID__FAMILY_COUNT];

/* The batch of x at dimension `to`; x without a batch (axis -1) gets one by broadcasting. */
lucid_tensor lucid__batch_at(lucid_scope *s, lucid_tensor x, int axis, int to, int64_t size);
/* As lucid__batch_at, but leaves an unbatched x alone. */
lucid_tensor lucid__move_batch(lucid_scope *s, lucid_tensor x, int axis, int to);

/* Whether a call to the graph or a stage has steps or no value at 0, and among its inputs one whose zeros were
 * made tiny numbers (prim/root_prims.c); then, the call on the inputs with their zeros. */
bool lucid__minds_zero(const lucid__call *c);
void lucid__zeros_back(lucid_scope *s, const lucid__call *c, lucid_tensor *out);

/* Direct applications with the parameters of the shape primitives, for rules. */
lucid_tensor lucid__broadcast(lucid_scope *s, lucid_tensor x, const lucid_shape *shape);
lucid_tensor lucid__zeros(lucid_scope *s, const lucid__aval *aval);
lucid_tensor lucid__add_cotangents(lucid_scope *s, lucid_tensor a, lucid_tensor b);

#endif
