/* Collectives over named axes. The oracle is the function of the whole batch, written without vmap:
 * vmap(lane) must be `whole`, and so must every derivative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/function_laws.h"

static int setup(void **state)
{
    *state = lucid_open(NULL);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    return lucid_close(*state) == LUCID_OK ? 0 : -1;
}

static const lucid_vmap_options over_b = {.axis_name = "b"}, over_a = {.axis_name = "a"};

static void same_as(lucid_scope *s, const char *what, lucid_tensor got, lucid_tensor want)
{
    same_tensors(s, what, got, want, 1e-10);
}

/* ---- a function of one lane, and the same of the whole batch ------------------------------------- */

static lucid_tensor product_sum(lucid_scope *s, lucid_tensor p, lucid_tensor q, lucid_dims dims)
{
    return lucid_sum(s, lucid_mul(s, p, q), dims);
}

/* x: (3). All collectives around nonlinear work, one inside another. */
FUNCTION(mean_term, lucid_psum(s, lucid_square(s, lucid_pmean(s, lucid_exp(s, x[0]), "b")), "b"))
FUNCTION(extreme_term, lucid_sub(s, lucid_pmax(s, x[0], "b"),
                                 lucid_tanh(s, lucid_pmin(s, lucid_cos(s, x[0]), "b"))))
FUNCTION(gather_term, lucid_mean(s,
                                 lucid_mul(s, lucid_all_gather(s, x[0], "b", 1),
                                           lucid_unsqueeze(s, lucid_square(s, x[0]), 1)),
                                 LUCID_DIMS(1)))

/* X: (N, 3): the same terms of all rows. */
FUNCTION(whole_mean_term,
         lucid_mul(s, lucid_scalar(s, (double)lucid_size(x[0], 0)),
                   lucid_square(s, lucid_mean(s, lucid_exp(s, x[0]), LUCID_DIMS(0)))))
FUNCTION(whole_extreme_term,
         lucid_sub(s, lucid_amax(s, x[0], LUCID_DIMS(0)),
                   lucid_tanh(s, lucid_amin(s, lucid_cos(s, x[0]), LUCID_DIMS(0)))))
FUNCTION(whole_gather_term, lucid_mul(s, lucid_mean(s, x[0], LUCID_DIMS(0)), lucid_square(s, x[0])))

static lucid_tensor call(lucid_scope *s, lucid_function *f, lucid_tensor x)
{
    return lucid_call1(s, lucid_fn_new(s, f, 1, NULL), x);
}

FUNCTION(whole_gather_term_sum, lucid_sum(s, call(s, whole_gather_term, x[0]), LUCID_DIMS(0)))
FUNCTION(lane, product_sum(s, lucid_add(s, lucid_sin(s, x[0]), call(s, mean_term, x[0])),
                           lucid_add(s, call(s, extreme_term, x[0]), call(s, gather_term, x[0])),
                           LUCID_ALL))
FUNCTION(whole, product_sum(s, lucid_add(s, lucid_sin(s, x[0]), call(s, whole_mean_term, x[0])),
                            lucid_add(s, call(s, whole_extreme_term, x[0]),
                                      call(s, whole_gather_term, x[0])),
                            LUCID_DIMS(1)))
FUNCTION(whole_sum, lucid_sum(s, call(s, whole, x[0]), LUCID_ALL))

static lucid_fn map(lucid_scope *s, lucid_fn f)
{
    return lucid_vmap(s, f, &over_b);
}

static lucid_fn map_lane(lucid_scope *s)
{
    return map(s, lucid_fn_new(s, lane, 1, NULL));
}

static lucid_fn map_lane_grad(lucid_scope *s)
{
    return map(s, lucid_grad(s, lucid_fn_new(s, lane, 1, NULL), NULL));
}

static lucid_fn whole_grad(lucid_scope *s)
{
    return lucid_grad(s, lucid_fn_new(s, whole_sum, 1, NULL), NULL);
}

static void values_are_those_of_the_whole(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(4, 3), 7, 0.1);
    same_as(s, "vmap(f)", lucid_call1(s, map_lane(s), X), call(s, whole, X));
    lucid_vmap_options columns = {.in_dims = LUCID_INTS(1), .axis_name = "b"};
    lucid_fn of_columns = lucid_vmap(s, lucid_fn_new(s, lane, 1, NULL), &columns);
    same_as(s, "in_dim 1", lucid_call1(s, of_columns, lucid_transpose(s, X, 0, 1)),
            call(s, whole, X));
}

/* ---- derivatives, to depth 3 --------------------------------------------------------------------- */

static lucid_tensor push(lucid_scope *s, lucid_fn f, lucid_tensor x, lucid_tensor dx)
{
    lucid_tensor y, dy;
    (void)lucid_jvp(s, f, &x, &dx, 1, &y, &dy, 1);
    return dy;
}

FUNCTION(lane_push, push(s, lucid_fn_new(s, lane, 1, NULL), x[0], x[1]))
FUNCTION(lane_grad_push, push(s, lucid_grad(s, lucid_fn_new(s, lane, 1, NULL), NULL), x[0], x[1]))
FUNCTION(sin_of_mapped, lucid_sum(s, lucid_sin(s, lucid_call1(s, map_lane(s), x[0])), LUCID_ALL))
FUNCTION(sin_of_whole, lucid_sum(s, lucid_sin(s, call(s, whole, x[0])), LUCID_ALL))
FUNCTION(sin_of_mapped_grad,
         lucid_sum(s, lucid_sin(s, lucid_call1(s, map_lane_grad(s), x[0])), LUCID_ALL))
FUNCTION(sin_of_whole_grad,
         lucid_sum(s, lucid_sin(s, lucid_call1(s, whole_grad(s), x[0])), LUCID_ALL))

static lucid_tensor gradient_of(lucid_scope *s, lucid_function *f, lucid_tensor x)
{
    return lucid_call1(s, lucid_grad(s, lucid_fn_new(s, f, 1, NULL), NULL), x);
}

FUNCTION(sin_of_lane_grad, lucid_sum(s, lucid_sin(s, gradient_of(s, lane, x[0])), LUCID_ALL))

static lucid_tensor call_mapped(lucid_scope *s, lucid_function *f, lucid_tensor x, lucid_tensor dx)
{
    lucid_tensor y;
    (void)lucid_call(s, map(s, lucid_fn_new(s, f, 1, NULL)), LUCID_ARGS(x, dx), &y, 1);
    return y;
}

static void derivatives_are_those_of_the_whole(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(4, 3), 7, 0.1);
    lucid_tensor dX = test_numbers(s, LUCID_SHAPE(4, 3), 11, 0.1);
    lucid_fn F = lucid_fn_new(s, whole, 1, NULL);
    same_as(s, "grad(vmap)", gradient_of(s, sin_of_mapped, X), gradient_of(s, sin_of_whole, X));
    same_as(s, "jvp(vmap)", push(s, map_lane(s), X, dX), push(s, F, X, dX));
    same_as(s, "jacrev(vmap)", lucid_call1(s, lucid_jacrev(s, map_lane(s), NULL), X),
            lucid_call1(s, lucid_jacrev(s, F, NULL), X));
    same_as(s, "vmap(grad)", lucid_call1(s, map_lane_grad(s), X), lucid_call1(s, whole_grad(s), X));
    same_as(s, "vmap(jvp)", call_mapped(s, lane_push, X, dX), push(s, F, X, dX));
    same_as(s, "vmap(jvp(grad))", call_mapped(s, lane_grad_push, X, dX),
            push(s, whole_grad(s), X, dX));
    same_as(s, "grad(vmap(grad))", gradient_of(s, sin_of_mapped_grad, X),
            gradient_of(s, sin_of_whole_grad, X));
    same_as(s, "jvp(vmap(grad))", push(s, map_lane_grad(s), X, dX), push(s, whole_grad(s), X, dX));
    lucid_fn rows = lucid_jacrev(s, lucid_fn_new(s, gather_term, 1, NULL), NULL);
    lucid_fn all_rows = lucid_jacrev(s, lucid_fn_new(s, whole_gather_term_sum, 1, NULL), NULL);
    same_as(s, "vmap(jacrev)", lucid_call1(s, map(s, rows), X),
            lucid_movedim(s, lucid_call1(s, all_rows, X), 1, 0));
    lucid_fn twice = lucid_grad(s, lucid_fn_new(s, sin_of_lane_grad, 1, NULL), NULL);
    same_as(s, "vmap(grad(grad))", lucid_call1(s, map(s, twice), X),
            gradient_of(s, sin_of_whole_grad, X));
    lucid_fn hessian = lucid_hessian(s, lucid_fn_new(s, sin_of_mapped, 1, NULL), NULL);
    lucid_fn want = lucid_hessian(s, lucid_fn_new(s, sin_of_whole, 1, NULL), NULL);
    same_as(s, "hessian(vmap)", lucid_call1(s, hessian, X), lucid_call1(s, want, X));
}

/* Each transpose on its own, where all is linear. */
FUNCTION(gather_weighted, product_sum(s, lucid_all_gather(s, x[0], "b", 0), x[1], LUCID_ALL))
FUNCTION(first_of_psum, lucid_select(s, lucid_psum(s, x[0], "b"), 0, 0))
FUNCTION(largest, lucid_pmax(s, x[0], "b"))

static void transposes_join_all_lanes(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor W =
        lucid_from_data(s, DOUBLES(1, 10, 100, 1000), LUCID_FLOAT64, LUCID_SHAPE(2, 2));
    lucid_tensor y;
    lucid_fn grad = lucid_grad(s, lucid_fn_new(s, gather_weighted, 1, NULL), NULL);
    /* y_b = sum_k w_bk x_k, so the gradient of sum_b y_b is sum_b w_b. */
    (void)lucid_call(s, map(s, grad), LUCID_ARGS(VECTOR(s, 1, 2), W), &y, 1);
    same_elements(s, "all_gather", y, DOUBLES(101, 1010), 0);
    grad = lucid_grad(s, lucid_fn_new(s, first_of_psum, 1, NULL), NULL);
    same_elements(s, "psum", lucid_call1(s, map(s, grad), W), DOUBLES(2, 0, 2, 0), 0);
    grad = lucid_grad(s, lucid_fn_new(s, largest, 1, NULL), NULL);
    same_elements(s, "pmax with a tie", lucid_call1(s, map(s, grad), VECTOR(s, 5, 1, 5)),
                  DOUBLES(1.5, 0, 1.5), 0);
}

/* ---- nesting ------------------------------------------------------------------------------------- */

/* x: () of lane (a, b). */
FUNCTION(of_two_axes,
         lucid_add(s,
                   lucid_mul(s, lucid_psum(s, lucid_square(s, x[0]), "a"),
                             lucid_pmax(s, lucid_sin(s, x[0]), "b")),
                   lucid_mul(s, lucid_psum(s, lucid_pmean(s, lucid_exp(s, x[0]), "b"), "a"), x[0])))
FUNCTION(of_the_plane,
         lucid_add(
             s,
             lucid_mul(s, lucid_sum(s, lucid_square(s, x[0]), LUCID_DIMS_KEEP(0)),
                       lucid_amax(s, lucid_sin(s, x[0]), LUCID_DIMS_KEEP(1))),
             lucid_mul(s, lucid_sum(s, lucid_mean(s, lucid_exp(s, x[0]), LUCID_DIMS(1)), LUCID_ALL),
                       x[0])))

static lucid_fn map2(lucid_scope *s, lucid_fn f)
{
    return lucid_vmap(s, lucid_vmap(s, f, &over_b), &over_a);
}

FUNCTION(mapped2_sum,
         lucid_sum(s, lucid_call1(s, map2(s, lucid_fn_new(s, of_two_axes, 1, NULL)), x[0]),
                   LUCID_ALL))
FUNCTION(plane_sum, lucid_sum(s, call(s, of_the_plane, x[0]), LUCID_ALL))

/* A vmap without a name between: of the columns of x (2, 3), in lane b. */
FUNCTION(column_in_lane,
         lucid_add(s, lucid_psum(s, lucid_exp(s, x[0]), "b"),
                   product_sum(s, lucid_all_gather(s, x[0], "b", -1),
                               lucid_unsqueeze(s, lucid_sin(s, x[0]), 1), LUCID_ALL)))
FUNCTION(columns_in_lane, lucid_call1(s,
                                      lucid_vmap(s, lucid_fn_new(s, column_in_lane, 1, NULL),
                                                 &(lucid_vmap_options){.in_dims = LUCID_INTS(1)}),
                                      x[0]))
FUNCTION(columns_of_whole,
         lucid_add(s, lucid_transpose(s, lucid_sum(s, lucid_exp(s, x[0]), LUCID_DIMS(0)), 0, 1),
                   lucid_unsqueeze(s,
                                   product_sum(s, lucid_sum(s, x[0], LUCID_DIMS(0)),
                                               lucid_sin(s, x[0]), LUCID_DIMS(1)),
                                   2)))
FUNCTION(columns_in_lane_sum, lucid_sum(s, lucid_sin(s, call(s, columns_in_lane, x[0])), LUCID_ALL))
FUNCTION(columns_of_whole_sum,
         lucid_sum(s, lucid_sin(s, call(s, columns_of_whole, x[0])), LUCID_ALL))

static void axes_nest(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(3, 4), 3, 0);
    lucid_fn f = lucid_fn_new(s, of_two_axes, 1, NULL);
    lucid_tensor want = gradient_of(s, plane_sum, X);
    same_as(s, "vmap(vmap)", lucid_call1(s, map2(s, f), X), call(s, of_the_plane, X));
    same_as(s, "grad(vmap(vmap))", gradient_of(s, mapped2_sum, X), want);
    same_as(s, "vmap(vmap(grad))", lucid_call1(s, map2(s, lucid_grad(s, f, NULL)), X), want);
    lucid_fn between = lucid_vmap(s, lucid_fn_new(s, columns_in_lane, 1, NULL), &over_b);
    lucid_tensor Z = test_numbers(s, LUCID_SHAPE(4, 2, 3), 5, 0);
    same_as(s, "an unnamed vmap inside", lucid_call1(s, between, Z), call(s, columns_of_whole, Z));
    lucid_fn grad = lucid_grad(s, lucid_fn_new(s, columns_in_lane_sum, 1, NULL), NULL);
    same_as(s, "its gradient", lucid_call1(s, lucid_vmap(s, grad, &over_b), Z),
            gradient_of(s, columns_of_whole_sum, Z));
}

/* The inner of two equal names. */
FUNCTION(sum_b, lucid_psum(s, x[0], "b"))

static void the_inner_of_two_equal_names(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = test_numbers(s, LUCID_SHAPE(2, 3), 3, 0);
    lucid_fn f = map(s, map(s, lucid_fn_new(s, sum_b, 1, NULL)));
    same_as(s, "psum", lucid_call1(s, f, X),
            lucid_expand(s, lucid_sum(s, X, LUCID_DIMS_KEEP(1)), LUCID_SHAPE(2, 3)));
}

/* ---- what is the same in all lanes, dtypes, no lanes ---------------------------------------------- */

static lucid_status constants(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                              size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user, (void)x;
    y[0] = lucid_psum(s, lucid_scalar(s, 2), "b");
    y[1] = lucid_pmean(s, lucid_scalar_int(s, 3), "b");
    y[2] = lucid_pmax(s, lucid_scalar_int(s, 5), "b");
    y[3] = lucid_all_gather(s, lucid_scalar_int(s, 7), "b", 0);
    y[4] = lucid_psum(s, lucid_gt(s, x[0], lucid_scalar(s, 1)), "b");
    y[5] = lucid_scalar_int(s, lucid_axis_size(s, "b"));
    return lucid_error(s);
}

static void constants_are_joined_too(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor y[6], X = VECTOR(s, 0, 1, 2, 3);
    lucid_vmap_options none = {.axis_name = "b", .out_dims = LUCID_INTS(LUCID_NONE)};
    (void)lucid_call(s, lucid_vmap(s, lucid_fn_new(s, constants, 6, NULL), &none), &X, 1, y, 6);
    same_elements(s, "psum", y[0], DOUBLES(8), 0);
    same_elements(s, "pmean", y[1], DOUBLES(3), 0);
    same_elements(s, "pmax", y[2], DOUBLES(5), 0);
    same_elements(s, "all_gather", y[3], DOUBLES(7, 7, 7, 7), 0);
    same_elements(s, "psum of bool", y[4], DOUBLES(2), 0);
    same_elements(s, "axis_size", y[5], DOUBLES(4), 0);
    assert_int_equal(lucid_dtype_of(y[0]), LUCID_FLOAT32);
    assert_int_equal(lucid_dtype_of(y[1]), LUCID_FLOAT32);
    assert_int_equal(lucid_dtype_of(y[2]), LUCID_INT64);
    assert_int_equal(lucid_dtype_of(y[4]), LUCID_INT64);
}

static void no_lanes(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = lucid_cast(s, lucid_zeros(s, LUCID_SHAPE(0, 3)), LUCID_FLOAT64);
    has_shape(lucid_call1(s, map_lane(s), X), LUCID_SHAPE(0));
    has_shape(lucid_call1(s, map_lane_grad(s), X), LUCID_SHAPE(0, 3));
    lucid_vmap_options none = {.axis_name = "b", .out_dims = LUCID_INTS(LUCID_NONE)};
    lucid_tensor y = lucid_call1(s, lucid_vmap(s, lucid_fn_new(s, sum_b, 1, NULL), &none), X);
    same_elements(s, "sum of no lanes", y, DOUBLES(0, 0, 0), 0);
}

/* ---- strategies, chunks, lanes that part ----------------------------------------------------------- */

FUNCTION(times_index, lucid_mul(s, x[0], lucid_axis_index(s, "b")))

static void the_index_works_however_lanes_run(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = VECTOR(s, 1, 1, 1, 1, 1);
    for (int strategy = 0; strategy <= LUCID_STRATEGY_ISOLATED; strategy++)
        for (int chunk = 0; chunk < 3; chunk++) {
            lucid_vmap_options o = {
                .axis_name = "b", .chunk_size = chunk, .strategy = (lucid_strategy)strategy};
            lucid_fn f = lucid_vmap(s, lucid_fn_new(s, times_index, 1, NULL), &o);
            same_elements(s, "axis_index", lucid_call1(s, f, X), DOUBLES(0, 1, 2, 3, 4), 0);
        }
}

/* Joins, then parts, each way its own work. */
static lucid_status parts_after(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor centred = lucid_sub(s, x[0], lucid_pmean(s, x[0], "b"));
    lucid_tensor all = lucid_all_gather(s, lucid_square(s, x[0]), "b", 0);
    lucid_tensor spread = lucid_psum(s, lucid_square(s, centred), "b");
    bool up = lucid_bool(s, lucid_gt(s, centred, lucid_scalar(s, 0)));
    y[0] = up ? lucid_div(s, centred, spread) : lucid_mul(s, centred, lucid_sum(s, all, LUCID_ALL));
    if (!up && lucid_bool(s, lucid_gt(s, centred, lucid_scalar(s, -1))))
        y[0] = lucid_add(s, y[0], lucid_cast(s, lucid_axis_index(s, "b"), LUCID_FLOAT64));
    return lucid_error(s);
}

FUNCTION(parted_whole_spread, lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL))

/* The same without control flow. */
static lucid_status parts_never(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    lucid_tensor centred = lucid_sub(s, x[0], lucid_mean(s, x[0], LUCID_ALL));
    lucid_tensor squares = lucid_sum(s, lucid_square(s, x[0]), LUCID_ALL);
    lucid_tensor up = lucid_gt(s, centred, lucid_scalar(s, 0));
    lucid_tensor little = lucid_gt(s, centred, lucid_scalar(s, -1));
    lucid_tensor index = lucid_arange(s, 0, (double)lucid_numel(x[0]), 1, LUCID_FLOAT64);
    lucid_tensor low = lucid_add(s, lucid_mul(s, centred, squares),
                                 lucid_where(s, little, index, lucid_scalar(s, 0)));
    y[0] = lucid_where(s, up, lucid_div(s, centred, call(s, parted_whole_spread, centred)), low);
    return lucid_error(s);
}

FUNCTION(parts_never_sum, lucid_sum(s, call(s, parts_never, x[0]), LUCID_ALL))
FUNCTION(parts_after_sum,
         lucid_sum(s, lucid_call1(s, map(s, lucid_fn_new(s, parts_after, 1, NULL)), x[0]),
                   LUCID_ALL))

static void lanes_may_part_afterwards(void **state)
{
    lucid_scope *s = *state;
    lucid_tensor X = VECTOR(s, 0.5, -3, 2, 0.25, -0.1, 4, -2.5);
    lucid_fn f = map(s, lucid_fn_new(s, parts_after, 1, NULL));
    same_as(s, "auto", lucid_call1(s, f, X), call(s, parts_never, X));
    same_as(s, "grad of auto", gradient_of(s, parts_after_sum, X),
            gradient_of(s, parts_never_sum, X));
}

static lucid_status parts_before(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y,
                                 size_t ny, void *user)
{
    (void)nx, (void)ny, (void)user;
    y[0] = lucid_bool(s, lucid_gt(s, x[0], lucid_scalar(s, 0))) ? lucid_psum(s, x[0], "b") : x[0];
    return lucid_error(s);
}

FUNCTION(of_c, lucid_psum(s, x[0], "c"))
FUNCTION(of_null, lucid_pmax(s, x[0], NULL))
FUNCTION(gather_far, lucid_all_gather(s, x[0], "b", 3))
FUNCTION(index_of_c, lucid_axis_index(s, "c"))

static void fails(lucid_scope *s, lucid_function *f, lucid_vmap_options o, lucid_status status,
                  const char *part)
{
    o.axis_name = "b";
    lucid_fn of_a = lucid_vmap(s, lucid_vmap(s, lucid_fn_new(s, f, 1, NULL), &o), &over_a);
    (void)lucid_call1(s, of_a, test_numbers(s, LUCID_SHAPE(1, 6), 3, 0));
    has_error(s, status, part);
    assert_int_equal(lucid_level(s), 0);
}

static void lanes_that_are_apart_are_an_error(void **state)
{
    lucid_scope *s = *state;
    lucid_vmap_options plain = {0}, chunks = {.chunk_size = 2},
                       isolated = {.strategy = LUCID_STRATEGY_ISOLATED};
    fails(s, sum_b, chunks, LUCID_RUNTIME_ERROR,
          "psum over axis \"b\" needs all 6 lanes, but chunk_size runs 2 at a time");
    fails(s, sum_b, isolated, LUCID_RUNTIME_ERROR, "needs all lanes, but the vmap runs them one");
    fails(s, of_c, plain, LUCID_VALUE_ERROR,
          "no axis \"c\" is in scope here (in scope: \"b\", \"a\")");
    fails(s, index_of_c, plain, LUCID_VALUE_ERROR, "axis_index: no axis \"c\"");
    fails(s, of_null, plain, LUCID_TYPE_ERROR, "the name of the axis is NULL");
    fails(s, gather_far, plain, LUCID_VALUE_ERROR, "all_gather: dim 3 is out of range");
    (void)lucid_call1(s, map(s, lucid_fn_new(s, parts_before, 1, NULL)), VECTOR(s, 1, -1, 2));
    has_error(s, LUCID_RUNTIME_ERROR, "needs all lanes, but they have parted");
    (void)lucid_psum(s, VECTOR(s, 1), "b");
    has_error(s, LUCID_VALUE_ERROR, "no axis \"b\" is in scope here (in scope: none)");
    (void)lucid_psum(s, (lucid_tensor){NULL}, "b");
    has_error(s, LUCID_TYPE_ERROR, "psum: an input is an empty handle");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_are_those_of_the_whole),
        TEST(derivatives_are_those_of_the_whole),
        TEST(transposes_join_all_lanes),
        TEST(axes_nest),
        TEST(the_inner_of_two_equal_names),
        TEST(constants_are_joined_too),
        TEST(no_lanes),
        TEST(the_index_works_however_lanes_run),
        TEST(lanes_may_part_afterwards),
        TEST(lanes_that_are_apart_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
