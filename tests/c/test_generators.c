/* Generators under vmap: a function that runs several times draws the same in every run, wherever it
 * draws from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

enum { LANES = 7 };

/* ---- functions ------------------------------------------------------------------------------ */

typedef struct own_draws {
    lucid_generator *from;
    bool give_back; /* the scope's generator, when done */
} own_draws;

/* One number of the scope's generator, two of another, one of whichever is current then. */
static lucid_status f_own_generator(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                    lucid_tensor *y, size_t ny, void *user)
{
    (void)nx, (void)ny;
    const own_draws *own = user;
    lucid_tensor part[4] = {lucid_rand(s, LUCID_SCALAR_SHAPE)};
    lucid_generator *before = lucid_set_generator(s, own->from);
    part[1] = lucid_rand(s, LUCID_SCALAR_SHAPE);
    part[2] = lucid_rand(s, LUCID_SCALAR_SHAPE);
    if (own->give_back)
        (void)lucid_set_generator(s, before);
    part[3] = lucid_rand(s, LUCID_SCALAR_SHAPE);
    y[0] = lucid_add(s, lucid_stack(s, part, 4, 0), lucid_mul(s, x[0], lucid_scalar(s, 0)));
    return lucid_error(s);
}

/* A generator that is gone before the next run begins. */
static lucid_status f_short_lived(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                  size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_generator *g = lucid_generator_new(3), *before = lucid_set_generator(s, g);
    y[0] = lucid_add(s, x[0], lucid_rand(s, LUCID_SCALAR_SHAPE));
    (void)lucid_set_generator(s, before);
    lucid_generator_free(g);
    return lucid_error(s);
}

/* As many draws as the lane's number says. */
static lucid_status f_uneven(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                             size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor sum = lucid_scalar(s, 0);
    for (int64_t left = lucid_item_int(s, x[0]); left > 0; left--)
        sum = lucid_add(s, sum, lucid_rand(s, LUCID_SCALAR_SHAPE));
    y[0] = sum;
    return lucid_error(s);
}

/* ---- tests ---------------------------------------------------------------------------------- */

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

/* The chunks, the strategy and the other lanes change no number, and every generator ends where it does
 * after one run. */
static void test_generators_under_vmap(void **state)
{
    (void)state;
    static const lucid_strategy strategies[] = {LUCID_STRATEGY_AUTO, LUCID_STRATEGY_VECTORIZED,
                                                LUCID_STRATEGY_ISOLATED};
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(LANES));
    lucid_generator *mine = lucid_generator_of(s), *own = lucid_generator_new(8);
    assert_non_null(own);
    for (int give_back = 0; give_back < 2; give_back++)
        for (int mode = LUCID_RANDOMNESS_DIFFERENT; mode <= LUCID_RANDOMNESS_SAME; mode++) {
            own_draws draws = {own, give_back};
            lucid_fn f = lucid_fn_new(s, f_own_generator, 1, &draws);
            lucid_tensor whole = {NULL};
            for (int64_t chunk = 0; chunk <= 3; chunk++)
                for (int k = 0; k < 3; k++) {
                    lucid_vmap_options options = {.randomness = (lucid_randomness)mode,
                                                  .chunk_size = chunk,
                                                  .strategy = strategies[k]};
                    lucid_manual_seed(s, 5);
                    lucid_generator_set_state(own, (lucid_rng_state){.seed = 8, .draw = 3});
                    lucid_tensor y = lucid_call1(s, lucid_vmap(s, f, &options), x);
                    if (!whole.v)
                        whole = y;
                    same_tensors(s, "own generator", y, whole, 0);
                    assert_ptr_equal(lucid_generator_of(s), mine);
                    assert_int_equal(lucid_generator_state(mine).draw, give_back ? 2 : 1);
                    assert_int_equal(lucid_generator_state(own).draw, give_back ? 5 : 6);
                }
            bool alike = lucid_bool(
                s, lucid_all(s, lucid_eq(s, whole, lucid_select(s, whole, 0, 0)), LUCID_ALL));
            assert_int_equal(alike, mode == LUCID_RANDOMNESS_SAME);
        }
    lucid_fn f = lucid_fn_new(s, f_own_generator, 1, &(own_draws){own, true});
    (void)lucid_call1(s, lucid_vmap(s, f, NULL), x);
    has_error(s, LUCID_RUNTIME_ERROR, "rand: random op");
    assert_ptr_equal(lucid_generator_of(s), mine);
    lucid_generator_free(own);
}

static void test_short_lived_generators(void **state)
{
    (void)state;
    lucid_fn f = lucid_fn_new(s, f_short_lived, 1, NULL);
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(LANES));
    lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    lucid_tensor whole = lucid_call1(s, lucid_vmap(s, f, &options), x);
    options.chunk_size = 2;
    same_tensors(s, "chunks", lucid_call1(s, lucid_vmap(s, f, &options), x), whole, 0);
    options.strategy = LUCID_STRATEGY_ISOLATED;
    same_tensors(s, "isolated", lucid_call1(s, lucid_vmap(s, f, &options), x), whole, 0);
}

/* What is drawn after lanes that drew unevenly does not depend on which of them ran last. */
static void test_draws_after_uneven_lanes(void **state)
{
    (void)state;
    static const int64_t counts[] = {2, 5, 0, 1, 5, 2};
    lucid_tensor x = lucid_from_data(s, counts, LUCID_INT64, LUCID_SHAPE(6));
    lucid_fn f = lucid_fn_new(s, f_uneven, 1, NULL);
    for (int strategy = 0; strategy < 2; strategy++)
        for (int64_t chunk = 0; chunk <= 4; chunk += 2) {
            lucid_vmap_options options = {.randomness = LUCID_RANDOMNESS_DIFFERENT,
                                          .chunk_size = chunk,
                                          .strategy = strategy ? LUCID_STRATEGY_ISOLATED
                                                               : LUCID_STRATEGY_AUTO};
            lucid_manual_seed(s, 2);
            (void)lucid_call1(s, lucid_vmap(s, f, &options), x);
            assert_int_equal(lucid_error(s), LUCID_OK);
            assert_int_equal(lucid_generator_state(lucid_generator_of(s)).draw, 5);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_generators_under_vmap, begin, end),
        cmocka_unit_test_setup_teardown(test_short_lived_generators, begin, end),
        cmocka_unit_test_setup_teardown(test_draws_after_uneven_lanes, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
