/* softmax, log_softmax, layer_norm. */
#include "ops/composite.h"

/* Derivatives: the largest element, x_m, has a part p_m = 1 / sum of the whole. Where p_m is above 1/2, 1 - p_m
 * would cancel. There the maximum is differentiated as part of the other exponents x_j - x_m, so that
 * 1 - p_m is computed as their sum over the whole; elsewhere it is a constant, and p_m the larger of the two.
 * The value does not depend on that choice, and without derivatives its branches are one. */
lucid_tensor lucid__below_max(lucid_scope *s, lucid_tensor x, lucid_dims dims)
{
    if (!lucid__ok(s) || !x.v || lucid__numel(&x.v->aval.shape) == 0)
        return x; /* a maximum of nothing is an error, a sum of nothing is not */
    dims.keep = true;
    lucid_tensor constant = lucid_detach(s, x), max = lucid_amax(s, constant, dims);
    lucid_tensor sum = lucid_sum(s, lucid_exp(s, lucid_sub(s, constant, max)), dims);
    lucid_tensor dominated = lucid_lt(s, sum, lucid__number(s, 2, x));
    lucid_tensor top = lucid_logical_and(s, dominated, lucid_eq(s, constant, max));
    max = lucid_where(s, dominated, lucid_amax(s, x, dims), max);
    lucid_tensor y = lucid_sub(s, x, max);
    return lucid_where(s, top, lucid_detach(s, y), y);
}

lucid_tensor lucid_softmax(lucid_scope *s, lucid_tensor x, int dim)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "softmax", x))
        return (lucid_tensor){NULL};
    lucid_dims dims = LUCID_DIMS_KEEP(dim);
    if (lucid__reduced_count(&t, "softmax", x, dims) < 0)
        return lucid__leave(&t, (lucid_tensor){NULL});
    lucid_tensor e = lucid_exp(&t, lucid__below_max(&t, lucid__as_float(&t, x), dims));
    return lucid__leave(&t, lucid_div(&t, e, lucid_sum(&t, e, dims)));
}

lucid_tensor lucid_log_softmax(lucid_scope *s, lucid_tensor x, int dim)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "log_softmax", x))
        return (lucid_tensor){NULL};
    lucid_dims dims = LUCID_DIMS_KEEP(dim);
    if (lucid__reduced_count(&t, "log_softmax", x, dims) < 0)
        return lucid__leave(&t, (lucid_tensor){NULL});
    lucid_tensor below = lucid__below_max(&t, lucid__as_float(&t, x), dims);
    lucid_tensor sum = lucid_sum(&t, lucid_exp(&t, below), dims);
    return lucid__leave(&t, lucid_sub(&t, below, lucid_log(&t, sum)));
}

/* weight or bias of a layer_norm; both may be left out. */
static bool fits(lucid_scope *s, const char *what, lucid_tensor x, const lucid_shape *shape)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!x.v || lucid__shape_equal(&x.v->aval.shape, shape))
        return true;
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "layer_norm: %s has shape %s, expected %s", what,
                     lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                     lucid__shape_text(shape, b, sizeof b));
    return false;
}

lucid_tensor lucid_layer_norm(lucid_scope *s, lucid_tensor x, int ndim, lucid_tensor weight,
                              lucid_tensor bias, double eps)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "layer_norm", x))
        return (lucid_tensor){NULL};
    const lucid_shape *shape = &x.v->aval.shape;
    lucid_tensor y = {NULL};
    if (ndim < 1 || ndim > shape->ndim) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR,
                         "layer_norm: ndim must be from 1 to %d, the dims of x, not %d",
                         shape->ndim, ndim);
        return lucid__leave(&t, y);
    }
    lucid_dims dims = {.n = ndim, .keep = true};
    lucid_shape last = {.ndim = ndim};
    for (int i = 0; i < ndim; i++) {
        dims.dim[i] = i - ndim;
        last.dim[i] = shape->dim[shape->ndim - ndim + i];
    }
    if (!fits(&t, "weight", weight, &last) || !fits(&t, "bias", bias, &last))
        return lucid__leave(&t, y);
    x = lucid__as_float(&t, x);
    lucid_tensor d = lucid_sub(&t, x, lucid_mean(&t, x, dims));
    lucid_tensor var = lucid_mean(&t, lucid_square(&t, d), dims);
    y = lucid_mul(&t, d, lucid_rsqrt(&t, lucid_add(&t, var, lucid__number(&t, eps, x))));
    if (weight.v)
        y = lucid_mul(&t, y, weight);
    if (bias.v)
        y = lucid_add(&t, y, bias);
    return lucid__leave(&t, y);
}
