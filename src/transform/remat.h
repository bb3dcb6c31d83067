/* Rematerialisation: what walking a tape does about entries that were recorded under lucid_checkpoint
 * (graph/region.h). */
#ifndef LUCID__REMAT_H
#define LUCID__REMAT_H

#include "graph/region.h"
#include "graph/scope.h"

/* Makes *at the instance that entries of region r (NULL: none) take their residuals from. Before one is made,
 * `pending` (n values, NULLs among them) is computed, so that what is built anew is computed after it and
 * nothing merges with the first run; backwards these are all cotangents there are. False: an error in s. */
bool lucid__remat_enter(lucid_scope *s, lucid__instance **at, lucid__region *r,
                        lucid__value *const *pending, size_t n);
void lucid__remat_leave(lucid__instance **at);
lucid_tensor lucid__remat_residual(lucid_scope *s, lucid__instance *at, lucid__value *v);

#endif
