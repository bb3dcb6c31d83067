/* Straight-line code over a batch as one lane program: which operations make one, that results are the same
 * whatever stands in the lanes, and how the choice is told. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/force.h"
#include "support/both_ways.h"

static const char *text_of(lucid_scope *s, const lucid_tensor *y, size_t ny,
                           lucid_explain_format format)
{
    const char *text = lucid_explanation_as(s, lucid_explain(s, y, ny, NULL), format);
    check(s);
    return text;
}

static void close_to(lucid_scope *s, lucid_tensor x, lucid_tensor y, double tolerance,
                     const char *what)
{
    x = lucid_row_major(s, lucid_cast(s, x, LUCID_FLOAT64));
    y = lucid_row_major(s, lucid_cast(s, y, LUCID_FLOAT64));
    const double *a = lucid_data(s, x), *b = lucid_data(s, y);
    check(s);
    assert_int_equal(lucid_numel(x), lucid_numel(y));
    for (int64_t i = 0; i < lucid_numel(x); i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * (1 + fabs(b[i]))))
            fail_msg("%s: element %d: %.17g, not %.17g", what, (int)i, a[i], b[i]);
}

/* The results under every choice: those of batch are y's; one dispatch there, if `one`. */
static void every_choice(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x,
                         size_t nx, lucid_tensor *y, size_t ny, double tolerance, bool one)
{
    static const lucid__forced_layout layouts[] = {LUCID__FORCE_BATCH, LUCID__FORCE_NONE,
                                                   LUCID__FORCE_ELEMENTS, LUCID__FORCE_LIBRARY};
    for (int l = 0; l < 4; l++) {
        lucid_tensor z[BOTH_WAYS_MOST];
        lucid__force_layout(layouts[l]);
        apply(s, f, x, nx, l == 0 ? y : z, ny);
        if (l == 0 && one && strncmp(text_of(s, y, ny, LUCID_EXPLAIN_TEXT), "1 dispatch:", 11) != 0)
            fail_msg("%s: not one step:\n%s", what, text_of(s, y, ny, LUCID_EXPLAIN_TEXT));
        if (layouts[l] == LUCID__FORCE_ELEMENTS)
            assert_null(strstr(text_of(s, z, ny, LUCID_EXPLAIN_TEXT), "lanes = library"));
        assert_int_equal(lucid_eval(s, l == 0 ? y : z, ny), LUCID_OK);
        for (size_t k = 0; l > 0 && k < ny; k++)
            close_to(s, y[k], z[k], tolerance, what);
    }
    lucid__force_layout(LUCID__FORCE_NONE);
}

/* ---- a filter: products, a solution, and what is between them -------------------------------------- */

static lucid_tensor turned(lucid_scope *s, lucid_tensor x)
{
    return lucid_transpose(s, x, -1, -2);
}

/* x: state (4), covariance (4, 4), observation (2), then the model, which is one for all. */
FUNCTION(filter)
{
    UNUSED;
    lucid_tensor f = x[3], h = x[4];
    lucid_tensor m = lucid_matmul(s, f, x[0]);
    lucid_tensor p = lucid_add(s, lucid_matmul(s, lucid_matmul(s, f, x[1]), turned(s, f)), x[5]);
    lucid_tensor hp = lucid_matmul(s, h, p);
    lucid_tensor gain =
        turned(s, lucid_solve(s, lucid_add(s, lucid_matmul(s, hp, turned(s, h)), x[6]), hp));
    y[0] = lucid_add(s, m, lucid_matmul(s, gain, lucid_sub(s, x[2], lucid_matmul(s, h, m))));
    y[1] = lucid_sub(s, p, lucid_matmul(s, lucid_matmul(s, gain, h), p));
    return LUCID_OK;
}

static void filter_inputs(lucid_scope *s, lucid_dtype dtype, int64_t lanes, lucid_tensor *x)
{
    lucid_tensor one = lucid_cast(s, lucid_eye(s, 4, 4), dtype);
    x[0] = some(s, dtype, LUCID_SHAPE(lanes, 4));
    x[1] = lucid_add(s, some(s, dtype, LUCID_SHAPE(lanes, 4, 4)), lucid_mul(s, one, NUM(4)));
    x[2] = some(s, dtype, LUCID_SHAPE(lanes, 2));
    x[3] = some(s, dtype, LUCID_SHAPE(4, 4));
    x[4] = some(s, dtype, LUCID_SHAPE(2, 4));
    x[5] = one;
    x[6] = lucid_cast(s, lucid_eye(s, 2, 2), dtype);
    (void)lucid_eval(s, x, 7);
}

static void test_filter(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 15, 16, 17, 63, 64, 65, 129, 1000};
    const int dims[7] = {0, 0, 0, LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE};
    lucid_vmap_options options = {.in_dims = {dims, 7}};
    for (int d = 0; d < 2; d++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            lucid_scope *s = lucid_open(NULL);
            lucid_tensor x[7], y[2];
            filter_inputs(s, d ? LUCID_FLOAT64 : LUCID_FLOAT32, sizes[k], x);
            lucid_fn f = lucid_fn_new(s, filter, 2, NULL);
            every_choice(s, "filter", lucid_vmap(s, f, &options), x, 7, y, 2, d ? 1e-12 : 2e-4,
                         sizes[k] > 1);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

/* An example has the bits in a batch that it has alone, where no BLAS adds up in an order of its own: its sums are
 * short, and taken in one order. */
static void test_an_example_alone(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[7], y[2], alone[7], z[2];
    const int dims[7] = {0, 0, 0, LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE};
    lucid_vmap_options options = {.in_dims = {dims, 7}};
    filter_inputs(s, LUCID_FLOAT32, 100, x);
    lucid_fn f = lucid_fn_new(s, filter, 2, NULL);
    lucid__force_layout(LUCID__FORCE_BATCH);
    apply(s, lucid_vmap(s, f, &options), x, 7, y, 2);
    assert_int_equal(lucid_eval(s, y, 2), LUCID_OK);
    lucid__force_layout(LUCID__FORCE_ELEMENTS);
    for (int b = 0; b < 100; b += 9) {
        for (int i = 0; i < 7; i++)
            alone[i] = i < 3 ? lucid_select(s, x[i], 0, b) : x[i];
        apply(s, f, alone, 7, z, 2);
        for (int k = 0; k < 2; k++)
            same_bits(s, lucid_select(s, y[k], 0, b), z[k], "an example");
    }
    lucid__force_layout(LUCID__FORCE_NONE);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

/* ---- shapes, places, indices ------------------------------------------------------------------------ */

typedef lucid_tensor one_function(lucid_scope *s, const lucid_tensor *x);

static lucid_tensor at(lucid_scope *s, lucid_tensor x, int64_t i)
{
    return lucid_select(s, x, 0, i);
}

static lucid_tensor crossed(lucid_scope *s, const lucid_tensor *x)
{
    lucid_tensor part[3];
    for (int i = 0; i < 3; i++) {
        int j = (i + 1) % 3, k = (i + 2) % 3;
        part[i] = lucid_sub(s, lucid_mul(s, at(s, x[0], j), at(s, x[1], k)),
                            lucid_mul(s, at(s, x[0], k), at(s, x[1], j)));
    }
    return lucid_stack(s, part, 3, 0);
}

static lucid_tensor picked(lucid_scope *s, const lucid_tensor *x)
{
    const int64_t where[4] = {2, 0, -1, 1};
    lucid_tensor index = lucid_from_data(s, where, LUCID_INT64, LUCID_SHAPE(4));
    return lucid_mul(s, lucid_take(s, x[0], index, 0), NUM(2));
}

static lucid_tensor picked_by_data(lucid_scope *s, const lucid_tensor *x)
{
    lucid_tensor largest = lucid_argmax(s, x[0], 0, false);
    return lucid_add(s, lucid_take(s, x[1], largest, 0), NUM(1));
}

static lucid_tensor moved_about(lucid_scope *s, const lucid_tensor *x)
{
    const int64_t low[1] = {1}, high[1] = {2};
    lucid_tensor a = lucid_pad(s, lucid_flip(s, x[0], LUCID_DIMS(0)), low, high);
    lucid_tensor b = lucid_concatenate(s, (lucid_tensor[]){x[1], x[0]}, 2, 0);
    lucid_tensor both = lucid_matmul(s, lucid_reshape(s, a, LUCID_SHAPE(2, 3)),
                                     lucid_reshape(s, b, LUCID_SHAPE(3, 2)));
    return lucid_cumsum(s, lucid_reshape(s, lucid_softmax(s, both, 1), LUCID_SHAPE(4)), 0);
}

static lucid_tensor with_one_for_all(lucid_scope *s, const lucid_tensor *x)
{
    lucid_tensor one = lucid_reshape(s, lucid_arange(s, 0, 3, 1, LUCID_INT64), LUCID_SHAPE(1, 3));
    lucid_tensor a = lucid_mul(s, lucid_reshape(s, x[0], LUCID_SHAPE(3, 1)),
                               lucid_cast(s, one, lucid_dtype_of(x[0])));
    return lucid_sum(s, lucid_mul(s, a, lucid_exp(s, x[1])), LUCID_DIMS(0));
}

static lucid_tensor factored(lucid_scope *s, const lucid_tensor *x)
{
    lucid_tensor a = lucid_mul(s, lucid_reshape(s, x[0], LUCID_SHAPE(3, 1)), x[1]);
    a = lucid_add(s, a, lucid_mul(s, lucid_cast(s, lucid_eye(s, 3, 3), lucid_dtype_of(a)), NUM(3)));
    lucid_tensor spd = lucid_matmul(s, a, turned(s, a));
    return lucid_add(s, lucid_matmul(s, lucid_inv(s, a), x[1]),
                     lucid_mul(s, lucid_matmul(s, lucid_cholesky(s, spd), x[0]), lucid_det(s, a)));
}

FUNCTION(call_one)
{
    UNUSED;
    y[0] = (*(one_function **)user)(s, x);
    return LUCID_OK;
}

static const struct {
    const char *name;
    one_function *f;
} functions[] = {{"crossed", crossed},
                 {"picked", picked},
                 {"picked by data", picked_by_data},
                 {"moved about", moved_about},
                 {"with one for all", with_one_for_all},
                 {"factored", factored}};

/* The batch in front, at the end, every other example of twice as many, one for all. */
static void test_functions(void **state)
{
    (void)state;
    const int nfunctions = sizeof functions / sizeof *functions;
    for (int f = 0; f < nfunctions; f++)
        for (int way = 0; way < 8; way++) {
            lucid_scope *s = lucid_open(NULL);
            one_function *of = functions[f].f;
            lucid_dtype dtype = way & 1 ? LUCID_FLOAT64 : LUCID_FLOAT32;
            double tolerance = way & 1 ? 1e-12 : 1e-4;
            const int64_t lanes = 70;
            lucid_tensor x[2], y;
            int dims[2] = {0, way / 2 == 3 ? LUCID_NONE : 0}, out = way / 2 == 1 ? -1 : 0;
            for (int i = 0; i < 2; i++) {
                x[i] = some(s, dtype, LUCID_SHAPE(2 * lanes, 3));
                x[i] = lucid_slice(s, x[i], 0, 0, LUCID_END, 2);
                if (way / 2 == 1) {
                    x[i] = lucid_row_major(s, turned(s, x[i]));
                    dims[i] = 1;
                } else if (way / 2 == 0) {
                    x[i] = lucid_row_major(s, x[i]);
                }
                if (dims[i] == LUCID_NONE)
                    x[i] = lucid_select(s, x[i], 0, 5);
            }
            assert_int_equal(lucid_eval(s, x, 2), LUCID_OK);
            lucid_vmap_options options = {.in_dims = {dims, 2}, .out_dims = {&out, 1}};
            lucid_fn g = lucid_vmap(s, lucid_fn_new(s, call_one, 1, &of), &options);
            every_choice(s, functions[f].name, g, x, 2, &y, 1, tolerance, false);
            assert_int_equal(lucid_close(s), LUCID_OK);
        }
}

FUNCTION(total_of_one)
{
    UNUSED;
    lucid_tensor z = (*(one_function **)user)(s, x);
    y[0] = lucid_sum(s, lucid_mul(s, z, z), LUCID_ALL);
    return LUCID_OK;
}

static void test_derivatives(void **state)
{
    (void)state;
    const int nfunctions = sizeof functions / sizeof *functions;
    for (int f = 0; f < nfunctions; f++) {
        lucid_scope *s = lucid_open(NULL);
        one_function *of = functions[f].f;
        const lucid_tensor x[2] = {some(s, LUCID_FLOAT64, LUCID_SHAPE(33, 3)),
                                   some(s, LUCID_FLOAT64, LUCID_SHAPE(33, 3))};
        lucid_tensor y;
        lucid_fn one = lucid_fn_new(s, call_one, 1, &of),
                 total = lucid_fn_new(s, total_of_one, 1, &of);
        lucid_fn jacobian = lucid_vmap(s, lucid_jacrev(s, one, NULL), NULL);
        lucid_fn hessian = lucid_vmap(s, lucid_hessian(s, total, NULL), NULL);
        every_choice(s, functions[f].name, jacobian, x, 2, &y, 1, 1e-10, false);
        every_choice(s, functions[f].name, hessian, x, 2, &y, 1, 1e-9, false);
        assert_int_equal(lucid_close(s), LUCID_OK);
    }
}

/* ---- what cannot be part of it ------------------------------------------------------------------------ */

/* A sort in between: what is before it, and what is after it, are regions of their own. */
static lucid_tensor around_a_sort(lucid_scope *s, const lucid_tensor *x)
{
    lucid_tensor a = lucid_matmul(s, lucid_reshape(s, x[0], LUCID_SHAPE(3, 1)),
                                  lucid_reshape(s, x[1], LUCID_SHAPE(1, 3)));
    lucid_tensor sorted = lucid_sort(s, lucid_reshape(s, a, LUCID_SHAPE(9)), 0, false, NULL);
    lucid_tensor b = lucid_matmul(s, a, lucid_reshape(s, sorted, LUCID_SHAPE(3, 3)));
    return lucid_add(s, b, lucid_matmul(s, a, a));
}

static void test_around_a_sort(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    one_function *of = around_a_sort;
    const lucid_tensor x[2] = {some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3)),
                               some(s, LUCID_FLOAT64, LUCID_SHAPE(40, 3))};
    lucid_tensor y;
    lucid_fn f = lucid_vmap(s, lucid_fn_new(s, call_one, 1, &of), NULL);
    every_choice(s, "around a sort", f, x, 2, &y, 1, 1e-12, false);
    assert_int_equal(lucid_close(s), LUCID_OK);
}

static void test_an_index_out_of_range(void **state)
{
    (void)state;
    lucid__force_layout(LUCID__FORCE_BATCH);
    lucid_scope *s = lucid_open(NULL);
    int64_t where[70];
    for (int i = 0; i < 70; i++)
        where[i] = i == 66 ? 3 : i % 3;
    lucid_tensor x = some(s, LUCID_FLOAT32, LUCID_SHAPE(3));
    lucid_tensor index = lucid_from_data(s, where, LUCID_INT64, LUCID_SHAPE(70));
    lucid_tensor y = lucid_mul(s, lucid_take(s, x, index, 0), NUM(2));
    assert_int_equal(lucid_eval(s, &y, 1), LUCID_INDEX_ERROR);
    assert_non_null(strstr(lucid_error_message(s), "3 is out of range for dim 0 of size 3"));
    assert_int_equal(lucid_close(s), LUCID_INDEX_ERROR);
    lucid__force_layout(LUCID__FORCE_NONE);
}

/* ---- the choice ------------------------------------------------------------------------------------------ */

/* Many small steps are worth one lane program; one product, and large ones, are not. */
static void test_choice_is_made_and_told(void **state)
{
    (void)state;
    lucid_scope *s = lucid_open(NULL);
    lucid_tensor x[7], y[2];
    const int dims[7] = {0, 0, 0, LUCID_NONE, LUCID_NONE, LUCID_NONE, LUCID_NONE};
    lucid_vmap_options options = {.in_dims = {dims, 7}};
    filter_inputs(s, LUCID_FLOAT32, 3000, x);
    apply(s, lucid_vmap(s, lucid_fn_new(s, filter, 2, NULL), &options), x, 7, y, 2);
    const char *text = text_of(s, y, 2, LUCID_EXPLAIN_TEXT);
    assert_memory_equal(text, "1 dispatch: ", 12);
    assert_non_null(strstr(text, "operations over 3000 examples, "));
    assert_non_null(strstr(text, "in steps (estimated): one lane program\n"));
    assert_non_null(strstr(text, "solve"));
    assert_non_null(strstr(text, "over (3000,), lanes = batch ("));
    assert_non_null(strstr(text_of(s, y, 2, LUCID_EXPLAIN_JSON), "\"chosen\": \"batch\"}]"));
    const char *svg = text_of(s, y, 2, LUCID_EXPLAIN_SVG);
    assert_non_null(strstr(svg, "in steps (estimated): one lane program</text>"));
    assert_non_null(strstr(svg, ">solve</text>"));
    assert_non_null(strstr(text_of(s, y, 2, LUCID_EXPLAIN_HTML), svg));

    lucid_tensor a = some(s, LUCID_FLOAT32, LUCID_SHAPE(200, 16, 16));
    assert_int_equal(lucid_eval(s, &a, 1), LUCID_OK);
    lucid_tensor product = lucid_tanh(s, lucid_matmul(s, a, a));
    text = text_of(s, &product, 1, LUCID_EXPLAIN_TEXT);
    assert_memory_equal(text, "2 dispatches: ", 14);
    assert_non_null(strstr(text, "in steps (estimated): steps\n"));
    assert_int_equal(lucid_close(s), LUCID_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_an_example_alone),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_around_a_sort),
        cmocka_unit_test(test_an_index_out_of_range),
        cmocka_unit_test(test_choice_is_made_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
