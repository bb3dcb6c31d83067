/* stack, roll, tile: the same elements elsewhere, or more than once. */
#include <string.h>

#include "ops/composite.h"
#include "prim/family.h"
#include "transform/level.h"

lucid_tensor lucid_stack(lucid_scope *s, const lucid_tensor *xs, size_t n, int dim)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    if (n == 0)
        return lucid__error(s, LUCID_VALUE_ERROR, "stack: at least one tensor is needed");
    if (!lucid__check_all(s, "stack", xs, n))
        return (lucid_tensor){NULL};
    const lucid_shape *shape = &xs[0].v->aval.shape;
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    for (size_t i = 1; i < n; i++)
        if (!lucid__shape_equal(&xs[i].v->aval.shape, shape))
            return lucid__error(s, LUCID_VALUE_ERROR,
                                "stack: all tensors must have one shape, but tensor 0 has %s and "
                                "tensor %zu has %s",
                                lucid__shape_text(shape, a, sizeof a), i,
                                lucid__shape_text(&xs[i].v->aval.shape, b, sizeof b));
    int at = lucid__dim(s, "stack", dim, shape->ndim + 1);
    if (at < 0)
        return (lucid_tensor){NULL};
    lucid_scope t;
    lucid__scope_enter(&t, s);
    lucid_tensor *rows = lucid_alloc(&t, n * sizeof *rows);
    for (size_t i = 0; rows && i < n; i++)
        rows[i] = lucid_unsqueeze(&t, xs[i], at);
    return lucid__leave(&t, rows ? lucid_concatenate(&t, rows, n, at) : (lucid_tensor){NULL});
}

/* The last `shift` elements come first. */
static lucid_tensor roll_dim(lucid_scope *s, lucid_tensor x, int64_t shift, int dim)
{
    int64_t size = x.v->aval.shape.dim[dim];
    if (size == 0)
        return lucid__unchanged(s, x);
    shift %= size;
    if (shift < 0)
        shift += size;
    if (shift == 0)
        return lucid__unchanged(s, x);
    lucid_tensor parts[2] = {lucid_slice(s, x, dim, size - shift, size, 1),
                             lucid_slice(s, x, dim, 0, size - shift, 1)};
    return lucid_concatenate(s, parts, 2, dim);
}

lucid_tensor lucid_roll(lucid_scope *s, lucid_tensor x, int64_t shift, int dim)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "roll", x))
        return (lucid_tensor){NULL};
    lucid_shape shape = x.v->aval.shape;
    lucid_tensor y = x;
    if (dim == LUCID_NONE) {
        lucid_tensor flat = lucid_reshape(&t, x, LUCID_SHAPE(lucid__numel(&shape)));
        if (flat.v)
            y = lucid_reshape(&t, roll_dim(&t, flat, shift, 0), shape);
    } else if (shape.ndim > 0 || (dim != 0 && dim != -1)) {
        int at = lucid__dim(&t, "roll", dim, shape.ndim);
        if (at >= 0)
            y = roll_dim(&t, x, shift, at);
    }
    return lucid__leave(&t, y);
}

/* r copies along dim i: dims before it, a dim of size r, and it with those after it. */
static lucid_tensor tile_dim(lucid_scope *s, lucid_tensor x, int i, int64_t r)
{
    lucid_shape result = x.v->aval.shape;
    int64_t before = 1, from = 1;
    for (int d = 0; d < result.ndim; d++) {
        int64_t *part = d < i ? &before : &from;
        *part = lucid__times(*part, result.dim[d]);
    }
    result.dim[i] = lucid__times(result.dim[i], r);
    lucid_tensor y = lucid_reshape(s, x, LUCID_SHAPE(before, 1, from));
    return lucid_reshape(s, lucid_expand(s, y, LUCID_SHAPE(before, r, from)), result);
}

lucid_tensor lucid_tile(lucid_scope *s, lucid_tensor x, lucid_shape repeats)
{
    lucid_scope t;
    if (!lucid__enter(&t, s, "tile", x))
        return (lucid_tensor){NULL};
    lucid_tensor y = {NULL};
    if (!lucid__check_shape(&t, "tile", &repeats))
        return lucid__leave(&t, y);
    /* Ones in front of the shorter of both lists. */
    lucid_shape shape = x.v->aval.shape;
    while (shape.ndim < repeats.ndim)
        shape = lucid__shape_insert(&shape, 0, 1);
    while (repeats.ndim < shape.ndim)
        repeats = lucid__shape_insert(&repeats, 0, 1);
    lucid_shape result = shape;
    bool fits = true;
    for (int i = 0; i < shape.ndim; i++)
        fits &= !__builtin_mul_overflow(shape.dim[i], repeats.dim[i], &result.dim[i]);
    if (!fits || lucid__numel(&result) < 0) {
        (void)lucid_fail(&t, LUCID_VALUE_ERROR, "tile: the number of elements is too large");
        return lucid__leave(&t, y);
    }
    if (lucid__numel(&result) == 0) /* whatever x holds */
        return lucid__leave(&t, lucid__zeros(&t, &(lucid__aval){x.v->aval.dtype, result}));
    y = lucid_reshape(&t, x, shape);
    for (int i = shape.ndim - 1; i >= 0 && y.v; i--)
        if (repeats.dim[i] != 1)
            y = tile_dim(&t, y, i, repeats.dim[i]);
    return lucid__leave(&t, y);
}
