/* The accountant of examples/c against dp-accounting 0.6.0, class RdpAccountant, orders 2 to 256. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../examples/c/rdp_accountant.h"

static bool close_to(double x, double expected)
{
    return fabs(x - expected) <= 1e-9 * fabs(expected);
}

static void test_divergence_of_one_step(void **state)
{
    (void)state;
    double rate = 256 / 1437.0;
    assert_true(close_to(rdp_of_step(rate, 4, 2), 0.0020447711351557));
    assert_true(close_to(rdp_of_step(rate, 4, 6), 0.006379870414941975));
    assert_true(close_to(rdp_of_step(rate, 4, 256), 6.268099876183361));
    assert_true(close_to(rdp_of_step(0.01, 1, 32), 11.246275937048072));
    assert_true(close_to(rdp_of_step(1, 2, 10), 1.25));
}

static void test_epsilon(void **state)
{
    (void)state;
    static const struct {
        double rate, noise, steps, delta, epsilon;
        int order;
    } expected[] = {
        {256 / 1437.0, 4, 300, 1e-5, 3.6758727668370725, 6},
        {256 / 1437.0, 4, 20, 1e-5, 0.8880729709333424, 18},
        {0.01, 1, 10000, 1e-5, 6.7194021179393335, 4},
        {0.01, 0.8, 1000, 1e-6, 4.300886494496127, 5},
        {1, 2, 10, 1e-5, 8.087861628831664, 4},
        {0.1, 10, 1, 0.001, 0.014720435996070296, 162},
        {0.5, 0.3, 1, 1e-5, 19.851492688852026, 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        int order = 0;
        double epsilon = rdp_epsilon(expected[i].rate, expected[i].noise, expected[i].steps,
                                     expected[i].delta, &order);
        assert_true(close_to(epsilon, expected[i].epsilon));
        assert_int_equal(order, expected[i].order);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    assert_true(rdp_epsilon(0.001, 50, 1, 0.1, NULL) == 0); /* never negative */
    assert_true(isinf(rdp_epsilon(0.1, 0, 1, 1e-5, NULL))); /* no noise, no privacy */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divergence_of_one_step),
        cmocka_unit_test(test_epsilon),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
