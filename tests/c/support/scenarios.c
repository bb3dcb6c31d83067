#include "support/scenarios.h"

#include <stdint.h>
#include <string.h>

static void take_sum(lucid_scope *s, lucid_tensor x, double *sum)
{
    x = lucid_cast(s, x, LUCID_FLOAT64);
    *sum += lucid_item(s, lucid_sum(s, x, LUCID_ALL));
}

/* Numbers that no generator needs to make: small, distinct. */
static lucid_tensor numbers(lucid_scope *s, lucid_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.dim[i];
    lucid_tensor x = lucid_arange(s, 0, (double)n, 1, LUCID_FLOAT64);
    return lucid_reshape(s, lucid_sin(s, x), shape);
}

static void building(lucid_scope *s, double *sum)
{
    lucid_tensor x = numbers(s, LUCID_SHAPE(3, 4));
    for (int i = 0; i < 20; i++) /* more than a scope holds without growing */
        x = lucid_add(s, lucid_mul(s, x, lucid_scalar(s, 0.5)), lucid_scalar(s, 1));
    x = lucid_concatenate(s, (lucid_tensor[]){x, x, x}, 3, 0);
    x = lucid_pad(s, lucid_transpose(s, x, 0, 1), (int64_t[]){1, 0}, (int64_t[]){0, 2});
    take_sum(s, x, sum);
}

static lucid_status loss(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, lucid_tanh(s, lucid_square(s, x[0])), LUCID_ALL);
    return LUCID_OK;
}

static lucid_status rows(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)user;
    y[0] = lucid_softmax(s, lucid_mul(s, x[0], lucid_exp(s, x[0])), 0);
    if (ny > 1)
        y[1] = lucid_cumsum(s, x[0], -1);
    return LUCID_OK;
}

static void mapping(lucid_scope *s, double *sum)
{
    static const int out_dims[] = {0, -1};
    lucid_fn f = lucid_fn_new(s, rows, 2, NULL);
    lucid_fn g = lucid_vmap(
        s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(1), .out_dims = {out_dims, 2}});
    lucid_tensor x = numbers(s, LUCID_SHAPE(3, 4)), y[2];
    if (lucid_call(s, g, &x, 1, y, 2) == LUCID_OK)
        take_sum(s, lucid_add(s, lucid_transpose(s, y[0], 0, 1), y[1]), sum);
}

static lucid_status joining_lane(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *parts)
{
    (void)nx, (void)ny;
    lucid_tensor centred = lucid_sub(s, x[0], lucid_pmean(s, x[0], "b"));
    lucid_tensor all = lucid_all_gather(s, lucid_square(s, centred), "b", 0);
    y[0] = lucid_div(s, lucid_sum(s, lucid_mul(s, centred, lucid_pmax(s, x[0], "b")), LUCID_ALL),
                     lucid_sum(s, all, LUCID_ALL));
    if (parts && lucid_bool(s, lucid_gt(s, y[0], lucid_scalar(s, 0))))
        y[0] = lucid_exp(s, y[0]);
    return lucid_error(s);
}

static void joining(lucid_scope *s, double *sum)
{
    const lucid_vmap_options over_b = {.axis_name = "b"};
    lucid_fn f = lucid_fn_new(s, joining_lane, 1, NULL),
             parts = lucid_fn_new(s, joining_lane, 1, s);
    lucid_tensor x = numbers(s, LUCID_SHAPE(3, 2));
    take_sum(s, lucid_call1(s, lucid_vmap(s, lucid_grad(s, f, NULL), &over_b), x), sum);
    take_sum(s, lucid_call1(s, lucid_vmap(s, parts, &over_b), x), sum);
}

/* tanh(x) w, its rules for the derivative written out. */
static lucid_status ruled(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)user;
    y[0] = lucid_mul(s, lucid_tanh(s, x[0]), x[1]);
    if (ny > 1) { /* fwd: the residuals */
        y[1] = lucid_tanh(s, x[0]);
        y[2] = x[1];
    }
    return lucid_error(s);
}

static lucid_tensor tanh_slope(lucid_scope *s, lucid_tensor t, lucid_tensor w)
{
    return lucid_mul(s, lucid_sub(s, lucid_scalar(s, 1), lucid_square(s, t)), w);
}

static lucid_status ruled_bwd(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_mul(s, tanh_slope(s, x[0], x[1]), x[2]);
    y[1] = lucid_sum(s, lucid_mul(s, x[0], x[2]), LUCID_ALL);
    return lucid_error(s);
}

static lucid_status ruled_jvp(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)ny, (void)user;
    lucid_tensor t = lucid_tanh(s, x[0]);
    (void)ruled(s, x, nx, y, 1, NULL);
    y[1] = lucid_add(s, lucid_mul(s, tanh_slope(s, t, x[1]), x[2]), lucid_mul(s, t, x[3]));
    return lucid_error(s);
}

static lucid_status ruled_lanes(lucid_scope *s, int64_t size, const bool *mapped,
                                const lucid_tensor *x, size_t nx, lucid_results *y, void *user)
{
    (void)size, (void)nx, (void)user;
    lucid_tensor w = mapped[1] ? lucid_unsqueeze(s, x[1], 1) : x[1];
    return lucid_results_push(s, y, lucid_mul(s, lucid_tanh(s, x[0]), w));
}

static lucid_status sum_of_ruled(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    (void)ny;
    lucid_tensor z;
    const lucid_vmap_options shared = {.in_dims = LUCID_INTS(0, LUCID_NONE)};
    (void)lucid_call(s, lucid_vmap(s, *(lucid_fn *)user, &shared), x, nx, &z, 1);
    y[0] = lucid_sum(s, z, LUCID_ALL);
    return lucid_error(s);
}

static void custom_rules(lucid_scope *s, double *sum)
{
    const lucid_grad_options both = {.argnums = LUCID_INTS(0, 1)};
    lucid_fn f = lucid_fn_new(s, ruled, 1, NULL);
    lucid_fn of[] = {
        lucid_custom_jvp(s, f, lucid_fn_new(s, ruled_jvp, 2, NULL)),
        lucid_custom_vjp(s, f, lucid_fn_new(s, ruled, 3, NULL), lucid_fn_new(s, ruled_bwd, 2, NULL),
                         1),
        lucid_custom_vmap(s, f, ruled_lanes, NULL, NULL),
    };
    lucid_tensor x = numbers(s, LUCID_SHAPE(3, 2)), w = numbers(s, LUCID_SHAPE(1)), y[2];
    w = lucid_add(s, lucid_select(s, w, 0, 0), lucid_scalar(s, 2));
    for (size_t i = 0; i < sizeof of / sizeof *of && lucid_error(s) == LUCID_OK; i++) {
        lucid_fn total = lucid_fn_new(s, sum_of_ruled, 1, &of[i]);
        if (lucid_call(s, lucid_grad(s, total, &both), LUCID_ARGS(x, w), y, 2) == LUCID_OK) {
            take_sum(s, y[0], sum);
            take_sum(s, y[1], sum);
        }
        lucid_tensor both_x[2] = {x, w};
        if (i < 2) { /* a batching rule cannot be kept */
            lucid_fn compiled = lucid_compile(s, total, both_x, 2, NULL);
            if (lucid_call(s, lucid_grad(s, compiled, NULL), both_x, 2, y, 1) == LUCID_OK)
                take_sum(s, y[0], sum);
        }
        if (lucid_jvp(s, total, both_x, both_x, 2, y, y + 1, 1) == LUCID_OK)
            take_sum(s, y[1], sum);
    }
}

static lucid_status checkpointed(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *nested)
{
    (void)nx, (void)ny;
    lucid_fn f = lucid_checkpoint(s, nested ? lucid_fn_new(s, checkpointed, 1, NULL)
                                            : lucid_fn_new(s, loss, 1, NULL));
    y[0] = lucid_mul(s, lucid_call1(s, f, lucid_sin(s, x[0])), lucid_call1(s, f, x[0]));
    return lucid_error(s);
}

static void checkpoints(lucid_scope *s, double *sum)
{
    lucid_fn f = lucid_checkpoint(s, lucid_fn_new(s, checkpointed, 1, s));
    lucid_tensor x = numbers(s, LUCID_SHAPE(2, 3));
    take_sum(s, lucid_call1(s, lucid_grad(s, f, NULL), x), sum);
    take_sum(s, lucid_call1(s, lucid_vmap(s, lucid_grad(s, f, NULL), NULL), x), sum);
    take_sum(s, lucid_call1(s, lucid_hessian(s, f, NULL), lucid_select(s, x, 0, 0)), sum);
}

static void mapping_in_chunks(lucid_scope *s, double *sum)
{
    lucid_fn f = lucid_fn_new(s, rows, 1, NULL);
    lucid_tensor x = numbers(s, LUCID_SHAPE(5, 3));
    lucid_tensor chunked =
        lucid_call1(s, lucid_vmap(s, f, &(lucid_vmap_options){.chunk_size = 2}), x);
    lucid_fn isolated =
        lucid_vmap(s, f, &(lucid_vmap_options){.strategy = LUCID_STRATEGY_ISOLATED});
    take_sum(s, lucid_mul(s, chunked, lucid_call1(s, isolated, x)), sum);
}

/* Lanes of nested vmaps part as tuples, with a tape between; some run one by one. */
static lucid_status branch(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    bool up = lucid_bool(s, lucid_gt(s, x[0], lucid_scalar(s, 0.5)));
    y[0] = up ? lucid_exp(s, x[0]) : lucid_square(s, x[0]);
    return lucid_error(s);
}

static lucid_status sum_of_branches(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_vmap_options o = {.max_paths = *(int *)user};
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, branch, 1, NULL), &o);
    y[0] = lucid_sum(s, lucid_call1(s, f, x[0]), LUCID_ALL);
    return lucid_error(s);
}

static void parting(lucid_scope *s, double *sum)
{
    for (int max_paths = 1; max_paths <= 2; max_paths++) {
        lucid_fn f = lucid_grad(s, lucid_fn_new(s, sum_of_branches, 1, &max_paths), NULL);
        take_sum(s, lucid_call1(s, lucid_vmap(s, f, NULL), numbers(s, LUCID_SHAPE(2, 3))), sum);
    }
}

static void gradients(lucid_scope *s, double *sum)
{
    lucid_fn f = lucid_fn_new(s, loss, 1, NULL);
    lucid_fn g = lucid_vmap(s, lucid_grad_and_value(s, f, NULL), NULL);
    lucid_tensor x = numbers(s, LUCID_SHAPE(4, 3)), y[2];
    if (lucid_call(s, g, &x, 1, y, 2) == LUCID_OK)
        take_sum(s, lucid_mul(s, y[0], lucid_unsqueeze(s, y[1], 1)), sum);
}

static void pullbacks(lucid_scope *s, double *sum)
{
    lucid_fn f = lucid_fn_new(s, rows, 1, NULL);
    lucid_tensor x = numbers(s, LUCID_SHAPE(4)), y, dy;
    lucid_fn pull = lucid_vjp(s, f, &x, 1, &y, 1);
    lucid_tensor ct = lucid_call1(s, pull, lucid_ones_like(s, y));
    lucid_fn push = lucid_linearize(s, f, &x, 1, &y, 1);
    lucid_tensor t = lucid_call1(s, push, ct);
    if (lucid_jvp(s, f, &x, &t, 1, &y, &dy, 1) == LUCID_OK)
        take_sum(s, lucid_add(s, ct, dy), sum);
}

static void jacobians(lucid_scope *s, double *sum)
{
    lucid_fn f = lucid_fn_new(s, rows, 1, NULL), g = lucid_fn_new(s, loss, 1, NULL);
    lucid_tensor x = numbers(s, LUCID_SHAPE(3));
    take_sum(s, lucid_call1(s, lucid_jacrev(s, f, NULL), x), sum);
    take_sum(s, lucid_call1(s, lucid_jacfwd(s, f, NULL), x), sum);
    take_sum(s, lucid_call1(s, lucid_hessian(s, g, NULL), x), sum);
}

static void recording(lucid_scope *s, double *sum)
{
    lucid_tensor w = lucid_requires_grad(s, numbers(s, LUCID_SHAPE(3)));
    lucid_tensor y = lucid_sum(s, lucid_exp(s, lucid_mul(s, w, w)), LUCID_ALL);
    (void)lucid_backward(s, y, (lucid_tensor){NULL});
    lucid_tensor g = lucid_grad_of(s, w);
    if (g.v)
        take_sum(s, g, sum);
}

static lucid_status draw(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor noise = lucid_randn_of(s, LUCID_SHAPE(3), LUCID_FLOAT64);
    y[0] = lucid_add(s, x[0], lucid_dropout(s, noise, 0.5, true));
    return LUCID_OK;
}

static void randomness(lucid_scope *s, double *sum)
{
    lucid_manual_seed(s, 7);
    lucid_fn f = lucid_fn_new(s, draw, 1, NULL);
    lucid_fn g = lucid_vmap(s, f, &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_DIFFERENT});
    take_sum(s, lucid_call1(s, g, numbers(s, LUCID_SHAPE(4, 3))), sum);
    take_sum(s, lucid_randint(s, 0, 10, LUCID_SHAPE(5)), sum);
    take_sum(s, lucid_randperm(s, 6), sum);
    lucid_tensor p = lucid_full(s, LUCID_SHAPE(3), lucid_scalar(s, 0.3));
    take_sum(s, lucid_multinomial(s, p, 2, false), sum);
    take_sum(s, lucid_multinomial(s, p, 5, true), sum);
    take_sum(s, lucid_poisson(s, p), sum);
    take_sum(s, lucid_uniform(s, p, lucid_exponential(s, p)), sum);
}

static void compiling(lucid_scope *s, double *sum)
{
    lucid_manual_seed(s, 7);
    lucid_fn f = lucid_fn_new(s, draw, 1, NULL);
    lucid_tensor x = numbers(s, LUCID_SHAPE(3)), X = numbers(s, LUCID_SHAPE(2, 3));
    lucid_fn g = lucid_compile(s, f, &x, 1, NULL);
    take_sum(s, lucid_call1(s, g, x), sum);
    take_sum(s, lucid_call1(s, g, lucid_flip(s, x, LUCID_ALL)), sum);
    g = lucid_vmap(s, g, &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_DIFFERENT});
    take_sum(s, lucid_call1(s, g, X), sum);
}

static lucid_status goes_on(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_lt(s, lucid_sum(s, x[0], LUCID_ALL), lucid_scalar(s, 40));
    return LUCID_OK;
}

static lucid_status one_step(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_fn f = lucid_fn_new(s, draw, 1, NULL);
    lucid_tensor drawn = lucid_call1(s, f, lucid_exp(s, lucid_tanh(s, x[0])));
    y[0] = lucid_add(s, lucid_add(s, x[0], lucid_scalar(s, 5)), lucid_abs(s, drawn));
    return LUCID_OK;
}

static lucid_status loops(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_fn step = lucid_fn_new(s, one_step, 1, NULL), rows_step = lucid_fn_new(s, rows, 1, NULL);
    lucid_tensor z;
    (void)lucid_while(s, lucid_fn_new(s, goes_on, 1, NULL), step, x, 1, NULL, &z);
    lucid_tensor pred = lucid_gt(s, lucid_select(s, x[0], 0, 0), lucid_scalar(s, 0));
    (void)lucid_cond(s, pred, step, rows_step, &z, 1, &z, 1);
    y[0] = lucid_sum(s, z, LUCID_ALL);
    return LUCID_OK;
}

static void looping(lucid_scope *s, double *sum)
{
    lucid_manual_seed(s, 7);
    lucid_fn f = lucid_grad(s, lucid_fn_new(s, loops, 1, NULL), NULL);
    f = lucid_vmap(s, f, &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_DIFFERENT});
    take_sum(s, lucid_call1(s, f, numbers(s, LUCID_SHAPE(2, 3))), sum);
}

static void indexing(lucid_scope *s, double *sum)
{
    static const int64_t positions[] = {2, 0, -1, 2};
    lucid_tensor x = numbers(s, LUCID_SHAPE(3, 4));
    lucid_tensor index = lucid_from_data(s, positions, LUCID_INT64, LUCID_SHAPE(4));
    lucid_tensor rows_of_x = lucid_index(s, x, &index, 1);
    x = lucid_index_put(s, x, &index, 1, rows_of_x, true);
    x = lucid_take(s, x, index, 1);
    lucid_tensor order, sorted = lucid_sort(s, x, 0, true, &order);
    x = lucid_mul(s, sorted, lucid_take_along_dim(s, x, order, 0));
    take_sum(s, lucid_slice(s, x, 1, LUCID_END, LUCID_END, -2), sum);
    take_sum(s, lucid_masked_select(s, x, lucid_gt(s, x, lucid_scalar(s, 0))), sum);
    take_sum(s, lucid_nonzero(s, x), sum);
}

static void linear_algebra(lucid_scope *s, double *sum)
{
    lucid_tensor m = numbers(s, LUCID_SHAPE(2, 3, 3));
    lucid_tensor a = lucid_matmul(s, m, lucid_transpose(s, m, 1, 2));
    a = lucid_add(s, a, lucid_cast(s, lucid_eye(s, 3, 3), LUCID_FLOAT64));
    take_sum(s, lucid_cholesky(s, a), sum);
    take_sum(s, lucid_solve(s, a, m), sum);
    take_sum(s, lucid_det(s, a), sum);
    take_sum(s, lucid_einsum(s, "bij,bjk->ik", (lucid_tensor[]){a, m}, 2), sum);
}

static void reading(lucid_scope *s, double *sum)
{
    char text[64];
    double back[6];
    lucid_tensor x = numbers(s, LUCID_SHAPE(2, 3)), y = lucid_exp(s, x);
    *sum += (double)lucid_format(s, y, text, sizeof text);
    if (lucid_eval(s, (lucid_tensor[]){x, y}, 2) == LUCID_OK &&
        lucid_read(s, y, back, sizeof back) == LUCID_OK)
        *sum += back[5];
    const double *data = lucid_data(s, x);
    *sum += data ? data[1] : 0;
    *sum += lucid_bool(s, lucid_any(s, lucid_lt(s, x, lucid_scalar(s, 0)), LUCID_ALL));
    *sum += (double)lucid_item_int(s, lucid_argmax(s, x, LUCID_NONE, false));
}

static void explaining(lucid_scope *s, double *sum)
{
    lucid_tensor m = numbers(s, LUCID_SHAPE(3, 3));
    lucid_tensor y = lucid_matmul(s, lucid_exp(s, m), m);
    const lucid_explanation *e = lucid_explain(s, &y, 1, NULL);
    *sum += lucid_explanation_cost(e).flops;
    for (int f = LUCID_EXPLAIN_TEXT; f <= LUCID_EXPLAIN_HTML; f++)
        *sum += (double)strlen(lucid_explanation_as(s, e, (lucid_explain_format)f));
}

const scenario scenarios[] = {
    {"building", building},
    {"mapping", mapping},
    {"mapping in chunks", mapping_in_chunks},
    {"parting", parting},
    {"joining lanes", joining},
    {"custom rules", custom_rules},
    {"checkpoints", checkpoints},
    {"gradients", gradients},
    {"pullbacks", pullbacks},
    {"jacobians", jacobians},
    {"recording", recording},
    {"randomness", randomness},
    {"compiling", compiling},
    {"looping", looping},
    {"indexing", indexing},
    {"linear algebra", linear_algebra},
    {"reading", reading},
    {"explaining", explaining},
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;
