/* What this machine can do, measured: the yardstick that explanations hold steps against. */
#ifndef LUCID__SPEED_H
#define LUCID__SPEED_H

#include "engine/backend.h"

/* For the number of threads in use; measured when that is new. Only under the engine's lock. */
const lucid__speed *lucid__cpu_speed(void);
double lucid__cpu_program_seconds(const lucid__program *program);

#endif
