#include "transform/remat.h"

#include "base/memory.h"
#include "graph/fn.h"
#include "transform/argnums.h"

/* ---- recording ------------------------------------------------------------------------------ */

void lucid_checkpoint_begin(lucid_scope *s)
{
    if (!lucid__ok(s))
        return;
    lucid__region *r = lucid__region_new(s->session->region);
    if (r)
        s->session->region = r;
    else
        lucid__out_of_memory(s);
}

void lucid_checkpoint_end(lucid_scope *s)
{
    lucid__region *r = s ? s->session->region : NULL;
    if (!r)
        return;
    s->session->region = r->outer;
    if (!lucid__region_close(r, lucid__ok(s)))
        lucid__out_of_memory(s);
    lucid__region_release(r);
}

static lucid_status call(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                         lucid_results *out)
{
    lucid_checkpoint_begin(s);
    (void)lucid__fn_run(s, *(lucid__fn *const *)self, x, nx, out);
    lucid_checkpoint_end(s);
    return lucid_error(s);
}

static void destroy(void *self)
{
    lucid__fn_release(*(lucid__fn **)self);
}

lucid_fn lucid_checkpoint(lucid_scope *s, lucid_fn f)
{
    if (!lucid__check_fn(s, "checkpoint", f))
        return (lucid_fn){NULL};
    lucid__fn *object = lucid__fn_alloc("checkpoint", sizeof(lucid__fn *), call, destroy);
    if (object) {
        *(lucid__fn **)(void *)object->self = lucid__fn_retain(f.f);
        object->takes_numbers = true;
        lucid__fn_take_argument_names(object, f.f);
    }
    return lucid__own_fn(s, object);
}

/* ---- walking -------------------------------------------------------------------------------- */

/* The graph values behind v; tangents on a tape have none. Recursion is as deep as transforms are nested. */
static void add_roots(lucid_tensor *roots, size_t *n, size_t most, lucid__value *v)
{
    for (; v->kind == LUCID__BATCH || v->kind == LUCID__DUAL; v = v->inner)
        if (v->kind == LUCID__DUAL)
            add_roots(roots, n, most, v->tangent);
    if (v->kind == LUCID__GRAPH && *n < most)
        roots[(*n)++].v = v;
}

static bool compute(lucid_scope *s, lucid__value *const *values, size_t n)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    size_t count = 0, most = 4 * n;
    lucid_tensor *roots = lucid_alloc(&t, (most + 1) * sizeof *roots);
    for (size_t i = 0; roots && i < n; i++)
        if (values[i])
            add_roots(roots, &count, most, values[i]);
    if (roots && count > 0)
        (void)lucid_eval(&t, roots, count);
    lucid__scope_leave(&t);
    return lucid__ok(s);
}

static bool is_around(const lucid__region *outer, const lucid__region *r)
{
    while (r && r != outer)
        r = r->outer;
    return r != NULL;
}

/* Recursion is as deep as regions are nested. */
static bool enter(lucid_scope *s, lucid__instance **at, lucid__region *r)
{
    if (!r || r->running || (*at && (*at)->region == r))
        return true;
    if (!enter(s, at, r->outer))
        return false;
    lucid__instance *instance = lucid__instance_new(r, *at, s->session->region);
    if (!instance) {
        lucid__out_of_memory(s);
        return false;
    }
    *at = instance;
    return true;
}

bool lucid__remat_enter(lucid_scope *s, lucid__instance **at, lucid__region *r,
                        lucid__value *const *pending, size_t n)
{
    if (*at ? (*at)->region == r : !r)
        return true;
    while (*at && !is_around((*at)->region, r))
        *at = lucid__instance_end(*at);
    return !r || (compute(s, pending, n) && enter(s, at, r));
}

void lucid__remat_leave(lucid__instance **at)
{
    while (*at)
        *at = lucid__instance_end(*at);
}

lucid_tensor lucid__remat_residual(lucid_scope *s, lucid__instance *at, lucid__value *v)
{
    return at ? lucid__own(s, lucid__instance_value(at, v)) : (lucid_tensor){v};
}
