/* Explanations: what a plan does, apart from the plan, so that it can be told after the plan is gone. */
#ifndef LUCID__EXPLAIN_H
#define LUCID__EXPLAIN_H

#include "base/text.h"
#include "engine/work.h"

/* A value in memory. */
typedef struct lucid__told_slot {
    lucid_dtype dtype;
    lucid_shape shape; /* of the widest operand in it that is known */
    int input;         /* which leaf it is; -1: made by a step */
    int made_by;       /* that step; -1: none */
    bool result;
} lucid__told_slot;

/* An operation of a step: what it reads stands at src[i] among the operations, or, below 0, is load
 * ~src[i] of the step. */
typedef struct lucid__told_op {
    const char *name;
    int nsrc;
    const int *src;
} lucid__told_op;

typedef struct lucid__told_step {
    bool program;     /* or a kernel */
    const char *name; /* of the primitive it was made for */
    int nloads, nstores, nops;
    const int *load;     /* slots */
    const int *store;    /* slots */
    const int *store_op; /* the operation that makes store j; below 0: load ~store_op[j] */
    const lucid__told_op *op;
    lucid_shape space; /* what it loops over; of a kernel: its first output */
    lucid__layout layout;
    const char *how; /* of loops and branches: their lane program, or why there is none; or "" */
    lucid__work work;
    double estimated, measured; /* seconds; 0: not measured */
} lucid__told_step;

struct lucid_explanation {
    lucid_scope *s; /* whose memory it is in */
    int nsteps, nslots;
    const lucid__told_step *step;
    const lucid__told_slot *slot;
    lucid_cost cost;
    int nchoices; /* between lanes = batch and steps of their own */
    lucid__plan_choice choice[LUCID__MAX_REGIONS];
    bool fusion; /* on */
    bool measured;
    lucid__speed speed; /* measured: of the machine */
};

/* All in memory of s. seconds: per step, or NULL: not measured. NULL and an error in s: out of memory. */
lucid_explanation *lucid__explain_plan(lucid_scope *s, const lucid__plan *plan,
                                       const lucid__structure *st, const lucid__backend *backend,
                                       const double *seconds);

/* The pieces that the formats share. */
const char *lucid__layout_name(lucid__layout layout);
void lucid__put_quantity(lucid__text *t, double n, const char *unit); /* 256 kB */
void lucid__put_seconds(lucid__text *t, double seconds);
void lucid__put_shape(lucid__text *t, const lucid_shape *shape); /* (2, 3) */
/* "mul, sin x 2, sum": each operation once, with how often it is there. */
void lucid__put_ops(lucid__text *t, const lucid__told_step *step);
/* Of the step's measured time, how much the machine needs for its bytes, and for its FLOPs, at best. */
double lucid__bandwidth_share(const lucid_explanation *e, const lucid__told_step *step);
double lucid__peak_share(const lucid_explanation *e, const lucid__told_step *step);

/* explain_region.c: a step that is a region; false: out of memory. Why the lanes are where they are. */
bool lucid__take_region(lucid_scope *s, const lucid__step *step, lucid__told_step *to);
void lucid__put_choice(lucid__text *t, const lucid__plan_choice *c);
void lucid__put_choice_json(lucid__text *t, const lucid__plan_choice *c);

/* explain_picture.c */
void lucid__put_svg(lucid__text *t, const lucid_explanation *e);
void lucid__put_html(lucid__text *t, const lucid_explanation *e);

#endif
