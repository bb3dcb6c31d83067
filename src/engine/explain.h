/* A plan as text. */
#ifndef LUCID__EXPLAIN_H
#define LUCID__EXPLAIN_H

#include "base/text.h"
#include "engine/plan.h"

void lucid__explain_plan(lucid__text *t, const lucid__plan *plan);

#endif
