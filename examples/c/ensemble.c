/* An ensemble of small nets trained at once: vmap over the models of a step of gradient descent, whose
 * loss is itself a vmap over the data. Each net fits the same noisy sine curve from its own random
 * weights; where they part, the ensemble does not know the curve.
 *
 *     cc ensemble.c $(pkg-config --cflags --libs lucid) -lm -o ensemble
 */
#include <math.h>
#include <stdio.h>

#include <lucid.h>

enum { MODELS = 16, HIDDEN = 32, SAMPLES = 64, STEPS = 600, GRID = 4 };

/* A model is three vectors (HIDDEN) and a number. */
enum { WEIGHT0, BIAS0, WEIGHT1, BIAS1, PARAMETERS };

/* The parameters of ONE new net; under vmap with randomness "different" each draws its own. */
static lucid_status new_model(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)x, (void)nx, (void)ny, (void)user;
    lucid_shape hidden = LUCID_SHAPE(HIDDEN);
    y[WEIGHT0] = lucid_mul(s, lucid_randn(s, hidden), lucid_scalar(s, 2));
    y[BIAS0] = lucid_randn(s, hidden);
    y[WEIGHT1] = lucid_mul(s, lucid_randn(s, hidden), lucid_scalar(s, 1 / sqrt(HIDDEN)));
    y[BIAS1] = lucid_zeros(s, LUCID_SCALAR_SHAPE);
    return LUCID_OK;
}

/* ONE net at ONE point x (0-d). in: the parameters, x. */
static lucid_status predict(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                            size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor x = in[PARAMETERS];
    lucid_tensor hidden = lucid_tanh(s, lucid_add(s, lucid_mul(s, x, in[WEIGHT0]), in[BIAS0]));
    out[0] = lucid_add(s, lucid_dot(s, hidden, in[WEIGHT1]), in[BIAS1]);
    return LUCID_OK;
}

/* One net at many points. */
static lucid_fn predict_many(lucid_scope *s)
{
    const int each_point[] = {LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE, 0};
    return lucid_vmap(s, lucid_fn_new(s, predict, 1, NULL),
                      &(lucid_vmap_options){.in_dims = {each_point, PARAMETERS + 1}});
}

/* The mean squared error of ONE net. in: the parameters, xs, ys. */
static lucid_status loss(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                         size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor y;
    (void)lucid_call(s, predict_many(s), in, PARAMETERS + 1, &y, 1);
    out[0] = lucid_mse_loss(s, y, in[PARAMETERS + 1], LUCID_MEAN);
    return lucid_error(s);
}

/* One step of gradient descent with momentum for ONE net. in: the parameters, their velocities, xs, ys;
 * out: parameters, velocities, the loss before. */
static lucid_status descend(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                            size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    const lucid_tensor *velocity = in + PARAMETERS, *data = in + 2 * PARAMETERS;
    const lucid_tensor x[] = {in[0], in[1], in[2], in[3], data[0], data[1]};
    lucid_fn gradients =
        lucid_grad_and_value(s, lucid_fn_new(s, loss, 1, NULL),
                             &(lucid_grad_options){.argnums = LUCID_INTS(0, 1, 2, 3)});
    lucid_tensor g[PARAMETERS + 1];
    if (lucid_call(s, gradients, x, PARAMETERS + 2, g, PARAMETERS + 1))
        return lucid_error(s);
    for (int i = 0; i < PARAMETERS; i++) {
        lucid_tensor kept = lucid_mul(s, velocity[i], lucid_scalar(s, 0.9));
        out[PARAMETERS + i] = lucid_sub(s, kept, lucid_mul(s, g[i], lucid_scalar(s, 0.02)));
        out[i] = lucid_add(s, in[i], out[PARAMETERS + i]);
    }
    out[2 * PARAMETERS] = g[PARAMETERS];
    return LUCID_OK;
}

/* All nets, STEPS steps. The state is handed to the scope `s` after every step, so that only one is
 * kept. */
static double train(lucid_scope *s, lucid_tensor *state, lucid_tensor xs, lucid_tensor ys)
{
    const int each_model[] = {0, 0, 0, 0, 0, 0, 0, 0, LUCID_NONE, LUCID_NONE};
    lucid_fn step = lucid_vmap(s, lucid_fn_new(s, descend, 2 * PARAMETERS + 1, NULL),
                               &(lucid_vmap_options){.in_dims = {each_model, 2 * PARAMETERS + 2}});
    double worst = NAN;
    for (int n = 1; n <= STEPS && lucid_error(s) == LUCID_OK; n++) {
        lucid_scope *t = lucid_scope_new(s);
        lucid_tensor in[2 * PARAMETERS + 2], out[2 * PARAMETERS + 1];
        for (int i = 0; i < 2 * PARAMETERS; i++)
            in[i] = state[i];
        in[2 * PARAMETERS] = xs;
        in[2 * PARAMETERS + 1] = ys;
        if (lucid_call(t, step, in, 2 * PARAMETERS + 2, out, 2 * PARAMETERS + 1) == LUCID_OK)
            (void)lucid_eval(t, out, 2 * PARAMETERS + 1);
        if (n % 200 == 0 && lucid_error(t) == LUCID_OK) {
            worst = lucid_item(t, lucid_amax(t, out[2 * PARAMETERS], LUCID_ALL));
            printf("step %4d  loss %.4f, of the worst net %.4f\n", n,
                   lucid_item(t, lucid_mean(t, out[2 * PARAMETERS], LUCID_ALL)), worst);
        }
        for (int i = 0; i < 2 * PARAMETERS && lucid_error(t) == LUCID_OK; i++) {
            lucid_release(state[i]);
            state[i] = lucid_retain(out[i]);
        }
        (void)lucid_close(t);
    }
    return worst;
}

int main(void)
{
    lucid_scope *s = lucid_open(NULL);
    if (!s)
        return 1;
    lucid_tensor xs = lucid_uniform(s, lucid_full(s, LUCID_SHAPE(SAMPLES), lucid_scalar(s, -2)),
                                    lucid_scalar(s, 2));
    lucid_tensor noise = lucid_mul(s, lucid_randn(s, LUCID_SHAPE(SAMPLES)), lucid_scalar(s, 0.1));
    lucid_tensor ys = lucid_add(s, lucid_sin(s, lucid_mul(s, xs, lucid_scalar(s, 2))), noise);

    lucid_fn make = lucid_vmap(s, lucid_fn_new(s, new_model, PARAMETERS, NULL),
                               &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_DIFFERENT});
    lucid_tensor models = lucid_zeros(s, LUCID_SHAPE(MODELS)), state[2 * PARAMETERS];
    (void)lucid_call(s, make, &models, 1, state, PARAMETERS);
    for (int i = 0; i < PARAMETERS; i++) {
        state[i] = lucid_retain(state[i]);
        state[PARAMETERS + i] = lucid_retain(lucid_zeros_like(s, state[i]));
    }
    double worst = train(s, state, xs, ys);

    /* Every net at every point of a grid: (MODELS, GRID). */
    const int each_model[] = {0, 0, 0, 0, LUCID_NONE};
    lucid_fn curves_of = lucid_vmap(s, predict_many(s),
                                    &(lucid_vmap_options){.in_dims = {each_model, PARAMETERS + 1}});
    const lucid_tensor grid = LUCID_VECTOR(s, -1, 0, 1, 4);
    const lucid_tensor in[] = {state[0], state[1], state[2], state[3], grid};
    lucid_tensor curves;
    (void)lucid_call(s, curves_of, in, PARAMETERS + 1, &curves, 1);
    bool right = worst < 0.03;
    double spread_inside = 0;
    for (int i = 0; i < GRID; i++) {
        lucid_tensor y = lucid_select(s, curves, 1, i);
        double x = lucid_item(s, lucid_select(s, grid, 0, i));
        double mean = lucid_item(s, lucid_mean(s, y, LUCID_ALL));
        double spread = lucid_item(s, lucid_std(s, y, LUCID_ALL, 1));
        printf("x = %4.1f  %5.2f +- %.2f  (sine %5.2f)\n", x, mean, spread, sin(2 * x));
        if (i < GRID - 1) {
            right = right && fabs(mean - sin(2 * x)) < 0.15;
            spread_inside = fmax(spread_inside, spread);
        } else {
            right = right && spread > 3 * spread_inside; /* far from the data the nets part */
        }
    }
    for (int i = 0; i < 2 * PARAMETERS; i++)
        lucid_release(state[i]);
    if (lucid_error(s))
        fprintf(stderr, "lucid: %s\n", lucid_error_message(s));
    return lucid_close(s) != LUCID_OK || !right;
}
