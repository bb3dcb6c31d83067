#include "support/differences.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/dtype.h"

enum { SHOWN = 8 };

static char where[512];
static int count;

void differences_begin(void)
{
    count = 0;
    where[0] = '\0';
}

int differences_count(void)
{
    return count;
}

void differences_end(void)
{
    if (count > SHOWN)
        print_error("  ... and %d more\n", count - SHOWN);
    if (count > 0)
        fail_msg("%d differences", count);
}

void checking(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(where, sizeof where, format, args);
    va_end(args);
}

const char *what_is_checked(void)
{
    return where;
}

void difference(const char *format, ...)
{
    if (count++ >= SHOWN)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    print_error("  %s: %s\n", where, text);
}

double same_maths(lucid_dtype dtype)
{
    return dtype == LUCID_FLOAT32 ? 2e-5 : dtype == LUCID_FLOAT64 ? 1e-10 : 0;
}

static const char *position(const lucid_shape *shape, int64_t i, char *to, size_t size)
{
    lucid_shape at = *shape;
    for (int d = shape->ndim - 1; d >= 0; d--) {
        at.dim[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
    return lucid__shape_text(&at, to, size);
}

static bool close(double got, double want, double tolerance, double scale)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return want == got;
    return fabs(got - want) <= tolerance * (fabs(want) + scale);
}

bool same(const char *name, const host_array *got, const host_array *want, double tolerance)
{
    char a[LUCID__SHAPE_TEXT], b[LUCID__SHAPE_TEXT];
    if (got->dtype != want->dtype || !lucid__shape_equal(&got->shape, &want->shape)) {
        difference("%s is %s %s, expected %s %s", name, lucid_dtype_name(got->dtype),
                   lucid__shape_text(&got->shape, a, sizeof a), lucid_dtype_name(want->dtype),
                   lucid__shape_text(&want->shape, b, sizeof b));
        return false;
    }
    if (!lucid__is_float(want->dtype))
        tolerance = 0;
    double scale = fmax(1, host_largest(want));
    int64_t wrong = 0, first = -1;
    for (int64_t i = 0; i < want->n; i++)
        if (!close(got->at[i], want->at[i], tolerance, scale)) {
            wrong++;
            first = first < 0 ? i : first;
        }
    if (wrong == 0)
        return true;
    difference("%s at %s: %.17g, expected %.17g (%s %s; %" PRId64 " of %" PRId64
               " elements differ, tolerance %g)",
               name, position(&want->shape, first, a, sizeof a), got->at[first], want->at[first],
               lucid_dtype_name(want->dtype), lucid__shape_text(&want->shape, b, sizeof b), wrong,
               want->n, tolerance);
    return false;
}

bool same_number(const char *name, double got, double want, double tolerance, double scale)
{
    if (close(got, want, tolerance, fmax(1, scale)))
        return true;
    difference("%s: %.17g, expected %.17g (tolerance %g)", name, got, want, tolerance);
    return false;
}
