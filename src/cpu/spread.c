#include "cpu/spread.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

static double get(lucid_dtype dtype, const void *p, int64_t i)
{
    return dtype == LUCID_FLOAT32 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}

static void set(lucid_dtype dtype, void *p, int64_t i, double x)
{
    if (dtype == LUCID_FLOAT32)
        ((float *)p)[i] = (float)x;
    else
        ((double *)p)[i] = x;
}

/* How far values next to each other are to be apart at least. The scale of a function of them is not known:
 * it may be theirs (a logarithm) or that of the matrix (an exponential), so the distance is relative to the
 * geometric mean of both; but no value is to change its sign. Values that are 0 to the matrix are moved on
 * its own scale, or on that of 1 if all are 0. */
static double least_gap(double relative, double eps, double most, int64_t n, double a, double b)
{
    double size = fmax(fabs(a), fabs(b));
    if (most == 0)
        return relative;
    if (size <= (double)n * eps * most)
        return relative * most;
    return fmin(relative * sqrt(size) * sqrt(most), size / (2 * (double)n));
}

/* Of m values within these distances of each other, neighbours are to be closer: d (m - 1)^(-1 / (k + 1))
 * balances what they move in all and what is lost in their differences. */
static void share(int64_t n, const double *x, double *gap, double power)
{
    for (int64_t i = 1; i < n;) {
        int64_t end = i;
        while (end < n && x[end] - x[end - 1] < gap[end])
            end++;
        for (int64_t k = i; k < end; k++)
            gap[k] *= pow((double)(end - i), -power);
        i = end + 1;
    }
}

/* x[i] minus what is to lie below it becomes the closest ascending sequence: neighbours in the wrong order
 * are pooled (Barlow et al., Statistical Inference under Order Restrictions, 1972, 1.2). below[i] is the
 * least of x[i]. */
static void pool(int64_t n, double *x, const double *below, double *mean, double floor)
{
    int64_t blocks = 0;
    double *count = mean + n;
    for (int64_t i = 0; i < n; i++) {
        mean[blocks] = x[i] - below[i];
        count[blocks++] = 1;
        while (blocks > 1 && mean[blocks - 1] < mean[blocks - 2]) {
            double sum = count[blocks - 1] + count[blocks - 2];
            mean[blocks - 2] = mean[blocks - 2] * (count[blocks - 2] / sum) +
                               mean[blocks - 1] * (count[blocks - 1] / sum);
            count[blocks - 2] = sum;
            blocks--;
        }
    }
    for (int64_t b = 0, i = 0; b < blocks; b++)
        for (int64_t k = 0; k < (int64_t)count[b]; k++, i++)
            if (count[b] > 1 || mean[b] < floor) /* what need not move stays, to the bit */
                x[i] = fmax(mean[b], floor) + below[i];
}

void lucid__move_apart(lucid_dtype dtype, lucid__spectrum kind, int order, int64_t n, int64_t step,
                       void *w, void *shift, double *memory)
{
    enum { MOST_ORDERS = 4 };
    const double eps = dtype == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    const double power = 1.0 / (1 + (order < MOST_ORDERS ? order : MOST_ORDERS));
    const double relative = pow(eps, power);
    double *x = memory, *below = memory + n, most = 0;
    bool near = false;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (kind == LUCID__EIGENVALUES ? i : n - 1 - i) * step;
        x[i] = get(dtype, w, at);
        most = fmax(most, fabs(x[i]));
        if (shift)
            set(dtype, shift, at, 0);
    }
    for (int64_t i = 0; i < n && order > 0; i++) {
        bool free = i == 0 && kind != LUCID__RECTANGULAR;
        double before = i == 0 ? 0 : x[i - 1];
        below[i] = free ? 0 : least_gap(relative, eps, most, n, before, x[i]);
        near |= !free && x[i] - before < below[i];
    }
    if (!near)
        return;
    share(n, x, below, power);
    for (int64_t i = 1; i < n; i++)
        below[i] += below[i - 1];
    pool(n, x, below, memory + 2 * n, kind == LUCID__EIGENVALUES ? -INFINITY : 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (kind == LUCID__EIGENVALUES ? i : n - 1 - i) * step;
        double before = get(dtype, w, at);
        set(dtype, w, at, x[i]);
        if (shift)
            set(dtype, shift, at, get(dtype, w, at) - before);
    }
}

static void turn(lucid_dtype dtype, const lucid__vector_list *v, int64_t i)
{
    static const double cosine = 0.54030230586813977, sine = 0.8414709848078965; /* of 1 */
    for (int64_t k = 0; k < v->length; k++) {
        int64_t at = i * v->next + k * v->step;
        double x = get(dtype, v->at, at), y = get(dtype, v->at, at + v->next);
        set(dtype, v->at, at, cosine * x - sine * y);
        set(dtype, v->at, at + v->next, sine * x + cosine * y);
    }
}

void lucid__turn_equal(lucid_dtype dtype, int64_t n, int64_t step, const void *w,
                       const lucid__vector_list *vectors, int count)
{
    if (n < 2)
        return;
    const double eps = dtype == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
    const double most = fmax(fabs(get(dtype, w, 0)), fabs(get(dtype, w, (n - 1) * step)));
    for (int64_t i = 0; i + 1 < n; i++) {
        double gap = fabs(get(dtype, w, (i + 1) * step) - get(dtype, w, i * step));
        for (int k = 0; k < count && gap <= (double)n * eps * most; k++)
            turn(dtype, &vectors[k], i);
    }
}
