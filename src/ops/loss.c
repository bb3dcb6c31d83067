/* cross_entropy, nll_loss, mse_loss. */
#include <math.h>
#include <string.h>

#include "ops/composite.h"
#include "ops/indexing.h"
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

/* ---- classes ------------------------------------------------------------------------------------ */

/* x (..., C, ...) at the classes, dim dropped: 0 where the class is ignored. *kept: where it is not. A class below
 * 0 is no position from the end: moved below -C, it is an error. */
static lucid_tensor at_classes(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                               lucid_tensor target, int dim, int64_t ignored, lucid_tensor *kept)
{
    lucid_tensor zero = lucid_scalar_int(s, 0);
    lucid_tensor index = lucid_cast(s, target, LUCID_INT64);
    *kept = lucid_ne(s, index, lucid_scalar_int(s, ignored));
    index = lucid__class_index(s, lucid_where(s, *kept, index, zero), lucid_size(x, dim));
    lucid_tensor at = lucid__take_along(s, use, x, lucid_unsqueeze(s, index, dim), dim);
    lucid_tensor y = lucid_squeeze(s, at, LUCID_DIMS(dim));
    return y.v ? lucid_where(s, *kept, y, lucid__number(s, 0, y)) : y;
}

static bool check_classes(lucid_scope *s, const char *name, lucid_tensor x, lucid_tensor target,
                          int dim)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT], c[LUCID__SHAPE_TEXT];
    if (!lucid__ok(s))
        return false;
    if (!lucid__is_int(target.v->aval.dtype)) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: target must be integer classes%s, not %s", name,
                         strcmp(name, "nll_loss") == 0 ? "" : " or probabilities",
                         lucid_dtype_name(target.v->aval.dtype));
        return false;
    }
    lucid_shape rest = lucid__shape_remove(&x.v->aval.shape, dim);
    if (lucid__shape_equal(&target.v->aval.shape, &rest))
        return true;
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: %s of shape %s want classes of shape %s, not %s",
                     name, strcmp(name, "nll_loss") == 0 ? "log-probabilities" : "logits",
                     lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                     lucid__shape_text(&rest, b, sizeof b),
                     lucid__shape_text(&target.v->aval.shape, c, sizeof c));
    return false;
}

/* The mean is over what is not ignored; of nothing it is NaN. */
static lucid_tensor reduce_kept(lucid_scope *s, const char *name, lucid_tensor losses,
                                lucid_tensor kept, lucid_reduction reduction)
{
    if (reduction != LUCID_MEAN || !lucid__ok(s) || !losses.v)
        return lucid__reduce_loss(s, name, losses, reduction);
    lucid_tensor count = lucid_sum(s, lucid_cast(s, kept, losses.v->aval.dtype), LUCID_ALL);
    return lucid_div(s, lucid_sum(s, losses, LUCID_ALL), count);
}

/* ---- cross_entropy and nll_loss ------------------------------------------------------------------ */

/* log(sum of e^x) - x[target], the maximum taken out of both: then nothing overflows, and large
 * logits lose no digits to the shift. */
static lucid_tensor of_classes(lucid_scope *s, lucid_tensor x, lucid_tensor target, int dim,
                               int64_t ignored, lucid_tensor *kept)
{
    if (!check_classes(s, "cross_entropy", x, target, dim))
        return (lucid_tensor){NULL};
    lucid_dims dims = LUCID_DIMS(dim);
    lucid_tensor shifted = lucid__below_max(s, x, dims);
    lucid_tensor log_sum = lucid_log(s, lucid_sum(s, lucid_exp(s, shifted), dims));
    lucid_tensor picked =
        at_classes(s, LUCID__FOR_cross_entropy, shifted, target, dim, ignored, kept);
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid_tensor zero = lucid__number(s, 0, log_sum);
    return lucid_sub(s, lucid_where(s, *kept, log_sum, zero), picked);
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

lucid_tensor lucid_cross_entropy_ignoring(lucid_scope *s, lucid_tensor logits, lucid_tensor target,
                                          int64_t ignored, lucid_reduction reduction)
{
    lucid_scope t;
    if (!lucid__check(s, "cross_entropy", target) || !lucid__enter(&t, s, "cross_entropy", logits))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL}, kept = {NULL};
    int ndim = logits.v->aval.shape.ndim, dim = ndim == 1 ? 0 : 1;
    lucid_tensor x = lucid__as_float(&t, logits);
    if (ndim == 0)
        (void)lucid_fail(&t, LUCID_VALUE_ERROR,
                         "cross_entropy: logits must have a dim of classes, they are 0-d");
    else if (!lucid__ok(&t))
        y = x;
    else if (lucid__is_float(target.v->aval.dtype))
        y = lucid__reduce_loss(&t, "cross_entropy", of_probabilities(&t, x, target, dim),
                               reduction);
    else
        y = reduce_kept(&t, "cross_entropy", of_classes(&t, x, target, dim, ignored, &kept), kept,
                        reduction);
    return lucid__leave(&t, y);
}

lucid_tensor lucid_cross_entropy(lucid_scope *s, lucid_tensor logits, lucid_tensor target,
                                 lucid_reduction reduction)
{
    return lucid_cross_entropy_ignoring(s, logits, target, LUCID_IGNORED_CLASS, reduction);
}

lucid_tensor lucid_nll_loss(lucid_scope *s, lucid_tensor x, lucid_tensor target, int64_t ignored,
                            lucid_reduction reduction)
{
    lucid_scope t;
    if (!lucid__check(s, "nll_loss", target) || !lucid__enter(&t, s, "nll_loss", x))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL}, kept = {NULL};
    int ndim = x.v->aval.shape.ndim, dim = ndim == 1 ? 0 : 1;
    x = lucid__as_float(&t, x);
    if (ndim == 0)
        (void)lucid_fail(&t, LUCID_VALUE_ERROR,
                         "nll_loss: the log-probabilities must have a dim of classes, they are "
                         "0-d");
    if (lucid__ok(&t) && check_classes(&t, "nll_loss", x, target, dim)) {
        y = at_classes(&t, LUCID__FOR_nll_loss, x, target, dim, ignored, &kept);
        y = reduce_kept(&t, "nll_loss", lucid_neg(&t, y), kept, reduction);
    }
    return lucid__leave(&t, y);
}
