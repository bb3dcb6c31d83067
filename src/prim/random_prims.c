/* random_bits: the one source of random numbers; poisson: what no arithmetic on its words gives.
 *
 * random_bits: in: seed, draw, lane, int64 of one shape L. params: the sizes of E. out: int32 words of shape
 * L + E. Word e (row-major in E) of lane l is word e % 4 of Philox4x32-10 with
 *     key      seed low, seed high
 *     counter  e / 4, lane low, draw low, lane high ^ draw high      (32 bits each)
 * so every lane is a stream of its own, whatever the others do, and under vmap the batch only makes
 * L longer. */
#include <string.h>

#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

static bool random_bits_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              lucid__aval *out)
{
    const lucid_shape *lanes = &in[0].shape;
    lucid_shape words = {.ndim = c->nparams};
    if (lanes->ndim + c->nparams > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "random op: more than %d dims with the batch", MAX);
        return false;
    }
    memcpy(words.dim, c->params, (size_t)c->nparams * sizeof(int64_t));
    *out = (lucid__aval){LUCID_INT32, *lanes};
    memcpy(out->shape.dim + lanes->ndim, c->params, (size_t)c->nparams * sizeof(int64_t));
    out->shape.ndim += c->nparams;
    int64_t n = lucid__numel(&words);
    if (n >= 0 && n <= INT64_C(1) << 34 && lucid__numel(&out->shape) >= 0)
        return true;
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: too many elements for one draw",
                     lucid__operation(s, "random op"));
    return false;
}

static void random_bits_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                              lucid_tensor *out, int *out_axis)
{
    lucid_tensor in[3];
    for (int i = 0; i < 3; i++)
        in[i] = lucid__batch_at(s, c->in[i], axis[i], 0, size);
    out[0] = lucid__bind1(s, LUCID__random_bits, in, 3, c->params, c->nparams);
    out_axis[0] = 0;
}

static const lucid__sample random_bits_samples[] = {
    {3,
     1,
     {{LUCID_INT64, "integers", {0, {0}}},
      {LUCID_INT64, "integers", {0, {0}}},
      {LUCID_INT64, "integers", {0, {0}}}},
     {7}},
    {3,
     2,
     {{LUCID_INT64, "integers", {1, {3}}},
      {LUCID_INT64, "integers", {1, {3}}},
      {LUCID_INT64, "integers", {1, {3}}}},
     {2, 4}},
    {3,
     0,
     {{LUCID_INT64, "integers", {2, {2, 5}}},
      {LUCID_INT64, "integers", {2, {2, 5}}},
      {LUCID_INT64, "integers", {2, {2, 5}}}},
     {0}},
    {3,
     1,
     {{LUCID_INT64, "integers", {1, {2}}},
      {LUCID_INT64, "integers", {1, {2}}},
      {LUCID_INT64, "integers", {1, {2}}}},
     {0}},
    {3,
     1,
     {{LUCID_INT64, "integers", {1, {0}}},
      {LUCID_INT64, "integers", {1, {0}}},
      {LUCID_INT64, "integers", {1, {0}}}},
     {3}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_random_bits = {
    .infer = random_bits_infer,
    .batch = random_bits_batch,
    .zero_derivative = true,
    .samples = random_bits_samples,
    .doc = "Random 32-bit words from a seed, the number of the draw and the lane.",
};

/* ---- poisson: in: 64 random bits, int64, and the rate, a float, of one shape ------------------- */

/* An element needs more random numbers the longer it is unlucky, so it has a stream of its own: block b
 * is Philox4x32-10 of the counter (b, 0, 0, 0) with its bits as the key. */

static bool poisson_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          lucid__aval *out)
{
    (void)c;
    if (!lucid__shape_equal(&in[0].shape, &in[1].shape)) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "poisson: the shapes of bits and rate differ");
        return false;
    }
    *out = in[1];
    return true;
}

static void poisson_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    int at = axis[1] >= 0 ? axis[1] : axis[0];
    lucid_tensor in[2] = {lucid__batch_at(s, c->in[0], axis[0], at, size),
                          lucid__batch_at(s, c->in[1], axis[1], at, size)};
    out[0] = lucid__bind1(s, LUCID__poisson, in, 2, NULL, 0);
    out_axis[0] = at;
}

static const lucid__sample poisson_samples[] = {
    {2, 0, {{LUCID_INT64, "integers", {2, {3, 4}}}, {LUCID_FLOAT64, "positive", {2, {3, 4}}}}, {0}},
    {2, 0, {{LUCID_INT64, "integers", {0, {0}}}, {LUCID_FLOAT64, "positive", {0, {0}}}}, {0}},
    {2, 0, {{LUCID_INT64, "integers", {2, {2, 0}}}, {LUCID_FLOAT32, "positive", {2, {2, 0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_poisson = {
    .infer = poisson_infer,
    .batch = poisson_batch,
    .zero_derivative = true,
    .samples = poisson_samples,
    .doc = "Poisson numbers of given rates, from random bits.",
};

const lucid__rules lucid__family_random = {.doc = "Random bits."};
