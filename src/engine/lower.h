/* From operations to steps: programs for what is elementwise, a reduction or a movement of data, kernels for
 * the rest. */
#ifndef LUCID__LOWER_H
#define LUCID__LOWER_H

#include "engine/draft_steps.h"

typedef struct lucid__lowering {
    lucid_scope *s; /* for errors */
    lucid__plan *plan;
    lucid__draft_steps *steps; /* that are found */
    const lucid__backend *backend;
} lucid__lowering;

/* A fresh slot for a value, row-major. False: out of memory. */
bool lucid__lower_alloc(lucid__lowering *l, const lucid__aval *aval, lucid__location *to);
bool lucid__lower_step(lucid__lowering *l, const lucid__step *step);
/* Emits a region as one lane program; in: where its inputs are. Sets out[k], where its outputs are; `why_not`:
 * it is not fit for one, and nothing happened. False: out of memory. (lower_region.c) */
bool lucid__lower_region(lucid__lowering *l, const lucid__lane_region *region, lucid__location *in,
                         lucid__location *out, const char **why_not);
/* Emits the steps of one operation; in: its inputs. Sets out[k]. */
bool lucid__lower_op(lucid__lowering *l, const lucid__op *op, const lucid__location *in,
                     lucid__location *out);

#endif
