/* sort, argsort, topk; argmax, argmin; cumsum, cumprod: operations on the rows of one dim. */
#include "ops/indexing.h"
#include "ops/numbers.h"

/* ---- sort, argsort, topk -------------------------------------------------------------------- */

/* A 0-d tensor counts as a row of one element. */
static int row_dim(lucid_scope *s, const char *name, lucid_tensor x, int dim)
{
    int ndim = x.v->aval.shape.ndim;
    return lucid__dim(s, name, dim, ndim == 0 ? 1 : ndim);
}

static void sort_row(lucid_scope *s, lucid_tensor x, int dim, bool descending, lucid_tensor *out)
{
    lucid_shape shape = x.v->aval.shape;
    const int64_t params[2] = {dim, descending};
    lucid_tensor row = shape.ndim == 0 ? lucid_reshape(s, x, LUCID_SHAPE(1)) : x;
    lucid__call c = {.prim = LUCID__sort, .nin = 1, .nparams = 2, .in = &row, .params = params};
    lucid__bind(s, &c, out);
    for (int k = 0; k < 2 && shape.ndim == 0; k++)
        out[k] = lucid_reshape(s, out[k], shape);
}

/* The first k >= 0 of a sorted dim; k < 0: all of them. */
static lucid_tensor sorted(lucid_scope *s, const char *name, lucid_tensor x, int dim,
                           bool descending, int64_t k, lucid_tensor *index)
{
    if (index)
        *index = (lucid_tensor){NULL};
    if (!lucid__check(s, name, x))
        return (lucid_tensor){NULL};
    int at = row_dim(s, name, x, dim);
    if (at < 0)
        return (lucid_tensor){NULL};
    lucid_tensor out[LUCID__MAX_OUTPUTS];
    lucid_scope child;
    lucid__scope_enter(&child, s);
    sort_row(&child, x, at, descending, out);
    if (k >= 0 && x.v->aval.shape.ndim > 0)
        for (int i = 0; i < 2; i++)
            out[i] = lucid_slice(&child, out[i], at, 0, k, 1);
    if (index)
        *index = lucid__scope_move(&child, out[1]);
    return lucid__leave_with(&child, out[0]);
}

lucid_tensor lucid_sort(lucid_scope *s, lucid_tensor x, int dim, bool descending,
                        lucid_tensor *index)
{
    return sorted(s, "sort", x, dim, descending, -1, index);
}

lucid_tensor lucid_argsort(lucid_scope *s, lucid_tensor x, int dim, bool descending)
{
    lucid_tensor index;
    lucid_scope child;
    if (!lucid__check(s, "argsort", x))
        return (lucid_tensor){NULL};
    lucid__scope_enter(&child, s);
    (void)sorted(&child, "argsort", x, dim, descending, -1, &index);
    return lucid__leave_with(&child, index);
}

lucid_tensor lucid_topk(lucid_scope *s, lucid_tensor x, int64_t k, int dim, bool largest,
                        lucid_tensor *index)
{
    if (index)
        *index = (lucid_tensor){NULL};
    if (!lucid__check(s, "topk", x))
        return (lucid_tensor){NULL};
    int at = row_dim(s, "topk", x, dim);
    if (at < 0)
        return (lucid_tensor){NULL};
    bool zero_d = x.v->aval.shape.ndim == 0;
    int64_t least = zero_d ? 1 : 0, most = zero_d ? 1 : x.v->aval.shape.dim[at];
    if (k < least || k > most)
        return lucid__error(s, LUCID_VALUE_ERROR, "topk: k is %lld, expected %lld to %lld",
                            (long long)k, (long long)least, (long long)most);
    return sorted(s, "topk", x, at, largest, k, index);
}

/* ---- argmax, argmin ------------------------------------------------------------------------ */

static lucid_tensor arg(lucid_scope *s, lucid__prim_id prim, lucid_tensor x, int dim, bool keepdim)
{
    lucid_shape shape = x.v->aval.shape;
    bool flat = dim < 0 || shape.ndim == 0;
    int64_t at = flat ? 0 : dim;
    if (flat)
        x = lucid_reshape(s, x, LUCID_SHAPE(lucid__numel(&shape)));
    lucid_tensor y = lucid__bind1(s, prim, &x, 1, &at, 1);
    if (!keepdim)
        return y;
    for (int i = 0; i < shape.ndim; i++)
        if (flat || i == dim)
            shape.dim[i] = 1;
    return lucid_reshape(s, y, shape);
}

static lucid_tensor arg_checked(lucid_scope *s, const char *name, lucid__prim_id prim,
                                lucid_tensor x, int dim, bool keepdim)
{
    if (!lucid__check(s, name, x))
        return (lucid_tensor){NULL};
    const lucid_shape *shape = &x.v->aval.shape;
    int at = dim == LUCID_NONE ? -1 : row_dim(s, name, x, dim);
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (at < 0 ? lucid__numel(shape) == 0 : shape->ndim > 0 && shape->dim[at] == 0) {
        char text[LUCID__SHAPE_TEXT];
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "%s: nothing to choose from, the tensor has shape %s", name,
                            lucid__shape_text(shape, text, sizeof text));
    }
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, arg(&child, prim, x, at, keepdim));
}

lucid_tensor lucid_argmax(lucid_scope *s, lucid_tensor x, int dim, bool keepdim)
{
    return arg_checked(s, "argmax", LUCID__argmax, x, dim, keepdim);
}

lucid_tensor lucid_argmin(lucid_scope *s, lucid_tensor x, int dim, bool keepdim)
{
    return arg_checked(s, "argmin", LUCID__argmin, x, dim, keepdim);
}

/* ---- cumsum, cumprod ----------------------------------------------------------------------- */

/* Sums and products of integers and bools are int64. Of one element they are the element. */
static lucid_tensor cumulate(lucid_scope *s, const char *name, lucid__prim_id prim, lucid_tensor x,
                             int dim)
{
    if (!lucid__check(s, name, x))
        return (lucid_tensor){NULL};
    const int64_t params[2] = {row_dim(s, name, x, dim), 0};
    if (params[0] < 0)
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_tensor y = x;
    if (!lucid__is_float(x.v->aval.dtype))
        (void)lucid__keep_or_cast(&child, name, &y, 1, LUCID_INT64);
    if (x.v->aval.shape.ndim > 0)
        y = lucid__bind1(&child, prim, &y, 1, params, 2);
    return lucid__leave_with(&child, y);
}

lucid_tensor lucid_cumsum(lucid_scope *s, lucid_tensor x, int dim)
{
    return cumulate(s, "cumsum", LUCID__cumsum, x, dim);
}

lucid_tensor lucid_cumprod(lucid_scope *s, lucid_tensor x, int dim)
{
    return cumulate(s, "cumprod", LUCID__cumprod, x, dim);
}
