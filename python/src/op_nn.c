/* What neural networks are made of. */
#include "call_scope.h"
#include "common_ops.h"
#include "dtype_type.h"
#include "generator_type.h"

static int ndim_of(lucid_tensor x)
{
    return lucid_is_empty_handle(x) ? 0 : lucid_ndim(x);
}

/* At its corners hardtanh is its bounds, whose derivative is 0, where clamp is x. */
static lucid_tensor hard_tanh(lucid_scope *s, lucid_tensor x, lucid_tensor low, lucid_tensor high)
{
    lucid_tensor y = lucid_clamp(s, x, low, high);
    y = lucid_where(s, lucid_eq(s, x, low), low, y);
    return lucid_where(s, lucid_eq(s, x, high), high, y);
}

lucid_tensor lucidpy_relu6(lucid_scope *s, lucid_tensor x)
{
    return hard_tanh(s, x, lucid_scalar_int(s, 0), lucid_scalar_int(s, 6));
}

/* x / (1 + |x|), above 1 as 1 - 1 / (1 + |x|): so the derivative, 1 / (1 + |x|)^2, does not cancel. */
lucid_tensor lucidpy_softsign(lucid_scope *s, lucid_tensor x)
{
    lucid_tensor size = lucid_abs(s, x), one = lucid_scalar_int(s, 1);
    lucid_tensor r = lucid_reciprocal(s, lucid_add(s, size, one));
    lucid_tensor large = lucid_gt(s, size, one), small_x = lucid_where(s, large, one, x);
    lucid_tensor sign = lucid_sign(s, x);
    return lucid_where(s, large, lucid_sub(s, sign, lucid_mul(s, sign, r)),
                       lucid_mul(s, small_x, r));
}

/* x * tanh(softplus(x)). Beyond the limit the second factor is 0 or 1, and x may be infinite. */
lucid_tensor lucidpy_mish(lucid_scope *s, lucid_tensor x)
{
    if (lucid_error(s) != LUCID_OK)
        return (lucid_tensor){NULL};
    double limit = lucid_dtype_of(x) == LUCID_FLOAT64 ? 760 : 120;
    lucid_tensor high = lucid_scalar(s, limit), low = lucid_scalar(s, -limit);
    lucid_tensor above = lucid_gt(s, x, high);
    lucid_tensor inside = lucid_where(s, above, high, lucid_where(s, lucid_lt(s, x, low), low, x));
    lucid_tensor y = lucid_mul(s, inside, lucid_tanh(s, lucid_softplus(s, inside)));
    return lucid_where(s, above, x, y);
}

lucid_tensor lucidpy_op_leaky_relu(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_leaky_relu(c->s, x, lucidpy_float(c, 1));
}

lucid_tensor lucidpy_op_elu(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_elu(c->s, x, lucidpy_float(c, 1));
}

lucid_tensor lucidpy_op_gelu(lucidpy_call *c)
{
    static const char *const kinds[] = {"none", "tanh", NULL};
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_gelu(c->s, x, lucidpy_word(c, 1, kinds) == 1);
}

/* A parameter that may be a tensor, which is differentiated, too; it does not widen x. */
static lucid_tensor parameter(lucidpy_call *c, int i, lucid_tensor x)
{
    lucid_tensor y = lucidpy_tensor(c, i);
    lucid_dtype dtype = lucid_dtype_of(x);
    return lucidpy_is_tensor(c->arg[i]) && lucidpy_is_float(dtype) ? lucid_cast(c->s, y, dtype) : y;
}

lucid_tensor lucidpy_op_softplus(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    bool plain = PyFloat_Check(c->arg[1]) && PyFloat_AsDouble(c->arg[1]) == 1;
    lucid_tensor beta = parameter(c, 1, x), bx = plain ? x : lucid_mul(s, x, beta);
    lucid_tensor y = lucid_softplus(s, bx);
    if (!plain)
        y = lucid_div(s, y, beta);
    return lucid_where(s, lucid_gt(s, bx, parameter(c, 2, x)), x, y);
}

lucid_tensor lucidpy_op_hardtanh(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), low = lucidpy_tensor(c, 1);
    return hard_tanh(c->s, x, low, lucidpy_tensor(c, 2));
}

/* -- losses ----------------------------------------------------------------------------------- */

static const char *const reductions[] = {"mean", "sum", "none", NULL};

static lucid_reduction reduction_argument(lucidpy_call *c, int i)
{
    static const lucid_reduction values[] = {LUCID_MEAN, LUCID_SUM, LUCID_NO_REDUCTION};
    int word = lucidpy_word(c, i, reductions);
    return word < 0 ? LUCID_MEAN : values[word];
}

static lucid_tensor reduced(lucidpy_call *c, int i, lucid_tensor losses)
{
    switch (reduction_argument(c, i)) {
    case LUCID_MEAN:
        return lucid_mean(c->s, losses, LUCID_ALL);
    case LUCID_SUM:
        return lucid_sum(c->s, losses, LUCID_ALL);
    case LUCID_NO_REDUCTION:
        break;
    }
    return losses;
}

lucid_tensor lucidpy_op_cross_entropy(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    int64_t ignored = lucidpy_int(c, 2);
    return lucid_cross_entropy_ignoring(c->s, x, target, ignored, reduction_argument(c, 3));
}

lucid_tensor lucidpy_op_nll_loss(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    int64_t ignored = lucidpy_int(c, 2);
    return lucid_nll_loss(c->s, x, target, ignored, reduction_argument(c, 3));
}

lucid_tensor lucidpy_op_mse_loss(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    return lucid_mse_loss(c->s, x, target, reduction_argument(c, 2));
}

lucid_tensor lucidpy_op_l1_loss(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    return reduced(c, 2, lucid_abs(c->s, lucid_sub(c->s, x, target)));
}

/* log p, at least -100. Its slope is 0 where 1 / p would overflow or log p is below -100: there p is a
 * constant, taken times 2^64 so that it is a normal number. */
static lucid_tensor log_of_probability(lucid_scope *s, lucid_tensor p)
{
    double least = lucid_error(s) == LUCID_OK && lucid_dtype_of(p) == LUCID_FLOAT64
                       ? 3.7200759760208361e-44 /* e^-100 */
                       : 3e-39;
    lucid_tensor none = {NULL}, small = lucid_lt(s, p, lucid_scalar(s, least));
    small = lucid_logical_and(s, small, lucid_ge(s, p, lucid_scalar_int(s, 0)));
    lucid_tensor scaled = lucid_mul(s, lucid_detach(s, p), lucid_scalar(s, 0x1p64));
    scaled = lucid_maximum(s, scaled, lucid_scalar(s, 0x1p-90));
    lucid_tensor log = lucid_log(s, lucid_where(s, small, scaled, p));
    const double log_of_scale = 44.36141955583649980; /* 64 log 2 */
    lucid_tensor shift = lucid_where(s, small, lucid_scalar(s, log_of_scale), lucid_scalar(s, 0));
    return lucid_clamp(s, lucid_sub(s, log, shift), lucid_scalar_int(s, -100), none);
}

/* log(1 - p), and the constant -100 for p = 1. */
static lucid_tensor log_of_complement(lucid_scope *s, lucid_tensor p)
{
    lucid_tensor certain = lucid_eq(s, p, lucid_scalar_int(s, 1));
    lucid_tensor log = lucid_where(s, certain, lucid_scalar_int(s, 0), p);
    log = lucid_log1p(s, lucid_neg(s, log));
    return lucid_where(s, certain, lucid_scalar_int(s, -100), log);
}

lucid_tensor lucidpy_op_binary_cross_entropy(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor p = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    lucid_tensor rest = lucid_sub(s, lucid_scalar_int(s, 1), target);
    lucid_tensor gain = lucid_add(s, lucid_mul(s, target, log_of_probability(s, p)),
                                  lucid_mul(s, rest, log_of_complement(s, p)));
    return reduced(c, 2, lucid_neg(s, gain));
}

/* -t log sigmoid(x) - (1 - t) log sigmoid(-x) = log(1 + e^-|x|) + w x, where w is 1 - t for x >= 0 and -t
 * below: no large terms cancel. What w = 0 excludes may be infinite. */
lucid_tensor lucidpy_op_binary_cross_entropy_with_logits(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), target = lucidpy_tensor(c, 1);
    lucid_tensor zero = lucid_scalar_int(s, 0), one = lucid_scalar_int(s, 1);
    lucid_tensor positive = lucid_ge(s, x, zero);
    lucid_tensor w = lucid_where(s, positive, lucid_sub(s, one, target), lucid_neg(s, target));
    lucid_tensor excluded = lucid_logical_and(s, lucid_eq(s, w, zero), lucid_isinf(s, x));
    lucid_tensor linear = lucid_mul(s, w, lucid_where(s, excluded, zero, x));
    lucid_tensor z = lucid_exp(s, lucid_where(s, positive, lucid_neg(s, x), x));
    return reduced(c, 2, lucid_add(s, lucid_log1p(s, z), linear));
}

/* -- layers ----------------------------------------------------------------------------------- */

lucid_tensor lucidpy_op_linear(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), weight = lucidpy_tensor(c, 1);
    return lucid_linear(c->s, x, weight, lucidpy_optional_tensor(c, 2));
}

lucid_tensor lucidpy_op_layer_norm(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape last = lucidpy_shape(c, 1);
    lucid_tensor weight = lucidpy_optional_tensor(c, 2), bias = lucidpy_optional_tensor(c, 3);
    int front = ndim_of(x) - last.ndim;
    bool fits = front >= 0;
    for (int d = 0; fits && d < last.ndim; d++)
        fits = lucid_size(x, front + d) == last.dim[d];
    if (!fits)
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "layer_norm: normalized_shape does not match the last sizes of the input");
    return lucid_layer_norm(c->s, x, last.ndim, weight, bias, lucidpy_float(c, 4));
}

static lucid_tensor at_least(lucid_scope *s, lucid_tensor x, double low)
{
    return lucid_clamp(s, x, lucid_scalar(s, low), (lucid_tensor){NULL});
}

lucid_tensor lucidpy_op_normalize(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_dims dims = lucidpy_dims(c, 2, -1);
    dims.keep = true;
    lucid_tensor norm = lucid_norm(c->s, x, lucidpy_float(c, 1), dims);
    return lucid_div(c->s, x, at_least(c->s, norm, lucidpy_float(c, 3)));
}

lucid_tensor lucidpy_op_cosine_similarity(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    lucid_dims dims = lucidpy_dims(c, 2, -1), keep = dims;
    double eps = lucidpy_float(c, 3);
    keep.keep = true;
    /* Each divided by its own norm first: their product might overflow. */
    x = lucid_div(s, x, at_least(s, lucid_norm(s, x, 2, keep), eps));
    y = lucid_div(s, y, at_least(s, lucid_norm(s, y, 2, keep), eps));
    return lucid_sum(s, lucid_mul(s, x, y), dims);
}

lucid_tensor lucidpy_op_embedding(lucidpy_call *c)
{
    lucid_tensor index = lucidpy_tensor(c, 0);
    return lucid_take(c->s, lucidpy_tensor(c, 1), index, 0);
}

lucid_tensor lucidpy_op_dropout(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    double p = lucidpy_float(c, 1);
    bool training = lucidpy_flag(c, 2);
    lucidpy_draw draw = lucidpy_draw_begin(c, 3);
    lucid_tensor y = lucid_dropout(c->s, x, p, training);
    lucidpy_draw_end(c, draw);
    return y;
}
