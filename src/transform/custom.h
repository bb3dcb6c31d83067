/* What functions with rules of their own share (custom_derivative.c, custom_vmap.c). */
#ifndef LUCID__CUSTOM_H
#define LUCID__CUSTOM_H

#include "graph/fn.h"
#include "transform/level.h"

/* A function with derivative rules; with neither jvp nor fwd it has those of an order that was not recorded. */
typedef struct lucid__custom_rules {
    const char *name;
    const lucid__fn *f;
    const lucid__fn *jvp;       /* (x..., dx...) -> (y..., dy...) */
    const lucid__fn *fwd, *bwd; /* x -> (y..., residuals...); (residuals..., dy...) -> dx */
    size_t ny; /* results of fwd that are no residuals; 0: all but the auxiliary ones */
} lucid__custom_rules;

lucid_fn lucid__custom_fn(lucid_scope *s, const lucid__custom_rules *rules);

enum { LUCID__MOST_ORDERS = 4 }; /* rules inside rules that are recorded */

/* Records its call on x, some of which are on a stage, rules and all (prim/custom_call.h). */
void lucid__custom_record(lucid_scope *s, const lucid__custom_rules *r, const lucid_tensor *x,
                          size_t nx, lucid_results *out);
/* Makes the call that was recorded; sets every out[k]. */
void lucid__custom_apply(lucid_scope *s, const lucid__call *c, lucid_tensor *out);

/* A pullback that is transposed twice, as an operation of a body: forwards in the body, backwards when that is
 * transposed. dy: as lucid__pullback_push. */
struct lucid__pullback;
void lucid__custom_pull_record(lucid_scope *s, const struct lucid__pullback *p,
                               const lucid_tensor *t, lucid_tensor *dy);

/* A rule sees values below `level` and gives such values; anything else it captured. */
bool lucid__from_arguments(lucid_scope *s, const char *name, uint64_t level, lucid_tensor y);

/* The arguments as the runs that have taken over levels of theirs want them (split.h). */
const lucid_tensor *lucid__lifted_arguments(lucid_scope *s, const lucid_tensor *x, size_t nx);

#endif
