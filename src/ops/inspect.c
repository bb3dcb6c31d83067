/* What a handle tells without computing anything. */
#include "ops/builder.h"

bool lucid_is_empty_handle(lucid_tensor x)
{
    return x.v == NULL;
}

int lucid_ndim(lucid_tensor x)
{
    return x.v ? x.v->aval.shape.ndim : 0;
}

int64_t lucid_size(lucid_tensor x, int dim)
{
    int at = x.v ? lucid__wrap_dim(dim, x.v->aval.shape.ndim) : -1;
    return at < 0 ? -1 : x.v->aval.shape.dim[at];
}

int64_t lucid_numel(lucid_tensor x)
{
    return x.v ? lucid__numel(&x.v->aval.shape) : 0;
}

lucid_shape lucid_shape_of(lucid_tensor x)
{
    return x.v ? x.v->aval.shape : LUCID_SCALAR_SHAPE;
}

lucid_dtype lucid_dtype_of(lucid_tensor x)
{
    return !x.v ? LUCID_NO_DTYPE : x.v->weak ? (lucid_dtype)x.v->alone : x.v->aval.dtype;
}

const char *lucid_version(void)
{
    return LUCID__VERSION;
}
