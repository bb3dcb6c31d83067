/* Running a plan; in a turn (turn.h). */
#ifndef LUCID__RUN_PLAN_H
#define LUCID__RUN_PLAN_H

#include "engine/plan.h"

/* Runs the plan on the outputs of its leaves, in the order of the structure. results[i] becomes that of
 * plan->results[i], with a reference to its buffer. False and an error in s: nothing is left. */
bool lucid__plan_run(lucid_scope *s, const lucid__plan *plan, const lucid__output *const *leaves,
                     lucid__storage *results);

/* The seconds of each step: the least of several runs, whose results are dropped. */
bool lucid__plan_measure(lucid_scope *s, const lucid__plan *plan,
                         const lucid__output *const *leaves, double *seconds);

/* Steps that have run since the start. */
uint64_t lucid__plan_steps_run(void);

#endif
