/* The derivative rules of the control-flow primitives, and what they share. */
#ifndef LUCID__CONTROL_RULES_H
#define LUCID__CONTROL_RULES_H

#include "transform/control_draft.h"

lucid__joint_rule lucid__control_joint;
extern const lucid__sample lucid__cond_samples[], lucid__while_samples[], lucid__scan_samples[];
extern const int64_t *const lucid__cond_params[], *const lucid__while_params[],
                                                      *const lucid__scan_params[];

lucid__transpose_rule lucid__cond_transpose, lucid__scan_transpose;

/* Applies what does not depend on the inputs that are missing (empty handles). out[k] empty: it does. */
void lucid__control_without(lucid_scope *s, const lucid__call *c, lucid_tensor *out);

#endif
