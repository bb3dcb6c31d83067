/* What a step takes: the bytes it moves, the arithmetic it does. */
#ifndef LUCID__WORK_H
#define LUCID__WORK_H

#include "engine/plan.h"

typedef struct lucid__work {
    lucid__layout layout;
    double bytes_read,
        bytes_written; /* each element of an operand once, however often it is used */
    double flops;
} lucid__work;

lucid__work lucid__step_work(const lucid__plan *plan, const lucid__step *step,
                             const lucid__backend *backend);
/* Whether an operation on that dtype is arithmetic on floats: casts and moves are none. */
bool lucid__computes(int op, int dtype);
/* Operations on floats of a lane program, for all its lanes (lane_work.c): of a while loop, in one iteration. */
double lucid__lane_flops(const lucid__lane_program *p, const lucid__backend *backend);
/* Bytes a second that the machine moves in a step that takes so much. */
double lucid__bandwidth(const lucid__speed *speed, const lucid__work *work);
/* How many times the instruction does its work. */
double lucid__instr_points(const lucid__program *p, const lucid__instr *in);

/* Seconds that the step would take at the machine's measured speed: the longer of moving its bytes and
 * of computing. */
double lucid__step_seconds(const lucid__step *step, const lucid__work *work,
                           const lucid__backend *backend);

#endif
