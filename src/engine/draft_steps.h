/* The steps of a plan before fusion, each of which does one thing: packed, since a large graph has a million of
 * them. A step of a program has at most three loads, one store, one instruction and one table. */
#ifndef LUCID__DRAFT_STEPS_H
#define LUCID__DRAFT_STEPS_H

#include "base/arena.h"
#include "engine/plan.h"

enum { LUCID__DRAFT_LOADS = 3 };

typedef struct lucid__draft_steps {
    lucid__arena *arena;
    struct lucid__draft_step *list;
    int count, capacity;
} lucid__draft_steps;

/* Where a step of a program stands when it is looked at. */
typedef struct lucid__draft_room {
    lucid__step step;
    lucid__stream loads[LUCID__DRAFT_LOADS], store;
    lucid__instr instr;
    uint16_t over[LUCID__DRAFT_LOADS + 1];
} lucid__draft_room;

/* False: out of memory. */
bool lucid__draft_steps_init(lucid__draft_steps *d);
void lucid__draft_steps_free(lucid__draft_steps *d);

/* Tables, and what a kernel points to, must last. False: out of memory. */
bool lucid__draft_steps_add(lucid__draft_steps *d, const lucid__step *step);
/* Step i; NULL: it was left out. That of a program is in `room`. */
const lucid__step *lucid__draft_steps_get(const lucid__draft_steps *d, int i,
                                          lucid__draft_room *room);
/* Another step in the place of step i. False: out of memory. */
bool lucid__draft_steps_replace(lucid__draft_steps *d, int i, const lucid__step *step);
void lucid__draft_steps_leave_out(lucid__draft_steps *d, int i);
/* Load j of step i, which is one of a program, as it is to be. */
void lucid__draft_steps_set_load(lucid__draft_steps *d, int i, int j, const lucid__stream *t);

#endif
