/* A plan: how to compute some nodes, worked out once per structure and kept in the cache.
 *
 * It names memory by slots. The first are the outputs of the leaves, in the order of the structure;
 * their memory is bound when the plan runs, so that numbers that change from call to call reuse the
 * plan. The others are made by the plan, each for as long as some step needs it.
 */
#ifndef LUCID__PLAN_H
#define LUCID__PLAN_H

#include "base/arena.h"
#include "engine/backend.h"
#include "engine/lane_program.h"
#include "engine/lane_region.h"
#include "engine/location.h"
#include "engine/structure.h"

typedef enum lucid__step_kind {
    LUCID__STEP_PROGRAM,
    LUCID__STEP_KERNEL,
} lucid__step_kind;

/* The operations that a lane program of straight-line code is made of, for explanations. */
typedef struct lucid__step_region {
    int nops;
    struct lucid__step_region_op {
        lucid__prim_id prim;
        int nin;
        int *from; /* the operation that each input is from, or ~ (input of the step) */
    } * ops;
    int nsources; /* inputs of all operations */
    int *result;  /* of each output: its operation, or ~ (input of the step) */
} lucid__step_region;

typedef struct lucid__step {
    lucid__step_kind kind;
    lucid__program program; /* PROGRAM */
    lucid__prim_id prim;    /* KERNEL; of a PROGRAM: what it was made for */
    lucid__layout layout;
    bool overwrites;        /* PROGRAM: what an earlier step wrote to the same slot */
    int nin, nout, nparams; /* KERNEL */
    const lucid__location *in, *out;
    const int64_t *params;
    lucid__lane_program *lanes; /* KERNEL: runs in its place; NULL: none, for this reason */
    const char *why_no_lanes;
    const lucid__step_region *region; /* KERNEL: not one primitive, but these; always in lanes */
    int first_made, first_dead; /* lists of the slots that begin and end with this step; -1: none */
} lucid__step;

typedef struct lucid__slot {
    size_t bytes;
    int made_by;   /* the step that first writes it; -1: a leaf */
    int last_used; /* the step after which it can go; nsteps: it holds a result */
    int next_made, next_dead;
    const lucid__parts *parts; /* what steps copy together here; NULL: something else */
    bool read;                 /* by a step, or as a result */
    bool checks;               /* its step is for finding what is wrong, whoever reads it */
    bool left_out;             /* an output of a kernel that nobody reads: it has no memory */
} lucid__slot;

/* What the plan leaves behind: an output of a node somebody still refers to. */
typedef struct lucid__plan_result {
    int node; /* position in the structure */
    int out;
    lucid__location location;
} lucid__plan_result;

/* A choice between one lane program and steps of their own, as it was made. */
typedef struct lucid__plan_choice {
    int nops, kernels;
    int64_t lanes;
    double apart, together; /* seconds, estimated */
    bool taken;
    const char *why_not; /* not possible; or NULL */
} lucid__plan_choice;

typedef struct lucid__plan {
    lucid__arena *arena; /* holds what the steps point to */
    lucid__refs users;   /* the cache, evaluations that run it, and compiled functions */
    int nleaves;         /* slots that are outputs of leaves */
    int nslots, nsteps, nresults;
    int slot_capacity, step_capacity;
    lucid__slot *slots;
    lucid__step *steps;
    lucid__plan_result *results;
    int nchoices;
    lucid__plan_choice choices[LUCID__MAX_REGIONS];
} lucid__plan;

/* With one user. NULL and an error in `s`: out of memory. */
lucid__plan *lucid__plan_new(lucid_scope *s, const lucid__structure *structure,
                             const lucid__backend *backend);
/* The bytes it takes itself. */
size_t lucid__plan_size(const lucid__plan *plan);
/* The most bytes in its slots at one time, those of leaves not counted. */
int64_t lucid__plan_bytes(const lucid__plan *plan);
/* One user less; without any the plan goes. NULL is fine. Without the engine's lock, too. */
void lucid__plan_release(lucid__plan *plan);

#endif
