/* Philox against its published answers, the layout of the streams, and what vmap makes of random
 * operations. How the numbers are distributed: test_distributions.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/philox.h"
#include "prim/prim.h"
#include "support/function_laws.h"

/* ---- functions ------------------------------------------------------------------------------ */

FUNCTION(f_rand, lucid_rand(s, LUCID_SHAPE(5)))
FUNCTION(f_randn_scalar, lucid_randn(s, LUCID_SCALAR_SHAPE))
FUNCTION(f_randn, lucid_randn(s, LUCID_SHAPE(2, 3)))
FUNCTION(f_randint, lucid_randint(s, -5, 5, LUCID_SHAPE(3)))
FUNCTION(f_bernoulli, lucid_bernoulli(s, lucid_full(s, LUCID_SHAPE(9), lucid_scalar(s, 0.5))))
FUNCTION(f_bernoulli_x, lucid_bernoulli(s, x[0]))
FUNCTION(f_normal, lucid_normal(s, x[0], lucid_scalar(s, 2)))
FUNCTION(f_randperm, lucid_randperm(s, 6))
FUNCTION(f_dropout, lucid_dropout(s, x[0], 0.5, true))
FUNCTION(f_dropout_off, lucid_dropout(s, x[0], 0.5, false))
FUNCTION(f_uniform, lucid_uniform(s, lucid_scalar(s, -1), x[0]))
FUNCTION(f_exponential, lucid_exponential(s, x[0]))
FUNCTION(f_poisson, lucid_poisson(s, lucid_mul(s, x[0], lucid_scalar(s, 30))))
FUNCTION(f_multinomial, lucid_multinomial(s, x[0], 4, false))
FUNCTION(f_multinomial_repeated, lucid_multinomial(s, x[0], 9, true))
FUNCTION(f_two_draws, lucid_sub(s, lucid_rand(s, LUCID_SHAPE(4)), lucid_rand(s, LUCID_SHAPE(4))))

/* A vmap, of the mode in `user`, over 4 lanes around a draw of 3. */
static lucid_status inner_vmap(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny;
    const lucid_vmap_options *options = user;
    lucid_tensor lanes = lucid_add(s, lucid_zeros(s, LUCID_SHAPE(4)), x[0]);
    lucid_fn f = lucid_fn_new(s, f_randn, 1, NULL);
    y[0] = lucid_call1(s, lucid_vmap(s, f, options), lanes);
    return lucid_error(s);
}

static lucid_scope *s;

static int begin(void **state)
{
    (void)state;
    s = lucid_open(&(lucid_open_options){.seed = 42});
    return s == NULL;
}

static int end(void **state)
{
    (void)state;
    return lucid_close(s) != LUCID_OK;
}

/* ---- the generator -------------------------------------------------------------------------- */

/* kat_vectors of Random123 1.14, the lines of philox4x32 with 10 rounds. */
static void test_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], word[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
         {UINT32_MAX, UINT32_MAX},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t word[4];
        lucid__philox(known[i].counter, known[i].key, word);
        assert_memory_equal(word, known[i].word, sizeof word);
        /* The same through the primitive: the counter is (block, lane, draw, lane high). */
        const uint32_t *c = known[i].counter, *k = known[i].key;
        int64_t block = c[0];
        if (block != 0)
            continue;
        lucid_tensor in[3] = {
            lucid_scalar_int(s, (int64_t)((uint64_t)k[1] << 32 | k[0])),
            lucid_scalar_int(s, c[2]),
            lucid_scalar_int(s, (int64_t)((uint64_t)c[3] << 32 | c[1])),
        };
        int64_t size = 4;
        lucid_tensor words = lucid__bind1(s, LUCID__random_bits, in, 3, &size, 1);
        int32_t got[4];
        assert_int_equal(lucid_read(s, words, got, sizeof got), LUCID_OK);
        assert_memory_equal(got, known[i].word, sizeof got);
    }
}

/* Every word against the definition, for lanes with full blocks, parts of blocks, and none. */
static void test_layout(void **state)
{
    (void)state;
    enum { LANES = 70 };
    static const int64_t sizes[] = {0, 1, 3, 4, 5, 8, 257, 5000};
    int64_t seed[LANES], draw[LANES], lane[LANES];
    for (int i = 0; i < LANES; i++) {
        seed[i] = (int64_t)(UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)i);
        draw[i] = 3 * i;
        lane[i] = i % 7 == 0 ? ((int64_t)i << 33) + i : LANES - i;
    }
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k];
        lucid_shape lanes = LUCID_SHAPE(7, 10);
        lucid_tensor in[3] = {lucid_from_data(s, seed, LUCID_INT64, lanes),
                              lucid_from_data(s, draw, LUCID_INT64, lanes),
                              lucid_from_data(s, lane, LUCID_INT64, lanes)};
        lucid_tensor words = lucid__bind1(s, LUCID__random_bits, in, 3, &n, 1);
        has_shape(words, LUCID_SHAPE(7, 10, n));
        const uint32_t *got = lucid_data(s, words);
        assert_int_equal(lucid_error(s), LUCID_OK);
        for (int64_t e = 0; e < LANES * n; e++) {
            int64_t l = e / n, block = e % n / 4;
            uint32_t counter[4] = {(uint32_t)block, (uint32_t)lane[l], (uint32_t)draw[l],
                                   (uint32_t)((uint64_t)lane[l] >> 32)};
            uint32_t key[2] = {(uint32_t)seed[l], (uint32_t)((uint64_t)seed[l] >> 32)}, word[4];
            lucid__philox(counter, key, word);
            assert_int_equal(got[e], word[e % n % 4]);
        }
    }
}

static void test_draws(void **state)
{
    (void)state;
    lucid_tensor a = lucid_rand(s, LUCID_SHAPE(4)), b = lucid_rand(s, LUCID_SHAPE(4));
    assert_int_equal(lucid_generator_state(lucid_generator_of(s)).draw, 2);
    lucid_manual_seed(s, 42);
    same_tensors(s, "same seed", lucid_rand(s, LUCID_SHAPE(4)), a, 0);
    same_tensors(s, "second draw", lucid_rand(s, LUCID_SHAPE(4)), b, 0);
    assert_true(lucid_item(s, lucid_norm(s, lucid_sub(s, a, b), 1, LUCID_ALL)) > 1e-3);
    /* A longer draw begins as the shorter one. */
    lucid_manual_seed(s, 42);
    same_tensors(s, "prefix", lucid_slice(s, lucid_rand(s, LUCID_SHAPE(99)), 0, 0, 4, 1), a, 0);
    lucid_manual_seed(s, 43);
    lucid_tensor c = lucid_rand(s, LUCID_SHAPE(4));
    assert_true(lucid_item(s, lucid_norm(s, lucid_sub(s, a, c), 1, LUCID_ALL)) > 1e-3);
    has_shape(lucid_randn(s, LUCID_SHAPE(0, 3)), LUCID_SHAPE(0, 3));
    has_shape(lucid_rand(s, LUCID_SCALAR_SHAPE), LUCID_SCALAR_SHAPE);
    (void)elements(s, lucid_randn(s, LUCID_SHAPE(0, 3)));
}

/* ---- vmap ----------------------------------------------------------------------------------- */

typedef struct random_op {
    const char *name;
    lucid_function *f;
} random_op;

static const random_op random_ops[] = {
    {"rand", f_rand},       {"randn", f_randn_scalar},      {"randn", f_randn},
    {"randint", f_randint}, {"bernoulli", f_bernoulli},     {"bernoulli", f_bernoulli_x},
    {"normal", f_normal},   {"randperm", f_randperm},       {"dropout", f_dropout},
    {"rand", f_two_draws},  {"uniform", f_uniform},         {"exponential", f_exponential},
    {"poisson", f_poisson}, {"multinomial", f_multinomial}, {"multinomial", f_multinomial_repeated},
};
enum { OPS = sizeof random_ops / sizeof *random_ops, LANES = 7 };

/* An argument of positive numbers below 1. */
static lucid_tensor lanes_of_input(void)
{
    lucid_tensor x = lucid_arange(s, 1, LANES * 8 + 1, 1, LUCID_FLOAT32);
    x = lucid_div(s, x, lucid_scalar(s, LANES * 8 + 1));
    return lucid_reshape(s, x, LUCID_SHAPE(LANES, 8));
}

static lucid_tensor run(lucid_function *f, lucid_vmap_options options, lucid_tensor x)
{
    lucid_manual_seed(s, 5);
    return lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, f, 1, NULL), &options), x);
}

static void test_randomness_error(void **state)
{
    (void)state;
    static const lucid_strategy strategies[] = {LUCID_STRATEGY_AUTO, LUCID_STRATEGY_VECTORIZED,
                                                LUCID_STRATEGY_ISOLATED};
    for (int i = 0; i < OPS; i++)
        for (int k = 0; k < 3; k++) {
            (void)run(random_ops[i].f, (lucid_vmap_options){.strategy = strategies[k]},
                      lanes_of_input());
            char want[64];
            (void)snprintf(want, sizeof want, "%s: random op", random_ops[i].name);
            has_error(s, LUCID_RUNTIME_ERROR, want);
        }
    (void)run(f_dropout_off, (lucid_vmap_options){0}, lanes_of_input());
    assert_int_equal(lucid_error(s), LUCID_OK);
}

/* The same numbers whatever the chunks and the strategy; lanes differ. */
static void test_randomness_different(void **state)
{
    (void)state;
    for (int i = 0; i < OPS; i++) {
        lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
        lucid_tensor x = lanes_of_input(), whole = run(random_ops[i].f, options, x);
        for (int64_t chunk = 1; chunk <= LANES; chunk += 2) {
            options.chunk_size = chunk;
            same_tensors(s, random_ops[i].name, run(random_ops[i].f, options, x), whole, 0);
        }
        options.strategy = LUCID_STRATEGY_ISOLATED;
        same_tensors(s, random_ops[i].name, run(random_ops[i].f, options, x), whole, 0);
        lucid_tensor first = lucid_select(s, whole, 0, 0);
        int unlike = 0;
        for (int64_t b = 1; b < LANES; b++) {
            lucid_tensor d = lucid_ne(s, lucid_select(s, whole, 0, b), first);
            unlike += lucid_bool(s, lucid_any(s, d, LUCID_ALL));
        }
        assert_true(unlike >= LANES - 2);
    }
}

static void test_randomness_same(void **state)
{
    (void)state;
    for (int i = 0; i < OPS; i++) {
        lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_SAME};
        lucid_tensor x = lucid_ones(s, LUCID_SHAPE(LANES, 8));
        x = lucid_mul(s, x, lucid_scalar(s, 0.5));
        lucid_tensor whole = run(random_ops[i].f, options, x);
        lucid_manual_seed(s, 5);
        lucid_tensor one =
            lucid_call1(s, lucid_fn_new(s, random_ops[i].f, 1, NULL), lucid_select(s, x, 0, 0));
        for (int64_t b = 0; b < LANES; b++)
            same_tensors(s, random_ops[i].name, lucid_select(s, whole, 0, b), one, 0);
        options.strategy = LUCID_STRATEGY_ISOLATED;
        same_tensors(s, random_ops[i].name, run(random_ops[i].f, options, x), whole, 0);
    }
}

/* Lanes of vmaps in each other: folded, skipped where the mode is "same", decided by the
 * innermost. */
static void test_nested(void **state)
{
    (void)state;
    enum { OUTER = 3, INNER = 4, N = 6 };
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(OUTER));
    for (int outer = 0; outer < 3; outer++)
        for (int inner = 0; inner < 3; inner++) {
            lucid_vmap_options in = {.randomness = (lucid_randomness)inner},
                               out = {.randomness = (lucid_randomness)outer};
            lucid_fn f = lucid_fn_new(s, inner_vmap, 1, &in);
            lucid_manual_seed(s, 9);
            lucid_tensor y = lucid_call1(s, lucid_vmap(s, f, &out), x);
            if (inner == LUCID_RANDOMNESS_ERROR) {
                has_error(s, LUCID_RUNTIME_ERROR, "random op");
                continue;
            }
            bool by_outer = outer != LUCID_RANDOMNESS_SAME,
                 by_inner = inner != LUCID_RANDOMNESS_SAME;
            /* The same streams as one vmap over all lanes. */
            lucid_manual_seed(s, 9);
            lucid_vmap_options flat = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
            lucid_fn g = lucid_vmap(s, lucid_fn_new(s, f_randn, 1, NULL), &flat);
            lucid_tensor all = lucid_call1(s, g, lucid_zeros(s, LUCID_SHAPE(OUTER * INNER)));
            const double *want = elements(s, all), *got = elements(s, y);
            for (int a = 0; a < OUTER; a++)
                for (int b = 0; b < INNER; b++)
                    for (int e = 0; e < N; e++) {
                        int lane = by_outer && by_inner ? a * INNER + b
                                   : by_outer           ? a
                                   : by_inner           ? b
                                                        : 0;
                        assert_true(got[(a * INNER + b) * N + e] == want[lane * N + e]);
                    }
        }
}

/* Numbers are the same whether they are computed alone or within one program with what uses them, and
 * for any number of threads. */
static void test_fusion_and_threads(void **state)
{
    (void)state;
    for (int i = 0; i < OPS; i++) {
        lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
        lucid_tensor x = lucid_expand(s, lanes_of_input(), LUCID_SHAPE(LANES, 8)), alone, used;
        x = lucid_tile(s, x, LUCID_SHAPE(1500, 1));
        lucid_set_num_threads(1);
        alone = run(random_ops[i].f, options, x);
        (void)lucid_eval(s, &alone, 1);
        alone = lucid_mul(s, lucid_cast(s, alone, LUCID_FLOAT64), lucid_scalar(s, 3));
        lucid_set_num_threads(3);
        used = run(random_ops[i].f, options, x);
        used = lucid_mul(s, lucid_cast(s, used, LUCID_FLOAT64), lucid_scalar(s, 3));
        same_tensors(s, random_ops[i].name, used, alone, 0);
        lucid_set_num_threads(0);
    }
}

static void test_derivatives(void **state)
{
    (void)state;
    /* d normal / d mean = 1; dropout scales what it keeps; a draw is the same for every row. */
    lucid_tensor x = lucid_ones(s, LUCID_SHAPE(8));
    same_elements(s, "normal", gradient(s, f_normal, &x, 1), DOUBLES(1, 1, 1, 1, 1, 1, 1, 1), 0);
    lucid_manual_seed(s, 3);
    lucid_tensor y = lucid_dropout(s, x, 0.5, true);
    lucid_manual_seed(s, 3);
    same_tensors(s, "dropout", gradient(s, f_dropout, &x, 1), y, 0);
    lucid_manual_seed(s, 3);
    lucid_fn jac = lucid_jacfwd(s, lucid_fn_new(s, f_dropout, 1, NULL), NULL);
    lucid_tensor diagonal = lucid_diagonal(s, lucid_call1(s, jac, x), 0, 0, 1);
    same_tensors(s, "jacfwd of dropout", diagonal, y, 0);
    lucid_vmap_options different = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    lucid_fn per_lane = lucid_vmap(s, jac, &different);
    lucid_tensor j = lucid_call1(s, per_lane, lucid_ones(s, LUCID_SHAPE(5, 8)));
    has_shape(j, LUCID_SHAPE(5, 8, 8));
    (void)elements(s, j);
}

/* ---- bad input -------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    (void)lucid_rand_of(s, LUCID_SHAPE(2), LUCID_INT32);
    has_error(s, LUCID_TYPE_ERROR, "rand: dtype must be float32 or float64, not int32");
    (void)lucid_randn(s, LUCID_SHAPE(-1));
    has_error(s, LUCID_VALUE_ERROR, "randn");
    (void)lucid_rand(s, LUCID_SHAPE(INT64_C(1) << 40));
    has_error(s, LUCID_VALUE_ERROR, "too many elements");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_layout, begin, end),
        cmocka_unit_test_setup_teardown(test_draws, begin, end),
        cmocka_unit_test_setup_teardown(test_randomness_error, begin, end),
        cmocka_unit_test_setup_teardown(test_randomness_different, begin, end),
        cmocka_unit_test_setup_teardown(test_randomness_same, begin, end),
        cmocka_unit_test_setup_teardown(test_nested, begin, end),
        cmocka_unit_test_setup_teardown(test_fusion_and_threads, begin, end),
        cmocka_unit_test_setup_teardown(test_derivatives, begin, end),
        cmocka_unit_test_setup_teardown(test_errors, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
