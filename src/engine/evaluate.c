/* Computing pending values: structure, plan, run. One evaluation at a time; foreign memory is let go
 * only after the lock is given up, because its owner may have locks of its own. */
#include "base/memory.h"
#include "engine/explain.h"
#include "engine/plan_cache.h"
#include "engine/run_plan.h"
#include "engine/turn.h"
#include "prim/prim.h"
#include "transform/concrete.h"

/* The nodes that got their values, retained, so that their inputs can be let go after the lock. */
static lucid__node **take_finished(lucid_scope *s, const lucid__structure *st, size_t *count)
{
    lucid__node **finished = lucid__alloc(s, (st->nnodes + 1) * sizeof(*finished));
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

/* Runs the plan and puts its results where they belong. */
static bool compute(lucid_scope *s, const lucid__plan *plan, const lucid__structure *st)
{
    const lucid__output **leaves = lucid__structure_leaf_outputs(s, st);
    lucid__storage *results = lucid__alloc(s, ((size_t)plan->nresults + 1) * sizeof *results);
    bool ok = leaves && results && lucid__plan_run(s, plan, leaves, results);
    for (int i = 0; ok && i < plan->nresults; i++)
        st->nodes[plan->results[i].node]->out[plan->results[i].out].storage = results[i];
    return ok;
}

/* s: a scope that ends with the evaluation. */
static bool evaluate(lucid_scope *s, lucid__node *const *roots, size_t n)
{
    lucid__structure st;
    lucid__node **finished = NULL;
    size_t nfinished = 0;
    if (!lucid__turn_begin(s))
        return false;
    bool ok = lucid__structure_find(s, roots, n, &st);
    if (ok && st.nnodes > 0) {
        lucid__plan *plan = lucid__plan_cache_get(s, &st, &lucid__cpu_backend);
        if (plan && s->session->watched_bytes)
            watch_bytes(s->session->watched_bytes, lucid__plan_bytes(plan));
        finished = plan ? take_finished(s, &st, &nfinished) : NULL;
        ok = finished && compute(s, plan, &st);
        for (size_t i = 0; finished && ok && i < nfinished; i++)
            lucid__node_set_ready(finished[i]);
        lucid__plan_release(plan);
    }
    lucid__structure_free(&st);
    lucid__turn_end();
    for (size_t i = 0; finished && i < nfinished; i++) {
        if (ok)
            lucid__node_drop_inputs(finished[i]);
        lucid__node_release(finished[i]);
    }
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
    lucid__node **roots = lucid__alloc(scope, (n + 1) * sizeof(*roots));
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
    if (!lucid__ok(s) || !lucid__may_nest(s))
        return lucid_error(s);
    lucid__scope_enter(&child, s);
    lucid__node **roots = pending_nodes(&child, "eval", xs, n, &count);
    if (roots && count > 0)
        (void)evaluate(&child, roots, count);
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
    if (roots && lucid__turn_begin(&child)) {
        lucid__structure st;
        lucid__plan *plan = NULL;
        if (lucid__structure_find(&child, roots, count, &st))
            plan = lucid__plan_cache_get(&child, &st, &lucid__cpu_backend);
        if (plan)
            visit(&child, plan, &st, to);
        lucid__plan_release(plan);
        lucid__structure_free(&st);
        lucid__turn_end();
    }
    lucid__scope_leave(&child);
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
        const lucid__output **leaves = lucid__structure_leaf_outputs(s, st);
        if (!seconds || !leaves || !lucid__plan_measure(s, plan, leaves, seconds))
            return;
    }
    e->made = lucid__explain_plan(e->s, plan, st, &lucid__cpu_backend, seconds);
}

const lucid_explanation *lucid_explain(lucid_scope *s, const lucid_tensor *xs, size_t n,
                                       const lucid_explain_options *options)
{
    explaining e = {.s = s, .measure = options && options->measure};
    for (size_t i = 0; i < n && lucid__ok(s); i++) {
        lucid_tensor x = xs[i];
        while (x.v && (x.v->kind == LUCID__BATCH || x.v->kind == LUCID__DUAL))
            x.v = x.v->inner;
        if (x.v && x.v->kind == LUCID__TAPE) /* recorded: there will be a plan when it is known */
            (void)lucid__concrete(s, x, "explain");
    }
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
                         .plans_bytes = lucid__plan_cache_bytes(),
                         .plans_bytes_most = LUCID__PLAN_CACHE_MOST_BYTES,
                         .steps = lucid__plan_steps_run(),
                         .bytes_live = lucid__buffer_bytes_live(),
                         .bytes_peak = lucid__buffer_bytes_peak(),
                         .bytes_kept = lucid__buffer_bytes_kept()};
}
