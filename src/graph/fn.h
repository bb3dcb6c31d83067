/* A function object: what a lucid_fn handle points to. A transform of a function is a function whose
 * `self` holds the one it transforms. */
#ifndef LUCID__FN_H
#define LUCID__FN_H

#include "base/thread.h"
#include "graph/value.h"
#include "lucid.h"

typedef struct lucid__fn lucid__fn;

typedef lucid_status lucid__fn_call(lucid_scope *s, const void *self, const lucid_tensor *x,
                                    size_t nx, lucid_results *y);

struct lucid__fn {
    lucid__refs refs;
    lucid__fn *next_released;
    const char *name; /* of the transform, for messages */
    lucid__fn_call *call;
    void (*destroy)(void *self); /* releases what self holds; may be NULL */
    lucid_naming *naming;        /* NULL: arguments and results have numbers alone */
    void *naming_user;
    bool names_results;
    bool
        takes_numbers; /* bare numbers among the arguments stay such; otherwise they become tensors */
    _Alignas(max_align_t) char self[]; /* `self_size` bytes, set up by the maker */
};

/* Zeroed self; NULL: out of memory. */
lucid__fn *lucid__fn_alloc(const char *name, size_t self_size, lucid__fn_call *call,
                           void (*destroy)(void *self));
lucid__fn *lucid__fn_retain(lucid__fn *f); /* NULL is fine */
void lucid__fn_release(lucid__fn *f);      /* NULL is fine */

/* The function object that `self` is the end of. */
const lucid__fn *lucid__fn_of_self(const void *self);

/* What messages call argument i ("args[1]['w']", or word and number) and result k. Each returns `to`, which
 * has room for LUCID__PLACE_TEXT characters. */
enum { LUCID__PLACE_TEXT = 192 };
char *lucid__argument_name(const lucid__fn *f, const char *word, size_t i, char *to);
char *lucid__result_name(const lucid__fn *f, size_t k, char *to);
/* For a transform of f, whose arguments are those of f. */
void lucid__fn_take_argument_names(lucid__fn *transform, const lucid__fn *f);

typedef struct lucid__result {
    lucid_tensor x;
    int out_dim; /* LUCID__OUT_DIM_DEFAULT unless pushed with one */
} lucid__result;
#define LUCID__OUT_DIM_DEFAULT INT32_MAX

enum { LUCID__FEW_RESULTS = 4 };

struct lucid_results {
    lucid_scope *scope; /* owns the handles and the memory */
    lucid__result *at;
    size_t count, capacity;
    size_t aux;         /* how many at the end are auxiliary */
    bool takes_numbers; /* a result that is a bare number stays one */
    lucid__result few[LUCID__FEW_RESULTS];
};

/* Arguments checked: none is empty (an error otherwise), bare numbers become tensors unless they are kept.
 * Returns x itself or a copy that lives as long as s; NULL on error. */
const lucid_tensor *lucid__arguments(lucid_scope *s, const char *name, const lucid_tensor *x,
                                     size_t nx, bool keep);

/* What a user's function returned, as the error of s unless the function recorded one with lucid_fail. */
lucid_status lucid__fail_status(lucid_scope *s, lucid_status status, const char *who);

/* Runs f in a child scope of s and moves its results to the scope of y. */
lucid_status lucid__fn_run(lucid_scope *s, const lucid__fn *f, const lucid_tensor *x, size_t nx,
                           lucid_results *y);

#endif
