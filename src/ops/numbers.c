#include "ops/numbers.h"

#include <math.h>
#include <string.h>

#include "graph/node.h"

/* A ready 0-d constant over `bytes` at `value`. */
static lucid_tensor constant(lucid_scope *s, lucid_dtype dtype, const void *value, bool weak)
{
    if (!lucid__ok(s))
        return (lucid_tensor){NULL};
    lucid__aval aval = {.dtype = dtype};
    lucid__buffer *buffer = lucid__buffer_new(lucid_dtype_size(dtype));
    if (buffer)
        memcpy(buffer->data, value, lucid_dtype_size(dtype));
    lucid__node *node = buffer ? lucid__node_new_constant(&aval, buffer, NULL) : NULL;
    if (node)
        node->depth = 0;
    lucid__value *v = node ? lucid__value_new_graph(node, 0) : NULL;
    if (v)
        v->weak = weak;
    return lucid__own(s, v);
}

lucid_tensor lucid_scalar(lucid_scope *s, double value)
{
    return constant(s, LUCID_FLOAT64, &value, true);
}

lucid_tensor lucid_scalar_int(lucid_scope *s, int64_t value)
{
    return constant(s, LUCID_INT64, &value, true);
}

lucid_tensor lucid_scalar_bool(lucid_scope *s, bool value)
{
    return constant(s, LUCID_BOOL, &value, true);
}

static const void *element(const lucid__value *v)
{
    return v->node->out[0].storage.buffer->data;
}

/* As C converts, but saturating where C leaves it undefined; NaN becomes 0. */
static int64_t to_int(double value)
{
    if (isnan(value))
        return 0;
    if (value >= 9223372036854775808.0)
        return INT64_MAX;
    return value < -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
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
    (void)lucid__number_value(x, &value);
    int64_t whole = to_int(value);
    if (x.v->aval.dtype == LUCID_INT64) /* exact beyond 2^53 */
        memcpy(&whole, element(x.v), sizeof whole);
    int32_t narrow = (int32_t)(uint32_t)(uint64_t)whole; /* modulo 2^32, as integers wrap */
    float single = (float)value;
    bool truth = value != 0;
    const void *from[] = {[LUCID_BOOL] = &truth,
                          [LUCID_INT32] = &narrow,
                          [LUCID_INT64] = &whole,
                          [LUCID_FLOAT32] = &single,
                          [LUCID_FLOAT64] = &value};
    return constant(s, dtype, from[dtype], false);
}

lucid_tensor lucid__strong(lucid_scope *s, lucid_tensor x)
{
    return x.v && x.v->weak ? lucid_cast(s, x, lucid__promoted(&x, 1)) : x;
}
