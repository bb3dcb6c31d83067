/* tril, triu, diagonal, diag_embed: what is left of, on and right of the diagonals of matrices. */
#include "ops/composite.h"
#include "prim/family.h"

/* The diagonal at `offset` of rows x cols lies outside when the offset does; then any other offset
 * outside does as well, and arithmetic on this one cannot overflow. */
static int64_t clip_offset(int64_t offset, int64_t rows, int64_t cols)
{
    return offset < -rows ? -rows : offset > cols ? cols : offset;
}

/* Keeps the elements with col - row <= diagonal (lower) or >= diagonal. */
static lucid_tensor triangle(lucid_scope *s, const char *name, lucid_tensor x, int64_t diagonal,
                             bool lower)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, name, x))
        return (lucid_tensor){NULL};
    const lucid_shape *shape = &x.v->aval.shape;
    if (shape->ndim < 2) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "%s: x must have at least 2 dims, it has %d", name,
                         shape->ndim);
        return lucid__leave(&t, x);
    }
    if (lucid__numel(shape) == 0)
        return lucid__leave(&t, x);
    int64_t rows = shape->dim[shape->ndim - 2], cols = shape->dim[shape->ndim - 1];
    int64_t offset = clip_offset(diagonal, rows, cols);
    lucid_tensor row = lucid__iota(&t, (lucid_shape){2, {rows, 1}}, 0);
    lucid_tensor col = lucid__iota(&t, (lucid_shape){2, {1, cols}}, 1);
    lucid_tensor last = lucid_add(&t, row, lucid_scalar_int(&t, offset));
    lucid_tensor keep = lower ? lucid_le(&t, col, last) : lucid_ge(&t, col, last);
    return lucid__leave(&t, lucid_where(&t, keep, x, lucid__number(&t, 0, x)));
}

lucid_tensor lucid_tril(lucid_scope *s, lucid_tensor x, int64_t diagonal)
{
    return triangle(s, "tril", x, diagonal, true);
}

lucid_tensor lucid_triu(lucid_scope *s, lucid_tensor x, int64_t diagonal)
{
    return triangle(s, "triu", x, diagonal, false);
}

/* With both dims last and flattened, a diagonal is a slice of stride cols + 1. */
lucid_tensor lucid_diagonal(lucid_scope *s, lucid_tensor x, int64_t offset, int dim0, int dim1)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "diagonal", x))
        return (lucid_tensor){NULL};
    int ndim = x.v->aval.shape.ndim;
    if (ndim < 2) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "diagonal: x must have at least 2 dims, it has %d",
                         ndim);
        return lucid__leave(&t, x);
    }
    int a = lucid__dim(&t, "diagonal", dim0, ndim), b = lucid__dim(&t, "diagonal", dim1, ndim);
    if (lucid__ok(&t) && a == b)
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "diagonal: dims must differ, both are %d", a);
    if (!lucid__ok(&t))
        return lucid__leave(&t, x);
    lucid_dims order = {.n = ndim};
    lucid_shape shape = {.ndim = ndim - 1};
    int at = 0;
    for (int i = 0; i < ndim; i++) {
        if (i == a || i == b)
            continue;
        shape.dim[at] = x.v->aval.shape.dim[i];
        order.dim[at++] = i;
    }
    order.dim[ndim - 2] = a;
    order.dim[ndim - 1] = b;
    int64_t rows = x.v->aval.shape.dim[a], cols = x.v->aval.shape.dim[b];
    offset = clip_offset(offset, rows, cols);
    int64_t length = offset >= 0 ? (cols - offset < rows ? cols - offset : rows)
                                 : (rows + offset < cols ? rows + offset : cols);
    shape.dim[ndim - 2] = length;
    if (lucid__numel(&x.v->aval.shape) == 0) /* rows * cols may be beyond any number */
        return lucid__leave(&t, lucid__zeros(&t, &(lucid__aval){x.v->aval.dtype, shape}));
    shape.dim[ndim - 2] = rows * cols;
    int64_t first = length == 0 ? 0 : offset >= 0 ? offset : -offset * cols;
    int64_t end = length == 0 ? 0 : first + (length - 1) * (cols + 1) + 1;
    lucid_tensor flat = lucid_reshape(&t, lucid_permute(&t, x, order), shape);
    return lucid__leave(&t, lucid_slice(&t, flat, -1, first, end, cols + 1));
}

/* The same the other way: zeros around and between the elements, and a matrix made of that. */
lucid_tensor lucid_diag_embed(lucid_scope *s, lucid_tensor x, int64_t offset)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "diag_embed", x))
        return (lucid_tensor){NULL};
    lucid_shape shape = x.v->aval.shape;
    int last = shape.ndim - 1;
    if (last < 0 || last + 2 > LUCID_MAX_NDIM) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "diag_embed: x must have from 1 to %d dims, not %d",
                         LUCID_MAX_NDIM - 1, shape.ndim);
        return lucid__leave(&t, x);
    }
    int64_t length = shape.dim[last], side = 0;
    bool fits =
        offset > INT64_MIN && !__builtin_add_overflow(length, offset < 0 ? -offset : offset, &side);
    shape.dim[last] = side;
    shape.dim[++last] = side;
    shape.ndim++;
    int64_t area = 0;
    fits = fits && lucid__numel(&shape) >= 0 && !__builtin_mul_overflow(side, side, &area);
    if (!fits) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "diag_embed: the number of elements is too large");
        return lucid__leave(&t, x);
    }
    int64_t pad[3 * LUCID_MAX_NDIM] = {0};
    int n = last;
    int64_t before = offset >= 0 ? offset : -offset * side;
    int64_t inside = length > 0 ? length + (length - 1) * side : 0;
    pad[n - 1] = length > 0 ? before : 0;
    pad[2 * n - 1] = area - inside - pad[n - 1];
    pad[3 * n - 1] = length > 1 ? side : 0;
    lucid_tensor flat = lucid__bind1(&t, LUCID__pad, &x, 1, pad, 3 * n);
    return lucid__leave(&t, lucid_reshape(&t, flat, shape));
}
