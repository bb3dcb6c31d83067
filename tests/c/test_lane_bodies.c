/* What the bodies of lane programs may do: every operation gives the bits that it gives elsewhere. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/force.h"
#include "prim/elementwise.h"
#include "support/both_ways.h"
#include "support/random_program.h"

/* ---- every elementwise operation, on every dtype it takes ------------------------------------------ */

typedef struct apply_prim {
    lucid__prim_id prim;
    int nin, nparams;
    int64_t params[1];
} apply_prim;

/* ys[t] = op(xs[t]...); the carry counts. */
FUNCTION(apply_step)
{
    UNUSED;
    const apply_prim *p = user;
    y[0] = lucid_add(s, x[0], x[0]);
    y[1] = lucid__bind1(s, p->prim, x + 1, p->nin, p->params, p->nparams);
    return LUCID_OK;
}

FUNCTION(apply_scan)
{
    UNUSED;
    lucid_tensor one = int32(s, 1), carry;
    lucid_fn f = lucid_fn_new(s, apply_step, 2, user);
    return lucid_scan(s, f, &one, 1, x, nx, NULL, &carry, y, 1);
}

enum { LANES = 67, STEPS = 3 };

static lucid_tensor corner_steps(lucid_scope *s, lucid_dtype dtype, int shift)
{
    return lucid_reshape(s, corners(s, dtype, LANES * STEPS, shift), LUCID_SHAPE(LANES, STEPS));
}

static void one_prim(apply_prim *p, const lucid_dtype *dtype)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[3], y;
    for (int i = 0; i < p->nin; i++)
        x[i] = corner_steps(s, dtype[i], 2 * i);
    char what[80];
    (void)snprintf(what, sizeof what, "%s of %s", lucid__prim_get(p->prim)->name,
                   lucid_dtype_name(dtype[p->nin - 1]));
    both_vmapped(s, what, apply_scan, 1, p, x, (size_t)p->nin, &y);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static bool takes(lucid__class class, lucid_dtype d)
{
    bool is_float = d == LUCID_FLOAT32 || d == LUCID_FLOAT64;
    switch (class) {
    case LUCID__CLASS_SIGNED:
        return d != LUCID_BOOL;
    case LUCID__CLASS_FLOAT:
        return is_float;
    case LUCID__CLASS_LOGIC:
        return d == LUCID_BOOL;
    case LUCID__CLASS_BITS:
        return !is_float;
    default:
        return true;
    }
}

static void test_every_elementwise_operation(void **state)
{
    (void)state;
    for (int prim = 0; prim < LUCID__PRIM_COUNT; prim++) {
        lucid__class class = lucid__class_of((lucid__prim_id)prim);
        for (int d = 0; class != LUCID__CLASS_NONE && d < LUCID_NO_DTYPE; d++) {
            const lucid_dtype same[2] = {(lucid_dtype)d, (lucid_dtype)d};
            apply_prim p = {.prim = (lucid__prim_id)prim,
                            .nin = lucid__prim_get((lucid__prim_id)prim)->nin};
            if (takes(class, (lucid_dtype)d))
                one_prim(&p, same);
        }
    }
    for (int d = 0; d < LUCID_NO_DTYPE; d++) {
        const lucid_dtype where[3] = {LUCID_BOOL, (lucid_dtype)d, (lucid_dtype)d};
        one_prim(&(apply_prim){.prim = LUCID__where, .nin = 3}, where);
        for (int to = 0; to < LUCID_NO_DTYPE; to++)
            one_prim(&(apply_prim){LUCID__cast, 1, 1, {to}}, &where[1]);
        if (d == LUCID_BOOL)
            continue;
        one_prim(&(apply_prim){.prim = LUCID__pow, .nin = 2}, &where[1]);
        one_prim(&(apply_prim){LUCID__powi, 1, 1, {3}}, &where[1]);
        one_prim(&(apply_prim){LUCID__powi, 1, 1, {-2}}, &where[1]);
        if (takes(LUCID__CLASS_FLOAT, (lucid_dtype)d))
            one_prim(&(apply_prim){LUCID__polygamma, 1, 1, {2}}, &where[1]);
    }
}

/* ---- shapes, reductions, products ------------------------------------------------------------------- */

typedef lucid_tensor matrix_function(lucid_scope *s, lucid_tensor x);

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor t = lucid_transpose(s, x, 0, 1);
    return lucid_reshape(s, lucid_flip(s, t, LUCID_DIMS(0)), LUCID_SHAPE(3, 4));
}

static lucid_tensor padded(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor part = lucid_slice(s, lucid_slice(s, x, 0, 2, LUCID_END, -1), 1, 1, 4, 2);
    const int64_t low[2] = {0, 1}, high[2] = {0, 1};
    return lucid_pad(s, part, low, high);
}

static lucid_tensor joined(lucid_scope *s, lucid_tensor x)
{
    const lucid_tensor parts[2] = {lucid_slice(s, x, 1, 2, 4, 1), lucid_slice(s, x, 1, 0, 2, 1)};
    return lucid_concatenate(s, parts, 2, 1);
}

static lucid_tensor counted(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor i = lucid_arange(s, 0, 4, 1, LUCID_FLOAT64);
    return lucid_add(s, x, lucid_cast(s, lucid_expand(s, i, LUCID_SHAPE(3, 4)), lucid_dtype_of(x)));
}

#define REDUCED(name, ...) \
    static lucid_tensor name(lucid_scope *s, lucid_tensor x) \
    { \
        return lucid_add(s, x, lucid_cast(s, __VA_ARGS__, lucid_dtype_of(x))); \
    }
REDUCED(less_sum, lucid_sum(s, x, LUCID_ALL))
REDUCED(less_rows, lucid_sum(s, x, LUCID_DIMS(0)))
REDUCED(less_product, lucid_prod(s, x, LUCID_DIMS(0)))
REDUCED(less_most, lucid_amax(s, x, LUCID_DIMS(0)))
REDUCED(less_least, lucid_amin(s, x, LUCID_ALL))
REDUCED(less_any, lucid_any(s, lucid_lt(s, x, NUM(0)), LUCID_DIMS(0)))
REDUCED(less_all, lucid_all(s, lucid_lt(s, x, NUM(0)), LUCID_DIMS(0)))
REDUCED(less_argmax, lucid_argmax(s, x, 0, false))
REDUCED(less_argmin, lucid_argmin(s, x, 0, false))
REDUCED(less_cumsum, lucid_cumsum(s, x, 1))
REDUCED(less_cumprod, lucid_cumprod(s, x, 0))

static lucid_tensor long_sum(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor flat = lucid_reshape(s, x, LUCID_SHAPE(12));
    const lucid_tensor parts[4] = {flat, lucid_exp(s, flat), lucid_neg(s, flat), flat};
    lucid_tensor sum = lucid_sum(s, lucid_concatenate(s, parts, 4, 0), LUCID_ALL);
    return lucid_add(s, x, sum);
}

typedef struct matrix_user {
    matrix_function *f;
} matrix_user;

FUNCTION(matrix_step)
{
    UNUSED;
    y[0] = ((const matrix_user *)user)->f(s, x[0]);
    return LUCID_OK;
}

FUNCTION(matrix_scan)
{
    UNUSED;
    lucid_scan_options two = {.length = 2};
    lucid_fn f = lucid_fn_new(s, matrix_step, 1, user);
    return lucid_scan(s, f, x, 1, NULL, 0, &two, y, NULL, 0);
}

static void test_shapes_and_reductions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        matrix_function *f;
    } all[] = {
        {"turned", turned},        {"padded", padded},      {"joined", joined},
        {"counted", counted},      {"sum", less_sum},       {"sum of rows", less_rows},
        {"product", less_product}, {"amax", less_most},     {"amin", less_least},
        {"any", less_any},         {"all", less_all},       {"argmax", less_argmax},
        {"argmin", less_argmin},   {"cumsum", less_cumsum}, {"cumprod", less_cumprod},
        {"long sum", long_sum},
    };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (int d = LUCID_FLOAT32; d <= LUCID_FLOAT64; d++) {
            lucid_scope *s = lucid_open(NULL);
            matrix_user user = {all[k].f};
            lucid_tensor flat = corners(s, (lucid_dtype)d, 12 * 40, 6), y;
            lucid_tensor x = lucid_reshape(s, flat, LUCID_SHAPE(40, 3, 4));
            both_vmapped(s, all[k].name, matrix_scan, 1, &user, &x, 1, &y);
            lucid_tensor one = lucid_select(s, x, 0, 7);
            both(s, all[k].name, lucid_fn_new(s, matrix_scan, 1, &user), &one, 1, &y, 1);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* x^4 by products of matrices, and of a matrix and a vector, against loops. */
FUNCTION(product_step)
{
    UNUSED;
    y[0] = lucid_matmul(s, x[0], x[1]);
    y[1] = x[1];
    y[2] = lucid_matmul(s, x[1], x[2]);
    return LUCID_OK;
}

FUNCTION(products)
{
    UNUSED;
    lucid_scan_options three = {.length = 3};
    const lucid_tensor init[3] = {x[0], x[0], x[1]};
    lucid_tensor out[3];
    lucid_fn f = lucid_fn_new(s, product_step, 3, NULL);
    (void)lucid_scan(s, f, init, 3, NULL, 0, &three, out, NULL, 0);
    y[0] = out[0];
    y[1] = out[2];
    return LUCID_OK;
}

static void test_products(void **state)
{
    (void)state;
    enum { B = 70, N = 3 };
    double a[B][N][N], v[B][N];
    for (int i = 0; i < B * N * N; i++)
        (&a[0][0][0])[i] = i * 29 % 41 / 20.0 - 1;
    for (int i = 0; i < B * N; i++)
        (&v[0][0])[i] = i * 13 % 17 / 8.0 - 1;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2] = {lucid_from_data(s, a, LUCID_FLOAT64, LUCID_SHAPE(B, N, N)),
                         lucid_from_data(s, v, LUCID_FLOAT64, LUCID_SHAPE(B, N))},
                 y[2];
    apply(s, lucid_vmap(s, lucid_fn_new(s, products, 2, NULL), NULL), x, 2, y, 2);
    assert_true(in_lanes(s, y, 2));
    const double *m = lucid_data(s, y[0]), *w = lucid_data(s, y[1]);
    for (int b = 0; b < B; b++) {
        double p[N][N], u[N];
        memcpy(p, a[b], sizeof p);
        memcpy(u, v[b], sizeof u);
        for (int t = 0; t < 3; t++) {
            double next[N][N] = {{0}}, un[N] = {0};
            for (int i = 0; i < N; i++)
                for (int k = 0; k < N; k++) {
                    un[i] = fma(a[b][i][k], u[k], un[i]);
                    for (int j = 0; j < N; j++)
                        next[i][j] = fma(p[i][k], a[b][k][j], next[i][j]);
                }
            memcpy(p, next, sizeof p);
            memcpy(u, un, sizeof u);
        }
        for (int i = 0; i < N * N; i++)
            assert_true(fabs(m[b * N * N + i] - (&p[0][0])[i]) < 1e-12);
        for (int i = 0; i < N; i++)
            assert_true(fabs(w[b * N + i] - u[i]) < 1e-12);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* One dot product whose factors are a lane's own or all lanes' in every combination: (c0, c1, 2, -3, p0) and
 * (0.5, p1, 0.25, 0.75, -1). */
typedef struct lane_numbers {
    lucid_tensor p, ours, theirs; /* p of the lane; what all share of the two vectors */
} lane_numbers;

static lucid_tensor part(lucid_scope *s, lucid_tensor x, int64_t from, int64_t to)
{
    return lucid_slice(s, x, 0, from, to, 1);
}

FUNCTION(mixed_step)
{
    UNUSED;
    const lane_numbers *c = user;
    lucid_tensor v[3] = {x[0], c->ours, part(s, c->p, 0, 1)};
    lucid_tensor u[3] = {part(s, c->theirs, 0, 1), part(s, c->p, 1, 2), part(s, c->theirs, 1, 4)};
    lucid_tensor dot =
        lucid_matmul(s, lucid_concatenate(s, v, 3, 0), lucid_concatenate(s, u, 3, 0));
    lucid_tensor next[2] = {lucid_reshape(s, dot, LUCID_SHAPE(1)), part(s, x[0], 0, 1)};
    y[0] = lucid_concatenate(s, next, 2, 0);
    return LUCID_OK;
}

FUNCTION(mixed)
{
    UNUSED;
    lane_numbers *c = user;
    lane_numbers mine = {x[1], c->ours, c->theirs};
    lucid_scan_options steps = {.length = 4};
    lucid_fn f = lucid_fn_new(s, mixed_step, 1, &mine);
    return lucid_scan(s, f, x, 1, NULL, 0, &steps, y, NULL, 0);
}

static void mixed_of(lucid_dtype dtype, int64_t n)
{
    static const double ours[] = {2, -3}, theirs[] = {0.5, 0.25, 0.75, -1};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor c = lucid_cast(s, lucid_rand(s, LUCID_SHAPE(n, 2)), dtype),
                 p = lucid_cast(s, lucid_rand(s, LUCID_SHAPE(n, 2)), dtype);
    lane_numbers shared = {
        .ours = lucid_cast(s, lucid_from_data(s, ours, LUCID_FLOAT64, LUCID_SHAPE(2)), dtype),
        .theirs = lucid_cast(s, lucid_from_data(s, theirs, LUCID_FLOAT64, LUCID_SHAPE(4)), dtype)};
    lucid_tensor x[2] = {c, p}, y;
    apply(s, lucid_vmap(s, lucid_fn_new(s, mixed, 1, &shared), NULL), x, 2, &y, 1);
    assert_true(in_lanes(s, &y, 1));
    lucid_tensor wide[3] = {lucid_cast(s, c, LUCID_FLOAT64), lucid_cast(s, p, LUCID_FLOAT64),
                            lucid_cast(s, y, LUCID_FLOAT64)};
    const double *cs = lucid_data(s, wide[0]), *ps = lucid_data(s, wide[1]),
                 *ys = lucid_data(s, wide[2]);
    check(s);
    for (int64_t l = 0; l < n; l++) {
        double c0 = cs[2 * l], c1 = cs[2 * l + 1], p0 = ps[2 * l], p1 = ps[2 * l + 1];
        for (int t = 0; t < 4; t++) {
            double next = c0 * 0.5 + c1 * p1 + 2 * 0.25 - 3 * 0.75 - p0;
            c1 = c0;
            c0 = next;
        }
        const double bound = dtype == LUCID_FLOAT32 ? 1e-5 : 1e-14;
        assert_true(fabs(ys[2 * l] - c0) < bound * 4 && fabs(ys[2 * l + 1] - c1) < bound * 4);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_mixed_products(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 15, 16, 31, 33, 65, 97, 129, 700};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        mixed_of(LUCID_FLOAT32, sizes[k]);
        mixed_of(LUCID_FLOAT64, sizes[k]);
    }
}

/* ---- random numbers, indices ------------------------------------------------------------------------ */

FUNCTION(walk_step)
{
    UNUSED;
    lucid_tensor step = lucid_randn(s, LUCID_SHAPE(2, 3));
    y[0] = lucid_add(s, x[0], lucid_sum(s, step, LUCID_ALL));
    y[1] = lucid_randint(s, 0, 100, LUCID_SCALAR_SHAPE);
    return LUCID_OK;
}

FUNCTION(walk)
{
    UNUSED;
    lucid_scan_options options = {.length = 9};
    lucid_fn f = lucid_fn_new(s, walk_step, 2, NULL);
    return lucid_scan(s, f, x, 1, NULL, 0, &options, y, y + 1, 1);
}

static void test_random_numbers(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = corners(s, LUCID_FLOAT32, 150, 0), y[2], z[2];
    const lucid_randomness modes[] = {LUCID_RANDOMNESS_SAME, LUCID_RANDOMNESS_DIFFERENT};
    for (int k = 0; k < 2; k++) {
        lucid_vmap_options options = {.randomness = modes[k]};
        lucid_fn f = lucid_vmap(s, lucid_fn_new(s, walk, 2, NULL), &options);
        for (int lanes = 1; lanes >= 0; lanes--) {
            lucid_manual_seed(s, 7);
            lucid__force_layout(lanes ? LUCID__FORCE_NONE : LUCID__FORCE_ELEMENTS);
            apply(s, f, &x, 1, lanes ? y : z, 2);
            assert_int_equal(in_lanes(s, lanes ? y : z, 2), lanes);
            assert_int_equal(lucid_eval(s, lanes ? y : z, 2), LUCID_OK);
        }
        lucid__force_layout(LUCID__FORCE_NONE);
        same_bits(s, y[0], z[0], "walks");
        same_bits(s, y[1], z[1], "draws");
        const int64_t *draw = lucid_data(s, lucid_row_major(s, y[1]));
        int differ = 0;
        for (int i = 9; i < 18; i++)
            differ += draw[i] != draw[i - 9];
        assert_int_equal(differ > 0, k == 1);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Where it goes next stands in a table. */
FUNCTION(hop_step)
{
    UNUSED;
    const lucid_tensor pair[2] = {
        x[0],
        lucid_sub(s, lucid_remainder(s, x[0], lucid_scalar_int(s, 2)), lucid_scalar_int(s, 2))};
    y[0] = lucid_index(s, x[1], x, 1);
    y[1] = x[1];
    y[2] = lucid_mul(s, x[2], NUM(2));
    y[3] = lucid_index(s, x[2], pair, 2);
    y[4] = lucid_index(s, x[2], x, 1);
    return LUCID_OK;
}

FUNCTION(hops)
{
    UNUSED;
    lucid_scan_options options = {.length = 6};
    lucid_tensor out[3];
    lucid_fn f = lucid_fn_new(s, hop_step, 5, NULL);
    (void)lucid_scan(s, f, x, 3, NULL, 0, &options, out, y + 1, 2);
    y[0] = out[0];
    return LUCID_OK;
}

FUNCTION(read_table)
{
    UNUSED;
    y[0] = lucid_index(s, x[1], x, 1);
    return LUCID_OK;
}

FUNCTION(read_nothing)
{
    UNUSED;
    y[0] = lucid_scalar_int(s, -1);
    return LUCID_OK;
}

/* Reads the table only where the position is in it. */
FUNCTION(guarded)
{
    UNUSED;
    lucid_tensor outside = lucid_ge(s, x[0], lucid_scalar_int(s, 5));
    return lucid_cond(s, outside, lucid_fn_new(s, read_nothing, 1, NULL),
                      lucid_fn_new(s, read_table, 1, NULL), x, 2, y, 1);
}

/* Counts where it has been, and leaves a mark. */
FUNCTION(visit_step)
{
    UNUSED;
    const lucid_tensor pair[2] = {x[0], lucid_scalar_int(s, 0)};
    y[0] = lucid_index(s, x[1], x, 1);
    y[1] = x[1];
    y[2] = lucid_index_put(s, x[2], x, 1, lucid_ones(s, LUCID_SHAPE(2)), true);
    y[2] = lucid_index_put(s, y[2], pair, 2, lucid_mul(s, x[3], NUM(0.5)), false);
    y[3] = lucid_add(s, x[3], NUM(1));
    return LUCID_OK;
}

FUNCTION(visits)
{
    UNUSED;
    lucid_scan_options options = {.length = 6};
    const lucid_tensor init[4] = {x[0], x[1], x[2], NUM(1)};
    lucid_fn f = lucid_fn_new(s, visit_step, 4, NULL);
    return lucid_scan(s, f, init, 4, NULL, 0, &options, y, NULL, 0);
}

static void test_indices(void **state)
{
    (void)state;
    enum { B = 75 };
    lucid_scope *s = lucid_open(NULL);
    int64_t at[B], table[B][5];
    for (int b = 0; b < B; b++) {
        at[b] = b % 10 - 5; /* also from the end */
        for (int i = 0; i < 5; i++)
            table[b][i] = (b * 7 + i * 3) % 10 - 5;
    }
    lucid_tensor x[3] = {lucid_from_data(s, at, LUCID_INT64, LUCID_SHAPE(B)),
                         lucid_from_data(s, table, LUCID_INT64, LUCID_SHAPE(B, 5)),
                         lucid_reshape(s, corners(s, LUCID_FLOAT32, 10, 2), LUCID_SHAPE(5, 2))},
                 y[3];
    lucid_vmap_options options = {.in_dims = LUCID_INTS(0, 0, LUCID_NONE)};
    both(s, "hops", lucid_vmap(s, lucid_fn_new(s, hops, 3, NULL), &options), x, 3, y, 3);
    lucid_tensor been[4];
    both(s, "visits", lucid_vmap(s, lucid_fn_new(s, visits, 4, NULL), &options), x, 3, been, 4);
    x[0] = lucid_add(s, x[0], lucid_scalar_int(s, 4)); /* -1 .. 8 */
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, guarded, 1, NULL), NULL);
    both(s, "guarded", f, x, 2, y, 1);
    (void)lucid_call(s, lucid_vmap(s, lucid_fn_new(s, hops, 3, NULL), &options), x, 3, y, 3);
    check(s);
    assert_true(in_lanes(s, y, 3));
    assert_int_equal(lucid_eval(s, y, 3), LUCID_INDEX_ERROR);
    assert_non_null(strstr(lucid_error_message(s), "out of range for dim 0 of size 5"));
    (void)lucid_close(s);
}

/* ---- random programs -------------------------------------------------------------------------------- */

/* ys[t] = program(xs[t]) */
FUNCTION(program_map)
{
    UNUSED;
    return lucid_map(s, lucid_fn_new(s, program_run, 1, user), x, nx, y, 1);
}

static lucid_tensor random_steps(lucid_scope *s, test_rng *rng, lucid_shape shape)
{
    const int64_t lanes = 5, steps = 2;
    shape = lucid__shape_insert(&shape, 0, steps);
    shape = lucid__shape_insert(&shape, 0, lanes);
    host_array a = sample_input(&(lucid__sample_input){LUCID_FLOAT64, "normal", shape}, rng);
    lucid_tensor x = host_to_tensor(s, &a);
    return x;
}

/* To rounding: products of matrices add up in an order of their own. */
static void nearly_same(lucid_scope *s, lucid_tensor x, lucid_tensor y, uint64_t seed)
{
    const double *a = lucid_data(s, lucid_row_major(s, x)),
                 *b = lucid_data(s, lucid_row_major(s, y));
    check(s);
    for (int64_t i = 0; i < lucid_numel(x); i++)
        if (!(fabs(a[i] - b[i]) <= 1e-9 * (1 + fabs(b[i]))) && a[i] != b[i] &&
            (a[i] == a[i] || b[i] == b[i]))
            fail_msg("program %d: element %d is %.17g, not %.17g", (int)seed, (int)i, a[i], b[i]);
}

static void test_random_bodies(void **state)
{
    (void)state;
    int fit = 0;
    for (uint64_t seed = 1; seed <= 250; seed++) {
        size_t mark = host_mark();
        lucid_scope *s = lucid_open(NULL);
        test_rng rng = rng_of(seed, 0, 0);
        choices c = {.rng = rng_of(seed, 3, 0)};
        program p = {.start = {.rng = rng_of(seed, 1, 0)},
                     .steps = 2 + (int)choose(&c, 11),
                     .in_body = true};
        lucid_tensor x[3], y, z;
        size_t nx = 1 + (size_t)choose(&c, 3);
        for (size_t i = 0; i < nx; i++) {
            lucid_shape shape = {.ndim = (int)choose(&c, 3)};
            for (int d = 0; d < shape.ndim; d++)
                shape.dim[d] = choose(&c, 5);
            x[i] = random_steps(s, &rng, shape);
        }
        lucid_fn f = lucid_vmap(s, lucid_fn_new(s, program_map, 1, &p), NULL);
        apply(s, f, x, nx, &y, 1);
        if (in_lanes(s, &y, 1)) {
            fit++;
            assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
            lucid__force_layout(LUCID__FORCE_ELEMENTS);
            apply(s, f, x, nx, &z, 1);
            nearly_same(s, y, z, seed);
            lucid__force_layout(LUCID__FORCE_NONE);
        }
        assert_int_equal(lucid_close(s), LUCID_OK);
        host_release(mark);
    }
    print_message("%d random programs ran in lanes\n", fit);
    assert_true(fit > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_elementwise_operation),
        cmocka_unit_test(test_shapes_and_reductions),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_mixed_products),
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_random_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
