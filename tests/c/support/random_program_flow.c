/* Steps of random programs that go by cond, switch, while, fori, scan and map. What happens inside does not ask
 * for values, and says how many steps a loop takes at most, which reverse mode wants to know there. */
#include "support/random_program_run.h"

static lucid_tensor num(run *r, double value)
{
    return lucid_scalar(r->s, value);
}

/* A program of one 0-d result. */
static lucid_fn scalar_program(run *r)
{
    program *sub = program_inside(r);
    if (!sub)
        return (lucid_fn){NULL};
    sub->asks = false;
    sub->in_body = true;
    return lucid_fn_new(r->s, program_run_to_scalar, 1, sub);
}

/* x, or none of its elements. */
static lucid_tensor all_or_none(run *r, lucid_tensor x)
{
    bool none = lucid_ndim(x) > 0 && choose(&r->c, 3) == 0;
    return none ? lucid_slice(r->s, x, -1, 0, 0, 1) : x;
}

/* What a body captures: a function, and two tensors that it only reads together; `row` may be empty, and `other` may
 * be the carry's first value or one of the xs as well. */
typedef struct captures {
    lucid_fn f;
    lucid_tensor other, row;
} captures;

static captures *captures_of(run *r, lucid_tensor x)
{
    captures *c = lucid_alloc(r->s, sizeof *c);
    lucid_tensor row = all_or_none(r, x);
    if (c)
        *c = (captures){.f = scalar_program(r), .other = program_partner(r, row), .row = row};
    return c;
}

/* One number, of all elements of both. */
static lucid_tensor together(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    return lucid_tanh(s, lucid_sum(s, lucid_add(s, x, y), LUCID_ALL));
}

/* Closer to zero, and one step more. */
static lucid_status shrink(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)nx, (void)ny;
    const captures *c = user;
    y[0] = lucid_sin(s, lucid_mul(s, x[0], lucid_scalar(s, 0.6)));
    y[1] = lucid_add(s, x[1], lucid_cast(s, lucid_scalar(s, 1), lucid_dtype_of(x[1])));
    if (c)
        y[1] = lucid_add(s, y[1], together(s, c->other, c->row));
    return lucid_error(s);
}

static lucid_status is_large(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_gt(s, lucid_sum(s, lucid_abs(s, x[0]), LUCID_ALL), lucid_scalar(s, 0.8));
    return lucid_error(s);
}

static lucid_status one_of_fori(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny;
    const captures *c = user;
    lucid_tensor i = lucid_cast(s, x[0], lucid_dtype_of(x[1]));
    y[0] = lucid_sin(s, lucid_add(s, x[1], lucid_mul(s, i, lucid_scalar(s, 0.3))));
    if (c)
        y[0] = lucid_mul(s, y[0], together(s, c->other, c->row));
    return lucid_error(s);
}

/* (carry, row) -> (carry', what to keep) */
static lucid_status one_of_scan(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny;
    const captures *c = user;
    lucid_tensor kept = {NULL}, whole = together(s, c->other, lucid_sum(s, x[1], LUCID_ALL));
    (void)lucid_call(s, c->f, &x[1], 1, &kept, 1);
    if (lucid_ndim(c->other) == 0)
        whole = together(s, c->other, x[1]);
    y[0] = lucid_tanh(s, lucid_add(s, x[0], lucid_add(s, kept, whole)));
    y[1] = lucid_mul(s, lucid_sum(s, y[0], LUCID_ALL), x[1]);
    return lucid_error(s);
}

static lucid_tensor branched(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor sum = lucid_sum(s, x, LUCID_ALL), y = {NULL};
    lucid_fn branch[3] = {scalar_program(r), scalar_program(r), scalar_program(r)};
    const lucid_tensor in[2] = {x, choose(&r->c, 2) ? x : all_or_none(r, program_pick(r))};
    size_t nin = 1 + (size_t)choose(&r->c, 2);
    if (choose(&r->c, 2)) {
        (void)lucid_cond(s, lucid_gt(s, sum, num(r, 0)), branch[0], branch[1], in, nin, &y, 1);
    } else {
        lucid_tensor k = lucid_floor(s, lucid_mul(s, lucid_sin(s, sum), num(r, 3)));
        k = lucid_cast(s, k, LUCID_INT64);
        (void)lucid_switch(s, k, branch, 3, in, nin, &y, 1);
    }
    return lucid_add(s, x, y);
}

/* As many steps as the lane needs; the number of steps is a result, too. */
static lucid_tensor shrunk(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    captures *user = choose(&r->c, 2) ? captures_of(r, x) : NULL;
    lucid_tensor carry[2] = {x, lucid_cast(s, num(r, 0), lucid_dtype_of(x))}, y[2] = {{NULL}};
    if (user && lucid_ndim(user->other) == 0)
        carry[1] = user->other;
    lucid_while_options options = {.checkpoint_every = choose(&r->c, 3)};
    if (r->p->in_body || choose(&r->c, 2))
        options.max_steps = 4 + choose(&r->c, 4);
    (void)lucid_while(s, lucid_fn_new(s, is_large, 1, NULL), lucid_fn_new(s, shrink, 2, user),
                      carry, 2, &options, y);
    return lucid_add(s, y[0], y[1]);
}

static lucid_tensor counted(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    captures *user = choose(&r->c, 2) ? captures_of(r, x) : NULL;
    lucid_fn body = lucid_fn_new(s, one_of_fori, 1, user);
    lucid_tensor lower = lucid_scalar_int(s, 0), upper = lucid_scalar_int(s, choose(&r->c, 4)), y;
    const lucid_while_options bound = {.max_steps = 5};
    const lucid_while_options *options = choose(&r->c, 2) ? &bound : NULL;
    lucid_tensor start = user && choose(&r->c, 2) ? user->other : x;
    if (!r->p->smooth && choose(&r->c, 2)) { /* as many steps as the lane says */
        upper = lucid_mul(s, lucid_sigmoid(s, lucid_sum(s, x, LUCID_ALL)), num(r, 4));
        upper = lucid_cast(s, lucid_floor(s, upper), LUCID_INT64);
        options = &bound;
    }
    (void)lucid_fori(s, lower, upper, body, &start, 1, options, &y);
    return y;
}

static lucid_tensor scanned(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    if (lucid_ndim(x) == 0)
        return lucid_sin(s, x);
    lucid_tensor xs = all_or_none(r, x), carry, ys = {NULL};
    captures *c = captures_of(r, xs);
    if (!c)
        return x;
    if (choose(&r->c, 3) == 0) {
        const lucid_tensor both[2] = {xs, lucid_ndim(x) > 1 && choose(&r->c, 2) ? x : xs};
        (void)lucid_map(s, c->f, both, 1 + (size_t)choose(&r->c, 2), &ys, 1);
        return ys;
    }
    lucid_tensor start = lucid_cast(s, num(r, 0.1), lucid_dtype_of(x));
    if (choose(&r->c, 2))
        start = choose(&r->c, 2) ? c->other : x;
    const lucid_scan_options options = {.reverse = choose(&r->c, 2) != 0};
    (void)lucid_scan(s, lucid_fn_new(s, one_of_scan, 2, c), &start, 1, &xs, 1, &options, &carry,
                     &ys, 1);
    return lucid_add(s, ys, lucid_sum(s, carry, LUCID_ALL));
}

lucid_tensor program_flows(run *r, lucid_tensor x)
{
    bool smooth = r->p->smooth;
    if (r->p->depth >= 3)
        return lucid_cos(r->s, x);
    switch (choose(&r->c, 4)) {
    case 0:
        return smooth ? lucid_cos(r->s, x) : branched(r, x);
    case 1:
        return smooth ? lucid_tanh(r->s, x) : shrunk(r, x);
    case 2:
        return counted(r, x);
    default:
        return scanned(r, x);
    }
}
