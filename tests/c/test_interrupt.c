/* Evaluations end soon after somebody asks for it, whatever they are at: what was there stays, what was pending can be
 * evaluated again, and nothing is left behind. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/time.h>
#include <time.h>

#include <cmocka.h>

#include "lucid.h"

/* Seconds: far more than it should take, since machines that test are busy. */
static const double soon = 2;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void nap(double seconds)
{
    struct timespec t = {.tv_nsec = (long)(1e9 * seconds)};
    (void)nanosleep(&t, NULL);
}

/* ---- work that takes too long -------------------------------------------------------------------------- */

static lucid_status goes_on(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_all(s, lucid_lt(s, x[0], lucid_scalar(s, 1e30)), LUCID_ALL);
    return LUCID_OK;
}

static lucid_status cosine(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_cos(s, x[0]);
    return LUCID_OK;
}

static lucid_status sorted(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                           size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sort(s, x[0], 0, false, NULL);
    return LUCID_OK;
}

static lucid_status loop(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny;
    return lucid_while(s, lucid_fn_new(s, goes_on, 1, NULL),
                       lucid_fn_new(s, *(lucid_function **)user, 1, NULL), x, 1, NULL, y);
}

static lucid_function *by_lanes = cosine, *by_steps = sorted;

static lucid_tensor endless(lucid_scope *s, lucid_function **step, bool lanes)
{
    lucid_fn f = lucid_fn_new(s, loop, 1, (void *)step);
    return lucid_call1(s, lanes ? lucid_vmap(s, f, NULL) : f, lucid_zeros(s, LUCID_SHAPE(64, 3)));
}

static lucid_tensor endless_lanes(lucid_scope *s)
{
    return endless(s, &by_lanes, true);
}

static lucid_tensor endless_lane(lucid_scope *s)
{
    return endless(s, &by_lanes, false);
}

static lucid_tensor endless_steps(lucid_scope *s)
{
    return endless(s, &by_steps, true);
}

/* Numbers from 0 to 1, the same each time. */
static lucid_tensor uniform(lucid_scope *s, int64_t rows, int64_t cols)
{
    lucid_tensor x = lucid_arange(s, 0, (double)(rows * cols), 1, LUCID_FLOAT32);
    x = lucid_square(s, lucid_sin(s, lucid_mul(s, x, lucid_scalar(s, 0.37))));
    x = lucid_reshape(s, x, LUCID_SHAPE(rows, cols));
    (void)lucid_eval(s, &x, 1);
    return x;
}

static lucid_tensor elementwise(lucid_scope *s)
{
    lucid_tensor x = uniform(s, 1000, 2000);
    for (int i = 0; i < 20; i++)
        x = lucid_lgamma(s, lucid_add(s, x, lucid_scalar(s, 1)));
    return x;
}

static lucid_tensor products(lucid_scope *s)
{
    lucid_tensor x = lucid_div(s, uniform(s, 900, 900), lucid_scalar(s, 450)), y = x;
    for (int i = 0; i < 8; i++)
        y = lucid_matmul(s, x, y);
    return y;
}

static lucid_tensor whole_products(lucid_scope *s)
{
    lucid_tensor x =
        lucid_cast(s, lucid_mul(s, uniform(s, 500, 500), lucid_scalar(s, 100)), LUCID_INT64);
    return lucid_matmul(s, x, lucid_matmul(s, x, x));
}

static lucid_tensor sorts(lucid_scope *s)
{
    return lucid_sort(s, uniform(s, 2, 1 << 20), 1, false, NULL);
}

static lucid_tensor systems(lucid_scope *s)
{
    lucid_tensor x = lucid_add(s, uniform(s, 700, 700),
                               lucid_mul(s, lucid_scalar(s, 700), lucid_eye(s, 700, 700)));
    return lucid_solve(s, x, lucid_cholesky(s, lucid_matmul(s, x, lucid_transpose(s, x, 0, 1))));
}

static lucid_tensor rows(lucid_scope *s)
{
    lucid_tensor x = uniform(s, 30, 1 << 16);
    return lucid_cumsum(s, lucid_cumsum(s, lucid_cumsum(s, x, 1), 0), 1);
}

static lucid_tensor sums(lucid_scope *s)
{
    lucid_tensor x = uniform(s, 4, 1 << 19), y = x;
    for (int i = 0; i < 8; i++)
        y = lucid_sub(s, lucid_exp(s, x), lucid_sum(s, lucid_exp(s, y), LUCID_DIMS_KEEP(1)));
    return y;
}

static lucid_tensor eigenvalues(lucid_scope *s)
{
    lucid_tensor x = lucid_reshape(s, uniform(s, 500 * 24, 24), LUCID_SHAPE(500, 24, 24));
    return lucid_eigh(s, x, false, NULL);
}

typedef lucid_tensor work(lucid_scope *s);

static const struct {
    const char *name;
    work *build;
} endless_works[] = {{"a loop over lanes", endless_lanes},
                     {"a loop of one lane", endless_lane},
                     {"a loop step by step", endless_steps}},
  works[] = {{"elementwise", elementwise},
             {"products", products},
             {"products of integers", whole_products},
             {"sorts", sorts},
             {"systems", systems},
             {"rows", rows},
             {"sums", sums},
             {"eigenvalues", eigenvalues}};

enum {
    ENDLESS = (int)(sizeof endless_works / sizeof *endless_works),
    WORKS = (int)(sizeof works / sizeof *works)
};

/* ---- other threads --------------------------------------------------------------------------------------- */

static void *interrupt_later(void *scope)
{
    nap(0.05);
    lucid_interrupt(scope);
    return NULL;
}

static void test_loops(void **state)
{
    (void)state;
    for (int i = 0; i < ENDLESS; i++) {
        pthread_t thread;
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor kept = lucid_rand(s, LUCID_SHAPE(10)), y = endless_works[i].build(s);
        double before = lucid_item(s, lucid_sum(s, kept, LUCID_ALL)), start = now();
        uint64_t bytes = lucid_get_stats().bytes_live;
        assert_int_equal(pthread_create(&thread, NULL, interrupt_later, s), 0);
        if (lucid_eval(s, &y, 1) != LUCID_INTERRUPTED)
            fail_msg("%s: %s", endless_works[i].name, lucid_error_message(s));
        if (now() - start > soon)
            fail_msg("%s: ended after %g s", endless_works[i].name, now() - start);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(lucid_get_stats().bytes_live, bytes);
        assert_string_equal(lucid_error_message(s), "interrupted");
        lucid_clear_error(s);
        assert_true(lucid_item(s, lucid_sum(s, kept, LUCID_ALL)) == before);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- poll functions ---------------------------------------------------------------------------------------- */

typedef struct asked {
    int times,
        yes; /* how often it was asked, and the number of the question that it answers with yes */
} asked;

static bool answer(void *user)
{
    asked *a = user;
    return ++a->times == a->yes;
}

static double sum_of(lucid_scope *s, lucid_tensor x)
{
    return lucid_item(s, lucid_sum(s, lucid_cast(s, x, LUCID_FLOAT64), LUCID_ALL));
}

static void test_evaluated_again(void **state)
{
    (void)state;
    for (int i = 0; i < WORKS; i++) {
        asked a = {.yes = 1};
        lucid_scope *s = lucid_open(&(lucid_open_options){.poll = answer, .poll_user = &a});
        lucid_scope *other = lucid_open(NULL);
        lucid_tensor y = works[i].build(s);
        if (lucid_error(s) == LUCID_INTERRUPTED) { /* while it was built */
            lucid_clear_error(s);
            y = works[i].build(s);
        }
        lucid_status status = lucid_eval(s, &y, 1);
        if (status != LUCID_INTERRUPTED && status != LUCID_OK)
            fail_msg("%s: %s", works[i].name, lucid_error_message(s));
        lucid_clear_error(s);
        a.yes = -1;
        double result = sum_of(s, y);
        lucid_tensor again = works[i].build(other);
        assert_true(result == sum_of(other, again));
        assert_int_equal(lucid_close(other), LUCID_OK);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

static lucid_status many_sines(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = x[0];
    for (int i = 0; i < 10; i++)
        y[0] = lucid_sin(s, y[0]);
    return LUCID_OK;
}

/* Nothing is evaluated there: one lane after the other is built. */
static void test_isolated(void **state)
{
    (void)state;
    asked a = {.yes = 1};
    lucid_scope *s = lucid_open(&(lucid_open_options){.poll = answer, .poll_user = &a});
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, many_sines, 1, NULL),
                            &(lucid_vmap_options){.strategy = LUCID_STRATEGY_ISOLATED});
    double start = now();
    lucid_tensor y = lucid_call1(s, f, lucid_zeros(s, LUCID_SHAPE(10 * 1000 * 1000)));
    assert_true(lucid_is_empty_handle(y));
    assert_int_equal(lucid_error(s), LUCID_INTERRUPTED);
    assert_true(now() - start < soon);
    lucid_clear_error(s);
    y = lucid_call1(s, f, lucid_zeros(s, LUCID_SHAPE(3)));
    assert_int_equal(lucid_size(y, 0), 3);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- waiting for one's turn --------------------------------------------------------------------------------- */

typedef struct other {
    pthread_t thread;
    lucid_scope *s;
    lucid_status status;
} other;

static void *evaluate_endless(void *user)
{
    other *o = user;
    lucid_tensor y = endless_lanes(o->s);
    o->status = lucid_eval(o->s, &y, 1);
    return NULL;
}

static void test_waiting(void **state)
{
    (void)state;
    asked a = {.yes = 1};
    other o = {.s = lucid_open(NULL)};
    lucid_scope *s = lucid_open(&(lucid_open_options){.poll = answer, .poll_user = &a});
    lucid_tensor y = lucid_add(s, lucid_ones(s, LUCID_SHAPE(3)), lucid_scalar(s, 1));
    assert_int_equal(pthread_create(&o.thread, NULL, evaluate_endless, &o), 0);
    nap(0.1);
    double start = now();
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_INTERRUPTED);
    assert_true(now() - start < soon);
    lucid_interrupt(o.s); /* not the other's evaluation: that takes its own word */
    assert_int_equal(pthread_join(o.thread, NULL), 0);
    assert_int_equal(o.status, LUCID_INTERRUPTED);
    (void)lucid_close(o.s);
    lucid_clear_error(s);
    assert_true(lucid_item(s, lucid_sum(s, y, LUCID_ALL)) == 6);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- signals, and no evaluation ------------------------------------------------------------------------------- */

static lucid_scope *of_signal;

static void on_alarm(int number)
{
    (void)number;
    lucid_interrupt(of_signal);
}

static void test_signal_handler(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_alarm}, before;
    lucid_scope *s = of_signal = lucid_open(NULL);
    lucid_tensor y = endless_lanes(s);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    const struct itimerval once = {.it_value = {.tv_usec = 50000}};
    assert_int_equal(setitimer(ITIMER_REAL, &once, NULL), 0);
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_INTERRUPTED);
    assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
    lucid_clear_error(s);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_between_evaluations(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL), *child = lucid_scope_new(s);
    lucid_tensor x = lucid_add(s, lucid_ones(s, LUCID_SHAPE(3)), lucid_scalar(s, 1));
    lucid_interrupt(child);
    assert_int_equal(lucid_error(s), LUCID_OK); /* nothing has met it */
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_INTERRUPTED);
    lucid_clear_error(s);
    lucid_interrupt(s);
    assert_true(lucid_is_empty_handle(lucid_neg(s, x)));
    assert_int_equal(lucid_error(child), LUCID_INTERRUPTED);
    lucid_clear_error(s);
    lucid_interrupt(s);
    lucid_clear_error(s); /* takes it back */
    assert_true(lucid_item(s, lucid_sum(s, x, LUCID_ALL)) == 6);
    (void)lucid_close(child);
    assert_int_equal(lucid_close(s), LUCID_OK);
    lucid_interrupt(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops),          cmocka_unit_test(test_evaluated_again),
        cmocka_unit_test(test_isolated),       cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_signal_handler), cmocka_unit_test(test_between_evaluations)};
    return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
