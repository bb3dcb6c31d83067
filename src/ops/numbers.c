#include "ops/numbers.h"

#include <math.h>
#include <string.h>

#include "graph/node.h"
#include "prim/family.h"
#include "prim/number.h"

lucid_tensor lucid_scalar(lucid_scope *s, double value)
{
    return lucid__bare_number(s, LUCID_FLOAT64, &value);
}

lucid_tensor lucid_scalar_int(lucid_scope *s, int64_t value)
{
    return lucid__bare_number(s, LUCID_INT64, &value);
}

lucid_tensor lucid_scalar_bool(lucid_scope *s, bool value)
{
    return lucid__bare_number(s, LUCID_BOOL, &value);
}

/* The element of a number that was written down, not computed; NULL: x is something else. */
static const void *element(lucid_tensor x)
{
    if (!x.v || !x.v->weak || x.v->kind != LUCID__GRAPH || !lucid__node_is_number(x.v->node))
        return NULL;
    return x.v->node->out[0].storage.buffer->data;
}

bool lucid__number_value(lucid_tensor x, double *value)
{
    const void *p = element(x);
    int64_t whole;
    if (!p)
        return false;
    switch (x.v->aval.dtype) {
    case LUCID_FLOAT64:
        memcpy(value, p, sizeof *value);
        return true;
    case LUCID_INT64:
        memcpy(&whole, p, sizeof whole);
        *value = (double)whole;
        return true;
    default:
        *value = *(const unsigned char *)p != 0;
        return true;
    }
}

bool lucid__whole_value(lucid_tensor x, int64_t *value)
{
    const void *p = element(x);
    if (!p || lucid__is_float(x.v->aval.dtype))
        return false;
    if (x.v->aval.dtype == LUCID_INT64)
        memcpy(value, p, sizeof *value);
    else
        *value = *(const unsigned char *)p != 0;
    return true;
}

bool lucid__known_value(lucid_tensor x, double *value)
{
    if (!x.v || x.v->kind != LUCID__GRAPH || !lucid__node_is_number(x.v->node))
        return false;
    const void *p = x.v->node->out[0].storage.buffer->data;
    float single;
    if (x.v->aval.dtype == LUCID_FLOAT32)
        memcpy(&single, p, sizeof single), *value = (double)single;
    else if (x.v->aval.dtype == LUCID_FLOAT64)
        memcpy(value, p, sizeof *value);
    return lucid__is_float(x.v->aval.dtype);
}

bool lucid__dtype_holds(lucid_dtype dtype, int64_t value)
{
    return dtype != LUCID_INT32 || (value >= INT32_MIN && value <= INT32_MAX);
}

bool lucid__dtype_holds_float(lucid_dtype dtype, double value)
{
    return dtype == LUCID_INT32   ? value > INT32_MIN - 1.0 && value < INT32_MAX + 1.0
           : dtype == LUCID_INT64 ? value >= -0x1p63 && value < 0x1p63
                                  : true;
}

lucid_tensor lucid__number_as(lucid_scope *s, const char *name, lucid_tensor x, lucid_dtype dtype)
{
    double value = 0;
    int64_t whole;
    lucid_tensor y;
    if (lucid__whole_value(x, &whole)) {
        if (!lucid__dtype_holds(dtype, whole))
            return lucid__error(s, LUCID_VALUE_ERROR, "%s: %lld does not fit %s",
                                lucid__operation(s, name), (long long)whole,
                                lucid_dtype_name(dtype));
        y = lucid__whole_number_of(s, whole, dtype);
    } else if (lucid__number_value(x, &value)) {
        if (!lucid__dtype_holds_float(dtype, value))
            return lucid__error(s, LUCID_VALUE_ERROR, "%s: %g does not fit %s",
                                lucid__operation(s, name), value, lucid_dtype_name(dtype));
        y = lucid__number_of(s, value, dtype);
    } else { /* computed from numbers */
        int64_t to = dtype;
        return lucid__bind1(s, LUCID__cast, &x, 1, &to, 1);
    }
    return x.v->aval.shape.ndim == 0 ? y : lucid__broadcast(s, y, &x.v->aval.shape);
}

/* The dtype in which numbers of a kind are kept. */
static lucid_dtype kept_as(int kind)
{
    return kind == 2 ? LUCID_FLOAT64 : kind == 1 ? LUCID_INT64 : LUCID_BOOL;
}

lucid_dtype lucid__number_dtype(const lucid_tensor *xs, size_t n)
{
    int kind = 0;
    for (size_t i = 0; i < n; i++) {
        if (!xs[i].v || !xs[i].v->weak)
            return LUCID_NO_DTYPE;
        int own = lucid__dtype_kind(xs[i].v->aval.dtype);
        kind = own > kind ? own : kind;
    }
    return n > 0 ? kept_as(kind) : LUCID_NO_DTYPE;
}

lucid_tensor lucid__number_kept(lucid_scope *s, lucid_tensor x, lucid_dtype dtype)
{
    if (!lucid__ok(s) || x.v->aval.dtype == dtype)
        return x;
    lucid_dtype alone = lucid__is_float(dtype) ? s->session->default_dtype : dtype;
    lucid_tensor y = lucid__number_as(s, "cast", x, dtype);
    if (y.v) {
        y.v->weak = true;
        y.v->alone = (uint8_t)alone;
    }
    return y;
}

lucid_tensor lucid__strong(lucid_scope *s, lucid_tensor x)
{
    return x.v && x.v->weak ? lucid_cast(s, x, lucid__promoted(&x, 1)) : x;
}
