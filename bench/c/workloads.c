#include "workloads.h"

#include <string.h>

/* ---- W1: per-sample gradients of a sum of squares ------------------------------------------- */

static lucid_status square_sum(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    return LUCID_OK;
}

static lucid_fn make_square_sum(lucid_scope *s)
{
    return lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, square_sum, 1, NULL), NULL), NULL);
}

/* ---- W2: a chain of elementwise functions ----------------------------------------------------- */

static lucid_status chain(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor bump = lucid_exp(s, lucid_mul(s, lucid_neg(s, x[0]), x[0]));
    lucid_tensor left = lucid_mul(s, lucid_tanh(s, x[0]), bump);
    lucid_tensor right = lucid_log1p(s, lucid_abs(s, x[0]));
    y[0] = lucid_sum(s, lucid_add(s, left, right), LUCID_ALL);
    return LUCID_OK;
}

static lucid_fn make_chain(lucid_scope *s)
{
    return lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, chain, 1, NULL), NULL), NULL);
}

/* ---- W4: per-sample gradients of a small network ---------------------------------------------- */

/* w1, b1, w2, b2, one input, its class */
static lucid_status mlp_loss(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor hidden = lucid_tanh(s, lucid_linear(s, x[4], x[0], x[1]));
    y[0] = lucid_cross_entropy(s, lucid_linear(s, hidden, x[2], x[3]), x[5], LUCID_MEAN);
    return LUCID_OK;
}

static lucid_fn make_mlp(lucid_scope *s)
{
    lucid_grad_options weights = {.argnums = LUCID_INTS(0, 1, 2, 3)};
    lucid_vmap_options samples = {
        .in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE, 0, 0)};
    lucid_fn loss = lucid_fn_new(s, mlp_loss, 1, NULL);
    return lucid_vmap(s, lucid_grad(s, loss, &weights), &samples);
}

static const workload workloads[] = {
    {"W1", 1, 1, make_square_sum},
    {"W1b", 1, 1, make_square_sum},
    {"W2", 1, 1, make_chain},
    {"W4", 6, 4, make_mlp},
};

const workload *workload_find(const char *name)
{
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (strcmp(workloads[i].name, name) == 0)
            return &workloads[i];
    return NULL;
}
