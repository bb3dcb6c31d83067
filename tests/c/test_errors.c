/* Bad input: each row is a call, the status it must end with, and a phrase its message must hold. After
 * each the library must be as good as before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/differences.h"

static const lucid_tensor empty = {NULL};
static const lucid_fn no_fn = {NULL};

/* ---- functions to give to transforms ---- */

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)s, (void)x, (void)nx, (void)y, (void)ny, (void)user

FUNCTION(identity)
{
    UNUSED;
    y[0] = x[0];
    return LUCID_OK;
}

FUNCTION(add_all)
{
    UNUSED;
    y[0] = x[0];
    for (size_t i = 1; i < nx; i++)
        y[0] = lucid_add(s, y[0], x[i]);
    return LUCID_OK;
}

FUNCTION(sum_all)
{
    UNUSED;
    y[0] = lucid_sum(s, x[0], LUCID_ALL);
    return LUCID_OK;
}

FUNCTION(sets_nothing)
{
    UNUSED;
    return LUCID_OK;
}

FUNCTION(returns_an_error)
{
    UNUSED;
    y[0] = x[0];
    return LUCID_CALLBACK_ERROR;
}

FUNCTION(fails_by_itself)
{
    UNUSED;
    y[0] = x[0];
    return lucid_fail(s, LUCID_CALLBACK_ERROR, "sensor %d is cold", 7);
}

FUNCTION(fails_but_says_ok)
{
    UNUSED;
    y[0] = x[0];
    (void)lucid_fail(s, LUCID_INDEX_ERROR, "row %d is not there", 3);
    return LUCID_OK;
}

FUNCTION(draws)
{
    UNUSED;
    y[0] = lucid_add(s, x[0], lucid_randn(s, lucid_shape_of(x[0])));
    return LUCID_OK;
}

FUNCTION(asks)
{
    UNUSED;
    y[0] = lucid_bool(s, lucid_gt(s, lucid_sum(s, x[0], LUCID_ALL), lucid_scalar(s, 0)))
               ? x[0]
               : lucid_neg(s, x[0]);
    return LUCID_OK;
}

FUNCTION(returns_an_integer)
{
    UNUSED;
    y[0] = lucid_cast(s, lucid_sum(s, x[0], LUCID_ALL), LUCID_INT64);
    return LUCID_OK;
}

FUNCTION(returns_a_constant)
{
    UNUSED;
    y[0] = lucid_zeros(s, LUCID_SHAPE(2));
    return LUCID_OK;
}

/* Hands its argument out of the transform that made it. */
FUNCTION(lets_escape)
{
    UNUSED;
    *(lucid_tensor *)user = lucid_retain(x[0]);
    y[0] = x[0];
    return LUCID_OK;
}

static lucid_status pushes_after_aux(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                     lucid_results *y, void *user)
{
    (void)nx, (void)user;
    (void)lucid_results_push_aux(s, y, x[0]);
    return lucid_results_push(s, y, x[0]);
}

static lucid_status pushes_nothing(lucid_scope *s, const lucid_tensor *x, size_t nx,
                                   lucid_results *y, void *user)
{
    (void)s, (void)x, (void)nx, (void)y, (void)user;
    return LUCID_OK;
}

/* ---- inputs ---- */

static lucid_tensor floats(lucid_scope *s, lucid_shape shape)
{
    return lucid_ones(s, shape);
}

static lucid_tensor integers(lucid_scope *s, lucid_shape shape)
{
    return lucid_cast(s, lucid_ones(s, shape), LUCID_INT64);
}

static lucid_tensor int64s(lucid_scope *s, int64_t a, int64_t b)
{
    return lucid_from_data(s, (const int64_t[]){a, b}, LUCID_INT64, LUCID_SHAPE(2));
}

static lucid_fn fn(lucid_scope *s, lucid_function *f)
{
    return lucid_fn_new(s, f, 1, NULL);
}

static void call2(lucid_scope *s, lucid_fn f, lucid_tensor a, lucid_tensor b)
{
    lucid_tensor y;
    (void)lucid_call(s, f, LUCID_ARGS(a, b), &y, 1);
}

static void use_escaped(lucid_scope *s, lucid_fn (*transform)(lucid_scope *s, lucid_fn f))
{
    lucid_tensor escaped = {NULL};
    lucid_fn f = lucid_fn_new(s, lets_escape, 1, &escaped);
    (void)lucid_call1(s, transform(s, f), floats(s, LUCID_SHAPE(3)));
    (void)lucid_sin(s, escaped);
    lucid_release(escaped);
}

static lucid_fn mapped(lucid_scope *s, lucid_fn f)
{
    return lucid_vmap(s, f, NULL);
}

static lucid_fn reversed(lucid_scope *s, lucid_fn f)
{
    return lucid_jacrev(s, f, NULL);
}

/* ---- the table ---- */

typedef struct bad_call {
    const char *name;
    void (*run)(lucid_scope *s);
    lucid_status status;
    const char *phrase;
} bad_call;

#define BAD(id, ...) \
    static void id(lucid_scope *s) \
    { \
        __VA_ARGS__; \
    }
#define F(...) floats(s, LUCID_SHAPE(__VA_ARGS__))
#define VMAP(f, ...) lucid_vmap(s, fn(s, f), &(lucid_vmap_options){__VA_ARGS__})
#define GRAD(f, ...) lucid_grad(s, fn(s, f), &(lucid_grad_options){__VA_ARGS__})

BAD(add_shapes, (void)lucid_add(s, F(2, 3), F(4)))
BAD(add_empty, (void)lucid_add(s, F(2), empty))
BAD(sin_empty, (void)lucid_sin(s, empty))
BAD(neg_bool, (void)lucid_neg(s, lucid_gt(s, F(2), F(2))))
BAD(bits_of_float, (void)lucid_bitwise_and(s, F(2), F(2)))
BAD(cast_no_dtype, (void)lucid_cast(s, F(2), LUCID_NO_DTYPE))
BAD(pow_negative, (void)lucid_pow(s, integers(s, LUCID_SHAPE(2)), lucid_scalar_int(s, -1)))
BAD(where_shapes, (void)lucid_where(s, F(2), F(3), F(3)))

BAD(reshape_count, (void)lucid_reshape(s, F(2, 3), LUCID_SHAPE(4)))
BAD(reshape_two_free, (void)lucid_reshape(s, F(2, 3), LUCID_SHAPE(-1, -1)))
BAD(reshape_negative, (void)lucid_reshape(s, F(2, 3), LUCID_SHAPE(-2, 3)))
BAD(permute_repeat, (void)lucid_permute(s, F(2, 3), LUCID_DIMS(0, 0)))
BAD(permute_count, (void)lucid_permute(s, F(2, 3), LUCID_DIMS(0)))
BAD(transpose_range, (void)lucid_transpose(s, F(2, 3), 0, 2))
BAD(expand_size, (void)lucid_expand(s, F(2, 3), LUCID_SHAPE(2, 4)))
BAD(expand_fewer, (void)lucid_expand(s, F(2, 3), LUCID_SHAPE(3)))
BAD(unsqueeze_range, (void)lucid_unsqueeze(s, F(2), 3))
BAD(squeeze_range, (void)lucid_squeeze(s, F(2), LUCID_DIMS(4)))
BAD(slice_step, (void)lucid_slice(s, F(4), 0, 0, 4, 0))
BAD(slice_dim, (void)lucid_slice(s, F(4), 1, 0, 4, 1))
BAD(slice_scalar, (void)lucid_slice(s, lucid_scalar(s, 1), 0, 0, 1, 1))
BAD(select_range, (void)lucid_select(s, F(4), 0, 4))
BAD(pad_negative, (void)lucid_pad(s, F(4), (int64_t[]){-1}, (int64_t[]){0}))
BAD(pad_huge, (void)lucid_pad(s, F(4), (int64_t[]){INT64_MAX}, (int64_t[]){1}))
BAD(concatenate_none, (void)lucid_concatenate(s, NULL, 0, 0))
BAD(concatenate_shapes, (void)lucid_concatenate(s, (lucid_tensor[]){F(2, 3), F(2, 4)}, 2, 0))
BAD(concatenate_ndim, (void)lucid_concatenate(s, (lucid_tensor[]){F(2, 3), F(3)}, 2, 0))
BAD(concatenate_dim, (void)lucid_concatenate(s, (lucid_tensor[]){F(2), F(2)}, 2, 1))
BAD(concatenate_empty, (void)lucid_concatenate(s, (lucid_tensor[]){F(2), empty}, 2, 0))
BAD(stack_shapes, (void)lucid_stack(s, (lucid_tensor[]){F(2), F(3)}, 2, 0))
BAD(split_count, lucid_tensor pieces[2]; (void)lucid_split(s, F(5), 2, 0, pieces, 2))
BAD(flip_repeat, (void)lucid_flip(s, F(2, 3), LUCID_DIMS(0, -2)))
BAD(tril_vector, (void)lucid_tril(s, F(3), 0))
BAD(diagonal_same_dim, (void)lucid_diagonal(s, F(3, 3), 0, 1, -1))
BAD(tile_negative, (void)lucid_tile(s, F(3), LUCID_SHAPE(-2)))

BAD(full_overflow, (void)lucid_zeros(s, LUCID_SHAPE(INT64_MAX, 3)))
BAD(full_negative, (void)lucid_zeros(s, LUCID_SHAPE(3, -1)))
BAD(full_ndim, (void)lucid_zeros(s, ((lucid_shape){.ndim = LUCID_MAX_NDIM + 1})))
BAD(full_negative_ndim, (void)lucid_zeros(s, ((lucid_shape){.ndim = -1})))
BAD(expand_overflow, (void)lucid_expand(s, F(1, 1), LUCID_SHAPE(INT64_MAX, INT64_MAX)))
BAD(eye_overflow, (void)lucid_eye(s, INT64_MAX, 2))
BAD(arange_step, (void)lucid_arange(s, 0, 1, 0, LUCID_NO_DTYPE))
BAD(arange_endless, (void)lucid_arange(s, 0, 1e300, 1, LUCID_FLOAT64))
BAD(linspace_count, (void)lucid_linspace(s, 0, 1, -1))
BAD(data_dtype, (void)lucid_from_data(s, "", LUCID_NO_DTYPE, LUCID_SHAPE(1)))
BAD(data_null, (void)lucid_from_data(s, NULL, LUCID_FLOAT32, LUCID_SHAPE(2)))
BAD(data_negative, (void)lucid_from_data(s, "", LUCID_BOOL, LUCID_SHAPE(-1)))

BAD(sum_range, (void)lucid_sum(s, F(2, 3), LUCID_DIMS(2)))
BAD(sum_repeat, (void)lucid_sum(s, F(2, 3), LUCID_DIMS(1, -1)))
BAD(amax_of_nothing, (void)lucid_amax(s, F(0), LUCID_ALL))
BAD(argmax_of_nothing, (void)lucid_argmax(s, F(2, 0), 1, false))
BAD(argmin_range, (void)lucid_argmin(s, F(2), 1, false))
BAD(cumsum_range, (void)lucid_cumsum(s, F(2), -2))

BAD(item_of_many, (void)lucid_item(s, F(2)))
BAD(item_of_none, (void)lucid_item(s, F(0)))
BAD(item_empty, (void)lucid_item(s, empty))
BAD(bool_of_many, (void)lucid_bool(s, F(2)))
BAD(read_size, float to[3]; (void)lucid_read(s, F(2), to, sizeof to))
BAD(eval_empty, (void)lucid_eval(s, &empty, 1))

BAD(index_float, lucid_tensor i = F(2); (void)lucid_index(s, F(3), &i, 1))
BAD(index_many, lucid_tensor i[2] = {int64s(s, 0, 1), int64s(s, 0, 1)};
    (void)lucid_index(s, F(3), i, 2))
BAD(index_range, lucid_tensor i = int64s(s, 0, 3), y = lucid_index(s, F(3), &i, 1);
    (void)lucid_eval(s, &y, 1))
BAD(index_range_negative, lucid_tensor i = int64s(s, 0, -4), y = lucid_index(s, F(3), &i, 1);
    (void)lucid_eval(s, &y, 1))
BAD(take_range, lucid_tensor y = lucid_take(s, F(3), int64s(s, 1, 9), 0);
    (void)lucid_eval(s, &y, 1))
BAD(take_dim, (void)lucid_take(s, F(3), int64s(s, 0, 1), 1))
BAD(index_put_shape, lucid_tensor i = int64s(s, 0, 1);
    (void)lucid_index_put(s, F(3), &i, 1, F(3), false))
BAD(index_add_length, (void)lucid_index_add(s, F(3), 0, int64s(s, 0, 1), F(3)))
BAD(one_hot_classes, (void)lucid_one_hot(s, int64s(s, 0, 1), -2))
BAD(one_hot_float, (void)lucid_one_hot(s, F(2), 3))
BAD(topk_count, (void)lucid_topk(s, F(2), 3, 0, true, NULL))
BAD(sort_dim, (void)lucid_sort(s, F(2), 1, false, NULL))
BAD(mask_shape, (void)lucid_masked_select(s, F(3), lucid_gt(s, F(2), F(2))))

BAD(matmul_sizes, (void)lucid_matmul(s, F(2, 3), F(4, 2)))
BAD(matmul_scalar, (void)lucid_matmul(s, lucid_scalar(s, 2), F(2)))
BAD(matmul_batches, (void)lucid_matmul(s, F(2, 2, 3), F(3, 3, 2)))
BAD(dot_ndim, (void)lucid_dot(s, F(2, 2), F(2)))
BAD(einsum_null, (void)lucid_einsum(s, NULL, (lucid_tensor[]){F(2)}, 1))
BAD(einsum_count, (void)lucid_einsum(s, "i,i", (lucid_tensor[]){F(2)}, 1))
BAD(einsum_letter, (void)lucid_einsum(s, "i1->i", (lucid_tensor[]){F(2, 2)}, 1))
BAD(einsum_ndim, (void)lucid_einsum(s, "ij->i", (lucid_tensor[]){F(2)}, 1))
BAD(einsum_sizes, (void)lucid_einsum(s, "i,i->", (lucid_tensor[]){F(2), F(3)}, 2))
BAD(einsum_output, (void)lucid_einsum(s, "i->j", (lucid_tensor[]){F(2)}, 1))
BAD(einsum_twice, (void)lucid_einsum(s, "i->ii", (lucid_tensor[]){F(2)}, 1))
BAD(tensordot_sizes, (void)lucid_tensordot(s, F(2, 3), F(2, 3), LUCID_DIMS(0), LUCID_DIMS(1)))
BAD(cholesky_square, (void)lucid_cholesky(s, F(2, 3)))
BAD(solve_square, (void)lucid_solve(s, F(2, 3), F(2)))
BAD(solve_sizes, (void)lucid_solve(s, F(3, 3), F(2)))
BAD(triangular_sizes, (void)lucid_solve_triangular(s, F(3, 3), F(2, 1), true, false))
BAD(inv_vector, (void)lucid_inv(s, F(3)))
BAD(cross_entropy_dtype, (void)lucid_cross_entropy(s, F(2, 3), F(2), LUCID_MEAN))
BAD(mse_shapes, (void)lucid_mse_loss(s, F(2), F(3), LUCID_MEAN))
BAD(linear_sizes, (void)lucid_linear(s, F(2, 3), F(4, 5), empty))
BAD(layer_norm_ndim, (void)lucid_layer_norm(s, F(3), 2, empty, empty, 1e-5))
BAD(dropout_p, (void)lucid_dropout(s, F(3), 1.5, true))
BAD(softmax_dim, (void)lucid_softmax(s, F(3), 1))

BAD(randint_range, (void)lucid_randint(s, 3, 3, LUCID_SHAPE(2)))
BAD(rand_shape, (void)lucid_rand(s, LUCID_SHAPE(-1)))
BAD(rand_dtype, (void)lucid_rand_of(s, LUCID_SHAPE(2), LUCID_INT64))
BAD(randperm_negative, (void)lucid_randperm(s, -1))

BAD(fn_null, (void)lucid_fn_new(s, NULL, 1, NULL))
BAD(listing_null, (void)lucid_fn_new_listing(s, NULL, NULL, NULL))
BAD(call_empty_fn, (void)lucid_call1(s, no_fn, F(2)))
BAD(call_empty_x, (void)lucid_call1(s, fn(s, identity), empty))
BAD(call_count, lucid_tensor y[2]; (void)lucid_call(s, fn(s, identity), LUCID_ARGS(F(2)), y, 2))
BAD(result_unset, (void)lucid_call1(s, fn(s, sets_nothing), F(2)))
BAD(result_unset_vmap, (void)lucid_call1(s, VMAP(sets_nothing, .chunk_size = 0), F(2)))
BAD(result_unset_grad, (void)lucid_call1(s, GRAD(sets_nothing, .has_aux = false), F(2)))
BAD(callback_status, (void)lucid_call1(s, fn(s, returns_an_error), F(2)))
BAD(callback_status_vmap, (void)lucid_call1(s, VMAP(returns_an_error, .chunk_size = 1), F(2)))
BAD(callback_fails, (void)lucid_call1(s, VMAP(fails_by_itself, .chunk_size = 1), F(2)))
BAD(callback_fails_grad, (void)lucid_call1(s, GRAD(fails_by_itself, .has_aux = false), F(2)))
BAD(callback_says_ok, (void)lucid_call1(s, fn(s, fails_but_says_ok), F(2)))
BAD(callback_says_ok_jacfwd,
    (void)lucid_call1(s, lucid_jacfwd(s, fn(s, fails_but_says_ok), NULL), F(2)))
BAD(push_after_aux,
    (void)lucid_call1(s, lucid_fn_new_listing(s, pushes_after_aux, NULL, NULL), F(2)))
BAD(push_nothing, (void)lucid_call1(s, lucid_fn_new_listing(s, pushes_nothing, NULL, NULL), F(2)))
BAD(grad_of_nothing,
    (void)lucid_call1(s, lucid_grad(s, lucid_fn_new_listing(s, pushes_nothing, NULL, NULL), NULL),
                      F(2)))

BAD(vmap_empty, (void)lucid_vmap(s, no_fn, NULL))
BAD(vmap_chunk, (void)VMAP(identity, .chunk_size = -1))
BAD(vmap_strategy, (void)VMAP(identity, .strategy = (lucid_strategy)7))
BAD(vmap_randomness, (void)VMAP(identity, .randomness = (lucid_randomness)7))
BAD(vmap_in_dim, (void)lucid_call1(s, VMAP(identity, .in_dims = LUCID_INTS(2)), F(2, 3)))
BAD(vmap_in_dim_negative, (void)lucid_call1(s, VMAP(identity, .in_dims = LUCID_INTS(-3)), F(2, 3)))
BAD(vmap_scalar, (void)lucid_call1(s, VMAP(identity, .chunk_size = 0), lucid_scalar(s, 1)))
BAD(vmap_in_dims_count, (void)lucid_call1(s, VMAP(identity, .in_dims = LUCID_INTS(0, 0)), F(2, 3)))
BAD(vmap_sizes, call2(s, VMAP(add_all, .chunk_size = 0), F(2, 3), F(3, 3)))
BAD(vmap_out_dim, (void)lucid_call1(s, VMAP(identity, .out_dims = LUCID_INTS(2)), F(2, 3)))
BAD(vmap_out_dim_isolated, (void)lucid_call1(s,
                                             VMAP(identity, .out_dims = LUCID_INTS(-3),
                                                  .strategy = LUCID_STRATEGY_ISOLATED),
                                             F(2, 3)))
BAD(vmap_out_dims_count,
    (void)lucid_call1(s, VMAP(identity, .out_dims = LUCID_INTS(0, 0)), F(2, 3)))
BAD(vmap_out_none,
    (void)lucid_call1(s, VMAP(identity, .out_dims = LUCID_INTS(LUCID_NONE)), F(2, 3)))
BAD(vmap_random, (void)lucid_call1(s, VMAP(draws, .chunk_size = 0), F(2, 3)))
BAD(vmap_random_isolated,
    (void)lucid_call1(s, VMAP(draws, .strategy = LUCID_STRATEGY_ISOLATED), F(2, 3)))
BAD(vmap_random_inner,
    (void)lucid_call1(s,
                      lucid_vmap(s, VMAP(draws, .chunk_size = 0),
                                 &(lucid_vmap_options){.randomness = LUCID_RANDOMNESS_SAME}),
                      F(2, 3, 2)))
BAD(vmap_asks, (void)lucid_call1(s, VMAP(asks, .strategy = LUCID_STRATEGY_VECTORIZED), F(2, 3)))
BAD(vmap_ndim, lucid_shape shape = {.ndim = LUCID_MAX_NDIM};
    for (int i = 0; i < LUCID_MAX_NDIM; i++) shape.dim[i] = 1; lucid_tensor x = floats(s, shape);
    (void)lucid_call1(s, VMAP(returns_a_constant, .chunk_size = 0), lucid_unsqueeze(s, x, 0)))

BAD(grad_empty, (void)lucid_grad(s, no_fn, NULL))
BAD(grad_vector, (void)lucid_call1(s, GRAD(identity, .has_aux = false), F(2)))
BAD(grad_integer, (void)lucid_call1(s, GRAD(returns_an_integer, .has_aux = false), F(2)))
BAD(grad_of_integers,
    (void)lucid_call1(s, GRAD(sum_all, .has_aux = false), integers(s, LUCID_SHAPE(2))))
BAD(grad_argnum, (void)lucid_call1(s, GRAD(sum_all, .argnums = LUCID_INTS(1)), F(2)))
BAD(grad_argnum_negative, (void)lucid_call1(s, GRAD(sum_all, .argnums = LUCID_INTS(-2)), F(2)))
BAD(grad_results, lucid_tensor x = F(2), y;
    (void)lucid_call(s, lucid_grad(s, lucid_fn_new(s, sum_all, 2, NULL), NULL), &x, 1, &y, 1))
BAD(jacobian_chunk, (void)lucid_jacrev(s, fn(s, identity), &(lucid_grad_options){.chunk_size = -2}))
BAD(hessian_vector, (void)lucid_call1(s, lucid_hessian(s, fn(s, identity), NULL), F(2)))
BAD(vjp_empty_x, lucid_tensor y; (void)lucid_vjp(s, fn(s, identity), &empty, 1, &y, 1))
BAD(vjp_empty_fn, lucid_tensor x = F(2), y; (void)lucid_vjp(s, no_fn, &x, 1, &y, 1))
BAD(vjp_count, lucid_tensor x = F(2), y[2]; (void)lucid_vjp(s, fn(s, identity), &x, 1, y, 2))
BAD(vjp_shape, lucid_tensor x = F(2), y;
    (void)lucid_call1(s, lucid_vjp(s, fn(s, identity), &x, 1, &y, 1), F(3)))
BAD(vjp_arguments, lucid_tensor x = F(2), y;
    call2(s, lucid_vjp(s, fn(s, identity), &x, 1, &y, 1), F(2), F(2)))
BAD(linearize_shape, lucid_tensor x = F(2), y;
    (void)lucid_call1(s, lucid_linearize(s, fn(s, identity), &x, 1, &y, 1), F(2, 2)))
BAD(jvp_shape, lucid_tensor x = F(2), dx = F(3), y, dy;
    (void)lucid_jvp(s, fn(s, identity), &x, &dx, 1, &y, &dy, 1))
BAD(vjp_constant_shape, lucid_tensor x = F(2), y;
    (void)lucid_call1(s, lucid_vjp(s, fn(s, returns_a_constant), &x, 1, &y, 1), F(5)))
BAD(vjp_integers, lucid_tensor x = integers(s, LUCID_SHAPE(2)), y;
    (void)lucid_vjp(s, fn(s, identity), &x, 1, &y, 1))
BAD(linearize_integers, lucid_tensor x = integers(s, LUCID_SHAPE(2)), y;
    (void)lucid_linearize(s, fn(s, identity), &x, 1, &y, 1))
BAD(linearize_bools, lucid_tensor x = lucid_gt(s, F(2), F(2)), y;
    (void)lucid_linearize(s, fn(s, identity), &x, 1, &y, 1))
BAD(linear_fn_integers, lucid_tensor x = F(2), y;
    (void)lucid_call1(s, lucid_linearize(s, fn(s, identity), &x, 1, &y, 1),
                      integers(s, LUCID_SHAPE(2))))
BAD(linear_fn_empty, lucid_tensor x = F(2), y;
    (void)lucid_call1(s, lucid_linearize(s, fn(s, identity), &x, 1, &y, 1), empty))
BAD(jvp_integers, lucid_tensor x = integers(s, LUCID_SHAPE(2)), y, dy;
    (void)lucid_jvp(s, fn(s, identity), &x, &x, 1, &y, &dy, 1))
BAD(jvp_integer_tangent, lucid_tensor x = F(2), dx = integers(s, LUCID_SHAPE(2)), y, dy;
    (void)lucid_jvp(s, fn(s, identity), &x, &dx, 1, &y, &dy, 1))
BAD(jvp_empty_x, lucid_tensor dx = F(3), y, dy;
    (void)lucid_jvp(s, fn(s, identity), &empty, &dx, 1, &y, &dy, 1))
BAD(jvp_empty_fn, lucid_tensor x = F(3), y, dy; (void)lucid_jvp(s, no_fn, &x, &x, 1, &y, &dy, 1))

BAD(escaped_vmap, use_escaped(s, mapped))
BAD(escaped_jacrev, use_escaped(s, reversed))

BAD(requires_grad_integers, (void)lucid_requires_grad(s, integers(s, LUCID_SHAPE(2))))
BAD(backward_vector, (void)lucid_backward(s, lucid_requires_grad(s, F(2)), empty))
BAD(backward_unrecorded, (void)lucid_backward(s, lucid_scalar(s, 2), empty))
BAD(backward_empty, (void)lucid_backward(s, empty, empty))
BAD(backward_shape, (void)lucid_backward(s, lucid_requires_grad(s, F(2)), F(3)))
BAD(set_grad_shape, lucid_set_grad(s, lucid_requires_grad(s, F(2)), F(3)))
BAD(set_grad_leaf, lucid_set_grad(s, F(2), F(2)))

#define V LUCID_VALUE_ERROR
#define T LUCID_TYPE_ERROR
#define R LUCID_RUNTIME_ERROR
#define ROW(id, status, phrase) \
    { \
#id, id, status, phrase \
    }
static const bad_call bad_calls[] = {
    ROW(add_shapes, V, "add: "),
    ROW(add_empty, T, "add: "),
    ROW(sin_empty, T, "sin: "),
    ROW(neg_bool, T, "neg: "),
    ROW(bits_of_float, T, "bitwise_and: "),
    ROW(cast_no_dtype, T, "cast: "),
    ROW(pow_negative, V, "pow: an integer to the power -1"),
    ROW(where_shapes, V, "where: "),
    ROW(reshape_count, V, "reshape: "),
    ROW(reshape_two_free, V, "reshape: "),
    ROW(reshape_negative, V, "reshape: "),
    ROW(permute_repeat, V, "permute: "),
    ROW(permute_count, V, "permute: "),
    ROW(transpose_range, V, "transpose: "),
    ROW(expand_size, V, "does not broadcast to (2, 4)"),
    ROW(expand_fewer, V, "does not broadcast to (3,)"),
    ROW(unsqueeze_range, V, "unsqueeze: "),
    ROW(squeeze_range, V, "squeeze: "),
    ROW(slice_step, V, "slice: "),
    ROW(slice_dim, V, "slice: "),
    ROW(slice_scalar, V, "slice: "),
    ROW(select_range, LUCID_INDEX_ERROR, "index 4 is out of range for dim 0 of size 4"),
    ROW(pad_negative, V, "pad: "),
    ROW(pad_huge, V, "pad: "),
    ROW(concatenate_none, V, "concatenate: "),
    ROW(concatenate_shapes, V, "concatenate: "),
    ROW(concatenate_ndim, V, "concatenate: "),
    ROW(concatenate_dim, V, "concatenate: "),
    ROW(concatenate_empty, T, "concatenate: "),
    ROW(stack_shapes, V, "stack: "),
    ROW(split_count, V, "split: "),
    ROW(flip_repeat, V, "flip: "),
    ROW(tril_vector, V, "tril: "),
    ROW(diagonal_same_dim, V, "diagonal: "),
    ROW(tile_negative, V, "tile: "),
    ROW(full_overflow, V, "too large"),
    ROW(full_negative, V, "zeros: "),
    ROW(full_ndim, V, "zeros: "),
    ROW(full_negative_ndim, V, "zeros: "),
    ROW(expand_overflow, V, "too large"),
    ROW(eye_overflow, V, "too large"),
    ROW(arange_step, V, "arange: "),
    ROW(arange_endless, V, "arange: "),
    ROW(linspace_count, V, "linspace: "),
    ROW(data_dtype, T, "from_data: "),
    ROW(data_null, V, "from_data: "),
    ROW(data_negative, V, "from_data: "),
    ROW(sum_range, V, "sum: "),
    ROW(sum_repeat, V, "sum: "),
    ROW(amax_of_nothing, V, "amax: "),
    ROW(argmax_of_nothing, V, "argmax: "),
    ROW(argmin_range, V, "argmin: "),
    ROW(cumsum_range, V, "cumsum: "),
    ROW(item_of_many, V, "item: "),
    ROW(item_of_none, V, "item: "),
    ROW(item_empty, T, "item: "),
    ROW(bool_of_many, V, "bool: "),
    ROW(read_size, V, "read: "),
    ROW(eval_empty, T, "eval: "),
    ROW(index_float, T, "index: "),
    ROW(index_many, LUCID_INDEX_ERROR, "index: "),
    ROW(index_range, LUCID_INDEX_ERROR, "out of range"),
    ROW(index_range_negative, LUCID_INDEX_ERROR, "out of range"),
    ROW(take_range, LUCID_INDEX_ERROR, "out of range"),
    ROW(take_dim, V, "take: "),
    ROW(index_put_shape, V, "index_put: "),
    ROW(index_add_length, V, "index_add: "),
    ROW(one_hot_classes, V, "one_hot: "),
    ROW(one_hot_float, T, "one_hot: "),
    ROW(topk_count, V, "topk: "),
    ROW(sort_dim, V, "sort: "),
    ROW(mask_shape, V, "masked_select: "),
    ROW(matmul_sizes, V, "matmul: "),
    ROW(matmul_scalar, V, "matmul: "),
    ROW(matmul_batches, V, "matmul: "),
    ROW(dot_ndim, V, "dot: "),
    ROW(einsum_null, T, "einsum: "),
    ROW(einsum_count, V, "einsum: "),
    ROW(einsum_letter, V, "einsum: "),
    ROW(einsum_ndim, V, "einsum: "),
    ROW(einsum_sizes, V, "einsum: "),
    ROW(einsum_output, V, "einsum: "),
    ROW(einsum_twice, V, "einsum: "),
    ROW(tensordot_sizes, V, "tensordot: "),
    ROW(cholesky_square, V, "cholesky: "),
    ROW(solve_square, V, "solve: "),
    ROW(solve_sizes, V, "solve: "),
    ROW(triangular_sizes, V, "solve_triangular: "),
    ROW(inv_vector, V, "inv: "),
    ROW(cross_entropy_dtype, V, "cross_entropy: "),
    ROW(mse_shapes, V, "mse_loss: "),
    ROW(linear_sizes, V, "linear: "),
    ROW(layer_norm_ndim, V, "layer_norm: "),
    ROW(dropout_p, V, "dropout: "),
    ROW(softmax_dim, V, "softmax: "),
    ROW(randint_range, V, "randint: "),
    ROW(rand_shape, V, "rand: "),
    ROW(rand_dtype, T, "rand: "),
    ROW(randperm_negative, V, "randperm: "),
    ROW(fn_null, T, "NULL"),
    ROW(listing_null, T, "NULL"),
    ROW(call_empty_fn, T, "empty handle"),
    ROW(call_empty_x, T, "argument 0 is an empty handle"),
    ROW(call_count, T, "gives 1 results, 2 asked for"),
    ROW(result_unset, V, "did not set result 0 of 1"),
    ROW(result_unset_vmap, V, "did not set result 0 of 1"),
    ROW(result_unset_grad, V, "did not set result 0 of 1"),
    ROW(callback_status, LUCID_CALLBACK_ERROR,
        "the function returned LUCID_CALLBACK_ERROR and no message"),
    ROW(callback_status_vmap, LUCID_CALLBACK_ERROR,
        "the function returned LUCID_CALLBACK_ERROR and no message"),
    ROW(callback_fails, LUCID_CALLBACK_ERROR, "sensor 7 is cold"),
    ROW(callback_fails_grad, LUCID_CALLBACK_ERROR, "sensor 7 is cold"),
    ROW(callback_says_ok, LUCID_INDEX_ERROR, "row 3 is not there"),
    ROW(callback_says_ok_jacfwd, LUCID_INDEX_ERROR, "row 3 is not there"),
    ROW(push_after_aux, V, "pushed after auxiliary"),
    ROW(push_nothing, T, "gives 0 results, 1 asked for"),
    ROW(grad_of_nothing, T, "must return one 0-d float"),
    ROW(vmap_empty, T, "vmap: "),
    ROW(vmap_chunk, V, "chunk_size"),
    ROW(vmap_strategy, V, "strategy must be"),
    ROW(vmap_randomness, V, "randomness must be"),
    ROW(vmap_in_dim, V, "in_dim 2 is out of range for a 2-D tensor"),
    ROW(vmap_in_dim_negative, V, "in_dim -3 is out of range for a 2-D tensor"),
    ROW(vmap_scalar, V, "in_dim 0 is out of range for a 0-D tensor"),
    ROW(vmap_in_dims_count, V, "in_dims has 2 entries"),
    ROW(vmap_sizes, V, "inconsistent batch sizes 2 vs 3"),
    ROW(vmap_out_dim, V, "out_dim 2 is out of range"),
    ROW(vmap_out_dim_isolated, V, "out_dim -3 is out of range"),
    ROW(vmap_out_dims_count, V, "out_dims has 2 entries for 1 results"),
    ROW(vmap_out_none, V, "depends on the batch"),
    ROW(vmap_random, R, "random op inside vmap with LUCID_RANDOMNESS_ERROR; set its option"),
    ROW(vmap_random_isolated, R, "random op"),
    ROW(vmap_random_inner, R, "random op"),
    ROW(vmap_asks, LUCID_DIVERGED, "use lucid_where(), a mask, or LUCID_STRATEGY_AUTO"),
    ROW(vmap_ndim, V, "dims"),
    ROW(grad_empty, T, "grad: "),
    ROW(grad_vector, V, "must return a scalar, it returned shape (2,)"),
    ROW(grad_integer, T, "must return a float"),
    ROW(grad_of_integers, T, "only floats can be differentiated"),
    ROW(grad_argnum, V, "argnum 1 is out of range"),
    ROW(grad_argnum_negative, V, "argnum -2 is out of range"),
    ROW(grad_results, V, "did not set result 1 of 2"),
    ROW(jacobian_chunk, V, "chunk_size"),
    ROW(hessian_vector, V, "hessian: the function must return a scalar"),
    ROW(vjp_empty_x, T, "vjp: argument 0 is an empty handle"),
    ROW(vjp_empty_fn, T, "empty handle"),
    ROW(vjp_count, T, "gives 1 results, 2 asked for"),
    ROW(vjp_shape, V, "cotangent 0 has shape (3,), expected (2,)"),
    ROW(vjp_arguments, T, "1 arguments expected, 2 given"),
    ROW(linearize_shape, V, "tangent 0 has shape (2, 2), expected (2,)"),
    ROW(jvp_shape, V, "the tangent of argument 0 has shape (3,), expected (2,)"),
    ROW(vjp_constant_shape, V, "cotangent 0 has shape (5,), expected (2,)"),
    ROW(vjp_integers, T, "vjp: argument 0 is int64; only floats can be differentiated"),
    ROW(linearize_integers, T, "linearize: argument 0 is int64; only floats"),
    ROW(linearize_bools, T, "linearize: argument 0 is bool; only floats"),
    ROW(linear_fn_integers, T, "tangent 0 is int64, expected a float"),
    ROW(linear_fn_empty, T, "linearize: argument 0 is an empty handle"),
    ROW(jvp_integers, T, "jvp: argument 0 is int64; only floats can be differentiated"),
    ROW(jvp_integer_tangent, T, "jvp: the tangent of argument 0 is int64, expected a float"),
    ROW(jvp_empty_x, T, "jvp: argument 0 is an empty handle"),
    ROW(jvp_empty_fn, T, "empty handle"),
    ROW(escaped_vmap, R, "escaped"),
    ROW(escaped_jacrev, R, "escaped"),
    ROW(requires_grad_integers, T, "only floats"),
    ROW(backward_vector, R, "must be a scalar"),
    ROW(backward_unrecorded, R, "requires grad"),
    ROW(backward_empty, T, "backward: "),
    ROW(backward_shape, V, "backward: the gradient has shape (3,), expected (2,)"),
    ROW(set_grad_shape, V, "set_grad: "),
    ROW(set_grad_leaf, R, "set_grad: "),
};
enum { BAD_CALLS = sizeof bad_calls / sizeof *bad_calls };

static void test_bad_call(void **state)
{
    const bad_call *c = *state;
    uint64_t before = lucid_get_stats().bytes_live;
    lucid_scope *s = lucid_open(NULL);
    differences_begin();
    checking("%s", c->name);
    c->run(s);
    if (lucid_error(s) != c->status)
        difference("status %d, expected %d: \"%s\"", (int)lucid_error(s), (int)c->status,
                   lucid_error_message(s));
    else if (!strstr(lucid_error_message(s), c->phrase))
        difference("the message \"%s\" does not say \"%s\"", lucid_error_message(s), c->phrase);
    /* Nothing more happens until the error is cleared; then everything works, at level 0. */
    lucid_tensor y = lucid_exp(s, lucid_zeros(s, LUCID_SHAPE(2)));
    if (lucid_error(s) != LUCID_OK && y.v)
        difference("a builder went on after the error");
    lucid_clear_error(s);
    if (lucid_level(s) != 0)
        difference("a transform is still running");
    y = lucid_call1(s, mapped(s, fn(s, sum_all)), floats(s, LUCID_SHAPE(2, 3)));
    if (lucid_item(s, lucid_select(s, y, 0, 1)) != 3)
        difference("the next call fails: %s", lucid_error_message(s));
    (void)lucid_close(s);
    if (lucid_get_stats().bytes_live != before)
        difference("tensor memory leaked");
    differences_end();
}

int main(void)
{
    static struct CMUnitTest tests[BAD_CALLS];
    for (size_t i = 0; i < BAD_CALLS; i++)
        tests[i] = (struct CMUnitTest){.name = bad_calls[i].name,
                                       .test_func = test_bad_call,
                                       .initial_state = (void *)(uintptr_t)&bad_calls[i]};
    return _cmocka_run_group_tests("errors", tests, BAD_CALLS, NULL, NULL);
}
