#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

atomic_bool lucid__allocations_counted;
static _Atomic int64_t left;

void lucid__fail_allocations_after(int64_t n)
{
    atomic_store(&left, n);
    atomic_store(&lucid__allocations_counted, n >= 0);
}

int64_t lucid__allocations_left(void)
{
    return atomic_load(&left);
}

/* The common case is one relaxed load. */
static bool refused(void)
{
    if (!atomic_load_explicit(&lucid__allocations_counted, memory_order_relaxed))
        return false;
    return atomic_fetch_sub(&left, 1) <= 0;
}

/* What is free in the C library stays with the process otherwise, unless nothing in use lies behind it. */
static void trim(void)
{
#if defined(__GLIBC__) && LUCID__REUSES_MEMORY
    (void)malloc_trim(0);
#endif
}

#if LUCID__REUSES_MEMORY

/* ---- small blocks ----------------------------------------------------------------------------------- */

enum {
    KEPT_BYTES = 1 << 17, /* of a size, by a thread; what does not fit goes back to the C library */
    MOST_KEPT = 1024,     /* blocks of a size */
};

static lucid__small_stacks none;
_Thread_local lucid__small_stacks *lucid__small_mine __attribute__((tls_model("initial-exec"))) =
    &none;
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static atomic_uint give_back_requests;

static void empty_stacks(lucid__small_stacks *s)
{
    for (int c = 0; c < LUCID__SMALL_CLASSES; c++) {
        int fit = KEPT_BYTES / (LUCID__SMALL_UNIT * (c + 1));
        while (s->top[c]) {
            lucid__small *block = s->top[c];
            s->top[c] = block->next;
            free(block);
        }
        s->room[c] = fit < MOST_KEPT ? fit : MOST_KEPT;
    }
    s->given_back = atomic_load_explicit(&give_back_requests, memory_order_relaxed);
}

static void drop_stacks(void *all)
{
    lucid__small_mine = &none;
    empty_stacks(all);
    free(all);
}

static void watch_exits(void)
{
    (void)pthread_key_create(&at_exit, drop_stacks);
}

static void make_stacks(void)
{
    (void)pthread_once(&once, watch_exits);
    lucid__small_stacks *s = calloc(1, sizeof *s);
    if (!s || pthread_setspecific(at_exit, s) != 0) {
        free(s);
        return;
    }
    empty_stacks(s);
    lucid__small_mine = s;
}

/* Meets what somebody has asked of all threads. */
static void meet_requests(void)
{
    lucid__small_stacks *s = lucid__small_mine;
    if (s != &none &&
        s->given_back != atomic_load_explicit(&give_back_requests, memory_order_relaxed))
        empty_stacks(s);
}

/* Not from the stacks. */
static __attribute__((noinline)) void *take(size_t bytes)
{
    size_t class = lucid__small_class(bytes);
    if (class >= LUCID__SMALL_CLASSES)
        class = LUCID__SMALL_CLASSES;
    else if (lucid__small_mine == &none)
        make_stacks();
    size_t usable = class < LUCID__SMALL_CLASSES ? class * LUCID__SMALL_UNIT : bytes;
    lucid__small *block =
        usable <= SIZE_MAX - sizeof *block ? malloc(sizeof *block + usable) : NULL;
    if (!block)
        return NULL;
    block->class = class;
    return block + 1;
}

void *lucid__malloc_anew(size_t bytes)
{
    meet_requests();
    return refused() ? NULL : take(bytes);
}

void lucid__free_for_good(lucid__small *block)
{
    free(block);
}

void lucid__memory_give_back(void)
{
    atomic_fetch_add(&give_back_requests, 1);
    meet_requests();
    trim();
}

void *lucid__calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    if (bytes >
        LUCID__SMALL_UNIT * (LUCID__SMALL_CLASSES - 1)) { /* fresh pages are zeros already */
        lucid__small *block = !refused() && bytes <= SIZE_MAX - sizeof *block
                                  ? calloc(1, sizeof *block + bytes)
                                  : NULL;
        if (!block)
            return NULL;
        block->class = LUCID__SMALL_CLASSES;
        return block + 1;
    }
    void *p = lucid__malloc(bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *lucid__realloc(void *p, size_t bytes)
{
    if (!p)
        return lucid__malloc(bytes);
    lucid__small *block = (lucid__small *)p - 1;
    bool small = block->class < LUCID__SMALL_CLASSES;
    if (!small && bytes > LUCID__SMALL_UNIT * (LUCID__SMALL_CLASSES - 1)) {
        block = !refused() && bytes <= SIZE_MAX - sizeof *block
                    ? realloc(block, sizeof *block + bytes)
                    : NULL;
        return block ? block + 1 : NULL;
    }
    void *to = lucid__malloc(bytes);
    if (!to)
        return NULL;
    size_t known = small ? block->class * LUCID__SMALL_UNIT : bytes; /* that may be read */
    memcpy(to, p, known < bytes ? known : bytes);
    lucid__free(p);
    return to;
}

#else

void lucid__memory_give_back(void)
{
    trim();
}

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
