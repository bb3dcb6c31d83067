/* Reading what concatenate and pad put together: programs read the parts where they are, so that no copy is made,
 * with the bits of the copy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/run_program.h"
#include "engine/fuse.h"
#include "lucid.h"
#include "support/fused.h"

typedef lucid_tensor mover(lucid_scope *s, lucid_tensor x);

static lucid_tensor differences(lucid_scope *s, lucid_tensor x)
{
    return lucid_sub(s, lucid_roll(s, x, 1, -1), x);
}

static lucid_tensor rolled_sum(lucid_scope *s, lucid_tensor x)
{
    return lucid_sum(s, lucid_mul(s, lucid_roll(s, x, -2, 0), lucid_roll(s, x, 3, -1)), LUCID_ALL);
}

static lucid_tensor padded(lucid_scope *s, lucid_tensor x)
{
    const int64_t low[2] = {1, 2}, high[2] = {0, 3};
    return lucid_exp(s, lucid_pad(s, x, low, high));
}

static lucid_tensor padded_softmax(lucid_scope *s, lucid_tensor x)
{
    const int64_t low[2] = {2, 0}, high[2] = {1, 1};
    return lucid_softmax(s, lucid_pad(s, x, low, high), -1);
}

/* 1 of 2 neighbours on each side, from slices of what was padded. */
static lucid_tensor stencil(lucid_scope *s, lucid_tensor x)
{
    const int64_t low[2] = {0, 2}, high[2] = {0, 2};
    lucid_tensor y = lucid_pad(s, x, low, high), sum = {NULL};
    int64_t n = lucid_size(x, 1);
    for (int64_t k = 0; k < 5; k++) {
        lucid_tensor part = lucid_slice(s, y, 1, k, k + n, 1);
        sum = k == 0 ? part : lucid_add(s, sum, part);
    }
    return sum;
}

static lucid_tensor joined(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor parts[3] = {x, lucid_transpose(s, x, 0, 1), lucid_flip(s, x, LUCID_DIMS(1))};
    return lucid_sum(s, lucid_square(s, lucid_concatenate(s, parts, 3, 0)), LUCID_DIMS(0));
}

static lucid_tensor stacked(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor parts[3] = {x, lucid_transpose(s, x, 0, 1), x};
    return lucid_amax(s, lucid_stack(s, parts, 3, 1), LUCID_DIMS(1));
}

/* Every other element, from the end, and the other way round. */
static lucid_tensor strided(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = lucid_concatenate(s, (lucid_tensor[]){x, x}, 2, 1);
    y = lucid_flip(s, lucid_slice(s, y, 1, 1, LUCID_END, 2), LUCID_DIMS(0, 1));
    return lucid_neg(s, lucid_transpose(s, y, 0, 1));
}

static lucid_tensor whole_numbers(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = lucid_roll(s, lucid_cast(s, x, LUCID_INT32), 1, 0);
    return lucid_add(s, lucid_roll(s, lucid_gt(s, x, lucid_scalar(s, 0)), 1, 1), y);
}

/* One row and one column of it. */
static lucid_tensor a_line(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor y = lucid_concatenate(s, (lucid_tensor[]){x, lucid_transpose(s, x, 0, 1)}, 2, 1);
    lucid_tensor row = lucid_slice(s, y, 0, 1, 2, 1), column = lucid_slice(s, y, 1, 2, 3, 1);
    return lucid_mul(s, row, column);
}

static const struct entry {
    const char *name;
    mover *f;
    int steps;
} table[] = {
    {"differences", differences, 1},
    {"rolled_sum", rolled_sum, 1},
    {"padded", padded, 1},
    {"padded_softmax", padded_softmax, 1},
    {"stencil", stencil, 1},
    {"joined", joined, 1},
    {"stacked", stacked, 1},
    {"strided", strided, 1},
    {"whole_numbers", whole_numbers, 3}, /* the casts, which are read elsewhere than made */
    {"a_line", a_line, 1}};
enum { ENTRIES = sizeof table / sizeof table[0] };

static lucid_status move(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                         size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = ((const struct entry *)user)->f(s, x[0]);
    return LUCID_OK;
}

static void check(const struct entry *e, int64_t lanes, int64_t n, bool last)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_randn(s, lanes == 0 ? LUCID_SHAPE(n, n)
                                    : last     ? LUCID_SHAPE(n, n, lanes)
                                               : LUCID_SHAPE(lanes, n, n));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    lucid_fn f = lucid_fn_new(s, move, 1, (void *)(uintptr_t)e);
    if (lanes > 0)
        f = lucid_vmap(s, f, &(lucid_vmap_options){.in_dims = LUCID_INTS(last ? 2 : 0)});
    assert_true(lucid_numel(x) > 0);
    int steps = steps_when_fused(s, e->name, f, &x, 1);
    if (steps > e->steps)
        fail_msg("%s of %d, %d lanes: %d dispatches", e->name, (int)n, (int)lanes, steps);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void what_is_put_together_is_read_in_parts(void **state)
{
    (void)state;
    const lucid__box_limits usual = lucid__limits, limits[] = {usual, {256, 256, 16}};
    const int64_t sizes[] = {4, 7, 40, 131};
    for (int i = 0; i < ENTRIES; i++)
        for (int k = 0; k < 4; k++)
            for (int limit = 0; limit < 2; limit++) {
                lucid__limits = limits[limit];
                check(&table[i], 0, sizes[k], false);
                check(&table[i], 9, sizes[k], false);
                check(&table[i], 9, sizes[k], true);
                lucid__limits = usual;
            }
}

/* The zeros are written with the rest: by the same program, box by box. */
static void what_is_computed_is_padded_in_one_step(void **state)
{
    (void)state;
    static const int64_t around[][4] = {{0, 1, 0, 1}, {1, 0, 0, 0}, {2, 3, 1, 4}, {0, 0, 5, 0}};
    static const int64_t sizes[][2] = {{2, 2}, {3, 70}, {70, 3}, {1, 9}, {300, 301}, {0, 3}};
    const lucid__box_limits usual = lucid__limits, limits[] = {usual, {256, 256, 16}};
    for (int i = 0; i < 4 * 6 * 4; i++) {
        lucid_scope *s = lucid_open(NULL);
        const int64_t *a = around[i % 4], *n = sizes[i / 4 % 6], low[2] = {a[0], a[2]};
        const int64_t high[2] = {a[1], a[3]};
        const bool turned = i / 24 % 2;
        lucid_tensor x = lucid_randn(s, turned ? LUCID_SHAPE(n[1], n[0]) : LUCID_SHAPE(n[0], n[1]));
        assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
        x = turned ? lucid_transpose(s, x, 0, 1) : x;
        const float *from = lucid_data(s, x);
        lucid_scope *t = lucid_scope_new(s);
        lucid_tensor y = lucid_keep(t, lucid_pad(t, lucid_neg(t, x), low, high));
        assert_int_equal(lucid_close(t), LUCID_OK);
        lucid__limits = limits[i / 48];
        uint64_t before = lucid_get_stats().steps;
        assert_int_equal(lucid_eval(s, &y, 1), LUCID_OK);
        if (n[0] > 1)
            assert_int_equal(lucid_get_stats().steps - before, 1);
        lucid__limits = usual;
        const float *to = lucid_data(s, y);
        for (int64_t r = 0; r < lucid_size(y, 0); r++)
            for (int64_t c = 0; c < lucid_size(y, 1); c++) {
                bool inside = r >= a[0] && r < a[0] + n[0] && c >= a[2] && c < a[2] + n[1];
                float want = inside ? -from[(r - a[0]) * n[1] + c - a[2]] : 0;
                if (to[r * lucid_size(y, 1) + c] != want)
                    fail_msg("case %d: (%d, %d)", i, (int)r, (int)c);
            }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* What someone holds is made by the program of those who read it, in one step for all parts. */
static void what_is_held_is_made_at_once(void **state)
{
    (void)state;
    const int64_t low[2] = {1, 2}, high[2] = {0, 3};
    for (int i = 0; i < 3; i++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = lucid_randn(s, LUCID_SHAPE(6, 7)), y[2][2];
        assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
        for (int on = 0; on < 2; on++) {
            lucid_tensor small = lucid_slice(s, x, 0, 1, 3, 1);
            y[on][0] = i == 0   ? lucid_roll(s, x, 2, 1)
                       : i == 1 ? lucid_pad(s, x, low, high)
                                : lucid_concatenate(s, (lucid_tensor[]){x, small, x}, 3, 0);
            y[on][1] = lucid_exp(s, y[on][0]);
            lucid__set_fusion(on == 1);
            uint64_t before = lucid_get_stats().steps;
            assert_int_equal(lucid_eval(s, y[on], 2), LUCID_OK);
            int steps = (int)(lucid_get_stats().steps - before);
            lucid__set_fusion(true);
            if (on == 1)
                assert_int_equal(steps, 1);
        }
        for (int k = 0; k < 2; k++)
            assert_memory_equal(lucid_data(s, y[0][k]), lucid_data(s, y[1][k]),
                                (size_t)lucid_numel(y[0][k]) * sizeof(float));
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* What someone holds, and what a kernel reads, is in one place. */
static void results_and_operands_of_kernels_are_made(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_randn(s, LUCID_SHAPE(3, 4));
    assert_int_equal(lucid_eval(s, &x, 1), LUCID_OK);
    lucid_tensor y[3];
    y[0] = lucid_roll(s, x, 1, 0);
    y[1] = lucid_exp(s, y[0]);
    lucid_scope *t = lucid_scope_new(s);
    lucid_tensor z = lucid_roll(t, x, 1, 1);
    y[2] = lucid_keep(t, lucid_add(t, lucid_sort(t, z, 1, false, NULL), z));
    assert_int_equal(lucid_close(t), LUCID_OK);
    assert_int_equal(lucid_eval(s, y, 3), LUCID_OK);
    const float *a = lucid_data(s, x), *b = lucid_data(s, y[0]);
    for (int i = 0; i < 12; i++)
        assert_true(b[(i + 4) % 12] == a[i]);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_together_is_read_in_parts),
        cmocka_unit_test(what_is_computed_is_padded_in_one_step),
        cmocka_unit_test(what_is_held_is_made_at_once),
        cmocka_unit_test(results_and_operands_of_kernels_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
