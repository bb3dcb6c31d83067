/* Which arguments a transform differentiates; shared by grad and the jacobians. */
#ifndef LUCID__ARGNUMS_H
#define LUCID__ARGNUMS_H

#include "lucid.h"

typedef struct lucid__argnums {
    int *at;
    size_t n; /* at least 1 */
} lucid__argnums;

/* A copy of the option, {0} when none is given; false: out of memory. */
bool lucid__argnums_copy(lucid__argnums *to, lucid_ints from);
void lucid__argnums_free(lucid__argnums *a);
/* The k-th, counted from the front; it has been checked by lucid__argnums_select. */
int lucid__argnum(const lucid__argnums *a, size_t k, size_t nx);
/* Sets active[i] for the arguments of f named; an error in s when one is out of range or not a float. */
bool lucid__argnums_select(lucid_scope *s, const char *name, const struct lucid__fn *f,
                           const lucid__argnums *a, const lucid_tensor *x, size_t nx, bool *active);
/* lucid_grad, called by another name in messages. */
lucid_fn lucid__grad_named(lucid_scope *s, lucid_fn f, const lucid_grad_options *options,
                           const char *name);
/* False (and an error in s) for an empty handle. */
bool lucid__check_fn(lucid_scope *s, const char *name, lucid_fn f);

#endif
