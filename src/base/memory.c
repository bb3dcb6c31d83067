#include "base/memory.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool counting;
static _Atomic int64_t left;

void lucid__fail_allocations_after(int64_t n)
{
    atomic_store(&left, n);
    atomic_store(&counting, n >= 0);
}

int64_t lucid__allocations_left(void)
{
    return atomic_load(&left);
}

/* The common case is one relaxed load. */
static bool refused(void)
{
    if (!atomic_load_explicit(&counting, memory_order_relaxed))
        return false;
    return atomic_fetch_sub(&left, 1) <= 0;
}

#if LUCID__REUSES_MEMORY

/* ---- small blocks ----------------------------------------------------------------------------------- */

/* A call of a transform makes and drops a hundred small objects. Each thread keeps those it has dropped, by
 * size, in stacks deep enough for them, so that most allocations are a push and a pop. */
enum {
    UNIT = 32,    /* sizes are rounded up to multiples of it */
    CLASSES = 16, /* larger blocks are not kept */
    DEPTH = 128,  /* of a stack; what does not fit goes back to the C library */
};

/* In front of every block. */
typedef struct header {
    alignas(max_align_t) size_t class; /* size in units; CLASSES: it is not kept */
    struct header *next;               /* in a stack */
} header;

typedef struct stacks {
    header *top[CLASSES];
    int depth[CLASSES];
} stacks;

/* A pointer alone, so that it fits where the loader finds it without a call even in a library that is
 * loaded late, as Python does. */
static _Thread_local stacks *mine __attribute__((tls_model("initial-exec")));
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void drop_stacks(void *all)
{
    stacks *s = all;
    for (int c = 0; c < CLASSES; c++)
        while (s->top[c]) {
            header *h = s->top[c];
            s->top[c] = h->next;
            free(h);
        }
    free(s);
    mine = NULL;
}

static void watch_exits(void)
{
    (void)pthread_key_create(&at_exit, drop_stacks);
}

static __attribute__((noinline)) stacks *make_stacks(void)
{
    (void)pthread_once(&once, watch_exits);
    stacks *s = calloc(1, sizeof *s);
    if (s && pthread_setspecific(at_exit, s) != 0) {
        free(s);
        s = NULL;
    }
    return mine = s;
}

/* NULL: there is no memory for them. */
static inline stacks *my_stacks(void)
{
    return mine ? mine : make_stacks();
}

static void *take(size_t bytes)
{
    size_t class = bytes / UNIT + (bytes % UNIT != 0);
    if (class >= CLASSES) {
        header *h = bytes <= SIZE_MAX - sizeof *h ? malloc(sizeof *h + bytes) : NULL;
        if (!h)
            return NULL;
        h->class = CLASSES;
        return h + 1;
    }
    stacks *s = my_stacks();
    header *h = s ? s->top[class] : NULL;
    if (h) {
        s->top[class] = h->next;
        s->depth[class]--;
        return h + 1;
    }
    h = malloc(sizeof *h + class * UNIT);
    if (!h)
        return NULL;
    h->class = class;
    return h + 1;
}

static void give(void *p)
{
    header *h = (header *)p - 1;
    stacks *s = h->class < CLASSES ? my_stacks() : NULL;
    if (!s || s->depth[h->class] == DEPTH) {
        free(h);
        return;
    }
    h->next = s->top[h->class];
    s->top[h->class] = h;
    s->depth[h->class]++;
}

void *lucid__malloc(size_t bytes)
{
    return refused() ? NULL : take(bytes);
}

void *lucid__calloc(size_t count, size_t size)
{
    size_t bytes;
    if (refused() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    if (bytes > UNIT * (CLASSES - 1)) { /* fresh pages are zeros already */
        header *h = bytes <= SIZE_MAX - sizeof *h ? calloc(1, sizeof *h + bytes) : NULL;
        if (!h)
            return NULL;
        h->class = CLASSES;
        return h + 1;
    }
    void *p = take(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *lucid__realloc(void *p, size_t bytes)
{
    if (refused())
        return NULL;
    if (!p)
        return take(bytes);
    header *h = (header *)p - 1;
    if (h->class == CLASSES && bytes > CLASSES * UNIT) {
        h = bytes <= SIZE_MAX - sizeof *h ? realloc(h, sizeof *h + bytes) : NULL;
        return h ? h + 1 : NULL;
    }
    void *to = take(bytes);
    if (!to)
        return NULL;
    size_t known = h->class == CLASSES ? bytes : h->class * UNIT; /* that may be read */
    memcpy(to, p, known < bytes ? known : bytes);
    give(p);
    return to;
}

void lucid__free(void *p)
{
    if (p)
        give(p);
}

#else

void *lucid__malloc(size_t bytes)
{
    return refused() ? NULL : malloc(bytes ? bytes : 1);
}

void *lucid__calloc(size_t count, size_t size)
{
    return refused() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *lucid__realloc(void *p, size_t bytes)
{
    return refused() ? NULL : realloc(p, bytes ? bytes : 1);
}

void lucid__free(void *p)
{
    free(p);
}

#endif
