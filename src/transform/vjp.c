/* vjp, linearize, jvp: the transforms that run the function at a point. */
#include "base/dtype.h"
#include "base/memory.h"
#include "prim/family.h"
#include "transform/tape.h"

/* ---- the linear map as a function object ---------------------------------------------------- */

static void destroy_linear(void *self)
{
    lucid__linear_release(self);
}

static bool check_count(lucid_scope *s, const char *what, size_t expected, size_t got)
{
    if (expected != got)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: %zu arguments expected, %zu given", what,
                         expected, got);
    return expected == got;
}

/* A tangent or cotangent must have the shape of what it belongs to; another dtype is cast. */
static lucid_tensor conform(lucid_scope *s, const char *prefix, const lucid__fn *f,
                            const char *word, size_t i, lucid_tensor x, const lucid__aval *aval)
{
    if (!x.v || !lucid__ok(s))
        return (lucid_tensor){NULL};
    if (!lucid__shape_equal(&x.v->aval.shape, &aval->shape)) {
        char want[LUCID__SHAPE_TEXT], have[LUCID__SHAPE_TEXT], name[LUCID__PLACE_TEXT];
        return lucid__error(s, LUCID_VALUE_ERROR, "%s%s has shape %s, expected %s", prefix,
                            lucid__argument_name(f, word, i, name),
                            lucid__shape_text(&x.v->aval.shape, have, sizeof have),
                            lucid__shape_text(&aval->shape, want, sizeof want));
    }
    return lucid_cast(s, x, aval->dtype);
}

/* The same of a tangent, which must be a float as what it belongs to is. */
static lucid_tensor conform_tangent(lucid_scope *s, const char *prefix, const lucid__fn *f,
                                    const char *word, size_t i, lucid_tensor x,
                                    const lucid__aval *aval)
{
    if (!x.v) /* none: zero */
        return x;
    if (!x.v->weak && !lucid__is_float(x.v->aval.dtype)) {
        char name[LUCID__PLACE_TEXT];
        return lucid__error(s, LUCID_TYPE_ERROR, "%s%s is %s, expected a float", prefix,
                            lucid__argument_name(f, word, i, name),
                            lucid_dtype_name(x.v->aval.dtype));
    }
    return conform(s, prefix, f, word, i, x, aval);
}

/* False and an error when there is no float to differentiate by. */
static bool check_floats(lucid_scope *s, const char *name, const lucid__fn *f,
                         const lucid_tensor *x, size_t nx)
{
    for (size_t i = 0; i < nx; i++)
        if (!x[i].v || lucid__is_float(x[i].v->aval.dtype))
            return true;
    char place[LUCID__PLACE_TEXT];
    if (nx > 0 && lucid__ok(s))
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "%s: %s is %s; only floats can be differentiated: cast it to a float",
                         name, lucid__argument_name(f, "argument", 0, place),
                         lucid_dtype_name(x[0].v->aval.dtype));
    return lucid__ok(s);
}

static lucid_status push_all(lucid_scope *s, lucid_results *out, const lucid_tensor *v,
                             const lucid__aval *avals, size_t n)
{
    for (size_t i = 0; i < n && lucid__ok(s); i++)
        (void)lucid_results_push(s, out, v[i].v ? v[i] : lucid__zeros(s, &avals[i]));
    return lucid_error(s);
}

static lucid_status call_pull(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                              lucid_results *out)
{
    const lucid__linear *linear = self;
    if (!check_count(s, "vjp function", linear->ny, nx))
        return lucid_error(s);
    lucid_tensor *dy = lucid_alloc(s, (linear->ny + linear->nx + 1) * sizeof *dy);
    if (!dy)
        return lucid_error(s);
    lucid_tensor *dx = dy + linear->ny;
    for (size_t k = 0; k < nx; k++)
        dy[k] = conform(s, "", lucid__fn_of_self(self), "cotangent", k, x[k], &linear->y_avals[k]);
    lucid__linear_pull(s, linear, dy, dx);
    return push_all(s, out, dx, linear->x_avals, linear->nx);
}

static lucid_status call_push(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                              lucid_results *out)
{
    const lucid__linear *linear = self;
    if (!check_count(s, "linear function", linear->nx, nx))
        return lucid_error(s);
    lucid_tensor *dx = lucid_alloc(s, (linear->ny + linear->nx + 1) * sizeof *dx);
    if (!dx)
        return lucid_error(s);
    lucid_tensor *dy = dx + linear->nx;
    for (size_t i = 0; i < nx; i++)
        dx[i] = linear->x[i] ? conform_tangent(s, "", lucid__fn_of_self(self), "tangent", i, x[i],
                                               &linear->x_avals[i])
                             : (lucid_tensor){NULL};
    lucid__linear_push(s, linear, dx, dy);
    return push_all(s, out, dy, linear->y_avals, linear->ny);
}

static lucid_fn linear_fn(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                          lucid_results *y, const char *name, lucid__fn_call *call)
{
    x = lucid__arguments(s, name, x, nx, true);
    lucid__linear linear;
    if (!x || !lucid__linearize(s, f.f, x, NULL, nx, false, y, &linear))
        return (lucid_fn){NULL};
    lucid__fn *object = lucid__fn_alloc(name, sizeof linear, call, destroy_linear);
    if (object) {
        object->takes_numbers = true;
        *(lucid__linear *)(void *)object->self = linear;
    } else {
        lucid__linear_release(&linear);
    }
    return lucid__own_fn(s, object);
}

lucid_fn lucid__vjp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, lucid_results *y)
{
    return linear_fn(s, f, x, nx, y, "vjp", call_pull);
}

/* The same of arguments among which are floats. */
static lucid_fn linear_fn_of_floats(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                    lucid_results *y, const char *name, lucid__fn_call *call)
{
    return check_floats(s, name, f.f, x, nx) ? linear_fn(s, f, x, nx, y, name, call)
                                             : (lucid_fn){NULL};
}

lucid_fn lucid_vjp_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                           lucid_results *y)
{
    return linear_fn_of_floats(s, f, x, nx, y, "vjp", call_pull);
}

lucid_fn lucid_linearize_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                 lucid_results *y)
{
    return linear_fn_of_floats(s, f, x, nx, y, "linearize", call_push);
}

/* Moves exactly ny results of a child scope out. */
static void unlist(lucid_scope *child, const lucid_results *r, lucid_tensor *y, size_t ny)
{
    if (lucid__ok(child) && r->count != ny)
        (void)lucid_fail(child, LUCID_TYPE_ERROR, "the function gives %zu results, %zu asked for",
                         r->count, ny);
    for (size_t k = 0; k < ny; k++)
        y[k] = lucid__ok(child) ? lucid__scope_move(child, r->at[k].x) : (lucid_tensor){NULL};
}

static lucid_fn listed(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                       lucid_tensor *y, size_t ny, const char *name, lucid__fn_call *call)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    lucid_fn linear = linear_fn_of_floats(&child, f, x, nx, r, name, call);
    unlist(&child, r, y, ny);
    linear = lucid__ok(s) ? lucid_keep_fn(&child, linear) : (lucid_fn){NULL};
    lucid__scope_leave(&child);
    return linear;
}

lucid_fn lucid_vjp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                   size_t ny)
{
    return listed(s, f, x, nx, y, ny, "vjp", call_pull);
}

lucid_fn lucid_linearize(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                         lucid_tensor *y, size_t ny)
{
    return listed(s, f, x, nx, y, ny, "linearize", call_push);
}

/* ---- jvp ------------------------------------------------------------------------------------ */

lucid_status lucid_jvp_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                               const lucid_tensor *dx, size_t nx, lucid_results *y,
                               lucid_results *dy)
{
    if (!check_floats(s, "jvp", f.f, x, nx))
        return lucid_error(s);
    return lucid__jvp(s, f, x, dx, nx, y, dy);
}

lucid_status lucid__jvp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, const lucid_tensor *dx,
                        size_t nx, lucid_results *y, lucid_results *dy)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    x = lucid__arguments(&child, "jvp", x, nx, true);
    lucid_results *r = lucid_results_new(&child);
    lucid_tensor *in = x ? lucid_alloc(&child, (nx + 1) * sizeof *in) : NULL;
    lucid__level dual = {.kind = LUCID__LEVEL_DUAL};
    for (size_t i = 0; in && i < nx && lucid__ok(s); i++) {
        in[i] = x[i];
        lucid_tensor t = {NULL};
        if (lucid__is_float(x[i].v->aval.dtype))
            t = conform_tangent(&child, "jvp: the tangent of ", f.f, "argument", i, dx[i],
                                &x[i].v->aval);
        if (t.v)
            in[i] = t;
        else
            in[i].v = NULL;
    }
    lucid__level_push(s, &dual);
    for (size_t i = 0; in && i < nx && lucid__ok(s); i++)
        in[i] = in[i].v
                    ? lucid__own(&child, lucid__value_new_dual(dual.id, lucid__value_retain(x[i].v),
                                                               lucid__value_retain(in[i].v)))
                    : x[i];
    if (lucid__ok(s))
        (void)lucid__fn_run(&child, f.f, in, nx, r);
    lucid__level_pop(s, &dual);
    size_t count = lucid__ok(s) ? r->count : 0, ny = count - (count ? r->aux : 0);
    for (size_t k = 0; k < count && lucid__level_owns_or_outer(s, &dual, r->at[k].x); k++) {
        lucid__value *v = r->at[k].x.v;
        bool is_dual = v->level == dual.id;
        lucid_tensor primal = {is_dual ? v->inner : v};
        lucid_tensor tangent = {is_dual ? v->tangent : NULL};
        if (k >= ny) {
            (void)lucid_results_push_aux(s, y, primal);
            continue;
        }
        (void)lucid_results_push(s, y, primal);
        (void)lucid_results_push(s, dy,
                                 tangent.v ? tangent : lucid__zeros(&child, &primal.v->aval));
    }
    lucid__scope_leave(&child);
    return lucid_error(s);
}

lucid_status lucid_jvp(lucid_scope *s, lucid_fn f, const lucid_tensor *x, const lucid_tensor *dx,
                       size_t nx, lucid_tensor *y, lucid_tensor *dy, size_t ny)
{
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child), *dr = lucid_results_new(&child);
    (void)lucid_jvp_listing(&child, f, x, dx, nx, r, dr);
    unlist(&child, r, y, ny);
    unlist(&child, dr, dy, ny);
    lucid__scope_leave(&child);
    return lucid_error(s);
}
