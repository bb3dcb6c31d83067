/* A process that has used several threads forks; parent and child both go on computing. */
#include <setjmp.h>
#include <stdarg.h>
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parent_and_child_compute)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
