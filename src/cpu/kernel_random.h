#ifndef LUCID__KERNEL_RANDOM_H
#define LUCID__KERNEL_RANDOM_H

#include "engine/backend.h"

lucid__kernel_fn lucid__kernel_random_bits;

#endif
