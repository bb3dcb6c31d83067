/* vmap: pushes a batch level (vectorized; auto: lanes may part, see split.h), or runs the function once per
 * lane (isolated). However it is run, the results come in pieces (pieces.h) that are put together in lane order. */
#include "transform/vmap.h"

#include <string.h>

#include "base/memory.h"
#include "graph/fn.h"
#include "graph/generator.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/paths.h"
#include "transform/pieces.h"

static void destroy(void *self)
{
    lucid__vmap_self *v = self;
    lucid__fn_release(v->f);
    lucid__free(v->in_dims);
    lucid__free(v->out_dims);
    lucid__free((char *)(uintptr_t)v->options.axis_name);
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* The in_dim of what has no batch. */
static const char *unmapped(const lucid_scope *s)
{
    return lucid__wording(s, "LUCID_NONE", "None");
}

static void fail_in_dim(lucid_scope *s, const lucid__vmap_call *call, size_t i, int dim)
{
    const lucid_shape *shape = &call->x[i].v->aval.shape;
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    lucid__argument_name(call->self->f, "argument", i, name);
    if (shape->ndim == 0)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: in_dim %d is out of range for a 0-D tensor: %s has no dim to map; its "
            "in_dim must be %s, which passes it on unmapped",
            dim, name, unmapped(s));
    else
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: in_dim %d is out of range for a %d-D tensor: %s has shape %s; its "
                         "in_dim must be from %d to %d, or %s to pass it on unmapped",
                         dim, shape->ndim, name, lucid__shape_text(shape, text, sizeof text),
                         -shape->ndim, shape->ndim - 1, unmapped(s));
}

static void fail_batch_sizes(lucid_scope *s, const lucid__vmap_call *call, size_t i, size_t j)
{
    char name[2][LUCID__PLACE_TEXT], text[2][LUCID__SHAPE_TEXT];
    const lucid_shape *a = &call->x[i].v->aval.shape, *b = &call->x[j].v->aval.shape;
    (void)lucid_fail(
        s, LUCID_VALUE_ERROR,
        "vmap: inconsistent batch sizes %lld vs %lld: %s has shape %s and in_dim %d, %s "
        "has shape %s and in_dim %d; the mapped dims must be of one size (an in_dim of "
        "%s passes an argument on unmapped)",
        (long long)a->dim[call->axis[i]], (long long)b->dim[call->axis[j]],
        lucid__argument_name(call->self->f, "argument", i, name[0]),
        lucid__shape_text(a, text[0], sizeof text[0]), call->axis[i],
        lucid__argument_name(call->self->f, "argument", j, name[1]),
        lucid__shape_text(b, text[1], sizeof text[1]), call->axis[j], unmapped(s));
}

static bool resolve_arguments(lucid_scope *s, lucid__vmap_call *call)
{
    const lucid__vmap_self *self = call->self;
    if (self->n_in > 0 && self->n_in != call->nx) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: in_dims has %zu entries for a function called with %zu arguments; "
                         "give one for each",
                         self->n_in, call->nx);
        return false;
    }
    call->axis = lucid__alloc(s, (call->nx + 1) * sizeof *call->axis);
    if (!call->axis)
        return false;
    size_t first = 0; /* the first mapped argument */
    for (size_t i = 0; i < call->nx; i++) {
        int dim = self->n_in > 0 ? self->in_dims[i] : 0;
        call->axis[i] = -1;
        if (dim == LUCID_NONE)
            continue;
        const lucid_shape *shape = &call->x[i].v->aval.shape;
        int axis = lucid__wrap_dim(dim, shape->ndim);
        if (axis < 0) {
            fail_in_dim(s, call, i, dim);
            return false;
        }
        call->axis[i] = axis;
        if (call->mapped && shape->dim[axis] != call->lanes) {
            fail_batch_sizes(s, call, first, i);
            return false;
        }
        if (!call->mapped)
            first = i;
        call->lanes = shape->dim[axis];
        call->mapped = true;
    }
    return true;
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Argument i for the lanes of a level; those of a split as they are before any parting. */
static lucid_tensor argument(lucid_scope *s, const lucid__vmap_call *call,
                             const lucid__level *level, size_t i)
{
    lucid_tensor x = call->x[i];
    int axis = call->axis[i];
    if (axis < 0)
        return x;
    if (level->kind == LUCID__LEVEL_LANE)
        return lucid_select(s, x, axis, level->first);
    int64_t size = level->split ? level->split->count : level->size;
    if (size != call->lanes)
        x = lucid_slice(s, x, axis, level->first, level->first + size, 1);
    x = lucid__level_wrap(s, level, x, axis);
    if (x.v)
        x.v->version = 0;
    return x;
}

/* Runs f once, under a level made ready but not pushed, and adds its results to p. */
static bool run_level(lucid_scope *s, const lucid__vmap_call *call, lucid__level *level,
                      lucid__pieces *p)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = lucid__alloc(&child, (call->nx + 1) * sizeof *in);
    int64_t runs = lucid__paths_runs(s);
    if (r)
        r->takes_numbers = true;
    lucid__replay_restart(s, call->replay);
    lucid__level_push(s, level);
    const uint64_t lifts = lucid__hold_lifts(s, level);
    for (size_t i = 0; in && i < call->nx && lucid__ok(s); i++)
        in[i] = argument(&child, call, level, i);
    s->session->lifts_below = lifts;
    if (lucid__ok(s))
        (void)lucid__fn_run(&child, call->self->f, in, call->nx, r);
    lucid__paths_note(s, level, runs);
    lucid__level_pop(s, level);
    if (s->session->status == LUCID_DIVERGED && s->session->unanswered == level->id)
        s->session->unanswered = 0; /* ours, and the caller may know another way */
    if (lucid__ok(s))
        lucid__pieces_add(&child, call, p, level, r);
    lucid__scope_leave(&child);
    return lucid__ok(s);
}

static lucid__level new_level(const lucid__vmap_call *call, lucid__level_kind kind, int64_t first,
                              int64_t size)
{
    return (lucid__level){.kind = kind,
                          .first = first,
                          .size = size,
                          .lanes = call->lanes,
                          .randomness = call->self->options.randomness,
                          .name = call->self->options.axis_name,
                          .hidden = call->self->hidden};
}

/* Whether lanes that parted can run as they do under strategy="isolated": without lanes of other vmaps that might want
 * different answers, and without others that they make something together with. */
static bool can_run_alone(const lucid_scope *s, const lucid__vmap_call *call,
                          const lucid__pieces *p)
{
    if (call->self->options.axis_name || p->stand_in)
        return false;
    for (const lucid__level *l = s->session->top; l; l = l->below)
        if (l->kind == LUCID__LEVEL_BATCH)
            return false;
    return true;
}

/* The lanes first .. first + size - 1 together, or path by path if they part. */
static bool run_lanes(lucid_scope *s, const lucid__vmap_call *call, int64_t first, int64_t size,
                      lucid__pieces *p)
{
    lucid__level level;
    if (call->strategy != LUCID_STRATEGY_AUTO) {
        level = new_level(call, LUCID__LEVEL_BATCH, first, size);
        return run_level(s, call, &level, p);
    }
    lucid_scope child;
    lucid__split split;
    lucid__pieces parts;
    lucid__scope_enter(&child, s);
    lucid__pieces_begin(&child, &parts);
    bool ok = lucid__split_begin(&child, &split, first, size);
    split.max_paths = call->self->options.max_paths;
    split.max_answers = call->max_answers;
    split.stand_in = p->stand_in;
    const bool alone = can_run_alone(s, call, p);
    while (ok && split.waiting) {
        const int64_t *place = alone ? lucid__split_take_lane(&split) : NULL;
        if (place) {
            level = new_level(call, LUCID__LEVEL_LANE, first + *place, 1);
            level.place = place;
            level.answers_left = split.max_answers + 1;
            ok = run_level(&child, call, &level, &parts);
            continue;
        }
        level = new_level(call, LUCID__LEVEL_BATCH, first, size);
        ok = lucid__split_next(&split, &level) && run_level(&child, call, &level, &parts);
    }
    lucid__paths_alone(s, split.alone);
    if (call->self->options.alone)
        *call->self->options.alone += split.alone;
    if (lucid__ok(s))
        lucid__pieces_join(&child, call, &split, &parts, p);
    lucid__split_end(&split);
    lucid__scope_leave(&child);
    return lucid__ok(s);
}

/* The values at level 0 that a value stands for, into `to` (NULL: only counted). Recursion is as deep as
 * transforms are nested. */
static size_t values_behind(lucid__value *v, lucid_tensor *to)
{
    if (v->kind == LUCID__BATCH)
        return values_behind(v->inner, to);
    if (v->kind == LUCID__GRAPH && to)
        to[0] = (lucid_tensor){v};
    if (v->kind != LUCID__DUAL)
        return v->kind == LUCID__GRAPH;
    size_t n = values_behind(v->inner, to);
    return n + (v->tangent ? values_behind(v->tangent, to ? to + n : NULL) : 0);
}

static int64_t bytes_of(lucid_scope *s, const lucid__piece *piece, size_t nresults)
{
    size_t n = 0;
    for (size_t k = 0; k < nresults; k++)
        n += values_behind(piece->y[k].v, NULL);
    lucid_tensor *values = lucid_alloc(s, (n + 1) * sizeof *values);
    n = 0;
    for (size_t k = 0; values && k < nresults; k++)
        n += values_behind(piece->y[k].v, values + n);
    return values ? lucid_bytes_to_eval(s, values, n) : -1;
}

/* Bytes that the first lanes take: the most of what the function has evaluated meanwhile and of what its
 * results will. -1 on error. */
static int64_t measure(lucid_scope *s, const lucid__vmap_call *call, int64_t lanes)
{
    lucid_scope child;
    lucid__pieces p;
    lucid__session *session = s->session;
    int64_t *outer = session->watched_bytes, most = 0;
    lucid__scope_enter(&child, s);
    lucid__pieces_begin(&child, &p);
    session->watched_bytes = &most;
    session->paths.paused++;
    bool ok = run_lanes(&child, call, 0, lanes, &p);
    for (const lucid__piece *q = p.first; ok && q; q = q->next) {
        int64_t bytes = bytes_of(&child, q, p.nresults);
        ok = bytes >= 0;
        most = bytes > most ? bytes : most;
    }
    session->watched_bytes = outer;
    session->paths.paused--;
    if (outer && most > *outer)
        *outer = most;
    lucid__scope_leave(&child);
    return ok ? most : -1;
}

/* As many lanes as are seen to fit the budget. Bytes are max(a, b + c * lanes) or the like, with a and b what
 * all lanes share: each guess is a line through what was seen, and is itself looked at before it is taken. */
static int64_t fit_chunk(lucid_scope *s, const lucid__vmap_call *call)
{
    enum { LOOKS = 6, GROWTH = 8 };
    const double budget = (double)lucid_get_memory_budget();
    double one = call->lanes > 1 ? (double)measure(s, call, 1) : 0;
    if (one * (double)call->lanes <= budget) /* an error too */
        return call->lanes;
    double fits = 1, too_many = (double)call->lanes + 1, guess = budget / one;
    for (int look = 0; look < LOOKS && lucid__ok(s); look++) {
        guess = guess < too_many - 1 ? (double)(int64_t)guess : too_many - 1;
        if (guess <= fits)
            break;
        double bytes = (double)measure(s, call, (int64_t)guess);
        double each = (bytes - one) / (guess - 1);
        if (bytes <= budget)
            fits = guess;
        else
            too_many = guess;
        double most = GROWTH * fits;
        guess = each > 0 ? 1 + (budget - one) / each : most;
        guess = guess < most ? guess : most;
        if (guess < 1.25 * fits)
            break;
    }
    return (int64_t)fits;
}

static bool run_chunks(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p)
{
    int64_t chunk = call->self->options.chunk_size;
    if (chunk == LUCID_AUTO_CHUNK)
        chunk = fit_chunk(s, call);
    if (!lucid__ok(s))
        return false;
    if (chunk <= 0 || chunk > call->lanes)
        chunk = call->lanes > 0 ? call->lanes : 1;
    int64_t first = 0;
    do {
        int64_t size = call->lanes - first < chunk ? call->lanes - first : chunk;
        if (!run_lanes(s, call, first, size, p))
            return false;
        first += size;
    } while (first < call->lanes);
    return true;
}

static bool run_isolated(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p)
{
    for (int64_t lane = 0; lane < call->lanes; lane++) {
        lucid__level level = new_level(call, LUCID__LEVEL_LANE, lane, 1);
        if (!run_level(s, call, &level, p))
            return false;
    }
    return true;
}

/* The batch is empty, and the function asks it for answers: an example of ones answers in its place. Results
 * get their shapes and dtypes that way, and no lanes. */
static bool run_stand_in(lucid_scope *s, const lucid__vmap_call *call, lucid__pieces *p)
{
    enum { FEW_ANSWERS = 1000 };
    lucid__vmap_call one = *call;
    lucid_tensor *x = lucid_alloc(s, (call->nx + 1) * sizeof *x);
    for (size_t i = 0; x && i < call->nx; i++) {
        x[i] = call->x[i];
        if (call->axis[i] < 0)
            continue;
        lucid__aval aval = x[i].v->aval;
        aval.shape.dim[call->axis[i]] = 1;
        x[i] = lucid__broadcast(s, lucid_cast(s, lucid_scalar_int(s, 1), aval.dtype), &aval.shape);
    }
    one.x = x;
    one.lanes = 1;
    one.strategy = LUCID_STRATEGY_AUTO;
    one.max_answers = FEW_ANSWERS;
    p->stand_in = true;
    s->session->paths.paused++;
    bool ok = x && lucid__ok(s) && run_lanes(s, &one, 0, 1, p);
    s->session->paths.paused--;
    return ok;
}

/* ---- the transform -------------------------------------------------------------------------- */

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    lucid__replay replay;
    lucid__vmap_call c = {
        .self = self, .x = x, .nx = nx, .max_answers = LUCID__MANY_ANSWERS, .replay = &replay};
    c.strategy = c.self->options.strategy;
    if (!resolve_arguments(s, &c))
        return lucid_error(s);
    if (!c.mapped)
        return lucid__fn_run(s, c.self->f, x, nx, out);
    lucid__pieces p;
    lucid__pieces_begin(s, &p);
    lucid__replay_begin(s, &replay);
    if (!c.self->hidden)
        lucid__paths_begin(s);
    /* No lanes: shapes and dtypes still come out of a run on an empty batch. */
    bool isolated = c.strategy == LUCID_STRATEGY_ISOLATED && c.lanes > 0;
    bool ok = isolated ? run_isolated(s, &c, &p) : run_chunks(s, &c, &p);
    if (!ok && s->session->status == LUCID_DIVERGED && s->session->unanswered == 0 &&
        c.lanes == 0 && c.strategy != LUCID_STRATEGY_VECTORIZED) {
        lucid_clear_error(s);
        lucid__pieces_begin(s, &p);
        ok = run_stand_in(s, &c, &p);
    }
    lucid__replay_end(s, &replay);
    if (ok)
        lucid__pieces_end(s, c.self, &p, out);
    return lucid_error(s);
}

static bool copy_dims(int **to, size_t *n, lucid_ints from)
{
    if (from.n == 0)
        return true;
    *to = lucid__malloc(from.n * sizeof **to);
    if (!*to)
        return false;
    for (size_t i = 0; i < from.n; i++)
        (*to)[i] = from.at[i];
    *n = from.n;
    return true;
}

static bool copy_name(const char **name)
{
    if (!*name)
        return true;
    size_t bytes = strlen(*name) + 1;
    char *copy = lucid__malloc(bytes);
    if (copy)
        memcpy(copy, *name, bytes);
    *name = copy;
    return copy != NULL;
}

lucid_fn lucid__vmap(lucid_scope *s, lucid_fn f, const lucid_vmap_options *options, bool hidden)
{
    enum { DEFAULT_PATHS = 1000 };
    static const lucid_vmap_options defaults;
    if (!options)
        options = &defaults;
    if (!lucid__check_fn(s, "vmap", f))
        return (lucid_fn){NULL};
    if (options->chunk_size < 0 && options->chunk_size != LUCID_AUTO_CHUNK)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: chunk_size must be >= 1, 0 (all lanes) or LUCID_AUTO_CHUNK, not %lld",
            (long long)options->chunk_size);
    if (options->max_paths < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: max_paths must be >= 1 (0: %d), not %lld",
                         DEFAULT_PATHS, (long long)options->max_paths);
    if ((unsigned)options->strategy > LUCID_STRATEGY_ISOLATED)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: strategy must be LUCID_STRATEGY_AUTO, _VECTORIZED or _ISOLATED, not %d",
            (int)options->strategy);
    if ((unsigned)options->randomness > LUCID_RANDOMNESS_SAME)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: randomness must be LUCID_RANDOMNESS_ERROR, _DIFFERENT or _SAME, not %d",
            (int)options->randomness);
    if (!lucid__ok(s))
        return (lucid_fn){NULL};
    lucid__fn *object = lucid__fn_alloc("vmap", sizeof(lucid__vmap_self), call, destroy);
    if (object) {
        lucid__vmap_self *v = (lucid__vmap_self *)(void *)object->self;
        v->f = lucid__fn_retain(f.f);
        object->takes_numbers = true;
        lucid__fn_take_argument_names(object, f.f);
        v->options = *options;
        v->options.max_paths = options->max_paths > 0 ? options->max_paths : DEFAULT_PATHS;
        v->hidden = hidden;
        if (!copy_name(&v->options.axis_name) ||
            !copy_dims(&v->in_dims, &v->n_in, options->in_dims) ||
            !copy_dims(&v->out_dims, &v->n_out, options->out_dims)) {
            lucid__fn_release(object);
            object = NULL;
        }
    }
    return lucid__own_fn(s, object);
}

lucid_fn lucid_vmap(lucid_scope *s, lucid_fn f, const lucid_vmap_options *options)
{
    return lucid__vmap(s, f, options, false);
}
