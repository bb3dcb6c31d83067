/* What simplification makes of products of tensors: products with a basis, and those whose operands are
 * themselves products. Elements are small whole numbers, so that any order of multiplying gives the same bits. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"
#include "lucid.h"

/* ---- random numbers -------------------------------------------------------------------------------- */

static uint64_t state_of_random;

static int random_below(int n)
{
    state_of_random = state_of_random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (int)((state_of_random >> 33) % (uint64_t)n);
}

static lucid_tensor whole_numbers(lucid_scope *s, lucid_shape shape)
{
    float at[4096];
    int64_t n = 1;
    for (int d = 0; d < shape.ndim; d++)
        n *= shape.dim[d];
    assert_true(n <= 4096);
    for (int64_t i = 0; i < n; i++)
        at[i] = (float)(random_below(5) - 2);
    return lucid_from_data(s, at, LUCID_FLOAT32, shape);
}

/* ---- evaluated with and without rules ----------------------------------------------------------------- */

typedef lucid_tensor builder(lucid_scope *s, const void *of);

static lucid_tensor build(lucid_scope *s, builder *make, const void *of)
{
    lucid_scope *t = lucid_scope_new(s);
    lucid_tensor y = lucid_keep(t, make(t, of));
    if (lucid_error(t) != LUCID_OK)
        fail_msg("%s", lucid_error_message(t));
    assert_int_equal(lucid_close(t), LUCID_OK);
    return y;
}

/* Both ways give the same; what it costs by the rules. */
static lucid_cost both_ways(builder *make, const void *of, const char *name)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = build(s, make, of), plain = build(s, make, of);
    const lucid_explanation *told = lucid_explain(s, &y, 1, NULL);
    lucid_cost cost = lucid_explanation_cost(told);
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
    lucid__set_fusion(false);
    assert_int_equal(lucid_eval(s, &plain, 1), LUCID_OK);
    lucid__set_fusion(true);
    const float *got = lucid_data(s, y), *want = lucid_data(s, plain);
    for (int64_t i = 0; i < lucid_numel(y); i++)
        if (got[i] != want[i])
            fail_msg("%s: element %" PRId64 " is %g, not %g", name, i, (double)got[i],
                     (double)want[i]);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return cost;
}

/* ---- products of products ------------------------------------------------------------------------------ */

static const char letters[] = "bcpqrst"; /* b, c: batch; p, q, r: the operand's own; s, t: summed */
enum { LETTERS = 7 };

typedef struct random_product {
    uint64_t seed;
    char equation[64];
} random_product;

/* A tensor over a few of these dims, spread over all of them. */
static lucid_tensor factor(lucid_scope *s, lucid_shape all, bool own_only_one)
{
    lucid_shape shape = all;
    int kept = random_below(3);
    for (int d = 0; d < all.ndim; d++)
        if (random_below(2) || (own_only_one && d >= 2 && d < 5 && d - 2 != kept))
            shape.dim[d] = 1;
    return lucid_expand(s, whole_numbers(s, shape), all);
}

static lucid_tensor tree(lucid_scope *s, lucid_shape all, int depth)
{
    lucid_tensor a = depth > 0 ? tree(s, all, depth - 1) : factor(s, all, true), b;
    switch (depth > 0 ? random_below(7) : 7) {
    case 0:
        return lucid_neg(s, a);
    case 1:
        return lucid_add(s, a, a);
    case 2: /* with a factor in common */
        b = factor(s, all, true);
        return lucid_add(s, lucid_mul(s, b, a), lucid_mul(s, factor(s, all, true), b));
    case 3:
        b = factor(s, all, true);
        return lucid_sub(s, lucid_mul(s, factor(s, all, false), b), lucid_mul(s, b, a));
    case 7:
        return a;
    default:
        return lucid_mul(s, a, factor(s, all, true));
    }
}

static lucid_tensor product_of_products(lucid_scope *s, const void *of)
{
    const random_product *r = of;
    state_of_random = r->seed;
    lucid_shape all = {LETTERS, {0}}, y_shape = {0, {0}};
    char x_dims[16] = "", y_dims[16] = "", out[16] = "", equation[64];
    int order[LETTERS], n = 0, y_own = random_below(3);
    for (int d = 0; d < LETTERS; d++) {
        all.dim[d] = random_below(6) == 0 ? 1 : 2 + random_below(3);
        order[d] = d;
    }
    for (int d = LETTERS - 1; d > 0; d--) {
        int e = random_below(d + 1), t = order[d];
        order[d] = order[e], order[e] = t;
    }
    lucid_dims dims = {.n = LETTERS};
    for (int d = 0; d < LETTERS; d++) {
        dims.dim[d] = order[d];
        x_dims[d] = letters[order[d]];
    }
    lucid_tensor x = tree(s, all, 1 + random_below(3));
    x = lucid_permute(s, x, dims);
    for (int i = 0; i < y_own; i++) {
        y_dims[n++] = (char)('u' + i);
        y_shape.dim[y_shape.ndim++] = 2 + random_below(2);
    }
    for (int d = 0; d < LETTERS; d++)
        if (letters[d] == 'b' || letters[d] == 'c' || letters[d] >= 's') {
            y_dims[n++] = letters[d];
            y_shape.dim[y_shape.ndim++] = all.dim[d];
        }
    n = 0;
    for (int d = 0; d < 5; d++)
        out[n++] = letters[d];
    for (int i = 0; i < y_own; i++)
        out[n++] = (char)('u' + i);
    for (int d = n - 1; d > 0; d--) {
        int e = random_below(d + 1);
        char t = out[d];
        out[d] = out[e], out[e] = t;
    }
    lucid_tensor in[2] = {x, whole_numbers(s, y_shape)};
    bool turned = random_below(2);
    (void)snprintf(equation, sizeof equation, "%s,%s->%s", turned ? y_dims : x_dims,
                   turned ? x_dims : y_dims, out);
    if (turned) {
        in[0] = in[1];
        in[1] = x;
    }
    return lucid_einsum(s, equation, in, 2);
}

static void products_of_products_are_the_same_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        random_product r = {.seed = seed * UINT64_C(0x9E3779B97F4A7C15)};
        char name[32];
        (void)snprintf(name, sizeof name, "product %" PRIu64, seed);
        (void)both_ways(product_of_products, &r, name);
    }
}

/* ---- derivatives --------------------------------------------------------------------------------------- */

/* w2 (o, h), w1 (h, i), x (i): w2 (w1 x)^3, whose derivatives are products of what depends on the point and what
 * does not. */
static lucid_status two_layers(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor h = lucid_matmul(s, x[1], x[2]);
    y[0] = lucid_matmul(s, x[0], lucid_mul(s, lucid_square(s, h), h));
    return LUCID_OK;
}

typedef struct derivative {
    const char *name;
    lucid_fn (*of)(lucid_scope *s, lucid_fn f, const lucid_grad_options *options);
    int64_t points, inputs, hidden, outputs; /* outputs 0: a number */
    int64_t chunk;
    size_t dispatches;
    double flops;
} derivative;

static lucid_tensor derivative_at_points(lucid_scope *s, const void *of)
{
    const derivative *d = of;
    state_of_random = 7;
    lucid_shape last = {d->outputs > 0 ? 2 : 1, {d->outputs, d->hidden}};
    if (d->outputs == 0)
        last.dim[0] = d->hidden;
    const lucid_tensor x[3] = {whole_numbers(s, last),
                               whole_numbers(s, LUCID_SHAPE(d->hidden, d->inputs)),
                               whole_numbers(s, LUCID_SHAPE(d->points, d->inputs))};
    const int argnum = 2, in_dims[3] = {LUCID_NONE, LUCID_NONE, 0};
    const lucid_grad_options options = {.argnums = {&argnum, 1}, .chunk_size = d->chunk};
    const lucid_vmap_options over = {.in_dims = {in_dims, 3}};
    lucid_tensor y = {NULL};
    lucid_fn f = d->of(s, lucid_fn_new(s, two_layers, 1, NULL), &options);
    (void)lucid_call(s, lucid_vmap(s, f, &over), x, 3, &y, 1);
    return y;
}

static void derivatives_are_products_of_few_matrices(void **state)
{
    (void)state;
    /* The flops that the products need, and some elementwise ones. */
    const derivative table[] = {
        {"jacrev", lucid_jacrev, 64, 4, 8, 4, 0, 4, 2.0 * 64 * 8 * (4 + 16) + 64 * 8 * 8},
        {"jacfwd", lucid_jacfwd, 64, 4, 8, 4, 0, 4, 2.0 * 64 * 8 * (4 + 16) + 64 * 8 * 8},
        {"hessian", lucid_hessian, 64, 4, 8, 0, 0, 5, 2.0 * 64 * 8 * (4 + 16) + 64 * 8 * 27},
        {"jacrev, few points", lucid_jacrev, 3, 4, 8, 4, 0, 6, INFINITY},
        {"jacrev in chunks", lucid_jacrev, 64, 4, 8, 4, 3, 99, INFINITY},
        {"hessian in chunks", lucid_hessian, 64, 4, 8, 0, 3, 99, INFINITY},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        lucid_cost cost = both_ways(derivative_at_points, &table[i], table[i].name);
        if (cost.dispatches > table[i].dispatches || cost.flops > table[i].flops)
            fail_msg("%s: %zu dispatches, %g flops, not %zu and %g", table[i].name, cost.dispatches,
                     cost.flops, table[i].dispatches, table[i].flops);
    }
}

/* ---- with a basis --------------------------------------------------------------------------------------- */

static lucid_status linear_map(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = lucid_einsum(s, user, x, 2);
    return LUCID_OK;
}

/* The derivative of a linear map is the map: also where an entry of it is not finite, which must not reach the
 * other entries. In any mode, and in chunks. */
static void a_basis_picks(void **state)
{
    (void)state;
    const float w[12] = {1, INFINITY, 3, 4, NAN, 6, -0.0f, 8, 9, -INFINITY, 11, 12};
    lucid_fn (*const of[2])(lucid_scope *, lucid_fn, const lucid_grad_options *) = {lucid_jacrev,
                                                                                    lucid_jacfwd};
    for (int kind = 0; kind < 4; kind++)
        for (int64_t chunk = 0; chunk < 4; chunk++) {
            lucid_scope *s = lucid_open(NULL);
            /* kinds 2 and 3: x is a matrix, whose rows and columns are summed over together */
            char *equation = kind < 2 ? "oi,i->o" : "oij,ij->o";
            lucid_shape w_shape = kind < 2 ? LUCID_SHAPE(3, 4) : LUCID_SHAPE(3, 2, 2);
            lucid_shape x_shape = kind < 2 ? LUCID_SHAPE(4) : LUCID_SHAPE(2, 2);
            const lucid_tensor x[2] = {lucid_from_data(s, w, LUCID_FLOAT32, w_shape),
                                       lucid_ones(s, x_shape)};
            const int argnum = 1;
            const lucid_grad_options options = {.argnums = {&argnum, 1}, .chunk_size = chunk};
            lucid_tensor y = {NULL};
            lucid_fn f = lucid_fn_new(s, linear_map, 1, equation);
            assert_int_equal(lucid_call(s, of[kind % 2](s, f, &options), x, 2, &y, 1), LUCID_OK);
            if (chunk == 0) {
                const lucid_explanation *told = lucid_explain(s, &y, 1, NULL);
                assert_true(lucid_explanation_cost(told).dispatches <= 1);
            }
            const float *got = lucid_data(s, y);
            for (int i = 0; i < 12; i++)
                if (got[i] != w[i] && !(isnan(got[i]) && isnan(w[i])))
                    fail_msg("kind %d, chunk %d: element %d is %g, not %g", kind, (int)chunk, i,
                             (double)got[i], (double)w[i]);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_products_are_the_same_in_any_order),
        cmocka_unit_test(derivatives_are_products_of_few_matrices),
        cmocka_unit_test(a_basis_picks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
