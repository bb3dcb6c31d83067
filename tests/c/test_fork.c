/* A process that has used several threads forks; parent and child both go on computing. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lucid.h"

/* Enough elements for every parallel region: elementwise, folds, random numbers, products, sorting. */
static double work(lucid_scope *s)
{
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(600, 600));
    lucid_tensor y = lucid_matmul(s, lucid_tanh(s, x), x);
    lucid_tensor z = lucid_sort(s, y, -1, false, NULL);
    return lucid_item(s, lucid_sum(s, lucid_cumsum(s, z, 0), LUCID_ALL));
}

static void parent_and_child_compute(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    double before = work(s);
    pid_t child = fork();
    assert_true(child >= 0);
    lucid_manual_seed(s, 0);
    if (child == 0) {
        (void)alarm(60); /* a child that hangs is a failure */
        _exit(work(s) == before && lucid_error(s) == LUCID_OK ? 0 : 1);
    }
    assert_true(work(s) == before);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Plans of one's own: of other shapes than all before. */
static bool make_plans(int first, int count)
{
    bool ok = true;
    for (int i = first; i < first + count; i++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_ones(s, LUCID_SHAPE(100 + i, 3));
        lucid_tensor y = lucid_matmul(s, lucid_transpose(s, x, 0, 1), lucid_square(s, x));
        ok = lucid_item(s, lucid_sum(s, y, LUCID_ALL)) == 9.0 * (100 + i) && ok;
        ok = lucid_close(s) == LUCID_OK && ok;
    }
    return ok;
}

static atomic_bool enough;

static void *make_plans_until_enough(void *all_right)
{
    for (int i = 0; !atomic_load(&enough); i = (i + 1) % 5000)
        *(bool *)all_right &= make_plans(1000 + i, 1);
    return NULL;
}

/* Whatever locks the other thread has, parent and child get them, in an order that does not hang. */
static void a_fork_while_plans_are_made(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* its allocator's own locks stay taken in the child: malloc hangs there, whoever calls it */
#endif
    enum { FORKS = 100 };
    bool all_right = true;
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, make_plans_until_enough, &all_right), 0);
    (void)alarm(120); /* a parent that hangs is a failure, too */
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            (void)alarm(60);
            _exit(make_plans(10 * i, 3) ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    atomic_store(&enough, true);
    assert_int_equal(pthread_join(other, NULL), 0);
    (void)alarm(0);
    assert_true(all_right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_while_plans_are_made), /* first: nothing has been computed yet */
        cmocka_unit_test(parent_and_child_compute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
