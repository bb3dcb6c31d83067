/* Inputs for the test grid: small bodies, written out in words (prim/body.h). */
#include "transform/control_rules.h"

#define F64 ((int64_t)LUCID_FLOAT64 << 8) /* avals of 0-d values */
#define I64 ((int64_t)LUCID_INT64 << 8)
#define B1 ((int64_t)LUCID_BOOL << 8)

/* An operation of one output without params. */
#define UNARY(prim, x, aval) LUCID__##prim, 1, 0, 1, x, aval
#define BINARY(prim, x, y, aval) LUCID__##prim, 2, 0, 1, x, y, aval

#define COUNT(words) (int)(sizeof(words) / sizeof *(words))
#define NUMBER(fill) \
    { \
        LUCID_FLOAT64, fill, \
        { \
            0, \
            { \
                0 \
            } \
        } \
    }
#define INTEGER(fill) \
    { \
        LUCID_INT64, fill, \
        { \
            0, \
            { \
                0 \
            } \
        } \
    }

/* ---- cond: in: index, x, w ------------------------------------------------------------------------- */

/* clang-format off */
static const int64_t cond_words[] = {
    1, LUCID__NO_LANES, 0, 0, 2, 0, 0, 2,
    0, 0, 0, /* of the inputs */
    0,
    /* sin(x) w */
    2, 0, 1,
    21, 2, 4, 2, 1,  F64, F64,  UNARY(sin, 0, F64),  BINARY(mul, 2, 1, F64),  3,
    /* x - w */
    2, 0, 1,
    15, 2, 3, 1, 1,  F64, F64,  BINARY(sub, 0, 1, F64),  2,
};

/* ---- while: in: limit, one, x, n; while n < limit: x = sin(x), n = n + one ------------------------------ */

static const int64_t while_words[] = {
    2, LUCID__NO_LANES, -1, 0, 2, 2, 0, 2,
    0, 0, 0, 0,
    0, 0,
    2, 3, 0,
    15, 2, 3, 1, 1,  I64, I64,  BINARY(lt, 0, 1, B1),  2,
    3, 2, 3, 1,
    23, 3, 5, 2, 2,  F64, I64, I64,  UNARY(sin, 0, F64),  BINARY(add, 1, 2, I64),  3, 4,
};

/* ---- scan: in: w, c, xs; c' = tanh(w c + x), y = c' c --------------------------------------------------- */

#define SCAN(length, reverse) \
    2, LUCID__NO_LANES, length, reverse, 1, 1, 1, 1, \
    0, 0, 0, \
    0, 0, \
    3, 0, 1, 2, \
    37, 3, 7, 4, 2,  F64, F64, F64,  BINARY(mul, 0, 1, F64),  BINARY(add, 3, 2, F64), \
        UNARY(tanh, 4, F64),  BINARY(mul, 5, 1, F64),  5, 6
/* clang-format on */

static const int64_t scan_words[] = {SCAN(4, 0)};
static const int64_t scan_back_words[] = {SCAN(3, 1)};
static const int64_t scan_none_words[] = {SCAN(0, 0)};

#define STEPS(n) \
    { \
        LUCID_FLOAT64, "normal", \
        { \
            1, \
            { \
                n \
            } \
        } \
    }

const lucid__sample lucid__cond_samples[] = {
    {.nin = 3,
     .nparams = COUNT(cond_words),
     .in = {INTEGER("integers"), NUMBER("normal"), NUMBER("normal")}},
    LUCID__END_OF_SAMPLES,
};

const lucid__sample lucid__while_samples[] = {
    {.nin = 4,
     .nparams = COUNT(while_words),
     .in = {INTEGER("nonneg"), INTEGER("ones"), NUMBER("normal"), INTEGER("zeros")}},
    LUCID__END_OF_SAMPLES,
};

const lucid__sample lucid__scan_samples[] = {
    {.nin = 3, .nparams = COUNT(scan_words), .in = {NUMBER("normal"), NUMBER("normal"), STEPS(4)}},
    {.nin = 3,
     .nparams = COUNT(scan_back_words),
     .in = {NUMBER("normal"), NUMBER("normal"), STEPS(3)}},
    {.nin = 3,
     .nparams = COUNT(scan_none_words),
     .in = {NUMBER("normal"), NUMBER("normal"), STEPS(0)}},
    LUCID__END_OF_SAMPLES,
};

const int64_t *const lucid__cond_params[] = {cond_words};
const int64_t *const lucid__while_params[] = {while_words};
const int64_t *const lucid__scan_params[] = {scan_words, scan_back_words, scan_none_words};
