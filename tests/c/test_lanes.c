/* Lane programs: loops and branches of small code, run in registers. What they give is compared, bit for
 * bit, with the same operations computed one by one, and with loops in C. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "support/both_ways.h"

/* ---- while ---------------------------------------------------------------------------------------- */

/* Escape count: z, c in parts; at most *user steps. */
FUNCTION(escape_goes)
{
    UNUSED;
    lucid_tensor size = lucid_add(s, lucid_mul(s, x[0], x[0]), lucid_mul(s, x[1], x[1]));
    y[0] = lucid_logical_and(s, lucid_le(s, size, NUM(4)), lucid_lt(s, x[2], NUM(*(int *)user)));
    return LUCID_OK;
}

typedef struct escape {
    int most;
    lucid_tensor re, im;
} escape;

FUNCTION(escape_step)
{
    UNUSED;
    const escape *e = user;
    y[0] = lucid_add(s, lucid_sub(s, lucid_mul(s, x[0], x[0]), lucid_mul(s, x[1], x[1])), e->re);
    y[1] = lucid_add(s, lucid_mul(s, lucid_mul(s, NUM(2), x[0]), x[1]), e->im);
    y[2] = lucid_add(s, x[2], int32(s, 1));
    return LUCID_OK;
}

FUNCTION(escape_count)
{
    UNUSED;
    escape e = {*(int *)user, x[0], x[1]};
    lucid_fn goes = lucid_fn_new(s, escape_goes, 1, &e.most),
             step = lucid_fn_new(s, escape_step, 3, &e);
    lucid_tensor zero = lucid_zeros_like(s, x[0]);
    lucid_tensor init[3] = {zero, zero, int32(s, 0)}, out[3];
    (void)lucid_while(s, goes, step, init, 3, NULL, out);
    y[0] = out[2];
    y[1] = out[0];
    return LUCID_OK;
}

static int escape_in_c(float re, float im, int most)
{
    float zr = 0, zi = 0;
    int n = 0;
    while (zr * zr + zi * zi <= 4 && n < most) {
        float next = zr * zr - zi * zi + re;
        zi = 2 * zr * zi + im;
        zr = next;
        n++;
    }
    return n;
}

static void test_escape(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 63, 64, 65, 511, 512, 513, 1500};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        lucid_scope *s = lucid_open(NULL);
        int64_t n = sizes[k];
        int most = 60;
        float *re = lucid_alloc(s, (size_t)(n + 1) * 4), *im = lucid_alloc(s, (size_t)(n + 1) * 4);
        for (int64_t i = 0; i < n; i++) {
            re[i] = -2 + 2.6f * (float)(i * 37 % 101) / 101;
            im[i] = -1.2f + 2.4f * (float)(i * 53 % 97) / 97;
        }
        lucid_tensor x[2] = {lucid_from_data(s, re, LUCID_FLOAT32, LUCID_SHAPE(n)),
                             lucid_from_data(s, im, LUCID_FLOAT32, LUCID_SHAPE(n))},
                     y[2];
        both_vmapped(s, "escape", escape_count, 2, &most, x, 2, y);
        const int32_t *count = lucid_data(s, y[0]);
        check(s);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(count[i], escape_in_c(re[i], im[i], most));
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- xs and ys -------------------------------------------------------------------------------------- */

FUNCTION(filter_step)
{
    UNUSED;
    y[0] = lucid_add(s, lucid_mul(s, x[0], NUM(0.5)), x[1]);
    y[1] = lucid_neg(s, x[0]);
    y[2] = lucid_cast(s, lucid_gt(s, x[1], x[0]), LUCID_INT64);
    return LUCID_OK;
}

FUNCTION(filter)
{
    UNUSED;
    lucid_scan_options options = {.reverse = *(bool *)user};
    lucid_fn f = lucid_fn_new(s, filter_step, 3, NULL);
    return lucid_scan(s, f, x, 1, x + 1, 1, &options, y, y + 1, 2);
}

/* Vectors of three per step. */
static void steps_case(int64_t lanes, int64_t length, bool reverse, int dim, lucid_dtype dtype)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2], y[3];
    x[0] = lucid_reshape(s, corners(s, dtype, lanes * 3, 4), LUCID_SHAPE(lanes, 3));
    lucid_tensor xs = corners(s, dtype, lanes * length * 3, 8);
    x[1] = dim == 0 ? lucid_reshape(s, xs, LUCID_SHAPE(lanes, length, 3))
                    : lucid_reshape(s, xs, LUCID_SHAPE(length, 3, lanes));
    lucid_vmap_options options = {.in_dims = LUCID_INTS(0, dim)};
    lucid_fn f = lucid_fn_new(s, filter, 3, &reverse);
    both(s, "filter", lucid_vmap(s, f, &options), x, 2, y, 3);
    if (dim == 0 && lanes > 0) { /* what is the same for all */
        x[1] = lucid_select(s, x[1], 0, 0);
        options = (lucid_vmap_options){.in_dims = LUCID_INTS(0, LUCID_NONE)};
        both(s, "filter of one", lucid_vmap(s, f, &options), x, 2, y, 3);
        x[0] = lucid_select(s, x[0], 0, 0);
        both(s, "one filter", f, x, 2, y, 3);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_steps(void **state)
{
    (void)state;
    static const int64_t lengths[] = {1, 2, 5, 6, 17};
    for (int k = 0; k < 5; k++)
        for (int v = 0; v < 4; v++)
            steps_case(37, lengths[k], v & 1, v & 2, v < 2 ? LUCID_FLOAT32 : LUCID_FLOAT64);
    steps_case(1, 5, true, 0, LUCID_FLOAT64);
    steps_case(600, 7, false, 0, LUCID_FLOAT32);
    steps_case(600, 7, true, 2, LUCID_FLOAT32);
    steps_case(0, 5, false, 0, LUCID_FLOAT32);
    steps_case(5, 0, false, 0, LUCID_FLOAT32);
}

/* ---- loops in loops, branches in loops ---------------------------------------------------------------- */

/* Halves until below 1, so as often as the number is large. */
FUNCTION(large)
{
    UNUSED;
    y[0] = lucid_ge(s, x[0], NUM(1));
    return LUCID_OK;
}

FUNCTION(halve)
{
    UNUSED;
    y[0] = lucid_mul(s, x[0], NUM(0.5));
    y[1] = lucid_add(s, x[1], x[0]);
    return LUCID_OK;
}

FUNCTION(root_branch)
{
    UNUSED;
    y[0] = lucid_sqrt(s, x[0]);
    return LUCID_OK;
}

FUNCTION(log_branch)
{
    UNUSED;
    y[0] = lucid_log(s, lucid_neg(s, x[0]));
    return LUCID_OK;
}

/* A branch with a loop that would not end for the lanes that do not take it. */
FUNCTION(loop_branch)
{
    UNUSED;
    lucid_fn goes = lucid_fn_new(s, large, 1, NULL), step = lucid_fn_new(s, halve, 2, NULL);
    const lucid_tensor init[2] = {lucid_abs(s, x[0]), x[0]};
    lucid_tensor out[2];
    (void)lucid_while(s, goes, step, init, 2, NULL, out);
    y[0] = out[1];
    return LUCID_OK;
}

/* One of three by the sign and size, each of which gives NaN, or goes on for ever, where it is not taken. */
FUNCTION(three_ways)
{
    UNUSED;
    const lucid_fn ways[3] = {lucid_fn_new(s, root_branch, 1, NULL),
                              lucid_fn_new(s, log_branch, 1, NULL),
                              lucid_fn_new(s, loop_branch, 1, NULL)};
    lucid_tensor finite = lucid_isfinite(s, x[0]);
    lucid_tensor negative = lucid_cast(s, lucid_lt(s, x[0], NUM(0)), LUCID_INT64);
    lucid_tensor small = lucid_lt(s, lucid_abs(s, x[0]), NUM(3));
    lucid_tensor loop = lucid_logical_and(s, finite, lucid_logical_not(s, small));
    lucid_tensor index = lucid_where(s, loop, lucid_scalar_int(s, 2), negative);
    return lucid_switch(s, index, ways, 3, x, 1, y, 1);
}

FUNCTION(ways_step)
{
    UNUSED;
    lucid_tensor way;
    (void)three_ways(s, x, 1, &way, 1, NULL);
    y[0] = lucid_add(s, way, x[1]);
    y[1] = way;
    return LUCID_OK;
}

/* scan of switch of while */
FUNCTION(ways_scan)
{
    UNUSED;
    lucid_fn f = lucid_fn_new(s, ways_step, 2, NULL);
    return lucid_scan(s, f, x, 1, x + 1, 1, NULL, y, y + 1, 1);
}

FUNCTION(fewer)
{
    UNUSED;
    y[0] = lucid_gt(s, x[1], NUM(0));
    return LUCID_OK;
}

FUNCTION(ways_again)
{
    UNUSED;
    (void)three_ways(s, x, 1, y, 1, NULL);
    y[1] = lucid_sub(s, x[1], NUM(1));
    return LUCID_OK;
}

/* while of switch of while; x[1]: how often, which differs */
FUNCTION(ways_while)
{
    UNUSED;
    lucid_fn goes = lucid_fn_new(s, fewer, 1, NULL), step = lucid_fn_new(s, ways_again, 2, NULL);
    return lucid_while(s, goes, step, x, 2, NULL, y);
}

static void test_nesting(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 40, 700};
    for (int k = 0; k < 3; k++) {
        lucid_scope *s = lucid_open(NULL);
        int64_t n = sizes[k];
        lucid_tensor x[2] = {corners(s, LUCID_FLOAT32, n, 2), corners(s, LUCID_FLOAT32, n * 4, 4)},
                     y[2];
        x[1] = lucid_reshape(s, x[1], LUCID_SHAPE(n, 4));
        both_vmapped(s, "switch", three_ways, 1, NULL, x, 1, y);
        both_vmapped(s, "scan of switch", ways_scan, 2, NULL, x, 2, y);
        lucid_tensor trips =
            lucid_remainder(s, lucid_arange(s, 0, (double)n, 1, LUCID_FLOAT32), NUM(7));
        x[1] = trips;
        both_vmapped(s, "while of switch", ways_while, 2, NULL, x, 2, y);
        lucid_tensor one[2] = {NUM(12.5), NUM(3)};
        both(s, "while of switch, one", lucid_fn_new(s, ways_while, 2, NULL), one, 2, y, 2);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* A scan inside a scan, over rows of what the outer one carries. */
FUNCTION(inner_step)
{
    UNUSED;
    y[0] = lucid_sub(s, lucid_mul(s, x[0], x[1]), NUM(0.25));
    y[1] = lucid_add(s, x[0], x[1]);
    return LUCID_OK;
}

FUNCTION(outer_step)
{
    UNUSED;
    lucid_scan_options back = {.reverse = true};
    lucid_fn f = lucid_fn_new(s, inner_step, 2, NULL);
    lucid_tensor last, rows;
    (void)lucid_scan(s, f, &x[1], 1, &x[0], 1, &back, &last, &rows, 1);
    y[0] = rows;
    y[1] = lucid_tanh(s, last);
    return LUCID_OK;
}

FUNCTION(scan_of_scan)
{
    UNUSED;
    lucid_scan_options three = {.length = 3};
    lucid_fn f = lucid_fn_new(s, outer_step, 2, NULL);
    return lucid_scan(s, f, x, 2, NULL, 0, &three, y, NULL, 0);
}

/* Two carries that change places. */
FUNCTION(swap_step)
{
    UNUSED;
    y[0] = x[1];
    y[1] = lucid_add(s, x[0], x[1]);
    y[2] = x[0];
    y[3] = x[3];
    return LUCID_OK;
}

FUNCTION(swaps)
{
    UNUSED;
    lucid_scan_options many = {.length = 20};
    lucid_fn f = lucid_fn_new(s, swap_step, 4, NULL);
    return lucid_scan(s, f, x, 4, NULL, 0, &many, y, NULL, 0);
}

/* Loops over lanes of their own: a vmap inside the body. */
FUNCTION(vmapped_halving)
{
    UNUSED;
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, loop_branch, 1, NULL), NULL);
    y[0] = lucid_call1(s, f, x[0]);
    return LUCID_OK;
}

FUNCTION(scan_of_vmap)
{
    UNUSED;
    lucid_scan_options two = {.length = 2};
    lucid_fn f = lucid_fn_new(s, vmapped_halving, 1, NULL);
    return lucid_scan(s, f, x, 1, NULL, 0, &two, y, NULL, 0);
}

static void test_scans_in_scans(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[4], y[4];
    x[0] = lucid_reshape(s, corners(s, LUCID_FLOAT64, 50 * 6, 4), LUCID_SHAPE(50, 3, 2));
    x[1] = lucid_reshape(s, corners(s, LUCID_FLOAT64, 50 * 2, 0), LUCID_SHAPE(50, 2));
    both_vmapped(s, "scan of scan", scan_of_scan, 2, NULL, x, 2, y);
    for (int i = 0; i < 4; i++)
        x[i] = corners(s, LUCID_INT64, 33, 2 * i);
    both_vmapped(s, "swaps", swaps, 4, NULL, x, 4, y);
    double v[24];
    for (int i = 0; i < 24; i++)
        v[i] = i * 1.75;
    x[0] = lucid_from_data(s, v, LUCID_FLOAT64, LUCID_SHAPE(6, 4));
    both_vmapped(s, "scan of vmap", scan_of_vmap, 1, NULL, x, 1, y);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- slow lanes among quick ones, threads ------------------------------------------------------------- */

FUNCTION(below)
{
    UNUSED;
    y[0] = lucid_lt(s, x[1], x[2]);
    return LUCID_OK;
}

FUNCTION(wander)
{
    UNUSED;
    lucid_tensor square = lucid_mul(s, x[0], x[0]);
    y[0] = lucid_add(s, lucid_sub(s, NUM(1), lucid_mul(s, NUM(1.4), square)), lucid_sin(s, x[0]));
    y[1] = lucid_add(s, x[1], int32(s, 1));
    y[2] = x[2];
    return LUCID_OK;
}

FUNCTION(wandering)
{
    UNUSED;
    lucid_fn goes = lucid_fn_new(s, below, 1, NULL), step = lucid_fn_new(s, wander, 3, NULL);
    const lucid_tensor init[3] = {lucid_zeros_like(s, lucid_cast(s, x[0], LUCID_FLOAT32)),
                                  int32(s, 0), x[0]};
    lucid_tensor out[3];
    (void)lucid_while(s, goes, step, init, 3, NULL, out);
    y[0] = out[0];
    y[1] = out[1];
    return LUCID_OK;
}

static void test_slow_lanes(void **state)
{
    (void)state;
    enum { N = 9000 };
    static int32_t trips[N];
    for (int i = 0; i < N; i++)
        trips[i] = i % 997 == 5 ? 400 : i * 7 % 11;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = lucid_from_data(s, trips, LUCID_INT32, LUCID_SHAPE(N)), y[2], z[2];
    both_vmapped(s, "wandering", wandering, 2, NULL, &x, 1, y);
    const int32_t *taken = lucid_data(s, y[1]);
    for (int i = 0; i < N; i++)
        assert_int_equal(taken[i], trips[i]);
    for (int threads = 1; threads <= 4; threads++) {
        lucid_set_num_threads(threads);
        apply(s, lucid_vmap(s, lucid_fn_new(s, wandering, 2, NULL), NULL), &x, 1, z, 2);
        same_bits(s, y[0], z[0], "threads");
    }
    lucid_set_num_threads(0);
    /* A lane alone has the same bits. */
    lucid_tensor one = lucid_select(s, x, 0, 5);
    apply(s, lucid_fn_new(s, wandering, 2, NULL), &one, 1, z, 2);
    same_bits(s, z[0], lucid_select(s, y[0], 0, 5), "a lane alone");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- what is not suitable, and memory ------------------------------------------------------------------ */

FUNCTION(sorted_step)
{
    UNUSED;
    lucid_tensor index;
    y[0] = lucid_sort(s, x[0], 0, false, &index);
    return LUCID_OK;
}

static void test_others_run_otherwise(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_scan_options two = {.length = 2};
    lucid_tensor x = LUCID_VECTOR(s, 3, 1, 2), y;
    (void)lucid_scan(s, lucid_fn_new(s, sorted_step, 1, NULL), &x, 1, NULL, 0, &two, &y, NULL, 0);
    check(s);
    assert_false(in_lanes(s, &y, 1));
    assert_true(((const float *)lucid_data(s, y))[0] == 1);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Fails the n-th allocation of an evaluation; false: it had fewer. */
static bool fails(int64_t lanes, int64_t n)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2], y[2];
    x[0] = corners(s, LUCID_FLOAT32, lanes, 2);
    x[1] = lucid_reshape(s, corners(s, LUCID_FLOAT32, 4 * lanes, 4), LUCID_SHAPE(lanes, 4));
    apply(s, lucid_vmap(s, lucid_fn_new(s, ways_scan, 2, NULL), NULL), x, 2, y, 2);
    lucid__fail_allocations_after(n);
    lucid_status status = lucid_eval(s, y, 2);
    bool failed = lucid__allocations_left() < 0;
    lucid__fail_allocations_after(-1);
    assert_true(status == LUCID_OK || (failed && status == LUCID_MEMORY_ERROR));
    (void)lucid_close(s);
    return failed;
}

static void test_no_memory(void **state)
{
    (void)state;
    int64_t n = 0;
    while (fails(40 + n, n)) /* another plan each time */
        n++;
    assert_true(n > 20);
    (void)fails(30, -1);
    for (n = 0; fails(30, n);) /* a plan that is there */
        n++;
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),     cmocka_unit_test(test_steps),
        cmocka_unit_test(test_nesting),    cmocka_unit_test(test_scans_in_scans),
        cmocka_unit_test(test_slow_lanes), cmocka_unit_test(test_others_run_otherwise),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
