/* Derivatives where formulas divide by zero or have no single answer: zeros, ties, repeated indices,
 * infinities, nothing at all. Each row: a function, a point, and its gradient there, which reverse and
 * forward mode and a batch of two must all give; where the second derivative exists, the sums of the rows of the
 * Hessian, too. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"

enum { MOST = 6 };

typedef lucid_tensor scalar_fn(lucid_scope *s, lucid_tensor x);

typedef struct hard_point {
    const char *name;
    scalar_fn *f;
    int64_t n;
    double x[MOST], gradient[MOST];
} hard_point;

/* One with a second derivative: the sums of the rows of its Hessian. */
typedef struct smooth_point {
    hard_point first;
    double curvature[MOST];
} smooth_point;

#define F(id, expression) \
    static lucid_tensor id(lucid_scope *s, lucid_tensor x) \
    { \
        return (expression); \
    }
#define NUM(value) lucid_scalar(s, value)
#define SUM(x) lucid_sum(s, x, LUCID_ALL)
#define AT(i) lucid_select(s, x, 0, i)
/* Weights 1, 2, 3, ..., so that it shows which element a cotangent reached. */
#define WEIGHTED(y) weighted(s, y)

static lucid_tensor weighted(lucid_scope *s, lucid_tensor y)
{
    y = lucid_flatten(s, y, 0, -1);
    double n = (double)lucid_numel(y);
    return SUM(lucid_mul(s, y, lucid_arange(s, 1, n + 1, 1, LUCID_FLOAT64)));
}

static lucid_tensor index3(lucid_scope *s, int64_t a, int64_t b, int64_t c)
{
    return lucid_from_data(s, (const int64_t[]){a, b, c}, LUCID_INT64, LUCID_SHAPE(3));
}

static lucid_tensor put(lucid_scope *s, lucid_tensor x, bool accumulate)
{
    lucid_tensor index = index3(s, 1, 1, -1), into = lucid_slice(s, x, 0, 0, 2, 1);
    lucid_tensor values = lucid_slice(s, x, 0, 2, 5, 1);
    return WEIGHTED(lucid_index_put(s, into, &index, 1, values, accumulate));
}

static lucid_tensor rows_of_nothing(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor none = lucid_slice(s, x, 0, 0, 0, 1);
    return lucid_add(s, lucid_prod(s, none, LUCID_ALL), SUM(none));
}

F(abs_f, SUM(lucid_abs(s, x)))
F(relu_f, SUM(lucid_relu(s, x)))
F(sqrt_f, SUM(lucid_sqrt(s, x)))
F(cbrt_f, SUM(lucid_cbrt(s, x)))
F(log_f, SUM(lucid_log(s, x)))
F(reciprocal_f, SUM(lucid_reciprocal(s, x)))
F(maximum_f, lucid_maximum(s, AT(0), AT(1)))
F(minimum_f, lucid_minimum(s, AT(0), AT(1)))
F(amax_f, lucid_amax(s, x, LUCID_ALL))
F(amin_f, lucid_amin(s, x, LUCID_ALL))
F(prod_f, lucid_prod(s, x, LUCID_ALL))
F(cumprod_f, WEIGHTED(lucid_cumprod(s, x, 0)))
F(sort_f, WEIGHTED(lucid_sort(s, x, 0, false, NULL)))
F(sort_down_f, WEIGHTED(lucid_sort(s, x, 0, true, NULL)))
F(norm_f, lucid_norm(s, x, 2, LUCID_ALL))
F(norm1_f, lucid_norm(s, x, 1, LUCID_ALL))
F(square_f, SUM(lucid_pow(s, x, lucid_scalar_int(s, 2))))
F(power_zero_f, SUM(lucid_pow(s, x, NUM(0))))
F(power_two_f, SUM(lucid_pow(s, x, NUM(2))))
F(exponent_f, SUM(lucid_pow(s, NUM(0), x)))
F(power_both_f, lucid_pow(s, AT(0), AT(1)))
F(take_f, WEIGHTED(lucid_take(s, x, index3(s, 1, 1, -1), 0)))
F(put_f, put(s, x, false))
F(add_f, put(s, x, true))
F(logsumexp_f, lucid_logsumexp(s, x, LUCID_ALL))
F(log_softmax_f, lucid_select(s, lucid_log_softmax(s, x, 0), 0, 0))
F(softplus_f, SUM(lucid_softplus(s, x)))
F(logsigmoid_f, SUM(lucid_logsigmoid(s, x)))
F(sigmoid_f, SUM(lucid_sigmoid(s, x)))
F(tanh_f, SUM(lucid_tanh(s, x)))
F(silu_f, SUM(lucid_silu(s, x)))
F(gelu_f, SUM(lucid_gelu(s, x, false)))
F(gelu_tanh_f, SUM(lucid_gelu(s, x, true)))
F(elu_f, SUM(lucid_elu(s, x, 1)))
F(softmax_f, WEIGHTED(lucid_softmax(s, x, 0)))
F(cross_entropy_f, lucid_cross_entropy(s, x, lucid_scalar_int(s, 0), LUCID_MEAN))
F(clamp_f, SUM(lucid_clamp(s, x, NUM(-1), NUM(1))))
F(clamp_nan_f, SUM(lucid_where(s, lucid_isnan(s, lucid_clamp(s, x, NUM(NAN), NUM(1))), x, NUM(0))))
F(where_f, SUM(lucid_where(s, lucid_gt(s, x, NUM(0)), lucid_log(s, x), NUM(0))))
F(constant_f, lucid_add(s, NUM(3), SUM(lucid_floor(s, x))))
F(unused_f, AT(1))

#define SMALL_SHARE 4.248354255291589e-18 /* 1 / (1 + e^40) */
#define TWICE_DENSITY_AT_0 0.79788456080286535588

static const hard_point points[] = {
    {"abs at 0", abs_f, 3, {-2, 0, 3}, {-1, 0, 1}},
    {"relu at 0", relu_f, 3, {-2, 0, 3}, {0, 0, 1}},
    {"sqrt at 0", sqrt_f, 2, {0, 4}, {INFINITY, 0.25}},
    {"cbrt at 0 and below", cbrt_f, 2, {0, -8}, {INFINITY, 1.0 / 12}},
    {"log at 0", log_f, 2, {0, 4}, {INFINITY, 0.25}},
    {"reciprocal at 0", reciprocal_f, 2, {0, 2}, {-INFINITY, -0.25}},
    {"maximum, a tie", maximum_f, 2, {3, 3}, {0.5, 0.5}},
    {"minimum, a tie", minimum_f, 2, {3, 3}, {0.5, 0.5}},
    {"maximum with infinity", maximum_f, 2, {INFINITY, 3}, {1, 0}},
    {"amax, a tie of two", amax_f, 3, {5, 1, 5}, {0.5, 0, 0.5}},
    {"amin, all tied", amin_f, 4, {2, 2, 2, 2}, {0.25, 0.25, 0.25, 0.25}},
    {"prod with a zero", prod_f, 3, {2, 0, 3}, {0, 6, 0}},
    {"prod with two zeros", prod_f, 3, {2, 0, 0}, {0, 0, 0}},
    {"prod of one", prod_f, 1, {0}, {1}},
    /* y = x0, x0 x1, x0 x1 x2 with weights 1, 2, 3 */
    {"cumprod with a zero", cumprod_f, 3, {2, 0, 3}, {1, 22, 0}},
    {"cumprod with two zeros", cumprod_f, 3, {0, 0, 3}, {1, 0, 0}},
    {"sort, ties keep their order", sort_f, 3, {2, 1, 1}, {3, 1, 2}},
    {"sort down, ties keep their order", sort_down_f, 3, {1, 2, 2}, {3, 1, 2}},
    {"sort, infinities", sort_f, 3, {INFINITY, -INFINITY, 0}, {3, 1, 2}},
    {"norm at 0", norm_f, 3, {0, 0, 0}, {0, 0, 0}},
    {"norm with a zero", norm_f, 2, {0, 3}, {0, 1}},
    {"1-norm with a zero", norm1_f, 3, {-2, 0, 3}, {-1, 0, 1}},
    {"integer power at 0 and below", square_f, 3, {-2, 0, 3}, {-4, 0, 6}},
    {"power 0 at 0", power_zero_f, 2, {0, 2}, {0, 0}},
    {"power 2.0 at 0 and below", power_two_f, 3, {-2, 0, 3}, {-4, 0, 6}},
    {"0 to a positive power", exponent_f, 2, {2, 0.5}, {0, 0}},
    {"0 to the power 1", power_both_f, 2, {0, 1}, {1, 0}},
    {"take, a repeated index", take_f, 3, {7, 8, 9}, {0, 3, 3}},
    {"index_put, the last value stays", put_f, 5, {7, 8, 9, 10, 11}, {1, 0, 0, 0, 2}},
    {"index_put, values accumulate", add_f, 5, {7, 8, 9, 10, 11}, {1, 2, 2, 2, 2}},
    {"logsumexp with -infinity", logsumexp_f, 3, {0, -INFINITY, 0}, {0.5, 0, 0.5}},
    {"logsumexp of large numbers", logsumexp_f, 2, {1000, 1000}, {0.5, 0.5}},
    {"log_softmax of large numbers", log_softmax_f, 2, {-1000, 1000}, {1, -1}},
    {"clamp on its bounds", clamp_f, 4, {-1, 1, -2, INFINITY}, {1, 1, 0, 0}},
    {"clamp to NaN", clamp_nan_f, 2, {0, 3}, {1, 1}},
    {"where, a branch of NaN not taken", where_f, 2, {-1, 2}, {0, 0.5}},
    {"piecewise constant", constant_f, 2, {0.5, 2}, {0, 0}},
    {"an element that is not used", unused_f, 3, {1, 2, 3}, {0, 1, 0}},
    {"sums and products of nothing", rows_of_nothing, 2, {1, 2}, {0, 0}},
    {"nothing", abs_f, 0, {0}, {0}},
};
static const smooth_point smooth_points[] = {
    {{"softplus far out", softplus_f, 3, {-1000, 0, 1000}, {0, 0.5, 1}}, {0, 0.25, 0}},
    {{"logsigmoid far out", logsigmoid_f, 3, {-1000, 0, 1000}, {1, 0.5, 0}}, {0, -0.25, 0}},
    {{"sigmoid far out", sigmoid_f, 3, {-1000, 0, 1000}, {0, 0.25, 0}}, {0, 0, 0}},
    {{"tanh far out", tanh_f, 3, {-1000, 0, INFINITY}, {0, 1, 0}}, {0, 0, 0}},
    {{"silu far out", silu_f, 3, {-1000, 0, 1000}, {0, 0.5, 1}}, {0, 0.5, 0}},
    {{"gelu far out", gelu_f, 3, {-1000, 0, 1000}, {0, 0.5, 1}}, {0, TWICE_DENSITY_AT_0, 0}},
    {{"softplus at the ends", softplus_f, 3, {-INFINITY, 1e308, INFINITY}, {0, 1, 1}}, {0}},
    {{"logsigmoid at the ends", logsigmoid_f, 3, {-INFINITY, 1e308, INFINITY}, {1, 0, 0}}, {0}},
    {{"sigmoid at the ends", sigmoid_f, 3, {-INFINITY, 1e308, INFINITY}, {0, 0, 0}}, {0}},
    {{"silu at the ends", silu_f, 4, {-INFINITY, -1e308, 1e308, INFINITY}, {0, 0, 1, 1}}, {0}},
    {{"gelu at the ends", gelu_f, 4, {-INFINITY, -1e308, 1e308, INFINITY}, {0, 0, 1, 1}}, {0}},
    {{"gelu by tanh at the ends",
      gelu_tanh_f,
      4,
      {-INFINITY, -1e308, 1e308, INFINITY},
      {0, 0, 1, 1}},
     {0}},
    {{"elu at the ends", elu_f, 4, {-INFINITY, -1e308, 1e308, INFINITY}, {0, 0, 1, 1}}, {0}},
    {{"softmax, one outweighs", softmax_f, 2, {0, 40}, {-SMALL_SHARE, SMALL_SHARE}}, {0}},
    {{"cross_entropy, one outweighs", cross_entropy_f, 2, {40, 0}, {-SMALL_SHARE, SMALL_SHARE}},
     {0}},
    {{"cross_entropy with -infinity", cross_entropy_f, 3, {2, -INFINITY, 2}, {-0.5, 0, 0.5}}, {0}},
};
enum {
    POINTS = sizeof points / sizeof *points,
    SMOOTH_POINTS = sizeof smooth_points / sizeof *smooth_points
};

static lucid_status call_point(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                               size_t ny, void *user)
{
    const hard_point *p = user;
    (void)nx, (void)ny;
    y[0] = p->f(s, x[0]);
    return lucid_error(s);
}

static lucid_status call_slopes(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny;
    lucid_fn f = lucid_fn_new(s, call_point, 1, user);
    y[0] = SUM(lucid_call1(s, lucid_grad(s, f, NULL), x[0]));
    return lucid_error(s);
}

static void check(lucid_scope *s, const hard_point *p, const char *how, lucid_tensor got,
                  const double *right, int64_t rows)
{
    checking("%s, %s", p->name, how);
    host_array have = host_from_tensor(s, got);
    if (lucid_error(s) != LUCID_OK) {
        difference("%s", lucid_error_message(s));
        lucid_clear_error(s);
        return;
    }
    lucid_shape shape = rows > 0 ? LUCID_SHAPE(rows, p->n) : LUCID_SHAPE(p->n);
    host_array want = host_new(LUCID_FLOAT64, shape);
    for (int64_t i = 0; i < want.n; i++)
        want.at[i] = right[i % p->n];
    (void)same("the gradient", &have, &want, 1e-12);
}

static bool finite_everywhere(const hard_point *p)
{
    for (int64_t i = 0; i < p->n; i++)
        if (!isfinite(p->gradient[i]))
            return false;
    return true;
}

static void test_point(void **state)
{
    const hard_point *p = *state;
    size_t mark = host_mark();
    lucid_scope *s = lucid_open(NULL);
    differences_begin();
    lucid_fn f = lucid_fn_new(s, call_point, 1, (void *)(uintptr_t)p);
    lucid_tensor x = lucid_from_data(s, p->x, LUCID_FLOAT64, LUCID_SHAPE(p->n));
    lucid_tensor rows = lucid_stack(s, (lucid_tensor[]){x, x}, 2, 0);
    lucid_fn g = lucid_grad(s, f, NULL);
    check(s, p, "grad", lucid_call1(s, g, x), p->gradient, 0);
    if (finite_everywhere(p)) /* forwards, an infinite slope meets the zeros of the basis: NaN */
        check(s, p, "jacfwd", lucid_call1(s, lucid_jacfwd(s, f, NULL), x), p->gradient, 0);
    check(s, p, "vmap of grad", lucid_call1(s, lucid_vmap(s, g, NULL), rows), p->gradient, 2);
    differences_end();
    (void)lucid_close(s);
    host_release(mark);
}

static void test_smooth_point(void **state)
{
    const smooth_point *p = *state;
    void *user = (void *)(uintptr_t)&p->first;
    size_t mark = host_mark();
    lucid_scope *s = lucid_open(NULL);
    differences_begin();
    lucid_fn f = lucid_fn_new(s, call_point, 1, user),
             slopes = lucid_fn_new(s, call_slopes, 1, user);
    lucid_tensor x = lucid_from_data(s, p->first.x, LUCID_FLOAT64, LUCID_SHAPE(p->first.n));
    lucid_tensor sums = lucid_call1(s, lucid_grad(s, slopes, NULL), x);
    check(s, &p->first, "grad of grad", sums, p->curvature, 0);
    sums = lucid_sum(s, lucid_call1(s, lucid_hessian(s, f, NULL), x), LUCID_DIMS(1));
    check(s, &p->first, "hessian", sums, p->curvature, 0);
    differences_end();
    (void)lucid_close(s);
    host_release(mark);
}

int main(void)
{
    static struct CMUnitTest tests[POINTS + 2 * SMOOTH_POINTS];
    size_t n = 0;
    for (size_t i = 0; i < POINTS; i++)
        tests[n++] = (struct CMUnitTest){.name = points[i].name,
                                         .test_func = test_point,
                                         .initial_state = (void *)(uintptr_t)&points[i]};
    for (size_t i = 0; i < SMOOTH_POINTS; i++) {
        const hard_point *first = &smooth_points[i].first;
        tests[n++] = (struct CMUnitTest){.name = first->name,
                                         .test_func = test_point,
                                         .initial_state = (void *)(uintptr_t)first};
        tests[n++] = (struct CMUnitTest){.name = first->name,
                                         .test_func = test_smooth_point,
                                         .initial_state = (void *)(uintptr_t)&smooth_points[i]};
    }
    return _cmocka_run_group_tests("hard points", tests, n, NULL, NULL);
}
