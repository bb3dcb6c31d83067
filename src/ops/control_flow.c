/* cond, switch, while and scan: the functions are captured (transform/stage.h), checked, and put together as one
 * primitive. The loops that are made of these are in counted_loops.c. */
#include <stdio.h>
#include <string.h>

#include "ops/loops.h"
#include "transform/argnums.h"
#include "transform/control_draft.h"
#include "transform/lane.h"

/* ---- capturing ------------------------------------------------------------------------------------- */

/* A branch, and the arguments it is captured for. */
typedef struct branch_user {
    lucid_fn f;
    const lucid_tensor *like;
} branch_user;

static lucid_status run_branch(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                               lucid_results *y)
{
    const branch_user *u = user;
    lucid__stand_for(x, u->like, nx);
    return lucid__fn_run(s, u->f.f, x, nx, y);
}

/* Captures f, whose arguments are the first nx values of the frame. */
static bool capture(lucid_scope *s, const char *name, lucid_fn f, const lucid_tensor *x,
                    const lucid__aval *avals, size_t nx, lucid__staged *to)
{
    if (!lucid__check_fn(s, name, f) ||
        !lucid__stage(s, run_branch, &(branch_user){f, x}, avals, nx, -1, to))
        return false;
    if (to->naux > 0)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the function gives auxiliary results", name);
    return lucid__ok(s);
}

/* Whether the body reads that value of its frame. */
static bool reads(const lucid__staged *b, int64_t at)
{
    for (int i = 0; i < b->nin; i++)
        if (b->from[i] == at)
            return true;
    return false;
}

/* Random operations in a loop: step t shifts the numbers of their draws by t times this odd number, so that
 * no two steps, nor two loops of a nest, draw the same. */
static lucid_tensor draw_stride(lucid_scope *s, lucid_tensor first_draw)
{
    int64_t depth = 1;
    for (const lucid__level *l = s->session->top; l && !l->draws; l = l->below)
        depth += l->kind == LUCID__LEVEL_STAGE;
    lucid_tensor z = lucid_mul(s, first_draw, lucid_scalar_int(s, 256));
    z = lucid_add(s, z, lucid_scalar_int(s, depth));
    /* The mixing of splitmix64 (Steele et al. 2014). */
    static const struct {
        uint64_t factor;
        int shift;
    } rounds[] = {{UINT64_C(0x9E3779B97F4A7C15), 30},
                  {UINT64_C(0xBF58476D1CE4E5B9), 27},
                  {UINT64_C(0x94D049BB133111EB), 31}};
    for (int i = 0; i < 3; i++) {
        z = lucid_mul(s, z, lucid_scalar_int(s, (int64_t)rounds[i].factor));
        lucid_tensor high = lucid_bitwise_right_shift(s, z, lucid_scalar_int(s, rounds[i].shift));
        int64_t zeros = (INT64_C(1) << (64 - rounds[i].shift)) - 1; /* in place of the sign */
        z = lucid_bitwise_xor(s, z, lucid_bitwise_and(s, high, lucid_scalar_int(s, zeros)));
    }
    return lucid_bitwise_or(s, z, lucid_scalar_int(s, 1));
}

/* The function of a step, as the arguments it has in the frame: x[first ..]. */
typedef struct step_user {
    lucid_fn f;
    size_t first, count;
} step_user;

static lucid_status run_step(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                             lucid_results *y)
{
    const step_user *u = user;
    (void)nx;
    return lucid__fn_run(s, u->f.f, x + u->first, u->count, y);
}

static lucid__aval *avals_of(lucid_scope *s, const lucid__inputs *a, const lucid__inputs *b,
                             int extra)
{
    int n = a->n + (b ? b->n : 0);
    lucid__aval *avals = lucid_alloc(s, (size_t)(n + extra + 1) * sizeof *avals);
    for (int i = 0; avals && i < n; i++)
        avals[i] =
            i < a->n ? lucid__inputs_aval(a, i, false) : lucid__inputs_aval(b, i - a->n, true);
    return avals;
}

static bool groups_new(lucid_scope *s, lucid__draft *d, int nconsts, int ncarry, int nxs)
{
    return lucid__inputs_new(s, &d->consts, nconsts) && lucid__inputs_new(s, &d->carry, ncarry) &&
           lucid__inputs_new(s, &d->xs, nxs);
}

static int64_t *no_flags(lucid_scope *s, size_t n)
{
    return lucid_alloc(s, (n + 1) * sizeof(int64_t));
}

/* ---- checks ------------------------------------------------------------------------------------------ */

/* One element, a number or bool, as a 0-d tensor. */
static lucid_tensor one_element(lucid_scope *s, const char *name, const char *what, lucid_tensor x)
{
    if (!lucid__check(s, name, x))
        return (lucid_tensor){NULL};
    char text[LUCID__AVAL_TEXT];
    if (lucid_numel(x) != 1)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: %s must be one element, not %s; under vmap one "
                            "per example",
                            name, what, lucid__aval_text(&x.v->aval, text));
    return lucid_reshape(s, x, LUCID_SCALAR_SHAPE);
}

lucid_tensor lucid__one_integer(lucid_scope *s, const char *name, const char *what, lucid_tensor x)
{
    x = one_element(s, name, what, x);
    if (x.v && lucid__is_float(x.v->aval.dtype))
        return lucid__error(s, LUCID_TYPE_ERROR, "%s: %s must be an integer, not %s", name, what,
                            lucid_dtype_name(x.v->aval.dtype));
    return lucid_cast(s, x, LUCID_INT64);
}

/* What the caller knows branch b as. */
static const char *branch_name(const char *name, int b, char *text, size_t size)
{
    if (strcmp(name, "cond") == 0)
        return b == 0 ? "false_fn" : "true_fn";
    (void)snprintf(text, size, "branch %d", b);
    return text;
}

/* Branch b must give what branch 0 gives. */
static bool check_branch(lucid_scope *s, const char *name, const lucid__body *first,
                         const lucid__body *body, int b)
{
    char own[24], other[24];
    const char *zeroth = branch_name(name, 0, other, sizeof other);
    const char *now = branch_name(name, b, own, sizeof own);
    if (first->nout != body->nout) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR,
                         "%s: %s gives %d results and %s %d; branches must agree", name, zeroth,
                         first->nout, now, body->nout);
        return false;
    }
    for (int k = 0; k < body->nout; k++) {
        const lucid__aval *x = &first->avals[first->out[k]], *y = &body->avals[body->out[k]];
        char tx[LUCID__AVAL_TEXT], ty[LUCID__AVAL_TEXT];
        if (lucid__aval_equal(x, y))
            continue;
        (void)lucid_fail(s, x->dtype == y->dtype ? LUCID_VALUE_ERROR : LUCID_TYPE_ERROR,
                         "%s: result %d is %s in %s and %s in %s; branches must agree", name, k,
                         lucid__aval_text(x, tx), zeroth, lucid__aval_text(y, ty), now);
        return false;
    }
    return true;
}

/* How to keep the dtype of a carry. */
static const char *carry_advice(lucid_dtype in, lucid_dtype out)
{
    if (in == out)
        return "";
    return lucid__is_float(out) && !lucid__is_float(in)
               ? ": start from a float, such as 0.0, or cast the result"
               : ": start from the dtype of the result, or cast the result";
}

/* The first results of a step must be like the carry that went in. */
static bool check_carry(lucid_scope *s, const char *name, lucid_fn f, const lucid__inputs *carry,
                        const lucid__body *body)
{
    if (body->nout < carry->n) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the carry is %d tensors, the body gives %d",
                         name, carry->n, body->nout);
        return false;
    }
    for (int k = 0; k < carry->n; k++) {
        lucid__aval in = lucid__inputs_aval(carry, k, false);
        const lucid__aval *out = &body->avals[body->out[k]];
        char ti[LUCID__AVAL_TEXT], to[LUCID__AVAL_TEXT], place[LUCID__PLACE_TEXT];
        if (lucid__aval_equal(&in, out))
            continue;
        (void)lucid_fail(
            s, in.dtype == out->dtype ? LUCID_VALUE_ERROR : LUCID_TYPE_ERROR,
            "%s: %s is %s before a step and %s after it; a carry keeps its shape and dtype%s", name,
            lucid__argument_name(f.f, "carry", (size_t)k, place), lucid__aval_text(&in, ti),
            lucid__aval_text(out, to), carry_advice(in.dtype, out->dtype));
        return false;
    }
    return true;
}

/* A carry that begins as a bare number has the float dtype that comes out of the step. True: one was changed. */
static bool adopt_dtypes(lucid_scope *s, const lucid_tensor *init, lucid__inputs *carry,
                         const lucid__body *body)
{
    bool changed = false;
    for (int k = 0; k < carry->n && k < body->nout && lucid__ok(s); k++) {
        lucid_dtype out = body->avals[body->out[k]].dtype;
        if (!init[k].v->weak || carry->x[k].v->aval.dtype >= out)
            continue;
        carry->x[k] = lucid_cast(s, init[k], out);
        changed = true;
    }
    return changed && lucid__ok(s);
}

/* ---- cond and switch --------------------------------------------------------------------------------- */

static lucid_status choose(lucid_scope *s, const char *name, lucid_tensor index,
                           const lucid_fn *branches, size_t n, const lucid_tensor *x, size_t nx,
                           lucid_results *y)
{
    x = lucid__arguments(s, name, x, nx, true);
    if (!x || !index.v)
        return lucid_error(s);
    if (n == 0)
        return lucid_fail(s, LUCID_VALUE_ERROR, "%s: no branch is given", name);
    lucid__draft d = {.prim = LUCID__cond,
                      .lanes = LUCID__NO_LANES,
                      .index = index,
                      .bodies = lucid_alloc(s, n * sizeof(lucid__staged)),
                      .nbodies = (int)n};
    if (!d.bodies || !groups_new(s, &d, (int)nx, 0, 0))
        return lucid_error(s);
    for (size_t i = 0; i < nx; i++)
        lucid__inputs_add(&d.consts, x[i], 0);
    lucid__aval *avals = avals_of(s, &d.consts, NULL, 0);
    lucid__body first, body;
    for (size_t b = 0; avals && b < n; b++)
        if (!capture(s, name, branches[b], x, avals, nx, &d.bodies[b]) ||
            !lucid__body_read(s, d.bodies[b].words, b == 0 ? &first : &body) ||
            (b > 0 && !check_branch(s, name, &first, &body, (int)b)))
            return lucid_error(s);
    if (!avals)
        return lucid_error(s);
    d.nout = first.nout;
    d.out_flags = no_flags(s, (size_t)d.nout);
    lucid_tensor *out = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *out);
    if (!d.out_flags || !out)
        return lucid_error(s);
    lucid__draft_bind(s, &d, out);
    for (int k = 0; k < d.nout; k++)
        (void)lucid_results_push(s, y, out[k]);
    return lucid_error(s);
}

lucid_status lucid__take_results(lucid_scope *child, const char *name, const lucid_results *r,
                                 lucid_tensor *y, size_t ny)
{
    if (lucid__ok(child) && lucid_results_count(r) != ny)
        (void)lucid_fail(child, LUCID_TYPE_ERROR, "%s: there are %zu results, %zu asked for", name,
                         lucid_results_count(r), ny);
    for (size_t k = 0; k < ny; k++)
        y[k] = lucid__ok(child) ? lucid__scope_move(child, lucid_results_at(r, k))
                                : (lucid_tensor){NULL};
    lucid_status status = lucid_error(child);
    lucid__scope_leave(child);
    return status;
}

lucid_status lucid_switch_listing(lucid_scope *s, lucid_tensor index, const lucid_fn *branches,
                                  size_t nbranches, const lucid_tensor *x, size_t nx,
                                  lucid_results *y)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    index = lucid__one_integer(&t, "switch", "the index", index);
    lucid_status status = choose(&t, "switch", index, branches, nbranches, x, nx, y);
    lucid__scope_leave(&t);
    return status;
}

lucid_status lucid_switch(lucid_scope *s, lucid_tensor index, const lucid_fn *branches,
                          size_t nbranches, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                          size_t ny)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_results *r = lucid_results_new(&t);
    (void)lucid_switch_listing(&t, index, branches, nbranches, x, nx, r);
    return lucid__take_results(&t, "switch", r, y, ny);
}

lucid_status lucid_cond_listing(lucid_scope *s, lucid_tensor pred, lucid_fn true_fn,
                                lucid_fn false_fn, const lucid_tensor *x, size_t nx,
                                lucid_results *y)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    pred = one_element(&t, "cond", "the predicate", pred);
    pred = lucid_cast(&t, lucid_cast(&t, pred, LUCID_BOOL), LUCID_INT64);
    const lucid_fn branches[2] = {false_fn, true_fn};
    lucid_status status = choose(&t, "cond", pred, branches, 2, x, nx, y);
    lucid__scope_leave(&t);
    return status;
}

lucid_status lucid_cond(lucid_scope *s, lucid_tensor pred, lucid_fn true_fn, lucid_fn false_fn,
                        const lucid_tensor *x, size_t nx, lucid_tensor *y, size_t ny)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_results *r = lucid_results_new(&t);
    (void)lucid_cond_listing(&t, pred, true_fn, false_fn, x, nx, r);
    return lucid__take_results(&t, "cond", r, y, ny);
}

/* ---- while ------------------------------------------------------------------------------------------- */

/* What a while loop carries for itself: after the user's carry the shift of the draws, if there are any,
 * and the number of steps done, if it is bounded. */
typedef struct hidden {
    const lucid__staged *body; /* over [carry, shift]: the user's condition or step */
    int ncarry;
    bool draws;
    lucid_tensor stride; /* of the draws */
    int64_t max_steps;   /* 0: not bounded */
} hidden;

static void apply_hidden(lucid_scope *s, const hidden *h, const lucid_tensor *x, lucid_tensor *y)
{
    const lucid__staged *b = h->body;
    lucid_tensor *in = lucid_alloc(s, ((size_t)b->nin + 1) * sizeof *in);
    for (int i = 0; in && i < b->nin; i++)
        in[i] = b->from[i] < b->nx ? x[b->from[i]] : b->captures[b->from[i] - b->nx];
    if (in)
        lucid__body_apply(s, b->words, in, y);
}

static lucid_status hidden_step(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                lucid_results *out)
{
    const hidden *h = user;
    lucid_tensor *y = lucid_alloc(s, ((size_t)h->ncarry + 1) * sizeof *y);
    (void)nx;
    if (y)
        apply_hidden(s, h, x, y);
    int at = h->ncarry;
    for (int k = 0; y && k < h->ncarry; k++)
        (void)lucid_results_push(s, out, y[k]);
    if (h->draws)
        (void)lucid_results_push(s, out, lucid_add(s, x[at++], h->stride));
    if (h->max_steps > 0)
        (void)lucid_results_push(s, out, lucid_add(s, x[at], lucid_scalar_int(s, 1)));
    return lucid_error(s);
}

static lucid_status hidden_condition(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                     lucid_results *out)
{
    const hidden *h = user;
    lucid_tensor y = {NULL};
    apply_hidden(s, h, x, &y);
    if (h->max_steps > 0)
        y = lucid_logical_and(s, y, lucid_lt(s, x[nx - 1], lucid_scalar_int(s, h->max_steps)));
    return lucid_results_push(s, out, y);
}

/* Captures the condition and the step, and captures them again with what the loop carries for itself if it
 * does. */
static bool capture_while(lucid_scope *s, const char *name, lucid_fn condition, lucid_fn body,
                          const lucid_tensor *init, const lucid_while_options *options,
                          lucid__draft *d)
{
    int n = d->carry.n;
    hidden h = {.ncarry = n, .max_steps = options->max_steps};
    lucid_tensor first_draw = lucid__draw_number(s);
    lucid__aval *avals = avals_of(s, &d->carry, NULL, 2);
    lucid__staged user[2];
    lucid__body read[2];
    if (!avals)
        return false;
    avals[n] = avals[n + 1] = (lucid__aval){.dtype = LUCID_INT64};
    const lucid_fn fns[2] = {condition, body};
    for (int b = 0; b < 2; b++)
        if (!lucid__check_fn(s, name, fns[b]) ||
            !lucid__stage(s, run_step, &(step_user){fns[b], 0, (size_t)n}, avals, (size_t)n + 1, n,
                          &user[b]) ||
            !lucid__body_read(s, user[b].words, &read[b]))
            return false;
    const lucid__aval *goes = read[0].nout == 1 ? &read[0].avals[read[0].out[0]] : NULL;
    char text[LUCID__AVAL_TEXT];
    if (!goes)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the condition gives %d results, not one bool",
                         name, read[0].nout);
    else if (goes->dtype != LUCID_BOOL || goes->shape.ndim != 0)
        (void)lucid_fail(
            s, LUCID_TYPE_ERROR,
            "%s: the condition must give one bool, not %s; compare, or use any() or all()", name,
            lucid__aval_text(goes, text));
    else if (read[1].nout != n)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: the carry is %d tensors, the body gives %d",
                         name, n, read[1].nout);
    if (!lucid__ok(s))
        return false;
    if (adopt_dtypes(s, init, &d->carry, &read[1]))
        return capture_while(s, name, condition, body, init, options, d);
    if (!check_carry(s, name, body, &d->carry, &read[1]))
        return false;
    h.draws = reads(&user[0], n) || reads(&user[1], n);
    if (h.draws)
        h.stride = draw_stride(s, first_draw);
    for (int i = 0; i < h.draws + (h.max_steps > 0); i++)
        lucid__inputs_add(&d->carry, lucid_cast(s, lucid_scalar_int(s, 0), LUCID_INT64), 0);
    if (!lucid__ok(s))
        return false;
    lucid__stage_function *again[2] = {hidden_condition, hidden_step};
    for (int b = 0; b < 2; b++) {
        h.body = &user[b];
        d->bodies[b] = user[b];
        if (d->carry.n > n &&
            !lucid__stage(s, again[b], &h, avals, (size_t)d->carry.n, -1, &d->bodies[b]))
            return false;
    }
    return true;
}

lucid_status lucid__while_steps(lucid_scope *s, const char *name, lucid_fn condition, lucid_fn body,
                                const lucid_tensor *init, size_t n,
                                const lucid_while_options *options, lucid_tensor *y)
{
    static const lucid_while_options defaults;
    if (!options)
        options = &defaults;
    const lucid_tensor *given = init;
    init = lucid__arguments(s, name, init, n, false);
    if (!init)
        return lucid_error(s);
    if (options->max_steps < 0 || options->checkpoint_every < 0)
        return lucid_fail(s, LUCID_VALUE_ERROR,
                          "%s: max_steps and checkpoint_every must be >= 1 (0: none)", name);
    lucid__draft d = {.prim = LUCID__while,
                      .lanes = LUCID__NO_LANES,
                      .length = options->max_steps > 0 ? options->max_steps : -1,
                      .option = options->checkpoint_every,
                      .bodies = lucid_alloc(s, 2 * sizeof(lucid__staged)),
                      .nbodies = 2};
    if (!d.bodies || !groups_new(s, &d, 0, (int)n + 2, 0))
        return lucid_error(s);
    for (size_t i = 0; i < n; i++)
        lucid__inputs_add(&d.carry, init[i], 0);
    if (!capture_while(s, name, condition, body, given, options, &d))
        return lucid_error(s);
    d.nout = d.carry.n;
    d.out_flags = no_flags(s, (size_t)d.nout);
    lucid_tensor *out = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *out);
    if (!d.out_flags || !out)
        return lucid_error(s);
    lucid__draft_bind(s, &d, out);
    for (size_t k = 0; k < n; k++)
        y[k] = out[k];
    return lucid_error(s);
}

lucid_status lucid__keep_all(lucid_scope *t, lucid_tensor *y, size_t n)
{
    for (size_t k = 0; k < n; k++)
        y[k] = lucid__ok(t) ? lucid__scope_move(t, y[k]) : (lucid_tensor){NULL};
    lucid_status status = lucid_error(t);
    lucid__scope_leave(t);
    return status;
}

lucid_status lucid_while(lucid_scope *s, lucid_fn condition, lucid_fn body,
                         const lucid_tensor *init, size_t n, const lucid_while_options *options,
                         lucid_tensor *y)
{
    for (size_t k = 0; k < n; k++)
        y[k] = (lucid_tensor){NULL};
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    (void)lucid__while_steps(&t, "while_loop", condition, body, init, n, options, y);
    return lucid__keep_all(&t, y, n);
}

/* ---- scan -------------------------------------------------------------------------------------------- */

/* The steps to take: what the xs say, or the options. */
static bool scan_length(lucid_scope *s, const char *name, const lucid__inputs *xs,
                        const lucid_scan_options *options, int64_t *length)
{
    *length = xs->n > 0 ? -1 : options->length;
    for (int i = 0; i < xs->n; i++) {
        const lucid_shape *shape = &xs->x[i].v->aval.shape;
        if (shape->ndim == 0) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "%s: xs %d is a number; it needs a first dim to go along", name, i);
            return false;
        }
        if (*length >= 0 && shape->dim[0] != *length) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "%s: xs 0 has %lld steps along its first dim, xs %d has %lld", name,
                             (long long)*length, i, (long long)shape->dim[0]);
            return false;
        }
        *length = shape->dim[0];
    }
    if (options->length < 0)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: length must be >= 0, not %lld", name,
                         (long long)options->length);
    else if (options->length > 0 && options->length != *length)
        (void)lucid_fail(s, LUCID_VALUE_ERROR, "%s: length is %lld, but the xs have %lld steps",
                         name, (long long)options->length, (long long)*length);
    return lucid__ok(s);
}

lucid_status lucid__scan_steps(lucid_scope *s, const char *name, lucid_fn f,
                               const lucid_tensor *init, size_t n, const lucid_tensor *xs,
                               size_t nxs, const lucid_scan_options *options, lucid_results *y)
{
    static const lucid_scan_options defaults;
    if (!options)
        options = &defaults;
    const lucid_tensor *given = init;
    init = lucid__arguments(s, name, init, n, false);
    xs = lucid__arguments(s, name, xs, nxs, false);
    lucid__staged body;
    lucid__draft d = {.prim = LUCID__scan,
                      .lanes = LUCID__NO_LANES,
                      .option = options->reverse,
                      .bodies = &body,
                      .nbodies = 1};
    if (!init || !xs || !lucid__check_fn(s, name, f) || !groups_new(s, &d, 0, (int)n, (int)nxs + 1))
        return lucid_error(s);
    for (size_t i = 0; i < n; i++)
        lucid__inputs_add(&d.carry, init[i], 0);
    for (size_t i = 0; i < nxs; i++)
        lucid__inputs_add(&d.xs, xs[i], 0);
    if (!scan_length(s, name, &d.xs, options, &d.length))
        return lucid_error(s);
    /* One more argument, the shift of the draws; it goes again unless there are any. */
    lucid_tensor first_draw = lucid__draw_number(s), shifts = lucid__index_range(s, d.length);
    lucid__body read;
    do {
        lucid__aval *avals = avals_of(s, &d.carry, &d.xs, 1);
        if (!avals || !shifts.v)
            return lucid_error(s);
        avals[n + nxs] = (lucid__aval){.dtype = LUCID_INT64};
        if (!lucid__stage(s, run_step, &(step_user){f, 0, n + nxs}, avals, n + nxs + 1,
                          (int)(n + nxs), &body) ||
            !lucid__body_read(s, body.words, &read))
            return lucid_error(s);
    } while (adopt_dtypes(s, given, &d.carry, &read));
    if (!lucid__ok(s) || !check_carry(s, name, f, &d.carry, &read))
        return lucid_error(s);
    if (reads(&body, (int64_t)(n + nxs)))
        shifts = lucid_mul(s, shifts, draw_stride(s, first_draw));
    lucid__inputs_add(&d.xs, shifts, 0);
    d.nout = read.nout;
    d.out_flags = no_flags(s, (size_t)d.nout);
    lucid_tensor *out = lucid_alloc(s, ((size_t)d.nout + 1) * sizeof *out);
    if (!d.out_flags || !out)
        return lucid_error(s);
    lucid__draft_bind(s, &d, out);
    for (int k = 0; k < d.nout; k++)
        (void)lucid_results_push(s, y, out[k]);
    return lucid_error(s);
}

lucid_status lucid_scan_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *init, size_t n,
                                const lucid_tensor *xs, size_t nxs,
                                const lucid_scan_options *options, lucid_results *y)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_status status = lucid__scan_steps(&t, "scan", f, init, n, xs, nxs, options, y);
    lucid__scope_leave(&t);
    return status;
}

lucid_status lucid_scan(lucid_scope *s, lucid_fn f, const lucid_tensor *init, size_t n,
                        const lucid_tensor *xs, size_t nxs, const lucid_scan_options *options,
                        lucid_tensor *carry, lucid_tensor *ys, size_t nys)
{
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_results *r = lucid_results_new(&t);
    lucid_tensor *y = lucid_alloc(&t, (n + nys + 1) * sizeof *y);
    if (y)
        (void)lucid__scan_steps(&t, "scan", f, init, n, xs, nxs, options, r);
    if (lucid__ok(&t) && lucid_results_count(r) != n + nys)
        (void)lucid_fail(&t, LUCID_TYPE_ERROR,
                         "scan: the function gives %zu results beside the carry, %zu asked for",
                         lucid_results_count(r) - n, nys);
    for (size_t k = 0; k < n + nys; k++) {
        lucid_tensor x = {NULL};
        if (lucid__ok(&t))
            x = lucid__scope_move(&t, lucid_results_at(r, k));
        if (k < n)
            carry[k] = x;
        else
            ys[k - n] = x;
    }
    lucid_status status = lucid_error(s);
    lucid__scope_leave(&t);
    return status;
}
