/* Fusion: how many steps a piece of work takes, and that its results are, bit for bit, those of the
 * same operations evaluated one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/native.h"
#include "cpu/run_program.h"
#include "engine/force.h"
#include "engine/fuse.h"
#include "lucid.h"

/* ---- steps --------------------------------------------------------------------------------------- */

/* The steps that evaluating n tensors takes. */
static int steps_of(lucid_scope *s, const lucid_tensor *x, size_t n)
{
    uint64_t before = lucid_get_stats().steps;
    assert_int_equal(lucid_eval(s, x, n), LUCID_OK);
    return (int)(lucid_get_stats().steps - before);
}

static lucid_tensor normal(lucid_scope *s, int64_t rows, int64_t columns)
{
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(rows, columns));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    return x;
}

/* tanh(x) exp(-x x) + log1p(|x|), of which nothing but the result is kept. */
static lucid_tensor chain(lucid_scope *parent, lucid_tensor x)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor bump = lucid_exp(s, lucid_mul(s, lucid_neg(s, x), x));
    lucid_tensor y =
        lucid_add(s, lucid_mul(s, lucid_tanh(s, x), bump), lucid_log1p(s, lucid_abs(s, x)));
    y = lucid_keep(s, y);
    assert_int_equal(lucid_close(s), LUCID_OK);
    return y;
}

static lucid_status chain_sum(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_sum(s, chain(s, x[0]), LUCID_ALL);
    return LUCID_OK;
}

static void a_chain_is_one_step(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = chain(s, normal(s, 7, 5));
    assert_int_equal(steps_of(s, &y, 1), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void a_gradient_is_one_step(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_fn f = lucid_vmap(s, lucid_grad(s, lucid_fn_new(s, chain_sum, 1, NULL), NULL), NULL);
    lucid_tensor y = lucid_call1(s, f, normal(s, 7, 5));
    assert_int_equal(steps_of(s, &y, 1), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void a_reduction_takes_in_what_makes_its_input(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = normal(s, 7, 5);
    for (int dim = 0; dim < 2; dim++) {
        lucid_scope *t = lucid_scope_new(s);
        lucid_tensor y = lucid_keep(t, lucid_sum(t, chain(t, x), LUCID_DIMS(dim)));
        assert_int_equal(lucid_close(t), LUCID_OK);
        assert_int_equal(steps_of(s, &y, 1), 1);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void what_the_user_holds_costs_no_step(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y[3];
    y[0] = lucid_exp(s, normal(s, 7, 5));
    y[1] = lucid_neg(s, y[0]);
    y[2] = lucid_add(s, y[0], y[1]);
    assert_int_equal(steps_of(s, y, 3), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* A value read the other way round is not there yet when its neighbours are made. */
static void a_transposed_read_waits(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor y = lucid_exp(s, normal(s, 5, 5));
    lucid_tensor z = lucid_add(s, y, lucid_transpose(s, y, 0, 1));
    assert_int_equal(steps_of(s, &z, 1), 2);
    const float *a = lucid_data(s, y), *b = lucid_data(s, z);
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++)
            assert_true(b[5 * i + j] == a[5 * i + j] + a[5 * j + i]);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* The same elements in another order of the dims are there. */
static void a_chain_of_transposes_is_one_step(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_scope *t = lucid_scope_new(s);
    lucid_tensor x = normal(s, 7, 5);
    lucid_tensor y = lucid_transpose(t, lucid_exp(t, x), 0, 1);
    y = lucid_keep(t, lucid_add(t, y, lucid_transpose(t, x, 0, 1)));
    assert_int_equal(lucid_close(t), LUCID_OK);
    assert_int_equal(steps_of(s, &y, 1), 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- random programs ------------------------------------------------------------------------------ */

enum { POOL = 40, STEPS = 30, KEPT = 3 };

typedef struct maker {
    lucid_scope *s;
    uint64_t state;
    lucid_tensor pool[POOL];
    int count;
} maker;

static uint32_t draw(maker *m, uint32_t below)
{
    m->state = m->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(m->state >> 33) % below;
}

static lucid_tensor any(maker *m)
{
    return m->pool[draw(m, (uint32_t)m->count)];
}

static lucid_tensor random_unary(maker *m, lucid_tensor x)
{
    static const lucid_dtype dtypes[] = {LUCID_FLOAT32, LUCID_FLOAT64, LUCID_INT32, LUCID_INT64};
    switch (draw(m, 10)) {
    case 0:
        return lucid_neg(m->s, x);
    case 1:
        return lucid_tanh(m->s, x);
    case 2:
        return lucid_abs(m->s, x);
    case 3:
        return lucid_sin(m->s, x);
    case 4:
        return lucid_mul(m->s, x, lucid_scalar(m->s, 0.75));
    case 5:
        return lucid_cast(m->s, lucid_cast(m->s, x, LUCID_INT32), LUCID_FLOAT32);
    case 6:
        return lucid_cast(m->s, lucid_tanh(m->s, lucid_cast(m->s, x, LUCID_FLOAT64)),
                          LUCID_FLOAT32);
    case 8:
        return lucid_cast(m->s, x, dtypes[draw(m, 4)]);
    case 7: /* two operations that differ in a parameter alone */
        return lucid_sub(m->s, lucid_pow(m->s, x, lucid_scalar_int(m->s, 3)),
                         lucid_pow(m->s, x, lucid_scalar_int(m->s, 4)));
    default:
        return lucid_where(m->s, lucid_gt(m->s, x, lucid_scalar(m->s, 0)), x, lucid_exp(m->s, x));
    }
}

/* And the result is not much larger than either. */
static bool broadcasts(lucid_tensor x, lucid_tensor y)
{
    int64_t common = 1;
    for (int i = 1; i <= lucid_ndim(x) && i <= lucid_ndim(y); i++) {
        int64_t a = lucid_size(x, -i), b = lucid_size(y, -i);
        if (a != b && a != 1 && b != 1)
            return false;
        common *= a < b ? a : b;
    }
    return lucid_numel(x) * (lucid_numel(y) / (common > 0 ? common : 1)) < 1 << 21;
}

static lucid_tensor random_binary(maker *m, lucid_tensor x, lucid_tensor y)
{
    if (!broadcasts(x, y))
        return random_unary(m, x);
    switch (draw(m, 4)) {
    case 0:
        return lucid_add(m->s, x, y);
    case 1:
        return lucid_sub(m->s, x, y);
    case 2:
        return lucid_maximum(m->s, x, y);
    default:
        return lucid_mul(m->s, lucid_tanh(m->s, x), y);
    }
}

/* Elements along the last dim at positions that other numbers of the program say. */
static lucid_tensor random_gather(maker *m, lucid_tensor x, lucid_tensor where)
{
    int last = lucid_ndim(x) - 1;
    if (last < 0 || lucid_size(x, last) == 0 || lucid_ndim(where) > 2 || last > 2 ||
        lucid_numel(x) > 20000 || lucid_numel(where) > 20)
        return random_unary(m, x);
    lucid_tensor size = lucid_scalar_int(m->s, lucid_size(x, last));
    lucid_tensor at = lucid_cast(m->s, lucid_mul(m->s, lucid_tanh(m->s, where), size), LUCID_INT32);
    at = lucid_remainder(m->s, at, size);
    return lucid_take(m->s, x, draw(m, 2) ? at : lucid_sub(m->s, at, size), last);
}

static lucid_tensor random_view(maker *m, lucid_tensor x)
{
    int64_t low[] = {1, 0, 2, 1}, high[] = {0, 2, 1, 1};
    int last = lucid_ndim(x) - 1;
    if (last < 0)
        return lucid_unsqueeze(m->s, x, 0);
    switch (draw(m, 8)) {
    case 0:
        return lucid_transpose(m->s, x, 0, last);
    case 1:
        return lucid_flip(m->s, x, LUCID_DIMS(last));
    case 2:
        return lucid_slice(m->s, x, last, 0, LUCID_END, 2);
    case 3:
        return last < 3 ? lucid_unsqueeze(m->s, x, (int)draw(m, 2)) : x;
    case 4:
        return lucid_flatten(m->s, x, 0, last);
    case 5:
        return last < 4 && lucid_numel(x) < 20000 ? lucid_pad(m->s, x, low, high) : x;
    case 6:
        return lucid_numel(x) < 20000
                   ? lucid_concatenate(m->s, (lucid_tensor[]){x, random_unary(m, x)}, 2, last)
                   : x;
    default:
        return lucid_add(m->s, x,
                         lucid_arange(m->s, 0, (double)lucid_size(x, last), 1, LUCID_FLOAT32));
    }
}

static lucid_tensor random_reduction(maker *m, lucid_tensor x)
{
    int ndim = lucid_ndim(x);
    if (ndim == 0 || lucid_numel(x) == 0)
        return random_unary(m, x);
    int dim = (int)draw(m, (uint32_t)ndim);
    switch (draw(m, 4)) {
    case 0:
        return lucid_sum(m->s, x, LUCID_DIMS(dim));
    case 1:
        return lucid_amax(m->s, x, LUCID_DIMS_KEEP(dim));
    case 2:
        return lucid_mean(m->s, lucid_cast(m->s, x, LUCID_FLOAT32), LUCID_DIMS_KEEP(dim));
    default:
        return lucid_sum(m->s, x, LUCID_ALL);
    }
}

/* A random program from a seed, evaluated operation by operation or not yet; its last KEPT values belong to the parent, nobody holds the others. */
static void make(lucid_scope *parent, uint64_t seed, bool one_by_one, lucid_tensor *kept)
{
    maker m = {.s = lucid_scope_new(parent), .state = seed};
    int64_t rows = draw(&m, 4) != 0 ? 6 : draw(&m, 8) != 0 ? 700 : 70000;
    lucid_manual_seed(m.s, seed);
    m.pool[m.count++] = lucid_randn(m.s, LUCID_SHAPE(rows, 5));
    m.pool[m.count++] = lucid_randn(m.s, LUCID_SHAPE(rows, 1));
    m.pool[m.count++] = lucid_randn(m.s, LUCID_SHAPE(5));
    m.pool[m.count++] = lucid_randn(m.s, LUCID_SCALAR_SHAPE);
    for (int i = 0; i < STEPS; i++) {
        uint32_t kind = draw(&m, 11);
        lucid_tensor x = any(&m), y = any(&m);
        m.pool[m.count] = kind < 3    ? random_unary(&m, x)
                          : kind < 7  ? random_binary(&m, x, y)
                          : kind < 9  ? random_view(&m, x)
                          : kind < 10 ? random_reduction(&m, x)
                                      : random_gather(&m, x, y);
        if (one_by_one)
            assert_int_equal(lucid_eval(m.s, &m.pool[m.count], 1), LUCID_OK);
        m.count++;
    }
    for (int k = 0; k < KEPT; k++)
        kept[k] = lucid_keep(m.s, m.pool[m.count - KEPT + k]);
    if (lucid_error(m.s) != LUCID_OK)
        fail_msg("program %d: %s", (int)seed, lucid_error_message(m.s));
    assert_int_equal(lucid_close(m.s), LUCID_OK);
}

/* Against operation by operation, unfused, in boxes of the usual size. */
static void compare_programs(uint64_t first, uint64_t count, lucid__box_limits limits)
{
    const lucid__box_limits usual = lucid__limits;
    for (uint64_t seed = first; seed < first + count; seed++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor fused[KEPT], single[KEPT];
        make(s, seed, false, fused);
        lucid__set_fusion(false);
        const int64_t after = lucid__native_after;
        lucid__native_after = INT64_MAX;
        make(s, seed, true, single);
        lucid__native_after = after;
        lucid__set_fusion(true);
        lucid__limits = limits;
        lucid_set_num_threads(1 + (int)(seed % 3));
        assert_int_equal(lucid_eval(s, fused, KEPT), LUCID_OK);
        lucid_set_num_threads(0);
        lucid__limits = usual;
        for (int k = 0; k < KEPT; k++) {
            assert_int_equal(lucid_numel(fused[k]), lucid_numel(single[k]));
            size_t bytes =
                (size_t)lucid_numel(fused[k]) * lucid_dtype_size(lucid_dtype_of(fused[k]));
            if (bytes > 0 && memcmp(lucid_data(s, fused[k]), lucid_data(s, single[k]), bytes) != 0)
                fail_msg("program %d: result %d differs", (int)seed, k);
        }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* What tells x from its sums over the dims in `a`, summed over those in `b`. */
static lucid_tensor nested_sums(lucid_scope *parent, lucid_tensor x, unsigned a, unsigned b)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_dims over[2] = {{.keep = true}, {.keep = true}};
    for (int d = 0; d < lucid_ndim(x); d++) {
        if (a >> d & 1)
            over[0].dim[over[0].n++] = d;
        if (b >> d & 1)
            over[1].dim[over[1].n++] = d;
    }
    lucid_tensor y = lucid_sub(s, lucid_mul(s, x, x), lucid_sum(s, x, over[0]));
    y = lucid_keep(s, lucid_sum(s, y, over[1]));
    assert_int_equal(lucid_close(s), LUCID_OK);
    return y;
}

/* Two reductions of one program, over any dims each: beside each other, apart, the same, different. */
static void reductions_over_any_dims(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{2, 3, 4, 3}, {1, 3, 2, 5}, {17, 2, 3, 16}};
    lucid_scope *s = lucid_open(NULL);
    for (int k = 0; k < 3; k++) {
        lucid_shape shape = {4, {0}};
        memcpy(shape.dim, sizes[k], sizeof sizes[k]);
        lucid_tensor x = lucid_randn_of(s, shape, LUCID_FLOAT64);
        assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
        for (unsigned a = 1; a < 16; a++)
            for (unsigned b = 1; b < 16; b++) {
                lucid_scope *t = lucid_scope_new(s);
                lucid_tensor y[2];
                for (int on = 0; on < 2; on++) {
                    y[on] = nested_sums(t, x, a, b);
                    lucid__set_fusion(on == 1);
                    assert_int_equal(lucid_eval(t, &y[on], 1), LUCID_OK);
                    lucid__set_fusion(true);
                }
                size_t bytes = (size_t)lucid_numel(y[0]) * sizeof(double);
                if (memcmp(lucid_data(t, y[0]), lucid_data(t, y[1]), bytes) != 0)
                    fail_msg("sums over the dims %x and then %x: fused and unfused differ", a, b);
                assert_int_equal(lucid_close(t), LUCID_OK);
            }
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* x in another dtype, and 2 x, twice beside themselves: neither lies in memory as in its register. */
static void cast_and_double(lucid_scope *parent, lucid_tensor x, lucid_dtype to, lucid_tensor *y)
{
    lucid_scope *s = lucid_scope_new(parent);
    lucid_tensor of[2] = {lucid_cast(s, x, to), lucid_mul(s, x, lucid_scalar_int(s, 2))};
    for (int k = 0; k < 2; k++)
        y[k] = lucid_keep(s, lucid_concatenate(s, (lucid_tensor[]){of[k], of[k]}, 2, 1));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* A register that were too narrow for what is cast would spill over into the next one. */
static void casts_have_room_for_both_dtypes(void **state)
{
    (void)state;
    const lucid__forced_layout usual = lucid__layout_forced();
    lucid__force_layout(LUCID__FORCE_ELEMENTS);
    for (int pair = 0; pair < LUCID_NO_DTYPE * LUCID_NO_DTYPE; pair++) {
        const lucid_dtype from = (lucid_dtype)(pair / LUCID_NO_DTYPE);
        const lucid_dtype to = (lucid_dtype)(pair % LUCID_NO_DTYPE);
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_mul(s, normal(s, 3000, 7), lucid_scalar(s, 5)), y[2][2];
        x = lucid_cast(s, x, from);
        assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
        for (int on = 0; on < 2; on++) {
            cast_and_double(s, x, to, y[on]);
            lucid__set_fusion(on == 1);
            assert_int_equal(lucid_eval(s, y[on], 2), LUCID_OK);
            lucid__set_fusion(true);
        }
        for (int k = 0; k < 2; k++) {
            size_t bytes = (size_t)lucid_numel(y[0][k]) * lucid_dtype_size(lucid_dtype_of(y[0][k]));
            if (memcmp(lucid_data(s, y[0][k]), lucid_data(s, y[1][k]), bytes) != 0)
                fail_msg("%s to %s: result %d differs", lucid_dtype_name(from),
                         lucid_dtype_name(to), k);
        }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
    lucid__force_layout(usual);
}

/* Every chain of operations as machine code, with vectors of either length. */
static void native_programs_give_the_same_bits(void **state)
{
    (void)state;
    const int64_t usual = lucid__native_after;
    const lucid__box_limits tiny = {1024, 0, 16};
    lucid__native_after = 0;
    for (int wide = 0; wide < 2; wide++) {
        lucid__native_wide = wide == 1;
        compare_programs(10000 + 1000 * (uint64_t)wide, 300, lucid__limits);
        compare_programs(20000 + 1000 * (uint64_t)wide, 100, tiny);
    }
    lucid__native_after = usual;
}

static void random_programs_give_the_same_bits(void **state)
{
    (void)state;
    compare_programs(0, 400, lucid__limits);
}

/* Boxes of a few lanes: every program has many of them, and long reductions are run in stages. */
static void tiny_boxes_give_the_same_bits(void **state)
{
    (void)state;
    const lucid__box_limits tiny[] = {{256, 256, 16}, {1024, 0, 16}, {4096, 0, 64}};
    for (size_t i = 0; i < sizeof tiny / sizeof tiny[0]; i++)
        compare_programs(1000 * (i + 1), 150, tiny[i]);
}

/* Where LUCID_LAYOUT forces a layout, without the tests that count steps. */
int main(void)
{
    const struct CMUnitTest same_bits_tests[] = {
        cmocka_unit_test(random_programs_give_the_same_bits),
        cmocka_unit_test(reductions_over_any_dims),
        cmocka_unit_test(casts_have_room_for_both_dtypes),
    };
    if (lucid__layout_forced() != LUCID__FORCE_NONE)
        return cmocka_run_group_tests(same_bits_tests, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_one_step),
        cmocka_unit_test(a_gradient_is_one_step),
        cmocka_unit_test(a_reduction_takes_in_what_makes_its_input),
        cmocka_unit_test(what_the_user_holds_costs_no_step),
        cmocka_unit_test(a_transposed_read_waits),
        cmocka_unit_test(a_chain_of_transposes_is_one_step),
        cmocka_unit_test(random_programs_give_the_same_bits),
        cmocka_unit_test(native_programs_give_the_same_bits),
        cmocka_unit_test(reductions_over_any_dims),
        cmocka_unit_test(casts_have_room_for_both_dtypes),
        cmocka_unit_test(tiny_boxes_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
