/* Transforms, loops and functions that are nested without end fail with an error, on stacks of any size, and so does
 * everything that follows them into what is nested. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

enum { SMALL_STACK = 512 << 10 };

static void on_small_stack(void *(*run)(void *), void *user)
{
    pthread_t thread;
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run, user), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    (void)pthread_attr_destroy(&attributes);
}

/* ---- functions that put a transform around themselves ----------------------------------------------------- */

typedef lucid_tensor wrap(lucid_scope *s, lucid_fn f, lucid_tensor x);

typedef struct endless {
    const char *name;
    wrap *around;
    lucid_status status;
    bool too_deep, works_after;
} endless;

static lucid_status again(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = ((const endless *)user)
               ->around(s, lucid_fn_new(s, again, 1, user), lucid_mul(s, x[0], x[0]));
    return lucid_error(s);
}

static lucid_tensor isolated(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    const lucid_vmap_options options = {.strategy = LUCID_STRATEGY_ISOLATED};
    return lucid_sum(s, lucid_call1(s, lucid_vmap(s, f, &options), lucid_stack(s, &x, 1, 0)),
                     LUCID_ALL);
}

static lucid_tensor gradient(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    return lucid_call1(s, lucid_grad(s, f, NULL), x);
}

static lucid_tensor linearized(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    lucid_tensor y = {NULL};
    return lucid_call1(s, lucid_linearize(s, f, &x, 1, &y, 1), lucid_ones(s, LUCID_SCALAR_SHAPE));
}

static lucid_tensor compiled(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    return lucid_call1(s, lucid_compile(s, f, &x, 1, NULL), x);
}

static lucid_tensor checkpointed(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    return lucid_call1(s, lucid_checkpoint(s, f), x);
}

static lucid_tensor either(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    lucid_tensor y = {NULL};
    (void)lucid_cond(s, lucid_lt(s, x, lucid_scalar(s, 1)), f, f, &x, 1, &y, 1);
    return y;
}

static lucid_tensor scanned(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    lucid_tensor y = {NULL};
    (void)lucid_scan(s, f, &x, 1, NULL, 0, &(lucid_scan_options){.length = 2}, &y, NULL, 0);
    return y;
}

static lucid_tensor with_rule(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    return lucid_call1(s, lucid_custom_jvp(s, f, f), x);
}

static lucid_tensor plain(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    return lucid_call1(s, f, x);
}

static void *run_endless(void *user)
{
    endless *e = user;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_full(s, LUCID_SCALAR_SHAPE, lucid_scalar(s, 0.5));
    (void)lucid_call1(s, lucid_fn_new(s, again, 1, e), x);
    e->status = lucid_error(s);
    e->too_deep = lucid_nested_too_deeply(s);
    lucid_clear_error(s);
    e->works_after = lucid_item(s, lucid_add(s, x, x)) == 1;
    (void)lucid_close(s);
    return NULL;
}

static void test_endless(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        wrap *around;
    } all[] = {{"isolated vmap", isolated}, {"grad", gradient},           {"linearize", linearized},
               {"compile", compiled},       {"checkpoint", checkpointed}, {"cond", either},
               {"scan", scanned},           {"custom_jvp", with_rule},    {"call", plain}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        endless e = {.name = all[i].name, .around = all[i].around};
        on_small_stack(run_endless, &e);
        if (e.status != LUCID_RUNTIME_ERROR || !e.too_deep || !e.works_after)
            fail_msg("%s: status %d", e.name, (int)e.status);
    }
}

/* ---- functions made of functions ---------------------------------------------------------------------------- */

static lucid_status same(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)s, (void)nx, (void)ny, (void)user;
    y[0] = x[0];
    return LUCID_OK;
}

static void *call_tower(void *user)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = *(lucid_fn *)user;
    (void)lucid_call1(s, f, lucid_ones(s, LUCID_SHAPE(3)));
    assert_true(lucid_nested_too_deeply(s));
    (void)lucid_close(s);
    lucid_release_fn(f); /* the last one: all of them go */
    return NULL;
}

static void test_towers(void **state)
{
    (void)state;
    enum { FLOORS = 100000 };
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_retain_fn(lucid_fn_new(s, same, 1, NULL));
    const lucid_vmap_options unmapped = {.in_dims = LUCID_INTS(LUCID_NONE)};
    for (int i = 0; i < FLOORS; i++) {
        lucid_scope *child = lucid_scope_new(s);
        lucid_fn g =
            lucid_retain_fn(i % 2 ? lucid_vmap(child, f, &unmapped) : lucid_checkpoint(child, f));
        (void)lucid_close(child);
        lucid_release_fn(f);
        f = g;
    }
    assert_int_equal(lucid_error(s), LUCID_OK);
    assert_int_equal(lucid_close(s), LUCID_OK);
    on_small_stack(call_tower, &f);
}

/* ---- what was nested on a large stack, on a small one ---------------------------------------------------------- */

typedef struct tower {
    int left;
    lucid_tensor y;
    lucid_fn f;
} tower;

static lucid_status scans(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    tower *t = user;
    if (t->left-- == 0)
        y[0] = lucid_sort(s, x[0], 0, false, NULL);
    else
        (void)lucid_scan(s, lucid_fn_new(s, scans, 1, t), x, 1, NULL, 0,
                         &(lucid_scan_options){.length = 1}, y, NULL, 0);
    return lucid_error(s);
}

static void *evaluate_tower(void *user)
{
    tower *t = user;
    lucid_scope *s = lucid_open(NULL);
    assert_int_equal(lucid_eval(s, &t->y, 1), LUCID_RUNTIME_ERROR);
    assert_true(lucid_nested_too_deeply(s));
    (void)lucid_close(s);
    return NULL;
}

static void test_evaluation(void **state)
{
    (void)state;
    tower t = {.left = 300};
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_arange(s, 3, 0, -1, LUCID_FLOAT32);
    t.y = lucid_call1(s, lucid_fn_new(s, scans, 1, &t), x);
    assert_int_equal(lucid_error(s), LUCID_OK);
    on_small_stack(evaluate_tower, &t);
    assert_true(lucid_item(s, lucid_select(s, t.y, 0, 0)) == 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_endless),
                                       cmocka_unit_test(test_towers),
                                       cmocka_unit_test(test_evaluation)};
    return cmocka_run_group_tests_name("nesting", tests, NULL, NULL);
}
