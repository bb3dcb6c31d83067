/* Composite operations against plain formulas, and their derivatives: by their laws where they are
 * smooth, by exact values at the hard points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

static const lucid_tensor none = {NULL};

/* ---- functions ------------------------------------------------------------------------------ */

FUNCTION(f_relu, lucid_relu(s, x[0]))
FUNCTION(f_leaky_relu, lucid_leaky_relu(s, x[0], 0.1))
FUNCTION(f_elu, lucid_elu(s, x[0], 1.5))
FUNCTION(f_sigmoid, lucid_sigmoid(s, x[0]))
FUNCTION(f_logsigmoid, lucid_logsigmoid(s, x[0]))
FUNCTION(f_gelu, lucid_gelu(s, x[0], false))
FUNCTION(f_gelu_tanh, lucid_gelu(s, x[0], true))
FUNCTION(f_silu, lucid_silu(s, x[0]))
FUNCTION(f_softplus, lucid_softplus(s, x[0]))
FUNCTION(f_clamp, lucid_clamp(s, x[0], lucid_scalar(s, -1), lucid_scalar(s, 1)))
FUNCTION(f_clamp_by, lucid_clamp(s, x[0], x[1], x[2]))
FUNCTION(f_softmax, lucid_softmax(s, x[0], -1))
FUNCTION(f_softmax_first, lucid_softmax(s, x[0], 0))
FUNCTION(f_log_softmax, lucid_log_softmax(s, x[0], -1))
FUNCTION(f_layer_norm, lucid_layer_norm(s, x[0], 2, x[1], x[2], 1e-5))
FUNCTION(f_layer_norm_bare, lucid_layer_norm(s, x[0], 1, none, none, 1e-5))
FUNCTION(f_cross_entropy, lucid_cross_entropy(s, x[0], x[1], LUCID_MEAN))
FUNCTION(f_cross_entropy_each, lucid_cross_entropy(s, x[0], x[1], LUCID_NO_REDUCTION))
FUNCTION(f_mse_loss, lucid_mse_loss(s, x[0], x[1], LUCID_MEAN))
FUNCTION(f_mean, lucid_mean(s, x[0], LUCID_DIMS(-1)))
FUNCTION(f_var, lucid_var(s, x[0], LUCID_DIMS(0), 1))
FUNCTION(f_std, lucid_std(s, x[0], LUCID_DIMS_KEEP(-1), 0))
FUNCTION(f_std_all, lucid_std(s, x[0], LUCID_ALL, 1))
FUNCTION(f_logsumexp, lucid_logsumexp(s, x[0], LUCID_DIMS(-1)))
FUNCTION(f_norm2, lucid_norm(s, x[0], 2, LUCID_ALL))
FUNCTION(f_norm1, lucid_norm(s, x[0], 1, LUCID_DIMS(-1)))
FUNCTION(f_norm3, lucid_norm(s, x[0], 3, LUCID_DIMS_KEEP(0)))
FUNCTION(f_norm_half, lucid_norm(s, x[0], 0.5, LUCID_ALL))
FUNCTION(f_norm_minus2, lucid_norm(s, x[0], -2, LUCID_ALL))
FUNCTION(f_norm_inf, lucid_norm(s, x[0], INFINITY, LUCID_DIMS(-1)))
FUNCTION(f_norm_minus_inf, lucid_norm(s, x[0], -INFINITY, LUCID_DIMS(-1)))
FUNCTION(f_norm_0, lucid_norm(s, x[0], 0, LUCID_ALL))

/* The gradient at one example of the sum of the function that `user` points to. */
static lucid_status sum_gradient(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    lucid_tensor value;
    lucid_fn f = lucid_fn_new(s, *(lucid_function *const *)user, 1, NULL);
    lucid_fn back = lucid_vjp(s, f, x, nx, &value, 1);
    lucid_tensor ct = lucid_ones_like(s, value);
    return lucid_call(s, back, &ct, 1, y, ny);
}

static lucid_scope *s;

static int begin(void **state)
{
    (void)state;
    s = lucid_open(NULL);
    return s == NULL;
}

static int end(void **state)
{
    (void)state;
    return lucid_close(s) != LUCID_OK;
}

#define F32(...) lucid_cast(s, VECTOR(s, __VA_ARGS__), LUCID_FLOAT32)
#define INTS64(...) \
    lucid_from_data(s, (const int64_t[]){__VA_ARGS__}, LUCID_INT64, \
                    LUCID_SHAPE((int64_t)LUCID_COUNT_(int64_t, __VA_ARGS__)))
#define SAME(got, tolerance, ...) same_elements(s, #got, (got), DOUBLES(__VA_ARGS__), (tolerance))
#define GRADIENT(f, ...) gradient(s, f, (const lucid_tensor[]){__VA_ARGS__}, 1)
#define LAWS(f, ...) \
    obeys_laws(s, #f, f, (const lucid_tensor[]){__VA_ARGS__}, \
               LUCID_COUNT_(lucid_tensor, __VA_ARGS__))

/* ---- activations ---------------------------------------------------------------------------- */

/* Every function of one number, at points of either sign, small and large, against libm. */
typedef struct scalar_case {
    const char *name;
    lucid_function *f;
    double (*formula)(double x);
    double (*slope)(double x);
} scalar_case;

static double relu(double x)
{
    return x > 0 ? x : 0;
}

static double relu_slope(double x)
{
    return x > 0;
}

static double leaky_relu(double x)
{
    return x > 0 ? x : 0.1 * x;
}

static double leaky_relu_slope(double x)
{
    return x > 0 ? 1 : 0.1;
}

static double elu(double x)
{
    return x > 0 ? x : 1.5 * expm1(x);
}

static double elu_slope(double x)
{
    return x > 0 ? 1 : 1.5 * exp(x);
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

static double sigmoid_slope(double x)
{
    return sigmoid(x) * sigmoid(-x);
}

static double logsigmoid(double x)
{
    return fmin(x, 0) - log1p(exp(-fabs(x)));
}

static double logsigmoid_slope(double x)
{
    return sigmoid(-x);
}

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double silu_slope(double x)
{
    return sigmoid(x) + x * sigmoid_slope(x);
}

static double gelu(double x)
{
    return 0.5 * x * erfc(-x * M_SQRT1_2);
}

static double gelu_slope(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2) + x * exp(-x * x / 2) / sqrt(2 * M_PI);
}

static double gelu_tanh(double x)
{
    return x * sigmoid(2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x));
}

static double gelu_tanh_slope(double x)
{
    double u = 2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    return sigmoid(u) + x * sigmoid_slope(u) * 2 * sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
}

static const scalar_case scalar_cases[] = {
    {"relu", f_relu, relu, relu_slope},
    {"leaky_relu", f_leaky_relu, leaky_relu, leaky_relu_slope},
    {"elu", f_elu, elu, elu_slope},
    {"sigmoid", f_sigmoid, sigmoid, sigmoid_slope},
    {"logsigmoid", f_logsigmoid, logsigmoid, logsigmoid_slope},
    {"softplus", f_softplus, softplus, sigmoid},
    {"silu", f_silu, silu, silu_slope},
    {"gelu", f_gelu, gelu, gelu_slope},
    {"gelu, tanh", f_gelu_tanh, gelu_tanh, gelu_tanh_slope},
};

static void test_activations(void **state)
{
    (void)state;
    static const double at[] = {0,  -0.0, 1e-9, -1e-9, 0.5, -0.5, 1,   -1,   3,    -3,
                                10, -10,  30,   -30,   87,  -87,  200, -200, 1000, -1000};
    enum { N = sizeof at / sizeof *at };
    for (size_t c = 0; c < sizeof scalar_cases / sizeof *scalar_cases; c++) {
        const scalar_case *f = &scalar_cases[c];
        double value[N], slope[N];
        for (int i = 0; i < N; i++) {
            value[i] = f->formula(at[i]);
            slope[i] = f->slope(at[i]);
        }
        for (int narrow = 0; narrow < 2; narrow++) {
            lucid_dtype dtype = narrow ? LUCID_FLOAT32 : LUCID_FLOAT64;
            lucid_tensor x = lucid_cast(s, lucid_from_data(s, at, LUCID_FLOAT64, LUCID_SHAPE(N)),
                                        dtype),
                         y;
            lucid_fn fn = lucid_fn_new(s, f->f, 1, NULL);
            y = lucid_call1(s, fn, x);
            assert_int_equal(lucid_dtype_of(y), dtype);
            same_elements(s, f->name, y, value, narrow ? 2e-6 : 1e-13);
            same_elements(s, f->name, gradient(s, f->f, &x, 1), slope, narrow ? 2e-6 : 1e-13);
        }
    }
}

/* Small results keep their relative accuracy, and what is not a number stays so. */
static void test_activation_tails(void **state)
{
    (void)state;
    lucid_tensor x = F32(-80, -20), scaled = lucid_sigmoid(s, x);
    double want[2] = {exp(-80.0), exp(-20.0) / (1 + exp(-20.0))};
    scaled = lucid_div(s, lucid_cast(s, scaled, LUCID_FLOAT64), VECTOR(s, want[0], want[1]));
    SAME(scaled, 1e-5, 1, 1);
    x = VECTOR(s, -20, -12);
    lucid_tensor y = lucid_div(s, lucid_gelu(s, x, false), VECTOR(s, gelu(-20), gelu(-12)));
    SAME(y, 1e-9, 1, 1);
    x = VECTOR(s, NAN, INFINITY, -INFINITY);
    SAME(lucid_relu(s, x), 0, NAN, INFINITY, 0);
    SAME(lucid_leaky_relu(s, x, 0.5), 0, NAN, INFINITY, -INFINITY);
    SAME(lucid_elu(s, x, 2), 0, NAN, INFINITY, -2);
    SAME(lucid_sigmoid(s, x), 0, NAN, 1, 0);
    SAME(lucid_logsigmoid(s, x), 0, NAN, 0, -INFINITY);
    SAME(lucid_softplus(s, x), 0, NAN, INFINITY, 0);
    x = VECTOR(s, INFINITY, -INFINITY);
    SAME(GRADIENT(f_relu, x), 0, 1, 0);
    SAME(GRADIENT(f_elu, x), 0, 1, 0);
    SAME(GRADIENT(f_softplus, x), 0, 1, 0);
    SAME(GRADIENT(f_logsigmoid, x), 0, 0, 1);
    SAME(GRADIENT(f_sigmoid, x), 0, 0, 0);
    assert_int_equal(lucid_dtype_of(lucid_relu(s, INTS64(-1, 2))), LUCID_INT64);
    SAME(lucid_relu(s, INTS64(-1, 2)), 0, 0, 2);
    assert_int_equal(lucid_dtype_of(lucid_sigmoid(s, INTS64(0))), LUCID_FLOAT32);
}

static void test_activation_laws(void **state)
{
    (void)state;
    lucid_tensor x = test_numbers(s, LUCID_SHAPE(2, 5), 1, 0.01);
    LAWS(f_relu, x);
    LAWS(f_leaky_relu, x);
    LAWS(f_elu, x);
    LAWS(f_sigmoid, x);
    LAWS(f_logsigmoid, x);
    LAWS(f_softplus, x);
    LAWS(f_silu, x);
    LAWS(f_gelu, x);
    LAWS(f_gelu_tanh, x);
    LAWS(f_clamp, lucid_mul(s, x, lucid_scalar(s, 0.7)));
    /* At 0 the smooth ones are smooth, in their second derivative too. */
    lucid_tensor zero = VECTOR(s, 0, 0);
    LAWS(f_sigmoid, zero);
    LAWS(f_logsigmoid, zero);
    LAWS(f_softplus, zero);
    LAWS(f_silu, zero);
    LAWS(f_gelu, zero);
    LAWS(f_gelu_tanh, zero);
}

static void test_clamp(void **state)
{
    (void)state;
    lucid_tensor x = VECTOR(s, -2, -1, 0, 1, 2, NAN);
    SAME(lucid_clamp(s, x, lucid_scalar(s, -1), lucid_scalar(s, 1)), 0, -1, -1, 0, 1, 1, NAN);
    SAME(GRADIENT(f_clamp, VECTOR(s, -2, -1, 0, 1, 2)), 0, 0, 1, 1, 1, 0);
    SAME(lucid_clamp(s, x, none, lucid_scalar(s, 0)), 0, -2, -1, 0, 0, 0, NAN);
    SAME(lucid_clamp(s, x, lucid_scalar(s, 0), none), 0, 0, 0, 0, 1, 2, NAN);
    SAME(lucid_clamp(s, x, none, none), 0, -2, -1, 0, 1, 2, NAN);
    lucid_tensor y = lucid_clamp(s, INTS64(-5, 5), lucid_scalar_int(s, 0), lucid_scalar_int(s, 3));
    assert_int_equal(lucid_dtype_of(y), LUCID_INT64);
    SAME(y, 0, 0, 3);
    y = lucid_clamp(s, INTS64(-5, 5), lucid_scalar(s, 0.5), none);
    assert_int_equal(lucid_dtype_of(y), LUCID_FLOAT32);
    SAME(y, 0, 0.5, 5);
    LAWS(f_clamp_by, VECTOR(s, -1.5, 0.3, 2), VECTOR(s, -1, -1, -1), VECTOR(s, 1, 1, 1));
}

/* ---- normalisation -------------------------------------------------------------------------- */

static void test_softmax(void **state)
{
    (void)state;
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 1, 2, 3, 1000, 1001, 999), LUCID_SHAPE(2, 3));
    double a = 1 + exp(-1) + exp(-2);
    SAME(lucid_softmax(s, x, -1), 1e-14, exp(-2) / a, exp(-1) / a, 1 / a, exp(-1) / a, 1 / a,
         exp(-2) / a);
    SAME(lucid_log_softmax(s, x, 1), 1e-12, -2 - log(a), -1 - log(a), -log(a), -1 - log(a), -log(a),
         -2 - log(a));
    SAME(lucid_softmax(s, x, 0), 0, 0, 0, 0, 1, 1, 1);
    SAME(lucid_softmax(s, lucid_scalar(s, 3), 0), 0, 1);
    lucid_tensor masked = VECTOR(s, -INFINITY, 0, 0);
    SAME(lucid_softmax(s, masked, 0), 0, 0, 0.5, 0.5);
    SAME(lucid_log_softmax(s, masked, 0), 1e-15, -INFINITY, -M_LN2, -M_LN2);
    SAME(GRADIENT(f_softmax, masked), 1e-15, 0, 0, 0);
    has_shape(lucid_softmax(s, lucid_zeros(s, LUCID_SHAPE(0, 3)), 0), LUCID_SHAPE(0, 3));
    has_shape(lucid_log_softmax(s, lucid_zeros(s, LUCID_SHAPE(3, 0)), 0), LUCID_SHAPE(3, 0));
    lucid_tensor r = test_numbers(s, LUCID_SHAPE(3, 4), 2, 0);
    LAWS(f_softmax, r);
    LAWS(f_softmax_first, r);
    LAWS(f_log_softmax, r);
    LAWS(f_softmax, VECTOR(s, 900, 901, 899));
    (void)lucid_softmax(s, r, 2);
    has_error(s, LUCID_VALUE_ERROR, "softmax: dim 2 is out of range");
}

static void test_layer_norm(void **state)
{
    (void)state;
    enum { N = 6 };
    lucid_tensor x = test_numbers(s, LUCID_SHAPE(2, 2, 3), 3, 0);
    lucid_tensor w = test_numbers(s, LUCID_SHAPE(2, 3), 4, 0);
    lucid_tensor b = test_numbers(s, LUCID_SHAPE(2, 3), 5, 0);
    const double *px = elements(s, x), *pw = elements(s, w), *pb = elements(s, b);
    double want[2 * N];
    for (int r = 0; r < 2; r++) {
        double mean = 0, var = 0;
        for (int i = 0; i < N; i++)
            mean += px[r * N + i] / N;
        for (int i = 0; i < N; i++)
            var += (px[r * N + i] - mean) * (px[r * N + i] - mean) / N;
        for (int i = 0; i < N; i++)
            want[r * N + i] = (px[r * N + i] - mean) / sqrt(var + 1e-5) * pw[i] + pb[i];
    }
    same_elements(s, "layer_norm", lucid_layer_norm(s, x, 2, w, b, 1e-5), want, 1e-12);
    LAWS(f_layer_norm, x, w, b);
    LAWS(f_layer_norm_bare, x);
    SAME(lucid_layer_norm(s, VECTOR(s, 2, 2, 2), 1, none, none, 1e-5), 0, 0, 0, 0);
    (void)lucid_layer_norm(s, x, 4, none, none, 1e-5);
    has_error(s, LUCID_VALUE_ERROR, "layer_norm: ndim must be from 1 to 3");
    (void)lucid_layer_norm(s, x, 1, w, none, 1e-5);
    has_error(s, LUCID_VALUE_ERROR, "layer_norm: weight has shape (2, 3), expected (3,)");
}

/* ---- losses --------------------------------------------------------------------------------- */

static void test_cross_entropy(void **state)
{
    (void)state;
    double a = log(1 + exp(-1) + exp(-2));
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 1, 2, 3, 1000, 1001, 999), LUCID_SHAPE(2, 3));
    lucid_tensor classes = INTS64(2, 0);
    SAME(lucid_cross_entropy(s, x, classes, LUCID_NO_REDUCTION), 1e-12, a, a + 1);
    SAME(lucid_cross_entropy(s, x, classes, LUCID_SUM), 1e-12, 2 * a + 1);
    SAME(lucid_cross_entropy(s, x, lucid_cast(s, classes, LUCID_INT32), LUCID_MEAN), 1e-12,
         a + 0.5);
    SAME(lucid_cross_entropy(s, lucid_select(s, x, 0, 0), lucid_select(s, classes, 0, 0),
                             LUCID_MEAN),
         1e-12, a);
    /* The same as probabilities. */
    lucid_tensor p = lucid_reshape(s, VECTOR(s, 0, 0, 1, 0.5, 0.5, 0), LUCID_SHAPE(2, 3));
    SAME(lucid_cross_entropy(s, x, p, LUCID_NO_REDUCTION), 1e-12, a, a + 0.5);
    SAME(lucid_cross_entropy(s, lucid_select(s, x, 0, 0), lucid_select(s, p, 0, 0), LUCID_MEAN),
         1e-12, a);
    /* (N, C, d): classes in the second dim. */
    lucid_tensor images = test_numbers(s, LUCID_SHAPE(2, 3, 4), 6, 0);
    lucid_tensor pixel =
        lucid_remainder(s, lucid_arange(s, 0, 8, 1, LUCID_INT64), lucid_scalar_int(s, 3));
    pixel = lucid_reshape(s, pixel, LUCID_SHAPE(2, 4));
    lucid_tensor got = lucid_cross_entropy(s, images, pixel, LUCID_NO_REDUCTION);
    lucid_tensor rows = lucid_reshape(s, lucid_movedim(s, images, 1, 2), LUCID_SHAPE(8, 3));
    lucid_tensor want =
        lucid_cross_entropy(s, rows, lucid_reshape(s, pixel, LUCID_SHAPE(8)), LUCID_NO_REDUCTION);
    same_tensors(s, "pixels", got, lucid_reshape(s, want, LUCID_SHAPE(2, 4)), 1e-13);
    LAWS(f_cross_entropy, x, classes);
    LAWS(f_cross_entropy_each, images, pixel);
    LAWS(f_cross_entropy_each, x, p);
    LAWS(f_cross_entropy, lucid_select(s, x, 0, 0), lucid_select(s, classes, 0, 0));
    /* One class per example. */
    lucid_fn f = lucid_fn_new(s, f_cross_entropy, 1, NULL);
    lucid_tensor each;
    (void)lucid_call(s, lucid_vmap(s, f, NULL), LUCID_ARGS(x, classes), &each, 1);
    SAME(each, 1e-12, a, a + 1);
    lucid_fn g = lucid_vmap(s, lucid_grad(s, f, NULL), NULL);
    (void)lucid_call(s, g, LUCID_ARGS(x, classes), &each, 1);
    double e0 = exp(-2 - a), e1 = exp(-1 - a), e2 = exp(-a);
    SAME(each, 1e-12, e0, e1, e2 - 1, e1 - 1, e2, e0);
    /* Logits that are ruled out. */
    lucid_tensor hard = VECTOR(s, -INFINITY, 0, 0);
    SAME(lucid_cross_entropy(s, hard, lucid_scalar_int(s, 1), LUCID_MEAN), 1e-15, M_LN2);
    SAME(gradient(s, f_cross_entropy, LUCID_ARGS(hard, lucid_scalar_int(s, 1))), 1e-15, 0, -0.5,
         0.5);
    SAME(lucid_cross_entropy(s, hard, lucid_scalar_int(s, 0), LUCID_MEAN), 0, INFINITY);
}

static void test_cross_entropy_errors(void **state)
{
    (void)state;
    lucid_tensor x = lucid_zeros(s, LUCID_SHAPE(2, 3)), y;
    (void)lucid_cross_entropy(s, x, INTS64(1), LUCID_MEAN);
    has_error(s, LUCID_VALUE_ERROR, "want classes of shape (2,), not (1,)");
    (void)lucid_cross_entropy(s, x, lucid_zeros(s, LUCID_SHAPE(2)), LUCID_MEAN);
    has_error(s, LUCID_VALUE_ERROR, "probabilities must have the shape of the logits");
    (void)lucid_cross_entropy(s, lucid_scalar(s, 1), INTS64(1), LUCID_MEAN);
    has_error(s, LUCID_VALUE_ERROR, "they are 0-d");
    (void)lucid_cross_entropy(s, x, INTS64(0, 1), (lucid_reduction)7);
    has_error(s, LUCID_VALUE_ERROR, "reduction must be");
    for (int64_t bad = -1; bad <= 3; bad += 4) {
        y = lucid_cross_entropy(s, x, INTS64(0, bad), LUCID_MEAN);
        (void)lucid_eval(s, &y, 1);
        has_error(s, LUCID_INDEX_ERROR, "out of range");
    }
}

static void test_mse_loss(void **state)
{
    (void)state;
    lucid_tensor x = VECTOR(s, 1, 2, 4), t = VECTOR(s, 1, 0, 1);
    SAME(lucid_mse_loss(s, x, t, LUCID_NO_REDUCTION), 0, 0, 4, 9);
    SAME(lucid_mse_loss(s, x, t, LUCID_SUM), 0, 13);
    SAME(lucid_mse_loss(s, x, t, LUCID_MEAN), 1e-15, 13.0 / 3);
    LAWS(f_mse_loss, x, t);
}

/* ---- statistics ----------------------------------------------------------------------------- */

static void test_mean_var_std(void **state)
{
    (void)state;
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 1, 2, 6, 4, 4, 4), LUCID_SHAPE(2, 3));
    SAME(lucid_mean(s, x, LUCID_DIMS(1)), 1e-15, 3, 4);
    SAME(lucid_mean(s, x, LUCID_ALL), 1e-15, 3.5);
    has_shape(lucid_mean(s, x, LUCID_DIMS_KEEP(0)), LUCID_SHAPE(1, 3));
    assert_int_equal(lucid_dtype_of(lucid_mean(s, INTS64(1, 2), LUCID_ALL)), LUCID_FLOAT32);
    SAME(lucid_mean(s, INTS64(1, 2), LUCID_ALL), 0, 1.5);
    SAME(lucid_mean(s, lucid_zeros(s, LUCID_SHAPE(0)), LUCID_ALL), 0, NAN);
    SAME(lucid_var(s, x, LUCID_DIMS(1), 1), 1e-15, 7, 0);
    SAME(lucid_var(s, x, LUCID_DIMS(1), 0), 1e-15, 14.0 / 3, 0);
    SAME(lucid_std(s, x, LUCID_DIMS(-1), 1), 1e-15, sqrt(7), 0);
    SAME(lucid_var(s, VECTOR(s, 3), LUCID_ALL, 1), 0, NAN);
    SAME(lucid_var(s, VECTOR(s, 3), LUCID_ALL, 0), 0, 0);
    SAME(lucid_var(s, lucid_scalar(s, 3), LUCID_ALL, 1), 0, NAN);
    SAME(lucid_std(s, lucid_zeros(s, LUCID_SHAPE(0)), LUCID_ALL, 0), 0, NAN);
    /* Far from 0 the digits that differ still count. */
    SAME(lucid_var(s, VECTOR(s, 1e9 + 1, 1e9 + 2, 1e9 + 3), LUCID_ALL, 1), 1e-12, 1);
    SAME(GRADIENT(f_std_all, VECTOR(s, 2, 2, 2)), 0, 0, 0, 0);
    lucid_tensor r = test_numbers(s, LUCID_SHAPE(3, 4), 9, 0);
    LAWS(f_mean, r);
    LAWS(f_var, r);
    LAWS(f_std, r);
    LAWS(f_std_all, r);
    (void)lucid_var(s, x, LUCID_DIMS(2), 1);
    has_error(s, LUCID_VALUE_ERROR, "var: dim 2 is out of range");
}

static void test_logsumexp(void **state)
{
    (void)state;
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 1000, 1000, -1000, -1000), LUCID_SHAPE(2, 2));
    SAME(lucid_logsumexp(s, x, LUCID_DIMS(1)), 1e-15, 1000 + M_LN2, -1000 + M_LN2);
    has_shape(lucid_logsumexp(s, x, LUCID_ALL_KEEP), LUCID_SHAPE(1, 1));
    has_shape(lucid_logsumexp(s, x, LUCID_ALL), LUCID_SCALAR_SHAPE);
    SAME(lucid_logsumexp(s, lucid_scalar(s, 3), LUCID_ALL), 1e-6, 3);
    lucid_tensor all = VECTOR(s, -INFINITY, -INFINITY), some = VECTOR(s, -INFINITY, 1);
    SAME(lucid_logsumexp(s, all, LUCID_ALL), 0, -INFINITY);
    SAME(GRADIENT(f_logsumexp, all), 0, 0, 0);
    SAME(lucid_logsumexp(s, some, LUCID_ALL), 1e-15, 1);
    SAME(GRADIENT(f_logsumexp, some), 0, 0, 1);
    SAME(lucid_logsumexp(s, VECTOR(s, INFINITY, 1), LUCID_ALL), 0, INFINITY);
    SAME(lucid_logsumexp(s, VECTOR(s, NAN, 1), LUCID_ALL), 0, NAN);
    SAME(lucid_logsumexp(s, lucid_zeros(s, LUCID_SHAPE(2, 0)), LUCID_DIMS(1)), 0, -INFINITY,
         -INFINITY);
    LAWS(f_logsumexp, test_numbers(s, LUCID_SHAPE(3, 4), 10, 0));
    LAWS(f_logsumexp, x);
}

static void test_norm(void **state)
{
    (void)state;
    lucid_tensor x = lucid_reshape(s, VECTOR(s, 3, -4, 0, 0), LUCID_SHAPE(2, 2));
    SAME(lucid_norm(s, x, 2, LUCID_DIMS(1)), 1e-15, 5, 0);
    SAME(lucid_norm(s, x, 1, LUCID_DIMS(1)), 1e-15, 7, 0);
    SAME(lucid_norm(s, x, 0, LUCID_DIMS(1)), 1e-15, 2, 0);
    SAME(lucid_norm(s, x, INFINITY, LUCID_DIMS(1)), 1e-15, 4, 0);
    SAME(lucid_norm(s, x, -INFINITY, LUCID_DIMS(1)), 1e-15, 3, 0);
    SAME(lucid_norm(s, x, 3, LUCID_DIMS(1)), 1e-15, cbrt(91), 0);
    SAME(lucid_norm(s, x, 0.5, LUCID_DIMS(1)), 1e-14, pow(sqrt(3) + 2, 2), 0);
    SAME(lucid_norm(s, x, -1, LUCID_DIMS(1)), 1e-15, 12.0 / 7, 0);
    SAME(lucid_norm(s, x, 2, LUCID_ALL), 1e-15, 5);
    has_shape(lucid_norm(s, x, 2, LUCID_DIMS_KEEP(0)), LUCID_SHAPE(1, 2));
    lucid_function *const fs[] = {f_norm2,       f_norm1,    f_norm3,          f_norm_half,
                                  f_norm_minus2, f_norm_inf, f_norm_minus_inf, f_norm_0};
    lucid_tensor zero = VECTOR(s, 0, 0, 0), r = test_numbers(s, LUCID_SHAPE(2, 3), 11, 0.2);
    for (size_t i = 0; i < sizeof fs / sizeof *fs; i++)
        SAME(GRADIENT(fs[i], zero), 0, 0, 0, 0);
    for (size_t i = 0; i + 1 < sizeof fs / sizeof *fs; i++)
        LAWS(fs[i], r);
    /* Some zeros among others. */
    SAME(GRADIENT(f_norm2, VECTOR(s, 3, 0, 4)), 1e-15, 0.6, 0, 0.8);
    SAME(GRADIENT(f_norm_half, VECTOR(s, 4, 0)), 1e-14, 1, 0);
    SAME(GRADIENT(f_norm_minus2, VECTOR(s, 4, 0)), 0, 0, 0);
    SAME(GRADIENT(f_norm_inf, VECTOR(s, -4, 4)), 1e-15, -0.5, 0.5);
    lucid_tensor h =
        lucid_call1(s, lucid_hessian(s, lucid_fn_new(s, f_norm2, 1, NULL), NULL), VECTOR(s, 0, 0));
    assert_true(elements(s, h)[0] > 1e100); /* it does not exist */
    SAME(lucid_norm(s, lucid_zeros(s, LUCID_SHAPE(0)), 2, LUCID_ALL), 0, 0);
    (void)lucid_norm(s, x, NAN, LUCID_ALL);
    has_error(s, LUCID_VALUE_ERROR, "norm: order");
}

/* Lanes at hard points among ordinary ones: neither spoils the other. */
static void test_hard_lanes(void **state)
{
    (void)state;
    const double inf = INFINITY;
    static const double e = 0.73105857863000487925, f = 0.26894142136999512075; /* sigmoid(+-1) */
    const struct {
        const char *name;
        lucid_function *f;
        double x[3][2], want[3][2];
    } cases[] = {
        {"norm", f_norm2, {{0, 0}, {3, 4}, {0, -1}}, {{0, 0}, {0.6, 0.8}, {0, -1}}},
        {"norm 1", f_norm1, {{0, 0}, {3, -4}, {0, 1}}, {{0, 0}, {1, -1}, {0, 1}}},
        {"std",
         f_std_all,
         {{2, 2}, {0, 2}, {3, 1}},
         {{0, 0}, {-M_SQRT1_2, M_SQRT1_2}, {M_SQRT1_2, -M_SQRT1_2}}},
        {"logsumexp", f_logsumexp, {{-inf, -inf}, {-inf, 2}, {1, 0}}, {{0, 0}, {0, 1}, {e, f}}},
        {"relu", f_relu, {{0, 1}, {-1, -0.0}, {inf, -inf}}, {{0, 1}, {0, 0}, {1, 0}}},
        {"softplus", f_softplus, {{0, 1}, {inf, -inf}, {1e6, -1e6}}, {{0.5, e}, {1, 0}, {1, 0}}},
        {"clamp", f_clamp, {{1, -1}, {2, -2}, {0.5, inf}}, {{1, 1}, {0, 0}, {1, 0}}},
        {"softmax", f_softmax, {{-inf, 1}, {1e6, -1e6}, {3, 3}}, {{0, 0}, {0, 0}, {0, 0}}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        lucid_tensor x = lucid_from_data(s, cases[c].x, LUCID_FLOAT64, LUCID_SHAPE(3, 2)), y, dx;
        lucid_fn lanes = lucid_vmap(s, lucid_fn_new(s, cases[c].f, 1, NULL), NULL);
        lucid_fn back = lucid_vjp(s, lanes, &x, 1, &y, 1);
        lucid_tensor ct = lucid_ones_like(s, y);
        (void)lucid_call(s, back, &ct, 1, &dx, 1);
        same_elements(s, cases[c].name, dx, cases[c].want[0], 1e-14);
        lucid_fn each = lucid_fn_new(s, sum_gradient, 1, (void *)(uintptr_t)&cases[c].f);
        y = lucid_call1(s, lucid_vmap(s, each, NULL), x);
        same_elements(s, cases[c].name, y, cases[c].want[0], 1e-14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_activations, begin, end),
        cmocka_unit_test_setup_teardown(test_activation_tails, begin, end),
        cmocka_unit_test_setup_teardown(test_activation_laws, begin, end),
        cmocka_unit_test_setup_teardown(test_clamp, begin, end),
        cmocka_unit_test_setup_teardown(test_softmax, begin, end),
        cmocka_unit_test_setup_teardown(test_layer_norm, begin, end),
        cmocka_unit_test_setup_teardown(test_cross_entropy, begin, end),
        cmocka_unit_test_setup_teardown(test_cross_entropy_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_mse_loss, begin, end),
        cmocka_unit_test_setup_teardown(test_mean_var_std, begin, end),
        cmocka_unit_test_setup_teardown(test_logsumexp, begin, end),
        cmocka_unit_test_setup_teardown(test_norm, begin, end),
        cmocka_unit_test_setup_teardown(test_hard_lanes, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
