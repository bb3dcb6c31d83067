/* matmul, dot, outer, tensordot, trace, linear. */
#include "ops/products.h"

#include <string.h>

enum { MAX = LUCID_MAX_NDIM };
#define EMPTY ((lucid_tensor){NULL})

bool lucid__product_dtypes(lucid_scope *s, const char *name, lucid_tensor *xs, size_t n)
{
    if (!lucid__check_all(s, name, xs, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (xs[i].v->aval.dtype == LUCID_BOOL) {
            (void)lucid_fail(s, LUCID_TYPE_ERROR,
                             "%s: operand %zu is bool, expected integers or floats (see cast)",
                             name, i);
            return false;
        }
    return lucid__promote(s, name, xs, n);
}

lucid_tensor lucid__contract(lucid_scope *s, lucid_tensor x, lucid_tensor y,
                             const lucid__dim_list batch[2], const lucid__dim_list summed[2])
{
    int64_t params[2 + 4 * MAX] = {batch[0].n, summed[0].n};
    int n = 2;
    const lucid__dim_list *lists[4] = {&batch[0], &batch[1], &summed[0], &summed[1]};
    for (int l = 0; l < 4; l++)
        for (int i = 0; i < lists[l]->n; i++)
            params[n++] = lists[l]->at[i];
    const lucid_tensor in[2] = {x, y};
    return lucid__bind1(s, LUCID__contract, in, 2, params, n);
}

static const lucid__dim_list none[2] = {{.n = 0}, {.n = 0}};

/* "name: shapes (2, 3) and (4, 5) do not fit: why" */
static lucid_tensor mismatch(lucid_scope *s, const char *name, lucid_tensor x, lucid_tensor y,
                             const char *why)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    return lucid__error(s, LUCID_VALUE_ERROR, "%s: shapes %s and %s do not fit: %s", name,
                        lucid__shape_text(&x.v->aval.shape, a, sizeof a),
                        lucid__shape_text(&y.v->aval.shape, b, sizeof b), why);
}

/* ---- matmul -------------------------------------------------------------------------------- */

/* How the dims before the matrices go together. A dim of size 1, or one that the other operand does
 * not have, is free: the product with one matrix for all is one larger product, without copies. */
typedef struct batching {
    int n; /* dims of the result before its matrix */
    lucid_shape shape[2];
    lucid__dim_list batch[2];
    int64_t order[MAX]; /* the dim of contract's result that is dim i of ours */
} batching;

static bool match_batches(batching *b, const lucid_shape *x, const lucid_shape *y)
{
    const lucid_shape *in[2] = {x, y};
    const int lead[2] = {x->ndim > 2 ? x->ndim - 2 : 0, y->ndim > 2 ? y->ndim - 2 : 0};
    b->n = lead[0] > lead[1] ? lead[0] : lead[1];
    int whose[MAX], free_dims[2] = {0, 0}, shared = 0;
    for (int i = 0; i < b->n; i++) {
        int64_t size[2];
        for (int side = 0; side < 2; side++) {
            int at = i - (b->n - lead[side]);
            size[side] = at < 0 ? 1 : in[side]->dim[at];
        }
        if (size[0] != size[1] && size[0] != 1 && size[1] != 1)
            return false;
        whose[i] = size[0] == size[1] ? 2 : size[1] == 1 ? 0 : 1;
        for (int side = 0; side < 2; side++) {
            if (whose[i] != 2 && whose[i] != side)
                continue;
            lucid_shape *to = &b->shape[side];
            if (whose[i] == 2)
                b->batch[side].at[b->batch[side].n++] = to->ndim;
            to->dim[to->ndim++] = size[side];
        }
        shared += whose[i] == 2;
    }
    /* contract gives shared dims, free dims of x with its rows, free dims of y with its columns. */
    for (int i = 0; i < b->n; i++)
        free_dims[0] += whose[i] == 0;
    int rows = x->ndim > 1, next[3] = {shared, shared + free_dims[0] + rows, 0};
    for (int i = 0; i < b->n; i++)
        b->order[i] = next[whose[i]]++;
    int n = b->n;
    if (rows)
        b->order[n++] = shared + free_dims[0];
    if (y->ndim > 1)
        b->order[n] = next[1];
    for (int side = 0; side < 2; side++) {
        int ndim = in[side]->ndim, matrix = ndim < 2 ? ndim : 2;
        for (int i = ndim - matrix; i < ndim; i++)
            b->shape[side].dim[b->shape[side].ndim++] = in[side]->dim[i];
    }
    return true;
}

static lucid_tensor matmul(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    const lucid_shape xs = x.v->aval.shape, ys = y.v->aval.shape;
    if (xs.ndim == 0 || ys.ndim == 0)
        return mismatch(s, "matmul", x, y, "0-d operands are multiplied by mul");
    int64_t inner_x = xs.dim[xs.ndim - 1], inner_y = ys.dim[ys.ndim > 1 ? ys.ndim - 2 : 0];
    batching b = {0};
    if (inner_x != inner_y)
        return mismatch(s, "matmul", x, y,
                        "the last dim of the first must be the last but one of the second");
    if (!match_batches(&b, &xs, &ys))
        return mismatch(s, "matmul", x, y, "the dims before the matrices do not broadcast");
    if (b.n + (xs.ndim > 1) + (ys.ndim > 1) > MAX)
        return mismatch(s, "matmul", x, y, "the result has too many dims");
    x = lucid_reshape(s, x, b.shape[0]);
    y = lucid_reshape(s, y, b.shape[1]);
    const lucid__dim_list summed[2] = {
        {.n = 1, .at = {b.shape[0].ndim - 1}},
        {.n = 1, .at = {b.shape[1].ndim - (ys.ndim > 1 ? 2 : 1)}},
    };
    lucid_tensor z = lucid__contract(s, x, y, b.batch, summed);
    lucid_dims order = {.n = lucid_ndim(z)};
    for (int i = 0; i < order.n; i++)
        order.dim[i] = (int)b.order[i];
    return lucid_permute(s, z, order);
}

lucid_tensor lucid_matmul(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    lucid_tensor xs[2] = {x, y};
    lucid_scope t;
    if (!lucid__enter(&t, s, "matmul", x))
        return EMPTY;
    if (!lucid__product_dtypes(&t, "matmul", xs, 2))
        return lucid__leave(&t, EMPTY);
    return lucid__leave(&t, matmul(&t, xs[0], xs[1]));
}

/* ---- products of vectors ------------------------------------------------------------------------ */

static lucid_tensor of_vectors(lucid_scope *s, const char *name, lucid_tensor x, lucid_tensor y,
                               bool sum)
{
    lucid_tensor xs[2] = {x, y};
    lucid_scope t;
    if (!lucid__enter(&t, s, name, x))
        return EMPTY;
    if (!lucid__product_dtypes(&t, name, xs, 2))
        return lucid__leave(&t, EMPTY);
    if (lucid_ndim(x) != 1 || lucid_ndim(y) != 1)
        return lucid__leave(&t, mismatch(&t, name, x, y, "both must be 1-d"));
    if (sum && lucid_numel(x) != lucid_numel(y))
        return lucid__leave(&t, mismatch(&t, name, x, y, "both must have the same size"));
    const lucid__dim_list all[2] = {{.n = 1, .at = {0}}, {.n = 1, .at = {0}}};
    return lucid__leave(&t, lucid__contract(&t, xs[0], xs[1], none, sum ? all : none));
}

lucid_tensor lucid_dot(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    return of_vectors(s, "dot", x, y, true);
}

lucid_tensor lucid_outer(lucid_scope *s, lucid_tensor x, lucid_tensor y)
{
    return of_vectors(s, "outer", x, y, false);
}

/* ---- tensordot ----------------------------------------------------------------------------- */

/* The dims in the order given, because they go in pairs; false: one is out of range or repeated. */
static bool summed_dims(lucid_scope *s, const lucid_shape *shape, lucid_dims dims,
                        lucid__dim_list *to)
{
    to->n = dims.all ? shape->ndim : dims.n;
    for (int i = 0; i < to->n; i++) {
        int dim = dims.all ? i : lucid__wrap_dim(dims.dim[i], shape->ndim);
        if (dim < 0) {
            (void)lucid_fail(s, LUCID_VALUE_ERROR,
                             "tensordot: dim %d is out of range for a %d-D tensor", dims.dim[i],
                             shape->ndim);
            return false;
        }
        to->at[i] = dim;
        for (int j = 0; j < i; j++)
            if (to->at[j] == dim) {
                (void)lucid_fail(s, LUCID_VALUE_ERROR, "tensordot: dim %d appears twice", dim);
                return false;
            }
    }
    return true;
}

static lucid_tensor tensordot(lucid_scope *s, lucid_tensor x, lucid_tensor y, lucid_dims x_dims,
                              lucid_dims y_dims)
{
    lucid__dim_list summed[2];
    const lucid_shape *a = &x.v->aval.shape, *b = &y.v->aval.shape;
    if (!summed_dims(s, a, x_dims, &summed[0]) || !summed_dims(s, b, y_dims, &summed[1]))
        return EMPTY;
    if (summed[0].n != summed[1].n)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "tensordot: %d dims of the first go with %d of the second; there must "
                            "be as many",
                            summed[0].n, summed[1].n);
    for (int i = 0; i < summed[0].n; i++)
        if (a->dim[summed[0].at[i]] != b->dim[summed[1].at[i]])
            return mismatch(s, "tensordot", x, y, "dims that go together differ in size");
    return lucid__contract(s, x, y, none, summed);
}

lucid_tensor lucid_tensordot(lucid_scope *s, lucid_tensor x, lucid_tensor y, lucid_dims x_dims,
                             lucid_dims y_dims)
{
    lucid_tensor xs[2] = {x, y};
    lucid_scope t;
    if (!lucid__enter(&t, s, "tensordot", x))
        return EMPTY;
    if (!lucid__product_dtypes(&t, "tensordot", xs, 2))
        return lucid__leave(&t, EMPTY);
    return lucid__leave(&t, tensordot(&t, xs[0], xs[1], x_dims, y_dims));
}

/* ---- trace, linear ------------------------------------------------------------------------- */

lucid_tensor lucid_trace(lucid_scope *s, lucid_tensor x)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "trace", x))
        return EMPTY;
    char text[LUCID__SHAPE_TEXT];
    if (lucid_ndim(x) < 2)
        return lucid__leave(&t,
                            lucid__error(&t, LUCID_VALUE_ERROR,
                                         "trace: x has shape %s, expected at least 2 dims",
                                         lucid__shape_text(&x.v->aval.shape, text, sizeof text)));
    return lucid__leave(&t, lucid_sum(&t, lucid_diagonal(&t, x, 0, -2, -1), LUCID_DIMS(-1)));
}

lucid_tensor lucid_linear(lucid_scope *s, lucid_tensor x, lucid_tensor weight, lucid_tensor bias)
{
    lucid_tensor xs[2] = {x, weight};
    lucid_scope t;
    if (!lucid__enter(&t, s, "linear", x))
        return EMPTY;
    if (!lucid__product_dtypes(&t, "linear", xs, 2))
        return lucid__leave(&t, EMPTY);
    int ndim = lucid_ndim(x), weight_ndim = lucid_ndim(weight);
    if (ndim < 1 || weight_ndim < 1 || weight_ndim > 2 ||
        lucid_size(x, -1) != lucid_size(weight, -1))
        return lucid__leave(
            &t, mismatch(&t, "linear", x, weight, "expected (..., in) and a weight of (out, in)"));
    const lucid__dim_list summed[2] = {{.n = 1, .at = {ndim - 1}},
                                       {.n = 1, .at = {weight_ndim - 1}}};
    lucid_tensor y = lucid__contract(&t, xs[0], xs[1], none, summed);
    if (!bias.v)
        return lucid__leave(&t, y);
    bool fits = weight_ndim == 1 ? lucid_numel(bias) == 1
                                 : lucid_ndim(bias) == 1 && lucid_numel(bias) == lucid_size(y, -1);
    if (!fits)
        return lucid__leave(&t, mismatch(&t, "linear", weight, bias,
                                         "the bias must have the shape (out) of the weight"));
    return lucid__leave(&t, lucid_add(&t, y, bias));
}
