#include "engine/run_control.h"

#include <stdio.h>
#include <string.h>

#include "prim/control.h"
#include "prim/family.h"
#include "transform/stage.h"

/* ---- a run ------------------------------------------------------------------------------------------- */

typedef struct run {
    lucid_scope *s; /* of what lives through the whole run */
    const lucid__kernel_args *args;
    lucid__control ctl;
    int nframe;
    lucid_tensor *frame; /* with its lanes in front, where it has them */
    bool *per_lane;      /* of the frame */
    int64_t lanes;       /* that take part now */
} run;

static void keep_memory(void *owner)
{
    (void)owner;
}

static lucid_tensor input(run *r, int i)
{
    const lucid__view *v = &r->args->in[i];
    return lucid_from_memory(r->s, v->data, v->dtype, v->shape, v->stride, keep_memory, NULL);
}

/* Retains what the frame holds, so that carries can be replaced step by step. */
static bool run_begin(run *r, lucid__prim_id prim, const lucid__kernel_args *args)
{
    lucid__call c = {.prim = prim, .nin = args->nin, .params = args->params};
    *r = (run){.args = args, .ctl = lucid__control_read(&c), .s = lucid_open(NULL)};
    if (!r->s)
        return false;
    int first = prim == LUCID__cond;
    r->nframe = args->nin - first;
    r->lanes = r->ctl.lanes;
    r->frame = lucid_alloc(r->s, ((size_t)r->nframe + 1) * sizeof *r->frame);
    r->per_lane = lucid_alloc(r->s, (size_t)r->nframe + 1);
    if (!r->frame || !r->per_lane)
        return false;
    for (int i = 0; i < r->nframe; i++) {
        r->frame[i] = lucid_retain(input(r, first + i));
        r->per_lane[i] = (r->ctl.in_flags[first + i] & LUCID__PER_LANE) != 0;
    }
    return lucid__ok(r->s);
}

static lucid_status run_end(run *r)
{
    if (!r->s)
        return LUCID_MEMORY_ERROR;
    for (int i = 0; r->frame && i < r->nframe; i++)
        lucid_release(r->frame[i]);
    (void)snprintf(r->args->error, r->args->error_size, "%s", lucid_error_message(r->s));
    return lucid_close(r->s);
}

static void replace(lucid_tensor *at, lucid_tensor by)
{
    lucid_tensor old = *at;
    *at = lucid_retain(by);
    lucid_release(old);
}

/* ---- running a body over the lanes ---------------------------------------------------------------- */

/* A level over the lanes that take part, for as long as operations are built. */
static void push_lanes(lucid_scope *s, const run *r, lucid__level *level)
{
    *level = (lucid__level){
        .kind = LUCID__LEVEL_BATCH, .hidden = true, .size = r->lanes, .lanes = r->lanes};
    lucid__level_push(s, level);
}

/* Value i of the frame as the body sees it: one example, and of xs the slice `step`. */
static lucid_tensor seen(lucid_scope *s, const run *r, const lucid__level *level, int i,
                         int64_t step)
{
    lucid_tensor x = r->frame[i];
    if (r->per_lane[i])
        x = lucid__level_wrap(s, level, x, 0);
    return i < r->ctl.nconsts + r->ctl.ncarry ? x : lucid_select(s, x, 0, step);
}

static void apply(lucid_scope *s, const run *r, const lucid__level *level,
                  const lucid__control_body *b, int64_t step, lucid_tensor *out)
{
    lucid_tensor *in = lucid_alloc(s, ((size_t)b->nin + 1) * sizeof *in);
    for (int i = 0; in && i < b->nin; i++)
        in[i] = seen(s, r, level, (int)b->from[i], step);
    if (in)
        lucid__body_apply(s, b->words, in, out);
}

/* A result with its lanes in front, if it is to have them. */
static lucid_tensor with_lanes(lucid_scope *s, const lucid__level *level, lucid_tensor y,
                               bool per_lane)
{
    if (!y.v || !lucid__ok(s))
        return (lucid_tensor){NULL};
    bool batched = y.v->level == level->id;
    if (!per_lane)
        return y;
    return batched ? lucid__batch_at(s, (lucid_tensor){y.v->inner}, y.v->axis, 0, level->size)
                   : lucid__batch_at(s, y, -1, 0, level->size);
}

static bool out_per_lane(const run *r, int k)
{
    return (r->ctl.out_flags[k] & LUCID__PER_LANE) != 0;
}

/* Computes y[0 .. n - 1], results first and on, without their level and with their lanes. */
static void settle(lucid_scope *s, const run *r, const lucid__level *level, lucid_tensor *y, int n)
{
    for (int k = 0; k < n; k++)
        y[k] = with_lanes(s, level, y[k], out_per_lane(r, k));
    if (lucid__ok(s))
        (void)lucid_eval(s, y, (size_t)n);
}

/* ---- giving results ---------------------------------------------------------------------------------- */

/* Copies y to rows of output k: of `count` items of `bytes`, item i goes to index at(i) of the output. */
static void copy_rows(lucid_scope *s, const run *r, int k, lucid_tensor y, int64_t count,
                      const int64_t *lane, int64_t stride, int64_t shift)
{
    const lucid__view *to = &r->args->out[k];
    const char *from = lucid_data(s, y);
    size_t bytes =
        count > 0 ? (size_t)lucid_numel(y) * lucid_dtype_size(to->dtype) / (size_t)count : 0;
    if (!lucid__ok(s) || bytes == 0 || !to->data)
        return;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = (lane ? lane[i] : i) * stride + shift;
        memcpy((char *)to->data + (size_t)row * bytes, from + (size_t)i * bytes, bytes);
    }
}

/* Result k of the lanes (NULL: all). */
static void give(lucid_scope *s, const run *r, int k, lucid_tensor y, const int64_t *lane)
{
    if (out_per_lane(r, k))
        copy_rows(s, r, k, y, r->lanes, lane, 1, 0);
    else
        copy_rows(s, r, k, y, 1, NULL, 1, 0);
}

/* ---- scan --------------------------------------------------------------------------------------------- */

static void scan_step(lucid_scope *s, run *r, const lucid__control_body *b, int64_t step)
{
    lucid__level level;
    lucid_tensor *y = lucid_alloc(s, ((size_t)r->ctl.nout + 1) * sizeof *y);
    if (!y)
        return;
    push_lanes(s, r, &level);
    apply(s, r, &level, b, step, y);
    settle(s, r, &level, y, r->ctl.nout);
    lucid__level_pop(s, &level);
    for (int k = 0; k < r->ctl.nout && lucid__ok(s); k++) {
        if (k < r->ctl.ncarry)
            replace(&r->frame[r->ctl.nconsts + k], y[k]);
        else
            copy_rows(s, r, k, y[k], out_per_lane(r, k) ? r->lanes : 1, NULL, r->ctl.length, step);
    }
}

lucid_status lucid__scan_kernel(const lucid__kernel_args *args)
{
    run r;
    bool ok = run_begin(&r, LUCID__scan, args);
    lucid__control_body body;
    if (ok)
        (void)lucid__control_body_at(r.ctl.bodies, &body);
    for (int64_t t = 0; ok && t < r.ctl.length; t++) {
        lucid_scope child;
        lucid__scope_enter(&child, r.s);
        scan_step(&child, &r, &body, r.ctl.reverse ? r.ctl.length - 1 - t : t);
        ok = lucid__ok(&child);
        lucid__scope_leave(&child);
    }
    for (int k = 0; ok && k < r.ctl.ncarry && lucid__ok(r.s); k++)
        give(r.s, &r, k, r.frame[r.ctl.nconsts + k], NULL);
    return run_end(&r);
}

/* ---- cond ---------------------------------------------------------------------------------------------- */

static int64_t clamp_index(int64_t i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void run_branch(run *r, int branch, const int64_t *lane)
{
    lucid__control_body body;
    const int64_t *at = r->ctl.bodies;
    for (int b = 0; b <= branch; b++)
        at = lucid__control_body_at(at, &body);
    lucid_scope child;
    lucid__scope_enter(&child, r->s);
    lucid__level level;
    lucid_tensor *y = lucid_alloc(&child, ((size_t)r->ctl.nout + 1) * sizeof *y);
    if (y) {
        push_lanes(&child, r, &level);
        apply(&child, r, &level, &body, 0, y);
        settle(&child, r, &level, y, r->ctl.nout);
        lucid__level_pop(&child, &level);
        for (int k = 0; k < r->ctl.nout && lucid__ok(&child); k++)
            give(&child, r, k, y[k], lane);
    }
    lucid__scope_leave(&child);
}

/* The rows of the lanes at these positions of those that take part. */
static lucid_tensor rows(lucid_scope *s, lucid_tensor x, const int64_t *at, int64_t n)
{
    lucid_tensor index = lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(n));
    lucid_tensor y = lucid_take(s, x, index, 0);
    if (y.v)
        (void)lucid_eval(s, &y, 1);
    return y;
}

/* Each branch for its own lanes. */
static void run_branches(run *r)
{
    const int64_t *index = lucid_data(r->s, lucid_row_major(r->s, input(r, 0)));
    int64_t lanes = r->lanes, *own = lucid_alloc(r->s, ((size_t)lanes + 1) * sizeof *own);
    lucid_tensor *all = r->frame;
    r->frame = lucid_alloc(r->s, ((size_t)r->nframe + 1) * sizeof *r->frame);
    for (int b = 0; own && r->frame && b < r->ctl.nbodies && lucid__ok(r->s); b++) {
        int64_t n = 0;
        for (int64_t i = 0; i < lanes; i++)
            if (clamp_index(index[i], r->ctl.nbodies) == b)
                own[n++] = i;
        if (n == 0)
            continue;
        lucid_scope child;
        lucid__scope_enter(&child, r->s);
        r->lanes = n;
        for (int i = 0; i < r->nframe; i++)
            r->frame[i] = r->per_lane[i] && n < lanes ? rows(&child, all[i], own, n) : all[i];
        if (lucid__ok(&child))
            run_branch(r, b, own);
        lucid__scope_leave(&child);
    }
    r->frame = all;
}

lucid_status lucid__cond_kernel(const lucid__kernel_args *args)
{
    run r;
    if (run_begin(&r, LUCID__cond, args)) {
        if (r.ctl.in_flags[0] & LUCID__PER_LANE)
            run_branches(&r);
        else
            run_branch(&r, (int)clamp_index(lucid_item_int(r.s, input(&r, 0)), r.ctl.nbodies),
                       NULL);
    }
    return run_end(&r);
}

/* ---- while --------------------------------------------------------------------------------------------- */

typedef struct loop {
    run r;
    lucid__control_body condition, step;
    int64_t *lane;    /* which lanes take part */
    int64_t *at;      /* scratch */
    bool by_lane;     /* the condition differs from lane to lane */
    const bool *goes; /* by_lane: whether each goes on; with the step under way */
    int64_t going;
    bool goes_on; /* otherwise */
} loop;

static lucid_tensor ask(lucid_scope *s, loop *p)
{
    lucid__level level;
    lucid_tensor y;
    push_lanes(s, &p->r, &level);
    apply(s, &p->r, &level, &p->condition, 0, &y);
    if (y.v && lucid__ok(s)) {
        p->by_lane = y.v->level == level.id;
        y = with_lanes(s, &level, y, p->by_lane);
    }
    lucid__level_pop(s, &level);
    y = lucid_row_major(s, y);
    p->goes = NULL;
    p->going = 0;
    if (!lucid__ok(s))
        return y;
    const bool *goes = lucid_data(s, y);
    if (!p->by_lane) {
        p->goes_on = goes && *goes;
        return y;
    }
    p->goes = goes;
    for (int64_t i = 0; goes && i < p->r.lanes; i++)
        p->going += goes[i];
    p->goes_on = p->going > 0;
    return y;
}

static void give_all(lucid_scope *s, loop *p)
{
    for (int k = 0; k < p->r.ctl.ncarry && lucid__ok(s); k++)
        give(s, &p->r, k, p->r.frame[p->r.ctl.nconsts + k], p->lane);
}

/* Gives the results of all lanes here (those that go on will give theirs again), and goes on with the lanes
 * that do. */
static void narrow(lucid_scope *s, loop *p)
{
    run *r = &p->r;
    int64_t n = 0;
    give_all(s, p);
    for (int64_t i = 0; i < r->lanes; i++)
        if (p->goes[i])
            p->at[n++] = i;
    for (int i = 0; i < r->nframe && lucid__ok(s); i++)
        if (r->per_lane[i])
            replace(&r->frame[i], rows(s, r->frame[i], p->at, n));
    for (int64_t i = 0; i < n; i++)
        p->lane[i] = p->lane[p->at[i]];
    r->lanes = n;
}

static void while_step(lucid_scope *s, loop *p)
{
    run *r = &p->r;
    lucid_tensor goes = ask(s, p);
    if (!lucid__ok(s) || !p->goes_on)
        return;
    /* Lanes that are done are dropped when they are half of those here: each such time costs plans for
     * another size. Until then they keep their carry. */
    bool some_done = p->by_lane && p->going < r->lanes;
    if (some_done && p->going <= r->lanes / 2) {
        narrow(s, p);
        some_done = false;
    }
    lucid__level level;
    lucid_tensor *y = lucid_alloc(s, ((size_t)r->ctl.nout + 1) * sizeof *y);
    if (!y || !lucid__ok(s))
        return;
    push_lanes(s, r, &level);
    apply(s, r, &level, &p->step, 0, y);
    lucid_tensor mask = some_done ? lucid__level_wrap(s, &level, goes, 0) : (lucid_tensor){NULL};
    for (int k = 0; some_done && k < r->ctl.nout && lucid__ok(s); k++)
        y[k] = lucid_where(s, mask, y[k], seen(s, r, &level, r->ctl.nconsts + k, 0));
    settle(s, r, &level, y, r->ctl.nout);
    lucid__level_pop(s, &level);
    for (int k = 0; k < r->ctl.nout && lucid__ok(s); k++)
        replace(&r->frame[r->ctl.nconsts + k], y[k]);
}

lucid_status lucid__while_kernel(const lucid__kernel_args *args)
{
    loop p = {.goes_on = true};
    run *r = &p.r;
    bool ok = run_begin(r, LUCID__while, args);
    if (ok) {
        (void)lucid__control_body_at(lucid__control_body_at(r->ctl.bodies, &p.condition), &p.step);
        size_t lanes = r->lanes > 0 ? (size_t)r->lanes : 0;
        p.lane = lucid_alloc(r->s, (lanes + 1) * sizeof *p.lane);
        p.at = lucid_alloc(r->s, (lanes + 1) * sizeof *p.at);
        for (size_t i = 0; p.lane && i < lanes; i++)
            p.lane[i] = (int64_t)i;
        ok = p.lane && p.at;
    }
    while (ok && p.goes_on) {
        lucid_scope child;
        lucid__scope_enter(&child, r->s);
        while_step(&child, &p);
        ok = lucid__ok(&child);
        lucid__scope_leave(&child);
    }
    if (ok)
        give_all(r->s, &p);
    return run_end(r);
}
