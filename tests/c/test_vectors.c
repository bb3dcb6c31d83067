/* The cases of tests/vectors, which the Python package reads too: one cmocka test per file. */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"
#include "support/word_program.h"

enum { MAX_FILES = 32, MAX_DIMS = 16, MAX_PATH = 512 };

/* ---- what is applied ---------------------------------------------------------------------------- */

typedef struct options {
    int in_dims[MAX_DIMS], out_dims[MAX_DIMS], argnums[MAX_DIMS];
    size_t n_in, n_out, n_argnums;
    int64_t chunk_size, max_paths;
    lucid_strategy strategy;
    lucid_randomness randomness;
    size_t primals;
} options;

static size_t read_dims(const char *value, int *to)
{
    size_t n = 0;
    for (const char *at = value; at && n < MAX_DIMS;) {
        to[n++] = strncmp(at, "none", 4) == 0 ? LUCID_NONE : (int)strtol(at, NULL, 10);
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    return n;
}

static lucid_strategy strategy_of(const char *name)
{
    return strcmp(name, "isolated") == 0     ? LUCID_STRATEGY_ISOLATED
           : strcmp(name, "vectorized") == 0 ? LUCID_STRATEGY_VECTORIZED
                                             : LUCID_STRATEGY_AUTO;
}

static int64_t chunk_size_of(const char *text)
{
    return strcmp(text, "auto") == 0 ? LUCID_AUTO_CHUNK : strtoll(text, NULL, 10);
}

static void read_option(options *o, const char *option)
{
    const char *value = strchr(option, '=');
    assert_non_null(value);
    value++;
    if (strncmp(option, "in_dims=", 8) == 0)
        o->n_in = read_dims(value, o->in_dims);
    else if (strncmp(option, "out_dims=", 9) == 0)
        o->n_out = read_dims(value, o->out_dims);
    else if (strncmp(option, "argnums=", 8) == 0)
        o->n_argnums = read_dims(value, o->argnums);
    else if (strncmp(option, "chunk_size=", 11) == 0)
        o->chunk_size = chunk_size_of(value);
    else if (strncmp(option, "max_paths=", 10) == 0)
        o->max_paths = strtoll(value, NULL, 10);
    else if (strncmp(option, "primals=", 8) == 0)
        o->primals = strtoul(value, NULL, 10);
    else if (strncmp(option, "strategy=", 9) == 0)
        o->strategy = strategy_of(value);
    else if (strncmp(option, "randomness=", 11) == 0)
        o->randomness = strcmp(value, "different") == 0 ? LUCID_RANDOMNESS_DIFFERENT
                        : strcmp(value, "same") == 0    ? LUCID_RANDOMNESS_SAME
                                                        : LUCID_RANDOMNESS_ERROR;
    else
        fail_msg("unknown option %s", option);
}

/* A function that jvp and vjp make of another; lives in the scope. */
typedef struct derived {
    lucid_fn f;
    size_t primals;
} derived;

static lucid_status tangents(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                             void *user)
{
    const derived *d = user;
    lucid_results *unused = lucid_results_new(s);
    return lucid_jvp_listing(s, d->f, x, x + nx / 2, nx / 2, unused, y);
}

static lucid_status cotangents(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_results *y,
                               void *user)
{
    const derived *d = user;
    lucid_results *unused = lucid_results_new(s);
    lucid_fn pullback = lucid_vjp_listing(s, d->f, x, d->primals, unused);
    return lucid_call_listing(s, pullback, x + d->primals, nx - d->primals, y);
}

static lucid_fn apply(lucid_scope *s, lucid_fn f, const vector_apply *a, const char *strategy,
                      const char *chunk_size)
{
    options o = {.primals = 1};
    for (int i = 0; i < a->noptions; i++)
        read_option(&o, a->option[i]);
    if (strategy)
        o.strategy = strategy_of(strategy);
    if (chunk_size)
        o.chunk_size = chunk_size_of(chunk_size);
    if (strcmp(a->transform, "vmap") == 0)
        return lucid_vmap(s, f,
                          &(lucid_vmap_options){.in_dims = {o.in_dims, o.n_in},
                                                .out_dims = {o.out_dims, o.n_out},
                                                .randomness = o.randomness,
                                                .chunk_size = o.chunk_size,
                                                .strategy = o.strategy,
                                                .max_paths = o.max_paths});
    if (strcmp(a->transform, "jvp") == 0 || strcmp(a->transform, "vjp") == 0) {
        derived *d = lucid_alloc(s, sizeof *d);
        assert_non_null(d);
        *d = (derived){f, o.primals};
        bool forward = a->transform[0] == 'j';
        return lucid_fn_new_listing(s, forward ? tangents : cotangents, d, NULL);
    }
    static const struct {
        const char *name;
        lucid_fn (*make)(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);
    } gradients[] = {{"grad", lucid_grad},
                     {"grad_and_value", lucid_grad_and_value},
                     {"jacrev", lucid_jacrev},
                     {"jacfwd", lucid_jacfwd},
                     {"hessian", lucid_hessian}};
    for (size_t i = 0; i < sizeof gradients / sizeof *gradients; i++)
        if (strcmp(a->transform, gradients[i].name) == 0)
            return gradients[i].make(s, f,
                                     &(lucid_grad_options){.argnums = {o.argnums, o.n_argnums},
                                                           .chunk_size = o.chunk_size});
    fail_msg("unknown transform %s", a->transform);
    return f;
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static double element(const vector_tensor *t, const void *data, size_t i)
{
    switch (t->dtype) {
    case LUCID_BOOL:
        return ((const bool *)data)[i];
    case LUCID_INT32:
        return ((const int32_t *)data)[i];
    case LUCID_INT64:
        return (double)((const int64_t *)data)[i];
    case LUCID_FLOAT32:
        return (double)((const float *)data)[i];
    default:
        return ((const double *)data)[i];
    }
}

static bool agrees(const vector_tensor *t, const void *data, size_t i)
{
    double got = element(t, data, i), want = element(t, t->data, i);
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    if (t->dtype == LUCID_INT64)
        return ((const int64_t *)data)[i] == ((const int64_t *)t->data)[i];
    return fabs(got - want) <= t->tolerance * fmax(1, fabs(want));
}

static void check_output(lucid_scope *s, const char *what, int k, lucid_tensor y,
                         const vector_tensor *t)
{
    if (lucid_dtype_of(y) != t->dtype)
        fail_msg("%s: result %d is %s", what, k, lucid_dtype_name(lucid_dtype_of(y)));
    bool same_shape = lucid_ndim(y) == t->shape.ndim;
    for (int d = 0; same_shape && d < t->shape.ndim; d++)
        same_shape = lucid_size(y, d) == t->shape.dim[d];
    if (!same_shape)
        fail_msg("%s: result %d has another shape", what, k);
    const void *data = lucid_data(s, y);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
    for (size_t i = 0; i < (size_t)lucid_numel(y); i++)
        if (!agrees(t, data, i))
            fail_msg("%s: result %d, element %zu is %.17g (%a), not %.17g (%a)", what, k, i,
                     element(t, data, i), element(t, data, i), element(t, t->data, i),
                     element(t, t->data, i));
}

static lucid_status status_of(const char *error)
{
    static const struct {
        const char *name;
        lucid_status status;
    } names[] = {{"ValueError", LUCID_VALUE_ERROR},
                 {"TypeError", LUCID_TYPE_ERROR},
                 {"IndexError", LUCID_INDEX_ERROR},
                 {"RuntimeError", LUCID_RUNTIME_ERROR},
                 {"DivergenceError", LUCID_DIVERGED}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(error, names[i].name) == 0)
            return names[i].status;
    fail_msg("unknown error %s", error);
    return LUCID_OK;
}

/* ---- cases -------------------------------------------------------------------------------------- */

static void run_variant(const vector_case *c, const char *what, const char *strategy,
                        const char *chunk_size)
{
    lucid_scope *s =
        lucid_open(&(lucid_open_options){.seed = c->seed, .language = LUCID_LANGUAGE_PYTHON});
    assert_non_null(s);
    word_program program = {c->word, c->nwords, {{0}}, 0};
    lucid_fn f = lucid_fn_new_listing(s, word_program_run, &program, NULL);
    for (int i = 0; i < c->napplies; i++)
        f = apply(s, f, &c->apply[i], strategy, chunk_size);
    lucid_tensor x[VECTOR_TENSORS];
    for (int i = 0; i < c->ninputs; i++)
        x[i] = lucid_from_data(s, c->input[i].data, c->input[i].dtype, c->input[i].shape);
    lucid_results *y = lucid_results_new(s);
    (void)lucid_call_listing(s, f, x, (size_t)c->ninputs, y);
    for (size_t k = 0; c->error && k < lucid_results_count(y); k++)
        (void)lucid_data(s, lucid_results_at(y, k)); /* some errors show when values are computed */
    if (c->error) {
        if (lucid_error(s) != status_of(c->error) || !strstr(lucid_error_message(s), c->phrase))
            fail_msg("%s: expected %s \"%s\", got %d \"%s\"", what, c->error, c->phrase,
                     (int)lucid_error(s), lucid_error_message(s));
        lucid_clear_error(s);
    } else {
        if (lucid_error(s) != LUCID_OK)
            fail_msg("%s: %s", what, lucid_error_message(s));
        if (lucid_results_count(y) != (size_t)c->noutputs)
            fail_msg("%s: %zu results", what, lucid_results_count(y));
        for (int k = 0; k < c->noutputs; k++)
            check_output(s, what, k, lucid_results_at(y, (size_t)k), &c->output[k]);
        uint64_t draws = lucid_generator_state(lucid_generator_of(s)).draw;
        if (c->draws >= 0 && draws != (uint64_t)c->draws)
            fail_msg("%s: %llu draws", what, (unsigned long long)draws);
        bool together = (!strategy || strcmp(strategy, "auto") == 0) &&
                        (!chunk_size || strcmp(chunk_size, "0") == 0);
        long long paths = lucid_last_paths(s, NULL, 0).runs;
        if (c->paths >= 0 && together && paths != c->paths)
            fail_msg("%s: %lld paths", what, paths);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
    word_program_clear(&program);
}

static void run_case(const vector_file *f, const vector_case *c)
{
    int strategies = c->nstrategies ? c->nstrategies : 1,
        chunk_sizes = c->nchunk_sizes ? c->nchunk_sizes : 1;
    for (int i = 0; i < strategies; i++)
        for (int j = 0; j < chunk_sizes; j++) {
            const char *strategy = c->nstrategies ? c->strategy[i] : NULL;
            const char *chunk_size = c->nchunk_sizes ? c->chunk_size[j] : NULL;
            char what[MAX_PATH];
            (void)snprintf(what, sizeof what, "%s:%d: %s%s%s%s%s", f->path, c->line, c->name,
                           strategy ? ", " : "", strategy ? strategy : "",
                           chunk_size ? ", chunks of " : "", chunk_size ? chunk_size : "");
            run_variant(c, what, strategy, chunk_size);
        }
}

static void test_file(void **state)
{
    vector_file f;
    vector_case c;
    int count = 0;
    vector_open(&f, *state);
    while (vector_next(&f, &c)) {
        run_case(&f, &c);
        vector_case_clear(&c);
        count++;
    }
    vector_close(&f);
    (void)printf("%s: %d cases\n", (const char *)*state, count);
    assert_true(count > 0);
}

int main(void)
{
    static char paths[MAX_FILES][MAX_PATH];
    struct CMUnitTest tests[MAX_FILES];
    size_t n = 0;
    DIR *folder = opendir(LUCID__SOURCE_DIR "/tests/vectors");
    if (!folder)
        return EXIT_FAILURE;
    for (struct dirent *entry; (entry = readdir(folder)) && n < MAX_FILES;) {
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".txt") != 0)
            continue;
        (void)snprintf(paths[n], MAX_PATH, "%s/tests/vectors/%s", LUCID__SOURCE_DIR, entry->d_name);
        tests[n] = (struct CMUnitTest){strrchr(paths[n], '/') + 1, test_file, NULL, NULL, paths[n]};
        n++;
    }
    (void)closedir(folder);
    return n == 0 ? EXIT_FAILURE : _cmocka_run_group_tests("vectors", tests, n, NULL, NULL);
}
