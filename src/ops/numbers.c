#include "ops/numbers.h"

#include <string.h>

#include "graph/node.h"
#include "prim/number.h"

lucid_tensor lucid_scalar(lucid_scope *s, double value)
{
    return lucid__constant(s, LUCID_FLOAT64, &value, true);
}

lucid_tensor lucid_scalar_int(lucid_scope *s, int64_t value)
{
    return lucid__constant(s, LUCID_INT64, &value, true);
}

lucid_tensor lucid_scalar_bool(lucid_scope *s, bool value)
{
    return lucid__constant(s, LUCID_BOOL, &value, true);
}

static const void *element(const lucid__value *v)
{
    return v->node->out[0].storage.buffer->data;
}

bool lucid__number_value(lucid_tensor x, double *value)
{
    if (!x.v || !x.v->weak || x.v->kind != LUCID__GRAPH)
        return false;
    switch (x.v->aval.dtype) {
    case LUCID_FLOAT64:
        memcpy(value, element(x.v), sizeof *value);
        return true;
    case LUCID_INT64: {
        int64_t i;
        memcpy(&i, element(x.v), sizeof i);
        *value = (double)i;
        return true;
    }
    default:
        *value = *(const unsigned char *)element(x.v) != 0;
        return true;
    }
}

lucid_tensor lucid__number_as(lucid_scope *s, lucid_tensor x, lucid_dtype dtype)
{
    double value = 0;
    int64_t whole;
    if (x.v->aval.dtype == LUCID_INT64) { /* exact beyond 2^53 */
        memcpy(&whole, element(x.v), sizeof whole);
        return lucid__whole_number_of(s, whole, dtype);
    }
    (void)lucid__number_value(x, &value);
    return lucid__number_of(s, value, dtype);
}

lucid_tensor lucid__strong(lucid_scope *s, lucid_tensor x)
{
    return x.v && x.v->weak ? lucid_cast(s, x, lucid__promoted(&x, 1)) : x;
}
