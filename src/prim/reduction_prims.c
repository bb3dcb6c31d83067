/* Reductions over some dims: params are those dims, ascending. The dims reduced are dropped. */
#include "base/dtype.h"
#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

/* x's shape with the reduced dims as 1, for broadcasting back. */
static lucid_shape kept_shape(const lucid__call *c, const lucid_shape *shape)
{
    lucid_shape kept = *shape;
    for (int i = 0; i < c->nparams; i++)
        kept.dim[c->params[i]] = 1;
    return kept;
}

static lucid_tensor spread(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                           const lucid_shape *shape)
{
    if (c->nparams > 0 && c->params[c->nparams - 1] == c->nparams - 1)
        return lucid__broadcast(s, y,
                                shape); /* all in front, where broadcasting puts dims itself */
    lucid_tensor kept = lucid_reshape(s, y, kept_shape(c, shape));
    return lucid__broadcast(s, kept, shape);
}

static bool reduction_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            lucid__aval *out)
{
    (void)s;
    out->dtype = in->dtype;
    out->shape.ndim = 0;
    for (int i = 0, r = 0; i < in->shape.ndim; i++) {
        if (r < c->nparams && c->params[r] == i)
            r++;
        else
            out->shape.dim[out->shape.ndim++] = in->shape.dim[i];
    }
    return true;
}

static void reduction_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                            lucid_tensor *out, int *out_axis)
{
    (void)size;
    int64_t dims[MAX];
    int before = 0; /* reduced dims in front of the batch */
    for (int i = 0; i < c->nparams; i++) {
        dims[i] = c->params[i] + (c->params[i] >= axis[0]);
        before += dims[i] < axis[0];
    }
    out[0] = lucid__bind1(s, c->prim, c->in, 1, dims, c->nparams);
    out_axis[0] = axis[0] - before;
}

#define FLOAT_SAMPLES(fill) \
    {1, 1, {{LUCID_FLOAT64, fill, {3, {2, 3, 4}}}}, {1}}, \
        {1, 2, {{LUCID_FLOAT64, fill, {3, {2, 3, 4}}}}, {0, 2}}, \
        {1, 1, {{LUCID_FLOAT32, fill, {1, {20}}}}, {0}}, \
        {1, 1, {{LUCID_FLOAT64, fill, {2, {0, 3}}}}, {1}}, \
    { \
        1, 0, {{LUCID_FLOAT64, fill, {1, {3}}}}, \
        { \
            0 \
        } \
    }

const lucid__rules lucid__family_reduction = {
    .infer = reduction_infer, .batch = reduction_batch, .doc = "Folds of some dims."};

/* ---- sum -------------------------------------------------------------------------------------- */

static void sum_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)linear;
    dct[0] = spread(s, c, ct[0], &in->shape);
}

static const lucid__sample sum_samples[] = {
    FLOAT_SAMPLES("normal"),
    {1, 1, {{LUCID_FLOAT64, "normal", {2, {0, 3}}}}, {0}},
    {1, 1, {{LUCID_INT64, "integers", {2, {2, 3}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_sum = {.transpose = sum_transpose,
                                       .linear = LUCID__ALL_INPUTS,
                                       .samples = sum_samples,
                                       .doc = "Sum over dims; 0 when empty."};

/* ---- prod ------------------------------------------------------------------------------------- */

/* x with the reduced dims last and flattened into one. */
static lucid_tensor flatten_reduced(lucid_scope *s, const lucid__call *c, lucid_tensor x)
{
    const lucid_shape shape = lucid_shape_of(x);
    lucid_dims order = {.n = shape.ndim};
    lucid_shape flat = {.ndim = shape.ndim - c->nparams + 1};
    int kept = 0, r = 0;
    int64_t size = 1;
    for (int i = 0; i < shape.ndim; i++) {
        if (r < c->nparams && c->params[r] == i) {
            order.dim[shape.ndim - c->nparams + r++] = i;
            size = lucid__times(size, shape.dim[i]);
        } else {
            flat.dim[kept] = shape.dim[i];
            order.dim[kept++] = i;
        }
    }
    flat.dim[kept] = size;
    return lucid_reshape(s, lucid_permute(s, x, order), flat);
}

/* d prod = sum_i dx_i prod_{j != i} x_j. The product of the others is that of those before times that
 * of those after, which is right where some x are 0, too. */
static void prod_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                     const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)y;
    if (c->nparams == 0) {
        dy[0] = dx[0];
        return;
    }
    lucid_tensor x = flatten_reduced(s, c, c->in[0]), t = flatten_reduced(s, c, dx[0]);
    int last = lucid_ndim(x) - 1;
    int64_t size = lucid_size(x, last);
    if (size > 0) {
        lucid_shape one = lucid_shape_of(x);
        if (!lucid__ok(s))
            return;
        one.dim[last] = 1;
        lucid_tensor unit =
            lucid_cast(s, lucid__broadcast(s, lucid_scalar_int(s, 1), &one), x.v->aval.dtype);
        lucid_tensor before[2] = {unit, lucid_slice(s, x, last, 0, size - 1, 1)};
        lucid_tensor after[2] = {unit, lucid_slice(s, x, last, LUCID_END, 0, -1)};
        lucid_tensor left = lucid_cumprod(s, lucid_concatenate(s, before, 2, last), last);
        lucid_tensor right = lucid_cumprod(s, lucid_concatenate(s, after, 2, last), last);
        lucid_tensor others = lucid_mul(s, left, lucid_flip(s, right, LUCID_DIMS(last)));
        dy[0] = lucid_sum(s, lucid_mul(s, t, others), LUCID_DIMS(last));
    }
}

static const lucid__sample prod_samples[] = {
    FLOAT_SAMPLES("normal"),
    {1, 1, {{LUCID_INT64, "integers", {2, {2, 3}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_prod = {
    .jvp = prod_jvp, .samples = prod_samples, .doc = "Product over dims; 1 when empty."};

/* ---- amax, amin: the tangent is the mean over those that attain the extreme, as in torch; NaN do ---- */

static void extreme_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                        const lucid_tensor *dx, lucid_tensor *dy)
{
    lucid_tensor x = c->in[0];
    lucid_shape shape = lucid_shape_of(x);
    lucid_dtype dtype = x.v->aval.dtype;
    lucid_tensor equal = lucid_eq(s, x, spread(s, c, y[0], &shape));
    lucid_tensor hit = lucid_cast(s, lucid_logical_or(s, equal, lucid_isnan(s, x)), dtype);
    lucid_tensor count = lucid__bind1(s, LUCID__sum, &hit, 1, c->params, c->nparams);
    lucid_tensor term = lucid_mul(s, dx[0], hit);
    dy[0] = lucid_div(s, lucid__bind1(s, LUCID__sum, &term, 1, c->params, c->nparams), count);
}

static const lucid__sample extreme_samples[] = {
    FLOAT_SAMPLES("distinct"),
    {1, 1, {{LUCID_INT64, "integers", {2, {2, 3}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_amax = {.jvp = extreme_jvp,
                                        .samples = extreme_samples,
                                        .doc = "Largest element over dims; NaN if any is."};
const lucid__rules lucid__rules_amin = {.jvp = extreme_jvp,
                                        .samples = extreme_samples,
                                        .doc = "Smallest element over dims; NaN if any is."};

/* ---- any, all: of bool ------------------------------------------------------------------------- */

static const lucid__sample bool_samples[] = {
    {1, 1, {{LUCID_BOOL, "bool", {2, {3, 4}}}}, {1}},
    {1, 2, {{LUCID_BOOL, "bool", {2, {3, 4}}}}, {0, 1}},
    {1, 1, {{LUCID_BOOL, "bool", {2, {3, 0}}}}, {1}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_any = {.zero_derivative = true,
                                       .samples = bool_samples,
                                       .doc = "Whether any is true; false when empty."};
const lucid__rules lucid__rules_all = {.zero_derivative = true,
                                       .samples = bool_samples,
                                       .doc = "Whether all are true; true when empty."};
