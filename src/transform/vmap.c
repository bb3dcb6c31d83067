/* vmap: pushes a batch level (vectorized; auto: lanes may part, see split.h), or runs the function once per
 * lane (isolated). However it is run, the results come in pieces that are put together in lane order. */
#include "transform/vmap.h"

#include <string.h>

#include "base/memory.h"
#include "graph/fn.h"
#include "graph/generator.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/split.h"

typedef struct vmap_self {
    lucid__fn *f;
    int *in_dims, *out_dims; /* NULL: 0 for all */
    size_t n_in, n_out;
    lucid_vmap_options options; /* axis_name: a copy of its own */
    bool hidden;
} vmap_self;

static void destroy(void *self)
{
    vmap_self *v = self;
    lucid__fn_release(v->f);
    lucid__free(v->in_dims);
    lucid__free(v->out_dims);
    lucid__free((char *)(uintptr_t)v->options.axis_name);
}

/* ---- arguments ------------------------------------------------------------------------------ */

/* One call: the arguments, where each carries its batch, and how many lanes there are. */
typedef struct vmap_call {
    const vmap_self *self;
    const lucid_tensor *x;
    size_t nx;
    int *axis; /* counted from the front; -1: not mapped */
    int64_t lanes;
    bool mapped;
    lucid__replay *replay; /* of the runs of f */
} vmap_call;

static void fail_in_dim(lucid_scope *s, const vmap_call *call, size_t i, int dim)
{
    const lucid_shape *shape = &call->x[i].v->aval.shape;
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    lucid__argument_name(call->self->f, "argument", i, name);
    if (shape->ndim == 0)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: in_dim %d is out of range for a 0-D tensor: %s has no dim to map; its "
            "in_dim must be None, which passes it on unmapped",
            dim, name);
    else
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: in_dim %d is out of range for a %d-D tensor: %s has shape %s; its "
                         "in_dim must be from %d to %d, or None to pass it on unmapped",
                         dim, shape->ndim, name, lucid__shape_text(shape, text, sizeof text),
                         -shape->ndim, shape->ndim - 1);
}

static void fail_batch_sizes(lucid_scope *s, const vmap_call *call, size_t i, size_t j)
{
    char name[2][LUCID__PLACE_TEXT], text[2][LUCID__SHAPE_TEXT];
    const lucid_shape *a = &call->x[i].v->aval.shape, *b = &call->x[j].v->aval.shape;
    (void)lucid_fail(
        s, LUCID_VALUE_ERROR,
        "vmap: inconsistent batch sizes %lld vs %lld: %s has shape %s and in_dim %d, %s "
        "has shape %s and in_dim %d; the mapped dims must be of one size (an in_dim of "
        "None passes an argument on unmapped)",
        (long long)a->dim[call->axis[i]], (long long)b->dim[call->axis[j]],
        lucid__argument_name(call->self->f, "argument", i, name[0]),
        lucid__shape_text(a, text[0], sizeof text[0]), call->axis[i],
        lucid__argument_name(call->self->f, "argument", j, name[1]),
        lucid__shape_text(b, text[1], sizeof text[1]), call->axis[j]);
}

static bool resolve_arguments(lucid_scope *s, vmap_call *call)
{
    const vmap_self *self = call->self;
    if (self->n_in > 0 && self->n_in != call->nx) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: in_dims has %zu entries for a function called with %zu arguments",
                         self->n_in, call->nx);
        return false;
    }
    call->axis = lucid_alloc(s, (call->nx + 1) * sizeof *call->axis);
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

/* ---- results -------------------------------------------------------------------------------- */

static bool out_dim_of(lucid_scope *s, const vmap_self *self, const lucid_results *r, size_t k,
                       int *dim)
{
    *dim = r->at[k].out_dim;
    if (*dim != LUCID__OUT_DIM_DEFAULT)
        return true;
    if (self->n_out > 1 && self->n_out != r->count) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: out_dims has %zu entries for %zu results",
                         self->n_out, r->count);
        return false;
    }
    *dim = self->n_out == 0 ? 0 : self->n_out == 1 ? self->out_dims[0] : self->out_dims[k];
    return true;
}

static int wrap_out_dim(lucid_scope *s, const vmap_self *self, size_t k, int dim,
                        const lucid_shape *shape)
{
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    int at = lucid__wrap_dim(dim, shape->ndim + 1);
    if (at < 0)
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: out_dim %d is out of range for a %d-D tensor: %s has shape %s per "
            "example and one dim more with its batch; its out_dim must be from %d to %d",
            dim, shape->ndim + 1, lucid__result_name(self->f, k, name),
            lucid__shape_text(shape, text, sizeof text), -shape->ndim - 1, shape->ndim);
    return at;
}

static lucid_tensor fail_depends(lucid_scope *s, const vmap_self *self, size_t k,
                                 const lucid_shape *shape)
{
    char name[LUCID__PLACE_TEXT], text[LUCID__SHAPE_TEXT];
    return lucid__error(s, LUCID_VALUE_ERROR,
                        "vmap: %s (shape %s per example) depends on the batch, but its out_dim is "
                        "None; give it an int out_dim, or compute it from what is not mapped alone",
                        lucid__result_name(self->f, k, name),
                        lucid__shape_text(shape, text, sizeof text));
}

/* Result k of a run, without its level, its lanes at the out_dim. */
static lucid_tensor unwrap(lucid_scope *s, const vmap_self *self, const lucid__level *level,
                           lucid_tensor y, size_t k, int dim)
{
    if (!lucid__level_owns_or_outer(s, level, y))
        return (lucid_tensor){NULL};
    bool batched = y.v->level == level->id;
    if (batched)
        lucid__split_catch_up(s, level, y.v);
    bool depends = batched || (level->split && level->split->version > 0);
    if (dim == LUCID_NONE) {
        if (depends)
            return fail_depends(s, self, k, &y.v->aval.shape);
        return y;
    }
    int at = wrap_out_dim(s, self, k, dim, &y.v->aval.shape);
    if (at < 0)
        return (lucid_tensor){NULL};
    return batched ? lucid__batch_at(s, (lucid_tensor){y.v->inner}, y.v->axis, at, level->size)
                   : lucid__batch_at(s, y, -1, at, level->size);
}

/* Results of runs over parts of the lanes, to be put together along their out_dims. */
typedef struct piece {
    struct piece *next;
    int64_t first, size;
    int64_t *lanes; /* NULL: first and on */
    lucid_tensor y[];
} piece;

typedef struct pieces {
    lucid_scope *scope; /* owns everything here */
    piece *first, **last;
    size_t count, nresults, naux;
    int *dim;
    int64_t lanes; /* of all pieces */
    bool in_order;
} pieces;

static void pieces_begin(lucid_scope *s, pieces *p)
{
    *p = (pieces){.scope = s, .in_order = true};
    p->last = &p->first;
}

/* The first piece says how many results there are and where their lanes go. */
static bool pieces_match(lucid_scope *s, const vmap_call *call, pieces *p, const lucid_results *r)
{
    if (p->count > 0) {
        if (r->count != p->nresults)
            (void)lucid_fail(
                s, LUCID_VALUE_ERROR,
                "vmap: the function returned %zu results for some lanes and %zu for others",
                p->nresults, r->count);
        return lucid__ok(s);
    }
    p->nresults = r->count;
    p->naux = r->aux;
    p->dim = lucid_alloc(p->scope, (r->count + 1) * sizeof *p->dim);
    for (size_t k = 0; p->dim && k < r->count; k++)
        if (!out_dim_of(s, call->self, r, k, &p->dim[k]))
            return false;
    return p->dim != NULL;
}

/* The results of one run under `level`. */
static void pieces_add(lucid_scope *s, const vmap_call *call, pieces *p, const lucid__level *level,
                       const lucid_results *r)
{
    if (!pieces_match(s, call, p, r))
        return;
    piece *new = lucid_alloc(p->scope, sizeof *new + r->count * sizeof(lucid_tensor));
    if (!new)
        return;
    for (size_t k = 0; k < r->count && lucid__ok(s); k++)
        new->y[k] = lucid_own(p->scope, unwrap(s, call->self, level, r->at[k].x, k, p->dim[k]));
    new->first = level->first;
    new->size = level->size;
    if (level->lane_ids) { /* which may end before the pieces do */
        new->lanes = lucid_alloc(p->scope, ((size_t)level->size + 1) * sizeof *new->lanes);
        if (!new->lanes)
            return;
        memcpy(new->lanes, level->lane_ids, (size_t)level->size * sizeof *new->lanes);
    }
    p->in_order &= !new->lanes &&new->first == p->lanes;
    p->lanes += new->size;
    *p->last = new;
    p->last = &new->next;
    p->count++;
}

/* Where in the pieces each lane is. */
static lucid_tensor places_of_lanes(lucid_scope *s, const pieces *p)
{
    int64_t *at = lucid_alloc(s, ((size_t)p->lanes + 1) * sizeof *at), next = 0;
    for (const piece *q = p->first; at && q; q = q->next)
        for (int64_t i = 0; i < q->size; i++)
            at[q->lanes ? q->lanes[i] : q->first + i] = next++;
    return at ? lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(p->lanes)) : (lucid_tensor){NULL};
}

/* The shapes of one result must agree on all lanes. */
static bool check_shapes(lucid_scope *s, const vmap_self *self, const lucid_tensor *parts, size_t n,
                         size_t k, int dim)
{
    for (size_t i = 1; i < n; i++) {
        lucid_shape a = parts[0].v->aval.shape, b = parts[i].v->aval.shape;
        int at = lucid__wrap_dim(dim, a.ndim);
        char ta[LUCID__SHAPE_TEXT], tb[LUCID__SHAPE_TEXT], name[LUCID__PLACE_TEXT];
        if (a.ndim == b.ndim)
            b.dim[at] = a.dim[at];
        if (lucid__shape_equal(&a, &b))
            continue;
        a = lucid__shape_remove(&a, at);
        b = lucid__shape_remove(&parts[i].v->aval.shape,
                                lucid__wrap_dim(dim, parts[i].v->aval.shape.ndim));
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: %s has shape %s on some lanes and %s on others; every example must "
                         "give the same shape (pad it, or return what has a fixed size)",
                         lucid__result_name(self->f, k, name), lucid__shape_text(&a, ta, sizeof ta),
                         lucid__shape_text(&b, tb, sizeof tb));
        return false;
    }
    return true;
}

/* The pieces in lane order. */
static void pieces_end(lucid_scope *s, const vmap_self *self, const pieces *p, lucid_results *out)
{
    lucid_tensor *parts = lucid_alloc(s, (p->count + 1) * sizeof *parts);
    lucid_tensor places = p->in_order ? (lucid_tensor){NULL} : places_of_lanes(s, p);
    for (size_t k = 0; parts && k < p->nresults && lucid__ok(s); k++) {
        size_t n = 0;
        for (const piece *at = p->first; at; at = at->next)
            parts[n++] = at->y[k];
        lucid_tensor y = parts[0];
        if (p->dim[k] != LUCID_NONE && check_shapes(s, self, parts, n, k, p->dim[k])) {
            if (n > 1)
                y = lucid_concatenate(s, parts, n, p->dim[k]);
            if (places.v)
                y = lucid_take(s, y, places, p->dim[k]);
        }
        (void)(k < p->nresults - p->naux ? lucid_results_push(s, out, y)
                                         : lucid_results_push_aux(s, out, y));
    }
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Argument i for the lanes of a level. */
static lucid_tensor argument(lucid_scope *s, const vmap_call *call, const lucid__level *level,
                             size_t i)
{
    lucid_tensor x = call->x[i];
    int axis = call->axis[i];
    if (axis < 0)
        return x;
    if (level->kind == LUCID__LEVEL_LANE)
        return lucid_select(s, x, axis, level->first);
    if (level->size != call->lanes)
        x = level->lane_ids ? lucid_take(s, x,
                                         lucid_from_data(s, level->lane_ids, LUCID_INT64,
                                                         LUCID_SHAPE(level->size)),
                                         axis)
                            : lucid_slice(s, x, axis, level->first, level->first + level->size, 1);
    return lucid__level_wrap(s, level, x, axis);
}

/* Runs f once, under a level made ready but not pushed, and adds its results to p. */
static bool run_level(lucid_scope *s, const vmap_call *call, lucid__level *level, pieces *p)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = lucid_alloc(&child, (call->nx + 1) * sizeof *in);
    lucid__replay_restart(s, call->replay);
    lucid__level_push(s, level);
    for (size_t i = 0; in && i < call->nx && lucid__ok(s); i++)
        in[i] = argument(&child, call, level, i);
    if (lucid__ok(s))
        (void)lucid__fn_run(&child, call->self->f, in, call->nx, r);
    lucid__level_pop(s, level);
    if (s->session->status == LUCID_DIVERGED && s->session->diverged == level->id)
        s->session->diverged = 0; /* ours, and the caller may know another way */
    if (lucid__ok(s))
        pieces_add(&child, call, p, level, r);
    lucid__scope_leave(&child);
    return lucid__ok(s);
}

static lucid__level new_level(const vmap_call *call, lucid__level_kind kind, int64_t first,
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

/* The lanes first .. first + size - 1 together, or path by path if they part. */
static bool run_lanes(lucid_scope *s, const vmap_call *call, int64_t first, int64_t size, pieces *p)
{
    lucid__level level = new_level(call, LUCID__LEVEL_BATCH, first, size);
    if (call->self->options.strategy != LUCID_STRATEGY_AUTO)
        return run_level(s, call, &level, p);
    lucid_scope child;
    lucid__split split;
    lucid__scope_enter(&child, s);
    bool ok = lucid__split_begin(&child, &split, first, size);
    while (ok && lucid__split_next(&split)) {
        level = new_level(call, LUCID__LEVEL_BATCH, first, split.now.count);
        level.split = &split;
        level.lane_ids = split.now.lanes;
        ok = run_level(&child, call, &level, p);
    }
    lucid__scope_leave(&child);
    return ok;
}

static bool run_chunks(lucid_scope *s, const vmap_call *call, pieces *p)
{
    int64_t chunk = call->self->options.chunk_size;
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

static bool run_isolated(lucid_scope *s, const vmap_call *call, pieces *p)
{
    for (int64_t lane = 0; lane < call->lanes; lane++) {
        lucid__level level = new_level(call, LUCID__LEVEL_LANE, lane, 1);
        if (!run_level(s, call, &level, p))
            return false;
    }
    return true;
}

/* ---- the transform -------------------------------------------------------------------------- */

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    lucid__replay replay;
    vmap_call c = {.self = self, .x = x, .nx = nx, .replay = &replay};
    if (!resolve_arguments(s, &c))
        return lucid_error(s);
    if (!c.mapped)
        return lucid__fn_run(s, c.self->f, x, nx, out);
    pieces p;
    lucid_strategy strategy = c.self->options.strategy;
    pieces_begin(s, &p);
    lucid__replay_begin(s, &replay);
    /* No lanes: shapes and dtypes still come out of a run on an empty batch. */
    bool isolated = strategy == LUCID_STRATEGY_ISOLATED && c.lanes > 0;
    bool ok = isolated ? run_isolated(s, &c, &p) : run_chunks(s, &c, &p);
    /* Lanes that parted while another vmap around them had a say in it: one at a time. */
    if (!ok && s->session->status == LUCID_DIVERGED && s->session->diverged == 0 &&
        strategy == LUCID_STRATEGY_AUTO && c.lanes > 0) {
        lucid_clear_error(s);
        pieces_begin(s, &p);
        ok = run_isolated(s, &c, &p);
    }
    lucid__replay_end(s, &replay);
    if (ok)
        pieces_end(s, c.self, &p, out);
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
    static const lucid_vmap_options defaults;
    if (!options)
        options = &defaults;
    if (!lucid__check_fn(s, "vmap", f))
        return (lucid_fn){NULL};
    if (options->chunk_size < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "vmap: chunk_size must be >= 1 (0: none), not %lld",
                         (long long)options->chunk_size);
    if ((unsigned)options->strategy > LUCID_STRATEGY_ISOLATED)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: strategy must be \"auto\", \"vectorized\" or \"isolated\"");
    if ((unsigned)options->randomness > LUCID_RANDOMNESS_SAME)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: randomness must be \"error\", \"different\" or \"same\"");
    if (!lucid__ok(s))
        return (lucid_fn){NULL};
    lucid__fn *object = lucid__fn_alloc("vmap", sizeof(vmap_self), call, destroy);
    if (object) {
        vmap_self *v = (vmap_self *)(void *)object->self;
        v->f = lucid__fn_retain(f.f);
        lucid__fn_take_argument_names(object, f.f);
        v->options = *options;
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
