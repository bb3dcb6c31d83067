/* Vector math at infinities, NaN, zeros, subnormal numbers, beyond the domains, and near overflow and underflow: the
 * values of the C library's scalar functions, and the same bits as ever for what stands beside them. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lucid.h"

typedef struct function {
    const char *name;
    lucid_tensor (*f)(lucid_scope *s, lucid_tensor x);
    long double (*exact)(long double x);
} function;

static const function functions[] = {
    {"exp", lucid_exp, expl},       {"exp2", lucid_exp2, exp2l},    {"expm1", lucid_expm1, expm1l},
    {"log", lucid_log, logl},       {"log2", lucid_log2, log2l},    {"log10", lucid_log10, log10l},
    {"log1p", lucid_log1p, log1pl}, {"sin", lucid_sin, sinl},       {"cos", lucid_cos, cosl},
    {"tan", lucid_tan, tanl},       {"asin", lucid_asin, asinl},    {"acos", lucid_acos, acosl},
    {"atan", lucid_atan, atanl},    {"sinh", lucid_sinh, sinhl},    {"cosh", lucid_cosh, coshl},
    {"tanh", lucid_tanh, tanhl},    {"asinh", lucid_asinh, asinhl}, {"acosh", lucid_acosh, acoshl},
    {"atanh", lucid_atanh, atanhl}, {"erf", lucid_erf, erfl},       {"erfc", lucid_erfc, erfcl},
    {"cbrt", lucid_cbrt, cbrtl},
};

/* Of either sign. */
static const double points[] = {
    0,    1e-45, 1e-40, 5e-324, 1e-310, 1.2e-38, 1e-9,  0.5,    0.999999, 1,     1.0000001, 2,
    5,    9,     9.5,   10.05,  10.2,   17,      18,    20,     26.5,     27.2,  27.4,      37,
    38,   40,    86.9,  87,     87.5,   88,      88.7,  88.73,  89,       89.3,  89.42,     90,
    100,  103,   103.9, 104,    105,    125.9,   126,   127.5,  128,      129,   149,       149.5,
    150,  151,   200,   707,    708,    708.5,   709.7, 709.79, 710,      710.4, 710.5,     711,
    740,  745,   745.2, 746,    800,    1021.5,  1022,  1023.5, 1024,     1074,  1074.5,    1075,
    1080, 1e4,   1e5,   1e10,   1e30,   3e38,    1e200, 1e308,  INFINITY, NAN,
};
enum { POINTS = sizeof points / sizeof *points, USUAL = 37, ALL = 2 * POINTS + USUAL };

static double ulp_of(double x, bool wide)
{
    int exponent;
    (void)frexp(x, &exponent);
    int least = wide ? DBL_MIN_EXP : FLT_MIN_EXP;
    exponent = exponent < least || x == 0 ? least : exponent;
    return ldexp(1, exponent - (wide ? DBL_MANT_DIG : FLT_MANT_DIG));
}

static void check_value(const function *f, bool wide, double x, double y)
{
    const double want = wide ? (double)f->exact(x) : (double)(float)f->exact(x);
    if (isnan(want) ? isnan(y) : y == want)
        return;
    if (!(fabs(y - want) <= 6 * ulp_of(want, wide)))
        fail_msg("%s(%.17g) of float%d is %.17g, not %.17g", f->name, x, wide ? 64 : 32, y, want);
}

static const double *values(lucid_scope *s, const function *f, lucid_tensor x)
{
    const double *y = lucid_data(s, lucid_cast(s, f->f(s, x), LUCID_FLOAT64));
    assert_int_equal(lucid_error(s), LUCID_OK);
    return y;
}

/* Special numbers among usual ones, which have the bits that they have among themselves. */
static void check_function(const function *f, bool wide)
{
    lucid_scope *s = lucid_open(NULL);
    double in[ALL], alone[USUAL];
    for (int i = 0; i < USUAL; i++)
        alone[i] = f->exact(0) == f->exact(0) && f->exact(0.5L) == f->exact(0.5L) ? 0.4 + 0.01 * i
                                                                                  : 1.4 + 0.01 * i;
    for (int i = 0; i < ALL; i++)
        in[i] = i < USUAL ? alone[i] : points[(i - USUAL) / 2] * (i % 2 ? 1 : -1);
    for (int i = 0; i < ALL; i++) { /* the usual ones everywhere */
        int other = i * 31 % ALL;
        double t = in[i];
        in[i] = in[other];
        in[other] = t;
    }
    const lucid_dtype dtype = wide ? LUCID_FLOAT64 : LUCID_FLOAT32;
    lucid_tensor x = lucid_cast(s, lucid_from_data(s, in, LUCID_FLOAT64, LUCID_SHAPE(ALL)), dtype);
    lucid_tensor few =
        lucid_cast(s, lucid_from_data(s, alone, LUCID_FLOAT64, LUCID_SHAPE(USUAL)), dtype);
    const double *given = lucid_data(s, lucid_cast(s, x, LUCID_FLOAT64));
    const double *y = values(s, f, x), *usual = values(s, f, few);
    int found = 0;
    for (int i = 0; i < ALL; i++) {
        check_value(f, wide, given[i], y[i]);
        for (int k = 0; k < USUAL; k++)
            if (in[i] == alone[k]) {
                uint64_t bits[2];
                memcpy(&bits[0], &y[i], sizeof *y);
                memcpy(&bits[1], &usual[k], sizeof *y);
                if (bits[0] != bits[1])
                    fail_msg("%s(%.17g) of float%d is %.17g or %.17g", f->name, given[i],
                             wide ? 64 : 32, y[i], usual[k]);
                found++;
            }
    }
    assert_true(found >= USUAL);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void special_values_are_those_of_the_c_library(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        for (int wide = 0; wide < 2; wide++)
            check_function(&functions[k], wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_values_are_those_of_the_c_library),
    };
    return cmocka_run_group_tests_name("special values", tests, NULL, NULL);
}
