#include "support/compare.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int64_t numel(lucid_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= shape.dim[i];
    return n;
}

lucid_tensor count_up(lucid_scope *s, lucid_shape shape)
{
    double x[COMPARE_MOST];
    assert_true(numel(shape) <= COMPARE_MOST);
    for (int64_t i = 0; i < numel(shape); i++)
        x[i] = (double)i;
    return lucid_from_data(s, x, LUCID_FLOAT64, shape);
}

lucid_tensor some_numbers(lucid_scope *s, lucid_shape shape, int which)
{
    double x[COMPARE_MOST];
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15) * (uint64_t)(which + 1);
    assert_true(numel(shape) <= COMPARE_MOST);
    for (int64_t i = 0; i < numel(shape); i++) {
        /* Knuth's MMIX generator; its upper bits are good enough. */
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = (double)(int64_t)state / 9223372036854775808.0;
    }
    return lucid_from_data(s, x, LUCID_FLOAT64, shape);
}

void check_ok(lucid_scope *s)
{
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
}

size_t values_of(lucid_scope *s, lucid_tensor x, double *to)
{
    check_ok(s);
    size_t n = (size_t)lucid_numel(x);
    assert_true(n <= COMPARE_MOST);
    (void)lucid_read(s, lucid_cast(s, x, LUCID_FLOAT64), to, n * sizeof *to);
    check_ok(s);
    return n;
}

void check_shape(lucid_tensor x, lucid_shape shape)
{
    assert_int_equal(lucid_ndim(x), shape.ndim);
    for (int i = 0; i < shape.ndim; i++)
        assert_int_equal(lucid_size(x, i), shape.dim[i]);
}

void check_values(lucid_scope *s, lucid_tensor x, lucid_shape shape, const double *expected)
{
    static double got[COMPARE_MOST];
    size_t n = values_of(s, x, got);
    check_shape(x, shape);
    for (size_t i = 0; i < n; i++) {
        bool same = got[i] == expected[i] || (isnan(got[i]) && isnan(expected[i])) ||
                    fabs(got[i] - expected[i]) <= 1e-12 * (1 + fabs(expected[i]));
        if (!same)
            fail_msg("element %zu is %.17g, expected %.17g", i, got[i], expected[i]);
    }
}

void check_same(lucid_scope *s, lucid_tensor x, lucid_tensor expected)
{
    static double to[COMPARE_MOST];
    (void)values_of(s, expected, to);
    check_values(s, x, lucid_shape_of(expected), to);
}

void check_error(lucid_scope *s, lucid_status status, const char *part)
{
    if (lucid_error(s) != status)
        fail_msg("status %d (\"%s\"), expected %d (\"%s\")", (int)lucid_error(s),
                 lucid_error_message(s), (int)status, part);
    if (!strstr(lucid_error_message(s), part))
        fail_msg("\"%s\" does not say \"%s\"", lucid_error_message(s), part);
    lucid_clear_error(s);
}
