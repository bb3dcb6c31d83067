/* The values of the elementwise operations against libm in a wider type: every dtype, sizes around
 * the widths of vectors and tiles, hard points (NaN, infinities, zeros of both signs, huge and
 * subnormal numbers), and inputs that are strided, reversed or broadcast.
 *
 * References are long double; a result may be off by at most 4 units in the last place of its dtype, with two
 * exceptions.
 * Integers are exact, in two's complement.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"
#include "support/elementwise_reference.h"
#include "support/samples.h"
#include "support/ulps.h"

static const double ulps_allowed = 4;

/* digamma is a sum that is 0 somewhere between any two whole numbers below 0: where it is less than `least`, the
 * error is measured beside that. erfinv is the quantile of the normal distribution and one rounding more. */
static const struct looser {
    const char *name;
    double allowed;
    long double least;
} loosers[] = {{"digamma", 4, 0.125L}, {"erfinv", 5, 0}};

static const int64_t sizes[] = {0, 1, 7, 8, 15, 16, 17, 255, 256, 257, 1000};
enum { SIZES = sizeof sizes / sizeof *sizes, LARGEST = 1000 };

typedef lucid_tensor builder_fn(lucid_scope *s, const lucid_tensor *x);

/* ---- inputs ------------------------------------------------------------------------------------ */

/* Elements as the dtype stores them. */
typedef union element {
    bool b;
    int32_t i;
    int64_t l;
    float f;
    double d;
} element;

static element get(lucid_dtype dtype, const void *data, int64_t i)
{
    element e = {.l = 0};
    size_t size = lucid_dtype_size(dtype);
    memcpy(&e, (const char *)data + (size_t)i * size, size);
    return e;
}

static void put(lucid_dtype dtype, void *data, int64_t i, element e)
{
    size_t size = lucid_dtype_size(dtype);
    memcpy((char *)data + (size_t)i * size, &e, size);
}

static const double hard[] = {
    0.0,   -0.0,   1.0,    -1.0,  0.5,    -0.5,   1.5,   2.5,    -2.5,       1e-8,  -1e-8, 1e-3,
    0.1,   0.7071, 0.99,   1.01,  3.0,    -3.0,   5.0,   10.0,   -10.0,      20.0,  88.0,  -87.0,
    100.0, -100.0, 300.0,  700.0, -700.0, 1e4,    -1e4,  1e6,    123456.789, 1e10,  1e20,  -1e20,
    1e37,  1e300,  -1e300, 1e-30, -1e-30, 1e-300, 1e-40, -1e-40, 1e-44,      5e-324};
enum { HARD = sizeof hard / sizeof *hard };

static double hard_float(int64_t i)
{
    switch (i % (HARD + 3)) {
    case HARD:
        return NAN;
    case HARD + 1:
        return INFINITY;
    case HARD + 2:
        return -INFINITY;
    default:
        return hard[i % (HARD + 3)];
    }
}

static int64_t hard_integer(int64_t i, int64_t low, int64_t high)
{
    const int64_t list[] = {0, 1, -1, 2, -2, 3, 7, -7, 31, 63, 100, low, high, low + 1, high - 1};
    return list[(size_t)i % (sizeof list / sizeof *list)];
}

/* Hard points first, turned by `turn` so that two inputs meet each other's, then random numbers over
 * many magnitudes, a third of them between 0 and 1, where some functions have their domain. */
static element value(lucid_dtype dtype, int64_t i, int64_t turn, test_rng *rng)
{
    element e = {.l = 0};
    bool is_hard = i < 64 || rng_below(rng, 8) == 0;
    double x = rng_below(rng, 3) == 0 ? pow(rng_uniform(rng, 0, 1), (double)rng_below(rng, 12))
                                      : rng_normal(rng) * pow(10, rng_uniform(rng, -3, 3));
    int64_t k = i + turn * (1 + i / (HARD + 3));
    switch (dtype) {
    case LUCID_BOOL:
        e.b = rng_below(rng, 2);
        break;
    case LUCID_INT32:
        e.i = is_hard ? (int32_t)hard_integer(k, INT32_MIN, INT32_MAX) : (int32_t)(100 * x);
        break;
    case LUCID_INT64:
        e.l = is_hard ? hard_integer(k, INT64_MIN, INT64_MAX) : (int64_t)(1000 * x);
        break;
    case LUCID_FLOAT32:
        e.f = is_hard ? (float)hard_float(k) : (float)x;
        break;
    default:
        e.d = is_hard ? hard_float(k) : x;
    }
    return e;
}

/* ---- comparing --------------------------------------------------------------------------------- */

static long double wide(lucid_dtype dtype, element e)
{
    switch (dtype) {
    case LUCID_BOOL:
        return e.b;
    case LUCID_INT32:
        return e.i;
    case LUCID_INT64:
        return e.l;
    case LUCID_FLOAT32:
        return (long double)e.f;
    default:
        return (long double)e.d;
    }
}

static double ulps_of(lucid_dtype dtype, element got, long double want, long double least)
{
    return ulps_off(dtype, wide(dtype, got), want, least);
}

/* ---- one operation on one dtype ---------------------------------------------------------------- */

typedef struct trial {
    const elementwise_reference *op;
    lucid_dtype in, out;
    double worst; /* ulps */
} trial;

static int bits_of(lucid_dtype dtype)
{
    return dtype == LUCID_BOOL ? 1 : dtype == LUCID_INT32 ? 32 : 64;
}

static void check_element(trial *t, int64_t size, int64_t i, const element *x, element got)
{
    const elementwise_reference *op = t->op;
    long double a = wide(t->in, x[0]), b = wide(t->in, x[1]);
    if (t->out == LUCID_FLOAT32 || t->out == LUCID_FLOAT64) {
        /* Integers become float32 first. */
        if (t->in != LUCID_FLOAT64) {
            a = (long double)(float)a;
            b = (long double)(float)b;
        }
        long double want = op->unary ? op->unary(a) : op->binary(a, b);
        struct looser l = {.allowed = ulps_allowed};
        for (size_t k = 0; k < sizeof loosers / sizeof *loosers; k++)
            if (strcmp(loosers[k].name, op->name) == 0)
                l = loosers[k];
        double off = ulps_of(t->out, got, want, l.least);
        t->worst = off > t->worst ? off : t->worst;
        if (!(off <= l.allowed))
            difference("size %lld, element %lld: %s(%.17Lg%s%.17Lg) = %.17Lg, expected %.17Lg (%g "
                       "ulps)",
                       (long long)size, (long long)i, op->name, a, op->unary ? ") (" : ", ", b,
                       wide(t->out, got), want, off);
        return;
    }
    bool exact_float = t->in == LUCID_FLOAT32 || t->in == LUCID_FLOAT64;
    long double want;
    if (exact_float) { /* a test or logic of floats */
        want = op->unary ? op->unary(a) : op->binary(a, b);
    } else {
        int64_t r = op->integer((int64_t)a, (int64_t)b, bits_of(t->in));
        want = t->out == LUCID_BOOL    ? (long double)(r != 0)
               : t->out == LUCID_INT32 ? (long double)(int32_t)(uint32_t)(uint64_t)r
                                       : (long double)r;
    }
    if (wide(t->out, got) != want)
        difference("size %lld, element %lld: %s(%.20Lg, %.20Lg) = %.20Lg, expected %.20Lg",
                   (long long)size, (long long)i, op->name, a, b, wide(t->out, got), want);
}

/* What the memory of an input looks like. */
enum { WHOLE, EVERY_OTHER, REVERSED, TRANSPOSED, SCALAR, LAYOUTS };
static const char *const layout_names[] = {"contiguous", "every other", "reversed", "transposed",
                                           "broadcast"};

/* An input of `size` elements, row-major values in data, laid out in some way. */
static lucid_tensor lay_out(lucid_scope *s, lucid_dtype dtype, const void *data, int64_t size,
                            int layout)
{
    lucid_shape flat = LUCID_SHAPE(size);
    if (layout == WHOLE || size == 0)
        return lucid_from_data(s, data, dtype, flat);
    if (layout == SCALAR)
        return lucid_expand(s, lucid_from_data(s, data, dtype, LUCID_SCALAR_SHAPE), flat);
    int64_t stride = layout == EVERY_OTHER ? 2 : -1;
    element *spread = calloc((size_t)(2 * size), sizeof *spread);
    assert_non_null(spread);
    lucid_tensor x;
    if (layout == TRANSPOSED && size % 8 == 0) {
        for (int64_t i = 0; i < size; i++)
            put(dtype, spread, i % 8 * (size / 8) + i / 8, get(dtype, data, i));
        x = lucid_from_data(s, spread, dtype, LUCID_SHAPE(8, size / 8));
        x = lucid_reshape(s, lucid_transpose(s, x, 0, 1), flat);
    } else if (stride == 2) {
        for (int64_t i = 0; i < size; i++)
            put(dtype, spread, 2 * i, get(dtype, data, i));
        x = lucid_from_data(s, spread, dtype, LUCID_SHAPE(2 * size));
        x = lucid_slice(s, x, 0, 0, LUCID_END, 2);
    } else {
        for (int64_t i = 0; i < size; i++)
            put(dtype, spread, size - 1 - i, get(dtype, data, i));
        x = lucid_slice(s, lucid_from_data(s, spread, dtype, flat), 0, -1, LUCID_END, -1);
    }
    free(spread);
    return x;
}

static lucid_tensor build(lucid_scope *s, const elementwise_reference *op, const lucid_tensor *x)
{
    return op->unary_builder ? op->unary_builder(s, x[0]) : op->binary_builder(s, x[0], x[1]);
}

static void check_size(trial *t, int64_t size, int layout)
{
    static char data[2][LARGEST * sizeof(double) + 8];
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[2];
    for (int k = 0; k < 2; k++) {
        test_rng rng = rng_of(5, (uint64_t)k, (uint64_t)size);
        for (int64_t i = 0; i < size; i++)
            put(t->in, data[k], i, value(t->in, i, 3 * k, &rng));
        /* Layouts of the two inputs differ, so that every pair of strides is met. */
        x[k] = lay_out(s, t->in, data[k], size, k == 0 ? layout : (layout + 1) % LAYOUTS);
    }
    checking("%s %s, %s", t->op->name, lucid_dtype_name(t->in), layout_names[layout]);
    lucid_tensor y = build(s, t->op, x);
    if (lucid_error(s) == LUCID_OK && lucid_dtype_of(y) != t->out)
        difference("gives %s, expected %s", lucid_dtype_name(lucid_dtype_of(y)),
                   lucid_dtype_name(t->out));
    const void *got = lucid_data(s, y);
    if (!got || lucid_error(s) != LUCID_OK)
        difference("%s", lucid_error_message(s));
    else
        for (int64_t i = 0; i < size && lucid_dtype_of(y) == t->out; i++) {
            element in[2];
            for (int k = 0; k < 2; k++) {
                bool all_one = (k == 0 ? layout : (layout + 1) % LAYOUTS) == SCALAR;
                in[k] = get(t->in, data[k], all_one ? 0 : i);
            }
            check_element(t, size, i, in, get(t->out, got, i));
        }
    (void)lucid_close(s);
}

static bool takes(const elementwise_reference *op, lucid_dtype dtype)
{
    switch (op->class) {
    case CLASS_SIGNED:
        return dtype == LUCID_FLOAT32 || dtype == LUCID_FLOAT64 ||
               (dtype != LUCID_BOOL && op->integer);
    case CLASS_BITS:
        return dtype != LUCID_FLOAT32 && dtype != LUCID_FLOAT64;
    default:
        return true;
    }
}

static lucid_dtype gives(const elementwise_reference *op, lucid_dtype dtype)
{
    if (op->class == CLASS_TEST || op->class == CLASS_LOGIC)
        return LUCID_BOOL;
    if (op->class == CLASS_FLOAT && dtype != LUCID_FLOAT64)
        return LUCID_FLOAT32;
    return dtype;
}

static bool verbose;

static void test_operation(void **state)
{
    const elementwise_reference *op = *state;
    differences_begin();
    for (int d = LUCID_BOOL; d < LUCID_NO_DTYPE; d++) {
        trial t = {.op = op, .in = (lucid_dtype)d, .out = gives(op, (lucid_dtype)d)};
        if (!takes(op, t.in))
            continue;
        for (int k = 0; k < SIZES; k++)
            for (int layout = 0; layout < LAYOUTS; layout++)
                check_size(&t, sizes[k], layout);
        if (verbose && t.out >= LUCID_FLOAT32)
            print_message("%-14s %-8s %5.2f ulps\n", op->name, lucid_dtype_name(t.in), t.worst);
    }
    differences_end();
}

/* ---- casts and choices -------------------------------------------------------------------------- */

/* C's conversion, where C defines it. */
static element converted(lucid_dtype from, lucid_dtype to, element e)
{
    long double x = wide(from, e);
    element y = {.l = 0};
    switch (to) {
    case LUCID_BOOL:
        y.b = x != 0;
        break;
    case LUCID_INT32: /* of an int64: the low bits */
        y.i = from == LUCID_INT64 ? (int32_t)(uint32_t)(uint64_t)e.l : (int32_t)x;
        break;
    case LUCID_INT64:
        y.l = (int64_t)x;
        break;
    case LUCID_FLOAT32: /* from the element itself: rounding once */
        y.f = from == LUCID_FLOAT64 ? (float)e.d : (float)x;
        break;
    default:
        y.d = (double)x;
    }
    return y;
}

/* Floats that an integer cannot hold have no answer in C. */
static bool convertible(lucid_dtype from, lucid_dtype to, element e)
{
    bool integer = to == LUCID_INT32 || to == LUCID_INT64;
    if (!integer || (from != LUCID_FLOAT32 && from != LUCID_FLOAT64))
        return true;
    return fabsl(wide(from, e)) < (to == LUCID_INT32 ? 0x1p31L : 0x1p63L);
}

static void check_cast(lucid_dtype from, lucid_dtype to, int64_t size, int layout)
{
    static char data[LARGEST * sizeof(double) + 8];
    lucid_scope *s = lucid_open(NULL);
    test_rng rng = rng_of(6, from, (uint64_t)size);
    for (int64_t i = 0; i < size; i++)
        put(from, data, i, value(from, i, 0, &rng));
    checking("cast %s to %s, %s, size %lld", lucid_dtype_name(from), lucid_dtype_name(to),
             layout_names[layout], (long long)size);
    const void *got = lucid_data(s, lucid_cast(s, lay_out(s, from, data, size, layout), to));
    if (!got)
        difference("%s", lucid_error_message(s));
    for (int64_t i = 0; got && i < size; i++) {
        element x = get(from, data, layout == SCALAR ? 0 : i), y = get(to, got, i);
        long double want = wide(to, converted(from, to, x)), have = wide(to, y);
        if (convertible(from, to, x) && have != want && !(isnan(have) && isnan(want)))
            difference("element %lld: %.20Lg becomes %.20Lg, expected %.20Lg", (long long)i,
                       wide(from, x), have, want);
    }
    (void)lucid_close(s);
}

static void test_cast(void **state)
{
    (void)state;
    differences_begin();
    for (int from = LUCID_BOOL; from < LUCID_NO_DTYPE; from++)
        for (int to = LUCID_BOOL; to < LUCID_NO_DTYPE; to++)
            for (int k = 0; k < SIZES; k++)
                for (int layout = 0; layout < LAYOUTS; layout++)
                    check_cast((lucid_dtype)from, (lucid_dtype)to, sizes[k], layout);
    differences_end();
}

/* A bare whole exponent is multiplied out. */
static lucid_tensor power(lucid_scope *s, lucid_tensor x, int64_t n)
{
    return lucid_pow(s, x, lucid_scalar_int(s, n));
}

#define POWER(name, n) \
    static lucid_tensor name(lucid_scope *s, lucid_tensor x) \
    { \
        return power(s, x, n); \
    } \
    static long double name##_f(long double x) \
    { \
        return powl(x, n); \
    }
#define INTEGER_POWER(name, n) \
    static int64_t name##_i(int64_t x, int64_t y, int bits) \
    { \
        uint64_t r = 1; \
        (void)y, (void)bits; \
        for (int i = 0; i < (n); i++) \
            r *= (uint64_t)x; \
        return (int64_t)r; \
    }
POWER(power_minus_3, -3)
POWER(power_minus_1, -1)
POWER(power_0, 0)
INTEGER_POWER(power_0, 0)
POWER(power_1, 1)
INTEGER_POWER(power_1, 1)
POWER(power_2, 2)
INTEGER_POWER(power_2, 2)
POWER(power_7, 7)
INTEGER_POWER(power_7, 7)
static const elementwise_reference powers[] = {
    {"power_minus_3", CLASS_SIGNED, power_minus_3, NULL, power_minus_3_f, NULL, NULL},
    {"power_minus_1", CLASS_SIGNED, power_minus_1, NULL, power_minus_1_f, NULL, NULL},
    {"power_0", CLASS_SIGNED, power_0, NULL, power_0_f, NULL, power_0_i},
    {"power_1", CLASS_SIGNED, power_1, NULL, power_1_f, NULL, power_1_i},
    {"power_2", CLASS_SIGNED, power_2, NULL, power_2_f, NULL, power_2_i},
    {"power_7", CLASS_SIGNED, power_7, NULL, power_7_f, NULL, power_7_i},
};
enum { POWERS = sizeof powers / sizeof *powers };

/* where copies bits: NaN, infinities and the sign of 0 included. */
static void check_where(lucid_dtype dtype, int64_t size, int layout)
{
    static char data[2][LARGEST * sizeof(double) + 8], cond[LARGEST + 8];
    lucid_scope *s = lucid_open(NULL);
    test_rng rng = rng_of(7, dtype, (uint64_t)size);
    for (int64_t i = 0; i < size; i++) {
        for (int k = 0; k < 2; k++)
            put(dtype, data[k], i, value(dtype, i, 3 * k, &rng));
        cond[i] = (char)rng_below(&rng, 2);
    }
    int layouts[3] = {layout, (layout + 1) % LAYOUTS, (layout + 2) % LAYOUTS};
    checking("where %s, %s, size %lld", lucid_dtype_name(dtype), layout_names[layout],
             (long long)size);
    lucid_tensor c = lay_out(s, LUCID_BOOL, cond, size, layouts[0]);
    lucid_tensor x = lay_out(s, dtype, data[0], size, layouts[1]);
    lucid_tensor y = lay_out(s, dtype, data[1], size, layouts[2]);
    const void *got = lucid_data(s, lucid_where(s, c, x, y));
    if (!got)
        difference("%s", lucid_error_message(s));
    for (int64_t i = 0; got && i < size; i++) {
        int from = cond[layouts[0] == SCALAR ? 0 : i] ? 0 : 1;
        element want = get(dtype, data[from], layouts[1 + from] == SCALAR ? 0 : i);
        if (get(dtype, got, i).l != want.l)
            difference("element %lld: %.20Lg, expected %.20Lg", (long long)i,
                       wide(dtype, get(dtype, got, i)), wide(dtype, want));
    }
    (void)lucid_close(s);
}

static void test_where(void **state)
{
    (void)state;
    differences_begin();
    for (int dtype = LUCID_BOOL; dtype < LUCID_NO_DTYPE; dtype++)
        for (int k = 0; k < SIZES; k++)
            for (int layout = 0; layout < LAYOUTS; layout++)
                check_where((lucid_dtype)dtype, sizes[k], layout);
    differences_end();
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--ulps") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
    }
    static struct CMUnitTest tests[LUCID__PRIM_COUNT];
    size_t n = 0;
    for (size_t k = 0; k < elementwise_reference_count; k++) {
        /* cmocka does not write to the state. */
        void *op = (void *)(uintptr_t)&elementwise_references[k];
        if (only && strcmp(only, elementwise_references[k].name) != 0)
            continue;
        tests[n++] = (struct CMUnitTest){.name = elementwise_references[k].name,
                                         .test_func = test_operation,
                                         .initial_state = op};
    }
    for (size_t k = 0; k < POWERS; k++)
        if (!only || strcmp(only, powers[k].name) == 0)
            tests[n++] = (struct CMUnitTest){.name = powers[k].name,
                                             .test_func = test_operation,
                                             .initial_state = (void *)(uintptr_t)&powers[k]};
    if (!only) {
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_cast);
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_where);
    }
    return _cmocka_run_group_tests("elementwise values", tests, n, NULL, NULL);
}
