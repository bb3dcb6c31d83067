/* The privacy that training with noise spends: the RDP accountant of the Poisson-subsampled Gaussian
 * mechanism at integer orders.
 *
 * One step takes each example with probability `rate`, adds up vectors of length at most 1, one per
 * example taken, and adds normal noise of standard deviation `noise` to each coordinate. Its Renyi
 * divergence of integer order a is at most log(A_a) / (a - 1), where
 *     A_a = sum over k = 0..a of  C(a, k) (1 - rate)^(a - k) rate^k exp((k^2 - k) / (2 noise^2))
 * (Mironov, Talwar, Zhang 2019, "Renyi Differential Privacy of the Sampled Gaussian Mechanism",
 * section 3.3). Steps add up, and a divergence of r at order a means (epsilon, delta) with
 *     epsilon = r + log((a - 1) / a) - (log(delta) + log(a)) / (a - 1)
 * (Canonne, Kamath, Steinke 2020, proposition 12; Balle et al. 2020). The best order is taken.
 */
#ifndef RDP_ACCOUNTANT_H
#define RDP_ACCOUNTANT_H

#include <math.h>

enum { RDP_FIRST_ORDER = 2, RDP_LAST_ORDER = 256 };

/* The divergence of one step at an integer order >= 2; 0 < rate <= 1, noise > 0. */
static inline double rdp_of_step(double rate, double noise, int order)
{
    if (rate == 1)
        return order / (2 * noise * noise);
    double log_a = -INFINITY;
    for (int k = 0; k <= order; k++) {
        double log_choose = lgamma(order + 1.0) - lgamma(k + 1.0) - lgamma(order - k + 1.0);
        double term = log_choose + k * log(rate) + (order - k) * log1p(-rate) +
                      (double)k * (k - 1) / (2 * noise * noise);
        double high = fmax(log_a, term), low = fmin(log_a, term);
        log_a = high + log1p(exp(low - high));
    }
    return log_a / (order - 1);
}

/* The smallest epsilon after so many steps, 0 < delta < 1; without noise INFINITY. `order` (may be
 * NULL) receives the order it was found at. */
static inline double rdp_epsilon(double rate, double noise, double steps, double delta, int *order)
{
    double best = INFINITY;
    for (int a = RDP_FIRST_ORDER; a <= RDP_LAST_ORDER && noise > 0; a++) {
        double divergence = steps * rdp_of_step(rate, noise, a);
        double epsilon = divergence + log1p(-1.0 / a) - (log(delta) + log(a)) / (a - 1);
        if (epsilon < best) {
            best = epsilon;
            if (order)
                *order = a;
        }
    }
    return fmax(best, 0);
}

#endif
