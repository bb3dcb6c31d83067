#include "graph/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/memory.h"
#include "graph/fn.h"
#include "graph/generator.h"

typedef struct lucid__block {
    struct lucid__block *next;
    max_align_t data[];
} lucid__block;

/* The root scope and its session are one object. */
typedef struct root {
    lucid_scope scope;
    lucid__session session;
} root;

lucid_scope *lucid_open(const lucid_open_options *options)
{
    root *r = lucid__calloc(1, sizeof *r);
    if (!r)
        return NULL;
    lucid__scope_init(&r->scope, NULL, &r->session);
    r->session.default_dtype = LUCID_FLOAT32;
    if (options) {
        r->session.interrupt.poll = options->poll;
        r->session.interrupt.user = options->poll_user;
    }
    if (options && options->generator) {
        r->session.generator = options->generator;
    } else {
        r->session.own_generator = lucid_generator_new(options ? options->seed : 0);
        r->session.generator = r->session.own_generator;
        if (!r->session.generator) {
            lucid__free(r);
            return NULL;
        }
    }
    if (options && options->dtype != LUCID_BOOL && options->dtype != LUCID_NO_DTYPE)
        (void)lucid_set_default_dtype(&r->scope, options->dtype);
    r->session.python = options && options->language == LUCID_LANGUAGE_PYTHON;
    return &r->scope;
}

lucid_status lucid_set_default_dtype(lucid_scope *s, lucid_dtype dtype)
{
    if (!lucid__ok(s))
        return lucid_error(s);
    if (!lucid__is_float(dtype))
        return lucid_fail(s, LUCID_TYPE_ERROR,
                          "set_default_dtype: dtype must be float32 or float64, not %s",
                          lucid__dtype_valid(dtype) ? lucid_dtype_name(dtype) : "an unknown one");
    s->session->default_dtype = dtype;
    return LUCID_OK;
}

lucid_dtype lucid_get_default_dtype(const lucid_scope *s)
{
    return s ? s->session->default_dtype : LUCID_FLOAT32;
}

void lucid_name_operation(lucid_scope *s, const char *name)
{
    s->operation = name;
}

lucid_scope *lucid_scope_new(lucid_scope *parent)
{
    lucid_scope *s = lucid__malloc(sizeof *s);
    if (!s) {
        lucid__out_of_memory(parent);
        parent->opens++;
        return parent;
    }
    lucid__scope_init(s, parent, parent->session);
    return s;
}

void lucid__scope_leave_all(lucid_scope *s)
{
    /* Youngest first, so that chains of nodes go in the order they were built on each other. */
    while (s->count > 0)
        lucid__value_release(s->values[--s->count]);
    if (s->values != s->first_values)
        lucid__free(s->values);
    while (s->fns && s->nfns > 0)
        lucid__fn_release(s->fns[--s->nfns]);
    lucid__free(s->fns);
    while (s->blocks) {
        lucid__block *b = s->blocks;
        s->blocks = b->next;
        lucid__free(b);
    }
}

lucid_status lucid_close(lucid_scope *s)
{
    if (!s)
        return LUCID_MEMORY_ERROR;
    lucid_status status = s->session->status;
    if (--s->opens > 0)
        return status;
    while (!s->parent && s->session->region) /* begun and not ended */
        lucid_checkpoint_end(s);
    lucid__scope_leave(s);
    if (!s->parent) {
        lucid_generator_free(s->session->own_generator);
        lucid__free(s->session->paths.each);
    }
    lucid__free(s);
    return status;
}

lucid_tensor lucid__own_more(lucid_scope *s, lucid__value *v)
{
    if (!v) {
        lucid__out_of_memory(s);
        return (lucid_tensor){NULL};
    }
    if (s->count == s->capacity) {
        bool inline_now = s->values == s->first_values;
        lucid__value **more =
            lucid__realloc(inline_now ? NULL : s->values, 2 * s->capacity * sizeof *more);
        if (!more) {
            lucid__value_release(v);
            lucid__out_of_memory(s);
            return (lucid_tensor){NULL};
        }
        if (inline_now)
            memcpy(more, s->first_values, sizeof s->first_values);
        s->values = more;
        s->capacity *= 2;
    }
    s->values[s->count++] = v;
    return (lucid_tensor){v};
}

lucid_tensor lucid__scope_move(lucid_scope *child, lucid_tensor x)
{
    if (!x.v)
        return x;
    return lucid__own(child->parent, lucid__scope_take(child, x));
}

lucid_tensor lucid_keep(lucid_scope *s, lucid_tensor x)
{
    if (!s->parent)
        return x; /* a root has nobody to give it to and lives longest anyway */
    return lucid__scope_move(s, x);
}

lucid_tensor lucid_own(lucid_scope *s, lucid_tensor x)
{
    return x.v ? lucid__own(s, lucid__value_retain(x.v)) : x;
}

lucid_tensor lucid_retain(lucid_tensor x)
{
    lucid__value_retain(x.v);
    return x;
}

void lucid_release(lucid_tensor x)
{
    lucid__value_release(x.v);
}

lucid_fn lucid__own_fn(lucid_scope *s, lucid__fn *f)
{
    if (!f) {
        lucid__out_of_memory(s);
        return (lucid_fn){NULL};
    }
    if (s->nfns == s->fn_capacity) {
        size_t capacity = s->fn_capacity ? 2 * s->fn_capacity : 4;
        lucid__fn **more = lucid__realloc(s->fns, capacity * sizeof(lucid__fn *));
        if (!more) {
            lucid__fn_release(f);
            lucid__out_of_memory(s);
            return (lucid_fn){NULL};
        }
        s->fns = more;
        s->fn_capacity = capacity;
    }
    s->fns[s->nfns++] = f;
    return (lucid_fn){f};
}

lucid_fn lucid_keep_fn(lucid_scope *s, lucid_fn f)
{
    if (!s->parent || !f.f)
        return f;
    return lucid__own_fn(s->parent, lucid__fn_retain(f.f));
}

lucid_fn lucid_retain_fn(lucid_fn f)
{
    lucid__fn_retain(f.f);
    return f;
}

void lucid_release_fn(lucid_fn f)
{
    lucid__fn_release(f.f);
}

void *lucid_alloc(lucid_scope *s, size_t bytes)
{
    if (LUCID__REUSES_MEMORY && bytes <= LUCID__SCOPE_SCRATCH - s->scratch_used)
        return memset(lucid__alloc(s, bytes), 0, bytes);
    lucid__block *b = bytes < SIZE_MAX / 2 ? lucid__calloc(1, sizeof *b + bytes) : NULL;
    if (!b) {
        lucid__out_of_memory(s);
        return NULL;
    }
    b->next = s->blocks;
    s->blocks = b;
    return b->data;
}

const char *lucid_status_name(lucid_status status)
{
    switch (status) {
    case LUCID_OK:
        return "LUCID_OK";
    case LUCID_VALUE_ERROR:
        return "LUCID_VALUE_ERROR";
    case LUCID_TYPE_ERROR:
        return "LUCID_TYPE_ERROR";
    case LUCID_INDEX_ERROR:
        return "LUCID_INDEX_ERROR";
    case LUCID_RUNTIME_ERROR:
        return "LUCID_RUNTIME_ERROR";
    case LUCID_MEMORY_ERROR:
        return "LUCID_MEMORY_ERROR";
    case LUCID_CALLBACK_ERROR:
        return "LUCID_CALLBACK_ERROR";
    case LUCID_DIVERGED:
        return "LUCID_DIVERGED";
    case LUCID_INTERRUPTED:
        return "LUCID_INTERRUPTED";
    }
    return "unknown status";
}

lucid_status lucid_error(const lucid_scope *s)
{
    return s ? s->session->status : LUCID_MEMORY_ERROR;
}

const char *lucid_error_message(const lucid_scope *s)
{
    return s ? s->session->message : "out of memory";
}

void lucid_clear_error(lucid_scope *s)
{
    s->session->status = LUCID_OK;
    s->session->message[0] = '\0';
    atomic_store_explicit(&s->session->interrupt.wanted, false, memory_order_relaxed);
}

lucid_status lucid_fail(lucid_scope *s, lucid_status status, const char *format, ...)
{
    if (!s) /* lucid_open found no memory */
        return LUCID_MEMORY_ERROR;
    lucid__session *session = s->session;
    if (session->status != LUCID_OK)
        return session->status;
    session->status = status == LUCID_OK ? LUCID_RUNTIME_ERROR : status;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(session->message, sizeof session->message, format, args);
    va_end(args);
    if (status == LUCID_INTERRUPTED)
        atomic_store_explicit(&session->interrupt.wanted, false, memory_order_relaxed);
    return session->status;
}

lucid_status lucid__out_of_memory(lucid_scope *s)
{
    return lucid_fail(s, LUCID_MEMORY_ERROR, "out of memory");
}

/* ---- interruptions ----------------------------------------------------------------------------------- */

void lucid_interrupt(lucid_scope *s)
{
    if (s)
        atomic_store_explicit(&s->session->interrupt.wanted, true, memory_order_relaxed);
}

lucid_status lucid__interrupted(lucid_scope *s)
{
    return lucid_fail(s, LUCID_INTERRUPTED, "interrupted");
}

lucid_status lucid__unfinished(lucid_scope *s)
{
    return lucid__stopping() ? lucid__interrupted(s) : lucid__out_of_memory(s);
}

bool lucid__notice_interrupt(lucid_scope *s)
{
    /* A step that builds operations has a session of its own, and is interrupted with the evaluation it is in. */
    lucid__interrupt *of = lucid__evaluating ? lucid__evaluating : &s->session->interrupt;
    bool wanted = lucid__interrupt_look(of);
    s->session->interrupt.patience = of->patience;
    if (wanted)
        (void)lucid__interrupted(s);
    return wanted;
}

/* ---- nesting ---------------------------------------------------------------------------------------- */

/* The text is what tells this error from others of its status, and passes through steps that have sessions of their
 * own. */
static const char too_deep[] =
    "transforms, loops or functions are nested too deeply for the stack of this thread";

lucid_status lucid__fail_nesting(lucid_scope *s)
{
    return lucid_fail(s, LUCID_RUNTIME_ERROR, "%s", too_deep);
}

bool lucid_nested_too_deeply(const lucid_scope *s)
{
    return lucid_error(s) == LUCID_RUNTIME_ERROR && strcmp(s->session->message, too_deep) == 0;
}

bool lucid_stack_is_low(void)
{
    return lucid__stack_is_low();
}
