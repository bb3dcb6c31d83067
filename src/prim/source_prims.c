/* constant, iota and basis: primitives without inputs. They never meet a batch or a tangent. */
#include <string.h>

#include "prim/family.h"

/* Leaves of the graph are made by node.c with their elements; nobody applies this primitive. */
static bool constant_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                           lucid__aval *out)
{
    (void)c, (void)in, (void)out;
    (void)lucid_fail(s, LUCID_RUNTIME_ERROR, "constant: not an operation");
    return false;
}

const lucid__rules lucid__rules_constant = {
    .infer = constant_infer, .zero_derivative = true, .doc = "Elements given from outside."};

/* params: the dtype, the dim counted along, then the sizes */
static bool iota_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                       lucid__aval *out)
{
    (void)in, (void)s;
    out->dtype = (lucid_dtype)c->params[0];
    out->shape.ndim = c->nparams - 2;
    memcpy(out->shape.dim, c->params + 2, (size_t)out->shape.ndim * sizeof(int64_t));
    return true;
}

static const lucid__sample iota_samples[] = {
    {0, 4, {{0}}, {LUCID_INT64, 1, 2, 3}},
    {0, 3, {{0}}, {LUCID_FLOAT32, 0, 5}},
    {0, 3, {{0}}, {LUCID_INT32, 0, 0}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_iota = {.infer = iota_infer,
                                        .zero_derivative = true,
                                        .samples = iota_samples,
                                        .doc = "The index of each element along one dim."};

/* params: the dtype, n. An identity matrix of which the engine knows that it is one: derivatives ask for all rows
 * at once by it, and a product with it picks a row, also beside one that is not finite. */
static bool basis_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                        lucid__aval *out)
{
    (void)in;
    *out = (lucid__aval){(lucid_dtype)c->params[0], {2, {c->params[1], c->params[1]}}};
    if (lucid__numel(&out->shape) >= 0)
        return true;
    (void)lucid_fail(s, LUCID_VALUE_ERROR,
                     "jacobian: %lld unit vectors of as many elements are more than an array can "
                     "hold: differentiate fewer elements at a time",
                     (long long)c->params[1]);
    return false;
}

static const lucid__sample basis_samples[] = {
    {0, 2, {{0}}, {LUCID_FLOAT32, 3}},
    {0, 2, {{0}}, {LUCID_FLOAT64, 1}},
    {0, 2, {{0}}, {LUCID_INT32, 0}},
    LUCID__END_OF_SAMPLES,
};
const lucid__rules lucid__rules_basis = {.infer = basis_infer,
                                         .zero_derivative = true,
                                         .samples = basis_samples,
                                         .doc = "The unit vectors of a space."};

const lucid__rules lucid__family_source = {.doc = "Values from nothing."};
