/* random_bits: the one source of random numbers.
 *
 * in: seed, draw, lane, int64 of one shape L. params: the sizes of E. out: int32 words of shape
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
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "random op: too many elements for one draw");
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

const lucid__rules lucid__family_random = {.doc = "Random bits."};
