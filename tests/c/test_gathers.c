/* Reading at positions as part of programs: how many dispatches it takes, that the elements are the right ones
 * however tables and indices lie in memory, and what is said of an index that is out of range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/run_program.h"
#include "engine/fuse.h"
#include "lucid.h"
#include "support/compare.h"
#include "support/fused.h"

static int steps_of(lucid_scope *s, const lucid_tensor *x, size_t n)
{
    uint64_t before = lucid_get_stats().steps;
    if (lucid_eval(s, x, n) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return (int)(lucid_get_stats().steps - before);
}

static lucid_tensor ready(lucid_scope *s, lucid_tensor x)
{
    if (lucid_eval(s, &x, 1) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return x;
}

/* Indices from -size to size - 1, some of them more than once. */
static lucid_tensor indices(lucid_scope *s, lucid_shape shape, int64_t size, lucid_dtype dtype)
{
    lucid_tensor x = lucid_cast(s, lucid_randint(s, -size, size, shape), dtype);
    return ready(s, x);
}

/* ---- one dispatch ------------------------------------------------------------------------------- */

typedef lucid_tensor reader(lucid_scope *s, lucid_tensor x, lucid_tensor i);

static lucid_tensor rows(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_tanh(s, lucid_take(s, x, i, 0));
}

static lucid_tensor columns(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_exp(s, lucid_neg(s, lucid_take(s, x, i, 1)));
}

static lucid_tensor summed(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_sum(s, lucid_square(s, lucid_take(s, x, i, 0)), LUCID_ALL);
}

static lucid_tensor bag(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_sum(s, lucid_take(s, x, i, 0), LUCID_DIMS(0));
}

static lucid_tensor normalised(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_softmax(s, lucid_take(s, x, i, 0), -1);
}

/* Where to look is computed, and so is what is made of it. */
static lucid_tensor computed(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    lucid_tensor at = lucid_remainder(s, lucid_mul(s, i, i), lucid_scalar_int(s, 4));
    return lucid_add(s, lucid_take(s, x, at, 0), lucid_take(s, x, lucid_neg(s, at), 0));
}

/* Differences between elements at two lists of positions, and what is looked up twice. */
static lucid_tensor pairs(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    lucid_tensor a[2] = {i, lucid_remainder(s, i, lucid_scalar_int(s, 5))};
    lucid_tensor d =
        lucid_sub(s, lucid_index(s, x, a, 2), lucid_take(s, lucid_take(s, x, i, 0), a[1], 1));
    return lucid_sum(s, lucid_square(s, d), LUCID_ALL);
}

static lucid_tensor along(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    lucid_tensor at = lucid_unsqueeze(s, i, 1);
    return lucid_mul(s, lucid_take_along_dim(s, x, at, 0), lucid_scalar(s, 2));
}

static lucid_tensor plain(lucid_scope *s, lucid_tensor x, lucid_tensor i)
{
    return lucid_take(s, x, i, 0);
}

static const struct entry {
    const char *name;
    reader *f;
    int steps; /* a gather of a gather's result reads what is in memory */
} table[] = {{"rows", rows, 1},   {"columns", columns, 1},       {"summed", summed, 1},
             {"bag", bag, 1},     {"normalised", normalised, 1}, {"computed", computed, 1},
             {"pairs", pairs, 2}, {"along", along, 1},           {"plain", plain, 1}};
enum { ENTRIES = sizeof table / sizeof table[0] };

static lucid_status read_at(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                            size_t ny, void *user)
{
    (void)nx, (void)ny;
    y[0] = ((const struct entry *)user)->f(s, x[0], x[1]);
    return LUCID_OK;
}

/* Under vmap of the table, of the index, of both, and without; fused and not. */
static void check_entry(const struct entry *e, int lanes, lucid_dtype dtype, bool transposed,
                        int64_t n, int64_t k)
{
    lucid_scope *s = lucid_open(NULL);
    lucid_shape of_x = LUCID_SHAPE(9, n, n), of_i = LUCID_SHAPE(9, k);
    if (!(lanes & 1))
        of_x = LUCID_SHAPE(n, n);
    if (!(lanes & 2))
        of_i = LUCID_SHAPE(k);
    lucid_tensor in[2] = {
        ready(s, lucid_cast(s, lucid_mul(s, lucid_randn(s, of_x), lucid_scalar(s, 8)), dtype)),
        indices(s, of_i, n, k % 2 ? LUCID_INT32 : LUCID_INT64)};
    if (transposed)
        in[0] = lucid_transpose(s, in[0], -1, -2);
    lucid_fn f = lucid_fn_new(s, read_at, 1, (void *)(uintptr_t)e);
    if (lanes)
        f = lucid_vmap(s, f,
                       &(lucid_vmap_options){.in_dims = LUCID_INTS(lanes & 1 ? 0 : LUCID_NONE,
                                                                   lanes & 2 ? 0 : LUCID_NONE)});
    int steps = steps_when_fused(s, e->name, f, in, 2);
    if (steps != e->steps)
        fail_msg("%s, lanes %d: %d dispatches", e->name, lanes, steps);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void a_function_that_reads_at_positions_is_one_dispatch(void **state)
{
    (void)state;
    const lucid__box_limits usual = lucid__limits, tiny = {256, 256, 16};
    for (int i = 0; i < ENTRIES; i++)
        for (int lanes = 0; lanes < 4; lanes++)
            for (int how = 0; how < 8; how++) {
                lucid_dtype dtype = how & 1 ? LUCID_FLOAT32 : LUCID_FLOAT64;
                lucid__limits = how & 4 ? tiny : usual;
                check_entry(&table[i], lanes, dtype, how & 2, 5, 7);
                check_entry(&table[i], lanes, dtype, how & 2, 33, 600);
            }
    lucid__limits = usual;
}

/* ---- the right elements --------------------------------------------------------------------------- */

/* Strides of x of 5 x 7 x 6 in whatever order its dims lie in memory, some backwards. */
static lucid_tensor laid_out(lucid_scope *s, lucid_dtype dtype, int order, unsigned flipped)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const int64_t size[3] = {5, 7, 6};
    const int *o = orders[order];
    lucid_dims back = {.n = 3}, flip = {.n = 0};
    for (int d = 0; d < 3; d++) {
        back.dim[o[d]] = d;
        if (flipped >> d & 1)
            flip.dim[flip.n++] = d;
    }
    lucid_tensor x = lucid_arange(s, 0, 210, 1, LUCID_INT64);
    x = lucid_reshape(s, x, LUCID_SHAPE(size[o[0]], size[o[1]], size[o[2]]));
    if (dtype == LUCID_BOOL)
        x = lucid_eq(s, lucid_remainder(s, x, lucid_scalar_int(s, 3)), lucid_scalar_int(s, 0));
    x = lucid_permute(s, ready(s, lucid_cast(s, x, dtype)), back);
    return flip.n > 0 ? lucid_flip(s, x, flip) : x;
}

static void every_layout_gives_the_right_elements(void **state)
{
    (void)state;
    const lucid_dtype dtypes[] = {LUCID_BOOL, LUCID_INT32, LUCID_INT64, LUCID_FLOAT32,
                                  LUCID_FLOAT64};
    for (int at = 0; at < 5 * 6 * 8; at++) {
        lucid_scope *s = lucid_open(NULL);
        lucid_tensor x = laid_out(s, dtypes[at / 48], at / 8 % 6, (unsigned)at % 8);
        for (int dim = 0; dim < 3; dim++) {
            double all[COMPARE_MOST], expected[COMPARE_MOST];
            int64_t n = lucid_size(x, dim), index[8] = {0, n - 1, -1, -n, 2, 2, -2, 1};
            lucid_shape shape = lucid_shape_of(x);
            (void)values_of(s, x, all);
            shape.dim[dim] = 8;
            for (int64_t e = 0; e < lucid_numel(x) / n * 8; e++) {
                int64_t p[3] = {e / shape.dim[2] / shape.dim[1], e / shape.dim[2] % shape.dim[1],
                                e % shape.dim[2]};
                p[dim] = index[p[dim]] < 0 ? index[p[dim]] + n : index[p[dim]];
                expected[e] = all[(p[0] * lucid_size(x, 1) + p[1]) * lucid_size(x, 2) + p[2]];
            }
            lucid_tensor i = lucid_from_data(s, index, LUCID_INT64, LUCID_SHAPE(8));
            check_values(s, lucid_take(s, x, i, dim), shape, expected);
            lucid_tensor j = lucid_movedim(s, lucid_expand(s, i, LUCID_SHAPE(1, 1, 8)), 2, dim);
            check_values(s, lucid_take_along_dim(s, x, j, dim), shape, expected);
        }
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* x[i, j, k, l, m, .. ] for n of its dims. */
static void many_indices_at_once(void **state)
{
    (void)state;
    for (int flipped = 0; flipped < 2; flipped++)
        for (size_t n = 1; n <= 6; n++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_shape shape = LUCID_SHAPE(2, 3, 2, 3, 2, 2);
            lucid_tensor x = ready(s, count_up(s, shape)), index[6];
            if (flipped)
                x = lucid_transpose(s, lucid_flip(s, x, LUCID_DIMS(1, 4)), 1, 3);
            for (size_t j = 0; j < n; j++)
                index[j] =
                    indices(s, LUCID_SHAPE(11), shape.dim[j], j % 2 ? LUCID_INT32 : LUCID_INT64);
            lucid_tensor all = lucid_index(s, x, index, n);
            for (int64_t p = 0; p < 11; p++) {
                lucid_tensor y = x;
                for (size_t j = 0; j < n; j++)
                    y = lucid_index(s, y,
                                    (lucid_tensor[]){lucid_slice(s, index[j], 0, p, p + 1, 1)}, 1),
                    y = lucid_reshape(s, y, lucid_shape_of(lucid_sum(s, y, LUCID_DIMS(0))));
                check_same(s, lucid_sum(s, lucid_slice(s, all, 0, p, p + 1, 1), LUCID_DIMS(0)), y);
            }
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* Four indices and more, of which the first three do not change along all dims of positions. */
static void indices_that_are_spread(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, count_up(s, LUCID_SHAPE(4, 2, 2, 4)));
    const int64_t minus = -1, a[3] = {0, 3, -1}, c[3] = {-2, -1, -2}, d[6] = {-1, 3, -4, 0, -4, 1};
    lucid_tensor index[4] = {lucid_from_data(s, a, LUCID_INT64, LUCID_SHAPE(3)),
                             {NULL},
                             lucid_from_data(s, c, LUCID_INT64, LUCID_SHAPE(1, 3)),
                             lucid_from_data(s, d, LUCID_INT64, LUCID_SHAPE(2, 3))};
    index[1] = lucid_from_data(s, &minus, LUCID_INT64, LUCID_SCALAR_SHAPE);
    double expected[6];
    for (int i = 0; i < 6; i++)
        expected[i] =
            (double)(((((a[i % 3] + 4) % 4) * 2 + 1) * 2 + c[i % 3] + 2) * 4 + (d[i] + 4) % 4);
    check_values(s, lucid_index(s, x, index, 4), LUCID_SHAPE(2, 3), expected);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void nothing_to_read(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = count_up(s, LUCID_SHAPE(4, 3)), none = lucid_randint(s, 0, 1, LUCID_SHAPE(0));
    lucid_tensor y = lucid_exp(s, lucid_take(s, x, none, 0));
    check_shape(y, LUCID_SHAPE(0, 3));
    assert_int_equal(steps_of(s, &y, 1), 0);
    CHECK(s, lucid_sum(s, lucid_take(s, x, none, 0), LUCID_DIMS(0)), LUCID_SHAPE(3), 0, 0, 0);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- out of range --------------------------------------------------------------------------------- */

static void expect_error(lucid_scope *s, lucid_tensor y, const char *what)
{
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_INDEX_ERROR);
    check_error(s, LUCID_INDEX_ERROR, what);
}

static void an_index_out_of_range_is_named(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x = ready(s, count_up(s, LUCID_SHAPE(4, 3)));
    lucid_tensor i = I64(s, LUCID_SHAPE(3), 1, -5, 4);
    expect_error(s, rows(s, x, i), "index -5 is out of range for dim 0 of size 4");
    expect_error(s, summed(s, x, i), "index -5 is out of range for dim 0 of size 4");
    expect_error(s, columns(s, x, lucid_abs(s, i)), "index 5 is out of range for dim 1 of size 3");
    expect_error(s,
                 lucid_index(s, x,
                             (lucid_tensor[]){lucid_abs(s, I64(s, LUCID_SHAPE(2), 0, 3)),
                                              I64(s, LUCID_SHAPE(2), 2, -4)},
                             2),
                 "index -4 is out of range for dim 1 of size 3");
    lucid_tensor empty = lucid_zeros(s, LUCID_SHAPE(0, 3));
    expect_error(s, summed(s, empty, I64(s, LUCID_SHAPE(1), 0)),
                 "index 0 is out of range for dim 0 of size 0");
    lucid_tensor thin = lucid_zeros(s, LUCID_SHAPE(4, 0));
    expect_error(s, lucid_exp(s, lucid_take(s, thin, i, 0)), "index -5 is out of range");
    expect_error(s, lucid_sum(s, lucid_take(s, thin, i, 0), LUCID_ALL), "index -5 is out of range");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* Of many that are wrong the first one, whatever the boxes, the threads and the order of reading are. */
static void the_first_index_out_of_range_is_named(void **state)
{
    (void)state;
    enum { N = 300000 };
    static int64_t index[N];
    lucid_scope *s = lucid_open(NULL);
    for (int k = 0; k < N; k++)
        index[k] = k < N / 3 + 77 ? k % 5 : k;
    lucid_tensor i = lucid_from_data(s, index, LUCID_INT64, LUCID_SHAPE(N));
    lucid_tensor x = ready(s, count_up(s, LUCID_SHAPE(5)));
    expect_error(s, lucid_exp(s, plain(s, x, i)), "index 100077 is");
    expect_error(s, summed(s, x, i), "index 100077 is");
    lucid_tensor turned = lucid_transpose(s, lucid_reshape(s, i, LUCID_SHAPE(300, 1000)), 0, 1);
    expect_error(s, plain(s, x, turned), "index 101000 is");
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_that_reads_at_positions_is_one_dispatch),
        cmocka_unit_test(every_layout_gives_the_right_elements),
        cmocka_unit_test(many_indices_at_once),
        cmocka_unit_test(indices_that_are_spread),
        cmocka_unit_test(nothing_to_read),
        cmocka_unit_test(an_index_out_of_range_is_named),
        cmocka_unit_test(the_first_index_out_of_range_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
