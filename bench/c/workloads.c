#include "workloads.h"

#include <math.h>
#include <string.h>

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)nx, (void)ny, (void)user

static lucid_tensor times(lucid_scope *s, double factor, lucid_tensor x)
{
    return lucid_mul(s, lucid_scalar(s, factor), x);
}

/* ---- elementwise functions and sums ------------------------------------------------------------ */

FUNCTION(square_sum)
{
    UNUSED;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return LUCID_OK;
}

FUNCTION(chain)
{
    UNUSED;
    lucid_tensor bump = lucid_exp(s, lucid_mul(s, lucid_neg(s, x[0]), x[0]));
    lucid_tensor left = lucid_mul(s, lucid_tanh(s, x[0]), bump);
    lucid_tensor right = lucid_log1p(s, lucid_abs(s, x[0]));
    y[0] = lucid_sum(s, lucid_add(s, left, right), LUCID_ALL);
    return LUCID_OK;
}

static lucid_tensor normal_cdf(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor wave = lucid_erf(s, times(s, sqrt(0.5), x));
    return times(s, 0.5, lucid_add(s, lucid_scalar(s, 1), wave));
}

FUNCTION(black_scholes)
{
    UNUSED;
    lucid_tensor spot = x[0], strike = x[1], years = x[2], rate = x[3], volatility = x[4];
    lucid_tensor spread = lucid_mul(s, volatility, lucid_sqrt(s, years));
    lucid_tensor drift = lucid_add(s, rate, lucid_mul(s, times(s, 0.5, volatility), volatility));
    lucid_tensor d1 = lucid_div(
        s, lucid_add(s, lucid_log(s, lucid_div(s, spot, strike)), lucid_mul(s, drift, years)),
        spread);
    lucid_tensor discount = lucid_exp(s, lucid_mul(s, lucid_neg(s, rate), years));
    lucid_tensor gain = lucid_mul(s, spot, normal_cdf(s, d1));
    lucid_tensor cost =
        lucid_mul(s, lucid_mul(s, strike, discount), normal_cdf(s, lucid_sub(s, d1, spread)));
    y[0] = lucid_sub(s, gain, cost);
    return LUCID_OK;
}

static lucid_fn gradient(lucid_scope *s, lucid_fn f)
{
    return lucid_grad(s, f, NULL);
}

static lucid_fn gradient_and_value_of_five(lucid_scope *s, lucid_fn f)
{
    lucid_grad_options all = {.argnums = LUCID_INTS(0, 1, 2, 3, 4)};
    return lucid_grad_and_value(s, f, &all);
}

/* ---- small networks ----------------------------------------------------------------------------- */

/* w1, b1, w2, b2, one input, its class */
FUNCTION(mlp_loss)
{
    UNUSED;
    lucid_tensor hidden = lucid_tanh(s, lucid_linear(s, x[4], x[0], x[1]));
    y[0] = lucid_cross_entropy(s, lucid_linear(s, hidden, x[2], x[3]), x[5], LUCID_MEAN);
    return LUCID_OK;
}

/* w1, w2, one point */
FUNCTION(two_layers)
{
    UNUSED;
    y[0] = lucid_matmul(s, x[1], lucid_tanh(s, lucid_matmul(s, x[0], x[2])));
    return LUCID_OK;
}

static lucid_fn gradient_of_weights(lucid_scope *s, lucid_fn f)
{
    lucid_grad_options weights = {.argnums = LUCID_INTS(0, 1, 2, 3)};
    return lucid_grad(s, f, &weights);
}

static lucid_fn jacobian(lucid_scope *s, lucid_fn f)
{
    lucid_grad_options point = {.argnums = LUCID_INTS(2)};
    return lucid_jacrev(s, f, &point);
}

static lucid_fn jacobian_forward(lucid_scope *s, lucid_fn f)
{
    lucid_grad_options point = {.argnums = LUCID_INTS(2)};
    return lucid_jacfwd(s, f, &point);
}

static lucid_fn hessian(lucid_scope *s, lucid_fn f)
{
    lucid_grad_options point = {.argnums = LUCID_INTS(2)};
    return lucid_hessian(s, f, &point);
}

/* ---- linear algebra, sorting ---------------------------------------------------------------------- */

FUNCTION(solve)
{
    UNUSED;
    y[0] = lucid_solve(s, x[0], x[1]);
    return LUCID_OK;
}

FUNCTION(inverse)
{
    UNUSED;
    y[0] = lucid_inv(s, x[0]);
    return LUCID_OK;
}

FUNCTION(cholesky)
{
    UNUSED;
    y[0] = lucid_cholesky(s, x[0]);
    return LUCID_OK;
}

FUNCTION(matmul)
{
    UNUSED;
    y[0] = lucid_matmul(s, x[0], x[1]);
    return LUCID_OK;
}

FUNCTION(sort)
{
    UNUSED;
    y[0] = lucid_sort(s, x[0], -1, false, NULL);
    return LUCID_OK;
}

FUNCTION(argsort)
{
    UNUSED;
    y[0] = lucid_argsort(s, x[0], -1, false);
    return LUCID_OK;
}

/* ---- random numbers ------------------------------------------------------------------------------- */

FUNCTION(path)
{
    UNUSED;
    enum { STEPS = 252 };
    lucid_tensor noise = lucid_randn_of(s, LUCID_SHAPE(STEPS), lucid_dtype_of(x[0]));
    lucid_tensor sum = lucid_sum(s, noise, LUCID_ALL);
    y[0] = lucid_mul(s, x[0], lucid_exp(s, times(s, 0.2 / sqrt(STEPS), sum)));
    return LUCID_OK;
}

/* ---- loops ------------------------------------------------------------------------------------------ */

/* x, y, steps so far */
FUNCTION(inside)
{
    UNUSED;
    lucid_tensor square = lucid_add(s, lucid_square(s, x[0]), lucid_square(s, x[1]));
    y[0] = lucid_logical_and(s, lucid_lt(s, x[2], lucid_scalar_int(s, 1000)),
                             lucid_le(s, square, lucid_scalar(s, 4)));
    return LUCID_OK;
}

FUNCTION(square_and_add)
{
    (void)nx, (void)ny;
    const lucid_tensor *point = user;
    lucid_tensor difference = lucid_sub(s, lucid_square(s, x[0]), lucid_square(s, x[1]));
    y[0] = lucid_add(s, difference, point[0]);
    y[1] = lucid_add(s, times(s, 2, lucid_mul(s, x[0], x[1])), point[1]);
    y[2] = lucid_add(s, x[2], lucid_scalar_int(s, 1));
    return LUCID_OK;
}

FUNCTION(escape_count)
{
    UNUSED;
    lucid_tensor zero = lucid_zeros_like(s, x[0]), end[3];
    lucid_tensor none = lucid_cast(s, lucid_zeros(s, LUCID_SCALAR_SHAPE), LUCID_INT32);
    lucid_tensor *point = lucid_alloc(s, 2 * sizeof *point);
    if (!point)
        return LUCID_MEMORY_ERROR;
    memcpy(point, x, 2 * sizeof *point);
    lucid_fn condition = lucid_fn_new(s, inside, 1, NULL);
    lucid_fn step = lucid_fn_new(s, square_and_add, 3, point);
    lucid_status status =
        lucid_while(s, condition, step, (lucid_tensor[]){zero, zero, none}, 3, NULL, end);
    y[0] = end[2];
    return status;
}

static lucid_tensor slope(lucid_scope *s, lucid_tensor state)
{
    lucid_tensor at[3];
    for (int i = 0; i < 3; i++)
        at[i] = lucid_select(s, state, 0, i);
    lucid_tensor dx = times(s, 10, lucid_sub(s, at[1], at[0]));
    lucid_tensor pull = lucid_sub(s, lucid_scalar(s, 28), at[2]);
    lucid_tensor dy = lucid_sub(s, lucid_mul(s, at[0], pull), at[1]);
    lucid_tensor dz = lucid_sub(s, lucid_mul(s, at[0], at[1]), times(s, 8.0 / 3, at[2]));
    return lucid_stack(s, (lucid_tensor[]){dx, dy, dz}, 3, 0);
}

static lucid_tensor lorenz_step(lucid_scope *s, lucid_tensor state)
{
    const double h = 0.005;
    lucid_tensor k1 = slope(s, state);
    lucid_tensor k2 = slope(s, lucid_add(s, state, times(s, h / 2, k1)));
    lucid_tensor k3 = slope(s, lucid_add(s, state, times(s, h / 2, k2)));
    lucid_tensor k4 = slope(s, lucid_add(s, state, times(s, h, k3)));
    lucid_tensor sum = lucid_add(s, lucid_add(s, k1, times(s, 2, k2)), times(s, 2, k3));
    return lucid_add(s, state, times(s, h / 6, lucid_add(s, sum, k4)));
}

/* the number of the step, state */
FUNCTION(lorenz_body)
{
    UNUSED;
    y[0] = lorenz_step(s, x[1]);
    return LUCID_OK;
}

FUNCTION(lorenz)
{
    UNUSED;
    lucid_fn body = lucid_fn_new(s, lorenz_body, 1, NULL);
    return lucid_fori(s, lucid_scalar_int(s, 0), lucid_scalar_int(s, 1000), body, x, 1, NULL, y);
}

FUNCTION(lorenz_scan_body)
{
    UNUSED;
    y[0] = lorenz_step(s, x[0]);
    return LUCID_OK;
}

FUNCTION(lorenz_scan)
{
    UNUSED;
    lucid_fn body = lucid_fn_new(s, lorenz_scan_body, 1, NULL);
    lucid_scan_options steps = {.length = 1000};
    return lucid_scan(s, body, x, 1, NULL, 0, &steps, y, NULL, 0);
}

/* ---------------------------------------------------------------------------------------------------- */

static const workload workloads[] = {
    {.kind = "square_sum", .nx = 1, .ny = 1, .function = square_sum, .transform = gradient},
    {.kind = "chain", .nx = 1, .ny = 1, .function = chain, .transform = gradient},
    {.kind = "black_scholes",
     .nx = 5,
     .ny = 6,
     .function = black_scholes,
     .transform = gradient_and_value_of_five},
    {.kind = "mlp", .nx = 6, .ny = 4, .function = mlp_loss, .transform = gradient_of_weights},
    {.kind = "jacobian", .nx = 3, .ny = 1, .function = two_layers, .transform = jacobian},
    {.kind = "jacobian_forward",
     .nx = 3,
     .ny = 1,
     .function = two_layers,
     .transform = jacobian_forward},
    {.kind = "hessian", .nx = 3, .ny = 1, .function = two_layers, .transform = hessian},
    {.kind = "solve", .nx = 2, .ny = 1, .function = solve},
    {.kind = "inv", .nx = 1, .ny = 1, .function = inverse},
    {.kind = "cholesky", .nx = 1, .ny = 1, .function = cholesky},
    {.kind = "matmul", .nx = 2, .ny = 1, .function = matmul},
    {.kind = "paths", .nx = 1, .ny = 1, .function = path, .randomness = LUCID_RANDOMNESS_DIFFERENT},
    {.kind = "mandelbrot", .nx = 2, .ny = 1, .function = escape_count},
    {.kind = "lorenz", .nx = 1, .ny = 1, .function = lorenz},
    {.kind = "lorenz_scan", .nx = 1, .ny = 1, .function = lorenz_scan},
    {.kind = "sort", .nx = 1, .ny = 1, .function = sort},
    {.kind = "argsort", .nx = 1, .ny = 1, .function = argsort},
};

const workload *workload_find(const char *kind)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].kind, kind) == 0)
            return &workloads[i];
    return NULL;
}

lucid_fn workload_make(lucid_scope *s, const workload *w, lucid_ints in_dims)
{
    lucid_fn f = lucid_fn_new(s, w->function, 1, NULL);
    if (w->transform)
        f = w->transform(s, f);
    lucid_vmap_options options = {.in_dims = in_dims, .randomness = w->randomness};
    return lucid_vmap(s, f, &options);
}
