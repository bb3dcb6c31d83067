/* vmap: pushes a batch level (vectorized), or runs the function once per lane (isolated). */
#include "transform/vmap.h"

#include "base/memory.h"
#include "graph/fn.h"
#include "graph/generator.h"
#include "prim/family.h"
#include "transform/argnums.h"

typedef struct vmap_self {
    lucid__fn *f;
    int *in_dims, *out_dims; /* NULL: 0 for all */
    size_t n_in, n_out;
    lucid_vmap_options options;
    bool hidden;
} vmap_self;

static void destroy(void *self)
{
    vmap_self *v = self;
    lucid__fn_release(v->f);
    lucid__free(v->in_dims);
    lucid__free(v->out_dims);
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
} vmap_call;

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
    for (size_t i = 0; i < call->nx; i++) {
        int dim = self->n_in > 0 ? self->in_dims[i] : 0;
        call->axis[i] = -1;
        if (dim == LUCID_NONE)
            continue;
        const lucid_shape *shape = &call->x[i].v->aval.shape;
        int axis = lucid__wrap_dim(dim, shape->ndim);
        if (axis < 0) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "vmap: in_dim %d is out of range for a %d-D tensor (argument %zu)",
                             dim, shape->ndim, i);
            return false;
        }
        int64_t size = shape->dim[axis];
        if (call->mapped && size != call->lanes) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "vmap: inconsistent batch sizes %lld vs %lld (argument %zu)",
                             (long long)call->lanes, (long long)size, i);
            return false;
        }
        call->lanes = size;
        call->mapped = true;
        call->axis[i] = axis;
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

static int wrap_out_dim(lucid_scope *s, int dim, int ndim)
{
    int at = lucid__wrap_dim(dim, ndim + 1);
    if (at < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR,
                         "vmap: out_dim %d is out of range for a %d-D result with its batch", dim,
                         ndim + 1);
    return at;
}

/* Result k of a vectorized run, without its level. */
static lucid_tensor unwrap(lucid_scope *s, const lucid__level *level, lucid_tensor y, size_t k,
                           int dim)
{
    if (!lucid__level_owns_or_outer(s, level, y))
        return (lucid_tensor){NULL};
    bool batched = y.v->level == level->id;
    if (dim == LUCID_NONE) {
        if (batched)
            return lucid__error(s, LUCID_VALUE_ERROR,
                                "vmap: result %zu depends on the batch, but its out_dim is None",
                                k);
        return y;
    }
    int at = wrap_out_dim(s, dim, y.v->aval.shape.ndim);
    if (at < 0)
        return (lucid_tensor){NULL};
    return batched ? lucid__batch_at(s, (lucid_tensor){y.v->inner}, y.v->axis, at, level->size)
                   : lucid__batch_at(s, y, -1, at, level->size);
}

/* Results of runs over parts of the lanes, to be put together along their out_dims. */
typedef struct pieces {
    size_t runs, nresults, naux;
    lucid_tensor *at; /* [result * runs + run] */
    int *dim;
} pieces;

static bool pieces_store(lucid_scope *s, const vmap_call *call, pieces *p, size_t run,
                         const lucid_results *r, const lucid_tensor *y)
{
    if (run == 0) {
        p->nresults = r->count;
        p->naux = r->aux;
        p->at = lucid_alloc(s, (r->count * p->runs + 1) * sizeof *p->at);
        p->dim = lucid_alloc(s, (r->count + 1) * sizeof *p->dim);
        if (!p->at || !p->dim)
            return false;
        for (size_t k = 0; k < r->count; k++)
            if (!out_dim_of(s, call->self, r, k, &p->dim[k]))
                return false;
    } else if (r->count != p->nresults) {
        (void)lucid_fail(
            s, LUCID_VALUE_ERROR,
            "vmap: the function returned %zu results for some lanes and %zu for others",
            p->nresults, r->count);
        return false;
    }
    for (size_t k = 0; k < r->count; k++)
        p->at[k * p->runs + run] = lucid_own(s, y[k]);
    return lucid__ok(s);
}

static lucid_status push_result(lucid_scope *s, lucid_results *out, size_t k, size_t count,
                                size_t aux, lucid_tensor y)
{
    return k < count - aux ? lucid_results_push(s, out, y) : lucid_results_push_aux(s, out, y);
}

/* ---- vectorized ----------------------------------------------------------------------------- */

/* Runs f on lanes first .. first + size - 1 and stores its results as piece `run`. */
static bool run_batch(lucid_scope *s, const vmap_call *call, int64_t first, int64_t size, pieces *p,
                      size_t run)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = lucid_alloc(&child, (call->nx + 1) * sizeof *in);
    bool part = size != call->lanes;
    for (size_t i = 0; in && i < call->nx; i++)
        in[i] = part && call->axis[i] >= 0
                    ? lucid_slice(&child, call->x[i], call->axis[i], first, first + size, 1)
                    : call->x[i];
    lucid__level level = {.kind = LUCID__LEVEL_BATCH,
                          .first = first,
                          .size = size,
                          .lanes = call->lanes,
                          .randomness = call->self->options.randomness,
                          .hidden = call->self->hidden};
    lucid__level_push(s, &level);
    for (size_t i = 0; in && i < call->nx && lucid__ok(s); i++)
        if (call->axis[i] >= 0)
            in[i] = lucid__own(&child, lucid__value_new_batch(level.id, in[i].v, call->axis[i]));
    if (lucid__ok(s))
        (void)lucid__fn_run(&child, call->self->f, in, call->nx, r);
    lucid__level_pop(s, &level);
    if (s->session->status == LUCID_DIVERGED && s->session->diverged == level.id)
        s->session->diverged = 0; /* ours: run_vectorized's caller may try otherwise */
    lucid_tensor *y = lucid__ok(s) ? lucid_alloc(&child, (r->count + 1) * sizeof *y) : NULL;
    for (size_t k = 0; y && k < r->count && lucid__ok(s); k++) {
        int dim;
        if (out_dim_of(s, call->self, r, k, &dim))
            y[k] = unwrap(&child, &level, r->at[k].x, k, dim);
    }
    bool ok = lucid__ok(s) && pieces_store(s, call, p, run, r, y);
    lucid__scope_leave(&child);
    return ok;
}

static bool run_vectorized(lucid_scope *s, const vmap_call *call, lucid_results *out)
{
    int64_t chunk = call->self->options.chunk_size;
    if (chunk <= 0 || chunk > call->lanes)
        chunk = call->lanes > 0 ? call->lanes : 1;
    size_t runs = call->lanes > 0 ? (size_t)((call->lanes + chunk - 1) / chunk) : 1;
    pieces p = {.runs = runs};
    lucid_rng_state start = lucid_generator_state(s->session->generator);
    for (size_t run = 0; run < runs; run++) {
        int64_t first = (int64_t)run * chunk;
        int64_t size = call->lanes - first < chunk ? call->lanes - first : chunk;
        if (run > 0) /* every chunk makes the same draws, for its own lanes */
            lucid_generator_set_state(s->session->generator, start);
        if (!run_batch(s, call, first, size, &p, run))
            return false;
    }
    for (size_t k = 0; k < p.nresults && lucid__ok(s); k++) {
        lucid_tensor *piece = p.at + k * runs;
        lucid_tensor y = piece[0];
        if (runs > 1 && p.dim[k] != LUCID_NONE)
            y = lucid_concatenate(s, piece, runs, p.dim[k]);
        (void)push_result(s, out, k, p.nresults, p.naux, y);
    }
    return lucid__ok(s);
}

/* ---- isolated ------------------------------------------------------------------------------- */

static bool run_lane(lucid_scope *s, const vmap_call *call, int64_t lane, pieces *p)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = lucid_alloc(&child, (call->nx + 1) * sizeof *in);
    for (size_t i = 0; in && i < call->nx; i++)
        in[i] =
            call->axis[i] >= 0 ? lucid_select(&child, call->x[i], call->axis[i], lane) : call->x[i];
    lucid__level level = {.kind = LUCID__LEVEL_LANE,
                          .first = lane,
                          .size = 1,
                          .lanes = call->lanes,
                          .randomness = call->self->options.randomness,
                          .hidden = call->self->hidden};
    lucid__level_push(s, &level);
    if (lucid__ok(s))
        (void)lucid__fn_run(&child, call->self->f, in, call->nx, r);
    lucid__level_pop(s, &level);
    lucid_tensor *y = lucid__ok(s) ? lucid_alloc(&child, (r->count + 1) * sizeof *y) : NULL;
    for (size_t k = 0; y && k < r->count; k++)
        y[k] = r->at[k].x;
    bool ok = y && pieces_store(s, call, p, (size_t)lane, r, y);
    lucid__scope_leave(&child);
    return ok;
}

static bool run_isolated(lucid_scope *s, const vmap_call *call, lucid_results *out)
{
    pieces p = {.runs = (size_t)call->lanes};
    lucid_rng_state start = lucid_generator_state(s->session->generator);
    for (int64_t lane = 0; lane < call->lanes; lane++) {
        lucid_generator_set_state(s->session->generator, start);
        if (!run_lane(s, call, lane, &p))
            return false;
    }
    for (size_t k = 0; k < p.nresults && lucid__ok(s); k++) {
        lucid_tensor *piece = p.at + k * p.runs;
        lucid_tensor y = piece[0];
        int at = p.dim[k] == LUCID_NONE ? 0 : wrap_out_dim(s, p.dim[k], y.v->aval.shape.ndim);
        if (at >= 0 && p.dim[k] != LUCID_NONE)
            y = lucid_stack(s, piece, p.runs, at);
        (void)push_result(s, out, k, p.nresults, p.naux, y);
    }
    return lucid__ok(s);
}

/* ---- the transform -------------------------------------------------------------------------- */

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    vmap_call c = {.self = self, .x = x, .nx = nx};
    if (!resolve_arguments(s, &c))
        return lucid_error(s);
    if (!c.mapped)
        return lucid__fn_run(s, c.self->f, x, nx, out);
    /* No lanes: shapes and dtypes still come out of a run on an empty batch. */
    if (c.self->options.strategy == LUCID_STRATEGY_ISOLATED && c.lanes > 0) {
        (void)run_isolated(s, &c, out);
        return lucid_error(s);
    }
    lucid_rng_state start = lucid_generator_state(s->session->generator);
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    bool ok = r && run_vectorized(&child, &c, r);
    bool diverged = s->session->status == LUCID_DIVERGED && s->session->diverged == 0;
    if (!ok && diverged && c.self->options.strategy == LUCID_STRATEGY_AUTO && c.lanes > 0) {
        lucid_clear_error(s);
        lucid_generator_set_state(s->session->generator, start);
        r = lucid_results_new(&child);
        ok = r && run_isolated(&child, &c, r);
    }
    for (size_t k = 0; ok && k < r->count; k++)
        (void)push_result(s, out, k, r->count, r->aux, r->at[k].x);
    lucid__scope_leave(&child);
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
        v->options = *options;
        v->hidden = hidden;
        if (!copy_dims(&v->in_dims, &v->n_in, options->in_dims) ||
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
