/* Differentially private training on handwritten digits (Abadi et al. 2016, "Deep Learning with
 * Differential Privacy"): the gradient of each sample is clipped, and noise is added to their sum, so
 * that the trained net tells little about any one sample.
 *
 *     cc dp_digits.c $(pkg-config --cflags --libs lucid) -lm -o dp_digits
 *     ./dp_digits --help
 *
 * examples/dp_digits.py is the same program in Python: from one seed both draw the same numbers in
 * the same order, and agree step by step up to rounding.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lucid.h>

#include "digits.h"
#include "rdp_accountant.h"

enum { HIDDEN = 32, HELD_OUT = 360, TRAINING = DIGITS_COUNT - HELD_OUT, PARAMETERS = 4 };

/* ---- options -------------------------------------------------------------------------------- */

static struct {
    double seed, steps, batch, noise, clip, rate, delta, every;
    const char *data, *log, *norms;
} options = {.steps = 300,
             .batch = 256,
             .noise = 4,
             .clip = 1,
             .rate = 1,
             .delta = 1e-5,
             .every = 10,
             .data = "examples/data/digits.csv"};

static const struct option {
    const char *name;
    double *number, least, most;
    const char **text;
    const char *help;
} option_table[] = {
    {"--seed", &options.seed, 0, 0x1p53, NULL, "of all random numbers"},
    {"--steps", &options.steps, 1, 1e6, NULL, "of gradient descent"},
    {"--batch", &options.batch, 1, TRAINING, NULL, "samples in a step, on average"},
    {"--noise", &options.noise, 0, 1e6, NULL, "standard deviation, in units of --clip"},
    {"--clip", &options.clip, 1e-6, 1e6, NULL, "largest norm of a sample's gradient"},
    {"--learning-rate", &options.rate, 1e-9, 1e3, NULL, "length of a step"},
    {"--delta", &options.delta, 1e-12, 0.5, NULL, "of (epsilon, delta)"},
    {"--every", &options.every, 1, 1e6, NULL, "steps between looks at the held-out accuracy"},
    {"--data", NULL, 0, 0, &options.data, "the digits"},
    {"--log", NULL, 0, 0, &options.log, "file for a line per step (CSV)"},
    {"--norms", NULL, 0, 0, &options.norms, "file for every gradient norm (CSV)"},
};
enum { OPTION_COUNT = sizeof option_table / sizeof *option_table };

static void print_help(void)
{
    printf("Differentially private training on handwritten digits.\n\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &option_table[i];
        printf("  %-16s %s", o->name, o->help);
        if (o->number)
            printf(" (%g)\n", *o->number);
        else
            printf(*o->text ? " (%s)\n" : "\n", *o->text);
    }
}

static bool set_option(const struct option *o, const char *value)
{
    if (o->text) {
        *o->text = value;
        return true;
    }
    char *end;
    *o->number = strtod(value, &end);
    if (end != value && !*end && *o->number >= o->least && *o->number <= o->most)
        return true;
    fprintf(stderr, "dp_digits: %s must be a number from %g to %g, not %s\n", o->name, o->least,
            o->most, value);
    return false;
}

static bool read_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        int k = 0;
        while (k < OPTION_COUNT && strcmp(argv[i], option_table[k].name) != 0)
            k++;
        if (k == OPTION_COUNT || i + 1 == argc) {
            fprintf(stderr,
                    k == OPTION_COUNT ? "dp_digits: unknown option %s; see --help\n"
                                      : "dp_digits: %s needs a value\n",
                    argv[i]);
            return false;
        }
        if (!set_option(&option_table[k], argv[i + 1]))
            return false;
    }
    return true;
}

/* ---- the model ------------------------------------------------------------------------------ */

/* Logits (..., 10) of images x (..., 64); p holds weight (32, 64), bias (32), weight (10, 32), bias
 * (10). */
static lucid_tensor logits(lucid_scope *s, const lucid_tensor *p, lucid_tensor x)
{
    lucid_tensor hidden = lucid_tanh(s, lucid_linear(s, x, p[0], p[1]));
    return lucid_linear(s, hidden, p[2], p[3]);
}

/* The loss of ONE sample: its cross entropy. in: the parameters, an image (64), its digit (). */
static lucid_status loss(lucid_scope *s, const lucid_tensor *in, size_t nin, lucid_tensor *out,
                         size_t nout, void *user)
{
    (void)nin, (void)nout, (void)user;
    lucid_tensor z = logits(s, in, in[PARAMETERS]);
    out[0] = lucid_cross_entropy(s, z, in[PARAMETERS + 1], LUCID_MEAN);
    return LUCID_OK;
}

/* Gradients (batch, ...) of every sample's loss by the parameters, then the losses (batch). */
static lucid_fn per_sample_gradients(lucid_scope *s)
{
    lucid_grad_options by_parameters = {.argnums = LUCID_INTS(0, 1, 2, 3)};
    lucid_vmap_options over_samples = {
        .in_dims = LUCID_INTS(LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE, 0, 0)};
    lucid_fn f = lucid_fn_new(s, loss, 1, NULL);
    return lucid_vmap(s, lucid_grad_and_value(s, f, &by_parameters), &over_samples);
}

static double accuracy(lucid_scope *s, const lucid_tensor *p, lucid_tensor x, lucid_tensor digits)
{
    lucid_tensor guess = lucid_argmax(s, logits(s, p, x), 1, false);
    lucid_tensor right = lucid_cast(s, lucid_eq(s, guess, digits), LUCID_FLOAT32);
    return lucid_item(s, lucid_mean(s, right, LUCID_ALL));
}

/* ---- training ------------------------------------------------------------------------------- */

struct training {
    lucid_fn gradients;
    lucid_tensor images, digits;           /* what is trained on */
    lucid_tensor parameters[PARAMETERS];   /* retained: steps come and go with their scopes */
    float norms[TRAINING];                 /* of the gradients of the last step ... */
    int64_t batch;                         /* ... so many of them */
    double loss, mean_norm, clipped_share; /* means over the batch of the last step */
};

static double mean(lucid_scope *s, lucid_tensor x)
{
    return lucid_item(s, lucid_mean(s, lucid_cast(s, x, LUCID_FLOAT32), LUCID_ALL));
}

/* Weights are normal with variance 1 / inputs, biases zero. */
static void start_parameters(lucid_scope *s, lucid_tensor *p)
{
    lucid_tensor w0 = lucid_randn(s, LUCID_SHAPE(HIDDEN, DIGITS_PIXELS));
    lucid_tensor w2 = lucid_randn(s, LUCID_SHAPE(DIGITS_CLASSES, HIDDEN));
    p[0] = lucid_div(s, w0, lucid_scalar(s, sqrt(DIGITS_PIXELS)));
    p[1] = lucid_zeros(s, LUCID_SHAPE(HIDDEN));
    p[2] = lucid_div(s, w2, lucid_scalar(s, sqrt(HIDDEN)));
    p[3] = lucid_zeros(s, LUCID_SHAPE(DIGITS_CLASSES));
    for (int i = 0; i < PARAMETERS; i++)
        (void)lucid_retain(p[i]);
}

/* The positions (count) of the samples of one step: each is taken with the same probability, by
 * itself, as the accountant assumes. */
static lucid_tensor poisson_sample(lucid_scope *s)
{
    lucid_tensor u = lucid_rand(s, LUCID_SHAPE(TRAINING));
    lucid_tensor taken = lucid_lt(s, u, lucid_scalar(s, options.batch / TRAINING));
    return lucid_reshape(s, lucid_nonzero(s, taken), LUCID_SHAPE(-1));
}

/* Norms (batch) of the gradients (batch, ...) of each sample, all parameters together. */
static lucid_tensor gradient_norms(lucid_scope *s, const lucid_tensor *gradients)
{
    lucid_tensor squares = lucid_scalar(s, 0);
    for (int i = 0; i < PARAMETERS; i++) {
        lucid_tensor flat = lucid_flatten(s, gradients[i], 1, -1);
        squares = lucid_add(s, squares, lucid_sum(s, lucid_square(s, flat), LUCID_DIMS(1)));
    }
    return lucid_sqrt(s, squares);
}

/* One step: sum of the clipped gradients, plus noise, over the expected batch. */
static lucid_status step(lucid_scope *parent, struct training *training)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor *p = training->parameters;
    lucid_tensor sample = poisson_sample(s);
    lucid_tensor x = lucid_take(s, training->images, sample, 0);
    lucid_tensor digit = lucid_take(s, training->digits, sample, 0);

    lucid_tensor g[PARAMETERS + 1]; /* and the losses */
    (void)lucid_call(s, training->gradients, LUCID_ARGS(p[0], p[1], p[2], p[3], x, digit), g,
                     PARAMETERS + 1);
    lucid_tensor norms = gradient_norms(s, g);
    lucid_tensor clip = lucid_scalar(s, options.clip);
    lucid_tensor shrink = lucid_minimum(s, lucid_div(s, clip, norms), lucid_scalar(s, 1));

    lucid_tensor next[PARAMETERS];
    for (int i = 0; i < PARAMETERS; i++) {
        lucid_tensor sum = lucid_tensordot(s, shrink, g[i], LUCID_DIMS(0), LUCID_DIMS(0));
        lucid_tensor noise = lucid_randn(s, lucid_shape_of(p[i]));
        noise = lucid_mul(s, noise, lucid_scalar(s, options.noise * options.clip));
        lucid_tensor mean_gradient =
            lucid_div(s, lucid_add(s, sum, noise), lucid_scalar(s, options.batch));
        lucid_tensor move = lucid_mul(s, mean_gradient, lucid_scalar(s, options.rate));
        next[i] = lucid_sub(s, p[i], move);
    }
    (void)lucid_eval(s, next, PARAMETERS);

    training->batch = lucid_numel(norms);
    training->loss = mean(s, g[PARAMETERS]);
    training->mean_norm = mean(s, norms);
    training->clipped_share = mean(s, lucid_gt(s, norms, clip));
    (void)lucid_read(s, norms, training->norms, sizeof(float) * (size_t)training->batch);
    for (int i = 0; i < PARAMETERS; i++) {
        lucid_release(p[i]);
        p[i] = lucid_retain(next[i]);
    }
    return lucid_close(s);
}

/* ---- reporting ------------------------------------------------------------------------------ */

static double seconds(void)
{
    struct timespec t;
    (void)timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_progress(int done, double loss_now, double accuracy_now)
{
    enum { WIDTH = 30 };
    int filled = (int)(WIDTH * done / options.steps);
    fprintf(stderr, "\r[%.*s%*s] %d/%.0f  loss %.3f  held-out accuracy %.1f %% ", filled,
            "##############################", WIDTH - filled, "", done, options.steps, loss_now,
            100 * accuracy_now);
    if (done == (int)options.steps)
        fputc('\n', stderr);
}

/* Opens the file for writing and writes its first line; NULL path: no file, which is fine. */
static bool open_log(const char *path, const char *columns, FILE **file)
{
    *file = path ? fopen(path, "w") : NULL;
    if (*file)
        fprintf(*file, "%s\n", columns);
    else if (path)
        perror(path);
    return !path || *file;
}

static void log_step(FILE *log, FILE *norms, int n, const struct training *training,
                     const char *accuracy_text)
{
    if (log)
        fprintf(log, "%d,%lld,%.9g,%.9g,%.9g,%s\n", n, (long long)training->batch, training->loss,
                training->mean_norm, training->clipped_share, accuracy_text);
    for (int64_t i = 0; norms && i < training->batch; i++)
        fprintf(norms, "%d,%.9g\n", n, training->norms[i]);
}

static bool train(lucid_scope *s, const struct digits *digits, FILE *log, FILE *norms)
{
    static struct training training;
    lucid_tensor images =
        lucid_from_data(s, digits->image, LUCID_FLOAT32, LUCID_SHAPE(DIGITS_COUNT, DIGITS_PIXELS));
    lucid_tensor labels = lucid_from_data(s, digits->label, LUCID_INT64, LUCID_SHAPE(DIGITS_COUNT));
    lucid_tensor order = lucid_randperm(s, DIGITS_COUNT);
    lucid_tensor held_out = lucid_slice(s, order, 0, 0, HELD_OUT, 1);
    lucid_tensor kept = lucid_slice(s, order, 0, HELD_OUT, LUCID_END, 1);
    lucid_tensor test_images = lucid_take(s, images, held_out, 0);
    lucid_tensor test_digits = lucid_take(s, labels, held_out, 0);
    training.images = lucid_take(s, images, kept, 0);
    training.digits = lucid_take(s, labels, kept, 0);
    training.gradients = per_sample_gradients(s);
    start_parameters(s, training.parameters);
    printf("digits    %d to train on, %d held out\n", TRAINING, HELD_OUT);

    int steps = (int)options.steps, every = (int)options.every;
    double start = seconds(), last_accuracy = 0;
    for (int n = 1; n <= steps && step(s, &training) == LUCID_OK; n++) {
        char text[32] = "";
        if (n % every == 0 || n == steps) {
            lucid_scope *t = lucid_scope_new(s);
            last_accuracy = accuracy(t, training.parameters, test_images, test_digits);
            (void)lucid_close(t);
            (void)snprintf(text, sizeof text, "%.9g", last_accuracy);
            show_progress(n, training.loss, last_accuracy);
        }
        log_step(log, norms, n, &training, text);
    }
    double elapsed = seconds() - start;
    for (int i = 0; i < PARAMETERS; i++)
        lucid_release(training.parameters[i]);
    if (lucid_error(s)) {
        fprintf(stderr, "\nlucid: %s\n", lucid_error_message(s));
        return false;
    }

    int order_used = 0;
    double epsilon =
        rdp_epsilon(options.batch / TRAINING, options.noise, steps, options.delta, &order_used);
    printf("accuracy  %.1f %% of the held-out digits\n", 100 * last_accuracy);
    printf(
        "privacy   epsilon %.2f, delta %g: RDP accountant of the subsampled Gaussian, order %d\n",
        epsilon, options.delta, order_used);
    printf("norms     %.0f %% of the last step's gradients clipped to %g\n",
           100 * training.clipped_share, options.clip);
    printf("time      %.1f s, %.1f ms a step\n", elapsed, 1e3 * elapsed / steps);
    return true;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    static struct digits digits;
    FILE *log, *norms;
    if (!read_options(argc, argv) || !digits_read(options.data, &digits) ||
        !open_log(options.log, "step,batch,loss,mean_norm,clipped,accuracy", &log) ||
        !open_log(options.norms, "step,norm", &norms))
        return 2;
    lucid_scope *s = lucid_open(&(lucid_open_options){.seed = (uint64_t)options.seed});
    if (!s)
        return 1;
    bool good = train(s, &digits, log, norms);
    good = lucid_close(s) == LUCID_OK && good;
    if (log)
        good = fclose(log) == 0 && good;
    if (norms)
        good = fclose(norms) == 0 && good;
    return !good;
}
