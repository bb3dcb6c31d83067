/* Two threads and more in the library at once: root scopes of their own; tensors, functions and a
 * generator that they share. Meant for ThreadSanitizer; without it the results are checked all the
 * same. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/scenarios.h"

enum { THREADS = 4, ROUNDS = 5 };

typedef struct worker {
    pthread_t thread;
    int number;
    void (*run)(struct worker *w);
    lucid_tensor shared, other;
    lucid_fn fn;
    lucid_generator *generator;
    double result;
    char error[256]; /* "" when all went well */
} worker;

static void *start(void *arg)
{
    worker *w = arg;
    w->run(w);
    return NULL;
}

/* Closes the scope of a worker and keeps its error. */
static void finish(worker *w, lucid_scope *s)
{
    if (lucid_error(s) != LUCID_OK && !w->error[0])
        (void)snprintf(w->error, sizeof w->error, "%s", lucid_error_message(s));
    (void)lucid_close(s);
}

static void run_all(worker *w, void (*run)(worker *w))
{
    for (int i = 0; i < THREADS; i++) {
        w[i].number = i;
        w[i].run = run;
        assert_int_equal(pthread_create(&w[i].thread, NULL, start, &w[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        if (w[i].error[0])
            fail_msg("thread %d: %s", i, w[i].error);
}

/* ---- scopes of their own ---- */

static void run_scenarios(worker *w)
{
    for (size_t k = 0; k < ROUNDS * scenario_count; k++) {
        lucid_scope *s = lucid_open(NULL);
        /* Every thread in another order. */
        scenarios[(k + (size_t)w->number * 3) % scenario_count].run(s, &w->result);
        finish(w, s);
    }
}

static void test_own_scopes(void **state)
{
    (void)state;
    worker w[THREADS] = {{0}}, alone = {0};
    run_scenarios(&alone);
    run_all(w, run_scenarios);
    for (int i = 0; i < THREADS; i++)
        assert_true(fabs(w[i].result - alone.result) <= 1e-9 * fabs(alone.result));
}

/* ---- tensors and functions in common ---- */

/* All evaluate the same pending graph, and graphs of their own on it. */
static void use_shared(worker *w)
{
    for (int k = 0; k < ROUNDS; k++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_own(s, w->shared);
        lucid_tensor y = lucid_mul(s, x, lucid_scalar(s, w->number + 1));
        w->result = lucid_item(s, lucid_sum(s, y, LUCID_ALL));
        w->result += lucid_item(s, lucid_sum(s, w->other, LUCID_ALL));
        finish(w, s);
    }
    lucid_release(w->shared);
}

static void test_shared_tensors(void **state)
{
    (void)state;
    worker w[THREADS] = {{0}};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_arange(s, 0, 1000, 1, LUCID_FLOAT64), y = x;
    for (int i = 0; i < 10; i++)
        y = lucid_add(s, lucid_mul(s, y, lucid_scalar(s, 0.5)), lucid_scalar(s, 1));
    lucid_tensor pending = lucid_reshape(s, lucid_sin(s, y), LUCID_SHAPE(10, 100));
    for (int i = 0; i < THREADS; i++) {
        w[i].shared = lucid_retain(pending);
        w[i].other = lucid_transpose(s, pending, 0, 1);
    }
    run_all(w, use_shared);
    double sum = lucid_item(s, lucid_sum(s, pending, LUCID_ALL));
    for (int i = 0; i < THREADS; i++)
        assert_true(fabs(w[i].result - sum * (i + 2)) < 1e-9 * 1000);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static lucid_status energy(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    const lucid_tensor *weights = user;
    (void)nx, (void)ny;
    y[0] = lucid_sum(s, lucid_tanh(s, lucid_mul(s, x[0], *weights)), LUCID_ALL);
    return LUCID_OK;
}

static void call_shared(worker *w)
{
    for (int k = 0; k < ROUNDS; k++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor g = lucid_call1(s, w->fn, w->shared);
        w->result = lucid_item(s, lucid_sum(s, g, LUCID_ALL));
        finish(w, s);
    }
}

static void test_shared_functions(void **state)
{
    (void)state;
    worker w[THREADS] = {{0}};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor weights = lucid_exp(s, lucid_arange(s, 0, 1, 0.125, LUCID_FLOAT64));
    lucid_fn f = lucid_fn_new(s, energy, 1, &weights);
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
    lucid_tensor x = lucid_reshape(s, lucid_arange(s, 0, 24, 1, LUCID_FLOAT64), LUCID_SHAPE(3, 8));
    for (int i = 0; i < THREADS; i++) {
        w[i].fn = g;
        w[i].shared = x;
    }
    run_all(w, call_shared);
    double sum = lucid_item(s, lucid_sum(s, lucid_call1(s, g, x), LUCID_ALL));
    for (int i = 0; i < THREADS; i++)
        assert_true(w[i].result == sum);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- a leaf in common ---- */

static void record(worker *w)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_sum(s, lucid_square(s, w->shared), LUCID_ALL);
    w->result = lucid_item(s, lucid_detach(s, y));
    finish(w, s);
}

static void test_shared_leaf(void **state)
{
    (void)state;
    worker w[THREADS] = {{0}};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor leaf = lucid_requires_grad(s, lucid_arange(s, 0, 4, 1, LUCID_FLOAT64));
    for (int i = 0; i < THREADS; i++)
        w[i].shared = leaf;
    run_all(w, record);
    for (int i = 0; i < THREADS; i++)
        assert_true(w[i].result == 14);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- a generator in common: every draw is some draw, and no draw comes twice ---- */

static void draw(worker *w)
{
    lucid_scope *s = lucid_open(&(lucid_open_options){.generator = w->generator});
    w->result =
        lucid_item(s, lucid_sum(s, lucid_rand_of(s, LUCID_SHAPE(8), LUCID_FLOAT64), LUCID_ALL));
    finish(w, s);
}

static void test_shared_generator(void **state)
{
    (void)state;
    worker w[THREADS] = {{0}};
    lucid_generator *g = lucid_generator_new(3);
    assert_non_null(g);
    for (int i = 0; i < THREADS; i++)
        w[i].generator = g;
    run_all(w, draw);
    assert_int_equal(lucid_generator_state(g).draw, THREADS);
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < i; j++)
            assert_true(w[i].result != w[j].result);
    lucid_generator_free(g);
}

/* ---- a tensor inside another thread's transform is refused, not followed ---- */

typedef struct smuggled {
    worker w;
    lucid_tensor inside;
    lucid_status status;
} smuggled;

static void *use_foreign(void *arg)
{
    smuggled *m = arg;
    lucid_scope *s = lucid_open(NULL);
    (void)lucid_exp(s, m->inside);
    m->status = lucid_error(s);
    (void)lucid_close(s);
    return NULL;
}

static lucid_status smuggle(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    smuggled *m = user;
    (void)s, (void)nx, (void)ny;
    m->inside = x[0];
    if (pthread_create(&m->w.thread, NULL, use_foreign, m) == 0)
        (void)pthread_join(m->w.thread, NULL);
    y[0] = x[0];
    return LUCID_OK;
}

static void test_foreign_level(void **state)
{
    (void)state;
    smuggled m = {.status = LUCID_OK};
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, smuggle, 1, &m), NULL);
    (void)lucid_call1(s, f, lucid_ones(s, LUCID_SHAPE(2, 2)));
    assert_int_equal(m.status, LUCID_RUNTIME_ERROR);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_scopes),       cmocka_unit_test(test_shared_tensors),
        cmocka_unit_test(test_shared_functions), cmocka_unit_test(test_shared_leaf),
        cmocka_unit_test(test_shared_generator), cmocka_unit_test(test_foreign_level),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
