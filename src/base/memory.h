/* All memory of the library comes from here, so that tests can make any allocation fail. */
#ifndef LUCID__MEMORY_H
#define LUCID__MEMORY_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether memory that is given back is kept for those who want some next. Not under a sanitizer, which sees
 * what is wrong with memory only if it is freed when nobody uses it any more. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LUCID__REUSES_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LUCID__REUSES_MEMORY 0
#endif
#endif
#ifndef LUCID__REUSES_MEMORY
#define LUCID__REUSES_MEMORY 1
#endif

#if LUCID__REUSES_MEMORY

/* A call of a transform makes and drops a hundred small objects. Each thread keeps those it has dropped, by
 * size, in stacks deep enough for them, so that most allocations are a push and a pop, written out where
 * they are wanted. */
enum {
    LUCID__SMALL_UNIT = 32,    /* sizes are rounded up to multiples of it */
    LUCID__SMALL_CLASSES = 32, /* larger blocks are not kept */
};

/* In front of every block. */
typedef struct lucid__small {
    alignas(max_align_t) size_t class; /* size in units; LUCID__SMALL_CLASSES: it is not kept */
    struct lucid__small *next;         /* in a stack */
} lucid__small;

typedef struct lucid__small_stacks {
    lucid__small *top[LUCID__SMALL_CLASSES];
    int room[LUCID__SMALL_CLASSES + 1]; /* for how many more; none for blocks that are not kept */
    unsigned given_back;                /* the last request to give memory back that was met */
} lucid__small_stacks;

/* Of this thread; before its first allocation, empty ones without room. A pointer alone, so that it fits where
 * the loader finds it without a call even in a library that is loaded late, as Python does. */
extern _Thread_local lucid__small_stacks *lucid__small_mine
    __attribute__((tls_model("initial-exec")));
extern atomic_bool lucid__allocations_counted;

void *lucid__malloc_anew(size_t bytes);
void lucid__free_for_good(lucid__small *block);

/* Of so many bytes, in units; more than there are classes: 0 bytes and very many. */
static inline size_t lucid__small_class(size_t bytes)
{
    return (bytes - 1) / LUCID__SMALL_UNIT + 1;
}

/* Aligned for any type. A block may be freed by another thread than the one that took it. */
static inline void *lucid__malloc(size_t bytes)
{
    size_t class = lucid__small_class(bytes);
    lucid__small_stacks *mine = lucid__small_mine;
    if (class < LUCID__SMALL_CLASSES && mine->top[class] &&
        !atomic_load_explicit(&lucid__allocations_counted, memory_order_relaxed)) {
        lucid__small *block = mine->top[class];
        mine->top[class] = block->next;
        mine->room[class]++;
        return block + 1;
    }
    return lucid__malloc_anew(bytes);
}

static inline void lucid__free(void *p)
{
    if (!p)
        return;
    lucid__small *block = (lucid__small *)p - 1;
    lucid__small_stacks *mine = lucid__small_mine;
    if (mine->room[block->class] == 0) {
        lucid__free_for_good(block);
        return;
    }
    mine->room[block->class]--;
    block->next = mine->top[block->class];
    mine->top[block->class] = block;
}

#else

void *lucid__malloc(size_t bytes);
void lucid__free(void *p);

#endif

/* Gives what this thread keeps back to the C library, and free memory of the C library to the system; other threads give
 * back theirs when they next ask the C library for memory. */
void lucid__memory_give_back(void);

void *lucid__calloc(size_t count, size_t size); /* NULL when count * size overflows */
void *lucid__realloc(void *p, size_t bytes);

/* Makes the n-th allocation from now (0: the next) and all after it fail; negative: none fails. */
void lucid__fail_allocations_after(int64_t n);
/* How many more would have succeeded; negative: one was made to fail. */
int64_t lucid__allocations_left(void);

#endif
