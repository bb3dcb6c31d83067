#include "graph/fn.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "graph/scope.h"

lucid__fn *lucid__fn_alloc(const char *name, size_t self_size, lucid__fn_call *call,
                           void (*destroy)(void *self))
{
    lucid__fn *f = lucid__calloc(1, sizeof *f + self_size);
    if (!f)
        return NULL;
    atomic_init(&f->refs, 1);
    f->name = name;
    f->call = call;
    f->destroy = destroy;
    return f;
}

lucid__fn *lucid__fn_retain(lucid__fn *f)
{
    if (f)
        lucid__ref(&f->refs);
    return f;
}

void lucid__fn_release(lucid__fn *f)
{
    static _Thread_local lucid__fn *waiting;
    static _Thread_local bool releasing;
    if (!f || !lucid__unref(&f->refs))
        return;
    f->next_released = waiting;
    waiting = f;
    if (releasing) /* a transform of a transform: the outermost call comes to it */
        return;
    releasing = true;
    while ((f = waiting)) {
        waiting = f->next_released;
        if (f->destroy)
            f->destroy(f->self);
        lucid__free(f);
    }
    releasing = false;
}

/* ---- names -------------------------------------------------------------------------------- */

void lucid_fn_set_naming(lucid_fn f, lucid_naming *naming, void *user)
{
    if (!f.f)
        return;
    f.f->naming = naming;
    f.f->naming_user = user;
    f.f->names_results = naming != NULL;
}

void lucid__fn_take_argument_names(lucid__fn *transform, const lucid__fn *f)
{
    transform->naming = f->naming;
    transform->naming_user = f->naming_user;
}

const lucid__fn *lucid__fn_of_self(const void *self)
{
    return (const void *)((const char *)self - offsetof(lucid__fn, self));
}

char *lucid__argument_name(const lucid__fn *f, const char *word, size_t i, char *to)
{
    (void)snprintf(to, LUCID__PLACE_TEXT, "%s %zu", word, i);
    if (f && f->naming)
        f->naming(f->naming_user, false, i, to, LUCID__PLACE_TEXT);
    return to;
}

char *lucid__result_name(const lucid__fn *f, size_t k, char *to)
{
    (void)snprintf(to, LUCID__PLACE_TEXT, "result %zu", k);
    if (f && f->naming && f->names_results)
        f->naming(f->naming_user, true, k, to, LUCID__PLACE_TEXT);
    return to;
}

/* ---- results ------------------------------------------------------------------------------ */

lucid_results *lucid_results_new(lucid_scope *s)
{
    lucid_results *r = lucid__alloc(s, sizeof *r);
    if (r) {
        r->scope = s;
        r->at = r->few;
        r->count = r->aux = 0;
        r->takes_numbers = false;
        r->capacity = LUCID__FEW_RESULTS;
    }
    return r;
}

size_t lucid_results_count(const lucid_results *r)
{
    return r ? r->count : 0;
}

lucid_tensor lucid_results_at(const lucid_results *r, size_t i)
{
    return r && i < r->count ? r->at[i].x : (lucid_tensor){NULL};
}

size_t lucid_results_aux_count(const lucid_results *r)
{
    return r ? r->aux : 0;
}

lucid_status lucid_results_push_at(lucid_scope *s, lucid_results *r, lucid_tensor y, int out_dim)
{
    if (!lucid__ok(s) || !r)
        return lucid_error(s);
    if (!y.v)
        return lucid_fail(s, LUCID_VALUE_ERROR, "result %zu is an empty handle", r->count);
    if (r->aux > 0)
        return lucid_fail(s, LUCID_VALUE_ERROR, "a result was pushed after auxiliary results");
    if (r->count == r->capacity) {
        size_t capacity = 2 * r->capacity;
        lucid__result *more = lucid_alloc(r->scope, capacity * sizeof *more);
        if (!more)
            return lucid_error(s);
        memcpy(more, r->at, r->count * sizeof *more);
        r->at = more;
        r->capacity = capacity;
    }
    if (y.v->weak && !r->takes_numbers)
        y = lucid_cast(s, y, lucid_dtype_of(y));
    lucid_tensor own = lucid__scope_give(s, y, r->scope);
    if (!own.v)
        return lucid_error(s);
    r->at[r->count++] = (lucid__result){own, out_dim};
    return LUCID_OK;
}

lucid_status lucid_results_push(lucid_scope *s, lucid_results *r, lucid_tensor y)
{
    return lucid_results_push_at(s, r, y, LUCID__OUT_DIM_DEFAULT);
}

lucid_status lucid_results_push_aux(lucid_scope *s, lucid_results *r, lucid_tensor y)
{
    size_t aux = r ? r->aux : 0;
    if (r)
        r->aux = 0;
    lucid_status status = lucid_results_push(s, r, y);
    if (r)
        r->aux = aux + (status == LUCID_OK);
    return status;
}

/* ---- plain C functions --------------------------------------------------------------------- */

typedef struct plain {
    lucid_function *function;
    size_t ny;
    void *user;
} plain;

lucid_status lucid__fail_status(lucid_scope *s, lucid_status status, const char *who)
{
    return lucid_fail(s, status,
                      "%s returned %s and no message; call lucid_fail in it to say what is wrong",
                      who, lucid_status_name(status));
}

static lucid_status call_plain(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                               lucid_results *out)
{
    const plain *p = self;
    lucid_tensor *y = lucid_alloc(s, (p->ny ? p->ny : 1) * sizeof *y);
    if (!y)
        return lucid_error(s);
    lucid_status status = p->function(s, x, nx, y, p->ny, p->user);
    if (status != LUCID_OK)
        return lucid__fail_status(s, status, "the function");
    for (size_t i = 0; i < p->ny && lucid__ok(s); i++) {
        if (!y[i].v)
            return lucid_fail(s, LUCID_VALUE_ERROR, "the function did not set result %zu of %zu", i,
                              p->ny);
        (void)lucid_results_push(s, out, y[i]);
    }
    return lucid_error(s);
}

lucid_fn lucid_fn_new(lucid_scope *s, lucid_function *function, size_t ny, void *user)
{
    if (!lucid__ok(s))
        return (lucid_fn){NULL};
    if (!function) {
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "fn_new: the function is NULL");
        return (lucid_fn){NULL};
    }
    lucid__fn *f = lucid__fn_alloc("function", sizeof(plain), call_plain, NULL);
    if (f) {
        f->takes_numbers = true;
        *(plain *)(void *)f->self = (plain){function, ny, user};
    }
    return lucid__own_fn(s, f);
}

typedef struct listing {
    lucid_listing_function *function;
    void *user;
    void (*release)(void *user);
} listing;

static lucid_status call_listing(lucid_scope *s, const void *self, const lucid_tensor *x, size_t nx,
                                 lucid_results *out)
{
    const listing *p = self;
    lucid_status status = p->function(s, x, nx, out, p->user);
    if (status != LUCID_OK)
        return lucid__fail_status(s, status, "the function");
    return lucid_error(s);
}

static void destroy_listing(void *self)
{
    listing *p = self;
    if (p->release)
        p->release(p->user);
}

lucid_fn lucid_fn_new_listing(lucid_scope *s, lucid_listing_function *function, void *user,
                              void (*release)(void *user))
{
    lucid__fn *f = NULL;
    if (!function)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "fn_new_listing: the function is NULL");
    if (lucid__ok(s))
        f = lucid__fn_alloc("function", sizeof(listing), call_listing, destroy_listing);
    if (!f) {
        if (release)
            release(user);
        return lucid__own_fn(s, NULL);
    }
    f->takes_numbers = true;
    *(listing *)(void *)f->self = (listing){function, user, release};
    return lucid__own_fn(s, f);
}

/* ---- calling ------------------------------------------------------------------------------- */

const lucid_tensor *lucid__arguments(lucid_scope *s, const char *name, const lucid_tensor *x,
                                     size_t nx, bool keep)
{
    static const lucid_tensor none = {NULL};
    bool numbers = false;
    if (!lucid__ok(s))
        return NULL;
    for (size_t i = 0; i < nx; i++) {
        if (!x[i].v) {
            (void)lucid_fail(s, LUCID_TYPE_ERROR, "%s: argument %zu is an empty handle", name, i);
            return NULL;
        }
        numbers |= x[i].v->weak;
    }
    if (!numbers || keep)
        return nx > 0 ? x : &none;
    lucid_tensor *settled = lucid_alloc(s, nx * sizeof *settled);
    for (size_t i = 0; settled && i < nx; i++)
        settled[i] = lucid_cast(s, x[i], lucid_dtype_of(x[i]));
    return lucid__ok(s) ? settled : NULL;
}

lucid_status lucid__fn_run(lucid_scope *s, const lucid__fn *f, const lucid_tensor *x, size_t nx,
                           lucid_results *y)
{
    if (!lucid__ok(s) || !lucid__may_nest(s))
        return lucid_error(s);
    if (!f || !y)
        return lucid_fail(s, LUCID_TYPE_ERROR, "call: the function is an empty handle");
    lucid_scope child;
    const int no_grad = s->session->no_grad;
    lucid__scope_enter(&child, s);
    child.operation = ""; /* what the function builds has names of its own */
    x = lucid__arguments(&child, f->name, x, nx, f->takes_numbers);
    lucid_status status = x ? f->call(&child, f->self, x, nx, y) : lucid_error(s);
    lucid__scope_leave(&child);
    if (status != LUCID_OK) /* what failed may not have come to its lucid_no_grad_end */
        s->session->no_grad = no_grad;
    return status;
}

lucid_status lucid_call_listing(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                                lucid_results *y)
{
    return lucid__fn_run(s, f.f, x, nx, y);
}

lucid_status lucid_call(lucid_scope *s, lucid_fn f, const lucid_tensor *x, size_t nx,
                        lucid_tensor *y, size_t ny)
{
    for (size_t i = 0; i < ny; i++)
        y[i] = (lucid_tensor){NULL};
    lucid_scope child;
    lucid__scope_enter(&child, s);
    lucid_results *r = lucid_results_new(&child);
    if (r)
        r->takes_numbers = true;
    (void)lucid__fn_run(&child, f.f, x, nx, r);
    if (lucid__ok(s) && r->count != ny)
        (void)lucid_fail(s, LUCID_TYPE_ERROR, "call: the function gives %zu results, %zu asked for",
                         r->count, ny);
    for (size_t i = 0; i < ny && lucid__ok(s); i++)
        y[i] = lucid__scope_move(&child, r->at[i].x);
    lucid__scope_leave(&child);
    return lucid_error(s);
}

lucid_tensor lucid_call1(lucid_scope *s, lucid_fn f, lucid_tensor x)
{
    lucid_tensor y = {NULL};
    (void)lucid_call(s, f, &x, 1, &y, 1);
    return y;
}
