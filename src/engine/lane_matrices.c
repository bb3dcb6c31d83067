/* Factorisations and solutions in lane programs: one instruction for the matrix of each lane. */
#include "base/dtype.h"
#include "engine/lane_code.h"

/* Larger ones are worked on by halves, or by LAPACK, outside of lane programs. */
enum { MOST_ROWS = 32 };

/* The instruction for one matrix; its results go to[k][0 .. size[k] - 1]. */
static void one_matrix(lucid__lane_code *code, const lucid__lane_matrix *like, const int *a,
                       const int *b, const lucid_dtype *dtype, int *const *to)
{
    lucid__lane_matrix *x = lucid__lane_alloc(code, 1, sizeof *x);
    lucid__lane_op *op = NULL;
    if (x) {
        *x = *like;
        x->a = a;
        x->b = b;
        op = lucid__lane_append_matrix(code, x);
    }
    for (int k = 0; op && k < x->nout; k++) {
        for (int64_t i = 0; i < x->size[k] && lucid__lane_ok(code); i++) {
            to[k][i] = lucid__lane_cell_new(code, dtype[k], op->block);
            code->cells[to[k][i]].def = op;
        }
        x->out[k] = to[k];
    }
}

/* The determinant of each matrix: the sign of the exchanges times the pivots, one after the other. */
static void determinant(lucid__lane_code *code, lucid_dtype dtype, int64_t n, const int *a, int *to)
{
    const lucid__lane_matrix lu = {
        .prim = LUCID__lu, .m = n, .n = n, .nout = 3, .size = {n * n, n, 1}};
    const lucid_dtype dtypes[3] = {dtype, LUCID_INT64, dtype};
    int *cells = lucid__lane_alloc(code, (size_t)(n * n + n + 1), sizeof *cells);
    if (!cells)
        return;
    int *const out[3] = {cells, cells + n * n, cells + n * n + n};
    one_matrix(code, &lu, a, NULL, dtypes, out);
    int y = out[2][0];
    for (int64_t i = 0; i < n && lucid__lane_ok(code); i++)
        y = lucid__lane_elementwise(code, LUCID__mul, dtype, dtype, y, cells[i * n + i], -1);
    *to = y;
}

void lucid__lane_matrix_op(lucid__lane_code *code, const lucid__body *body,
                           const lucid__body_op *op, int **values)
{
    const lucid_shape *a = &body->avals[op->in[0]].shape;
    int64_t batch = 1;
    lucid_dtype dtype[4];
    int *to[4];
    lucid__lane_matrix x = {
        .prim = op->prim, .m = a->dim[a->ndim - 2], .n = a->dim[a->ndim - 1], .nout = op->nout};
    if (op->prim == LUCID__triangular_solve) {
        x.upper = op->params[0] != 0;
        x.transpose = op->params[1] != 0;
        x.unit = op->params[2] != 0;
    }
    if (op->prim == LUCID__eigh_apart || op->prim == LUCID__svd_apart)
        x.order = (int)op->params[0];
    for (int d = 0; d < a->ndim - 2; d++)
        batch = lucid__times(batch, a->dim[d]);
    if (op->nin > 1)
        x.k = body->avals[op->in[1]].shape.dim[a->ndim - 1];
    if (x.m > MOST_ROWS || x.n > MOST_ROWS) {
        if (lucid__lane_ok(code))
            code->why_not = "a large matrix";
        return;
    }
    for (int k = 0; k < op->nout; k++) {
        const lucid__aval *out = &body->avals[op->first_out + k];
        dtype[k] = out->dtype;
        x.size[k] = batch > 0 ? lucid__numel(&out->shape) / batch : 0;
    }
    for (int64_t e = 0; e < batch && lucid__lane_ok(code); e++) {
        for (int k = 0; k < op->nout; k++)
            to[k] = values[op->first_out + k] + e * x.size[k];
        if (op->prim == LUCID__det && x.n == 0)
            to[0][0] = lucid__lane_number(code, dtype[0], 1);
        else if (op->prim == LUCID__det)
            determinant(code, dtype[0], x.n, values[op->in[0]] + e * x.n * x.n, to[0]);
        else if (x.m * x.n > 0)
            one_matrix(code, &x, values[op->in[0]] + e * x.m * x.n,
                       op->nin > 1 ? values[op->in[1]] + e * x.n * x.k : NULL, dtype, to);
        else if (op->prim == LUCID__lu) /* the sign of no exchanges */
            to[2][0] = lucid__lane_number(code, dtype[2], 1);
    }
}
