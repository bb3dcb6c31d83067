/* tie_guard: x itself, which stands for what moves eigenvalues or singular values and turns their vectors.
 * In reverse it looks at the cotangents. What is spread over equal values evenly, or does not depend on how
 * their vectors are turned, passes; what asks for the derivative of one of several equal values, or of one of
 * their vectors, which do not exist, becomes NaN.
 *
 * Values closer to each other than a derivative can be computed with have been moved apart (cpu/spread.h):
 * by this much a function of the values changes from one to the next, and so does the part of the cotangent
 * that turns their vectors. One that is larger by far belongs to a function of single vectors: it is
 * divided by the distance there is without that change. */
#include <float.h>
#include <math.h>

#include "prim/tie_guard.h"

static double epsilon(lucid_tensor x)
{
    return lucid_dtype_of(x) == LUCID_FLOAT32 ? (double)FLT_EPSILON : DBL_EPSILON;
}

/* The parameters: the longer side of the matrix, how many rows of each kind there are, and whether these are
 * derivatives of derivatives. Values come last, in one row. The inputs: x (..., rows, n), w (..., n), w before it was moved, scale (..., 1). */
enum { LONGER, TURNS, AGAINST, OUTSIDE, AGAIN, NPARAMS };

static lucid_tensor guarded(lucid_scope *s, const lucid_tensor *in, const int64_t *params)
{
    if (!lucid__ok(s) || in[0].v->kind == LUCID__GRAPH)
        return in[0]; /* nobody asks for cotangents at level 0 */
    return lucid__bind1(s, LUCID__tie_guard, in, 4, params, NPARAMS);
}

void lucid__tie_guard(lucid_scope *s, const lucid__spectrum_values *of, lucid__changes *x)
{
    int64_t n = lucid_size(x->values, -1), params[NPARAMS] = {of->longer, 0, 0, 0, of->again};
    lucid_tensor *const parts[3] = {&x->turns, &x->against, &x->outside};
    lucid_tensor rows[4];
    size_t count = 0;
    for (int i = 0; i < 3; i++)
        if (parts[i]->v) {
            params[TURNS + i] = lucid_size(*parts[i], -2);
            rows[count++] = *parts[i];
        }
    if (!lucid__ok(s) || n == 0)
        return;
    rows[count++] = lucid_unsqueeze(s, x->values, -2);
    lucid_tensor all = count > 1 ? lucid_concatenate(s, rows, count, -2) : rows[0];
    if (!lucid__ok(s) || all.v->kind == LUCID__GRAPH)
        return;
    const lucid_tensor in[4] = {all, of->w, of->before, of->scale};
    all = guarded(s, in, params);
    int64_t at = 0;
    for (int i = 0; i < 3; i++)
        if (parts[i]->v) {
            *parts[i] = lucid_slice(s, all, -2, at, at + params[TURNS + i], 1);
            at += params[TURNS + i];
        }
    x->values = lucid_select(s, all, -2, at);
}

lucid_tensor lucid__differences(lucid_scope *s, lucid_tensor w, double sign)
{
    lucid_tensor column = lucid_unsqueeze(s, w, -1);
    if (sign < 0)
        column = lucid_neg(s, column);
    return lucid_sub(s, lucid_unsqueeze(s, w, -2), column);
}

static bool tie_guard_infer(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                            lucid__aval *out)
{
    (void)s, (void)c;
    *out = *in;
    return true;
}

static void tie_guard_batch(lucid_scope *s, const lucid__call *c, const int *axis, int64_t size,
                            lucid_tensor *out, int *out_axis)
{
    lucid_tensor in[4];
    for (int i = 0; i < 4; i++)
        in[i] = lucid__batch_at(s, c->in[i], axis[i], 0, size);
    lucid__call call = *c;
    call.in = in;
    lucid__bind(s, &call, out);
    out_axis[0] = 0;
}

static void tie_guard_jvp(lucid_scope *s, const lucid__call *c, const lucid_tensor *y,
                          const lucid_tensor *dx, lucid_tensor *dy)
{
    (void)y;
    const lucid_tensor in[4] = {dx[0], c->in[1], c->in[2], c->in[3]};
    if (dx[0].v)
        dy[0] = guarded(s, in, c->params);
}

/* What the transpose compares. */
typedef struct guard {
    lucid_tensor apart, gaps; /* distances between values, with and without what was moved */
    lucid_tensor scale;       /* of the values */
    lucid_tensor size,
        away;          /* the largest of all cotangents, and of those of values that are not 0 */
    lucid_tensor zero; /* (..., 1, n): values that are 0 */
    double equal;      /* values count as equal up to this times the scale */
    bool outside;      /* distances are those from 0 */
    bool nested;       /* derivatives of these are taken */
} guard;

/* Whether a change of cotangents is more than values that far apart explain: their square root lies
 * half way between those and whatever else there may be. */
static lucid_tensor is_large(lucid_scope *s, const guard *g, lucid_tensor change)
{
    lucid_tensor relative = lucid_div(s, lucid_abs(s, g->apart), g->scale);
    lucid_tensor most = lucid_sqrt(s, lucid_maximum(s, relative, lucid_scalar(s, g->equal)));
    most = lucid_mul(s, lucid_mul(s, most, lucid_scalar(s, 2)), g->size);
    return lucid_gt(s, lucid_abs(s, change), most);
}

static lucid_tensor are_equal(lucid_scope *s, const guard *g)
{
    lucid_tensor most = lucid_mul(s, g->scale, lucid_scalar(s, g->equal));
    return lucid_le(s, lucid_abs(s, g->gaps), most);
}

/* Pairs that were closer to each other than now, or are equal. */
static lucid_tensor are_near(lucid_scope *s, const guard *g)
{
    lucid_tensor moved = lucid_lt(s, lucid_abs(s, g->gaps),
                                  lucid_mul(s, lucid_abs(s, g->apart), lucid_scalar(s, 0.99)));
    return lucid_logical_or(s, moved, are_equal(s, g));
}

/* Pairs whose cotangent is more than a function of the matrix explains. A function that is 0 at 0 makes those of
 * vectors whose value is 0 as small as the distances there: then they say nothing about each other, and only
 * others of their size tell what is large. */
static lucid_tensor are_single(lucid_scope *s, const guard *g, lucid_tensor turn)
{
    lucid_tensor both = g->zero;
    if (lucid_size(turn, -2) == lucid_size(turn, -1) && !g->outside)
        both = lucid_logical_and(s, both, lucid_transpose(s, both, -1, -2));
    guard of_zero = *g;
    of_zero.size = g->away;
    lucid_tensor known = lucid_mul(s, g->away, lucid_scalar(s, 1000));
    lucid_tensor large =
        lucid_logical_and(s, is_large(s, &of_zero, turn), lucid_lt(s, lucid_abs(s, turn), known));
    large = lucid_where(s, both, large, is_large(s, g, turn));
    return lucid_logical_and(s, are_near(s, g), large);
}

static lucid_tensor nan_where(lucid_scope *s, lucid_tensor where, lucid_tensor x)
{
    return lucid_where(s, where, lucid_scalar(s, (double)NAN), x);
}

/* Cotangents of turns, or of columns of vectors outside of those that there are, and whether it is seen in any
 * of them that values were moved. Where it is not (as for a projector), the distances before that are the
 * right ones for all. Derivatives of derivatives must all be taken at the same values, however: vectors of
 * values that were moved turn so fast that any difference shows. */
static lucid_tensor checked_turns(lucid_scope *s, const guard *g, lucid_tensor turn,
                                  lucid_tensor seen)
{
    lucid_tensor single = are_single(s, g, turn);
    if (g->nested)
        return nan_where(s, single, turn);
    lucid_tensor near = are_near(s, g), equal = are_equal(s, g);
    lucid_tensor far = lucid_logical_and(s, lucid_logical_not(s, near), lucid_logical_not(s, seen));
    lucid_tensor own = lucid_logical_or(s, far, single);
    lucid_tensor gaps = lucid_where(s, own, g->gaps, g->apart);
    gaps = lucid_where(s, lucid_eq(s, gaps, lucid_scalar(s, 0)), lucid_scalar(s, 1), gaps);
    lucid_tensor scaled = lucid_mul(s, turn, lucid_div(s, g->apart, gaps));
    return nan_where(s, lucid_logical_and(s, equal, single), lucid_where(s, own, scaled, turn));
}

/* Whether some pair that was moved, or is equal, has a cotangent beyond rounding. */
static lucid_tensor is_seen(lucid_scope *s, const guard *g, lucid_tensor turn)
{
    lucid_tensor rounding = lucid_mul(s, g->size, lucid_scalar(s, g->equal));
    lucid_tensor seen = lucid_gt(s, lucid_abs(s, turn), rounding);
    return lucid_any(s, lucid_logical_and(s, are_near(s, g), seen), LUCID_DIMS_KEEP(-2, -1));
}

/* Cotangents of values in their order: those of neighbours that are equal. */
static lucid_tensor checked_values(lucid_scope *s, const guard *g, lucid_tensor ct)
{
    int64_t n = lucid_size(ct, -1);
    if (n < 2)
        return ct;
    lucid_tensor change =
        lucid_sub(s, lucid_slice(s, ct, -1, 1, n, 1), lucid_slice(s, ct, -1, 0, n - 1, 1));
    lucid_tensor bad = lucid_logical_and(s, are_equal(s, g), is_large(s, g, change));
    return nan_where(s, lucid_any(s, bad, LUCID_DIMS_KEEP(-1)), ct);
}

static lucid_tensor largest(lucid_scope *s, lucid_tensor ct, lucid_dims dims)
{
    return lucid_amax(s, lucid_abs(s, lucid_detach(s, ct)), dims);
}

static lucid_tensor antisymmetric(lucid_scope *s, lucid_tensor x)
{
    return lucid_mul(s, lucid_sub(s, x, lucid_transpose(s, x, -1, -2)), lucid_scalar(s, 0.5));
}

/* w_j - sign w_i; or w_j, for sign 0. */
static void set_gaps(lucid_scope *s, const lucid__call *c, double sign, guard *g)
{
    lucid_tensor *const to[2] = {&g->apart, &g->gaps};
    for (int i = 0; i < 2; i++)
        *to[i] = sign == 0 ? lucid_unsqueeze(s, c->in[1 + i], -2)
                           : lucid__differences(s, c->in[1 + i], sign);
}

static lucid_tensor neighbours(lucid_scope *s, lucid_tensor w)
{
    int64_t n = lucid_size(w, -1);
    return lucid_sub(s, lucid_slice(s, w, -1, 1, n, 1), lucid_slice(s, w, -1, 0, n - 1, 1));
}

/* What depends on values alone has to depend on equal ones evenly; what depends on vectors, too, need not: the
 * diagonal of V' Y V f'(w) is no more even than the rest. */
static lucid_tensor value_row(lucid_scope *s, const lucid__call *c, guard g, lucid_tensor row)
{
    if (lucid_size(row, -1) < 2)
        return row;
    lucid_tensor value = lucid_squeeze(s, row, LUCID_DIMS(-2)), vectors = g.size;
    g.apart = neighbours(s, c->in[1]);
    g.gaps = neighbours(s, c->in[2]);
    g.scale = c->in[3];
    g.size = largest(s, value, LUCID_DIMS_KEEP(-1));
    lucid_tensor checked = lucid_unsqueeze(s, checked_values(s, &g, value), -2);
    if (!vectors.v)
        return checked;
    return lucid_where(s, lucid_eq(s, vectors, lucid_scalar(s, 0)), checked, row);
}

/* Whether x is differentiated, or may be later, below the level of the rule that has it. */
static bool may_be_differentiated(lucid_tensor x)
{
    const lucid__value *v = x.v;
    while (v->kind == LUCID__BATCH)
        v = v->inner;
    return v->kind != LUCID__GRAPH;
}

/* Part i of the cotangents, and what they are compared with; empty: there is none. */
static lucid_tensor part_of(lucid_scope *s, const lucid__call *c, int i, lucid_tensor ct, guard *g)
{
    static const double sign[3] = {1, -1, 0};
    int64_t at = 0;
    for (int k = 0; k < i; k++)
        at += c->params[TURNS + k];
    if (c->params[TURNS + i] == 0)
        return (lucid_tensor){NULL};
    lucid_tensor part = lucid_slice(s, ct, -2, at, at + c->params[TURNS + i], 1);
    set_gaps(s, c, sign[i], g);
    g->outside = sign[i] == 0;
    return sign[i] != 0 ? antisymmetric(s, part) : part;
}

static void tie_guard_transpose(lucid_scope *s, const lucid__call *c, const lucid__aval *in,
                                const bool *linear, const lucid_tensor *ct, lucid_tensor *dct)
{
    (void)in, (void)linear;
    int64_t rows = lucid_size(ct[0], -2);
    guard g = {.scale = lucid_unsqueeze(s, c->in[3], -1),
               .equal = 4 * (double)c->params[LONGER] * epsilon(ct[0]),
               .nested = may_be_differentiated(c->in[1])};
    dct[0] = ct[0];
    if (lucid_numel(ct[0]) == 0 || c->params[AGAIN])
        return; /* the derivatives that these are taken of have been looked at */
    if (rows > 1) {
        lucid_tensor vectors = lucid_slice(s, lucid_detach(s, ct[0]), -2, 0, rows - 1, 1);
        set_gaps(s, c, 0, &g);
        g.zero = are_near(s, &g);
        g.size = largest(s, vectors, LUCID_DIMS_KEEP(-2, -1));
        vectors = lucid_where(s, g.zero, lucid_scalar(s, 0), vectors);
        g.away = largest(s, vectors, LUCID_DIMS_KEEP(-2, -1));
    }
    lucid_tensor parts[4], seen = {NULL};
    size_t count = 0;
    for (int i = 0; i < 3 && !g.nested; i++) {
        lucid_tensor part = part_of(s, c, i, ct[0], &g);
        if (part.v)
            part = is_seen(s, &g, part);
        seen = seen.v && part.v ? lucid_logical_or(s, seen, part) : part.v ? part : seen;
    }
    for (int i = 0; i < 3; i++) {
        lucid_tensor part = part_of(s, c, i, ct[0], &g);
        if (part.v)
            parts[count++] = checked_turns(s, &g, part, seen);
    }
    parts[count++] = value_row(s, c, g, lucid_slice(s, ct[0], -2, rows - 1, rows, 1));
    dct[0] = count > 1 ? lucid_concatenate(s, parts, count, -2) : parts[0];
}

/* Values far apart, whose cotangents pass. */
static const lucid__sample tie_guard_samples[] = {
    {4,
     NPARAMS,
     {{LUCID_FLOAT64, "normal", {2, {1, 3}}},
      {LUCID_FLOAT64, "distinct", {1, {3}}},
      {LUCID_FLOAT64, "distinct", {1, {3}}},
      {LUCID_FLOAT64, "above_one", {1, {1}}}},
     {3, 0, 0, 0, 0}},
    {4,
     NPARAMS,
     {{LUCID_FLOAT64, "normal", {3, {2, 1, 1}}},
      {LUCID_FLOAT64, "distinct", {2, {2, 1}}},
      {LUCID_FLOAT64, "distinct", {2, {2, 1}}},
      {LUCID_FLOAT64, "above_one", {2, {2, 1}}}},
     {1, 0, 0, 0, 0}},
    LUCID__END_OF_SAMPLES,
};

const lucid__rules lucid__rules_tie_guard = {
    .infer = tie_guard_infer,
    .batch = tie_guard_batch,
    .jvp = tie_guard_jvp,
    .transpose = tie_guard_transpose,
    .linear = LUCID__INPUT(0),
    .samples = tie_guard_samples,
    .doc = "The same elements. In reverse, cotangents of equal values that ask for what does not "
           "exist become "
           "NaN.",
};
