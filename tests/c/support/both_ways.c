#include "support/both_ways.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/shape.h"
#include "cpu/chains.h"
#include "engine/force.h"

void check(lucid_scope *s)
{
    if (lucid_error(s) != LUCID_OK)
        fail_msg("%s", lucid_error_message(s));
}

void apply(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, lucid_tensor *y, size_t ny)
{
    (void)lucid_call(s, f, x, nx, y, ny);
    check(s);
}

static const char *explained(lucid_scope *s, const lucid_tensor *y, size_t ny)
{
    const char *text = lucid_explanation_as(s, lucid_explain(s, y, ny, NULL), LUCID_EXPLAIN_TEXT);
    check(s);
    return text;
}

bool in_lanes(lucid_scope *s, const lucid_tensor *y, size_t ny)
{
    const char *text = explained(s, y, ny);
    return strstr(text, "lanes = batch (") && !strstr(text, "operation by operation");
}

void same_bits(lucid_scope *s, lucid_tensor x, lucid_tensor y, const char *what)
{
    const char *a = lucid_data(s, lucid_row_major(s, x)), *b = lucid_data(s, lucid_row_major(s, y));
    check(s);
    assert_int_equal(lucid_numel(x), lucid_numel(y));
    size_t size = lucid_dtype_size(lucid_dtype_of(x));
    for (int64_t i = 0; i < lucid_numel(x); i++) {
        const void *p = a + (size_t)i * size, *q = b + (size_t)i * size;
        double u = 0, v = 0;
        if (lucid_dtype_of(x) == LUCID_FLOAT32)
            u = *(const float *)p, v = *(const float *)q;
        if (lucid_dtype_of(x) == LUCID_FLOAT64)
            u = *(const double *)p, v = *(const double *)q;
        bool nan = u != u && v != v; /* of which the sign is nobody's business */
        if (!nan && memcmp(p, q, size) != 0)
            fail_msg("%s: element %d of %d: %.17g, not %.17g", what, (int)i, (int)lucid_numel(x), u,
                     v);
    }
}

/* Without elements nothing needs a program. */
static bool any_elements(const lucid_tensor *y, size_t ny)
{
    for (size_t k = 0; k < ny; k++)
        if (lucid_numel(y[k]) > 0)
            return true;
    return false;
}

void both(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x, size_t nx,
          lucid_tensor *y, size_t ny)
{
    static int turn; /* machine code with vectors of either length in turn */
    const int64_t usual = lucid__native_after;
    lucid_tensor z[BOTH_WAYS_MOST], native[BOTH_WAYS_MOST];
    lucid__force_layout(LUCID__FORCE_NONE);
    lucid__native_after = INT64_MAX;
    apply(s, f, x, nx, y, ny);
    if (any_elements(y, ny) && !in_lanes(s, y, ny))
        fail_msg("%s: not in lanes:\n%s", what, explained(s, y, ny));
    assert_int_equal(lucid_eval(s, y, ny), LUCID_OK);
    lucid__native_after = 0;
    lucid__native_wide = turn++ % 2 == 0;
    apply(s, f, x, nx, native, ny);
    assert_int_equal(lucid_eval(s, native, ny), LUCID_OK);
    lucid__native_after = usual;
    lucid__native_wide = true;
    lucid__force_layout(LUCID__FORCE_ELEMENTS);
    apply(s, f, x, nx, z, ny);
    assert_false(in_lanes(s, z, ny));
    assert_int_equal(lucid_eval(s, z, ny), LUCID_OK);
    lucid__force_layout(LUCID__FORCE_NONE);
    for (size_t k = 0; k < ny; k++) {
        same_bits(s, y[k], z[k], what);
        same_bits(s, native[k], y[k], what);
    }
}

void both_vmapped(lucid_scope *s, const char *what, lucid_function *f, size_t ny, void *user,
                  const lucid_tensor *x, size_t nx, lucid_tensor *y)
{
    both(s, what, lucid_vmap(s, lucid_fn_new(s, f, ny, user), NULL), x, nx, y, ny);
}

lucid_tensor corners(lucid_scope *s, lucid_dtype dtype, int64_t n, int shift)
{
    static const double some[] = {0.0,  -0.0, 1,    -1,       2.5,       -3.75, 1e-40, -1e-310,
                                  1e30, 7,    -0.5, INFINITY, -INFINITY, NAN,   3,     100};
    const int count = sizeof some / sizeof *some;
    double *v = lucid_alloc(s, (size_t)(n + 1) * sizeof *v);
    for (int64_t i = 0; i < n; i++)
        v[i] = some[(i * (shift + 1) + shift) % count];
    lucid_tensor x = lucid_from_data(s, v, LUCID_FLOAT64, LUCID_SHAPE(n));
    return lucid_cast(s, x, dtype);
}

lucid_tensor some(lucid_scope *s, lucid_dtype dtype, lucid_shape shape)
{
    static uint32_t noise = 1;
    int64_t n = lucid__numel(&shape);
    double *v = lucid_alloc(s, (size_t)(n + 1) * sizeof *v);
    for (int64_t i = 0; i < n; i++) {
        noise = noise * 1664525U + 1013904223U;
        v[i] = (double)(noise >> 8) / (1 << 24) - 0.5;
    }
    return lucid_cast(s, lucid_from_data(s, v, LUCID_FLOAT64, shape), dtype);
}

lucid_tensor int32(lucid_scope *s, int32_t value)
{
    return lucid_from_data(s, &value, LUCID_INT32, LUCID_SCALAR_SHAPE);
}
