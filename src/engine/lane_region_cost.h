/* What a region takes, step by step and as one lane program. */
#ifndef LUCID__LANE_REGION_COST_H
#define LUCID__LANE_REGION_COST_H

#include "engine/lane_region.h"

/* Instructions that the operation would be in a lane program, times lanes; about. -1: it cannot be in one. */
int64_t lucid__lane_region_cells(const lucid__sketch *sk, const lucid__op *op);

/* Sets apart, together and kernels. False: out of memory. */
bool lucid__lane_region_estimate(lucid__arena *arena, lucid__lane_region *region);

#endif
