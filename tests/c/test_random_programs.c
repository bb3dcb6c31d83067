/* Random programs (support/random_program.h) under random transforms, against the loop over examples.
 *
 *     test_random_programs [--count N] [--seed S]     programs S, S + 1, ...
 *     test_random_programs --seed S --count 1 --trace shows what program S does
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/native.h"
#include "engine/force.h"
#include "engine/fuse.h"
#include "support/differences.h"
#include "support/random_program.h"
#include "support/recipe.h"

static int64_t count = 500;
static uint64_t first_seed = 1;
static bool trace;

enum { MAX_LANES = 4, MAX_ARGS = 3 };

/* The function of one example. */
typedef enum shape_of_test { VALUE, GRAD, JVP, JACREV, JACFWD, HESSIAN, KINDS } shape_of_test;
static const char *const kind_names[] = {"f",         "grad(f)",   "jvp(f)",
                                         "jacrev(f)", "jacfwd(f)", "hessian(f)"};

typedef struct example_fn {
    program p;
    shape_of_test kind;
    int64_t chunk;
} example_fn;

static lucid_status run_example(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    example_fn *e = user;
    const int all[MAX_ARGS] = {0, 1, -1};
    const lucid_grad_options first = {.chunk_size = e->chunk};
    const lucid_grad_options every = {.argnums = {all, nx < 3 ? nx : 3}};
    lucid_fn f = lucid_fn_new(s, program_run, 1, &e->p);
    lucid_fn scalar = lucid_fn_new(s, program_run_to_scalar, 1, &e->p);
    switch (e->kind) {
    case VALUE:
        return lucid_call(s, f, x, nx, y, ny);
    case GRAD:
        return lucid_call(s, lucid_grad(s, scalar, &every), x, nx, y, ny);
    case JVP: {
        lucid_tensor dx[MAX_ARGS], value;
        for (size_t i = 0; i < nx; i++)
            dx[i] = lucid_cos(s, x[i]);
        return lucid_jvp(s, f, x, dx, nx, &value, y, ny);
    }
    case JACREV:
        return lucid_call(s, lucid_jacrev(s, f, &first), x, nx, y, ny);
    case JACFWD:
        return lucid_call(s, lucid_jacfwd(s, f, &first), x, nx, y, ny);
    default:
        return lucid_call(s, lucid_hessian(s, scalar, &first), x, nx, y, ny);
    }
}

/* ---- a case -------------------------------------------------------------------------------------- */

typedef struct random_case {
    choices c;
    example_fn example;
    recipe f;
    size_t nx;
    int64_t lanes;
    lucid_shape shape[MAX_ARGS];
    host_array x[MAX_LANES][MAX_ARGS];
    int in_dims[MAX_ARGS], axis[MAX_ARGS]; /* -1: not mapped */
    int out_dim;
    lucid_vmap_options options;
    bool layouts; /* the results in every layout are compared */
} random_case;

static lucid_shape random_shape(choices *c)
{
    static const int64_t sizes[] = {2, 3, 1, 2, 3, 4, 0};
    lucid_shape shape = {.ndim = (int)choose(c, 4)};
    for (int i = 0; i < shape.ndim; i++)
        shape.dim[i] = sizes[choose(c, i == 0 ? 7 : 6)];
    return shape;
}

static void choose_mapping(random_case *k)
{
    bool any = false;
    for (size_t i = 0; i < k->nx; i++) {
        int ndim = k->shape[i].ndim;
        bool mapped = choose(&k->c, 4) != 0 || (i + 1 == k->nx && !any);
        any |= mapped;
        k->axis[i] = mapped ? (int)choose(&k->c, ndim + 1) : -1;
        k->in_dims[i] = !mapped            ? LUCID_NONE
                        : choose(&k->c, 2) ? k->axis[i]
                                           : k->axis[i] - ndim - 1;
    }
    k->out_dim = choose(&k->c, 2) ? -1 : 0;
    k->options = (lucid_vmap_options){.in_dims = {k->in_dims, k->nx},
                                      .out_dims = {&k->out_dim, 1},
                                      .randomness = choose(&k->c, 2) ? LUCID_RANDOMNESS_DIFFERENT
                                                                     : LUCID_RANDOMNESS_SAME,
                                      .chunk_size = choose(&k->c, k->lanes + 2),
                                      .strategy = (lucid_strategy)choose(&k->c, 3)};
}

static void make_case(random_case *k, uint64_t seed)
{
    memset(k, 0, sizeof *k);
    k->c = (choices){.rng = rng_of(seed, 0, 0)};
    k->nx = 1 + (size_t)choose(&k->c, MAX_ARGS);
    k->lanes = 1 + choose(&k->c, MAX_LANES);
    int64_t numel = 1;
    for (size_t i = 0; i < k->nx; i++) {
        k->shape[i] = random_shape(&k->c);
        if (i == 0)
            numel = lucid__numel(&k->shape[i]);
    }
    k->example = (example_fn){.p = {.start = {.rng = rng_of(seed, 1, 0)},
                                    .steps = 2 + (int)choose(&k->c, 11),
                                    .trace = trace},
                              .kind = (shape_of_test)choose(&k->c, KINDS),
                              .chunk = choose(&k->c, 3)};
    if (k->example.kind == HESSIAN && numel > 6)
        k->example.kind = GRAD;
    k->f = recipe_plain(run_example, &k->example, k->nx, k->example.kind == GRAD ? k->nx : 1);
    for (int b = 0; b < MAX_LANES; b++)
        for (size_t i = 0; i < k->nx; i++) {
            test_rng rng = rng_of(seed, 2 + i, (uint64_t)b);
            k->x[b][i] =
                sample_input(&(lucid__sample_input){LUCID_FLOAT64, "normal", k->shape[i]}, &rng);
        }
    choose_mapping(k);
    k->example.p.asks = k->options.strategy != LUCID_STRATEGY_VECTORIZED;
    k->example.p.draws = choose(&k->c, 3) == 0;
    k->layouts = choose(&k->c, 2) != 0;
}

/* The options for running lane by lane, which is what random numbers are compared with: those of a lane
 * cannot be had outside of a vmap. */
static lucid_vmap_options lane_by_lane(const lucid_vmap_options *options)
{
    lucid_vmap_options o = *options;
    o.strategy = LUCID_STRATEGY_ISOLATED;
    o.chunk_size = 0;
    return o;
}

/* f lane by lane, stacked where out_dim says. */
static bool loop(const random_case *k, const recipe *f, const host_array (*x)[MAX_ARGS],
                 host_array *want)
{
    host_array lane[MAX_ARGS][MAX_LANES] = {{{0}}};
    for (int64_t b = 0; b < k->lanes; b++) {
        host_array in[RECIPE_MAX], y[RECIPE_MAX] = {{0}};
        for (size_t i = 0; i < k->nx; i++)
            in[i] = x[k->axis[i] < 0 ? 0 : b][i];
        if (!recipe_must_run(f, in, y))
            return false;
        for (size_t j = 0; j < f->ny; j++)
            lane[j][b] = y[j];
    }
    for (size_t j = 0; j < f->ny; j++)
        want[j] = host_stack(lane[j], k->lanes, k->out_dim < 0 ? lane[j][0].shape.ndim : 0);
    return true;
}

static void stack_inputs(const random_case *k, const host_array (*x)[MAX_ARGS], host_array *to)
{
    for (size_t i = 0; i < k->nx; i++) {
        host_array lane[MAX_LANES];
        for (int64_t b = 0; b < k->lanes; b++)
            lane[b] = x[b][i];
        to[i] = k->axis[i] < 0 ? x[0][i] : host_stack(lane, k->lanes, k->axis[i]);
    }
}

enum { TOLERANCE_EXPONENT = -8 };

static void compare(const recipe *f, const host_array *got, const host_array *want)
{
    for (size_t j = 0; j < f->ny; j++)
        (void)same("the result", &got[j], &want[j], pow(10, TOLERANCE_EXPONENT));
}

/* The same bits without fusion, unless there are products of three factors. */
static void check_unfused(const recipe *f, const host_array *in, const host_array *want)
{
    host_array got[RECIPE_MAX];
    int64_t products = program_products();
    lucid__set_fusion(false);
    bool ran = recipe_must_run(f, in, got);
    lucid__set_fusion(true);
    bool exact = program_products() == products;
    for (size_t j = 0; ran && j < f->ny; j++)
        (void)same("unfused", &got[j], &want[j], exact ? 0 : pow(10, TOLERANCE_EXPONENT));
}

/* The same with elements in the SIMD lanes, and with examples wherever that is possible: to the bit, unless there are
 * products, which the BLAS adds up in an order of its own. */
static void check_layouts(const recipe *f, const host_array *in, const host_array *want)
{
    static const lucid__forced_layout layouts[] = {LUCID__FORCE_ELEMENTS, LUCID__FORCE_BATCH};
    host_array got[RECIPE_MAX];
    for (int l = 0; l < 2; l++) {
        int64_t products = program_products();
        lucid__force_layout(layouts[l]);
        bool ran = recipe_must_run(f, in, got);
        lucid__force_layout(LUCID__FORCE_NONE);
        bool exact = program_products() == products;
        for (size_t j = 0; ran && j < f->ny; j++)
            (void)same(l == 0 ? "lanes = elements" : "lanes = examples", &got[j], &want[j],
                       exact ? 0 : pow(10, TOLERANCE_EXPONENT));
    }
}

/* The same when compiled, and under a vmap that runs what is compiled. A program that asks for values cannot be,
 * nor a while loop in reverse mode that does not say its number of steps. */
static void check_compiled(const recipe *f, const host_array *in, const host_array *want)
{
    host_array got[RECIPE_MAX];
    const recipe compiled = recipe_compiled(f->of), of_it = recipe_vmap(&compiled, f->vmap);
    const recipe both[2] = {recipe_compiled(f), of_it};
    for (int i = 0; i < 2; i++) {
        lucid_status status = recipe_run(&both[i], in, got);
        if (status != LUCID_OK && strstr(recipe_message(), "needs the number of steps"))
            continue;
        if (status != LUCID_OK)
            difference("compiled: status %d: %s", (int)status, recipe_message());
        for (size_t j = 0; status == LUCID_OK && j < f->ny; j++)
            (void)same("compiled", &got[j], &want[j], pow(10, TOLERANCE_EXPONENT));
    }
}

static void check_one_level(const random_case *k)
{
    host_array in[MAX_ARGS], got[RECIPE_MAX], want[RECIPE_MAX];
    recipe v = recipe_vmap(&k->f, &k->options);
    const lucid_vmap_options single = lane_by_lane(&k->options);
    recipe lanes = recipe_vmap(&k->f, &single);
    stack_inputs(k, k->x, in);
    if (k->example.p.draws ? !recipe_must_run(&lanes, in, want) : !loop(k, &k->f, k->x, want))
        return;
    if (!recipe_must_run(&v, in, got))
        return;
    compare(&v, got, want);
    check_unfused(&v, in, got);
    if (k->layouts)
        check_layouts(&v, in, got);
    if (!k->example.p.asks)
        check_compiled(&v, in, got);
}

/* An outer vmap over two batches: the same one, and one whose lanes are turned by one. */
static void check_two_levels(const random_case *k)
{
    host_array in[2][MAX_ARGS], stacked[MAX_ARGS], got[RECIPE_MAX], one[2][RECIPE_MAX];
    recipe v = recipe_vmap(&k->f, &k->options);
    const lucid_vmap_options outer = {.chunk_size = k->options.chunk_size % 2,
                                      .randomness = LUCID_RANDOMNESS_DIFFERENT};
    recipe vv = recipe_vmap(&v, &outer);
    const lucid_vmap_options single = lane_by_lane(&k->options),
                             outer_single = lane_by_lane(&outer);
    recipe lanes = recipe_vmap(&k->f, &single), all_lanes = recipe_vmap(&lanes, &outer_single);
    for (int64_t o = 0; o < 2; o++) {
        host_array turned[MAX_LANES][MAX_ARGS];
        for (int64_t b = 0; b < k->lanes; b++)
            for (size_t i = 0; i < k->nx; i++)
                turned[b][i] = k->x[(b + o) % MAX_LANES][i];
        if (!k->example.p.draws && !loop(k, &k->f, (const host_array(*)[MAX_ARGS])turned, one[o]))
            return;
        stack_inputs(k, (const host_array(*)[MAX_ARGS])turned, in[o]);
    }
    for (size_t i = 0; i < k->nx; i++) {
        host_array both[2] = {in[0][i], in[1][i]};
        stacked[i] = host_stack(both, 2, 0);
    }
    if (!recipe_must_run(&vv, stacked, got) ||
        (k->example.p.draws && !recipe_must_run(&all_lanes, stacked, one[0])))
        return;
    for (size_t j = 0; j < k->f.ny; j++) {
        host_array both[2] = {one[0][j], one[1][j]};
        host_array want = k->example.p.draws ? one[0][j] : host_stack(both, 2, 0);
        (void)same("the result", &got[j], &want, pow(10, TOLERANCE_EXPONENT));
    }
}

/* The sum over the lanes of what vmap makes of a scalar program. */
static lucid_status run_sum_of_lanes(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                     lucid_tensor *y, size_t ny, void *user)
{
    random_case *k = user;
    lucid_fn f = lucid_fn_new(s, program_run_to_scalar, 1, &k->example.p);
    lucid_tensor lanes;
    (void)ny;
    if (lucid_call(s, lucid_vmap(s, f, &k->options), x, nx, &lanes, 1) == LUCID_OK)
        y[0] = lucid_sum(s, lanes, LUCID_ALL);
    return lucid_error(s);
}

static lucid_status run_gradient_of_sum(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                        lucid_tensor *y, size_t ny, void *user)
{
    const int all[MAX_ARGS] = {0, 1, 2};
    lucid_fn f = lucid_fn_new(s, run_sum_of_lanes, 1, user);
    return lucid_call(s, lucid_grad(s, f, &(lucid_grad_options){.argnums = {all, nx}}), x, nx, y,
                      ny);
}

/* The gradient of a sum over lanes: that of each lane for what is mapped, their sum for what is not. */
static void check_gradient_of_vmap(random_case *k)
{
    recipe sum = recipe_plain(run_gradient_of_sum, k, k->nx, k->nx);
    recipe lane = recipe_plain(run_example, &k->example, k->nx, k->nx);
    host_array in[MAX_ARGS], got[RECIPE_MAX], g[MAX_LANES][RECIPE_MAX];
    k->example.kind = GRAD;
    k->out_dim = 0; /* of a 0-d result */
    for (int64_t b = 0; b < k->lanes; b++) {
        host_array one[MAX_ARGS];
        for (size_t i = 0; i < k->nx; i++)
            one[i] = k->x[k->axis[i] < 0 ? 0 : b][i];
        if (!recipe_must_run(&lane, one, g[b]))
            return;
    }
    stack_inputs(k, (const host_array(*)[MAX_ARGS])k->x, in);
    if (!recipe_must_run(&sum, in, got))
        return;
    for (size_t i = 0; i < k->nx; i++) {
        host_array lanes[MAX_LANES];
        for (int64_t b = 0; b < k->lanes; b++)
            lanes[b] = g[b][i];
        host_array want = host_stack(lanes, k->lanes, k->axis[i] < 0 ? 0 : k->axis[i]);
        if (k->axis[i] < 0) {
            want = lanes[0];
            for (int64_t b = 1; b < k->lanes; b++)
                want = host_moved(&want, &lanes[b], 1);
        }
        (void)same("the gradient of a sum over lanes", &got[i], &want, pow(10, TOLERANCE_EXPONENT));
    }
}

/* Reverse and forward mode agree on a program without kinks. */
static void check_jacobians(random_case *k)
{
    host_array reverse[1], forward[1];
    k->example.p.smooth = true;
    k->example.kind = JACREV;
    bool ok = recipe_must_run(&k->f, k->x[0], reverse);
    k->example.kind = JACFWD;
    if (ok && recipe_must_run(&k->f, k->x[0], forward))
        (void)same("jacrev against jacfwd", &reverse[0], &forward[0], 1e-7);
}

static lucid_status run_scalar(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    example_fn *e = user;
    return program_run_to_scalar(s, x, nx, y, ny, &e->p);
}

/* The gradient of a program without kinks, in some direction, against finite differences. */
static void check_gradient(random_case *k)
{
    recipe scalar = recipe_plain(run_scalar, &k->example, k->nx, 1);
    recipe gradient = recipe_plain(run_example, &k->example, k->nx, k->nx);
    host_array slope[1], finer[1], g[MAX_ARGS];
    k->example.p.smooth = true;
    k->example.kind = GRAD;
    /* Lane 1's inputs serve as the direction. */
    if (!finite_difference(&scalar, k->x[0], k->x[1], 1e-4, slope) ||
        !finite_difference(&scalar, k->x[0], k->x[1], 2.5e-5, finer) ||
        !recipe_must_run(&gradient, k->x[0], g))
        return;
    double want = finer[0].at[0], error = fabs(want - slope[0].at[0]);
    if (!(error <= 1e-6 * (1 + fabs(want))))
        return; /* too curved for differences to say anything */
    double along = 0;
    for (size_t i = 0; i < k->nx; i++)
        along += host_dot(&g[i], &k->x[1][i]);
    (void)same_number("the gradient against finite differences", along, want, 1e-5, 1);
}

static int64_t finite_numbers, all_numbers;

static void check_seed(uint64_t seed)
{
    random_case k;
    size_t mark = host_mark();
    int before = differences_count();
    make_case(&k, seed);
    lucid__native_after = seed % 2 ? 0 : INT64_MAX; /* chains as machine code, or not */
    checking("seed %" PRIu64 ", %s of %zu arguments, %d steps, %" PRId64
             " lanes, chunk_size %" PRId64 ", strategy %d",
             seed, kind_names[k.example.kind], k.nx, k.example.p.steps, k.lanes,
             k.options.chunk_size, (int)k.options.strategy);
    if (trace)
        (void)fprintf(stderr, "%s\n", what_is_checked());
    host_array y[RECIPE_MAX];
    if (recipe_must_run(&k.f, k.x[0], y)) {
        for (int64_t i = 0; i < y[0].n; i++, all_numbers++)
            finite_numbers += isfinite(y[0].at[i]) != 0;
        k.example.p.trace = false;
        check_one_level(&k);
        if (choose(&k.c, 3) == 0 && k.lanes > 1)
            check_two_levels(&k);
        if (k.f.ny == 1 && choose(&k.c, 4) == 0)
            check_jacobians(&k);
        check_gradient(&k);
        if (!k.example.p.draws && choose(&k.c, 3) == 0) {
            k.example.p.smooth = false;
            check_gradient_of_vmap(&k);
        }
    }
    if (differences_count() > before)
        print_error("  to see the program: test_random_programs --seed %" PRIu64
                    " --count 1 --trace\n",
                    seed);
    host_release(mark);
}

static void test_against_loops(void **state)
{
    (void)state;
    differences_begin();
    for (int64_t i = 0; i < count && differences_count() < 20; i++)
        check_seed(first_seed + (uint64_t)i);
    print_message("%" PRId64 " programs; %.0f%% of the numbers compared are finite\n", count,
                  all_numbers > 0 ? 100.0 * (double)finite_numbers / (double)all_numbers : 100.0);
    differences_end();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--trace") == 0)
            trace = true;
        else if (more && strcmp(argv[i], "--count") == 0)
            count = strtoll(argv[++i], NULL, 10);
        else if (more && strcmp(argv[i], "--seed") == 0)
            first_seed = strtoull(argv[++i], NULL, 10);
        else {
            (void)fprintf(stderr, "usage: test_random_programs [--count N] [--seed S] [--trace]\n");
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_loops)};
    return cmocka_run_group_tests_name("random programs", tests, NULL, NULL);
}
