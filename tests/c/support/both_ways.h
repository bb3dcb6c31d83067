/* Loops and branches run both ways: as lane programs, and operation by operation. */
#ifndef BOTH_WAYS_H
#define BOTH_WAYS_H

#include "lucid.h"

enum { BOTH_WAYS_MOST = 32 }; /* results */

#define FUNCTION(name) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user)
#define UNUSED (void)s, (void)x, (void)nx, (void)y, (void)ny, (void)user
#define NUM(value) lucid_scalar(s, (value))

/* Fails the test with the message of an error. */
void check(lucid_scope *s);
void apply(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx, lucid_tensor *y,
           size_t ny);
/* Whether the outputs, not computed yet, are to be computed by a lane program, and no control flow in another
 * way. */
bool in_lanes(lucid_scope *s, const lucid_tensor *y, size_t ny);
/* Any NaN is as good as any other. */
void same_bits(lucid_scope *s, lucid_tensor x, lucid_tensor y, const char *what);

/* f on x both ways, of which the first must be lanes, interpreted and as machine code; returns the results, which
 * must have the same bits. */
void both(lucid_scope *s, const char *what, lucid_fn f, const lucid_tensor *x, size_t nx,
          lucid_tensor *y, size_t ny);
void both_vmapped(lucid_scope *s, const char *what, lucid_function *f, size_t ny, void *user,
                  const lucid_tensor *x, size_t nx, lucid_tensor *y);

/* Numbers that reach every corner of arithmetic. */
lucid_tensor corners(lucid_scope *s, lucid_dtype dtype, int64_t n, int shift);
/* Other numbers in [-0.5, 0.5) with every call, the same in every run. */
lucid_tensor some(lucid_scope *s, lucid_dtype dtype, lucid_shape shape);
lucid_tensor int32(lucid_scope *s, int32_t value);

#endif
