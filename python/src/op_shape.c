/* Shapes and views. */
#include "call_scope.h"
#include "common_ops.h"
#include "convert.h"

#include <string.h>

static int ndim_of(lucid_tensor x)
{
    return lucid_is_empty_handle(x) ? 0 : lucid_ndim(x);
}

int lucidpy_wrap_dim(lucidpy_call *c, lucid_tensor x, int dim)
{
    int ndim = ndim_of(x), wrapped = dim < 0 ? dim + ndim : dim;
    if (wrapped >= 0 && wrapped < ndim)
        return wrapped;
    lucid_fail(c->s, LUCID_VALUE_ERROR, "%s: dim %d is out of range for a %d-D tensor", c->name,
               dim, ndim);
    return -1;
}

/* y has the elements of the input in their order: a view where strides can say so. */
static lucid_tensor reshaped(lucidpy_call *c, lucid_tensor y)
{
    lucidpy_place_begin(&c->place, c->arg[0]);
    if (lucid_error(c->s) == LUCID_OK)
        lucidpy_place_reshape(&c->place, lucid_shape_of(y));
    return y;
}

static lucid_tensor permuted(lucidpy_call *c, lucid_tensor x, lucid_dims order)
{
    lucidpy_place_begin(&c->place, c->arg[0]);
    lucidpy_place_permute(&c->place, order);
    return lucid_permute(c->s, x, order);
}

static lucid_tensor transposed(lucidpy_call *c, lucid_tensor x, int dim0, int dim1)
{
    lucidpy_place_begin(&c->place, c->arg[0]);
    lucidpy_place_transpose(&c->place, dim0, dim1);
    return lucid_transpose(c->s, x, dim0, dim1);
}

static lucid_tensor expanded(lucidpy_call *c, lucid_tensor x, lucid_shape shape)
{
    lucid_tensor y = lucid_expand(c->s, x, shape);
    lucidpy_place_begin(&c->place, c->arg[0]);
    if (lucid_error(c->s) == LUCID_OK)
        lucidpy_place_expand(&c->place, lucid_shape_of(y));
    return y;
}

lucid_tensor lucidpy_op_reshape(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    return reshaped(c, lucid_reshape(c->s, x, lucidpy_shape(c, 1)));
}

/* Of elements that strides do not reach it would be a copy, which a view must not be: it is one that
 * can be read alone. */
lucid_tensor lucidpy_op_view(lucidpy_call *c)
{
    lucid_tensor y = lucidpy_op_reshape(c);
    if (!c->place.of && lucid_error(c->s) == LUCID_OK) {
        lucidpy_place_begin(&c->place, c->arg[0]);
        c->place.shape = lucid_shape_of(y);
        c->place.unreachable = true;
    }
    return y;
}

lucid_tensor lucidpy_op_reshape_as(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    return reshaped(c, lucid_reshape(c->s, x, lucid_shape_of(y)));
}

lucid_tensor lucidpy_op_permute(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    return permuted(c, x, lucidpy_dims(c, 1, -1));
}

lucid_tensor lucidpy_op_transpose(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int dim0 = lucidpy_dim(c, 1);
    return transposed(c, x, dim0, lucidpy_dim(c, 2));
}

lucid_tensor lucidpy_op_t(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    if (ndim_of(x) < 2)
        return reshaped(c, x);
    if (lucid_ndim(x) > 2)
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "t: a %d-D tensor has no one transpose; use transpose, permute or .mT",
                   lucid_ndim(x));
    return transposed(c, x, 0, 1);
}

lucid_tensor lucidpy_op_movedim(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    lucid_dims from = lucidpy_dims(c, 1, -1), to = lucidpy_dims(c, 2, -1);
    int ndim = ndim_of(x);
    lucid_dims order = {.n = ndim};
    bool placed[LUCID_MAX_NDIM] = {false}, moved[LUCID_MAX_NDIM] = {false};
    if (from.n != to.n)
        return lucid_fail(c->s, LUCID_VALUE_ERROR, "movedim: %d sources, %d destinations", from.n,
                          to.n),
               x;
    for (int k = 0; k < from.n; k++) {
        int source = lucidpy_wrap_dim(c, x, from.dim[k]);
        int target = lucidpy_wrap_dim(c, x, to.dim[k]);
        if (source < 0 || target < 0)
            return x;
        if (moved[source] || placed[target])
            return lucid_fail(c->s, LUCID_VALUE_ERROR, "movedim: a dim is named twice"), x;
        moved[source] = placed[target] = true;
        order.dim[target] = source;
    }
    for (int target = 0, source = 0; target < ndim; target++) {
        if (placed[target])
            continue;
        while (moved[source])
            source++;
        order.dim[target] = source++;
    }
    return permuted(c, x, order);
}

lucid_tensor lucidpy_op_expand(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    return expanded(c, x, lucidpy_shape(c, 1));
}

lucid_tensor lucidpy_op_broadcast_to(lucidpy_call *c)
{
    return lucidpy_op_expand(c);
}

lucid_tensor lucidpy_op_expand_as(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0), y = lucidpy_tensor(c, 1);
    return expanded(c, x, lucid_shape_of(y));
}

lucid_tensor lucidpy_op_squeeze(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    lucid_dims dims = lucidpy_dims(c, 1, -1);
    if (!lucidpy_is_none(c, 1) && dims.all) /* dim=(): none at all */
        return reshaped(c, x);
    return reshaped(c, lucid_squeeze(c->s, x, dims));
}

lucid_tensor lucidpy_op_unsqueeze(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    return reshaped(c, lucid_unsqueeze(c->s, x, lucidpy_dim(c, 1)));
}

lucid_tensor lucidpy_op_flatten(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int first = lucidpy_dim(c, 1);
    return reshaped(c, lucid_flatten(c->s, x, first, lucidpy_dim(c, 2)));
}

lucid_tensor lucidpy_op_unflatten(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    lucid_shape sizes = lucidpy_shape(c, 2);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    if (dim < 0 || lucid_error(c->s) != LUCID_OK)
        return x;
    lucid_shape old = lucid_shape_of(x), new = {.ndim = old.ndim - 1 + sizes.ndim};
    if (new.ndim > LUCID_MAX_NDIM)
        return lucid_fail(c->s, LUCID_VALUE_ERROR, "unflatten: more than %d dims", LUCID_MAX_NDIM),
               x;
    int64_t known = 1;
    int open = -1;
    bool fits = true;
    for (int k = 0; k < sizes.ndim; k++) {
        bool unknown = sizes.dim[k] == -1;
        fits &= unknown ? open < 0 : sizes.dim[k] >= 0;
        if (unknown)
            open = k;
        else if (__builtin_mul_overflow(known, sizes.dim[k], &known))
            fits = false;
    }
    if (open >= 0 && known > 0)
        sizes.dim[open] = old.dim[dim] / known;
    fits &= open < 0 ? known == old.dim[dim] : known > 0 && old.dim[dim] % known == 0;
    if (!fits)
        return lucid_fail(c->s, LUCID_VALUE_ERROR,
                          "unflatten: the sizes do not multiply to %lld, the size of dim %d",
                          (long long)old.dim[dim], dim),
               x;
    memcpy(new.dim, old.dim, (size_t)dim * sizeof *new.dim);
    memcpy(new.dim + dim, sizes.dim, (size_t)sizes.ndim * sizeof *new.dim);
    memcpy(new.dim + dim + sizes.ndim, old.dim + dim + 1,
           (size_t)(old.ndim - dim - 1) * sizeof *new.dim);
    return reshaped(c, lucid_reshape(c->s, x, new));
}

lucid_tensor lucidpy_op_ravel(lucidpy_call *c)
{
    return reshaped(c, lucid_reshape(c->s, lucidpy_viewed_tensor(c, 0), LUCID_SHAPE(-1)));
}

lucid_tensor lucidpy_op_narrow(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int dim = lucidpy_wrap_dim(c, x, lucidpy_dim(c, 1));
    int64_t length = lucidpy_int(c, 3);
    if (dim < 0)
        return x;
    if (lucidpy_is_tensor(c->arg[2])) { /* its value may not be known */
        lucid_tensor start[LUCID_MAX_NDIM];
        lucid_shape sizes = lucid_shape_of(x);
        for (int d = 0; d < sizes.ndim; d++)
            start[d] = d == dim ? lucidpy_tensor(c, 2) : lucid_scalar_int(c->s, 0);
        sizes.dim[dim] = length;
        return lucid_dynamic_slice(c->s, x, start, sizes);
    }
    int64_t start = lucidpy_int(c, 2);
    int64_t size = lucid_size(x, dim), first = start < 0 ? start + size : start;
    if (first < 0 || length < 0 || first > size - length) {
        lucid_fail(c->s, LUCID_INDEX_ERROR,
                   "narrow: start %lld and length %lld are out of range for size %lld",
                   (long long)start, (long long)length, (long long)size);
        return x;
    }
    lucidpy_place_begin(&c->place, c->arg[0]);
    lucidpy_place_slice(&c->place, dim, first, 1, length);
    return lucid_slice(c->s, x, dim, first, first + length, 1);
}

lucid_tensor lucidpy_op_select(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int dim = lucidpy_dim(c, 1);
    int64_t index = lucidpy_int(c, 2);
    lucidpy_place_begin(&c->place, c->arg[0]);
    lucidpy_place_select(&c->place, dim, index);
    return lucid_select(c->s, x, dim, index);
}

lucid_tensor lucidpy_op_pad_last(lucidpy_call *c)
{
    static const char *const modes[] = {"constant", NULL};
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape pad = lucidpy_shape(c, 1);
    int ndim = ndim_of(x);
    lucidpy_word(c, 2, modes);
    if (pad.ndim % 2 || pad.ndim / 2 > ndim)
        lucid_fail(s, LUCID_VALUE_ERROR,
                   "pad: %d numbers for a %d-D tensor; expected a pair per dim", pad.ndim, ndim);
    if (lucid_error(s) != LUCID_OK)
        return x;
    int64_t low[LUCID_MAX_NDIM] = {0}, high[LUCID_MAX_NDIM] = {0};
    for (int k = 0; k < pad.ndim / 2; k++) {
        int dim = ndim - 1 - k;
        int64_t before = pad.dim[2 * k], after = pad.dim[2 * k + 1];
        int64_t size = lucid_size(x, dim);
        /* Sums of what users write may be beyond int64. */
        const int64_t largest = INT64_MAX / 8;
        bool wide = before < -size || after < -size || before > largest || after > largest;
        if (wide || before + after < -size)
            return lucid_fail(s, LUCID_VALUE_ERROR,
                              "pad: %lld and %lld cannot be added to the size %lld",
                              (long long)before, (long long)after, (long long)size),
                   x;
        if (before < 0 || after < 0)
            x = lucid_slice(s, x, dim, before < 0 ? -before : 0,
                            after < 0 ? size + after : LUCID_END, 1);
        low[dim] = before > 0 ? before : 0;
        high[dim] = after > 0 ? after : 0;
    }
    lucid_tensor padded = lucid_pad(s, x, low, high);
    if (lucidpy_is_none(c, 3))
        return padded;
    lucid_tensor value = lucid_cast(s, lucidpy_tensor(c, 3), lucid_dtype_of(x));
    lucid_tensor inside = lucid_full_like(s, x, lucid_scalar(s, 1));
    return lucid_where(s, lucid_pad(s, lucid_cast(s, inside, LUCID_BOOL), low, high), padded,
                       value);
}

lucid_tensor lucidpy_op_cat(lucidpy_call *c)
{
    size_t n;
    const lucid_tensor *xs = lucidpy_tensors(c, 0, &n);
    return lucid_concatenate(c->s, xs, n, lucidpy_dim(c, 1));
}

lucid_tensor lucidpy_op_stack(lucidpy_call *c)
{
    size_t n;
    const lucid_tensor *xs = lucidpy_tensors(c, 0, &n);
    return lucid_stack(c->s, xs, n, lucidpy_dim(c, 1));
}

/* The tensors with dims of size 1 in front, up to ndim. */
static lucid_tensor *at_least(lucidpy_call *c, int ndim, size_t *n)
{
    const lucid_tensor *xs = lucidpy_tensors(c, 0, n);
    lucid_tensor *ys = lucid_alloc(c->s, (*n + 1) * sizeof *ys);
    for (size_t i = 0; ys && i < *n; i++) {
        ys[i] = xs[i];
        for (int d = ndim_of(ys[i]); d < ndim; d++)
            ys[i] = lucid_unsqueeze(c->s, ys[i], 0);
    }
    return ys;
}

lucid_tensor lucidpy_op_hstack(lucidpy_call *c)
{
    size_t n;
    lucid_tensor *xs = at_least(c, 1, &n);
    return lucid_concatenate(c->s, xs, n, xs && n && ndim_of(xs[0]) > 1);
}

lucid_tensor lucidpy_op_vstack(lucidpy_call *c)
{
    size_t n;
    lucid_tensor *xs = at_least(c, 2, &n);
    return lucid_concatenate(c->s, xs, n, 0);
}

lucid_tensor lucidpy_op_atleast_1d(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return reshaped(c, ndim_of(x) < 1 ? lucid_unsqueeze(c->s, x, 0)
                                      : lucid_reshape(c->s, x, lucid_shape_of(x)));
}

lucid_tensor lucidpy_op_atleast_2d(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_op_atleast_1d(c);
    return reshaped(c, ndim_of(x) < 2 ? lucid_unsqueeze(c->s, x, 0) : x);
}

lucid_tensor lucidpy_op_flip(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_flip(c->s, x, lucidpy_dims(c, 1, -1));
}

lucid_tensor lucidpy_op_roll(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape shifts = lucidpy_shape(c, 1);
    if (lucidpy_is_none(c, 2)) {
        if (shifts.ndim != 1 || lucid_is_empty_handle(x))
            return lucid_fail(s, LUCID_VALUE_ERROR, "roll: without dims there is one shift"), x;
        lucid_tensor flat = lucid_reshape(s, x, LUCID_SHAPE(-1));
        return lucid_reshape(s, lucid_roll(s, flat, shifts.dim[0], 0), lucid_shape_of(x));
    }
    lucid_dims dims = lucidpy_dims(c, 2, -1);
    if (dims.n != shifts.ndim)
        return lucid_fail(s, LUCID_VALUE_ERROR, "roll: %d shifts for %d dims", shifts.ndim, dims.n),
               x;
    for (int k = 0; k < dims.n; k++)
        x = lucid_roll(s, x, shifts.dim[k], dims.dim[k]);
    return x;
}

lucid_tensor lucidpy_op_tile(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape given = lucidpy_shape(c, 1);
    /* Fewer numbers than dims: of the last dims. */
    int ndim = ndim_of(x), missing = given.ndim < ndim ? ndim - given.ndim : 0;
    lucid_shape repeats = {.ndim = given.ndim + missing};
    for (int d = 0; d < repeats.ndim; d++)
        repeats.dim[d] = d < missing ? 1 : given.dim[d - missing];
    return lucid_tile(c->s, x, repeats);
}

lucid_tensor lucidpy_op_repeat(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    lucid_shape repeats = lucidpy_shape(c, 1);
    if (repeats.ndim < ndim_of(x))
        return lucid_fail(c->s, LUCID_VALUE_ERROR, "repeat: %d numbers for a %d-D tensor",
                          repeats.ndim, ndim_of(x)),
               x;
    return lucid_tile(c->s, x, repeats);
}

lucid_tensor lucidpy_op_repeat_interleave(lucidpy_call *c)
{
    lucid_scope *s = c->s;
    lucid_tensor x = lucidpy_tensor(c, 0);
    int64_t repeats = lucidpy_int(c, 1);
    if (lucidpy_is_none(c, 2))
        x = lucid_reshape(s, x, LUCID_SHAPE(-1));
    int dim = lucidpy_is_none(c, 2) ? 0 : lucidpy_wrap_dim(c, x, lucidpy_dim(c, 2));
    if (repeats < 0)
        lucid_fail(s, LUCID_VALUE_ERROR, "repeat_interleave: repeats must be >= 0, not %lld",
                   (long long)repeats);
    if (dim < 0 || lucid_is_empty_handle(x))
        return x;
    x = lucid_unsqueeze(s, x, dim + 1);
    lucid_shape shape = lucid_shape_of(x);
    if (dim + 1 < shape.ndim)
        shape.dim[dim + 1] = repeats;
    return lucid_flatten(s, lucid_expand(s, x, shape), dim, dim + 1);
}

lucid_tensor lucidpy_op_tril(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_tril(c->s, x, lucidpy_int(c, 1));
}

lucid_tensor lucidpy_op_triu(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_triu(c->s, x, lucidpy_int(c, 1));
}

lucid_tensor lucidpy_op_diagonal(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_viewed_tensor(c, 0);
    int64_t offset = lucidpy_int(c, 1);
    int dim1 = lucidpy_dim(c, 2), dim2 = lucidpy_dim(c, 3);
    lucidpy_place_begin(&c->place, c->arg[0]);
    lucidpy_place_diagonal(&c->place, offset, dim1, dim2);
    return lucid_diagonal(c->s, x, offset, dim1, dim2);
}

lucid_tensor lucidpy_op_diag(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    int64_t offset = lucidpy_int(c, 1);
    if (ndim_of(x) == 1)
        return lucid_diag_embed(c->s, x, offset);
    if (ndim_of(x) != 2)
        lucid_fail(c->s, LUCID_VALUE_ERROR,
                   "diag: expected a vector or a matrix, not a %d-D tensor", ndim_of(x));
    return lucid_diagonal(c->s, x, offset, 0, 1);
}

lucid_tensor lucidpy_op_diag_embed(lucidpy_call *c)
{
    lucid_tensor x = lucidpy_tensor(c, 0);
    return lucid_diag_embed(c->s, x, lucidpy_int(c, 1));
}
