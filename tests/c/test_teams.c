/* The threads that lucid starts: they are the only ones that its evaluations bring, and may run anywhere. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

/* The BLAS's own. */
extern int openblas_get_num_threads(void) __attribute__((weak));
extern int blas_thread_shutdown_(void) __attribute__((weak));

extern void cblas_dgemm(int order, int trans_a, int trans_b, int m, int n, int k, double alpha,
                        const double *a, int lda, const double *b, int ldb, double beta, double *c,
                        int ldc) __attribute__((weak));

enum { LINE = 256 };

/* Where a thread of the process may run, as the kernel writes it. */
static void read_processors(const char *thread, char *line)
{
    char path[64 + LINE];
    *line = '\0';
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, LINE, file) && strncmp(line, "Cpus_allowed:", 13) != 0) {}
    if (file)
        (void)fclose(file);
}

/* How many threads the process has; each may run where this one may. */
static int count_threads(void)
{
    int n = 0;
    char mine[LINE], other[LINE];
    read_processors("..", mine);
    assert_int_equal(strncmp(mine, "Cpus_allowed:", 13), 0);
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (const struct dirent *d; (d = readdir(tasks));) { /* NOLINT(concurrency-mt-unsafe) */
        if (d->d_name[0] == '.')
            continue;
        n++;
        read_processors(d->d_name, other);
        assert_string_equal(other, mine);
    }
    (void)closedir(tasks);
    return n;
}

static void compute(lucid_scope *s)
{
    lucid_tensor x = lucid_ones(s, LUCID_SHAPE(600, 600)); /* first a product, then anything */
    (void)lucid_item(s, lucid_sum(s, lucid_matmul(s, x, x), LUCID_ALL));
    (void)lucid_item(s,
                     lucid_sum(s, lucid_exp(s, lucid_randn(s, LUCID_SHAPE(600, 600))), LUCID_ALL));
}

static void only_ours(void **state)
{
    (void)state;
    if (lucid_get_num_threads() < 2)
        skip();
    int before = count_threads();
    bool only_blas =
        blas_thread_shutdown_ && openblas_get_num_threads && before == openblas_get_num_threads();
    lucid_scope *s = lucid_open(NULL);
    compute(s);
    int after = count_threads();
    if (only_blas)
        assert_int_equal(after, lucid_get_num_threads());
    else /* a sanitizer's, say */
        assert_in_range(after, before, before + lucid_get_num_threads());
    const int more = lucid_get_num_threads() + 2;
    lucid_set_num_threads(more);
    compute(s);
    assert_int_equal(count_threads(), after + 2);
    lucid_set_num_threads(0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* The BLAS's threads, which are gone after a first evaluation, come again for whoever else uses it. */
static void the_blas_goes_on(void **state)
{
    (void)state;
    enum { N = 400, ROW_MAJOR = 101, NO_TRANS = 111 };
    if (!cblas_dgemm || !openblas_get_num_threads || openblas_get_num_threads() < 2)
        skip();
    lucid_scope *s = lucid_open(NULL);
    compute(s);
    int threads = openblas_get_num_threads();
    static double a[N * N], c[N * N];
    for (int i = 0; i < N * N; i++)
        a[i] = i % 7 - 3;
    cblas_dgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, N, N, N, 1, a, N, a, N, 0, c, N);
    for (int i = 0; i < N * N; i += 1001) {
        double sum = 0;
        for (int k = 0; k < N; k++)
            sum += a[i / N * N + k] * a[k * N + i % N];
        assert_true(c[i] == sum); /* integers */
    }
    compute(s);
    assert_int_equal(openblas_get_num_threads(), threads);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_ours),
                                       cmocka_unit_test(the_blas_goes_on)};
    return cmocka_run_group_tests_name("teams", tests, NULL, NULL);
}
