/* The stack of running transforms. Each pushes a level while it runs the user's function; a value that
 * belongs to a level carries its id, and an operation goes to the innermost level among its inputs,
 * which is the largest id, because those of a session only grow. That is all there is to nesting. */
#ifndef LUCID__LEVEL_H
#define LUCID__LEVEL_H

#include "prim/prim.h"

typedef enum lucid__level_kind {
    LUCID__LEVEL_BATCH, /* vmap, vectorized: size lanes in one value */
    LUCID__LEVEL_LANE,  /* vmap, isolated: one lane at a time; no value belongs to it */
    LUCID__LEVEL_DUAL,
    LUCID__LEVEL_TAPE,
    LUCID__LEVEL_STAGE, /* records whatever is done to its values (stage.h) */
} lucid__level_kind;

typedef struct lucid__level lucid__level;

struct lucid__level {
    lucid__level_kind kind;
    uint64_t id;
    lucid__level *below;
    int no_grad;      /* DUAL, STAGE: lucid_no_grad_begin that were open when it began */
    bool of_pullback; /* TAPE: forward mode through custom_vjp, whose bwd is to be transposed */
    bool hidden;      /* a vmap of our own making (jacobians): random operations do not see it */
    /* BATCH, LANE: lanes first .. first + size - 1 of `lanes`. */
    int64_t first, size, lanes;
    lucid_randomness randomness;
    const char *name;           /* of the axis, for collectives; NULL: it has none */
    struct lucid__split *split; /* BATCH: the lanes may part (split.h); NULL: they may not */
    /* LANE: one that parted from the others of a split: where it stands among them, and how many answers it may ask
     * for. NULL: it runs by itself anyway. */
    const int64_t *place;
    size_t answers_left;
    const int64_t *lane_ids;          /* which lanes are left; NULL: all, first and on */
    bool takes;                       /* some enclosing level was taken over, see split.h */
    lucid_tensor draw_shift;          /* STAGE: added to the numbers of draws (lane.h); empty: 0 */
    const struct lucid__draws *draws; /* STAGE: what draws start from (lane.h); NULL: as outside */
};

/* Levels that are always there, below all others: for lucid_requires_grad. */
enum {
    LUCID__AMBIENT_TAPE = 1,
    LUCID__AMBIENT_DUAL = 2,
};

/* Fills in id and below. The level stays where it is (on the C stack) until popped. */
void lucid__level_push(lucid_scope *s, lucid__level *level);
void lucid__level_pop(lucid_scope *s, const lucid__level *level);
/* NULL: its transform has ended, or runs in another thread. */
lucid__level *lucid__level_find(const lucid_scope *s, uint64_t id);

/* Whether what is done now belongs to the derivatives of the level: there is no lucid_no_grad_begin open inside it. */
static inline bool lucid__level_records(const lucid_scope *s, const lucid__level *level)
{
    return s->session->no_grad <= level->no_grad;
}

/* x as an operation that leaves it as it is gives it: under lucid_no_grad_begin a constant. */
lucid_tensor lucid__unchanged(lucid_scope *s, lucid_tensor x);

/* A batch value of this level, over the lanes that are left: owned by s. */
lucid_tensor lucid__level_wrap(lucid_scope *s, const lucid__level *level, lucid_tensor inner,
                               int axis);

/* The interpreters: the primitive applied to inputs at most at this level, at least one of them at
 * it. Each sets every out[k]. */
void lucid__graph_apply(lucid_scope *s, const lucid__call *c, lucid_tensor *out);
void lucid__batch_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                        lucid_tensor *out);
void lucid__dual_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                       lucid_tensor *out);
void lucid__tape_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                       lucid_tensor *out);
/* lanes_out and lanes_in (split.h) of this level, applied to an input at most at it, or of one that it has
 * taken over, applied to an input at it. */
void lucid__lanes_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                        lucid_tensor *out);
/* A collective over this level, applied to an input at most at it. */
void lucid__collective_apply(lucid_scope *s, const lucid__level *level, const lucid__call *c,
                             lucid_tensor *out);

/* The error of a tensor whose transform has ended. */
lucid_tensor lucid__escaped(lucid_scope *s, const char *what);

/* On a stage what `what` is would be lost: an error. */
lucid_status lucid__refuse_stage(lucid_scope *s, const char *what);

/* A result x of a function that ran under `level`, checked not to come from a deeper, ended one. */
bool lucid__level_owns_or_outer(lucid_scope *s, const lucid__level *level, lucid_tensor x);

#endif
