/* What all elementwise primitives share. Their inputs have one shape and, but for the condition of
 * where, one dtype. */
#include "prim/elementwise.h"

#include "base/dtype.h"
#include "prim/family.h"

static const uint8_t classes[LUCID__PRIM_COUNT] = {
#define LUCID_UNARY(name, class, doc) [LUCID__##name] = LUCID__CLASS_##class,
#define LUCID_BINARY(name, class, doc) [LUCID__##name] = LUCID__CLASS_##class,
#include "lucid_elementwise.def"
#undef LUCID_UNARY
#undef LUCID_BINARY
};

lucid__class lucid__class_of(lucid__prim_id id)
{
    return (lucid__class)classes[id];
}

static bool elementwise_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                              lucid__aval *out)
{
    for (int i = 1; i < c->nin; i++)
        if (!lucid__shape_equal(&in[0].shape, &in[i].shape)) {
            char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
            (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: shapes %s and %s differ",
                             lucid__prim_get(c->prim)->name,
                             lucid__shape_text(&in[0].shape, a, sizeof a),
                             lucid__shape_text(&in[i].shape, b, sizeof b));
            return false;
        }
    *out = in[c->nin - 1]; /* the last: the first of where is its condition */
    lucid__class class = lucid__class_of(c->prim);
    if (class == LUCID__CLASS_TEST || class == LUCID__CLASS_LOGIC)
        out->dtype = LUCID_BOOL;
    return true;
}

/* All batched inputs go where the first one has its batch; the others are repeated there. */
static void elementwise_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                              lucid_tensor *out, int *out_axis)
{
    lucid_tensor in[4];
    int at = -1;
    for (int i = 0; i < c->nin && at < 0; i++)
        at = axis[i];
    for (int i = 0; i < c->nin; i++)
        in[i] = lucid__batch_at(s, c->in[i], axis[i], at, size);
    out[0] = lucid__bind1(s, c->prim, in, c->nin, c->params, c->nparams);
    out_axis[0] = at;
}

/* Most unary functions are defined everywhere; those that are not name their own samples. */
static const lucid__sample samples[] = {
    {2, 0, {{LUCID_FLOAT64, "normal", {2, {3, 4}}}, {LUCID_FLOAT64, "normal", {2, {3, 4}}}}, {0}},
    {2, 0, {{LUCID_FLOAT64, "normal", {0, {0}}}, {LUCID_FLOAT64, "normal", {0, {0}}}}, {0}},
    {2, 0, {{LUCID_FLOAT32, "normal", {2, {2, 0}}}, {LUCID_FLOAT32, "normal", {2, {2, 0}}}}, {0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__family_elementwise = {
    .infer = elementwise_infer,
    .batch = elementwise_batch,
    .samples = samples,
    .doc = "Element by element.",
};
