/* The partial derivatives of the elementwise operations against long double, over the whole range of float32 and
 * float64, in forward and in reverse mode: at most 4 units in the last place, but for the exceptions below. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"
#include "support/partial_reference.h"
#include "support/samples.h"
#include "support/ulps.h"

/* A product of two functions may be off by the sum of their bounds. ndtri and erfinv know the point by their
 * result y alone, whose last place makes y^2 (2 y^2) of the derivative's. Where a polygamma or digamma is less than `least`, between
 * poles, the error is measured beside that. */
static const struct bound {
    const char *name;
    double allowed;
    long double least;
} bounds[] = {{"tan", 6, 0},  {"tanh", 5, 0},     {"atan2", 5, 0},    {"pow", 9, 0},
              {"cbrt", 5, 0}, {"ndtri", 3000, 0}, {"erfinv", 400, 0}, {"lgamma", 4, 0.125L}};

static const double special[] = {
    0,     -0.0,  1,     -1,     0.5,     -0.5,   6,      3,     10,       -10,      20,
    -20,   88,    -88,   100,    -100,    700,    -700,   1e4,   1e7,      1e19,     -1e19,
    1e20,  1e23,  -1e23, 1e30,   3e38,    -3e38,  1e-7,   1e-20, 1e-23,    -1e-23,   1e-38,
    1e-40, 1e-45, 1e200, -1e200, 1.7e308, 1e-200, 1e-310, NAN,   INFINITY, -INFINITY};
enum { SPECIAL = sizeof special / sizeof *special, COUNT = SPECIAL * SPECIAL };

/* Special points first (pairs of them, for two inputs), then magnitudes over the whole range of the dtype. */
static double number(lucid_dtype dtype, int64_t i, int input, test_rng *rng)
{
    double x;
    if (i < COUNT / 2)
        x = special[input == 0 ? i % SPECIAL : i / SPECIAL];
    else if (rng_below(rng, 3) == 0)
        x = rng_uniform(rng, -1, 1);
    else if (rng_below(rng, 2) == 0)
        x = rng_uniform(rng, -100, 100);
    else
        x = rng_uniform(rng, -1, 1) * pow(10, dtype == LUCID_FLOAT32 ? rng_uniform(rng, -44, 38)
                                                                     : rng_uniform(rng, -320, 308));
    return dtype == LUCID_FLOAT32 ? (double)(float)x : x;
}

static lucid_status apply(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny, void *user)
{
    const partial_reference *op = user;
    (void)nx, (void)ny;
    y[0] = op->unary_builder ? op->unary_builder(s, x[0]) : op->binary_builder(s, x[0], x[1]);
    y[0] = lucid_cast(s, y[0], lucid_dtype_of(x[0])); /* tests give bools */
    return LUCID_OK;
}

static lucid_tensor tensor_of(lucid_scope *s, lucid_dtype dtype, const double *x)
{
    return lucid_cast(s, lucid_from_data(s, x, LUCID_FLOAT64, LUCID_SHAPE(COUNT)), dtype);
}

/* Where the value has left the range, or is none, its derivative means nothing; div's goes by 1 / y, and pow's by
 * the value, which must be normal numbers. An exponent that 1 can hardly be taken from is left out. */
static bool means_something(const partial_reference *op, lucid_dtype dtype, double x, double y,
                            double value)
{
    double least = dtype == LUCID_FLOAT32 ? (double)FLT_MIN : DBL_MIN;
    if (strcmp(op->name, "div") == 0 && (fabs(y) < least || fabs(value) < least))
        return false;
    if (strcmp(op->name, "pow") == 0 && (fabs(value) < least || fabs(y) > 0x1p20))
        return false;
    return isfinite(x) && isfinite(y) && isfinite(value);
}

static void compare(const partial_reference *op, lucid_dtype dtype, const char *mode, int input,
                    double *const x[2], const double *value, const double *got)
{
    struct bound b = {.allowed = 4};
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++)
        if (strcmp(bounds[k].name, op->name) == 0)
            b = bounds[k];
    double worst = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        if (!means_something(op, dtype, x[0][i], x[1][i], value[i]))
            continue;
        long double a = (long double)x[0][i], c = (long double)x[1][i];
        long double want = input == 0 ? op->in_x(a, c) : op->in_y(a, c);
        double off = ulps_off(dtype, (long double)got[i], want, b.least);
        worst = off > worst ? off : worst;
        if (!(off <= b.allowed))
            difference("%s: %s in input %d at (%.17g, %.17g): %.17g, expected %.17Lg (%g ulps)",
                       mode, op->name, input, x[0][i], x[1][i], got[i], want, off);
    }
    if (getenv("LUCID_SHOW_ULPS"))
        printf("%-12s %s %s input %d: %g ulps\n", op->name, lucid_dtype_name(dtype), mode, input,
               worst);
}

static void read_doubles(lucid_scope *s, lucid_tensor x, double *to)
{
    (void)lucid_read(s, lucid_cast(s, x, LUCID_FLOAT64), to, COUNT * sizeof *to);
}

static void check_operation(const partial_reference *op, lucid_dtype dtype)
{
    lucid_scope *s = lucid_open(NULL);
    test_rng rng = {.state = 7};
    static double x[2][COUNT], value[COUNT], got[COUNT];
    const size_t nx = op->unary_builder ? 1 : 2;
    for (size_t k = 0; k < 2; k++)
        for (int64_t i = 0; i < COUNT; i++)
            x[k][i] = k < nx ? number(dtype, i, (int)k, &rng) : 0;
    lucid_tensor in[2] = {tensor_of(s, dtype, x[0]), tensor_of(s, dtype, x[1])};
    lucid_tensor y, ct[2], ones = lucid_ones_like(s, in[0]);
    lucid_fn f = lucid_fn_new(s, apply, 1, (void *)(uintptr_t)op);
    lucid_fn pull = lucid_vjp(s, f, in, nx, &y, 1);
    assert_int_equal(lucid_call(s, pull, &ones, 1, ct, nx), LUCID_OK);
    read_doubles(s, y, value);
    for (size_t k = 0; k < nx; k++) {
        double *const points[2] = {x[0], x[1]};
        read_doubles(s, ct[k], got);
        compare(op, dtype, "reverse", (int)k, points, value, got);
        lucid_tensor dx[2] = {{NULL}, {NULL}}, dy;
        dx[k] = ones;
        assert_int_equal(lucid_jvp(s, f, in, dx, nx, &y, &dy, 1), LUCID_OK);
        read_doubles(s, dy, got);
        compare(op, dtype, "forward", (int)k, points, value, got);
    }
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void partials_are_right_over_the_whole_range(void **state)
{
    (void)state;
    differences_begin();
    for (size_t i = 0; i < partial_reference_count; i++) {
        if (!partial_references[i].in_x)
            continue;
        checking("%s", partial_references[i].name);
        check_operation(&partial_references[i], LUCID_FLOAT32);
        check_operation(&partial_references[i], LUCID_FLOAT64);
    }
    differences_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partials_are_right_over_the_whole_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
