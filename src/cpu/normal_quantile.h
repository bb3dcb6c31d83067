/* The quantile of the normal distribution at p, from q = p - 1/2, for loops over lanes; part of instr_bodies.c.
 *
 * For float, (p - 1/2) times a polynomial of w = -log(4 p (1 - p)), in the tails of sqrt w (Giles,
 * "Approximating the erfinv function", GPU Computing Gems 2, 2011), fitted for a least largest relative
 * error, 5e-8. For double Wichura's PPND16 ("Algorithm AS 241", Applied Statistics 37, 1988).
 *
 * The lanes choose coefficients, so that one polynomial is computed; by their bits, because compilers would
 * make three polynomials of conditional expressions. The logarithm comes apart from the rest, which then is
 * a loop without calls; and where a block has none of the numbers that are seldom, `usual` is true and nothing is
 * computed for their sake: the same bits. */
#ifndef LUCID__NORMAL_QUANTILE_H
#define LUCID__NORMAL_QUANTILE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline float quantile_log_off(float p)
{
    float tail = p < 0.5f ? p : 1 - p;
    return -logf(4 * tail * (1 - tail));
}

static inline double quantile_log_of(double p)
{
    return -log(p < 0.5 ? p : 1 - p);
}

/* The same of p = (1 + x) / 2, for the inverse of the error function: the quantile divided by the root of 2. */
static inline float erfinv_log_off(float x)
{
    return -logf((1 - x) * (1 + x));
}

static inline double erfinv_log_of(double x)
{
    return -log((1 - fabs(x)) / 2);
}

static inline int32_t bits_off(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float from_bits_off(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int64_t bits_of(double x)
{
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline double from_bits_of(int64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline bool quantile_is_seldom_off(float w)
{
    return w >= 6;
}

static inline bool quantile_is_seldom_of(double w)
{
    return w > 25;
}

/* a where middle is all ones, c where far is, else b. */
#define CHOOSE(a, b, c) \
    from_bits_off(bits_off(b) ^ (middle & (bits_off(a) ^ bits_off(b))) ^ \
                  (far & (bits_off(c) ^ bits_off(b))))
static inline __attribute__((always_inline)) float normal_quantile_off(float q, float w, bool usual)
{
    float root = sqrtf(w);
    int32_t middle = usual || w < 6 ? -1 : 0, far = !usual && root > 4.72f ? -1 : 0;
    float r = CHOOSE(w - 1, root - 3.5f, root - 7);
    float x = CHOOSE(-1.648055302e-8f, 3.598666610e-5f, -3.277965314e-9f);
    x = x * r + CHOOSE(2.843889182e-7f, 7.575245930e-5f, 3.343579954e-8f);
    x = x * r + CHOOSE(-8.884429411e-7f, -6.634845087e-4f, -1.694809027e-7f);
    x = x * r + CHOOSE(-1.367095308e-5f, 1.384415377e-3f, 8.426882916e-7f);
    x = x * r + CHOOSE(1.084163299e-4f, -1.924082796e-3f, -4.489174900e-6f);
    x = x * r + CHOOSE(2.856824629e-4f, 3.016678391e-3f, 1.722765786e-5f);
    x = x * r + CHOOSE(-6.723025201e-3f, -5.833069613e-3f, 1.761382386e-5f);
    x = x * r + CHOOSE(1.202168845e-2f, 9.280674431e-3f, -1.450095986e-3f);
    x = x * r + CHOOSE(7.009777722e-1f, 2.849269122e0f, 2.852739286e0f);
    x = x * r + CHOOSE(3.188696423e0f, 9.434177956e0f, 1.942852152e1f);
    return q * (!usual && w == INFINITY ? INFINITY : x);
}
#undef CHOOSE

#define CHOOSE(a, b, c) \
    from_bits_of(bits_of(b) ^ (middle & (bits_of(a) ^ bits_of(b))) ^ \
                 (far & (bits_of(c) ^ bits_of(b))))
static inline __attribute__((always_inline)) double normal_quantile_of(double q, double w,
                                                                       bool usual)
{
    double root = sqrt(w);
    int64_t middle = fabs(q) <= 0.425 ? -1 : 0, far = !usual && root > 5 ? -1 : 0;
    double r = CHOOSE(0.180625 - q * q, root - 1.6, root - 5);
    double over =
        CHOOSE(2.5090809287301226727e3, 7.74545014278341407640e-4, 2.01033439929228813265e-7);
    over = over * r +
           CHOOSE(3.3430575583588128105e4, 2.27238449892691845833e-2, 2.71155556874348757815e-5);
    over = over * r +
           CHOOSE(6.7265770927008700853e4, 2.41780725177450611770e-1, 1.24266094738807843860e-3);
    over = over * r +
           CHOOSE(4.5921953931549871457e4, 1.27045825245236838258e0, 2.65321895265761230930e-2);
    over = over * r +
           CHOOSE(1.3731693765509461125e4, 3.64784832476320460504e0, 2.96560571828504891230e-1);
    over = over * r +
           CHOOSE(1.9715909503065514427e3, 5.76949722146069140550e0, 1.78482653991729133580e0);
    over = over * r +
           CHOOSE(1.3314166789178437745e2, 4.63033784615654529590e0, 5.46378491116411436990e0);
    over = over * r +
           CHOOSE(3.3871328727963666080e0, 1.42343711074968357734e0, 6.65790464350110377720e0);
    double under =
        CHOOSE(5.2264952788528545610e3, 1.05075007164441684324e-9, 2.04426310338993978564e-15);
    under = under * r +
            CHOOSE(2.8729085735721942674e4, 5.47593808499534494600e-4, 1.42151175831644588870e-7);
    under = under * r +
            CHOOSE(3.9307895800092710610e4, 1.51986665636164571966e-2, 1.84631831751005468180e-5);
    under = under * r +
            CHOOSE(2.1213794301586595867e4, 1.48103976427480074590e-1, 7.86869131145613259100e-4);
    under = under * r +
            CHOOSE(5.3941960214247511077e3, 6.89767334985100004550e-1, 1.48753612908506148525e-2);
    under = under * r +
            CHOOSE(6.8718700749205790830e2, 1.67638483018380384940e0, 1.36929880922735805310e-1);
    under = under * r +
            CHOOSE(4.2313330701600911252e1, 2.05319162663775882187e0, 5.99832206555887937690e-1);
    under = under * r + 1;
    double x = !usual && w == INFINITY ? INFINITY : over / under;
    return middle ? q * x : q < 0 ? -x : x;
}
#undef CHOOSE

#endif
