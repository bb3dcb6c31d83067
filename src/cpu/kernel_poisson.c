/* poisson: see prim/random_prims.c for which stream of numbers an element draws from. */
#include <math.h>
#include <stdio.h>

#include "base/interrupt.h"
#include "base/philox.h"
#include "cpu/kernels.h"
#include "cpu/threads.h"

enum { PARALLEL = 2048 }; /* elements: below, starting threads costs more than it saves */

/* Two uniform numbers in (0, 1) per block of the element's stream. */
static void two_uniforms(uint64_t bits, uint32_t block, double u[2])
{
    const uint32_t counter[4] = {block, 0, 0, 0}, key[2] = {(uint32_t)bits, (uint32_t)(bits >> 32)};
    uint32_t word[4];
    lucid__philox(counter, key, word);
    for (int i = 0; i < 2; i++) {
        uint64_t w = (uint64_t)word[2 * i] << 32 | word[2 * i + 1];
        u[i] = ((double)(w >> 11) + 0.5) * 0x1p-53;
    }
}

/* The smallest k with P(X <= k) >= u, found by adding up; for small rates. */
static double by_inversion(double rate, double u)
{
    double p = exp(-rate), k = 0;
    while (u > p && (k < rate || p > 0x1p-70)) {
        u -= p;
        k++;
        p *= rate / k;
    }
    return k;
}

/* log P(X = k). With x = (k - rate) / rate, k log(k / rate) - (k - rate) = rate ((1 + x) log(1 + x) - x)
 * keeps the digits that rates of many digits would cancel; log k! is Stirling's series (DLMF 5.11.1). */
static double log_probability(double k, double rate)
{
    if (k < 16) {
        double factorial = 1;
        for (int i = 2; i <= (int)k; i++)
            factorial *= i;
        return k * log(rate) - rate - log(factorial);
    }
    double x = (k - rate) / rate, r = 1 / (k * k);
    double series = (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - r / 1680) * r) * r) / k;
    const double two_pi = 6.28318530717958647693;
    return -rate * ((1 + x) * log1p(x) - x) - 0.5 * log(two_pi * k) - series;
}

/* Hormann 1993, "The transformed rejection method for generating Poisson random variables": algorithm
 * PTRS, for rates of 10 and more. About 1.1 to 1.3 tries. */
static double by_rejection(double rate, uint64_t bits)
{
    double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), quick = 0.9277 - 3.6224 / (b - 2);
    for (uint32_t block = 0;; block++) {
        double uniform[2];
        two_uniforms(bits, block, uniform);
        double u = uniform[0] - 0.5, v = uniform[1], us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= quick)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v * inverse_alpha / (a / (us * us) + b)) <= log_probability(k, rate))
            return k;
    }
}

static double poisson(double rate, uint64_t bits)
{
    if (rate >= 10)
        return rate < INFINITY ? by_rejection(rate, bits) : rate;
    double u[2];
    two_uniforms(bits, 0, u);
    return by_inversion(rate, u[0]);
}

lucid_status lucid__poisson_kernel(const lucid__kernel_args *args)
{
    const uint64_t *bits = args->in[0].data;
    const void *rates = args->in[1].data;
    void *out = args->out->data;
    bool wide = args->out->dtype == LUCID_FLOAT64;
    int64_t n = 1, wrong = 0;
    for (int d = 0; d < args->out->shape.ndim; d++)
        n = lucid__times(n, args->out->shape.dim[d]);
#pragma omp parallel for schedule(static) num_threads(lucid__team_if(n >= PARALLEL)) \
    reduction(max \
              : wrong)
    for (int64_t i = 0; i < n; i++) {
        if (lucid__stop())
            continue;
        double rate = wide ? ((const double *)rates)[i] : (double)((const float *)rates)[i];
        double k = NAN;
        if (rate >= 0)
            k = poisson(rate, bits[i]);
        else if (n - i > wrong)
            wrong = n - i; /* the largest is that of the first element */
        if (wide)
            ((double *)out)[i] = k;
        else
            ((float *)out)[i] = (float)k;
    }
    if (wrong == 0)
        return LUCID_OK;
    double rate =
        wide ? ((const double *)rates)[n - wrong] : (double)((const float *)rates)[n - wrong];
    (void)snprintf(args->error, args->error_size, "poisson: a rate must be a number >= 0, not %g",
                   rate);
    return LUCID_VALUE_ERROR;
}
