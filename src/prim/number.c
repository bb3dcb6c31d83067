#include "prim/number.h"

#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "graph/node.h"

static lucid_tensor constant(lucid_scope *s, lucid_dtype dtype, const void *value,
                             lucid_dtype alone)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid__aval aval;
    aval.dtype = dtype;
    aval.shape.ndim = 0;
    size_t size = lucid_dtype_size(dtype);
    lucid__buffer *buffer = lucid__buffer_new(size);
    if (buffer)
        memcpy(buffer->data, value, size);
    lucid__node *node = buffer ? lucid__node_new_number(&aval, buffer) : NULL;
    lucid__value *v = node ? lucid__value_new_graph(node, 0) : NULL;
    if (v) {
        v->weak = alone != LUCID_NO_DTYPE;
        v->alone = (uint8_t)alone;
    }
    return lucid__own(s, v);
}

lucid_tensor lucid__bare_number(lucid_scope *s, lucid_dtype dtype, const void *value)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    return constant(s, dtype, value, lucid__is_float(dtype) ? s->session->default_dtype : dtype);
}

static int64_t to_int(double value)
{
    if (isnan(value))
        return 0;
    if (value >= 9223372036854775808.0)
        return INT64_MAX;
    return value < -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
}

static lucid_tensor converted(lucid_scope *s, double value, int64_t whole, lucid_dtype dtype,
                              lucid_dtype alone)
{
    int32_t narrow = (int32_t)(uint32_t)(uint64_t)whole; /* modulo 2^32, as integers wrap */
    float single = (float)value;
    bool truth = value != 0;
    const void *from[] = {[LUCID_BOOL] = &truth,
                          [LUCID_INT32] = &narrow,
                          [LUCID_INT64] = &whole,
                          [LUCID_FLOAT32] = &single,
                          [LUCID_FLOAT64] = &value};
    return constant(s, dtype, from[dtype], alone);
}

lucid_tensor lucid__number_of(lucid_scope *s, double value, lucid_dtype dtype)
{
    return converted(s, value, to_int(value), dtype, LUCID_NO_DTYPE);
}

lucid_tensor lucid__whole_number_of(lucid_scope *s, int64_t value, lucid_dtype dtype)
{
    return converted(s, (double)value, value, dtype, LUCID_NO_DTYPE);
}

lucid_tensor lucid__number_beside(lucid_scope *s, double value, const lucid__value *like)
{
    return converted(s, value, to_int(value), like->aval.dtype,
                     like->weak ? (lucid_dtype)like->alone : LUCID_NO_DTYPE);
}
