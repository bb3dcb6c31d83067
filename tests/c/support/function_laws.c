#include "support/function_laws.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_INPUTS = 6, LANES = 3 };

/* ---- numbers -------------------------------------------------------------------------------- */

/* splitmix64, for numbers that owe nothing to the generator under test. */
static double next_uniform(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

lucid_tensor test_numbers(lucid_scope *s, lucid_shape shape, uint64_t seed, double apart)
{
    size_t n = 1;
    for (int i = 0; i < shape.ndim; i++)
        n *= (size_t)shape.dim[i];
    double *at = lucid_alloc(s, (n + 1) * sizeof *at);
    assert_non_null(at);
    uint64_t state = seed;
    for (size_t i = 0; i < n; i++) {
        double sum = -2;
        for (int k = 0; k < 4; k++)
            sum += next_uniform(&state);
        at[i] = copysign(fabs(2 * sum) + apart, sum);
    }
    return lucid_from_data(s, at, LUCID_FLOAT64, shape);
}

double *elements(lucid_scope *s, lucid_tensor x)
{
    size_t n = (size_t)lucid_numel(x);
    double *to = lucid_alloc(s, (n + 1) * sizeof *to);
    lucid_tensor wide = lucid_cast(s, x, LUCID_FLOAT64);
    (void)lucid_read(s, wide, to, n * sizeof *to);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return to;
}

/* ---- comparing ------------------------------------------------------------------------------ */

static bool close_enough(double got, double want, double tolerance)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= tolerance * fmax(1, fabs(want));
}

void same_elements(lucid_scope *s, const char *what, lucid_tensor got, const double *want,
                   double tolerance)
{
    const double *at = elements(s, got);
    for (int64_t i = 0; i < lucid_numel(got); i++)
        if (!close_enough(at[i], want[i], tolerance))
            fail_msg("%s: element %lld is %.17g, expected %.17g", what, (long long)i, at[i],
                     want[i]);
}

void has_shape(lucid_tensor x, lucid_shape shape)
{
    assert_false(lucid_is_empty_handle(x));
    assert_int_equal(lucid_ndim(x), shape.ndim);
    for (int i = 0; i < shape.ndim; i++)
        assert_int_equal(lucid_size(x, i), shape.dim[i]);
}

void same_tensors(lucid_scope *s, const char *what, lucid_tensor got, lucid_tensor want,
                  double tolerance)
{
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
    has_shape(got, lucid_shape_of(want));
    same_elements(s, what, got, elements(s, want), tolerance);
}

void has_error(lucid_scope *s, lucid_status status, const char *part)
{
    assert_int_equal(lucid_error(s), status);
    if (!strstr(lucid_error_message(s), part))
        fail_msg("\"%s\" does not contain \"%s\"", lucid_error_message(s), part);
    lucid_clear_error(s);
}

/* ---- derivatives ---------------------------------------------------------------------------- */

/* f and how many arguments it takes, as the user of the functions below. */
typedef struct pulled {
    lucid_function *f;
    size_t nx;
} pulled;

/* Arguments x and ct: the cotangents of x. */
static lucid_status pull(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *dx,
                         size_t n, void *user)
{
    const pulled *p = user;
    (void)nx;
    lucid_tensor y;
    lucid_fn f = lucid_fn_new(s, p->f, 1, NULL);
    lucid_fn back = lucid_vjp(s, f, x, p->nx, &y, 1);
    return lucid_call(s, back, x + p->nx, 1, dx, n);
}

static bool is_variable(lucid_tensor x)
{
    return lucid_dtype_of(x) == LUCID_FLOAT64;
}

static lucid_tensor total(lucid_scope *s, lucid_tensor x)
{
    return lucid_sum(s, x, LUCID_ALL);
}

lucid_tensor gradient(lucid_scope *s, lucid_function *f, const lucid_tensor *x, size_t nx)
{
    lucid_tensor y, dx[MAX_INPUTS];
    lucid_fn back = lucid_vjp(s, lucid_fn_new(s, f, 1, NULL), x, nx, &y, 1);
    lucid_tensor ct = lucid_ones_like(s, y);
    (void)lucid_call(s, back, &ct, 1, dx, nx);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
    return dx[0];
}

/* x + h dx, result k of f there. */
static lucid_tensor moved(lucid_scope *s, lucid_fn f, const lucid_tensor *x, const lucid_tensor *dx,
                          size_t nx, double h, size_t k, size_t ny)
{
    lucid_tensor at[MAX_INPUTS], y[MAX_INPUTS];
    for (size_t i = 0; i < nx; i++)
        at[i] = dx[i].v ? lucid_add(s, x[i], lucid_mul(s, dx[i], lucid_scalar(s, h))) : x[i];
    (void)lucid_call(s, f, at, nx, y, ny);
    return y[k];
}

/* Central differences of fourth order. */
static lucid_tensor difference(lucid_scope *s, lucid_fn f, const lucid_tensor *x,
                               const lucid_tensor *dx, size_t nx, size_t k, size_t ny)
{
    const double h = 1e-3;
    lucid_tensor near =
        lucid_sub(s, moved(s, f, x, dx, nx, h, k, ny), moved(s, f, x, dx, nx, -h, k, ny));
    lucid_tensor far =
        lucid_sub(s, moved(s, f, x, dx, nx, 2 * h, k, ny), moved(s, f, x, dx, nx, -2 * h, k, ny));
    lucid_tensor sum = lucid_sub(s, lucid_mul(s, near, lucid_scalar(s, 8)), far);
    return lucid_div(s, sum, lucid_scalar(s, 12 * h));
}

/* jvp of f agrees with finite differences, in every result that has a derivative. */
static void check_push(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x,
                       const lucid_tensor *dx, size_t nx, size_t ny)
{
    lucid_tensor y[MAX_INPUTS], dy[MAX_INPUTS];
    (void)lucid_jvp(s, f, x, dx, nx, y, dy, ny);
    for (size_t k = 0; k < ny && lucid_error(s) == LUCID_OK; k++)
        if (is_variable(y[k]))
            same_tensors(s, what, dy[k], difference(s, f, x, dx, nx, k, ny), 2e-7);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
}

/* vmap(f) over LANES variations of x, along alternating axes, and the loop. */
static void check_lanes(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x,
                        size_t nx, size_t ny)
{
    lucid_tensor lane[LANES][MAX_INPUTS], batch[MAX_INPUTS], y[MAX_INPUTS], want[MAX_INPUTS];
    int in_dims[MAX_INPUTS];
    for (size_t i = 0; i < nx; i++) {
        lucid_tensor rows[LANES];
        for (int b = 0; b < LANES; b++) {
            lucid_tensor by = lucid_scalar(s, 1 + 0.01 * b);
            rows[b] = lane[b][i] = is_variable(x[i]) ? lucid_mul(s, x[i], by) : x[i];
        }
        in_dims[i] = i % 2 == 0 ? 0 : -1;
        batch[i] = lucid_stack(s, rows, LANES, in_dims[i]);
    }
    lucid_fn mapped = lucid_vmap(s, f, &(lucid_vmap_options){.in_dims = {in_dims, nx}});
    (void)lucid_call(s, mapped, batch, nx, y, ny);
    for (int b = 0; b < LANES; b++) {
        (void)lucid_call(s, f, lane[b], nx, want, ny);
        for (size_t k = 0; k < ny; k++)
            same_tensors(s, what, lucid_select(s, y[k], 0, b), want[k], 1e-12);
    }
}

void obeys_laws(lucid_scope *s, const char *what, lucid_function *f, const lucid_tensor *x,
                size_t nx)
{
    assert_true(nx < MAX_INPUTS);
    char text[128];
    const char *name = text;
#define NAMED(law) (void)snprintf(text, sizeof text, "%s, %s", what, law)
    lucid_fn fn = lucid_fn_new(s, f, 1, NULL);
    lucid_tensor dx[MAX_INPUTS] = {{NULL}}, y, dy, back[MAX_INPUTS];
    for (size_t i = 0; i < nx; i++)
        if (is_variable(x[i]))
            dx[i] = test_numbers(s, lucid_shape_of(x[i]), 100 + i, 0);
    (void)lucid_jvp(s, fn, x, dx, nx, &y, &dy, 1);
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
    NAMED("jvp");
    check_push(s, name, fn, x, dx, nx, 1);

    lucid_tensor args[MAX_INPUTS], moves[MAX_INPUTS];
    for (size_t i = 0; i < nx; i++) {
        args[i] = x[i];
        moves[i] = dx[i];
    }
    args[nx] = test_numbers(s, lucid_shape_of(y), 7, 0);
    moves[nx] = test_numbers(s, lucid_shape_of(y), 8, 0);
    pulled p = {f, nx};
    lucid_fn pull_fn = lucid_fn_new(s, pull, nx, &p);
    (void)lucid_call(s, pull_fn, args, nx + 1, back, nx);
    double left = lucid_item(s, total(s, lucid_mul(s, args[nx], dy))), right = 0;
    for (size_t i = 0; i < nx; i++)
        if (is_variable(x[i]))
            right += lucid_item(s, total(s, lucid_mul(s, back[i], dx[i])));
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s: %s", what, lucid_error_message(s));
    if (!close_enough(left, right, 1e-11))
        fail_msg("%s: <ct, J dx> = %.17g, <J^T ct, dx> = %.17g", what, left, right);
    NAMED("jvp of vjp");
    check_push(s, name, pull_fn, args, moves, nx + 1, nx);
    NAMED("vmap");
    check_lanes(s, name, fn, x, nx, 1);
    NAMED("vmap of vjp");
    check_lanes(s, name, pull_fn, args, nx + 1, nx);
#undef NAMED
}
