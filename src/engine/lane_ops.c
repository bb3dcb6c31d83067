/* The primitives on cells. Shapes only name cells anew; sums and products are chains, in the order that
 * the same primitive has outside of lane programs. */
#include <string.h>

#include "base/dtype.h"
#include "engine/lane_code.h"
#include "engine/program.h"

/* One operation with its operands at hand. */
typedef struct operands {
    lucid__lane_code *code;
    const lucid__body_op *op;
    const lucid__aval *in[3]; /* of the first inputs */
    const int *x[3];
    const lucid__aval *out;
    int64_t n; /* elements of the output */
    int *y;
} operands;

static int binary(lucid__lane_code *code, lucid__prim_id prim, lucid_dtype dtype, int a, int b)
{
    return lucid__lane_elementwise(code, prim, dtype, dtype, a, b, -1);
}

static int cast(lucid__lane_code *code, int x, lucid_dtype from, lucid_dtype to)
{
    return from == to ? x : lucid__lane_elementwise(code, LUCID__cast, from, to, x, -1, -1);
}

static void unsuitable(lucid__lane_code *code, const char *why)
{
    if (lucid__lane_ok(code))
        code->why_not = why;
}

/* ---- elementwise ------------------------------------------------------------------------------- */

static void elementwise(operands *o)
{
    const lucid__body_op *op = o->op;
    lucid_dtype dtype = o->in[op->nin - 1]->dtype;
    if (op->prim == LUCID__cast && dtype == o->out->dtype) {
        memcpy(o->y, o->x[0], (size_t)o->n * sizeof *o->y);
        return;
    }
    lucid__lane_op e = {.kind = LUCID__LANE_ELEMENTWISE,
                        .prim = (uint16_t)op->prim,
                        .dtype = (uint8_t)dtype,
                        .to = (uint8_t)o->out->dtype,
                        .src = {-1, -1, -1, -1},
                        .imm = op->nparams > 0 ? op->params[0] : 0};
    for (int64_t i = 0; i < o->n; i++) {
        for (int j = 0; j < op->nin; j++)
            e.src[j] = o->x[j][i];
        o->y[i] = lucid__lane_emit(o->code, &e, o->out->dtype);
    }
}

/* ---- shapes ------------------------------------------------------------------------------------- */

/* Element i of the output, in row-major order, is x[start + sum over dims of its index times stride]. */
static void rearrange(operands *o, int64_t start, const int64_t *stride)
{
    const lucid_shape *shape = &o->out->shape;
    int64_t index[LUCID_MAX_NDIM] = {0}, at = start;
    for (int64_t i = 0; i < o->n; i++) {
        o->y[i] = o->x[0][at];
        for (int d = shape->ndim - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < shape->dim[d])
                break;
            at -= stride[d] * shape->dim[d];
            index[d] = 0;
        }
    }
}

static void permute(operands *o)
{
    int64_t in[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM];
    lucid__strides(&o->in[0]->shape, in);
    for (int d = 0; d < o->out->shape.ndim; d++)
        stride[d] = in[o->op->params[d]];
    rearrange(o, 0, stride);
}

static void broadcast(operands *o)
{
    const lucid_shape *from = &o->in[0]->shape, *to = &o->out->shape;
    int64_t in[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM];
    lucid__strides(from, in);
    int lead = to->ndim - from->ndim;
    for (int d = 0; d < to->ndim; d++)
        stride[d] = d < lead || from->dim[d - lead] != to->dim[d] ? 0 : in[d - lead];
    rearrange(o, 0, stride);
}

static void slice(operands *o)
{
    int n = o->in[0]->shape.ndim;
    int64_t in[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM], start = 0;
    lucid__strides(&o->in[0]->shape, in);
    for (int d = 0; d < n; d++) {
        start += o->op->params[d] * in[d];
        stride[d] = o->op->params[2 * n + d] * in[d];
    }
    rearrange(o, start, stride);
}

/* The elements of x, in order, go to places of y that lie `stride` apart. */
static void place(const int *x, const lucid_shape *shape, int *y, int64_t start,
                  const int64_t *stride)
{
    int64_t index[LUCID_MAX_NDIM] = {0}, n = lucid__numel(shape), at = start;
    for (int64_t i = 0; i < n; i++) {
        y[at] = x[i];
        for (int d = shape->ndim - 1; d >= 0; d--) {
            at += stride[d];
            if (++index[d] < shape->dim[d])
                break;
            at -= stride[d] * shape->dim[d];
            index[d] = 0;
        }
    }
}

static void pad(operands *o)
{
    const lucid_shape *from = &o->in[0]->shape;
    int64_t out[LUCID_MAX_NDIM], stride[LUCID_MAX_NDIM], start = 0;
    lucid__strides(&o->out->shape, out);
    int zero = o->n > 0 ? lucid__lane_number(o->code, o->out->dtype, 0) : 0;
    for (int64_t i = 0; i < o->n; i++)
        o->y[i] = zero;
    for (int d = 0; d < from->ndim; d++) {
        start += o->op->params[d] * out[d];
        stride[d] = (o->op->params[2 * from->ndim + d] + 1) * out[d];
    }
    place(o->x[0], from, o->y, start, stride);
}

static void concatenate(operands *o, const lucid__body *body, int *const *values)
{
    int64_t stride[LUCID_MAX_NDIM], dim = o->op->params[0], start = 0;
    lucid__strides(&o->out->shape, stride);
    for (int i = 0; i < o->op->nin; i++) {
        const lucid_shape *part = &body->avals[o->op->in[i]].shape;
        place(values[o->op->in[i]], part, o->y, start, stride);
        start += part->dim[dim] * stride[dim];
    }
}

static void iota(operands *o)
{
    const lucid_shape *shape = &o->out->shape;
    int64_t inner = 1, dim = o->op->params[1];
    for (int d = (int)dim + 1; d < shape->ndim; d++)
        inner = lucid__times(inner, shape->dim[d]);
    for (int64_t i = 0; i < o->n; i++)
        o->y[i] = lucid__lane_number(o->code, o->out->dtype, (double)(i / inner % shape->dim[dim]));
}

static void basis(operands *o)
{
    int64_t n = o->op->params[1];
    for (int64_t i = 0; i < o->n; i++)
        o->y[i] = lucid__lane_number(o->code, o->out->dtype, i / n == i % n);
}

/* ---- reductions --------------------------------------------------------------------------------- */

/* What n > 0 blocks make, whose cells it overwrites: the tree of program.h. */
static int tree(lucid__lane_code *code, lucid__prim_id op, lucid_dtype dtype, int *x, int64_t n)
{
    for (; n > 1; n -= n / 2) {
        for (int64_t i = 0; i < n / 2; i++)
            x[i] = binary(code, op, dtype, x[2 * i], x[2 * i + 1]);
        if (n % 2)
            x[n / 2] = x[n - 1];
    }
    return x[0];
}

/* n cells, which it overwrites, in the order of program.h. */
static int fold(lucid__lane_code *code, lucid__prim_id prim, lucid_dtype dtype, int *x, int64_t n)
{
    lucid__prim_id op = lucid__fold_combine(prim);
    if (n == 0)
        return lucid__lane_number(code, dtype, prim == LUCID__prod || prim == LUCID__all);
    int64_t blocks = 0;
    for (int64_t at = 0; at < n; at += LUCID__FOLD_BLOCK) {
        int64_t size = n - at < LUCID__FOLD_BLOCK ? n - at : LUCID__FOLD_BLOCK;
        int64_t lanes = size < LUCID__FOLD_LANES ? size : LUCID__FOLD_LANES;
        int *acc = x + at;
        for (int64_t i = lanes; i < size; i++)
            acc[i % lanes] = binary(code, op, dtype, acc[i % lanes], acc[i]);
        for (int64_t half = LUCID__FOLD_LANES / 2; half > 0; half /= 2)
            for (int64_t j = 0; j < half && j + half < lanes; j++)
                acc[j] = binary(code, op, dtype, acc[j], acc[j + half]);
        x[blocks++] = acc[0];
    }
    return tree(code, op, dtype, x, blocks);
}

/* Splits the dims of a shape into those of the output and the others; strides of both in the input. */
typedef struct split {
    lucid_shape kept, reduced;
    int64_t kept_stride[LUCID_MAX_NDIM], reduced_stride[LUCID_MAX_NDIM];
} split;

static split split_dims(const lucid_shape *shape, const int64_t *dims, int n)
{
    split p = {.kept.ndim = 0};
    int64_t stride[LUCID_MAX_NDIM];
    lucid__strides(shape, stride);
    for (int d = 0, r = 0; d < shape->ndim; d++) {
        bool reduced = r < n && dims[r] == d;
        r += reduced;
        lucid_shape *to = reduced ? &p.reduced : &p.kept;
        (reduced ? p.reduced_stride : p.kept_stride)[to->ndim] = stride[d];
        to->dim[to->ndim++] = shape->dim[d];
    }
    return p;
}

/* The offset of element i, in row-major order. */
static int64_t offset_of(const lucid_shape *shape, const int64_t *stride, int64_t i)
{
    int64_t at = 0;
    for (int d = shape->ndim - 1; d >= 0; d--) {
        at += i % shape->dim[d] * stride[d];
        i /= shape->dim[d];
    }
    return at;
}

static void reduction(operands *o)
{
    split p = split_dims(&o->in[0]->shape, o->op->params, o->op->nparams);
    int64_t n = lucid__numel(&p.reduced);
    int *row = lucid__lane_alloc(o->code, (size_t)n, sizeof *row);
    for (int64_t i = 0; row && i < o->n; i++) {
        int64_t at = offset_of(&p.kept, p.kept_stride, i);
        for (int64_t k = 0; k < n; k++)
            row[k] = o->x[0][at + offset_of(&p.reduced, p.reduced_stride, k)];
        o->y[i] = fold(o->code, o->op->prim, o->out->dtype, row, n);
    }
}

/* The first extreme, or the first NaN. */
static int arg(lucid__lane_code *code, bool largest, lucid_dtype dtype, const int *x, int64_t n)
{
    int best = x[0], position = lucid__lane_number(code, LUCID_INT64, 0);
    for (int64_t k = 1; k < n; k++) {
        int better = lucid__lane_elementwise(code, largest ? LUCID__gt : LUCID__lt, dtype,
                                             LUCID_BOOL, x[k], best, -1);
        if (lucid__is_float(dtype)) {
            int nan = lucid__lane_elementwise(code, LUCID__ne, dtype, LUCID_BOOL, x[k], x[k], -1);
            int none = lucid__lane_elementwise(code, LUCID__eq, dtype, LUCID_BOOL, best, best, -1);
            nan = binary(code, LUCID__logical_and, LUCID_BOOL, nan, none);
            better = binary(code, LUCID__logical_or, LUCID_BOOL, better, nan);
        }
        best = lucid__lane_elementwise(code, LUCID__where, dtype, dtype, better, x[k], best);
        int at = lucid__lane_number(code, LUCID_INT64, (double)k);
        position = lucid__lane_elementwise(code, LUCID__where, LUCID_INT64, LUCID_INT64, better, at,
                                           position);
    }
    return position;
}

/* One row of a dim at a time. */
static void rows(operands *o)
{
    split p = split_dims(&o->in[0]->shape, o->op->params, 1);
    lucid_dtype dtype = o->in[0]->dtype;
    lucid__prim_id prim = o->op->prim;
    int64_t n = p.reduced.dim[0], step = p.reduced_stride[0], nrows = lucid__numel(&p.kept);
    int *row = lucid__lane_alloc(o->code, (size_t)n, sizeof *row);
    for (int64_t i = 0; row && i < nrows && n > 0 && lucid__lane_ok(o->code); i++) {
        int64_t at = offset_of(&p.kept, p.kept_stride, i);
        for (int64_t k = 0; k < n; k++)
            row[k] = o->x[0][at + k * step];
        if (prim == LUCID__argmax || prim == LUCID__argmin) {
            o->y[i] = arg(o->code, prim == LUCID__argmax, dtype, row, n);
            continue;
        }
        /* float32 adds up in double, and begins with 0 or 1: so do cumsum and cumprod elsewhere */
        lucid_dtype wide = dtype == LUCID_FLOAT32 ? LUCID_FLOAT64 : dtype;
        bool sum = prim == LUCID__cumsum;
        int so_far = lucid__lane_number(o->code, wide, !sum);
        for (int64_t k = 0; k < n; k++) {
            int64_t j = o->op->params[1] ? n - 1 - k : k;
            so_far = binary(o->code, sum ? LUCID__add : LUCID__mul, wide, so_far,
                            cast(o->code, row[j], dtype, wide));
            o->y[at + j * step] = cast(o->code, so_far, wide, dtype);
        }
    }
}

/* ---- contract ------------------------------------------------------------------------------------- */

static bool contains(const int64_t *dims, int64_t n, int64_t dim)
{
    for (int64_t i = 0; i < n; i++)
        if (dims[i] == dim)
            return true;
    return false;
}

/* The sum of products, over the summed dims as x has them. */
static void contract(operands *o)
{
    const int64_t *params = o->op->params;
    const lucid_shape *x = &o->in[0]->shape, *y = &o->in[1]->shape, *shape = &o->out->shape;
    int64_t nb = params[0], nc = params[1], sx[LUCID_MAX_NDIM], sy[LUCID_MAX_NDIM];
    const int64_t *xb = params + 2, *yb = xb + nb, *xc = yb + nb, *yc = xc + nc;
    int64_t out_x[LUCID_MAX_NDIM] = {0}, out_y[LUCID_MAX_NDIM] = {0};
    int64_t sum_x[LUCID_MAX_NDIM], sum_y[LUCID_MAX_NDIM];
    lucid_shape summed = {.ndim = 0};
    lucid_dtype dtype = o->out->dtype;
    if (dtype == LUCID_BOOL) {
        unsuitable(o->code, "a product of bools");
        return;
    }
    lucid__strides(x, sx);
    lucid__strides(y, sy);
    int d = 0;
    for (; d < nb; d++) {
        out_x[d] = sx[xb[d]];
        out_y[d] = sy[yb[d]];
    }
    for (int i = 0; i < x->ndim; i++)
        if (!contains(xb, nb, i) && !contains(xc, nc, i))
            out_x[d++] = sx[i];
    for (int i = 0; i < y->ndim; i++)
        if (!contains(yb, nb, i) && !contains(yc, nc, i))
            out_y[d++] = sy[i];
    for (int i = 0; i < x->ndim; i++)
        for (int64_t k = 0; k < nc; k++)
            if (xc[k] == i) {
                sum_x[summed.ndim] = sx[i];
                sum_y[summed.ndim] = sy[yc[k]];
                summed.dim[summed.ndim++] = x->dim[i];
            }
    int64_t terms = lucid__numel(&summed);
    int *block =
        lucid__lane_alloc(o->code, (size_t)(terms / LUCID__PRODUCT_BLOCK + 1), sizeof *block);
    for (int64_t i = 0; block && i < o->n && lucid__lane_ok(o->code); i++) {
        int64_t ax = offset_of(shape, out_x, i), ay = offset_of(shape, out_y, i), blocks = 0;
        int total = lucid__lane_number(o->code, dtype, 0);
        for (int64_t k = 0; k < terms; k++) {
            if (k > 0 && k % LUCID__PRODUCT_BLOCK == 0) {
                block[blocks++] = total;
                total = lucid__lane_number(o->code, dtype, 0);
            }
            int a = o->x[0][ax + offset_of(&summed, sum_x, k)];
            int b = o->x[1][ay + offset_of(&summed, sum_y, k)];
            const lucid__lane_op one = {.kind = LUCID__LANE_PRODUCTS,
                                        .dtype = (uint8_t)dtype,
                                        .to = (uint8_t)dtype,
                                        .src = {total, b, a, -1}};
            total = lucid__is_float(dtype) ? lucid__lane_emit(o->code, &one, dtype)
                                           : binary(o->code, LUCID__add, dtype, total,
                                                    binary(o->code, LUCID__mul, dtype, a, b));
        }
        block[blocks++] = total;
        o->y[i] = tree(o->code, LUCID__add, dtype, block, blocks);
    }
}

/* ---- what depends on data ------------------------------------------------------------------------- */

static void random_bits(operands *o)
{
    int64_t streams = lucid__numel(&o->in[0]->shape), words = streams > 0 ? o->n / streams : 0;
    for (int64_t l = 0; l < streams; l++)
        for (int64_t e = 0; e < words; e++) {
            lucid__lane_op philox = {.kind = LUCID__LANE_PHILOX,
                                     .dtype = LUCID__LANE_WORDS,
                                     .to = LUCID__LANE_WORDS,
                                     .src = {o->x[0][l], o->x[1][l], o->x[2][l], -1},
                                     .imm = e / 4};
            int block = lucid__lane_emit(o->code, &philox, (lucid_dtype)LUCID__LANE_WORDS);
            lucid__lane_op word = {.kind = LUCID__LANE_WORD,
                                   .dtype = LUCID_INT32,
                                   .to = LUCID_INT32,
                                   .src = {block, -1, -1, -1},
                                   .imm = e % 4};
            o->y[l * words + e] = lucid__lane_emit(o->code, &word, LUCID_INT32);
        }
}

/* Stays where it is: in a branch that is not taken an index may be anything. */
static int pick(operands *o, const lucid__lane_table *table, const int *index)
{
    lucid__lane_op op = {.kind = LUCID__LANE_PICK,
                         .dtype = (uint8_t)o->out->dtype,
                         .to = (uint8_t)o->out->dtype,
                         .src = {-1, -1, -1, -1},
                         .table = table,
                         .effect = true};
    for (int d = 0; d < table->ndim; d++)
        op.src[d] = index[d];
    op.imm = o->code->ntables++;
    op.dst = lucid__lane_cell_new(o->code, o->out->dtype, o->code->block);
    lucid__lane_op *p = lucid__lane_append(o->code, &op);
    if (p)
        o->code->cells[op.dst].def = p;
    return op.dst;
}

/* Of the elements of x that an index chooses between, those at batch b and rest r. */
static const lucid__lane_table *table_of(operands *o, int64_t b, int64_t r, int64_t rest, int m)
{
    const lucid_shape *shape = &o->in[0]->shape;
    int nb = (int)o->op->params[0];
    lucid__lane_table *t = lucid__lane_alloc(o->code, 1, sizeof *t);
    if (!t)
        return NULL;
    t->ndim = m;
    t->shown_dim = o->op->nparams > 1 ? (int)o->op->params[1] : 0;
    memcpy(t->dim, shape->dim + nb, (size_t)m * sizeof *t->dim);
    int64_t n = lucid__lane_table_size(t);
    int *cells = lucid__lane_alloc(o->code, (size_t)n, sizeof *cells);
    for (int64_t i = 0; cells && i < n; i++)
        cells[i] = o->x[0][(b * n + i) * rest + r];
    t->regs = cells;
    return cells ? t : NULL;
}

/* gather(x, i1 .. im), see prim/indexing_prims.c */
static void gather(operands *o, const lucid__body *body, int *const *values)
{
    int m = o->op->nin - 1, nb = (int)o->op->params[0];
    const lucid_shape *x = &o->in[0]->shape, *index = &o->in[1]->shape;
    if (m > LUCID__LANE_SOURCES) {
        unsuitable(o->code, "gather along many dims");
        return;
    }
    int64_t batches = 1, rest = 1, positions = lucid__numel(index);
    for (int d = 0; d < nb; d++)
        batches = lucid__times(batches, index->dim[d]);
    for (int d = nb + m; d < x->ndim; d++)
        rest = lucid__times(rest, x->dim[d]);
    int64_t each = positions > batches ? positions / batches : 1;
    for (int64_t k = 0; k < positions && lucid__lane_ok(o->code); k++) {
        int at[LUCID__LANE_SOURCES];
        for (int j = 0; j < m; j++)
            at[j] = cast(o->code, values[o->op->in[1 + j]][k], body->avals[o->op->in[1 + j]].dtype,
                         LUCID_INT64);
        for (int64_t r = 0; r < rest && lucid__lane_ok(o->code); r++) {
            const lucid__lane_table *t = table_of(o, k / each, r, rest, m);
            o->y[k * rest + r] = t ? pick(o, t, at) : 0;
        }
    }
}

/* The index counted from the front. */
static int from_front(lucid__lane_code *code, int index, int64_t size)
{
    int zero = lucid__lane_number(code, LUCID_INT64, 0);
    int all = lucid__lane_number(code, LUCID_INT64, (double)size);
    int back = lucid__lane_elementwise(code, LUCID__lt, LUCID_INT64, LUCID_BOOL, index, zero, -1);
    return lucid__lane_elementwise(code, LUCID__where, LUCID_INT64, LUCID_INT64, back,
                                   binary(code, LUCID__add, LUCID_INT64, index, all), index);
}

/* Whether the indices, counted from the front, point to place i of the table. */
static int points_to(lucid__lane_code *code, const lucid__lane_table *t, const int *index,
                     int64_t i)
{
    int all = -1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        int here = lucid__lane_number(code, LUCID_INT64, (double)(i % t->dim[d]));
        int equal =
            lucid__lane_elementwise(code, LUCID__eq, LUCID_INT64, LUCID_BOOL, index[d], here, -1);
        all = all < 0 ? equal : binary(code, LUCID__logical_and, LUCID_BOOL, all, equal);
        i /= t->dim[d];
    }
    return all;
}

/* scatter and scatter_add(y, v, i1 .. im): every place is asked, position by position, whether it is meant. */
static void scatter(operands *o, const lucid__body *body, int *const *values)
{
    int m = o->op->nin - 2, nb = (int)o->op->params[0];
    const lucid_shape *y = &o->in[0]->shape, *index = &body->avals[o->op->in[2]].shape;
    if (m > LUCID__LANE_SOURCES) {
        unsuitable(o->code, "scatter along many dims");
        return;
    }
    memcpy(o->y, o->x[0], (size_t)o->n * sizeof *o->y);
    int64_t batches = 1, rest = 1, positions = lucid__numel(index);
    for (int d = 0; d < nb; d++)
        batches = lucid__times(batches, index->dim[d]);
    for (int d = nb + m; d < y->ndim; d++)
        rest = lucid__times(rest, y->dim[d]);
    int64_t each = positions > batches ? positions / batches : 1;
    lucid_dtype dtype = o->out->dtype;
    for (int64_t k = 0; k < positions && rest > 0 && lucid__lane_ok(o->code); k++) {
        int at[LUCID__LANE_SOURCES];
        const lucid__lane_table *t = table_of(o, k / each, 0, rest, m);
        for (int j = 0; t && j < m; j++)
            at[j] = cast(o->code, values[o->op->in[2 + j]][k], body->avals[o->op->in[2 + j]].dtype,
                         LUCID_INT64);
        if (!t)
            return;
        (void)pick(o, t, at); /* for its check */
        for (int j = 0; j < m; j++)
            at[j] = from_front(o->code, at[j], t->dim[j]);
        int64_t places = lucid__lane_table_size(t);
        for (int64_t i = 0; i < places && lucid__lane_ok(o->code); i++) {
            int meant = points_to(o->code, t, at, i);
            for (int64_t r = 0; r < rest; r++) {
                int *to = &o->y[(k / each * places + i) * rest + r], v = o->x[1][k * rest + r];
                if (o->op->prim == LUCID__scatter_add)
                    v = binary(o->code, LUCID__add, dtype, *to, v);
                *to = lucid__lane_elementwise(o->code, LUCID__where, dtype, dtype, meant, v, *to);
            }
        }
    }
}

/* ---- all ------------------------------------------------------------------------------------------ */

void lucid__lane_apply(lucid__lane_code *code, const lucid__body *body, const lucid__body_op *op,
                       int **values)
{
    operands o = {.code = code, .op = op};
    const lucid__prim *prim = lucid__prim_get(op->prim);
    if (op->prim == LUCID__custom) {
        lucid__lane_custom_op(code, op, values);
        return;
    }
    if (prim->family == LUCID__CONTROL) {
        lucid__lane_control_op(code, body, op, values);
        return;
    }
    for (int i = 0; i < 3; i++) { /* what is not there is not looked at */
        int64_t value = i < op->nin ? op->in[i] : op->first_out;
        o.in[i] = &body->avals[value];
        o.x[i] = values[value];
    }
    o.out = &body->avals[op->first_out];
    o.n = lucid__numel(&o.out->shape);
    o.y = values[op->first_out];
    switch (op->prim) {
    case LUCID__reshape:
    case LUCID__detach:
    case LUCID__tie_guard:
        memcpy(o.y, o.x[0], (size_t)o.n * sizeof *o.y);
        return;
    case LUCID__permute:
        permute(&o);
        return;
    case LUCID__broadcast:
        broadcast(&o);
        return;
    case LUCID__slice:
        slice(&o);
        return;
    case LUCID__pad:
        pad(&o);
        return;
    case LUCID__concatenate:
        concatenate(&o, body, values);
        return;
    case LUCID__constant: /* of a sketch: one number everywhere */
        for (int64_t i = 0; i < o.n; i++)
            o.y[i] = lucid__lane_number(code, o.out->dtype, (double)op->params[0]);
        return;
    case LUCID__iota:
        iota(&o);
        return;
    case LUCID__basis:
        basis(&o);
        return;
    case LUCID__argmax:
    case LUCID__argmin:
    case LUCID__cumsum:
    case LUCID__cumprod:
        rows(&o);
        return;
    case LUCID__contract:
        contract(&o);
        return;
    case LUCID__random_bits:
        random_bits(&o);
        return;
    case LUCID__gather:
        gather(&o, body, values);
        return;
    case LUCID__scatter:
    case LUCID__scatter_add:
        scatter(&o, body, values);
        return;
    default:
        break;
    }
    if (prim->family == LUCID__ELEMENTWISE)
        elementwise(&o);
    else if (prim->family == LUCID__REDUCTION)
        reduction(&o);
    else if (prim->family == LUCID__LINALG && op->prim != LUCID__pinv &&
             op->prim != LUCID__det_border)
        lucid__lane_matrix_op(code, body, op, values);
    else
        unsuitable(code, prim->name);
}
