/* Reading at positions: index, take, take_along_dim, one_hot. */
#include "ops/indexing.h"

#include <string.h>

#include "prim/family.h"
#include "transform/level.h"

enum { MAX = LUCID_MAX_NDIM };

bool lucid__check_indices(lucid_scope *s, const char *name, const lucid_tensor *index, size_t n)
{
    if (!lucid__check_all(s, name, index, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!lucid__is_int(index[i].v->aval.dtype)) {
            (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: index %zu is %s, expected int32 or int64%s",
                             name, i, lucid_dtype_name(index[i].v->aval.dtype),
                             index[i].v->aval.dtype == LUCID_BOOL ? " (for a mask: masked_select)"
                                                                  : "");
            return false;
        }
    return true;
}

int64_t lucid__use_param(lucid_scope *s, lucid__position_use use, int dim)
{
    return lucid__position_param(lucid__position_use_named(lucid__operation(s, NULL), use), dim);
}

lucid_tensor lucid__class_index(lucid_scope *s, lucid_tensor index, int64_t classes)
{
    lucid_tensor beyond = lucid_scalar_int(s, classes), zero = lucid_scalar_int(s, 0);
    index = lucid_cast(s, index, LUCID_INT64);
    lucid_tensor negative = lucid_lt(s, index, zero);
    return lucid_where(s, negative, lucid_sub(s, index, beyond), index);
}

/* An impossible argument is looked up at position 1 of one zero. */
lucid_tensor lucid__require(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                            lucid_tensor possible)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    const lucid__aval zero = {x.v->aval.dtype, LUCID_SHAPE(1)};
    lucid_tensor at = lucid_cast(s, lucid_logical_not(s, possible), LUCID_INT64);
    lucid_tensor in[2] = {lucid__zeros(s, &zero), at};
    const int64_t params[2] = {0, lucid__position_param(use, 0)};
    return lucid_add(s, x, lucid__bind1(s, LUCID__gather, in, 2, params, 2));
}

/* ---- index --------------------------------------------------------------------------------- */

static lucid_tensor index_leading(lucid_scope *s, lucid_tensor x, const lucid_tensor *index,
                                  size_t n)
{
    lucid_tensor in[MAX + 1] = {x};
    memcpy(in + 1, index, n * sizeof *in);
    if (!lucid__broadcast_all(s, "index", in + 1, n))
        return (lucid_tensor){NULL};
    const int64_t params[2] = {0, lucid__use_param(s, LUCID__FOR_index, 0)};
    return lucid__bind1(s, LUCID__gather, in, (int)n + 1, params, 2);
}

lucid_tensor lucid_index(lucid_scope *s, lucid_tensor x, const lucid_tensor *index, size_t n)
{
    if (!lucid__check(s, "index", x) || !lucid__check_indices(s, "index", index, n))
        return (lucid_tensor){NULL};
    if (n > (size_t)x.v->aval.shape.ndim)
        return lucid__error(s, LUCID_INDEX_ERROR, "index: %zu indices for a %d-D tensor", n,
                            x.v->aval.shape.ndim);
    if (n == 0)
        return lucid__unchanged(s, x);
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, index_leading(&child, x, index, n));
}

/* ---- take ---------------------------------------------------------------------------------- */

/* The indexed dim goes to the front, and the dims of positions come back in its place. */
static lucid_tensor take(lucid_scope *s, lucid_tensor x, lucid_tensor index, int dim)
{
    int k = index.v->aval.shape.ndim, rest = x.v->aval.shape.ndim - 1;
    const int64_t params[2] = {0, lucid__use_param(s, LUCID__FOR_take, dim)};
    if (params[1] >> 8 == LUCID__FOR_embedding)
        index = lucid__class_index(s, index, x.v->aval.shape.dim[dim]);
    lucid_tensor in[2] = {lucid_movedim(s, x, dim, 0), index};
    lucid_tensor y = lucid__bind1(s, LUCID__gather, in, 2, params, 2);
    if (dim == 0 || k + rest > MAX)
        return y;
    lucid_dims order = {.n = k + rest};
    for (int i = 0; i < k + rest; i++)
        order.dim[i] = i < dim ? k + i : i < dim + k ? i - dim : i;
    return lucid_permute(s, y, order);
}

lucid_tensor lucid_take(lucid_scope *s, lucid_tensor x, lucid_tensor index, int dim)
{
    if (!lucid__check(s, "take", x) || !lucid__check_indices(s, "take", &index, 1))
        return (lucid_tensor){NULL};
    if (x.v->aval.shape.ndim == 0)
        return lucid__error(s, LUCID_INDEX_ERROR, "take: a 0-D tensor has no dim to take from");
    int at = lucid__dim(s, "take", dim, x.v->aval.shape.ndim);
    if (at < 0)
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, take(&child, x, index, at));
}

/* ---- take_along_dim ------------------------------------------------------------------------ */

static bool along_shapes(lucid_scope *s, lucid_tensor x, lucid_tensor index, int dim,
                         lucid_shape *x_shape, lucid_shape *index_shape)
{
    *x_shape = x.v->aval.shape;
    *index_shape = index.v->aval.shape;
    bool fits = x_shape->ndim == index_shape->ndim;
    for (int i = 0; fits && i < x_shape->ndim; i++) {
        int64_t *a = &x_shape->dim[i], *b = &index_shape->dim[i];
        if (i == dim || *a == *b)
            continue;
        fits = *a == 1 || *b == 1;
        if (*a == 1)
            *a = *b;
        else
            *b = *a;
    }
    if (fits)
        return true;
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    (void)lucid_fail(s, LUCID_VALUE_ERROR,
                     "take_along_dim: index of shape %s does not broadcast to the tensor's %s "
                     "outside of dim %d",
                     lucid__shape_text(&index.v->aval.shape, a, sizeof a),
                     lucid__shape_text(&x.v->aval.shape, b, sizeof b), dim);
    return false;
}

/* All dims but one are shared by x and the index, which makes them gather's leading dims. */
lucid_tensor lucid__take_along(lucid_scope *s, lucid__position_use use, lucid_tensor x,
                               lucid_tensor index, int dim)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid_shape x_shape, index_shape;
    if (!along_shapes(s, x, index, dim, &x_shape, &index_shape))
        return (lucid_tensor){NULL};
    const int64_t params[2] = {x_shape.ndim - 1, lucid__position_param(use, dim)};
    lucid_tensor in[2] = {lucid_movedim(s, lucid__broadcast(s, x, &x_shape), dim, -1),
                          lucid_movedim(s, lucid__broadcast(s, index, &index_shape), dim, -1)};
    return lucid_movedim(s, lucid__bind1(s, LUCID__gather, in, 2, params, 2), -1, dim);
}

lucid_tensor lucid_take_along_dim(lucid_scope *s, lucid_tensor x, lucid_tensor index, int dim)
{
    const char *name = "take_along_dim";
    if (!lucid__check(s, name, x) || !lucid__check_indices(s, name, &index, 1))
        return (lucid_tensor){NULL};
    if (x.v->aval.shape.ndim == 0)
        return lucid__error(s, LUCID_INDEX_ERROR, "%s: a 0-D tensor has no dim to take from", name);
    int at = lucid__dim(s, name, dim, x.v->aval.shape.ndim);
    if (at < 0)
        return (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid__position_use use =
        lucid__position_use_named(lucid__operation(s, NULL), LUCID__FOR_take_along_dim);
    return lucid__leave_with(&child, lucid__take_along(&child, use, x, index, at));
}

/* ---- one_hot ------------------------------------------------------------------------------- */

/* The class is looked up in the list of all classes: so one that there is not is found. */
static lucid_tensor one_hot(lucid_scope *s, lucid_tensor index, int64_t classes)
{
    lucid_tensor number = lucid__index_range(s, classes);
    lucid_tensor in[2] = {number, lucid__class_index(s, index, classes)};
    const int64_t params[2] = {0, lucid__position_param(LUCID__FOR_one_hot, 0)};
    lucid_tensor x = lucid_unsqueeze(s, lucid__bind1(s, LUCID__gather, in, 2, params, 2), -1);
    return lucid_cast(s, lucid_eq(s, x, number), LUCID_INT64);
}

lucid_tensor lucid_one_hot(lucid_scope *s, lucid_tensor index, int64_t classes)
{
    if (!lucid__check_indices(s, "one_hot", &index, 1))
        return (lucid_tensor){NULL};
    if (classes < 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "one_hot: classes is %lld, expected at least 0",
                            (long long)classes);
    if (index.v->aval.shape.ndim >= MAX)
        return lucid__error(s, LUCID_VALUE_ERROR,
                            "one_hot: the result would have more than %d dims", MAX);
    lucid_scope child;
    lucid__scope_enter(&child, s);
    return lucid__leave_with(&child, one_hot(&child, index, classes));
}
