/* Polygamma functions by recurrence, asymptotic expansion and reflection: Abramowitz & Stegun, "Handbook of
 * Mathematical Functions", 6.3.5, 6.3.7, 6.3.18, and 6.4.6, 6.4.7, 6.4.11; in two precisions. */
#include "cpu/polygamma.h"

#include <math.h>
#include <stdbool.h>

/* Terms of the expansions, which begin at x >= FROM + n: what is left out is below 1e-17 of the first one. */
enum { TERMS = 11, FROM = 20 };

/* Bernoulli's numbers 2, 4, ... */
static const long double bernoulli[TERMS] = {
    1.0L / 6, -1.0L / 30,     1.0L / 42,      -1.0L / 30,       5.0L / 66,      -691.0L / 2730,
    7.0L / 6, -3617.0L / 510, 43867.0L / 798, -174611.0L / 330, 854513.0L / 138};

#define POLYGAMMA(T, FN, ABOVE, DERIVATIVE, NAME) \
    /* x > 0 */ \
    static T ABOVE(int64_t n, T x) \
    { \
        T sum = 0, tail = 0, factor = 1; \
        if (n == 0) { \
            while (x < FROM) { \
                sum -= 1 / x; \
                x += 1; \
            } \
            for (int j = TERMS; j > 0; j--) \
                tail = (tail + (T)bernoulli[j - 1] / (T)(2 * j)) / (x * x); \
            return sum + FN(log)(x) - 1 / (2 * x) - tail; \
        } \
        for (int64_t k = 2; k <= n; k++) \
            factor *= (T)k; \
        while (x < (T)(FROM + n)) { \
            sum += FN(pow)(x, (T)(-n - 1)); \
            x += 1; \
        } \
        /* Term j is B(2j) / (2j)! (n + 1) ... (n + 2j - 1) / x^(2j), times x^-n. */ \
        for (int j = TERMS; j > 0; j--) { \
            T next = (T)(n + 2 * j) * (T)(n + 2 * j + 1) / (T)((2 * j + 1) * (2 * j + 2)); \
            tail = ((T)bernoulli[j - 1] + tail * next) / (x * x); \
        } \
        tail *= (T)(n + 1) / 2; \
        sum += FN(pow)(x, (T)-n) * (1 / (T)n + 1 / (2 * x) + tail); \
        return n % 2 ? factor * sum : -factor * sum; \
    } \
\
    /* Of cot(pi x), without the sign (-1)^n: a polynomial in the cotangent c, since c' is -pi (1 + c^2). */ \
    static T DERIVATIVE(int64_t n, T x) \
    { \
        const T pi = (T)3.14159265358979323846264338327950288L; \
        T a[LUCID__POLYGAMMA_ORDERS + 2] = {0, 1}, c = 1 / FN(tan)(pi * (x - FN(rint)(x))), y = 0; \
        T scale = pi; \
        for (int64_t k = 0; k < n; k++, scale *= pi) { \
            T low = 0, lower = 0; /* what a[j - 1] and a[j - 2] give */ \
            for (int64_t j = 0; j <= k + 2; j++) { \
                T slope = j <= k + 1 && j + 1 <= k + 1 ? (T)(j + 1) * a[j + 1] : 0; \
                a[j] = slope + lower; \
                lower = low; \
                low = slope; \
            } \
        } \
        for (int64_t j = n + 1; j >= 0; j--) \
            y = y * c + a[j]; \
        return scale * y; \
    } \
\
    T NAME(int64_t n, T x) \
    { \
        bool odd = n % 2; \
        if (n == 0 && !(x < (T)INFINITY)) \
            return x; \
        if (!(x <= 0)) \
            return ABOVE(n, x); \
        if (x == 0 && n == 0) \
            return signbit(x) ? (T)INFINITY : (T)-INFINITY; \
        if (isinf(x)) \
            return (T)NAN; \
        if (x == FN(rint)(x)) \
            return n == 0 ? (T)NAN : odd ? (T)INFINITY : (T)-INFINITY; \
        T mirrored = ABOVE(n, 1 - x), slope = DERIVATIVE(n, x); \
        return odd ? slope - mirrored : mirrored - slope; \
    }

#define DOUBLE(name) name
#define LONG_DOUBLE(name) name##l
POLYGAMMA(double, DOUBLE, above, cotangent, lucid__polygamma)
POLYGAMMA(long double, LONG_DOUBLE, above_long, cotangent_long, lucid__polygamma_long)
