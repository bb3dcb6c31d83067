/* custom_vmap: a function with a batching rule of its own.
 *
 * Applied to the innermost level among its arguments: at a batch the rule runs, one level down. Where the
 * innermost level is a dual and a batch is below it (vmap of grad), the derivative is derived: forwards it
 * is the jvp of the function with the jvp of the rule for its batching rule; backwards one linear map on the
 * tape whose pullback is the vjp of the function with the vjp of the rule. Both are functions of this kind
 * again, so this nests. Where no batch is below, the rule has no part in it. */
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "prim/family.h"
#include "transform/argnums.h"
#include "transform/custom.h"
#include "transform/split.h"
#include "transform/tape_function.h"

typedef struct custom_self {
    lucid__fn *f;
    lucid_vmap_rule *rule;
    void *user;
    void (*release)(void *user);
} custom_self;

bool lucid__from_arguments(lucid_scope *s, const char *name, uint64_t level, lucid_tensor y)
{
    if (y.v->level < level)
        return true;
    (void)lucid_fail(
        s, LUCID_RUNTIME_ERROR,
        "%s: the function captured a value that a transform around it differentiates or "
        "maps, and the rule says nothing about it; pass it as an argument",
        name);
    return false;
}

const lucid_tensor *lucid__lifted_arguments(lucid_scope *s, const lucid_tensor *x, size_t nx)
{
    if (s->session->takers == 0 || !lucid__ok(s))
        return x;
    lucid_tensor *lifted = lucid_alloc(s, (nx + 1) * sizeof *lifted);
    for (size_t i = 0; lifted && i < nx; i++)
        lifted[i] = lucid__split_lift(s, x[i], UINT64_MAX);
    return lifted;
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out);

static void destroy(void *self)
{
    custom_self *c = self;
    lucid__fn_release(c->f);
    if (c->release)
        c->release(c->user);
}

/* Takes over user, also when it fails. */
static lucid_fn make(lucid_scope *s, custom_self parts)
{
    lucid__fn *object = lucid__fn_alloc("custom_vmap", sizeof parts, call, destroy);
    if (object) {
        lucid__fn_retain(parts.f);
        *(custom_self *)(void *)object->self = parts;
    } else if (parts.release) {
        parts.release(parts.user);
    }
    return lucid__own_fn(s, object);
}

lucid_fn lucid_custom_vmap(lucid_scope *s, lucid_fn f, lucid_vmap_rule *rule, void *user,
                           void (*release)(void *user))
{
    bool ok = lucid__check_fn(s, "custom_vmap", f);
    if (ok && !rule) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "custom_vmap: the rule is NULL");
        ok = false;
    }
    if (ok)
        return make(s, (custom_self){f.f, rule, user, release});
    if (release)
        release(user);
    return (lucid_fn){NULL};
}

/* ---- batch ---------------------------------------------------------------------------------- */

/* Where result k of a rule has its lanes; -1: it is the same in all. False with an error. */
static bool lanes_of(lucid_scope *s, const lucid__result *r, size_t k, int64_t size, int *axis)
{
    const lucid_shape *shape = &r->x.v->aval.shape;
    int dim = r->out_dim == LUCID__OUT_DIM_DEFAULT ? 0 : r->out_dim;
    *axis = -1;
    if (dim == LUCID_NONE)
        return true;
    *axis = lucid__wrap_dim(dim, shape->ndim);
    if (*axis >= 0 && shape->dim[*axis] == size)
        return true;
    char text[LUCID__SHAPE_TEXT];
    (void)lucid_fail(
        s, LUCID_VALUE_ERROR,
        "custom_vmap: result %zu of the rule should have the %lld lanes at dim %d, but "
        "its shape is %s",
        k, (long long)size, dim, lucid__shape_text(shape, text, sizeof text));
    return false;
}

static void apply_batch(lucid_scope *s, lucid__level *level, const custom_self *c,
                        const lucid_tensor *x, size_t nx, lucid_results *out)
{
    lucid_tensor *in = lucid_alloc(s, nx * sizeof *in);
    bool *mapped = lucid_alloc(s, nx * sizeof *mapped);
    lucid_results *r = lucid_results_new(s);
    if (!in || !mapped || !r)
        return;
    for (size_t i = 0; i < nx; i++) {
        lucid__value *v = x[i].v;
        mapped[i] = v->level == level->id;
        if (mapped[i])
            lucid__split_catch_up(s, level, v);
        in[i] = mapped[i] ? lucid__move_batch(s, (lucid_tensor){v->inner}, v->axis, 0) : x[i];
    }
    if (!lucid__ok(s))
        return;
    /* One level down, where this vmap is not: what is random there is drawn once, and its axis has no
     * name. */
    lucid__level before = *level;
    level->hidden = true;
    level->name = NULL;
    const uint64_t lifts = lucid__hold_lifts(s, level);
    lucid_status status = c->rule(s, level->size, mapped, in, nx, r, c->user);
    s->session->lifts_below = lifts;
    level->hidden = before.hidden;
    level->name = before.name;
    if (status != LUCID_OK)
        (void)lucid__fail_status(s, status, "the rule of custom_vmap");
    for (size_t k = 0; lucid__ok(s) && k < r->count; k++) {
        int axis;
        lucid_tensor y = r->at[k].x;
        if (!lucid__from_arguments(s, "custom_vmap", level->id, y) ||
            !lanes_of(s, &r->at[k], k, level->size, &axis))
            return;
        (void)lucid_results_push(s, out, axis < 0 ? y : lucid__level_wrap(s, level, y, axis));
    }
}

/* ---- the derivative: the function ------------------------------------------------------------ */

typedef struct derived_self {
    lucid__fn *f;
    size_t nx;
} derived_self;

static void destroy_derived(void *self)
{
    lucid__fn_release(((derived_self *)self)->f);
}

static lucid_fn derived(lucid_scope *s, lucid__fn *f, size_t nx, lucid__fn_call *call_derived)
{
    lucid__fn *object =
        lucid__fn_alloc("custom_vmap", sizeof(derived_self), call_derived, destroy_derived);
    if (object)
        *(derived_self *)(void *)object->self = (derived_self){lucid__fn_retain(f), nx};
    return lucid__own_fn(s, object);
}

static lucid_status push_all(lucid_scope *s, lucid_results *out, const lucid_results *r)
{
    for (size_t k = 0; lucid__ok(s) && k < r->count; k++)
        (void)lucid_results_push_at(s, out, r->at[k].x, r->at[k].out_dim);
    return lucid_error(s);
}

/* (x..., dx...) -> (y..., dy...) */
static lucid_status call_jvp(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                             lucid_results *out)
{
    const derived_self *d = self;
    lucid_results *dy = lucid_results_new(s);
    if (!dy || nx != 2 * d->nx)
        return lucid_error(s);
    (void)lucid__jvp(s, (lucid_fn){d->f}, x, x + d->nx, d->nx, out, dy);
    return push_all(s, out, dy);
}

/* (x..., ct...) -> dx */
static lucid_status call_vjp(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                             lucid_results *out)
{
    const derived_self *d = self;
    lucid_results *y = lucid_results_new(s);
    lucid_fn pull = lucid__vjp(s, (lucid_fn){d->f}, x, d->nx, y);
    return lucid_call_listing(s, pull, x + d->nx, nx - d->nx, out);
}

/* ---- the derivative: the rule ------------------------------------------------------------------ */

/* The rule as a function of its inputs; where the lanes of its results are is left in out_dim. */
typedef struct ruled_self {
    const custom_self *of;
    int64_t size;
    const bool *mapped;
    int *out_dim;
    size_t ny;
    lucid_scope *scope;
} ruled_self;

static lucid_status call_ruled(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                               lucid_results *out)
{
    ruled_self *u = *(ruled_self *const *)self;
    lucid_results *r = lucid_results_new(s);
    if (!r)
        return lucid_error(s);
    lucid_status status = u->of->rule(s, u->size, u->mapped, x, nx, r, u->of->user);
    if (status != LUCID_OK)
        return lucid__fail_status(s, status, "the rule of custom_vmap");
    u->out_dim = lucid_alloc(u->scope, (r->count + 1) * sizeof *u->out_dim);
    u->ny = r->count;
    for (size_t k = 0; u->out_dim && lucid__ok(s) && k < r->count; k++)
        if (lanes_of(s, &r->at[k], k, u->size, &u->out_dim[k]))
            (void)lucid_results_push(s, out, r->at[k].x);
    return lucid_error(s);
}

static lucid_fn ruled(lucid_scope *s, ruled_self *u)
{
    lucid__fn *object = lucid__fn_alloc("custom_vmap", sizeof u, call_ruled, NULL);
    if (object)
        memcpy(object->self, &u, sizeof u);
    return lucid__own_fn(s, object);
}

/* The user of a derived rule: the function whose rule it differentiates, of nx arguments. */
static derived_self *derived_user(const custom_self *c, size_t nx)
{
    lucid__fn *base = (lucid__fn *)(uintptr_t)lucid__fn_of_self(c);
    derived_self *user = lucid__malloc(sizeof *user);
    if (user)
        *user = (derived_self){lucid__fn_retain(base), nx};
    return user;
}

static void release_user(void *user)
{
    destroy_derived(user);
    lucid__free(user);
}

static const custom_self *base_of(const derived_self *user)
{
    return (const custom_self *)(const void *)user->f->self;
}

static lucid_status push_with_lanes(lucid_scope *s, lucid_results *y, const lucid_results *r,
                                    const ruled_self *u)
{
    for (size_t k = 0; lucid__ok(s) && u->out_dim && k < r->count; k++)
        (void)lucid_results_push_at(s, y, r->at[k].x,
                                    u->out_dim[k] < 0 ? LUCID_NONE : u->out_dim[k]);
    return lucid_error(s);
}

/* A primal and its tangent get lanes together: the dual of both has one shape. */
static lucid_status jvp_rule(lucid_scope *s, int64_t size, const bool *mapped,
                             const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    size_t n = ((const derived_self *)user)->nx;
    lucid_tensor *in = lucid_alloc(s, (nx + 1) * sizeof *in);
    bool *both = lucid_alloc(s, (n + 1) * sizeof *both);
    lucid_results *r = lucid_results_new(s), *dr = lucid_results_new(s);
    if (!in || !both || !r || !dr)
        return lucid_error(s);
    for (size_t i = 0; i < n; i++) {
        both[i] = mapped[i] || mapped[n + i];
        for (size_t at = i; at < nx; at += n)
            in[at] = both[i] ? lucid__batch_at(s, x[at], mapped[at] ? 0 : -1, 0, size) : x[at];
    }
    ruled_self u = {.of = base_of(user), .size = size, .mapped = both, .scope = s};
    if (lucid__jvp(s, ruled(s, &u), in, in + n, n, r, dr) != LUCID_OK)
        return lucid_error(s);
    (void)push_with_lanes(s, y, r, &u);
    return push_with_lanes(s, y, dr, &u);
}

/* Every lane has a cotangent of its own, so every float gets lanes. */
static lucid_status vjp_rule(lucid_scope *s, int64_t size, const bool *mapped,
                             const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    size_t n = ((const derived_self *)user)->nx;
    lucid_tensor *in = lucid_alloc(s, (nx + 1) * sizeof *in);
    bool *all = lucid_alloc(s, (n + 1) * sizeof *all);
    lucid_results *r = lucid_results_new(s), *dx = lucid_results_new(s);
    if (!in || !all || !r || !dx)
        return lucid_error(s);
    for (size_t i = 0; i < n; i++) {
        all[i] = mapped[i] || lucid__is_float(x[i].v->aval.dtype);
        in[i] = all[i] ? lucid__batch_at(s, x[i], mapped[i] ? 0 : -1, 0, size) : x[i];
    }
    ruled_self u = {.of = base_of(user), .size = size, .mapped = all, .scope = s};
    lucid_fn pull = lucid__vjp(s, ruled(s, &u), in, n, r);
    for (size_t k = 0; lucid__ok(s) && u.out_dim && k < u.ny && n + k < nx; k++) {
        lucid_tensor ct = lucid__batch_at(s, x[n + k], mapped[n + k] ? 0 : -1,
                                          u.out_dim[k] < 0 ? 0 : u.out_dim[k], size);
        int64_t first = 0;
        in[n + k] = u.out_dim[k] < 0 ? lucid__bind1(s, LUCID__sum, &ct, 1, &first, 1) : ct;
    }
    if (lucid_call_listing(s, pull, in + n, nx - n, dx) != LUCID_OK)
        return lucid_error(s);
    for (size_t i = 0; lucid__ok(s) && i < n; i++)
        (void)lucid_results_push_at(s, y, dx->at[i].x, all[i] ? 0 : LUCID_NONE);
    return lucid_error(s);
}

/* ---- dual ----------------------------------------------------------------------------------- */

/* The derivative of c as a function with a rule of its own. */
static lucid_fn derivative(lucid_scope *s, const custom_self *c, size_t nx,
                           lucid__fn_call *call_derived, lucid_vmap_rule *rule)
{
    derived_self *user = derived_user(c, nx);
    if (!user) {
        lucid__out_of_memory(s);
        return (lucid_fn){NULL};
    }
    lucid_fn f = derived(s, c->f, nx, call_derived);
    return make(s, (custom_self){f.f, rule, user, release_user});
}

/* As a linear map of the tangents on the tape. */
static void record(lucid_scope *s, const custom_self *c, const lucid_tensor *in,
                   const lucid_tensor *dx, size_t nx, const lucid_results *y, lucid_tensor *dy)
{
    int64_t *which = lucid_alloc(s, nx * sizeof *which);
    lucid_tensor *t = lucid_alloc(s, nx * sizeof *t);
    lucid__aval *avals = lucid_alloc(s, (y->count + 1) * sizeof *avals);
    lucid_fn pull = derivative(s, c, nx, call_vjp, vjp_rule);
    if (!which || !t || !avals || !pull.f)
        return;
    lucid__pullback p = {pull.f, in, nx, avals, y->count, which, 0};
    for (size_t i = 0; i < nx; i++)
        if (dx[i].v) {
            which[p.n] = (int64_t)i;
            t[p.n++] = dx[i];
        }
    for (size_t k = 0; k < y->count; k++)
        avals[k] = y->at[k].x.v->aval;
    lucid__tape_function_record(s, &p, t, dy);
}

/* Whether x is mapped by this level, perhaps inside of others. Recursion is as deep as transforms are nested. */
static bool is_mapped_by(const lucid__value *x, uint64_t level)
{
    while (x->kind == LUCID__BATCH || x->kind == LUCID__DUAL) {
        if (x->kind == LUCID__BATCH && x->level == level)
            return true;
        if (x->kind == LUCID__DUAL && is_mapped_by(x->tangent, level))
            return true;
        x = x->inner;
    }
    return false;
}

/* Whether each vmap that maps a tangent maps a primal, too. */
static bool mapped_as(const lucid_tensor *x, const lucid_tensor *dx, size_t nx)
{
    for (size_t i = 0; i < nx; i++)
        for (const lucid__value *v = dx[i].v; v->kind == LUCID__BATCH || v->kind == LUCID__DUAL;
             v = v->inner) {
            bool both = v->kind == LUCID__DUAL;
            for (size_t k = 0; k < nx && !both; k++)
                both = is_mapped_by(x[k].v, v->level);
            if (!both)
                return false;
        }
    return true;
}

static void apply_dual(lucid_scope *s, const lucid__level *level, const custom_self *c,
                       const lucid_tensor *x, size_t nx, lucid_results *out)
{
    lucid_tensor *in = lucid_alloc(s, 2 * nx * sizeof *in);
    lucid_results *r = lucid_results_new(s);
    if (!in || !r)
        return;
    lucid_tensor *dx = in + nx, *dy = NULL;
    bool any = false, taped = true;
    uint64_t tape = 0;
    bool recording = lucid__level_records(s, level);
    for (size_t i = 0; i < nx; i++) {
        bool dual = x[i].v->level == level->id;
        in[i].v = dual ? x[i].v->inner : x[i].v;
        dx[i].v = dual && recording ? x[i].v->tangent : NULL;
        if (!dx[i].v)
            continue;
        any = true;
        taped &= lucid__is_on_tape(s, dx[i].v) && (tape == 0 || dx[i].v->level == tape);
        tape = dx[i].v->level;
    }
    size_t ny;
    if (!any || taped) {
        (void)call(s, c, in, nx, r);
        ny = lucid__ok(s) ? r->count : 0;
        dy = lucid_alloc(s, (ny + 1) * sizeof *dy);
        if (dy && any && lucid__ok(s))
            record(s, c, in, dx, nx, r, dy);
    } else {
        for (size_t i = 0; i < nx; i++)
            if (!dx[i].v)
                dx[i] = lucid__zeros(s, &in[i].v->aval);
        lucid_fn f = derivative(s, c, nx, call_jvp, jvp_rule);
        (void)lucid_call_listing(s, f, in, 2 * nx, r);
        ny = lucid__ok(s) ? r->count / 2 : 0;
        dy = lucid_alloc(s, (ny + 1) * sizeof *dy);
        for (size_t k = 0; dy && k < ny; k++)
            dy[k] = r->at[ny + k].x;
        if (dy && lucid__ok(s) && !mapped_as(in, dx, nx)) {
            /* Results with the lanes of the tangents: they are those of the primals, which may be asked. */
            r = lucid_results_new(s);
            if (r)
                (void)call(s, c, in, nx, r);
        }
    }
    for (size_t k = 0; lucid__ok(s) && r && dy && k < ny; k++) {
        lucid_tensor y = r->at[k].x;
        if (!lucid__from_arguments(s, "custom_vmap", level->id, y))
            return;
        if (dy[k].v && lucid__is_float(y.v->aval.dtype))
            y = lucid__own(s, lucid__value_new_dual(level->id, lucid__value_retain(y.v),
                                                    lucid__value_retain(dy[k].v)));
        (void)lucid_results_push(s, out, y);
    }
}

/* ---- applying ------------------------------------------------------------------------------- */

/* Recursion is as deep as transforms are nested. */
static bool has_batch(const lucid__value *v)
{
    while (v->kind == LUCID__DUAL) {
        if (has_batch(v->tangent))
            return true;
        v = v->inner;
    }
    return v->kind == LUCID__BATCH;
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    const custom_self *c = self;
    uint64_t top = 0;
    bool mapped = false;
    x = lucid__lifted_arguments(s, x, nx);
    if (!lucid__ok(s))
        return lucid_error(s);
    for (size_t i = 0; i < nx; i++) {
        top = x[i].v->level > top ? x[i].v->level : top;
        mapped |= has_batch(x[i].v);
    }
    lucid__level *level = top > 0 ? lucid__level_find(s, top) : NULL;
    if (level && level->kind == LUCID__LEVEL_STAGE)
        return lucid__refuse_stage(s, "a function with a batching rule of its own");
    if (!mapped || !level || level->kind == LUCID__LEVEL_TAPE)
        return lucid__fn_run(s, c->f, x, nx, out);
    if (level->kind == LUCID__LEVEL_BATCH)
        apply_batch(s, level, c, x, nx, out);
    else
        apply_dual(s, level, c, x, nx, out);
    return lucid_error(s);
}
