/* What must hold for any differentiable function that is built from lucid's operations, and short
 * ways to compare tensors with numbers. All fail the running cmocka test. */
#ifndef FUNCTION_LAWS_H
#define FUNCTION_LAWS_H

#include "lucid.h"

/* A function of one result from an expression in s, x[0], x[1], ... */
#define FUNCTION(name, expression) \
    static lucid_status name(lucid_scope *s, const lucid_tensor *x, size_t nx, lucid_tensor *y, \
                             size_t ny, void *user) \
    { \
        (void)nx, (void)ny, (void)user, (void)x; \
        y[0] = (expression); \
        return lucid_error(s); \
    }

#define DOUBLES(...) ((const double[]){__VA_ARGS__})
/* A float64 vector. */
#define VECTOR(s, ...) \
    lucid_from_data(s, DOUBLES(__VA_ARGS__), LUCID_FLOAT64, \
                    LUCID_SHAPE((int64_t)LUCID_COUNT_(double, __VA_ARGS__)))

/* Deterministic numbers of about normal size, float64, at least `apart` away from 0. */
lucid_tensor test_numbers(lucid_scope *s, lucid_shape shape, uint64_t seed, double apart);

/* The elements in row-major order as doubles, owned by s. */
double *elements(lucid_scope *s, lucid_tensor x);

/* |got - want| <= tolerance * max(1, |want|); infinities equal, NaN meets NaN. */
void same_elements(lucid_scope *s, const char *what, lucid_tensor got, const double *want,
                   double tolerance);
void same_tensors(lucid_scope *s, const char *what, lucid_tensor got, lucid_tensor want,
                  double tolerance);
void has_shape(lucid_tensor x, lucid_shape shape);
/* s has this error, whose message contains `part`; clears it. */
void has_error(lucid_scope *s, lucid_status status, const char *part);

/* The gradient of the sum of f at x with respect to x[0]. */
lucid_tensor gradient(lucid_scope *s, lucid_function *f, const lucid_tensor *x, size_t nx);

/* At float64 x, near which f must be smooth (inputs of other dtypes are held fixed):
 *   - jvp agrees with finite differences, and so does jvp of vjp;
 *   - <ct, J dx> = <J^T ct, dx>;
 *   - vmap of f, and vmap of vjp of f, agree with the loop over examples. */
void obeys_laws(lucid_scope *s, const char *what, lucid_function *f, const lucid_tensor *x,
                size_t nx);

#endif
