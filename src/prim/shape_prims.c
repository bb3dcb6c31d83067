/* reshape, permute, broadcast, slice, pad, concatenate: all linear, all without arithmetic. The first
 * four are views for the engine. */
#include <string.h>

#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

static bool one_dtype(const lucid__aval *in, lucid__aval *out)
{
    out->dtype = in->dtype;
    return true;
}

/* ---- reshape: params are the new sizes ------------------------------------------------------ */

static bool reshape_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          lucid__aval *out)
{
    out->shape.ndim = c->nparams;
    memcpy(out->shape.dim, c->params, (size_t)c->nparams * sizeof(int64_t));
    if (lucid__numel(&out->shape) != lucid__numel(&in->shape)) {
        char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "reshape: shape %s does not fit into %s",
                         lucid__shape_text(&in->shape, a, sizeof a),
                         lucid__shape_text(&out->shape, b, sizeof b));
        return false;
    }
    return one_dtype(in, out);
}

static void reshape_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    lucid_tensor x = lucid__move_batch(s, c->in[0], axis[0], 0);
    lucid_shape shape = {.ndim = c->nparams + 1, .dim = {size}};
    if (shape.ndim > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "reshape: more than %d dims with the batch", MAX);
        return;
    }
    memcpy(shape.dim + 1, c->params, (size_t)c->nparams * sizeof(int64_t));
    out[0] = lucid__bind1(s, LUCID__reshape, &x, 1, shape.dim, shape.ndim);
    out_axis[0] = 0;
}

static void reshape_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)c, (void)linear;
    dct[0] = lucid__bind1(s, LUCID__reshape, ct, 1, in->shape.dim, in->shape.ndim);
}

static const lucid__sample reshape_samples[] = {
    {1, 2, {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}}, {6, 4}},
    {1, 0, {{LUCID_FLOAT64, "normal", {2, {1, 1}}}}, {0}},
    {1, 3, {{LUCID_FLOAT32, "normal", {2, {0, 3}}}}, {3, 0, 5}},
    {1, 2, {{LUCID_INT64, "integers", {1, {6}}}}, {2, 3}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_reshape = {
    .infer = reshape_infer,
    .batch = reshape_batch,
    .transpose = reshape_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = reshape_samples,
    .doc = "The same elements in row-major order, in another shape.",
};

/* ---- detach: x, where derivatives end. Only what a stage records needs it: elsewhere lucid_detach takes the
 * tangent away ------------------------------------------------------------------------------------- */

static bool detach_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                         lucid__aval *out)
{
    (void)s, (void)c;
    *out = *in;
    return true;
}

static void detach_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                         lucid_tensor *out, int *out_axis)
{
    (void)size;
    out[0] = lucid__bind1(s, LUCID__detach, c->in, 1, NULL, 0);
    out_axis[0] = axis[0];
}

static const lucid__sample detach_samples[] = {
    {1, 0, {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}}, {0}},
    {1, 0, {{LUCID_FLOAT32, "normal", {2, {0, 3}}}}, {0}},
    {1, 0, {{LUCID_INT64, "integers", {0}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_detach = {.infer = detach_infer,
                                          .batch = detach_batch,
                                          .zero_derivative = true,
                                          .samples = detach_samples,
                                          .doc = "The same elements, whose derivative is 0."};

/* ---- permute: params[i] is the dim of the input that becomes dim i --------------------------- */

static bool permute_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          lucid__aval *out)
{
    (void)s;
    out->shape.ndim = in->shape.ndim;
    for (int i = 0; i < c->nparams; i++)
        out->shape.dim[i] = in->shape.dim[c->params[i]];
    return one_dtype(in, out);
}

static void permute_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    (void)size;
    int64_t order[MAX];
    order[0] = axis[0];
    for (int i = 0; i < c->nparams; i++)
        order[i + 1] = c->params[i] + (c->params[i] >= axis[0]);
    out[0] = lucid__bind1(s, LUCID__permute, c->in, 1, order, c->nparams + 1);
    out_axis[0] = 0;
}

static void permute_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    int64_t inverse[MAX];
    for (int i = 0; i < c->nparams; i++)
        inverse[c->params[i]] = i;
    dct[0] = lucid__bind1(s, LUCID__permute, ct, 1, inverse, c->nparams);
}

static const lucid__sample permute_samples[] = {
    {1, 3, {{LUCID_FLOAT64, "normal", {3, {2, 3, 4}}}}, {2, 0, 1}},
    {1, 2, {{LUCID_FLOAT64, "normal", {2, {3, 0}}}}, {1, 0}},
    {1, 2, {{LUCID_BOOL, "bool", {2, {3, 2}}}}, {1, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_permute = {
    .infer = permute_infer,
    .batch = permute_batch,
    .transpose = permute_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = permute_samples,
    .doc = "The dims in another order.",
};

/* ---- broadcast: params are the new sizes; same ndim as the input, whose dims of size 1 grow. An
 * input of fewer dims gets leading ones. ------------------------------------------------------- */

static bool broadcast_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            lucid__aval *out)
{
    out->shape.ndim = c->nparams;
    memcpy(out->shape.dim, c->params, (size_t)c->nparams * sizeof(int64_t));
    int lead = c->nparams - in->shape.ndim;
    bool fits = lead >= 0;
    for (int i = 0; fits && i < in->shape.ndim; i++)
        fits = in->shape.dim[i] == 1 || in->shape.dim[i] == out->shape.dim[lead + i];
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (!fits)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "broadcast: shape %s does not broadcast to %s",
                         lucid__shape_text(&in->shape, a, sizeof a),
                         lucid__shape_text(&out->shape, b, sizeof b));
    else if (lucid__numel(&out->shape) < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "the number of elements of shape %s is too large",
                         lucid__shape_text(&out->shape, a, sizeof a));
    return one_dtype(in, out) && lucid__ok(s);
}

static void broadcast_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                            lucid_tensor *out, int *out_axis)
{
    /* The batch comes first; the leading ones that broadcasting would add must stand after it. */
    lucid_tensor x = lucid__move_batch(s, c->in[0], axis[0], 0);
    lucid_shape shape = {.ndim = c->nparams + 1, .dim = {size}};
    if (!x.v)
        return;
    if (shape.ndim > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "broadcast: more than %d dims with the batch", MAX);
        return;
    }
    int lead = shape.ndim - x.v->aval.shape.ndim;
    lucid_shape padded = {.ndim = shape.ndim, .dim = {size}};
    for (int i = 0; i < c->nparams; i++) {
        shape.dim[i + 1] = c->params[i];
        padded.dim[i + 1] = i < lead ? 1 : x.v->aval.shape.dim[i + 1 - lead];
    }
    if (lead > 0)
        x = lucid_reshape(s, x, padded);
    out[0] = lucid__bind1(s, LUCID__broadcast, &x, 1, shape.dim, shape.ndim);
    out_axis[0] = 0;
}

static void broadcast_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)linear;
    int lead = c->nparams - in->shape.ndim;
    int64_t dims[MAX];
    int n = 0;
    for (int i = 0; i < c->nparams; i++)
        if (i < lead || in->shape.dim[i - lead] != c->params[i])
            dims[n++] = i;
    lucid_tensor sum = n > 0 ? lucid__bind1(s, LUCID__sum, ct, 1, dims, n) : ct[0];
    dct[0] = lucid_reshape(s, sum, in->shape);
}

static const lucid__sample broadcast_samples[] = {
    {1, 3, {{LUCID_FLOAT64, "normal", {3, {2, 1, 4}}}}, {2, 3, 4}},
    {1, 2, {{LUCID_FLOAT64, "normal", {0, {0}}}}, {2, 3}},
    {1, 3, {{LUCID_FLOAT64, "normal", {2, {1, 3}}}}, {2, 2, 3}},
    {1, 2, {{LUCID_FLOAT64, "normal", {2, {1, 3}}}}, {0, 3}},
    {1, 1, {{LUCID_INT32, "integers", {1, {1}}}}, {4}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_broadcast = {
    .infer = broadcast_infer,
    .batch = broadcast_batch,
    .transpose = broadcast_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = broadcast_samples,
    .doc = "Repeats dims of size 1, without copying.",
};

/* ---- slice: per dim, params hold all starts, then all sizes, then all strides (not 0). Element k of
 * a dim is start + k * stride, always inside the input. ---------------------------------------- */

static bool slice_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                        lucid__aval *out)
{
    (void)s;
    out->shape.ndim = in->shape.ndim;
    memcpy(out->shape.dim, c->params + in->shape.ndim, (size_t)in->shape.ndim * sizeof(int64_t));
    return one_dtype(in, out);
}

static void slice_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                        lucid_tensor *out, int *out_axis)
{
    int n = c->nparams / 3, at = axis[0];
    int64_t params[3 * MAX];
    const int64_t whole[3] = {0, size, 1};
    for (int part = 0; part < 3; part++)
        for (int i = 0; i <= n; i++)
            params[part * (n + 1) + i] = i == at ? whole[part] : c->params[part * n + i - (i > at)];
    out[0] = lucid__bind1(s, LUCID__slice, c->in, 1, params, 3 * (n + 1));
    out_axis[0] = at;
}

/* The cotangent goes back to where the elements came from: turned around where the stride is
 * negative, spread by the stride, zeros elsewhere. */
static void slice_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)linear;
    int n = in->shape.ndim;
    const int64_t *start = c->params, *size = start + n, *stride = size + n;
    int64_t pad[3 * MAX], turn[3 * MAX];
    bool turned = false;
    for (int i = 0; i < n; i++) {
        bool back = stride[i] < 0 && size[i] > 1;
        turned |= back;
        turn[i] = back ? size[i] - 1 : 0;
        turn[n + i] = size[i];
        turn[2 * n + i] = back ? -1 : 1;
        int64_t step = stride[i] < 0 ? -stride[i] : stride[i];
        int64_t first = back ? start[i] + (size[i] - 1) * stride[i] : start[i];
        int64_t last = first + (size[i] > 0 ? (size[i] - 1) * step : -1);
        pad[i] = size[i] > 0 ? first : in->shape.dim[i];
        pad[n + i] = size[i] > 0 ? in->shape.dim[i] - 1 - last : 0;
        pad[2 * n + i] = size[i] > 1 ? step - 1 : 0;
    }
    lucid_tensor x = ct[0];
    if (turned)
        x = lucid__bind1(s, LUCID__slice, &x, 1, turn, 3 * n);
    dct[0] = lucid__bind1(s, LUCID__pad, &x, 1, pad, 3 * n);
}

static const lucid__sample slice_samples[] = {
    {1, 6, {{LUCID_FLOAT64, "normal", {2, {4, 5}}}}, {1, 0, 2, 3, 2, 2}},
    {1, 6, {{LUCID_FLOAT64, "normal", {2, {4, 5}}}}, {3, 4, 4, 2, -1, -2}},
    {1, 3, {{LUCID_FLOAT64, "normal", {1, {4}}}}, {2, 0, 1}},
    {1, 3, {{LUCID_INT64, "integers", {1, {5}}}}, {4, 5, -1}},
    {1, 0, {{LUCID_FLOAT64, "normal", {0, {0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_slice = {
    .infer = slice_infer,
    .batch = slice_batch,
    .transpose = slice_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = slice_samples,
    .doc = "Evenly spaced elements along each dim, forwards or backwards.",
};

/* ---- pad: zeros. Params hold, per dim, how many go before, then after, then between elements. ---- */

static bool pad_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in, lucid__aval *out)
{
    int n = in->shape.ndim;
    bool fits = true;
    out->shape.ndim = n;
    for (int i = 0; i < n; i++) {
        int64_t size = in->shape.dim[i], between = size > 0 ? size - 1 : 0, inner;
        fits &= !__builtin_mul_overflow(between, c->params[2 * n + i], &inner);
        fits &= !__builtin_add_overflow(size, inner, &size);
        fits &= !__builtin_add_overflow(size, c->params[i], &size);
        fits &= !__builtin_add_overflow(size, c->params[n + i], &size);
        out->shape.dim[i] = size;
    }
    if (!fits || lucid__numel(&out->shape) < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "pad: the number of elements is too large");
    return one_dtype(in, out) && lucid__ok(s);
}

static void pad_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                      lucid_tensor *out, int *out_axis)
{
    (void)size;
    int n = c->nparams / 3, at = axis[0];
    int64_t params[3 * MAX];
    for (int part = 0; part < 3; part++)
        for (int i = 0; i <= n; i++)
            params[part * (n + 1) + i] = i == at ? 0 : c->params[part * n + i - (i > at)];
    out[0] = lucid__bind1(s, LUCID__pad, c->in, 1, params, 3 * (n + 1));
    out_axis[0] = at;
}

static void pad_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)linear;
    int n = in->shape.ndim;
    int64_t params[3 * MAX];
    for (int i = 0; i < n; i++) {
        params[i] = in->shape.dim[i] > 0 ? c->params[i] : 0;
        params[n + i] = in->shape.dim[i];
        params[2 * n + i] = c->params[2 * n + i] + 1;
    }
    dct[0] = lucid__bind1(s, LUCID__slice, ct, 1, params, 3 * n);
}

static const lucid__sample pad_samples[] = {
    {1, 6, {{LUCID_FLOAT64, "normal", {2, {2, 3}}}}, {1, 0, 0, 2, 0, 0}},
    {1, 6, {{LUCID_FLOAT64, "normal", {2, {2, 3}}}}, {0, 1, 1, 0, 2, 1}},
    {1, 3, {{LUCID_FLOAT64, "normal", {1, {0}}}}, {1, 2, 3}},
    {1, 3, {{LUCID_INT32, "integers", {1, {3}}}}, {1, 1, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_pad = {
    .infer = pad_infer,
    .batch = pad_batch,
    .transpose = pad_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = pad_samples,
    .doc = "Zeros before, after and between the elements of each dim.",
};

/* ---- concatenate: params[0] is the dim ------------------------------------------------------ */

static bool concatenate_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              lucid__aval *out)
{
    int dim = (int)c->params[0];
    *out = in[0];
    for (int i = 1; i < c->nin; i++)
        if (__builtin_add_overflow(out->shape.dim[dim], in[i].shape.dim[dim],
                                   &out->shape.dim[dim]) ||
            lucid__numel(&out->shape) < 0) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "concatenate: the number of elements is too large");
            return false;
        }
    return true;
}

static void concatenate_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                              lucid_tensor *out, int *out_axis)
{
    lucid_tensor *in = lucid_alloc(s, (size_t)c->nin * sizeof *in);
    if (!in)
        return;
    for (int i = 0; i < c->nin; i++)
        in[i] = lucid__batch_at(s, c->in[i], axis[i], 0, size);
    int64_t dim = c->params[0] + 1;
    out[0] = lucid__bind1(s, LUCID__concatenate, in, c->nin, &dim, 1);
    out_axis[0] = 0;
}

static void concatenate_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                  const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    int dim = (int)c->params[0];
    int64_t start = 0;
    for (int i = 0; i < c->nin; i++) {
        int64_t size = in[i].shape.dim[dim];
        if (linear[i])
            dct[i] = lucid_slice(s, ct[0], dim, start, start + size, 1);
        start += size;
    }
}

static const lucid__sample concatenate_samples[] = {
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {2, 3}}}, {LUCID_FLOAT64, "normal", {2, {2, 1}}}}, {1}},
    {3,
     1,
     {{LUCID_FLOAT64, "normal", {2, {2, 3}}},
      {LUCID_FLOAT64, "normal", {2, {0, 3}}},
      {LUCID_FLOAT64, "normal", {2, {1, 3}}}},
     {0}},
    {1, 1, {{LUCID_FLOAT64, "normal", {1, {4}}}}, {0}},
    {2, 1, {{LUCID_INT64, "integers", {1, {4}}}, {LUCID_INT64, "integers", {1, {2}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_concatenate = {
    .infer = concatenate_infer,
    .batch = concatenate_batch,
    .transpose = concatenate_transpose,
    .linear = LUCID__ALL_INPUTS,
    .samples = concatenate_samples,
    .doc = "Tensors one after the other along a dim.",
};

const lucid__rules lucid__family_shape = {.doc = "Views and copies."};
