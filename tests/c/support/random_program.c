#include "support/random_program_run.h"

#include <stdio.h>

int64_t choose(choices *c, int64_t n)
{
    if (n <= 1)
        return 0;
    if (c->size > 0) {
        c->size--;
        return *c->bytes++ % n;
    }
    return c->bytes_only ? 0 : rng_below(&c->rng, n);
}

lucid_tensor program_pick(run *r)
{
    /* The last two are likelier, so that programs get deep. */
    int64_t i = choose(&r->c, (int64_t)r->count + 2);
    return r->pool[(size_t)i < r->count ? (size_t)i : r->count - 1];
}

static lucid_tensor num(run *r, double value)
{
    return lucid_scalar(r->s, value);
}

static int any_dim(run *r, lucid_tensor x)
{
    int ndim = lucid_ndim(x);
    int dim = (int)choose(&r->c, ndim);
    return choose(&r->c, 2) ? dim : dim - ndim;
}

static lucid_dims some_dims(run *r, lucid_tensor x)
{
    lucid_dims d = {.n = 0};
    for (int i = 0; i < lucid_ndim(x); i++)
        if (choose(&r->c, 2))
            d.dim[d.n++] = choose(&r->c, 2) ? i : i - lucid_ndim(x);
    d.all = d.n == 0;
    d.keep = choose(&r->c, 2) != 0;
    return d;
}

/* ---- elementwise ------------------------------------------------------------------------------ */

static lucid_tensor unary(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    switch (choose(&r->c, 20)) {
    case 0:
        return lucid_tanh(s, x);
    case 1:
        return lucid_sin(s, x);
    case 2:
        return lucid_cos(s, x);
    case 3:
        return lucid_exp(s, lucid_tanh(s, x));
    case 4:
        return lucid_sigmoid(s, x);
    case 5:
        return lucid_log1p(s, lucid_square(s, x));
    case 6:
        return lucid_sqrt(s, lucid_add(s, num(r, 1), lucid_square(s, x)));
    case 7:
        return lucid_erf(s, x);
    case 8:
        return lucid_atan(s, x);
    case 9:
        return lucid_neg(s, x);
    case 10:
        return lucid_gelu(s, x, choose(&r->c, 2) != 0);
    case 11:
        return lucid_silu(s, x);
    case 12:
        return lucid_softplus(s, x);
    case 13:
        return lucid_reciprocal(s, lucid_add(s, num(r, 2), lucid_sin(s, x)));
    case 14:
        return lucid_expm1(s, lucid_tanh(s, x));
    case 15:
        return lucid_pow(s, lucid_add(s, num(r, 1.5), lucid_sin(s, x)), num(r, 2.5));
    case 16:
        return lucid_pow(s, lucid_tanh(s, x), lucid_scalar_int(s, 3));
    case 17:
        return lucid_asinh(s, x);
    case 18:
        return r->p->smooth ? lucid_logsigmoid(s, x) : lucid_abs(s, x);
    default:
        return r->p->smooth ? lucid_cosh(s, lucid_tanh(s, x)) : lucid_relu(s, x);
    }
}

static bool broadcasts(lucid_tensor x, lucid_tensor y)
{
    int nx = lucid_ndim(x), ny = lucid_ndim(y);
    for (int i = 1; i <= nx && i <= ny; i++) {
        int64_t a = lucid_size(x, nx - i), b = lucid_size(y, ny - i);
        if (a != b && a != 1 && b != 1)
            return false;
    }
    return true;
}

lucid_tensor program_partner(run *r, lucid_tensor x)
{
    lucid_tensor y = program_pick(r);
    if (broadcasts(x, y))
        return y;
    return lucid_numel(y) > 0 ? lucid_mean(r->s, y, LUCID_ALL) : lucid_sum(r->s, y, LUCID_ALL);
}

static lucid_tensor binary(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor y = program_partner(r, x);
    if (choose(&r->c, 2)) {
        lucid_tensor t = x;
        x = y;
        y = t;
    }
    switch (choose(&r->c, r->p->smooth ? 6 : 10)) {
    case 0:
        return lucid_add(s, x, y);
    case 1:
        return lucid_sub(s, x, y);
    case 2:
        return lucid_mul(s, lucid_tanh(s, x), y);
    case 3:
        return lucid_div(s, x, lucid_add(s, num(r, 2), lucid_sin(s, y)));
    case 4:
        return lucid_atan2(s, x, lucid_add(s, num(r, 2), lucid_tanh(s, y)));
    case 5:
        return lucid_mul(s, x, lucid_sigmoid(s, y));
    case 6:
        return lucid_maximum(s, x, y);
    case 7:
        return lucid_minimum(s, x, y);
    case 8:
        return lucid_where(s, lucid_gt(s, x, y), lucid_sin(s, lucid_sub(s, x, y)),
                           lucid_sub(s, x, y));
    default:
        return lucid_clamp(s, x, num(r, -0.7), lucid_add(s, lucid_abs(s, y), num(r, 0.1)));
    }
}

/* ---- shapes ----------------------------------------------------------------------------------- */

static lucid_tensor sliced(run *r, lucid_tensor x)
{
    if (lucid_ndim(x) == 0)
        return x;
    int dim = any_dim(r, x);
    int64_t size = lucid_size(x, dim < 0 ? dim + lucid_ndim(x) : dim);
    int64_t start = choose(&r->c, size), step = 1 + choose(&r->c, 2);
    if (choose(&r->c, 3) == 0)
        return lucid_slice(r->s, x, dim, start, LUCID_END, -step);
    return lucid_slice(r->s, x, dim, start, choose(&r->c, 2) ? LUCID_END : start + 2, step);
}

static lucid_tensor padded(run *r, lucid_tensor x)
{
    int64_t low[LUCID_MAX_NDIM], high[LUCID_MAX_NDIM];
    for (int i = 0; i < lucid_ndim(x); i++) {
        low[i] = choose(&r->c, 2);
        high[i] = choose(&r->c, 2);
    }
    return lucid_pad(r->s, x, low, high);
}

static lucid_tensor expanded(run *r, lucid_tensor x)
{
    int at = (int)choose(&r->c, lucid_ndim(x) + 1);
    x = lucid_unsqueeze(r->s, x, at);
    lucid_shape shape = lucid_shape_of(x);
    shape.dim[at] = 2;
    return lucid_expand(r->s, x, shape);
}

static lucid_tensor permuted(run *r, lucid_tensor x)
{
    lucid_dims order = {.n = lucid_ndim(x)};
    int64_t turn = choose(&r->c, order.n);
    for (int i = 0; i < order.n; i++)
        order.dim[i] = (int)(turn + order.n - i) % order.n;
    return lucid_permute(r->s, x, order);
}

static lucid_tensor joined(run *r, lucid_tensor x)
{
    lucid_tensor both[2] = {x, lucid_sin(r->s, x)};
    int dim = any_dim(r, x);
    if (lucid_ndim(x) == 0 || choose(&r->c, 2))
        return lucid_stack(r->s, both, 2, dim);
    return lucid_concatenate(r->s, both, 2, dim);
}

static lucid_tensor reshaped(run *r, lucid_tensor x)
{
    int64_t n = lucid_numel(x);
    switch (choose(&r->c, 3)) {
    case 0:
        return lucid_flatten(r->s, x, 0, -1);
    case 1:
        return n > 0 ? lucid_reshape(r->s, x, LUCID_SHAPE(n, -1)) : x;
    default:
        return n % 2 == 0 && n > 0 ? lucid_reshape(r->s, x, LUCID_SHAPE(2, -1)) : x;
    }
}

static lucid_tensor shape_step(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    int ndim = lucid_ndim(x);
    switch (choose(&r->c, 12)) {
    case 0:
        return sliced(r, x);
    case 1:
        return padded(r, x);
    case 2:
        return expanded(r, x);
    case 3:
        return permuted(r, x);
    case 4:
        return joined(r, x);
    case 5:
        return reshaped(r, x);
    case 6:
        return lucid_flip(s, x, some_dims(r, x));
    case 7:
        return ndim > 0 ? lucid_roll(s, x, choose(&r->c, 4) - 1, any_dim(r, x)) : x;
    case 8:
        return ndim >= 2 ? lucid_tril(s, x, choose(&r->c, 3) - 1) : lucid_unsqueeze(s, x, -1);
    case 9:
        return ndim >= 2 ? lucid_diagonal(s, x, 0, 0, -1) : lucid_unsqueeze(s, x, 0);
    case 10:
        return ndim >= 1 && lucid_size(x, 0) > 0 ? lucid_select(s, x, 0, choose(&r->c, 2) ? -1 : 0)
                                                 : x;
    default:
        return ndim >= 2 ? lucid_movedim(s, x, 0, -1) : lucid_squeeze(s, x, LUCID_ALL);
    }
}

/* ---- reductions ------------------------------------------------------------------------------- */

static lucid_tensor reduced(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_dims d = some_dims(r, x);
    if (lucid_numel(x) == 0)
        return lucid_sum(s, x, d);
    switch (choose(&r->c, r->p->smooth ? 6 : 9)) {
    case 0:
        return lucid_sum(s, x, d);
    case 1:
        return lucid_mean(s, x, d);
    case 2:
        return lucid_prod(s, lucid_tanh(s, x), d);
    case 3:
        return lucid_logsumexp(s, x, d);
    case 4:
        return lucid_var(s, x, d, 0);
    case 5:
        return lucid_norm(s, lucid_add(s, lucid_square(s, x), num(r, 0.5)), 2, d);
    case 6:
        return lucid_amax(s, x, d);
    case 7:
        return lucid_amin(s, x, d);
    default:
        return lucid_norm(s, x, 1, d);
    }
}

static lucid_tensor along_dim(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    if (lucid_ndim(x) == 0)
        return lucid_cos(s, x);
    int dim = any_dim(r, x);
    switch (choose(&r->c, 5)) {
    case 0:
        return lucid_cumsum(s, x, dim);
    case 1:
        return lucid_cumprod(s, lucid_tanh(s, x), dim);
    case 2:
        return lucid_softmax(s, x, dim);
    case 3:
        return lucid_log_softmax(s, x, dim);
    default:
        return lucid_layer_norm(s, x, 1, (lucid_tensor){NULL}, (lucid_tensor){NULL}, 0.1);
    }
}

/* ---- indexing --------------------------------------------------------------------------------- */

static lucid_tensor indexed(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    int ndim = lucid_ndim(x);
    if (ndim == 0 || lucid_numel(x) == 0)
        return lucid_sin(s, x);
    int dim = (int)choose(&r->c, ndim);
    int64_t size = lucid_size(x, dim);
    const int64_t some[3] = {choose(&r->c, size), choose(&r->c, size), -1};
    lucid_tensor index = lucid_from_data(s, some, LUCID_INT64, LUCID_SHAPE(3));
    lucid_tensor order = lucid_argsort(s, x, dim, choose(&r->c, 2) != 0);
    switch (choose(&r->c, r->p->smooth ? 3 : 8)) {
    case 0:
        return lucid_take(s, x, index, dim);
    case 1:
        return lucid_index_add(s, x, dim, index, lucid_take(s, lucid_sin(s, x), index, dim));
    case 2:
        return lucid_index_put(s, x, &index, dim == 0 ? 1 : 0,
                               dim == 0 ? lucid_cos(s, lucid_index(s, x, &index, 1)) : x,
                               choose(&r->c, 2) != 0 && dim == 0);
    case 3:
        return lucid_take_along_dim(s, x, order, dim);
    case 4:
        return lucid_sort(s, x, dim, false, NULL);
    case 5:
        return lucid_topk(s, x, 1 + choose(&r->c, size), dim, true, NULL);
    case 6: {
        lucid_tensor best = lucid_argmax(s, x, dim, true);
        return lucid_take_along_dim(s, lucid_sin(s, x), best, dim);
    }
    default: {
        lucid_tensor class = lucid_argmin(s, x, LUCID_NONE, false);
        lucid_tensor hot = lucid_one_hot(s, lucid_minimum(s, class, lucid_scalar_int(s, 2)), 3);
        return lucid_mul(s, lucid_cast(s, hot, lucid_dtype_of(x)), lucid_mean(s, x, LUCID_ALL));
    }
    }
}

/* ---- linear algebra --------------------------------------------------------------------------- */

/* x as a matrix, whatever it is. */
static lucid_tensor matrix(run *r, lucid_tensor x)
{
    x = lucid_tanh(r->s, x);
    while (lucid_ndim(x) < 2)
        x = lucid_unsqueeze(r->s, x, 0);
    return x;
}

static lucid_tensor gram(run *r, lucid_tensor m)
{
    lucid_scope *s = r->s;
    int64_t n = lucid_size(m, lucid_ndim(m) - 2);
    lucid_tensor eye = lucid_cast(s, lucid_eye(s, n, n), lucid_dtype_of(m));
    lucid_tensor square = lucid_matmul(s, m, lucid_transpose(s, m, -1, -2));
    return lucid_add(s, square, lucid_mul(s, num(r, 2), eye));
}

static int64_t products;

int64_t program_products(void)
{
    return products;
}

static lucid_tensor linear_algebra(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    products++;
    lucid_tensor m = matrix(r, x), a = gram(r, m);
    switch (choose(&r->c, 9)) {
    case 0:
        return a;
    case 1:
        return lucid_cholesky(s, a);
    case 2:
        return lucid_solve(s, a, m);
    case 3:
        return lucid_inv(s, a);
    case 4:
        return lucid_slogdet(s, a, NULL);
    case 5:
        return lucid_solve_triangular(s, lucid_cholesky(s, a), m, false, false);
    case 6: {
        lucid_tensor both[2] = {m, m};
        return lucid_einsum(s, "...ij,...ik->...jk", both, 2);
    }
    case 7: {
        if (lucid_size(m, 0) == 0)
            return a;
        lucid_tensor flat = lucid_flatten(s, lucid_select(s, m, 0, 0), 0, -1);
        return lucid_numel(flat) <= 8 ? lucid_outer(s, flat, flat) : a;
    }
    default: {
        lucid_tensor flat = lucid_flatten(s, m, 0, -1);
        return lucid_dot(s, flat, lucid_sin(s, flat));
    }
    }
}

/* ---- transforms inside ------------------------------------------------------------------------ */

program *program_inside(run *r)
{
    program *sub = lucid_alloc(r->s, sizeof *sub);
    if (!sub)
        return NULL;
    /* The last of the pool may be captured: values of the enclosing levels. */
    *sub = *r->p;
    sub->start.rng = rng_of((uint64_t)choose(&r->c, 1 << 30), 1, 0);
    sub->steps = 1 + (int)choose(&r->c, 3);
    sub->depth = r->p->depth + 1;
    sub->ncaptured = choose(&r->c, 2) ? 1 : 0;
    sub->captured = &r->pool[r->count - 1];
    if (sub->start.bytes_only && r->c.size > 0) { /* the rest of the bytes, from here */
        sub->start.bytes = r->c.bytes;
        sub->start.size = r->c.size;
    } else {
        sub->start.size = 0;
    }
    return sub;
}

static lucid_tensor transformed(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    if (r->p->depth >= 3)
        return lucid_sin(s, x);
    program *sub = program_inside(r);
    if (!sub)
        return x;
    lucid_fn f = lucid_fn_new(s, program_run, 1, sub);
    lucid_fn scalar = lucid_fn_new(s, program_run_to_scalar, 1, sub);
    bool few = lucid_numel(x) <= 6;
    switch (choose(&r->c, 7)) {
    case 0:
    case 1: {
        if (lucid_ndim(x) == 0 || lucid_numel(x) == 0)
            return lucid_call1(s, f, x);
        int dim = any_dim(r, x);
        int64_t chunk = choose(&r->c, 3);
        lucid_strategy strategy =
            choose(&r->c, 4) == 0 ? LUCID_STRATEGY_ISOLATED : LUCID_STRATEGY_AUTO;
        lucid_randomness randomness =
            choose(&r->c, 2) ? LUCID_RANDOMNESS_DIFFERENT : LUCID_RANDOMNESS_SAME;
        return lucid_call1(s,
                           lucid_vmap(s, f,
                                      &(lucid_vmap_options){.in_dims = {&dim, 1},
                                                            .randomness = randomness,
                                                            .chunk_size = chunk,
                                                            .strategy = strategy}),
                           x);
    }
    case 2:
    case 3:
        return lucid_call1(s, lucid_grad(s, scalar, NULL), x);
    case 4: {
        lucid_tensor y, dy, dx = lucid_cos(s, x);
        (void)lucid_jvp(s, f, &x, &dx, 1, &y, &dy, 1);
        return dy;
    }
    case 5:
        return few ? lucid_call1(s, lucid_jacrev(s, f, NULL), x) : lucid_call1(s, f, x);
    default:
        return few ? lucid_call1(s, lucid_jacfwd(s, f, NULL), x) : lucid_call1(s, f, x);
    }
}

/* ---- the program ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    step_fn *run;
    int weight;
} steps[] = {
    {"unary", unary, 4},
    {"binary", binary, 5},
    {"shape", shape_step, 4},
    {"reduction", reduced, 3},
    {"along a dim", along_dim, 2},
    {"indexing", indexed, 2},
    {"linear algebra", linear_algebra, 2},
    {"transform", transformed, 4},
    {"asking", program_asks, 2},
    {"writing", program_writes, 2},
    {"drawing", program_draws, 2},
    {"control flow", program_flows, 2},
};
enum { STEPS = sizeof steps / sizeof *steps };

/* Keeps examples small and values tame. */
static lucid_tensor tamed(run *r, lucid_tensor x)
{
    if (lucid_ndim(x) > 5)
        x = lucid_flatten(r->s, x, 0, -1);
    if (lucid_numel(x) > PROGRAM_MAX_NUMEL) {
        x = lucid_flatten(r->s, x, 0, -1);
        x = lucid_slice(r->s, x, 0, 0, PROGRAM_MAX_NUMEL / 4, 1);
    }
    return choose(&r->c, 3) == 0 ? lucid_tanh(r->s, x) : x;
}

static void one_step(run *r)
{
    int total = 0, k = 0;
    for (int i = 0; i < STEPS; i++)
        total += steps[i].weight;
    for (int64_t at = choose(&r->c, total); at >= steps[k].weight; k++)
        at -= steps[k].weight;
    lucid_tensor x = program_pick(r);
    lucid_tensor y = tamed(r, steps[k].run(r, x));
    if (r->p->trace) {
        char from[LUCID__SHAPE_TEXT], to[LUCID__SHAPE_TEXT];
        lucid_shape a = lucid_shape_of(x), b = lucid_shape_of(y);
        (void)fprintf(stderr, "%*s%s: %s -> %s%s%s\n", 2 + 2 * r->p->depth, "", steps[k].name,
                      lucid__shape_text(&a, from, sizeof from),
                      lucid__shape_text(&b, to, sizeof to),
                      lucid_error(r->s) == LUCID_OK ? "" : " failed: ", lucid_error_message(r->s));
    }
    r->pool[r->count++] = y;
}

lucid_status program_run(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    const program *p = user;
    run r = {.s = s, .c = p->start, .p = p};
    for (size_t i = 0; i < p->ncaptured; i++)
        r.pool[r.count++] = p->captured[i];
    for (size_t i = 0; i < nx; i++)
        r.pool[r.count++] = x[i];
    for (int k = 0; k < p->steps && r.count < PROGRAM_POOL && lucid_error(s) == LUCID_OK; k++)
        one_step(&r);
    /* Everything counts a little, so that no step is for nothing. */
    lucid_tensor last = r.pool[r.count - 1], rest = lucid_scalar(s, 0);
    for (size_t i = 0; i + 1 < r.count; i++)
        rest = lucid_add(s, rest, lucid_sum(s, lucid_tanh(s, r.pool[i]), LUCID_ALL));
    if (ny > 0)
        y[0] = lucid_add(s, last, lucid_mul(s, rest, lucid_scalar(s, 0.125)));
    return lucid_error(s);
}

lucid_status program_run_to_scalar(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                   lucid_tensor *y, size_t ny, void *user)
{
    if (program_run(s, x, nx, y, ny, user) == LUCID_OK)
        y[0] = lucid_sum(s, lucid_sin(s, y[0]), LUCID_ALL);
    return lucid_error(s);
}
