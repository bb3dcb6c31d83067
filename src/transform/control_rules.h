/* The derivative rules of the control-flow primitives, and what they share. */
#ifndef LUCID__CONTROL_RULES_H
#define LUCID__CONTROL_RULES_H

#include "transform/control_draft.h"

lucid__joint_rule lucid__control_joint;
extern const lucid__sample lucid__cond_samples[], lucid__while_samples[], lucid__scan_samples[];
extern const int64_t *const lucid__cond_params[], *const lucid__while_params[],
                                                      *const lucid__scan_params[];

lucid__transpose_rule lucid__cond_transpose, lucid__scan_transpose;

/* Which values of the frame and which outputs depend on those marked in `frame`, carries followed round
 * and round; marks more in both. floats: only what a derivative passes. False: out of memory. */
bool lucid__draft_depends(lucid_scope *s, const lucid__draft *d, bool *frame, bool floats,
                          bool *out);

#endif
