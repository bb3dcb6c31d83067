/* cross_entropy, mse_loss. */
#include <math.h>

#include "ops/composite.h"
#include "ops/numbers.h"

lucid_tensor lucid__reduce_loss(lucid_scope *s, const char *name, lucid_tensor x,
                                lucid_reduction reduction)
{
    switch (reduction) {
    case LUCID_MEAN:
        return lucid_mean(s, x, LUCID_ALL);
    case LUCID_SUM:
        return lucid_sum(s, x, LUCID_ALL);
    case LUCID_NO_REDUCTION:
        return x;
    }
    return lucid__error(s, LUCID_VALUE_ERROR, "%s: reduction must be mean, sum or none", name);
}

lucid_tensor lucid_mse_loss(lucid_scope *s, lucid_tensor x, lucid_tensor target,
                            lucid_reduction reduction)
{
    lucid_scope t;
    if (!lucid__check(s, "mse_loss", target) || !lucid__enter(&t, s, "mse_loss", x))
        return (lucid_tensor){NULL};
    lucid_tensor in[2] = {lucid__as_float(&t, x), lucid__as_float(&t, target)};
    (void)lucid__broadcast_all(&t, "mse_loss", in, 2);
    lucid_tensor square = lucid_square(&t, lucid_sub(&t, in[0], in[1]));
    return lucid__leave(&t, lucid__reduce_loss(&t, "mse_loss", square, reduction));
}

/* log(sum of e^x) - x[target], the maximum taken out of both: then nothing overflows, and large
 * logits lose no digits to the shift. */
static lucid_tensor of_classes(lucid_scope *s, lucid_tensor x, lucid_tensor target, int dim)
{
    lucid_shape rest = lucid__shape_remove(&x.v->aval.shape, dim);
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT], c[LUCID__SHAPE_TEXT];
    if (!lucid__shape_equal(&target.v->aval.shape, &rest))
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "cross_entropy: logits of shape %s want classes of shape %s, not %s",
                            lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                            lucid__shape_text(&rest, b, sizeof b),
                            lucid__shape_text(&target.v->aval.shape, c, sizeof c));
    lucid_dims dims = LUCID_DIMS(dim);
    lucid_tensor shifted = lucid__below_max(s, x, dims);
    lucid_tensor log_sum = lucid_log(s, lucid_sum(s, lucid_exp(s, shifted), dims));
    /* A class below 0 is no position from the end: moved out of range, it is an index error. */
    lucid_tensor index = lucid_cast(s, target, LUCID_INT64);
    lucid_tensor beyond = lucid_scalar_int(s, x.v->aval.shape.dim[dim]);
    lucid_tensor negative = lucid_lt(s, index, lucid_scalar_int(s, 0));
    index = lucid_where(s, negative, lucid_sub(s, index, beyond), index);
    lucid_tensor picked = lucid_take_along_dim(s, shifted, lucid_unsqueeze(s, index, dim), dim);
    return lucid_sub(s, log_sum, lucid_squeeze(s, picked, dims));
}

static lucid_tensor of_probabilities(lucid_scope *s, lucid_tensor x, lucid_tensor target, int dim)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!lucid__shape_equal(&target.v->aval.shape, &x.v->aval.shape))
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "cross_entropy: probabilities must have the shape of the logits, %s, "
                            "not %s",
                            lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                            lucid__shape_text(&target.v->aval.shape, b, sizeof b));
    /* An impossible class of probability 0 adds nothing: p log p is 0 at 0. */
    lucid_tensor log_p = lucid_log_softmax(s, x, dim), zero = lucid__number(s, 0, log_p);
    lucid_tensor none = lucid_logical_and(s, lucid_eq(s, target, lucid_scalar_int(s, 0)),
                                          lucid_eq(s, log_p, lucid_scalar(s, -INFINITY)));
    lucid_tensor terms = lucid_mul(s, target, lucid_where(s, none, zero, log_p));
    return lucid_neg(s, lucid_sum(s, terms, LUCID_DIMS(dim)));
}

lucid_tensor lucid_cross_entropy(lucid_scope *s, lucid_tensor logits, lucid_tensor target,
                                 lucid_reduction reduction)
{
    lucid_scope t;
    if (!lucid__check(s, "cross_entropy", target) || !lucid__enter(&t, s, "cross_entropy", logits))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL};
    int ndim = logits.v->aval.shape.ndim, dim = ndim == 1 ? 0 : 1;
    lucid_tensor x = lucid__as_float(&t, logits);
    if (ndim == 0)
        (void)lucid_fail(&t, LUCID_VALUE_ERROR,
                         "cross_entropy: logits must have a dim of classes, they are 0-d");
    else if (target.v->aval.dtype == LUCID_BOOL)
        (void)lucid_fail(&t, LUCID_TYPE_ERROR,
                         "cross_entropy: target must be integer classes or probabilities, not "
                         "bool");
    else if (lucid__ok(&t))
        y = lucid__is_float(target.v->aval.dtype) ? of_probabilities(&t, x, target, dim)
                                                  : of_classes(&t, x, target, dim);
    return lucid__leave(&t, lucid__reduce_loss(&t, "cross_entropy", y, reduction));
}
