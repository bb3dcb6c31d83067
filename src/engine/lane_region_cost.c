#include "engine/lane_region_cost.h"

#include "base/dtype.h"
#include "prim/prim.h"

enum { MOST_PICKED = 64 }; /* elements that an index chooses among */

static int64_t times(int64_t a, int64_t b)
{
    int64_t n;
    return __builtin_mul_overflow(a, b, &n) ? INT64_MAX / 4 : n;
}

static int64_t input_elements(const lucid__sketch *sk, const lucid__op *op, int i)
{
    return lucid__numel(&lucid__sketch_aval(sk, op->in[i])->shape);
}

static int64_t terms_of(const lucid__sketch *sk, const lucid__op *op)
{
    const lucid_shape *x = &lucid__sketch_aval(sk, op->in[0])->shape;
    int64_t n = 1;
    for (int64_t i = 0; i < op->params[1]; i++)
        n = times(n, x->dim[op->params[2 + 2 * op->params[0] + i]]);
    return n;
}

static int64_t picked_from(const lucid__sketch *sk, const lucid__op *op)
{
    const lucid_shape *x = &lucid__sketch_aval(sk, op->in[0])->shape;
    int64_t n = 1;
    for (int d = (int)op->params[0]; d < op->params[0] + op->nin - 1; d++)
        n = times(n, x->dim[d]);
    return n;
}

int64_t lucid__lane_region_cells(const lucid__sketch *sk, const lucid__op *op)
{
    const int64_t out = lucid__numel(&op->out[0].shape);
    const lucid__prim_id prim = (lucid__prim_id)op->prim;
    switch (prim) {
    case LUCID__constant:
    case LUCID__iota:
    case LUCID__basis:
    case LUCID__detach:
    case LUCID__tie_guard:
    case LUCID__reshape:
    case LUCID__permute:
    case LUCID__broadcast:
    case LUCID__slice:
    case LUCID__pad:
    case LUCID__concatenate:
        return 0;
    case LUCID__cumsum:
    case LUCID__cumprod:
        return times(out, 3);
    case LUCID__argmax:
    case LUCID__argmin:
        return times(input_elements(sk, op, 0), 4);
    case LUCID__contract:
        return op->out[0].dtype == LUCID_BOOL ? -1 : times(out, terms_of(sk, op));
    case LUCID__gather:
        return op->nin > 3 || picked_from(sk, op) > MOST_PICKED ? -1 : times(out, 2);
    case LUCID__pinv:
    case LUCID__det_border:
        return -1;
    default:
        break;
    }
    switch (lucid__prim_get(prim)->family) {
    case LUCID__ELEMENTWISE:
        return out;
    case LUCID__REDUCTION:
        return input_elements(sk, op, 0);
    case LUCID__LINALG: {
        const lucid_shape *a = &lucid__sketch_aval(sk, op->in[0])->shape;
        bool large = a->dim[a->ndim - 1] > 32 || a->dim[a->ndim - 2] > 32;
        return large ? -1 : times(input_elements(sk, op, 0), 2);
    }
    default:
        return -1;
    }
}

/* ---- seconds ------------------------------------------------------------------------------------------ */

/* Nanoseconds, with one thread, measured on one machine (AVX-512) with float32 in the caches; twice as much for
 * eight bytes. Only what differs between both ways counts: arithmetic on long rows costs the same. */
static const double STEP = 700;     /* a step of the plan */
static const double TOUCH = 0.11;   /* an element that a step reads or writes */
static const double NARROW = 0.4;   /* one of a short row that is moved, repeated or summed */
static const double PRODUCT = 0.03; /* of matrices of their own */
static const double DOT = 0.35;     /* of a matrix and a vector of their own */
static const double SHARED = 0.012; /* of a matrix that all examples share */
static const double RESULT = 0.3;   /* an element of a product */
static const double FACTOR = 0.35;  /* an element of a matrix that is factored or solved with */
static const double TURN = 3;       /* such a matrix between memory and lanes */
static const double BEGIN = 2500;   /* a lane program */
static const double DISPATCH = 15;  /* an instruction on a tile */
static const double MOVE = 0.3;     /* an element into a lane, or out */
static const double ONE = 0.05;     /* an instruction on a lane */
static const double TERM = 0.06;    /* a product of a sum */
static const double PICK = 3;       /* an element by its index */

enum { CACHE = 32 << 10, LEAST_TILE = 64, MOST_TILE = 512 };

typedef struct estimate {
    const lucid__lane_region *region;
    const lucid__body *body;
    bool *varies;   /* a value: from example to example */
    bool *in_steps; /* a value is in memory when each operation is a step, or several */
    bool *read;     /* from there, by a program */
    double apart, together, instrs, registers;
    int kernels;
} estimate;

/* Elements, in units of four bytes, of one example; 0: the same for all. */
static double size_of(const estimate *e, int64_t value)
{
    const lucid__aval *aval = &e->body->avals[value];
    return e->varies[value]
               ? (double)lucid__numel(&aval->shape) * (double)lucid_dtype_size(aval->dtype) / 4
               : 0;
}

/* The value must be in memory for its reader. */
static void touch(estimate *e, int64_t value)
{
    if (!e->in_steps[value])
        e->apart += TOUCH * size_of(e, value); /* written */
    e->in_steps[value] = true;
    e->apart += TOUCH * size_of(e, value);
}

static void contract_cost(estimate *e, const lucid__body_op *op)
{
    const lucid_shape *x = &e->body->avals[op->in[0]].shape;
    double made = size_of(e, op->first_out), terms = 1;
    for (int64_t i = 0; i < op->params[1]; i++)
        terms *= (double)x->dim[op->params[2 + 2 * op->params[0] + i]];
    bool shared = !e->varies[op->in[0]] || !e->varies[op->in[1]];
    const double x_size = (double)lucid__numel(x) / (terms > 0 ? terms : 1);
    const double y_size =
        (double)lucid__numel(&e->body->avals[op->in[1]].shape) / (terms > 0 ? terms : 1);
    bool vector = x_size <= 1 || y_size <= 1;
    e->apart += made * RESULT + made * terms *
                                    (shared                ? SHARED
                                     : vector && terms > 4 ? DOT
                                                           : PRODUCT);
    e->together += made * terms * TERM;
    e->instrs += (double)lucid__numel(&e->body->avals[op->first_out].shape);
}

static void op_cost(estimate *e, const lucid__body_op *op)
{
    double made = size_of(e, op->first_out), read = 0;
    const lucid_shape *out = &e->body->avals[op->first_out].shape;
    bool kernel = false;
    for (int i = 0; i < op->nin; i++)
        read += size_of(e, op->in[i]);
    switch (lucid__prim_get(op->prim)->family) {
    case LUCID__SHAPE:
        e->in_steps[op->first_out] = e->in_steps[op->in[0]];
        e->read[op->first_out] = e->read[op->in[0]];
        if (op->prim == LUCID__reshape || op->prim == LUCID__permute || op->prim == LUCID__detach ||
            op->prim == LUCID__tie_guard || lucid__numel(out) <= 1)
            return;
        e->apart += NARROW * made;
        kernel = op->prim == LUCID__pad || op->prim == LUCID__concatenate;
        e->kernels -= kernel; /* programs */
        break;
    case LUCID__REDUCTION:
        e->apart += op->nparams > 0 ? NARROW * read : 0;
        e->together += ONE * read;
        e->instrs += (double)lucid__numel(&e->body->avals[op->in[0]].shape);
        kernel = op->prim == LUCID__argmax || op->prim == LUCID__argmin;
        break;
    case LUCID__CONTRACTION:
        contract_cost(e, op);
        kernel = true;
        break;
    case LUCID__INDEXING: {
        bool by_lane = false;
        for (int i = 1; i < op->nin; i++)
            by_lane |= e->varies[op->in[i]];
        e->apart += NARROW * made;
        e->together += (by_lane ? PICK : 2 * ONE) * made;
        e->instrs += (double)lucid__numel(out);
        break;
    }
    case LUCID__CUMULATIVE:
        e->together += 3 * ONE * made;
        e->instrs += 3 * (double)lucid__numel(out);
        kernel = true;
        break;
    case LUCID__LINALG:
        e->together += TOUCH * (read + made) + FACTOR * size_of(e, op->in[0]);
        e->apart += (e->varies[op->in[0]] ? TURN : 0) + FACTOR * size_of(e, op->in[0]);
        e->instrs += 1;
        kernel = true;
        break;
    case LUCID__ELEMENTWISE:
        e->together += ONE * made;
        e->instrs += made > 0 ? (double)lucid__numel(out) : 0;
        break;
    default:
        break;
    }
    for (int i = 0; i < op->nin && !kernel; i++)
        if (e->in_steps[op->in[i]] && !e->read[op->in[i]]) { /* by a program, which reads it once */
            e->apart += TOUCH * size_of(e, op->in[i]);
            e->read[op->in[i]] = true;
        }
    if (!kernel)
        return;
    e->kernels++;
    for (int i = 0; i < op->nin; i++)
        touch(e, op->in[i]);
    for (int k = 0; k < op->nout; k++)
        e->in_steps[op->first_out + k] = true;
    e->apart += TOUCH * made;
}

bool lucid__lane_region_estimate(lucid__arena *arena, lucid__lane_region *region)
{
    const lucid__body *body = &region->body;
    const double lanes = (double)region->lanes;
    estimate e = {.region = region, .body = body};
    e.varies = lucid__arena_alloc(arena, (size_t)body->nvalues + 1);
    e.in_steps = lucid__arena_alloc(arena, (size_t)body->nvalues + 1);
    e.read = lucid__arena_alloc(arena, (size_t)body->nvalues + 1);
    if (!e.varies || !e.in_steps || !e.read)
        return false;
    for (int i = 0; i < body->nin; i++) {
        e.varies[i] = region->in[i].dim >= 0;
        e.in_steps[i] = true;
        e.together += MOVE * size_of(&e, i);
        e.registers += size_of(&e, i);
    }
    for (int i = 0; i < body->nops; i++) {
        const lucid__body_op *op = &region->body_ops[i];
        for (int j = 0; j < op->nin; j++)
            for (int k = 0; k < op->nout; k++)
                e.varies[op->first_out + k] |= e.varies[op->in[j]];
        op_cost(&e, op);
    }
    for (int k = 0; k < body->nout; k++) {
        e.apart += TOUCH * size_of(&e, body->out[k]);
        e.together += MOVE * size_of(&e, body->out[k]);
        e.registers += size_of(&e, body->out[k]);
    }
    double tile = CACHE / (4 * e.registers + 1);
    tile = tile < LEAST_TILE ? LEAST_TILE : tile > MOST_TILE ? MOST_TILE : tile;
    tile = tile < lanes ? tile : lanes;
    region->kernels = e.kernels;
    region->apart = 1e-9 * (STEP * (e.kernels + 1) + lanes * e.apart);
    region->together = 1e-9 * (BEGIN + lanes * (e.together + DISPATCH * e.instrs / tile));
    return true;
}
