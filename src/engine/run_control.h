/* Control flow as a step of a plan: the general way, for any body. The operations of the body are built and
 * computed anew in every step, by an evaluation of their own within the one that is going on, for all
 * lanes at once; a lane takes part only as long as its own branch or its own condition wants it. */
#ifndef LUCID__RUN_CONTROL_H
#define LUCID__RUN_CONTROL_H

#include "engine/backend.h"

lucid__kernel_fn lucid__cond_kernel, lucid__while_kernel, lucid__scan_kernel;

#endif
