/* What builders of control flow share. */
#ifndef LUCID__LOOPS_H
#define LUCID__LOOPS_H

#include "ops/builder.h"

/* One element, an integer or bool, as a 0-d int64. */
lucid_tensor lucid__one_integer(lucid_scope *s, const char *name, const char *what, lucid_tensor x);

/* while: y[k] are the n results. */
lucid_status lucid__while_steps(lucid_scope *s, const char *name, lucid_fn condition, lucid_fn body,
                                const lucid_tensor *init, size_t n,
                                const lucid_while_options *options, lucid_tensor *y);
/* scan: y lists the carry and the ys. */
lucid_status lucid__scan_steps(lucid_scope *s, const char *name, lucid_fn f,
                               const lucid_tensor *init, size_t n, const lucid_tensor *xs,
                               size_t nxs, const lucid_scan_options *options, lucid_results *y);

/* Ends the child scope that it ran in: exactly ny results, or all n, move out. */
lucid_status lucid__take_results(lucid_scope *child, const char *name, const lucid_results *r,
                                 lucid_tensor *y, size_t ny);
lucid_status lucid__keep_all(lucid_scope *t, lucid_tensor *y, size_t n);

#endif
