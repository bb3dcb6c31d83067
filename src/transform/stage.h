/* Capturing functions: a stage is a level that records whatever is done to its values, and a body
 * (prim/body.h) is the record in words. What the function takes from outside, values of lower levels,
 * becomes inputs of the body beside its own arguments, so that a body is closed: captured once, it can
 * be run at any level and under any transform. */
#ifndef LUCID__STAGE_H
#define LUCID__STAGE_H

#include "graph/fn.h"
#include "prim/body.h"
#include "transform/level.h"

typedef struct lucid__staged {
    const int64_t *words;
    /* Where body input i comes from: below nx an argument (those nobody reads are left out), from nx on
     * captures[from - nx]. */
    const int64_t *from;
    int nx, nin, ncaptures;
    lucid_tensor *captures;
    size_t nout, naux; /* results; auxiliary ones are the last */
} lucid__staged;

/* What is captured: `run` gets arguments of the given avals and pushes results. */
typedef lucid_status lucid__stage_function(lucid_scope *s, void *user, const lucid_tensor *x,
                                           size_t nx, lucid_results *y);

/* Captures a function; everything lives as long as s. draw_shift: which argument shifts the numbers of
 * random draws (lane.h), -1: none. False and an error in s on failure. */
bool lucid__stage(lucid_scope *s, lucid__stage_function *run, void *user, const lucid__aval *avals,
                  size_t nx, int draw_shift, lucid__staged *staged);

/* The same of a function object. */
bool lucid__stage_fn(lucid_scope *s, const lucid__fn *f, const lucid__aval *avals, size_t nx,
                     lucid__staged *staged);

/* Makes arguments of a function that is captured bare numbers where those are that they stand for. */
void lucid__stand_for(const lucid_tensor *x, const lucid_tensor *like, size_t n);

/* Applies the operations of a body to in[0 .. nin - 1], at whatever levels they are. Sets every out[k]. */
void lucid__body_apply(lucid_scope *s, const int64_t *words, const lucid_tensor *in,
                       lucid_tensor *out);

/* The same with inputs missing (empty handles); what depends on those is empty. */
void lucid__body_apply_without(lucid_scope *s, const int64_t *words, const lucid_tensor *in,
                               lucid_tensor *out);

/* A body with what it took from outside. */
typedef struct lucid__closure {
    const char *name;
    const int64_t *words;
    const int64_t
        *from; /* of each input: an argument, or nargs + a capture; NULL: they are the arguments */
    int nargs;
    const lucid_tensor *captures;
    int ncaptures, naux; /* naux: results that are auxiliary */
} lucid__closure;

/* As a function object, which keeps copies of the words and of the captures that are read. Owned by s. */
lucid_fn lucid__closure_fn(lucid_scope *s, const lucid__closure *c);

#endif
