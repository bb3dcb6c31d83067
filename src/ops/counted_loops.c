/* map and fori: loops that are scans, or while loops, of functions of their own. */
#include <stdio.h>

#include "graph/fn.h"
#include "graph/node.h"
#include "ops/loops.h"
#include "transform/argnums.h"

/* ---- map --------------------------------------------------------------------------------------------- */

lucid_status lucid_map_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *xs, size_t nxs,
                               lucid_results *y)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_status status = lucid__scan_steps(&t, "map", f, NULL, 0, xs, nxs, NULL, y);
    lucid__scope_leave(&t);
    return status;
}

lucid_status lucid_map(lucid_scope *s, lucid_fn f, const lucid_tensor *xs, size_t nxs,
                       lucid_tensor *ys, size_t nys)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_results *r = lucid_results_new(&t);
    (void)lucid_map_listing(&t, f, xs, nxs, r);
    return lucid__take_results(&t, "map", r, ys, nys);
}

/* ---- fori -------------------------------------------------------------------------------------------- */

/* The body of fori as that of a scan over (carry, i), or of a while loop over (i, upper, carry). */
typedef struct counted {
    lucid__fn *body;
    size_t n;
} counted;

static void destroy_counted(void *self)
{
    lucid__fn_release(((counted *)self)->body);
}

static lucid_status run_counted(lucid_scope *s, const counted *c, lucid_tensor i,
                                const lucid_tensor *carry, lucid_results *y)
{
    lucid_tensor *in = lucid_alloc(s, (c->n + 1) * sizeof *in);
    if (!in)
        return lucid_error(s);
    in[0] = i;
    for (size_t k = 0; k < c->n; k++)
        in[k + 1] = carry[k];
    return lucid__fn_run(s, c->body, in, c->n + 1, y);
}

static lucid_status fori_scan_step(lucid_scope *s, const void *self, const lucid_tensor *x,
                                   size_t nx, lucid_results *y)
{
    const counted *c = self;
    return run_counted(s, c, x[nx - 1], x, y);
}

static lucid_status fori_while_step(lucid_scope *s, const void *self, const lucid_tensor *x,
                                    size_t nx, lucid_results *y)
{
    (void)nx;
    (void)lucid_results_push(s, y, lucid_add(s, x[0], lucid_scalar_int(s, 1)));
    (void)lucid_results_push(s, y, x[1]);
    return run_counted(s, self, x[0], x + 2, y);
}

static lucid_status fori_condition(lucid_scope *s, const void *self, const lucid_tensor *x,
                                   size_t nx, lucid_results *y)
{
    (void)self, (void)nx;
    return lucid_results_push(s, y, lucid_lt(s, x[0], x[1]));
}

/* What the body of fori calls its carry k, argument k + 1 of it. */
static void name_carry(const counted *c, size_t k, char *to, size_t size)
{
    if (c->body->naming)
        c->body->naming(c->body->naming_user, false, k + 1, to, size);
    else
        (void)snprintf(to, size, "carry %zu", k);
}

static void name_scan_argument(void *user, bool result, size_t i, char *to, size_t size)
{
    const counted *c = user;
    if (!result && i < c->n)
        name_carry(c, i, to, size);
}

static void name_while_argument(void *user, bool result, size_t i, char *to, size_t size)
{
    const counted *c = user;
    if (!result && i >= 2 && i < c->n + 2)
        name_carry(c, i - 2, to, size);
}

static lucid_fn counted_fn(lucid_scope *s, lucid_fn body, size_t n, lucid__fn_call *call,
                           lucid_naming *naming)
{
    lucid__fn *f = lucid__fn_alloc("fori_loop", sizeof(counted), call, destroy_counted);
    if (f) {
        *(counted *)(void *)f->self = (counted){lucid__fn_retain(body.f), n};
        f->naming = naming;
        f->naming_user = f->self;
    }
    return lucid__own_fn(s, f);
}

/* A bound that is there already, needing no computation nor transform. */
static bool is_known(lucid_tensor x)
{
    return x.v && x.v->kind == LUCID__GRAPH && lucid__node_is_ready(x.v->node);
}

static void fori(lucid_scope *s, lucid_tensor lower, lucid_tensor upper, lucid_fn body,
                 const lucid_tensor *init, size_t n, const lucid_while_options *options,
                 lucid_tensor *y)
{
    bool known = is_known(lower) && is_known(upper) && !options;
    lower = lucid__one_integer(s, "fori_loop", "lower", lower);
    upper = lucid__one_integer(s, "fori_loop", "upper", upper);
    if (!lucid__ok(s) || !lucid__check_fn(s, "fori_loop", body))
        return;
    if (known) {
        int64_t from = lucid_item_int(s, lower), to = lucid_item_int(s, upper);
        int64_t length = to > from ? to - from : 0;
        lucid_tensor i = lucid_add(s, lucid__index_range(s, length), lower);
        lucid_results *r = lucid_results_new(s);
        if (!r || lucid__scan_steps(s, "fori_loop",
                                    counted_fn(s, body, n, fori_scan_step, name_scan_argument),
                                    init, n, &i, 1, NULL, r) != LUCID_OK)
            return;
        if (lucid_results_count(r) != n)
            (void)lucid_fail(s, LUCID_TYPE_ERROR,
                             "fori_loop: the carry is %zu tensors, the body gives "
                             "%zu",
                             n, lucid_results_count(r));
        for (size_t k = 0; k < n && lucid__ok(s); k++)
            y[k] = lucid_results_at(r, k);
        return;
    }
    lucid_tensor *carry = lucid_alloc(s, 2 * (n + 2) * sizeof *carry), *out = carry + n + 2;
    lucid__fn *condition = lucid__fn_alloc("fori_loop", 1, fori_condition, NULL);
    lucid_fn goes_on = lucid__own_fn(s, condition);
    if (!carry || !lucid__ok(s))
        return;
    carry[0] = lower;
    carry[1] = upper;
    for (size_t k = 0; k < n; k++)
        carry[k + 2] = init[k];
    (void)lucid__while_steps(s, "fori_loop", goes_on,
                             counted_fn(s, body, n, fori_while_step, name_while_argument), carry,
                             n + 2, options, out);
    for (size_t k = 0; k < n && lucid__ok(s); k++)
        y[k] = out[k + 2];
}

lucid_status lucid_fori(lucid_scope *s, lucid_tensor lower, lucid_tensor upper, lucid_fn body,
                        const lucid_tensor *init, size_t n, const lucid_while_options *options,
                        lucid_tensor *y)
{
    for (size_t k = 0; k < n; k++)
        y[k] = (lucid_tensor){NULL};
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    fori(&t, lower, upper, body, init, n, options, y);
    return lucid__keep_all(&t, y, n);
}
