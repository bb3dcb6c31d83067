/* The sort kernel against qsort, for every dtype, layout and method: rows in SIMD lanes for each instruction
 * set that this machine has, long rows by digits, long rows in pieces. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"
#include "base/shape.h"
#include "cpu/instr.h"
#include "cpu/kernels.h"

static uint64_t state = 1;

static int64_t below(int64_t n)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)n);
}

/* ---- elements ------------------------------------------------------------------------------------- */

/* Few different ones, so that there are ties, and among floats those that are hard to order. */
static void put_any(void *to, lucid_dtype dtype, int64_t at, int64_t different)
{
    static const double hard[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 4e-324, -1e-310, -NAN};
    int64_t n = below(different) - different / 2;
    double x = below(6) == 0 ? hard[below(8)] : (double)n / 7;
    switch (dtype) {
    case LUCID_BOOL:
        ((bool *)to)[at] = n > 0;
        break;
    case LUCID_INT32:
        ((int32_t *)to)[at] = below(9) == 0 ? INT32_MIN : (int32_t)n;
        break;
    case LUCID_INT64:
        ((int64_t *)to)[at] = below(9) == 0 ? INT64_MAX : n * (INT64_C(1) << 31);
        break;
    case LUCID_FLOAT32:
        ((float *)to)[at] = below(9) == 0 ? 1e-44F : (float)x;
        break;
    default:
        ((double *)to)[at] = x;
        break;
    }
}

/* -1, 0, 1: by definition. NaN is larger than every number. */
static int compare(const void *x, lucid_dtype dtype, int64_t i, int64_t j)
{
    double a, b;
    if (dtype == LUCID_INT64) {
        int64_t u = ((const int64_t *)x)[i], v = ((const int64_t *)x)[j];
        return (u > v) - (u < v);
    }
    if (dtype == LUCID_BOOL) {
        a = ((const bool *)x)[i];
        b = ((const bool *)x)[j];
    } else if (dtype == LUCID_INT32) {
        a = ((const int32_t *)x)[i];
        b = ((const int32_t *)x)[j];
    } else if (dtype == LUCID_FLOAT32) {
        a = (double)((const float *)x)[i];
        b = (double)((const float *)x)[j];
    } else {
        a = ((const double *)x)[i];
        b = ((const double *)x)[j];
    }
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

/* ---- one call --------------------------------------------------------------------------------- */

static struct {
    const void *x;
    lucid_dtype dtype;
    bool descending;
    int64_t start, stride;
} row;

static int by_value_then_place(const void *a, const void *b)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    int c = compare(row.x, row.dtype, row.start + i * row.stride, row.start + j * row.stride);
    if (c != 0)
        return row.descending ? -c : c;
    return (i > j) - (i < j);
}

static void check_row(const void *x, const void *values, const int64_t *positions, int64_t start,
                      int64_t n, int64_t stride)
{
    int64_t *order = malloc((size_t)(n + 1) * sizeof *order);
    size_t size = lucid_dtype_size(row.dtype);
    row.start = start;
    row.stride = stride;
    for (int64_t k = 0; k < n; k++)
        order[k] = k;
    qsort(order, (size_t)n, sizeof *order, by_value_then_place);
    for (int64_t k = 0; k < n; k++) {
        int64_t to = start + k * stride, from = start + order[k] * stride;
        assert_int_equal(positions[to], order[k]);
        assert_memory_equal((const char *)values + to * (int64_t)size,
                            (const char *)x + from * (int64_t)size, size);
    }
    free(order);
}

/* One output alone is what it was in company. */
static void check_alone(const lucid__kernel_args *both, size_t value_bytes, size_t position_bytes)
{
    lucid__kernel_args args = *both;
    const size_t bytes[2] = {value_bytes, position_bytes};
    for (int k = 0; k < 2; k++) {
        lucid__view out[2] = {both->out[0], both->out[1]};
        out[k].data = malloc(bytes[k] + 1);
        out[1 - k].data = NULL;
        args.out = out;
        assert_int_equal(lucid__sort_kernel(&args), LUCID_OK);
        assert_memory_equal(out[k].data, both->out[k].data, bytes[k]);
        free(out[k].data);
    }
}

static void check(lucid_dtype dtype, int64_t outer, int64_t n, int64_t inner, bool descending,
                  int64_t different)
{
    const lucid_shape shape = {3, {outer, n, inner}};
    int64_t count = outer * n * inner;
    size_t bytes = (size_t)count * lucid_dtype_size(dtype);
    void *x = malloc(bytes + 1), *values = malloc(bytes + 1);
    int64_t *positions = malloc((size_t)(count + 1) * sizeof *positions);
    for (int64_t i = 0; i < count; i++)
        put_any(x, dtype, i, different);
    lucid__view in = {.data = x, .dtype = dtype, .shape = shape};
    lucid__view out[2] = {{.data = values, .dtype = dtype, .shape = shape},
                          {.data = positions, .dtype = LUCID_INT64, .shape = shape}};
    lucid__strides(&shape, in.stride);
    memcpy(out[0].stride, in.stride, sizeof in.stride);
    memcpy(out[1].stride, in.stride, sizeof in.stride);
    char message[64];
    const int64_t params[2] = {1, descending};
    lucid__kernel_args args = {.params = params,
                               .nparams = 2,
                               .nin = 1,
                               .in = &in,
                               .out = out,
                               .error = message,
                               .error_size = sizeof message};
    assert_int_equal(lucid__sort_kernel(&args), LUCID_OK);
    check_alone(&args, bytes, (size_t)count * sizeof *positions);
    row.x = x;
    row.dtype = dtype;
    row.descending = descending;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++)
            check_row(x, values, positions, o * n * inner + j, n, inner);
    free(x);
    free(values);
    free(positions);
}

/* ---- the kernel ------------------------------------------------------------------------------- */

static void test_lengths(void **unused)
{
    (void)unused;
    const int64_t more[] = {127, 128, 129, 200, 255, 256, 257, 300, 511, 512, 513, 1000};
    for (int64_t n = 0; n < 70 + (int64_t)(sizeof more / sizeof *more); n++)
        for (int d = 0; d < LUCID_NO_DTYPE; d++)
            check((lucid_dtype)d, 9, n < 70 ? n : more[n - 70], 1, n % 2, 2 * n + 2);
}

/* Around the length from which rows are sorted by digits; one row alone and many. */
static void test_long_rows(void **unused)
{
    (void)unused;
    for (int d = 0; d < LUCID_NO_DTYPE; d++)
        for (int64_t n = LUCID__SORT_MAX_LENGTH - 1; n < LUCID__SORT_MAX_LENGTH + 2; n++) {
            check((lucid_dtype)d, 1, n, 1, false, n);
            check((lucid_dtype)d, 5, n, 1, true, 20);
        }
}

/* All elements alike; keys whose upper digits are; the columns of a matrix. */
static void test_layouts(void **unused)
{
    (void)unused;
    for (int d = 0; d < LUCID_NO_DTYPE; d++) {
        check((lucid_dtype)d, 4, 40, 1, false, 1);
        check((lucid_dtype)d, 1, 900, 1, false, 1);
        for (int64_t inner = 2; inner < 20; inner++)
            check((lucid_dtype)d, 3, 21, inner, inner % 2, 30);
        check((lucid_dtype)d, 2, 700, 2, true, 3);
        check((lucid_dtype)d, 1, 5000, 3, true, 1000);
        check((lucid_dtype)d, 0, 5, 3, true, 2);
        check((lucid_dtype)d, 100, 1, 7, true, 2);
    }
}

/* One row in pieces, and rows shared out among threads. */
static void test_threads(void **unused)
{
    (void)unused;
    for (int threads = 1; threads <= 9; threads += 2) {
        lucid_set_num_threads(threads);
        for (int d = 0; d < LUCID_NO_DTYPE; d++) {
            check((lucid_dtype)d, 1, 140000 + threads, 1, threads % 4 == 1, 100000);
            check((lucid_dtype)d, 3, 9000, 1, false, 500);
            check((lucid_dtype)d, 300, 130, 1, true, 90);
        }
    }
    lucid_set_num_threads(0);
}

/* ---- the lanes of every instruction set --------------------------------------------------------- */

/* Rows of zeros and ones: a network that sorts all of them sorts everything (Knuth, 5.3.4, Z). */
static void check_zeros_and_ones(const lucid__sort_isa *isa, int n, uint64_t pattern)
{
    enum { MOST = 64 };
    int32_t x[LUCID__SORT_MAX_LANES * MOST], values[LUCID__SORT_MAX_LANES * MOST];
    int64_t positions[LUCID__SORT_MAX_LANES * MOST];
    void *scratch = aligned_alloc(64, lucid__sort_scratch(n));
    lucid__sort_rows r = {.x = x,
                          .values = values,
                          .positions = positions,
                          .n = n,
                          .stride = 1,
                          .count = isa->lanes,
                          .scratch = scratch};
    for (int i = 0; i < isa->lanes; i++) {
        r.first[i] = (int64_t)i * n;
        for (int k = 0; k < n; k++)
            x[i * n + k] = (pattern + (uint64_t)i) >> k & 1;
    }
    isa->sort[LUCID_INT32](&r);
    for (int i = 0; i < isa->lanes; i++)
        for (int k = 1; k < n; k++)
            assert_true(values[i * n + k - 1] <= values[i * n + k]);
    free(scratch);
}

static void check_network(const lucid__sort_isa *isa)
{
    for (int n = 1; n <= 17; n++)
        for (uint64_t pattern = 0; pattern < UINT64_C(1) << n; pattern += (uint64_t)isa->lanes)
            check_zeros_and_ones(isa, n, pattern);
    for (int i = 0; i < 2000; i++)
        check_zeros_and_ones(isa, 18 + i % 46,
                             (uint64_t)below(INT32_MAX) << 32 | (uint64_t)below(INT32_MAX));
}

#if defined(__x86_64__)
extern const lucid__sort_isa lucid__sort_v2, lucid__sort_v3, lucid__sort_v4;
#else
extern const lucid__sort_isa lucid__sort_base;
#endif

static void test_networks(void **unused)
{
    (void)unused;
#if defined(__x86_64__)
    const char *best = lucid_instruction_set();
    check_network(&lucid__sort_v2);
    if (strcmp(best, "v2") != 0)
        check_network(&lucid__sort_v3);
    if (strcmp(best, "v4") == 0)
        check_network(&lucid__sort_v4);
#else
    check_network(&lucid__sort_base);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_long_rows),
        cmocka_unit_test(test_layouts),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
