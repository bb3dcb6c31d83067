/* Arrays on the host, for oracles: row-major doubles with the dtype that a tensor of them has. A
 * double holds every float and every integer below 2^53 exactly, so one element type is enough.
 *
 * Arrays belong to a pool; a test takes a mark and releases everything newer at its end. */
#ifndef HOST_ARRAY_H
#define HOST_ARRAY_H

#include "base/shape.h"
#include "lucid.h"

typedef struct host_array {
    lucid_dtype dtype;
    lucid_shape shape;
    int64_t n;
    double *at;
} host_array;

size_t host_mark(void);
void host_release(size_t mark);

host_array host_new(lucid_dtype dtype, lucid_shape shape); /* zeroed */
host_array host_copy(const host_array *x);
host_array host_like(const host_array *x); /* zeroed, of dtype and shape of x */
/* Rounds to what the dtype can hold, e.g. to float. */
double host_round(lucid_dtype dtype, double value);

lucid_tensor host_to_tensor(lucid_scope *s, const host_array *x);
/* Empty (at NULL) when s has an error afterwards. */
host_array host_from_tensor(lucid_scope *s, lucid_tensor x);

/* n arrays of one shape, put beside each other along a new axis. */
host_array host_stack(const host_array *xs, int64_t n, int axis);
/* x + scale * direction, for floats; others stay. */
host_array host_moved(const host_array *x, const host_array *direction, double scale);
/* Sum of the products, over float arrays; 0 for others. */
double host_dot(const host_array *x, const host_array *y);
double host_largest(const host_array *x); /* largest finite magnitude; 0 when there is none */

#endif
