/* Scopes and what they share.
 *
 * A session is what a root scope and its children have in common: the error, the stack of running
 * transforms, the generator. A scope is a list of handles. Rules run in a child scope on the C stack:
 *
 *     lucid_scope child;
 *     lucid__scope_enter(&child, s);
 *     ... build in &child ...
 *     out = lucid__scope_move(&child, out);   // to s
 *     lucid__scope_leave(&child);
 */
#ifndef LUCID__SCOPE_H
#define LUCID__SCOPE_H

#include "base/interrupt.h"
#include "base/memory.h"
#include "base/stack.h"
#include "graph/value.h"
#include "lucid.h"

struct lucid__level;  /* transform/level.h */
struct lucid__replay; /* graph/generator.h */

/* How the functions of the last outermost vmap ran. */
typedef struct lucid__path_log {
    lucid_paths sum;
    int64_t *each; /* lanes of the first runs */
    size_t kept, capacity;
    int paused; /* runs that only look */
} lucid__path_log;

typedef struct lucid__session {
    lucid_status status;
    lucid__interrupt interrupt;
    char message[1024];
    uint64_t unanswered;      /* LUCID_DIVERGED: the level that was asked and could not answer */
    int takers;               /* running levels that have taken others over (transform/split.h) */
    uint64_t lifts_below;     /* only takers of a lower id lift; 0: all */
    struct lucid__level *top; /* innermost running transform */
    lucid__numbers level_ids, entry_orders;
    lucid_generator *generator;
    lucid_generator *own_generator; /* NULL: the one given to lucid_open is used */
    lucid_dtype default_dtype;      /* of floats for which nobody named one */
    struct lucid__replay *replay;   /* innermost function that runs several times */
    lucid__path_log paths;
    int to_transpose; /* linear bodies for a tape that are being recorded (transform/control_linear.c) */
    int recording_rules; /* derivative rules that are being recorded (transform/custom_body.c) */
    bool python;         /* messages write code as Python does (lucid__wording) */
    bool whole;          /* pending chains of any length stay pending */
    int no_grad;         /* how many lucid_no_grad_begin are open */
    struct lucid__region *region; /* the innermost lucid_checkpoint_begin; NULL: none */
    int64_t *watched_bytes;       /* receives the most bytes of any evaluation; NULL: nobody asks */
} lucid__session;

enum {
    LUCID__SCOPE_INLINE = 16,
    /* Bytes of lucid_alloc in the scope itself; a sanitizer sees each piece better on its own. */
    LUCID__SCOPE_SCRATCH = LUCID__REUSES_MEMORY ? 512 : alignof(max_align_t),
};

struct lucid_scope {
    lucid_scope *parent;
    lucid__session *session;
    const char *operation; /* what messages call what is built here; NULL: as the parent says */
    int opens;             /* a child that could not be had is its parent, opened once more */
    size_t count, capacity;
    lucid__value **values;
    lucid__value *first_values[LUCID__SCOPE_INLINE];
    struct lucid__fn **fns;
    size_t nfns, fn_capacity;
    struct lucid__block *blocks; /* of lucid_alloc: what has no room in the scratch */
    size_t scratch_used;
    alignas(max_align_t) char scratch[LUCID__SCOPE_SCRATCH];
};

static inline void lucid__scope_init(lucid_scope *s, lucid_scope *parent, lucid__session *session)
{
    s->parent = parent;
    s->session = session;
    s->operation = NULL;
    s->opens = 1;
    s->count = 0;
    s->capacity = LUCID__SCOPE_INLINE;
    s->values = s->first_values;
    s->fns = NULL;
    s->nfns = s->fn_capacity = 0;
    s->blocks = NULL;
    s->scratch_used = 0;
}

static inline void lucid__scope_enter(lucid_scope *child, lucid_scope *parent)
{
    lucid__scope_init(child, parent, parent->session);
}

void lucid__scope_leave_all(lucid_scope *s);

static inline void lucid__scope_leave(lucid_scope *s)
{
    if (s->count > 0 || s->values != s->first_values || s->fns || s->blocks)
        lucid__scope_leave_all(s);
}
/* Of what C and Python write differently, that of the language in which messages are read. */
static inline const char *lucid__wording(const lucid_scope *s, const char *c, const char *python)
{
    return s->session->python ? python : c;
}

/* Takes over the caller's reference (NULL: records out of memory unless an error is there). */
static inline lucid_tensor lucid__own(lucid_scope *s, lucid__value *v);
/* A reference to x, which the scope has no more use for: its own, if x is what it was given last or first. */
static inline lucid__value *lucid__scope_take(lucid_scope *s, lucid_tensor x);
/* x in another scope, too; if that lives longer than s does, by what s has of x. */
static inline lucid_tensor lucid__scope_give(lucid_scope *s, lucid_tensor x, lucid_scope *to);
/* Gives a handle of the child to its parent. Empty handles pass through. */
lucid_tensor lucid__scope_move(lucid_scope *child, lucid_tensor x);
/* Takes over the caller's reference, as lucid__own. */
lucid_fn lucid__own_fn(lucid_scope *s, struct lucid__fn *f);

static inline bool lucid__ok(const lucid_scope *s)
{
    return s && s->session->status == LUCID_OK;
}

/* What messages call an operation: what its caller said, or its own name. */
static inline const char *lucid__operation(const lucid_scope *s, const char *name)
{
    while (s && !s->operation)
        s = s->parent;
    return s && *s->operation ? s->operation : name;
}

/* An empty handle for `return lucid__error(...)`. */
#define lucid__error(s, status, ...) (lucid_fail((s), (status), __VA_ARGS__), (lucid_tensor){NULL})

lucid_status lucid__out_of_memory(lucid_scope *s);
lucid_status lucid__interrupted(lucid_scope *s);
/* Where memory and an interruption are the only reasons not to finish. */
lucid_status lucid__unfinished(lucid_scope *s);

lucid_status lucid__fail_nesting(lucid_scope *s);

/* For whatever recurses as deeply as programs are nested: false, and an error in s, where there is no stack for it. */
static inline bool lucid__may_nest(lucid_scope *s)
{
    if (!lucid__stack_is_low())
        return true;
    (void)lucid__fail_nesting(s);
    return false;
}

bool lucid__notice_interrupt(lucid_scope *s);

/* For whoever goes on for long without evaluating anything: true, and an error in s, if there is to be an end. */
static inline bool lucid__is_interrupted(lucid_scope *s)
{
    lucid__interrupt *of = &s->session->interrupt;
    bool wanted = atomic_load_explicit(&of->wanted, memory_order_relaxed);
    return (wanted || --of->patience < 0) && lucid__notice_interrupt(s);
}

/* As lucid_alloc, for what is written before it is read. */
static inline void *lucid__alloc(lucid_scope *s, size_t bytes)
{
    if (!LUCID__REUSES_MEMORY || bytes > LUCID__SCOPE_SCRATCH - s->scratch_used)
        return lucid_alloc(s, bytes);
    char *p = s->scratch + s->scratch_used;
    s->scratch_used +=
        (bytes + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    return p;
}

lucid_tensor lucid__own_more(lucid_scope *s, lucid__value *v); /* where that is not so easy */

static inline lucid_tensor lucid__own(lucid_scope *s, lucid__value *v)
{
    if (!v || s->count == s->capacity)
        return lucid__own_more(s, v);
    s->values[s->count++] = v;
    return (lucid_tensor){v};
}

static inline lucid__value *lucid__scope_take(lucid_scope *s, lucid_tensor x)
{
    if (s->count > 0 && s->values[s->count - 1] == x.v) {
        s->count--;
        return x.v;
    }
    if (s->count > 0 && s->values[0] == x.v) {
        s->values[0] = s->values[--s->count];
        return x.v;
    }
    return lucid__value_retain(x.v);
}

static inline lucid_tensor lucid__scope_give(lucid_scope *s, lucid_tensor x, lucid_scope *to)
{
    const lucid_scope *around = s;
    while (around && around != to)
        around = around->parent;
    /* Without room, where this can fail, s keeps what it has. */
    bool take = around && to->count < to->capacity && x.v;
    return take ? lucid__own(to, lucid__scope_take(s, x)) : lucid_own(to, x);
}

#endif
