/* argmax, argmin: params[0] is the dim that goes away. Never empty: the builders see to that. */
#include "prim/family.h"

static bool arg_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    (void)s;
    out->dtype = LUCID_INT64;
    out->shape = lucid__shape_remove(&in->shape, (int)c->params[0]);
    return true;
}

static void arg_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                      lucid_tensor *out, int *out_axis)
{
    (void)size;
    int64_t dim = c->params[0] + (axis[0] <= c->params[0]);
    out[0] = lucid__bind1(s, c->prim, c->in, 1, &dim, 1);
    out_axis[0] = axis[0] - (axis[0] > dim);
}

static const lucid__sample arg_samples[] = {
    {1, 1, {{LUCID_FLOAT64, "normal", {1, {5}}}}, {0}},
    {1, 1, {{LUCID_FLOAT64, "normal", {3, {2, 4, 3}}}}, {1}},
    {1, 1, {{LUCID_FLOAT32, "normal", {2, {3, 4}}}}, {0}},
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {3, 1}}}}, {1}},
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {1}},
    {1, 1, {{LUCID_INT32, "integers", {2, {3, 6}}}}, {1}},
    {1, 1, {{LUCID_INT64, "integers", {1, {6}}}}, {0}},
    {1, 1, {{LUCID_BOOL, "bool", {2, {4, 3}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_argmax = {
    .infer = arg_infer,
    .batch = arg_batch,
    .zero_derivative = true,
    .samples = arg_samples,
    .doc = "Position of the first largest element of a dim, or of the first NaN.",
};

const lucid__rules lucid__rules_argmin = {
    .infer = arg_infer,
    .batch = arg_batch,
    .zero_derivative = true,
    .samples = arg_samples,
    .doc = "Position of the first smallest element of a dim, or of the first NaN.",
};
