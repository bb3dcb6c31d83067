/* Steps of random programs that look at values, write into tensors and draw random numbers. What a step
 * asks may be answered differently by every lane, but all lanes then take the same choices from the stream
 * and give the same shapes. */
#include "support/random_program_run.h"

static lucid_tensor num(run *r, double value)
{
    return lucid_scalar(r->s, value);
}

/* ---- asking ----------------------------------------------------------------------------------- */

static lucid_tensor halve_until_small(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    for (int i = 0; i < 5; i++) {
        lucid_tensor size = lucid_sum(s, lucid_abs(s, x), LUCID_ALL);
        if (!lucid_bool(s, lucid_gt(s, size, num(r, 1))))
            break;
        x = lucid_mul(s, x, num(r, 0.5));
    }
    return x;
}

/* Newton's square root of 1 + the sum of squares, in as many steps as it takes. */
static lucid_tensor newton(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor a =
        lucid_add(s, lucid_sum(s, lucid_square(s, lucid_tanh(s, x)), LUCID_ALL), num(r, 1));
    lucid_tensor root = a;
    for (int i = 0; i < 20; i++) {
        lucid_tensor off = lucid_abs(s, lucid_sub(s, lucid_square(s, root), a));
        if (!lucid_bool(s, lucid_gt(s, off, num(r, 1e-3))))
            break;
        root = lucid_mul(s, num(r, 0.5), lucid_add(s, root, lucid_div(s, a, root)));
    }
    return lucid_mul(s, x, root);
}

/* The sum of so many elements as are positive, which have another shape in every lane. */
static lucid_tensor positive_part(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor positive = lucid_masked_select(s, x, lucid_gt(s, x, num(r, 0)));
    lucid_tensor sum = lucid_sum(s, lucid_sin(s, positive), LUCID_ALL);
    return lucid_add(s, x, sum);
}

/* One of four functions, by an integer of the lane; two of them part again. */
static lucid_tensor by_table(run *r, lucid_tensor x, int depth)
{
    lucid_scope *s = r->s;
    lucid_tensor sum = lucid_sum(s, lucid_abs(s, x), LUCID_ALL);
    int64_t k =
        lucid_item_int(s, lucid_cast(s, lucid_floor(s, lucid_mul(s, sum, num(r, 7))), LUCID_INT64));
    switch (k & 3) {
    case 0:
        return lucid_sin(s, x);
    case 1:
        return depth > 0 ? by_table(r, lucid_cos(s, x), depth - 1) : x;
    case 2:
        return depth > 0 ? lucid_neg(s, by_table(r, lucid_tanh(s, x), depth - 1)) : x;
    default:
        return lucid_mul(s, x, num(r, (double)k));
    }
}

lucid_tensor program_asks(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor half = num(r, 0.5);
    if (!r->p->asks || r->p->smooth || lucid_numel(x) == 0)
        return lucid_mul(s, x, half);
    switch (choose(&r->c, 7)) {
    case 0: {
        lucid_tensor sum = lucid_sum(s, x, LUCID_ALL);
        return lucid_bool(s, lucid_gt(s, sum, num(r, 0))) ? lucid_sin(s, x) : lucid_mul(s, x, half);
    }
    case 1: {
        int64_t best = lucid_item_int(s, lucid_argmax(s, x, LUCID_NONE, false));
        return lucid_sub(s, x, lucid_scalar_int(s, best));
    }
    case 2: {
        lucid_tensor largest = lucid_amax(s, lucid_abs(s, x), LUCID_ALL);
        return lucid_div(s, x, num(r, 1 + lucid_item(s, lucid_floor(s, largest))));
    }
    case 3:
        return halve_until_small(r, x);
    case 4:
        return newton(r, x);
    case 5:
        return positive_part(r, x);
    default:
        return by_table(r, x, 2);
    }
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* A fresh tensor, the same for every lane, that values of the lane are written into. */
static lucid_tensor into_fresh(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_shape shape = lucid_shape_of(x);
    lucid_tensor fresh = lucid_cast(s, lucid_full(s, shape, num(r, 0.25)), lucid_dtype_of(x));
    lucid_tensor index = lucid_scalar_int(s, choose(&r->c, 2) ? -1 : 0);
    lucid_tensor row = lucid_index(s, x, &index, 1);
    return lucid_index_put(s, fresh, &index, 1, lucid_sin(s, row), choose(&r->c, 2) != 0);
}

/* A region replaced by numbers of another tensor. */
static lucid_tensor into_region(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    int64_t start[LUCID_MAX_NDIM], stop[LUCID_MAX_NDIM], step[LUCID_MAX_NDIM];
    for (int i = 0; i < lucid_ndim(x); i++) {
        start[i] = choose(&r->c, 2);
        stop[i] = LUCID_END;
        step[i] = 1 + choose(&r->c, 2);
    }
    lucid_tensor other = program_pick(r);
    other = lucid_numel(other) > 0 ? lucid_mean(s, other, LUCID_ALL) : num(r, 0.5);
    return lucid_slice_put(s, x, start, stop, step, lucid_tanh(s, other));
}

/* Where to write depends on the lane. */
static lucid_tensor at_largest(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_tensor flat = lucid_flatten(s, x, 0, -1);
    lucid_tensor at = lucid_argmax(s, lucid_sin(s, flat), 0, false);
    lucid_tensor value = lucid_mul(s, lucid_sum(s, flat, LUCID_ALL), num(r, 0.5));
    flat = lucid_index_put(s, flat, &at, 1, value, choose(&r->c, 2) != 0);
    return lucid_reshape(s, flat, lucid_shape_of(x));
}

lucid_tensor program_writes(run *r, lucid_tensor x)
{
    if (lucid_ndim(x) == 0 || lucid_numel(x) == 0)
        return lucid_cos(r->s, x);
    switch (choose(&r->c, r->p->smooth ? 2 : 3)) {
    case 0:
        return into_fresh(r, x);
    case 1:
        return into_region(r, x);
    default:
        return at_largest(r, x);
    }
}

/* ---- drawing ---------------------------------------------------------------------------------- */

lucid_tensor program_draws(run *r, lucid_tensor x)
{
    lucid_scope *s = r->s;
    lucid_dtype dtype = lucid_dtype_of(x);
    if (!r->p->draws)
        return lucid_sin(s, x);
    lucid_shape shape = lucid_shape_of(x);
    lucid_tensor probability = lucid_sigmoid(s, x);
    switch (choose(&r->c, r->p->smooth ? 5 : 9)) {
    case 0:
        return lucid_mul(s, x, lucid_rand_of(s, shape, dtype));
    case 1:
        return lucid_add(s, x, lucid_randn_of(s, LUCID_SCALAR_SHAPE, dtype));
    case 2:
        return lucid_dropout(s, x, 0.5, true);
    case 3:
        return lucid_normal(s, x, num(r, 0.5));
    case 4:
        return lucid_exponential(s, lucid_add(s, probability, num(r, 1)));
    case 5:
        return lucid_bernoulli(s, probability);
    case 6:
        return lucid_poisson(s, lucid_mul(s, probability, num(r, 20)));
    case 7: {
        if (lucid_ndim(x) == 0 || lucid_size(x, -1) == 0)
            return lucid_uniform(s, x, num(r, 9));
        bool again = choose(&r->c, 2) != 0;
        lucid_tensor drawn = lucid_multinomial(s, probability, 1, again);
        return lucid_add(s, x, lucid_cast(s, drawn, dtype));
    }
    default: {
        int64_t n = lucid_ndim(x) > 0 ? lucid_size(x, 0) : 0;
        return n > 0 ? lucid_take(s, x, lucid_randperm(s, n), 0) : x;
    }
    }
}
