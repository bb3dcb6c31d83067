/* A while loop as a scan over the steps it takes: how many they are is known when it has run, or was said
 * beforehand (max_steps). A step of a lane that is done leaves its carry as it is. With checkpoint_every = k
 * the scan is one of scans of k steps, of which only the carry at the beginning is kept. */
#include "prim/family.h"
#include "transform/control_derivative.h"

/* ---- how many steps ---------------------------------------------------------------------------------- */

/* The step, and a count that goes up with it: the last of the carry. */
static lucid_status capture_counting(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                     lucid_results *out)
{
    const lucid__draft *d = user;
    const lucid__staged *b = &d->bodies[1];
    lucid_tensor *in = lucid_alloc(s, ((size_t)b->nin + 1) * sizeof *in);
    lucid_tensor *y = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *y);
    if (!in || !y)
        return lucid_error(s);
    for (int i = 0; i < b->nin; i++)
        in[i] = x[b->from[i]];
    lucid__body_apply(s, b->words, in, y);
    for (int k = 0; k < d->nout; k++)
        (void)lucid_results_push(s, out, y[k]);
    return lucid_results_push(s, out, lucid_add(s, x[nx - 1], lucid_scalar_int(s, 1)));
}

/* The largest element of a tensor, all batches included; -1 and an error: it is not known here. */
static int64_t largest(lucid_scope *s, lucid_tensor x)
{
    const lucid__value *v = x.v;
    while (v && (v->kind == LUCID__BATCH || v->kind == LUCID__DUAL))
        v = v->inner;
    if (!lucid__ok(s) || !v)
        return -1;
    if (v->kind != LUCID__GRAPH) {
        (void)lucid_fail(
            s, LUCID_RUNTIME_ERROR,
            "while_loop: the reverse derivative needs the number of steps, which is not "
            "known inside another loop, a branch or a compiled function; say at most how "
            "many with max_steps, or use fori_loop or scan");
        return -1;
    }
    x.v = (lucid__value *)(uintptr_t)v;
    if (lucid_numel(x) == 0)
        return 0;
    return lucid_item_int(s, lucid_amax(s, x, LUCID_ALL));
}

static int64_t count_steps(lucid_scope *s, const lucid__draft *d)
{
    lucid__draft n = *d;
    int64_t *flags = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *flags);
    lucid_tensor *out = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *out);
    if (!flags || !out || !lucid__inputs_new(s, &n.carry, d->carry.n + 1))
        return -1;
    int64_t lanes = 0;
    for (int k = 0; k < d->carry.n; k++) {
        lucid__inputs_add(&n.carry, d->carry.x[k], d->carry.flags[k]);
        flags[k] = d->out_flags[k];
        lanes |= flags[k] & LUCID__PER_LANE;
    }
    lucid__aval zero = {.dtype = LUCID_INT64};
    if (lanes)
        zero.shape = lucid__shape_insert(&zero.shape, 0, d->lanes);
    lucid__inputs_add(&n.carry, lucid__zeros(s, &zero), lanes);
    flags[n.nout++] = lanes;
    lucid__staged bodies[2] = {d->bodies[0]};
    int count;
    lucid__aval *avals = lucid__ok(s) ? lucid__draft_frame(s, &n, &count) : NULL;
    if (!avals || !lucid__stage(s, capture_counting, (void *)(uintptr_t)d, avals, (size_t)count, -1,
                                &bodies[1]))
        return -1;
    n.bodies = bodies;
    n.out_flags = flags;
    lucid__draft_bind(s, &n, out);
    return largest(s, out[d->nout]);
}

/* ---- its steps -------------------------------------------------------------------------------------- */

typedef struct steps {
    const lucid__draft *d; /* the while loop */
    int64_t chunk;         /* steps of an inner scan */
    lucid__staged step;    /* one of them */
} steps;

static lucid_status capture_same(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const lucid__draft *d = user;
    (void)nx;
    for (int k = 0; k < d->carry.n; k++)
        (void)lucid_results_push(s, out, x[d->consts.n + k]);
    return lucid_error(s);
}

/* A cond over the whole frame: the carry as it is, or the step. */
static lucid_status capture_step(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const lucid__draft *d = ((const steps *)user)->d;
    const lucid__staged *condition = &d->bodies[0];
    lucid_tensor *in = lucid_alloc(s, ((size_t)condition->nin + 1) * sizeof *in);
    lucid_tensor *y = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *y), goes_on;
    int64_t *flags = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *flags);
    lucid__aval *avals = lucid_alloc(s, (nx + 1) * sizeof *avals);
    lucid__draft n = {.prim = LUCID__cond,
                      .lanes = LUCID__NO_LANES,
                      .nbodies = 2,
                      .nout = d->nout,
                      .out_flags = flags};
    if (!in || !y || !flags || !avals || !lucid__inputs_new(s, &n.consts, (int)nx) ||
        !lucid__inputs_new(s, &n.carry, 0) || !lucid__inputs_new(s, &n.xs, 0))
        return lucid_error(s);
    for (int i = 0; i < condition->nin; i++)
        in[i] = x[condition->from[i]];
    lucid__body_apply(s, condition->words, in, &goes_on);
    n.index = lucid_cast(s, goes_on, LUCID_INT64);
    for (size_t i = 0; i < nx; i++) {
        lucid__inputs_add(&n.consts, x[i], 0);
        avals[i] = x[i].v->aval;
    }
    lucid__staged bodies[2] = {[1] = d->bodies[1]};
    if (!lucid__stage(s, capture_same, (void *)(uintptr_t)d, avals, nx, -1, &bodies[0]))
        return lucid_error(s);
    n.bodies = bodies;
    lucid__draft_bind(s, &n, y);
    for (int k = 0; k < d->nout; k++)
        (void)lucid_results_push(s, out, y[k]);
    return lucid_error(s);
}

static lucid_status capture_chunk(lucid_scope *s, void *user, const lucid_tensor *x, size_t nx,
                                  lucid_results *out)
{
    steps *t = user;
    const lucid__draft *d = t->d;
    lucid_tensor *y = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *y);
    int64_t *flags = lucid_alloc(s, ((size_t)d->nout + 1) * sizeof *flags);
    lucid__draft n = {.prim = LUCID__scan,
                      .lanes = LUCID__NO_LANES,
                      .length = t->chunk,
                      .bodies = &t->step,
                      .nbodies = 1,
                      .nout = d->nout,
                      .out_flags = flags};
    (void)nx;
    if (!y || !flags || !lucid__inputs_new(s, &n.consts, d->consts.n) ||
        !lucid__inputs_new(s, &n.carry, d->carry.n) || !lucid__inputs_new(s, &n.xs, 0))
        return lucid_error(s);
    for (int i = 0; i < d->consts.n; i++)
        lucid__inputs_add(&n.consts, x[i], 0);
    for (int k = 0; k < d->carry.n; k++)
        lucid__inputs_add(&n.carry, x[d->consts.n + k], 0);
    lucid__draft_bind(s, &n, y);
    for (int k = 0; k < d->nout; k++)
        (void)lucid_results_push(s, out, y[k]);
    return lucid_error(s);
}

bool lucid__while_as_scan(lucid_scope *s, const lucid__draft *d, lucid__draft *scan)
{
    int64_t length = d->length >= 0 ? d->length : count_steps(s, d);
    int count;
    lucid__aval *avals = length >= 0 ? lucid__draft_frame(s, d, &count) : NULL;
    steps t = {.d = d, .chunk = d->option};
    lucid__staged *body = lucid_alloc(s, sizeof *body);
    if (!avals || !body || !lucid__stage(s, capture_step, &t, avals, (size_t)count, -1, &t.step))
        return false;
    *body = t.step;
    if (t.chunk > 0 && length > t.chunk) {
        if (!lucid__stage(s, capture_chunk, &t, avals, (size_t)count, -1, body))
            return false;
        length = (length + t.chunk - 1) / t.chunk;
    }
    *scan = *d;
    scan->prim = LUCID__scan;
    scan->length = length;
    scan->option = 0;
    scan->bodies = body;
    scan->nbodies = 1;
    return true;
}
