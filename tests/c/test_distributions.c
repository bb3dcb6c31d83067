/* Whether random numbers are distributed as they should be: Kolmogorov-Smirnov and chi-square tests with
 * fixed seeds, so that each passes always or never. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/philox.h"
#include "support/function_laws.h"

FUNCTION(f_randn_scalar, lucid_randn(s, LUCID_SCALAR_SHAPE))
FUNCTION(f_uniform, lucid_uniform(s, x[0], lucid_add(s, x[0], lucid_square(s, x[1]))))
FUNCTION(f_exponential, lucid_exponential(s, x[0]))

static lucid_scope *s;

static int begin(void **state)
{
    (void)state;
    s = lucid_open(&(lucid_open_options){.seed = 42});
    return s == NULL;
}

static int end(void **state)
{
    (void)state;
    return lucid_close(s) != LUCID_OK;
}

/* ---- distributions -------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_cdf(double x)
{
    return fmin(fmax(x, 0), 1);
}

static double normal_cdf(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

/* The Kolmogorov-Smirnov distance times sqrt(n): above 1.95 once in a thousand samples of the right
 * distribution. The seeds are fixed, so a test passes always or never. */
static void check_distribution(lucid_tensor x, double (*cdf)(double))
{
    int64_t n = lucid_numel(x);
    double *at = elements(s, x), distance = 0;
    qsort(at, (size_t)n, sizeof *at, by_value);
    for (int64_t i = 0; i < n; i++) {
        double p = cdf(at[i]);
        distance = fmax(distance, fmax((double)(i + 1) / (double)n - p, p - (double)i / (double)n));
    }
    assert_true(distance * sqrt((double)n) < 1.95);
}

/* Chi-square of counts against their expected shares, as a standard normal (Wilson & Hilferty 1931):
 * beyond 3.3 once in a thousand. NULL: equal shares. */
static void check_counts(const int64_t *count, const double *share, int k)
{
    double n = 0, chi2 = 0;
    for (int i = 0; i < k; i++)
        n += (double)count[i];
    for (int i = 0; i < k; i++) {
        double expected = share ? n * share[i] : n / k;
        assert_true(expected >= 5);
        chi2 += pow((double)count[i] - expected, 2) / expected;
    }
    double f = 2.0 / (9 * (k - 1)), z = (cbrt(chi2 / (k - 1)) - (1 - f)) / sqrt(f);
    assert_true(fabs(z) < 3.3);
}

static void check_equal_counts(const int64_t *count, int k)
{
    check_counts(count, NULL, k);
}

static void test_uniform(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        lucid_dtype dtype = wide ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid_tensor x = lucid_rand_of(s, LUCID_SHAPE(50001), dtype);
        assert_int_equal(lucid_dtype_of(x), dtype);
        check_distribution(x, uniform_cdf);
        assert_true(lucid_item(s, lucid_amin(s, x, LUCID_ALL)) >= 0);
        assert_true(lucid_item(s, lucid_amax(s, x, LUCID_ALL)) < 1);
        /* Multiples of 2^-24 or 2^-53, down to the last bit. */
        lucid_tensor ticks = lucid_mul(s, x, lucid_scalar(s, wide ? 0x1p53 : 0x1p24));
        lucid_tensor odd =
            lucid_ne(s, lucid_remainder(s, ticks, lucid_scalar(s, 2)), lucid_scalar(s, 0));
        double share = lucid_item(s, lucid_mean(s, lucid_cast(s, odd, LUCID_FLOAT64), LUCID_ALL));
        assert_true(fabs(share - 0.5) < 0.01);
        same_tensors(s, "whole", ticks, lucid_floor(s, ticks), 0);
    }
    /* Lanes of one number each, and successive draws, are uniform as well. */
    lucid_vmap_options different = {.randomness = LUCID_RANDOMNESS_DIFFERENT};
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, f_randn_scalar, 1, NULL), &different);
    check_distribution(lucid_call1(s, f, lucid_zeros(s, LUCID_SHAPE(20000))), normal_cdf);
    lucid_tensor draws[1000];
    for (int i = 0; i < 1000; i++)
        draws[i] = lucid_rand(s, LUCID_SCALAR_SHAPE);
    check_distribution(lucid_stack(s, draws, 1000, 0), uniform_cdf);
}

static void test_normal(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        lucid_dtype dtype = wide ? LUCID_FLOAT64 : LUCID_FLOAT32;
        lucid_tensor x = lucid_randn_of(s, LUCID_SHAPE(3, 33333), dtype);
        assert_int_equal(lucid_dtype_of(x), dtype);
        check_distribution(x, normal_cdf);
        assert_true(lucid_bool(s, lucid_all(s, lucid_isfinite(s, x), LUCID_ALL)));
        x = lucid_flatten(s, x, 0, -1);
        /* The two of a pair, and their squares, are uncorrelated. */
        int64_t half = 50000;
        lucid_tensor a = lucid_slice(s, x, 0, 0, half - 1, 1),
                     b = lucid_slice(s, x, 0, half, LUCID_END, 1);
        double r = lucid_item(s, lucid_mean(s, lucid_mul(s, a, b), LUCID_ALL));
        assert_true(fabs(r) * sqrt((double)half) < 3.3);
        lucid_tensor one = lucid_scalar(s, 1);
        a = lucid_sub(s, lucid_square(s, a), one);
        b = lucid_sub(s, lucid_square(s, b), one);
        r = lucid_item(s, lucid_mean(s, lucid_mul(s, a, b), LUCID_ALL)) / 2;
        assert_true(fabs(r) * sqrt((double)half) < 3.3);
    }
    lucid_tensor mean = VECTOR(s, -10, 0, 10), std = VECTOR(s, 0, 1, 2);
    std = lucid_expand(s, lucid_unsqueeze(s, std, 1), LUCID_SHAPE(3, 10000));
    lucid_tensor x = lucid_normal(s, lucid_unsqueeze(s, mean, 1), std);
    has_shape(x, LUCID_SHAPE(3, 10000));
    same_elements(s, "mean", lucid_mean(s, x, LUCID_DIMS(1)), DOUBLES(-10, 0, 10), 0.05);
    same_elements(s, "std", lucid_std(s, x, LUCID_DIMS(1), 1), DOUBLES(0, 1, 2), 0.05);
}

static void test_randint(void **state)
{
    (void)state;
    static const struct {
        int64_t low, high;
    } ranges[] = {{0, 10},
                  {-7, 6},
                  {0, INT64_C(1) << 32},
                  {5, (INT64_C(1) << 32) + 4},
                  {-(INT64_C(3) << 61), INT64_C(3) << 61},
                  {INT64_MIN, INT64_MAX},
                  {0, (INT64_C(1) << 33) + 12345}};
    enum { BINS = 10, N = 20000 };
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        int64_t low = ranges[k].low, high = ranges[k].high, count[16] = {0};
        lucid_tensor x = lucid_randint(s, low, high, LUCID_SHAPE(N));
        assert_int_equal(lucid_dtype_of(x), LUCID_INT64);
        const int64_t *at = lucid_data(s, x);
        assert_non_null(at);
        uint64_t range = (uint64_t)high - (uint64_t)low;
        int bins = range < BINS + 4 ? (int)range : BINS;
        for (int i = 0; i < N; i++) {
            assert_true(at[i] >= low && at[i] < high);
            double share = (double)((uint64_t)at[i] - (uint64_t)low) / (double)range;
            int bin = (int)(share * bins + 1e-9);
            count[bin < bins ? bin : bins - 1]++;
        }
        check_equal_counts(count, bins);
    }
    /* Low digits of a large range. */
    int64_t count[7] = {0};
    const int64_t *at = lucid_data(s, lucid_randint(s, 0, INT64_MAX, LUCID_SHAPE(N)));
    for (int i = 0; i < N; i++)
        count[at[i] % 7]++;
    check_equal_counts(count, 7);
    const lucid_tensor one = lucid_randint(s, 3, 4, LUCID_SHAPE(2));
    same_elements(s, "one choice", one, DOUBLES(3, 3), 0);
    (void)lucid_randint(s, 4, 4, LUCID_SHAPE(2));
    has_error(s, LUCID_VALUE_ERROR, "randint: low must be below high, not 4 and 4");
    (void)lucid_randint(s, 4, -4, LUCID_SHAPE(2));
    has_error(s, LUCID_VALUE_ERROR, "randint");
}

/* The definition of randint, in 128 bits. */
static void test_randint_exactly(void **state)
{
    (void)state;
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 wide;
    static const uint64_t ranges[] = {10, UINT32_MAX, UINT64_C(1) << 32,
                                      UINT64_C(0x123456789abcdef)};
    enum { N = 50 };
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
        int k = ranges[r] <= UINT32_MAX ? 2 : 3;
        lucid_manual_seed(s, 1);
        lucid_tensor x = lucid_randint(s, 0, (int64_t)ranges[r], LUCID_SHAPE(N));
        const int64_t *got = lucid_data(s, x);
        for (int i = 0; i < N; i++) {
            wide y = 0;
            for (int j = 0; j < k; j++) {
                uint32_t e = (uint32_t)(j * N + i), counter[4] = {e / 4}, key[2] = {1}, word[4];
                lucid__philox(counter, key, word);
                y = (word[e % 4] * (wide)ranges[r] + y) >> 32;
            }
            assert_true((uint64_t)got[i] == (uint64_t)y);
        }
    }
#endif
}

static void test_bernoulli(void **state)
{
    (void)state;
    lucid_tensor p = lucid_reshape(s, VECTOR(s, 0, 0.1, 0.5, 1), LUCID_SHAPE(4, 1));
    p = lucid_expand(s, p, LUCID_SHAPE(4, 20000));
    lucid_tensor x = lucid_bernoulli(s, p);
    assert_int_equal(lucid_dtype_of(x), LUCID_FLOAT64);
    const double *mean = elements(s, lucid_mean(s, x, LUCID_DIMS(1)));
    assert_true(mean[0] == 0 && mean[3] == 1);
    assert_true(fabs(mean[1] - 0.1) < 3.3 * sqrt(0.09 / 20000));
    assert_true(fabs(mean[2] - 0.5) < 3.3 * sqrt(0.25 / 20000));
    assert_int_equal(lucid_dtype_of(lucid_bernoulli(s, lucid_scalar(s, 0.5))), LUCID_FLOAT32);
    (void)lucid_bernoulli(s, lucid_scalar_int(s, 1));
    has_error(s, LUCID_TYPE_ERROR, "bernoulli: dtype must be float32 or float64, not int64");
}

static void test_dropout(void **state)
{
    (void)state;
    lucid_tensor x = lucid_ones(s, LUCID_SHAPE(20000)), y = lucid_dropout(s, x, 0.2, true);
    double kept = lucid_item(s, lucid_norm(s, y, 0, LUCID_ALL)) / 20000;
    assert_true(fabs(kept - 0.8) < 3.3 * sqrt(0.16 / 20000));
    assert_true(fabs(lucid_item(s, lucid_amax(s, y, LUCID_ALL)) - 1.25) < 1e-6);
    lucid_rng_state before = lucid_generator_state(lucid_generator_of(s));
    same_tensors(s, "p = 0", lucid_dropout(s, x, 0, true), x, 0);
    same_tensors(s, "not training", lucid_dropout(s, x, 0.5, false), x, 0);
    same_tensors(s, "p = 1", lucid_dropout(s, x, 1, true), lucid_zeros_like(s, x), 0);
    assert_int_equal(lucid_generator_state(lucid_generator_of(s)).draw, before.draw);
    (void)lucid_dropout(s, x, 1.5, true);
    has_error(s, LUCID_VALUE_ERROR, "dropout: p must be from 0 to 1, not 1.5");
    (void)lucid_dropout(s, x, NAN, true);
    has_error(s, LUCID_VALUE_ERROR, "dropout: p");
}

static void test_randperm(void **state)
{
    (void)state;
    enum { N = 1000 };
    lucid_tensor p = lucid_randperm(s, N);
    assert_int_equal(lucid_dtype_of(p), LUCID_INT64);
    lucid_tensor sorted = lucid_sort(s, p, 0, false, NULL);
    same_tensors(s, "all once", sorted, lucid_arange(s, 0, N, 1, LUCID_INT64), 0);
    /* All 24 orders of 4 equally often. */
    int64_t count[24] = {0};
    for (int i = 0; i < 2400; i++) {
        const double *o = elements(s, lucid_randperm(s, 4));
        int rank = 0;
        for (int a = 0; a < 4; a++) {
            int smaller = 0;
            for (int b = a + 1; b < 4; b++)
                smaller += o[b] < o[a];
            rank = rank * (4 - a) + smaller;
        }
        count[rank]++;
    }
    check_equal_counts(count, 24);
    has_shape(lucid_randperm(s, 0), LUCID_SHAPE(0));
    (void)lucid_randperm(s, -1);
    has_error(s, LUCID_VALUE_ERROR, "randperm: n must be >= 0, not -1");
}

/* ---- with parameters ---------------------------------------------------------------------------- */

static void test_uniform_between(void **state)
{
    (void)state;
    lucid_tensor low = lucid_reshape(s, VECTOR(s, -3, 0, 1), LUCID_SHAPE(3, 1));
    lucid_tensor high = lucid_expand(s, VECTOR(s, 5), LUCID_SHAPE(3, 20000));
    lucid_tensor x = lucid_uniform(s, low, high);
    has_shape(x, LUCID_SHAPE(3, 20000));
    lucid_tensor u = lucid_div(s, lucid_sub(s, x, low), lucid_sub(s, high, low));
    for (int i = 0; i < 3; i++)
        check_distribution(lucid_select(s, u, 0, i), uniform_cdf);
    /* Nearly every sum rounds to one of the ends. */
    lucid_tensor narrow = lucid_full(s, LUCID_SHAPE(1000), lucid_scalar(s, 0x1p24));
    x = lucid_uniform(s, narrow, lucid_scalar(s, 0x1p24 + 2));
    assert_int_equal(lucid_dtype_of(x), LUCID_FLOAT32);
    assert_true(lucid_item(s, lucid_amax(s, x, LUCID_ALL)) == 0x1p24);
    lucid_tensor in[2] = {VECTOR(s, 1, 2), VECTOR(s, 1, 3)};
    lucid_manual_seed(s, 1);
    same_tensors(s, "d / d low", gradient(s, f_uniform, in, 2), lucid_ones_like(s, in[0]), 1e-15);
}

static double exponential_cdf(double x)
{
    return x > 0 ? -expm1(-x) : 0;
}

static void test_exponential(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        lucid_tensor rate = lucid_full(s, LUCID_SHAPE(50001), lucid_scalar(s, 4));
        rate = lucid_cast(s, rate, wide ? LUCID_FLOAT64 : LUCID_FLOAT32);
        lucid_tensor x = lucid_exponential(s, rate);
        assert_int_equal(lucid_dtype_of(x), lucid_dtype_of(rate));
        check_distribution(lucid_mul(s, x, rate), exponential_cdf);
        assert_true(lucid_item(s, lucid_amin(s, x, LUCID_ALL)) > 0);
    }
    /* The smallest of many keep their digits: n times the least of n is exponential too. */
    lucid_tensor x = lucid_exponential(s, lucid_ones(s, LUCID_SHAPE(200, 20000)));
    lucid_tensor least = lucid_amin(s, x, LUCID_DIMS(1));
    check_distribution(lucid_mul(s, least, lucid_scalar(s, 20000)), exponential_cdf);
    lucid_tensor rate = VECTOR(s, 0.5, 2), want;
    lucid_manual_seed(s, 1);
    want = lucid_neg(s, lucid_div(s, lucid_exponential(s, rate), rate));
    lucid_manual_seed(s, 1);
    same_tensors(s, "d / d rate", gradient(s, f_exponential, &rate, 1), want, 1e-15);
}

/* Bins of about a third of a standard deviation; the outer ones take what is beyond. */
static void check_poisson(lucid_tensor x, double rate)
{
    enum { MOST = 64 };
    int64_t n = lucid_numel(x), count[MOST] = {0};
    double share[MOST] = {0}, width = fmax(1, floor(sqrt(rate) / 3));
    double first = fmax(0, floor(rate - 2.8 * sqrt(rate)));
    int k = (int)fmin(MOST, ceil((rate + 2.8 * sqrt(rate) + 1 - first) / width));
    int64_t ends = (int64_t)ceil(rate + 20 * sqrt(rate) + 20);
    for (int64_t i = 0; i < ends; i++) {
        double j = (double)i;
        int bin = (int)fmin(fmax(floor((j - first) / width), 0), k - 1);
        share[bin] += exp(j * log(rate) - rate - lgamma(j + 1));
    }
    while (k > 2 && share[k - 1] * (double)n < 8) { /* too rare to count alone */
        share[k - 2] += share[k - 1];
        k--;
    }
    const double *at = elements(s, x);
    for (int64_t i = 0; i < n; i++) {
        assert_true(at[i] >= 0 && at[i] == floor(at[i]));
        count[(int)fmin(fmax(floor((at[i] - first) / width), 0), k - 1)]++;
    }
    check_counts(count, share, k);
}

static void test_poisson(void **state)
{
    (void)state;
    static const double rates[] = {0.3, 1, 3.5, 9.99, 10, 14, 40, 333, 5000};
    for (size_t r = 0; r < sizeof rates / sizeof *rates; r++)
        for (int wide = 0; wide < 2; wide++) {
            lucid_tensor rate = lucid_full(s, LUCID_SHAPE(30000), lucid_scalar(s, rates[r]));
            rate = lucid_cast(s, rate, wide ? LUCID_FLOAT64 : LUCID_FLOAT32);
            lucid_tensor x = lucid_poisson(s, rate);
            assert_int_equal(lucid_dtype_of(x), lucid_dtype_of(rate));
            check_poisson(x, rates[r]);
        }
    /* Large rates: close to normal. */
    static const double large[] = {1e8, 1e11, 1e14};
    for (int k = 0; k < 3; k++) {
        lucid_tensor rate = lucid_expand(s, VECTOR(s, large[k]), LUCID_SHAPE(20000));
        lucid_tensor x = lucid_sub(s, lucid_poisson(s, rate), rate);
        check_distribution(lucid_div(s, x, lucid_sqrt(s, rate)), normal_cdf);
    }
    same_elements(s, "ends", lucid_poisson(s, VECTOR(s, 0, INFINITY, 1e-300)),
                  DOUBLES(0, INFINITY, 0), 0);
    has_shape(lucid_poisson(s, lucid_zeros(s, LUCID_SHAPE(0, 2))), LUCID_SHAPE(0, 2));
    (void)lucid_eval(s, (lucid_tensor[]){lucid_poisson(s, VECTOR(s, 1, -2, NAN))}, 1);
    has_error(s, LUCID_VALUE_ERROR, "poisson: a rate must be a number >= 0, not -2");
    (void)lucid_eval(s, (lucid_tensor[]){lucid_poisson(s, VECTOR(s, NAN))}, 1);
    has_error(s, LUCID_VALUE_ERROR, "poisson: a rate must be a number >= 0, not ");
    (void)lucid_poisson(s, lucid_scalar_int(s, 3));
    has_error(s, LUCID_TYPE_ERROR, "poisson: dtype must be float32 or float64, not int64");
}

static void test_multinomial_repeated(void **state)
{
    (void)state;
    enum { N = 30000 };
    static const int sizes[] = {1, 2, 3, 7, 8, 13, 100};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int n = sizes[k];
        double weight[100], total = 0, share[100];
        int64_t count[100] = {0};
        int possible = 0;
        for (int i = 0; i < n; i++) {
            weight[i] = n > 1 && i % 4 == 1 ? 0 : 1 + i % 3;
            total += weight[i];
        }
        lucid_tensor p = lucid_from_data(s, weight, LUCID_FLOAT64, LUCID_SHAPE(n));
        p = lucid_cast(s, p, k % 2 ? LUCID_FLOAT64 : LUCID_FLOAT32);
        lucid_tensor x = lucid_multinomial(s, p, N, true);
        assert_int_equal(lucid_dtype_of(x), LUCID_INT64);
        has_shape(x, LUCID_SHAPE(N));
        const int64_t *at = lucid_data(s, x);
        assert_non_null(at);
        int place[100];
        for (int i = 0; i < n; i++)
            if (weight[i] > 0) {
                share[possible] = weight[i] / total;
                place[i] = possible++;
            }
        for (int i = 0; i < N; i++) {
            assert_true(at[i] >= 0 && at[i] < n && weight[at[i]] > 0);
            count[place[at[i]]]++;
        }
        if (possible > 1)
            check_counts(count, share, possible);
    }
}

/* Ordered pairs (i, j) come with probability p_i p_j / (1 - p_i). */
static void test_multinomial_different(void **state)
{
    (void)state;
    enum { N = 20000, K = 4 };
    static const double p[K] = {0.1, 0.2, 0.3, 0.4};
    lucid_tensor rows = lucid_expand(s, VECTOR(s, 1, 2, 3, 4, 0), LUCID_SHAPE(N, K + 1));
    lucid_tensor x = lucid_multinomial(s, rows, 2, false);
    has_shape(x, LUCID_SHAPE(N, 2));
    const int64_t *at = lucid_data(s, x);
    assert_non_null(at);
    int64_t count[K * (K - 1)] = {0};
    double share[K * (K - 1)];
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++)
            if (i != j)
                share[i * (K - 1) + j - (j > i)] = p[i] * p[j] / (1 - p[i]);
    for (int r = 0; r < N; r++) {
        int64_t i = at[2 * r], j = at[2 * r + 1];
        assert_true(i != j && i < K && j < K);
        count[i * (K - 1) + j - (j > i)]++;
    }
    check_counts(count, share, K * (K - 1));
    /* All of them: what is impossible comes last. */
    x = lucid_multinomial(s, rows, K + 1, false);
    same_tensors(s, "last", lucid_select(s, x, 1, K),
                 lucid_full(s, LUCID_SHAPE(N), lucid_scalar_int(s, K)), 0);
    x = lucid_sort(s, x, 1, false, NULL);
    lucid_tensor all =
        lucid_expand(s, lucid_arange(s, 0, K + 1, 1, LUCID_INT64), LUCID_SHAPE(N, K + 1));
    same_tensors(s, "each once", x, all, 0);
}

static void test_multinomial_errors(void **state)
{
    (void)state;
    lucid_tensor p = VECTOR(s, 1, 2, 3);
    (void)lucid_multinomial(s, p, 4, false);
    has_error(
        s, LUCID_VALUE_ERROR,
        "multinomial: the number of samples must be from 1 to 3 (without replacement), not 4");
    (void)lucid_multinomial(s, p, 0, true);
    has_error(s, LUCID_VALUE_ERROR,
              "multinomial: the number of samples must be from 1 to 3 or more, not 0");
    (void)lucid_multinomial(s, lucid_scalar(s, 1), 1, true);
    has_error(s, LUCID_VALUE_ERROR, "multinomial: the probabilities must have a last dim");
    (void)lucid_multinomial(s, lucid_zeros(s, LUCID_SHAPE(2, 0)), 1, true);
    has_error(s, LUCID_VALUE_ERROR, "multinomial: the probabilities must have a last dim");
    (void)lucid_multinomial(s, lucid_arange(s, 0, 3, 1, LUCID_INT64), 1, true);
    has_error(s, LUCID_TYPE_ERROR, "multinomial: dtype must be float32 or float64, not int64");
    (void)lucid_multinomial(s, p, INT64_C(1) << 60, true);
    has_error(s, LUCID_VALUE_ERROR, "too many elements");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_uniform, begin, end),
        cmocka_unit_test_setup_teardown(test_normal, begin, end),
        cmocka_unit_test_setup_teardown(test_randint, begin, end),
        cmocka_unit_test_setup_teardown(test_randint_exactly, begin, end),
        cmocka_unit_test_setup_teardown(test_bernoulli, begin, end),
        cmocka_unit_test_setup_teardown(test_dropout, begin, end),
        cmocka_unit_test_setup_teardown(test_randperm, begin, end),
        cmocka_unit_test_setup_teardown(test_uniform_between, begin, end),
        cmocka_unit_test_setup_teardown(test_exponential, begin, end),
        cmocka_unit_test_setup_teardown(test_poisson, begin, end),
        cmocka_unit_test_setup_teardown(test_multinomial_repeated, begin, end),
        cmocka_unit_test_setup_teardown(test_multinomial_different, begin, end),
        cmocka_unit_test_setup_teardown(test_multinomial_errors, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
