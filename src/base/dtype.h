/* Facts about dtypes. */
#ifndef LUCID__DTYPE_H
#define LUCID__DTYPE_H

#include <stdbool.h>

#include "lucid.h"

static inline bool lucid__is_float(lucid_dtype d)
{
    return d == LUCID_FLOAT32 || d == LUCID_FLOAT64;
}

static inline bool lucid__is_int(lucid_dtype d)
{
    return d == LUCID_INT32 || d == LUCID_INT64;
}

/* 0 bool, 1 integer, 2 float: the kinds between which a 0-d tensor or a number can promote. */
static inline int lucid__dtype_kind(lucid_dtype d)
{
    return lucid__is_float(d) ? 2 : lucid__is_int(d) ? 1 : 0;
}

static inline bool lucid__dtype_valid(lucid_dtype d)
{
    return (int)d >= 0 && d < LUCID_NO_DTYPE;
}

#endif
