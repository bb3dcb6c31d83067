#include "base/dtype.h"

static const struct {
    const char *name;
    size_t size;
} facts[] = {
    [LUCID_BOOL] = {"bool", 1},       [LUCID_INT32] = {"int32", 4},
    [LUCID_INT64] = {"int64", 8},     [LUCID_FLOAT32] = {"float32", 4},
    [LUCID_FLOAT64] = {"float64", 8},
};

const char *lucid_dtype_name(lucid_dtype dtype)
{
    return lucid__dtype_valid(dtype) ? facts[dtype].name : "no dtype";
}

size_t lucid_dtype_size(lucid_dtype dtype)
{
    return lucid__dtype_valid(dtype) ? facts[dtype].size : 0;
}
