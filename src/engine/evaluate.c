/* Computing pending values: structure, plan, run. One evaluation at a time; foreign memory is let go
 * only after the lock is given up, because its owner may have locks of its own. */
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/explain.h"
#include "engine/plan_cache.h"
#include "prim/prim.h"

static lucid__mutex engine = LUCID__MUTEX_INIT;

/* A fork waits for the evaluation that runs, so that the child does not find the lock taken by a thread
 * it does not have. */
static void lock_engine(void)
{
    lucid__lock(&engine);
}

static void unlock_engine(void)
{
    lucid__unlock(&engine);
}

static void watch_forks(void)
{
    (void)pthread_atfork(lock_engine, unlock_engine, unlock_engine);
}

/* How often this thread is in the engine: the steps of control flow evaluate in their turn, under the lock
 * that is held already. */
static _Thread_local int depth;

static void enter_engine(void)
{
    if (depth++ == 0)
        lucid__lock(&engine);
}

static void leave_engine(void)
{
    if (--depth == 0)
        lucid__unlock(&engine);
}

static _Atomic uint64_t steps_run;

/* ---- running a plan ------------------------------------------------------------------------------ */

typedef struct run {
    const lucid__plan *plan;
    const lucid__backend *backend;
    lucid__buffer **buffers; /* per slot; leaves: borrowed */
    void **slots;            /* first byte of each slot's memory */
    int nleaf_slots;
} run;

static lucid__view view_of(const run *r, const lucid__location *l)
{
    lucid__view v = {.dtype = l->aval.dtype, .shape = l->aval.shape};
    if (!r->plan->slots[l->slot].left_out)
        v.data = (char *)r->slots[l->slot] + l->offset * (int64_t)lucid_dtype_size(l->aval.dtype);
    memcpy(v.stride, l->stride, (size_t)l->aval.shape.ndim * sizeof *v.stride);
    return v;
}

static bool run_kernel(lucid_scope *s, const run *r, const lucid__step *step)
{
    enum { FEW = 12 };
    lucid__view few[FEW], *in = few;
    char message[512] = "";
    if (step->nin + step->nout > FEW)
        in = lucid__malloc((size_t)(step->nin + step->nout) * sizeof *in);
    if (!in) {
        lucid__out_of_memory(s);
        return false;
    }
    lucid__view *out = in + step->nin;
    for (int i = 0; i < step->nin; i++)
        in[i] = view_of(r, &step->in[i]);
    for (int k = 0; k < step->nout; k++)
        out[k] = view_of(r, &step->out[k]);
    lucid__kernel_args args = {.params = step->params,
                               .nparams = step->nparams,
                               .nin = step->nin,
                               .in = in,
                               .out = out,
                               .error = message,
                               .error_size = sizeof message};
    lucid_status status = step->lanes ? r->backend->run_lanes(step->lanes, &args)
                                      : r->backend->kernels[step->prim].run(&args);
    if (in != few)
        lucid__free(in);
    if (status == LUCID_MEMORY_ERROR)
        lucid__out_of_memory(s);
    else if (status != LUCID_OK)
        (void)lucid_fail(s, status, "%s", message);
    return status == LUCID_OK;
}

static bool run_step(lucid_scope *s, run *r, int at)
{
    const lucid__plan *plan = r->plan;
    const lucid__step *step = &plan->steps[at];
    for (int k = step->first_made; k >= 0; k = plan->slots[k].next_made) {
        r->buffers[k] = lucid__buffer_new(plan->slots[k].bytes);
        if (!r->buffers[k]) {
            (void)lucid_fail(s, LUCID_MEMORY_ERROR, "out of memory: %s needs %zu bytes",
                             lucid__prim_get(step->prim)->name, plan->slots[k].bytes);
            return false;
        }
        r->slots[k] = r->buffers[k]->data;
    }
    bool ok = true;
    if (step->kind == LUCID__STEP_PROGRAM) {
        ok = r->backend->run_program(&step->program, r->slots) == LUCID_OK;
        if (!ok)
            lucid__out_of_memory(s);
    } else {
        ok = run_kernel(s, r, step);
    }
    atomic_fetch_add_explicit(&steps_run, 1, memory_order_relaxed);
    for (int k = step->first_dead; k >= 0; k = plan->slots[k].next_dead) {
        lucid__buffer_release(r->buffers[k]);
        r->buffers[k] = NULL;
    }
    return ok;
}

static bool run_begin(lucid_scope *s, run *r, const lucid__structure *st)
{
    size_t n = (size_t)r->plan->nslots + 1;
    r->buffers = lucid__calloc(n, sizeof(lucid__buffer *));
    r->slots = lucid__calloc(n, sizeof(void *));
    if (!r->buffers || !r->slots) {
        lucid__out_of_memory(s);
        return false;
    }
    /* What has no element may have no memory; it gets an address all the same. */
    static max_align_t nothing[4];
    for (size_t k = 0; k < n; k++)
        r->slots[k] = nothing;
    int slot = 0;
    for (size_t i = 0; i < st->nleaves; i++)
        for (int k = 0; k < st->leaves[i]->nout; k++, slot++) {
            const lucid__output *out = &st->leaves[i]->out[k];
            if (!out->storage)
                continue;
            char *data = out->storage->buffer->data;
            r->buffers[slot] = out->storage->buffer;
            if (data)
                r->slots[slot] =
                    data + out->storage->offset * (int64_t)lucid_dtype_size(out->aval.dtype);
        }
    r->nleaf_slots = slot;
    return true;
}

/* A slot that no step writes (its value is empty) still needs some memory to stand for it. */
static bool store_results(lucid_scope *s, run *r, const lucid__structure *st)
{
    for (int i = 0; i < r->plan->nresults; i++) {
        const lucid__plan_result *result = &r->plan->results[i];
        const lucid__location *l = &result->location;
        lucid__storage *storage = lucid__calloc(1, sizeof *storage);
        if (storage && !r->buffers[l->slot])
            r->buffers[l->slot] = lucid__buffer_new(r->plan->slots[l->slot].bytes);
        if (!storage || !r->buffers[l->slot]) {
            lucid__free(storage);
            lucid__out_of_memory(s);
            return false;
        }
        storage->buffer = lucid__buffer_retain(r->buffers[l->slot]);
        storage->offset = l->offset;
        memcpy(storage->stride, l->stride, (size_t)l->aval.shape.ndim * sizeof *storage->stride);
        st->nodes[result->node]->out[result->out].storage = storage;
    }
    return true;
}

/* A view of a leaf counts from the leaf's first element, which may not be its buffer's. */
static void rebase_views(const run *r, const lucid__structure *st)
{
    for (int i = 0; i < r->plan->nresults; i++) {
        const lucid__plan_result *result = &r->plan->results[i];
        lucid__storage *storage = st->nodes[result->node]->out[result->out].storage;
        if (result->location.slot < r->nleaf_slots) {
            ptrdiff_t start = (char *)r->slots[result->location.slot] -
                              (char *)r->buffers[result->location.slot]->data;
            storage->offset += start / (ptrdiff_t)lucid_dtype_size(result->location.aval.dtype);
        }
    }
}

static void run_end(run *r)
{
    for (int k = r->nleaf_slots; r->buffers && k < r->plan->nslots; k++)
        lucid__buffer_release(r->buffers[k]);
    lucid__free(r->buffers);
    lucid__free(r->slots);
}

/* A node keeps all its results or none. */
static void forget_partial_results(const lucid__structure *st)
{
    for (size_t i = 0; i < st->nnodes; i++)
        for (int k = 0; k < st->nodes[i]->nout; k++) {
            lucid__storage *storage = st->nodes[i]->out[k].storage;
            if (storage)
                lucid__buffer_release(storage->buffer);
            lucid__free(storage);
            st->nodes[i]->out[k].storage = NULL;
        }
}

static bool run_plan(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st)
{
    run r = {.plan = plan, .backend = &lucid__cpu_backend};
    bool ok = run_begin(s, &r, st);
    for (int i = 0; ok && i < plan->nsteps; i++)
        ok = run_step(s, &r, i);
    ok = ok && store_results(s, &r, st);
    if (ok)
        rebase_views(&r, st);
    else
        forget_partial_results(st);
    run_end(&r);
    return ok;
}

/* ---- evaluation ------------------------------------------------------------------------------------ */

/* The nodes that got their values, retained, so that their inputs can be let go after the lock. */
static lucid__node **take_finished(const lucid__structure *st, size_t *count)
{
    lucid__node **finished = lucid__malloc((st->nnodes + 1) * sizeof(*finished));
    *count = 0;
    for (size_t i = 0; finished && i < st->nnodes; i++) {
        bool any = false;
        for (int k = 0; k < st->nodes[i]->nout; k++)
            any |= lucid__structure_wants(st, i, k);
        if (any)
            finished[(*count)++] = lucid__node_retain(st->nodes[i]);
    }
    return finished;
}

static void watch_bytes(int64_t *most, int64_t bytes)
{
    *most = bytes > *most ? bytes : *most;
}

static bool evaluate(lucid_scope *s, lucid__node *const *roots, size_t n)
{
    lucid__structure st;
    lucid__node **finished = NULL;
    size_t nfinished = 0;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch_forks);
    enter_engine();
    bool ok = lucid__structure_find(s, roots, n, &st);
    if (ok && st.nnodes > 0) {
        lucid__plan *plan = lucid__plan_cache_get(s, &st, &lucid__cpu_backend);
        if (plan && s->session->watched_bytes)
            watch_bytes(s->session->watched_bytes, lucid__plan_bytes(plan));
        finished = plan ? take_finished(&st, &nfinished) : NULL;
        if (plan && !finished)
            lucid__out_of_memory(s);
        ok = finished && run_plan(s, plan, &st);
        for (size_t i = 0; finished && ok && i < nfinished; i++)
            lucid__node_set_ready(finished[i]);
        lucid__plan_release(plan);
    }
    lucid__structure_free(&st);
    leave_engine();
    for (size_t i = 0; finished && i < nfinished; i++) {
        if (ok)
            lucid__node_drop_inputs(finished[i]);
        lucid__node_release(finished[i]);
    }
    lucid__free(finished);
    return ok;
}

/* The nodes behind a value; traced values stand for what they wrap. */
static lucid__node *node_behind(const lucid__value *v)
{
    while (v && (v->kind == LUCID__BATCH || v->kind == LUCID__DUAL))
        v = v->inner;
    return v && v->kind == LUCID__GRAPH ? v->node : NULL;
}

/* The pending nodes behind some tensors, in memory of `scope`; NULL on error. */
static lucid__node **pending_nodes(lucid_scope *scope, const char *name, const lucid_tensor *xs,
                                   size_t n, size_t *count)
{
    lucid__node **roots = lucid_alloc(scope, (n + 1) * sizeof(*roots));
    *count = 0;
    for (size_t i = 0; roots && i < n; i++) {
        lucid__node *node = node_behind(xs[i].v);
        if (!xs[i].v)
            (void)lucid_fail(scope, LUCID_TYPE_ERROR, "%s: tensor %zu is an empty handle", name, i);
        else if (node && !lucid__node_is_ready(node))
            roots[(*count)++] = node;
    }
    return lucid__ok(scope) ? roots : NULL;
}

lucid_status lucid_eval(lucid_scope *s, const lucid_tensor *xs, size_t n)
{
    lucid_scope child;
    size_t count;
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid__scope_enter(&child, s);
    lucid__node **roots = pending_nodes(&child, "eval", xs, n, &count);
    if (roots && count > 0)
        (void)evaluate(s, roots, count);
    lucid__scope_leave(&child);
    return lucid_error(s);
}

/* ---- looking at plans ------------------------------------------------------------------------------- */

/* Looks at the plan for some tensors, under the engine's lock; s: for errors. */
typedef void look(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st, void *to);

static void look_at_plan(lucid_scope *s, const char *name, const lucid_tensor *xs, size_t n,
                         look *visit, void *to)
{
    lucid_scope child;
    size_t count;
    if (!lucid__ok(s))
        return;
    lucid__scope_enter(&child, s);
    lucid__node **roots = pending_nodes(&child, name, xs, n, &count);
    if (roots) {
        lucid__structure st;
        enter_engine();
        lucid__plan *plan = NULL;
        if (lucid__structure_find(&child, roots, count, &st))
            plan = lucid__plan_cache_get(&child, &st, &lucid__cpu_backend);
        if (plan)
            visit(&child, plan, &st, to);
        lucid__plan_release(plan);
        lucid__structure_free(&st);
        leave_engine();
    }
    lucid__scope_leave(&child);
}

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The seconds of each step: the least of several runs, whose results are dropped. */
static bool measure(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st,
                    double *seconds)
{
    enum { LEAST_RUNS = 3, MOST_RUNS = 100 };
    const double enough = 0.05;
    bool ok = true;
    double start = now();
    for (int i = 0; i < LEAST_RUNS || (i < MOST_RUNS && now() - start < enough); i++) {
        run r = {.plan = plan, .backend = &lucid__cpu_backend};
        ok = ok && run_begin(s, &r, st);
        for (int k = 0; ok && k < plan->nsteps; k++) {
            double before = now();
            ok = run_step(s, &r, k);
            double took = now() - before;
            seconds[k] = i == 0 || took < seconds[k] ? took : seconds[k];
        }
        run_end(&r);
    }
    return ok;
}

typedef struct explaining {
    lucid_scope *s; /* whose memory the explanation is to be in */
    bool measure;
    lucid_explanation *made;
} explaining;

static void explain_plan(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st,
                         void *to)
{
    explaining *e = to;
    double *seconds = NULL;
    if (e->measure) {
        seconds = lucid_alloc(s, ((size_t)plan->nsteps + 1) * sizeof *seconds);
        if (!seconds || !measure(s, plan, st, seconds))
            return;
    }
    e->made = lucid__explain_plan(e->s, plan, st, &lucid__cpu_backend, seconds);
}

const lucid_explanation *lucid_explain(lucid_scope *s, const lucid_tensor *xs, size_t n,
                                       const lucid_explain_options *options)
{
    explaining e = {.s = s, .measure = options && options->measure};
    look_at_plan(s, "explain", xs, n, explain_plan, &e);
    return e.made;
}

static void read_bytes(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st,
                       void *to)
{
    (void)s, (void)st;
    *(int64_t *)to = lucid__plan_bytes(plan);
}

int64_t lucid_bytes_to_eval(lucid_scope *s, const lucid_tensor *xs, size_t n)
{
    int64_t bytes = 0;
    look_at_plan(s, "bytes_to_eval", xs, n, read_bytes, &bytes);
    return lucid__ok(s) ? bytes : -1;
}

lucid_stats lucid_get_stats(void)
{
    return (lucid_stats){.plans_built = lucid__plan_cache_misses(),
                         .plans_reused = lucid__plan_cache_hits(),
                         .plans_kept = lucid__plan_cache_count(),
                         .plans_most = LUCID__PLAN_CACHE_MOST,
                         .steps = atomic_load(&steps_run),
                         .bytes_live = lucid__buffer_bytes_live(),
                         .bytes_peak = lucid__buffer_bytes_peak(),
                         .bytes_kept = lucid__buffer_bytes_kept()};
}
