/* Plans under stress: large graphs, programs that are too large for one, sizes around the edges of boxes and
 * vectors, special values through every instruction, and no memory at any point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/fuse.h"
#include "lucid.h"

static lucid_tensor ready(lucid_scope *s, lucid_tensor x)
{
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    return x;
}

static uint64_t steps_of(lucid_scope *s, lucid_tensor x)
{
    uint64_t before = lucid_get_stats().steps;
    (void)ready(s, x);
    return lucid_get_stats().steps - before;
}

/* ---- large graphs ------------------------------------------------------------------------------------- */

/* The sum of k x for k < n, added up pairwise; all numbers are whole, so any order is exact. */
static void a_wide_graph(void **state)
{
    (void)state;
    enum { WIDE = 20000 };
    lucid_scope *s = lucid_open(NULL), *t = lucid_scope_new(s);
    lucid_tensor x =
        ready(s, lucid_cast(s, lucid_full(s, LUCID_SHAPE(3), lucid_scalar(s, 2)), LUCID_FLOAT64));
    lucid_tensor *level = malloc(WIDE * sizeof *level);
    assert_non_null(level);
    for (int k = 0; k < WIDE; k++)
        level[k] = lucid_mul(t, x, lucid_scalar_int(t, k));
    for (int n = WIDE; n > 1; n = (n + 1) / 2) {
        for (int k = 0; k < n / 2; k++)
            level[k] = lucid_add(t, level[2 * k], level[2 * k + 1]);
        if (n % 2)
            level[n / 2] = level[n - 1];
    }
    lucid_tensor sum = lucid_keep(t, level[0]);
    free(level);
    assert_int_equal(lucid_close(t), LUCID_OK);
    assert_true(steps_of(s, sum) < WIDE / 20);
    const double *got = lucid_data(s, sum);
    assert_true(got[0] == (double)WIDE * (WIDE - 1));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* A chain with a reduction in every link. */
static void a_deep_graph(void **state)
{
    (void)state;
    enum { DEEP = 50000 };
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, lucid_ones(s, LUCID_SHAPE(4)));
    for (int i = 0; i < DEEP; i++) {
        lucid_scope *t = lucid_scope_new(s);
        x = lucid_keep(
            t, lucid_div(t, lucid_mul(t, x, lucid_scalar(t, 4)), lucid_sum(t, x, LUCID_ALL)));
        assert_int_equal(lucid_close(t), LUCID_OK);
    }
    const float *got = lucid_data(s, x);
    for (int i = 0; i < 4; i++)
        assert_true(got[i] == 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* n operations side by side and their sum: programs that share what they read, kernels, or programs that share
 * nothing until they are added. */
static lucid_tensor side_by_side(lucid_scope *parent, lucid_tensor x, int kind, int n)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor *y = malloc((size_t)n * sizeof *y);
    assert_non_null(y);
    for (int k = 0; k < n; k++) {
        y[k] = lucid_mul(s, x, lucid_scalar_int(s, k));
        if (kind == 1)
            y[k] = lucid_matmul(s, x, y[k]);
        else if (kind == 2)
            y[k] = lucid_sin(
                s, lucid_from_data(s, lucid_data(s, x), LUCID_FLOAT32, lucid_shape_of(x)));
    }
    for (int left = n; left > 1; left = (left + 1) / 2)
        for (int k = 0; k < left / 2; k++)
            y[k] = lucid_add(s, y[k], y[left - 1 - k]);
    lucid_tensor sum = lucid_keep(s, y[0]);
    free(y);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return sum;
}

typedef struct cost {
    double allocations, bytes;
} cost;

static cost cost_of(int kind, int n)
{
    const int64_t many = INT64_C(1) << 40;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, lucid_ones(s, LUCID_SHAPE(3, 3)));
    lucid_tensor y = side_by_side(s, x, kind, n);
    const lucid_stats before = lucid_get_stats();
    lucid__fail_allocations_after(many);
    (void)ready(s, y);
    double allocations = (double)(many - lucid__allocations_left());
    lucid__fail_allocations_after(-1);
    const lucid_stats after = lucid_get_stats();
    assert_true(after.plans_built == before.plans_built + 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return (cost){allocations, (double)(after.plans_bytes - before.plans_bytes)};
}

/* What it takes to make a plan, and the plan itself, for twice as many operations. */
static void plans_grow_no_faster_than_graphs(void **state)
{
    (void)state;
    enum { N = 1500, BYTES_PER_OP = 1024 };
    const int ops[] = {3, 4, 2}; /* for each of the n, with broadcasts and sums */
    for (int kind = 0; kind < 3; kind++) {
        const cost one = cost_of(kind, N), two = cost_of(kind, 2 * N);
        assert_true(one.allocations > 0 && two.allocations < 2.1 * one.allocations);
        assert_true(one.bytes > 0 && two.bytes < 2.1 * one.bytes);
        assert_true(two.bytes < 2.0 * N * ops[kind] * BYTES_PER_OP);
    }
}

/* More values at the same time than a program has registers. */
static lucid_tensor many_values(lucid_scope *parent, lucid_tensor x, int n)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor *y = malloc((size_t)n * sizeof *y), sum = x;
    assert_non_null(y);
    for (int i = 0; i < n; i++)
        y[i] = i == 0 ? lucid_sin(s, x) : lucid_sin(s, lucid_add(s, y[i - 1], x));
    for (int i = n - 1; i >= 0; i--)
        sum = lucid_sub(s, lucid_mul(s, sum, y[i]), x);
    free(y);
    sum = lucid_keep(s, sum);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return sum;
}

static void a_program_too_large_is_split(void **state)
{
    (void)state;
    enum { VALUES = 1500 };
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, lucid_randn(s, LUCID_SHAPE(700)));
    lucid_tensor fused = many_values(s, x, VALUES), single = many_values(s, x, VALUES);
    assert_in_range(steps_of(s, fused), 2, 60);
    lucid__set_fusion(false);
    (void)ready(s, single);
    lucid__set_fusion(true);
    assert_memory_equal(lucid_data(s, fused), lucid_data(s, single), 700 * sizeof(float));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- edges and special values -------------------------------------------------------------------------- */

typedef lucid_tensor unary(lucid_scope *s, lucid_tensor x);

#define ENTRY_SAME(name) {#name, lucid_##name},
#define ENTRY_SIGNED(name) {#name, lucid_##name},
#define ENTRY_FLOAT(name) {#name, lucid_##name},
#define ENTRY_TEST(name) {#name, lucid_##name},
#define ENTRY_LOGIC(name) {#name, lucid_##name},
#define ENTRY_BITS(name)
#define LUCID_UNARY(name, class, doc) ENTRY_##class(name)
#define LUCID_BINARY(name, class, doc)
static const struct {
    const char *name;
    unary *f;
} unaries[] = {
#include "lucid_elementwise.def"
};

/* x in float32 or float64: numbers of every kind, wherever in a vector. */
static lucid_tensor specials(lucid_scope *s, int64_t n, lucid_dtype dtype)
{
    static const double value[] = {0.0,    -0.0,  1.0,    -1.5, INFINITY, -INFINITY, NAN,
                                   1e-310, 1e-40, -1e-40, 3e38, 1e300,    0.5,       -7.25};
    enum { VALUES = sizeof value / sizeof value[0] };
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        x[i] = value[i % VALUES];
    lucid_tensor y = lucid_cast(s, lucid_from_data(s, x, LUCID_FLOAT64, LUCID_SHAPE(n)), dtype);
    free(x);
    return ready(s, y);
}

static lucid_tensor around(lucid_scope *parent, unary *f, lucid_tensor x)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor y = f(s, lucid_neg(s, x));
    y = lucid_keep(s, lucid_where(s, lucid_isnan(s, y), x, y));
    assert_int_equal(lucid_close(s), LUCID_OK);
    return y;
}

static void special_values_at_every_place(void **state)
{
    (void)state;
    const int64_t sizes[] = {0, 1, 15, 16, 17, 511, 512, 513, 2729, 2730, 2736, 4095, 4096, 4097};
    const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (int d = 0; d < 2; d++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor x = specials(s, sizes[k], dtypes[d]);
            for (size_t i = 0; i < sizeof unaries / sizeof unaries[0]; i++) {
                lucid_scope *t = lucid_scope_new(s);
                lucid_tensor fused = ready(t, around(t, unaries[i].f, x));
                lucid__set_fusion(false);
                lucid_tensor single = ready(t, around(t, unaries[i].f, x));
                lucid__set_fusion(true);
                size_t bytes = (size_t)lucid_numel(fused) * lucid_dtype_size(lucid_dtype_of(fused));
                if (memcmp(lucid_data(t, fused), lucid_data(t, single), bytes) != 0)
                    fail_msg("%s of %d values: fused and unfused differ", unaries[i].name,
                             (int)sizes[k]);
                assert_int_equal(lucid_close(t), LUCID_OK);
            }
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* ---- no memory ----------------------------------------------------------------------------------------- */

/* A plan with everything: simplified, merged, rows in boxes and rows in stages, a kernel between. */
static lucid_tensor everything(lucid_scope *parent, lucid_tensor x)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor y = lucid_softmax(s, x, 0);
    lucid_tensor z = lucid_matmul(s, lucid_transpose(s, y, 0, 1), lucid_softmax(s, x, 1));
    z = lucid_mul(s, lucid_add(s, z, lucid_var(s, x, LUCID_ALL, 1)), lucid_scalar(s, 1));
    z = lucid_concatenate(s, (lucid_tensor[]){z, lucid_exp(s, z)}, 2, 0);
    z = lucid_keep(s, lucid_sum(s, z, LUCID_DIMS(0)));
    (void)lucid_close(s);
    return z;
}

static void memory_that_runs_out_at_any_point(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, lucid_randn(s, LUCID_SHAPE(20000, 3)));
    const uint64_t live = lucid_get_stats().bytes_live;
    bool done = false;
    int64_t tried = 0;
    for (; !done; tried++) {
        lucid_scope *root = lucid_open(NULL);
        lucid_tensor own =
            lucid_from_data(root, lucid_data(s, x), LUCID_FLOAT32, LUCID_SHAPE(20000, 3));
        /* Of a shape of its own: a plan that must be made. */
        lucid_tensor y = lucid_add(root, everything(root, own),
                                   lucid_ones(root, LUCID_SHAPE(tried % 97 + 1, 1)));
        lucid__fail_allocations_after(tried);
        lucid_status status = lucid_eval(root, &y, 1);
        done = lucid__allocations_left() >= 0;
        lucid__fail_allocations_after(-1);
        assert_int_equal(status, done ? LUCID_OK : LUCID_MEMORY_ERROR);
        if (!done)
            lucid_clear_error(root);
        assert_int_equal(lucid_close(root), LUCID_OK);
        assert_true(lucid_get_stats().bytes_live == live);
    }
    assert_true(tried > 50);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wide_graph),
        cmocka_unit_test(a_deep_graph),
        cmocka_unit_test(plans_grow_no_faster_than_graphs),
        cmocka_unit_test(a_program_too_large_is_split),
        cmocka_unit_test(special_values_at_every_place),
        cmocka_unit_test(memory_that_runs_out_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
