/* Compiled functions: recorded once for arguments of certain shapes and dtypes (transform/stage.h), and
 * replayed from then on. Under transforms, and on tensors that require grad, the operations of the record
 * are applied one by one, as the function would have. Otherwise the plan for them, which is found once, runs
 * at once: no node is built and nothing is looked up but how the arguments lie in memory.
 *
 * What the function took from outside belongs to the record. Random numbers do not: whatever the scope's
 * generator says, and the lane of the vmaps around the call, are inputs of the record (transform/lane.h), so
 * that a compiled function draws what the function would have drawn. */
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "engine/plan_cache.h"
#include "engine/run_plan.h"
#include "engine/turn.h"
#include "graph/generator.h"
#include "transform/argnums.h"
#include "transform/concrete.h"
#include "transform/lane.h"
#include "transform/stage.h"

/* ---- the record ------------------------------------------------------------------------------------- */

/* The plan for arguments that lie in memory in one way. */
typedef struct replay {
    struct replay *next;
    int64_t *strides;   /* of every input, one after the other */
    lucid__plan *plan;  /* NULL: there is nothing to compute */
    lucid__node **kept; /* per leaf of the plan: the node that holds it; NULL: an input */
    int *leaf;          /* per leaf: the input, or the output of the node kept */
    int *result;        /* per output: the result of the plan, or nresults and the input above */
} replay;

typedef struct compiled {
    int nx, nin, nout, naux;
    uint64_t draws; /* that a call takes */
    lucid__aval *avals;
    /* Of an argument that was a bare number: the dtype it takes alone; else LUCID_NO_DTYPE. */
    uint8_t *alone;
    int64_t *words;
    /* Of every input of the body: an argument, a number for the draws (nx ..), or a capture after them. */
    int *from;
    lucid_tensor *captures; /* of the inputs that are captured; empty for the others */
    replay *replays;        /* in a turn (turn.h) */
} compiled;

enum { SEED, DRAW, LANE, NUMBERS };

static void *copy_of(const void *from, size_t bytes)
{
    void *to = lucid__malloc(bytes);
    return to && bytes > 0 ? memcpy(to, from, bytes) : to;
}

static void destroy_replay(replay *r)
{
    for (int i = 0; r->plan && r->kept && i < r->plan->nleaves; i++)
        lucid__node_release(r->kept[i]);
    lucid__plan_release(r->plan);
    lucid__free(r->strides);
    lucid__free(r->kept);
    lucid__free(r->leaf);
    lucid__free(r->result);
    lucid__free(r);
}

static void destroy(void *self)
{
    compiled *c = self;
    while (c->replays) {
        replay *next = c->replays->next;
        destroy_replay(c->replays);
        c->replays = next;
    }
    for (int i = 0; c->captures && i < c->nin; i++)
        lucid_release(c->captures[i]);
    lucid__free(c->avals);
    lucid__free(c->alone);
    lucid__free(c->words);
    lucid__free(c->from);
    lucid__free(c->captures);
}

/* ---- recording --------------------------------------------------------------------------------------- */

typedef struct recording {
    const lucid__fn *f;
    const lucid_tensor *like; /* the arguments it is recorded for */
    lucid__draws draws;
} recording;

/* Not a seed that anybody gives: one that the function sets is noticed. */
static const uint64_t no_seed = UINT64_C(0x9C0F11ED5EED0BAD);

static lucid_status record(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                           lucid_results *y)
{
    recording *r = user;
    r->draws.seed = x[nx - NUMBERS + SEED];
    r->draws.draw = x[nx - NUMBERS + DRAW];
    r->draws.lane = x[nx - NUMBERS + LANE];
    s->session->top->draws = &r->draws;
    lucid__stand_for(x, r->like, nx - NUMBERS);
    return lucid__fn_run(s, r->f, x, nx - NUMBERS, y);
}

/* Runs f on a stage; what it draws is counted by a generator of its own. */
static bool stage(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, compiled *c,
                  lucid__staged *staged)
{
    recording r = {.f = f.f, .like = x, .draws = {.generator = lucid_generator_new(no_seed)}};
    lucid__aval *avals = lucid_alloc(s, (nx + NUMBERS) * sizeof *avals);
    if (!r.draws.generator) {
        lucid__out_of_memory(s);
        return false;
    }
    lucid_generator *before = lucid_set_generator(s, r.draws.generator);
    for (size_t i = 0; avals && i < nx + NUMBERS; i++)
        avals[i] = i < nx ? x[i].v->aval : (lucid__aval){.dtype = LUCID_INT64};
    bool ok = avals && lucid__stage(s, record, &r, avals, nx + NUMBERS, -1, staged);
    lucid_rng_state after = lucid_generator_state(r.draws.generator);
    (void)lucid_set_generator(s, before);
    if (ok && after.seed != no_seed)
        (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                         "compile: the function sets the seed of its random numbers, which a "
                         "compiled function does not do again; call manual_seed outside");
    c->draws = after.draw;
    lucid_generator_free(r.draws.generator);
    return ok && lucid__ok(s);
}

/* Captured values are computed now rather than on every call, but for what only repeats or rearranges
 * elements that are there: the plan knows what that is. */
static bool settle_capture(lucid_scope *s, lucid_tensor x)
{
    if (x.v->kind != LUCID__GRAPH || lucid__node_is_ready(x.v->node))
        return true;
    const lucid__node *n = x.v->node;
    while (!lucid__node_is_ready(n) &&
           (n->prim == LUCID__broadcast || n->prim == LUCID__reshape || n->prim == LUCID__permute))
        n = n->in[0].node;
    return lucid__node_is_ready(n) || lucid_eval(s, &x, 1) == LUCID_OK;
}

static bool keep_captures(lucid_scope *s, compiled *c, const lucid__staged *staged)
{
    c->from = lucid__malloc(((size_t)c->nin + 1) * sizeof *c->from);
    c->captures = lucid__calloc((size_t)c->nin + 1, sizeof *c->captures);
    if (!c->from || !c->captures)
        return false;
    for (int i = 0; i < c->nin; i++) {
        int64_t capture = staged->from[i] - staged->nx;
        c->from[i] = (int)staged->from[i];
        if (capture < 0)
            continue;
        if (!settle_capture(s, staged->captures[capture]))
            return false;
        c->captures[i] = lucid_retain(staged->captures[capture]);
    }
    return true;
}

static bool lasts(const compiled *c)
{
    for (int i = 0; i < c->nin; i++)
        if (c->captures[i].v && lucid__is_traced(c->captures[i]))
            return false;
    return true;
}

/* ---- plans ------------------------------------------------------------------------------------------- */

/* A leaf that lies in memory as x does, for a plan that may be used for others. */
static lucid_tensor stand_in(lucid_scope *s, lucid_tensor x)
{
    const lucid__output *of = &x.v->node->out[x.v->out];
    lucid__buffer *buffer = lucid__buffer_retain(of->storage.buffer);
    lucid__node *node = lucid__node_new_constant(&of->aval, buffer, of->storage.stride);
    if (node)
        node->out[0].storage.offset = of->storage.offset;
    return lucid__own(s, node ? lucid__value_new_graph(node, 0) : NULL);
}

static int find_node(const lucid_tensor *in, int n, const lucid__node *node)
{
    for (int i = 0; i < n; i++)
        if (in[i].v->node == node)
            return i;
    return -1;
}

static bool find_leaves(const compiled *c, const lucid_tensor *in, const lucid__structure *st,
                        replay *r)
{
    size_t n = (size_t)r->plan->nleaves + 1, at = 0;
    r->kept = lucid__calloc(n, sizeof(*r->kept));
    r->leaf = lucid__malloc(n * sizeof *r->leaf);
    if (!r->kept || !r->leaf)
        return false;
    for (size_t i = 0; i < st->nleaves; i++) {
        int input = find_node(in, c->nin, st->leaves[i]);
        bool given = input >= 0 && !c->captures[input].v;
        for (int k = 0; k < st->leaves[i]->nout; k++, at++) {
            r->kept[at] = given ? NULL : lucid__node_retain(st->leaves[i]);
            r->leaf[at] = given ? input : k;
        }
    }
    return true;
}

static void find_results(const compiled *c, const lucid_tensor *in, const lucid_tensor *out,
                         const lucid__structure *st, replay *r)
{
    int nresults = r->plan ? r->plan->nresults : 0;
    for (int k = 0; k < c->nout; k++) {
        for (int i = 0; i < c->nin; i++)
            if (in[i].v->node == out[k].v->node && in[i].v->out == out[k].v->out)
                r->result[k] = nresults + i;
        for (int i = 0; i < nresults; i++)
            if (st->nodes[r->plan->results[i].node] == out[k].v->node &&
                r->plan->results[i].out == out[k].v->out)
                r->result[k] = i;
    }
}

/* Finds the plan behind out, which was built from the leaves. */
static void plan_outputs(lucid_scope *s, const compiled *c, const lucid_tensor *leaves,
                         const lucid_tensor *out, lucid__node **roots, replay *r)
{
    size_t nroots = 0;
    for (int k = 0; k < c->nout; k++)
        if (!lucid__node_is_ready(out[k].v->node))
            roots[nroots++] = out[k].v->node;
    lucid__structure st;
    if (!lucid__turn_begin(s))
        return;
    bool ok = lucid__structure_find(s, roots, nroots, &st);
    if (ok && st.nnodes > 0)
        ok = (r->plan = lucid__plan_cache_get(s, &st, &lucid__cpu_backend)) != NULL &&
             find_leaves(c, leaves, &st, r);
    if (ok)
        find_results(c, leaves, out, &st, r);
    else
        lucid__out_of_memory(s); /* unless something else was recorded */
    lucid__structure_free(&st);
    lucid__turn_end();
}

/* Builds the graph of the record once and plans it. */
static bool plan_replay(lucid_scope *s, const compiled *c, const lucid_tensor *in, replay *r)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor *leaves = lucid_alloc(&child, ((size_t)c->nin + 1) * sizeof *leaves);
    lucid_tensor *out = lucid_alloc(&child, ((size_t)c->nout + 1) * sizeof *out);
    lucid__node **roots = lucid_alloc(&child, ((size_t)c->nout + 1) * sizeof(*roots));
    if (leaves && out && roots) {
        for (int i = 0; i < c->nin; i++)
            leaves[i] = c->captures[i].v ? in[i] : stand_in(&child, in[i]);
        bool whole = s->session->whole;
        s->session->whole = true;
        lucid__body_apply(&child, c->words, leaves, out);
        s->session->whole = whole;
        if (lucid__ok(s))
            plan_outputs(s, c, leaves, out, roots, r);
    }
    lucid__scope_leave(&child);
    return lucid__ok(s);
}

/* How many strides input i counts: captured ones are always the same. */
static size_t dims_of(const compiled *c, const lucid_tensor *in, int i)
{
    return c->captures[i].v ? 0 : (size_t)in[i].v->aval.shape.ndim;
}

static const lucid__output *output_of(lucid_tensor x)
{
    return &x.v->node->out[x.v->out];
}

static const int64_t *stride_of(lucid_tensor x)
{
    return output_of(x)->storage.stride;
}

/* In a turn: the plan for inputs that lie in memory as these do. */
static replay *find_replay(const compiled *c, const lucid_tensor *in)
{
    for (replay *r = c->replays; r; r = r->next) {
        const int64_t *stride = r->strides;
        int i = 0;
        for (; i < c->nin; i++) {
            size_t n = dims_of(c, in, i);
            if (n > 0 && memcmp(stride, stride_of(in[i]), n * sizeof *stride) != 0)
                break;
            stride += n;
        }
        if (i == c->nin)
            return r;
    }
    return NULL;
}

static replay *new_replay(lucid_scope *s, const compiled *c, const lucid_tensor *in)
{
    replay *r = lucid__calloc(1, sizeof *r);
    if (!r) {
        lucid__out_of_memory(s);
        return NULL;
    }
    size_t dims = 0;
    for (int i = 0; i < c->nin; i++)
        dims += dims_of(c, in, i);
    int64_t *at = r->strides = lucid__malloc((dims + 1) * sizeof *r->strides);
    r->result = lucid__malloc(((size_t)c->nout + 1) * sizeof *r->result);
    if (!r->strides || !r->result)
        lucid__out_of_memory(s);
    for (int i = 0; at && i < c->nin; i++) {
        size_t n = dims_of(c, in, i);
        if (n > 0)
            memcpy(at, stride_of(in[i]), n * sizeof *at);
        at += n;
    }
    if (lucid__ok(s) && plan_replay(s, c, in, r))
        return r;
    destroy_replay(r);
    return NULL;
}

/* ---- calling ----------------------------------------------------------------------------------------- */

/* A bare number takes the dtype of the argument it is given for; where the function was recorded for a number, a
 * tensor of the dtype that numbers take alone will do. NULL: out of memory. */
static const lucid_tensor *settled(lucid_scope *s, const compiled *c, const lucid_tensor *x,
                                   size_t nx)
{
    bool same = true;
    for (size_t i = 0; i < nx && nx == (size_t)c->nx; i++)
        same &= x[i].v->weak == (c->alone[i] != LUCID_NO_DTYPE);
    if (same)
        return x;
    lucid_tensor *y = lucid_alloc(s, nx * sizeof *y);
    for (size_t i = 0; y && i < nx; i++) {
        lucid_dtype own = lucid_dtype_of(x[i]);
        bool number =
            x[i].v->weak && lucid__dtype_kind(own) <= lucid__dtype_kind(c->avals[i].dtype);
        y[i] = number || own == (lucid_dtype)c->alone[i] ? lucid_cast(s, x[i], c->avals[i].dtype)
                                                         : x[i];
    }
    return lucid__ok(s) ? y : NULL;
}

static bool check_arguments(lucid_scope *s, const compiled *c, const lucid_tensor *x, size_t nx)
{
    if (nx != (size_t)c->nx) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "compile: the function was compiled for %d arguments, %zu are given",
                         c->nx, nx);
        return false;
    }
    for (size_t i = 0; i < nx; i++) {
        const lucid__aval *is = &x[i].v->aval, *was = &c->avals[i];
        if (lucid__aval_equal(is, was))
            continue;
        char a[LUCID__AVAL_TEXT], b[LUCID__AVAL_TEXT], name[LUCID__PLACE_TEXT];
        (void)lucid_fail(s, is->dtype == was->dtype ? LUCID_VALUE_ERROR : LUCID_TYPE_ERROR,
                         "compile: %s is %s, and the function was compiled for %s; compile it for "
                         "each kind of arguments",
                         lucid__argument_name(lucid__fn_of_self(c), "argument", i, name),
                         lucid__aval_text(is, a), lucid__aval_text(was, b));
        return false;
    }
    return true;
}

/* Takes the draws of a call, as the function would have one by one. */
static void take_draws(lucid_scope *s, const compiled *c, lucid_tensor numbers[NUMBERS])
{
    numbers[LANE] = lucid__lane(s, "compile");
    for (uint64_t i = 0; i < c->draws && lucid__ok(s); i++) {
        lucid_tensor seed = {NULL}, draw = lucid__next_draw(s, &seed);
        if (i > 0)
            continue;
        numbers[SEED] = seed;
        numbers[DRAW] = draw;
    }
    for (int i = 0; i < NUMBERS; i++)
        numbers[i] = lucid_cast(s, numbers[i], LUCID_INT64);
}

/* No transform has to hear of the operations, and all inputs are there. */
static bool can_replay(lucid_scope *s, const compiled *c, const lucid_tensor *in)
{
    if (s->session->top || s->session->region || s->session->whole)
        return false;
    bool ready = true;
    for (int i = 0; i < c->nin; i++) {
        if (in[i].v->kind != LUCID__GRAPH)
            return false;
        ready &= c->captures[i].v || lucid__node_is_ready(in[i].v->node);
    }
    /* A pending view that is captured is part of the plan. */
    for (int i = 0; !ready && i < c->nin; i++)
        if (!c->captures[i].v)
            (void)lucid_eval(s, &in[i], 1);
    return lucid__ok(s);
}

/* Result i as a tensor; nodes[i] takes its memory over. */
static lucid_tensor value_of(lucid_scope *s, const lucid__plan *plan, int i,
                             lucid__storage *results, lucid__node **nodes)
{
    if (!nodes[i]) {
        nodes[i] =
            lucid__node_new(LUCID__LEAF, NULL, 0, NULL, 0, &plan->results[i].location.aval, 1);
        if (!nodes[i])
            return lucid__own(s, NULL);
        nodes[i]->out[0].storage = results[i];
        lucid__node_set_ready(nodes[i]);
    }
    return lucid__own(s, lucid__value_new_graph(lucid__node_retain(nodes[i]), 0));
}

static void run_replay(lucid_scope *s, const compiled *c, const replay *r, const lucid_tensor *in,
                       lucid_tensor *out)
{
    enum { FEW = 16 };
    const lucid__output *few[FEW], **leaves = few;
    lucid__storage few_results[FEW], *results = few_results;
    lucid__node *few_nodes[FEW] = {NULL}, **nodes = few_nodes;
    const lucid__plan *plan = r->plan;
    int nleaves = plan ? plan->nleaves : 0, nresults = plan ? plan->nresults : 0;
    if (nleaves > FEW)
        leaves = lucid_alloc(s, (size_t)nleaves * sizeof(*leaves));
    if (nresults > FEW) {
        results = lucid_alloc(s, (size_t)nresults * sizeof *results);
        nodes = lucid_alloc(s, (size_t)nresults * sizeof(*nodes));
    }
    if (!leaves || !results || !nodes)
        return;
    for (int i = 0; i < nleaves; i++) {
        if (r->kept[i])
            leaves[i] = &r->kept[i]->out[r->leaf[i]];
        else
            leaves[i] = output_of(in[r->leaf[i]]);
    }
    if (plan) {
        if (!lucid__turn_begin(s))
            return;
        bool ok = lucid__plan_run(s, plan, leaves, results);
        lucid__turn_end();
        if (!ok)
            return;
    }
    for (int k = 0; k < c->nout; k++)
        out[k] = plan && r->result[k] < nresults ? value_of(s, plan, r->result[k], results, nodes)
                                                 : in[r->result[k] - nresults];
    for (int i = 0; i < nresults; i++) {
        if (nodes[i])
            lucid__node_release(nodes[i]);
        else
            lucid__buffer_release(results[i].buffer);
    }
}

/* With the plan for these inputs; false, without an error: there is none, nor will there be. */
static bool replay_inputs(lucid_scope *s, compiled *c, const lucid_tensor *in, lucid_tensor *out)
{
    enum { MOST = 16 }; /* plans that are kept */
    if (!lucid__turn_begin(s))
        return false;
    replay *r = find_replay(c, in);
    int count = 0;
    for (const replay *k = c->replays; !r && k; k = k->next)
        count++;
    lucid__turn_end();
    if (!r && count < MOST) {
        r = new_replay(s, c, in);
        if (r && lucid__turn_begin(s)) {
            r->next = c->replays;
            c->replays = r;
            lucid__turn_end();
        } else if (r) {
            destroy_replay(r);
            r = NULL;
        }
    }
    if (r)
        run_replay(s, c, r, in, out);
    return r != NULL;
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *y)
{
    compiled *c = (compiled *)(uintptr_t)self; /* its plans are no part of what it is */
    enum { FEW = 16 };
    lucid_tensor few[2 * FEW], *in = few, *out = few + FEW, numbers[NUMBERS] = {{NULL}};
    x = settled(s, c, x, nx);
    if (!x || !check_arguments(s, c, x, nx))
        return lucid_error(s);
    if (c->nin > FEW || c->nout > FEW) {
        in = lucid_alloc(s, (size_t)(c->nin + c->nout) * sizeof *in);
        out = in ? in + c->nin : NULL;
    }
    if (c->draws > 0)
        take_draws(s, c, numbers);
    bool there = in != NULL && lucid__ok(s);
    for (int i = 0; there && i < c->nin; i++) {
        size_t from = (size_t)c->from[i];
        in[i] = c->captures[i].v ? c->captures[i] : from < nx ? x[from] : numbers[from - nx];
        there = in[i].v != NULL;
    }
    if (!there)
        return lucid__out_of_memory(s); /* unless something else was recorded */
    if (!can_replay(s, c, in) || !replay_inputs(s, c, in, out))
        lucid__body_apply(s, c->words, in, out);
    for (int k = 0; k < c->nout && lucid__ok(s); k++)
        (void)(k < c->nout - c->naux ? lucid_results_push(s, y, out[k])
                                     : lucid_results_push_aux(s, y, out[k]));
    return lucid_error(s);
}

/* ---- compiling --------------------------------------------------------------------------------------- */

static bool set_up(lucid_scope *s, compiled *c, lucid_fn f, const lucid_tensor *x, size_t nx)
{
    lucid__staged staged;
    if (!stage(s, f, x, nx, c, &staged))
        return false;
    c->nx = (int)nx;
    c->nin = staged.nin;
    c->nout = (int)staged.nout;
    c->naux = (int)staged.naux;
    c->words = copy_of(staged.words, (size_t)staged.words[0] * sizeof *staged.words);
    c->avals = lucid__malloc((nx + 1) * sizeof *c->avals);
    c->alone = lucid__malloc(nx + 1);
    for (size_t i = 0; c->avals && c->alone && i < nx; i++) {
        c->avals[i] = x[i].v->aval;
        c->alone[i] = x[i].v->weak ? x[i].v->alone : LUCID_NO_DTYPE;
    }
    return c->words && c->avals && c->alone && keep_captures(s, c, &staged);
}

lucid_fn lucid_compile(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                       const lucid_compile_options *options)
{
    if (!lucid__check_fn(s, "compile", f))
        return (lucid_fn){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__fn *object = lucid__fn_alloc("compile", sizeof(compiled), call, destroy);
    compiled *c = object ? (compiled *)(void *)object->self : NULL;
    if (object)
        object->takes_numbers = true;
    x = lucid__arguments(&child, "compile", x, nx, true);
    if (!x || !c || !set_up(&child, c, f, x, nx)) {
        lucid__out_of_memory(s); /* unless something else was recorded */
        lucid__fn_release(object);
        object = NULL;
    }
    if (object && options && options->lasting)
        *options->lasting = lasts(c);
    lucid__scope_leave(&child);
    return object ? lucid__own_fn(s, object) : (lucid_fn){NULL};
}
