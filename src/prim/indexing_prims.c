/* gather, scatter_add, scatter: reading and writing at positions that are themselves data.
 *
 * Shapes, with nb shared leading dims b, m indexed dims N, positions K, and untouched dims R:
 *
 *     x, y          [b.., N1..Nm, R..]
 *     i1 .. im      [b.., K..]          int32 or int64; negative ones count from the end
 *     v, gather(x)  [b.., K.., R..]
 *
 * params[0] is nb. params[1], if there is one, is the number that messages give to the first indexed
 * dim. An index out of range is found when the value is computed.
 */
#include <string.h>

#include "prim/family.h"

enum { MAX = LUCID_MAX_NDIM };

/* How the dims of one call divide; `at`: where the indices begin among the inputs. */
typedef struct layout {
    int nb, m, k, at;
} layout;

static layout layout_of(const lucid__call *c, const lucid_shape *index, int at)
{
    int nb = (int)c->params[0];
    return (layout){.nb = nb, .m = c->nin - at, .k = index->ndim - nb, .at = at};
}

/* Applies the primitive with nb changed. */
static lucid_tensor apply(lucid_scope *s, const lucid__call *c, const lucid_tensor *in, int nb)
{
    int64_t params[2] = {nb, c->nparams > 1 ? c->params[1] : 0};
    return lucid__bind1(s, c->prim, in, c->nin, params, 2);
}

/* Brings the indices' batches to dim `to`; those without one get it. */
static void batch_indices(lucid_scope *s, const lucid__call *c, int at, const int *axis, int to,
                          int64_t size, lucid_tensor *in)
{
    for (int i = at; i < c->nin; i++)
        in[i] = lucid__batch_at(s, c->in[i], axis[i], to, size);
}

static bool any_batched(const int *axis, int from, int to)
{
    for (int i = from; i < to; i++)
        if (axis[i] >= 0)
            return true;
    return false;
}

/* The dims of an index as this level's rule is to see it, which has one more when batched. */
static int index_ndim(const lucid__call *c, const int *axis, int i)
{
    return c->in[i].v->aval.shape.ndim - (axis[i] >= 0);
}

/* ---- gather(x, i1 .. im) ------------------------------------------------------------------- */

static bool gather_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                         lucid__aval *out)
{
    layout l = layout_of(c, &in[1].shape, 1);
    const lucid_shape *x = &in[0].shape, *index = &in[1].shape;
    int first_rest = l.nb + l.m, rest = x->ndim - first_rest;
    out->dtype = in[0].dtype;
    if (index->ndim + rest > MAX) {
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "gather: the result has %d dims, at most %d can be",
                         index->ndim + rest, MAX);
        return false;
    }
    out->shape = *index;
    out->shape.ndim = index->ndim + rest;
    for (int i = 0; i < rest; i++)
        out->shape.dim[index->ndim + i] = x->dim[first_rest + i];
    if (lucid__numel(&out->shape) >= 0)
        return true;
    char text[LUCID__SHAPE_TEXT];
    (void)lucid_fail(s, LUCID_VALUE_ERROR, "the number of elements of shape %s is too large",
                     lucid__shape_text(&out->shape, text, sizeof text));
    return false;
}

/* x is never copied: its batch becomes a shared dim, or one more untouched dim, and a batch of
 * indices alone is one more dim of positions. */
static void gather_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                         lucid_tensor *out, int *out_axis)
{
    lucid_tensor in[MAX + 2];
    memcpy(in, c->in, (size_t)c->nin * sizeof *in);
    int nb = (int)c->params[0], m = c->nin - 1, k = index_ndim(c, axis, 1) - nb;
    bool by_index = any_batched(axis, 1, c->nin);
    if (axis[0] >= 0 && by_index) {
        in[0] = lucid__move_batch(s, c->in[0], axis[0], 0);
        batch_indices(s, c, 1, axis, 0, size, in);
        out[0] = apply(s, c, in, nb + 1);
        out_axis[0] = 0;
    } else if (by_index) {
        batch_indices(s, c, 1, axis, nb, size, in);
        out[0] = apply(s, c, in, nb);
        out_axis[0] = nb;
    } else {
        int to = axis[0] >= nb + m ? axis[0] : nb + m;
        in[0] = lucid__move_batch(s, c->in[0], axis[0], to);
        out[0] = apply(s, c, in, nb);
        out_axis[0] = to - m + k;
    }
}

static void gather_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                             const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)linear;
    lucid_tensor scatter_in[MAX + 2] = {lucid__zeros(s, &in[0]), ct[0]};
    memcpy(scatter_in + 2, c->in + 1, (size_t)(c->nin - 1) * sizeof *scatter_in);
    dct[0] = lucid__bind1(s, LUCID__scatter_add, scatter_in, c->nin + 1, c->params, c->nparams);
}

static const lucid__sample gather_samples[] = {
    {2, 1, {{LUCID_FLOAT64, "normal", {1, {5}}}, {LUCID_INT64, "index:5", {1, {7}}}}, {0}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {4, 3}}}, {LUCID_INT32, "index:4", {2, {2, 3}}}}, {0}},
    {3,
     1,
     {{LUCID_FLOAT64, "normal", {3, {4, 3, 2}}},
      {LUCID_INT64, "index:4", {1, {5}}},
      {LUCID_INT64, "index:3", {1, {5}}}},
     {0}},
    {2, 1, {{LUCID_FLOAT64, "normal", {3, {2, 4, 3}}}, {LUCID_INT64, "index:4", {2, {2, 5}}}}, {1}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {3, 4}}}, {LUCID_INT64, "index:4", {1, {3}}}}, {1}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {4, 2}}}, {LUCID_INT64, "index:4", {0, {0}}}}, {0}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {1, 1}}}, {LUCID_INT64, "index:1", {1, {1}}}}, {0}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {4, 2}}}, {LUCID_INT64, "index:4", {1, {0}}}}, {0}},
    {2, 1, {{LUCID_FLOAT64, "normal", {2, {4, 0}}}, {LUCID_INT64, "index:4", {1, {3}}}}, {0}},
    {2, 1, {{LUCID_INT32, "integers", {1, {4}}}, {LUCID_INT64, "index:4", {1, {3}}}}, {0}},
    {2, 1, {{LUCID_BOOL, "bool", {2, {4, 3}}}, {LUCID_INT32, "index:4", {1, {6}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_gather = {
    .infer = gather_infer,
    .batch = gather_batch,
    .transpose = gather_transpose,
    .linear = LUCID__INPUT(0),
    .samples = gather_samples,
    .doc =
        "Elements of x at the positions that the index tensors name, one index tensor per indexed "
        "dim. Negative indices count from the end.",
};

/* ---- scatter_add(y, v, i1 .. im), scatter(y, v, i1 .. im) ------------------------------------ */

static bool scatter_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                          lucid__aval *out)
{
    (void)s, (void)c;
    out[0] = in[0];
    return true;
}

/* Indices shared by all lanes: the batch is one more untouched dim. Else every lane writes by itself,
 * so all inputs get the batch as a shared dim. */
static void scatter_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                          lucid_tensor *out, int *out_axis)
{
    lucid_tensor in[MAX + 2];
    memcpy(in, c->in, (size_t)c->nin * sizeof *in);
    int nb = (int)c->params[0], m = c->nin - 2, k = index_ndim(c, axis, 2) - nb;
    if (any_batched(axis, 2, c->nin)) {
        for (int i = 0; i < 2; i++)
            in[i] = lucid__batch_at(s, c->in[i], axis[i], 0, size);
        batch_indices(s, c, 2, axis, 0, size, in);
        out[0] = apply(s, c, in, nb + 1);
        out_axis[0] = 0;
    } else {
        in[0] = lucid__batch_at(s, c->in[0], axis[0], nb + m, size);
        in[1] = lucid__batch_at(s, c->in[1], axis[1], nb + k, size);
        out[0] = apply(s, c, in, nb);
        out_axis[0] = nb + m;
    }
}

static lucid_tensor gather_like(lucid_scope *s, const lucid__call *c, lucid_tensor x)
{
    lucid_tensor in[MAX + 1] = {x};
    memcpy(in + 1, c->in + 2, (size_t)(c->nin - 2) * sizeof *in);
    return lucid__bind1(s, LUCID__gather, in, c->nin - 1, c->params, c->nparams);
}

static lucid_tensor scatter_like(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                                 lucid_tensor v)
{
    lucid_tensor in[MAX + 2] = {y, v};
    memcpy(in + 2, c->in + 2, (size_t)(c->nin - 2) * sizeof *in);
    return lucid__bind1(s, LUCID__scatter, in, c->nin, c->params, c->nparams);
}

static void scatter_add_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                  const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in;
    if (linear[0])
        dct[0] = ct[0];
    if (linear[1])
        dct[1] = gather_like(s, c, ct[0]);
}

/* Which positions are not written over by a later one, shape [b.., K..], bool: every position writes
 * its own number and looks whether it is still there. */
static lucid_tensor winners(lucid_scope *s, const lucid__call *c, const lucid__aval *in)
{
    layout l = layout_of(c, &in[2].shape, 2);
    lucid__aval places = {LUCID_INT64, {.ndim = l.nb + l.m}};
    memcpy(places.shape.dim, in[0].shape.dim, (size_t)places.shape.ndim * sizeof(int64_t));
    int64_t count = lucid__numel(&in[2].shape);
    lucid_tensor number = lucid_arange(s, 0, (double)count, 1, LUCID_INT64);
    number = lucid_reshape(s, number, in[2].shape);
    lucid_tensor last = scatter_like(s, c, lucid__zeros(s, &places), number);
    return lucid_eq(s, gather_like(s, c, last), number);
}

static void scatter_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    if (linear[0])
        dct[0] = scatter_like(s, c, ct[0], lucid__zeros(s, &in[1]));
    if (!linear[1])
        return;
    lucid_shape ones = in[2].shape;
    while (ones.ndim < in[1].shape.ndim)
        ones.dim[ones.ndim++] = 1;
    lucid_tensor wins = lucid_reshape(s, winners(s, c, in), ones);
    dct[1] = lucid_where(s, wins, gather_like(s, c, ct[0]), lucid__zeros(s, &in[1]));
}

#define SCATTER_SAMPLES \
    {3, \
     1, \
     {{LUCID_FLOAT64, "normal", {1, {5}}}, \
      {LUCID_FLOAT64, "normal", {1, {7}}}, \
      {LUCID_INT64, "index:5", {1, {7}}}}, \
     {0}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {2, {3, 2}}}, \
          {LUCID_FLOAT64, "normal", {3, {2, 3, 2}}}, \
          {LUCID_INT32, "index:3", {2, {2, 3}}}}, \
         {0}}, \
        {4, \
         1, \
         {{LUCID_FLOAT64, "normal", {3, {4, 3, 2}}}, \
          {LUCID_FLOAT64, "normal", {2, {5, 2}}}, \
          {LUCID_INT64, "index:4", {1, {5}}}, \
          {LUCID_INT64, "index:3", {1, {5}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {3, {2, 4, 3}}}, \
          {LUCID_FLOAT64, "normal", {3, {2, 5, 3}}}, \
          {LUCID_INT64, "index:4", {2, {2, 5}}}}, \
         {1}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {2, {4, 2}}}, \
          {LUCID_FLOAT64, "normal", {1, {2}}}, \
          {LUCID_INT64, "index:4", {0, {0}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {1, {1}}}, \
          {LUCID_FLOAT64, "normal", {1, {1}}}, \
          {LUCID_INT64, "index:1", {1, {1}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {2, {4, 2}}}, \
          {LUCID_FLOAT64, "normal", {2, {0, 2}}}, \
          {LUCID_INT64, "index:4", {1, {0}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_FLOAT64, "normal", {2, {4, 0}}}, \
          {LUCID_FLOAT64, "normal", {2, {3, 0}}}, \
          {LUCID_INT64, "index:4", {1, {3}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_INT32, "integers", {1, {4}}}, \
          {LUCID_INT32, "integers", {1, {6}}}, \
          {LUCID_INT64, "index:4", {1, {6}}}}, \
         {0}}, \
        {3, \
         1, \
         {{LUCID_BOOL, "bool", {1, {4}}}, \
          {LUCID_BOOL, "bool", {1, {6}}}, \
          {LUCID_INT32, "index:4", {1, {6}}}}, \
         {0}}, \
        LUCID__END_OF_SAMPLES

static const lucid__sample scatter_samples[] = {SCATTER_SAMPLES};

const lucid__rules lucid__rules_scatter_add = {
    .infer = scatter_infer,
    .batch = scatter_batch,
    .transpose = scatter_add_transpose,
    .linear = LUCID__INPUT(0) | LUCID__INPUT(1),
    .samples = scatter_samples,
    .doc =
        "y with the elements of v added at the positions that the index tensors name, in row-major "
        "order of v. Repeated positions gather all of theirs. On bools, logical or.",
};

const lucid__rules lucid__rules_scatter = {
    .infer = scatter_infer,
    .batch = scatter_batch,
    .transpose = scatter_transpose,
    .linear = LUCID__INPUT(0) | LUCID__INPUT(1),
    .samples = scatter_samples,
    .doc = "y with the elements of v put at the positions that the index tensors name. Where a "
           "position repeats, the last value in row-major order stays.",
};

const lucid__rules lucid__family_indexing = {.doc = "Reading and writing at positions."};
