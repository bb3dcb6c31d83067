/* How many dispatches things take, and that fused programs give the bits of unfused ones, however their loop
 * spaces lie in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"
#include "lucid.h"

/* Functions of one example that reduce over `dims` and come back to it. */
typedef lucid_tensor function(lucid_scope *s, lucid_tensor x, int dim);

static lucid_tensor softmax(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_softmax(s, x, dim);
}

static lucid_tensor log_softmax(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_log_softmax(s, x, dim);
}

static lucid_tensor logsumexp(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_logsumexp(s, x, LUCID_DIMS(dim));
}

static lucid_tensor variance(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_var(s, x, LUCID_DIMS(dim), 1);
}

static lucid_tensor deviation(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_std(s, x, LUCID_DIMS(dim), 1);
}

static lucid_tensor norm(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_norm(s, x, 2, LUCID_DIMS(dim));
}

static lucid_tensor normalise(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_div(s, x, lucid_norm(s, x, 2, LUCID_DIMS_KEEP(dim)));
}

/* (x - mean) / sqrt(var + eps) */
static lucid_tensor standardise(lucid_scope *s, lucid_tensor x, int dim)
{
    lucid_tensor d = lucid_sub(s, x, lucid_mean(s, x, LUCID_DIMS_KEEP(dim)));
    lucid_tensor var = lucid_mean(s, lucid_square(s, d), LUCID_DIMS_KEEP(dim));
    return lucid_mul(s, d, lucid_rsqrt(s, lucid_add(s, var, lucid_scalar(s, 1e-5))));
}

/* Two reductions of the same elements, apart, that meet again. */
static lucid_tensor range(lucid_scope *s, lucid_tensor x, int dim)
{
    lucid_tensor low = lucid_amin(s, x, LUCID_DIMS_KEEP(dim));
    lucid_tensor high = lucid_amax(s, x, LUCID_DIMS_KEEP(dim));
    return lucid_div(s, lucid_sub(s, x, low), lucid_sub(s, high, low));
}

static lucid_tensor product(lucid_scope *s, lucid_tensor x, int dim)
{
    return lucid_prod(s, lucid_tanh(s, x), LUCID_DIMS(dim));
}

/* tanh(x) exp(-x x) + log1p(|x|) */
static lucid_tensor chain(lucid_scope *s, lucid_tensor x, int dim)
{
    (void)dim;
    lucid_tensor bump = lucid_exp(s, lucid_mul(s, lucid_neg(s, x), x));
    return lucid_add(s, lucid_mul(s, lucid_tanh(s, x), bump), lucid_log1p(s, lucid_abs(s, x)));
}

static const struct entry {
    const char *name;
    function *f;
} table[] = {
    {"softmax", softmax},     {"log_softmax", log_softmax},
    {"logsumexp", logsumexp}, {"variance", variance},
    {"deviation", deviation}, {"norm", norm},
    {"normalise", normalise}, {"standardise", standardise},
    {"range", range},         {"product", product},
    {"chain", chain},
};
enum { ENTRIES = sizeof table / sizeof table[0] };

static int steps_of(lucid_scope *s, const lucid_tensor *x, size_t n)
{
    uint64_t before = lucid_get_stats().steps;
    if (lucid_eval(s, x, n) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return (int)(lucid_get_stats().steps - before);
}

static lucid_tensor normal(lucid_scope *s, lucid_shape shape)
{
    lucid_tensor x = lucid_randn(s, shape);
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    return x;
}

static lucid_status value(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = ((const struct entry *)user)->f(s, x[0], -1);
    return LUCID_OK;
}

static lucid_status loss(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = lucid_sum(s, lucid_square(s, ((const struct entry *)user)->f(s, x[0], -1)), LUCID_ALL);
    return LUCID_OK;
}

/* ---- one dispatch ------------------------------------------------------------------------------------- */

static void check_one(lucid_scope *s, lucid_fn f, lucid_tensor x, const char *name,
                      const char *what)
{
    lucid_tensor y = lucid_call1(s, lucid_vmap(s, f, NULL), x);
    int steps = steps_of(s, &y, 1);
    if (steps != 1)
        fail_msg("%s of %s: %d dispatches", what, name, steps);
}

/* Examples of one dim and of two, of which the last is reduced (and in the loss both). */
static void a_function_under_vmap_is_one_dispatch(void **state)
{
    (void)state;
    const lucid_shape shapes[] = {LUCID_SHAPE(10, 64), LUCID_SHAPE(7, 300), LUCID_SHAPE(9, 5, 12)};
    for (int i = 0; i < ENTRIES; i++)
        for (int k = 0; k < 3; k++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor x = normal(s, shapes[k]);
            lucid_fn f = lucid_fn_new(s, value, 1, (void *)(uintptr_t)&table[i]);
            lucid_fn l = lucid_fn_new(s, loss, 1, (void *)(uintptr_t)&table[i]);
            check_one(s, f, x, table[i].name, "value");
            check_one(s, l, x, table[i].name, "loss");
            if (table[i].f != product) /* whose derivative takes cumulative products */
                check_one(s, lucid_grad(s, l, NULL), x, table[i].name, "gradient");
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

static void values_and_gradients_share_a_dispatch(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_fn_new(s, loss, 1, (void *)(uintptr_t)&table[0]);
    lucid_tensor x = normal(s, LUCID_SHAPE(10, 64)), y[2];
    lucid_fn g = lucid_vmap(s, lucid_grad_and_value(s, f, NULL), NULL);
    assert_int_equal(lucid_call(s, g, &x, 1, y, 2), LUCID_OK);
    assert_int_equal(steps_of(s, y, 2), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- the same bits ------------------------------------------------------------------------------------ */

static void same_bits(lucid_scope *parent, const struct entry *e, lucid_tensor x, int dim)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor y[2];
    for (int on = 0; on < 2; on++) {
        lucid_scope *t = lucid_scope_new(s);
        y[on] = lucid_keep(t, e->f(t, x, dim));
        assert_int_equal(lucid_close(t), LUCID_OK);
        lucid__set_fusion(on == 1);
        int steps = steps_of(s, &y[on], 1);
        lucid__set_fusion(true);
        if (on == 1 && steps != 1)
            fail_msg("%s over dim %d of (%d, %d): %d dispatches", e->name, dim,
                     (int)lucid_size(x, 0), (int)lucid_size(x, 1), steps);
    }
    size_t bytes = (size_t)lucid_numel(y[0]) * lucid_dtype_size(lucid_dtype_of(y[0]));
    if (memcmp(lucid_data(s, y[0]), lucid_data(s, y[1]), bytes) != 0)
        fail_msg("%s over dim %d of (%d, %d): fused and unfused differ", e->name, dim,
                 (int)lucid_size(x, 0), (int)lucid_size(x, 1));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Short and long rows and columns, sizes around vectors, boxes and blocks, and both ways through memory. */
static void any_layout_gives_the_same_bits(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{1, 1},     {3, 5},      {5, 3},     {40, 16},   {33, 17},
                                {2, 4095},  {2, 4096},   {3, 4097},  {4097, 3},  {300, 700},
                                {1, 70000}, {70000, 1},  {2, 50001}, {50001, 2}, {20, 9000},
                                {9000, 20}, {40, 33000}, {33000, 40}};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = normal(s, LUCID_SHAPE(sizes[k][0], sizes[k][1]));
        for (int i = 0; i < ENTRIES; i++)
            for (int dim = 0; dim < 2; dim++) {
                same_bits(s, &table[i], x, dim);
                same_bits(s, &table[i], lucid_transpose(s, x, 0, 1), dim);
            }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_under_vmap_is_one_dispatch),
        cmocka_unit_test(values_and_gradients_share_a_dispatch),
        cmocka_unit_test(any_layout_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
