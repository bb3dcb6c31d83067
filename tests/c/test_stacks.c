/* What is computed from a stack of few computed values is computed from these: no step is spent on the stack, and the
 * bits are those of the stack made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/fuse.h"
#include "lucid.h"
#include "support/fused.h"

/* Of one example, x (2,): n values stacked along a last dim. */
static lucid_tensor stack(lucid_scope *s, lucid_tensor x, size_t n)
{
    lucid_tensor a = lucid_select(s, x, 0, 0), b = lucid_select(s, x, 0, 1);
    lucid_tensor parts[4] = {lucid_mul(s, a, b), lucid_sin(s, a), lucid_exp(s, b),
                             lucid_sub(s, b, a)};
    return lucid_stack(s, parts, n, -1);
}

typedef lucid_tensor user(lucid_scope *s, lucid_tensor x, size_t n);

static lucid_tensor norm(lucid_scope *s, lucid_tensor x, size_t n)
{
    return lucid_norm(s, stack(s, x, n), 2, LUCID_ALL);
}

static lucid_tensor largest(lucid_scope *s, lucid_tensor x, size_t n)
{
    lucid_tensor y = stack(s, x, n);
    return lucid_add(s, lucid_amax(s, y, LUCID_DIMS(0)), lucid_prod(s, y, LUCID_DIMS(0)));
}

static lucid_tensor softmax(lucid_scope *s, lucid_tensor x, size_t n)
{
    return lucid_softmax(s, stack(s, x, n), -1);
}

static lucid_tensor truths(lucid_scope *s, lucid_tensor x, size_t n)
{
    lucid_tensor y = lucid_gt(s, stack(s, x, n), lucid_scalar(s, 0));
    lucid_tensor count = lucid_sum(s, lucid_cast(s, y, LUCID_INT32), LUCID_ALL);
    return lucid_where(s, lucid_any(s, y, LUCID_ALL), count, lucid_neg(s, count));
}

static lucid_tensor chosen(lucid_scope *s, lucid_tensor x, size_t n)
{
    lucid_tensor y = lucid_tanh(s, stack(s, x, n));
    lucid_tensor last = lucid_select(s, y, 0, (int64_t)n - 1);
    return lucid_sub(s, last, lucid_sum(s, lucid_slice(s, y, 0, 0, 1, 1), LUCID_ALL));
}

static lucid_tensor with_a_vector(lucid_scope *s, lucid_tensor x, size_t n)
{
    lucid_tensor v =
        lucid_from_data(s, (const float[]){1.5F, -2, 0.25F, 3}, LUCID_FLOAT32, LUCID_SHAPE(4));
    v = lucid_slice(s, v, 0, 0, (int64_t)n, 1);
    return lucid_sum(s, lucid_mul(s, stack(s, x, n), v), LUCID_ALL);
}

/* One step of Runge and Kutta's method, which begins and ends with a stack. */
static lucid_tensor slope(lucid_scope *s, lucid_tensor y)
{
    lucid_tensor a = lucid_select(s, y, 0, 0), b = lucid_select(s, y, 0, 1);
    lucid_tensor parts[2] = {lucid_mul(s, b, lucid_scalar(s, 2)), lucid_neg(s, lucid_sin(s, a))};
    return lucid_stack(s, parts, 2, 0);
}

static lucid_tensor runge_kutta(lucid_scope *s, lucid_tensor x, size_t n)
{
    (void)n;
    lucid_tensor h = lucid_scalar(s, 0.01), half = lucid_scalar(s, 0.005), k[4];
    k[0] = slope(s, x);
    k[1] = slope(s, lucid_add(s, x, lucid_mul(s, half, k[0])));
    k[2] = slope(s, lucid_add(s, x, lucid_mul(s, half, k[1])));
    k[3] = slope(s, lucid_add(s, x, lucid_mul(s, h, k[2])));
    lucid_tensor middle = lucid_mul(s, lucid_scalar(s, 2), lucid_add(s, k[1], k[2]));
    lucid_tensor sum = lucid_add(s, lucid_add(s, k[0], k[3]), middle);
    return lucid_add(s, x, lucid_mul(s, lucid_scalar(s, 0.01 / 6), sum));
}

static const struct entry {
    const char *name;
    user *f;
} table[] = {{"norm", norm},
             {"largest", largest},
             {"softmax", softmax},
             {"truths", truths},
             {"chosen", chosen},
             {"with_a_vector", with_a_vector},
             {"runge_kutta", runge_kutta}};
enum { ENTRIES = sizeof table / sizeof table[0] };

static struct {
    const struct entry *e;
    size_t n;
} now;

static lucid_status use(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                        size_t ny, void *with)
{
    (void)nx, (void)ny, (void)with;
    y[0] = now.e->f(s, x[0], now.n);
    return LUCID_OK;
}

static void check(const struct entry *e, size_t n, int64_t lanes, bool derivative)
{
    lucid_scope *s = lucid_open(NULL);
    now.e = e, now.n = n;
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(lanes, 2));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    lucid_fn f = lucid_fn_new(s, use, 1, NULL);
    f = derivative ? lucid_jacfwd(s, f, NULL) : f;
    int steps = steps_when_fused(s, e->name, lucid_vmap(s, f, NULL), &x, 1);
    if (lanes >= 256 && !derivative && steps != 1)
        fail_msg("%s of %d: %d dispatches", e->name, (int)n, steps);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void stacks_come_apart(void **state)
{
    (void)state;
    const int64_t lanes[] = {1, 255, 256, 1000};
    for (int i = 0; i < ENTRIES; i++)
        for (size_t n = 2; n <= 4; n++)
            for (int k = 0; k < 4; k++) {
                check(&table[i], n, lanes[k], false);
                if (table[i].f != truths)
                    check(&table[i], n, lanes[k], true);
            }
}

/* Along any dim of the stack, over any dims of it. */
static void reductions_of_stacks(void **state)
{
    (void)state;
    for (int dim = 0; dim < 3; dim++)
        for (unsigned over = 1; over < 8; over++)
            for (size_t n = 2; n <= 4; n++) {
                lucid_scope *s = lucid_open(NULL);
                lucid_tensor x = lucid_randn(s, LUCID_SHAPE(17, 16)), y[2][3], parts[4];
                assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
                lucid_dims dims = {.n = 0};
                for (int d = 0; d < 3; d++)
                    if (over >> d & 1)
                        dims.dim[dims.n++] = d;
                for (int on = 0; on < 2; on++) {
                    lucid_scope *t = lucid_scope_new(s);
                    parts[0] = lucid_sin(t, x), parts[1] = lucid_exp(t, x);
                    parts[2] = lucid_neg(t, x), parts[3] = lucid_square(t, x);
                    lucid_tensor z = lucid_stack(t, parts, n, dim);
                    y[on][0] = lucid_keep(t, lucid_sum(t, lucid_abs(t, z), dims));
                    y[on][1] = lucid_keep(t, lucid_amin(t, z, dims));
                    y[on][2] = lucid_keep(t, lucid_tanh(t, z));
                    assert_int_equal(lucid_close(t), LUCID_OK);
                    lucid__set_fusion(on == 1);
                    assert_int_equal(lucid_eval(s, y[on], 3), LUCID_OK);
                    lucid__set_fusion(true);
                }
                for (int k = 0; k < 3; k++)
                    if (memcmp(lucid_data(s, y[0][k]), lucid_data(s, y[1][k]),
                               (size_t)lucid_numel(y[0][k]) * sizeof(float)) != 0)
                        fail_msg("stack along %d, over %x: result %d differs", dim, over, k);
                assert_int_equal(lucid_close(s), LUCID_OK);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_come_apart),
        cmocka_unit_test(reductions_of_stacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
