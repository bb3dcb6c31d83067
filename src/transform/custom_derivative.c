/* custom_jvp, custom_vjp: functions with derivative rules of their own.
 *
 * Such a function is applied as a primitive would be: to the innermost level among its arguments.
 *     stage         it is recorded with its rules, which whoever runs the record may need
 *     graph, tape   nothing is differentiated: the function runs as it is
 *     dual          the rule says what the results and their derivatives are, one level down
 *     batch         the function under that vmap, its rules under it too, is applied one level down, where
 *                   something is differentiated (grad of vmap); else the function runs as it is
 * A rule may only use the arguments: what else it captured must not be differentiated, for the rule says
 * nothing about it. */
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/custom.h"
#include "transform/split.h"
#include "transform/tape_function.h"
#include "transform/vmap.h"

typedef lucid__custom_rules rules;

static void apply(lucid_scope *s, const rules *r, const lucid_tensor *x, size_t nx,
                  lucid_results *out);

/* ---- under a vmap that is running ----------------------------------------------------------- */

/* f on values one level below a running vmap, of which some carry its lanes at axis[i]. Results carry them
 * at dim 0. */
typedef struct under_self {
    const lucid__fn *f;
    const char *name;
    uint64_t level, lifts; /* lifts: of the session, where the function is called */
    size_t nx;
    const int *axis;
} under_self;

static lucid_status call_under(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                               lucid_results *out)
{
    const under_self *u = self;
    const lucid__level *level = lucid__level_find(s, u->level);
    lucid_tensor *in = lucid_alloc(s, (nx + 1) * sizeof *in);
    lucid_results *r = lucid_results_new(s);
    if (!in || !r || !level)
        return lucid_error(s);
    for (size_t i = 0; i < nx; i++) {
        int axis = u->axis[i % u->nx]; /* a jvp rule gets tangents like the primals after them */
        in[i] = axis < 0 ? x[i] : lucid__level_wrap(s, level, x[i], axis);
    }
    const uint64_t held = s->session->lifts_below;
    s->session->lifts_below = u->lifts;
    (void)lucid__fn_run(s, u->f, in, nx, r);
    s->session->lifts_below = held;
    for (size_t k = 0; lucid__ok(s) && k < r->count; k++) {
        lucid__value *y = r->at[k].x.v;
        if (!lucid__from_arguments(s, u->name, level->id + 1, r->at[k].x))
            break;
        bool batched = y->level == level->id;
        if (batched)
            lucid__split_catch_up(s, level, y);
        lucid_tensor inner = {batched ? y->inner : y};
        inner = lucid__batch_at(s, inner, batched ? y->axis : -1, 0, level->size);
        (void)(k < r->count - r->aux ? lucid_results_push(s, out, inner)
                                     : lucid_results_push_aux(s, out, inner));
    }
    return lucid_error(s);
}

static const lucid__fn *under(lucid_scope *s, const rules *r, const lucid__fn *f,
                              const lucid__level *level, const int *axis, size_t nx)
{
    if (!f)
        return NULL;
    lucid__fn *object = lucid__fn_alloc(f->name, sizeof(under_self), call_under, NULL);
    if (object)
        *(under_self *)(void *)object->self =
            (under_self){f, r->name, level->id, s->session->lifts_below, nx, axis};
    return lucid__own_fn(s, object).f;
}

/* ---- a pullback under a vmap that may have ended --------------------------------------------- */

/* It may be called when the vmap has ended, so it gets one of its own. An argument with lanes has its
 * cotangent with lanes, at axis[i]; one that all lanes shared gets their sum. */
typedef struct mapped_self {
    lucid__fn *mapped;
    uint64_t level;
    size_t nx;
    int axis[];
} mapped_self;

static void destroy_mapped(void *self)
{
    lucid__fn_release(((mapped_self *)self)->mapped);
}

static lucid_status call_mapped(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                lucid_results *out)
{
    const mapped_self *m = self;
    lucid_results *r = lucid_results_new(s);
    if (!r || lucid__fn_run(s, m->mapped, x, nx, r) != LUCID_OK)
        return lucid_error(s);
    for (size_t i = 0; i < m->nx && lucid__ok(s); i++) {
        lucid_tensor dx = r->at[i].x;
        int64_t first = 0;
        if (dx.v->level == m->level)
            return lucid_fail(
                s, LUCID_RUNTIME_ERROR,
                "custom_vjp: bwd uses a value of the vmap around the function that it "
                "captured; return it from fwd among the residuals instead");
        dx = m->axis[i] < 0 ? lucid__bind1(s, LUCID__sum, &dx, 1, &first, 1)
                            : lucid__move_batch(s, dx, 0, m->axis[i]);
        (void)lucid_results_push(s, out, dx);
    }
    return lucid_error(s);
}

/* The options of a vmap like one that runs. */
static lucid_vmap_options options_like(const lucid__level *level)
{
    bool all = level->size == level->lanes; /* else a collective would miss some */
    return (lucid_vmap_options){.randomness = level->randomness,
                                .strategy =
                                    level->split ? LUCID_STRATEGY_AUTO : LUCID_STRATEGY_VECTORIZED,
                                .axis_name = all ? level->name : NULL};
}

/* f under a vmap like that of the level, for a record that outlives it. */
static const lucid__fn *mapped(lucid_scope *s, const lucid__fn *f, const lucid__level *level,
                               const int *axis, size_t nx, size_t times)
{
    if (!f)
        return NULL;
    int *dims = lucid_alloc(s, (times * nx + 1) * sizeof *dims);
    if (!dims)
        return NULL;
    for (size_t i = 0; i < times * nx; i++)
        dims[i] = axis[i % nx] < 0 ? LUCID_NONE : axis[i % nx];
    lucid_vmap_options options = options_like(level);
    options.in_dims = (lucid_ints){dims, times * nx};
    return lucid__vmap(s, (lucid_fn){(lucid__fn *)(uintptr_t)f}, &options, level->hidden).f;
}

static const lucid__fn *mapped_pullback(lucid_scope *s, const lucid__fn *bwd,
                                        const lucid__level *level, const int *axis, size_t nx)
{
    if (!bwd)
        return NULL;
    const lucid_vmap_options options = options_like(level);
    lucid_fn f = {(lucid__fn *)(uintptr_t)bwd};
    lucid_fn whole = lucid__vmap(s, f, &options, level->hidden);
    lucid__fn *object = lucid__fn_alloc("custom_vjp", sizeof(mapped_self) + nx * sizeof(int),
                                        call_mapped, destroy_mapped);
    if (object && nx > 0) {
        mapped_self *m = (mapped_self *)(void *)object->self;
        m->mapped = lucid__fn_retain(whole.f);
        m->level = level->id;
        m->nx = nx;
        memcpy(m->axis, axis, nx * sizeof *axis);
    }
    return lucid__own_fn(s, object).f;
}

/* ---- batch ---------------------------------------------------------------------------------- */

static void apply_batch(lucid_scope *s, const lucid__level *level, const rules *r, bool recorded,
                        const lucid_tensor *x, size_t nx, lucid_results *out)
{
    lucid_tensor *in = lucid_alloc(s, nx * sizeof *in);
    int *axis = lucid_alloc(s, nx * sizeof *axis);
    lucid_results *y = lucid_results_new(s);
    if (!in || !axis || !y)
        return;
    for (size_t i = 0; i < nx; i++) {
        bool batched = x[i].v->level == level->id;
        if (batched)
            lucid__split_catch_up(s, level, x[i].v);
        in[i].v = batched ? x[i].v->inner : x[i].v;
        axis[i] = batched ? x[i].v->axis : -1;
    }
    uint32_t version = level->split ? level->split->version : 0;
    rules below = {.name = r->name,
                   .f = recorded ? mapped(s, r->f, level, axis, nx, 1)
                                 : under(s, r, r->f, level, axis, nx),
                   .jvp = recorded ? mapped(s, r->jvp, level, axis, nx, 2)
                                   : under(s, r, r->jvp, level, axis, nx),
                   .fwd = recorded ? mapped(s, r->fwd, level, axis, nx, 1)
                                   : under(s, r, r->fwd, level, axis, nx),
                   .bwd = mapped_pullback(s, r->bwd, level, axis, nx),
                   .ny = r->ny};
    if (!lucid__ok(s))
        return;
    const uint64_t lifts = lucid__hold_lifts(s, level);
    apply(s, &below, in, nx, y);
    s->session->lifts_below = lifts;
    if (lucid__ok(s) && r->fwd && level->split && level->split->version != version)
        (void)lucid_fail(
            s, LUCID_RUNTIME_ERROR,
            "custom_vjp: the lanes parted inside fwd (it asked a batched value for one "
            "answer) while the vmap around it is differentiated; use where()");
    for (size_t k = 0; lucid__ok(s) && k < y->count; k++)
        (void)lucid_results_push(s, out, lucid__level_wrap(s, level, y->at[k].x, 0));
}

/* ---- dual ----------------------------------------------------------------------------------- */

static bool same_shapes(lucid_scope *s, const char *what, size_t k, lucid_tensor y, const char *of,
                        size_t i, const lucid__aval *aval)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!lucid__shape_equal(&y.v->aval.shape, &aval->shape))
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s %zu has shape %s, but %s %zu has shape %s", what,
                         k, lucid__shape_text(&y.v->aval.shape, a, sizeof a), of, i,
                         lucid__shape_text(&aval->shape, b, sizeof b));
    else if (!lucid__is_float(y.v->aval.dtype))
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s %zu is %s, but %s %zu is %s", what, k,
                         lucid_dtype_name(y.v->aval.dtype), of, i, lucid_dtype_name(aval->dtype));
    return lucid__ok(s);
}

/* The jvp rule gives results and tangents at once. */
static void dual_by_jvp(lucid_scope *s, const lucid__level *level, const rules *r,
                        const lucid_tensor *in, const lucid_tensor *dx, size_t nx,
                        lucid_results *out)
{
    lucid_tensor *both = lucid_alloc(s, 2 * nx * sizeof *both);
    lucid_results *y = lucid_results_new(s);
    if (!both || !y)
        return;
    uint64_t tape = 0;
    for (size_t i = 0; i < nx; i++) {
        both[i] = in[i];
        both[nx + i] = dx[i].v ? dx[i] : lucid__zeros(s, &in[i].v->aval);
        if (dx[i].v && lucid__is_on_tape(s, dx[i].v))
            tape = dx[i].v->level;
    }
    if (lucid__fn_run(s, r->jvp, both, 2 * nx, y) != LUCID_OK)
        return;
    size_t ny = y->count / 2;
    if (y->count % 2 != 0) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "custom_jvp: the rule returned %zu results; expected the results of the "
                         "function and as many tangents",
                         y->count);
        return;
    }
    for (size_t k = 0; k < ny && lucid__ok(s); k++) {
        lucid_tensor v = y->at[k].x, t = y->at[ny + k].x;
        if (!lucid__from_arguments(s, r->name, level->id, v) ||
            !lucid__from_arguments(s, r->name, level->id, t))
            return;
        if (tape && v.v->level == tape) {
            (void)lucid_fail(s, LUCID_RUNTIME_ERROR,
                             "custom_jvp: result %zu of the rule depends on the tangents; only the "
                             "tangents of the results may",
                             k);
            return;
        }
        if (!lucid__is_float(v.v->aval.dtype)) {
            (void)lucid_results_push(s, out, v);
            continue;
        }
        if (!same_shapes(s, "custom_jvp: the rule's tangent", k, t, "result", k, &v.v->aval))
            return;
        t = lucid_cast(s, t, v.v->aval.dtype);
        if (t.v)
            (void)lucid_results_push(
                s, out,
                lucid__own(s, lucid__value_new_dual(level->id, lucid__value_retain(v.v),
                                                    lucid__value_retain(t.v))));
    }
}

/* fwd gives results and residuals; bwd stands on the tape as one linear map, or where the tangents are there
 * already is transposed at once. */
static void dual_by_vjp(lucid_scope *s, const lucid__level *level, const rules *r,
                        const lucid_tensor *in, const lucid_tensor *dx, size_t nx,
                        lucid_results *out)
{
    lucid_results *y = lucid_results_new(s);
    if (!y || lucid__fn_run(s, r->fwd, in, nx, y) != LUCID_OK)
        return;
    size_t ny = r->ny ? r->ny : y->count - y->aux;
    if (ny > y->count) {
        (void)lucid_fail(
            s, LUCID_TYPE_ERROR,
            "custom_vjp: fwd returned %zu results, expected the %zu of the function and "
            "residuals",
            y->count, ny);
        return;
    }
    lucid_tensor *all = lucid_alloc(s, (y->count + nx + ny + 1) * sizeof *all);
    int64_t *which = lucid_alloc(s, (nx + 1) * sizeof *which);
    lucid__aval *avals = lucid_alloc(s, (ny + 1) * sizeof *avals);
    if (!all || !which || !avals)
        return;
    lucid_tensor *t = all + y->count, *dy = t + nx;
    for (size_t k = 0; k < y->count; k++) {
        all[k] = y->at[k].x;
        if (!lucid__from_arguments(s, r->name, level->id, all[k]))
            return;
        if (k < ny)
            avals[k] = all[k].v->aval;
    }
    lucid__pullback p = {r->bwd, all + ny, y->count - ny, avals, ny, which, 0};
    bool recorded = true;
    for (size_t i = 0; i < nx; i++) {
        if (!dx[i].v)
            continue;
        which[p.n] = (int64_t)i;
        t[p.n++] = dx[i];
        recorded &= lucid__is_on_tape(s, dx[i].v) && dx[i].v->level == t[0].v->level;
    }
    if (recorded)
        lucid__tape_function_record(s, &p, t, dy);
    else
        lucid__pullback_push(s, &p, t, dy);
    for (size_t k = 0; k < ny && lucid__ok(s); k++) {
        bool differentiable = dy[k].v && lucid__is_float(avals[k].dtype);
        (void)lucid_results_push(
            s, out,
            differentiable
                ? lucid__own(s, lucid__value_new_dual(level->id, lucid__value_retain(all[k].v),
                                                      lucid__value_retain(dy[k].v)))
                : all[k]);
    }
}

static void apply_dual(lucid_scope *s, const lucid__level *level, const rules *r,
                       const lucid_tensor *x, size_t nx, lucid_results *out)
{
    lucid_tensor *in = lucid_alloc(s, 2 * nx * sizeof *in);
    if (!in)
        return;
    lucid_tensor *dx = in + nx;
    bool any = false;
    bool recording = lucid__level_records(s, level);
    for (size_t i = 0; i < nx; i++) {
        bool dual = x[i].v->level == level->id;
        in[i].v = dual ? x[i].v->inner : x[i].v;
        dx[i].v = dual && recording ? x[i].v->tangent : NULL;
        any |= dx[i].v != NULL;
    }
    if (!any)
        apply(s, r, in, nx, out);
    else if (r->jvp)
        dual_by_jvp(s, level, r, in, dx, nx, out);
    else if (!r->fwd)
        (void)lucid_fail(
            s, LUCID_RUNTIME_ERROR,
            "a function with a derivative rule inside a loop, a branch or a compiled function is "
            "differentiated more than %d times, and its rules were recorded up to there; write the "
            "loop in the language, where the rule can be called",
            LUCID__MOST_ORDERS);
    else
        dual_by_vjp(s, level, r, in, dx, nx, out);
}

/* ---- applying ------------------------------------------------------------------------------- */

static bool has_dual(const lucid__value *v)
{
    while (v->kind == LUCID__BATCH)
        v = v->inner;
    return v->kind == LUCID__DUAL;
}

/* Whether whoever runs a record may differentiate it. */
static bool on_stage(const lucid_scope *s, const lucid__value *v)
{
    while (v->kind == LUCID__BATCH)
        v = v->inner;
    return lucid__is_staged(s, v);
}

static void apply(lucid_scope *s, const rules *r, const lucid_tensor *x, size_t nx,
                  lucid_results *out)
{
    uint64_t top = 0;
    bool differentiated = false, recorded = false;
    for (size_t i = 0; i < nx; i++) {
        top = x[i].v->level > top ? x[i].v->level : top;
        differentiated |= has_dual(x[i].v);
        recorded |= on_stage(s, x[i].v);
    }
    recorded &= !differentiated;
    const lucid__level *level = top > 0 ? lucid__level_find(s, top) : NULL;
    if (level && level->kind == LUCID__LEVEL_STAGE)
        lucid__custom_record(s, r, x, nx, out);
    else if (!(differentiated || recorded) || !level || level->kind == LUCID__LEVEL_TAPE)
        (void)lucid__fn_run(s, r->f, x, nx, out);
    else if (level->kind == LUCID__LEVEL_BATCH)
        apply_batch(s, level, r, recorded, x, nx, out);
    else
        apply_dual(s, level, r, x, nx, out);
}

/* ---- bwd as the user wrote it, checked --------------------------------------------------------- */

typedef struct checked_self {
    lucid__fn *bwd;
    size_t nx;
    lucid__aval x[];
} checked_self;

static void destroy_checked(void *self)
{
    lucid__fn_release(((checked_self *)self)->bwd);
}

static lucid_status call_checked(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const checked_self *c = self;
    lucid_results *r = lucid_results_new(s);
    if (!r || lucid__fn_run(s, c->bwd, x, nx, r) != LUCID_OK)
        return lucid_error(s);
    if (r->count != c->nx)
        return lucid_fail(s, LUCID_TYPE_ERROR,
                          "custom_vjp: bwd returned %zu results for a function of %zu arguments",
                          r->count, c->nx);
    for (size_t i = 0; i < c->nx && lucid__ok(s); i++) {
        lucid_tensor dx = r->at[i].x;
        if (!lucid__is_float(c->x[i].dtype))
            dx = lucid__zeros(s, &c->x[i]); /* it has no derivative, whatever bwd says */
        else if (same_shapes(s, "custom_vjp: result of bwd", i, dx, "argument", i, &c->x[i]))
            dx = lucid_cast(s, dx, c->x[i].dtype);
        (void)lucid_results_push(s, out, dx);
    }
    return lucid_error(s);
}

static const lucid__fn *checked(lucid_scope *s, const lucid__fn *bwd, const lucid_tensor *x,
                                size_t nx)
{
    lucid__fn *object =
        lucid__fn_alloc("custom_vjp", sizeof(checked_self) + nx * sizeof(lucid__aval), call_checked,
                        destroy_checked);
    if (object) {
        checked_self *c = (checked_self *)(void *)object->self;
        c->bwd = lucid__fn_retain((lucid__fn *)(uintptr_t)bwd);
        c->nx = nx;
        for (size_t i = 0; i < nx; i++)
            c->x[i] = x[i].v->aval;
    }
    return lucid__own_fn(s, object).f;
}

/* ---- the function objects ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    rules *r = self;
    lucid__fn_release((lucid__fn *)(uintptr_t)r->f);
    lucid__fn_release((lucid__fn *)(uintptr_t)r->jvp);
    lucid__fn_release((lucid__fn *)(uintptr_t)r->fwd);
    lucid__fn_release((lucid__fn *)(uintptr_t)r->bwd);
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    rules r = *(const rules *)self;
    if (r.bwd)
        r.bwd = checked(s, r.bwd, x, nx);
    x = lucid__lifted_arguments(s, x, nx);
    if (lucid__ok(s))
        apply(s, &r, x, nx, out);
    return lucid_error(s);
}

static const lucid__fn *retained(const lucid__fn *f)
{
    return lucid__fn_retain((lucid__fn *)(uintptr_t)f);
}

lucid_fn lucid__custom_fn(lucid_scope *s, const lucid__custom_rules *r)
{
    lucid__fn *object = lucid__fn_alloc(r->name, sizeof *r, call, destroy);
    if (object)
        *(rules *)(void *)object->self = (rules){
            r->name, retained(r->f), retained(r->jvp), retained(r->fwd), retained(r->bwd), r->ny};
    return lucid__own_fn(s, object);
}

lucid_fn lucid_custom_jvp(lucid_scope *s, lucid_fn f, lucid_fn jvp)
{
    if (!lucid__check_fn(s, "custom_jvp", f) || !lucid__check_fn(s, "custom_jvp: the rule", jvp))
        return (lucid_fn){NULL};
    return lucid__custom_fn(s, &(rules){.name = "custom_jvp", .f = f.f, .jvp = jvp.f});
}

lucid_fn lucid_custom_vjp(lucid_scope *s, lucid_fn f, lucid_fn fwd, lucid_fn bwd, size_t ny)
{
    if (!lucid__check_fn(s, "custom_vjp", f) || !lucid__check_fn(s, "custom_vjp: fwd", fwd) ||
        !lucid__check_fn(s, "custom_vjp: bwd", bwd))
        return (lucid_fn){NULL};
    return lucid__custom_fn(s, &(rules){"custom_vjp", f.f, NULL, fwd.f, bwd.f, ny});
}
