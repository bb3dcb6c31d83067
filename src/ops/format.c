/* Tensors as text: nested brackets, elements in columns, long dims cut in the middle. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "graph/scope.h"
#include "ops/builder.h"

enum { EDGE = 3, WHOLE_UP_TO = 1000, CELL = 40 };

/* How the floats of one tensor are written: all as integers with a point, or so many digits, or with
 * exponents. */
typedef struct style {
    int digits;
    bool exponent;
    int width;
} style;

static void cell(char *to, lucid_dtype dtype, const void *data, int64_t at, const style *st)
{
    double x;
    switch (dtype) {
    case LUCID_BOOL:
        (void)snprintf(to, CELL, "%s", ((const bool *)data)[at] ? "True" : "False");
        return;
    case LUCID_INT32:
        (void)snprintf(to, CELL, "%" PRId32, ((const int32_t *)data)[at]);
        return;
    case LUCID_INT64:
        (void)snprintf(to, CELL, "%" PRId64, ((const int64_t *)data)[at]);
        return;
    case LUCID_FLOAT32:
        x = (double)((const float *)data)[at];
        break;
    default:
        x = ((const double *)data)[at];
        break;
    }
    if (isnan(x))
        (void)snprintf(to, CELL, "nan");
    else if (isinf(x))
        (void)snprintf(to, CELL, x > 0 ? "inf" : "-inf");
    else if (st->exponent)
        (void)snprintf(to, CELL, "%.4e", x);
    else if (st->digits == 0)
        (void)snprintf(to, CELL, "%.0f.", x);
    else
        (void)snprintf(to, CELL, "%.*f", st->digits, x);
}

static double float_at(lucid_dtype dtype, const void *data, int64_t at)
{
    return dtype == LUCID_FLOAT32 ? (double)((const float *)data)[at] : ((const double *)data)[at];
}

static bool shown(int64_t i, int64_t n, bool cut)
{
    return !cut || i < EDGE || i >= n - EDGE;
}

/* Calls for every element that is written. */
static void scan(const lucid_shape *shape, bool cut, int dim, int64_t at,
                 void (*visit)(void *user, int64_t at), void *user)
{
    if (dim == shape->ndim) {
        visit(user, at);
        return;
    }
    bool here = cut && shape->dim[dim] > 2 * EDGE;
    for (int64_t i = 0; i < shape->dim[dim]; i++)
        if (shown(i, shape->dim[dim], here))
            scan(shape, cut, dim + 1, at * shape->dim[dim] + i, visit, user);
        else
            i = shape->dim[dim] - EDGE - 1;
}

typedef struct survey {
    lucid_dtype dtype;
    const void *data;
    bool fraction, large;
    double low, high;
    style style;
} survey;

static void survey_magnitude(void *user, int64_t at)
{
    survey *s = user;
    double x = fabs(float_at(s->dtype, s->data, at));
    if (!isfinite(x))
        return;
    s->fraction |= x != floor(x);
    if (x > s->high)
        s->high = x;
    if (x > 0 && x < s->low)
        s->low = x;
}

static void survey_width(void *user, int64_t at)
{
    survey *s = user;
    char c[CELL];
    cell(c, s->dtype, s->data, at, &s->style);
    int width = (int)strlen(c);
    if (width > s->style.width)
        s->style.width = width;
}

static void write_dim(lucid__text *t, const survey *s, const lucid_shape *shape, bool cut, int dim,
                      int64_t at, int indent)
{
    if (dim == shape->ndim) {
        char c[CELL];
        cell(c, s->dtype, s->data, at, &s->style);
        lucid__put(t, "%*s", s->style.width, c);
        return;
    }
    int64_t n = shape->dim[dim];
    bool here = cut && n > 2 * EDGE, last = dim + 1 == shape->ndim;
    int per_line = last ? (75 - indent) / (s->style.width + 2) : 1, on_line = 0;
    lucid__put(t, "[");
    for (int64_t i = 0; i < n; i++) {
        if (i > 0) {
            bool wrap = !last || (per_line > 0 && on_line >= per_line);
            lucid__put(t, ",");
            if (!wrap)
                lucid__put(t, " ");
            for (int k = dim + 1; !last && k < shape->ndim; k++)
                lucid__put(t, "\n");
            if (last && wrap)
                lucid__put(t, "\n");
            if (wrap) {
                lucid__put(t, "%*s", indent + 1, "");
                on_line = 0;
            }
        }
        if (!shown(i, n, here)) {
            lucid__put(t, "...");
            i = n - EDGE - 1;
        } else {
            write_dim(t, s, shape, cut, dim + 1, at * n + i, indent + 1);
        }
        on_line++;
    }
    lucid__put(t, "]");
}

/* How many innermost brackets a tensor without elements has: none below the first dim of size 0. */
static bool many_brackets(const lucid_shape *shape)
{
    int64_t n = 1;
    for (int d = 0; d < shape->ndim && shape->dim[d] > 0 && n <= WHOLE_UP_TO; d++)
        n = shape->dim[d] > WHOLE_UP_TO ? WHOLE_UP_TO + 1 : n * shape->dim[d];
    return n > WHOLE_UP_TO;
}

size_t lucid_format(lucid_scope *s, lucid_tensor x, char *to, size_t size)
{
    lucid__text t = {to, size, 0};
    if (size > 0)
        to[0] = '\0';
    if (!lucid__ok(s) || !x.v)
        return 0;
    /* Inside a transform: the numbers behind the value, with the batch where it is. */
    lucid_tensor y = x;
    while (y.v->kind == LUCID__DUAL || y.v->kind == LUCID__BATCH)
        y.v = y.v->inner;
    if (y.v->kind == LUCID__TAPE) {
        lucid__put(&t, "<no value yet>"); /* of a body that is recorded, or a tangent on a tape */
        return t.length;
    }
    lucid_scope child;
    lucid__scope_enter(&child, s);
    const void *data = lucid_data(&child, y);
    if (data) {
        survey v = {.dtype = lucid_dtype_of(y), .data = data, .low = INFINITY};
        if (y.v->weak) /* lucid_data made the strong form */
            v.dtype = lucid__promoted(&y, 1);
        const lucid_shape *shape = &y.v->aval.shape;
        bool cut = lucid__numel(shape) > WHOLE_UP_TO;
        if (lucid__numel(shape) > 0) {
            if (lucid__is_float(v.dtype))
                scan(shape, cut, 0, 0, survey_magnitude, &v);
            v.style.digits = v.fraction ? 4 : 0;
            v.style.exponent = v.high >= 1e8 || (v.fraction && v.low < 1e-4) ||
                               (v.low > 0 && v.low < INFINITY && v.high / v.low > 1e8);
            scan(shape, cut, 0, 0, survey_width, &v);
        }
        if (lucid__numel(shape) == 0 && many_brackets(shape))
            lucid__put(&t, "[]");
        else
            write_dim(&t, &v, shape, cut, 0, 0, 0);
    }
    lucid__scope_leave(&child);
    return t.length;
}

void lucid_print(lucid_scope *s, lucid_tensor x)
{
    lucid_scope child;
    if (!lucid__ok(s))
        return;
    if (!x.v) {
        (void)puts("<empty>");
        return;
    }
    lucid__scope_enter(&child, s);
    size_t length = lucid_format(&child, x, NULL, 0);
    char *line = lucid_alloc(&child, length + 1);
    if (line) {
        (void)lucid_format(&child, x, line, length + 1);
        (void)puts(line);
    }
    lucid__scope_leave(&child);
}
