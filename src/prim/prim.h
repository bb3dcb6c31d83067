/* What a primitive is: its rules, and how one is applied.
 *
 * A primitive gets clean input: shapes already broadcast, dtypes already promoted, dims already
 * counted from the front (src/ops does that). Its parameters are a short list of integers whose
 * meaning stands beside its rules.
 *
 * Rules build with the ordinary public builders, in a scope that ends with the rule: no frees, and no
 * checks but where a NULL would be followed, because an error sticks to the scope and empty handles
 * are safe to pass on.
 *
 * lucid__rules_X is the one place of primitive X. What a rule struct leaves out, its family supplies
 * (family.c); a rule that cannot be has LUCID__UNSUPPORTED's reason in `why_not`.
 */
#ifndef LUCID__PRIM_H
#define LUCID__PRIM_H

#include "graph/scope.h"
#include "prim/prim_id.h"

/* One application of a primitive. */
typedef struct lucid__call {
    lucid__prim_id prim;
    int nin, nparams;
    const lucid_tensor *in;
    const int64_t *params;
} lucid__call;

/* Output shapes and dtypes from the inputs', or an error recorded in s. */
typedef bool lucid__infer_rule(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                               lucid__aval *out);

/* The primitive on inputs of which some (never none) carry a batch of size `size` at dimension
 * axis[i] (-1: not batched). Sets out[k] and out_axis[k]. */
typedef void lucid__batch_rule(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                               lucid_tensor *out, int *out_axis);

/* d out / d in[i] of an elementwise primitive at x, y = out; an empty handle: zero. */
typedef lucid_tensor lucid__partial_rule(lucid_scope *s, const lucid__call *c, lucid_tensor y,
                                         int i);

/* Tangents of the outputs. c->in are primals, y the outputs there; an empty dx[i] is zero, at least
 * one is not. Sets dy[k], empty for zero. The result must be linear in dx, and built from linear
 * primitives of it only. */
typedef void lucid__jvp_rule(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                             const lucid_tensor *dx, lucid_tensor *dy);

/* Outputs and their tangents together, for a primitive whose derivative computes the outputs anew: sets
 * y[k], and dy[k] as a jvp does. */
typedef void lucid__joint_rule(lucid_scope *s, const lucid__call *c, const lucid_tensor *dx,
                               lucid_tensor *y, lucid_tensor *dy);

/* Cotangents of the linear inputs, from those of the outputs (ct[k], empty for zero). Inputs with
 * linear[i] have no value: c->in[i] is empty, in[i] tells shape and dtype. Sets dct[i] for those,
 * empty for zero. */
typedef void lucid__transpose_rule(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                   const bool *linear, const lucid_tensor *ct, lucid_tensor *dct);

/* An input for the test grid. */
typedef struct lucid__sample_input {
    lucid_dtype dtype;
    /* See tests/c/support/samples.c: "normal", "positive", "index:5", "spd", ... */
    const char *fill;
    lucid_shape shape;
} lucid__sample_input;

typedef struct lucid__sample {
    int nin, nparams;
    lucid__sample_input in[5];
    int64_t params[24];
} lucid__sample;

typedef struct lucid__rules {
    lucid__infer_rule *infer;
    lucid__batch_rule *batch;
    lucid__partial_rule *partial;
    lucid__jvp_rule *jvp;
    lucid__joint_rule *joint;
    lucid__transpose_rule *transpose;
    /* Bit i: linear in input i, jointly with the other such inputs while the rest is held fixed. An
     * output whose every input is linear needs no jvp. Inputs past 31 count as 31. */
    uint32_t linear;
    /* Instead of `linear`, where the parameters say it. */
    bool (*linear_in)(const lucid__call *c, int input);
    /* Bit i: output 0 is linear in input i while the others are held fixed, and no other output depends on it; `jvp`
     * at zero gives the operations. */
    uint32_t linear_by_jvp;
    bool bilinear;                     /* linear in each of two inputs, the other held fixed */
    bool zero_derivative;              /* piecewise constant */
    const char *why_not;               /* LUCID__UNSUPPORTED: why a rule left out cannot be */
    const lucid__sample *samples;      /* ended by one with nin -1; NULL: the family's */
    const int64_t *const *long_params; /* of each sample, where they are more than fit there */
    const char *doc;
} lucid__rules;

#define LUCID__UNSUPPORTED(why) .why_not = (why)
#define LUCID__ALL_INPUTS UINT32_MAX
#define LUCID__INPUT(i) (UINT32_C(1) << (i))
#define LUCID__END_OF_SAMPLES \
    { \
        .nin = -1 \
    }

typedef struct lucid__prim {
    const char *name;
    lucid__family family;
    int nin, nout; /* -1: any number */
    const lucid__rules *rules;
} lucid__prim;

extern const lucid__prim lucid__registry[LUCID__PRIM_COUNT];

static inline const lucid__prim *lucid__prim_get(lucid__prim_id id)
{
    return &lucid__registry[id];
}

/* The rule of the primitive or else of its family; NULL: neither has one. */
lucid__infer_rule *lucid__infer_of(lucid__prim_id id);
lucid__batch_rule *lucid__batch_of(lucid__prim_id id);
static inline bool lucid__is_linear_in(const lucid__call *c, int input)
{
    const lucid__rules *rules = lucid__registry[c->prim].rules;
    if (rules->linear_in)
        return rules->linear_in(c, input);
    return (rules->linear >> (input < 31 ? input : 31)) & 1;
}

/* Applies a primitive at the level its inputs ask for (transform/bind.c). Sets every out[k], to empty
 * handles on error; empty inputs are an error only if none is recorded yet. */
void lucid__bind(lucid_scope *s, const lucid__call *c, lucid_tensor *out);
lucid_tensor lucid__bind1(lucid_scope *s, lucid__prim_id prim, const lucid_tensor *in, int nin,
                          const int64_t *params, int nparams);

enum { LUCID__MAX_OUTPUTS = 4 }; /* of a primitive whose number of outputs is fixed */

/* How many outputs an application has: the primitive's own number, or what its parameters say. */
static inline int lucid__outputs_of(lucid__prim_id id, const int64_t *params)
{
    int nout = lucid__registry[id].nout;
    return nout >= 0 ? nout : (int)params[0];
}

#endif
